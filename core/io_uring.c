/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the seam: one io_uring per core.
 *
 * SINGLE_ISSUER and DEFER_TASKRUN keep completions from interrupting us: the kernel finishes work only
 * when this thread asks in io_turn().  Receives take from one ring of provided buffers, so ten
 * thousand idle connections hold no buffer; a buffer goes back when the handler that saw it returns.
 *
 * Mailboxes: a chain per receiving core, pushed by compare-and-swap and taken whole by
 * exchange, then turned around, which keeps the order of each sender.  A core says `sleeping` before its last
 * look at the chain; who pushes onto a sleeping core's chain wakes it with MSG_RING.  Both sides write one
 * thing and read the other with sequential consistency, so one of them always sees the other.
 */
#include "core/io.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENT_BATCH = 1024, /* completions handled in one turn */
	RECV_GROUP = 0,	    /* of provided buffers */
	RANDOM_POOL = 4096, /* octets fetched at once */
	CQ_FACTOR = 8,	    /* completions that fit for each submission that fits */
	CLOSE_PATIENCE_S = 1, /* for what cannot be cancelled: a write that a disk is slow to take */
};

/* user_data that is no operation's address: odd.  A waking that failed says whom it should have woken. */
enum { TAG_NOTHING = 1, TAG_WAKE = 3, TAG_WAKING = 5 /* + 2 * core */ };

struct mailbox {
	_Alignas(64) _Atomic(struct io_post *) newest;
	_Atomic(bool) sleeping;
	_Atomic(int)  ring_fd;	/* -1 until the core has opened its seam */
	_Atomic(int)  event_fd; /* wakes it from threads without a ring */
};

struct io_net {
	unsigned       core_count;
	struct mailbox boxes[];
};

struct happened {
	struct io_op *op;
	int	      result;
	unsigned      flags; /* of the completion */
};

struct io {
	struct io_uring		  ring;
	struct io_net		 *net;
	struct mailbox		 *box;
	struct io_uring_buf_ring *recv_ring;
	char			 *recv_memory;
	unsigned		  recv_count, recv_size;
	unsigned		  core;
	struct io_crossings	  crossings;
	uint64_t		  busy_poll_ns; /* 0: sleeps at once */
	uint64_t		  mono;
	int64_t			  wall;
	void			 *owner;
	uint64_t		  wake_count; /* where the event descriptor is read into */
	struct io_op		  wake;
	unsigned		  random_left;
	uint8_t			  random_pool[RANDOM_POOL];
	struct happened		  batch[EVENT_BATCH];
};

static void
look_at_clocks(struct io *io)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	io->mono = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &ts);
	io->wall = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- life ------------------------------------------------------------------------------------------ */

struct io_net *
io_net_new(unsigned core_count)
{
	size_t	       size = sizeof(struct io_net) + core_count * sizeof(struct mailbox);
	struct io_net *net = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (net == NULL)
		return NULL;
	net->core_count = core_count;
	for (unsigned i = 0; i < core_count; i++) {
		atomic_init(&net->boxes[i].newest, NULL);
		atomic_init(&net->boxes[i].sleeping, false);
		atomic_init(&net->boxes[i].ring_fd, -1);
		atomic_init(&net->boxes[i].event_fd, eventfd(0, EFD_CLOEXEC));
	}
	for (unsigned i = 0; i < core_count; i++)
		if (atomic_load(&net->boxes[i].event_fd) < 0) {
			io_net_free(net);
			return NULL;
		}
	return net;
}

void
io_net_free(struct io_net *net)
{
	if (net == NULL)
		return;
	for (unsigned i = 0; i < net->core_count; i++)
		if (atomic_load(&net->boxes[i].event_fd) >= 0)
			close(atomic_load(&net->boxes[i].event_fd));
	free(net);
}

