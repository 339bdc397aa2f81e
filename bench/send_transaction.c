/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome of a transaction is decided in one place, transaction_end(), and each transaction ends
 * there exactly once, whatever happens to the connection; that is what makes the ledger an account.
 */
#include "bench/send_session.h"

#include "bench/chance.h"

static void
put_recipients(struct send_session *s, const struct transaction *t, uint64_t first, uint64_t count)
{
	static const char before[] = "RCPT TO:<", after[] = ">\r\n";
	char line[sizeof(before) + MESSAGE_ADDRESS_MAX + sizeof(after)], *to = line + sizeof(before) - 1;

	memcpy(line, before, sizeof(before) - 1);
	for (uint64_t i = first; i < first + count; i++) {
		struct span rcpt = mailboxes_recipient(&s->core->shared->mailboxes, t->ticket.seq, i, to);

		memcpy(to + rcpt.len, after, sizeof(after) - 1);
		send_session_put(s, span_make(line, sizeof(before) - 1 + rcpt.len + sizeof(after) - 1));
	}
}

static void
put_mail(struct send_session *s, const struct transaction *t)
{
	char line[MESSAGE_ADDRESS_MAX + 96], room[MESSAGE_ADDRESS_MAX];
	struct span from = mailboxes_from(&s->core->shared->mailboxes, t->ticket.seq, room);
	int n = snprintf(line, sizeof(line), "MAIL FROM:<%.*s>", (int)from.len, from.data);

	if (s->offers.size)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " SIZE=%llu",
			      (unsigned long long)t->message.size);
	if (s->offers.eight_bit && t->message.eight_bit)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " BODY=8BITMIME");
	n += snprintf(line + n, sizeof(line) - (size_t)n, "\r\n");
	INVARIANT(n > 0 && (size_t)n < sizeof(line));
	send_session_put(s, span_make(line, (size_t)n));
	send_session_expect(s, STAGE_MAIL, (struct transaction *)t, 1);
}

/* --vanish: this was the last that the server hears on this connection. */
static bool
vanishes(struct send_session *s, struct transaction *t, enum bench_stage stage)
{
	if (t->vanish_at != stage)
		return false;
	t->vanished = true;
	send_session_vanish(s);
	return true;
}

static void
text_over(struct send_session *s, struct transaction *t)
{
	if (vanishes(s, t, STAGE_BODY))
		return;
	t->sent = true;
	t->sent_ns = reactor_now(send_reactor_of(s));
	send_session_expect(s, STAGE_DOT, t, 1);
	(void)vanishes(s, t, STAGE_DOT); /* nothing would follow anyway */
}

/* As much of a slow text as its time allows; a server that does not read is not pressed. */
static void
text_drip(struct send_session *s)
{
	struct send_text *text = &s->text;
	struct reactor *r = send_reactor_of(s);
	double passed_s = (double)(reactor_now(r) - text->begun_ns) * 1e-9;
	uint64_t allowed = (uint64_t)(passed_s * (double)send_options_of(s)->slow);

	if (stream_unsent(&s->stream) == 0)
		send_session_lives(s);
	else
		allowed = 0;
	while (text->part < COUNT_OF(text->parts) && (!text->parts[text->part].len || text->octets < allowed)) {
		struct span piece = span_first(text->parts[text->part], MIN_OF(allowed - text->octets, SEND_DRIP_MAX));

		text->parts[text->part] = span_from(text->parts[text->part], piece.len);
		text->octets += piece.len;
		text->part += !text->parts[text->part].len;
		if (piece.len == 0)
			continue;
		send_session_put(s, piece);
		if (s->state != SEND_WORKING)
			return;
		if (piece.len == SEND_DRIP_MAX)
			break;
	}
	if (text->part < COUNT_OF(text->parts))
		reactor_arm_ms(r, &text->more, SEND_DRIP_MS);
	else
		text_over(s, text->transaction);
}

static void
text_more(struct wheel_timer *timer)
{
	text_drip(CONTAINER_OF(timer, struct send_session, text.more));
}

