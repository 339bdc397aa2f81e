/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/wheel.h - timers by the million: arming, moving and cancelling cost the same whether ten wait
 * or ten million.  Hierarchical wheel, tick of about 4 ms, reach of years.  A timer never fires early; it may fire
 * one tick late, and later when more than WHEEL_RUN_MAX are due together: a million messages found due at a start are no
 * reason to serve nobody else meanwhile.  Moving a deadline later is the common case (a session hears from its
 * peer) and touches only the timer itself.
 *
 * Times are monotonic nanoseconds (io_mono()).
 */
#ifndef CORE_WHEEL_H
#define CORE_WHEEL_H

#include "core/list.h"

enum {
	WHEEL_TICK_SHIFT = 22, /* a tick is 2^22 ns, 4.19 ms */
	WHEEL_SLOT_BITS	 = 6,
	WHEEL_SLOTS	 = 1 << WHEEL_SLOT_BITS,
	WHEEL_LEVELS	 = 7, /* 64^7 ticks: 584 years */
	WHEEL_RUN_MAX	 = 1000, /* timers that may fire in one run; others that are due wait for the next */
	WHEEL_DEAL_MAX	 = 16 * 1024, /* timers hung lower in one run; before that is done none behind them fires */
};

struct wheel_timer {
	struct list_node node;
	uint64_t	 deadline_ns; /* when it shall fire */
	uint64_t	 armed_tick;  /* where it hangs: never later than the deadline's */
	void (*fire)(struct wheel_timer *timer);
};

struct wheel {
	uint64_t    tick;	 /* all earlier ticks have been run */
	uint64_t    count;	 /* timers armed */
	uint64_t    occupied[WHEEL_LEVELS]; /* a bit for each slot that may hold a timer */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ns);

void wheel_timer_init(struct wheel_timer *timer, void (*fire)(struct wheel_timer *timer));
/* Arms, or moves, the timer.  A deadline in the past fires at the next wheel_run(). */
void wheel_arm(struct wheel *w, struct wheel_timer *timer, uint64_t deadline_ns);
/* Harmless when the timer is not armed. */
void wheel_disarm(struct wheel *w, struct wheel_timer *timer);

static inline bool
wheel_timer_armed(const struct wheel_timer *timer)
{
	return list_linked(&timer->node);
}

/* No timer is due before this time; UINT64_MAX when none is armed.  May be earlier than the first. */
uint64_t wheel_next(const struct wheel *w);
/* Fires what is due, each disarmed first; a handler may arm and disarm any timer.  Returns how many.  When
 * something that is due had to be left, wheel_next() is not later than now. */
unsigned wheel_run(struct wheel *w, uint64_t now_ns);

#endif