static const char *
why_no_ring(int error)
{
	switch (error) {
	case -ENOSYS:
		return "this kernel has no io_uring; Linux 6.1 or later is needed";
	case -EPERM:
		return "io_uring is forbidden here; see the sysctl kernel.io_uring_disabled and the seccomp "
		       "profile of the container";
	case -EINVAL:
		return "this kernel's io_uring lacks DEFER_TASKRUN; Linux 6.1 or later is needed";
	case -ENOMEM:
		return "no memory may be locked for io_uring; raise the limit of locked memory (ulimit -l)";
	case -EMFILE:
	case -ENFILE:
		return "no file descriptor is left for io_uring; raise the limit of open files (ulimit -n)";
	default:
		return "io_uring cannot be set up";
	}
}

static int
check_opcodes(struct io *io, const char **why)
{
	static const int needed[] = {
		IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_OPENAT,
		IORING_OP_UNLINKAT, IORING_OP_RENAMEAT, IORING_OP_FALLOCATE, IORING_OP_READ,
		IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_CLOSE, IORING_OP_ASYNC_CANCEL,
		IORING_OP_MSG_RING,
	};
	struct io_uring_probe *probe = io_uring_get_probe_ring(&io->ring);
	int		       result = 0;

	if (probe == NULL)
		return 0;
	for (size_t i = 0; i < COUNT_OF(needed); i++)
		if (!io_uring_opcode_supported(probe, needed[i])) {
			*why = "this kernel's io_uring lacks an operation; Linux 6.1 or later is needed";
			result = -ENOSYS;
		}
	io_uring_free_probe(probe);
	return result;
}

static void
give_buffer(struct io *io, unsigned id, unsigned place)
{
	io_uring_buf_ring_add(io->recv_ring, io->recv_memory + (size_t)id * io->recv_size, io->recv_size,
			      (unsigned short)id, io_uring_buf_ring_mask(io->recv_count), (int)place);
}

