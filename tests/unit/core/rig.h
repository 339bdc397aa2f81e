/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of this folder share: a seam on the real ring, an operation that keeps what it was told, and
 * the end of main().  A kernel that refuses io_uring skips the program (exit 77).
 */
#ifndef TESTS_UNIT_CORE_RIG_H
#define TESTS_UNIT_CORE_RIG_H

#include <errno.h>
#include <unistd.h>

#include "core/io.h"
#include "tests/support/run.h"

enum {
	RIG_TURNS_MAX = 5000, /* of RIG_TURN_NS at most: a test that hangs says so itself */
	RIG_KEPT_MAX = 64 * 1024,
	RIG_SKIPPED = 77,
};

#define RIG_TURN_NS UINT64_C(10000000)

static struct io_net *rig_net;
static struct io     *rig_io;
static unsigned	      rig_depth; /* handlers running: 0 or 1 */

static inline void
rig_open_with(unsigned queue_entries, unsigned buffer_count, unsigned buffer_size)
{
	const struct io_params p = { .core_count = 1, .queue_entries = queue_entries,
				     .recv_buffer_count = buffer_count, .recv_buffer_size = buffer_size };
	const char *why = "no sentence";

	rig_net = io_net_new(1);
	ck_assert_ptr_nonnull(rig_net);
	ck_assert_msg(io_open_seam(&rig_io, rig_net, &p, &why) == 0, "%s", why);
}

static inline void
rig_open(void)
{
	rig_open_with(256, 64, 4096);
}

/* --- an operation under observation --------------------------------------------------------------- */

struct seen {
	union {
		struct io_op	     op;
		struct io_connect_op connect;
		struct io_send_op    send;
	};
	unsigned reports, ends; /* events; those without IO_MORE */
	int	 result;	/* of the latest */
	int	 results[64];	/* of all, as far as there is room */
	size_t	 len;		/* octets received */
	char	 data[RIG_KEPT_MAX];
	void (*then)(struct seen *s); /* more to do, NULL: nothing */
	struct seen *older;
};

static struct seen *rig_newest; /* they live until rig_close() */

static inline void
rig_close(void)
{
	io_close_seam(rig_io);
	io_net_free(rig_net);
	for (struct seen *s = rig_newest, *older; s; s = older) {
		older = s->older;
		free(s);
	}
	rig_newest = NULL;
}

static inline void
rig_see(struct io_op *op, const struct io_event *event)
{
	struct seen *s = CONTAINER_OF(op, struct seen, op);
	bool	     more = event->flags & IO_MORE;

	ck_assert_uint_eq(rig_depth++, 0);
	ck_assert(io_op_idle(op) == !more);
	if (event->data.len) {
		ck_assert_uint_eq(event->data.len, event->result);
		ck_assert_uint_le(s->len + event->data.len, sizeof(s->data));
		memcpy(s->data + s->len, event->data.data, event->data.len);
		s->len += event->data.len;
	}
	if (s->reports < COUNT_OF(s->results))
		s->results[s->reports] = event->result;
	s->reports++;
	s->ends += !more;
	s->result = event->result;
	if (s->then)
		s->then(s);
	rig_depth--;
}

static inline struct seen *
rig_seen(void)
{
	struct seen *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	io_op_init(&s->op, rig_see);
	s->older = rig_newest;
	rig_newest = s;
	return s;
}

static inline void
rig_turn(void)
{
	(void)io_turn(rig_io, io_mono_now(rig_io) + RIG_TURN_NS);
}

/* What is complete already, and nothing waited for. */
static inline void
rig_poll(void)
{
	(void)io_turn(rig_io, 0);
}

#define RIG_UNTIL(condition)                                                                       \
	do {                                                                                       \
		for (unsigned turns_ = 0; !(condition) && turns_ < RIG_TURNS_MAX; turns_++)        \
			rig_turn();                                                                \
		ck_assert_msg((condition), "never came: %s", #condition);                          \
	} while (0)

/* The operation ended, once, with what is returned. */
static inline int
rig_end(struct seen *s)
{
	unsigned ends = s->ends;

	RIG_UNTIL(io_op_idle(&s->op));
	ck_assert_uint_le(s->ends, ends + 1);
	return s->result;
}

/* --- sockets -------------------------------------------------------------------------------------- */

static inline struct endpoint
rig_loopback(void)
{
	struct endpoint e;

	ck_assert(endpoint_parse(SPAN_LITERAL("127.0.0.1:0"), 0, &e));
	return e;
}

static inline int
rig_listen(struct endpoint *at)
{
	int fd;

	*at = rig_loopback();
	fd = io_listen(rig_io, at, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(io_local(fd, at), 0);
	ck_assert_uint_ne(at->port, 0);
	return fd;
}

/* Two ends of a TCP connection over loopback. */
static inline void
rig_pair(int ends[2])
{
	struct endpoint at;
	struct seen    *accepted = rig_seen(), *connected = rig_seen();
	int		listener = rig_listen(&at);

	ends[0] = io_socket(rig_io, IO_STREAM, &at, NULL);
	ck_assert_int_ge(ends[0], 0);
	io_accept(rig_io, &accepted->op, listener);
	io_connect(rig_io, &connected->connect, ends[0], &at);
	ck_assert_int_eq(rig_end(connected), 0);
	RIG_UNTIL(accepted->reports);
	while (accepted->result < 0) { /* the contract allows it to end before anybody came */
		unsigned before = accepted->reports;

		ck_assert(accepted->result == -ENOBUFS || accepted->result == -ECANCELED);
		io_accept(rig_io, &accepted->op, listener);
		RIG_UNTIL(accepted->reports > before);
	}
	ends[1] = accepted->result;
	io_cancel(rig_io, &accepted->op);
	(void)rig_end(accepted);
	io_close(rig_io, listener);
}

/* --- main ----------------------------------------------------------------------------------------- */

static inline int
rig_run(const char *name, TCase *const *cases, size_t count)
{
	const struct io_params p = { .core_count = 1, .queue_entries = 8, .recv_buffer_count = 8,
				     .recv_buffer_size = 64 };
	const char *why = "no sentence";
	int	    result;

	rig_net = io_net_new(1);
	result = rig_net ? io_open_seam(&rig_io, rig_net, &p, &why) : -ENOMEM;
	if (result == -ENOSYS || result == -EPERM || result == -EINVAL) {
		(void)printf("skipped: %s\n", why);
		return RIG_SKIPPED;
	}
	INVARIANT(result == 0);
	rig_close();
	return run_cases(name, cases, count);
}

#endif
