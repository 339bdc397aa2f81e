/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions are opened when there is more mail waiting than sessions on their way to it, and closed by themselves when they have
 * been idle.  The idle one used last is used first, so that those too many end soonest.
 *
 * Trouble has three sizes:
 *   - no host could be reached and no other session lives: the next hop is down, all that waits is deferred (or failed, when
 *     the trouble is final);
 *   - no host could be reached though other sessions live: the peer bears no more of them.  What is open goes on, and no
 *     further one is tried for a while;
 *   - sessions break in their transactions: each costs its own message an attempt; DESTINATION_FAILURES_MAX in a row with
 *     nothing brought to an end between them mean down.
 * That we ourselves have no descriptor or memory left is none of these.  What waits goes back untried unless other sessions
 * live, which may take it.
 *
 * A destination is freed when nothing is left of it: no mail, no session, no trouble to remember.  That it is down is
 * remembered until all that was deferred for it has come back once, so that it is met by one session and not by all.  Who makes us write to
 * ever new domains that are down (the senders of what we return) does not make us remember them all.
 */
#include "mta/outbound/destination.h"

#include <errno.h>

#include "mta/outbound/client.h"
#include "mta/outbound/keeper.h"

enum { STARVED_PAUSE_MS = 1000, STARVED_WORD_MS = 60 * 1000 };

static void pump(struct destination *dest);

/* --- life ----------------------------------------------------------------------------------------------------- */

/*
 * Where to connect is said by the generation by which the mail was routed.  Sessions made by another one end: at once when they
 * are idle or on their way, else after their transaction (destination_outlived).
 */
static void
use_settings(struct destination *dest, const struct delivery *d)
{
	struct settings *old = dest->settings;

	if (old == d->settings)
		return;
	dest->settings = settings_ref(d->settings);
	dest->kind = d->kind;
	dest->hops = d->hops;
	dest->address = d->address;
	settings_unref(old);
	LIST_FOR_EACH(&dest->idle, n)
		client_retire(LIST_ENTRY(n, struct client, node));
	LIST_FOR_EACH(&dest->busy, n) {
		struct client *c = LIST_ENTRY(n, struct client, node);

		if (!c->established)
			client_retire(c);
	}
}

/* How much, and how long: the newest that this core knows. */
static const struct settings *
limits_of(const struct destination *dest)
{
	return dest->out->core->settings;
}

static void
timer_fired(struct wheel_timer *timer)
{
	pump(CONTAINER_OF(timer, struct destination, timer));
}

static struct destination *
get(struct outbound *out, const struct delivery *d)
{
	struct table_node  *found = table_find(&out->destinations, d->name);
	struct destination *dest;

	if (found)
		return CONTAINER_OF(found, struct destination, node);
	dest = calloc(1, sizeof(*dest) + d->name.len + 1);
	if (dest == NULL)
		return NULL;
	memcpy(dest->name, d->name.data, d->name.len);
	dest->node.name = span_make(dest->name, d->name.len);
	dest->out = out;
	list_init(&dest->waiting);
	list_init(&dest->idle);
	list_init(&dest->busy);
	wheel_timer_init(&dest->timer, timer_fired);
	table_add(&out->destinations, &dest->node);
	outbound_count(out, OUTBOUND_DESTINATIONS, 1);
	return dest;
}

static void
set_down(struct destination *dest, bool down)
{
	if (down && !dest->is_down) {
		outbound_count(dest->out, OUTBOUND_DOWN, 1);
		outbound_count(dest->out, OUTBOUND_DOWNS, 1);
	} else if (!down && dest->is_down) {
		outbound_uncount(dest->out, OUTBOUND_DOWN, 1);
	}
	dest->is_down = down;
}

static bool
resting(const struct destination *dest)
{
	return dest->is_down && reactor_now(dest->out->reactor) < dest->down_until_ns;
}

/* Gone, when nothing is left to do or to remember. */
static void
review(struct destination *dest)
{
	struct outbound *out = dest->out;

	if (dest->sessions || dest->waiting_count || dest->in_flight)
		return;
	if (!out->draining && dest->is_down && reactor_now(out->reactor) < dest->forget_ns &&
	    out->destinations.count <= DESTINATIONS_DOWN_MAX) {
		wheel_arm(&out->reactor->wheel, &dest->timer, dest->forget_ns);
		return;
	}
	set_down(dest, false);
	wheel_disarm(&out->reactor->wheel, &dest->timer);
	table_remove(&out->destinations, &dest->node);
	outbound_uncount(out, OUTBOUND_DESTINATIONS, 1);
	settings_unref(dest->settings);
	free(dest);
}

/* --- trouble ---------------------------------------------------------------------------------------------------- */

