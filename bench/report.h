/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/report.h - what happened in a run: counted on each core, added up, printed as text or JSON from one table.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/crew.h"
#include "bench/histogram.h"
#include "bench/timeline.h"

/* Where in a session something happens. */
#define BENCH_STAGES(X)                                                                            \
	X(CONNECT, "connect")                                                                      \
	X(BANNER, "banner")                                                                        \
	X(EHLO, "ehlo")                                                                            \
	X(AUTH, "auth")                                                                            \
	X(MAIL, "mail")                                                                            \
	X(RCPT, "rcpt")                                                                            \
	X(DATA, "data")                                                                            \
	X(BODY, "body")                                                                            \
	X(DOT, "dot")                                                                              \
	X(ANSWER, "answer")                                                                        \
	X(RSET, "rset")                                                                            \
	X(QUIT, "quit")

enum bench_stage {
#define X(id, word) STAGE_##id,
	BENCH_STAGES(X)
#undef X
	STAGE_COUNT
};

extern const char *const bench_stage_words[STAGE_COUNT + 1]; /* NULL at the end */

#define REPORT_COUNTS(X)                                                                           \
	X(SESSIONS, "sessions", "Sessions greeted.")                                               \
	X(SESSIONS_FAILED, "sessions_failed", "Connections refused, or not greeted with 220.")     \
	X(SESSIONS_UNGREETED, "sessions_ungreeted", "Connections not greeted a second after the last message was begun.") \
	X(SESSIONS_LOST, "sessions_lost", "Connections that broke or were closed by the peer.")    \
	X(MESSAGES, "messages", "Answered 250.")                                                   \
	X(REFUSED, "refused", "Answered 4xx or 5xx.")                                              \
	X(ABORTED, "aborted", "Connection lost before the end of data.")                           \
	X(UNKNOWN, "unknown", "Connection lost after the end of data, before its answer.")         \
	X(UNSENT, "unsent", "Due at the rate asked for, and never begun.")                         \
	X(VANISHED, "vanished", "Broken off by the sender, as it was told to.")                    \
	X(RECIPIENTS, "recipients", "Recipients of messages answered 250.")                        \
	X(RECIPIENTS_REFUSED, "recipients_refused", "RCPT answered 4xx or 5xx.")                   \
	X(OCTETS, "octets", "Message text of messages answered 250.")                              \
	X(UNEXPECTED, "unexpected", "Replies that fit no command, and lines that are no reply.")

enum report_count {
#define X(id, ...) REPORT_##id,
	REPORT_COUNTS(X)
#undef X
	REPORT_COUNT
};

/* What is measured, in nanoseconds.  A report prints those that its owner says are known (report.latencies). */
#define REPORT_LATENCIES(X)                                                                        \
	X(LATENCY, "latency", "From when the message was due to its answer.")                      \
	X(TRANSACTION, "transaction", "From MAIL to the answer of the end of data.")               \
	X(COMMIT, "commit", "From the end of data to its answer.")                                 \
	X(CONNECT, "connect", "From the connection asked for to 220.")                             \
	X(LATE, "late", "How late a message was begun although a session was free.")               \
	X(END_TO_END, "end_to_end", "From when the message was due at its sender to its end of data here.")

enum report_latency {
#define X(id, ...) REPORT_##id,
	REPORT_LATENCIES(X)
#undef X
	REPORT_LATENCY_COUNT
};

enum {
	REPORT_CODES = 200, /* 400..599 */
	REPORT_ERRNOS = 134,
};

#define REPORT_BUSY_MAX 0.95		     /* of one core: beyond, the measure measures itself */
#define REPORT_LATE_MIN_NS UINT64_C(1000000) /* at the 99th percentile; and more than half of the latency's, likewise */

struct report {
	uint64_t	 counts[REPORT_COUNT];
	uint64_t	 codes[STAGE_COUNT][REPORT_CODES];
	uint64_t	 errnos[REPORT_ERRNOS]; /* of connections; 0: closed by the peer */
	struct histogram latency[REPORT_LATENCY_COUNT];
	struct timeline	 timeline;
	uint64_t	 first_ns, last_ns; /* first transaction begun, last answer; 0: none */
	unsigned	 latencies; /* a bit for each that is known: REPORT_KNOWN(LATENCY) | ... */
	unsigned	 cores;	    /* threads that this is of; 0: one */
	double		 busy;	    /* share of one core that the busiest thread used, 0..1 */
	double		 warm_up_s; /* what is not in here but for the timeline */
	/* Prints what its owner has beside: ", \"key\": value" for JSON, else lines.  NULL: nothing. */
	void (*print_more)(FILE *to, bool json);
};

#define REPORT_KNOWN(id) (1u << REPORT_##id)

static inline void
report_add(struct report *r, enum report_count what, uint64_t n)
{
	r->counts[what] += n;
}

static inline void
report_latency(struct report *r, enum report_latency what, uint64_t ns)
{
	histogram_add(&r->latency[what], ns);
}

void report_code(struct report *r, enum bench_stage stage, unsigned code);
void report_errno(struct report *r, int result);
void report_merge(struct report *to, const struct report *from);
double report_seconds(const struct report *r);
/* The bench itself was the bottleneck: figures say more about it than about the server. */
bool report_saturated(const struct report *r);
/* used: CPU of this process during the run; watched: of the server, or NULL. */
void report_print(FILE *to, const struct report *r, const struct crew_usage *used,
		  const struct crew_watch *watched, bool json);

#endif
