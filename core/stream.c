/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three things may be under way on a stream: one receive, one send, one hook for the end of the turn.  Completions never
 * nest, so the user's handlers run from exactly four places: a receive's completion (read, ended), a send's (sent), and the
 * `later` hook (read and ended after a resume, closed after a close); `closed` may also follow directly from the
 * completion it waited for.
 *
 * Invariants
 *   - `held` is what the user has seen and not consumed, or not yet seen because it paused; a receive adds behind it.
 *   - `out` exists exactly while bytes wait or are in flight, or the writing end is broken or to be finished.
 *   - the descriptor is closed when receive and send are both idle and no handler of the user is running.
 *
 * Receives are asked for one by one.  Tried first: multishot, which saves a submission for each, but hands over in one turn
 * whatever the socket holds (6 MiB by default), and a cancel comes too late for that: a pause bounded nothing.  Now
 * a paused stream keeps STREAM_PAUSE_AT and one receive buffer at the most.
 *
 * Sending keeps two batches, which change places: one in flight, which must not move, and one that gathers.  A batch is a
 * buffer of copied bytes, its own small one while that is enough, and a list of pieces; copied pieces are offsets,
 * because the buffer may move while it grows.
 */
#include "core/stream.h"

#include <errno.h>

enum stream_state { STREAM_OPEN, STREAM_CLOSING, STREAM_CLOSED };

enum {
	PIECES = 2 * STREAM_PIECE_MAX + 1, /* copied ones may lie before, between and behind */
	COPY_FIRST = 256, /* the replies of a pipelined group */
	HELD_FIRST = 1024,
};

_Static_assert((int)PIECES <= (int)IO_IOV_MAX, "a batch leaves in one send");

struct piece {
	const char *borrowed; /* NULL: at `offset` of the batch's buffer */
	size_t	    offset, len;
};

struct batch {
	char	    *copied; /* `few`, or on the heap */
	uint32_t     copied_len, copied_cap;
	unsigned     piece_count, borrowed_count;
	char	     few[COPY_FIRST];
	struct piece pieces[PIECES];
};

struct stream_out {
	struct stream	   *stream;
	struct io_send_op   send;
	struct reactor_hook flush;
	struct batch	   *gathering, *flying;
	size_t		    unsent;
	struct iovec	   *left; /* of `flying`: not taken yet, left_count of them */
	unsigned	    left_count;
	bool		    finish; /* half-close behind the last byte */
	bool		    finished;
	int		    error;
	struct iovec	    iov[PIECES];
	struct batch	    batches[2];
};

static void send_next(struct stream_out *out);
static void try_to_close(struct stream *s);

/* --- reading --------------------------------------------------------------------------------------- */

static void
forget_held(struct stream *s)
{
	if (s->held) {
		budget_give(&s->reactor->memory, s->held_cap);
		free(s->held);
	}
	s->held = NULL;
	s->held_len = s->held_cap = 0;
}

/* Bytes are kept behind what is kept already.  False: too much, or no memory. */
static bool
hold(struct stream *s, struct span bytes)
{
	uint64_t need = (uint64_t)s->held_len + bytes.len;

	if (bytes.len == 0)
		return true;
	if (need > STREAM_HOLD_MAX)
		return false;
	if (need > s->held_cap) {
		uint32_t cap = s->held_cap ? s->held_cap : HELD_FIRST;
		char	*held;

		while (cap < need)
			cap *= 2;
		held = realloc(s->held, cap);
		if (held == NULL)
			return false;
		budget_force(&s->reactor->memory, cap - s->held_cap);
		s->held = held;
		s->held_cap = cap;
	}
	memcpy(s->held + s->held_len, bytes.data, bytes.len);
	s->held_len = (uint32_t)need;
	return true;
}

/* Not before what is kept has been shown again: a resume under way does that first. */
static void
tell_end(struct stream *s)
{
	if (!s->end_seen || s->end_told || s->paused || s->state != STREAM_OPEN || reactor_hook_pending(&s->later))
		return;
	s->end_told = true;
	s->handlers->ended(s, s->end_result);
}

