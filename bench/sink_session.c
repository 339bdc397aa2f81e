/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of the sink.  It reads on only when it has answered: while a delay runs, a file is written or a ledger
 * line is under way, the stream is paused, so answers of a pipelined group stay in order without a queue.
 *
 * The end of a message is a short chain, each link of which may take a while:
 *	text whole -> delay -> stored in a file -> line in the ledger -> answer
 */
#include <errno.h>
#include <fcntl.h>

#include "bench/sink.h"
#include "bench/text.h"
#include "bench/wire.h"

#define SINK_STATES(X)                                                                             \
	X(COMMAND) /* a command line comes next */                                                 \
	X(TEXT)	   /* text until CRLF.CRLF */                                                      \
	X(CHUNK)   /* text of a BDAT chunk */                                                      \
	X(BUSY)	   /* a link of the chain, or a delay, is under way: nothing is read */            \
	X(LEAVING) /* the last reply is being sent */                                              \
	X(CLOSED)

enum { LAST_WORDS_MS = 10000 }; /* for answers on their way to a client that has closed its half */

enum sink_state {
#define X(id) SINK_STATE_##id,
	SINK_STATES(X)
#undef X
};

struct sink_session {
	struct sink_core    *core;
	struct stream	     stream;
	struct list_node     node;
	struct wheel_timer   delay;
	struct ledger_waiter waiter;
	enum sink_state	     state, after; /* after: the state that follows BUSY */
	void (*resume)(struct sink_session *s); /* what a delay delays */
	unsigned	     held_len; /* the reply that a delay holds back */
	char		     held_text[512];
	bool		     mail, null_path, gone, chunk_last, data_refused, too_large;
	uint64_t	     messages;
	/* the transaction */
	struct ledger_text   from, recipients; /* escaped, as in the ledger */
	unsigned	     recipient_count;
	uint64_t	     chunk_left, ended_ns; /* ended_ns: when the text was whole */
	struct text_account  account;
	struct ledger_text   kept; /* text, for --store and for reports */
	struct wire_text     decoder;
	/* --store */
	struct io_op file_op;
	struct iovec file_iov;
	uint64_t     file_at;
	int	     file;
	char	     file_name[64];
};

static const struct sink_options *
options_of(const struct sink_session *s)
{
	return s->core->options;
}

static struct reactor *
reactor_of_session(struct sink_session *s)
{
	return &s->core->member->reactor;
}

/* --- chance ------------------------------------------------------------------------------------------ */

static bool
happens(struct sink_session *s, double percent)
{
	uint64_t x = s->core->chance;

	if (percent >= 100)
		return true;
	/* xorshift64: the seed decides, not the machine. */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s->core->chance = x;
	return percent > 0 && (double)(x >> 11) * 0x1p-53 * 100 < percent;
}

static bool
refuses(struct sink_session *s, const struct option_refusal *refusal)
{
	return refusal->code && happens(s, refusal->percent);
}

static bool
closes_at(struct sink_session *s, enum sink_stage stage)
{
	const struct option_chance *chance = &options_of(s)->close_at;

	return chance->word == (int)stage && happens(s, chance->percent);
}

/* --- ends -------------------------------------------------------------------------------------------- */

static void
transaction_reset(struct sink_session *s)
{
	s->mail = s->null_path = s->data_refused = s->too_large = s->chunk_last = false;
	s->from.len = s->recipients.len = s->kept.len = 0;
	s->recipient_count = 0;
	text_reset(&s->account);
}

static void
free_perhaps(struct sink_session *s)
{
	struct sink_core *core = s->core;

	if (!s->gone || !io_op_idle(&s->file_op))
		return;
	timeline_sessions(&core->report.timeline, reactor_now(reactor_of_session(s)), -1);
	list_remove(&s->node);
	transaction_reset(s);
	free(s->from.data);
	free(s->recipients.data);
	free(s->kept.data);
	free(s);
	sink_session_gone(core);
}

static void
session_closed(struct stream *stream)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	s->gone = true;
	free_perhaps(s);
}

static void
session_close(struct sink_session *s)
{
	if (s->state == SINK_STATE_CLOSED)
		return;
	s->state = SINK_STATE_CLOSED;
	wheel_disarm(&reactor_of_session(s)->wheel, &s->delay);
	ledger_waiter_cancel(&s->waiter);
	stream_close(&s->stream);
}

