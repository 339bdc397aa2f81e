/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction: MAIL, RCPTs, then the text by DATA or BDAT.
 *
 * Two cursors run through the commands: what has been said, and what has been answered.  With PIPELINING (RFC 2920) the first
 * runs ahead to the end of DATA; with CHUNKING as well, a text of moderate size follows at once, and the whole transaction takes one
 * round trip.  Without it the first never is more than one command ahead.  The rest of the code is the same for all
 * three.
 *
 * Outcomes are given as soon as they are known.  When none is left to find out the transaction is `over`, and what is still to be
 * answered is only read, so that the connection stays in step: a peer that refused every recipient and yet says 354
 * gets a lone dot (RFC 2920 section 3.1), and one that refuses or takes that is not listened to.
 */
#include "mta/outbound/client.h"

#include "mta/smtp/parameters.h"

/* --- what is to be sent can be sent here ------------------------------------------------------------------------ */

static bool
has_high(struct span s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return all >= 0x80;
}

static struct outcome
own_words(const struct client *c, struct smtp_enhanced status, struct span text)
{
	return (struct outcome){ .kind = OUTCOME_FAILED, .attempt = true, .status = status,
				 .host = span_of(c->host), .text = text };
}

static bool
offers(const struct client *c, unsigned bits)
{
	return (c->offers.bits & bits) == bits;
}

/* Of a text on disk nothing is known but that some octet is above 127: it may be one of the header section. */
static bool
header_has_high(const struct queue_view *view)
{
	if (!(view->envelope.flags & ENVELOPE_8BIT_TEXT))
		return false;
	for (struct span rest = view->body; rest.len;) {
		size_t line = span_find(rest, '\n');

		if (line == 0 || (line == 1 && rest.data[0] == '\r'))
			return false;
		if (has_high(span_first(rest, line)))
			return true;
		rest = span_from(rest, MIN_OF(line + 1, rest.len));
	}
	return view->body.data == NULL;
}

/*
 * Does this host take such a message at all?  If not, all its recipients have failed.
 *
 * 8-bit text goes as it is also where 8BITMIME is not offered.  RFC 6152 section 3 would have it re-encoded or returned; the first
 * breaks signatures and P7, and the second would return what hosts without the keyword have been taking well for decades.
 */
static bool
message_fits(struct client *c, struct delivery *d)
{
	const struct envelope *e = &d->view->envelope;
	struct outcome	       refused;
	char		       text[256];

	if (offers(c, SMTP_OFFER_SIZE) && c->offers.size_max && e->body_octets > c->offers.size_max) {
		(void)snprintf(text, sizeof(text), "the message has %llu octets, this host takes %llu",
			       (unsigned long long)e->body_octets, (unsigned long long)c->offers.size_max);
		refused = own_words(c, (struct smtp_enhanced){ 5, 3, 4 }, span_of(text));
	} else if ((e->flags & ENVELOPE_BINARY) && !offers(c, SMTP_OFFER_BINARYMIME | SMTP_OFFER_CHUNKING)) {
		refused = own_words(c, (struct smtp_enhanced){ 5, 6, 1 },
				    SPAN_LITERAL("the message is binary, this host does not take BINARYMIME"));
	} else if ((e->flags & ENVELOPE_SMTPUTF8) && !offers(c, SMTP_OFFER_SMTPUTF8) &&
		   (has_high(e->sender) || header_has_high(d->view))) {
		refused = own_words(c, (struct smtp_enhanced){ 5, 6, 7 },
				    SPAN_LITERAL("the message needs SMTPUTF8, which this host does not take"));
	} else {
		return true;
	}
	delivery_settle_all(d, &refused);
	return false;
}

/* Those who are in this transaction; one whose address cannot be written here has failed. */
static unsigned
choose(struct client *c, struct delivery *d)
{
	unsigned chosen = 0;

	for (unsigned i = 0; i < d->count && chosen < c->recipients_max; i++) {
		struct delivery_recipient *r = &d->recipients[i];
		struct outcome		   refused;

		if (r->outcome.kind != OUTCOME_PENDING)
			continue;
		if (!offers(c, SMTP_OFFER_SMTPUTF8) && has_high(delivery_recipient_of(d, r)->address)) {
			refused = own_words(c, (struct smtp_enhanced){ 5, 6, 7 },
					    SPAN_LITERAL("the address needs SMTPUTF8, which this host does not take"));
			delivery_settle(d, r, &refused);
			continue;
		}
		r->stage = STAGE_CHOSEN;
		chosen++;
	}
	return chosen;
}

