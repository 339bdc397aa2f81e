/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/counters.h - what the sending side of a core counts (core/counter.h).
 */
#ifndef MTA_OUTBOUND_COUNTERS_H
#define MTA_OUTBOUND_COUNTERS_H

#include "core/counter.h"

#define OUTBOUND_COUNTERS(X)                                                                                          \
	X(DELIVERED, "outbound_delivered_total", COUNTER_TOTAL, "Recipients a next hop took responsibility for.")     \
	X(DEFERRED, "outbound_deferred_total", COUNTER_TOTAL, "Attempts that ended in a later retry, by recipient.")  \
	X(BOUNCED, "outbound_bounced_total", COUNTER_TOTAL, "Recipients refused for good.")                           \
	X(EXPIRED, "outbound_expired_total", COUNTER_TOTAL, "Recipients given up after retry.expire.")                \
	X(REPORTS, "outbound_reports_total", COUNTER_TOTAL, "Delivery reports stored.")                               \
	X(REPORTS_FAILED, "outbound_reports_failed_total", COUNTER_TOTAL,                                             \
	  "Delivery reports that could not be stored; what they tell of is tried again.")                             \
	X(PUT_BACK, "outbound_put_back_total", COUNTER_TOTAL, "Recipients put back without an attempt.")              \
	X(DAMAGED, "outbound_damaged_total", COUNTER_TOTAL,                                                           \
	  "Texts whose checksum failed while being sent; the transaction was broken off.")                            \
	X(WAITING, "outbound_waiting_recipients", COUNTER_GAUGE, "Recipients due and waiting for their next hop.")    \
	X(AWAY, "outbound_away_deliveries", COUNTER_GAUGE, "Deliveries in the hands of a next hop's owner.")          \
	X(CONNECTS, "outbound_connects_total", COUNTER_TOTAL, "Connections tried.")                                   \
	X(CONNECT_FAILURES, "outbound_connect_failures_total", COUNTER_TOTAL, "Connections that failed.")             \
	X(STARVED, "outbound_starved_total", COUNTER_TOTAL,                                                           \
	  "Sessions given up for want of descriptors or memory of our own; their mail was put back.")                 \
	X(SESSIONS, "outbound_sessions", COUNTER_GAUGE, "Client sessions, connecting ones included.")                 \
	X(TRANSACTIONS, "outbound_transactions_total", COUNTER_TOTAL, "Transactions begun.")                          \
	X(REUSED, "outbound_reused_total", COUNTER_TOTAL, "Transactions begun on a connection used before.")          \
	X(BROKEN, "outbound_sessions_broken_total", COUNTER_TOTAL,                                                    \
	  "Sessions ended by the peer, a timeout or a violation of the protocol.")                                    \
	X(UNCERTAIN, "outbound_uncertain_total", COUNTER_TOTAL,                                                       \
	  "Recipients whose text was sent whole and not answered: tried again, perhaps delivered twice.")             \
	X(DOWNS, "outbound_downs_total", COUNTER_TOTAL, "Times a next hop was found down.")                           \
	X(DOWN, "outbound_destinations_down", COUNTER_GAUGE, "Next hops down now.")                                   \
	X(DESTINATIONS, "outbound_destinations", COUNTER_GAUGE, "Next hops known now.")

enum outbound_counter {
#define X(id, ...) OUTBOUND_##id,
	OUTBOUND_COUNTERS(X)
#undef X
	OUTBOUND_COUNTER_COUNT
};

#endif
