/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of the sender.  Replies are booked against a short queue of what was asked, so the three ways to ask, one
 * command at a time, MAIL RCPT DATA in a group (RFC 2920), and the next group behind the end of data (RFC 2920
 * section 3.1 allows the text to begin a group), are one machine: they differ in when things are
 * written, never in how replies are read.  Overlapping needs two transactions: one whose answer is
 * awaited and one that is being opened.
 *
 * The outcome of a transaction is decided in one place, transaction_end(), and each transaction ends
 * there exactly once, whatever happens to the connection; that is what makes the ledger an account.
 */
#include <errno.h>

#include "bench/dial.h"
#include "bench/send.h"
#include "bench/wire.h"

#define SEND_STATES(X)                                                                             \
	/* state      exits; CLOSED always is */                                                   \
	X(CONNECTING, TO(GREETING))                                                                \
	X(GREETING,   TO(WORKING))                                                                 \
	X(WORKING,    TO(QUITTING))                                                                \
	X(QUITTING,   0)                                                                           \
	X(CLOSED,     TO(CONNECTING))

enum send_state {
#define X(id, exits) SEND_##id,
	SEND_STATES(X)
#undef X
};

enum { EXPECTED_MAX = 12, TRANSACTIONS = 2 };

struct expected {
	enum bench_stage stage;
	struct transaction *transaction;
	uint32_t	 count; /* replies of this sort still to come */
};

struct transaction {
	struct message message;
	bool	 open;	   /* not ended */
	bool	 mailed;   /* MAIL was answered 250 */
	bool	 sent;	   /* the end of data is on its way: without an answer the outcome is unknown */
	uint64_t begun_ns, sent_ns;
	uint64_t rcpt_first; /* in the pool */
	uint32_t rcpt_replied, rcpt_accepted;
	unsigned code;	   /* first refusal that decides; 0: none */
	enum bench_stage stage; /* of that refusal */
	uint64_t refused[(SEND_RECIPIENTS_MAX + 63) / 64]; /* bit for each recipient */
};

struct send_session {
	struct send_core    *core;
	struct list_node     node;    /* in core->sessions */
	struct list_node     waiting; /* in core->waiting */
	struct stream	     stream;
	struct io_connect_op connect;
	uint64_t	     dialled_ns;
	struct wheel_timer   timer; /* an answer is due, or the pause before the next connection is over */
	enum send_state	     state;
	unsigned	     index;
	int		     fd; /* while CONNECTING */
	bool		     streaming; /* the stream is open */
	bool		     greeted;	/* 220 came: counted among the open ones */
	bool		     again;	/* connect anew after closing, at once */
	bool		     pipelining, bdat, overlap;
	struct wire_offers   offers;
	uint64_t	     messages;
	struct expected	     expected[EXPECTED_MAX]; /* ring */
	unsigned	     expected_at, expected_count;
	struct transaction   transactions[TRANSACTIONS];
};

static void session_connect(struct send_session *s);
static void session_lost(struct send_session *s, int result);
static void session_next(struct send_session *s);

static const struct send_options *
options_of(const struct send_session *s)
{
	return s->core->shared->options;
}

static struct reactor *
reactor_of_session(struct send_session *s)
{
	return &s->core->member->reactor;
}

static void
enter(struct send_session *s, enum send_state next)
{
#define TO(id) (1u << SEND_##id)
	static const unsigned exits[] = {
#define X(id, exits) exits,
		SEND_STATES(X)
#undef X
	};
#undef TO
	INVARIANT(next == SEND_CLOSED || (exits[s->state] & 1u << next));
	s->state = next;
}

/* --- writing ---------------------------------------------------------------------------------------- */

static void
put(struct send_session *s, struct span text)
{
	int result = stream_write(&s->stream, text);

	if (UNLIKELY(result < 0))
		session_lost(s, result);
}

static void
put_borrowed(struct send_session *s, struct span text)
{
	int result = stream_write_borrowed(&s->stream, text);

	if (UNLIKELY(result < 0))
		session_lost(s, result);
}

