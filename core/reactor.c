/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop.  Hooks run after timers, and hooks that a hook asks for run in the same turn: a hook must not
 * ask for itself for ever.  What they start leaves with the next submission, which is the beginning of the next turn.
 *
 * With jemalloc each core allocates from an arena of its own: no lock is shared, and memory that one core
 * frees for another goes back to where it came from.
 */
#include "core/reactor.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>
#ifdef RINGPOST_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

enum {
	RECV_BUFFER_COUNT = 256, /* a turn's receives beyond them are asked for again */
	RECV_BUFFER_SIZE = 64 * 1024, /* a large text comes in few steps */
	QUEUE_ENTRIES = 4096,
	CLOSE_TURNS_MAX = 1000, /* what is left in the log gets this many turns */
};

#define STALL_NS UINT64_C(50000000)

static COUNTER_TABLE(reactor_counter_rows, REACTOR_COUNTERS);

/* Without an arena of its own the thread allocates from a shared one: slower, not wrong. */
static void
use_own_arena(void)
{
#ifdef RINGPOST_JEMALLOC
	unsigned arena;
	size_t	 size = sizeof(arena);

	if (mallctl("arenas.create", &arena, &size, NULL, 0) == 0)
		(void)mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
#endif
}

int
reactor_open(struct reactor *r, struct io_net *net, const struct reactor_params *p, const char **why)
{
	const struct io_params io = {
		.core = p->core,
		.core_count = p->core_count,
		.queue_entries = QUEUE_ENTRIES,
		.recv_buffer_count = p->recv_buffer_count ? p->recv_buffer_count : RECV_BUFFER_COUNT,
		.recv_buffer_size = p->recv_buffer_size ? p->recv_buffer_size : RECV_BUFFER_SIZE,
	};
	int result;

	use_own_arena();
	*r = (struct reactor){
		.memory = { .max = p->memory_max },
		.core = p->core,
		.core_count = p->core_count,
		.alarm_ns = UINT64_MAX,
	};
	result = io_open_seam(&r->io, net, &io, why);
	if (result < 0)
		return result;
	io_set_owner(r->io, r);
	r->log = log_new(r->io, p->log_fd, p->log_format, p->log_level);
	if (r->log == NULL) {
		io_close_seam(r->io);
		*why = "no memory for the log";
		return -ENOMEM;
	}
	wheel_init(&r->wheel, io_mono(r->io));
	list_init(&r->turn_end);
	list_init(&r->counter_groups);
	list_node_init(&r->counters.node);
	r->counters.rows = reactor_counter_rows;
	r->counters.values = r->values;
	r->counters.count = REACTOR_COUNTER_COUNT;
	reactor_add_counters(r, &r->counters);
	return 0;
}

void
reactor_close(struct reactor *r)
{
	for (unsigned i = 0; i < CLOSE_TURNS_MAX && !log_idle(r->log); i++) {
		log_flush(r->log);
		(void)io_turn(r->io, io_mono(r->io) + 10000000u);
	}
	io_close_seam(r->io);
	log_free(r->log);
	r->io = NULL;
	r->log = NULL;
}

static void
run_hooks(struct reactor *r)
{
	for (struct list_node *n; (n = list_take_first(&r->turn_end));) {
		struct reactor_hook *hook = LIST_ENTRY(n, struct reactor_hook, node);

		hook->run(hook);
	}
}

void
reactor_turn(struct reactor *r, uint64_t deadline_ns)
{
	uint64_t next = MIN_OF(wheel_next(&r->wheel), log_due(r->log));
	struct io_crossings crossings;
	uint64_t took;
	unsigned events;

	/* Hooks asked for outside of a turn (at start) do not wait for an event. */
	if (!list_empty(&r->turn_end))
		deadline_ns = 0;
	events = io_turn(r->io, MIN_OF(deadline_ns, MIN_OF(next, r->alarm_ns)));
	counter_add(&r->values[REACTOR_EVENTS], events);
	counter_add(&r->values[REACTOR_TIMERS], wheel_run(&r->wheel, io_mono(r->io)));
	if (UNLIKELY(io_mono(r->io) >= r->alarm_ns)) {
		r->alarm_ns = UINT64_MAX;
		r->alarm(r);
	}
	run_hooks(r);
	if (log_due(r->log) <= io_mono(r->io))
		log_flush(r->log);
	counter_add(&r->values[REACTOR_TURNS], 1);
	counter_set(&r->values[REACTOR_MEMORY_USED], r->memory.used);
	crossings = io_crossings(r->io);
	counter_set(&r->values[REACTOR_POSTS], crossings.posts);
	counter_set(&r->values[REACTOR_WAKES], crossings.wakes);
	took = io_mono_now(r->io) - io_mono(r->io);
	if (UNLIKELY(took > STALL_NS)) {
		counter_add(&r->values[REACTOR_STALLS], 1);
		log_warn(r->log, "stall", LOG_UINT("core", r->core), LOG_UINT("ms", took / 1000000),
			 LOG_UINT("events", events));
	}
}

void
reactor_run(struct reactor *r)
{
	while (!r->stopping)
		reactor_turn(r, UINT64_MAX);
}

void
reactor_stop(struct reactor *r)
{
	r->stopping = true;
}

void
reactor_hook_init(struct reactor_hook *hook, void (*run)(struct reactor_hook *hook))
{
	list_node_init(&hook->node);
	hook->run = run;
}

void
reactor_at_turn_end(struct reactor *r, struct reactor_hook *hook)
{
	if (!list_linked(&hook->node))
		list_append(&r->turn_end, &hook->node);
}

void
reactor_hook_cancel(struct reactor_hook *hook)
{
	list_remove(&hook->node);
}

void
reactor_add_counters(struct reactor *r, struct counter_group *group)
{
	list_node_init(&group->node);
	list_append(&r->counter_groups, &group->node);
}

void
reactor_pin_thread(unsigned core)
{
	cpu_set_t allowed, own;
	unsigned  wanted;

	/* Not being pinned costs speed only. */
	if (sched_getaffinity(getpid(), sizeof(allowed), &allowed) != 0)
		return;
	wanted = core % (unsigned)MAX_OF(CPU_COUNT(&allowed), 1);
	CPU_ZERO(&own);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
			CPU_SET(cpu, &own);
			(void)sched_setaffinity(0, sizeof(own), &own);
			return;
		}
}
