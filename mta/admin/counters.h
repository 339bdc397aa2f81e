/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/counters.h - what the control socket counts (core/counter.h), on core 0.
 */
#ifndef MTA_ADMIN_COUNTERS_H
#define MTA_ADMIN_COUNTERS_H

#include "core/counter.h"

#define ADMIN_COUNTERS(X)                                                                                              \
	X(CONNECTIONS, "admin_connections", COUNTER_GAUGE, "Connections to the control socket.")                       \
	X(REQUESTS, "admin_requests_total", COUNTER_TOTAL, "Requests begun.")                                          \
	X(BAD, "admin_bad_requests_total", COUNTER_TOTAL, "Lines that were no request.")                               \
	X(REFUSED, "admin_refused_total", COUNTER_TOTAL, "Connections refused because there were too many.")           \
	X(TOO_LATE, "admin_too_late_total", COUNTER_TOTAL,                                                             \
	  "Connections closed because the client asked nothing or did not read.")

enum admin_counter {
#define X(id, ...) ADMIN_COUNT_##id,
	ADMIN_COUNTERS(X)
#undef X
	ADMIN_COUNTER_COUNT
};

#endif
