/* SPDX-License-Identifier: Apache-2.0 */
/* A shard on real files: in, out, and over a restart. */
#include "queue/queue.h"

#include <unistd.h>

#include "tests/support/run.h"

enum { SIZE_LARGE = 3000000, TURNS_MAX = 20000 };

static struct world {
	struct io_net	     *net;
	struct reactor	      reactor;
	struct queue	     *queue;
	char		      path[64];
	int		      spool;
	bool		      recovered, closed;
	struct queue_recovery what;
	unsigned	      due;
	struct queue_message *last_due;
} w;

static void
on_due(struct queue *q, struct queue_message *m)
{
	(void)q;
	w.due++;
	w.last_due = m;
}

static void
on_recovered(struct queue *q, const struct queue_recovery *what)
{
	(void)q;
	w.recovered = true;
	w.what = *what;
}

static void
on_closed(struct queue *q)
{
	(void)q;
	w.closed = true;
}

static void
turn_until(const bool *done)
{
	for (unsigned i = 0; i < TURNS_MAX && !*done; i++)
		reactor_turn(&w.reactor, reactor_in_ms(&w.reactor, 10));
	ck_assert(*done);
}

static void
start(void)
{
	const struct queue_handlers handlers = { on_due, on_recovered, on_closed };
	const struct queue_params params = {
		.spool = w.spool,
		.segment_octets = 4 << 20,
		.spool_octets_max = 256 << 20,
		.inline_octets_max = 64 * 1024,
		.cache_octets_max = 1 << 20,
	};
	const char *why = "";

	w.recovered = w.closed = false;
	w.due = 0;
	ck_assert_msg(queue_open(&w.queue, &w.reactor, &params, &handlers, NULL, &why) == 0, "%s", why);
	turn_until(&w.recovered);
}

static void
stop(void)
{
	queue_close(w.queue);
	turn_until(&w.closed);
	queue_free(w.queue);
	/* Descriptors, the lock among them, are closed beside the loop. */
	for (unsigned i = 0; i < 3; i++)
		reactor_turn(&w.reactor, reactor_in_ms(&w.reactor, 10));
}

