/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MAIL to the answer to the end of data.  Until a recipient was taken the rules of the host hold; from then on those of the
 * first recipient's domain, if it has any.
 *
 * The end of a message is a short chain, each link of which may take a while:
 *	text whole -> delay -> stored in a file -> line in the ledger -> delay -> answer
 */
#include <errno.h>
#include <fcntl.h>

#include "bench/sink_session_internal.h"

/* --- the account of it ------------------------------------------------------------------------------------ */

void
sink_transaction_reset(struct sink_session *s)
{
	s->mail = s->null_path = s->too_large = s->chunk_last = false;
	s->chunk_verdict = (struct sink_verdict){ .action = SINK_ACTION_USUAL };
	s->domain = s->in_rate = s->over_rate = NULL;
	s->from.len = s->recipients.len = s->kept.len = 0;
	s->party_count = 0;
	s->recipient_count = 0;
	text_reset(&s->account);
}

void
sink_transaction_fini(struct sink_session *s)
{
	sink_transaction_reset(s);
	free(s->from.data);
	free(s->recipients.data);
	free(s->kept.data);
	free(s->parties);
}

static void
party_add(struct sink_session *s, struct sink_tally *tally)
{
	struct sink_party *parties = s->parties;

	for (size_t i = s->party_count; i; i--) {
		if (parties[i - 1].tally == tally) {
			parties[i - 1].count++;
			return;
		}
	}
	if (s->party_count == s->party_room) {
		size_t room = s->party_room ? 2 * s->party_room : 1;

		parties = realloc(parties, room * sizeof(*parties));
		if (!parties) {
			(void)fprintf(stderr, "ringpost-bench: no memory\n");
			exit(1);
		}
		s->parties = parties;
		s->party_room = room;
	}
	parties[s->party_count++] = (struct sink_party){ tally, 1 };
}

/* Answered 250. */
static void
message_count(struct sink_session *s)
{
	struct report *report = &s->core->report;
	struct sink_tallies *tallies = s->core->shared->tallies;
	uint64_t now = reactor_now(sink_session_reactor(s)), due = s->account.time_ns, latency = 0;

	/* A time yet to come is of another machine's clock. */
	if (due && due <= s->ended_ns) {
		latency = s->ended_ns - due;
		report_latency(report, REPORT_END_TO_END, latency);
	}
	timeline_message(&report->timeline, now, s->account.size, latency);
	report_add(report, REPORT_MESSAGES, 1);
	report_add(report, REPORT_RECIPIENTS, s->recipient_count);
	report_add(report, REPORT_OCTETS, s->account.size);
	report->last_ns = now;
	s->messages++;
	for (size_t i = 0; i < s->party_count; i++) {
		struct sink_party *party = &s->parties[i];

		sink_tally_add(tallies, party->tally, SINK_COUNT_MESSAGES, 1);
		sink_tally_add(tallies, party->tally, SINK_COUNT_RECIPIENTS, party->count);
		sink_tally_add(tallies, party->tally, SINK_COUNT_OCTETS, s->account.size);
	}
}

/* --- limits ------------------------------------------------------------------------------------------------- */

static struct sink_verdict
limit_refusal(struct sink_session *s, enum sink_stage stage, struct sink_tally *tally, enum sink_limit_kind kind, uint64_t by)
{
	const struct sink_limit *limit = &sink_session_profile(s, tally)->limits[kind];

	if (by)
		sink_tally_over(tally, kind, by);
	return sink_session_refusal(s, stage, tally, limit->code, limit->text);
}

/* The connection counts for one domain at a time: that of its transaction.  False: it is one too many. */
static bool
domain_enter(struct sink_session *s, struct sink_tally *tally, struct sink_verdict *refusal)
{
	const struct sink_limit *limit = tally->profile ? &tally->profile->limits[SINK_LIMIT_CONNECTIONS] : NULL;
	uint64_t over;

	if (s->entered == tally)
		return true;
	if (s->entered)
		sink_tally_leave(s->entered);
	s->entered = tally;
	over = sink_tally_enter(s->core->shared->tallies, tally, limit);
	if (!over)
		return true;
	*refusal = limit_refusal(s, SINK_RCPT, tally, SINK_LIMIT_CONNECTIONS, over);
	refusal->last = true;
	return false;
}

/* A message more on this connection.  The host was asked at MAIL. */
static bool
domain_messages(struct sink_session *s, struct sink_tally *tally, struct sink_verdict *refusal)
{
	const struct sink_limit *limit = tally->profile ? &tally->profile->limits[SINK_LIMIT_MESSAGES] : NULL;

	if (!limit || !limit->max || s->messages < limit->max)
		return true;
	*refusal = limit_refusal(s, SINK_RCPT, tally, SINK_LIMIT_MESSAGES, s->messages + 1 - limit->max);
	return false;
}

