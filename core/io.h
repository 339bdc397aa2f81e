/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/io.h - the seam: everything outside the process is reached through this page.
 *
 * One struct io per reactor; every call here is made by the thread that owns it.  The implementation
 * is the kernel's io_uring (core/io_uring.c, core/io_files.c); a program may link another in its place, so
 * the hot path pays nothing for the choice.  No code above core/ that runs on a reactor makes a system
 * call, and a test looks at the objects' symbols.
 *
 * Operations
 *   An operation lives inside the object that asked for it (struct io_op), so starting one allocates
 *   nothing and cannot fail: whatever goes wrong arrives at the handler.  The contract is wider
 *   than the kernel's habits, and code above must live with all of it:
 *     - every operation ends exactly once: the handler runs with IO_MORE clear in event->flags.
 *       The object may be freed or the operation started anew from inside that call;
 *     - a multishot operation (accept, receive) may report many times before it ends, and may end at any
 *       time, also with 0 or -ECANCELED or -ENOBUFS, although nothing is wrong: start it again;
 *     - the handler never runs from inside the call that starts an operation;
 *     - completions of different operations come in any order;
 *     - a cancel is a request: the operation still ends once, perhaps with success;
 *     - a send, write or read may do less than was asked: continue from there.
 *   While an operation is in flight its memory (op, buffers, iovecs, paths) belongs to the kernel.  A
 *   descriptor is closed only after every operation on it has ended.
 *
 * Results are zero or a count, else a negative errno.
 */
#ifndef CORE_IO_H
#define CORE_IO_H

#include <sys/types.h>
#include <sys/uio.h>

#include "core/endpoint.h"
#include "core/list.h"

struct io;
struct io_op;

enum io_event_flags {
	IO_MORE = 1, /* the operation lives on and will report again */
};

struct io_event {
	int	    result; /* zero, a count or a descriptor, else a negative errno */
	unsigned    flags;
	struct span data; /* IO_RECV: the bytes; borrowed until the handler returns */
};

typedef void io_handler(struct io_op *op, const struct io_event *event);

enum io_kind {
	IO_IDLE, /* not in flight */
	IO_ACCEPT,
	IO_CONNECT,
	IO_RECV,
	IO_SEND,
	IO_OPEN,
	IO_UNLINK,
	IO_RENAME,
	IO_ALLOCATE,
	IO_READ,
	IO_WRITE,
	IO_DATASYNC,
	IO_DIRSYNC,
};

struct io_op {
	io_handler *done;
	uint8_t	    kind; /* IO_IDLE unless in flight */
	uint8_t	    cancelled;
	uint16_t    more; /* private: at the last receive the socket held more than it gave */
	int	    fd;
};

/* Sets the handler of an idle operation.  Needed once. */
void io_op_init(struct io_op *op, io_handler *done);

static inline bool
io_op_idle(const struct io_op *op)
{
	return op->kind == IO_IDLE;
}

/* --- life of the seam ------------------------------------------------------------------------ */

struct io_params {
	unsigned core;		   /* index of this reactor, 0..core_count-1 */
	unsigned core_count;	   /* reactors that may post to one another */
	unsigned queue_entries;	   /* submissions gathered in one turn */
	unsigned recv_buffer_count; /* provided receive buffers, a power of two */
	unsigned recv_buffer_size; /* octets each */
};

struct io_net; /* what the cores share: the mailboxes between them.  One per process. */

struct io_net *io_net_new(unsigned core_count); /* NULL when memory or descriptors are out */
void	       io_net_free(struct io_net *net);

/*
 * Opens the seam for the calling thread.  Returns 0 or a negative errno; then *why names in one sentence what
 * the kernel lacks or refuses, and what the operator can do (static text).
 */
int MUST_CHECK io_open_seam(struct io **io, struct io_net *net, const struct io_params *params,
			    const char **why);
/* By the same thread.  What was started is still submitted (a close, a post), what is in flight is cancelled, and no
 * handler runs any more. */
void io_close_seam(struct io *io);

/* From now on, with nothing to do, a turn looks out for work for so many microseconds before it sleeps, in the queues of the
 * network card too: answers come sooner, and an idle core is not idle.  -EINVAL: this kernel's io_uring cannot poll cards
 * (Linux 6.9 can); the rest holds all the same. */
int MUST_CHECK io_busy_poll(struct io *io, unsigned microseconds);

