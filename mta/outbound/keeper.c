/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recipient that is due is taken (queue_take) at once, whatever happens to it then: that pins its message, so that what
 * waits here may point to it, and the queue does not offer it again.
 *
 * Sorting a group of recipients of one message into lanes needs the envelope.  A fresh message is in memory and is routed in the
 * call that announces it; others wait unrouted until they are read.  What meets a full lane waits in its backlog, and is routed
 * anew when it comes out: by then the operator may have changed the routes.
 *
 * No loop here is longer than OUTBOUND_STEPS_MAX groups in one turn; a timer that is due at once continues in the next.
 *
 * Results are not worked on where they arrive but at the end of the turn: an owner on this core may return a delivery from
 * inside the call that hands it over, while the queue's handler is still looking at the message.
 */
#include "mta/outbound/keeper.h"

#include <errno.h>

#include "mta/outbound/destination.h"
#include "mta/outbound/settle.h"

enum { CHAIN_END = UINT32_MAX };

struct loading {
	struct queue_load load;
	struct outbound	 *out;
	struct lane	 *from; /* whose backlog it came from; NULL: not routed yet */
	unsigned	  count;
	uint32_t	  recipients[];
};

/* --- lanes ------------------------------------------------------------------------------------------------ */

/* Deliveries of one lane.  A lane that has as many is looked at again when one of them comes back. */
static unsigned
away_max(const struct outbound *out)
{
	uint64_t twice = 2 * out->core->settings->destination_connections_max;

	if (out->away >= OUTBOUND_AWAY_MAX / 4 * 3)
		return OUTBOUND_LANE_AWAY_LEAST;
	if (out->away >= OUTBOUND_AWAY_MAX / 2)
		return OUTBOUND_LANE_AWAY_FEW;
	return (unsigned)MAX_OF(twice, OUTBOUND_LANE_AWAY_MIN);
}

/* May any delivery be started? */
static bool
may_start(const struct outbound *out)
{
	return !out->draining && out->away < OUTBOUND_AWAY_MAX && out->reports_waiting < REPORTS_WAITING_MAX;
}

static bool
has_room(const struct outbound *out, const struct lane *lane)
{
	return may_start(out) && lane->away < away_max(out);
}

static struct lane *
lane_get(struct outbound *out, struct span name)
{
	struct table_node *found = table_find(&out->lanes, name);
	struct lane	  *lane;

	if (found)
		return CONTAINER_OF(found, struct lane, node);
	lane = malloc(sizeof(*lane) + name.len + 1);
	if (lane == NULL)
		return NULL;
	*lane = (struct lane){ .away = 0 };
	memcpy(lane->name, name.data, name.len);
	lane->name[name.len] = 0;
	lane->node.name = span_make(lane->name, name.len);
	list_node_init(&lane->ready);
	list_node_init(&lane->touched);
	table_add(&out->lanes, &lane->node);
	return lane;
}

/* Ready, or not, or gone: whatever its numbers say now. */
static void
lane_review(struct outbound *out, struct lane *lane)
{
	if (lane->backlog.count && lane->away < away_max(out)) {
		if (!list_linked(&lane->ready))
			list_append(&out->lanes_ready, &lane->ready);
		keeper_wake(out);
		return;
	}
	list_remove(&lane->ready);
	if (lane->away || lane->backlog.count || list_linked(&lane->touched))
		return;
	table_remove(&out->lanes, &lane->node);
	backlog_fini(&lane->backlog);
	free(lane);
}

static void
put_back(struct outbound *out, struct queue_message *m, uint32_t recipient, uint64_t pause_ms)
{
	outbound_count(out, OUTBOUND_PUT_BACK, 1);
	queue_put_back(out->core->queue, m, recipient, outbound_now_ms(out) + (int64_t)pause_ms);
}

static void
wait_in(struct outbound *out, struct backlog *backlog, struct queue_message *m, uint32_t recipient)
{
	if (backlog_add(backlog, m, recipient) != 0) {
		put_back(out, m, recipient, OUTBOUND_PUT_BACK_MS);
		return;
	}
	outbound_count(out, OUTBOUND_WAITING, 1);
}

/* --- handing over --------------------------------------------------------------------------------------------- */

static void
arrive(struct io *io, struct io_post *post)
{
	struct delivery *d = CONTAINER_OF(post, struct delivery, post);

	destination_accept(d->keeper->core->mta->cores[io_core(io)].outbound, d);
}

