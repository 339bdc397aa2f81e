/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session has at most one socket at any time: a host that does not serve is left, its descriptor closed, before the next is
 * tried.  So counting sessions counts connections.
 *
 * It is destroyed in one place only, `later`, at the end of a turn, when the stream is closed and neither a connect nor a read
 * is in flight.  Until then the delivery of a broken transaction stays with it, because the kernel may still be reading the text.
 *
 * Who is to blame?  Before a host has answered EHLO all trouble belongs to the next hop and goes to the walk, which tries the
 * next host.  From MAIL on it belongs to the message at hand.  A connection that was idle may have been closed by the peer
 * while our MAIL was on its way: then nothing was answered, nobody is to blame, and the delivery gets another session, once.
 */
#include "mta/outbound/client.h"

#include <errno.h>

#define TO(state)      (1u << CLIENT_##state)
#define AFTER(setting) offsetof(struct settings, setting##_ms)

static const struct {
	const char *name;
	size_t	    timeout; /* where the setting is; 0: waits for no peer */
	unsigned    exits;
} states[] = {
#define X(id, timeout, exits) [CLIENT_##id] = { #id, timeout, exits },
	CLIENT_STATES(X)
#undef X
};

static uint64_t
timeout_ms(const struct client *c)
{
	return *(const uint64_t *)((const char *)c->settings + states[c->state].timeout);
}

