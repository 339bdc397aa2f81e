/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message text: by DATA up to CRLF.CRLF, by BDAT counted.  What is refused on the way is still read to its end, so that no
 * octet of it is ever taken for a command; only what goes far beyond the largest message ends the session.
 *
 * P1, P2: committed() below is the only function that says 250 to a text, and the queue calls it only after the sync that
 * covers the message.
 */
#include <errno.h>

#include "mta/inbound/server.h"
#include "mta/inbound/transaction.h"
#include "mta/smtp/trace.h"

/* --- outcome --------------------------------------------------------------------------------------------- */

static void
accepted(struct server *s, const struct transaction *t)
{
	const struct envelope *e = &t->envelope;
	struct inbound	      *in = s->inbound;
	const struct span      queued_as = SPAN_LITERAL("Ok: queued as ");
	char		       text[64];

	s->messages++;
	inbound_count(in, INBOUND_MESSAGES, 1);
	inbound_count(in, INBOUND_RECIPIENTS, e->recipient_count);
	inbound_count(in, INBOUND_OCTETS, t->octets);
	log_info(in->reactor->log, "accepted", LOG_ID("id", e->id), LOG_ID("session", s->id),
		 LOG_ENDPOINT("client", &s->peer), LOG_SPAN("helo", e->helo), LOG_SPAN("from", e->sender),
		 LOG_SPAN("to", e->recipients[0].address), LOG_UINT("recipients", e->recipient_count),
		 LOG_UINT("size", t->octets), LOG_UINT("ms", (server_now(s) - t->begun_ns) / 1000000));
	memcpy(text, queued_as.data, queued_as.len);
	(void)id_format(e->id, text + queued_as.len);
	server_reply(s, 250, "2.0.0", span_make(text, queued_as.len + ID_TEXT_LEN));
}

/* The disk has answered. */
static void
committed(struct queue_intake *intake, int result)
{
	struct transaction *t = CONTAINER_OF(intake, struct transaction, intake);
	struct server	   *s = t->owner;

	INVARIANT(s->state == SERVER_COMMIT);
	if (s->closed || stream_is_closing(&s->stream))
		inbound_count(s->inbound, INBOUND_UNHEARD, result == 0);
	if (result == 0)
		accepted(s, t);
	s->state = SERVER_RCPT;
	if (result != 0)
		server_refuse(s, transaction_answer(result), t->envelope.sender);
	server_reset(s);
	if (s->closed) {
		server_gone(s);
		return;
	}
	stream_resume(&s->stream);
	if (s->inbound->draining)
		server_drain(s);
}

/* The text has come to its end. */
static void
finish(struct server *s)
{
	static const uint8_t defects[] = {
		[SMTP_DATA_SOUND] = ANSWER_OK,
		[SMTP_DATA_BARE_CR] = ANSWER_BARE_CR,
		[SMTP_DATA_BARE_LF] = ANSWER_BARE_LF,
		[SMTP_DATA_NUL] = ANSWER_TEXT_NUL,
		[SMTP_DATA_LONG_LINE] = ANSWER_TEXT_LONG_LINE,
	};
	struct transaction *t = s->transaction;
	struct envelope	   *e = &t->envelope;

	if (t->refusal == ANSWER_OK)
		t->refusal = defects[t->data.defect];
	if (t->refusal == ANSWER_OK && t->header.received > s->settings->hops_max)
		t->refusal = ANSWER_HOPS;
	if (t->refusal != ANSWER_OK) {
		server_refuse(s, (enum server_answer)t->refusal, e->sender);
		if (s->state != SERVER_ENDING)
			server_reset(s);
		stream_resume(&s->stream);
		return;
	}
	e->id = t->intake.id;
	e->accepted_ms = io_wall(s->inbound->reactor->io) / 1000000;
	e->hops = t->header.received;
	e->helo = span_of(s->helo);
	e->client = s->peer;
	e->body_octets = t->intake.octets;
	if (t->data.flags & SMTP_DATA_DOT)
		e->flags |= ENVELOPE_DOT;
	if (t->data.flags & SMTP_DATA_8BIT)
		e->flags |= ENVELOPE_8BIT_TEXT;
	server_enter(s, SERVER_COMMIT);
	stream_pause(&s->stream);
	queue_intake_commit(&t->intake, e, NULL);
}

