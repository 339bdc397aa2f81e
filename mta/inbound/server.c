/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a session: bytes in, replies out, deadlines, the end.
 *
 * Invariants
 *   - COMMIT is left by the queue's answer only.  While it lasts the stream is paused, so nothing the peer does is seen;
 *     should the stream fail meanwhile, the session outlives it until the answer has come.
 *   - After ENDING begins nothing is obeyed: what comes is dropped until the peer ends or SERVER_LINGER_MS have passed.
 *   - Commands are read only while the peer takes our replies: SERVER_REPLIES_MAX octets may wait.
 *
 * A deadline is a time since which we wait, `since_ns`; the timer is set once and looks when it fires whether that has
 * moved, so a busy session never touches the wheel.
 */
#include "mta/inbound/server.h"

#include <errno.h>

#include "mta/inbound/transaction.h"
#include "mta/policy/clients.h"
#include "mta/smtp/reply.h"

/* --- words ----------------------------------------------------------------------------------------- */

static void
put(struct server *s, const char *bytes, size_t len)
{
	/* No room means a peer that takes nothing: reading stopped long before, so this is the end of it. */
	if (stream_write(&s->stream, span_make(bytes, len)) == -ENOBUFS)
		stream_close(&s->stream);
}

void
server_reply(struct server *s, unsigned code, const char *enhanced, struct span text)
{
	char line[SMTP_REPLY_LINE_MAX];

	put(s, line, smtp_reply_write(line, code, enhanced, text));
}

void
server_say(struct server *s, enum server_answer a)
{
	const struct server_answer_row *row = &server_answers[a];
	const struct inbound_words     *words = &s->inbound->words[a];

	counter_add(&s->inbound->answers[a], 1);
	if (words->len == 0) {
		char text[SMTP_REPLY_LINE_MAX];
		int  len = snprintf(text, sizeof(text), "%s %s", s->settings->hostname.data, row->text);

		server_reply(s, row->code, row->enhanced, span_make(text, MIN_OF((size_t)len, sizeof(text) - 1)));
		return;
	}
	put(s, words->line, words->len);
}

void
server_refused(struct server *s, unsigned code, const char *why, struct span about)
{
	struct inbound *in = s->inbound;

	s->refusals++;
	inbound_count(in, INBOUND_REFUSED, 1);
	if (s->refusals <= SERVER_LOGGED_MAX)
		log_info(in->reactor->log, "refused", LOG_ID("session", s->id), LOG_ENDPOINT("client", &s->peer),
			 LOG_UINT("code", code), LOG_STR("why", why),
			 LOG_SPAN("from", s->transaction ? s->transaction->envelope.sender : SPAN_LITERAL("")),
			 LOG_SPAN("about", about));
	if (code >= 500 && ++s->errors >= s->settings->errors_max)
		server_end(s, ANSWER_ERRORS);
}

void
server_refuse(struct server *s, enum server_answer a, struct span about)
{
	server_say(s, a);
	server_refused(s, server_answers[a].code, server_answers[a].word, about);
}

/* --- states ------------------------------------------------------------------------------------------ */

static uint64_t
state_deadline_ms(const struct server *s)
{
	switch ((enum server_state)s->state) {
	case SERVER_START:
	case SERVER_READY:
	case SERVER_MAIL:
	case SERVER_RCPT:
	case SERVER_CHUNKS:
		return s->settings->command_deadline_ms;
	case SERVER_TEXT:
	case SERVER_CHUNK:
		return MIN_OF(s->settings->data_deadline_ms, (uint64_t)SERVER_RATE_LOOK_MS);
	case SERVER_COMMIT:
		return s->settings->command_deadline_ms;
	case SERVER_ENDING:
		return SERVER_LINGER_MS;
	}
	return SERVER_LINGER_MS;
}

static void
arm(struct server *s)
{
	wheel_arm(&s->inbound->reactor->wheel, &s->deadline, s->since_ns + state_deadline_ms(s) * 1000000u);
}

/* The timer may stand later than the new state allows: only then it is moved. */
void
server_enter(struct server *s, enum server_state state)
{
	s->state = (uint8_t)state;
	s->since_ns = server_now(s);
	if (!wheel_timer_armed(&s->deadline) ||
	    s->deadline.deadline_ns > s->since_ns + state_deadline_ms(s) * 1000000u)
		arm(s);
}

void
server_reset(struct server *s)
{
	INVARIANT(s->state != SERVER_COMMIT);
	transaction_free(s->transaction);
	s->transaction = NULL;
	if (s->settings != s->inbound->core->settings) {
		settings_unref(s->settings);
		s->settings = settings_ref(s->inbound->core->settings);
	}
	if (s->state > SERVER_READY && s->state < SERVER_ENDING)
		server_enter(s, SERVER_READY);
}