void
client_enter(struct client *c, enum client_state next)
{
	INVARIANT(next == CLIENT_CLOSING || (states[c->state].exits & 1u << next) || c->state == next);
	c->state = next;
	if (states[next].timeout)
		reactor_arm_ms(c->out->reactor, &c->timer, timeout_ms(c));
	else
		wheel_disarm(&c->out->reactor->wheel, &c->timer);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

void
client_end_when_idle(struct client *c)
{
	if (c->state == CLIENT_CLOSING && !c->streaming && io_op_idle(&c->connect.op) && client_text_idle(c))
		reactor_at_turn_end(c->out->reactor, &c->later);
}

void
client_close(struct client *c)
{
	if (c->state == CLIENT_CLOSING)
		return;
	client_enter(c, CLIENT_CLOSING);
	list_remove(&c->node);
	list_append(&c->dest->busy, &c->node);
	if (c->walk)
		walk_end(c->walk);
	if (c->streaming)
		stream_close(&c->stream);
	io_cancel(c->out->reactor->io, &c->connect.op);
	io_cancel(c->out->reactor->io, &c->text.read);
	client_end_when_idle(c);
}

static void
destroy(struct client *c)
{
	struct destination *dest = c->dest;

	if (c->fd >= 0)
		io_close(c->out->reactor->io, c->fd);
	client_text_drop(c);
	if (c->delivery)
		destination_done(dest, c->delivery);
	list_remove(&c->node);
	destination_left(dest, c);
	settings_unref(c->settings);
	free(c->walk);
	free(c);
}

static void
later(struct reactor_hook *hook)
{
	struct client *c = CONTAINER_OF(hook, struct client, later);

	if (c->state == CLIENT_WALK)
		client_reach(c);
	else if (c->state == CLIENT_CLOSING)
		destroy(c);
}

/* --- in a transaction ------------------------------------------------------------------------------------------- */

static bool
in_transaction(const struct client *c)
{
	return c->delivery != NULL;
}

static struct span
host_of(const struct client *c)
{
	return span_of(c->host);
}

struct outcome
client_outcome(const struct client *c, enum outcome_kind kind, enum outcome_phase phase)
{
	return (struct outcome){
		.kind = kind,
		.attempt = true,
		.relayed = !(c->offers.bits & SMTP_OFFER_DSN),
		.code = (uint16_t)c->reply.code,
		.status = outcome_status_of(kind, phase, c->reply.code, &c->reply.enhanced),
		.host = host_of(c),
		.text = span_make(c->reply.text, c->reply.text_len),
	};
}

/* The text was sent whole, and nobody has said what became of it: the one case in which trying again may deliver twice. */
static bool
uncertain(const struct client *c, const struct delivery_recipient *r, const struct outcome *why)
{
	return c->text.ended && why->code == 0 && (r->stage == STAGE_ACCEPTED || c->text.chunking);
}

void
client_break(struct client *c, const struct outcome *why)
{
	struct delivery *d = c->delivery;
	bool		 again = c->stale && !d->again, decided = true;

	outbound_count(c->out, OUTBOUND_BROKEN, 1);
	for (unsigned i = 0; i < d->count; i++) {
		struct delivery_recipient *r = &d->recipients[i];

		if (r->stage == STAGE_NONE || r->outcome.kind != OUTCOME_PENDING)
			continue;
		decided = false;
		if (uncertain(c, r, why)) {
			r->uncertain = true;
			outbound_count(c->out, OUTBOUND_UNCERTAIN, 1);
		}
		if (!again)
			delivery_settle(d, r, why);
	}
	if (again)
		d->again = true;
	else if (decided)
		destination_works(c->dest); /* it hung up, having said all that matters */
	else
		destination_broke(c->dest, why);
	delivery_unchoose(d);
	client_close(c);
}

enum outcome_phase
client_phase(const struct client *c)
{
	switch (c->state) {
	case CLIENT_GREETING:
		return OUTCOME_PHASE_GREETING;
	case CLIENT_EHLO:
		return OUTCOME_PHASE_EHLO;
	case CLIENT_HELO:
		return OUTCOME_PHASE_HELO;
	case CLIENT_MAIL:
		return OUTCOME_PHASE_MAIL;
	case CLIENT_RCPT:
		return OUTCOME_PHASE_RCPT;
	case CLIENT_DATA:
		return OUTCOME_PHASE_DATA;
	case CLIENT_TEXT:
		return OUTCOME_PHASE_CHUNK;
	case CLIENT_END:
		return OUTCOME_PHASE_END;
	case CLIENT_RSET:
		return OUTCOME_PHASE_RSET;
	case CLIENT_WALK:
	case CLIENT_CONNECT:
	case CLIENT_LEAVING:
	case CLIENT_READY:
	case CLIENT_QUIT:
	case CLIENT_CLOSING:
		break;
	}
	return OUTCOME_PHASE_QUIT;
}

/* "connection lost while waiting for the reply to RCPT" */
struct span
client_sentence(const struct client *c, const char *what, char *buffer, size_t size)
{
	int len;

	if (c->state == CLIENT_TEXT)
		len = snprintf(buffer, size, "%s while sending the message text", what);
	else if (c->state == CLIENT_GREETING)
		len = snprintf(buffer, size, "%s while waiting for the greeting", what);
	else
		len = snprintf(buffer, size, "%s while waiting for the reply to %s", what,
			       outcome_phase_name(client_phase(c)));
	return span_make(buffer, MIN_OF((size_t)len, size - 1));
}

void
client_break_because(struct client *c, struct smtp_enhanced status, const char *what)
{
	char buffer[256];

	client_break(c, &(struct outcome){ .kind = OUTCOME_DEFERRED, .attempt = true, .status = status,
					   .host = host_of(c), .text = client_sentence(c, what, buffer, sizeof(buffer)) });
}

bool
client_send(struct client *c, struct span bytes)
{
	int result = stream_write(&c->stream, bytes);

	if (result == 0)
		return true;
	if (in_transaction(c))
		client_break_because(c, (struct smtp_enhanced){ 4, result == -ENOBUFS ? 3 : 4, 2 },
				     result == -ENOBUFS ? "no memory" : "connection lost");
	else
		client_close(c);
	return false;
}

bool
client_send_borrowed(struct client *c, struct span bytes)
{
	int result = stream_write_borrowed(&c->stream, bytes);

	if (result == 0)
		return true;
	client_break_because(c, (struct smtp_enhanced){ 4, result == -ENOBUFS ? 3 : 4, 2 },
			     result == -ENOBUFS ? "no memory" : "connection lost");
	return false;
}

/* --- the stream ---------------------------------------------------------------------------------------------------- */

static void
quit(struct client *c)
{
	client_enter(c, CLIENT_QUIT);
	list_remove(&c->node);
	list_append(&c->dest->busy, &c->node);
	if (!client_send(c, SPAN_LITERAL("QUIT\r\n")))
		return; /* it is closing */
}

void
client_next(struct client *c)
{
	uint64_t max = c->settings->messages_per_connection_max;
	struct delivery *d;

	client_enter(c, CLIENT_READY);
	if (c->offers.transactions_max)
		max = MIN_OF(max, c->offers.transactions_max);
	while (c->transactions < max && !destination_outlived(c->dest, c)) {
		d = destination_next(c->dest, c);
		if (d == NULL) {
			if (c->settings->idle_reuse_ms == 0 || c->out->draining)
				break;
			return; /* idle: the timer of READY runs */
		}
		if (client_transaction_begin(c, d))
			return;
	}
	quit(c);
}

static void
replied(struct client *c)
{
	switch (c->state) {
	case CLIENT_GREETING:
	case CLIENT_EHLO:
	case CLIENT_HELO:
		client_reach_reply(c);
		return;
	case CLIENT_MAIL:
	case CLIENT_RCPT:
	case CLIENT_DATA:
	case CLIENT_TEXT:
	case CLIENT_END:
		client_transaction_reply(c);
		return;
	case CLIENT_RSET:
		if (outcome_of_reply(OUTCOME_PHASE_RSET, c->reply.code) == VERDICT_GO_ON)
			client_next(c);
		else
			client_close(c);
		return;
	case CLIENT_LEAVING:
		stream_close(&c->stream);
		return;
	case CLIENT_READY: /* nothing was asked: 421 before it closes, mostly */
	case CLIENT_QUIT:
		client_close(c);
		return;
	case CLIENT_WALK:
	case CLIENT_CONNECT:
	case CLIENT_CLOSING:
		return;
	}
}

/* The peer has said something that is no reply, or is gone, or silent. */
static void
peer_failed(struct client *c, struct smtp_enhanced status, const char *what)
{
	switch (c->state) {
	case CLIENT_GREETING:
	case CLIENT_EHLO:
	case CLIENT_HELO:
		client_reach_failed(c, status, what);
		return;
	case CLIENT_MAIL:
	case CLIENT_RCPT:
	case CLIENT_DATA:
	case CLIENT_TEXT:
	case CLIENT_END:
		client_break_because(c, status, what);
		return;
	case CLIENT_LEAVING:
		stream_close(&c->stream);
		return;
	case CLIENT_READY:
	case CLIENT_RSET:
	case CLIENT_QUIT:
	case CLIENT_WALK:
	case CLIENT_CONNECT:
	case CLIENT_CLOSING:
		client_close(c);
		return;
	}
}

/* How many replies can be on their way at this moment. */
static unsigned
replies_due(const struct client *c)
{
	switch (c->state) {
	case CLIENT_GREETING:
	case CLIENT_EHLO:
	case CLIENT_HELO:
	case CLIENT_LEAVING:
	case CLIENT_RSET:
	case CLIENT_QUIT:
		return 1;
	case CLIENT_MAIL:
	case CLIENT_RCPT:
	case CLIENT_DATA:
	case CLIENT_TEXT:
	case CLIENT_END:
		return c->outstanding;
	case CLIENT_WALK:
	case CLIENT_CONNECT:
	case CLIENT_READY:
	case CLIENT_CLOSING:
		break;
	}
	return 0;
}

/*
 * What is said here leaves at the end of the turn, so a reply behind the last one that was due answers nothing that we said: a
 * peer out of step, whose next 250 would be taken for the answer to a text it never saw.  421 may come at any time.
 */
static size_t
stream_read(struct stream *s, struct span bytes)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);
	unsigned       due = replies_due(c);
	size_t	       consumed = 0;

	while (consumed < bytes.len && !stream_is_closing(s)) {
		size_t used = 0;

		switch (smtp_reply_feed(&c->reply, span_from(bytes, consumed), &used)) {
		case SMTP_REPLY_MORE:
			return bytes.len;
		case SMTP_REPLY_DONE:
			consumed += used;
			if (due == 0 && c->reply.code != 421) {
				peer_failed(c, (struct smtp_enhanced){ 4, 5, 0 }, "a reply came that nobody asked for");
				return bytes.len;
			}
			due -= due > 0;
			replied(c);
			smtp_reply_begin(&c->reply, c->state == CLIENT_EHLO ? &c->offers : NULL);
			break;
		case SMTP_REPLY_BROKEN:
			peer_failed(c, (struct smtp_enhanced){ 4, 5, 0 }, "no SMTP reply came");
			return bytes.len;
		}
	}
	return consumed;
}

