/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words are kept once while they repeat: a thousand recipients that a lost connection defers share one text.
 */
#include "mta/outbound/delivery.h"

#include "mta/outbound/outbound_internal.h"

struct delivery *
delivery_new(struct outbound *keeper, struct lane *lane, struct queue_message *m, struct queue_view *view,
	     const uint32_t *recipients, unsigned count)
{
	struct delivery *d = malloc(sizeof(*d) + count * sizeof(d->recipients[0]));

	if (d == NULL)
		return NULL;
	*d = (struct delivery){ .keeper = keeper, .lane = lane, .message = m, .view = view, .pending = count,
				.count = count, .settings = settings_ref(keeper->core->settings) };
	list_node_init(&d->node);
	arena_init(&d->words, 4096 + (size_t)count * (SMTP_REPLY_TEXT_MAX + DELIVERY_HOST_MAX));
	for (unsigned i = 0; i < count; i++)
		d->recipients[i] = (struct delivery_recipient){ .index = recipients[i] };
	return d;
}

void
delivery_free(struct delivery *d)
{
	INVARIANT(d->view == NULL);
	arena_reset(&d->words);
	settings_unref(d->settings);
	free(d);
}

static struct span
keep(struct delivery *d, struct span words, struct span *last)
{
	struct span kept;

	if (words.len == 0 || span_equal(words, *last))
		return words.len ? *last : span_make(d->few, 0);
	if (words.len <= sizeof(d->few) - d->few_used) {
		kept = span_make(d->few + d->few_used, words.len);
		memcpy(d->few + d->few_used, words.data, words.len);
		d->few_used += (uint16_t)words.len;
	} else {
		kept = arena_copy(&d->words, words);
		if (kept.data == NULL)
			return span_make(d->few, 0);
	}
	*last = kept;
	return kept;
}

void
delivery_settle(struct delivery *d, struct delivery_recipient *r, const struct outcome *outcome)
{
	INVARIANT(r->outcome.kind == OUTCOME_PENDING && outcome->kind != OUTCOME_PENDING && d->pending);
	r->outcome = *outcome;
	r->outcome.host = keep(d, span_first(outcome->host, DELIVERY_HOST_MAX), &d->last_host);
	r->outcome.text = keep(d, span_first(outcome->text, SMTP_REPLY_TEXT_MAX), &d->last_text);
	r->stage = STAGE_NONE;
	d->pending--;
}

void
delivery_settle_all(struct delivery *d, const struct outcome *outcome)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->recipients[i].outcome.kind == OUTCOME_PENDING)
			delivery_settle(d, &d->recipients[i], outcome);
}

void
delivery_unchoose(struct delivery *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		d->recipients[i].stage = STAGE_NONE;
		d->recipients[i].asked = false;
	}
}