bool
client_transaction_begin(struct client *c, struct delivery *d)
{
	const struct envelope *e = &d->view->envelope;

	c->delivery = d;
	if (!message_fits(c, d) || choose(c, d) == 0) {
		c->delivery = NULL;
		destination_done(c->dest, d);
		return false;
	}
	c->text = (struct client_text){ .read = c->text.read };
	c->text.chunking = offers(c, SMTP_OFFER_CHUNKING) &&
			   (c->settings->outbound_bdat || (e->flags & ENVELOPE_BINARY));
	c->text.stuffing = !c->text.chunking && (e->flags & ENVELOPE_DOT);
	if (!client_text_prepare(c)) {
		delivery_unchoose(d);
		c->delivery = NULL;
		destination_give_back(c->dest, d);
		return false;
	}
	c->say = SAY_MAIL;
	c->said = c->heard = c->outstanding = c->accepted = 0;
	c->stale = c->transactions > 0;
	c->utf8 = (e->flags & ENVELOPE_SMTPUTF8) && offers(c, SMTP_OFFER_SMTPUTF8);
	c->mail_good = c->data_said = c->over = c->closed_well = c->taken = c->ending = false;
	outbound_count(c->out, OUTBOUND_TRANSACTIONS, 1);
	if (c->transactions++)
		outbound_count(c->out, OUTBOUND_REUSED, 1);
	client_enter(c, CLIENT_MAIL);
	client_talk(c);
	return true;
}

/* --- saying ------------------------------------------------------------------------------------------------------- */

enum { LINE_MAX_OCTETS = SMTP_PATH_MAX + SMTP_ORCPT_MAX + SMTP_ENVID_MAX + 256 };

struct line {
	size_t len;
	bool   full; /* the rest was left out: must not be sent */
	char   text[LINE_MAX_OCTETS];
};

static void
add(struct line *l, struct span bytes)
{
	if (bytes.len > sizeof(l->text) - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, bytes.data, bytes.len);
	l->len += bytes.len;
}

static void
say_mail(struct client *c, struct line *l)
{
	const struct envelope *e = &c->delivery->view->envelope;
	char		       number[32];

	add(l, SPAN_LITERAL("MAIL FROM:<"));
	add(l, e->sender);
	add(l, SPAN_LITERAL(">"));
	if (offers(c, SMTP_OFFER_SIZE)) {
		int len = snprintf(number, sizeof(number), " SIZE=%llu", (unsigned long long)e->body_octets);

		add(l, span_make(number, (size_t)len));
	}
	if (e->flags & ENVELOPE_BINARY)
		add(l, SPAN_LITERAL(" BODY=BINARYMIME"));
	else if ((e->flags & (ENVELOPE_8BIT | ENVELOPE_8BIT_TEXT)) && offers(c, SMTP_OFFER_8BITMIME))
		add(l, SPAN_LITERAL(" BODY=8BITMIME"));
	if (c->utf8)
		add(l, SPAN_LITERAL(" SMTPUTF8"));
	if (offers(c, SMTP_OFFER_DSN)) {
		if (e->flags & ENVELOPE_RET_FULL)
			add(l, SPAN_LITERAL(" RET=FULL"));
		else if (e->flags & ENVELOPE_RET_HEADERS)
			add(l, SPAN_LITERAL(" RET=HDRS"));
		if (e->envid.len) {
			add(l, SPAN_LITERAL(" ENVID="));
			add(l, e->envid);
		}
	}
	add(l, SPAN_LITERAL("\r\n"));
}

/* An address of type utf-8 goes as it stands only where SMTPUTF8 was asked for.  One too long in ASCII is not said. */
static void
say_orcpt(struct client *c, struct line *l, struct span orcpt)
{
	char ascii[4 * SMTP_ORCPT_MAX];

	if (!c->utf8 && has_high(orcpt))
		orcpt = span_make(ascii, smtp_utf8_ascii(orcpt, false, ascii, sizeof(ascii)));
	if (orcpt.len == 0 || orcpt.len > SMTP_ORCPT_MAX)
		return;
	add(l, SPAN_LITERAL(" ORCPT="));
	add(l, orcpt);
}

static void
say_rcpt(struct client *c, struct line *l, const struct envelope_recipient *to)
{
	static const struct {
		unsigned    bit;
		struct span word;
	} words[] = {
		{ NOTIFY_NEVER, { "NEVER", 5 } },
		{ NOTIFY_SUCCESS, { "SUCCESS", 7 } },
		{ NOTIFY_FAILURE, { "FAILURE", 7 } },
		{ NOTIFY_DELAY, { "DELAY", 5 } },
	};
	const char *before = " NOTIFY=";

	add(l, SPAN_LITERAL("RCPT TO:<"));
	add(l, to->address);
	add(l, SPAN_LITERAL(">"));
	if (offers(c, SMTP_OFFER_DSN)) {
		for (size_t i = 0; i < COUNT_OF(words); i++) {
			if (!(to->notify & words[i].bit))
				continue;
			add(l, span_of(before));
			add(l, words[i].word);
			before = ",";
		}
		say_orcpt(c, l, to->orcpt);
	}
	add(l, SPAN_LITERAL("\r\n"));
}

