/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/counters.h - what a core's resolver counts (core/counter.h).
 */
#ifndef DNS_COUNTERS_H
#define DNS_COUNTERS_H

#include "core/counter.h"

#define DNS_COUNTERS(X)                                                                                               \
	X(QUESTIONS, "dns_questions_total", COUNTER_TOTAL, "Questions from the rest of the program.")                 \
	X(REFUSED, "dns_questions_refused_total", COUNTER_TOTAL,                                                      \
	  "Questions answered with a failure because too many were waiting, or for want of memory.")                  \
	X(WAITING, "dns_questions_waiting", COUNTER_GAUGE, "Questions without an answer yet.")                        \
	X(HITS, "dns_cache_hits_total", COUNTER_TOTAL, "Record sets found in the cache.")                             \
	X(JOINED, "dns_joined_total", COUNTER_TOTAL, "Record sets that somebody was asking for already.")             \
	X(LOOKUPS, "dns_lookups_total", COUNTER_TOTAL, "Record sets asked for from name servers.")                    \
	X(FAILURES, "dns_lookup_failures_total", COUNTER_TOTAL, "Lookups that no name server answered.")              \
	X(QUERIES, "dns_queries_total", COUNTER_TOTAL, "Packets sent to name servers.")                               \
	X(TCP, "dns_queries_tcp_total", COUNTER_TOTAL, "Of these, by TCP.")                                           \
	X(TIMEOUTS, "dns_timeouts_total", COUNTER_TOTAL, "Queries without an answer in time.")                        \
	X(ERRORS, "dns_errors_total", COUNTER_TOTAL, "Queries that could not be sent, or broke off.")                 \
	X(SERVER_FAILURES, "dns_server_failures_total", COUNTER_TOTAL, "Answers that a server failed or refuses.")    \
	X(STRANGE, "dns_strange_total", COUNTER_TOTAL,                                                                \
	  "Packets dropped because they do not answer what was asked: late, broken or forged.")                       \
	X(BROKEN, "dns_broken_total", COUNTER_TOTAL, "Answers that cannot be read.")                                  \
	X(OPEN, "dns_queries_open", COUNTER_GAUGE, "Lookups that hold a socket now.")                                 \
	X(KEPT, "dns_cache_sets", COUNTER_GAUGE, "Record sets in the cache.")                                         \
	X(KEPT_OCTETS, "dns_cache_bytes", COUNTER_GAUGE, "Octets of the cache.")

enum dns_counter {
#define X(id, ...) DNS_COUNT_##id,
	DNS_COUNTERS(X)
#undef X
	DNS_COUNTER_COUNT
};

#endif