static int
open_buffers(struct io *io, const char **why)
{
	struct io_uring_buf_reg reg = { .ring_entries = io->recv_count, .bgid = RECV_GROUP };
	size_t			ring_size = io->recv_count * sizeof(struct io_uring_buf);
	int			result;

	io->recv_ring = mmap(NULL, ring_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	io->recv_memory = mmap(NULL, (size_t)io->recv_count * io->recv_size, PROT_READ | PROT_WRITE,
			       MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (io->recv_ring == MAP_FAILED || io->recv_memory == MAP_FAILED) {
		*why = "no memory for receive buffers";
		return -ENOMEM;
	}
	reg.ring_addr = (uint64_t)(uintptr_t)io->recv_ring;
	result = io_uring_register_buf_ring(&io->ring, &reg, 0);
	if (result < 0) {
		*why = "this kernel's io_uring lacks rings of provided buffers; Linux 6.1 or later is needed";
		return result;
	}
	io_uring_buf_ring_init(io->recv_ring);
	for (unsigned i = 0; i < io->recv_count; i++)
		give_buffer(io, i, i);
	io_uring_buf_ring_advance(io->recv_ring, (int)io->recv_count);
	return 0;
}

static void watch_event_fd(struct io *io);
static unsigned drain(struct io *io);

static void
woken(struct io_op *op, const struct io_event *event)
{
	struct io *io = CONTAINER_OF(op, struct io, wake);

	/* Whatever it ended with: who does not look hears no more posts from outside. */
	(void)event;
	watch_event_fd(io);
}

static void
watch_event_fd(struct io *io)
{
	io_read(io, &io->wake, atomic_load(&io->box->event_fd), &io->wake_count, sizeof(io->wake_count), 0);
}

int
io_open_seam(struct io **out, struct io_net *net, const struct io_params *params, const char **why)
{
	struct io_uring_params ring_params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = params->queue_entries * CQ_FACTOR,
	};
	struct io *io = calloc(1, sizeof(*io));
	int	   result;

	INVARIANT(params->core < net->core_count);
	if (io == NULL) {
		*why = "no memory";
		return -ENOMEM;
	}
	io->net = net;
	io->box = &net->boxes[params->core];
	io->core = params->core;
	io->recv_count = params->recv_buffer_count;
	io->recv_size = params->recv_buffer_size;
	result = io_uring_queue_init_params(params->queue_entries, &io->ring, &ring_params);
	if (result < 0) {
		*why = why_no_ring(result);
		free(io);
		return result;
	}
	io_uring_ring_dontfork(&io->ring);
	/* Saves the kernel a look at the table of descriptors in each turn, no more: where it is refused nothing is missing. */
	(void)io_uring_register_ring_fd(&io->ring);
	result = check_opcodes(io, why);
	if (result == 0)
		result = open_buffers(io, why);
	if (result < 0) {
		io_close_seam(io);
		return result;
	}
	look_at_clocks(io);
	atomic_store(&io->box->ring_fd, io->ring.ring_fd);
	io_op_init(&io->wake, woken);
	watch_event_fd(io);
	*out = io;
	return 0;
}

/*
 * What was started still leaves: descriptors to close, and the waking of a core whose chain already holds our last
 * message.  Then nothing of ours may belong to the kernel any more, because the memory goes next; a ring that is
 * merely closed lets go of it at a time of its own.
 */
static void
let_go(struct io *io)
{
	struct io_uring_sync_cancel_reg all = {
		.fd = -1,
		.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		.timeout = { .tv_sec = CLOSE_PATIENCE_S },
	};

	(void)io_uring_submit(&io->ring); /* what the kernel refuses now nobody could start again */
	(void)io_uring_register_sync_cancel(&io->ring, &all); /* nothing in flight is an error, and the usual case */
	/* Nobody hears of operations any more, but a waking that failed still has its other way. */
	do
		(void)drain(io);
	while (io_uring_cq_ready(&io->ring));
}

void
io_close_seam(struct io *io)
{
	let_go(io);
	atomic_store(&io->box->ring_fd, -1);
	io_uring_queue_exit(&io->ring);
	if (io->recv_ring && io->recv_ring != MAP_FAILED)
		munmap(io->recv_ring, io->recv_count * sizeof(struct io_uring_buf));
	if (io->recv_memory && io->recv_memory != MAP_FAILED)
		munmap(io->recv_memory, (size_t)io->recv_count * io->recv_size);
	free(io);
}

/* liburing 2.3 has no name for it yet. */
enum { REGISTER_NAPI = 27 };

int
io_busy_poll(struct io *io, unsigned microseconds)
{
	struct {
		uint32_t microseconds;
		uint8_t	 prefer, zero[3];
		uint64_t zero64;
	} napi = { .microseconds = microseconds, .prefer = 1 };

	io->busy_poll_ns = microseconds * UINT64_C(1000);
	return syscall(__NR_io_uring_register, io->ring.ring_fd, REGISTER_NAPI, &napi, 1) < 0 ? -errno : 0;
}

/* --- the turn ------------------------------------------------------------------------------------------ */

/*
 * Errors that pass: a signal, the deadline, memory.  After any other no operation could end any more, among them EBADR,
 * by which the kernel says that it lost a completion: going on would be waiting for ever.
 */
static void
check_enter(int result)
{
	INVARIANT(result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN || result == -EBUSY ||
		  result == -ENOMEM);
}

static struct io_uring_sqe *
next_sqe(struct io *io)
{
	struct io_uring_sqe *sqe;

	while ((sqe = io_uring_get_sqe(&io->ring)) == NULL) {
		int result = io_uring_submit(&io->ring);

		/* Out of memory for requests: what has completed gives some back. */
		if (result < 0) {
			check_enter(result);
			check_enter(io_uring_get_events(&io->ring));
		}
	}
	return sqe;
}

static struct io_uring_sqe *
begin(struct io *io, struct io_op *op, enum io_kind kind, int fd)
{
	INVARIANT(op->kind == IO_IDLE);
	op->kind = (uint8_t)kind;
	op->cancelled = 0;
	op->fd = fd;
	return next_sqe(io);
}

/* Sets the address last: the io_uring_prep_ functions clear it. */
static void
end(struct io_uring_sqe *sqe, struct io_op *op)
{
	io_uring_sqe_set_data(sqe, op);
}

/* Looks out for what completes and who posts before it sleeps: being woken would take longer. */
static void
look_out(struct io *io, uint64_t deadline_ns)
{
	uint64_t until = MIN_OF(deadline_ns, io_mono_now(io) + io->busy_poll_ns);

	check_enter(io_uring_submit(&io->ring));
	while (!io_uring_cq_ready(&io->ring) && atomic_load(&io->box->newest) == NULL && io_mono_now(io) < until)
		check_enter(io_uring_get_events(&io->ring));
}

static void
submit_and_sleep(struct io *io, uint64_t deadline_ns)
{
	struct __kernel_timespec ts = { 0, 0 };
	struct io_uring_cqe	*cqe;
	uint64_t		 wait = 0;

	if (io->busy_poll_ns && deadline_ns)
		look_out(io, deadline_ns);
	atomic_store(&io->box->sleeping, true);
	if (atomic_load(&io->box->newest) == NULL && deadline_ns) {
		if (deadline_ns == UINT64_MAX)
			wait = 3600ull * 1000000000u;
		else if (deadline_ns > (io->mono = io_mono_now(io)))
			wait = deadline_ns - io->mono;
	}
	ts.tv_sec = (long long)(wait / 1000000000u);
	ts.tv_nsec = (long long)(wait % 1000000000u);
	check_enter(io_uring_submit_and_wait_timeout(&io->ring, &cqe, 1, &ts, NULL));
	atomic_store(&io->box->sleeping, false);
	look_at_clocks(io);
}

static void
wake_by_event(struct mailbox *box)
{
	uint64_t one = 1;
	ssize_t	 n;

	do
		n = write(atomic_load(&box->event_fd), &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

/* The receiver's ring is full, closing or without memory: the other way of waking needs none of that. */
static void
waking_failed(struct io *io, uint64_t tag)
{
	unsigned core = (unsigned)(tag - TAG_WAKING) / 2;

	INVARIANT(core < io->net->core_count);
	wake_by_event(&io->net->boxes[core]);
}

static unsigned
drain(struct io *io)
{
	struct io_uring_cqe *cqe;
	unsigned	     head, seen = 0, count = 0;

	io_uring_for_each_cqe(&io->ring, head, cqe) {
		if (count == EVENT_BATCH)
			break;
		seen++;
		if (cqe->user_data & 1) {
			if (cqe->user_data >= TAG_WAKING && cqe->res < 0)
				waking_failed(io, cqe->user_data);
			continue;
		}
		io->batch[count++] = (struct happened){ (struct io_op *)(uintptr_t)cqe->user_data, cqe->res,
							cqe->flags };
	}
	io_uring_cq_advance(&io->ring, seen);
	return count;
}

static void
run_batch(struct io *io, unsigned count)
{
	unsigned given = 0;

	for (unsigned i = 0; i < count; i++) {
		struct happened *h = &io->batch[i];
		struct io_event	 event = { .result = h->result };
		unsigned	 buffer = h->flags >> IORING_CQE_BUFFER_SHIFT;
		bool		 with_buffer = h->flags & IORING_CQE_F_BUFFER;

		if (i + 2 < count)
			__builtin_prefetch(io->batch[i + 2].op);
		if (h->flags & IORING_CQE_F_MORE)
			event.flags |= IO_MORE;
		else
			h->op->kind = IO_IDLE;
		h->op->more = (h->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
		if (with_buffer && h->result > 0)
			event.data = span_make(io->recv_memory + (size_t)buffer * io->recv_size,
					       (size_t)h->result);
		h->op->done(h->op, &event);
		if (with_buffer)
			give_buffer(io, buffer, given++);
	}
	if (given)
		io_uring_buf_ring_advance(io->recv_ring, (int)given);
}

static unsigned
run_posts(struct io *io)
{
	struct io_post *newest = atomic_exchange_explicit(&io->box->newest, NULL, memory_order_acquire);
	struct io_post *oldest = NULL;
	unsigned	count = 0;

	while (newest) {
		struct io_post *before = (struct io_post *)(void *)newest->node.next;

		newest->node.next = (struct list_node *)(void *)oldest;
		oldest = newest;
		newest = before;
	}
	while (oldest) {
		struct io_post *next = (struct io_post *)(void *)oldest->node.next;

		list_node_init(&oldest->node);
		oldest->run(io, oldest);
		oldest = next;
		count++;
	}
	return count;
}

unsigned
io_turn(struct io *io, uint64_t deadline_ns)
{
	unsigned count;

	submit_and_sleep(io, deadline_ns);
	count = drain(io);
	run_batch(io, count);
	return count + run_posts(io);
}

/* --- operations ------------------------------------------------------------------------------------------ */

void
io_op_init(struct io_op *op, io_handler *done)
{
	*op = (struct io_op){ .done = done, .kind = IO_IDLE, .fd = -1 };
}

void
io_accept(struct io *io, struct io_op *op, int listener)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_ACCEPT, listener);

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	end(sqe, op);
}

void
io_connect(struct io *io, struct io_connect_op *c, int fd, const struct endpoint *to)
{
	struct io_uring_sqe *sqe = begin(io, &c->op, IO_CONNECT, fd);
	socklen_t	     len = endpoint_to_sockaddr(to, &c->address);

	io_uring_prep_connect(sqe, fd, (struct sockaddr *)&c->address, len);
	end(sqe, &c->op);
}

void
io_connect_path(struct io *io, struct io_connect_op *c, int fd, const char *path)
{
	struct io_uring_sqe *sqe = begin(io, &c->op, IO_CONNECT, fd);
	socklen_t	     len = endpoint_path_to_sockaddr(path, &c->address);

	io_uring_prep_connect(sqe, fd, (struct sockaddr *)&c->address, len);
	end(sqe, &c->op);
}

void
io_recv(struct io *io, struct io_op *op, int fd)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_RECV, fd);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = RECV_GROUP;
	end(sqe, op);
}