static void
session_ended(struct stream *stream, int result)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	if (s->state != SINK_STATE_LEAVING && (s->mail || result < 0)) {
		report_add(&s->core->report, REPORT_SESSIONS_LOST, 1);
		report_errno(&s->core->report, result);
	}
	if (result == 0 && stream_unsent(stream) > 0) {
		/* Who says QUIT and closes its half at once, as Exim does, still reads the answers. */
		s->state = SINK_STATE_LEAVING;
		s->resume = session_close;
		reactor_arm_ms(reactor_of_session(s), &s->delay, LAST_WORDS_MS);
		return;
	}
	session_close(s);
}

static void
session_sent(struct stream *stream)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);

	if (s->state == SINK_STATE_LEAVING)
		session_close(s);
}

/* --- replies ----------------------------------------------------------------------------------------- */

static void
reply(struct sink_session *s, struct span text)
{
	int result = stream_write(&s->stream, text);

	if (UNLIKELY(result < 0))
		session_close(s);
}

static void
busy(struct sink_session *s, enum sink_state after)
{
	s->state = SINK_STATE_BUSY;
	s->after = after;
	stream_pause(&s->stream);
}

static void
busy_end(struct sink_session *s)
{
	s->state = s->after;
	if (s->state == SINK_STATE_COMMAND && s->core->stopping)
		s->state = SINK_STATE_LEAVING; /* session_sent() closes once the answer is out */
	else
		stream_resume(&s->stream);
}

static void
delay_run(struct wheel_timer *timer)
{
	struct sink_session *s = CONTAINER_OF(timer, struct sink_session, delay);

	s->resume(s);
}

static void
delayed_reply(struct sink_session *s)
{
	busy_end(s);
	reply(s, span_make(s->held_text, s->held_len));
}

/* Answers at a stage where --delay and --close-at may strike; the next state is `after`. */
static void
answer(struct sink_session *s, enum sink_stage stage, enum sink_state after, struct span text)
{
	if (closes_at(s, stage)) {
		session_close(s);
		return;
	}
	s->state = after;
	if (!options_of(s)->delay_ms || options_of(s)->delay_at != stage) {
		reply(s, text);
		return;
	}
	INVARIANT(text.len <= sizeof(s->held_text));
	memcpy(s->held_text, text.data, text.len);
	s->held_len = (unsigned)text.len;
	s->resume = delayed_reply;
	busy(s, after);
	reactor_arm_ms(reactor_of_session(s), &s->delay, options_of(s)->delay_ms);
}

static struct span
refusal_text(char buffer[static 64], unsigned code)
{
	int n = snprintf(buffer, 64, "%u %u.7.0 Refused as asked\r\n", code, code / 100);

	return span_make(buffer, (size_t)n);
}

static void
refuse(struct sink_session *s, enum bench_stage stage, enum sink_stage strikes, enum sink_state after, unsigned code)
{
	char text[64];

	report_code(&s->core->report, stage, code);
	answer(s, strikes, after, refusal_text(text, code));
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
	if (s->core->store >= 0)
		ledger_put_key(lines, "file", span_of(s->file_name));
	ledger_put_end(lines, io_wall(reactor_of_session(s)->io));
	free(reported.data);
}

static void
message_answer(struct sink_session *s)
{
	struct report *report = &s->core->report;
	uint64_t now = reactor_now(reactor_of_session(s)), due = s->account.time_ns, latency = 0;

	/* A time yet to come is of another machine's clock. */
	if (due && due <= s->ended_ns) {
		latency = s->ended_ns - due;
		report_latency(report, REPORT_END_TO_END, latency);
	}
	timeline_message(&report->timeline, now, s->account.size, latency);
	s->messages++;
	report_add(report, REPORT_MESSAGES, 1);
	report_add(report, REPORT_RECIPIENTS, s->recipient_count);
	report_add(report, REPORT_OCTETS, s->account.size);
	report->last_ns = now;
	transaction_reset(s);
	s->after = SINK_STATE_COMMAND;
	if (s->state == SINK_STATE_BUSY)
		busy_end(s);
	else
		s->state = SINK_STATE_COMMAND;
	reply(s, SPAN_LITERAL("250 2.0.0 taken\r\n"));
}

static void
line_written(struct ledger_waiter *waiter)
{
	struct sink_session *s = CONTAINER_OF(waiter, struct sink_session, waiter);

	message_answer(s);
}

