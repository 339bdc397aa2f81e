/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment is prepared in steps, one operation each (docs/queue-format.md, I1): create, open for direct writes, allocate,
 * fill with zeros, first block, rename, sync of the directory.  One is kept ready ahead, so that a commit waits for this only when the disk is slower at it than the
 * mail at filling 64 MiB.
 *
 * A durable write into blocks that are only reserved makes the file system note that they hold something now: on ext4
 * with a journal 0.50 ms for a batch of 64 KiB instead of 0.20.  So a fresh file is filled with zeros, and that of a segment that
 * is done with is written anew, which is the rule once there are some; filling costs the disk as much as the mail does.  A step that fails gives the file up, and all begins anew after a pause, which
 * doubles until a batch has been written: a disk that lets files be made and refuses to fill them is not asked all the time.
 *
 * What keeps a segment is counted, so nothing is ever searched for one that may go: what takes the last reason away looks at that
 * segment alone.  A shard of a terabyte has thousands.
 */
#include "queue/segment.h"

#include <errno.h>
#include <fcntl.h>

#include "core/crc32c.h"

enum step { IDLE, CLEANING, FETCHING, CREATING, OPENING, ALLOCATING, FILLING, WRITING, RENAMING, SYNCING, READY };

static const char new_name[] = "new.seg";

enum { ENDS_OCTETS = 2 * RECORD_BLOCK }; /* the first block, and the last, which is kept for END */

static void begin(struct segments *s);
static void maybe_closed(struct segments *s);
static void removed(struct io_op *op, const struct io_event *event);

void
segment_name(struct queue_segment *seg)
{
	(void)snprintf(seg->name, sizeof(seg->name), "%016llx.seg", (unsigned long long)seg->number);
	(void)snprintf(seg->spare_name, sizeof(seg->spare_name), "%016llx.old", (unsigned long long)seg->number);
}

static void
close_direct(struct segments *s, struct queue_segment *seg)
{
	if (seg->direct >= 0)
		io_close(s->reactor->io, seg->direct);
	seg->direct = -1;
}

static void
segment_free(struct segments *s, struct queue_segment *seg)
{
	close_direct(s, seg);
	if (seg->fd >= 0)
		io_close(s->reactor->io, seg->fd);
	free(seg->settled_by);
	free(seg);
}

/* --- preparing ----------------------------------------------------------------------------------------- */

static void
enter(struct segments *s, struct queue_segment *seg)
{
	seg->all = s;
	io_op_init(&seg->removal, removed);
	list_append(&s->all, &seg->node);
	list_node_init(&seg->same_slot);
	list_append(&s->slots[seg->number % SEGMENT_SLOTS], &seg->same_slot);
	s->count++;
}

/* The one under way becomes one of all.  The one that was the last until now may have waited for that. */
static struct queue_segment *
join(struct segments *s)
{
	struct list_node     *before = list_last(&s->all);
	struct queue_segment *seg = s->coming;
	struct queue_segment *voided = s->void_said && s->void_number ? segments_find(s, s->void_number) : NULL;

	s->coming = NULL;
	s->step = IDLE;
	enter(s, seg);
	if (voided)
		segments_settles(seg, voided);
	if (before)
		segments_maybe_remove(s, LIST_ENTRY(before, struct queue_segment, node));
	return seg;
}

/* A segment that shall stay empty. */
static void
drop(struct segments *s)
{
	segments_seal(s, join(s));
}

void
segments_reconsider(struct segments *s)
{
	if (wheel_timer_armed(&s->again) && s->no_space)
		reactor_arm_ms(s->reactor, &s->again, 0);
}

void
segments_back_off(struct segments *s)
{
	if (s->closing)
		return;
	s->pause_ms = s->pause_ms ? MIN_OF(s->pause_ms * 2, (uint64_t)QUEUE_CURE_MAX_MS) : QUEUE_CURE_FIRST_MS;
	reactor_arm_ms(s->reactor, &s->again, s->pause_ms);
}