static void
expect(struct send_session *s, enum bench_stage stage, struct transaction *t, uint32_t count)
{
	INVARIANT(s->expected_count < EXPECTED_MAX);
	s->expected[(s->expected_at + s->expected_count++) % EXPECTED_MAX] =
		(struct expected){ stage, t, count };
	reactor_arm_ms(reactor_of_session(s), &s->timer, options_of(s)->timeout_s * 1000);
}

static void
put_recipients(struct send_session *s, const struct transaction *t, uint64_t first, uint64_t count)
{
	const struct send_shared *shared = s->core->shared;
	uint64_t pool = options_of(s)->pool, at = (t->rcpt_first + first) % pool;

	/* Lines of neighbours lie behind one another; the pool is a ring. */
	while (count) {
		uint64_t n = MIN_OF(count, pool - at);

		put(s, span_make(shared->rcpt_lines.data + shared->rcpt_at[at],
				 shared->rcpt_at[at + n] - shared->rcpt_at[at]));
		count -= n;
		at = 0;
	}
}

static void
put_mail(struct send_session *s, const struct transaction *t)
{
	char line[MESSAGE_ADDRESS_MAX + 96];
	int n = snprintf(line, sizeof(line), "MAIL FROM:<%s>", options_of(s)->from);

	if (s->offers.size)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " SIZE=%llu",
			      (unsigned long long)t->message.size);
	if (s->offers.eight_bit && t->message.eight_bit)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " BODY=8BITMIME");
	n += snprintf(line + n, sizeof(line) - (size_t)n, "\r\n");
	INVARIANT(n > 0 && (size_t)n < sizeof(line));
	put(s, span_make(line, (size_t)n));
	expect(s, STAGE_MAIL, (struct transaction *)t, 1);
}

static void
put_text(struct send_session *s, struct transaction *t)
{
	const struct message *m = &t->message;

	put(s, span_make(m->head, m->head_len));
	if (m->body.len)
		put_borrowed(s, s->bdat ? m->body : m->body_stuffed);
	if (m->tail_len)
		put(s, span_make(m->tail, m->tail_len));
	if (!s->bdat)
		put(s, SPAN_LITERAL(".\r\n"));
	t->sent = true;
	t->sent_ns = reactor_now(reactor_of_session(s));
	expect(s, STAGE_DOT, t, 1);
}

static void
put_bdat(struct send_session *s, struct transaction *t)
{
	char line[40];
	int n = snprintf(line, sizeof(line), "BDAT %llu LAST\r\n", (unsigned long long)t->message.size);

	put(s, span_make(line, (size_t)n));
	put_text(s, t);
}

static void
put_command(struct send_session *s, struct span line, enum bench_stage stage, struct transaction *t)
{
	put(s, line);
	expect(s, stage, t, 1);
}

/* --- transactions -------------------------------------------------------------------------------------- */

static void
ledger_recipients(struct send_session *s, const struct transaction *t, const char *key, bool refused)
{
	const struct send_shared *shared = s->core->shared;
	struct ledger_text *lines = &s->core->ledger.lines;
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
				   send_mailbox(shared, (t->rcpt_first + i) % shared->options->pool));
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
	ledger_put_end(lines, io_wall(reactor_of_session(s)->io));
	ledger_file_push(&core->ledger, NULL);
}

/* The only end of a transaction. */
static void
transaction_end(struct send_session *s, struct transaction *t, enum ledger_kind kind, unsigned code,
		enum bench_stage stage, struct span text)
{
	struct report *report = &s->core->report;
	uint64_t now = reactor_now(reactor_of_session(s));

