/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a spool.  A fuzzer never guesses a checksum, so what it gives is a list of what to write: each entry becomes
 * a record with or without a sound header and a sound payload, or plain octets.  Reading it ends, changes
 * nothing, finds the same the second time, and each message it finds can be loaded or is told to be damaged.
 *
 *	entry = how (1 octet), kind (1 octet), length (2 octets), so many octets of payload
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "queue/queue.h"
#include "queue/record.h"

enum { OCTETS_MAX = 64 << 10, TURNS_MAX = 100000, SEGMENTS = 2 };

enum how { /* bits */
	HOW_BAD_HEADER = 1,
	HOW_BAD_PAYLOAD = 2,
	HOW_RAW = 4,	   /* no record: the octets as they are */
	HOW_NEXT_BLOCK = 8,
	HOW_NEXT_SEGMENT = 16,
	HOW_OLD_LSN = 32,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct io_net	     *net;
	struct reactor	      reactor;
	struct queue	     *queue;
	char		      path[64];
	int		      spool;
	bool		      recovered, closed;
	struct queue_recovery what;
} w;

static void
on_due(struct queue *q, struct queue_message *m)
{
	(void)q;
	(void)m;
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
	for (unsigned i = 0; !*done; i++) {
		INVARIANT(i < TURNS_MAX);
		reactor_turn(&w.reactor, reactor_in_ms(&w.reactor, 5));
	}
}

static void
set_up(void)
{
	struct reactor_params p = { .core_count = 1, .memory_max = 256 << 20, .log_level = LOG_LEVEL_ERROR };
	const char	     *why;

	if (w.net)
		return;
	p.log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)snprintf(w.path, sizeof(w.path), "%sringpost-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : "");
	INVARIANT(mkdtemp(w.path));
	w.net = io_net_new(1);
	INVARIANT(reactor_open(&w.reactor, w.net, &p, &why) == 0);
	w.spool = io_directory_open(w.path, 0700);
	INVARIANT(w.spool >= 0);
}

/* --- a spool from the input ------------------------------------------------------------------------------ */

struct writer {
	uint8_t	*bytes;
	size_t	 at;
	uint64_t nonce, lsn;
};

static void
write_record(struct writer *t, uint16_t kind, const uint8_t *payload, size_t len, unsigned how)
{
	struct record_header h = {
		.nonce = t->nonce,
		.lsn = how & HOW_OLD_LSN ? 1 : ++t->lsn,
		.length = (uint32_t)len,
		.payload_crc = crc32c(0, payload, len) ^ (how & HOW_BAD_PAYLOAD ? 1 : 0),
		.kind = kind,
	};
	size_t stride = (size_t)record_stride(len);

	if (t->at + stride > OCTETS_MAX)
		return;
	record_header_write(&h, t->bytes + t->at);
	if (how & HOW_BAD_HEADER)
		t->bytes[t->at + 20] ^= 0x40;
	memcpy(t->bytes + t->at + RECORD_HEADER_LEN, payload, len);
	t->at += stride;
}

static void
begin_segment(struct writer *t, uint64_t number)
{
	struct record_segment s = { .number = number, .octets = OCTETS_MAX };
	uint8_t		      payload[RECORD_SEGMENT_LEN];

	t->nonce = number * UINT64_C(0x9e3779b97f4a7c15);
	t->at = 0;
	record_segment_write(&s, payload);
	write_record(t, RECORD_SEGMENT, payload, sizeof(payload), 0);
	t->at = RECORD_BLOCK;
}

static void
path_of(uint64_t number, char path[static 128])
{
	(void)snprintf(path, 128, "%s/shard-00/%016llx.seg", w.path, (unsigned long long)number);
}

