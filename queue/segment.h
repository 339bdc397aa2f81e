/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/segment.h - the segment files of one shard: preparing the next, knowing which are needed, removing the others.
 * Private to queue/.
 */
#ifndef QUEUE_SEGMENT_H
#define QUEUE_SEGMENT_H

#include "core/reactor.h"
#include "queue/limits.h"
#include "queue/record.h"

enum {
	SEGMENT_NAME_LEN = 20, /* 0123456789abcdef.seg */
	SEGMENT_SLOTS = 256,   /* of the table by number, which counts up and fills them evenly */
	SEGMENT_SPARES_MAX = 8, /* that are known; more are found only if somebody put them there */
};

struct segments;

struct queue_segment {
	struct list_node node; /* in segments->all, by number */
	struct list_node same_slot;
	uint64_t	 number, octets, nonce;
	uint64_t	 tail;	/* where the next batch goes */
	uint64_t	 void_from; /* nothing behind this counts; UINT64_MAX: all does */
	/* Later segments without which this one would say too much: their results speak of its messages, or their first
	 * record voids its tail.  They may stand here more than once; each time is counted in their `settles`. */
	struct queue_segment **settled_by;
	unsigned	 settled_by_count, settled_by_cap;
	unsigned	 settles; /* times that older ones name this one */
	uint32_t	 live;	/* living messages and intakes with a record here */
	int		 fd;	 /* reads, and writes where there is no other */
	int		 direct; /* writes around the page cache, until it is sealed; -1: not possible here */
	bool		 reused; /* its file was one before */
	bool		 sealed, damaged, removing;
	bool		 unreadable; /* nothing of it was understood at the start */
	bool		 speaks_of_unknown; /* has results about messages nobody knows */
	bool		 stuck; /* its removal failed and is tried again after a pause */
	bool		 unlinked; /* while it is removed: the name is gone, the directory is to be synced */
	bool		 spared;   /* it was renamed to be written anew */
	struct io_op	 removal;
	struct segments *all;
	char		 name[SEGMENT_NAME_LEN + 1], spare_name[SEGMENT_NAME_LEN + 1];
};

struct segments_handlers {
	/* There is a fresh segment: segments_take() gives it. */
	void (*ready)(void *owner);
	/* Preparing failed; it is tried again after a pause.  error: negative errno, -ENOSPC for limit or floor. */
	void (*failed)(void *owner, int error);
	/* segments_close() has ended. */
	void (*closed)(void *owner);
};

struct segments {
	struct reactor	*reactor;
	const struct segments_handlers *handlers;
	void		*owner;
	int		 directory;
	uint16_t	 shard;
	uint64_t	 segment_octets, octets_max, space_free_min; /* settings; may change */
	bool		 direct_writes; /* the same; of segments to come */
	struct list	 all;
	struct list	 slots[SEGMENT_SLOTS]; /* the same, by number */
	uint64_t	 octets; /* of all */
	unsigned	 count, removals; /* of all; under way */
	uint64_t	 last_number;
	uint64_t	 lsn; /* of the record written last */
	/* files of segments that are done with, to be written anew */
	struct segment_spare {
		uint64_t number, octets;
	} spares[SEGMENT_SPARES_MAX];
	unsigned	 spare_count, sparing; /* there; on their way, still counted in `octets` */
	uint64_t	 spare_octets;
	char		 spare_name[SEGMENT_NAME_LEN + 1]; /* of the one that becomes the next segment */
	/* the one under way */
	struct queue_segment *coming;
	uint64_t	 void_number, void_from; /* what the next first record shall void */
	bool		 void_said; /* the one under way says so */
	unsigned	 step;
	struct io_op	 op;
	struct iovec	 iov;
	uint8_t		*first_block;
	char		*zeros;	   /* QUEUE_FILL_OCTETS, while it is filled */
	uint64_t	 filled;   /* octets */
	struct wheel_timer again, unstick;
	uint64_t	 pause_ms;
	uint64_t	 need_octets; /* least size of the one wanted next; 0: none is wanted */
	bool		 no_space; /* why the last attempt failed */
	bool		 leftover; /* a file may be there that was to become a segment, and takes space */
	bool		 beyond;   /* the one under way may go beyond limit and floor */
	bool		 closing;
};

int MUST_CHECK segments_init(struct segments *s, struct reactor *r, int directory, uint16_t shard,
			     const struct segments_handlers *handlers, void *owner);
/* Prepares a segment of at least so many octets, unless one is under way or ready; `ready` or `failed` follows. */
void segments_want(struct segments *s, uint64_t octets);
/* The same for results, without regard to limit and floor; at once if it was these that forbade it. */
void segments_want_beyond(struct segments *s, uint64_t octets);
/* Limits have changed: tries at once if it was for want of space. */
void segments_reconsider(struct segments *s);
/* The segment that is ready, now the last of all, or NULL. */
struct queue_segment *segments_take(struct segments *s);
/* The tail of seg from this offset on is not to be believed.  A segment that is ready already does not say so: it is
 * dropped and another one prepared.  Nothing may be acknowledged before segments_take() gave that one. */
void segments_void(struct segments *s, const struct queue_segment *seg, uint64_t from);
/* The disk has failed: the next segment is prepared after a pause. */
void segments_back_off(struct segments *s);
/* A batch has been written: the disk is well, and the next pause a short one. */
void segments_sound(struct segments *s);
/* seg holds a result about a message of `about`, or voids its tail: it stays as long as that is there.  Asked for
 * each result, so it costs the same however many segments there are. */
void segments_settles(struct queue_segment *seg, struct queue_segment *about);
/* Nothing more is written to it. */
void segments_seal(struct segments *s, struct queue_segment *seg);
/* Removes it, or keeps its file as a spare, when it is sealed and nothing needs it; those that it kept may follow. */
void segments_maybe_remove(struct segments *s, struct queue_segment *seg);
/* One thing less that keeps seg. */
static inline void
segment_unpin(struct segments *s, struct queue_segment *seg)
{
	INVARIANT(seg->live > 0);
	if (--seg->live == 0)
		segments_maybe_remove(s, seg);
}
struct queue_segment *segments_find(const struct segments *s, uint64_t number);
/* Sets the name from the number. */
void segment_name(struct queue_segment *seg);
/* A file found at start that an earlier process kept to be written anew. */
void segments_add_spare(struct segments *s, uint64_t number, uint64_t octets);
/* Of a file found at start: known from now on. */
void segments_add(struct segments *s, struct queue_segment *seg);
void segments_close(struct segments *s);
void segments_fini(struct segments *s);

#endif
