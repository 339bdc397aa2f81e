/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every answer to a stage goes the same way: the dice are thrown when the command comes (judge), what they say is counted
 * at once, and it is done when the delay they gave is over (speak).  An answer always leaves the state to come, so one
 * place, deliver(), decides how a session goes on.
 */
#include "bench/sink_session_internal.h"

#include <errno.h>

enum {
	SLICES_PER_S = 20,	      /* a slow session reads so often */
	SLOW_ENOUGH_NS = 5000000,     /* shorter pauses are not worth a timer's tick */
	LAST_WORDS_MS = 10000,	      /* for answers on their way to a client that may not read them */
};

/* --- ends -------------------------------------------------------------------------------------------- */

void
sink_session_free(struct sink_session *s)
{
	struct sink_core *core = s->core;

	if (!s->gone || !io_op_idle(&s->file_op))
		return;
	timeline_sessions(&core->report.timeline, reactor_now(sink_session_reactor(s)), -1);
	if (s->entered)
		sink_tally_leave(s->entered);
	sink_tally_leave(s->host);
	list_remove(&s->node);
	sink_transaction_fini(s);
	free(s);
	sink_session_gone(core);
}

static void
session_closed(struct stream *stream)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	s->gone = true;
	sink_session_free(s);
}

void
sink_session_close(struct sink_session *s)
{
	if (s->state == SINK_STATE_CLOSED)
		return;
	s->state = SINK_STATE_CLOSED;
	wheel_disarm(&sink_session_reactor(s)->wheel, &s->delay);
	ledger_waiter_cancel(&s->waiter);
	stream_close(&s->stream);
}

static void
go_on(struct sink_session *s, enum sink_state state)
{
	bool paused = s->state == SINK_STATE_BUSY;

	s->state = state;
	if (paused)
		stream_resume(&s->stream);
}

/* Closes behind what is still to be sent: answers that were given reach the peer. */
static void
leave(struct sink_session *s)
{
	go_on(s, SINK_STATE_LEAVING);
	if (stream_unsent(&s->stream) == 0) {
		sink_session_close(s);
		return;
	}
	s->resume = sink_session_close;
	reactor_arm_ms(sink_session_reactor(s), &s->delay, LAST_WORDS_MS);
}

static void
session_ended(struct stream *stream, int result)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	if (s->state != SINK_STATE_LEAVING && (s->mail || result < 0)) {
		report_add(&s->core->report, REPORT_SESSIONS_LOST, 1);
		report_errno(&s->core->report, result);
	}
	/* Who says QUIT and closes its half at once, as Exim does, still reads the answers. */
	if (result == 0)
		leave(s);
	else
		sink_session_close(s);
}

static void
session_sent(struct stream *stream)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	if (s->state == SINK_STATE_LEAVING)
		sink_session_close(s);
}

/* --- chance ------------------------------------------------------------------------------------------ */

/* 0 <= x < 1; xorshift64: the seed decides, not the machine. */
static double
chance(struct sink_core *core)
{
	uint64_t x = core->chance;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	core->chance = x;
	return (double)(x >> 11) * 0x1p-53;
}

static const struct sink_rule *
pick(struct sink_session *s, const struct sink_profile *p, enum sink_stage stage, bool delays)
{
	if (!sink_profile_has(p, stage, delays))
		return NULL;
	return sink_profile_pick(p, stage, delays, 100 * chance(s->core));
}

static const enum bench_stage report_stages[SINK_STAGE_COUNT] = {
#define X(id, ...) [SINK_##id] = STAGE_##id,
	SINK_STAGES(X)
#undef X
};

struct sink_verdict
sink_session_refusal(struct sink_session *s, enum sink_stage stage, struct sink_tally *tally, unsigned code, struct span text)
{
	struct report *report = &s->core->report;

	report_code(report, report_stages[stage], code);
	timeline_error(&report->timeline, reactor_now(sink_session_reactor(s)));
	sink_tally_add(s->core->shared->tallies, tally, code < 500 ? SINK_COUNT_DEFERRED : SINK_COUNT_REFUSED, 1);
	return (struct sink_verdict){ .action = SINK_ACTION_REFUSE, .code = code, .text = text };
}