static void
stream_ended(struct stream *s, int result)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);
	char	       what[128];

	if (result == 0)
		(void)snprintf(what, sizeof(what), "connection closed");
	else
		(void)snprintf(what, sizeof(what), "connection lost (%s)", log_errno_name(-result));
	peer_failed(c, (struct smtp_enhanced){ 4, 4, 2 }, what);
}

static void
stream_sent(struct stream *s)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);

	if (!in_transaction(c) || c->state == CLIENT_CLOSING)
		return;
	if (c->ending) {
		client_transaction_end(c);
		return;
	}
	if (c->taken) {
		client_text_taken(c);
		return;
	}
	if (c->state != CLIENT_TEXT) {
		client_talk(c);
		return;
	}
	if (c->text.ended) {
		client_enter(c, CLIENT_END);
		return;
	}
	client_enter(c, CLIENT_TEXT);
	client_text_more(c);
}

static void
stream_closed(struct stream *s)
{
	struct client *c = CONTAINER_OF(s, struct client, stream);

	c->streaming = false;
	if (c->state == CLIENT_LEAVING) {
		client_enter(c, CLIENT_WALK);
		reactor_at_turn_end(c->out->reactor, &c->later);
		return;
	}
	client_end_when_idle(c);
}

static const struct stream_handlers handlers = {
	.read = stream_read,
	.ended = stream_ended,
	.sent = stream_sent,
	.closed = stream_closed,
};

