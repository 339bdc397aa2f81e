/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the table grows a message is in the bucket of `older` if that has not moved yet, else in its bucket of `buckets`;
 * each insertion moves MOVE_STEP buckets, so the older table is empty long before the next growth.
 *
 * The cursor of a walk is a hash prefix counted from the top bits.  Buckets are chosen by the top bits too, so a walk that began in a
 * small table goes on at the right place in a larger one: bucket i of n becomes 2i and 2i+1 of 2n.
 */
#include "queue/index.h"

#include <errno.h>

enum { SIZE_FIRST = 1024, MOVE_STEP = 8 };

static unsigned
bits_of(size_t size)
{
	return (unsigned)__builtin_ctzll(size);
}

static size_t
place(size_t size, struct id id)
{
	return (size_t)(id.low >> (64 - bits_of(size)));
}

int
queue_index_init(struct queue_index *x)
{
	*x = (struct queue_index){ .size = SIZE_FIRST };
	x->buckets = calloc(x->size, sizeof(struct queue_message *));
	return x->buckets ? 0 : -ENOMEM;
}

void
queue_index_fini(struct queue_index *x)
{
	free(x->buckets);
	free(x->older);
	*x = (struct queue_index){ 0 };
}

static void
move_some(struct queue_index *x)
{
	for (unsigned i = 0; x->older && i < MOVE_STEP; i++) {
		for (struct queue_message *m = x->older[x->moved], *next; m; m = next) {
			struct queue_message **bucket = &x->buckets[place(x->size, m->id)];

			next = m->hash_next;
			m->hash_next = *bucket;
			*bucket = m;
		}
		x->older[x->moved++] = NULL;
		if (x->moved == x->size / 2) {
			free(x->older);
			x->older = NULL;
		}
	}
}

static void
grow(struct queue_index *x)
{
	struct queue_message **buckets;

	if (x->older || x->count < x->size)
		return;
	buckets = calloc(x->size * 2, sizeof(struct queue_message *));
	if (buckets == NULL)
		return;
	x->older = x->buckets;
	x->buckets = buckets;
	x->size *= 2;
	x->moved = 0;
}

static struct queue_message **
bucket_of(const struct queue_index *x, struct id id)
{
	if (x->older) {
		size_t i = place(x->size / 2, id);

		if (i >= x->moved)
			return &x->older[i];
	}
	return &x->buckets[place(x->size, id)];
}

void
queue_index_insert(struct queue_index *x, struct queue_message *m)
{
	struct queue_message **bucket;

	grow(x);
	move_some(x);
	bucket = bucket_of(x, m->id);
	m->hash_next = *bucket;
	*bucket = m;
	x->count++;
}

void
queue_index_remove(struct queue_index *x, struct queue_message *m)
{
	struct queue_message **at = bucket_of(x, m->id);

	while (*at != m) {
		INVARIANT(*at != NULL);
		at = &(*at)->hash_next;
	}
	*at = m->hash_next;
	m->hash_next = NULL;
	x->count--;
}

struct queue_message *
queue_index_find(const struct queue_index *x, struct id id)
{
	struct queue_message *m = *bucket_of(x, id);

	while (m && !id_equal(m->id, id))
		m = m->hash_next;
	return m;
}

/* Shows what belongs at this place; true while the visitor wants more.  It may remove the message it is shown. */
static bool
show_place(size_t size, size_t at, struct queue_message *m, bool (*visit)(void *arg, struct queue_message *m), void *arg)
{
	for (struct queue_message *next; m; m = next) {
		next = m->hash_next;
		if (place(size, m->id) == at && !visit(arg, m))
			return false;
	}
	return true;
}

bool
queue_index_walk(struct queue_index *x, uint64_t *cursor, unsigned slice,
		 bool (*visit)(void *arg, struct queue_message *m), void *arg)
{
	/* The cursor is where to go on among 2^63 places. */
	for (unsigned i = 0; i < slice; i++) {
		unsigned	      shift = 63 - bits_of(x->size);
		size_t		      at = (size_t)(*cursor >> shift);
		struct queue_message *first;

		if (at >= x->size)
			return false;
		first = x->buckets[at];
		/* An older bucket that has not moved holds what belongs at two places. */
		if (x->older && at / 2 >= x->moved)
			first = x->older[at / 2];
		*cursor = (uint64_t)(at + 1) << shift;
		if (!show_place(x->size, at, first, visit, arg))
			return true;
	}
	return *cursor >> (63 - bits_of(x->size)) < x->size;
}