/* A transaction is asked once, however many of its recipients are then refused. */
static bool
domain_rate(struct sink_session *s, struct sink_tally *tally, struct sink_verdict *refusal)
{
	struct sink_tally *meter = tally->profile ? tally : s->host;
	const struct sink_limit *limit = &meter->profile->limits[SINK_LIMIT_RATE];
	uint64_t over = 0;

	if (!limit->max || s->in_rate == meter)
		return true;
	if (s->over_rate != meter) {
		over = sink_tally_rate(meter, limit, reactor_now(sink_session_reactor(s)));
		if (!over) {
			s->in_rate = meter;
			return true;
		}
		sink_tally_over(meter, SINK_LIMIT_RATE, over);
		s->over_rate = meter;
	}
	*refusal = limit_refusal(s, SINK_RCPT, tally, SINK_LIMIT_RATE, 0);
	return false;
}

static bool
domain_recipients(struct sink_session *s, struct sink_tally *tally, struct sink_verdict *refusal)
{
	struct sink_tally *meter = tally->profile ? tally : s->host;
	const struct sink_limit *limit = &meter->profile->limits[SINK_LIMIT_RECIPIENTS];

	if (!limit->max || s->recipient_count < limit->max)
		return true;
	sink_tally_over(meter, SINK_LIMIT_RECIPIENTS, s->recipient_count + 1 - limit->max);
	*refusal = limit_refusal(s, SINK_RCPT, tally, SINK_LIMIT_RECIPIENTS, 0);
	return false;
}

/* --- the end of a message -------------------------------------------------------------------------------- */

static void
ledger_write(struct sink_session *s, enum ledger_kind kind, unsigned code, bool answered)
{
	struct ledger_text *lines = &s->core->ledger.lines, reported = { 0 };
	const struct text_account *a = &s->account;
	struct span id = span_make(a->id, a->id_len), of;

	if (kind == LEDGER_RECEIVED && s->null_path && !a->id_len &&
	    text_report_parse(span_make(s->kept.data, s->kept.len), &of, &reported)) {
		kind = LEDGER_REPORTED;
		id = of;
	}
	ledger_put_begin(lines, kind, id, a->size, a->crc);
	if (code)
		ledger_put_key_uint(lines, "code", code);
	ledger_put(lines, SPAN_LITERAL(" from="));
	ledger_put(lines, span_make(s->from.data, s->from.len));
	ledger_put(lines, SPAN_LITERAL(" rcpt="));
	if (kind == LEDGER_REPORTED)
		ledger_put(lines, span_make(reported.data, reported.len));
	else
		ledger_put(lines, span_make(s->recipients.data, s->recipients.len));
	if (!answered)
		ledger_put(lines, SPAN_LITERAL(" answered=no"));
	if (s->core->shared->store >= 0)
		ledger_put_key(lines, "file", span_of(s->file_name));
	ledger_put_end(lines, io_wall(sink_session_reactor(s)->io));
	free(reported.data);
}

/* Is there an answer at all? */
static bool
is_spoken(const struct sink_verdict *v)
{
	return v->action == SINK_ACTION_USUAL || v->action == SINK_ACTION_LEAVE;
}

static void
message_answer(struct sink_session *s)
{
	struct sink_verdict v = s->verdict;

	if (is_spoken(&v)) {
		message_count(s);
		sink_transaction_reset(s);
	}
	sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.0.0 taken\r\n"));
}

static void
line_written(struct ledger_waiter *waiter)
{
	struct sink_session *s = CONTAINER_OF(waiter, struct sink_session, waiter);

	message_answer(s);
}

static void
message_refuse(struct sink_session *s, const struct sink_verdict *refusal)
{
	struct sink_verdict v = *refusal;

	if (s->core->ledger_open && s->account.id_len) {
		ledger_write(s, LEDGER_REJECTED, v.code, true);
		ledger_file_push(&s->core->ledger, NULL);
	}
	report_add(&s->core->report, REPORT_REFUSED, 1);
	sink_transaction_reset(s);
	v.delay_ms = 0; /* it is over */
	sink_session_speak(s, &v, SINK_STATE_COMMAND, (struct span){ 0 });
}

static void
message_stored(struct sink_session *s)
{
	bool leaves = s->verdict.action == SINK_ACTION_LEAVE;

	s->verdict = sink_session_judge(s, SINK_ANSWER, s->domain);
	if (leaves && s->verdict.action == SINK_ACTION_USUAL)
		s->verdict.action = SINK_ACTION_LEAVE;
	if (!s->core->ledger_open) {
		message_answer(s);
		return;
	}
	if (is_spoken(&s->verdict))
		ledger_write(s, LEDGER_RECEIVED, 250, true);
	else
		ledger_write(s, LEDGER_RECEIVED, 0, false);
	sink_session_busy(s);
	ledger_file_push(&s->core->ledger, &s->waiter);
}