void
client_connected(struct client *c)
{
	c->streaming = true;
	stream_open(&c->stream, c->out->reactor, c->fd, &handlers);
	c->fd = -1;
	smtp_reply_begin(&c->reply, NULL);
	client_enter(c, CLIENT_GREETING);
}

static void
timed_out(struct wheel_timer *timer)
{
	struct client *c = CONTAINER_OF(timer, struct client, timer);

	switch (c->state) {
	case CLIENT_CONNECT:
		io_cancel(c->out->reactor->io, &c->connect.op); /* ends with -ECANCELED, or just made it */
		return;
	case CLIENT_READY:
		quit(c);
		return;
	case CLIENT_TEXT:
		if (client_text_progress(c)) {
			client_enter(c, CLIENT_TEXT);
			return;
		}
		break;
	case CLIENT_WALK:
	case CLIENT_GREETING:
	case CLIENT_EHLO:
	case CLIENT_HELO:
	case CLIENT_LEAVING:
	case CLIENT_MAIL:
	case CLIENT_RCPT:
	case CLIENT_DATA:
	case CLIENT_END:
	case CLIENT_RSET:
	case CLIENT_QUIT:
	case CLIENT_CLOSING:
		break;
	}
	peer_failed(c, (struct smtp_enhanced){ 4, 4, 2 }, "timed out");
}

/* --- for the destination --------------------------------------------------------------------------------------------- */

bool
client_start(struct destination *dest)
{
	struct outbound *out = dest->out;
	struct client	*c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	c->walk = malloc(sizeof(*c->walk));
	if (c->walk == NULL) {
		free(c);
		return false;
	}
	c->dest = dest;
	c->out = out;
	c->settings = settings_ref(dest->settings);
	c->fd = -1;
	list_node_init(&c->node);
	list_append(&dest->busy, &c->node);
	wheel_timer_init(&c->timer, timed_out);
	reactor_hook_init(&c->later, later);
	io_op_init(&c->text.read, NULL);
	client_reach_begin(c);
	reactor_at_turn_end(out->reactor, &c->later);
	return true;
}

void
client_take(struct client *c, struct delivery *d)
{
	if (!client_transaction_begin(c, d))
		client_next(c);
}

void
client_retire(struct client *c)
{
	if (!c->established)
		client_close(c);
	else if (c->state == CLIENT_READY)
		quit(c);
}

void
client_stop(struct client *c)
{
	if (c->state == CLIENT_CLOSING)
		return;
	if (in_transaction(c) && !c->ending && (!c->stale || c->delivery->again))
		client_break_because(c, (struct smtp_enhanced){ 4, 3, 2 }, "this server was stopped");
	else
		client_close(c);
}