static void
give_up(struct segments *s, int error)
{
	s->leftover |= s->step > FETCHING && s->step < SYNCING;
	if (s->step == SYNCING)
		drop(s); /* its name may be on disk, and it says what it says */
	else
		segment_free(s, s->coming);
	s->coming = NULL;
	s->step = IDLE;
	if (s->closing) {
		maybe_closed(s);
		return;
	}
	s->no_space = error == -ENOSPC;
	segments_back_off(s);
	s->handlers->failed(s->owner, error);
}

/* Writes what of the first block is left. */
static void
write_rest(struct segments *s)
{
	const struct queue_segment *seg = s->coming;
	uint64_t		    at = RECORD_BLOCK - s->iov.iov_len;

	io_write(s->reactor->io, &s->op, at == 0 && seg->direct >= 0 ? seg->direct : seg->fd, &s->iov, 1, at,
		 IO_WRITE_DURABLE);
}

static void
write_first_block(struct segments *s)
{
	const struct record_segment about = {
		.number = s->coming->number,
		.octets = s->coming->octets,
		.void_number = s->void_number,
		.void_from = s->void_from,
		.reused = s->coming->reused,
	};
	struct record_header h = {
		.nonce = s->coming->nonce,
		.lsn = ++s->lsn,
		.length = RECORD_SEGMENT_LEN,
		.kind = RECORD_SEGMENT,
		.shard = s->shard,
	};
	uint8_t *payload = s->first_block + RECORD_HEADER_LEN;

	s->void_said = true;
	memset(s->first_block, 0, RECORD_BLOCK);
	record_segment_write(&about, payload);
	h.payload_crc = crc32c(0, payload, RECORD_SEGMENT_LEN);
	record_header_write(&h, s->first_block);
	s->iov = (struct iovec){ s->first_block, RECORD_BLOCK };
	write_rest(s);
}

static void
allocate(struct segments *s)
{
	s->step = ALLOCATING;
	io_allocate(s->reactor->io, &s->op, s->coming->fd, s->coming->octets);
}

/* Zeros for what was never written; false: there is nothing to do.  Through the page cache it would only delay the first
 * batch, which would have to wait for all of it. */
static bool
fill(struct segments *s)
{
	struct queue_segment *seg = s->coming;

	if (seg->direct < 0 || seg->reused || s->filled == seg->octets)
		return false;
	if (s->zeros == NULL) {
		s->zeros = aligned_alloc(RECORD_BLOCK, QUEUE_FILL_OCTETS);
		if (s->zeros == NULL)
			return false;
		memset(s->zeros, 0, QUEUE_FILL_OCTETS);
	}
	s->iov = (struct iovec){ s->zeros, MIN_OF(seg->octets - s->filled, (uint64_t)QUEUE_FILL_OCTETS) };
	io_write(s->reactor->io, &s->op, seg->direct, &s->iov, 1, s->filled, 0);
	return true;
}