void
send_text_init(struct send_session *s)
{
	wheel_timer_init(&s->text.more, text_more);
}

static void
put_text(struct send_session *s, struct transaction *t)
{
	const struct message *m = &t->message;
	struct span body = s->bdat ? m->body : m->body_stuffed;
	struct send_text *text = &s->text;
	bool whole = t->vanish_at != STAGE_BODY;

	text->transaction = t;
	text->parts[0] = span_make(m->head, m->head_len);
	text->parts[1] = whole ? body : span_first(body, body.len / 2);
	text->parts[2] = span_make(m->tail, whole ? m->tail_len : 0);
	text->parts[3] = s->bdat || !whole ? SPAN_LITERAL("") : SPAN_LITERAL(".\r\n");
	if (send_options_of(s)->slow) {
		text->part = 0;
		text->octets = 0;
		text->begun_ns = reactor_now(send_reactor_of(s));
		text_drip(s);
		return;
	}
	send_session_put(s, text->parts[0]);
	if (text->parts[1].len)
		send_session_put_borrowed(s, text->parts[1]);
	if (text->parts[2].len)
		send_session_put(s, text->parts[2]);
	if (text->parts[3].len)
		send_session_put(s, text->parts[3]);
	text_over(s, t);
}

static void
put_bdat(struct send_session *s, struct transaction *t)
{
	char line[40];
	int n = snprintf(line, sizeof(line), "BDAT %llu LAST\r\n", (unsigned long long)t->message.size);

	send_session_put(s, span_make(line, (size_t)n));
	if (!vanishes(s, t, STAGE_DATA))
		put_text(s, t);
}

static void
put_data(struct send_session *s, struct transaction *t)
{
	if (s->bdat) {
		put_bdat(s, t);
		return;
	}
	send_session_ask(s, SPAN_LITERAL("DATA\r\n"), STAGE_DATA, t);
	(void)vanishes(s, t, STAGE_DATA); /* nothing would follow anyway */
}

/* --- transactions -------------------------------------------------------------------------------------- */

static void
ledger_recipients(struct send_session *s, const struct transaction *t, const char *key, bool refused)
{
	struct ledger_text *lines = &s->core->ledger.lines;
	char room[MESSAGE_ADDRESS_MAX];
	bool first = true;

	for (uint32_t i = 0; i < t->rcpt_replied; i++) {
		if ((t->refused[i / 64] >> i % 64 & 1) != refused)
			continue;
		if (first) {
			ledger_put(lines, SPAN_LITERAL(" "));
			ledger_put(lines, span_of(key));
			ledger_put(lines, SPAN_LITERAL("="));
		}
		ledger_put_address(lines, first,
				   mailboxes_recipient(&s->core->shared->mailboxes, t->ticket.seq, i, room));
		first = false;
	}
}

static void
ledger_write(struct send_session *s, const struct transaction *t, enum ledger_kind kind, unsigned code,
	     enum bench_stage stage, struct span text)
{
	struct send_core *core = s->core;
	struct ledger_text *lines = &core->ledger.lines;

	if (!core->ledger_open)
		return;
	ledger_put_begin(lines, kind, t->message.id, t->message.size, t->message.crc);
	if (code)
		ledger_put_key_uint(lines, "code", code);
	if (kind != LEDGER_ACCEPTED)
		ledger_put_key(lines, "at", span_of(bench_stage_words[stage]));
	if (kind == LEDGER_ACCEPTED) {
		/* "2.0.0 Ok: queued as 4f1c": servers put the name last. */
		struct span word = text;

		for (size_t at; (at = span_find(word, ' ')) < word.len;)
			word = span_from(word, at + 1);
		ledger_put_key(lines, "queue", word);
	}
	if (kind == LEDGER_ACCEPTED || kind == LEDGER_UNKNOWN) {
		ledger_recipients(s, t, "rcpt", false);
		ledger_recipients(s, t, "refused", true);
	}
	ledger_put_end(lines, io_wall(send_reactor_of(s)->io));
	ledger_file_push(&core->ledger, NULL);
}