	INVARIANT(t->open);
	t->open = false;
	report->last_ns = now;
	switch (kind) {
	case LEDGER_ACCEPTED:
		report_add(report, REPORT_MESSAGES, 1);
		report_add(report, REPORT_RECIPIENTS, t->rcpt_accepted);
		report_add(report, REPORT_OCTETS, t->message.size);
		report_latency(report, REPORT_LATENCY, now - t->begun_ns);
		report_latency(report, REPORT_TRANSACTION, now - t->begun_ns);
		report_latency(report, REPORT_COMMIT, now - t->sent_ns);
		timeline_message(&report->timeline, now, t->message.size, now - t->begun_ns);
		break;
	case LEDGER_REFUSED:
		report_add(report, REPORT_REFUSED, 1);
		break;
	case LEDGER_ABORTED:
		report_add(report, REPORT_ABORTED, 1);
		break;
	default:
		report_add(report, REPORT_UNKNOWN, 1);
	}
	if (kind != LEDGER_ACCEPTED)
		timeline_error(&report->timeline, now);
	ledger_write(s, t, kind, code, stage, text);
}

static void
transaction_begin(struct send_session *s, uint32_t seq)
{
	const struct send_options *o = options_of(s);
	struct transaction *t = &s->transactions[s->transactions[0].open ? 1 : 0];
	uint64_t now = reactor_now(reactor_of_session(s));

	INVARIANT(!t->open);
	s->messages++;
	message_make(s->core->shared->source, seq, now, &t->message);
	t->open = true;
	t->mailed = t->sent = false;
	t->begun_ns = now;
	t->rcpt_first = seq * o->recipients % o->pool;
	t->rcpt_replied = t->rcpt_accepted = 0;
	t->code = 0;
	memset(t->refused, 0, (o->recipients + 63) / 64 * sizeof(t->refused[0]));
	if (!s->core->report.first_ns)
		s->core->report.first_ns = now;
	put_mail(s, t);
	if (!s->pipelining)
		return;
	put_recipients(s, t, 0, o->recipients);
	expect(s, STAGE_RCPT, t, (uint32_t)o->recipients);
	if (!s->bdat) {
		put_command(s, SPAN_LITERAL("DATA\r\n"), STAGE_DATA, t);
		return;
	}
	put_bdat(s, t);
}

/* A refusal decides about the transaction unless another did before. */
static void
refuse(struct send_session *s, struct transaction *t, enum bench_stage stage, unsigned code)
{
	if (t->code)
		return;
	t->code = code;
	t->stage = stage;
	if (stage != STAGE_RCPT)
		report_code(&s->core->report, stage, code);
}

/* Refused before the text; a transaction that the server has opened is taken back (RFC 5321 section 4.1.1.5). */
static void
refused_end(struct send_session *s, struct transaction *t, struct span text)
{
	transaction_end(s, t, LEDGER_REFUSED, t->code, t->stage, text);
	if (t->mailed && t->stage != STAGE_DOT)
		put_command(s, SPAN_LITERAL("RSET\r\n"), STAGE_RSET, NULL);
	else
		session_next(s);
}

static void
handle_mail(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code / 100 == 2)
		t->mailed = true;
	else
		refuse(s, t, STAGE_MAIL, r->code);
	if (s->pipelining)
		return;
	if (!t->mailed) {
		refused_end(s, t, r->text);
		return;
	}
	put_recipients(s, t, 0, 1);
	expect(s, STAGE_RCPT, t, 1);
}

static void
handle_rcpt(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	uint32_t i = t->rcpt_replied++;
	bool last = t->rcpt_replied == options_of(s)->recipients;

	if (r->code / 100 == 2) {
		t->rcpt_accepted++;
	} else {
		t->refused[i / 64] |= (uint64_t)1 << i % 64;
		if (!t->code) {
			report_code(&s->core->report, STAGE_RCPT, r->code);
			report_add(&s->core->report, REPORT_RECIPIENTS_REFUSED, 1);
		}
		if (last && t->rcpt_accepted == 0)
			refuse(s, t, STAGE_RCPT, r->code);
	}
	if (s->pipelining)
		return;
	if (!last) {
		put_recipients(s, t, t->rcpt_replied, 1);
		expect(s, STAGE_RCPT, t, 1);
	} else if (t->rcpt_accepted == 0) {
		refused_end(s, t, r->text);
	} else if (s->bdat) {
		put_bdat(s, t);
	} else {
		put_command(s, SPAN_LITERAL("DATA\r\n"), STAGE_DATA, t);
	}
}

