/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mta/outbound_peer.h"

#include <check.h>
#include <sys/socket.h>

#include "mta/smtp/data.h"

struct peer_session {
	struct list_node node;
	struct stream	 stream;
	struct peer *peer;
	bool		 in_data, in_transaction;
	bool		 hung; /* says nothing more, whatever comes */
	bool		 greeted, finished;
	unsigned	 accepted; /* recipients */
	struct smtp_data data;
	size_t		 chunk_left;
	bool		 chunk_last;
	char		*text;
	size_t		 text_len;
};

static void
keep_text(struct peer_session *s, struct span bytes)
{
	s->text = realloc(s->text, s->text_len + bytes.len + 1);
	memcpy(s->text + s->text_len, bytes.data, bytes.len);
	s->text_len += bytes.len;
	s->text[s->text_len] = 0;
}

static void
drop_text(struct peer_session *s)
{
	free(s->text);
	s->text = NULL;
	s->text_len = 0;
}

static void
taken(struct peer_session *s)
{
	struct peer *p = s->peer;

	ck_assert_uint_lt(p->text_count, PEER_TEXTS_MAX);
	p->text_lens[p->text_count] = s->text_len;
	p->texts[p->text_count++] = s->text;
	s->text = NULL;
	s->text_len = 0;
}

static const struct peer_row *
row_for(struct peer *p, const char *line)
{
	for (unsigned i = 0; i < p->row_count; i++) {
		const struct peer_row *row = &p->rows[i];

		if (strncasecmp(line, row->at, strlen(row->at)) == 0 && (row->times == 0 || p->used[i] < row->times)) {
			p->used[i]++;
			return row;
		}
	}
	return NULL;
}

static void
offer(struct peer_session *s)
{
	char	    reply[1024] = "250-peer.test greets you\r\n", words[512];
	char	   *save = NULL;

	(void)snprintf(words, sizeof(words), "%s", s->peer->ehlo ? s->peer->ehlo : "");
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strlen(reply);

		for (char *c = word; *c; c++)
			if (*c == '_')
				*c = ' ';
		(void)snprintf(reply + len, sizeof(reply) - len, "250-%s\r\n", word);
	}
	(void)snprintf(reply + strlen(reply), sizeof(reply) - strlen(reply), "250 HELP\r\n");
	(void)stream_write(&s->stream, span_of(reply));
}

/* The peer's part is over: for its own count the session has ended. */
static void
finish(struct peer_session *s)
{
	if (!s->finished)
		s->peer->sessions_now--;
	s->finished = true;
	stream_finish(&s->stream);
}

/* Says what the script says, or what is usual; returns the code. */
static int
respond(struct peer_session *s, const char *line, const char *usual)
{
	const struct peer_row *row = row_for(s->peer, line);
	const char	     *say = row ? row->say : usual;

	if (say && strcmp(say, "offer") == 0) {
		offer(s);
		return 250;
	}
	if (say) {
		(void)stream_write(&s->stream, span_of(say));
		(void)stream_write(&s->stream, SPAN_LITERAL("\r\n"));
	}
	if (row && row->close)
		finish(s);
	else if (row && say == NULL)
		s->hung = true;
	return say ? (int)strtol(say, NULL, 10) : 0;
}

static void
command(struct peer_session *s, const char *line)
{
	struct peer *p = s->peer;
	size_t		 len = strlen(line);

	ck_assert_uint_lt(p->said_len + len + 2, sizeof(p->said));
	memcpy(p->said + p->said_len, line, len);
	p->said_len += len;
	p->said[p->said_len++] = '\n';
	p->said[p->said_len] = 0;
	if (strncasecmp(line, "EHLO", 4) == 0) {
		respond(s, line, "offer");
	} else if (strncasecmp(line, "MAIL", 4) == 0) {
		if (respond(s, line, s->in_transaction ? "503 5.5.1 nested" : "250 2.1.0 ok") == 250) {
			s->in_transaction = true;
			s->accepted = 0;
		}
		p->transactions++;
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		s->accepted += respond(s, line, s->in_transaction ? "250 2.1.5 ok" : "503 5.5.1 no MAIL") / 100 == 2;
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		s->in_data = respond(s, line, s->accepted ? "354 go on" : "503 5.5.1 no RCPT") == 354;
		smtp_data_begin(&s->data, UINT64_MAX, false);
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		char *end;

		s->chunk_left = strtoul(line + 5, &end, 10);
		s->chunk_last = strcasecmp(end, " LAST") == 0;
	} else if (strncasecmp(line, "RSET", 4) == 0) {
		s->in_transaction = false;
		s->accepted = 0;
		drop_text(s);
		respond(s, line, "250 2.0.0 ok");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		respond(s, line, "221 2.0.0 bye");
		finish(s);
	} else {
		respond(s, line, "250 2.0.0 ok");
	}
}

/* No recipient, no mail: RFC 2920 section 3.2 for the lone dot, RFC 3030 section 2 for BDAT. */
static void
text_ended(struct peer_session *s, const char *at)
{
	if (respond(s, at, s->accepted ? "250 2.0.0 taken" : "554 5.5.1 no RCPT") / 100 == 2)
		taken(s);
	else
		drop_text(s);
	s->in_transaction = false;
	s->accepted = 0;
}

