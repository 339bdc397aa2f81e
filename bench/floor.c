/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringpost-bench floor: the least that a receiver can do, as the yardstick for what a real one costs.
 *
 * It answers every command without looking, finds the end of data, and either forgets the message or adds it to
 * a file per core and answers 250 only after a sync that covers it: one write and one sync for all that is
 * waiting, while it is in flight the next gathers; through the page cache, or with --direct around it, in a file that
 * was written to its end before.  No envelope, no index, no delivery, no limits, no
 * deadlines: not a mail server.  It stands on core/io.h directly, below the stream, so that the
 * yardstick holds nothing that the measured could do without.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "bench/commands.h"
#include "bench/crew.h"

enum {
	BLOCK	    = 4096, /* what a direct write consists of */
	OUT_MAX	    = 2048,
	BATCH_MAX   = 64 << 20,
	FILE_OCTETS = 1 << 30, /* then it begins anew at the front */
	DIRECT_OCTETS = 256 << 20, /* the same with --direct, where it is filled first */
	FILL_OCTETS = 1 << 20,
};

static struct {
	struct endpoint listen;
	uint64_t	cores;
	const char     *file;
	bool		discard, direct;
} options = { .cores = 1, .file = "floor.data" };

static const struct option_row rows[] = {
	{ "listen", OPTION_ENDPOINT, offsetof(__typeof__(options), listen), "ADDRESS:PORT",
	  "Where to listen; needed.", 0, 0, NULL },
	{ "file", OPTION_TEXT, offsetof(__typeof__(options), file), "FILE",
	  "Where messages go, with the number of the core behind it (floor.data).", 0, 0, NULL },
	{ "discard", OPTION_FLAG, offsetof(__typeof__(options), discard), NULL,
	  "Forget messages instead of writing and syncing them.", 0, 0, NULL },
	{ "direct", OPTION_FLAG, offsetof(__typeof__(options), direct), NULL,
	  "Write around the page cache, into a file that is filled first.", 0, 0, NULL },
	{ "cores", OPTION_COUNT, offsetof(__typeof__(options), cores), "N", "Threads (1).", 1, BENCH_CORES_MAX,
	  NULL },
};

struct bare_core;

struct bare_conn {
	struct io_op	  recv;
	struct io_send_op send;
	struct iovec	  iov;
	struct bare_core *core;
	struct list_node  node;	   /* among the core's connections */
	struct bare_conn *waiting; /* the next whose answer waits for the same sync */
	int		  fd;
	bool		  data, quit, closing, owed; /* owed: in a list of waiting */
	uint8_t		  tail_len;
	char		  tail[4]; /* last octets of the text so far, for an end that is cut in two */
	unsigned	  line_len, out_len;
	char		  line[512], out[OUT_MAX], sending[OUT_MAX];
};

struct bare_core {
	struct crew_member *member;
	struct io_op	    accept, disk;
	struct list	    conns;
	struct bare_conn   *waiting, *syncing;
	char		   *batch, *flight, path[512];
	size_t		    batch_len, flight_len, flight_done;
	struct iovec	    iov;
	uint64_t	    offset, messages;
	int		    listener, file;
	bool		    stopping;
};

static uint64_t messages_all;

static void
end_perhaps(struct bare_core *core)
{
	if (core->stopping && io_op_idle(&core->accept) && io_op_idle(&core->disk) && list_empty(&core->conns))
		reactor_stop(&core->member->reactor);
}

static void
conn_close_perhaps(struct bare_conn *c)
{
	if (!c->closing || !io_op_idle(&c->recv) || !io_op_idle(&c->send.op) || c->owed)
		return;
	io_close(c->core->member->reactor.io, c->fd);
	list_remove(&c->node);
	end_perhaps(c->core);
	free(c);
}

static void
conn_drop(struct bare_conn *c)
{
	c->closing = true;
	if (!io_op_idle(&c->recv))
		io_cancel(c->core->member->reactor.io, &c->recv);
}

static void
conn_flush(struct bare_conn *c)
{
	if (c->closing || !c->out_len || !io_op_idle(&c->send.op))
		return;
	memcpy(c->sending, c->out, c->out_len);
	c->iov = (struct iovec){ c->sending, c->out_len };
	c->out_len = 0;
	io_send(c->core->member->reactor.io, &c->send, c->fd, &c->iov, 1);
}