static void
hand_over(struct outbound *out, struct delivery *d)
{
	unsigned owner = route_owner(d->name, out->core->mta->core_count);

	out->away++;
	d->lane->away++;
	outbound_count(out, OUTBOUND_AWAY, 1);
	if (d->kind == ROUTE_NOWHERE) {
		delivery_settle_all(d, &(struct outcome){ .kind = OUTCOME_FAILED, .status = { 5, 1, 2 },
							  .text = SPAN_LITERAL("the address has no usable domain") });
		keeper_return(out, d);
		return;
	}
	if (owner == out->core->index) {
		destination_accept(out, d);
		return;
	}
	io_post_init(&d->post, arrive);
	io_post_to(out->reactor->io, owner, &d->post);
}

static void
come_back(struct outbound *out, struct delivery *d)
{
	list_append(&out->returned, &d->node);
	reactor_at_turn_end(out->reactor, &out->settle);
}

static void
come_home(struct io *io, struct io_post *post)
{
	struct delivery *d = CONTAINER_OF(post, struct delivery, post);

	(void)io;
	come_back(d->keeper, d);
}

void
keeper_return(struct outbound *here, struct delivery *d)
{
	INVARIANT(!list_linked(&d->node));
	if (here == d->keeper) {
		come_back(here, d);
		return;
	}
	io_post_init(&d->post, come_home);
	io_post_to(here->reactor->io, d->keeper->core->index, &d->post);
}

static void
settle_returned(struct reactor_hook *hook)
{
	struct outbound *out = CONTAINER_OF(hook, struct outbound, settle);

	for (struct list_node *n; (n = list_take_first(&out->returned));)
		settle_delivery(out, LIST_ENTRY(n, struct delivery, node));
	outbound_may_be_drained(out);
}

void
keeper_release(struct outbound *out, struct delivery *d)
{
	struct lane *lane = d->lane;

	out->away--;
	outbound_uncount(out, OUTBOUND_AWAY, 1);
	lane->away--;
	d->lane = NULL;
	d->name = span_make("", 0);
	if (!list_empty(&out->lanes_ready))
		keeper_wake(out);
	lane_review(out, lane);
}

void
keeper_forget(struct outbound *out, struct delivery *d)
{
	if (d->lane)
		keeper_release(out, d);
	queue_view_unref(out->core->queue, d->view);
	d->view = NULL;
	delivery_free(d);
}

/* --- sorting recipients into lanes ---------------------------------------------------------------------------- */

struct group {
	struct queue_message *message;
	struct queue_view    *view;
	const uint32_t	     *recipients;
	unsigned	      count;
	uint32_t	      next[DELIVERY_RECIPIENTS_MAX]; /* chains of those in one lane */
};

static bool
sort_one(struct outbound *out, struct group *g, unsigned i, struct list *touched)
{
	struct route route;
	struct lane *lane;

	route_find(out->core->settings, g->view->envelope.recipients[g->recipients[i]].address, &route);
	lane = lane_get(out, route.name);
	if (lane == NULL)
		return false;
	g->next[i] = CHAIN_END;
	if (list_linked(&lane->touched)) {
		g->next[lane->last] = i;
	} else {
		list_append(touched, &lane->touched);
		lane->first = i;
		lane->tally = 0;
		lane->kind = route.kind;
		lane->hops = route.hops;
		lane->address = route.address;
	}
	lane->last = i;
	lane->tally++;
	return true;
}

static bool
start_delivery(struct outbound *out, struct lane *lane, const struct group *g)
{
	uint32_t	 recipients[DELIVERY_RECIPIENTS_MAX] OUTBOUND_UNCLEARED;
	unsigned	 count = 0;
	struct delivery *d;

	for (uint32_t i = lane->first; i != CHAIN_END; i = g->next[i])
		recipients[count++] = g->recipients[i];
	INVARIANT(count == lane->tally);
	d = delivery_new(out, lane, g->message, g->view, recipients, count);
	if (d == NULL)
		return false;
	d->view = queue_view_ref(g->message);
	INVARIANT(d->view == g->view); /* it is in memory: we hold a reference */
	d->name = lane->node.name;
	d->kind = lane->kind;
	d->hops = lane->hops;
	d->address = lane->address;
	hand_over(out, d);
	return true;
}

