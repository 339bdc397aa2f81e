/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink_tally.h - what a sink received for whom, and whether its limits were kept: one tally for each recipient domain
 * that was ever named, and one for each address at which the sink listens.
 *
 * All cores share the tallies.  Counts are atomic, tallies are added without a lock and never removed, so limits hold over all
 * cores together and to the last message.  It costs a shared cache line for each message, which a server could not afford
 * at scale and a sink can.  Memory is bounded: domains beyond SINK_DOMAINS_MAX share one tally, whose limits are
 * those of the host.
 */
#ifndef BENCH_SINK_TALLY_H
#define BENCH_SINK_TALLY_H

#include "bench/sink_behaviour.h"

enum { SINK_DOMAINS_MAX = 1 << 18 };

#define SINK_COUNTS(X)                                                                                              \
	X(MESSAGES, "messages")	    /* answered 250 */                                                              \
	X(RECIPIENTS, "recipients") /* of those */                                                                  \
	X(OCTETS, "octets")	    /* of their text */                                                             \
	X(REFUSED, "refused")	    /* answers 5xx to its stages */                                                 \
	X(DEFERRED, "deferred")	    /* answers 4xx */                                                               \
	X(DROPPED, "dropped")	    /* closed, reset or hung instead of an answer */                                \
	X(CONNECTIONS, "connections") /* that named it; of an address: accepted there */

enum sink_count {
#define X(id, ...) SINK_COUNT_##id,
	SINK_COUNTS(X)
#undef X
	SINK_COUNT_COUNT
};

extern const char *const sink_count_words[SINK_COUNT_COUNT];

struct sink_tally {
	struct sink_tally	  *next; /* with the same hash */
	const struct sink_profile *profile; /* NULL: that of the host where it is named */
	uint64_t		   hash;
	bool			   host; /* an address, else a domain */
	_Atomic(bool)		   changed; /* since it was exported */
	struct sink_tally	  *changed_next;
	_Atomic(uint64_t)	   counts[SINK_COUNT_COUNT];
	uint64_t		   exported[SINK_COUNT_COUNT]; /* the exporter's */
	_Atomic(uint64_t)	   open, open_max; /* connections now, and at most */
	_Atomic(uint64_t)	   rate_due_ns, rate_want_ns; /* sink_tally.c */
	_Atomic(uint64_t)	   over[SINK_LIMIT_COUNT], worst[SINK_LIMIT_COUNT];
	unsigned		   name_len;
	char			   name[]; /* UTF-8 without anything that JSON or CSV would have to quote */
};

struct sink_tallies;

/* behaviour is borrowed.  exports: changes are kept for sink_tallies_changed().  NULL without memory. */
struct sink_tallies *sink_tallies_new(const struct sink_behaviour *behaviour, bool exports);
void		     sink_tallies_free(struct sink_tallies *t);
/* Of an address; before the cores run.  NULL without memory. */
struct sink_tally *sink_tallies_host(struct sink_tallies *t, const struct endpoint *at);
/* Of the domain of a mailbox as it came.  What is no domain, and what is too much, has its tally too. */
struct sink_tally *sink_tallies_find(struct sink_tallies *t, struct span mailbox);

void sink_tally_add(struct sink_tallies *t, struct sink_tally *tally, enum sink_count what, uint64_t n);

/* A limit was passed by so much. */
void sink_tally_over(struct sink_tally *tally, enum sink_limit_kind kind, uint64_t by);
/* One connection more: by how many there are now too many. */
uint64_t sink_tally_enter(struct sink_tallies *t, struct sink_tally *tally, const struct sink_limit *limit);
void	 sink_tally_leave(struct sink_tally *tally);
/* One message more: by how many, rounded up, there were too many until now; refused ones count as wanted. */
uint64_t sink_tally_rate(struct sink_tally *tally, const struct sink_limit *limit, uint64_t now_ns);

/* The tallies that changed since the last call, linked by changed_next; one caller. */
struct sink_tally *sink_tallies_changed(struct sink_tallies *t);
/* The next one of that list; the tally may change again from now on. */
struct sink_tally *sink_tally_changed_next(struct sink_tally *tally);

/* ", "domains": {...}, "hosts": {...}" with at most so many domains, or as lines of text the first ten.  The cores have
 * ended.  0, or -ENOMEM. */
int MUST_CHECK sink_tallies_print(FILE *to, struct sink_tallies *t, size_t domains_max, bool json);

#endif