static void
end_reading(struct stream *s, int result)
{
	if (s->end_seen)
		return;
	s->end_seen = true;
	s->end_result = result;
	io_cancel(s->reactor->io, &s->recv);
}

static size_t
show(struct stream *s, struct span bytes)
{
	size_t consumed;

	s->in_read = true;
	consumed = s->handlers->read(s, bytes);
	s->in_read = false;
	INVARIANT(consumed <= bytes.len);
	return consumed;
}

static void
show_held(struct stream *s)
{
	size_t consumed;

	if (s->held_len == 0)
		return;
	consumed = show(s, span_make(s->held, s->held_len));
	if (s->state != STREAM_OPEN || consumed == s->held_len) {
		forget_held(s);
		return;
	}
	memmove(s->held, s->held + consumed, s->held_len - consumed);
	s->held_len -= (uint32_t)consumed;
}

static void
take_in(struct stream *s, struct span bytes)
{
	s->bytes_in += bytes.len;
	if (s->held_len == 0 && !s->paused) {
		size_t consumed = show(s, bytes);

		if (s->state != STREAM_OPEN)
			return;
		bytes = span_from(bytes, consumed);
		if (!hold(s, bytes))
			end_reading(s, -EMSGSIZE);
	} else if (!hold(s, bytes)) {
		end_reading(s, -EMSGSIZE);
	} else if (!s->paused) {
		show_held(s);
	}
}

/* Receives unless there is a reason not to. */
static void
receive(struct stream *s)
{
	if (s->state != STREAM_OPEN || s->end_seen || !io_op_idle(&s->recv))
		return;
	if (s->paused && s->held_len >= STREAM_PAUSE_AT)
		return;
	io_recv_once(s->reactor->io, &s->recv, s->fd);
}

static void
received(struct io_op *op, const struct io_event *event)
{
	struct stream *s = CONTAINER_OF(op, struct stream, recv);

	if (s->state == STREAM_OPEN && !s->end_seen) {
		if (event->result > 0)
			take_in(s, event->data);
		else if (event->result == 0)
			end_reading(s, 0);
		else if (event->result < 0 && event->result != -ENOBUFS && event->result != -ECANCELED &&
			 event->result != -EINTR && event->result != -EAGAIN)
			end_reading(s, event->result);
		tell_end(s);
	}
	if (s->state == STREAM_OPEN)
		receive(s);
	else
		try_to_close(s);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	reactor_at_turn_end(s->reactor, &s->later);
}

/* --- writing --------------------------------------------------------------------------------------- */

static void
batch_init(struct batch *b)
{
	b->copied = b->few;
	b->copied_cap = COPY_FIRST;
	b->copied_len = 0;
	b->piece_count = b->borrowed_count = 0;
}

/* Ready for use again. */
static void
batch_reset(struct stream *s, struct batch *b)
{
	if (b->copied != b->few) {
		budget_give(&s->reactor->memory, b->copied_cap);
		free(b->copied);
	}
	batch_init(b);
}

static bool
batch_grow(struct stream *s, struct batch *b, size_t need)
{
	bool	 few = b->copied == b->few;
	uint32_t cap = b->copied_cap;
	char	*copied;

	while (cap < need)
		cap *= 2;
	copied = realloc(few ? NULL : b->copied, cap);
	if (copied == NULL)
		return false;
	if (few)
		memcpy(copied, b->few, b->copied_len);
	budget_force(&s->reactor->memory, cap - (few ? 0 : b->copied_cap));
	b->copied = copied;
	b->copied_cap = cap;
	return true;
}