static void
save(const struct writer *t, uint64_t number)
{
	char path[128];
	int  fd;

	path_of(number, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	INVARIANT(fd >= 0 && write(fd, t->bytes, OCTETS_MAX) == OCTETS_MAX);
	close(fd);
}

static void
write_spool(const uint8_t *data, size_t size)
{
	struct writer t = { .bytes = calloc(1, OCTETS_MAX) };
	uint64_t      number = 1;

	INVARIANT(t.bytes);
	close(io_directory_open_at(w.spool, "shard-00", 0700));
	begin_segment(&t, number);
	while (size >= 4) {
		unsigned how = data[0];
		size_t	 len = data[2] | (size_t)data[3] << 8;

		len = MIN_OF(len, size - 4);
		if (how & HOW_NEXT_SEGMENT && number < SEGMENTS) {
			save(&t, number++);
			memset(t.bytes, 0, OCTETS_MAX);
			begin_segment(&t, number);
		}
		if (how & HOW_NEXT_BLOCK)
			t.at = MIN_OF((t.at / RECORD_BLOCK + 1) * RECORD_BLOCK, (size_t)OCTETS_MAX);
		if (how & HOW_RAW && t.at + len <= OCTETS_MAX) {
			memcpy(t.bytes + t.at, data + 4, len);
			t.at += (len + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
		} else if (!(how & HOW_RAW)) {
			write_record(&t, data[1], data + 4, len, how);
		}
		data += 4 + len;
		size -= 4 + len;
	}
	save(&t, number);
	free(t.bytes);
}

/* --- reading it ------------------------------------------------------------------------------------------ */

struct seen {
	uint64_t messages, open, hash;
	unsigned damaged;
};

static bool loaded;
static int  load_result;

static void
on_load(struct queue_load *load, int result)
{
	loaded = true;
	load_result = result;
	if (result)
		return;
	INVARIANT(load->view->envelope.recipient_count == load->message->recipient_count);
	INVARIANT(id_equal(load->view->envelope.id, load->message->id));
	queue_view_unref(w.queue, load->view);
}

static bool
look(void *arg, struct queue_message *m)
{
	struct seen	 *s = arg;
	struct queue_load load = { .done = on_load };

	INVARIANT(m->open > 0 && m->open <= m->recipient_count && m->in_hand == 0);
	s->messages++;
	s->open += m->open;
	s->hash ^= m->id.high * 31 + m->id.low + m->open + m->held;
	loaded = false;
	queue_load(w.queue, m, &load);
	turn_until(&loaded);
	INVARIANT(load_result == 0 || load_result == -EBADMSG);
	return true;
}

static struct seen
read_spool(void)
{
	const struct queue_handlers handlers = { on_due, on_recovered, on_closed };
	const struct queue_params   params = {
		  .spool = w.spool, .segment_octets = OCTETS_MAX, .spool_octets_max = 64 << 20, .inline_octets_max = 8192 };
	struct seen		    s = { 0 };
	struct queue_status	    status;
	uint64_t		    cursor = 0;
	const char		   *why;

	w.recovered = w.closed = false;
	while (queue_open(&w.queue, &w.reactor, &params, &handlers, NULL, &why) == -EWOULDBLOCK)
		reactor_turn(&w.reactor, 0);
	turn_until(&w.recovered);
	while (queue_walk(w.queue, &cursor, 100000, look, &s))
		;
	queue_status(w.queue, &status);
	INVARIANT(status.messages == s.messages && status.recipients_open == s.open);
	s.damaged = w.what.damaged > 0;
	queue_close(w.queue);
	turn_until(&w.closed);
	queue_free(w.queue);
	INVARIANT(w.reactor.memory.used == 0);
	return s;
}

static void
clear(void)
{
	char path[128];

	for (uint64_t i = 1; i < 16; i++) {
		path_of(i, path);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/shard-00/new.seg", w.path);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/shard-00/lock", w.path);
	(void)unlink(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen first, second;

	set_up();
	write_spool(data, size);
	first = read_spool();
	second = read_spool();
	INVARIANT(first.messages == second.messages && first.open == second.open && first.hash == second.hash);
	INVARIANT(first.damaged || !second.damaged);
	clear();
	return 0;
}

static void remove_spool(void) __attribute__((destructor));

static void
remove_spool(void)
{
	char path[128];

	if (w.net == NULL)
		return;
	clear();
	(void)snprintf(path, sizeof(path), "%s/shard-00", w.path);
	(void)rmdir(path);
	(void)rmdir(w.path);
}