static void
file_failed(struct sink_session *s, int result)
{
	(void)fprintf(stderr, "ringpost-bench sink: %s/%s: %s\n", sink_session_options(s)->store, s->file_name,
		      strerror(-result));
	exit(1);
}

static void
file_written(struct io_op *op, const struct io_event *event)
{
	struct sink_session *s = CONTAINER_OF(op, struct sink_session, file_op);
	struct io *io = sink_session_reactor(s)->io;

	if (event->result < 0)
		file_failed(s, event->result);
	s->file_at += (uint64_t)event->result;
	if ((size_t)event->result < s->file_iov.iov_len) {
		s->file_iov.iov_base = (char *)s->file_iov.iov_base + event->result;
		s->file_iov.iov_len -= (size_t)event->result;
		io_write(io, op, s->file, &s->file_iov, 1, s->file_at, 0);
		return;
	}
	io_close(io, s->file);
	if (s->state == SINK_STATE_CLOSED)
		sink_session_free(s);
	else
		message_stored(s);
}

static void
file_opened(struct io_op *op, const struct io_event *event)
{
	struct sink_session *s = CONTAINER_OF(op, struct sink_session, file_op);

	if (event->result < 0)
		file_failed(s, event->result);
	s->file = event->result;
	s->file_at = 0;
	s->file_iov = (struct iovec){ s->kept.data, s->kept.len };
	io_op_init(op, file_written);
	io_write(sink_session_reactor(s)->io, op, s->file, &s->file_iov, 1, 0, 0);
}

