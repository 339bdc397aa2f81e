/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order matters: queue_record() may free the message when its last recipient is done, so everything that looks at the message
 * comes before, and outcomes that a report must accompany stay in hand, which pins it.
 *
 * A line in the log says what is so, not what may be: failures that are reported are logged when report and failure are on
 * disk together (reporter.c).
 */
#include "mta/outbound/settle.h"

#include "mta/outbound/keeper.h"
#include "mta/outbound/reporter.h"
#include "mta/outbound/retry.h"

enum { BATCH = 32 };

/* --- deciding --------------------------------------------------------------------------------------------- */

static uint64_t
chance(struct outbound *out)
{
	uint64_t bits;

	io_random(out->reactor->io, &bits, sizeof(bits));
	return bits;
}

/* Does the sender want to hear of this (RFC 3461 section 4.1)?  Unsaid: of failures and delays. */
static bool
wants(const struct envelope *e, const struct envelope_recipient *r, enum envelope_notify what)
{
	if (e->sender.len == 0)
		return false;
	return r->notify ? (r->notify & what) != 0 : (what & (NOTIFY_FAILURE | NOTIFY_DELAY)) != 0;
}

static void
defer(struct outbound *out, struct delivery *d, struct delivery_recipient *r, int64_t now_ms)
{
	const struct settings	     *s = out->core->settings;
	const struct queue_recipient *q = &d->message->recipients[r->index];
	int64_t			      accepted_ms = d->view->envelope.accepted_ms;

	if (retry_expired(s, accepted_ms, now_ms)) {
		r->verdict = QUEUE_EXPIRED;
		if (wants(&d->view->envelope, delivery_recipient_of(d, r), NOTIFY_FAILURE))
			r->tell = TELL_FAILURE;
		return;
	}
	r->verdict = QUEUE_WAITING;
	r->due_ms = retry_due_ms(s, accepted_ms, MAX_OF(r->attempts, 1), now_ms, chance(out));
	if (!q->delayed && retry_warns(s, accepted_ms, now_ms) &&
	    wants(&d->view->envelope, delivery_recipient_of(d, r), NOTIFY_DELAY))
		r->tell = TELL_DELAY;
}

static void
decide(struct outbound *out, struct delivery *d, struct delivery_recipient *r, int64_t now_ms)
{
	unsigned attempts = d->message->recipients[r->index].attempts + (r->outcome.attempt ? 1u : 0u);

	r->attempts = (uint16_t)MIN_OF(attempts, UINT16_MAX);
	switch (r->outcome.kind) {
	case OUTCOME_PENDING:
		return;
	case OUTCOME_DELIVERED:
		r->verdict = QUEUE_DELIVERED;
		if (r->outcome.relayed && wants(&d->view->envelope, delivery_recipient_of(d, r), NOTIFY_SUCCESS))
			r->tell = TELL_RELAYED;
		return;
	case OUTCOME_DEFERRED:
		defer(out, d, r, now_ms);
		return;
	case OUTCOME_FAILED:
		r->verdict = QUEUE_FAILED;
		if (wants(&d->view->envelope, delivery_recipient_of(d, r), NOTIFY_FAILURE))
			r->tell = TELL_FAILURE;
		return;
	}
}

/* --- writing down -------------------------------------------------------------------------------------------- */

void
settle_result(const struct delivery_recipient *r, struct queue_result *out)
{
	*out = (struct queue_result){
		.recipient = r->index,
		.state = (enum queue_state)r->verdict,
		.due_ms = r->due_ms,
		.attempt = r->outcome.attempt,
		.delayed = r->tell == TELL_DELAY,
		.code = r->outcome.code,
		.host = r->outcome.host,
		.text = r->outcome.text,
	};
}

