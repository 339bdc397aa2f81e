/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/retry.h - when a deferred recipient is tried again, and when no more.  Pure.
 *
 * The pause doubles with each attempt from retry.first to retry.max, and each is varied by retry.jitter percent, so that
 * what failed together does not come back together.  Times are wall clock, milliseconds since 1970.
 */
#ifndef MTA_OUTBOUND_RETRY_H
#define MTA_OUTBOUND_RETRY_H

#include "core/base.h"
#include "mta/settings.h"

/* Pause after so many failed attempts (1 or more; 0 counts as 1).  chance: 64 random bits.  Never 0. */
uint64_t retry_pause_ms(const struct settings *s, unsigned attempts, uint64_t chance);

/* Has mail accepted then become too old for another attempt? */
bool retry_expired(const struct settings *s, int64_t accepted_ms, int64_t now_ms);

/*
 * When to try again: after the pause, but not behind the time at which the message expires; the last attempt is made
 * then, so that mail lives exactly as long as the operator said.
 */
int64_t retry_due_ms(const struct settings *s, int64_t accepted_ms, unsigned attempts, int64_t now_ms, uint64_t chance);

/* Is it time to tell the sender of the delay?  Not when retry.warn is 0. */
bool retry_warns(const struct settings *s, int64_t accepted_ms, int64_t now_ms);

#endif