static void
conn_say(struct bare_conn *c, struct span text)
{
	if (c->out_len + text.len > OUT_MAX) {
		conn_drop(c); /* a peer that never reads its answers */
		return;
	}
	memcpy(c->out + c->out_len, text.data, text.len);
	c->out_len += (unsigned)text.len;
}

static void
sent(struct io_op *op, const struct io_event *event)
{
	struct bare_conn *c = CONTAINER_OF(op, struct bare_conn, send.op);

	if (event->result < 0) {
		conn_drop(c);
	} else if ((size_t)event->result < c->iov.iov_len) {
		c->iov.iov_base = (char *)c->iov.iov_base + event->result;
		c->iov.iov_len -= (size_t)event->result;
		io_send(c->core->member->reactor.io, &c->send, c->fd, &c->iov, 1);
		return;
	} else if (c->out_len) {
		conn_flush(c);
	} else if (c->quit) {
		conn_drop(c);
	}
	conn_close_perhaps(c);
}

/* --- the disk --------------------------------------------------------------------------------------- */

static void
disk_start(struct bare_core *core)
{
	char *batch = core->batch;

	if (!core->waiting || !io_op_idle(&core->disk))
		return;
	core->batch = core->flight;
	core->flight = batch;
	core->flight_len = core->batch_len;
	core->batch_len = 0;
	if (options.direct) { /* whole blocks; what is behind the text in the last one means nothing */
		size_t whole = (core->flight_len + BLOCK - 1) & ~(size_t)(BLOCK - 1);

		memset(core->flight + core->flight_len, 0, whole - core->flight_len);
		core->flight_len = whole;
	}
	core->syncing = core->waiting;
	core->waiting = NULL;
	if (core->offset + core->flight_len > (options.direct ? DIRECT_OCTETS : FILE_OCTETS))
		core->offset = 0;
	core->iov = (struct iovec){ core->flight, core->flight_len };
	io_write(core->member->reactor.io, &core->disk, core->file, &core->iov, 1, core->offset,
		 IO_WRITE_DURABLE);
}

static void
disk_done(struct io_op *op, const struct io_event *event)
{
	struct bare_core *core = CONTAINER_OF(op, struct bare_core, disk);
	struct bare_conn *c, *next;

	if (event->result < 0) {
		(void)fprintf(stderr, "ringpost-bench floor: write: %s\n", strerror(-event->result));
		exit(1);
	}
	core->offset += (uint64_t)event->result;
	if ((size_t)event->result < core->iov.iov_len) {
		core->iov.iov_base = (char *)core->iov.iov_base + event->result;
		core->iov.iov_len -= (size_t)event->result;
		io_write(core->member->reactor.io, op, core->file, &core->iov, 1, core->offset, IO_WRITE_DURABLE);
		return;
	}
	for (c = core->syncing; c; c = next) {
		next = c->waiting;
		c->owed = false;
		conn_say(c, SPAN_LITERAL("250 2.0.0 durable\r\n"));
		conn_flush(c);
		conn_close_perhaps(c);
	}
	core->syncing = NULL;
	disk_start(core);
	end_perhaps(core);
}

static void
message_end(struct bare_conn *c)
{
	struct bare_core *core = c->core;

	core->messages++;
	c->data = false;
	if (options.discard) {
		conn_say(c, SPAN_LITERAL("250 2.0.0 forgotten\r\n"));
		return;
	}
	if (c->owed) { /* a peer that does not wait for answers would stand in the list twice */
		conn_drop(c);
		return;
	}
	c->owed = true;
	c->waiting = core->waiting;
	core->waiting = c;
}

/* --- the language ------------------------------------------------------------------------------------ */

static void
command(struct bare_conn *c, struct span line)
{
	if (span_starts_nocase(line, SPAN_LITERAL("EHLO"))) {
		conn_say(c, SPAN_LITERAL("250-floor\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n"));
	} else if (span_starts_nocase(line, SPAN_LITERAL("DATA"))) {
		conn_say(c, SPAN_LITERAL("354 go\r\n"));
		c->data = true;
		memcpy(c->tail, "\r\n", 2); /* the line end of DATA: a text may be empty */
		c->tail_len = 2;
	} else if (span_starts_nocase(line, SPAN_LITERAL("QUIT"))) {
		conn_say(c, SPAN_LITERAL("221 2.0.0 bye\r\n"));
		c->quit = true;
	} else {
		conn_say(c, SPAN_LITERAL("250 2.0.0 ok\r\n"));
	}
}