static void
step_done(struct io_op *op, const struct io_event *event)
{
	struct segments	     *s = CONTAINER_OF(op, struct segments, op);
	struct queue_segment *seg = s->coming;
	int		      result = event->result;

	if (s->step == CLEANING) { /* if that failed, it is emptied by the next one */
		s->leftover = false;
		s->step = IDLE;
		if (s->closing)
			maybe_closed(s);
		else
			begin(s);
		return;
	}
	if (s->step == FETCHING && result == -ENOENT && !s->closing) { /* somebody has removed the spare */
		segment_free(s, seg);
		s->coming = NULL;
		s->step = IDLE;
		begin(s);
		return;
	}
	if (s->step == OPENING) { /* which may be refused: then it is written like any file */
		seg->direct = result < 0 ? -1 : result;
		result = 0;
	}
	if ((s->step == FILLING || s->step == WRITING) && result == -EINVAL && seg->direct >= 0) {
		close_direct(s, seg); /* a device with larger blocks than ours */
		s->step = ALLOCATING;
		result = 0;
	}
	if ((s->step == FILLING || s->step == WRITING) && result == 0)
		result = -EIO;
	if (result < 0 || s->closing) {
		if (s->step == CREATING && result >= 0)
			seg->fd = result;
		give_up(s, result < 0 ? result : -ECANCELED);
		return;
	}
	switch ((enum step)s->step) {
	case FETCHING:
		s->step = CREATING;
		io_open(s->reactor->io, &s->op, s->directory, new_name, O_RDWR, 0);
		return;
	case CREATING:
		seg->fd = result;
		if (!s->direct_writes) {
			allocate(s);
			return;
		}
		s->step = OPENING;
		io_open(s->reactor->io, &s->op, s->directory, new_name, O_WRONLY | O_DIRECT, 0);
		return;
	case OPENING:
		allocate(s);
		return;
	case ALLOCATING:
	case FILLING:
		s->filled = s->step == FILLING ? s->filled + (uint64_t)result : 0;
		s->step = FILLING;
		if (s->filled % RECORD_BLOCK == 0 && fill(s)) /* else a write stopped in a block; the rest is not worth it */
			return;
		free(s->zeros);
		s->zeros = NULL;
		s->step = WRITING;
		write_first_block(s);
		return;
	case WRITING:
		s->iov.iov_base = (char *)s->iov.iov_base + result;
		s->iov.iov_len -= (size_t)result;
		if (s->iov.iov_len) {
			write_rest(s);
			return;
		}
		s->step = RENAMING;
		io_rename(s->reactor->io, &s->op, s->directory, new_name, seg->name);
		return;
	case RENAMING:
		s->step = SYNCING;
		s->octets += seg->octets;
		seg->tail = RECORD_BLOCK;
		io_dirsync(s->reactor->io, &s->op, s->directory);
		return;
	case SYNCING:
		s->step = READY;
		if (!s->void_said || seg->octets - ENDS_OCTETS < s->need_octets) {
			drop(s);
			begin(s);
			return;
		}
		s->need_octets = 0;
		s->handlers->ready(s->owner);
		return;
	case IDLE:
	case CLEANING:
	case READY:
		break;
	}
	INVARIANT(!"a step that has no operation has ended");
}

/* 0 when another segment of this size is allowed.  The space of a spare is taken already. */
static int
space_for(struct segments *s, uint64_t octets)
{
	int64_t space = io_space_free(s->directory);

	if (space < 0)
		return (int)space;
	if (s->spare_count)
		space += (int64_t)octets;
	if (s->beyond)
		return (uint64_t)space < octets ? -ENOSPC : 0;
	if (s->octets + octets > s->octets_max)
		return -ENOSPC;
	return (uint64_t)space < octets || (uint64_t)space - octets < s->space_free_min ? -ENOSPC : 0;
}

