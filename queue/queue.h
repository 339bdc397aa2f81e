/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/queue.h - messages we answer for, safe on disk.  One shard for each core, used by that core's thread
 * only; shards share nothing.  docs/queue-format.md has the form on disk and why a crash is harmless.
 *
 * A message comes in through an intake, lives as a struct queue_message until each recipient has a final outcome, and
 * is then forgotten.  What must survive is written as checksummed records to preallocated segments, many messages to
 * one commit; handlers are told only after the sync that covers them (P1 of docs/architecture.md).
 *
 * Errors are negative errno with these meanings, wherever a function here gives one:
 *   -ENOSPC  the spool has reached its limit or the disk its floor       (SMTP 452 4.3.1)
 *   -ENOMEM  the memory budget is used up                                (452 4.3.1 or 421)
 *   -EIO     the disk failed; the shard refuses mail until it is cured   (451 4.3.0)
 *   -EBUSY   the shard is still reading its past, or is closing          (451 4.3.2)
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "core/reactor.h"
#include "queue/envelope.h"

struct queue;
struct queue_segment;
struct queue_view;
struct queue_result;

/* --- messages --------------------------------------------------------------------------------------- */

enum queue_state {
	QUEUE_WAITING,	 /* due at `due_ms` */
	QUEUE_IN_HAND,	 /* taken by the outbound side; not on disk: a restart finds it waiting */
	QUEUE_DELIVERED, /* final */
	QUEUE_FAILED,	 /* final: refused for good */
	QUEUE_EXPIRED,	 /* final: tried too long */
	QUEUE_DELETED,	 /* final: by the operator */
};

static inline bool
queue_state_final(enum queue_state s)
{
	return s >= QUEUE_DELIVERED;
}

struct queue_recipient {
	uint64_t due_ms : 48;  /* wall clock; meaningful while waiting */
	uint64_t state : 4;    /* enum queue_state */
	uint64_t delayed : 1;  /* the sender was told that it is late */
	uint64_t reserved : 11;
	uint16_t attempts;     /* saturates */
	uint16_t code;	       /* last reply code of a peer, 0: none */
	uint64_t last_word;    /* where the last result record lies, 0: nowhere; private */
};

/* Read by all, written by the queue only. */
struct queue_message {
	struct queue_message *hash_next; /* private */
	struct id	      id;
	struct wheel_timer    timer;	 /* private: the earliest due time */
	struct queue_segment *segment;	 /* private: where its record lies */
	struct queue_pieces  *pieces;	 /* private: of a large text, else NULL */
	struct queue_view    *view;	 /* private: loaded copy, NULL when not in memory */
	struct queue_recipient *recipients; /* recipient_count of them, in the envelope's order */
	uint64_t	      body_octets;
	uint32_t	      record_at, record_len; /* private */
	uint32_t	      recipient_count;
	uint32_t	      open;	 /* recipients without a final outcome */
	uint32_t	      in_hand;	 /* recipients taken by the outbound side */
	uint16_t	      flags;	 /* enum envelope_flags */
	uint8_t		      held;	 /* by the operator: nothing is due */
	uint8_t		      doomed;	 /* deleted while in hand; forgotten once given back */
	uint8_t		      broken;	 /* private, while the past is read: a piece was not found */
	uint8_t		      forgotten; /* private: nothing is owed; kept until that is on disk */
	uint32_t	      unwritten; /* private: records about it that are not on disk yet */
};

/* --- life ---------------------------------------------------------------------------------------------- */

struct queue_recovery {
	uint64_t messages;	/* live */
	uint64_t records;	/* read and sound */
	uint64_t segments;
	uint64_t damaged;	/* records or stretches that fail their checksum: set aside, logged */
	uint64_t lost_octets;	/* in them */
	uint64_t torn_octets;	/* of a last, never acknowledged batch: normal after a crash */
	int64_t	 milliseconds;
};

struct queue_handlers {
	/* Waiting recipients of a message have come due and the message is not held.  The handler calls
	 * queue_take() for those it starts on, now or later; until then it is not called again
	 * for this message. */
	void (*due)(struct queue *q, struct queue_message *m);
	/* The past is read: all messages of the spool are known.  Once. */
	void (*recovered)(struct queue *q, const struct queue_recovery *what);
	/* queue_close() has ended: nothing is in flight.  Once. */
	void (*closed)(struct queue *q);
};

