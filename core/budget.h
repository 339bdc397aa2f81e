/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/budget.h - a stated amount of something (octets of memory, sessions) that work must take from
 * before it grows and give back when it ends.  At the budget new work is refused; work in hand goes on.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "core/base.h"

struct budget {
	uint64_t used;
	uint64_t max;
};

static inline bool MUST_CHECK
budget_take(struct budget *b, uint64_t amount)
{
	if (amount > b->max || b->used > b->max - amount)
		return false;
	b->used += amount;
	return true;
}

/* For work in hand that must go on: may pass the maximum, which then refuses newcomers. */
static inline void
budget_force(struct budget *b, uint64_t amount)
{
	b->used += amount;
}

static inline void
budget_give(struct budget *b, uint64_t amount)
{
	INVARIANT(amount <= b->used);
	b->used -= amount;
}

#endif
