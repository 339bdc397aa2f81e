/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink_session_internal.h - a session of the sink: the connection and how it speaks (sink_session.c), and the
 * transaction within, from MAIL to the answer to its end (sink_transaction.c).
 *
 * It reads on only when it has answered: while a delay runs, a file is written or a ledger line is under way, the stream is
 * paused, so answers of a pipelined group stay in order without a queue.
 */
#ifndef BENCH_SINK_SESSION_INTERNAL_H
#define BENCH_SINK_SESSION_INTERNAL_H

#include "bench/sink.h"
#include "bench/text.h"
#include "bench/wire.h"

#define SINK_STATES(X)                                                                                              \
	X(COMMAND) /* a command line comes next */                                                                  \
	X(FIRST)   /* the first octets of a text after DATA come next */                                            \
	X(TEXT)	   /* text until CRLF.CRLF */                                                                       \
	X(CHUNK)   /* text of a BDAT chunk */                                                                       \
	X(BUSY)	   /* a link of the chain, or a delay, is under way: nothing is read */                             \
	X(LEAVING) /* the last reply is being sent */                                                               \
	X(HUNG)	   /* nothing is answered any more; what comes is read and forgotten */                             \
	X(CLOSED)

enum sink_state {
#define X(id) SINK_STATE_##id,
	SINK_STATES(X)
#undef X
};

/* What the dice say about one answer. */
struct sink_verdict {
	uint64_t	 delay_ms;
	enum sink_action action; /* never DELAY */
	unsigned	 code;	 /* of a refusal */
	struct span	 text;	 /* behind it */
	bool		 last;	 /* it closes the connection whatever its code */
};

/* Recipients of a transaction in one domain. */
struct sink_party {
	struct sink_tally *tally;
	unsigned	   count;
};

struct sink_session {
	struct sink_core    *core;
	struct sink_tally   *host;    /* the address that was connected to */
	struct sink_tally   *entered; /* the domain that this connection counts for; NULL: none yet */
	struct stream	     stream;
	struct list_node     node;
	struct wheel_timer   delay;
	struct ledger_waiter waiter;
	enum sink_state	     state;
	void (*resume)(struct sink_session *s); /* what a delay delays */
	uint64_t	     read_until_ns;	/* read_rate: the octets so far are paid for then */
	/* the answer that a delay holds back */
	struct sink_verdict  verdict;
	enum sink_state	     held_after;
	unsigned	     held_len;
	char		     held_text[512];
	bool		     gone;
	uint64_t	     messages;
	/* the transaction */
	bool		     mail, null_path, chunk_last, too_large;
	struct sink_verdict  chunk_verdict; /* of the first BDAT: its answer comes behind the chunk */
	struct sink_tally   *domain; /* of the first recipient taken; NULL: none yet */
	struct sink_tally   *in_rate, *over_rate; /* who was asked about this transaction, and said yes or no */
	struct ledger_text   from, recipients; /* escaped, as in the ledger */
	struct sink_party   *parties;
	size_t		     party_count, party_room;
	unsigned	     recipient_count;
	uint64_t	     chunk_left, ended_ns; /* ended_ns: when the text was whole */
	struct text_account  account;
	struct ledger_text   kept; /* text, for --store and for reports */
	struct wire_text     decoder;
	/* --store */
	struct io_op file_op;
	struct iovec file_iov;
	uint64_t     file_at;
	int	     file;
	char	     file_name[64];
};

static inline const struct sink_options *
sink_session_options(const struct sink_session *s)
{
	return s->core->options;
}

static inline struct reactor *
sink_session_reactor(struct sink_session *s)
{
	return &s->core->member->reactor;
}

/* The rules for recipients of this tally: its own, else the host's. */
static inline const struct sink_profile *
sink_session_profile(const struct sink_session *s, const struct sink_tally *tally)
{
	return tally && tally->profile ? tally->profile : s->host->profile;
}

/* --- sink_session.c -------------------------------------------------------------------------------------- */

/* Throws the dice of a stage by the rules for tally, and counts for it what they say. */
struct sink_verdict sink_session_judge(struct sink_session *s, enum sink_stage stage, struct sink_tally *tally);
/* A refusal that no die decided, counted likewise. */
struct sink_verdict sink_session_refusal(struct sink_session *s, enum sink_stage stage, struct sink_tally *tally, unsigned code,
					 struct span text);
/* Does what a verdict says when its delay is over: usual is the usual answer, empty for none, after the state behind it. */
void sink_session_speak(struct sink_session *s, const struct sink_verdict *v, enum sink_state after, struct span usual);
/* An answer that depends on nothing; the state stays. */
void sink_session_reply(struct sink_session *s, struct span text);
/* Nothing is read until the next answer. */
void sink_session_busy(struct sink_session *s);
/* The same for so long; then resume. */
void sink_session_wait(struct sink_session *s, uint64_t ms, void (*resume)(struct sink_session *s));
void sink_session_close(struct sink_session *s);
/* Frees it once nothing is under way. */
void sink_session_free(struct sink_session *s);

/* --- sink_transaction.c ------------------------------------------------------------------------------------ */

void sink_transaction_init(struct sink_session *s);
/* None is under way; the memory of lists stays. */
void sink_transaction_reset(struct sink_session *s);
void sink_transaction_fini(struct sink_session *s);
void sink_transaction_mail(struct sink_session *s, const struct wire_command *c);
void sink_transaction_rcpt(struct sink_session *s, const struct wire_command *c);
void sink_transaction_data(struct sink_session *s);
void sink_transaction_bdat(struct sink_session *s, const struct wire_command *c);
/* Text behind DATA, dots undone, or of a chunk. */
void sink_transaction_text(struct sink_session *s, struct span bytes);
/* A whole chunk was read. */
void sink_transaction_chunk_end(struct sink_session *s);
/* The text is whole. */
void sink_transaction_end(struct sink_session *s);

#endif
