/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client is heard until it has asked something; what it sends meanwhile waits in the stream, or with the client.
 *
 * Lines go out a piece at a time, and the next piece, or the request's next step, waits until the kernel has taken
 * the one before.  A client that does not read stops its own request that way, costs what one step made, and is
 * closed in the end.  One that is gone is noticed by the writing, for which we look now and then.
 *
 * The connection outlives its request: while that is away on another core, a closed connection waits for it.
 */
#include "mta/admin/admin_internal.h"

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void
arm(struct connection *c, uint64_t ms)
{
	reactor_arm_ms(c->admin->reactor, &c->deadline, ms);
}

static void
try_to_free(struct connection *c)
{
	struct admin *admin = c->admin;

	if (!c->closed || c->request)
		return;
	wheel_disarm(&admin->reactor->wheel, &c->deadline);
	list_remove(&c->node);
	admin->connection_count--;
	counter_set(&admin->values[ADMIN_COUNT_CONNECTIONS], admin->connection_count);
	reply_reset(&c->out);
	free(c);
	admin_may_be_drained(admin);
}

static void
drop_request(struct connection *c)
{
	request_free(c->request);
	c->request = NULL;
}

static void
close_now(struct connection *c)
{
	if (c->state == CONNECTION_CLOSING)
		return;
	wheel_disarm(&c->admin->reactor->wheel, &c->deadline);
	if (c->request && !c->travels) {
		if (c->state == CONNECTION_AWAY)
			c->request->verb->let_go(c->request);
		drop_request(c);
	}
	c->state = CONNECTION_CLOSING;
	stream_close(&c->stream);
}

static void
closed(struct stream *s)
{
	struct connection *c = CONTAINER_OF(s, struct connection, stream);

	c->closed = true;
	try_to_free(c);
}

static void
too_late(struct wheel_timer *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, deadline);

	if (c->state == CONNECTION_TELLING && !stream_is_broken(&c->stream)) {
		c->unread_ms += ADMIN_LOOK_MS;
		if (c->unread_ms < ADMIN_UNREAD_MS && !c->admin->draining) {
			arm(c, ADMIN_LOOK_MS);
			return;
		}
		admin_count(c->admin, ADMIN_COUNT_TOO_LATE);
	} else if (c->state == CONNECTION_READING) {
		admin_count(c->admin, ADMIN_COUNT_TOO_LATE);
	}
	close_now(c);
}

/* --- lines out -------------------------------------------------------------------------------------------------- */

static void
say_no_more(struct connection *c)
{
	c->state = CONNECTION_LAST;
	stream_finish(&c->stream);
	stream_resume(&c->stream); /* to hear its end */
	arm(c, ADMIN_LINGER_MS);
}

static void
last_words(struct connection *c, const char *code, const char *why)
{
	reply_error(&c->out, code, why);
	(void)stream_write(&c->stream, span_make(c->out.text, c->out.len)); /* who cannot hear them misses little */
	say_no_more(c);
}

static void
read_on(struct connection *c)
{
	c->state = CONNECTION_READING;
	arm(c, ADMIN_IDLE_MS);
	stream_resume(&c->stream);
}

static void
step(struct connection *c)
{
	c->state = CONNECTION_AWAY;
	wheel_disarm(&c->admin->reactor->wheel, &c->deadline);
	c->request->verb->next(c->request);
	/* Ended without going anywhere. */
	if (!c->travels && c->request->ended)
		connection_came_home(c);
}

static void
all_told(struct connection *c)
{
	reply_reset(&c->out);
	c->told = 0;
	if (c->request && !c->request->ended) {
		step(c);
		return;
	}
	if (c->request)
		drop_request(c);
	if (c->admin->draining)
		say_no_more(c);
	else
		read_on(c);
}

static void
tell(struct connection *c)
{
	struct span rest = span_make(c->out.text + c->told, c->out.len - c->told);

	if (c->out.failed) { /* what was said so far ends without its last line, which tells the client */
		close_now(c);
		return;
	}
	if (stream_unsent(&c->stream))
		return; /* until sent() */
	if (rest.len == 0) {
		all_told(c);
		return;
	}
	rest = span_first(rest, ADMIN_SEND_OCTETS);
	c->told += rest.len;
	c->unread_ms = 0;
	arm(c, ADMIN_LOOK_MS);
	if (stream_write(&c->stream, rest) < 0)
		close_now(c);
}

static void
sent(struct stream *s)
{
	struct connection *c = CONTAINER_OF(s, struct connection, stream);

	if (c->state == CONNECTION_TELLING)
		tell(c);
	else if (c->state == CONNECTION_LAST && c->peer_ended)
		close_now(c);
}

