/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of the sender.  Replies are booked against a short queue of what was asked, so the three ways to ask, one
 * command at a time, MAIL RCPT DATA in a group (RFC 2920), and the next group behind the end of data (RFC 2920
 * section 3.1 allows the text to begin a group), are one machine: they differ in when things are
 * written, never in how replies are read.  Overlapping needs two transactions: one whose answer is
 * awaited and one that is being opened.
 */
#include "bench/send_session.h"

#include <errno.h>

#include "bench/dial.h"

static void session_connect(struct send_session *s);
static void session_lost(struct send_session *s, int result);

/* Where what happens to the connection is booked. */
static struct report *
report_now(struct send_session *s)
{
	return send_report_at(s->core, reactor_now(send_reactor_of(s)));
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

void
send_session_put(struct send_session *s, struct span text)
{
	int result = stream_write(&s->stream, text);

	if (UNLIKELY(result < 0))
		session_lost(s, result);
}

void
send_session_put_borrowed(struct send_session *s, struct span text)
{
	int result = stream_write_borrowed(&s->stream, text);

	if (UNLIKELY(result < 0))
		session_lost(s, result);
}

void
send_session_expect(struct send_session *s, enum bench_stage stage, struct transaction *t, uint32_t count)
{
	if (s->state == SEND_CLOSED)
		return; /* it could not be written */
	INVARIANT(s->expected_count < SEND_EXPECTED_MAX);
	s->expected[(s->expected_at + s->expected_count++) % SEND_EXPECTED_MAX] =
		(struct expected){ stage, t, count };
	send_session_lives(s);
}

void
send_session_lives(struct send_session *s)
{
	reactor_arm_ms(send_reactor_of(s), &s->timer, send_options_of(s)->timeout_s * 1000);
}

void
send_session_vanish(struct send_session *s)
{
	if (s->state == SEND_WORKING)
		enter(s, SEND_VANISHING);
}

void
send_session_ask(struct send_session *s, struct span line, enum bench_stage stage, struct transaction *t)
{
	send_session_put(s, line);
	send_session_expect(s, stage, t, 1);
}

/* --- the session ------------------------------------------------------------------------------------------ */

static void
session_quit(struct send_session *s, bool again)
{
	enter(s, SEND_QUITTING);
	s->again = again;
	send_session_ask(s, SPAN_LITERAL("QUIT\r\n"), STAGE_QUIT, NULL);
}

void
send_session_next(struct send_session *s)
{
	const struct send_options *o = send_options_of(s);
	struct send_ticket ticket;

	if (s->state != SEND_WORKING || list_linked(&s->waiting))
		return;
	for (unsigned i = 0; i < SEND_TRANSACTIONS; i++) {
		if (s->transactions[i].open && !s->transactions[i].sent)
			return; /* overlapping: the next one is under way already */
	}
	if (o->messages_per_session && s->messages >= o->messages_per_session) {
		if (!s->expected_count)
			session_quit(s, true);
		return;
	}
	switch (send_take(s->core, &s->waiting, &ticket)) {
	case SEND_TAKE_OK:
		transaction_begin(s, &ticket);
		break;
	case SEND_TAKE_WAIT:
		break;
	case SEND_TAKE_DONE:
		send_work_over(s->core);
		if (!s->expected_count)
			session_quit(s, false);
		break;
	}
}

static void
handle_banner(struct send_session *s, const struct wire_reply *r)
{
	char line[300];
	int n;

	if (r->code != 220) {
		report_code(report_now(s), STAGE_BANNER, r->code);
		session_lost(s, 0);
		return;
	}
	s->core->greeted_ns = reactor_now(send_reactor_of(s));
	report_add(report_now(s), REPORT_SESSIONS, 1);
	report_latency(report_now(s), REPORT_CONNECT, s->core->greeted_ns - s->dialled_ns);
	timeline_sessions(&s->core->report.timeline, s->core->greeted_ns, 1);
	s->greeted = true;
	n = snprintf(line, sizeof(line), "EHLO %.255s\r\n", send_options_of(s)->helo);
	send_session_ask(s, span_make(line, (size_t)n), STAGE_EHLO, NULL);
}

static void
handle_ehlo(struct send_session *s, const struct wire_reply *r, struct span whole)
{
	const struct send_options *o = send_options_of(s);

	if (r->code / 100 != 2) {
		report_code(report_now(s), STAGE_EHLO, r->code);
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
	if (!o->auth) {
		enter(s, SEND_WORKING);
		send_session_next(s);
		return;
	}
	if (!s->offers.auth_plain) {
		(void)fprintf(stderr, "ringpost-bench send: the server does not offer AUTH PLAIN\n");
		exit(1);
	}
	send_session_ask(s, span_of(s->core->shared->auth_line), STAGE_AUTH, NULL);
}

static void
handle_auth(struct send_session *s, const struct wire_reply *r)
{
	if (r->code / 100 != 2) {
		report_code(report_now(s), STAGE_AUTH, r->code);
		session_lost(s, 0);
		return;
	}
	enter(s, SEND_WORKING);
	send_session_next(s);
}

static void
handle_reply(struct send_session *s, const struct wire_reply *r, struct span whole)
{
	struct expected *e = &s->expected[s->expected_at];
	enum bench_stage stage = e->stage;
	struct transaction *t = e->transaction;

	if (!s->expected_count) {
		/* 421 before the connection goes (RFC 5321 section 3.8), or nonsense. */
		report_code(report_now(s), STAGE_ANSWER, r->code);
		return;
	}
	if (--e->count == 0) {
		s->expected_at = (s->expected_at + 1) % SEND_EXPECTED_MAX;
		s->expected_count--;
	}
	if (s->expected_count)
		reactor_arm_ms(send_reactor_of(s), &s->timer, send_options_of(s)->timeout_s * 1000);
	else
		wheel_disarm(&send_reactor_of(s)->wheel, &s->timer);
	switch (stage) {
	case STAGE_BANNER:
		handle_banner(s, r);
		break;
	case STAGE_EHLO:
		handle_ehlo(s, r, whole);
		break;
	case STAGE_AUTH:
		handle_auth(s, r);
		break;
	case STAGE_MAIL: case STAGE_RCPT: case STAGE_DATA: case STAGE_DOT:
		transaction_reply(s, t, stage, r);
		break;
	case STAGE_RSET:
		send_session_next(s);
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

	if (s->state == SEND_VANISHING)
		return bytes.len; /* who vanishes does not listen */
	while (done < bytes.len && s->state != SEND_CLOSED) {
		struct span rest = span_from(bytes, done);
		struct wire_reply reply;

		switch (wire_reply_parse(rest, &reply)) {
		case WIRE_MORE:
			return done;
		case WIRE_BROKEN:
			report_add(report_now(s), REPORT_UNEXPECTED, 1);
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
session_sent(struct stream *stream)
{
	struct send_session *s = session_of(stream);

	if (s->state != SEND_VANISHING)
		return;
	io_reset_at_close(stream->fd);
	session_lost(s, 0);
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
	struct send_core *core = s->core;
	uint64_t patience_ns = send_options_of(s)->wait_retry_s * 1000000000u;

	return send_more(core) && reactor_now(send_reactor_of(s)) - core->greeted_ns < patience_ns;
}

/* The descriptor is gone: connect anew, or be gone too. */
static void
session_closed(struct stream *stream)
{
	struct send_session *s = session_of(stream);
	struct send_core *core = s->core;

	s->streaming = false;
	if (s->greeted)
		timeline_sessions(&core->report.timeline, reactor_now(send_reactor_of(s)), -1);
	s->greeted = false;
	if (s->again && send_more(core)) {
		session_connect(s);
	} else if (retry_wanted(s)) {
		reactor_arm_ms(send_reactor_of(s), &s->timer, SEND_RETRY_MS);
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
	struct report *report = report_now(s);
	enum bench_stage stage = s->expected_count ? s->expected[s->expected_at].stage : STAGE_ANSWER;
	bool vanishing = s->state == SEND_VANISHING, meant = vanishing || s->state == SEND_QUITTING;

	if (s->state == SEND_CLOSED)
		return;
	if (s->state == SEND_CONNECTING || s->state == SEND_GREETING) {
		if (result != -ECANCELED) {
			report_add(report, REPORT_SESSIONS_FAILED, 1);
			timeline_error(&s->core->report.timeline, reactor_now(send_reactor_of(s)));
			if (result < 0 || s->expected_count) /* else a reply was refused, and is booked */
				report_errno(report, result);
		}
	} else if (!meant) {
		report_add(report, REPORT_SESSIONS_LOST, 1);
		report_errno(report, result);
	}
	enter(s, SEND_CLOSED);
	s->again = vanishing || (s->again && meant);
	s->expected_count = 0;
	list_remove(&s->waiting);
	wheel_disarm(&send_reactor_of(s)->wheel, &s->timer);
	/* The older one first. */
	for (unsigned i = 0; i < SEND_TRANSACTIONS; i++) {
		struct transaction *t = &s->transactions[i];

		if (t->open)
			transaction_lost(s, t, stage);
	}
	if (s->streaming)
		stream_close(&s->stream);
}

/* The same at any time: a connection that is being asked for is not waited for. */
static void
session_break(struct send_session *s, int result)
{
	bool connecting = s->state == SEND_CONNECTING;

	session_lost(s, result);
	if (connecting)
		io_cancel(send_reactor_of(s)->io, &s->connect.op); /* its handler copes with either end */
}

static const struct stream_handlers session_handlers = {
	.read = session_read,
	.ended = session_ended,
	.sent = session_sent,
	.closed = session_closed,
};

static void
session_connected(struct io_op *op, const struct io_event *event)
{
	struct send_session *s = CONTAINER_OF(op, struct send_session, connect.op);

	if (event->result >= 0 && s->state == SEND_CONNECTING) {
		enter(s, SEND_GREETING);
		s->streaming = true;
		stream_open(&s->stream, send_reactor_of(s), s->fd, &session_handlers);
		send_session_expect(s, STAGE_BANNER, NULL, 1);
		return;
	}
	io_close(send_reactor_of(s)->io, s->fd);
	session_lost(s, event->result);
	session_closed(&s->stream);
}

static void
session_connect(struct send_session *s)
{
	const struct send_options *o = send_options_of(s);

	enter(s, SEND_CONNECTING);
	s->again = false;
	s->messages = 0;
	s->expected_at = s->expected_count = 0;
	s->dialled_ns = reactor_now(send_reactor_of(s));
	s->fd = dial(send_reactor_of(s)->io, &s->connect, &o->to, (unsigned)o->sources, s->index);
	if (s->fd < 0) {
		session_lost(s, s->fd);
		session_closed(&s->stream);
		return;
	}
	reactor_arm_ms(send_reactor_of(s), &s->timer, o->timeout_s * 1000);
}

static void
session_timer(struct wheel_timer *timer)
{
	struct send_session *s = CONTAINER_OF(timer, struct send_session, timer);

	switch (s->state) {
	case SEND_CLOSED:
		session_connect(s);
		break;
	case SEND_CONNECTING: case SEND_GREETING: case SEND_WORKING: case SEND_VANISHING: case SEND_QUITTING:
		session_break(s, -ETIMEDOUT);
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
	send_text_init(s);
	io_op_init(&s->connect.op, session_connected);
	session_connect(s);
	return 0;
}

void
send_session_wake(struct list_node *waiting)
{
	send_session_next(LIST_ENTRY(waiting, struct send_session, waiting));
}

static bool
transaction_is_open(const struct send_session *s)
{
	return s->transactions[0].open || s->transactions[1].open;
}

void
send_session_finish(struct list_node *node)
{
	struct send_session *s = LIST_ENTRY(node, struct send_session, node);

	list_remove(&s->waiting);
	if (s->state == SEND_WORKING && !s->expected_count && !transaction_is_open(s)) {
		session_quit(s, false);
	} else if (s->state == SEND_CLOSED && wheel_timer_armed(&s->timer)) {
		wheel_disarm(&send_reactor_of(s)->wheel, &s->timer);
		session_closed(&s->stream);
	}
}

void
send_session_give_up(struct list_node *node)
{
	struct send_session *s = LIST_ENTRY(node, struct send_session, node);

	if (s->greeted || (s->state != SEND_CONNECTING && s->state != SEND_GREETING))
		return;
	report_add(report_now(s), REPORT_SESSIONS_UNGREETED, 1);
	session_break(s, -ECANCELED);
}

void
send_session_cut(struct list_node *node)
{
	struct send_session *s = LIST_ENTRY(node, struct send_session, node);

	session_break(s, -ECANCELED);
}
