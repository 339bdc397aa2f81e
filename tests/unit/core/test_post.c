/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posts between cores that sleep without a deadline, so a waking that is lost hangs the test.  Also run under
 * ThreadSanitizer.  Threads count what is wrong; the test asserts when they have ended.
 */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	CORES_MAX = 4,
	WINDOW_MAX = 64,
	OUTSIDE = 2000, /* messages to each core from a thread without a seam */
	CLOSINGS = 300,
};

struct core;

struct message {
	struct io_post post;
	struct core   *from, *to;
	unsigned       number;
	bool	       home;
};

struct core {
	unsigned	index, window, each;
	pthread_t	thread;
	struct io      *io;
	struct message	messages[CORES_MAX][WINDOW_MAX];
	struct message	farewells[CORES_MAX];
	unsigned	sent[CORES_MAX], returned; /* of ours */
	unsigned	expected[CORES_MAX];	   /* number of the next from each core */
	unsigned	expected_outside;
	unsigned	farewell_count;
};

static struct core    cores[CORES_MAX];
static unsigned	      core_count;
static struct io_net *net;
static atomic_uint    wrongs;

static void
expect(bool right)
{
	if (!right)
		atomic_fetch_add(&wrongs, 1);
}

static struct io *
open_core(unsigned index)
{
	const struct io_params p = { .core = index, .core_count = core_count, .queue_entries = 32,
				     .recv_buffer_count = 8, .recv_buffer_size = 64 };
	const char *why;
	struct io  *io = NULL;

	expect(io_open_seam(&io, net, &p, &why) == 0);
	return io;
}

/* --- there and back ------------------------------------------------------------------------------- */

static void carry(struct io *io, struct io_post *post);

static void
send_next(struct core *c, struct message *m)
{
	unsigned to = m->to->index;

	if (c->sent[to] == c->each)
		return;
	m->home = false;
	m->number = c->sent[to]++;
	io_post_to(c->io, to, &m->post);
}

static void
part(struct io *io, struct io_post *post)
{
	struct message *m = CONTAINER_OF(post, struct message, post);

	expect(io_core(io) == m->to->index);
	m->to->farewell_count++;
}

/* Each message travels to the other core, which looks at its number, and home again. */
static void
carry(struct io *io, struct io_post *post)
{
	struct message *m = CONTAINER_OF(post, struct message, post);
	struct core    *from = m->from, *to = m->to;

	if (!m->home) {
		expect(io == to->io && io_core(io) == to->index);
		expect(m->number == to->expected[from->index]++);
		m->home = true;
		io_post_to(io, from->index, post);
		return;
	}
	expect(io == from->io);
	from->returned++;
	send_next(from, m);
	if (from->returned == from->each * core_count)
		for (unsigned i = 0; i < core_count; i++)
			io_post_to(io, i, &from->farewells[i].post);
}

static void
core_init(struct core *c, unsigned index, unsigned window, unsigned each)
{
	*c = (struct core){ .index = index, .window = window, .each = each };
	for (unsigned i = 0; i < core_count; i++) {
		c->farewells[i] = (struct message){ .from = c, .to = &cores[i] };
		io_post_init(&c->farewells[i].post, part);
		for (unsigned j = 0; j < window; j++) {
			c->messages[i][j] = (struct message){ .from = c, .to = &cores[i] };
			io_post_init(&c->messages[i][j].post, carry);
		}
	}
}

static void *
core_run(void *arg)
{
	struct core *c = arg;

	c->io = open_core(c->index);
	for (unsigned i = 0; i < core_count; i++)
		for (unsigned j = 0; j < c->window; j++)
			send_next(c, &c->messages[i][j]);
	/* The last farewells may still wait in the submission queue when this core leaves. */
	while (c->farewell_count < core_count || c->expected_outside < OUTSIDE)
		(void)io_turn(c->io, UINT64_MAX);
	io_close_seam(c->io);
	return NULL;
}

struct outside {
	struct io_post post;
	struct core   *to;
	unsigned       number;
};

static void
take_outside(struct io *io, struct io_post *post)
{
	struct outside *o = CONTAINER_OF(post, struct outside, post);

	expect(io == o->to->io);
	expect(o->number == o->to->expected_outside++);
	free(o);
}

static void
post_outside(unsigned core, unsigned number)
{
	struct outside *o = malloc(sizeof(*o));

	*o = (struct outside){ .to = &cores[core], .number = number };
	io_post_init(&o->post, take_outside);
	io_post_from_outside(net, core, &o->post);
}