void
io_recv_once(struct io *io, struct io_op *op, int fd)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_RECV, fd);

	io_uring_prep_recv(sqe, fd, NULL, io->recv_size, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	/* Nothing is there yet, as a rule: the kernel shall wait for it and not try first. */
	if (!op->more)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	sqe->buf_group = RECV_GROUP;
	end(sqe, op);
}

void
io_send(struct io *io, struct io_send_op *s, int fd, struct iovec *iov, unsigned iov_count)
{
	struct io_uring_sqe *sqe = begin(io, &s->op, IO_SEND, fd);

	INVARIANT(iov_count >= 1 && iov_count <= IO_IOV_MAX);
	if (iov_count == 1) { /* saves the kernel copying header and vector */
		io_uring_prep_send(sqe, fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_WAITALL);
	} else {
		s->message = (struct msghdr){ .msg_iov = iov, .msg_iovlen = iov_count };
		io_uring_prep_sendmsg(sqe, fd, &s->message, MSG_NOSIGNAL | MSG_WAITALL);
	}
	end(sqe, &s->op);
}

void
io_open(struct io *io, struct io_op *op, int directory, const char *path, int open_flags, unsigned mode)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_OPEN, directory);

	io_uring_prep_openat(sqe, directory, path, open_flags | O_CLOEXEC, mode);
	end(sqe, op);
}

