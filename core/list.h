/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/list.h - intrusive doubly linked list.  The node lives in the member, so linking never
 * fails and unlinking needs no search.  A node is in at most one list; list_node_init() or
 * list_remove() leaves it linked to itself, which list_linked() reports as false.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "core/base.h"

struct list_node {
	struct list_node *prev, *next;
};

struct list {
	struct list_node head; /* head.next is the first member, head.prev the last */
};

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* Walks the list; the body may remove the current node but no other. */
#define LIST_FOR_EACH(list, it)                                                                    \
	for (struct list_node *it = (list)->head.next, *it##_next = it->next;                      \
	     it != &(list)->head; it = it##_next, it##_next = it->next)

static inline void
list_node_init(struct list_node *n)
{
	n->prev = n->next = n;
}

static inline void
list_init(struct list *l)
{
	list_node_init(&l->head);
}

static inline bool
list_linked(const struct list_node *n)
{
	return n->next != n;
}

static inline bool
list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

static inline void
list_insert_between(struct list_node *n, struct list_node *prev, struct list_node *next)
{
	INVARIANT(!list_linked(n));
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void
list_append(struct list *l, struct list_node *n)
{
	list_insert_between(n, l->head.prev, &l->head);
}

static inline void
list_prepend(struct list *l, struct list_node *n)
{
	list_insert_between(n, &l->head, l->head.next);
}

/* Harmless on a node that is in no list. */
static inline void
list_remove(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_node_init(n);
}

/* First node, unlinked, or NULL when the list is empty. */
/* NULL when the list is empty. */
static inline struct list_node *
list_last(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.prev;
}

static inline struct list_node *
list_take_first(struct list *l)
{
	struct list_node *n = l->head.next;

	if (n == &l->head)
		return NULL;
	list_remove(n);
	return n;
}

/* Moves all members of from to the end of to; from is empty afterwards. */
static inline void
list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->head.next->prev = to->head.prev;
	from->head.prev->next = &to->head;
	to->head.prev->next = from->head.next;
	to->head.prev = from->head.prev;
	list_init(from);
}

#endif
