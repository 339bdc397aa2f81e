/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/inbound/transaction.h"

#include <errno.h>

#include "core/crc32c.h"
#include "mta/inbound/limits.h"

_Static_assert((int)SMTP_NOTIFY_NEVER == (int)NOTIFY_NEVER && (int)SMTP_NOTIFY_SUCCESS == (int)NOTIFY_SUCCESS &&
		       (int)SMTP_NOTIFY_FAILURE == (int)NOTIFY_FAILURE && (int)SMTP_NOTIFY_DELAY == (int)NOTIFY_DELAY,
	       "NOTIFY is kept as it was parsed");

static uint32_t
envelope_flags_of(const struct smtp_mail_parameters *p)
{
	uint32_t flags = 0;

	if (p->body == SMTP_BODY_8BITMIME)
		flags |= ENVELOPE_8BIT;
	if (p->body == SMTP_BODY_BINARYMIME)
		flags |= ENVELOPE_BINARY;
	if (p->smtputf8)
		flags |= ENVELOPE_SMTPUTF8;
	if (p->ret == SMTP_RET_FULL)
		flags |= ENVELOPE_RET_FULL;
	if (p->ret == SMTP_RET_HDRS)
		flags |= ENVELOPE_RET_HEADERS;
	return flags;
}

/* Brings the budget up to what the arena holds. */
static bool
charge(struct transaction *t)
{
	uint64_t held = sizeof(*t) + t->arena.held;

	if (held <= t->charged)
		return true;
	if (!budget_take(t->budget, held - t->charged))
		return false;
	t->charged = held;
	return true;
}

struct transaction *
transaction_new(void *owner, struct budget *budget, const struct smtp_command *mail)
{
	struct transaction *t = calloc(1, sizeof(*t));
	struct envelope	   *e;

	if (t == NULL)
		return NULL;
	t->owner = owner;
	t->budget = budget;
	arena_init(&t->arena, TRANSACTION_ARENA_MAX);
	e = &t->envelope;
	e->flags = envelope_flags_of(&mail->mail);
	e->sender = arena_copy(&t->arena, mail->path.mailbox);
	e->envid = arena_copy(&t->arena, mail->mail.envid);
	t->announced = mail->mail.size;
	t->refusal = ANSWER_OK;
	if (e->sender.data == NULL || e->envid.data == NULL || !charge(t)) {
		transaction_free(t);
		return NULL;
	}
	return t;
}

void
transaction_free(struct transaction *t)
{
	if (t == NULL)
		return;
	if (t->intake.state)
		queue_intake_abort(&t->intake);
	arena_reset(&t->arena);
	budget_give(t->budget, t->charged);
	free(t);
}

static bool
grow(struct transaction *t)
{
	uint32_t		   capacity = t->capacity ? t->capacity * 2 : TRANSACTION_RECIPIENTS_FIRST;
	struct envelope_recipient *recipients = arena_alloc(&t->arena, capacity * sizeof(*recipients));
	uint32_t		  *marks = arena_alloc(&t->arena, capacity * sizeof(*marks));

	if (recipients == NULL || marks == NULL)
		return false;
	if (t->capacity) {
		memcpy(recipients, t->envelope.recipients, t->capacity * sizeof(*recipients));
		memcpy(marks, t->marks, t->capacity * sizeof(*marks));
	}
	t->envelope.recipients = recipients;
	t->marks = marks;
	t->capacity = capacity;
	return true;
}

/* <Postmaster> has no domain of its own (RFC 5321 section 4.5.1): ours it is. */
static struct span
address_of(const struct smtp_path *path, struct span hostname, char room[static SMTP_PATH_MAX])
{
	size_t local = path->local.len;

	if (path->domain.len || local + 1 + hostname.len > SMTP_PATH_MAX)
		return path->mailbox;
	memcpy(room, path->local.data, local);
	room[local] = '@';
	memcpy(room + local + 1, hostname.data, hostname.len);
	return span_make(room, local + 1 + hostname.len);
}

static bool
is_there(const struct transaction *t, struct span address, uint32_t mark)
{
	for (uint32_t i = 0; i < t->envelope.recipient_count; i++)
		if (t->marks[i] == mark && span_equal(t->envelope.recipients[i].address, address))
			return true;
	return false;
}

enum server_answer
transaction_add(struct transaction *t, const struct smtp_command *rcpt, struct span hostname, uint64_t recipients_max)
{
	struct envelope		 *e = &t->envelope;
	struct envelope_recipient r = { .notify = (uint8_t)rcpt->rcpt.notify };
	char			  room[SMTP_PATH_MAX];
	struct span		  address = address_of(&rcpt->path, hostname, room);
	uint32_t		  mark = crc32c(0, address.data, address.len);

	if (e->recipient_count >= recipients_max)
		return ANSWER_RECIPIENTS;
	if (is_there(t, address, mark))
		return ANSWER_RECIPIENT_OK;
	/* What an earlier recipient took in vain is paid first: who is refused and asks again makes nothing grow. */
	if (!charge(t))
		return ANSWER_ENVELOPE_MEMORY;
	r.address = arena_copy(&t->arena, address);
	r.orcpt = arena_copy(&t->arena, rcpt->rcpt.orcpt);
	if (r.address.data == NULL || r.orcpt.data == NULL || (e->recipient_count == t->capacity && !grow(t)) ||
	    !charge(t))
		return ANSWER_ENVELOPE_MEMORY;
	t->marks[e->recipient_count] = mark;
	e->recipients[e->recipient_count++] = r;
	return ANSWER_RECIPIENT_OK;
}

enum server_answer
transaction_answer(int error)
{
	switch (error) {
	case -ENOSPC:
		return ANSWER_NO_SPACE;
	case -ENOMEM:
		return ANSWER_NO_MEMORY;
	case -EBUSY:
		return ANSWER_BUSY;
	default:
		return ANSWER_DISK;
	}
}