/* from: the lane whose turn it is, which may pass its own backlog. */
static void
sort_group(struct outbound *out, struct group *g, const struct lane *from)
{
	struct list touched;

	list_init(&touched);
	for (unsigned i = 0; i < g->count; i++)
		if (!sort_one(out, g, i, &touched))
			put_back(out, g->message, g->recipients[i], OUTBOUND_PUT_BACK_MS);
	for (struct list_node *n; (n = list_take_first(&touched));) {
		struct lane *lane = LIST_ENTRY(n, struct lane, touched);

		if (lane == from || (has_room(out, lane) && lane->backlog.count == 0)) {
			if (!start_delivery(out, lane, g))
				for (uint32_t i = lane->first; i != CHAIN_END; i = g->next[i])
					put_back(out, g->message, g->recipients[i], OUTBOUND_PUT_BACK_MS);
		} else {
			for (uint32_t i = lane->first; i != CHAIN_END; i = g->next[i])
				wait_in(out, &lane->backlog, g->message, g->recipients[i]);
		}
		lane_review(out, lane);
	}
}

/* What the operator did meanwhile counts.  True: it has gone back, and with the last one of a doomed message the message. */
static bool
stopped(struct outbound *out, const struct group *g)
{
	struct queue_message *m = g->message;

	if (!m->held && !m->doomed)
		return false;
	for (unsigned i = 0; i < g->count; i++)
		put_back(out, m, g->recipients[i], 0);
	return true;
}

/* --- reading what is not in memory ------------------------------------------------------------------------------ */

static void
loaded(struct queue_load *load, int result)
{
	struct loading	*l = CONTAINER_OF(load, struct loading, load);
	struct outbound *out = l->out;
	struct group g	 OUTBOUND_UNCLEARED;

	out->loads--;
	out->loads_unrouted -= l->from == NULL;
	if (result == 0 && !out->draining) {
		g.message = load->message;
		g.view = load->view;
		g.recipients = l->recipients;
		g.count = l->count;
		if (!stopped(out, &g))
			sort_group(out, &g, l->from);
	} else {
		/* A record that cannot be read is the operator's to look at (the queue has said so); mail stays. */
		uint64_t pause = result == -ENOMEM || result == 0 ? OUTBOUND_PUT_BACK_MS
								  : out->core->settings->retry_max_ms;

		for (unsigned i = 0; i < l->count; i++)
			put_back(out, load->message, l->recipients[i], pause);
	}
	if (result == 0)
		queue_view_unref(out->core->queue, load->view);
	if (l->from) {
		l->from->away--;
		lane_review(out, l->from);
	}
	if (out->unrouted.count || !list_empty(&out->lanes_ready))
		keeper_wake(out);
	free(l);
	outbound_may_be_drained(out);
}

static void
read_group(struct outbound *out, struct lane *from, const struct group *g)
{
	struct loading *l = malloc(sizeof(*l) + g->count * sizeof(l->recipients[0]));

	if (l == NULL) {
		for (unsigned i = 0; i < g->count; i++)
			put_back(out, g->message, g->recipients[i], OUTBOUND_PUT_BACK_MS);
		return;
	}
	*l = (struct loading){ .load.done = loaded, .out = out, .from = from, .count = g->count };
	memcpy(l->recipients, g->recipients, g->count * sizeof(l->recipients[0]));
	out->loads++;
	out->loads_unrouted += from == NULL;
	if (from)
		from->away++;
	queue_load(out->core->queue, g->message, &l->load);
}

/* The next group of a backlog is sorted, or read first. */
static void
start_next(struct outbound *out, struct backlog *backlog, struct lane *from)
{
	uint32_t recipients[DELIVERY_RECIPIENTS_MAX] OUTBOUND_UNCLEARED;
	struct group g OUTBOUND_UNCLEARED;

	g.recipients = recipients;
	g.message = backlog_take(backlog, recipients, COUNT_OF(recipients), &g.count);
	outbound_uncount(out, OUTBOUND_WAITING, g.count);
	if (stopped(out, &g))
		return;
	g.view = queue_view_ref(g.message);
	if (g.view == NULL) {
		read_group(out, from, &g);
		return;
	}
	sort_group(out, &g, from);
	queue_view_unref(out->core->queue, g.view);
}

