/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/reporter.h - gathers what a sender must hear about one message and stores it as a delivery report
 * (mta/outbound/report.h writes its text), together with the outcomes it tells of: one record holds both, so no crash can part
 * them.
 *
 * Outcomes of one message that come in within OUTBOUND_GATHER_MS share a report; when nothing else of the message is in hand,
 * it is written at once.
 */
#ifndef MTA_OUTBOUND_REPORTER_H
#define MTA_OUTBOUND_REPORTER_H

#include "mta/outbound/outbound_internal.h"

int MUST_CHECK reporter_init(struct outbound *out);
void	       reporter_fini(struct outbound *out);
/* Takes over a delivery with recipients to tell of; they stay in hand.  False when memory is out: it stays the caller's. */
bool MUST_CHECK reporter_add(struct outbound *out, struct delivery *d);
/* Something of this message has been settled: perhaps nothing more is to be waited for. */
void reporter_review(struct outbound *out, struct id message);
/* Writes all that is gathered now. */
void reporter_drain(struct outbound *out);
bool reporter_idle(const struct outbound *out);

#endif
