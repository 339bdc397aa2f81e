/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/queue_internal.h - one shard as its own files see it.
 *
 *	commit.c   records on their way to disk: batches, failures
 *	intake.c   messages on their way in
 *	message.c  messages in the index: due, taken, settled, forgotten
 *	view.c	   messages in memory: fresh ones kept, others read back
 *	load.c	   reading back
 *	recovery.c the past, see queue/recovery.h
 *	queue.c	   life of a shard, acts, status
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "queue/index.h"
#include "queue/queue.h"
#include "queue/queue_counters.h"
#include "queue/segment.h"

/* --- commit.c ------------------------------------------------------------------------------------------ */

enum { ITEM_PARTS_MAX = 2 };

/* A record on its way.  Parts are borrowed until `done`, which runs once: 0, segment and at say where the record is; or
 * -EIO, -ENOSPC.  An item may be added again from there. */
struct record_item {
	struct list_node      node;
	void (*done)(struct queue *q, struct record_item *item, int result);
	struct queue_segment *segment;
	uint64_t	      at; /* of the header */
	struct iovec	      parts[ITEM_PARTS_MAX]; /* of the payload */
	uint32_t	      part_count, length, crc;
	uint16_t	      kind;
	bool		      patient; /* nobody waits outside: kept through failures, until the shard closes */
	uint8_t		      header[RECORD_HEADER_LEN];
};

void commit_init(struct queue *q);
void item_init(struct record_item *item, enum record_kind kind,
	       void (*done)(struct queue *q, struct record_item *item, int result));
/* Adds bytes to the payload: at most ITEM_PARTS_MAX times, each borrowed. */
void item_add(struct record_item *item, const void *bytes, size_t len);

/* Leaves with this turn's batch, or, when patient, within QUEUE_RESULT_DELAY_MS. */
void commit_add(struct queue *q, struct record_item *item);
/* Ends an item at the end of this turn with what intake is refused with, else -EIO, without writing it. */
void commit_fail_later(struct queue *q, struct record_item *item);
void commit_go_on(struct queue *q); /* a segment has come */
/* No segment is to be had: those who wait outside are told. */
void commit_refuse(struct queue *q, int error);
bool commit_idle(const struct queue *q);
/* The shard closes and is idle: ends the current segment.  True when that is done, or there is none. */
bool commit_end(struct queue *q);
/* Results wait for a segment that cannot be had: no delivery shall begin, lest more of them be lost in a crash. */
bool commit_stalled(const struct queue *q);

/* --- the shard ----------------------------------------------------------------------------------------- */

struct queue {
	struct reactor		   *reactor;
	struct queue_handlers	    handlers;
	void			   *owner;
	struct queue_params	    params;
	int			    directory, lock;
	struct segments		    segments;
	struct queue_segment	   *current; /* the one batches go to; NULL: waiting for one */
	struct queue_index	    index;
	struct id_source	    ids;
	/* commit.c */
	struct list		    gathering, flying, failing;
	struct io_op		    write;
	struct reactor_hook	    commit_hook;
	struct wheel_timer	    delay; /* for patient items */
	uint64_t		    flying_octets, flown_octets; /* of the batch: in all, and written */
	struct iovec		   *left; /* of iov: not written yet, left_count of them */
	unsigned		    left_count;
	char			   *staging; /* QUEUE_BATCH_OCTETS for a direct write, in whole blocks */
	struct iovec		    staged;
	bool			    ending; /* what is written is the end of the segment */
	uint8_t			    end_block[RECORD_BLOCK];
	unsigned		    reading; /* loads and last words under way */
	unsigned		    telling; /* loops over items that are being told, one inside another */
	int			    refusing; /* 0, or what intake gets */
	bool			    recovering, closing, closed_told;
	bool			    replaying; /* the past is being read: nobody is due yet */
	bool			    scarce; /* no space for the segment after the current one */
	/* view.c */
	struct list		    cached; /* views nobody holds, oldest first */
	uint64_t		    cached_octets;
	/* counts */
	uint64_t		    recipients_open, held, in_hand;
	struct counter_group	    counters;
	counter_value		    values[QUEUE_COUNTER_COUNT];
	struct wheel_timer	    space; /* looks at the free space */
	bool			    below_floor;
	struct recovery		   *recovery; /* NULL when the past is read */
	struct iovec		    iov[QUEUE_BATCH_PARTS + ITEM_PARTS_MAX + 3];
};

