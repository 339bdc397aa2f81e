/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer hangs at the level of the highest digit (base 64) in which its tick differs from now's; when
 * that digit comes up, the slot is dealt out to the levels below.  So each timer is moved at most
 * WHEEL_LEVELS times in its life, however far it lies ahead.
 *
 * A slot may hold a good part of all the timers there are.  It is dealt out over as many runs as that takes; meanwhile the
 * hand stays where it is, and what is armed hangs as always, never in the slot under the hand but at the lowest level.
 *
 * Lazy moves: wheel_arm() with a later deadline only writes the deadline.  When the old place comes up the
 * timer is hung again.  A session that hears from its peer a thousand times costs one rehang.
 */
#include "core/wheel.h"

static uint64_t
tick_of(uint64_t ns)
{
	/* Round up: never early.  Only the last tick of all time, in 584 years, has none behind it. */
	uint64_t tick = (ns >> WHEEL_TICK_SHIFT) + ((ns & ((1ull << WHEEL_TICK_SHIFT) - 1)) != 0);

	return MIN_OF(tick, UINT64_MAX >> WHEEL_TICK_SHIFT);
}

void
wheel_init(struct wheel *w, uint64_t now_ns)
{
	memset(w, 0, sizeof(*w));
	w->tick = now_ns >> WHEEL_TICK_SHIFT;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++)
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			list_init(&w->slots[l][s]);
}

void
wheel_timer_init(struct wheel_timer *timer, void (*fire)(struct wheel_timer *timer))
{
	*timer = (struct wheel_timer){ .fire = fire };
	list_node_init(&timer->node);
}

static unsigned
digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_SLOT_BITS)) & (WHEEL_SLOTS - 1);
}

static void
hang(struct wheel *w, struct wheel_timer *timer)
{
	uint64_t tick = MAX_OF(tick_of(timer->deadline_ns), w->tick);
	uint64_t differ = tick ^ w->tick;
	unsigned level = differ ? (unsigned)(63 - __builtin_clzll(differ)) / WHEEL_SLOT_BITS : 0;
	unsigned slot;

	INVARIANT(level < WHEEL_LEVELS);
	slot = digit(tick, level);
	timer->armed_tick = tick;
	list_append(&w->slots[level][slot], &timer->node);
	w->occupied[level] |= 1ull << slot;
}

void
wheel_arm(struct wheel *w, struct wheel_timer *timer, uint64_t deadline_ns)
{
	timer->deadline_ns = deadline_ns;
	if (wheel_timer_armed(timer)) {
		if (tick_of(deadline_ns) >= timer->armed_tick)
			return;
		list_remove(&timer->node);
		w->count--;
	}
	w->count++;
	hang(w, timer);
}

void
wheel_disarm(struct wheel *w, struct wheel_timer *timer)
{
	if (!wheel_timer_armed(timer))
		return;
	list_remove(&timer->node);
	w->count--;
}

uint64_t
wheel_next(const struct wheel *w)
{
	if (w->count == 0)
		return UINT64_MAX;
	for (unsigned level = 1; level < WHEEL_LEVELS; level++)
		if (w->occupied[level] >> digit(w->tick, level) & 1) /* not all dealt out */
			return w->tick << WHEEL_TICK_SHIFT;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = level * WHEEL_SLOT_BITS;
		unsigned now = digit(w->tick, level);
		/* Slots behind the hand at this level are empty: they would differ in a higher digit. */
		uint64_t ahead = w->occupied[level] & (UINT64_MAX << now);

		if (ahead) {
			unsigned slot = (unsigned)__builtin_ctzll(ahead);
			uint64_t tick = (w->tick >> shift << shift) + ((uint64_t)(slot - now) << shift);

			return MAX_OF(tick, w->tick) << WHEEL_TICK_SHIFT;
		}
	}
	/* Only stale bits or wrapped places: look again at the end of the first level. */
	return ((w->tick | (WHEEL_SLOTS - 1)) + 1) << WHEEL_TICK_SHIFT;
}

/* Hangs the timers of a slot anew, as seen from where the hand is now: at most *left.  False when some had to stay. */
static bool
deal_out(struct wheel *w, unsigned level, unsigned slot, unsigned *left)
{
	struct list *from = &w->slots[level][slot];

	if ((w->occupied[level] >> slot & 1) == 0)
		return true;
	for (; !list_empty(from); (*left)--) {
		if (*left == 0)
			return false;
		hang(w, LIST_ENTRY(list_take_first(from), struct wheel_timer, node));
	}
	w->occupied[level] &= ~(1ull << slot);
	return true;
}

/* What the hand has come to at the higher levels. */
static bool
deal_all_out(struct wheel *w, unsigned *left)
{
	for (unsigned level = WHEEL_LEVELS; level-- > 1;)
		if (!deal_out(w, level, digit(w->tick, level), left))
			return false;
	return true;
}

/* Fires what hangs at the hand, at most *left.  Those whose deadline was moved later are hung anew. */
static unsigned
run_slot(struct wheel *w, uint64_t now_ns, unsigned *left)
{
	unsigned    slot = digit(w->tick, 0);
	unsigned    fired = 0;
	struct list due;

	if ((w->occupied[0] >> slot & 1) == 0)
		return 0;
	w->occupied[0] &= ~(1ull << slot);
	list_init(&due);
	list_splice(&due, &w->slots[0][slot]);
	for (struct list_node *n; *left && (n = list_take_first(&due)); (*left)--) {
		struct wheel_timer *timer = LIST_ENTRY(n, struct wheel_timer, node);

		if (timer->deadline_ns > now_ns) {
			hang(w, timer);
			continue;
		}
		w->count--;
		fired++;
		timer->fire(timer);
	}
	if (!list_empty(&due)) { /* in front of what was armed for now inside */
		list_splice(&due, &w->slots[0][slot]);
		list_splice(&w->slots[0][slot], &due);
		w->occupied[0] |= 1ull << slot;
	}
	return fired;
}

unsigned
wheel_run(struct wheel *w, uint64_t now_ns)
{
	uint64_t until = now_ns >> WHEEL_TICK_SHIFT;
	unsigned fired = 0, left = WHEEL_RUN_MAX, deals = WHEEL_DEAL_MAX;

	while (w->tick <= until && deal_all_out(w, &deals)) {
		unsigned behind = digit(w->tick, 0);
		uint64_t next;

		fired += run_slot(w, now_ns, &left);
		if (w->tick == until || left == 0)
			break;
		/* Jump over stretches in which nothing hangs. */
		next = w->count ? wheel_next(w) >> WHEEL_TICK_SHIFT : until;
		w->tick = MIN_OF(MAX_OF(next, w->tick + 1), until);
		/* What a handler armed for the past hangs where the hand was: few, and then the hand moved by one. */
		(void)deal_out(w, 0, behind, &(unsigned){ UINT32_MAX });
	}
	return fired;
}
