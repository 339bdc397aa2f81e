/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the past: the files (docs/queue-format.md, section 7).
 *
 * First all segments are opened and their first blocks read, because a later one may void the tail of an earlier one.  Then
 * each is read whole, in slices, and its records applied in order; between slices the reactor serves others.
 * Nothing is removed before the end: until the last record is read no segment is known to be done with.
 *
 * The process before us may have died with pages on their way to the disk, which reads show us as if they were there.  So
 * the directories and each segment are synced before anything is concluded from them.
 *
 * What cannot be read for want of memory or descriptors is tried again; what the disk cannot read is skipped block by block.
 */
#include "queue/recovery.h"

#include <errno.h>
#include <fcntl.h>

#include "core/crc32c.h"

enum {
	PLACES_PER_TURN = 2000,	/* of the index */
	BAD_BLOCKS_MAX = 64,	/* of a segment; a disk may take seconds for each */
	ARENA_MAX = 16 << 20,
};

static void next_segment(struct recovery *v);
static void scan_on(struct recovery *v);

static int
take_name(void *arg, const char *name)
{
	struct recovery *v = arg;
	uint64_t	 number = 0;
	size_t		 len = strlen(name);
	bool		 spare = len == SEGMENT_NAME_LEN && memcmp(name + 16, ".old", 4) == 0;

	if (!spare && (len != SEGMENT_NAME_LEN || memcmp(name + 16, ".seg", 4) != 0))
		return 0;
	for (unsigned i = 0; i < 16; i++) {
		char c = name[i];
		int  digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return 0;
		number = number << 4 | (unsigned)digit;
	}
	if (spare) {
		segments_add_spare(&v->q->segments, number, v->q->params.segment_octets);
		return 0;
	}
	if (v->count == v->cap) {
		unsigned  cap = v->cap ? v->cap * 2 : 64;
		uint64_t *grown = realloc(v->numbers, cap * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		v->numbers = grown;
		v->cap = cap;
	}
	v->numbers[v->count++] = number;
	return 0;
}

/* In the next turn. */
static void
soon(struct recovery *v)
{
	reactor_arm_soon(v->q->reactor, &v->go_on);
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
recovery_free(struct recovery *v)
{
	v->q->recovery = NULL;
	wheel_disarm(&v->q->reactor->wheel, &v->go_on);
	/* In the first pass the segment is not one of all yet. */
	if (v->segment && v->step <= RECOVERY_BEGINNING) {
		if (v->segment->fd >= 0)
			io_close(v->q->reactor->io, v->segment->fd);
		free(v->segment);
	}
	arena_reset(&v->arena);
	free(v->bytes);
	free(v->numbers);
	free(v);
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void
finish(struct recovery *v)
{
	struct queue	     *q = v->q;
	struct queue_recovery what;

	v->what.messages = q->index.count;
	v->what.segments = v->count;
	v->what.milliseconds = (int64_t)((io_mono_now(q->reactor->io) - v->begun_ns) / 1000000);
	what = v->what;
	recovery_free(v);
	LIST_FOR_EACH(&q->segments.all, n)
		segments_seal(&q->segments, LIST_ENTRY(n, struct queue_segment, node));
	counter_set(&q->values[QUEUE_COUNT_SEGMENTS], q->segments.count);
	counter_set(&q->values[QUEUE_COUNT_MESSAGES], q->index.count);
	q->recovering = false;
	segments_want(&q->segments, 1);
	q->handlers.recovered(q, &what);
}

/* What was in use is ended before anything is written elsewhere (I10), where a reader comes past: behind the first block and
 * the last record with a sound header, which says how far it goes even when the rest of it is torn.  A file that somebody
 * shortened is left as it is: grown again it would have zeros where nothing was. */
static void
end_open_segment(struct recovery *v)
{
	struct queue *q = v->q;
	uint8_t	     *block = (uint8_t *)v->first;
	uint64_t      at = record_blocks(MAX_OF(v->open_reach, (uint64_t)RECORD_BLOCK));

	if (at + RECORD_BLOCK > v->open->octets) {
		segments_void(&q->segments, v->open, v->open_from);
		finish(v);
		return;
	}
	v->step = RECOVERY_ENDING;
	record_end_block(v->open->nonce, ++q->segments.lsn, (uint16_t)q->params.shard, v->open_from, block);
	v->iov = (struct iovec){ block, RECORD_BLOCK };
	io_write(q->reactor->io, &v->op, v->open->fd, &v->iov, 1, at, IO_WRITE_DURABLE);
}

/* If the disk does not take it, the next segment voids what is there. */
static void
end_written(struct recovery *v, int result)
{
	struct queue *q = v->q;

	if (result != RECORD_BLOCK) {
		log_error(q->reactor->log, "queue-write-failed", LOG_UINT("shard", q->params.shard),
			  LOG_STR("segment", v->open->name), LOG_UINT("offset", v->open_from),
			  LOG_ERRNO("why", result < 0 ? -result : EIO));
		segments_void(&q->segments, v->open, v->open_from);
	}
	finish(v);
}

static void
all_read(struct recovery *v)
{
	struct queue *q = v->q;

	replay_end(v);
	q->segments.lsn = MAX_OF(q->segments.lsn, v->lsn_max);
	if (v->open == NULL) {
		finish(v);
		return;
	}
	v->what.torn_octets = v->torn_octets;
	if (v->torn_octets)
		log_warn(q->reactor->log, "queue-torn", LOG_UINT("shard", q->params.shard),
			 LOG_STR("segment", v->open->name), LOG_UINT("offset", v->open_from),
			 LOG_UINT("octets", v->torn_octets));
	end_open_segment(v);
}

static void
all_scanned(struct recovery *v)
{
	v->segment = NULL;
	v->step = RECOVERY_ENTERING;
	v->q->replaying = false;
	soon(v);
}

/* --- first pass: the beginning of each segment ---------------------------------------------------------- */

/* The segment is one of all from now on. */
static void
known(struct recovery *v)
{
	struct queue_segment *seg = v->segment;

	seg->tail = seg->octets;
	segments_add(&v->q->segments, seg);
	v->segment = NULL;
	v->at++;
	next_segment(v);
}

/* Nothing in the file can be trusted or read: kept, and told of. */
static void
not_readable(struct recovery *v, const char *what)
{
	recovery_damage(v, v->segment, 0, v->segment->octets, what);
	v->segment->unreadable = true;
	known(v);
}

/*
 * A sound first header gives the nonce, without which nothing else can be read.  It is on the disk more than once: the
 * first batch begins with it too, at a place no sender can choose.
 */
static void
first_block_read(struct recovery *v)
{
	struct queue_segment *seg = v->segment;
	const uint8_t	     *first = (const uint8_t *)v->first;
	struct record_header  h;
	struct record_segment about = { 0 };
	int64_t		      size = io_file_size(seg->fd);

	seg->octets = size > 0 ? (uint64_t)size : 0;
	if (v->got >= RECORD_BLOCK && record_header_read_first(first, &h) && h.kind == RECORD_SEGMENT) {
		struct span payload = span_make(v->first + RECORD_HEADER_LEN,
						MIN_OF(h.length, (uint32_t)(RECORD_BLOCK - RECORD_HEADER_LEN)));
		bool	    sound = crc32c(0, payload.data, payload.len) == h.payload_crc;

		if (sound && record_segment_format(payload) != RECORD_FORMAT) {
			not_readable(v, "it has another form than this version knows");
			return;
		}
		if (!sound || !record_segment_read(payload, &about))
			about = (struct record_segment){ .number = seg->number, .reused = true }; /* the second pass reports it */
	} else if (v->got == sizeof(v->first) && record_header_read_first(first + RECORD_BLOCK, &h) &&
		   h.kind != RECORD_SEGMENT) {
		about = (struct record_segment){ .number = seg->number, .reused = true };
	} else {
		not_readable(v, "its first record is not sound");
		return;
	}
	if (about.number != seg->number || h.shard != v->q->params.shard) {
		not_readable(v, "it is a segment of another name or shard");
		return;
	}
	seg->nonce = h.nonce;
	seg->reused = about.reused;
	if (about.void_number) {
		struct queue_segment *other = segments_find(&v->q->segments, about.void_number);

		if (other) {
			other->void_from = MIN_OF(other->void_from, about.void_from);
			segments_settles(seg, other);
		}
	}
	known(v);
}

/* --- second pass: each segment whole -------------------------------------------------------------------- */

static void
read_on(struct recovery *v)
{
	char	*to = v->step == RECOVERY_READING ? v->bytes : v->first;
	uint64_t left = v->size - v->got;

	io_read(v->q->reactor->io, &v->op, v->segment->fd, to + v->got, (unsigned)MIN_OF(left, (uint64_t)v->chunk),
		v->got);
}

static void
read_whole(struct recovery *v)
{
	v->step = RECOVERY_READING;
	v->got = 0;
	v->chunk = QUEUE_READ_OCTETS;
	v->bad_blocks = 0;
	if (v->size)
		read_on(v);
	else
		scan_on(v);
}

static void
whole_read(struct recovery *v, int result)
{
	if (v->got < v->size) {
		v->bad_blocks++;
		recovery_damage(v, v->segment, v->got, v->size - v->got,
				result < 0 ? log_errno_name(-result) : "cut short");
		v->size = v->got;
	}
	scan_on(v);
}

/* The disk cannot read here.  Not even a block at a time: zeros, in which no record is found. */
static void
skip_block(struct recovery *v, int error)
{
	uint64_t octets = MIN_OF(v->size - v->got, RECORD_BLOCK - v->got % RECORD_BLOCK);

	if (v->chunk > RECORD_BLOCK) {
		v->chunk = RECORD_BLOCK;
	} else {
		recovery_damage(v, v->segment, v->got, octets, log_errno_name(-error));
		memset(v->bytes + v->got, 0, octets);
		v->got += octets;
		v->bad_blocks++;
	}
	if (v->got < v->size)
		read_on(v);
	else
		whole_read(v, 0);
}

static void
scan_on(struct recovery *v)
{
	v->step = RECOVERY_SCANNING;
	v->place = 0;
	v->doubt_from = RECOVERY_NO_DOUBT;
	v->last_lsn = v->sound_to = v->reach = v->trace_to = 0;
	v->in_use = v->ended = false;
	soon(v);
}

/* --- one step after another ----------------------------------------------------------------------------- */

/* It is we who lack something, not the disk. */
static bool
will_pass(int error)
{
	return error == -EINTR || error == -EAGAIN || error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
	       error == -ENOBUFS;
}

static void
try_later(struct recovery *v, int error)
{
	log_warn(v->q->reactor->log, "queue-recovery-waits", LOG_UINT("shard", v->q->params.shard),
		 LOG_ERRNO("why", -error));
	reactor_arm_ms(v->q->reactor, &v->go_on, QUEUE_CURE_FIRST_MS);
}

static void
read_some(struct recovery *v, int result)
{
	if (result > 0)
		v->got += (uint64_t)result;
	if (result > 0 && v->got % QUEUE_READ_OCTETS == 0)
		v->chunk = QUEUE_READ_OCTETS;
	if (result < 0 && v->step == RECOVERY_BEGINNING && v->got == 0) { /* the next block may do */
		memset(v->first, 0, RECORD_BLOCK);
		v->got = RECORD_BLOCK;
		read_on(v);
		return;
	}
	if (result > 0 && v->got < v->size)
		read_on(v);
	else if (v->step == RECOVERY_BEGINNING)
		first_block_read(v);
	else if (result < 0 && v->bad_blocks < BAD_BLOCKS_MAX)
		skip_block(v, result);
	else
		whole_read(v, result);
}

static void
op_done(struct io_op *op, const struct io_event *event)
{
	struct recovery *v = CONTAINER_OF(op, struct recovery, op);
	int		 result = event->result;

	if (v->step == RECOVERY_OPENING && result >= 0)
		v->segment->fd = result;
	if (v->cancelled) {
		struct queue *q = v->q;

		recovery_free(v);
		queue_maybe_closed(q);
		return;
	}
	if (v->step == RECOVERY_ENDING) {
		end_written(v, result);
		return;
	}
	if (will_pass(result) || (result < 0 && v->step <= RECOVERY_SYNCING_SHARD)) {
		try_later(v, result);
		return;
	}
	switch (v->step) {
	case RECOVERY_SYNCING_SPOOL:
		v->step = RECOVERY_SYNCING_SHARD;
		io_dirsync(v->q->reactor->io, &v->op, v->q->directory);
		return;
	case RECOVERY_SYNCING_SHARD:
		v->step = RECOVERY_OPENING;
		next_segment(v);
		return;
	case RECOVERY_OPENING:
		if (result < 0) {
			not_readable(v, log_errno_name(-result));
			return;
		}
		v->step = RECOVERY_BEGINNING;
		v->size = sizeof(v->first);
		v->got = 0;
		v->chunk = RECORD_BLOCK;
		read_on(v);
		return;
	case RECOVERY_SYNCING:
		if (result < 0)
			recovery_damage(v, v->segment, 0, 0, "it cannot be synced");
		read_whole(v);
		return;
	case RECOVERY_BEGINNING:
	case RECOVERY_READING:
		read_some(v, result);
		return;
	case RECOVERY_SCANNING:
	case RECOVERY_ENTERING:
	case RECOVERY_ENDING:
		break;
	}
	INVARIANT(!"a step that has no operation has ended");
}

static void
open_segment(struct recovery *v)
{
	struct queue_segment *seg = v->segment ? v->segment : calloc(1, sizeof(*seg));

	v->step = RECOVERY_OPENING;
	if (seg == NULL) {
		try_later(v, -ENOMEM);
		return;
	}
	v->segment = seg;
	list_node_init(&seg->node);
	seg->number = v->numbers[v->at];
	seg->void_from = UINT64_MAX;
	seg->fd = seg->direct = -1;
	segment_name(seg);
	io_open(v->q->reactor->io, &v->op, v->q->directory, seg->name, O_RDWR, 0);
}

static void
begin_segment(struct recovery *v)
{
	struct queue_segment *seg = v->segment;
	char		     *bytes;

	v->step = RECOVERY_SYNCING;
	v->size = MIN_OF(seg->octets, seg->void_from);
	bytes = realloc(v->bytes, MAX_OF(v->size, (uint64_t)1));
	if (bytes == NULL) {
		try_later(v, -ENOMEM);
		return;
	}
	v->bytes = bytes;
	io_datasync(v->q->reactor->io, &v->op, seg->fd);
}

static void
next_segment(struct recovery *v)
{
	if (v->step <= RECOVERY_BEGINNING) {
		if (v->at < v->count) {
			open_segment(v);
			return;
		}
		v->at = 0;
	}
	while (v->at < v->count) {
		struct queue_segment *seg = segments_find(&v->q->segments, v->numbers[v->at]);

		INVARIANT(seg != NULL);
		if (!seg->unreadable) {
			v->segment = seg;
			begin_segment(v);
			return;
		}
		v->at++;
	}
	all_scanned(v);
}

static void
go_on(struct wheel_timer *timer)
{
	struct recovery *v = CONTAINER_OF(timer, struct recovery, go_on);
	struct queue	*q = v->q;

	switch (v->step) {
	case RECOVERY_SYNCING_SPOOL:
		io_dirsync(q->reactor->io, &v->op, q->params.spool);
		return;
	case RECOVERY_SYNCING_SHARD:
		io_dirsync(q->reactor->io, &v->op, q->directory);
		return;
	case RECOVERY_OPENING:
		open_segment(v);
		return;
	case RECOVERY_SYNCING:
		begin_segment(v);
		return;
	case RECOVERY_BEGINNING:
	case RECOVERY_READING:
		read_on(v);
		return;
	case RECOVERY_SCANNING:
		if (recovery_scan(v)) {
			v->at++;
			v->segment = NULL;
			next_segment(v);
			return;
		}
		break;
	case RECOVERY_ENTERING:
		if (!replay_enter(v, PLACES_PER_TURN)) {
			all_read(v);
			return;
		}
		break;
	case RECOVERY_ENDING:
		return;
	}
	soon(v);
}

/* --- life ---------------------------------------------------------------------------------------------- */

int
recovery_start(struct queue *q, const char **why)
{
	struct recovery *v = calloc(1, sizeof(*v));
	int		 result;

	*why = "no memory to read the spool";
	if (v == NULL)
		return -ENOMEM;
	v->q = q;
	q->recovery = v;
	q->replaying = true;
	io_op_init(&v->op, op_done);
	wheel_timer_init(&v->go_on, go_on);
	arena_init(&v->arena, ARENA_MAX);
	v->begun_ns = io_mono_now(q->reactor->io);
	result = io_directory_list(q->directory, take_name, v);
	if (result < 0) {
		*why = "the directory of a shard cannot be read";
		recovery_free(v);
		return result;
	}
	if (v->count)
		qsort(v->numbers, v->count, sizeof(*v->numbers), by_number);
	soon(v);
	return 0;
}

void
recovery_cancel(struct queue *q)
{
	struct recovery *v = q->recovery;

	if (v == NULL)
		return;
	v->cancelled = true;
	if (io_op_idle(&v->op))
		recovery_free(v);
}
