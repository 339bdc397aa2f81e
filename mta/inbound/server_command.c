/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: which may come when, and what they do.  The table below is the order of RFC 5321 section 4.1.4; what a
 * command means by itself was parsed by mta/smtp/command.c.
 *
 * EHLO may be said again and forgets the transaction.  MAIL needs EHLO or HELO.  Who asks for something we do not have
 * (AUTH, STARTTLS, EXPN) hears 502 in any state.
 */
#include "mta/inbound/server.h"

#include "mta/inbound/transaction.h"
#include "mta/smtp/reply.h"

enum { COMMAND_SHOWN = 4 }; /* octets of what is no command of ours */

typedef void verb_handler(struct server *s, const struct smtp_command *c);

/* --- hello --------------------------------------------------------------------------------------------- */

static bool
keep_name(struct server *s, struct span name)
{
	char *copy = malloc(name.len + 1);

	if (copy == NULL)
		return false;
	memcpy(copy, name.data, name.len);
	copy[name.len] = '\0';
	free(s->helo);
	s->helo = copy;
	return true;
}

static bool
hello(struct server *s, const struct smtp_command *c, bool esmtp)
{
	if (!keep_name(s, c->argument)) {
		server_end(s, ANSWER_NO_MEMORY_SESSION);
		return false;
	}
	s->esmtp = esmtp;
	server_reset(s);
	server_enter(s, SERVER_READY);
	return true;
}

static void
verb_ehlo(struct server *s, const struct smtp_command *c)
{
	static const char *const offers[] = {
		"PIPELINING", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN",
	};
	char   all[COUNT_OF(offers) * 32 + 4 * SMTP_REPLY_LINE_MAX], text[128];
	size_t len = 0;

	if (!hello(s, c, true))
		return;
	len += smtp_reply_write_line(all + len, 250, true, s->settings->hostname);
	for (size_t i = 0; i < COUNT_OF(offers); i++)
		len += smtp_reply_write_line(all + len, 250, true, span_of(offers[i]));
	(void)snprintf(text, sizeof(text), "SIZE %llu", (unsigned long long)s->settings->message_size_max_octets);
	len += smtp_reply_write_line(all + len, 250, true, span_of(text));
	(void)snprintf(text, sizeof(text), "LIMITS RCPTMAX=%llu MAILMAX=%llu",
		       (unsigned long long)s->settings->recipients_max,
		       (unsigned long long)s->settings->transactions_max);
	len += smtp_reply_write_line(all + len, 250, false, span_of(text));
	(void)stream_write(&s->stream, span_make(all, len));
}

static void
verb_helo(struct server *s, const struct smtp_command *c)
{
	if (hello(s, c, false))
		server_reply(s, 250, NULL, s->settings->hostname);
}

/* --- the envelope ---------------------------------------------------------------------------------------- */

static void
verb_mail(struct server *s, const struct smtp_command *c)
{
	int disk = queue_refusal(s->inbound->core->queue);

	server_reset(s); /* there is no transaction; the settings may be new since the last one */
	if (s->messages >= s->settings->transactions_max) {
		server_end(s, ANSWER_TRANSACTIONS);
		return;
	}
	if (s->inbound->draining) {
		server_end(s, ANSWER_SHUTTING_DOWN);
		return;
	}
	if (c->path.utf8 && !c->mail.smtputf8) {
		server_refuse(s, ANSWER_NEEDS_SMTPUTF8, c->path.mailbox);
		return;
	}
	if (c->mail.size > s->settings->message_size_max_octets) {
		server_refuse(s, ANSWER_TOO_LARGE, c->path.mailbox);
		return;
	}
	/* Better now than after the text. */
	if (disk < 0) {
		server_refuse(s, transaction_answer(disk), c->path.mailbox);
		return;
	}
	s->transaction = transaction_new(s, &s->inbound->reactor->memory, c);
	if (s->transaction == NULL) {
		server_refuse(s, ANSWER_ENVELOPE_MEMORY, c->path.mailbox);
		return;
	}
	server_enter(s, SERVER_MAIL);
	server_say(s, ANSWER_SENDER_OK);
}

/* Is it ours to take, from this client? */
static bool
may_send_to(const struct server *s, const struct smtp_path *path)
{
	if (path->domain.len == 0)
		return true; /* <Postmaster> */
	if (settings_may_relay(s->settings, &s->peer))
		return true;
	return !path->literal && settings_accepts(s->settings, path->domain);
}

/* RFC 6533 section 3: an ORCPT in plain UTF-8 is for internationalised mail only. */
static bool
needs_smtputf8(const struct smtp_command *c)
{
	for (size_t i = 0; i < c->rcpt.orcpt.len; i++)
		if ((unsigned char)c->rcpt.orcpt.data[i] >= 0x80)
			return true;
	return c->path.utf8;
}

static void
verb_rcpt(struct server *s, const struct smtp_command *c)
{
	struct transaction *t = s->transaction;
	enum server_answer  a;

	if (needs_smtputf8(c) && !(t->envelope.flags & ENVELOPE_SMTPUTF8))
		a = ANSWER_NEEDS_SMTPUTF8;
	else if (!may_send_to(s, &c->path))
		a = ANSWER_RELAY_DENIED;
	else
		a = transaction_add(t, c, s->settings->hostname, s->settings->recipients_max);
	if (a != ANSWER_RECIPIENT_OK) {
		server_refuse(s, a, c->path.mailbox);
		return;
	}
	s->state = SERVER_RCPT;
	server_say(s, a);
}