/* --- pieces of large texts ----------------------------------------------------------------------------- */

struct queue_pieces {
	uint32_t count, cap;
	struct {
		struct queue_segment   *segment; /* its `live` counts this piece */
		struct record_piece_ref ref;
	} at[];
};

/* NULL when memory is out; *pieces is as it was then. */
struct queue_pieces *pieces_add(struct queue_pieces **pieces, struct queue_segment *segment,
				const struct record_piece_ref *ref);
/* Gives the segments free and the list back; NULL is fine. */
void pieces_release(struct queue *q, struct queue_pieces *pieces);

/* --- view.c -------------------------------------------------------------------------------------------- */

/* A view with what it owns. */
struct view_box {
	struct queue_view     view; /* first */
	struct list_node      node; /* in q->cached while nobody holds it */
	struct queue_message *message; /* NULL when that is forgotten */
	struct arena	      arena;
	struct queue_segment **segments; /* of view.pieces; each counts us, lest its descriptor be closed */
	char		     *head, *text; /* the record's payload, in two blocks or only head */
	uint64_t	      octets; /* taken from the budget, given back with the box */
};

struct view_box *view_new(struct queue *q);
/* Fills view.pieces from the list, and keeps their segments. */
int  view_set_pieces(struct view_box *box, const struct queue_pieces *pieces);
void view_free(struct queue *q, struct view_box *box);
/* The message has it in memory from now on, kept while the cache has room. */
void view_attach(struct queue *q, struct view_box *box, struct queue_message *m);
void view_detach(struct queue *q, struct queue_message *m);
void view_trim(struct queue *q);

/* --- message.c ----------------------------------------------------------------------------------------- */

struct queue_message *message_new(uint32_t recipient_count);
void message_free(struct queue *q, struct queue_message *m);
/* Enters the index; all recipients that are not final wait for their time. */
void message_enter(struct queue *q, struct queue_message *m);
/* One state of one recipient, from a result just made durable or read from the past. */
void message_apply(struct queue *q, struct queue_message *m, const struct record_result *r);
void message_arm(struct queue *q, struct queue_message *m);
/* An act takes effect in memory. */
void message_act(struct queue *q, struct queue_message *m, enum queue_act act, int64_t at_ms);
/* Forgets it when nothing is owed any more. */
void message_settle(struct queue *q, struct queue_message *m);
/* After recipients have changed: carries out a deletion that waited for them, sets the timer, forgets.  m may be
 * gone. */
void message_changed(struct queue *q, struct queue_message *m);
/* A record about the message has reached the segment; or will not be written (NULL).  m may be gone. */
void message_record_done(struct queue *q, struct queue_message *m, struct queue_segment *segment);
/* A time as recipients keep it. */
uint64_t message_due_ms(int64_t wall_ms);
/* Where a result lies, as queue_recipient.last_word keeps it. */
uint64_t message_word_at(const struct queue_segment *segment, uint64_t at);
uint64_t message_word_segment(uint64_t word); /* its number */
uint64_t message_word_offset(uint64_t word);

/* --- recovery.c ---------------------------------------------------------------------------------------- */

/* Lists the segments of the directory and begins to read them; 0, or -errno with *why. */
int  recovery_start(struct queue *q, const char **why);
void recovery_cancel(struct queue *q);

/* --- queue.c ------------------------------------------------------------------------------------------- */

/* What intake gets now: 0, or an error of queue/queue.h. */
void queue_maybe_closed(struct queue *q);

static inline void
queue_count(struct queue *q, enum queue_counter what, uint64_t n)
{
	counter_add(&q->values[what], n);
}

static inline int64_t
queue_wall_ms(const struct queue *q)
{
	return io_wall(q->reactor->io) / 1000000;
}

#endif
