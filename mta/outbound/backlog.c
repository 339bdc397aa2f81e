/* SPDX-License-Identifier: Apache-2.0 */
/* A ring that doubles when it is full and goes back to nothing when it has run empty and was large. */
#include "mta/outbound/backlog.h"

#include <errno.h>

enum { PLACES_FIRST = 16, PLACES_KEPT = 4096 };

static int
make_room(struct backlog *b)
{
	size_t		      places = b->ring ? b->mask + 1 : 0, next = places ? places * 2 : PLACES_FIRST;
	struct backlog_entry *ring;

	if (b->count < places)
		return 0;
	ring = malloc(next * sizeof(*ring));
	if (ring == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < b->count; i++)
		ring[i] = b->ring[(b->head + i) & b->mask];
	free(b->ring);
	b->ring = ring;
	b->mask = next - 1;
	b->head = 0;
	return 0;
}

int
backlog_add(struct backlog *b, struct queue_message *m, uint32_t recipient)
{
	int error = make_room(b);

	if (error)
		return error;
	b->ring[(b->head + b->count++) & b->mask] = (struct backlog_entry){ m, recipient };
	return 0;
}

struct queue_message *
backlog_take(struct backlog *b, uint32_t *recipients, unsigned max, unsigned *count)
{
	struct queue_message *m = NULL;

	*count = 0;
	while (b->count && *count < max) {
		struct backlog_entry *e = &b->ring[b->head];

		if (m && e->message != m)
			break;
		m = e->message;
		recipients[(*count)++] = e->recipient;
		b->head = (b->head + 1) & b->mask;
		b->count--;
	}
	if (b->count == 0 && b->ring && b->mask + 1 > PLACES_KEPT)
		backlog_fini(b);
	return m;
}

void
backlog_fini(struct backlog *b)
{
	free(b->ring);
	*b = (struct backlog){ 0 };
}
