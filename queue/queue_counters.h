/* SPDX-License-Identifier: Apache-2.0 */
/* queue/queue_counters.h - what a shard counts. */
#ifndef QUEUE_QUEUE_COUNTERS_H
#define QUEUE_QUEUE_COUNTERS_H

#include "core/counter.h"

#define QUEUE_COUNTERS(X)                                                                          \
	X(ACCEPTED, "queue_accepted_total", COUNTER_TOTAL, "Messages made durable.")               \
	X(FORGOTTEN, "queue_forgotten_total", COUNTER_TOTAL, "Messages whose recipients all had their outcome.") \
	X(RESULTS, "queue_results_total", COUNTER_TOTAL, "Outcomes of recipients recorded.")       \
	X(BATCHES, "queue_batches_total", COUNTER_TOTAL, "Writes that were synced.")               \
	X(OCTETS, "queue_written_bytes_total", COUNTER_TOTAL, "Octets of these writes.")           \
	X(FAILURES, "queue_write_failures_total", COUNTER_TOTAL, "Writes or syncs that failed.")   \
	X(REFUSED, "queue_refused_total", COUNTER_TOTAL, "Messages refused for want of space, memory or disk.") \
	X(DAMAGED, "queue_damaged_total", COUNTER_TOTAL, "Records or stretches found unreadable.") \
	X(VIEW_HITS, "queue_view_hits_total", COUNTER_TOTAL, "Messages found in memory when they were wanted.") \
	X(VIEW_LOADS, "queue_view_loads_total", COUNTER_TOTAL, "Messages read back from disk.")    \
	X(MESSAGES, "queue_messages", COUNTER_GAUGE, "Messages in the queue.")                     \
	X(SEGMENTS, "queue_segments", COUNTER_GAUGE, "Segment files.")

enum queue_counter {
#define X(id, ...) QUEUE_COUNT_##id,
	QUEUE_COUNTERS(X)
#undef X
	QUEUE_COUNTER_COUNT
};

#endif