static void
open_world(void)
{
	const struct reactor_params p = { .core_count = 1, .memory_max = 256 << 20, .log_fd = 2,
					  .log_level = LOG_LEVEL_WARN };
	const char *why = "";

	(void)snprintf(w.path, sizeof(w.path), "spool-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w.path));
	w.net = io_net_new(1);
	ck_assert_msg(reactor_open(&w.reactor, w.net, &p, &why) == 0, "%s", why);
	w.spool = io_directory_open(w.path, 0700);
	ck_assert_int_ge(w.spool, 0);
	start();
}

static void
close_world(void)
{
	char command[128];

	stop();
	ck_assert_uint_eq(w.reactor.memory.used, 0);
	reactor_close(&w.reactor);
	io_net_free(w.net);
	(void)snprintf(command, sizeof(command), "rm -rf %s", w.path);
	ck_assert_int_eq(system(command), 0);
}

/* --- one message --------------------------------------------------------------------------------------- */

struct sent {
	struct queue_intake in;
	bool		    done, ready;
	int		    result;
};

static void
on_done(struct queue_intake *in, int result)
{
	struct sent *s = CONTAINER_OF(in, struct sent, in);

	s->done = true;
	s->result = result;
}

static void
on_ready(struct queue_intake *in)
{
	CONTAINER_OF(in, struct sent, in)->ready = true;
}

static char
text_at(size_t i)
{
	return (char)('a' + i * 7 % 23);
}

static struct id
put_in(size_t size)
{
	struct envelope_recipient to[2] = { { .address = SPAN_LITERAL("a@b.example") },
					    { .address = SPAN_LITERAL("c@d.example") } };
	struct sent		  s = { .in = { .ready = on_ready, .done = on_done } };
	struct envelope		  env = { .recipient_count = 2, .recipients = to,
					  .sender = SPAN_LITERAL("x@y.example"), .accepted_ms = 1 };

	ck_assert_int_eq(queue_intake_open(w.queue, &s.in, 0), 0);
	for (size_t at = 0; at < size;) {
		char   bytes[10000];
		size_t n = MIN_OF(sizeof(bytes), size - at);
		int    result;

		for (size_t i = 0; i < n; i++)
			bytes[i] = text_at(at + i);
		result = queue_intake_append(&s.in, span_make(bytes, n));
		ck_assert(result == 0 || result == -11);
		at += n;
		if (result) {
			s.ready = false;
			turn_until(&s.ready);
		}
	}
	env.id = s.in.id;
	env.body_octets = s.in.octets;
	queue_intake_commit(&s.in, &env, NULL);
	ck_assert(!s.done);
	turn_until(&s.done);
	ck_assert_int_eq(s.result, 0);
	return env.id;
}

struct loaded {
	struct queue_load load;
	bool		  done;
	int		  result;
};

static void
on_load(struct queue_load *load, int result)
{
	struct loaded *l = CONTAINER_OF(load, struct loaded, load);

	l->done = true;
	l->result = result;
}

static void
check_text(struct id id, size_t size)
{
	struct queue_message *m = queue_find(w.queue, id);
	struct loaded	      l = { .load = { .done = on_load } };
	size_t		      at = 0;

	ck_assert_ptr_nonnull(m);
	queue_load(w.queue, m, &l.load);
	turn_until(&l.done);
	ck_assert_int_eq(l.result, 0);
	ck_assert_uint_eq(l.load.view->envelope.recipient_count, 2);
	ck_assert(span_equal(l.load.view->envelope.recipients[1].address, SPAN_LITERAL("c@d.example")));
	ck_assert(span_equal(l.load.view->envelope.sender, SPAN_LITERAL("x@y.example")));
	for (size_t i = 0; i < l.load.view->body.len; i++)
		if (l.load.view->body.data[i] != text_at(at++))
			ck_abort_msg("text differs at %zu", at - 1);
	for (unsigned i = 0; i < l.load.view->piece_count; i++) {
		const struct queue_piece *p = &l.load.view->pieces[i];
		char			 *bytes = malloc(p->length);

		ck_assert_int_eq(pread(p->fd, bytes, p->length, (off_t)p->at), p->length);
		ck_assert(queue_piece_check(p, span_make(bytes, p->length)));
		for (uint32_t j = 0; j < p->length; j++)
			if (bytes[j] != text_at(at++))
				ck_abort_msg("text differs at %zu", at - 1);
		free(bytes);
	}
	ck_assert_uint_eq(at, size);
	queue_view_unref(w.queue, l.load.view);
}

static void
settle(struct id id, unsigned recipient, enum queue_state state)
{
	struct queue_message *m = queue_find(w.queue, id);
	struct queue_result   r = { .recipient = recipient, .state = state, .attempt = true, .code = 250,
				    .due_ms = INT64_C(1) << 42, .text = SPAN_LITERAL("words") };

	ck_assert(queue_take(w.queue, m, recipient));
	queue_record(w.queue, m, &r, 1, NULL);
}

START_TEST(survives_a_restart)
{
	struct id small = put_in(1000), large = put_in(SIZE_LARGE), done = put_in(10), half = put_in(20);

	ck_assert_uint_ge(w.due, 1);
	check_text(small, 1000);
	check_text(large, SIZE_LARGE);
	settle(done, 0, QUEUE_DELIVERED);
	settle(done, 1, QUEUE_FAILED);
	ck_assert_ptr_null(queue_find(w.queue, done));
	settle(half, 0, QUEUE_DELIVERED);
	settle(half, 1, QUEUE_WAITING);
	queue_act(w.queue, queue_find(w.queue, small), QUEUE_HOLD, NULL);
	stop();
	start();
	ck_assert_uint_eq(w.what.messages, 3);
	ck_assert_uint_eq(w.what.damaged, 0);
	ck_assert_uint_eq(w.what.torn_octets, 0);
	check_text(small, 1000);
	check_text(large, SIZE_LARGE);
	ck_assert_ptr_null(queue_find(w.queue, done));
	ck_assert_uint_eq(queue_find(w.queue, half)->open, 1);
	ck_assert_uint_eq(queue_find(w.queue, half)->recipients[1].attempts, 1);
	ck_assert_uint_eq(queue_find(w.queue, small)->held, 1);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("files");

	tcase_add_checked_fixture(tc, open_world, close_world);
	tcase_add_test(tc, survives_a_restart);
	return run_case("queue", tc);
}
