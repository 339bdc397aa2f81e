/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the seam when operations fail; and that the faulty kernel of tests/support does what it says. */
#include <fcntl.h>
#include <sys/socket.h>

#include "core/stream.h"
#include "rig.h"
#include "tests/support/faulty.h"

static struct reactor reactor;
static int	      far;

struct user {
	struct stream s;
	size_t	      taken;
	unsigned      ended, sent, closed;
	int	      result;
};

static size_t
on_read(struct stream *s, struct span bytes)
{
	CONTAINER_OF(s, struct user, s)->taken += bytes.len;
	return bytes.len;
}

static void
on_ended(struct stream *s, int result)
{
	struct user *u = CONTAINER_OF(s, struct user, s);

	u->ended++;
	u->result = result;
}

static void
on_sent(struct stream *s)
{
	CONTAINER_OF(s, struct user, s)->sent++;
}

static void
on_closed(struct stream *s)
{
	CONTAINER_OF(s, struct user, s)->closed++;
}

static const struct stream_handlers handlers = { on_read, on_ended, on_sent, on_closed };
static struct user		    user;

/* The next receive is that of the stream which is then opened. */
static void
open_stream(void)
{
	int ends[2];

	rig_pair(ends);
	far = ends[0];
	memset(&user, 0, sizeof(user));
	stream_open(&user.s, &reactor, ends[1], &handlers);
}

static void
open_reactor(void)
{
	const struct reactor_params p = { .core_count = 1, .memory_max = 1 << 20, .log_fd = 2 };
	const char		   *why = "no sentence";

	rig_net = io_net_new(1);
	ck_assert_msg(reactor_open(&reactor, rig_net, &p, &why) == 0, "%s", why);
	rig_io = reactor.io;
}