static void
handle_data(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code == 354) {
		if (t->code) {
			/* The server goes on although nobody is left: an empty text ends it (RFC 2920
			 * section 3.1).  It is not our message, so nothing was sent. */
			put_command(s, SPAN_LITERAL(".\r\n"), STAGE_DOT, t);
			return;
		}
		put_text(s, t);
		if (s->overlap)
			session_next(s);
		return;
	}
	refuse(s, t, STAGE_DATA, r->code);
	refused_end(s, t, r->text);
}

static void
handle_dot(struct send_session *s, struct transaction *t, const struct wire_reply *r)
{
	if (r->code / 100 != 2)
		refuse(s, t, STAGE_DOT, r->code);
	if (t->code && t->stage != STAGE_DOT) {
		t->mailed = t->mailed && r->code / 100 != 2; /* an empty text was taken: nothing to take back */
		refused_end(s, t, r->text);
	} else if (t->code) {
		refused_end(s, t, r->text);
	} else {
		transaction_end(s, t, LEDGER_ACCEPTED, r->code, STAGE_DOT, r->text);
		session_next(s);
	}
}

/* --- the session ------------------------------------------------------------------------------------------ */

static void
session_quit(struct send_session *s, bool again)
{
	enter(s, SEND_QUITTING);
	s->again = again;
	put_command(s, SPAN_LITERAL("QUIT\r\n"), STAGE_QUIT, NULL);
}

/* Begins the next message, or waits for one, or says goodbye. */
static void
session_next(struct send_session *s)
{
	const struct send_options *o = options_of(s);
	uint32_t seq;

	if (s->state != SEND_WORKING || list_linked(&s->waiting))
		return;
	for (unsigned i = 0; i < TRANSACTIONS; i++) {
		if (s->transactions[i].open && !s->transactions[i].sent)
			return; /* overlapping: the next one is under way already */
	}
	if (o->messages_per_session && s->messages >= o->messages_per_session) {
		if (!s->expected_count)
			session_quit(s, true);
		return;
	}
	switch (send_take(s->core, &s->waiting, &seq)) {
	case SEND_TAKE_OK:
		transaction_begin(s, seq);
		break;
	case SEND_TAKE_WAIT:
		break;
	case SEND_TAKE_DONE:
		if (!s->expected_count)
			session_quit(s, false);
		break;
	}
}

static void
session_failed(struct send_session *s)
{
	report_add(&s->core->report, REPORT_SESSIONS_FAILED, 1);
	timeline_error(&s->core->report.timeline, reactor_now(reactor_of_session(s)));
}

static void
handle_banner(struct send_session *s, const struct wire_reply *r)
{
	char line[300];
	int n;

	if (r->code != 220) {
		report_code(&s->core->report, STAGE_BANNER, r->code);
		session_failed(s);
		session_lost(s, 0);
		return;
	}
	s->core->greeted_ns = reactor_now(reactor_of_session(s));
	report_add(&s->core->report, REPORT_SESSIONS, 1);
	report_latency(&s->core->report, REPORT_CONNECT, s->core->greeted_ns - s->dialled_ns);
	timeline_sessions(&s->core->report.timeline, s->core->greeted_ns, 1);
	s->greeted = true;
	n = snprintf(line, sizeof(line), "EHLO %.255s\r\n", options_of(s)->helo);
	put_command(s, span_make(line, (size_t)n), STAGE_EHLO, NULL);
}

static void
handle_ehlo(struct send_session *s, const struct wire_reply *r, struct span whole)
{
	const struct send_options *o = options_of(s);

	if (r->code / 100 != 2) {
		report_code(&s->core->report, STAGE_EHLO, r->code);
		session_failed(s);
		session_lost(s, 0);
		return;
	}
	wire_ehlo_parse(whole, &s->offers);
	if (o->bdat && !s->offers.chunking) {
		(void)fprintf(stderr, "ringpost-bench send: the server does not offer CHUNKING\n");
		exit(1);
	}
	s->pipelining = s->offers.pipelining && o->pipelining != SEND_PIPELINING_OFF;
	s->overlap = s->pipelining && o->pipelining == SEND_PIPELINING_OVERLAP;
	s->bdat = o->bdat;
	enter(s, SEND_WORKING);
	session_next(s);
}

