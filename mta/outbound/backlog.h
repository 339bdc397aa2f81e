/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/backlog.h - recipients that wait, first come first served, at 16 octets each.  Recipients of one message
 * added one after another come out together.  All of them are in hand (queue_take), which is why the pointer to
 * their message holds.
 */
#ifndef MTA_OUTBOUND_BACKLOG_H
#define MTA_OUTBOUND_BACKLOG_H

#include "queue/queue.h"

struct backlog_entry {
	struct queue_message *message;
	uint32_t	      recipient;
};

struct backlog {
	struct backlog_entry *ring;
	size_t		      mask; /* places less one; meaningful when ring is not NULL */
	size_t		      head, count;
};

/* All zero is an empty backlog.  0, or -ENOMEM and nothing was added. */
int MUST_CHECK backlog_add(struct backlog *b, struct queue_message *m, uint32_t recipient);
/*
 * Takes out up to max recipients of the message that waits longest: returns it and how many were written to recipients;
 * NULL when the backlog is empty.
 */
struct queue_message *backlog_take(struct backlog *b, uint32_t *recipients, unsigned max, unsigned *count);
void		      backlog_fini(struct backlog *b);

#endif