struct queue_params {
	int	 spool;		   /* directory descriptor; the shard lives in shard-NN below it */
	unsigned shard;
	uint64_t segment_octets;   /* of a new segment file */
	uint64_t spool_octets_max; /* of this shard: its part of the setting */
	uint64_t space_free_min;   /* floor of free octets on the file system */
	bool	 direct_writes;	   /* around the page cache, where the file system can do that */
	uint64_t inline_octets_max; /* larger bodies stream to disk as they come */
	uint64_t cache_octets_max; /* loaded views kept for the first attempt */
};

/* Creates or opens the shard and starts reading its past; handlers->recovered follows.  0, else -errno with *why a
 * sentence for the operator. */
int MUST_CHECK queue_open(struct queue **q, struct reactor *r, const struct queue_params *params,
			  const struct queue_handlers *handlers, void *owner, const char **why);
void *queue_owner(const struct queue *q);
/* New limits from reloaded settings; spool and shard must be the same. */
void queue_configure(struct queue *q, const struct queue_params *params);
/* Refuses new intake, writes what is pending unless the disk has failed, then calls handlers->closed.  In hand is left
 * in hand. */
void queue_close(struct queue *q);
/* Once handlers->closed has returned; no intake may be open and no view held any more.  NULL is fine. */
void queue_free(struct queue *q);

/* --- intake ---------------------------------------------------------------------------------------------- */

/*
 * One message on its way in; embedded in a transaction.  Memory is bounded: a text of more than
 * inline_octets_max goes to disk piece by piece while it comes.
 *
 *	queue_intake_open -> queue_intake_append ... -> queue_intake_commit -> done(result)
 *						     -> queue_intake_abort
 */
struct queue_intake {
	struct queue *queue;
	/* append() said -EAGAIN: it can go on now.  Never from inside a call. */
	void (*ready)(struct queue_intake *in);
	/* commit() has ended, once: 0 exactly when message and settlement are on stable storage.  Not
	 * from inside the call.  This is the only road to a 250 after data. */
	void (*done)(struct queue_intake *in, int result);
	struct id id;		 /* name of the message, from open() on */
	uint64_t  octets;	 /* appended so far */
	struct queue_intake_state *state; /* private; NULL when not open */
};

/* size_hint: octets expected, 0 unknown.  On error nothing is open. */
int MUST_CHECK queue_intake_open(struct queue *q, struct queue_intake *in, uint64_t size_hint);
/*
 * Adds text (copied).  0: taken, all of it.  -EAGAIN: taken, all of it, but the disk is behind: stop
 * reading from the peer until ready().  Another error is final: only queue_intake_abort() may follow.
 */
int MUST_CHECK queue_intake_append(struct queue_intake *in, struct span bytes);

/* Outcomes that become durable in the same record as a new message: a report and the failures it reports
 * exist together or not at all. */
struct queue_settlement {
	struct queue_message	  *message;
	const struct queue_result *results; /* borrowed for the call */
	unsigned		   count;
};

/* env is copied; its id must be in->id, its body_octets in->octets.  settle may be NULL. */
void queue_intake_commit(struct queue_intake *in, const struct envelope *env,
			 const struct queue_settlement *settle);
/* At any time before commit(); pieces already written become free space.  No handler runs after. */
void queue_intake_abort(struct queue_intake *in);

/* --- outbound ------------------------------------------------------------------------------------------- */

/*
 * A message in memory: envelope and, when it is not large, its text.  Immutable and counted: as long as a
 * reference is held, any core may read it (P6: handed over by a post).  References are taken
 * and given on the shard's core only.
 */
struct queue_piece {
	int	 fd;	 /* of the segment; open as long as the view is held */
	uint32_t length;
	uint64_t at;	 /* offset in the file */
	uint32_t crc;	 /* CRC-32C of the piece */
};

struct queue_view {
	struct envelope		  envelope;
	struct span		  body;	  /* whole text; data NULL when it is in pieces */
	const struct queue_piece *pieces; /* of a large text, in order: read each with io_read() into
					   * a buffer of its length and check it */
	unsigned		  piece_count;
	unsigned		  references; /* private */
};