/* --- octets of text ---------------------------------------------------------------------------------------- */

static void
refuse_text(struct transaction *t, enum server_answer why)
{
	if (t->refusal == ANSWER_OK)
		t->refusal = (uint8_t)why;
	if (t->intake.state)
		queue_intake_abort(&t->intake);
}

/* The disk is behind no more. */
static void
ready(struct queue_intake *intake)
{
	struct transaction *t = CONTAINER_OF(intake, struct transaction, intake);
	struct server	   *s = t->owner;

	if (!s->blocked)
		return;
	s->blocked = false;
	t->stalled_ns += server_now(s) - t->stalled_since_ns;
	s->since_ns = server_now(s);
	if (!s->full)
		stream_resume(&s->stream);
}

static void
append(struct server *s, struct span text)
{
	struct transaction *t = s->transaction;
	int		    result;

	if (t->refusal != ANSWER_OK || text.len == 0)
		return;
	result = queue_intake_append(&t->intake, text);
	if (result == 0)
		return;
	if (result != -EAGAIN) {
		refuse_text(t, transaction_answer(result));
		return;
	}
	s->blocked = true;
	t->stalled_since_ns = server_now(s);
	inbound_count(s->inbound, INBOUND_STALLS, 1);
	stream_pause(&s->stream);
}

/* Octets the peer sent: counted, looked at, kept.  False: the session has ended. */
static bool
take(struct server *s, struct span text)
{
	struct transaction *t = s->transaction;
	uint64_t	    max = s->settings->message_size_max_octets;

	t->octets += text.len;
	if (t->octets > max) {
		refuse_text(t, ANSWER_TOO_LARGE);
		if (t->octets > 2 * max) {
			server_refused(s, 552, "endless", t->envelope.sender);
			server_end(s, ANSWER_ENDLESS);
			return false;
		}
	}
	smtp_header_feed(&t->header, text);
	append(s, text);
	return true;
}

/* Opens the intake and writes our trace field on top.  ANSWER_OK, or why not. */
static enum server_answer
open_text(struct server *s)
{
	struct transaction    *t = s->transaction;
	const struct settings *set = s->settings;
	bool		       binary = t->envelope.flags & ENVELOPE_BINARY;
	char		       field[SMTP_TRACE_MAX], id[ID_TEXT_LEN + 1];
	struct smtp_trace      trace = {
		     .helo = span_of(s->helo),
		     .client = &s->peer,
		     .hostname = set->hostname,
		     .esmtp = s->esmtp,
		     .utf8 = t->envelope.flags & ENVELOPE_SMTPUTF8,
		     .id = id,
		     .seconds = io_wall(s->inbound->reactor->io) / 1000000000,
	};
	int result;

	t->text_begun = true;
	t->begun_ns = server_now(s);
	smtp_data_begin(&t->data, set->text_line_check ? set->text_line_max_octets : UINT64_MAX, binary);
	smtp_header_begin(&t->header);
	t->intake.ready = ready;
	t->intake.done = committed;
	result = queue_intake_open(s->inbound->core->queue, &t->intake,
				   MIN_OF(t->announced, (uint64_t)TRANSACTION_HINT_MAX));
	if (result != 0)
		return transaction_answer(result);
	(void)id_format(t->intake.id, id);
	if (t->envelope.recipient_count == 1)
		trace.recipient = t->envelope.recipients[0].address;
	append(s, span_make(field, smtp_trace_write(&trace, field)));
	return (enum server_answer)t->refusal;
}

/* --- DATA ---------------------------------------------------------------------------------------------------- */

void
server_data_begin(struct server *s)
{
	struct transaction *t = s->transaction;
	enum server_answer  a;

	if (t->envelope.flags & ENVELOPE_BINARY) {
		server_refuse(s, ANSWER_NEEDS_BDAT, t->envelope.sender);
		return;
	}
	a = open_text(s);
	if (a != ANSWER_OK) {
		server_refuse(s, a, t->envelope.sender);
		if (s->state != SERVER_ENDING)
			server_reset(s);
		return;
	}
	server_enter(s, SERVER_TEXT);
	server_say(s, ANSWER_SEND_TEXT);
}

