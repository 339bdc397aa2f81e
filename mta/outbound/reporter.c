/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports are written as fast as the disk syncs, refusals come as fast as the network brings them.  So there are bounds: of
 * what is gathered, beyond which a report is written at once, and of what waits to be written, beyond which the keeper starts
 * nothing that could be refused.
 *
 * A gathering holds the deliveries whose outcomes a sender must hear of.  Their recipients stay in hand, which pins the message;
 * `in_hand` of the message then says whether anything else of it is still under way.  Once it is being written a
 * gathering is closed: what comes later makes another.
 *
 * Every way out settles each recipient: with the report, in its own record; or without it, when memory or spool are out, as
 * a deferral (settle_without_report).
 */
#include "mta/outbound/reporter.h"

#include <errno.h>

#include "mta/outbound/keeper.h"
#include "mta/outbound/report.h"
#include "mta/outbound/settle.h"

enum { APPEND_STEP = 64 * 1024 };

struct gathering {
	struct table_node     node; /* by id, while open */
	struct list_node      ready;
	struct outbound	     *out;
	struct id	      id;
	struct queue_message *message;
	struct list	      deliveries;
	unsigned	      count; /* recipients to tell of */
	struct wheel_timer    timer;
	/* while written */
	struct io_op	      read;
	char		     *fetched;
	size_t		      fetched_size, fetched_len, piece_at;
	unsigned	      piece;
	bool		      damaged;
	struct queue_intake   intake;
	struct report_text    report;
	size_t		      appended;
};

static struct queue_view *
view_of(const struct gathering *g)
{
	return LIST_ENTRY(g->deliveries.head.next, struct delivery, node)->view;
}

static void reporter_write(struct gathering *g);

static void
write_waiting(struct outbound *out)
{
	/* One that ends at once comes back here: the loop goes on, the stack does not grow. */
	if (out->reporting)
		return;
	out->reporting = true;
	while (!list_empty(&out->to_report) && out->reports < REPORTS_MAX) {
		out->reports_waiting--;
		reporter_write(LIST_ENTRY(list_take_first(&out->to_report), struct gathering, ready));
	}
	out->reporting = false;
	if (!list_empty(&out->lanes_ready))
		keeper_wake(out);
}

/* --- the end of one ------------------------------------------------------------------------------------------ */

static void
finish(struct gathering *g, int error)
{
	struct outbound	     *out = g->out;
	const struct envelope *e = &view_of(g)->envelope;
	struct id	       about = g->id;

	if (error) {
		outbound_count(out, OUTBOUND_REPORTS_FAILED, 1);
		log_warn(out->reactor->log, "report-failed", LOG_ID("about", e->id), LOG_SPAN("to", e->sender),
			 LOG_UINT("recipients", g->count), LOG_ERRNO("why", -error));
	} else {
		outbound_count(out, OUTBOUND_REPORTS, 1);
		log_info(out->reactor->log, "report", LOG_ID("id", g->intake.id), LOG_ID("about", e->id),
			 LOG_SPAN("to", e->sender), LOG_UINT("recipients", g->count), LOG_UINT("size", g->report.len));
	}
	for (struct list_node *n; (n = list_take_first(&g->deliveries));) {
		struct delivery *d = LIST_ENTRY(n, struct delivery, node);

		if (error)
			settle_without_report(out, d);
		else
			for (unsigned i = 0; i < d->count; i++)
				if (d->recipients[i].tell != TELL_NOTHING)
					settle_log(out, d, &d->recipients[i]);
		keeper_forget(out, d);
	}
	if (g->fetched) {
		budget_give(&out->reactor->memory, g->fetched_size);
		free(g->fetched);
	}
	free(g->report.data);
	free(g);
	out->reports--;
	reporter_review(out, about); /* another one of the same message may have waited for these recipients */
	write_waiting(out);
	outbound_may_be_drained(out);
}

/* --- storing it ------------------------------------------------------------------------------------------------- */

static void
stored(struct queue_intake *in, int result)
{
	finish(CONTAINER_OF(in, struct gathering, intake), result);
}