/* The only end of a transaction. */
static void
transaction_end(struct send_session *s, struct transaction *t, enum ledger_kind kind, unsigned code,
		enum bench_stage stage, struct span text)
{
	struct report *report = t->report;
	struct timeline *timeline = &s->core->report.timeline;
	uint64_t now = reactor_now(send_reactor_of(s));

	INVARIANT(t->open);
	t->open = false;
	report->last_ns = now;
	switch (kind) {
	case LEDGER_ACCEPTED:
		report_add(report, REPORT_MESSAGES, 1);
		report_add(report, REPORT_RECIPIENTS, t->rcpt_accepted);
		report_add(report, REPORT_OCTETS, t->message.size);
		report_latency(report, REPORT_LATENCY, now - t->ticket.due_ns);
		report_latency(report, REPORT_TRANSACTION, now - t->begun_ns);
		report_latency(report, REPORT_COMMIT, now - t->sent_ns);
		timeline_message(timeline, now, t->message.size, now - t->ticket.due_ns);
		break;
	case LEDGER_REFUSED:
		report_add(report, REPORT_REFUSED, 1);
		break;
	case LEDGER_ABORTED:
		report_add(report, t->vanished ? REPORT_VANISHED : REPORT_ABORTED, 1);
		break;
	default:
		report_add(report, t->vanished ? REPORT_VANISHED : REPORT_UNKNOWN, 1);
	}
	if (kind != LEDGER_ACCEPTED && !t->vanished)
		timeline_error(timeline, now);
	ledger_write(s, t, kind, code, stage, text);
}

/* Where message n shall be broken off. */
static enum bench_stage
vanishing_place(const struct send_options *o, uint32_t n)
{
	static const enum bench_stage places[] = { STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_BODY, STAGE_DOT };

	if (o->vanish.word < 0 || chance_fraction(chance_of(o->seed, CHANCE_VANISH, n)) * 100 >= o->vanish.percent)
		return STAGE_COUNT;
	return places[o->vanish.word];
}

void
transaction_begin(struct send_session *s, const struct send_ticket *ticket)
{
	const struct send_options *o = send_options_of(s);
	struct transaction *t = &s->transactions[s->transactions[0].open ? 1 : 0];
	uint64_t now = reactor_now(send_reactor_of(s)), size = o->size;

	INVARIANT(!t->open);
	s->messages++;
	t->ticket = *ticket;
	t->report = send_report_at(s->core, ticket->due_ns);
	if (o->size_distribution)
		size = sizes_of(&s->core->shared->sizes, o->seed, ticket->seq);
	/* The next hop cannot know which messages are of the warm-up, and leaves out those without a time. */
	message_make(s->core->shared->source, ticket->seq, size,
		     ticket->due_ns < s->core->measured_ns ? 0 : ticket->due_ns, &t->message);
	t->open = true;
	t->mailed = t->sent = t->vanished = false;
	t->vanish_at = vanishing_place(o, ticket->seq);
	t->begun_ns = now;
	t->rcpt_replied = t->rcpt_accepted = 0;
	t->code = 0;
	memset(t->refused, 0, (o->recipients + 63) / 64 * sizeof(t->refused[0]));
	if (!t->report->first_ns)
		t->report->first_ns = now;
	put_mail(s, t);
	if (vanishes(s, t, STAGE_MAIL) || !s->pipelining)
		return;
	put_recipients(s, t, 0, o->recipients);
	send_session_expect(s, STAGE_RCPT, t, (uint32_t)o->recipients);
	if (!vanishes(s, t, STAGE_RCPT))
		put_data(s, t);
}

/* A refusal decides about the transaction unless another did before. */
static void
refuse(struct transaction *t, enum bench_stage stage, unsigned code)
{
	if (t->code)
		return;
	t->code = code;
	t->stage = stage;
	if (stage != STAGE_RCPT)
		report_code(t->report, stage, code);
}

