/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/rows.h"

#include "mta/admin/limits.h"

static const char *
state_word(uint64_t state)
{
	switch ((enum queue_state)state) {
	case QUEUE_WAITING:
		return "waiting";
	case QUEUE_IN_HAND:
		return "in-hand";
	case QUEUE_DELIVERED:
		return "delivered";
	case QUEUE_FAILED:
		return "failed";
	case QUEUE_EXPIRED:
		return "expired";
	case QUEUE_DELETED:
		return "deleted";
	}
	return "unknown";
}

/* Keys with what the index knows. */
static json_t *
from_index(const struct queue_message *m, unsigned core)
{
	uint64_t due = 0;
	unsigned attempts = 0, in_hand = 0;
	char	 text[ID_TEXT_LEN + 1];

	for (uint32_t i = 0; i < m->recipient_count; i++) {
		const struct queue_recipient *r = &m->recipients[i];

		if (r->state == QUEUE_WAITING && (due == 0 || r->due_ms < due))
			due = r->due_ms;
		if (!queue_state_final((enum queue_state)r->state))
			attempts = MAX_OF(attempts, (unsigned)r->attempts);
		in_hand += r->state == QUEUE_IN_HAND;
	}
	return json_pack("{s:s, s:i, s:I, s:I, s:b, s:i, s:i, s:i, s:i, s:o}", "id", id_format(m->id, text), "core",
			 (int)core, "accepted_ms", (json_int_t)id_time_ms(m->id), "octets",
			 (json_int_t)m->body_octets, "held", (int)m->held, "recipients", (int)m->recipient_count,
			 "open", (int)m->open, "in_hand", (int)in_hand, "attempts", (int)attempts, "due_ms",
			 reply_time((int64_t)due));
}

static void
set(json_t *row, const char *key, json_t *value)
{
	/* What fails for want of memory leaves a key out; reply_add() fails then too, or the line is still true. */
	(void)json_object_set_new(row, key, value);
}

static void
set_text(json_t *row, const char *key, struct span text)
{
	if (text.len)
		set(row, key, reply_text(text));
}

json_t *
row_message(const struct queue_message *m, const struct envelope *e, unsigned core)
{
	json_t *row = from_index(m, core), *to;

	if (row == NULL)
		return NULL;
	if (e == NULL) {
		set(row, "unreadable", json_true());
		return row;
	}
	set(row, "from", reply_text(e->sender));
	to = json_array();
	for (uint32_t i = 0; i < e->recipient_count && i < m->recipient_count; i++) {
		if (json_array_size(to) == ADMIN_SAMPLE)
			break;
		if (!queue_state_final((enum queue_state)m->recipients[i].state))
			(void)json_array_append_new(to, reply_text(e->recipients[i].address)); /* as in set() */
	}
	set(row, "to", to);
	return row;
}

/* --- one message in full ---------------------------------------------------------------------------------------- */

struct word {
	unsigned    bit;
	const char *word;
};

static json_t *
words_of(unsigned flags, const struct word *words, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (flags & words[i].bit)
			(void)json_array_append_new(list, json_string(words[i].word)); /* as in set() */
	return list;
}

json_t *
row_message_whole(const struct queue_message *m, const struct envelope *e, unsigned core)
{
	static const struct word flags[] = {
		{ ENVELOPE_8BIT, "8bitmime" },	       { ENVELOPE_BINARY, "binarymime" },
		{ ENVELOPE_SMTPUTF8, "smtputf8" },     { ENVELOPE_RET_FULL, "ret-full" },
		{ ENVELOPE_RET_HEADERS, "ret-hdrs" },  { ENVELOPE_REPORT, "report" },
	};
	static const struct endpoint none;
	json_t			    *row = from_index(m, core);
	char			     text[ENDPOINT_TEXT_MAX];

	if (row == NULL)
		return NULL;
	if (e == NULL) {
		set(row, "unreadable", json_true());
		return row;
	}
	set(row, "from", reply_text(e->sender));
	set_text(row, "envid", e->envid);
	set_text(row, "helo", e->helo);
	if (!endpoint_same_ip(&e->client, &none))
		set(row, "client", json_string(endpoint_format_ip(&e->client, text)));
	if (!id_is_zero(e->origin))
		set(row, "origin", reply_id(e->origin));
	set(row, "hops", json_integer(e->hops));
	set(row, "flags", words_of(e->flags, flags, COUNT_OF(flags)));
	return row;
}

json_t *
row_recipient(const struct queue_recipient *to, const struct envelope_recipient *e, const struct queue_last_word *word)
{
	static const struct word notify[] = {
		{ NOTIFY_NEVER, "never" }, { NOTIFY_SUCCESS, "success" },
		{ NOTIFY_FAILURE, "failure" }, { NOTIFY_DELAY, "delay" },
	};
	json_t *row = json_pack("{s:o, s:s, s:i, s:o, s:o}", "address", reply_text(e->address), "state",
				state_word(to->state), "attempts", (int)to->attempts, "due_ms",
				reply_time(to->state == QUEUE_WAITING ? (int64_t)to->due_ms : 0), "code",
				to->code ? json_integer(to->code) : json_null());

	if (row == NULL)
		return NULL;
	set_text(row, "orcpt", e->orcpt);
	if (e->notify)
		set(row, "notify", words_of(e->notify, notify, COUNT_OF(notify)));
	if (to->delayed)
		set(row, "delay_told", json_true());
	if (word && word->at_ms) {
		set(row, "last_ms", json_integer(word->at_ms));
		set_text(row, "host", word->host);
		set_text(row, "text", word->text);
	}
	return row;
}