static void
commit(struct gathering *g)
{
	const struct envelope	 *about = &view_of(g)->envelope;
	struct envelope_recipient to = { .address = about->sender };
	struct envelope		  e = {
		.id = g->intake.id,
		.accepted_ms = outbound_now_ms(g->out),
		.flags = g->report.flags,
		.helo = g->out->core->settings->hostname,
		.origin = about->id,
		.body_octets = g->intake.octets,
		.recipient_count = 1,
		.recipients = &to,
	};
	struct queue_result    *results = malloc(g->count * sizeof(*results));
	struct queue_settlement settle = { .message = g->message, .results = results };

	if (results == NULL) {
		queue_intake_abort(&g->intake);
		finish(g, -ENOMEM);
		return;
	}
	LIST_FOR_EACH(&g->deliveries, n) {
		struct delivery *d = LIST_ENTRY(n, struct delivery, node);

		for (unsigned i = 0; i < d->count; i++)
			if (d->recipients[i].tell != TELL_NOTHING)
				settle_result(&d->recipients[i], &results[settle.count++]);
	}
	INVARIANT(settle.count == g->count);
	queue_intake_commit(&g->intake, &e, &settle);
	free(results);
}

/* On from where it stopped, until all is appended or the disk is behind. */
static void
append(struct gathering *g)
{
	while (g->appended < g->report.len) {
		struct span rest = span_make(g->report.data + g->appended, g->report.len - g->appended);
		struct span part = span_first(rest, APPEND_STEP);
		int	    result = queue_intake_append(&g->intake, part);

		g->appended += part.len;
		if (result == -EAGAIN && g->appended < g->report.len)
			return;
		if (result && result != -EAGAIN) {
			queue_intake_abort(&g->intake);
			finish(g, result);
			return;
		}
	}
	commit(g);
}

static void
append_more(struct queue_intake *in)
{
	struct gathering *g = CONTAINER_OF(in, struct gathering, intake);

	if (g->appended < g->report.len)
		append(g);
}

/* --- writing it --------------------------------------------------------------------------------------------------- */

static struct report_recipient *
recipients_of(const struct gathering *g)
{
	static const enum report_action actions[] = {
		[TELL_FAILURE] = REPORT_FAILED,
		[TELL_DELAY] = REPORT_DELAYED,
		[TELL_RELAYED] = REPORT_RELAYED,
	};
	struct report_recipient *list = malloc(g->count * sizeof(*list));
	unsigned		 count = 0;

	if (list == NULL)
		return NULL;
	LIST_FOR_EACH(&g->deliveries, n) {
		struct delivery *d = LIST_ENTRY(n, struct delivery, node);

		for (unsigned i = 0; i < d->count; i++) {
			const struct delivery_recipient *r = &d->recipients[i];

			if (r->tell != TELL_NOTHING)
				list[count++] = (struct report_recipient){
					.recipient = delivery_recipient_of(d, r),
					.outcome = &r->outcome,
					.action = actions[r->tell],
					.expired = r->verdict == QUEUE_EXPIRED,
				};
		}
	}
	return list;
}

static void
write_text(struct gathering *g, struct span text)
{
	struct outbound		*out = g->out;
	const struct envelope	*about = &view_of(g)->envelope;
	const struct settings	*s = out->core->settings;
	struct report_recipient *recipients = recipients_of(g);
	int			 error = -ENOMEM;

	if (recipients == NULL) {
		finish(g, -ENOMEM);
		return;
	}
	/* The id first: it is in the text. */
	g->intake.ready = append_more;
	g->intake.done = stored;
	error = queue_intake_open(out->core->queue, &g->intake, 0);
	if (error) {
		free(recipients);
		finish(g, error);
		return;
	}
	error = report_write(
		&(struct report){
			.envelope = about,
			.id = g->intake.id,
			.hostname = s->hostname,
			.now_ms = outbound_now_ms(out),
			.retry_until_ms = about->accepted_ms + (int64_t)s->retry_expire_ms,
			.recipients = recipients,
			.count = g->count,
			.text = text,
			.text_damaged = g->damaged,
			.text_max = s->report_text_max_octets,
		},
		&g->report);
	free(recipients);
	if (error) {
		queue_intake_abort(&g->intake);
		finish(g, error);
		return;
	}
	append(g);
}

/* --- the text of a large message, from its pieces -------------------------------------------------------------------- */

static void
read_more(struct gathering *g)
{
	const struct queue_piece *p = &view_of(g)->pieces[g->piece];

	io_read(g->out->reactor->io, &g->read, p->fd, g->fetched + g->fetched_len + g->piece_at,
		p->length - (unsigned)g->piece_at, p->at + g->piece_at);
}