/* --- the rest ---------------------------------------------------------------------------------------------- */

static void
verb_rset(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_reset(s);
	server_say(s, ANSWER_OK);
}

static void
verb_noop(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_say(s, ANSWER_OK);
}

static void
verb_help(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_say(s, ANSWER_HELP);
}

static void
verb_vrfy(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_say(s, ANSWER_VRFY);
}

static void
verb_quit(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_end(s, ANSWER_BYE);
}

static void
verb_data(struct server *s, const struct smtp_command *c)
{
	(void)c;
	server_data_begin(s);
}

static void
verb_bdat(struct server *s, const struct smtp_command *c)
{
	server_bdat_begin(s, c->bdat.size, c->bdat.last);
}

static void
verb_not_here(struct server *s, const struct smtp_command *c)
{
	server_refuse(s, ANSWER_NOT_HERE, span_of(smtp_verb_name(c->verb)));
}

/* --- order ------------------------------------------------------------------------------------------------- */

#define IN(state) (1u << SERVER_##state)
enum {
	ANY = IN(START) | IN(READY) | IN(MAIL) | IN(RCPT) | IN(CHUNKS),
};

static const struct {
	verb_handler *run;
	unsigned      in; /* states */
} verbs[SMTP_VERB_COUNT] = {
	[SMTP_VERB_EHLO] = { verb_ehlo, ANY },
	[SMTP_VERB_HELO] = { verb_helo, ANY },
	[SMTP_VERB_MAIL] = { verb_mail, IN(READY) },
	[SMTP_VERB_RCPT] = { verb_rcpt, IN(MAIL) | IN(RCPT) },
	[SMTP_VERB_DATA] = { verb_data, IN(RCPT) },
	[SMTP_VERB_BDAT] = { verb_bdat, ANY }, /* its octets come, whatever we think of them */
	[SMTP_VERB_RSET] = { verb_rset, ANY },
	[SMTP_VERB_NOOP] = { verb_noop, ANY },
	[SMTP_VERB_VRFY] = { verb_vrfy, ANY },
	[SMTP_VERB_EXPN] = { verb_not_here, ANY },
	[SMTP_VERB_HELP] = { verb_help, ANY },
	[SMTP_VERB_QUIT] = { verb_quit, ANY },
	[SMTP_VERB_STARTTLS] = { verb_not_here, ANY },
	[SMTP_VERB_AUTH] = { verb_not_here, ANY },
};

/* Why MAIL, RCPT or DATA may not come now. */
static enum server_answer
out_of_order(const struct server *s, enum smtp_verb verb)
{
	switch (s->state) {
	case SERVER_START:
		return ANSWER_HELLO_FIRST;
	case SERVER_READY:
		return ANSWER_SENDER_FIRST;
	case SERVER_CHUNKS:
		return ANSWER_CHUNKS_BEGUN;
	default:
		return verb == SMTP_VERB_MAIL ? ANSWER_NESTED : ANSWER_NO_RECIPIENTS;
	}
}

/*
 * What of a line that is refused may stand in the log.  A client that was refused AUTH may go on with a password, one that was
 * refused DATA with its text; so a line is shown only where addresses and names stand, else as much of it as a
 * command has.
 */
static struct span
showable(struct span line, enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_VERB_EHLO:
	case SMTP_VERB_HELO:
	case SMTP_VERB_MAIL:
	case SMTP_VERB_RCPT:
		return line;
	default:
		return span_first(line, MIN_OF(span_find(line, ' '), (size_t)COMMAND_SHOWN));
	}
}

void
server_line(struct server *s, struct span line, bool more_behind)
{
	struct smtp_command	  c;
	enum smtp_command_result  result = smtp_command_parse(line, &c);
	const struct smtp_reply_row *wrong = &smtp_command_replies[result];

	if (result == SMTP_COMMAND_FOREIGN) {
		server_reply(s, wrong->code, wrong->enhanced, span_of(wrong->text));
		server_refused(s, wrong->code, "foreign", showable(line, c.verb));
		if (s->state != SERVER_ENDING)
			server_end(s, ANSWER_HANG_UP);
		return;
	}
	/*
	 * DATA is the last of a pipelined group (RFC 2920 section 3.1).  What stands behind it is either text, or commands
	 * of a peer that believes DATA failed: there is no safe guess, and least of all when DATA is refused.
	 */
	if (c.verb == SMTP_VERB_DATA && more_behind) {
		server_refuse(s, ANSWER_TALKED_AHEAD, span_of(smtp_verb_name(c.verb)));
		if (s->state != SERVER_ENDING)
			server_end(s, ANSWER_HANG_UP);
		return;
	}
	if (c.verb < SMTP_VERB_COUNT && !(verbs[c.verb].in & (1u << s->state))) {
		server_refuse(s, out_of_order(s, c.verb), span_of(smtp_verb_name(c.verb)));
		return;
	}
	if (result != SMTP_COMMAND_OK) {
		server_reply(s, wrong->code, wrong->enhanced, span_of(wrong->text));
		server_refused(s, wrong->code, "syntax", showable(line, c.verb));
		/* Of a BDAT that is not understood nobody knows how many octets follow. */
		if (c.verb == SMTP_VERB_BDAT && s->state != SERVER_ENDING)
			server_end(s, ANSWER_HANG_UP);
		return;
	}
	verbs[c.verb].run(s, &c);
}
