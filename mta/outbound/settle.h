/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/settle.h - what outcomes mean for a message: final, later again, or too late; who is told; what is written
 * down and logged.  On the keeper's core.
 */
#ifndef MTA_OUTBOUND_SETTLE_H
#define MTA_OUTBOUND_SETTLE_H

#include "mta/outbound/outbound_internal.h"

/* Takes over a delivery that came back.  It is freed when all its outcomes are recorded, which a report may delay. */
void settle_delivery(struct outbound *out, struct delivery *d);

/* As a record for the queue; words borrow from the delivery. */
void settle_result(const struct delivery_recipient *r, struct queue_result *out);
/* One line in the log, and the counter, for an outcome that is recorded. */
void settle_log(struct outbound *out, const struct delivery *d, const struct delivery_recipient *r);

/*
 * Records those outcomes of a delivery that a report should have accompanied and could not be stored for: failures become
 * deferrals, so that they are met again and told of then (P1); a delay or a success is true without its report.  The
 * message may be gone afterwards.
 */
void settle_without_report(struct outbound *out, struct delivery *d);

#endif