static const struct {
	const char *label;
	unsigned    cores, window, each;
} crowd_cases[] = {
	{ "two cores, one message each way: both sleep all the time", 2, 1, 20000 },
	{ "two cores, many under way", 2, WINDOW_MAX, 50000 },
	{ "three cores", 3, 4, 10000 },
	{ "four cores", 4, WINDOW_MAX, 10000 },
};

START_TEST(every_post_arrives_once_and_in_order)
{
	core_count = crowd_cases[_i].cores;
	net = io_net_new(core_count);
	for (unsigned i = 0; i < core_count; i++)
		core_init(&cores[i], i, crowd_cases[_i].window, crowd_cases[_i].each);
	/* Some are there before the core is. */
	for (unsigned n = 0; n < 10; n++)
		for (unsigned i = 0; i < core_count; i++)
			post_outside(i, n);
	for (unsigned i = 0; i < core_count; i++)
		ck_assert_int_eq(pthread_create(&cores[i].thread, NULL, core_run, &cores[i]), 0);
	for (unsigned n = 10; n < OUTSIDE; n++)
		for (unsigned i = 0; i < core_count; i++)
			post_outside(i, n);
	for (unsigned i = 0; i < core_count; i++)
		ck_assert_int_eq(pthread_join(cores[i].thread, NULL), 0);
	io_net_free(net);
	ck_assert_msg(atomic_load(&wrongs) == 0, "%s: %u wrong", crowd_cases[_i].label, atomic_load(&wrongs));
	for (unsigned i = 0; i < core_count; i++)
		for (unsigned j = 0; j < core_count; j++)
			ck_assert_uint_eq(cores[i].expected[j], crowd_cases[_i].each);
} END_TEST

/* --- last words ----------------------------------------------------------------------------------- */

static atomic_uint turns;
static bool	   heard;

static void
hear(struct io *io, struct io_post *post)
{
	(void)io;
	(void)post;
	heard = true;
}

static void *
listener_run(void *arg)
{
	struct io *io = open_core(1);

	(void)arg;
	while (!heard) {
		atomic_fetch_add(&turns, 1);
		(void)io_turn(io, UINT64_MAX);
	}
	io_close_seam(io);
	return NULL;
}

/* A core that posts and closes without another turn has posted. */
START_TEST(last_words_are_heard)
{
	core_count = 2;
	net = io_net_new(core_count);
	for (unsigned i = 0; i < CLOSINGS; i++) {
		struct io_post post;
		pthread_t      thread;
		unsigned       before = atomic_load(&turns);
		struct io     *io = open_core(0);

		heard = false;
		io_post_init(&post, hear);
		ck_assert_int_eq(pthread_create(&thread, NULL, listener_run, NULL), 0);
		while (atomic_load(&turns) == before)
			(void)io_turn(io, 0);
		for (unsigned j = 0; j < 100; j++) /* it falls asleep meanwhile */
			(void)io_turn(io, 0);
		ck_assert_uint_eq(io_crossings(io).posts, 0);
		io_post_to(io, 1, &post);
		ck_assert_uint_eq(io_crossings(io).posts, 1);
		ck_assert_uint_le(io_crossings(io).wakes, 1);
		io_close_seam(io);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	io_net_free(net);
	ck_assert_uint_eq(atomic_load(&wrongs), 0);
} END_TEST

/* --- one core ------------------------------------------------------------------------------------- */

static unsigned runs;

static void
run_again(struct io *io, struct io_post *post)
{
	if (++runs < 5)
		io_post_to(io, 0, post);
}

START_TEST(a_post_to_oneself_runs_in_the_next_turn)
{
	struct io_post post;

	core_count = 1;
	net = io_net_new(1);
	struct io *io = open_core(0);
	io_post_init(&post, run_again);
	io_post_to(io, 0, &post);
	ck_assert_uint_eq(runs, 0);
	for (unsigned i = 1; i <= 5; i++) {
		(void)io_turn(io, UINT64_MAX);
		ck_assert_uint_eq(runs, i);
	}
	ck_assert_uint_eq(io_turn(io, 0), 0);
	ck_assert_uint_eq(io_crossings(io).posts, 0); /* it crossed nothing */
	ck_assert_uint_eq(io_crossings(io).wakes, 0);
	io_close_seam(io);
	io_net_free(net);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("crowd"), case_new("one") };

	tcase_add_loop_test(cases[0], every_post_arrives_once_and_in_order, 0, COUNT_OF(crowd_cases));
	tcase_add_test(cases[0], last_words_are_heard);
	tcase_add_test(cases[1], a_post_to_oneself_runs_in_the_next_turn);
	return rig_run("core/post", cases, COUNT_OF(cases));
}
