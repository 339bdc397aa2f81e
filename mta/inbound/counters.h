/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/counters.h - what the receiving side of a core counts (core/counter.h), beside its answers.
 */
#ifndef MTA_INBOUND_COUNTERS_H
#define MTA_INBOUND_COUNTERS_H

#include "core/counter.h"

#define INBOUND_COUNTERS(X)                                                                                            \
	X(SESSIONS, "inbound_sessions", COUNTER_GAUGE, "Server sessions open.")                                        \
	X(SESSIONS_ALL, "inbound_sessions_total", COUNTER_TOTAL, "Server sessions begun.")                             \
	X(COMMANDS, "inbound_commands_total", COUNTER_TOTAL, "Command lines read.")                                    \
	X(MESSAGES, "inbound_messages_total", COUNTER_TOTAL, "Messages answered with 250 after their text.")           \
	X(RECIPIENTS, "inbound_recipients_total", COUNTER_TOTAL, "Recipients of these.")                               \
	X(OCTETS, "inbound_message_bytes_total", COUNTER_TOTAL, "Octets of these, without our trace field.")           \
	X(REFUSED, "inbound_refused_total", COUNTER_TOTAL, "Commands and messages answered with 4xx or 5xx.")          \
	X(BROKEN, "inbound_transactions_broken_total", COUNTER_TOTAL,                                                  \
	  "Transactions whose client went away or fell silent before their end.")                                      \
	X(UNHEARD, "inbound_unheard_total", COUNTER_TOTAL,                                                             \
	  "Messages stored whose client was gone before it could be told; it may send them again.")                    \
	X(STALLS, "inbound_stalls_total", COUNTER_TOTAL, "Times a client had to wait for our disk.")                   \
	X(ACCEPT_PAUSES, "inbound_accept_pauses_total", COUNTER_TOTAL,                                                 \
	  "Times accepting rested for want of descriptors or memory.")                                                 \
	X(SHUT_OUT, "inbound_shut_out_total", COUNTER_TOTAL, "Connections closed without a word: too many being refused.")

enum inbound_counter {
#define X(id, ...) INBOUND_##id,
	INBOUND_COUNTERS(X)
#undef X
	INBOUND_COUNTER_COUNT
};

#endif