static bool
batch_copy(struct stream *s, struct batch *b, struct span bytes)
{
	size_t	      need = (size_t)b->copied_len + bytes.len;
	struct piece *last = b->piece_count ? &b->pieces[b->piece_count - 1] : NULL;

	if (need > STREAM_OUT_MAX || (need > b->copied_cap && !batch_grow(s, b, need)))
		return false;
	memcpy(b->copied + b->copied_len, bytes.data, bytes.len);
	if (last && last->borrowed == NULL)
		last->len += bytes.len;
	else
		b->pieces[b->piece_count++] = (struct piece){ NULL, b->copied_len, bytes.len };
	b->copied_len = (uint32_t)need;
	return true;
}

static void
out_free(struct stream *s)
{
	struct stream_out *out = s->out;

	INVARIANT(io_op_idle(&out->send.op));
	reactor_hook_cancel(&out->flush);
	batch_reset(s, out->gathering);
	batch_reset(s, out->flying);
	s->out = NULL;
	budget_give(&s->reactor->memory, sizeof(*out));
	free(out);
}

/* Sends what of the flying batch is left. */
static void
send_rest(struct stream_out *out)
{
	io_send(out->stream->reactor->io, &out->send, out->stream->fd, out->left, out->left_count);
}

/* Starts the gathered batch, or ends: half-close when asked for, then nothing is kept. */
static void
send_next(struct stream_out *out)
{
	struct stream *s = out->stream;
	struct batch  *empty;

	if (out->error || s->state != STREAM_OPEN || !io_op_idle(&out->send.op))
		return;
	if (out->gathering->piece_count == 0) {
		if (out->finish) {
			if (!out->finished)
				io_shutdown_write(s->reactor->io, s->fd);
			out->finished = true;
			return;
		}
		out_free(s);
		return;
	}
	empty = out->flying;
	out->flying = out->gathering;
	out->gathering = empty;
	out->left = out->iov;
	out->left_count = out->flying->piece_count;
	for (unsigned i = 0; i < out->left_count; i++) {
		const struct piece *p = &out->flying->pieces[i];

		out->iov[i].iov_base = p->borrowed ? (char *)(uintptr_t)p->borrowed : out->flying->copied + p->offset;
		out->iov[i].iov_len = p->len;
	}
	send_rest(out);
}

static void
flush(struct reactor_hook *hook)
{
	send_next(CONTAINER_OF(hook, struct stream_out, flush));
}

static void
sent(struct io_op *op, const struct io_event *event)
{
	struct stream_out *out = CONTAINER_OF(op, struct stream_out, send.op);
	struct stream	  *s = out->stream;
	bool		   all;

	if (event->result > 0) {
		s->bytes_out += (unsigned)event->result;
		out->unsent -= (unsigned)event->result;
	}
	if (s->state != STREAM_OPEN) {
		try_to_close(s);
		return;
	}
	if (event->result < 0 && event->result != -EINTR && event->result != -EAGAIN &&
	    event->result != -ECANCELED) {
		/* Who cannot be written to is gone, though bytes of his may still be on their way. */
		out->error = event->result;
		end_reading(s, event->result);
		tell_end(s);
		return;
	}
	io_iov_skip(&out->left, &out->left_count, event->result > 0 ? (size_t)event->result : 0);
	if (out->left_count) {
		send_rest(out);
		return;
	}
	batch_reset(s, out->flying);
	all = out->gathering->piece_count == 0;
	send_next(out);
	if (all && s->handlers->sent)
		s->handlers->sent(s);
}

/* Where to write to, or NULL with *error. */
static struct stream_out *
out_of(struct stream *s, int *error)
{
	struct stream_out *out = s->out;

	*error = -EPIPE;
	if (s->state != STREAM_OPEN || (out && (out->error || out->finish)))
		return NULL;
	if (out)
		return out;
	*error = -ENOBUFS;
	/* Pieces are meaningless beyond their counts, so only the head is cleared. */
	out = malloc(sizeof(*out));
	if (out == NULL)
		return NULL;
	budget_force(&s->reactor->memory, sizeof(*out));
	out->stream = s;
	io_op_init(&out->send.op, sent);
	reactor_hook_init(&out->flush, flush);
	out->gathering = &out->batches[0];
	out->flying = &out->batches[1];
	batch_init(out->gathering);
	batch_init(out->flying);
	out->unsent = 0;
	out->left = out->iov;
	out->left_count = 0;
	out->finish = out->finished = false;
	out->error = 0;
	s->out = out;
	return out;
}