void
io_unlink(struct io *io, struct io_op *op, int directory, const char *path)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_UNLINK, directory);

	io_uring_prep_unlinkat(sqe, directory, path, 0);
	end(sqe, op);
}

void
io_rename(struct io *io, struct io_op *op, int directory, const char *from, const char *to)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_RENAME, directory);

	io_uring_prep_renameat(sqe, directory, from, directory, to, 0);
	end(sqe, op);
}

void
io_allocate(struct io *io, struct io_op *op, int fd, uint64_t length)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_ALLOCATE, fd);

	io_uring_prep_fallocate(sqe, fd, 0, 0, (off_t)length);
	end(sqe, op);
}

void
io_read(struct io *io, struct io_op *op, int fd, void *buffer, unsigned length, uint64_t offset)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_READ, fd);

	io_uring_prep_read(sqe, fd, buffer, length, offset);
	end(sqe, op);
}

void
io_write(struct io *io, struct io_op *op, int fd, const struct iovec *iov, unsigned iov_count,
	 uint64_t offset, unsigned flags)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_WRITE, fd);

	int how = (flags & IO_WRITE_DURABLE ? RWF_DSYNC : 0) | (flags & IO_WRITE_APPEND ? RWF_APPEND : 0);

	/* -1: the descriptor's own position, all that a pipe has. */
	if (flags & IO_WRITE_APPEND)
		offset = (uint64_t)-1;
	io_uring_prep_writev2(sqe, fd, iov, iov_count, offset, how);
	end(sqe, op);
}

