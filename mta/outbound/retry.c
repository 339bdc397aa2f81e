/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ages are computed from the time of acceptance, which was written down by the wall clock.  Where that clock was set back
 * since, the age is negative and counts as none: mail is then tried longer, never less.
 */
#include "mta/outbound/retry.h"

uint64_t
retry_pause_ms(const struct settings *s, unsigned attempts, uint64_t chance)
{
	uint64_t pause = s->retry_first_ms, spread;

	for (unsigned i = 1; i < attempts && pause < s->retry_max_ms; i++)
		pause *= 2;
	pause = MIN_OF(pause, s->retry_max_ms);
	spread = pause * s->retry_jitter_percent / 100;
	if (spread)
		pause = pause - spread + chance % (2 * spread + 1);
	return MAX_OF(pause, 1);
}

bool
retry_expired(const struct settings *s, int64_t accepted_ms, int64_t now_ms)
{
	return now_ms - accepted_ms >= (int64_t)s->retry_expire_ms;
}

int64_t
retry_due_ms(const struct settings *s, int64_t accepted_ms, unsigned attempts, int64_t now_ms, uint64_t chance)
{
	int64_t due = now_ms + (int64_t)retry_pause_ms(s, attempts, chance);
	int64_t last = accepted_ms + (int64_t)s->retry_expire_ms;

	if (due > last && last > now_ms)
		due = last;
	return due;
}

bool
retry_warns(const struct settings *s, int64_t accepted_ms, int64_t now_ms)
{
	return s->retry_warn_ms && now_ms - accepted_ms >= (int64_t)s->retry_warn_ms;
}
