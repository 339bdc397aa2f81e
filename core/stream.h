/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/stream.h - a connection as its user sees it: bytes in, bytes out, an orderly end.
 *
 * The stream owns the descriptor and hides what the seam's contract demands: asking for each receive,
 * continuing partial sends, waiting for operations before closing.  Server sessions, client
 * sessions, the control socket and the load generator all stand on it.
 *
 * Reading   The user's read handler sees all bytes not consumed so far, as one run, and returns how
 *	     many it consumed; the rest is kept (on the heap, only then) and shown again in front of what comes
 *	     next.  An idle stream holds no buffer.  stream_pause() stops the showing and, soon after, the
 *	     receiving, which is how a slow disk slows a fast peer; bytes already on their way are kept.
 * Writing   stream_write() copies small things (replies); they leave together at the end of the turn.
 *	     stream_write_borrowed() sends large things from where they are; `sent` tells when
 *	     they are free.
 * Ending    stream_close() at any time, also from inside a handler: what is unsent is dropped, operations are
 *	     cancelled and waited for, the descriptor is closed, then `closed` is called exactly once, after
 *	     which the memory is the user's again.  stream_finish() says that nothing more will be
 *	     written: the peer reads end of stream behind the last byte.  Last words reach a peer that is
 *	     still talking only so: finish, wait for its end (or a deadline), then close.
 */
#ifndef CORE_STREAM_H
#define CORE_STREAM_H

#include "core/io.h"
#include "core/reactor.h"

struct stream;

enum {
	STREAM_HOLD_MAX = 1 << 20,    /* unconsumed octets kept; beyond: -EMSGSIZE ends the stream */
	STREAM_PAUSE_AT = 64 * 1024,  /* a paused stream stops receiving when it keeps so much */
	STREAM_OUT_MAX	= 256 * 1024, /* small writes waiting; beyond: stream_write() says -ENOBUFS */
	STREAM_PIECE_MAX = 8,	      /* borrowed pieces waiting */
};

struct stream_handlers {
	/* Bytes arrived; returns how many were consumed, 0..bytes.len. */
	size_t (*read)(struct stream *s, struct span bytes);
	/* The peer will send no more (result 0), or the connection failed (negative errno).  Once, and not while
	 * paused; `read` is not called any more.  The stream is still open for writing when 0: should that fail
	 * later, stream_write() says -EPIPE and `sent` stays away, so whoever waits for it has a deadline. */
	void (*ended)(struct stream *s, int result);
	/* All that was written, copied and borrowed, has been taken by the kernel.  May be NULL. */
	void (*sent)(struct stream *s);
	/* Nothing is in flight, the descriptor is gone, the stream may be freed. */
	void (*closed)(struct stream *s);
};

struct stream_out; /* allocated while something waits to be sent, else NULL */

struct stream {
	struct reactor		     *reactor;
	const struct stream_handlers *handlers;
	struct io_op		      recv;
	struct reactor_hook	      later; /* private: resume and close outside of handlers */
	struct stream_out	     *out;
	char			     *held; /* unconsumed bytes, NULL when none */
	uint32_t		      held_len, held_cap;
	int			      fd;
	uint8_t			      state; /* private */
	bool			      paused, in_read, end_seen, end_told;
	int			      end_result;
	uint64_t		      bytes_in, bytes_out;
};

/* Takes over fd, starts receiving. */
void stream_open(struct stream *s, struct reactor *r, int fd, const struct stream_handlers *handlers);

/* Copied; sent at the end of this turn, in order.  0, or -ENOBUFS / -EPIPE (failed or closing). */
int stream_write(struct stream *s, struct span bytes);
/* Borrowed until `sent` runs (or `closed`).  In order with stream_write(). */
int stream_write_borrowed(struct stream *s, struct span bytes);
/* Octets written and not yet taken by the kernel. */
size_t stream_unsent(const struct stream *s);
/* Writing has failed: what is unsent stays so, and nothing more can be written. */
bool stream_is_broken(const struct stream *s);

void stream_pause(struct stream *s);
/* Shows kept bytes again, at the end of this turn and not from inside this call. */
void stream_resume(struct stream *s);
/* Half-close after all is sent: the peer reads end of stream; reading goes on. */
void stream_finish(struct stream *s);
void stream_close(struct stream *s);
bool stream_is_closing(const struct stream *s);

#endif
