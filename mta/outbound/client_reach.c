/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a host that serves: one address after another, each connected to, heard and greeted, until one has answered EHLO
 * or HELO well.  All trouble on it is the next hop's, or our own when we have nothing to connect with; no mail is in hand
 * yet, so none of it is any message's.
 */
#include "mta/outbound/client.h"

#include <errno.h>

/* --- trouble ------------------------------------------------------------------------------------------------------ */

static void
unreached(struct client *c)
{
	struct outcome trouble = c->walk->trouble;

	trouble.attempt = true;
	destination_unreached(c->dest, &trouble);
	client_close(c);
}

/* Descriptors, memory: what is missing is ours, and says nothing about any host. */
static bool
is_our_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void
starved(struct client *c, int error)
{
	destination_starved(c->dest, error);
	client_close(c);
}

static void
host_trouble(struct client *c, struct smtp_enhanced status, struct span text, bool next_host)
{
	outbound_count(c->out, OUTBOUND_CONNECT_FAILURES, 1);
	walk_trouble(c->walk,
		     &(struct outcome){ .kind = OUTCOME_DEFERRED, .attempt = true, .status = status,
					.host = span_of(c->host), .text = text },
		     next_host);
}

/* --- one address after another ------------------------------------------------------------------------------------ */

static void
name_host(struct client *c)
{
	char	    ip[ENDPOINT_TEXT_MAX];
	struct span name = span_first(c->walk->host, DELIVERY_HOST_MAX - ENDPOINT_TEXT_MAX);

	endpoint_format_ip(&c->peer, ip);
	if (name.len)
		(void)snprintf(c->host, sizeof(c->host), "%.*s [%s]:%u", (int)name.len, name.data, ip, c->peer.port);
	else
		(void)snprintf(c->host, sizeof(c->host), "[%s] [%s]:%u", ip, ip, c->peer.port);
}

/* Our name for an errno of a socket, as a sentence for the sender of a message. */
static struct span
connect_failed(int error)
{
	return span_of(error == ECANCELED ? "connection timed out" : strerrordesc_np(error));
}

void
client_reach(struct client *c)
{
	struct io *io = c->out->reactor->io;
	int	   fd;

	for (;;) {
		switch (walk_next(c->walk)) {
		case WALK_WAIT:
			return;
		case WALK_OVER:
			unreached(c);
			return;
		case WALK_NO_MEMORY:
			starved(c, ENOMEM);
			return;
		case WALK_FOUND:
			break;
		}
		c->peer = c->walk->address;
		name_host(c);
		if (walk_is_own(c->settings, &c->peer, NULL)) {
			walk_is_ourselves(c->walk);
			continue;
		}
		fd = io_socket(io, IO_STREAM, &c->peer, NULL);
		if (is_our_lack(-fd)) {
			starved(c, -fd);
			return;
		}
		outbound_count(c->out, OUTBOUND_CONNECTS, 1);
		if (fd < 0) {
			host_trouble(c, (struct smtp_enhanced){ 4, 3, 0 }, connect_failed(-fd), false);
			continue;
		}
		c->fd = fd;
		client_enter(c, CLIENT_CONNECT);
		io_connect(io, &c->connect, c->fd, &c->peer);
		return;
	}
}

static void
walk_ready(struct walk *w)
{
	client_reach(w->owner);
}

static void
connected(struct io_op *op, const struct io_event *event)
{
	struct client  *c = CONTAINER_OF(op, struct client, connect.op);
	struct io      *io = c->out->reactor->io;
	struct endpoint local;

	if (c->state == CLIENT_CLOSING) {
		client_end_when_idle(c);
		return;
	}
	if (is_our_lack(-event->result)) {
		starved(c, -event->result);
		return;
	}
	if (event->result < 0) {
		host_trouble(c, (struct smtp_enhanced){ 4, 4, 1 }, connect_failed(-event->result), false);
	} else if (io_local(c->fd, &local) == 0 && walk_is_own(c->settings, &c->peer, &local)) {
		walk_is_ourselves(c->walk);
	} else {
		client_connected(c);
		return;
	}
	io_close(io, c->fd);
	c->fd = -1;
	client_enter(c, CLIENT_WALK);
	client_reach(c);
}

void
client_reach_begin(struct client *c)
{
	struct destination *dest = c->dest;

	io_op_init(&c->connect.op, connected);
	walk_begin(c->walk, c->out->core->resolver, c->settings, dest->kind, dest->hops, &dest->address, dest->node.name,
		   walk_ready, c);
}

/* --- heard and greeted ------------------------------------------------------------------------------------------- */

/* This host does not serve.  quit: it still listens. */
static void
leave(struct client *c, bool quit)
{
	client_enter(c, CLIENT_LEAVING);
	if (!quit || stream_write(&c->stream, SPAN_LITERAL("QUIT\r\n")) != 0)
		stream_close(&c->stream);
}

void
client_reach_failed(struct client *c, struct smtp_enhanced status, const char *what)
{
	char buffer[256];

	host_trouble(c, status, client_sentence(c, what, buffer, sizeof(buffer)), false);
	leave(c, false);
}

static void
established(struct client *c)
{
	walk_end(c->walk);
	free(c->walk);
	c->walk = NULL;
	c->established = true;
	c->recipients_max = (unsigned)c->settings->recipients_per_transaction_max;
	if (c->offers.recipients_max)
		c->recipients_max = MIN_OF(c->recipients_max, c->offers.recipients_max);
	destination_reached(c->dest, c);
	client_next(c);
}

static void
say_hello(struct client *c, const char *verb, enum client_state next)
{
	char line[SMTP_DOMAIN_MAX + 16];
	int  len = snprintf(line, sizeof(line), "%s %.*s\r\n", verb,
			    (int)MIN_OF(c->settings->hostname.len, SMTP_DOMAIN_MAX), c->settings->hostname.data);

	c->offers = (struct smtp_offers){ 0 };
	client_enter(c, next);
	if (stream_write(&c->stream, span_make(line, (size_t)len)) != 0) {
		host_trouble(c, (struct smtp_enhanced){ 4, 4, 2 }, SPAN_LITERAL("connection lost"), false);
		leave(c, false);
	}
}

/* A reply to the greeting's wait, EHLO or HELO. */
void
client_reach_reply(struct client *c)
{
	enum outcome_phase phase = client_phase(c);
	struct outcome	   what;

	switch (outcome_of_reply(phase, c->reply.code)) {
	case VERDICT_GO_ON:
		if (phase == OUTCOME_PHASE_GREETING)
			say_hello(c, "EHLO", CLIENT_EHLO);
		else
			established(c);
		return;
	case VERDICT_USE_HELO:
		say_hello(c, "HELO", CLIENT_HELO);
		return;
	case VERDICT_FAIL_HOST:
		what = client_outcome(c, OUTCOME_FAILED, phase);
		break;
	case VERDICT_DEFER_HOST:
	case VERDICT_DEFER_RECIPIENT:
	case VERDICT_FAIL_RECIPIENT:
	case VERDICT_DEFER_MESSAGE:
	case VERDICT_FAIL_MESSAGE:
	case VERDICT_DEFER_SESSION:
	case VERDICT_BREAK:
		what = client_outcome(c, OUTCOME_DEFERRED, phase);
		break;
	}
	outbound_count(c->out, OUTBOUND_CONNECT_FAILURES, 1);
	walk_trouble(c->walk, &what, true);
	leave(c, true);
}