/* Octets of a text; returns how many. */
static size_t
text_octets(struct peer_session *s, struct span bytes)
{
	size_t take = MIN_OF(s->chunk_left, bytes.len);

	keep_text(s, span_first(bytes, take));
	s->chunk_left -= take;
	if (s->chunk_left)
		return take;
	if (s->chunk_last)
		text_ended(s, "BDAT-END");
	else
		respond(s, "BDAT-CHUNK", s->accepted ? "250 2.0.0 chunk" : "503 5.5.1 no RCPT");
	return take;
}

/* In the middle of a text: what the script says, and the end. */
static bool
breaks_off(struct peer_session *s)
{
	const struct peer_row *row = row_for(s->peer, "TEXT");

	if (row == NULL)
		return false;
	if (row->say) {
		(void)stream_write(&s->stream, span_of(row->say));
		(void)stream_write(&s->stream, SPAN_LITERAL("\r\n"));
	}
	if (row->close)
		finish(s);
	s->hung = true;
	return true;
}

static bool
may_pipeline(const struct peer_session *s, const char *line)
{
	return strncasecmp(line, "BDAT ", 5) == 0 || (s->peer->ehlo && strstr(s->peer->ehlo, "PIPELINING"));
}

static size_t
peer_read(struct stream *stream, struct span bytes)
{
	struct peer_session *s = CONTAINER_OF(stream, struct peer_session, stream);
	struct span	     rest = bytes, piece;
	char		     line[4096];
	size_t		     len;

	while (rest.len && !stream_is_closing(stream)) {
		if (s->hung || ((s->in_data || s->chunk_left) && breaks_off(s)))
			return bytes.len;
		if (s->chunk_left) {
			rest = span_from(rest, text_octets(s, rest));
			continue;
		}
		if (s->in_data) {
			enum smtp_data_result r = smtp_data_next(&s->data, &rest, &piece);

			keep_text(s, piece);
			if (r == SMTP_DATA_END) {
				s->in_data = false;
				text_ended(s, ".");
			}
			continue;
		}
		len = span_find(rest, '\n');
		if (len == rest.len)
			break;
		ck_assert_uint_lt(len, sizeof(line));
		ck_assert_msg(len && rest.data[len - 1] == '\r', "a line without CR");
		memcpy(line, rest.data, len - 1);
		line[len - 1] = 0;
		rest = span_from(rest, len + 1);
		/* RFC 2920 section 3.1: only who was offered it may run ahead; and not at all before EHLO is answered. */
		ck_assert_msg(rest.len == 0 || may_pipeline(s, line), "sent too early, behind \"%.200s\": %.*s", line,
			      (int)MIN_OF(rest.len, (size_t)200), rest.data);
		command(s, line);
	}
	return bytes.len - rest.len;
}

static void
peer_ended(struct stream *stream, int result)
{
	(void)result;
	stream_close(stream);
}

static void
peer_closed(struct stream *stream)
{
	struct peer_session *s = CONTAINER_OF(stream, struct peer_session, stream);

	if (!s->finished)
		s->peer->sessions_now--;
	list_remove(&s->node);
	drop_text(s);
	free(s);
}

static const struct stream_handlers peer_handlers = { peer_read, peer_ended, NULL, peer_closed };

static void
greet(struct peer_session *s)
{
	s->greeted = true;
	respond(s, "CONNECT", "220 peer.test ESMTP");
}

static void
peer_accepted(struct io_op *op, const struct io_event *event)
{
	struct peer	    *p = CONTAINER_OF(op, struct peer, accept);
	struct peer_session *s;

	if (event->result < 0)
		return;
	s = calloc(1, sizeof(*s));
	s->peer = p;
	list_node_init(&s->node);
	list_append(&p->open, &s->node);
	p->sessions++;
	p->sessions_now++;
	p->sessions_most = MAX_OF(p->sessions_most, p->sessions_now);
	stream_open(&s->stream, p->reactor, event->result, &peer_handlers);
	if (!p->silent)
		greet(s);
}

void
peer_greet(struct peer *p)
{
	p->silent = false;
	LIST_FOR_EACH(&p->open, n) {
		struct peer_session *s = LIST_ENTRY(n, struct peer_session, node);

		if (!s->greeted)
			greet(s);
	}
}

void
peer_listen(struct peer *p, struct reactor *r, const char *ip, uint16_t port)
{
	const int	room = 64 * 1024;
	struct endpoint any;

	p->reactor = r;
	list_init(&p->open);
	ck_assert(endpoint_parse(span_of(ip), port, &any));
	p->listener = io_listen(p->reactor->io, &any, 0);
	ck_assert_int_ge(p->listener, 0);
	/* Of a large text the kernels take a part, and the rest has to wait. */
	ck_assert_int_eq(setsockopt(p->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	ck_assert_int_eq(io_local(p->listener, &p->at), 0);
	io_op_init(&p->accept, peer_accepted);
	io_accept(p->reactor->io, &p->accept, p->listener);
}

void
peer_stop(struct peer *p)
{
	io_cancel(p->reactor->io, &p->accept);
}

bool
peer_stopped(const struct peer *p)
{
	return list_empty(&p->open) && io_op_idle(&p->accept);
}

void
peer_free(struct peer *p)
{
	io_close(p->reactor->io, p->listener);
	for (unsigned i = 0; i < p->text_count; i++)
		free(p->texts[i]);
}

bool
peer_said(const struct peer *p, const char *what)
{
	return strstr(p->said, what) != NULL;
}