/* Refused before the text; a transaction that the server has opened is taken back (RFC 5321 section 4.1.1.5). */
static void
refused_end(struct send_session *s, struct transaction *t, struct span text)
{
	transaction_end(s, t, LEDGER_REFUSED, t->code, t->stage, text);
	if (t->mailed && t->stage != STAGE_DOT)
		send_session_ask(s, SPAN_LITERAL("RSET\r\n"), STAGE_RSET, NULL);
	else
		send_session_next(s);
}

static void
handle_mail(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code / 100 == 2)
		t->mailed = true;
	else
		refuse(t, STAGE_MAIL, r->code);
	if (s->pipelining)
		return;
	if (!t->mailed) {
		refused_end(s, t, r->text);
		return;
	}
	put_recipients(s, t, 0, 1);
	send_session_expect(s, STAGE_RCPT, t, 1);
	(void)vanishes(s, t, STAGE_RCPT); /* nothing would follow anyway */
}

static void
handle_rcpt(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	uint32_t i = t->rcpt_replied++;
	bool last = t->rcpt_replied == send_options_of(s)->recipients;

	if (r->code / 100 == 2) {
		t->rcpt_accepted++;
	} else {
		t->refused[i / 64] |= (uint64_t)1 << i % 64;
		if (!t->code) {
			report_code(t->report, STAGE_RCPT, r->code);
			report_add(t->report, REPORT_RECIPIENTS_REFUSED, 1);
		}
		if (last && t->rcpt_accepted == 0)
			refuse(t, STAGE_RCPT, r->code);
	}
	if (s->pipelining)
		return;
	if (!last) {
		put_recipients(s, t, t->rcpt_replied, 1);
		send_session_expect(s, STAGE_RCPT, t, 1);
	} else if (t->rcpt_accepted == 0) {
		refused_end(s, t, r->text);
	} else {
		put_data(s, t);
	}
}

static void
handle_data(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code == 354) {
		if (t->code) {
			/* The server goes on although nobody is left: an empty text ends it (RFC 2920
			 * section 3.1).  It is not our message, so nothing was sent. */
			send_session_ask(s, SPAN_LITERAL(".\r\n"), STAGE_DOT, t);
			return;
		}
		put_text(s, t);
		if (s->overlap)
			send_session_next(s);
		return;
	}
	refuse(t, STAGE_DATA, r->code);
	refused_end(s, t, r->text);
}

static void
handle_dot(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code / 100 != 2)
		refuse(t, STAGE_DOT, r->code);
	if (t->code && t->stage != STAGE_DOT) {
		t->mailed = t->mailed && r->code / 100 != 2; /* an empty text was taken: nothing to take back */
		refused_end(s, t, r->text);
	} else if (t->code) {
		refused_end(s, t, r->text);
	} else {
		transaction_end(s, t, LEDGER_ACCEPTED, r->code, STAGE_DOT, r->text);
		send_session_next(s);
	}
}

void
transaction_reply(struct send_session *s, struct transaction *t, enum bench_stage stage, const struct wire_reply *r)
{
	switch (stage) {
	case STAGE_MAIL:
		handle_mail(s, t, r);
		break;
	case STAGE_RCPT:
		handle_rcpt(s, t, r);
		break;
	case STAGE_DATA:
		handle_data(s, t, r);
		break;
	case STAGE_DOT:
		handle_dot(s, t, r);
		break;
	default:
		INVARIANT(!"a stage that is none of a transaction");
	}
}

void
transaction_lost(struct send_session *s, struct transaction *t, enum bench_stage stage)
{
	wheel_disarm(&send_reactor_of(s)->wheel, &s->text.more);
	/* Recipients whose replies went down with the connection may have been accepted. */
	if (t->sent)
		t->rcpt_replied = (uint32_t)send_options_of(s)->recipients;
	transaction_end(s, t, t->sent ? LEDGER_UNKNOWN : LEDGER_ABORTED, 0, stage, span_of(""));
}
