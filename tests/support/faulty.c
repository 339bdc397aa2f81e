/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the callers and the seam by the linker's --wrap.  An operation that shall go another way gets our handler in
 * place of its own while it is in flight.  One that shall fail is really started, on a descriptor or a path that the
 * kernel refuses, and its error exchanged: so it completes as any other does.
 */
#include "tests/support/faulty.h"

#include <errno.h>
#include <inttypes.h>

struct detour {
	struct list_node node;
	struct io	*io;
	struct io_op	*op;
	io_handler	*done;	/* the operation's own */
	int		 error; /* what it ends with; 0: with what happened */
	struct iovec	 iov[];
};

struct plan {
	bool	 armed;
	unsigned skip;
	int	 error;
};

static _Thread_local struct faults {
	bool	    ready;
	uint64_t    seed;
	unsigned    per_mille, count;
	struct plan plans[IO_DIRSYNC + 1];
	struct list detours;
} thread_faults;

static struct faults *
faults(void)
{
	struct faults *f = &thread_faults;
	const char    *text;

	if (f->ready)
		return f;
	f->ready = true;
	list_init(&f->detours);
	text = getenv("RINGPOST_FAULTY");
	if (text && sscanf(text, "%" SCNu64 ":%u", &f->seed, &f->per_mille) != 2)
		f->per_mille = 0;
	return f;
}

void
faulty_lawful(uint64_t seed, unsigned per_mille)
{
	faults()->seed = seed;
	faults()->per_mille = per_mille;
}

void
faulty_fail(enum io_kind kind, unsigned skip, int error)
{
	faults()->plans[kind] = (struct plan){ .armed = true, .skip = skip, .error = error };
}

unsigned
faulty_count(void)
{
	return faults()->count;
}

/* --- what shall happen ---------------------------------------------------------------------------- */

static unsigned
chance(unsigned below)
{
	struct faults *f = faults();

	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((f->seed >> 33) % below);
}

static bool
inconvenient(void)
{
	return faults()->per_mille && chance(1000) < faults()->per_mille;
}

/* The error that the operation now starting was planned to end with, or 0. */
static int
planned(enum io_kind kind)
{
	struct plan *p = &faults()->plans[kind];

	if (!p->armed || p->skip-- > 0)
		return 0;
	p->armed = false;
	return p->error;
}

static void
happened(struct io_op *op, const struct io_event *event)
{
	struct detour  *d = NULL;
	struct io_event told = *event;
	io_handler     *done;

	LIST_FOR_EACH(&faults()->detours, it)
		if (LIST_ENTRY(it, struct detour, node)->op == op)
			d = LIST_ENTRY(it, struct detour, node);
	INVARIANT(d != NULL);
	done = d->done;
	if (event->flags & IO_MORE) {
		if (inconvenient()) {
			faults()->count++;
			io_cancel(d->io, op);
		}
	} else {
		if (d->error)
			told.result = d->error;
		op->done = done;
		list_remove(&d->node);
		free(d);
	}
	done(op, &told);
}

static struct detour *
detour(struct io *io, struct io_op *op, int error, unsigned iov_count)
{
	struct detour *d = calloc(1, sizeof(*d) + iov_count * sizeof(d->iov[0]));

	INVARIANT(d != NULL);
	d->io = io;
	d->op = op;
	d->done = op->done;
	d->error = error;
	op->done = happened;
	list_node_init(&d->node);
	list_append(&faults()->detours, &d->node);
	faults()->count += error != 0;
	return d;
}

/* The first octets only, at least one; the count of pieces that this leaves. */
static unsigned
cut(struct detour *d, const struct iovec *iov, unsigned iov_count)
{
	size_t	 all = 0, left;
	unsigned used = 0;

	for (unsigned i = 0; i < iov_count; i++)
		all += iov[i].iov_len;
	left = all ? 1 + chance((unsigned)MIN_OF(all, (size_t)INT32_MAX)) : 0;
	faults()->count += left < all;
	do {
		d->iov[used] = iov[used];
		d->iov[used].iov_len = MIN_OF(iov[used].iov_len, left);
		left -= d->iov[used].iov_len;
		used++;
	} while (left);
	return used;
}

/* --- in the way of the seam ----------------------------------------------------------------------- */