/* Is this the piece that was written?  False: the disk has changed it; send nothing of it. */
bool queue_piece_check(const struct queue_piece *piece, struct span bytes);

struct queue_load {
	/* result 0: view is set and one reference is the caller's.  -EIO or -EBADMSG: the record cannot be read or
	 * is damaged, which is logged.  -ENOMEM: not now.  -ENOENT: deleted meanwhile; message is gone.  Not from
	 * inside queue_load(). */
	void (*done)(struct queue_load *load, int result);
	struct queue	     *queue;
	struct queue_message *message;
	struct queue_view    *view;
	struct queue_load_state *state; /* private */
};

void queue_load(struct queue *q, struct queue_message *m, struct queue_load *load);
/* When it is in memory already: one more reference, else NULL. */
struct queue_view *queue_view_ref(struct queue_message *m);
void		   queue_view_unref(struct queue *q, struct queue_view *view);

/* Marks a waiting recipient as in hand.  False when it is not waiting. */
bool MUST_CHECK queue_take(struct queue *q, struct queue_message *m, unsigned recipient);
/* Gives it back without a result: waiting again, due at due_ms; nothing is written. */
void queue_put_back(struct queue *q, struct queue_message *m, unsigned recipient, int64_t due_ms);

struct queue_result {
	unsigned	 recipient; /* index in the envelope */
	enum queue_state state;	    /* QUEUE_WAITING (deferred until due_ms) or a final one */
	int64_t		 due_ms;
	bool		 attempt;   /* counts as an attempt */
	bool		 delayed;   /* the sender has been told of the delay */
	uint16_t	 code;	    /* reply code of the peer, 0: none */
	struct span	 host;	    /* who said it: "mx.example.net [192.0.2.1]"; cut at 255 octets */
	struct span	 text;	    /* the peer's last words, or ours; cut at 1000 octets */
};

struct queue_ack {
	/* 0: on disk.  Else the shard was closed while the disk would not take it, and a restart will not know. */
	void (*done)(struct queue_ack *ack, int result);
	struct list_node node; /* private */
};

/*
 * Records outcomes of recipients in hand.  They take effect in memory at once, and reach the
 * disk with the next commit, within QUEUE_RESULT_DELAY_MS (queue/limits.h): a crash before that means a
 * second delivery, the one kind of duplicate that RFC 5321 section 4.2.5 leaves possible.  ack
 * may be NULL.  The message may be gone when this returns.
 */
void queue_record(struct queue *q, struct queue_message *m, const struct queue_result *results,
		  unsigned count, struct queue_ack *ack);

/* --- operator -------------------------------------------------------------------------------------------- */

enum queue_act { QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE, QUEUE_RETRY };

/* ack->done after it is on disk; acts on each recipient without final outcome.  RETRY makes them due now. */
void queue_act(struct queue *q, struct queue_message *m, enum queue_act act, struct queue_ack *ack);

struct queue_message *queue_find(struct queue *q, struct id id);
/*
 * Visits messages in no particular order from *cursor on (start with 0) until visit returns false or `slice` places were
 * looked at; returns true while there is more.  The table may change between calls: a message
 * present all the time is seen exactly once.  visit may act on the message it is shown.
 */
bool queue_walk(struct queue *q, uint64_t *cursor, unsigned slice,
		bool (*visit)(void *arg, struct queue_message *m), void *arg);

/* Reads the last result of a recipient: host and text as recorded; empty when there was none. */
struct queue_last_word {
	void (*done)(struct queue_last_word *lw, int result);
	int64_t	    at_ms;
	struct span host, text; /* valid until `done` returns */
	struct queue_last_word_state *state; /* private */
};
void queue_last_word(struct queue *q, struct queue_message *m, unsigned recipient,
		     struct queue_last_word *lw);

struct queue_status {
	uint64_t messages, recipients_open, held, in_hand;
	uint64_t segments, segment_octets, live_octets;
	int	 refusing; /* 0, or the error that intake gets now */
	bool	 at_limit; /* no further segment is allowed: -ENOSPC is the spool's own, else the disk's */
	bool	 recovering;
};
void queue_status(const struct queue *q, struct queue_status *out);

/* 0, or the error that intake would get now: cheap enough to ask before each message. */
int queue_refusal(const struct queue *q);

/* Counters are registered with the reactor: see queue/queue_counters.h. */

#endif