static void
message_refuse(struct sink_session *s, unsigned code)
{
	char text[64];

	if (s->core->ledger_open && s->account.id_len) {
		ledger_write(s, LEDGER_REJECTED, code, true);
		ledger_file_push(&s->core->ledger, NULL);
	}
	report_add(&s->core->report, REPORT_REFUSED, 1);
	timeline_error(&s->core->report.timeline, reactor_now(reactor_of_session(s)));
	report_code(&s->core->report, STAGE_DOT, code);
	transaction_reset(s);
	s->after = SINK_STATE_COMMAND;
	if (s->state == SINK_STATE_BUSY)
		busy_end(s);
	else
		s->state = SINK_STATE_COMMAND;
	reply(s, refusal_text(text, code));
}

static void
message_stored(struct sink_session *s)
{
	bool lost = closes_at(s, SINK_ANSWER);

	if (s->core->ledger_open) {
		ledger_write(s, LEDGER_RECEIVED, lost ? 0 : 250, !lost);
		if (!lost && s->state != SINK_STATE_BUSY)
			busy(s, SINK_STATE_COMMAND);
		ledger_file_push(&s->core->ledger, lost ? NULL : &s->waiter);
	}
	if (lost)
		session_close(s);
	else if (!s->core->ledger_open)
		message_answer(s);
}

static void
file_failed(struct sink_session *s, int result)
{
	(void)fprintf(stderr, "ringpost-bench sink: %s/%s: %s\n", options_of(s)->store, s->file_name,
		      strerror(-result));
	exit(1);
}

static void
file_written(struct io_op *op, const struct io_event *event)
{
	struct sink_session *s = CONTAINER_OF(op, struct sink_session, file_op);
	struct io *io = reactor_of_session(s)->io;

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
		free_perhaps(s);
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
	io_write(reactor_of_session(s)->io, op, s->file, &s->file_iov, 1, 0, 0);
}