static void
was_read(struct io_op *op, const struct io_event *event)
{
	struct gathering	 *g = CONTAINER_OF(op, struct gathering, read);
	const struct queue_piece *p = &view_of(g)->pieces[g->piece];

	if (event->result <= 0) {
		g->damaged = true;
		write_text(g, span_make("", 0));
		return;
	}
	g->piece_at += (unsigned)event->result;
	if (g->piece_at < p->length) {
		read_more(g);
		return;
	}
	if (!queue_piece_check(p, span_make(g->fetched + g->fetched_len, p->length))) {
		outbound_count(g->out, OUTBOUND_DAMAGED, 1);
		g->damaged = true;
		write_text(g, span_make("", 0));
		return;
	}
	g->fetched_len += p->length;
	g->piece_at = 0;
	g->piece++;
	if (g->fetched_len == g->fetched_size)
		write_text(g, span_make(g->fetched, g->fetched_len));
	else
		read_more(g);
}

/* Pieces from the front, until there is as much as may be returned. */
static void
fetch(struct gathering *g)
{
	const struct queue_view *view = view_of(g);
	uint64_t		 max = g->out->core->settings->report_text_max_octets;
	size_t			 size = 0;

	for (unsigned i = 0; i < view->piece_count && size < max; i++)
		size += view->pieces[i].length;
	if (size && budget_take(&g->out->reactor->memory, size)) {
		g->fetched = malloc(size);
		if (g->fetched == NULL)
			budget_give(&g->out->reactor->memory, size);
	}
	if (g->fetched == NULL) {
		if (size)
			finish(g, -ENOMEM);
		else
			write_text(g, span_make("", 0));
		return;
	}
	g->fetched_size = size;
	io_op_init(&g->read, was_read);
	read_more(g);
}

static void
reporter_write(struct gathering *g)
{
	const struct queue_view *view = view_of(g);

	g->out->reports++;
	if (view->body.data)
		write_text(g, view->body);
	else
		fetch(g);
}

/* --- gathering ---------------------------------------------------------------------------------------------------------- */

static void
close_gathering(struct gathering *g)
{
	struct outbound *out = g->out;

	wheel_disarm(&out->reactor->wheel, &g->timer);
	table_remove(&out->gatherings, &g->node);
	list_append(&out->to_report, &g->ready);
	out->reports_waiting++;
	write_waiting(out);
}

static void
waited_enough(struct wheel_timer *timer)
{
	close_gathering(CONTAINER_OF(timer, struct gathering, timer));
}

static struct gathering *
gathering_find(struct outbound *out, const struct id *id)
{
	struct table_node *found = table_find(&out->gatherings, span_make(id, sizeof(*id)));

	return found ? CONTAINER_OF(found, struct gathering, node) : NULL;
}

bool
reporter_add(struct outbound *out, struct delivery *d)
{
	struct gathering *g = gathering_find(out, &d->view->envelope.id);
	unsigned	  count = 0;

	for (unsigned i = 0; i < d->count; i++)
		count += d->recipients[i].tell != TELL_NOTHING;
	if (g && g->count + count > REPORT_RECIPIENTS_MAX) {
		close_gathering(g);
		g = NULL;
	}
	if (g == NULL) {
		g = calloc(1, sizeof(*g));
		if (g == NULL)
			return false;
		g->out = out;
		g->id = d->view->envelope.id;
		g->message = d->message;
		g->node.name = span_make(&g->id, sizeof(g->id));
		list_node_init(&g->ready);
		list_init(&g->deliveries);
		wheel_timer_init(&g->timer, waited_enough);
		reactor_arm_ms(out->reactor, &g->timer, OUTBOUND_GATHER_MS);
		table_add(&out->gatherings, &g->node);
	}
	list_append(&g->deliveries, &d->node);
	g->count += count;
	return true;
}

void
reporter_review(struct outbound *out, struct id message)
{
	struct gathering *g = out->gatherings.count ? gathering_find(out, &message) : NULL;

	if (g && (g->count >= g->message->in_hand || out->draining || out->gatherings.count > GATHERINGS_MAX))
		close_gathering(g);
}

/* --- beginning and end ---------------------------------------------------------------------------------------------------- */

int
reporter_init(struct outbound *out)
{
	uint64_t key;

	io_random(out->reactor->io, &key, sizeof(key));
	list_init(&out->to_report);
	return table_init(&out->gatherings, key);
}

static void
close_one(void *arg, struct table_node *node)
{
	(void)arg;
	close_gathering(CONTAINER_OF(node, struct gathering, node));
}

void
reporter_drain(struct outbound *out)
{
	table_walk(&out->gatherings, close_one, NULL);
}

bool
reporter_idle(const struct outbound *out)
{
	return out->gatherings.count == 0 && list_empty(&out->to_report) && out->reports == 0;
}

void
reporter_fini(struct outbound *out)
{
	INVARIANT(reporter_idle(out));
	table_fini(&out->gatherings);
}