/*
 * One turn: submits what was started, sleeps until something completes, a post arrives or
 * deadline_ns (of io_mono(); UINT64_MAX for none, 0 to poll) passes, then runs the handlers of all that is complete:
 * completions are drained first and run after, so handlers never nest.  Returns the number of events run.
 */
unsigned io_turn(struct io *io, uint64_t deadline_ns);

/* Steps over octets that a send or a write has taken: what is left begins at *iov, *count pieces. */
static inline void
io_iov_skip(struct iovec **iov, unsigned *count, size_t octets)
{
	for (; *count && octets >= (*iov)->iov_len; (*iov)++, (*count)--)
		octets -= (*iov)->iov_len;
	if (*count == 0)
		return;
	(*iov)->iov_base = (char *)(*iov)->iov_base + octets;
	(*iov)->iov_len -= octets;
}

/* --- sockets ----------------------------------------------------------------------------------- */

enum io_listen_flags {
	IO_LISTEN_SHARED = 1, /* SO_REUSEPORT: each core opens its own listener on the same endpoint */
};

/* A listening stream socket: its descriptor, else a negative errno.  At start, not in a session. */
int MUST_CHECK io_listen(struct io *io, const struct endpoint *at, unsigned flags);
/* 0 when nobody listens there, not even one who would share (IO_LISTEN_SHARED), else what io_listen() would say.
 * Asked before the cores open theirs; may wait a moment for a process that was killed, as io_listen_path() may. */
int MUST_CHECK io_listen_check(const struct endpoint *at);
/* As io_listen() on a path of the file system; mode as for open().  A socket that an earlier process left there is
 * removed; -EADDRINUSE: somebody still listens on it; -EEXIST: what is there is no socket. */
int MUST_CHECK io_listen_path(struct io *io, const char *path, unsigned mode);

/* Multishot: each report is a connected, non-blocking descriptor.  Errors of the process (-EMFILE,
 * -ENFILE, -ENOMEM) end it; start it again after a pause. */
void io_accept(struct io *io, struct io_op *op, int listener);

enum io_socket_kind { IO_STREAM, IO_DATAGRAM };

/* A socket for io_connect(): bound to from (port 0: any) unless from is NULL.  Does not wait. */
int MUST_CHECK io_socket(struct io *io, enum io_socket_kind kind, const struct endpoint *family_of,
			 const struct endpoint *from);
/* `to` is borrowed until the operation ends.  A datagram socket then takes packets of this peer only. */
struct io_connect_op {
	struct io_op	        op; /* first */
	struct sockaddr_storage address;
};
void io_connect(struct io *io, struct io_connect_op *op, int fd, const struct endpoint *to);
/* The same to a socket in the file system (IO_STREAM from io_socket_path()). */
int MUST_CHECK io_socket_path(struct io *io);
void	       io_connect_path(struct io *io, struct io_connect_op *op, int fd, const char *path);

/* Multishot: event->data holds the bytes, result their count; 0 without IO_MORE is the peer's end
 * of stream, or, for a datagram, one empty packet. */
void io_recv(struct io *io, struct io_op *op, int fd);
/* The same, once: no more than one receive buffer comes, and nothing further until it is asked for. */
void io_recv_once(struct io *io, struct io_op *op, int fd);

/* Sends from 1..IO_IOV_MAX pieces; vector and bytes are borrowed until the operation ends. */
struct io_send_op {
	struct io_op  op; /* first */
	struct msghdr message;
};
enum { IO_IOV_MAX = 64 };
void io_send(struct io *io, struct io_send_op *op, int fd, struct iovec *iov, unsigned iov_count);

int io_peer(int fd, struct endpoint *out);  /* 0 or a negative errno */
int io_local(int fd, struct endpoint *out); /* 0 or a negative errno */
/* Effective user at the other end of a path socket: its uid, else a negative errno. */
int64_t io_peer_user(int fd);
void	io_shutdown_write(struct io *io, int fd); /* half-close: the peer reads end of stream */

/* Whoever closes it now ends the connection by a reset, and what is unsent is dropped. */
void	io_reset_at_close(int fd);

/* No operation may be in flight on fd.  Closing happens beside the loop; it has no result. */
void io_close(struct io *io, int fd);

/* --- files -------------------------------------------------------------------------------------- */