static void
handle_reply(struct send_session *s, const struct wire_reply *r, struct span whole)
{
	struct expected *e = &s->expected[s->expected_at];
	enum bench_stage stage = e->stage;
	struct transaction *t = e->transaction;

	if (!s->expected_count) {
		/* 421 before the connection goes (RFC 5321 section 3.8), or nonsense. */
		report_code(&s->core->report, STAGE_ANSWER, r->code);
		return;
	}
	if (--e->count == 0) {
		s->expected_at = (s->expected_at + 1) % EXPECTED_MAX;
		s->expected_count--;
	}
	if (s->expected_count)
		reactor_arm_ms(reactor_of_session(s), &s->timer, options_of(s)->timeout_s * 1000);
	else
		wheel_disarm(&reactor_of_session(s)->wheel, &s->timer);
	switch (stage) {
	case STAGE_BANNER:
		handle_banner(s, r);
		break;
	case STAGE_EHLO:
		handle_ehlo(s, r, whole);
		break;
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
	case STAGE_RSET:
		session_next(s);
		break;
	case STAGE_QUIT:
		session_lost(s, 0);
		break;
	case STAGE_CONNECT: case STAGE_BODY: case STAGE_ANSWER: case STAGE_COUNT:
		INVARIANT(!"a stage that has no reply");
	}
}

static struct send_session *
session_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct send_session, stream);
}

static size_t
session_read(struct stream *stream, struct span bytes)
{
	struct send_session *s = session_of(stream);
	size_t done = 0;

	while (done < bytes.len && s->state != SEND_CLOSED) {
		struct span rest = span_from(bytes, done);
		struct wire_reply reply;

		switch (wire_reply_parse(rest, &reply)) {
		case WIRE_MORE:
			return done;
		case WIRE_BROKEN:
			report_add(&s->core->report, REPORT_UNEXPECTED, 1);
			session_lost(s, -EPROTO);
			return bytes.len;
		case WIRE_OK:
			done += reply.len;
			handle_reply(s, &reply, span_first(rest, reply.len));
			break;
		}
	}
	return done;
}

static void
session_ended(struct stream *stream, int result)
{
	session_lost(session_of(stream), result);
}

/* --wait-retry, and there is still something to send. */
static bool
retry_wanted(struct send_session *s)
{
	const struct send_core *core = s->core;
	uint64_t patience_ns = options_of(s)->wait_retry_s * 1000000000u;

	return core->taken < core->share && reactor_now(reactor_of_session(s)) - core->greeted_ns < patience_ns;
}

/* The descriptor is gone: connect anew, or be gone too. */
static void
session_closed(struct stream *stream)
{
	struct send_session *s = session_of(stream);
	struct send_core *core = s->core;

	s->streaming = false;
	if (s->greeted)
		timeline_sessions(&core->report.timeline, reactor_now(reactor_of_session(s)), -1);
	s->greeted = false;
	if (!core->done && s->again) {
		session_connect(s);
	} else if (!core->done && retry_wanted(s)) {
		reactor_arm_ms(reactor_of_session(s), &s->timer, SEND_RETRY_MS);
	} else {
		list_remove(&s->node);
		free(s);
		send_session_gone(core);
	}
}