static void
message_take(struct sink_session *s)
{
	struct io *io = sink_session_reactor(s)->io;

	if (s->core->shared->store < 0) {
		message_stored(s);
		return;
	}
	(void)snprintf(s->file_name, sizeof(s->file_name), "%013lld-%02u-%08llu.eml", (long long)(io_wall(io) / 1000000),
		       s->core->member->index, (unsigned long long)s->core->stored++);
	sink_session_busy(s);
	io_op_init(&s->file_op, file_opened);
	io_open(io, &s->file_op, s->core->shared->store, s->file_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

static void
message_decide(struct sink_session *s)
{
	struct sink_verdict v = s->verdict;

	v.delay_ms = 0; /* it is over */
	if (is_spoken(&v))
		message_take(s);
	else if (v.action == SINK_ACTION_REFUSE)
		message_refuse(s, &v);
	else
		sink_session_speak(s, &v, SINK_STATE_COMMAND, (struct span){ 0 });
}

void
sink_transaction_end(struct sink_session *s)
{
	text_end(&s->account);
	s->ended_ns = reactor_now(sink_session_reactor(s));
	if (s->too_large)
		s->verdict = sink_session_refusal(s, SINK_DOT, s->domain, 552, SPAN_LITERAL("5.3.4 Too large"));
	else
		s->verdict = sink_session_judge(s, SINK_DOT, s->domain);
	/* What the dice said of the chunk that was also the last. */
	s->verdict.delay_ms += s->chunk_verdict.delay_ms;
	if (s->verdict.action == SINK_ACTION_USUAL)
		s->verdict.action = s->chunk_verdict.action;
	if (s->verdict.delay_ms)
		sink_session_wait(s, s->verdict.delay_ms, message_decide);
	else
		message_decide(s);
}

void
sink_transaction_text(struct sink_session *s, struct span bytes)
{
	if (s->too_large)
		return;
	/* The account begins at the id, the limit counts all. */
	if (s->account.size + s->account.undecided.len + bytes.len > sink_session_options(s)->size_max) {
		s->too_large = true;
		return;
	}
	text_feed(&s->account, bytes);
	if (s->core->shared->store >= 0 || s->null_path)
		ledger_put(&s->kept, bytes);
}

/* --- commands ------------------------------------------------------------------------------------------- */

void
sink_transaction_init(struct sink_session *s)
{
	ledger_waiter_init(&s->waiter, line_written);
	io_op_init(&s->file_op, file_opened);
}

void
sink_transaction_mail(struct sink_session *s, const struct wire_command *c)
{
	const struct sink_options *o = sink_session_options(s);
	const struct sink_limit *limit = &s->host->profile->limits[SINK_LIMIT_MESSAGES];
	struct sink_verdict v;

	if (s->mail) {
		sink_session_reply(s, SPAN_LITERAL("503 5.5.1 One transaction at a time\r\n"));
		return;
	}
	if (limit->max && s->messages >= limit->max)
		v = limit_refusal(s, SINK_MAIL, s->host, SINK_LIMIT_MESSAGES, s->messages + 1 - limit->max);
	else if (o->size && c->size > o->size_max)
		v = sink_session_refusal(s, SINK_MAIL, s->host, 552, SPAN_LITERAL("5.3.4 Too large"));
	else
		v = sink_session_judge(s, SINK_MAIL, s->host);
	if (is_spoken(&v)) {
		sink_transaction_reset(s);
		s->mail = true;
		s->null_path = c->path.len == 0;
		if (!s->core->report.first_ns)
			s->core->report.first_ns = reactor_now(sink_session_reactor(s));
		ledger_put_address(&s->from, true, s->null_path ? SPAN_LITERAL("<>") : c->path);
	}
	sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.1.0 ok\r\n"));
}

void
sink_transaction_rcpt(struct sink_session *s, const struct wire_command *c)
{
	struct sink_tally *tally;
	struct sink_verdict v;

	if (!s->mail) {
		sink_session_reply(s, SPAN_LITERAL("503 5.5.1 MAIL first\r\n"));
		return;
	}
	if (s->recipient_count == SINK_RECIPIENTS_MAX) {
		sink_session_reply(s, SPAN_LITERAL("452 4.5.3 Too many recipients\r\n"));
		return;
	}
	tally = sink_tallies_find(s->core->shared->tallies, c->path);
	if ((s->domain || (domain_enter(s, tally, &v) && domain_messages(s, tally, &v) && domain_rate(s, tally, &v))) &&
	    domain_recipients(s, tally, &v))
		v = sink_session_judge(s, SINK_RCPT, tally);
	if (is_spoken(&v)) {
		if (!s->domain)
			s->domain = tally;
		party_add(s, tally);
		ledger_put_address(&s->recipients, s->recipient_count++ == 0, c->path);
	} else if (v.action == SINK_ACTION_REFUSE) {
		report_add(&s->core->report, REPORT_RECIPIENTS_REFUSED, 1);
	}
	sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.1.5 ok\r\n"));
}

void
sink_transaction_data(struct sink_session *s)
{
	struct sink_verdict v;

	if (!s->recipient_count) {
		sink_session_reply(s, s->mail ? SPAN_LITERAL("554 5.5.1 No valid recipients\r\n") :
						SPAN_LITERAL("503 5.5.1 MAIL first\r\n"));
		return;
	}
	v = sink_session_judge(s, SINK_DATA, s->domain);
	wire_text_init(&s->decoder);
	sink_session_speak(s, &v, SINK_STATE_FIRST, SPAN_LITERAL("354 go on\r\n"));
}

/* What a BDAT chunk brings must be read whatever the answer will be (RFC 3030 section 2), which comes behind it. */
void
sink_transaction_bdat(struct sink_session *s, const struct wire_command *c)
{
	bool first = s->account.size == 0 && !s->account.undecided.len && s->chunk_verdict.action != SINK_ACTION_REFUSE;
	struct sink_verdict v = { .action = SINK_ACTION_USUAL }, body;

	if (!sink_session_options(s)->chunking) {
		/* The chunk would be read as commands. */
		v.action = SINK_ACTION_LEAVE;
		sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("502 5.5.1 Not here\r\n"));
		return;
	}
	s->chunk_left = c->size;
	s->chunk_last = c->last;
	if (first && s->recipient_count) {
		v = sink_session_judge(s, SINK_DATA, s->domain);
		if (v.action == SINK_ACTION_USUAL) {
			body = sink_session_judge(s, SINK_BODY, s->domain);
			v.action = body.action;
			v.delay_ms += body.delay_ms;
		}
		s->chunk_verdict = v;
	}
	if (is_spoken(&v) || v.action == SINK_ACTION_REFUSE)
		s->state = SINK_STATE_CHUNK;
	else
		sink_session_speak(s, &v, SINK_STATE_CHUNK, (struct span){ 0 });
}

void
sink_transaction_chunk_end(struct sink_session *s)
{
	struct sink_verdict v = s->chunk_verdict;

	s->state = SINK_STATE_COMMAND;
	if (!s->recipient_count) {
		sink_session_reply(s, SPAN_LITERAL("503 5.5.1 No valid recipients\r\n"));
	} else if (v.action == SINK_ACTION_REFUSE) {
		if (s->chunk_last)
			sink_transaction_reset(s);
		sink_session_speak(s, &v, SINK_STATE_COMMAND, (struct span){ 0 });
	} else if (s->chunk_last) {
		sink_transaction_end(s);
	} else {
		s->chunk_verdict.delay_ms = 0; /* it was for the first chunk */
		sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.0.0 next\r\n"));
	}
}