/* Declares what the linker calls the seam's function and our own. */
#define WRAP(name, ...)                                                                            \
	void __real_##name(__VA_ARGS__);                                                           \
	void __wrap_##name(__VA_ARGS__);                                                           \
	void __wrap_##name(__VA_ARGS__)

/* Errors with which a multishot operation may end although nothing is wrong. */
static int
lawful_end(void)
{
	return chance(2) ? -ENOBUFS : -ECANCELED;
}

WRAP(io_accept, struct io *io, struct io_op *op, int listener)
{
	int error = planned(IO_ACCEPT);

	if (error == 0 && inconvenient())
		error = lawful_end();
	if (error || faults()->per_mille)
		(void)detour(io, op, error, 0);
	__real_io_accept(io, op, error ? -1 : listener);
}

/* False: this receive fails. */
static bool
receiving(struct io *io, struct io_op *op)
{
	int error = planned(IO_RECV);

	if (error == 0 && inconvenient())
		error = lawful_end();
	if (error || faults()->per_mille)
		(void)detour(io, op, error, 0);
	return error == 0;
}

WRAP(io_recv, struct io *io, struct io_op *op, int fd)
{
	__real_io_recv(io, op, receiving(io, op) ? fd : -1);
}

WRAP(io_recv_once, struct io *io, struct io_op *op, int fd)
{
	__real_io_recv_once(io, op, receiving(io, op) ? fd : -1);
}

WRAP(io_connect, struct io *io, struct io_connect_op *op, int fd, const struct endpoint *to)
{
	int error = planned(IO_CONNECT);

	if (error)
		(void)detour(io, &op->op, error, 0);
	__real_io_connect(io, op, error ? -1 : fd, to);
}

WRAP(io_send, struct io *io, struct io_send_op *op, int fd, struct iovec *iov, unsigned iov_count)
{
	int error = planned(IO_SEND);

	if (error) {
		(void)detour(io, &op->op, error, 0);
		fd = -1;
	} else if (inconvenient()) {
		struct detour *d = detour(io, &op->op, 0, iov_count);

		iov_count = cut(d, iov, iov_count);
		iov = d->iov;
	}
	__real_io_send(io, op, fd, iov, iov_count);
}

WRAP(io_write, struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count, uint64_t offset,
     unsigned flags)
{
	int error = planned(IO_WRITE);

	if (error) {
		(void)detour(io, op, error, 0);
		fd = -1;
	} else if (inconvenient()) {
		struct detour *d = detour(io, op, 0, iov_count);

		iov_count = cut(d, iov, iov_count);
		iov = d->iov;
	}
	__real_io_write(io, op, fd, iov, iov_count, offset, flags);
}

WRAP(io_read, struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset)
{
	int error = planned(IO_READ);

	if (error) {
		(void)detour(io, op, error, 0);
		fd = -1;
	} else if (length > 1 && inconvenient()) {
		length = 1 + chance(length - 1);
		faults()->count++;
	}
	__real_io_read(io, op, fd, buffer, length, offset);
}

WRAP(io_open, struct io *io, struct io_op *op, int directory, const char *path, int open_flags, unsigned mode)
{
	int error = planned(IO_OPEN);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_open(io, op, directory, error ? "" : path, open_flags, mode);
}

WRAP(io_unlink, struct io *io, struct io_op *op, int directory, const char *path)
{
	int error = planned(IO_UNLINK);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_unlink(io, op, directory, error ? "" : path);
}

WRAP(io_rename, struct io *io, struct io_op *op, int directory, const char *from, const char *to)
{
	int error = planned(IO_RENAME);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_rename(io, op, directory, error ? "" : from, to);
}

WRAP(io_allocate, struct io *io, struct io_op *op, int fd, uint64_t length)
{
	int error = planned(IO_ALLOCATE);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_allocate(io, op, error ? -1 : fd, length);
}

WRAP(io_datasync, struct io *io, struct io_op *op, int fd)
{
	int error = planned(IO_DATASYNC);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_datasync(io, op, error ? -1 : fd);
}

WRAP(io_dirsync, struct io *io, struct io_op *op, int directory)
{
	int error = planned(IO_DIRSYNC);

	if (error)
		(void)detour(io, op, error, 0);
	__real_io_dirsync(io, op, error ? -1 : directory);
}