size_t
server_data_text(struct server *s, struct span bytes)
{
	struct transaction   *t = s->transaction;
	struct span	      rest = bytes, piece;
	enum smtp_data_result result;

	s->since_ns = server_now(s);
	do {
		result = smtp_data_next(&t->data, &rest, &piece);
		if (!take(s, piece))
			return bytes.len;
	} while (result == SMTP_DATA_PIECE && !s->blocked);
	if (result == SMTP_DATA_END) {
		s->blocked = false; /* commit() waits for the disk by itself */
		finish(s);
	}
	return bytes.len - rest.len;
}

/* --- BDAT ---------------------------------------------------------------------------------------------------- */

static enum server_answer
bdat_answer(struct server *s, uint64_t size)
{
	struct transaction *t = s->transaction;
	uint64_t	    max = s->settings->message_size_max_octets;
	enum server_answer  a;

	switch (s->state) {
	case SERVER_START:
		return ANSWER_HELLO_FIRST;
	case SERVER_READY:
		return ANSWER_SENDER_FIRST;
	case SERVER_MAIL:
		return ANSWER_NO_RECIPIENTS;
	default:
		break;
	}
	if (size > max || t->octets > max - size)
		return ANSWER_TOO_LARGE;
	if (!t->text_begun && (a = open_text(s)) != ANSWER_OK)
		return a;
	return ANSWER_OK;
}

/* All octets of the chunk are here. */
static void
chunk_end(struct server *s)
{
	struct transaction *t = s->transaction;
	char		    text[64];

	if (s->chunk_answer == ANSWER_OK && t->refusal != ANSWER_OK)
		s->chunk_answer = t->refusal;
	if (s->chunk_answer != ANSWER_OK) {
		/* The transaction has failed, further chunks of it hear 503 (RFC 3030 section 2). */
		s->state = t ? SERVER_RCPT : s->helo ? SERVER_READY : SERVER_START;
		server_refuse(s, (enum server_answer)s->chunk_answer, SPAN_LITERAL("BDAT"));
		if (s->state != SERVER_ENDING)
			server_reset(s);
		return;
	}
	if (s->chunk_last) {
		smtp_data_chunk_end(&t->data);
		finish(s);
		return;
	}
	server_enter(s, SERVER_CHUNKS);
	(void)snprintf(text, sizeof(text), "%llu octets so far", (unsigned long long)t->octets);
	server_reply(s, 250, "2.0.0", span_of(text));
}

void
server_bdat_begin(struct server *s, uint64_t size, bool last)
{
	enum server_answer a = bdat_answer(s, size);

	if (a != ANSWER_OK && size > 2 * s->settings->message_size_max_octets) {
		server_refuse(s, a, SPAN_LITERAL("BDAT"));
		if (s->state != SERVER_ENDING)
			server_end(s, ANSWER_ENDLESS);
		return;
	}
	s->chunk_left = size;
	s->chunk_last = last;
	s->chunk_answer = (uint8_t)a;
	server_enter(s, SERVER_CHUNK);
	if (size == 0)
		chunk_end(s);
}

size_t
server_bdat_chunk(struct server *s, struct span bytes)
{
	struct span text = span_first(bytes, (size_t)MIN_OF((uint64_t)bytes.len, s->chunk_left));

	s->since_ns = server_now(s);
	s->chunk_left -= text.len;
	if (s->chunk_answer == ANSWER_OK) {
		smtp_data_chunk(&s->transaction->data, text);
		if (!take(s, text))
			return bytes.len;
	}
	if (s->chunk_left == 0) {
		if (s->chunk_last)
			s->blocked = false; /* as above */
		chunk_end(s);
	}
	return text.len;
}

/* --- patience -------------------------------------------------------------------------------------------------- */

void
server_data_deadline(struct server *s)
{
	struct transaction *t = s->transaction;
	uint64_t	    now = server_now(s), rate = s->settings->data_rate_min_octets_per_s, ms;

	if (s->blocked)
		return;
	if (now - s->since_ns >= s->settings->data_deadline_ms * 1000000u) {
		server_end(s, ANSWER_TIMEOUT);
		return;
	}
	if (t == NULL || !t->text_begun)
		return;
	ms = (now - t->begun_ns - t->stalled_ns) / 1000000;
	if (ms > SERVER_RATE_AFTER_MS && t->octets < rate * (ms / 1000))
		server_end(s, ANSWER_TOO_SLOW);
}