static void
remember(struct destination *dest, const struct outcome *trouble)
{
	dest->trouble = *trouble;
	dest->trouble.host = span_first(trouble->host, sizeof(dest->trouble_host));
	dest->trouble.text = span_first(trouble->text, sizeof(dest->trouble_text));
	if (dest->trouble.host.len)
		memcpy(dest->trouble_host, trouble->host.data, dest->trouble.host.len);
	if (dest->trouble.text.len)
		memcpy(dest->trouble_text, trouble->text.data, dest->trouble.text.len);
	dest->trouble.host.data = dest->trouble_host;
	dest->trouble.text.data = dest->trouble_text;
}

static struct delivery *
take_waiting(struct destination *dest)
{
	struct list_node *n = list_take_first(&dest->waiting);

	if (n == NULL)
		return NULL;
	dest->waiting_count--;
	return LIST_ENTRY(n, struct delivery, node);
}

static void
return_waiting(struct destination *dest, const struct outcome *outcome)
{
	for (struct delivery *d; (d = take_waiting(dest));) {
		if (outcome)
			delivery_settle_all(d, outcome);
		keeper_return(dest->out, d);
	}
}

/* What waits has the trouble's outcome; final trouble (no such domain) is not a matter of time. */
static void
go_down(struct destination *dest)
{
	struct reactor *r = dest->out->reactor;
	uint64_t	pause_ms = limits_of(dest)->down_pause_ms;

	if (dest->trouble.kind == OUTCOME_DEFERRED) {
		set_down(dest, true);
		dest->down_until_ns = reactor_in_ms(r, pause_ms);
		dest->forget_ns = reactor_in_ms(r, pause_ms + limits_of(dest)->retry_max_ms);
		dest->down_until_ms = outbound_now_ms(dest->out) + (int64_t)pause_ms;
		log_warn(r->log, "destination-down", LOG_SPAN("dest", dest->node.name),
			 LOG_SPAN("host", dest->trouble.host), LOG_SPAN("why", dest->trouble.text),
			 LOG_UINT("waiting", dest->waiting_count), LOG_UINT("probe_in_s", pause_ms / 1000));
	}
	return_waiting(dest, &dest->trouble);
	/* Those still on their way have nothing to go for. */
	LIST_FOR_EACH(&dest->busy, n) {
		struct client *c = LIST_ENTRY(n, struct client, node);

		if (!c->established)
			client_retire(c);
	}
}

static void
go_up(struct destination *dest)
{
	if (!dest->is_down)
		return;
	set_down(dest, false);
	log_info(dest->out->reactor->log, "destination-up", LOG_SPAN("dest", dest->node.name));
}

void
destination_unreached(struct destination *dest, const struct outcome *trouble)
{
	remember(dest, trouble);
	if (dest->sessions == dest->connecting || trouble->kind == OUTCOME_FAILED) {
		go_down(dest);
		return;
	}
	dest->grow_after_ns = reactor_in_ms(dest->out->reactor, limits_of(dest)->down_pause_ms);
}

void
destination_starved(struct destination *dest, int error)
{
	struct outbound *out = dest->out;

	outbound_count(out, OUTBOUND_STARVED, 1);
	dest->grow_after_ns = reactor_in_ms(out->reactor, STARVED_PAUSE_MS);
	/* It is the same for all next hops: one word does for a while. */
	if (reactor_now(out->reactor) < out->starved_word_ns)
		return;
	out->starved_word_ns = reactor_in_ms(out->reactor, STARVED_WORD_MS);
	log_warn(out->reactor->log, "connect-paused", LOG_UINT("core", out->core->index),
		 LOG_SPAN("dest", dest->node.name), LOG_ERRNO("why", error));
}

void
destination_broke(struct destination *dest, const struct outcome *trouble)
{
	remember(dest, trouble);
	if (dest->out->draining || ++dest->failures < DESTINATION_FAILURES_MAX)
		return;
	dest->trouble.attempt = false;
	go_down(dest);
}

void
destination_reached(struct destination *dest, struct client *c)
{
	(void)c;
	dest->connecting--;
	if (dest->failures == 0)
		go_up(dest);
}

void
destination_works(struct destination *dest)
{
	dest->failures = 0;
	go_up(dest);
}

/* --- work --------------------------------------------------------------------------------------------------------- */

static void
give_work(struct destination *dest)
{
	while (dest->waiting_count && !list_empty(&dest->idle) && !dest->out->draining) {
		struct client	*c = LIST_ENTRY(dest->idle.head.next, struct client, node);
		struct delivery *d = take_waiting(dest);

		list_remove(&c->node);
		list_append(&dest->busy, &c->node);
		dest->in_flight++;
		client_take(c, d);
	}
}

