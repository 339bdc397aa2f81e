/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/queue/queue_faults.h"

#include <errno.h>

#include "queue/limits.h"
#include "queue/record.h"

struct faults faults;

static bool
fails_now(void)
{
	faults.count++;
	if (faults.at == 0 || faults.count < faults.at || (faults.count > faults.at && !faults.stays))
		return false;
	faults.happened = true;
	return true;
}

void
faults_reset(void)
{
	faults = (struct faults){ .space_free = INT64_C(1) << 40, .bad_error = -EIO };
}

void
heal(void)
{
	faults.at = 0;
}

void __real_io_write(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count,
		     uint64_t offset, unsigned flags);
void __wrap_io_write(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count,
		     uint64_t offset, unsigned flags);
void __real_io_dirsync(struct io *io, struct io_op *op, int directory);
void __wrap_io_dirsync(struct io *io, struct io_op *op, int directory);
void __real_io_allocate(struct io *io, struct io_op *op, int fd, uint64_t length);
void __wrap_io_allocate(struct io *io, struct io_op *op, int fd, uint64_t length);
void __real_io_rename(struct io *io, struct io_op *op, int directory, const char *from, const char *to);
void __wrap_io_rename(struct io *io, struct io_op *op, int directory, const char *from, const char *to);
void __real_io_unlink(struct io *io, struct io_op *op, int directory, const char *path);
void __wrap_io_unlink(struct io *io, struct io_op *op, int directory, const char *path);
void __real_io_open(struct io *io, struct io_op *op, int directory, const char *path, int open_flags, unsigned mode);
void __wrap_io_open(struct io *io, struct io_op *op, int directory, const char *path, int open_flags, unsigned mode);
void __real_io_read(struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset);
void __wrap_io_read(struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset);
void __real_io_datasync(struct io *io, struct io_op *op, int fd);
void __wrap_io_datasync(struct io *io, struct io_op *op, int fd);
int64_t  __wrap_io_space_free(int directory);
uint64_t __real_io_mono(const struct io *io);
uint64_t __wrap_io_mono(const struct io *io);
uint64_t __real_io_mono_now(const struct io *io);
uint64_t __wrap_io_mono_now(const struct io *io);
unsigned __real_io_turn(struct io *io, uint64_t deadline_ns);
unsigned __wrap_io_turn(struct io *io, uint64_t deadline_ns);

/* --- an operation that ends with another result ---------------------------------------------------------- */

enum { TWISTS_MAX = 256, NO_TWIST = 1 };

static void
note(char what, const char *name)
{
	unsigned long long number = strtoull(name, NULL, 16);
	char		   text[32];
	int		   len = snprintf(text, sizeof(text), what == '=' ? "%c" : "%c%llu", what, number);

	if (faults.names_len + (unsigned)len >= sizeof(faults.names))
		return;
	memcpy(faults.names + faults.names_len, text, (size_t)len + 1);
	faults.names_len += (unsigned)len;
}

/* The handler is exchanged while the operation is in flight, and told another result. */
static struct twist {
	struct io_op *op;
	io_handler   *done;
	int	      result;
} twists[TWISTS_MAX];

static void
twisted(struct io_op *op, const struct io_event *event)
{
	struct io_event other = *event;

	for (unsigned i = 0; i < TWISTS_MAX; i++)
		if (twists[i].op == op) {
			op->done = twists[i].done;
			if (twists[i].result == NO_TWIST)
				note('=', "");
			else
				other.result = twists[i].result;
			twists[i].op = NULL;
			op->done(op, &other);
			return;
		}
	ck_abort_msg("an operation nobody twisted");
}

static void
twist(struct io_op *op, int result)
{
	for (unsigned i = 0; i < TWISTS_MAX; i++)
		if (twists[i].op == NULL) {
			twists[i] = (struct twist){ op, op->done, result };
			op->done = twisted;
			return;
		}
	ck_abort_msg("too many faults at once");
}

static int
error_of(enum fault kind)
{
	return kind == FAULT_NO_SPACE ? -ENOSPC : kind == FAULT_NO_DESCRIPTOR ? -EMFILE : -EIO;
}

/* A real operation that ends with the error wanted. */
static void
end_badly(struct io *io, struct io_op *op)
{
	twist(op, error_of(faults.kind));
	__real_io_dirsync(io, op, rig.params.spool);
}