/* Paths are relative to directory (IO_CWD: the working directory), borrowed until the end. */
enum { IO_CWD = -100 };

void io_open(struct io *io, struct io_op *op, int directory, const char *path, int open_flags,
	     unsigned mode);
void io_unlink(struct io *io, struct io_op *op, int directory, const char *path);
void io_rename(struct io *io, struct io_op *op, int directory, const char *from, const char *to);
/* Reserves space for [0, length): a later write inside it does not meet -ENOSPC. */
void io_allocate(struct io *io, struct io_op *op, int fd, uint64_t length);
void io_read(struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset);

enum io_write_flags {
	IO_WRITE_DURABLE = 1, /* ends only after what was written is on stable storage, or with the error of that */
	IO_WRITE_APPEND = 2,  /* to the end of the file or pipe; offset is ignored */
};
void io_write(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count,
	      uint64_t offset, unsigned flags);
void io_datasync(struct io *io, struct io_op *op, int fd);
void io_dirsync(struct io *io, struct io_op *op, int directory);

/* Start-up helpers that may touch the disk; never called while sessions are served, but for the
 * first, which reads counters that the kernel holds in memory. */
int64_t	       io_space_free(int directory); /* octets an unprivileged process may still use, or -errno */
/* Descriptor of a directory.  With a mode it and those above are created where they lack, durably; 0: not. */
int MUST_CHECK io_directory_open(const char *path, unsigned create_mode);
int MUST_CHECK io_directory_open_at(int directory, const char *name, unsigned create_mode);
/* Takes the lock file `name` in directory for the life of the returned descriptor; -EWOULDBLOCK when held. */
int MUST_CHECK io_lock(int directory, const char *name);
/* Calls visit for each entry but . and .., sorted by name; stops when it returns non-zero and returns that. */
int MUST_CHECK io_directory_list(int directory, int (*visit)(void *arg, const char *name), void *arg);
/* Size in octets of an open file, or -errno. */
int64_t io_file_size(int fd);
/* A regular file: an appending write of any size stays in one piece beside those of others.  A pipe or a socket
 * promises that for IO_PIPE_WHOLE octets. */
bool io_is_file(int fd);
enum { IO_PIPE_WHOLE = 4096 };
/* Whole small file into a fresh NUL-terminated block that the caller frees; -EFBIG beyond max. */
int MUST_CHECK io_file_slurp(const char *path, size_t max, char **out, size_t *out_len);
/* The machine's own name, as its administrator set it: any text, ended by NUL.  0, or -errno when there is no room. */
int MUST_CHECK io_host_name(char *out, size_t size);

/* --- cancel, clocks, chance ---------------------------------------------------------------------- */

/* Asks op to end soon; a no-op when it is idle. */
void io_cancel(struct io *io, struct io_op *op);

/* Time of this turn, cheap.  Monotonic nanoseconds; wall-clock nanoseconds since 1970 UTC. */
uint64_t io_mono(const struct io *io);
int64_t	 io_wall(const struct io *io);
/* The monotonic clock read anew, for measuring inside a turn. */
uint64_t io_mono_now(const struct io *io);
/* Unpredictable to a peer. */
void io_random(struct io *io, void *out, size_t len);

/* --- core to core -------------------------------------------------------------------------------- */

/*
 * A message lies inside what it is about; posting hands that object over until the other core
 * posts it back.  Order is kept for each pair of cores.  Never fails and never waits: the
 * mailbox is a chain of the messages themselves.
 */
struct io_post {
	struct list_node node;			       /* private to the seam */
	void (*run)(struct io *io, struct io_post *post); /* on the receiving core */
};

void	 io_post_init(struct io_post *post, void (*run)(struct io *io, struct io_post *post));
void	 io_post_to(struct io *io, unsigned core, struct io_post *post);
/* The same from a thread that has no seam (the one that waits for signals). */
void	 io_post_from_outside(struct io_net *net, unsigned core, struct io_post *post);
unsigned io_core(const struct io *io);

/* What this core has cost others so far.  A post writes the mailbox of the other core, a wake-up its ring; nothing else here
 * is written by more than one core. */
struct io_crossings {
	uint64_t posts, wakes;
};
struct io_crossings io_crossings(const struct io *io);

/* What the layer above hung on this seam (struct reactor). */
void  io_set_owner(struct io *io, void *owner);
void *io_owner(const struct io *io);

#endif