/* Sends a command; one that no session could carry fails whom it is about.  False: the session is over, or nothing was sent. */
static bool
send_line(struct client *c, const struct line *l, struct delivery_recipient *about)
{
	struct outcome refused;

	if (!l->full) {
		if (!client_send(c, span_make(l->text, l->len)))
			return false;
		c->outstanding++;
		return true;
	}
	refused = own_words(c, (struct smtp_enhanced){ 5, 1, about ? 3 : 7 },
			    SPAN_LITERAL("the address and its parameters are too long for a command"));
	if (about)
		delivery_settle(c->delivery, about, &refused);
	else
		delivery_settle_all(c->delivery, &refused);
	return false;
}

/* Chosen and not asked yet, from `said` on; NULL when all are. */
static struct delivery_recipient *
next_to_ask(struct client *c)
{
	for (; c->said < c->delivery->count; c->said++) {
		struct delivery_recipient *r = &c->delivery->recipients[c->said];

		if (r->stage == STAGE_CHOSEN && !r->asked)
			return r;
	}
	return NULL;
}

/* May the text follow before RCPT is answered?  RFC 3030 section 4.2. */
static bool
eager(const struct client *c)
{
	const struct queue_view *view = c->delivery->view;

	return c->text.chunking && offers(c, SMTP_OFFER_PIPELINING) && view->body.data &&
	       view->body.len <= CLIENT_EAGER_TEXT_MAX;
}

/* True when there may be more to say. */
static bool
say_data(struct client *c)
{
	if (c->text.chunking && !eager(c)) {
		if (c->outstanding || c->accepted == 0)
			return false; /* the last reply to RCPT comes back here */
	} else if (!offers(c, SMTP_OFFER_PIPELINING) && c->accepted == 0) {
		return false;
	}
	c->say = SAY_NOTHING;
	c->data_said = true;
	if (c->text.chunking) {
		if (!eager(c))
			client_enter(c, CLIENT_TEXT);
		client_text_begin(c);
		return false;
	}
	if (!client_send(c, SPAN_LITERAL("DATA\r\n")))
		return false;
	c->outstanding++;
	if (c->state == CLIENT_RCPT && c->outstanding == 1)
		client_enter(c, CLIENT_DATA);
	return false;
}

void
client_talk(struct client *c)
{
	struct line		   l;
	struct delivery_recipient *r;

	while (!c->over && c->say != SAY_NOTHING) {
		if (c->outstanding && !offers(c, SMTP_OFFER_PIPELINING))
			return;
		if (stream_unsent(&c->stream) > CLIENT_GROUP_MAX)
			return; /* on when the peer has taken that */
		l.len = 0;
		l.full = false;
		switch (c->say) {
		case SAY_MAIL:
			say_mail(c, &l);
			c->say = SAY_RCPT;
			if (!send_line(c, &l, NULL)) {
				if (c->state == CLIENT_MAIL) /* nothing was sent, and nothing will be */
					client_transaction_end(c);
				return;
			}
			break;
		case SAY_RCPT:
			r = next_to_ask(c);
			if (r == NULL) {
				c->say = SAY_DATA;
				break;
			}
			say_rcpt(c, &l, delivery_recipient_of(c->delivery, r));
			if (send_line(c, &l, r))
				r->asked = true;
			else if (c->state == CLIENT_CLOSING)
				return;
			c->said++;
			/* Alone on its way, its time begins now. */
			if (c->outstanding == 1 && (c->mail_good || c->state == CLIENT_RCPT))
				client_enter(c, CLIENT_RCPT);
			break;
		case SAY_DATA:
			if (!say_data(c))
				return;
			break;
		case SAY_NOTHING:
			return;
		}
	}
}

/* --- hearing ------------------------------------------------------------------------------------------------------- */

/* The recipient whose RCPT is answered next; NULL when all that was said is. */
static struct delivery_recipient *
next_to_hear(struct client *c)
{
	for (; c->heard < c->said; c->heard++)
		if (c->delivery->recipients[c->heard].asked)
			return &c->delivery->recipients[c->heard];
	return NULL;
}

