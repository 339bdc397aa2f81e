/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/reactor.h - one core's world: its seam, its timers, its log, its counters, its budget.
 *
 * One thread runs one reactor, pinned; nothing mutable is shared.  Everything on a reactor runs to
 * completion and never waits (P6 of docs/architecture.md).  A turn is: completions, posts from other cores, due timers,
 * then the hooks that asked for the end of the turn (replies of a pipelined group leave in one
 * send, messages that became ready share one commit).
 */
#ifndef CORE_REACTOR_H
#define CORE_REACTOR_H

#include "core/budget.h"
#include "core/counter.h"
#include "core/io.h"
#include "core/log.h"
#include "core/wheel.h"

struct reactor_hook {
	struct list_node node;
	void (*run)(struct reactor_hook *hook);
};

#define REACTOR_COUNTERS(X)                                                                        \
	X(TURNS, "reactor_turns_total", COUNTER_TOTAL, "Turns of the loop.")                       \
	X(EVENTS, "reactor_events_total", COUNTER_TOTAL, "Completions handled.")                   \
	X(TIMERS, "reactor_timers_total", COUNTER_TOTAL, "Timers fired.")                          \
	X(STALLS, "reactor_stalls_total", COUNTER_TOTAL, "Turns that ran longer than 50 ms.")      \
	X(POSTS, "reactor_posts_total", COUNTER_TOTAL, "Messages to other cores.")                   \
	X(WAKES, "reactor_wakes_total", COUNTER_TOTAL, "Sleeping cores woken by one.")               \
	X(MEMORY_USED, "memory_budget_used_bytes", COUNTER_GAUGE, "Octets taken from the memory budget.")

enum reactor_counter {
#define X(id, ...) REACTOR_##id,
	REACTOR_COUNTERS(X)
#undef X
	REACTOR_COUNTER_COUNT
};

struct reactor {
	struct io	    *io;
	struct log	    *log;
	struct wheel	     wheel;
	struct budget	     memory;   /* octets; sessions, bodies and queues take from it */
	struct list	     turn_end; /* hooks to run once at the end of this turn */
	struct list	     counter_groups;
	struct counter_group counters;
	counter_value	     values[REACTOR_COUNTER_COUNT];
	unsigned	     core, core_count;
	uint64_t	     alarm_ns; /* UINT64_MAX: not set */
	void (*alarm)(struct reactor *r);
	bool		     stopping; /* leave reactor_run() after this turn */
	void		    *owner;    /* what the floor above hung here */
};

struct reactor_params {
	unsigned	core, core_count;
	unsigned	recv_buffer_count, recv_buffer_size; /* 0: defaults */
	uint64_t	memory_max;	/* octets of budget */
	int		log_fd;
	enum log_format log_format;
	enum log_level	log_level;
};

/* Called on the thread that will run it.  0, or -errno with *why a sentence (static). */
int MUST_CHECK reactor_open(struct reactor *r, struct io_net *net, const struct reactor_params *p,
			    const char **why);
/* Turns until reactor_stop(). */
void reactor_run(struct reactor *r);
/* One turn that sleeps at most until deadline_ns; for tests. */
void reactor_turn(struct reactor *r, uint64_t deadline_ns);
void reactor_stop(struct reactor *r);
void reactor_close(struct reactor *r);

/* The reactor of a seam, in handlers of posts. */
static inline struct reactor *
reactor_of(const struct io *io)
{
	return (struct reactor *)io_owner(io);
}

static inline uint64_t
reactor_now(const struct reactor *r)
{
	return io_mono(r->io);
}

/* Runs hook->run once at the end of this turn; asking twice in one turn is one run. */
void reactor_hook_init(struct reactor_hook *hook, void (*run)(struct reactor_hook *hook));
void reactor_at_turn_end(struct reactor *r, struct reactor_hook *hook);
/* Forgets a pending hook; harmless when none is pending. */
void reactor_hook_cancel(struct reactor_hook *hook);
static inline bool
reactor_hook_pending(const struct reactor_hook *hook)
{
	return list_linked(&hook->node);
}

/* Seconds and milliseconds from now, for wheel_arm(). */
static inline uint64_t
reactor_in_ms(const struct reactor *r, uint64_t ms)
{
	return io_mono(r->io) + ms * 1000000u;
}

static inline void
reactor_arm_ms(struct reactor *r, struct wheel_timer *timer, uint64_t ms)
{
	wheel_arm(&r->wheel, timer, reactor_in_ms(r, ms));
}

/* Fires when timers are run next, in this turn or the following one: the tick that has begun counts as over.  A timer for
 * "0 ms" would wait for its end. */
static inline void
reactor_arm_soon(struct reactor *r, struct wheel_timer *timer)
{
	wheel_arm(&r->wheel, timer, io_mono(r->io) >> WHEEL_TICK_SHIFT << WHEEL_TICK_SHIFT);
}

/*
 * Runs `alarm` once, in the first turn at or after at_ns, behind the timers: the one deadline that is kept to the
 * microsecond, for who has to do something at its time, as a load generator; whoever can wait for a tick has the
 * wheel.  A reactor has one alarm, and asking again moves it.
 */
static inline void
reactor_set_alarm(struct reactor *r, uint64_t at_ns, void (*alarm)(struct reactor *r))
{
	r->alarm_ns = at_ns;
	r->alarm = alarm;
}

/* Counter groups are shown by the admin tool; register once, before the reactor runs. */
void reactor_add_counters(struct reactor *r, struct counter_group *group);

/* Pins the calling thread to the core-th processor of the process's own set. */
void reactor_pin_thread(unsigned core);

#endif