#define TURN_UNTIL(condition)                                                                      \
	do {                                                                                       \
		for (unsigned turns_ = 0; !(condition) && turns_ < RIG_TURNS_MAX; turns_++)        \
			reactor_turn(&reactor, reactor_in_ms(&reactor, 5));                        \
		ck_assert_msg((condition), "never came: %s", #condition);                          \
	} while (0)

static void
close_reactor(void)
{
	ck_assert_uint_eq(reactor.memory.used, 0);
	reactor_close(&reactor);
	io_net_free(rig_net);
}

static const struct {
	const char  *label;
	enum io_kind kind;
	int	     error;
	bool	     fatal; /* the stream ends; else it goes on as if nothing had been */
} stream_cases[] = {
	{ "no buffer", IO_RECV, -ENOBUFS, false },
	{ "receive cancelled by nobody", IO_RECV, -ECANCELED, false },
	{ "receive interrupted", IO_RECV, -EINTR, false },
	{ "receive says again", IO_RECV, -EAGAIN, false },
	{ "reset", IO_RECV, -ECONNRESET, true },
	{ "no answer for long", IO_RECV, -ETIMEDOUT, true },
	{ "no memory to receive", IO_RECV, -ENOMEM, true },
	{ "send interrupted", IO_SEND, -EINTR, false },
	{ "send says again", IO_SEND, -EAGAIN, false },
	{ "send cancelled by nobody", IO_SEND, -ECANCELED, false },
	{ "broken pipe", IO_SEND, -EPIPE, true },
	{ "no route any more", IO_SEND, -EHOSTUNREACH, true },
};

START_TEST(a_stream_meets_an_error)
{
	const char *label = stream_cases[_i].label;
	char	    room[64];

	faulty_fail(stream_cases[_i].kind, 0, stream_cases[_i].error);
	open_stream();
	ck_assert_int_eq(send(far, "words", 5, 0), 5);
	ck_assert_int_eq(stream_write(&user.s, SPAN_LITERAL("answer")), 0);
	TURN_UNTIL(user.ended || (user.taken == 5 && user.sent));
	ck_assert_uint_eq(faulty_count(), 1);
	ck_assert_msg(user.ended == stream_cases[_i].fatal, "%s", label);
	if (user.ended)
		ck_assert_int_eq(user.result, stream_cases[_i].error);
	else
		ck_assert_int_eq(recv(far, room, sizeof(room), 0), 6);
	stream_close(&user.s);
	TURN_UNTIL(user.closed);
	ck_assert_uint_le(user.ended, 1);
} END_TEST

START_TEST(a_log_that_cannot_write_counts)
{
	char	    name[] = "log-XXXXXX", text[1024];
	int	    fd = mkstemp(name);
	struct log *out = log_new(reactor.io, fd, LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
	ssize_t	    n;

	for (unsigned i = 0; i < 4; i++) {
		if (i < 2)
			faulty_fail(IO_WRITE, 0, i ? -EIO : -EINTR);
		log_info(out, "event", LOG_UINT("n", i));
		log_flush(out);
		TURN_UNTIL(log_idle(out));
	}
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = 0;
	ck_assert_ptr_nonnull(strstr(text, "event=event n=0\n")); /* begun again */
	ck_assert_ptr_null(strstr(text, "n=1\n"));
	ck_assert_ptr_nonnull(strstr(text, "event=log-dropped lines=1\n"));
	ck_assert_ptr_nonnull(strstr(text, "event=event n=3\n"));
	log_free(out);
	close(fd);
	ck_assert_int_eq(unlink(name), 0);
} END_TEST

/* --- the tool itself ------------------------------------------------------------------------------ */

START_TEST(the_planned_operation_fails_and_no_other)
{
	struct seen *s = rig_seen();
	int	     zero = open("/dev/zero", O_RDONLY);

	faulty_fail(IO_READ, 2, -EIO);
	for (int i = 0; i < 5; i++) {
		io_read(reactor.io, &s->op, zero, s->data, 8, 0);
		ck_assert_int_eq(rig_end(s), i == 2 ? -EIO : 8);
		ck_assert_ptr_eq(s->op.done, rig_see);
	}
	faulty_fail(IO_OPEN, 0, -EMFILE);
	io_open(reactor.io, &s->op, IO_CWD, "/dev/null", O_RDONLY, 0);
	ck_assert_int_eq(rig_end(s), -EMFILE);
	faulty_fail(IO_DIRSYNC, 0, -EIO);
	io_dirsync(reactor.io, &s->op, zero);
	ck_assert_int_eq(rig_end(s), -EIO);
	ck_assert_uint_eq(faulty_count(), 3);
} END_TEST

START_TEST(lawful_faults_come_from_a_seed)
{
	unsigned counts[3];
	int	 full = open("/dev/null", O_WRONLY);

	for (unsigned round = 0; round < COUNT_OF(counts); round++) {
		unsigned before = faulty_count(), short_ones = 0;

		faulty_lawful(round == 2 ? 8 : 7, 500);
		for (unsigned i = 0; i < 200; i++) {
			char	     text[100] = "";
			struct iovec iov[2] = { { text, 60 }, { text + 60, 40 } };
			struct seen *s = rig_seen();

			io_write(reactor.io, &s->op, full, iov, 2, 0, 0);
			ck_assert_int_gt(rig_end(s), 0);
			short_ones += s->result < 100;
		}
		counts[round] = short_ones;
		ck_assert_uint_ge(faulty_count() - before, short_ones);
		ck_assert_uint_gt(short_ones, 50);
		ck_assert_uint_lt(short_ones, 150);
	}
	ck_assert_uint_eq(counts[0], counts[1]);
	faulty_lawful(0, 0);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("faults") };

	tcase_add_checked_fixture(cases[0], open_reactor, close_reactor);
	tcase_add_loop_test(cases[0], a_stream_meets_an_error, 0, COUNT_OF(stream_cases));
	tcase_add_test(cases[0], a_log_that_cannot_write_counts);
	tcase_add_test(cases[0], the_planned_operation_fails_and_no_other);
	tcase_add_test(cases[0], lawful_faults_come_from_a_seed);
	return rig_run("core/faults", cases, COUNT_OF(cases));
}
