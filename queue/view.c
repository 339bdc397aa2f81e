/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message that has just come in is still in memory: the blocks that went to disk become its view, and the first
 * attempt reads nothing back.  Views nobody holds are kept, oldest out first, up to cache_octets_max, and no longer than
 * until a result of the attempt is recorded: what is put off is read from disk when its time has come.
 */
#include <errno.h>

#include "core/crc32c.h"
#include "queue/queue_internal.h"

enum { ARENA_MAX = 16 << 20 };

bool
queue_piece_check(const struct queue_piece *piece, struct span bytes)
{
	return bytes.len == piece->length && crc32c(0, bytes.data, bytes.len) == piece->crc;
}

struct view_box *
view_new(struct queue *q)
{
	struct view_box *box = calloc(1, sizeof(*box));

	(void)q;
	if (box) {
		list_node_init(&box->node);
		arena_init(&box->arena, ARENA_MAX);
	}
	return box;
}

int
view_set_pieces(struct view_box *box, const struct queue_pieces *pieces)
{
	struct queue_piece    *out = arena_alloc(&box->arena, pieces->count * sizeof(*out));
	struct queue_segment **in = arena_alloc(&box->arena, pieces->count * sizeof(struct queue_segment *));

	if (out == NULL || in == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < pieces->count; i++) {
		in[i] = pieces->at[i].segment;
		in[i]->live++;
		out[i] = (struct queue_piece){
			.fd = pieces->at[i].segment->fd,
			.length = pieces->at[i].ref.length,
			.at = pieces->at[i].ref.at,
			.crc = pieces->at[i].ref.crc,
		};
	}
	box->segments = in;
	box->view.pieces = out;
	box->view.piece_count = pieces->count;
	return 0;
}

void
view_free(struct queue *q, struct view_box *box)
{
	INVARIANT(!list_linked(&box->node) && box->view.references == 0);
	budget_give(&q->reactor->memory, box->octets);
	for (unsigned i = 0; i < box->view.piece_count; i++)
		segment_unpin(&q->segments, box->segments[i]);
	arena_reset(&box->arena);
	free(box->head);
	free(box->text);
	free(box);
}

/* q->cached_octets counts the views that messages have, held ones too; only those nobody holds can be given up. */
void
view_trim(struct queue *q)
{
	while (q->cached_octets > q->params.cache_octets_max && !list_empty(&q->cached))
		view_detach(q, LIST_ENTRY(q->cached.head.next, struct view_box, node)->message);
}

void
view_attach(struct queue *q, struct view_box *box, struct queue_message *m)
{
	box->message = m;
	m->view = &box->view;
	q->cached_octets += box->octets;
	if (box->view.references == 0)
		list_append(&q->cached, &box->node);
	view_trim(q);
}

void
view_detach(struct queue *q, struct queue_message *m)
{
	struct view_box *box = (struct view_box *)m->view;

	if (box == NULL)
		return;
	m->view = NULL;
	box->message = NULL;
	q->cached_octets -= box->octets;
	list_remove(&box->node);
	if (box->view.references == 0)
		view_free(q, box);
}

struct queue_view *
queue_view_ref(struct queue_message *m)
{
	struct view_box *box = (struct view_box *)m->view;

	if (box == NULL)
		return NULL;
	box->view.references++;
	list_remove(&box->node);
	return &box->view;
}

void
queue_view_unref(struct queue *q, struct queue_view *view)
{
	struct view_box *box = (struct view_box *)view;

	INVARIANT(view->references > 0);
	if (--view->references > 0)
		return;
	if (box->message == NULL) {
		view_free(q, box);
	} else {
		list_append(&q->cached, &box->node);
		view_trim(q);
	}
}