struct sink_verdict
sink_session_judge(struct sink_session *s, enum sink_stage stage, struct sink_tally *tally)
{
	const struct sink_profile *profile = sink_session_profile(s, tally);
	const struct sink_rule *delay = pick(s, profile, stage, true), *rule = pick(s, profile, stage, false);
	struct sink_verdict v = { .action = rule ? (enum sink_action)rule->action : SINK_ACTION_USUAL };

	switch (v.action) {
	case SINK_ACTION_USUAL: case SINK_ACTION_DELAY: case SINK_ACTION_LEAVE: case SINK_ACTION_COUNT:
		break;
	case SINK_ACTION_REFUSE:
		v = sink_session_refusal(s, stage, tally, rule->code, rule->text);
		break;
	case SINK_ACTION_CLOSE: case SINK_ACTION_RESET: case SINK_ACTION_HANG:
		timeline_error(&s->core->report.timeline, reactor_now(sink_session_reactor(s)));
		sink_tally_add(s->core->shared->tallies, tally, SINK_COUNT_DROPPED, 1);
		break;
	}
	if (delay)
		v.delay_ms = delay->delay_min_ms +
			     (uint64_t)(chance(s->core) * (delay->delay_max_ms - delay->delay_min_ms + 1.0));
	return v;
}

/* --- answers ----------------------------------------------------------------------------------------- */

void
sink_session_reply(struct sink_session *s, struct span text)
{
	int result = text.len ? stream_write(&s->stream, text) : 0;

	if (UNLIKELY(result < 0))
		sink_session_close(s);
}

void
sink_session_busy(struct sink_session *s)
{
	s->state = SINK_STATE_BUSY;
	stream_pause(&s->stream);
}

static void
delay_run(struct wheel_timer *timer)
{
	struct sink_session *s = CONTAINER_OF(timer, struct sink_session, delay);

	s->resume(s);
}

void
sink_session_wait(struct sink_session *s, uint64_t ms, void (*resume)(struct sink_session *s))
{
	sink_session_busy(s);
	s->resume = resume;
	reactor_arm_ms(sink_session_reactor(s), &s->delay, ms);
}

static void
say(struct sink_session *s, enum sink_state state, struct span text)
{
	/* At the end of a run a session leaves with the answer that ends its transaction. */
	if (state == SINK_STATE_COMMAND && s->core->stopping && !s->mail)
		state = SINK_STATE_LEAVING;
	go_on(s, state);
	sink_session_reply(s, text);
	if (s->state == SINK_STATE_LEAVING)
		leave(s);
}

/* RFC 5321 section 3.8: 421 says that the connection is closed.  A greeting that refuses is the last
 * word too. */
static void
refuse(struct sink_session *s, const struct sink_verdict *v)
{
	char text[SINK_REPLY_TEXT_MAX + 32];
	int n;

	if (v->text.len)
		n = snprintf(text, sizeof(text), "%u %.*s\r\n", v->code, (int)v->text.len, v->text.data);
	else
		n = snprintf(text, sizeof(text), "%u %u.7.0 Refused as asked\r\n", v->code, v->code / 100);
	INVARIANT(n > 0 && (size_t)n < sizeof(text));
	say(s, v->last || v->code == 421 ? SINK_STATE_LEAVING : SINK_STATE_COMMAND, span_make(text, (size_t)n));
}

static void
deliver(struct sink_session *s, const struct sink_verdict *v, enum sink_state after, struct span usual)
{
	switch (v->action) {
	case SINK_ACTION_USUAL: case SINK_ACTION_DELAY: case SINK_ACTION_COUNT:
		say(s, after, usual);
		break;
	case SINK_ACTION_REFUSE:
		refuse(s, v);
		break;
	case SINK_ACTION_LEAVE:
		say(s, SINK_STATE_LEAVING, usual);
		break;
	case SINK_ACTION_CLOSE:
		leave(s);
		break;
	case SINK_ACTION_RESET:
		io_reset_at_close(s->stream.fd);
		sink_session_close(s);
		break;
	case SINK_ACTION_HANG:
		go_on(s, SINK_STATE_HUNG);
		break;
	}
}

static void
delayed(struct sink_session *s)
{
	deliver(s, &s->verdict, s->held_after, span_make(s->held_text, s->held_len));
}

void
sink_session_speak(struct sink_session *s, const struct sink_verdict *v, enum sink_state after, struct span usual)
{
	if (!v->delay_ms) {
		deliver(s, v, after, usual);
		return;
	}
	INVARIANT(usual.len <= sizeof(s->held_text));
	if (usual.len)
		memcpy(s->held_text, usual.data, usual.len);
	s->held_len = (unsigned)usual.len;
	s->held_after = after;
	s->verdict = *v;
	sink_session_wait(s, v->delay_ms, delayed);
}