void
settle_log(struct outbound *out, const struct delivery *d, const struct delivery_recipient *r)
{
	static const struct {
		const char	     *event;
		enum outbound_counter counter;
	} kinds[] = {
		[QUEUE_WAITING] = { "deferred", OUTBOUND_DEFERRED },
		[QUEUE_DELIVERED] = { "delivered", OUTBOUND_DELIVERED },
		[QUEUE_FAILED] = { "bounced", OUTBOUND_BOUNCED },
		[QUEUE_EXPIRED] = { "expired", OUTBOUND_EXPIRED },
	};
	const struct envelope *e = &d->view->envelope;
	int64_t		       now_ms = outbound_now_ms(out);
	struct span	       host = r->outcome.host, peer;
	size_t		       space = span_find(host, ' ');
	char		       status[OUTCOME_STATUS_TEXT_MAX];
	struct log_field       fields[12];
	size_t		       count = 0;

	outbound_count(out, kinds[r->verdict].counter, 1);
	if (!log_wants(out->reactor->log, LOG_LEVEL_INFO))
		return;
	peer = span_from(host, space + 1);
	fields[count++] = (struct log_field)LOG_ID("id", e->id);
	fields[count++] = (struct log_field)LOG_SPAN("to", delivery_recipient_of(d, r)->address);
	fields[count++] = (struct log_field)LOG_SPAN("from", e->sender);
	if (host.len) {
		fields[count++] = (struct log_field)LOG_SPAN("host", span_first(host, space));
		fields[count++] = (struct log_field)LOG_SPAN("peer", peer);
	}
	if (r->outcome.code)
		fields[count++] = (struct log_field)LOG_UINT("code", r->outcome.code);
	fields[count++] =
		(struct log_field)LOG_STR("status", outcome_status_format(r->outcome.status, status));
	fields[count++] = (struct log_field)LOG_SPAN("reply", r->outcome.text);
	fields[count++] = (struct log_field)LOG_UINT("attempts", r->attempts);
	fields[count++] = (struct log_field)LOG_INT("delay_ms", now_ms - e->accepted_ms);
	if (r->uncertain)
		fields[count++] = (struct log_field)LOG_BOOL("uncertain", true);
	if (r->verdict == QUEUE_WAITING)
		fields[count++] = (struct log_field)LOG_INT("next_try_s", (r->due_ms - now_ms) / 1000);
	INVARIANT(count <= COUNT_OF(fields));
	log_write(out->reactor->log, LOG_LEVEL_INFO, kinds[r->verdict].event, fields, count);
}

/* Records what chosen() says; the message may be gone afterwards if nothing else of it is in hand. */
static void
record(struct outbound *out, struct delivery *d, bool (*chosen)(const struct delivery_recipient *r))
{
	struct queue_result   results[BATCH];
	unsigned	      count = 0;
	struct queue_message *m = d->message;

	for (unsigned i = 0; i < d->count; i++) {
		const struct delivery_recipient *r = &d->recipients[i];

		if (!chosen(r))
			continue;
		if (count == BATCH) {
			queue_record(out->core->queue, m, results, count, NULL);
			count = 0;
		}
		settle_result(r, &results[count++]);
		settle_log(out, d, r);
	}
	if (count)
		queue_record(out->core->queue, m, results, count, NULL);
}

static bool
untold(const struct delivery_recipient *r)
{
	return r->outcome.kind != OUTCOME_PENDING && r->tell == TELL_NOTHING;
}

/* Not tried: waiting again, and nothing is written. */
static void
put_back(struct outbound *out, struct delivery *d)
{
	int64_t		      due_ms = outbound_now_ms(out) + (out->draining ? 0 : OUTBOUND_PUT_BACK_MS);
	struct queue_message *m = d->message;

	for (unsigned i = 0; i < d->count && d->pending; i++)
		if (d->recipients[i].outcome.kind == OUTCOME_PENDING) {
			outbound_count(out, OUTBOUND_PUT_BACK, 1);
			d->pending--;
			queue_put_back(out->core->queue, m, d->recipients[i].index, due_ms);
		}
}

/* No report will accompany this outcome. */
static void
tell_nobody(struct outbound *out, struct delivery_recipient *r)
{
	if (r->tell == TELL_FAILURE) {
		/* P1: a failure that nobody hears of would be a loss. */
		r->verdict = QUEUE_WAITING;
		r->due_ms = outbound_now_ms(out) +
			    (int64_t)retry_pause_ms(out->core->settings, r->attempts, chance(out));
	}
	r->tell = TELL_NOTHING;
}

void
settle_delivery(struct outbound *out, struct delivery *d)
{
	struct id id = d->view->envelope.id;
	int64_t	  now_ms = outbound_now_ms(out);
	bool	  told = false;

	keeper_release(out, d);
	for (unsigned i = 0; i < d->count; i++) {
		decide(out, d, &d->recipients[i], now_ms);
		told = told || d->recipients[i].tell != TELL_NOTHING;
	}
	if (told)
		told = reporter_add(out, d);
	if (!told)
		for (unsigned i = 0; i < d->count; i++)
			tell_nobody(out, &d->recipients[i]);
	record(out, d, untold);
	put_back(out, d);
	if (!told)
		keeper_forget(out, d);
	reporter_review(out, id);
}

/* --- when no report can be stored -------------------------------------------------------------------------------- */

static bool
was_told(const struct delivery_recipient *r)
{
	return r->stage == STAGE_CHOSEN;
}

void
settle_without_report(struct outbound *out, struct delivery *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		struct delivery_recipient *r = &d->recipients[i];

		/* The stage is the owner's and he is done with it: here it marks those that are still in hand. */
		r->stage = r->tell != TELL_NOTHING ? STAGE_CHOSEN : STAGE_NONE;
		tell_nobody(out, r);
	}
	record(out, d, was_told);
}