/* The first blocks of a write are there. */
static void
end_torn(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count, uint64_t offset)
{
	static char	    bytes[2 * QUEUE_BATCH_OCTETS];
	static struct iovec torn;
	size_t		    len = 0;

	for (unsigned i = 0; i < iov_count; i++) {
		ck_assert_uint_le(len + iov[i].iov_len, sizeof(bytes));
		memcpy(bytes + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	torn = (struct iovec){ bytes, len * faults.quarters / 4 & ~(size_t)(RECORD_BLOCK - 1) };
	faults.quarters = 0;
	if (torn.iov_len == 0) {
		end_badly(io, op);
		return;
	}
	twist(op, -EIO);
	__real_io_write(io, op, fd, &torn, 1, offset, 0);
}

void
__wrap_io_write(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count,
		uint64_t offset, unsigned flags)
{
	static struct iovec half;

	if ((flags & IO_WRITE_APPEND) || !fails_now()) { /* which is the log */
		__real_io_write(io, op, fd, iov, iov_count, offset, flags);
		return;
	}
	switch (faults.kind) {
	case FAULT_LIE:
		twist(op, -EIO);
		__real_io_write(io, op, fd, iov, iov_count, offset, flags);
		return;
	case FAULT_SHORT:
		half = (struct iovec){ iov[0].iov_base, iov[0].iov_len / 2 };
		if (!rig.in_memory && half.iov_len % RECORD_BLOCK) /* a disk takes whole blocks when written directly */
			half.iov_len = MAX_OF(half.iov_len & ~(size_t)(RECORD_BLOCK - 1), (size_t)RECORD_BLOCK);
		half.iov_len = MIN_OF(half.iov_len, iov[0].iov_len);
		__real_io_write(io, op, fd, &half, 1, offset, flags);
		return;
	case FAULT_CUT:
		end_torn(io, op, fd, iov, iov_count, offset);
		return;
	case FAULT_ERROR:
	case FAULT_NO_SPACE:
	case FAULT_NO_DESCRIPTOR:
	case FAULT_NOTHING:
		break;
	}
	end_badly(io, op);
}

void
__wrap_io_dirsync(struct io *io, struct io_op *op, int directory)
{
	if (fails_now())
		twist(op, error_of(faults.kind));
	else
		twist(op, NO_TWIST);
	__real_io_dirsync(io, op, directory);
}

void
__wrap_io_allocate(struct io *io, struct io_op *op, int fd, uint64_t length)
{
	if (fails_now())
		end_badly(io, op);
	else
		__real_io_allocate(io, op, fd, length);
}

/* A rename that fails may have happened. */
void
__wrap_io_rename(struct io *io, struct io_op *op, int directory, const char *from, const char *to)
{
	bool fails = fails_now();

	if (fails && faults.kind != FAULT_LIE) {
		end_badly(io, op);
		return;
	}
	if (fails)
		twist(op, -EIO);
	if (strstr(to, ".old"))
		note('-', from);
	__real_io_rename(io, op, directory, from, to);
}

void
__wrap_io_unlink(struct io *io, struct io_op *op, int directory, const char *path)
{
	if (fails_now()) {
		end_badly(io, op);
		return;
	}
	note('-', path);
	__real_io_unlink(io, op, directory, path);
}

void
__wrap_io_open(struct io *io, struct io_op *op, int directory, const char *path, int open_flags, unsigned mode)
{
	if (fails_now())
		end_badly(io, op);
	else
		__real_io_open(io, op, directory, path, open_flags, mode);
}

void
__wrap_io_read(struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset)
{
	if (offset < faults.bad_to && offset + length > faults.bad_from)
		twist(op, faults.bad_error);
	__real_io_read(io, op, fd, buffer, length, offset);
}

void
__wrap_io_datasync(struct io *io, struct io_op *op, int fd)
{
	if (fails_now())
		twist(op, error_of(faults.kind));
	__real_io_datasync(io, op, fd);
}

int64_t
__wrap_io_space_free(int directory)
{
	(void)directory;
	return faults.space_free;
}

/* Pauses are not waited for: the clock is put forward. */
static uint64_t forward_ns;

uint64_t
__wrap_io_mono(const struct io *io)
{
	return __real_io_mono(io) + forward_ns;
}

uint64_t
__wrap_io_mono_now(const struct io *io)
{
	return __real_io_mono_now(io) + forward_ns;
}

unsigned
__wrap_io_turn(struct io *io, uint64_t deadline_ns)
{
	/* Time that is put forward does not make the disk faster: it gets a moment in each turn. */
	uint64_t least = __real_io_mono(io) + 200000;

	return __real_io_turn(io, MAX_OF(MAX_OF(deadline_ns, forward_ns) - forward_ns, least));
}

void
turn_and_forward(void)
{
	reactor_turn(&rig.reactor, reactor_in_ms(&rig.reactor, 1));
	forward_ns += UINT64_C(100000000);
}

void
wait_for_mail(void)
{
	for (unsigned i = 0; queue_refusal(rig.queue) < 0; i++) {
		ck_assert_msg(i < PATIENCE, "the shard does not recover");
		turn_and_forward();
	}
}

void
stop_patiently(void)
{
	queue_close(rig.queue);
	for (unsigned i = 0; !rig.closed; i++) {
		ck_assert_msg(i < PATIENCE, "the shard does not close");
		turn_and_forward();
	}
	queue_free(rig.queue);
	rig.queue = NULL;
}