static void
begin(struct segments *s)
{
	struct queue_segment *seg;
	uint64_t	      octets = record_blocks(MAX_OF(s->segment_octets, s->need_octets + ENDS_OCTETS));
	int		      error;

	/* It may be as large as a segment, on a disk that has no room for another. */
	if (s->leftover) {
		s->step = CLEANING;
		io_unlink(s->reactor->io, &s->op, s->directory, new_name);
		return;
	}
	seg = calloc(1, sizeof(*seg));
	error = seg ? space_for(s, octets) : -ENOMEM;
	s->coming = seg;
	if (seg == NULL) {
		segments_back_off(s);
		s->handlers->failed(s->owner, error);
		return;
	}
	list_node_init(&seg->node);
	seg->fd = seg->direct = -1;
	seg->void_from = UINT64_MAX;
	seg->octets = octets;
	if (error) {
		give_up(s, error);
		return;
	}
	seg->number = ++s->last_number;
	segment_name(seg);
	io_random(s->reactor->io, &seg->nonce, sizeof(seg->nonce));
	if (s->spare_count) {
		struct segment_spare *spare = &s->spares[--s->spare_count];

		seg->octets = MAX_OF(octets, spare->octets);
		seg->reused = true;
		s->spare_octets -= spare->octets;
		(void)snprintf(s->spare_name, sizeof(s->spare_name), "%016llx.old", (unsigned long long)spare->number);
		s->step = FETCHING;
		io_rename(s->reactor->io, &s->op, s->directory, s->spare_name, new_name);
		return;
	}
	s->step = CREATING;
	io_open(s->reactor->io, &s->op, s->directory, new_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

static void
try_again(struct wheel_timer *timer)
{
	struct segments *s = CONTAINER_OF(timer, struct segments, again);

	if (s->need_octets && s->step == IDLE && !s->closing)
		begin(s);
}

void
segments_want(struct segments *s, uint64_t octets)
{
	if (s->closing)
		return;
	s->need_octets = MAX_OF(s->need_octets, MAX_OF(octets, (uint64_t)1));
	if (s->step == IDLE && !wheel_timer_armed(&s->again))
		begin(s);
}

void
segments_want_beyond(struct segments *s, uint64_t octets)
{
	if (!s->beyond)
		segments_reconsider(s);
	s->beyond |= s->step <= CLEANING; /* one under way was allowed as it is */
	segments_want(s, octets);
}

struct queue_segment *
segments_take(struct segments *s)
{
	struct queue_segment *seg;

	if (s->step != READY)
		return NULL;
	seg = join(s);
	s->void_number = s->void_from = 0;
	s->beyond = false;
	return seg;
}

/* --- removing ------------------------------------------------------------------------------------------ */

/* A file counts as there until the directory without it is on disk: should the machine stop before that, what settles its
 * messages must not have gone before it.  So only now may those go that it kept. */
static void
forget(struct segments *s, struct queue_segment *seg)
{
	list_remove(&seg->node);
	list_remove(&seg->same_slot);
	s->octets -= seg->octets;
	s->count--;
	if (seg->spared)
		segments_add_spare(s, seg->number, seg->octets);
	for (unsigned i = 0; i < seg->settled_by_count; i++) {
		seg->settled_by[i]->settles--;
		segments_maybe_remove(s, seg->settled_by[i]);
	}
	segment_free(s, seg);
}

/* Two steps: the name, and then the directory. */
static void
removed(struct io_op *op, const struct io_event *event)
{
	struct queue_segment *seg = CONTAINER_OF(op, struct queue_segment, removal);
	struct segments	     *s = seg->all;

	if (!seg->unlinked && (event->result >= 0 || event->result == -ENOENT)) {
		seg->unlinked = true;
		io_dirsync(s->reactor->io, &seg->removal, s->directory);
		return;
	}
	s->removals--;
	s->sparing -= seg->spared;
	if (event->result < 0) {
		log_warn(s->reactor->log, "segment-not-removed", LOG_UINT("shard", s->shard),
			 LOG_STR("segment", seg->name), LOG_ERRNO("why", -event->result));
		seg->stuck = true;
		if (!s->closing && !wheel_timer_armed(&s->unstick))
			reactor_arm_ms(s->reactor, &s->unstick, QUEUE_CURE_FIRST_MS);
	} else {
		forget(s, seg);
		segments_reconsider(s);
	}
	if (s->closing)
		maybe_closed(s);
}

void
segments_add_spare(struct segments *s, uint64_t number, uint64_t octets)
{
	if (s->spare_count == SEGMENT_SPARES_MAX)
		return;
	s->spares[s->spare_count++] = (struct segment_spare){ number, octets };
	s->spare_octets += octets;
}

/* A spare takes space like a segment, so limit and floor are for both. */
static bool
spare_wanted(const struct segments *s, const struct queue_segment *seg)
{
	int64_t space = io_space_free(s->directory);

	return s->spare_count + s->sparing < QUEUE_SPARES_KEPT && seg->octets == record_blocks(s->segment_octets) &&
	       s->octets + s->spare_octets <= s->octets_max && space >= 0 &&
	       (uint64_t)space >= s->space_free_min;
}

void
segments_maybe_remove(struct segments *s, struct queue_segment *seg)
{
	if (s->closing || !seg->sealed || seg->live || seg->settles || seg->damaged || seg->removing)
		return;
	if (list_last(&s->all) == &seg->node) /* it remembers what the last number and the last lsn were */
		return;
	seg->removing = true;
	if (!seg->unlinked)
		seg->spared = spare_wanted(s, seg);
	s->sparing += seg->spared;
	s->removals++;
	if (seg->unlinked) /* the name has gone already, but the directory could not be synced */
		io_dirsync(s->reactor->io, &seg->removal, s->directory);
	else if (seg->spared)
		io_rename(s->reactor->io, &seg->removal, s->directory, seg->name, seg->spare_name);
	else
		io_unlink(s->reactor->io, &seg->removal, s->directory, seg->name);
}

static void
remove_stuck(struct wheel_timer *timer)
{
	struct segments *s = CONTAINER_OF(timer, struct segments, unstick);

	LIST_FOR_EACH(&s->all, n) {
		struct queue_segment *seg = LIST_ENTRY(n, struct queue_segment, node);

		if (seg->stuck) {
			seg->stuck = seg->removing = false;
			segments_maybe_remove(s, seg);
		}
	}
}

void
segments_seal(struct segments *s, struct queue_segment *seg)
{
	seg->sealed = true;
	close_direct(s, seg);
	segments_maybe_remove(s, seg);
}

void
segments_settles(struct queue_segment *seg, struct queue_segment *about)
{
	if (about->number >= seg->number)
		return;
	/* Results are written, and read, segment after segment, so the last entry says it nearly always. */
	if (about->settled_by_count && about->settled_by[about->settled_by_count - 1] == seg)
		return;
	if (about->settled_by_count == about->settled_by_cap) {
		unsigned	       cap = about->settled_by_cap ? about->settled_by_cap * 2 : 8;
		struct queue_segment **grown = realloc(about->settled_by, cap * sizeof(struct queue_segment *));

		if (grown == NULL) {
			seg->damaged = true; /* not known well enough to be removed by this process */
			return;
		}
		about->settled_by = grown;
		about->settled_by_cap = cap;
	}
	about->settled_by[about->settled_by_count++] = seg;
	seg->settles++;
}

void
segments_void(struct segments *s, const struct queue_segment *seg, uint64_t from)
{
	s->void_number = seg->number;
	s->void_from = from;
	s->void_said = false;
	s->beyond = s->no_space = false;
	if (s->step == READY)
		drop(s);
}

void
segments_sound(struct segments *s)
{
	s->pause_ms = 0;
}

struct queue_segment *
segments_find(const struct segments *s, uint64_t number)
{
	LIST_FOR_EACH(&s->slots[number % SEGMENT_SLOTS], n) {
		struct queue_segment *seg = LIST_ENTRY(n, struct queue_segment, same_slot);

		if (seg->number == number)
			return seg;
	}
	return NULL;
}

void
segments_add(struct segments *s, struct queue_segment *seg)
{
	enter(s, seg);
	s->octets += seg->octets;
	s->last_number = MAX_OF(s->last_number, seg->number);
}

/* --- life ---------------------------------------------------------------------------------------------- */

int
segments_init(struct segments *s, struct reactor *r, int directory, uint16_t shard,
	      const struct segments_handlers *handlers, void *owner)
{
	*s = (struct segments){
		.reactor = r,
		.handlers = handlers,
		.owner = owner,
		.directory = directory,
		.shard = shard,
		.leftover = true,
	};
	list_init(&s->all);
	for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
		list_init(&s->slots[i]);
	io_op_init(&s->op, step_done);
	wheel_timer_init(&s->again, try_again);
	wheel_timer_init(&s->unstick, remove_stuck);
	s->first_block = aligned_alloc(RECORD_BLOCK, RECORD_BLOCK);
	return s->first_block ? 0 : -ENOMEM;
}

static void
maybe_closed(struct segments *s)
{
	if (!io_op_idle(&s->op) || s->removals)
		return;
	s->handlers->closed(s->owner);
}

void
segments_close(struct segments *s)
{
	s->closing = true;
	wheel_disarm(&s->reactor->wheel, &s->again);
	wheel_disarm(&s->reactor->wheel, &s->unstick);
	maybe_closed(s);
}

void
segments_fini(struct segments *s)
{
	if (s->coming)
		segment_free(s, s->coming);
	for (struct list_node *n; (n = list_take_first(&s->all));)
		segment_free(s, LIST_ENTRY(n, struct queue_segment, node));
	free(s->first_block);
	free(s->zeros);
}