/* How many of the bytes belong to the text; *end when its end is among them. */
static size_t
text_take(struct bare_conn *c, struct span bytes, bool *end)
{
	static const char mark[] = "\r\n.\r\n";
	char seam[8];
	size_t few = MIN_OF(bytes.len, 4), len = c->tail_len;
	const char *at;

	*end = true;
	memcpy(seam, c->tail, len);
	memcpy(seam + len, bytes.data, few);
	at = memmem(seam, len + few, mark, 5);
	if (at)
		return (size_t)(at - seam) + 5 - len;
	at = memmem(bytes.data, bytes.len, mark, 5);
	if (at)
		return (size_t)(at - bytes.data) + 5;
	*end = false;
	len += few;
	if (bytes.len >= 4) {
		memcpy(c->tail, bytes.data + bytes.len - 4, 4);
		c->tail_len = 4;
	} else {
		c->tail_len = (uint8_t)MIN_OF(len, 4);
		memmove(c->tail, seam + len - c->tail_len, c->tail_len);
	}
	return bytes.len;
}

static void
input(struct bare_conn *c, struct span bytes)
{
	struct bare_core *core = c->core;

	while (bytes.len && !c->closing && !c->quit) {
		size_t len;

		if (c->data) {
			bool end;

			len = text_take(c, bytes, &end);
			if (!options.discard) {
				if (core->batch_len + len > BATCH_MAX - BLOCK) {
					conn_drop(c);
					return;
				}
				memcpy(core->batch + core->batch_len, bytes.data, len);
				core->batch_len += len;
			}
			if (end)
				message_end(c);
		} else {
			len = span_find(bytes, '\n');
			if (len < bytes.len && !c->line_len) {
				command(c, span_first(bytes, ++len));
			} else {
				size_t room = MIN_OF(sizeof(c->line) - c->line_len, len);

				memcpy(c->line + c->line_len, bytes.data, room);
				c->line_len += (unsigned)room;
				if (len < bytes.len) {
					len++;
					command(c, span_make(c->line, c->line_len));
					c->line_len = 0;
				}
			}
		}
		bytes = span_from(bytes, len);
	}
	conn_flush(c);
}

static void
received(struct io_op *op, const struct io_event *event)
{
	struct bare_conn *c = CONTAINER_OF(op, struct bare_conn, recv);

	if (event->result > 0 && !c->closing)
		input(c, event->data);
	if (!(event->flags & IO_MORE)) {
		if (event->result > 0 || event->result == -ENOBUFS || event->result == -ECANCELED) {
			if (!c->closing)
				io_recv(c->core->member->reactor.io, op, c->fd);
		} else {
			c->closing = true;
		}
	}
	disk_start(c->core);
	conn_close_perhaps(c);
}

static void
accepted(struct io_op *op, const struct io_event *event)
{
	struct bare_core *core = CONTAINER_OF(op, struct bare_core, accept);

	if (event->result >= 0) {
		struct bare_conn *c = malloc(sizeof(*c));

		if (!c || core->stopping) {
			free(c);
			io_close(core->member->reactor.io, event->result);
		} else {
			memset(c, 0, offsetof(struct bare_conn, line));
			c->core = core;
			c->fd = event->result;
			io_op_init(&c->recv, received);
			io_op_init(&c->send.op, sent);
			list_node_init(&c->node);
			list_append(&core->conns, &c->node);
			conn_say(c, SPAN_LITERAL("220 floor ESMTP\r\n"));
			conn_flush(c);
			io_recv(core->member->reactor.io, &c->recv, c->fd);
		}
	}
	if (!(event->flags & IO_MORE)) {
		if (!core->stopping)
			io_accept(core->member->reactor.io, op, core->listener);
		end_perhaps(core);
	}
}

/* --- life ---------------------------------------------------------------------------------------------- */

static void
fill(struct bare_core *core)
{
	core->iov = (struct iovec){ core->batch, FILL_OCTETS };
	io_write(core->member->reactor.io, &core->disk, core->file, &core->iov, 1, core->offset, 0);
}

