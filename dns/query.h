/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/query.h - one question put to the name servers until one of them answers or the tries are used up.
 *
 * A try is one server.  Over UDP each has a fresh connected socket, so the kernel chooses an unpredictable port and
 * drops what comes from elsewhere, and a fresh id.  A packet that does not match is counted and waiting goes on;
 * after DNS_STRANGE_MAX of them somebody is guessing, and the question goes by TCP, as it does for a truncated
 * answer.  Time over, connection refused, SERVFAIL, nonsense: the next server.  The one that answered last is the
 * first to be asked next time.
 */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H

#include "core/stream.h"
#include "dns/counters.h"
#include "dns/limits.h"
#include "dns/wire.h"

/* What all queries of a resolver share.  It may change while they run; the next try sees it. */
struct dns_servers {
	struct reactor *reactor;
	counter_value  *counters; /* DNS_COUNTER_COUNT of them */
	unsigned	count;	  /* at least 1 */
	unsigned	first;	  /* whom to ask first */
	struct endpoint at[DNS_SERVERS_MAX];
	uint32_t	timeout_ms; /* of one try */
	uint32_t	tries;	    /* of one query */
};

struct dns_query {
	/* Once, unless stopped: a reference to the answer is given; NULL: nobody answered.  `heard` tells
	 * whether at least one server said anything, if only that it failed. */
	void (*answered)(struct dns_query *q, struct dns_answer *answer, bool heard);
	/* Once, behind `answered` or a stop and never inside dns_query_start() or _stop(): nothing is in flight, the
	 * memory is the user's. */
	void (*closed)(struct dns_query *q);

	/* --- private ----------------------------------------------------------------------------------- */
	struct dns_servers	*servers; /* borrowed */
	struct dns_wire_question question;
	uint8_t			 state, next;
	bool			 tcp, plain; /* plain: without EDNS0 */
	bool			 heard;
	unsigned		 server, tries, failures, strange;
	int			 fd;
	struct wheel_timer	 timer;
	struct io_connect_op	 connect;
	struct io_send_op	 send;
	struct io_op		 recv;
	bool			 stream_open;
	struct stream		 stream;
	struct iovec		 iov;
	uint8_t			 packet[2 + DNS_WIRE_QUERY_MAX]; /* behind the length that TCP wants */
	unsigned		 packet_len;
};

/* The name is our text (dns/name.h), borrowed until `closed`.  Set answered and closed before. */
void dns_query_start(struct dns_query *q, struct dns_servers *servers, struct span name, enum dns_type type);
/* `answered` will not be called; `closed` will.  At any time before that. */
void dns_query_stop(struct dns_query *q);

#endif