/* The same outcome for those at this stage or further. */
static void
settle_from(struct client *c, enum delivery_stage stage, const struct outcome *outcome)
{
	struct delivery *d = c->delivery;

	for (unsigned i = 0; i < d->count; i++)
		if (d->recipients[i].stage >= stage && d->recipients[i].outcome.kind == OUTCOME_PENDING)
			delivery_settle(d, &d->recipients[i], outcome);
}

/* 421, or what cannot be: the session is over.  True then. */
static bool
ends_session(struct client *c, enum outcome_verdict verdict, enum outcome_phase phase)
{
	struct outcome outcome;

	if (verdict == VERDICT_BREAK) {
		client_break_because(c, (struct smtp_enhanced){ 4, 5, 0 }, "a reply came that fits no command");
		return true;
	}
	if (verdict != VERDICT_DEFER_SESSION)
		return false;
	outcome = client_outcome(c, OUTCOME_DEFERRED, phase);
	client_break(c, &outcome);
	return true;
}

static struct outcome
message_outcome(const struct client *c, enum outcome_verdict verdict, enum outcome_phase phase)
{
	return client_outcome(c, verdict == VERDICT_FAIL_MESSAGE ? OUTCOME_FAILED : OUTCOME_DEFERRED, phase);
}

static void
heard_mail(struct client *c, enum outcome_verdict verdict)
{
	struct outcome outcome;

	if (verdict == VERDICT_GO_ON) {
		c->mail_good = true;
		return;
	}
	/* It is about the sender, the size or the whole message: no recipient needs to be tried. */
	outcome = message_outcome(c, verdict, OUTCOME_PHASE_MAIL);
	delivery_settle_all(c->delivery, &outcome);
	c->over = true;
}

static void
heard_rcpt(struct client *c, struct delivery_recipient *r, enum outcome_verdict verdict)
{
	struct outcome outcome;

	c->heard++;
	if (c->over || r->outcome.kind != OUTCOME_PENDING)
		return;
	if (verdict == VERDICT_GO_ON) {
		r->stage = STAGE_ACCEPTED;
		c->accepted++;
		return;
	}
	if (c->accepted && outcome_too_many(c->reply.code, &c->reply.enhanced)) {
		/* It has its turn in the next transaction, and we ask for no more at once from now on. */
		r->stage = STAGE_NONE;
		c->recipients_max = MIN_OF(c->recipients_max, c->accepted);
		return;
	}
	outcome = client_outcome(c, verdict == VERDICT_FAIL_RECIPIENT ? OUTCOME_FAILED : OUTCOME_DEFERRED,
				 OUTCOME_PHASE_RCPT);
	delivery_settle(c->delivery, r, &outcome);
}

static void
heard_data(struct client *c, enum outcome_verdict verdict)
{
	struct outcome outcome;

	if (verdict == VERDICT_GO_ON) {
		if (!c->over) {
			client_enter(c, CLIENT_TEXT);
			client_text_begin(c);
			return;
		}
		/* Nobody is left, and yet the peer waits for a text: an empty one. */
		if (client_send(c, SPAN_LITERAL(".\r\n"))) {
			c->outstanding++;
			client_enter(c, CLIENT_END);
		}
		return;
	}
	if (c->over)
		return;
	outcome = message_outcome(c, verdict, OUTCOME_PHASE_DATA);
	settle_from(c, STAGE_ACCEPTED, &outcome);
	c->over = true;
}

/* The end of the text, a chunk of it, or a peer that does not wait for the end. */
static void
heard_text(struct client *c, enum outcome_verdict verdict, enum outcome_phase phase)
{
	bool	       early = phase == OUTCOME_PHASE_CHUNK;
	struct outcome outcome;

	if (verdict == VERDICT_GO_ON) {
		if (early && !c->text.chunking) {
			client_break_because(c, (struct smtp_enhanced){ 4, 5, 0 }, "a reply came too early");
			return;
		}
		if (early)
			return;
		if (stream_unsent(&c->stream)) {
			/* Completions come in any order.  It counts when the kernel has the whole text, and if the connection
			 * ends before, it was said too early and counts for nothing. */
			c->taken = true;
			return;
		}
		c->closed_well = true;
		outcome = client_outcome(c, OUTCOME_DELIVERED, phase);
		settle_from(c, STAGE_ACCEPTED, &outcome);
		c->over = true;
		return;
	}
	outcome = message_outcome(c, verdict, phase);
	settle_from(c, STAGE_ACCEPTED, &outcome);
	c->over = true;
	if (!c->text.chunking)
		c->closed_well = !early;
	/* In the middle of a text the connection cannot be brought back in step. */
	if (!c->text.ended || early)
		client_close(c);
}