static void
open_sessions(struct destination *dest)
{
	struct outbound *out = dest->out;
	uint64_t	 max = dest->is_down ? 1 : limits_of(dest)->destination_connections_max;

	while (dest->waiting_count > dest->connecting && dest->sessions < max &&
	       reactor_now(out->reactor) >= dest->grow_after_ns) {
		dest->sessions++;
		dest->connecting++;
		out->sessions++;
		outbound_count(out, OUTBOUND_SESSIONS, 1);
		if (client_start(dest))
			continue;
		dest->sessions--;
		dest->connecting--;
		out->sessions--;
		outbound_uncount(out, OUTBOUND_SESSIONS, 1);
		dest->grow_after_ns = reactor_in_ms(out->reactor, STARVED_PAUSE_MS);
	}
	if (dest->waiting_count > dest->connecting && dest->sessions < max)
		wheel_arm(&out->reactor->wheel, &dest->timer, dest->grow_after_ns);
}

struct delivery *
destination_next(struct destination *dest, struct client *c)
{
	struct delivery *d = dest->out->draining ? NULL : take_waiting(dest);

	list_remove(&c->node);
	if (d == NULL) {
		list_prepend(&dest->idle, &c->node);
		return NULL;
	}
	list_append(&dest->busy, &c->node);
	dest->in_flight++;
	/* It may be the one that found a next hop up again: the others need not wait for it. */
	open_sessions(dest);
	return d;
}

bool
destination_outlived(const struct destination *dest, const struct client *c)
{
	return c->settings != dest->settings || dest->sessions > limits_of(dest)->destination_connections_max;
}

static void
pump(struct destination *dest)
{
	give_work(dest);
	if (dest->out->draining) {
		return_waiting(dest, NULL);
	} else if (resting(dest)) {
		dest->trouble.attempt = false; /* nobody was asked */
		return_waiting(dest, &dest->trouble);
	}
	open_sessions(dest);
	if (dest->sessions == 0)
		return_waiting(dest, NULL); /* there is nothing to open one with */
	review(dest);
}

void
destination_done(struct destination *dest, struct delivery *d)
{
	dest->in_flight--;
	if (d->pending == 0 || dest->out->draining) {
		keeper_return(dest->out, d);
		return;
	}
	list_prepend(&dest->waiting, &d->node);
	dest->waiting_count++;
}

void
destination_give_back(struct destination *dest, struct delivery *d)
{
	dest->in_flight--;
	keeper_return(dest->out, d);
}

void
destination_left(struct destination *dest, struct client *c)
{
	struct outbound *out = dest->out;

	dest->sessions--;
	if (!c->established)
		dest->connecting--;
	else if (dest->sessions == 0)
		dest->grow_after_ns = 0; /* the peer bears one at least */
	out->sessions--;
	outbound_uncount(out, OUTBOUND_SESSIONS, 1);
	pump(dest);
	outbound_may_be_drained(out);
}

void
destination_accept(struct outbound *out, struct delivery *d)
{
	struct destination *dest;

	if (out->draining) {
		keeper_return(out, d);
		return;
	}
	dest = get(out, d);
	if (dest == NULL) {
		keeper_return(out, d);
		return;
	}
	use_settings(dest, d);
	list_append(&dest->waiting, &d->node);
	dest->waiting_count++;
	pump(dest);
}

/* --- beginning and end ---------------------------------------------------------------------------------------------- */

int
destination_init(struct outbound *out)
{
	uint64_t key;

	io_random(out->reactor->io, &key, sizeof(key));
	return table_init(&out->destinations, key);
}

static void
drain_one(void *arg, struct table_node *node)
{
	struct destination *dest = CONTAINER_OF(node, struct destination, node);

	(void)arg;
	return_waiting(dest, NULL);
	LIST_FOR_EACH(&dest->idle, n)
		client_retire(LIST_ENTRY(n, struct client, node));
	LIST_FOR_EACH(&dest->busy, n)
		client_retire(LIST_ENTRY(n, struct client, node));
	review(dest);
}

void
destination_drain_all(struct outbound *out)
{
	table_walk(&out->destinations, drain_one, NULL);
}

static void
stop_one(void *arg, struct table_node *node)
{
	struct destination *dest = CONTAINER_OF(node, struct destination, node);

	(void)arg;
	LIST_FOR_EACH(&dest->idle, n)
		client_stop(LIST_ENTRY(n, struct client, node));
	LIST_FOR_EACH(&dest->busy, n)
		client_stop(LIST_ENTRY(n, struct client, node));
}

void
destination_stop_all(struct outbound *out)
{
	table_walk(&out->destinations, stop_one, NULL);
}

void
destination_fini(struct outbound *out)
{
	table_fini(&out->destinations);
}