static void
send_soon(struct stream_out *out, size_t len)
{
	out->unsent += len;
	if (io_op_idle(&out->send.op))
		reactor_at_turn_end(out->stream->reactor, &out->flush);
}

int
stream_write(struct stream *s, struct span bytes)
{
	int		   error;
	struct stream_out *out;

	if (bytes.len == 0)
		return 0;
	out = out_of(s, &error);
	if (out == NULL)
		return error;
	if (!batch_copy(s, out->gathering, bytes)) {
		if (out->unsent == 0 && io_op_idle(&out->send.op))
			out_free(s);
		return -ENOBUFS;
	}
	send_soon(out, bytes.len);
	return 0;
}

int
stream_write_borrowed(struct stream *s, struct span bytes)
{
	int		   error;
	struct stream_out *out;
	struct batch	  *b;

	if (bytes.len == 0)
		return 0;
	out = out_of(s, &error);
	if (out == NULL)
		return error;
	b = out->gathering;
	if (b->borrowed_count == STREAM_PIECE_MAX)
		return -ENOBUFS;
	b->pieces[b->piece_count++] = (struct piece){ bytes.data, 0, bytes.len };
	b->borrowed_count++;
	send_soon(out, bytes.len);
	return 0;
}

size_t
stream_unsent(const struct stream *s)
{
	return s->out ? s->out->unsent : 0;
}

bool
stream_is_broken(const struct stream *s)
{
	return s->out && s->out->error;
}

/* --- ending ---------------------------------------------------------------------------------------- */

void
stream_finish(struct stream *s)
{
	int		   error;
	struct stream_out *out = out_of(s, &error);

	if (out == NULL) {
		/* No memory to remember it in, but then nothing waits to go before it. */
		if (error == -ENOBUFS)
			io_shutdown_write(s->reactor->io, s->fd);
		return;
	}
	out->finish = true;
	if (io_op_idle(&out->send.op))
		reactor_at_turn_end(s->reactor, &out->flush);
}

static void
try_to_close(struct stream *s)
{
	if (s->state != STREAM_CLOSING || s->in_read || !io_op_idle(&s->recv))
		return;
	if (s->out && !io_op_idle(&s->out->send.op))
		return;
	reactor_hook_cancel(&s->later);
	if (s->out)
		out_free(s);
	forget_held(s);
	io_close(s->reactor->io, s->fd);
	s->fd = -1;
	s->state = STREAM_CLOSED;
	s->handlers->closed(s);
}

static void
later(struct reactor_hook *hook)
{
	struct stream *s = CONTAINER_OF(hook, struct stream, later);

	if (s->state == STREAM_CLOSING) {
		try_to_close(s);
		return;
	}
	if (!s->paused && !s->end_told)
		show_held(s);
	if (s->state != STREAM_OPEN)
		return; /* closed while it was shown: this hook is asked for again */
	receive(s);
	tell_end(s);
}

void
stream_close(struct stream *s)
{
	if (s->state != STREAM_OPEN)
		return;
	s->state = STREAM_CLOSING;
	io_cancel(s->reactor->io, &s->recv);
	if (s->out)
		io_cancel(s->reactor->io, &s->out->send.op);
	reactor_at_turn_end(s->reactor, &s->later);
}

bool
stream_is_closing(const struct stream *s)
{
	return s->state != STREAM_OPEN;
}

void
stream_open(struct stream *s, struct reactor *r, int fd, const struct stream_handlers *handlers)
{
	*s = (struct stream){ .reactor = r, .handlers = handlers, .fd = fd, .state = STREAM_OPEN };
	io_op_init(&s->recv, received);
	reactor_hook_init(&s->later, later);
	receive(s);
}
