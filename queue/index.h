/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/index.h - messages by their id.  Chained, with the links inside the messages; the table doubles a few buckets
 * at a time, so that no insertion among ten million takes longer than one among ten.
 *
 * An id's low half is chance, so its bits serve as the hash.
 */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include "queue/queue.h"

struct queue_index {
	struct queue_message **buckets; /* size of them, a power of two */
	struct queue_message **older;	/* the table before, half as large; NULL when all have moved */
	size_t		       size, moved; /* buckets of `older` that have moved */
	uint64_t	       count;
};

int MUST_CHECK queue_index_init(struct queue_index *x); /* 0 or -ENOMEM */
void	       queue_index_fini(struct queue_index *x);
/* The id must not be there.  Always succeeds: without memory to grow, chains become longer. */
void		      queue_index_insert(struct queue_index *x, struct queue_message *m);
void		      queue_index_remove(struct queue_index *x, struct queue_message *m);
struct queue_message *queue_index_find(const struct queue_index *x, struct id id);
/* queue_walk() of queue/queue.h. */
bool queue_index_walk(struct queue_index *x, uint64_t *cursor, unsigned slice,
		      bool (*visit)(void *arg, struct queue_message *m), void *arg);

#endif