/* --- commands ------------------------------------------------------------------------------------------ */

static void
handle_hello(struct sink_session *s, const struct wire_command *c)
{
	static const struct span name = SPAN_LITERAL("250-sink.example.org\r\n");
	struct sink_verdict v = sink_session_judge(s, SINK_EHLO, s->host);
	char text[512];

	sink_transaction_reset(s);
	if (c->verb == WIRE_HELO) {
		sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("250 sink.example.org\r\n"));
		return;
	}
	if (!sink_session_options(s)->ehlo) {
		sink_session_speak(s, &v, SINK_STATE_COMMAND, SPAN_LITERAL("502 5.5.1 Not here\r\n"));
		return;
	}
	INVARIANT(name.len + s->core->offers.len <= sizeof(text));
	memcpy(text, name.data, name.len);
	memcpy(text + name.len, s->core->offers.data, s->core->offers.len);
	sink_session_speak(s, &v, SINK_STATE_COMMAND, span_make(text, name.len + s->core->offers.len));
}

static void
handle_command(struct sink_session *s, struct span line)
{
	struct wire_command c;

	wire_command_parse(line, &c);
	switch (c.verb) {
	case WIRE_EHLO: case WIRE_HELO:
		handle_hello(s, &c);
		break;
	case WIRE_MAIL:
		sink_transaction_mail(s, &c);
		break;
	case WIRE_RCPT:
		sink_transaction_rcpt(s, &c);
		break;
	case WIRE_DATA:
		sink_transaction_data(s);
		break;
	case WIRE_BDAT:
		sink_transaction_bdat(s, &c);
		break;
	case WIRE_RSET:
		sink_transaction_reset(s);
		say(s, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.0.0 ok\r\n"));
		break;
	case WIRE_NOOP:
		sink_session_reply(s, SPAN_LITERAL("250 2.0.0 ok\r\n"));
		break;
	case WIRE_VRFY:
		sink_session_reply(s, SPAN_LITERAL("252 2.5.0 Try and see\r\n"));
		break;
	case WIRE_QUIT:
		say(s, SINK_STATE_LEAVING, SPAN_LITERAL("221 2.0.0 bye\r\n"));
		break;
	case WIRE_WRONG:
		report_add(&s->core->report, REPORT_UNEXPECTED, 1);
		sink_session_reply(s, SPAN_LITERAL("501 5.5.4 Bad arguments\r\n"));
		break;
	case WIRE_OTHER:
		report_add(&s->core->report, REPORT_UNEXPECTED, 1);
		sink_session_reply(s, SPAN_LITERAL("500 5.5.2 What?\r\n"));
		break;
	}
}

/* --- reading --------------------------------------------------------------------------------------------- */

static size_t
command_read(struct sink_session *s, struct span bytes)
{
	size_t len = span_find(bytes, '\n');

	if (len == bytes.len) {
		if (len > SINK_LINE_MAX) {
			say(s, SINK_STATE_LEAVING, SPAN_LITERAL("500 5.5.2 Line too long\r\n"));
			return bytes.len;
		}
		return 0;
	}
	handle_command(s, span_first(bytes, len + 1));
	return len + 1;
}

static size_t
text_read(struct sink_session *s, struct span bytes)
{
	struct span rest = bytes, piece;

	for (;;) {
		enum wire_text_result result = wire_text_next(&s->decoder, &rest, &piece);

		if (piece.len)
			sink_transaction_text(s, piece);
		switch (result) {
		case WIRE_TEXT_PIECE:
			continue;
		case WIRE_TEXT_MORE:
			return bytes.len - rest.len;
		case WIRE_TEXT_END:
			sink_transaction_end(s);
			return bytes.len - rest.len;
		case WIRE_TEXT_BROKEN:
			report_add(&s->core->report, REPORT_UNEXPECTED, 1);
			sink_session_close(s);
			return bytes.len;
		}
	}
}

static size_t
chunk_read(struct sink_session *s, struct span bytes)
{
	struct span piece = span_first(bytes, s->chunk_left);

	if (s->recipient_count && s->chunk_verdict.action != SINK_ACTION_REFUSE)
		sink_transaction_text(s, piece);
	s->chunk_left -= piece.len;
	if (!s->chunk_left)
		sink_transaction_chunk_end(s);
	return piece.len;
}

static void
first_read(struct sink_session *s)
{
	struct sink_verdict v = sink_session_judge(s, SINK_BODY, s->domain);

	sink_session_speak(s, &v, SINK_STATE_TEXT, (struct span){ 0 });
}

/* The next step; the octets it took.  Those of a text come in small pieces when the session reads slowly. */
static size_t
step(struct sink_session *s, struct span bytes, uint64_t read_rate)
{
	struct span piece = read_rate ? span_first(bytes, MAX_OF(read_rate / SLICES_PER_S, 1u)) : bytes;

	switch (s->state) {
	case SINK_STATE_COMMAND:
		return command_read(s, bytes);
	case SINK_STATE_FIRST:
		first_read(s);
		return 0;
	case SINK_STATE_TEXT:
		return text_read(s, piece);
	case SINK_STATE_CHUNK:
		return chunk_read(s, piece);
	case SINK_STATE_BUSY:
		return 0;
	case SINK_STATE_LEAVING: case SINK_STATE_HUNG: case SINK_STATE_CLOSED:
		return bytes.len;
	}
	return 0;
}

static void
slow_over(struct sink_session *s)
{
	if (s->held_after == SINK_STATE_COMMAND && s->core->stopping && !s->mail)
		sink_session_close(s);
	else
		go_on(s, s->held_after);
}

/* So many octets were read; pauses when they came faster than they should. */
static void
slow_down(struct sink_session *s, size_t octets, uint64_t read_rate)
{
	uint64_t now = reactor_now(sink_session_reactor(s));

	s->read_until_ns = MAX_OF(s->read_until_ns, now) + octets * UINT64_C(1000000000) / read_rate;
	if (s->read_until_ns < now + SLOW_ENOUGH_NS || s->state > SINK_STATE_CHUNK)
		return;
	s->held_after = s->state;
	sink_session_wait(s, (s->read_until_ns - now) / 1000000, slow_over);
}

static size_t
session_read(struct stream *stream, struct span bytes)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);
	size_t done = 0;

	for (;;) {
		enum sink_state before = s->state;
		uint64_t read_rate = sink_session_profile(s, s->domain)->read_rate;
		size_t len = step(s, span_from(bytes, done), read_rate);

		done += len;
		if (read_rate && len)
			slow_down(s, len, read_rate);
		if (s->state == SINK_STATE_BUSY || (len == 0 && s->state == before))
			return done;
		/* An empty chunk ends without a further octet. */
		if (done == bytes.len && !(s->state == SINK_STATE_CHUNK && !s->chunk_left))
			return done;
	}
}