void
client_text_taken(struct client *c)
{
	c->taken = false;
	c->closed_well = true;
	settle_from(c, STAGE_ACCEPTED,
		    &(struct outcome){ .kind = OUTCOME_DELIVERED, .attempt = true, .code = 250, .status = { 2, 0, 0 },
				       .relayed = !offers(c, SMTP_OFFER_DSN), .host = span_of(c->host),
				       .text = SPAN_LITERAL("taken") });
	c->over = true;
	client_transaction_end(c);
}

static bool
text_said_whole(const struct client *c)
{
	return c->text.ended && c->outstanding == 0;
}

/* Where we are once a reply has been dealt with. */
static void
wait_for_next(struct client *c)
{
	if (c->state == CLIENT_CLOSING)
		return;
	if (c->outstanding == 0) {
		client_talk(c);
		if (c->state == CLIENT_CLOSING || c->outstanding)
			return;
		if (c->say == SAY_DATA && c->accepted == 0)
			c->over = true; /* all were refused */
		if (c->over)
			client_transaction_end(c);
		return;
	}
	if (c->state == CLIENT_TEXT || c->state == CLIENT_END)
		return;
	if (next_to_hear(c)) {
		if (c->state == CLIENT_MAIL || c->state == CLIENT_RCPT)
			client_enter(c, CLIENT_RCPT);
	} else if (c->data_said) {
		if (c->accepted == 0)
			c->over = true;
		if (!c->text.chunking)
			client_enter(c, CLIENT_DATA);
		else
			client_enter(c, stream_unsent(&c->stream) ? CLIENT_TEXT : CLIENT_END);
	}
	client_talk(c);
}

void
client_transaction_reply(struct client *c)
{
	enum outcome_phase	   phase = OUTCOME_PHASE_MAIL;
	enum outcome_verdict	   verdict;
	struct delivery_recipient *r = NULL;

	if (c->outstanding == 0) {
		/* Nobody asked: 421 and the end, or a peer out of step. */
		verdict = outcome_of_reply(OUTCOME_PHASE_CHUNK, c->reply.code);
		if (!ends_session(c, verdict, OUTCOME_PHASE_CHUNK))
			client_break_because(c, (struct smtp_enhanced){ 4, 5, 0 }, "a reply came that nobody asked for");
		return;
	}
	c->outstanding--;
	if (c->reply.code != 421)
		c->stale = false; /* 421 to the first command: it had closed already */
	switch (c->state) {
	case CLIENT_MAIL:
		break;
	case CLIENT_RCPT:
		phase = OUTCOME_PHASE_RCPT;
		r = next_to_hear(c);
		break;
	case CLIENT_DATA:
		phase = OUTCOME_PHASE_DATA;
		break;
	default:
		phase = text_said_whole(c) ? OUTCOME_PHASE_END : OUTCOME_PHASE_CHUNK;
		break;
	}
	verdict = outcome_of_reply(phase, c->reply.code);
	/* Nothing but 421 matters once it is over. */
	if (c->over && verdict == VERDICT_BREAK)
		verdict = VERDICT_DEFER_MESSAGE;
	if (ends_session(c, verdict, phase))
		return;
	switch (phase) {
	case OUTCOME_PHASE_MAIL:
		heard_mail(c, verdict);
		break;
	case OUTCOME_PHASE_RCPT:
		INVARIANT(r != NULL);
		heard_rcpt(c, r, verdict);
		break;
	case OUTCOME_PHASE_DATA:
		heard_data(c, verdict);
		break;
	default:
		if (!c->over)
			heard_text(c, verdict, phase);
		else
			c->closed_well = c->closed_well || !c->text.chunking || verdict == VERDICT_GO_ON;
		break;
	}
	/* BDAT waits for the reply to the chunk before. */
	if (c->state == CLIENT_TEXT && !c->text.ended)
		client_text_more(c);
	wait_for_next(c);
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

void
client_transaction_end(struct client *c)
{
	struct delivery *d = c->delivery;

	/* The text belongs to the delivery: it must not go while the kernel reads it. */
	if (stream_unsent(&c->stream)) {
		c->ending = true;
		return;
	}
	c->ending = false;
	delivery_unchoose(d);
	client_text_drop(c);
	c->delivery = NULL;
	destination_works(c->dest);
	destination_done(c->dest, d);
	if (!c->mail_good || c->closed_well) {
		client_next(c);
		return;
	}
	client_enter(c, CLIENT_RSET);
	if (!client_send(c, SPAN_LITERAL("RSET\r\n")))
		return; /* it is closing */
}