static void
start_telling(struct connection *c)
{
	c->state = CONNECTION_TELLING;
	tell(c);
}

void
connection_left_home(struct connection *c)
{
	c->travels = true;
}

void
connection_came_home(struct connection *c)
{
	struct request *r = c->request;

	c->travels = false;
	if (c->state == CONNECTION_CLOSING) {
		drop_request(c);
		try_to_free(c);
		return;
	}
	INVARIANT(c->state == CONNECTION_AWAY);
	if (r->reply.failed) {
		reply_reset(&r->reply);
		r->ended = false;
		request_fail(r, REQUEST_NO_MEMORY);
	}
	if (c->admin->draining)
		request_fail(r, REQUEST_STOPPING);
	reply_move(&c->out, &r->reply);
	start_telling(c);
}

/* --- lines in --------------------------------------------------------------------------------------------------- */

static void
take_line(struct connection *c, struct span line)
{
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		return;
	stream_pause(&c->stream);
	c->request = request_new(c->admin->core->mta, c, line, &c->out);
	admin_count(c->admin, c->request ? ADMIN_COUNT_REQUESTS : ADMIN_COUNT_BAD);
	if (c->request == NULL)
		start_telling(c);
	else
		step(c);
}

static size_t
came(struct stream *s, struct span bytes)
{
	struct connection *c = CONTAINER_OF(s, struct connection, stream);
	size_t		   used = 0;

	while (c->state == CONNECTION_READING && used < bytes.len) {
		struct span rest = span_from(bytes, used);
		size_t	    end = span_find(rest, '\n');

		if (end >= ADMIN_LINE_MAX) {
			admin_count(c->admin, ADMIN_COUNT_BAD);
			last_words(c, "too-long", "a request has at most 65536 octets");
			break;
		}
		if (end == rest.len)
			break;
		used += end + 1;
		take_line(c, span_first(rest, end));
	}
	return c->state == CONNECTION_LAST ? bytes.len : used;
}

static void
ended(struct stream *s, int result)
{
	struct connection *c = CONTAINER_OF(s, struct connection, stream);

	/* Who has only finished asking gets his answer: this is not told while reading is paused for it. */
	c->peer_ended = true;
	if (result < 0 || c->state != CONNECTION_LAST || stream_unsent(s) == 0)
		close_now(c);
}

static const struct stream_handlers handlers = { .read = came, .ended = ended, .sent = sent, .closed = closed };

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static void
greet(struct connection *c)
{
	reply_add(&c->out, "hello", json_pack("{s:s, s:i, s:s}", "name", "ringpost", "protocol", 1, "version",
					      c->admin->core->mta->version));
	start_telling(c);
}

void
connection_open(struct admin *admin, int fd)
{
	struct connection *c;
	bool		   room = admin->connection_count < ADMIN_CONNECTIONS_MAX + ADMIN_REFUSALS_MAX;

	c = room && !admin->draining ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		if (!room)
			admin_count(admin, ADMIN_COUNT_REFUSED);
		io_close(admin->reactor->io, fd);
		return;
	}
	c->admin = admin;
	c->user = MAX_OF(io_peer_user(fd), INT64_C(-1));
	list_node_init(&c->node);
	list_append(&admin->connections, &c->node);
	wheel_timer_init(&c->deadline, too_late);
	stream_open(&c->stream, admin->reactor, fd, &handlers);
	stream_pause(&c->stream); /* until it is greeted */
	admin->connection_count++;
	counter_set(&admin->values[ADMIN_COUNT_CONNECTIONS], admin->connection_count);
	if (admin->connection_count <= ADMIN_CONNECTIONS_MAX) {
		greet(c);
		return;
	}
	admin_count(admin, ADMIN_COUNT_REFUSED);
	last_words(c, "busy", "too many connections to the control socket");
}

void
connection_drain(struct connection *c)
{
	switch (c->state) {
	case CONNECTION_READING:
		close_now(c);
		break;
	case CONNECTION_AWAY:
		/* It comes home by itself, unless it waits for something that will not come any more. */
		if (c->travels)
			break;
		c->request->verb->let_go(c->request);
		connection_came_home(c);
		break;
	case CONNECTION_TELLING:
		/* What it reads now it gets; the rest would take longer than we live. */
		if (c->request) {
			request_fail(c->request, REQUEST_STOPPING);
			reply_move(&c->out, &c->request->reply);
		}
		arm(c, ADMIN_LINGER_MS);
		break;
	case CONNECTION_LAST:
	case CONNECTION_CLOSING:
		break;
	}
}