static const struct stream_handlers session_handlers = {
	.read = session_read,
	.ended = session_ended,
	.sent = session_sent,
	.closed = session_closed,
};

/* --- life -------------------------------------------------------------------------------------------------- */

static void
greet(struct sink_session *s)
{
	const struct sink_limit *limit = &s->host->profile->limits[SINK_LIMIT_CONNECTIONS];
	uint64_t over = sink_tally_enter(s->core->shared->tallies, s->host, limit);
	struct sink_verdict v;

	if (over) {
		sink_tally_over(s->host, SINK_LIMIT_CONNECTIONS, over);
		v = sink_session_refusal(s, SINK_BANNER, s->host, limit->code, limit->text);
	} else {
		v = sink_session_judge(s, SINK_BANNER, s->host);
	}
	v.last = true;
	sink_session_speak(s, &v, SINK_STATE_COMMAND, s->core->greeting);
}

void
sink_session_start(struct sink_core *core, struct sink_tally *host, int fd)
{
	struct sink_session *s = calloc(1, sizeof(*s));

	if (!s) {
		io_close(core->member->reactor.io, fd);
		return;
	}
	s->core = core;
	s->host = host;
	list_node_init(&s->node);
	list_append(&core->sessions, &s->node);
	wheel_timer_init(&s->delay, delay_run);
	sink_transaction_init(s);
	stream_open(&s->stream, sink_session_reactor(s), fd, &session_handlers);
	report_add(&core->report, REPORT_SESSIONS, 1);
	timeline_sessions(&core->report.timeline, reactor_now(sink_session_reactor(s)), 1);
	greet(s);
}

void
sink_session_stop(struct list_node *node)
{
	struct sink_session *s = LIST_ENTRY(node, struct sink_session, node);

	if ((s->state == SINK_STATE_COMMAND && !s->mail) || s->state == SINK_STATE_HUNG)
		sink_session_close(s);
}

void
sink_session_cut(struct list_node *node)
{
	sink_session_close(LIST_ENTRY(node, struct sink_session, node));
}