static void
timed_out(struct wheel_timer *timer)
{
	struct server *s = CONTAINER_OF(timer, struct server, deadline);
	uint64_t       due_ns = s->since_ns + state_deadline_ms(s) * 1000000u;

	if (s->state == SERVER_COMMIT)
		s->since_ns = server_now(s);
	else if (s->state == SERVER_TEXT || s->state == SERVER_CHUNK)
		server_data_deadline(s);
	else if (server_now(s) >= due_ns && s->state == SERVER_ENDING)
		stream_close(&s->stream);
	else if (server_now(s) >= due_ns)
		server_end(s, ANSWER_TIMEOUT);
	if (stream_is_closing(&s->stream))
		return;
	if (s->state == SERVER_TEXT || s->state == SERVER_CHUNK)
		reactor_arm_ms(s->inbound->reactor, &s->deadline, state_deadline_ms(s));
	else if (!wheel_timer_armed(&s->deadline))
		arm(s);
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void
free_server(struct server *s)
{
	struct inbound *in = s->inbound;
	struct mta     *mta = in->core->mta;

	log_info(in->reactor->log, "session-end", LOG_ID("session", s->id), LOG_ENDPOINT("client", &s->peer),
		 LOG_STR("why", s->end), LOG_UINT("messages", s->messages), LOG_UINT("refused", s->refusals),
		 LOG_UINT("octets_in", s->stream.bytes_in), LOG_UINT("octets_out", s->stream.bytes_out),
		 LOG_UINT("ms", (server_now(s) - s->begun_ns) / 1000000));
	transaction_free(s->transaction);
	wheel_disarm(&in->reactor->wheel, &s->deadline);
	list_remove(&s->node);
	counter_sub(&in->values[INBOUND_SESSIONS], 1);
	budget_give(&in->reactor->memory, SERVER_OCTETS);
	if (s->counted) {
		clients_leave(mta->clients, &s->peer);
		atomic_fetch_sub_explicit(&mta->sessions, 1, memory_order_relaxed);
	} else {
		in->refusing--;
	}
	settings_unref(s->settings);
	free(s->helo);
	free(s);
	inbound_may_be_drained(in);
}

/* No further words: the peer's end, or its silence, closes. */
static void
linger(struct server *s, const char *why)
{
	if (s->end == NULL)
		s->end = why;
	if (s->transaction)
		inbound_count(s->inbound, INBOUND_BROKEN, 1);
	transaction_free(s->transaction);
	s->transaction = NULL;
	server_enter(s, SERVER_ENDING);
	s->full = s->blocked = false;
	stream_resume(&s->stream);
	if (s->peer_ended && stream_unsent(&s->stream) == 0)
		stream_close(&s->stream);
	else
		stream_finish(&s->stream);
}

void
server_end(struct server *s, enum server_answer words)
{
	INVARIANT(s->state != SERVER_COMMIT);
	if (s->state == SERVER_ENDING)
		return;
	server_say(s, words);
	if (!stream_is_closing(&s->stream))
		linger(s, server_answers[words].word);
}

void
server_drain(struct server *s)
{
	if (s->state == SERVER_COMMIT || s->state == SERVER_ENDING || stream_is_closing(&s->stream))
		return;
	if (s->inbound->late || s->state <= SERVER_READY)
		server_end(s, ANSWER_SHUTTING_DOWN);
}

static void
closed(struct stream *stream)
{
	struct server *s = CONTAINER_OF(stream, struct server, stream);

	if (s->end == NULL)
		s->end = "closed";
	s->closed = true;
	if (s->state != SERVER_COMMIT)
		free_server(s);
}

void
server_gone(struct server *s)
{
	INVARIANT(s->closed && s->state != SERVER_COMMIT);
	free_server(s);
}

/* --- bytes ----------------------------------------------------------------------------------------------- */

/* One line off the front: its octets, 0 when it is not whole. */
static size_t
take_line(struct server *s, struct span bytes)
{
	static const uint8_t wrong[] = {
		[SMTP_LINE_TOO_LONG] = ANSWER_LONG_LINE,
		[SMTP_LINE_BARE] = ANSWER_BARE,
		[SMTP_LINE_NUL] = ANSWER_NUL,
	};
	struct span	      line;
	size_t		      used;
	enum smtp_line_result result =
		smtp_line_next(&s->line, bytes, s->settings->command_line_max_octets, &line, &used);

	if (result == SMTP_LINE_MORE)
		return used;
	s->since_ns = server_now(s);
	inbound_count(s->inbound, INBOUND_COMMANDS, 1);
	if (result == SMTP_LINE_OK) {
		server_line(s, line, used < bytes.len);
		return used;
	}
	server_refuse(s, (enum server_answer)wrong[result], SPAN_LITERAL(""));
	/* He may have meant several lines, or a BDAT: where his next command begins is anybody's guess. */
	if (result != SMTP_LINE_TOO_LONG && s->state != SERVER_ENDING)
		server_end(s, ANSWER_HANG_UP);
	return used;
}

static size_t
read_bytes(struct stream *stream, struct span bytes)
{
	struct server *s = CONTAINER_OF(stream, struct server, stream);
	size_t	       at = 0, used;

	while (at < bytes.len && !stream_is_closing(stream)) {
		struct span rest = span_from(bytes, at);

		if (s->state == SERVER_ENDING)
			return bytes.len;
		if (s->state == SERVER_COMMIT || s->blocked)
			break;
		if (stream_unsent(stream) > SERVER_REPLIES_MAX) {
			s->full = true;
			stream_pause(stream);
			break;
		}
		if (s->state == SERVER_TEXT)
			used = server_data_text(s, rest);
		else if (s->state == SERVER_CHUNK)
			used = server_bdat_chunk(s, rest);
		else
			used = take_line(s, rest);
		at += used;
		if (used == 0)
			break;
	}
	return at;
}

static void
ended(struct stream *stream, int result)
{
	struct server *s = CONTAINER_OF(stream, struct server, stream);

	s->peer_ended = true;
	if (result < 0) {
		if (s->end == NULL)
			s->end = log_errno_name(-result);
		if (s->transaction && s->state != SERVER_COMMIT)
			inbound_count(s->inbound, INBOUND_BROKEN, 1);
		stream_close(stream);
	} else if (s->state == SERVER_ENDING) {
		if (stream_unsent(stream) == 0)
			stream_close(stream);
	} else {
		INVARIANT(s->state != SERVER_COMMIT);
		linger(s, "peer_ended");
	}
}

static void
sent(struct stream *stream)
{
	struct server *s = CONTAINER_OF(stream, struct server, stream);

	if (s->state == SERVER_ENDING) {
		if (s->peer_ended)
			stream_close(stream);
	} else if (s->full) {
		s->full = false;
		if (s->state != SERVER_COMMIT && !s->blocked)
			stream_resume(stream);
	}
}

static const struct stream_handlers handlers = {
	.read = read_bytes,
	.ended = ended,
	.sent = sent,
	.closed = closed,
};

/* --- the beginning ----------------------------------------------------------------------------------------- */

/* May this client come in?  ANSWER_OK, and it is counted; else what it is told. */
static enum server_answer
admit(struct server *s)
{
	struct mta *mta = s->inbound->core->mta;
	uint64_t    sessions_max = MIN_OF(s->settings->sessions_max, (uint64_t)mta->sessions_ceiling);

	if (s->inbound->draining)
		return ANSWER_SHUTTING_DOWN;
	if (!clients_enter(mta->clients, &s->peer, s->settings->sessions_per_client_max))
		return ANSWER_TOO_MANY_OF_CLIENT;
	if (atomic_fetch_add_explicit(&mta->sessions, 1, memory_order_relaxed) >= sessions_max) {
		atomic_fetch_sub_explicit(&mta->sessions, 1, memory_order_relaxed);
		clients_leave(mta->clients, &s->peer);
		return ANSWER_TOO_MANY;
	}
	s->counted = true;
	return ANSWER_OK;
}

static void
shut_out(struct inbound *in, int fd)
{
	inbound_count(in, INBOUND_SHUT_OUT, 1);
	io_close(in->reactor->io, fd);
}

void
server_start(struct inbound *in, int fd)
{
	struct endpoint	   peer;
	struct server	  *s;
	bool		   room;
	uint64_t	   chance;
	enum server_answer answer;

	if (in->refusing >= LISTENER_REFUSALS_MAX || io_peer(fd, &peer) != 0 || (s = calloc(1, sizeof(*s))) == NULL) {
		shut_out(in, fd);
		return;
	}
	room = budget_take(&in->reactor->memory, SERVER_OCTETS);
	if (!room)
		budget_force(&in->reactor->memory, SERVER_OCTETS);
	s->inbound = in;
	s->settings = settings_ref(in->core->settings);
	s->peer = peer;
	s->begun_ns = server_now(s);
	io_random(in->reactor->io, &chance, sizeof(chance));
	s->id = id_next(&in->ids, io_wall(in->reactor->io), chance);
	wheel_timer_init(&s->deadline, timed_out);
	list_node_init(&s->node);
	list_append(&in->servers, &s->node);
	inbound_count(in, INBOUND_SESSIONS, 1);
	inbound_count(in, INBOUND_SESSIONS_ALL, 1);
	stream_open(&s->stream, in->reactor, fd, &handlers);
	server_enter(s, SERVER_START);

	answer = room ? admit(s) : ANSWER_NO_MEMORY_SESSION;
	if (!s->counted)
		in->refusing++;
	log_info(in->reactor->log, "session-start", LOG_ID("session", s->id), LOG_ENDPOINT("client", &s->peer));
	if (answer == ANSWER_OK) {
		char	    text[SMTP_DOMAIN_MAX + 32];
		const char *host = s->settings->hostname.data;
		int	    len = snprintf(text, sizeof(text), "%s ESMTP ringpost", host);

		server_reply(s, 220, NULL, span_make(text, MIN_OF((size_t)len, sizeof(text) - 1)));
	} else {
		server_refused(s, server_answers[answer].code, server_answers[answer].word, SPAN_LITERAL(""));
		server_end(s, answer);
	}
}
