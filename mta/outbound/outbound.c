/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginning, end and what the operator sees.  The work is in keeper.c (messages of this shard) and destination.c (next hops
 * of this core).
 *
 * Draining waits for both roles: no delivery of ours is away, and no session of this core is open.  Deliveries of other
 * cores that still arrive go straight back, for as long as this reactor turns; so no core may stop turning before all
 * have drained.
 */
#include "mta/outbound/outbound.h"

#include <errno.h>

#include "mta/outbound/client.h"
#include "mta/outbound/destination.h"
#include "mta/outbound/keeper.h"
#include "mta/outbound/reporter.h"

static COUNTER_TABLE(outbound_counter_rows, OUTBOUND_COUNTERS);

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void
see_whether_drained(struct reactor_hook *hook)
{
	struct outbound *out = CONTAINER_OF(hook, struct outbound, ending);

	if (out->drained_told || out->sessions || !keeper_idle(out) || !reporter_idle(out))
		return;
	out->drained_told = true;
	wheel_disarm(&out->reactor->wheel, &out->deadline);
	out->drained(out->core);
}

void
outbound_may_be_drained(struct outbound *out)
{
	if (out->draining && !out->drained_told)
		reactor_at_turn_end(out->reactor, &out->ending);
}

static void
too_late(struct wheel_timer *timer)
{
	destination_stop_all(CONTAINER_OF(timer, struct outbound, deadline));
}

void
outbound_drain(struct outbound *out, void (*drained)(struct mta_core *core))
{
	INVARIANT(!out->draining);
	out->draining = true;
	out->drained = drained;
	reactor_arm_ms(out->reactor, &out->deadline, out->core->settings->shutdown_deadline_ms);
	keeper_drain(out);
	destination_drain_all(out);
	reporter_drain(out);
	outbound_may_be_drained(out);
}

void
outbound_free(struct outbound *out)
{
	if (out == NULL)
		return;
	INVARIANT(out->sessions == 0);
	wheel_disarm(&out->reactor->wheel, &out->deadline);
	reactor_hook_cancel(&out->ending);
	list_remove(&out->group.node);
	reporter_fini(out);
	keeper_fini(out);
	destination_fini(out);
	free(out);
}

/* --- the beginning -------------------------------------------------------------------------------------------------- */

int
outbound_open(struct mta_core *core, const char **why)
{
	struct outbound *out = calloc(1, sizeof(*out));

	*why = "no memory for the sending side";
	if (out == NULL)
		return -ENOMEM;
	out->core = core;
	out->reactor = &core->reactor;
	reactor_hook_init(&out->ending, see_whether_drained);
	wheel_timer_init(&out->deadline, too_late);
	if (keeper_init(out) != 0)
		goto no_keeper;
	if (reporter_init(out) != 0)
		goto no_reporter;
	if (destination_init(out) != 0)
		goto no_destinations;
	out->group = (struct counter_group){ .rows = outbound_counter_rows, .values = out->values,
					     .count = OUTBOUND_COUNTER_COUNT };
	reactor_add_counters(out->reactor, &out->group);
	core->outbound = out;
	return 0;

no_destinations:
	reporter_fini(out);
no_reporter:
	keeper_fini(out);
no_keeper:
	free(out);
	return -ENOMEM;
}

void
outbound_due(struct queue *q, struct queue_message *m)
{
	struct mta_core *core = queue_owner(q);

	keeper_due(core->outbound, m);
}

/*
 * Nothing to do at once: limits are looked up when they are needed, routes for each delivery, and a session made by an older
 * generation ends when a delivery of a newer one has come.  What waits may have more room now.
 */
void
outbound_reload(struct outbound *out)
{
	keeper_wake(out);
}

static void
end_pause(void *arg, struct table_node *node)
{
	struct destination *dest = CONTAINER_OF(node, struct destination, node);

	(void)arg;
	dest->down_until_ns = dest->grow_after_ns = 0;
	dest->down_until_ms = MIN_OF(dest->down_until_ms, outbound_now_ms(dest->out));
}

void
outbound_end_pauses(struct outbound *out)
{
	table_walk(&out->destinations, end_pause, NULL);
}

/* --- what the operator sees ------------------------------------------------------------------------------------------- */

struct visitor {
	void (*visit)(void *arg, const struct outbound_destination_status *d);
	void *arg;
};

static void
show(void *arg, struct table_node *node)
{
	const struct visitor	 *v = arg;
	const struct destination *dest = CONTAINER_OF(node, struct destination, node);

	v->visit(v->arg, &(struct outbound_destination_status){
				 .name = dest->node.name,
				 .waiting = dest->waiting_count,
				 .in_flight = dest->in_flight,
				 .sessions = dest->sessions,
				 .session_max = (uint32_t)dest->out->core->settings->destination_connections_max,
				 .down_until_ms = dest->is_down ? dest->down_until_ms : 0,
				 .why = dest->trouble.text,
			 });
}

void
outbound_destinations(struct outbound *out, void (*visit)(void *arg, const struct outbound_destination_status *d),
		      void *arg)
{
	struct visitor v = { visit, arg };

	table_walk(&out->destinations, show, &v);
}