/* The connection is over, for whatever reason: what is open gets its outcome.  Harmless a second time. */
static void
session_lost(struct send_session *s, int result)
{
	struct report *report = &s->core->report;
	enum bench_stage stage = s->expected_count ? s->expected[s->expected_at].stage : STAGE_ANSWER;
	bool quit = s->state == SEND_QUITTING;

	if (s->state == SEND_CLOSED)
		return;
	if (s->state == SEND_CONNECTING || s->state == SEND_GREETING) {
		if (stage != STAGE_EHLO && result != 0)
			session_failed(s);
	} else if (!quit) {
		report_add(report, REPORT_SESSIONS_LOST, 1);
		report_errno(report, result);
	}
	enter(s, SEND_CLOSED);
	s->again = s->again && quit;
	s->expected_count = 0;
	list_remove(&s->waiting);
	wheel_disarm(&reactor_of_session(s)->wheel, &s->timer);
	/* The older one first. */
	for (unsigned i = 0; i < TRANSACTIONS; i++) {
		struct transaction *t = &s->transactions[i];

		if (!t->open)
			continue;
		/* Recipients whose replies went down with the connection may have been accepted. */
		if (t->sent)
			t->rcpt_replied = (uint32_t)options_of(s)->recipients;
		transaction_end(s, t, t->sent ? LEDGER_UNKNOWN : LEDGER_ABORTED, 0, stage, span_of(""));
	}
	if (s->streaming)
		stream_close(&s->stream);
}

static const struct stream_handlers session_handlers = {
	.read = session_read,
	.ended = session_ended,
	.closed = session_closed,
};

static void
session_connected(struct io_op *op, const struct io_event *event)
{
	struct send_session *s = CONTAINER_OF(op, struct send_session, connect.op);

	if (event->result >= 0 && s->state == SEND_CONNECTING) {
		enter(s, SEND_GREETING);
		s->streaming = true;
		stream_open(&s->stream, reactor_of_session(s), s->fd, &session_handlers);
		expect(s, STAGE_BANNER, NULL, 1);
		return;
	}
	io_close(reactor_of_session(s)->io, s->fd);
	report_errno(&s->core->report, event->result);
	session_lost(s, event->result);
	session_closed(&s->stream);
}

static void
session_connect(struct send_session *s)
{
	const struct send_options *o = options_of(s);

	enter(s, SEND_CONNECTING);
	s->again = false;
	s->messages = 0;
	s->expected_at = s->expected_count = 0;
	s->dialled_ns = reactor_now(reactor_of_session(s));
	s->fd = dial(reactor_of_session(s)->io, &s->connect, &o->to, (unsigned)o->sources, s->index);
	if (s->fd < 0) {
		report_errno(&s->core->report, s->fd);
		session_lost(s, s->fd);
		session_closed(&s->stream);
		return;
	}
	reactor_arm_ms(reactor_of_session(s), &s->timer, o->timeout_s * 1000);
}

static void
session_timer(struct wheel_timer *timer)
{
	struct send_session *s = CONTAINER_OF(timer, struct send_session, timer);

	switch (s->state) {
	case SEND_CLOSED:
		session_connect(s);
		break;
	case SEND_CONNECTING:
		io_cancel(reactor_of_session(s)->io, &s->connect.op);
		break;
	case SEND_GREETING: case SEND_WORKING: case SEND_QUITTING:
		session_lost(s, -ETIMEDOUT);
		break;
	}
}

int
send_session_start(struct send_core *core, unsigned index)
{
	struct send_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->core = core;
	s->index = index;
	s->state = SEND_CLOSED;
	list_node_init(&s->node);
	list_node_init(&s->waiting);
	list_append(&core->sessions, &s->node);
	wheel_timer_init(&s->timer, session_timer);
	io_op_init(&s->connect.op, session_connected);
	session_connect(s);
	return 0;
}

void
send_session_wake(struct list_node *waiting)
{
	session_next(LIST_ENTRY(waiting, struct send_session, waiting));
}

void
send_session_finish(struct list_node *node)
{
	struct send_session *s = LIST_ENTRY(node, struct send_session, node);

	list_remove(&s->waiting);
	if (s->state == SEND_WORKING && !s->expected_count) {
		session_quit(s, false);
	} else if (s->state == SEND_CLOSED && wheel_timer_armed(&s->timer)) {
		wheel_disarm(&reactor_of_session(s)->wheel, &s->timer);
		session_closed(&s->stream);
	} else if (s->state == SEND_CONNECTING) {
		io_cancel(reactor_of_session(s)->io, &s->connect.op); /* its handler copes with either end */
	}
}

void
send_session_cut(struct list_node *node)
{
	struct send_session *s = LIST_ENTRY(node, struct send_session, node);

	session_lost(s, -ECANCELED);
}