static void
step(struct reactor_hook *hook)
{
	struct outbound *out = CONTAINER_OF(hook, struct outbound, step);
	unsigned	 steps = 0;

	out->stepping = true;
	/* Half of the readings, lest a long past to be sorted keeps from its turn what is sorted. */
	while (!out->draining && out->unrouted.count && out->loads_unrouted < OUTBOUND_LOADS_MAX / 2 &&
	       steps++ < OUTBOUND_STEPS_MAX)
		start_next(out, &out->unrouted, NULL);
	while (may_start(out) && !list_empty(&out->lanes_ready) &&
	       out->loads - out->loads_unrouted < OUTBOUND_LOADS_MAX / 2 &&
	       steps++ < OUTBOUND_STEPS_MAX) {
		/* Lanes take turns. */
		struct lane *lane = LIST_ENTRY(list_take_first(&out->lanes_ready), struct lane, ready);

		if (lane->away >= away_max(out))
			continue;
		lane->away++; /* keeps it while it is looked at */
		start_next(out, &lane->backlog, lane);
		lane->away--;
		lane_review(out, lane);
	}
	out->stepping = false;
	if (steps > OUTBOUND_STEPS_MAX)
		wheel_arm(&out->reactor->wheel, &out->again, reactor_now(out->reactor));
}

static void
step_again(struct wheel_timer *timer)
{
	keeper_wake(CONTAINER_OF(timer, struct outbound, again));
}

void
keeper_wake(struct outbound *out)
{
	/* A turn's end runs hooks until none is left; what is long goes on in the next turn. */
	if (!out->draining && !out->stepping && !wheel_timer_armed(&out->again))
		reactor_at_turn_end(out->reactor, &out->step);
}

/* --- the queue's announcement -------------------------------------------------------------------------------------- */

/* A clock that was set back must not leave a message that the queue holds for due without anybody who took it. */
static uint64_t
horizon(const struct outbound *out, const struct queue_message *m)
{
	uint64_t earliest = UINT64_MAX, now = (uint64_t)outbound_now_ms(out);

	for (uint32_t i = 0; i < m->recipient_count; i++)
		if (m->recipients[i].state == QUEUE_WAITING && m->recipients[i].due_ms < earliest)
			earliest = m->recipients[i].due_ms;
	return MAX_OF(earliest, now);
}

void
keeper_due(struct outbound *out, struct queue_message *m)
{
	uint32_t recipients[DELIVERY_RECIPIENTS_MAX] OUTBOUND_UNCLEARED;
	struct group g OUTBOUND_UNCLEARED;
	uint64_t until;

	if (out->draining)
		return;
	g.message = m;
	g.recipients = recipients;
	g.count = 0;
	g.view = queue_view_ref(m);
	until = horizon(out, m);
	for (uint32_t i = 0; i < m->recipient_count; i++) {
		if (m->recipients[i].state != QUEUE_WAITING || m->recipients[i].due_ms > until ||
		    !queue_take(out->core->queue, m, i))
			continue;
		if (g.view == NULL) {
			wait_in(out, &out->unrouted, m, i);
			continue;
		}
		recipients[g.count++] = i;
		if (g.count == COUNT_OF(recipients)) {
			sort_group(out, &g, NULL);
			g.count = 0;
		}
	}
	if (g.view) {
		sort_group(out, &g, NULL);
		queue_view_unref(out->core->queue, g.view);
	} else {
		keeper_wake(out);
	}
}

/* --- beginning and end ---------------------------------------------------------------------------------------------- */

int
keeper_init(struct outbound *out)
{
	uint64_t key;

	io_random(out->reactor->io, &key, sizeof(key));
	list_init(&out->lanes_ready);
	list_init(&out->returned);
	reactor_hook_init(&out->step, step);
	reactor_hook_init(&out->settle, settle_returned);
	wheel_timer_init(&out->again, step_again);
	return table_init(&out->lanes, key);
}

static void
drop_lane(void *arg, struct table_node *node)
{
	struct outbound *out = arg;
	struct lane	*lane = CONTAINER_OF(node, struct lane, node);

	outbound_uncount(out, OUTBOUND_WAITING, lane->backlog.count);
	backlog_fini(&lane->backlog);
	lane_review(out, lane);
}

/* What is dropped here stays in hand in memory and waiting on disk, where the next start finds it. */
void
keeper_drain(struct outbound *out)
{
	wheel_disarm(&out->reactor->wheel, &out->again);
	reactor_hook_cancel(&out->step);
	outbound_uncount(out, OUTBOUND_WAITING, out->unrouted.count);
	backlog_fini(&out->unrouted);
	table_walk(&out->lanes, drop_lane, out);
}

bool
keeper_idle(const struct outbound *out)
{
	return out->away == 0 && out->loads == 0 && list_empty(&out->returned);
}

void
keeper_fini(struct outbound *out)
{
	INVARIANT(keeper_idle(out));
	keeper_drain(out);
	reactor_hook_cancel(&out->settle);
	table_fini(&out->lanes);
}