static void
filled(struct io_op *op, const struct io_event *event)
{
	struct bare_core *core = CONTAINER_OF(op, struct bare_core, disk);

	if (event->result != FILL_OCTETS) {
		(void)fprintf(stderr, "ringpost-bench floor: %s: %s\n", core->path,
			      strerror(event->result < 0 ? -event->result : EIO));
		exit(1);
	}
	core->offset += FILL_OCTETS;
	if (core->offset < DIRECT_OCTETS) {
		fill(core);
		return;
	}
	core->offset = 0;
	io_op_init(op, disk_done);
	io_accept(core->member->reactor.io, &core->accept, core->listener);
}

static void
file_opened(struct io_op *op, const struct io_event *event)
{
	struct bare_core *core = CONTAINER_OF(op, struct bare_core, disk);

	if (event->result < 0) {
		(void)fprintf(stderr, "ringpost-bench floor: %s: %s\n", core->path, strerror(-event->result));
		exit(1);
	}
	core->file = event->result;
	if (options.direct) {
		io_op_init(op, filled);
		fill(core);
		return;
	}
	io_op_init(op, disk_done);
	io_accept(core->member->reactor.io, &core->accept, core->listener);
}

static int
floor_open(struct crew_member *m, const char **why)
{
	struct bare_core *core = calloc(1, sizeof(*core));

	*why = "no memory";
	if (!core)
		return -ENOMEM;
	m->work = core;
	core->member = m;
	core->file = -1;
	list_init(&core->conns);
	io_op_init(&core->accept, accepted);
	io_op_init(&core->disk, file_opened);
	core->batch = aligned_alloc(BLOCK, BATCH_MAX);
	core->flight = aligned_alloc(BLOCK, BATCH_MAX);
	if (!core->batch || !core->flight)
		return -ENOMEM;
	if (options.direct)
		memset(core->batch, 0, FILL_OCTETS);
	*why = "cannot listen";
	core->listener = io_listen(m->reactor.io, &options.listen, IO_LISTEN_SHARED);
	if (core->listener < 0)
		return core->listener;
	if (options.discard) {
		io_accept(m->reactor.io, &core->accept, core->listener);
		return 0;
	}
	(void)snprintf(core->path, sizeof(core->path), "%s.%u", options.file, m->index);
	io_open(m->reactor.io, &core->disk, IO_CWD, core->path,
		O_RDWR | O_CREAT | O_CLOEXEC | (options.direct ? O_DIRECT : 0), 0600);
	return 0;
}

static void
floor_stop(struct crew_member *m)
{
	struct bare_core *core = m->work;

	core->stopping = true;
	if (!io_op_idle(&core->accept))
		io_cancel(m->reactor.io, &core->accept);
	LIST_FOR_EACH(&core->conns, node) {
		struct bare_conn *c = LIST_ENTRY(node, struct bare_conn, node);

		conn_drop(c);
		conn_close_perhaps(c);
	}
	end_perhaps(core);
}

static void
floor_close(struct crew_member *m)
{
	struct bare_core *core = m->work;

	messages_all += core->messages;
	io_close(m->reactor.io, core->listener);
	if (core->file >= 0)
		io_close(m->reactor.io, core->file);
	free(core->batch);
	free(core->flight);
	free(core);
}

static int
floor_run(const struct bench_command *bench, const char *const *words)
{
	static const struct crew_plan plan = { .open = floor_open, .stop = floor_stop, .close = floor_close };
	struct crew_usage used;

	(void)bench;
	(void)words;
	if (!options.listen.port) {
		(void)fprintf(stderr, "ringpost-bench floor: --listen is needed\n");
		return 2;
	}
	(void)crew_descriptors_raise();
	if (crew_run(&plan, (unsigned)options.cores, NULL) < 0)
		return 1;
	used = crew_usage_now();
	(void)printf("messages %" PRIu64 ", own cpu %.3f s, %.2f us per message\n", messages_all,
		     used.user_s + used.system_s,
		     messages_all ? (used.user_s + used.system_s) * 1e6 / (double)messages_all : 0);
	return 0;
}

const struct bench_command bench_floor = {
	.name = "floor",
	.synopsis = "--listen ADDRESS:PORT [options]",
	.what = "A bare receiver that only reads, writes, syncs and answers: what the wire and the disk cost.",
	.rows = rows,
	.row_count = COUNT_OF(rows),
	.options = &options,
	.run = floor_run,
};
