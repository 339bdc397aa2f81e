/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/queue_internal.h - one shard as its own files see it.
 *
 *	commit.c   records on their way to disk: batches, failures
 *	intake.c   messages on their way in
 *	message.c  messages in the index: due, taken, settled, forgotten
 *	view.c	   messages in memory: fresh ones kept, others read back
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
	bool		      patient; /* nobody waits outside: kept through failures */
	uint8_t		      header[RECORD_HEADER_LEN];
};

void commit_init(struct queue *q);
void item_init(struct record_item *item, enum record_kind kind,
	       void (*done)(struct queue *q, struct record_item *item, int result));
/* Adds bytes to the payload: at most ITEM_PARTS_MAX times, each borrowed. */
void item_add(struct record_item *item, const void *bytes, size_t len);

/* Leaves with this turn's batch, or, when patient, within QUEUE_RESULT_DELAY_MS. */
void commit_add(struct queue *q, struct record_item *item);
void commit_go_on(struct queue *q); /* a segment has come */
/* No segment is to be had: those who wait outside are told. */
void commit_refuse(struct queue *q, int error);
bool commit_idle(const struct queue *q);

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
	struct list		    gathering, flying;
	struct io_op		    write;
	struct reactor_hook	    commit_hook;
	struct wheel_timer	    delay; /* for patient items */
	uint64_t		    flying_octets;
	int			    refusing; /* 0, or what intake gets */
	bool			    recovering, closing, closed_told;
	/* view.c */
	struct list		    cached; /* views nobody holds, oldest first */
	uint64_t		    cached_octets;
	/* counts */
	uint64_t		    recipients_open, held, in_hand;
	struct counter_group	    counters;
	counter_value		    values[QUEUE_COUNTER_COUNT];
	struct wheel_timer	    space; /* looks at the free space */
	struct iovec		    iov[QUEUE_BATCH_PARTS + ITEM_PARTS_MAX + 3];
};

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
