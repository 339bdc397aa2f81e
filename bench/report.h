/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/report.h - what happened in a run: counted on each core, added up, printed as text or JSON from one table.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/crew.h"
#include "bench/histogram.h"

/* Where in a session something happens. */
#define BENCH_STAGES(X)                                                                            \
	X(CONNECT, "connect")                                                                      \
	X(BANNER, "banner")                                                                        \
	X(EHLO, "ehlo")                                                                            \
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
	X(SESSIONS_LOST, "sessions_lost", "Connections that broke or were closed by the peer.")    \
	X(MESSAGES, "messages", "Answered 250.")                                                   \
	X(REFUSED, "refused", "Answered 4xx or 5xx.")                                              \
	X(ABORTED, "aborted", "Connection lost before the end of data.")                           \
	X(UNKNOWN, "unknown", "Connection lost after the end of data, before its answer.")         \
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

enum {
	REPORT_CODES = 200, /* 400..599 */
	REPORT_ERRNOS = 134,
};

struct report {
	uint64_t	 counts[REPORT_COUNT];
	uint64_t	 codes[STAGE_COUNT][REPORT_CODES];
	uint64_t	 errnos[REPORT_ERRNOS]; /* of connections; 0: closed by the peer */
	struct histogram transaction; /* MAIL sent to answer of the end of data, ns */
	struct histogram commit;      /* end of data handed to the kernel to its answer, ns */
	uint64_t	 first_ns, last_ns; /* first transaction begun, last answer; 0: none */
	bool		 sending; /* latencies are known */
};

static inline void
report_add(struct report *r, enum report_count what, uint64_t n)
{
	r->counts[what] += n;
}

void report_code(struct report *r, enum bench_stage stage, unsigned code);
void report_errno(struct report *r, int result);
void report_merge(struct report *to, const struct report *from);
double report_seconds(const struct report *r);
/* used: CPU of this process during the run; watched: of the server, or NULL. */
void report_print(FILE *to, const struct report *r, const struct crew_usage *used,
		  const struct crew_watch *watched, bool json);

#endif