void
io_datasync(struct io *io, struct io_op *op, int fd)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_DATASYNC, fd);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	end(sqe, op);
}

void
io_dirsync(struct io *io, struct io_op *op, int directory)
{
	struct io_uring_sqe *sqe = begin(io, op, IO_DIRSYNC, directory);

	io_uring_prep_fsync(sqe, directory, 0);
	end(sqe, op);
}

void
io_cancel(struct io *io, struct io_op *op)
{
	struct io_uring_sqe *sqe;

	if (op->kind == IO_IDLE || op->cancelled)
		return;
	op->cancelled = 1;
	sqe = next_sqe(io);
	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, TAG_NOTHING);
}

void
io_close(struct io *io, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(io);

	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, TAG_NOTHING);
}

/* --- clocks, chance -------------------------------------------------------------------------------------- */

uint64_t
io_mono(const struct io *io)
{
	return io->mono;
}

int64_t
io_wall(const struct io *io)
{
	return io->wall;
}

uint64_t
io_mono_now(const struct io *io)
{
	struct timespec ts;

	(void)io;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
random_fetch(void *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = getrandom((char *)out + got, len - got, 0);

		INVARIANT(n >= 0 || errno == EINTR);
		if (n > 0)
			got += (size_t)n;
	}
}

void
io_random(struct io *io, void *out, size_t len)
{
	if (len > RANDOM_POOL / 4) {
		random_fetch(out, len);
		return;
	}
	if (io->random_left < len) {
		random_fetch(io->random_pool, RANDOM_POOL);
		io->random_left = RANDOM_POOL;
	}
	io->random_left -= (unsigned)len;
	memcpy(out, io->random_pool + io->random_left, len);
	explicit_bzero(io->random_pool + io->random_left, len);
}

/* --- core to core ------------------------------------------------------------------------------------------ */

void
io_post_init(struct io_post *post, void (*run)(struct io *io, struct io_post *post))
{
	list_node_init(&post->node);
	post->run = run;
}

/* True when the receiver sleeps and it falls to us to wake it. */
static bool
push(struct mailbox *box, struct io_post *post)
{
	struct io_post *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);

	INVARIANT(!list_linked(&post->node));
	do
		post->node.next = (struct list_node *)(void *)newest;
	while (!atomic_compare_exchange_weak(&box->newest, &newest, post));
	return atomic_exchange(&box->sleeping, false);
}

void
io_post_to(struct io *io, unsigned core, struct io_post *post)
{
	struct mailbox	    *box = &io->net->boxes[core];
	struct io_uring_sqe *sqe;
	int		     ring_fd;

	INVARIANT(core < io->net->core_count);
	io->crossings.posts += core != io->core;
	if (!push(box, post) || core == io->core)
		return;
	io->crossings.wakes++;
	ring_fd = atomic_load(&box->ring_fd);
	if (ring_fd < 0) { /* not open yet: it looks at its chain when it is */
		wake_by_event(box);
		return;
	}
	sqe = next_sqe(io);
	io_uring_prep_msg_ring(sqe, ring_fd, 0, TAG_WAKE, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, TAG_WAKING + 2 * (uint64_t)core);
}

void
io_post_from_outside(struct io_net *net, unsigned core, struct io_post *post)
{
	INVARIANT(core < net->core_count);
	if (push(&net->boxes[core], post))
		wake_by_event(&net->boxes[core]);
}

unsigned
io_core(const struct io *io)
{
	return io->core;
}

struct io_crossings
io_crossings(const struct io *io)
{
	return io->crossings;
}

void
io_set_owner(struct io *io, void *owner)
{
	io->owner = owner;
}

void *
io_owner(const struct io *io)
{
	return io->owner;
}