static void
message_take(struct sink_session *s)
{
	if (refuses(s, &options_of(s)->refuse_dot)) {
		message_refuse(s, options_of(s)->refuse_dot.code);
		return;
	}
	if (s->core->store < 0) {
		message_stored(s);
		return;
	}
	(void)snprintf(s->file_name, sizeof(s->file_name), "%013lld-%02u-%08llu.eml",
		       (long long)(io_wall(reactor_of_session(s)->io) / 1000000), s->core->member->index,
		       (unsigned long long)s->core->stored++);
	if (s->state != SINK_STATE_BUSY)
		busy(s, SINK_STATE_COMMAND);
	io_op_init(&s->file_op, file_opened);
	io_open(reactor_of_session(s)->io, &s->file_op, s->core->store, s->file_name,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

static void
message_end(struct sink_session *s)
{
	text_end(&s->account);
	s->ended_ns = reactor_now(reactor_of_session(s));
	s->state = SINK_STATE_COMMAND;
	if (s->too_large) {
		message_refuse(s, 552);
		return;
	}
	if (closes_at(s, SINK_DOT)) {
		session_close(s);
		return;
	}
	if (options_of(s)->delay_ms && options_of(s)->delay_at == SINK_DOT) {
		busy(s, SINK_STATE_COMMAND);
		s->resume = message_take;
		reactor_arm_ms(reactor_of_session(s), &s->delay, options_of(s)->delay_ms);
		return;
	}
	message_take(s);
}

static void
text_take(struct sink_session *s, struct span bytes)
{
	if (s->too_large)
		return;
	/* The account begins at the id, the limit counts all. */
	if (s->account.size + s->account.undecided.len + bytes.len > options_of(s)->size_max) {
		s->too_large = true;
		return;
	}
	text_feed(&s->account, bytes);
	if (s->core->store >= 0 || s->null_path)
		ledger_put(&s->kept, bytes);
}

/* --- commands ------------------------------------------------------------------------------------------- */

static void
handle_mail(struct sink_session *s, const struct wire_command *c)
{
	const struct sink_options *o = options_of(s);

	if (s->mail) {
		reply(s, SPAN_LITERAL("503 5.5.1 One transaction at a time\r\n"));
		return;
	}
	if (o->messages_per_session && s->messages >= o->messages_per_session) {
		report_code(&s->core->report, STAGE_MAIL, 421);
		s->state = SINK_STATE_LEAVING;
		reply(s, SPAN_LITERAL("421 4.7.0 Enough for one session\r\n"));
		return;
	}
	if (o->size && c->size > o->size_max) {
		report_code(&s->core->report, STAGE_MAIL, 552);
		reply(s, SPAN_LITERAL("552 5.3.4 Too large\r\n"));
		return;
	}
	if (refuses(s, &o->refuse_mail)) {
		refuse(s, STAGE_MAIL, SINK_MAIL, SINK_STATE_COMMAND, o->refuse_mail.code);
		return;
	}
	transaction_reset(s);
	s->mail = true;
	s->null_path = c->path.len == 0;
	if (!s->core->report.first_ns)
		s->core->report.first_ns = reactor_now(reactor_of_session(s));
	ledger_put_address(&s->from, true, s->null_path ? SPAN_LITERAL("<>") : c->path);
	answer(s, SINK_MAIL, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.1.0 ok\r\n"));
}

static void
handle_rcpt(struct sink_session *s, const struct wire_command *c)
{
	if (!s->mail) {
		reply(s, SPAN_LITERAL("503 5.5.1 MAIL first\r\n"));
		return;
	}
	if (s->recipient_count == SINK_RECIPIENTS_MAX) {
		reply(s, SPAN_LITERAL("452 4.5.3 Too many recipients\r\n"));
		return;
	}
	if (refuses(s, &options_of(s)->refuse_rcpt)) {
		report_add(&s->core->report, REPORT_RECIPIENTS_REFUSED, 1);
		refuse(s, STAGE_RCPT, SINK_RCPT, SINK_STATE_COMMAND, options_of(s)->refuse_rcpt.code);
		return;
	}
	ledger_put_address(&s->recipients, s->recipient_count++ == 0, c->path);
	answer(s, SINK_RCPT, SINK_STATE_COMMAND, SPAN_LITERAL("250 2.1.5 ok\r\n"));
}

static void
handle_data(struct sink_session *s)
{
	if (!s->recipient_count) {
		reply(s, s->mail ? SPAN_LITERAL("554 5.5.1 No valid recipients\r\n") :
				   SPAN_LITERAL("503 5.5.1 MAIL first\r\n"));
		return;
	}
	if (refuses(s, &options_of(s)->refuse_data)) {
		refuse(s, STAGE_DATA, SINK_DATA, SINK_STATE_COMMAND, options_of(s)->refuse_data.code);
		return;
	}
	wire_text_init(&s->decoder);
	answer(s, SINK_DATA, SINK_STATE_TEXT, SPAN_LITERAL("354 go on\r\n"));
}

/* What a BDAT chunk brings must be read whatever the answer will be (RFC 3030 section 2). */
static void
handle_bdat(struct sink_session *s, const struct wire_command *c)
{
	bool first = s->account.size == 0 && !s->account.undecided.len;

	if (closes_at(s, SINK_DATA)) {
		session_close(s);
		return;
	}
	if (!options_of(s)->chunking) {
		reply(s, SPAN_LITERAL("502 5.5.1 Not here\r\n"));
		s->state = SINK_STATE_LEAVING; /* the chunk would be read as commands */
		return;
	}
	s->chunk_left = c->size;
	s->chunk_last = c->last;
	s->state = SINK_STATE_CHUNK;
	if (first && s->recipient_count && refuses(s, &options_of(s)->refuse_data))
		s->data_refused = true;
}

static void
chunk_end(struct sink_session *s)
{
	char text[64];

	s->state = SINK_STATE_COMMAND;
	if (!s->recipient_count) {
		reply(s, SPAN_LITERAL("503 5.5.1 No valid recipients\r\n"));
	} else if (s->data_refused) {
		report_code(&s->core->report, STAGE_DATA, options_of(s)->refuse_data.code);
		reply(s, refusal_text(text, options_of(s)->refuse_data.code));
		if (s->chunk_last)
			transaction_reset(s);
	} else if (s->chunk_last) {
		message_end(s);
	} else {
		reply(s, SPAN_LITERAL("250 2.0.0 next\r\n"));
	}
}

static void
handle_hello(struct sink_session *s, const struct wire_command *c)
{
	static const struct span name = SPAN_LITERAL("250-sink.example.org\r\n");
	char text[512];

	transaction_reset(s);
	if (c->verb == WIRE_HELO) {
		answer(s, SINK_EHLO, SINK_STATE_COMMAND, SPAN_LITERAL("250 sink.example.org\r\n"));
		return;
	}
	if (!options_of(s)->ehlo) {
		answer(s, SINK_EHLO, SINK_STATE_COMMAND, SPAN_LITERAL("502 5.5.1 Not here\r\n"));
		return;
	}
	INVARIANT(name.len + s->core->offers.len <= sizeof(text));
	memcpy(text, name.data, name.len);
	memcpy(text + name.len, s->core->offers.data, s->core->offers.len);
	answer(s, SINK_EHLO, SINK_STATE_COMMAND, span_make(text, name.len + s->core->offers.len));
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
		handle_mail(s, &c);
		break;
	case WIRE_RCPT:
		handle_rcpt(s, &c);
		break;
	case WIRE_DATA:
		handle_data(s);
		break;
	case WIRE_BDAT:
		handle_bdat(s, &c);
		break;
	case WIRE_RSET:
		transaction_reset(s);
		reply(s, SPAN_LITERAL("250 2.0.0 ok\r\n"));
		break;
	case WIRE_NOOP:
		reply(s, SPAN_LITERAL("250 2.0.0 ok\r\n"));
		break;
	case WIRE_VRFY:
		reply(s, SPAN_LITERAL("252 2.5.0 Try and see\r\n"));
		break;
	case WIRE_QUIT:
		s->state = SINK_STATE_LEAVING;
		reply(s, SPAN_LITERAL("221 2.0.0 bye\r\n"));
		break;
	case WIRE_WRONG:
		report_add(&s->core->report, REPORT_UNEXPECTED, 1);
		reply(s, SPAN_LITERAL("501 5.5.4 Bad arguments\r\n"));
		break;
	case WIRE_OTHER:
		report_add(&s->core->report, REPORT_UNEXPECTED, 1);
		reply(s, SPAN_LITERAL("500 5.5.2 What?\r\n"));
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
			s->state = SINK_STATE_LEAVING;
			reply(s, SPAN_LITERAL("500 5.5.2 Line too long\r\n"));
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
			text_take(s, piece);
		switch (result) {
		case WIRE_TEXT_PIECE:
			continue;
		case WIRE_TEXT_MORE:
			break;
		case WIRE_TEXT_END:
			message_end(s);
			return bytes.len - rest.len;
		case WIRE_TEXT_BROKEN:
			report_add(&s->core->report, REPORT_UNEXPECTED, 1);
			session_close(s);
			return bytes.len;
		}
		break;
	}
	if (closes_at(s, SINK_BODY))
		session_close(s);
	return bytes.len - rest.len;
}

static size_t
chunk_read(struct sink_session *s, struct span bytes)
{
	struct span piece = span_first(bytes, s->chunk_left);

	if (s->recipient_count && !s->data_refused)
		text_take(s, piece);
	s->chunk_left -= piece.len;
	if (!s->chunk_left)
		chunk_end(s);
	else if (closes_at(s, SINK_BODY))
		session_close(s);
	return piece.len;
}

static size_t
session_read(struct stream *stream, struct span bytes)
{
	struct sink_session *s = CONTAINER_OF(stream, struct sink_session, stream);
	size_t done = 0, len = 0;

	for (;;) {
		struct span rest = span_from(bytes, done);

		switch (s->state) {
		case SINK_STATE_COMMAND:
			len = command_read(s, rest);
			if (!len)
				return done;
			break;
		case SINK_STATE_TEXT:
			len = text_read(s, rest);
			break;
		case SINK_STATE_CHUNK:
			len = chunk_read(s, rest);
			break;
		case SINK_STATE_BUSY:
			return done;
		case SINK_STATE_LEAVING: case SINK_STATE_CLOSED:
			return bytes.len;
		}
		done += len;
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

void
sink_session_start(struct sink_core *core, int fd)
{
	struct sink_session *s = calloc(1, sizeof(*s));

	if (!s) {
		io_close(core->member->reactor.io, fd);
		return;
	}
	s->core = core;
	list_node_init(&s->node);
	list_append(&core->sessions, &s->node);
	wheel_timer_init(&s->delay, delay_run);
	ledger_waiter_init(&s->waiter, line_written);
	io_op_init(&s->file_op, file_opened);
	stream_open(&s->stream, reactor_of_session(s), fd, &session_handlers);
	report_add(&core->report, REPORT_SESSIONS, 1);
	timeline_sessions(&core->report.timeline, reactor_now(reactor_of_session(s)), 1);
	answer(s, SINK_BANNER, SINK_STATE_COMMAND, core->greeting);
}

void
sink_session_stop(struct list_node *node)
{
	struct sink_session *s = LIST_ENTRY(node, struct sink_session, node);

	if (s->state == SINK_STATE_COMMAND && !s->mail)
		session_close(s);
}

void
sink_session_cut(struct list_node *node)
{
	session_close(LIST_ENTRY(node, struct sink_session, node));
}
