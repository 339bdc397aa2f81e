/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A query holds one socket at a time.  Whatever ends a try goes through leave(), which says what comes next and cancels what
 * is in flight.  Each handler then ends with settle(), after which it must not touch the query: when nothing is in flight any
 * more the descriptor is closed and the next try begins, or `closed` is called.  So no operation of one try ends in another.
 *
 *	PAUSE ──▶ UDP ──▶ LEAVING ──▶ PAUSE, UDP, TCP or closed
 *		  TCP ──▶ LEAVING
 *
 * The answer is told at once, before the socket is given back.
 */
#include "dns/query.h"

#include <errno.h>

enum state {
	PAUSE,	 /* between two tries; the timer ends it */
	UDP,
	TCP,
	LEAVING, /* something is still in flight */
};

enum next { NEXT_TRY, NEXT_TRY_LATER, NEXT_TCP, NEXT_CLOSED };

static void
count(struct dns_query *q, enum dns_counter what)
{
	counter_add(&q->servers->counters[what], 1);
}

static struct io *
io_of(struct dns_query *q)
{
	return q->servers->reactor->io;
}

static void
leave(struct dns_query *q, enum next next)
{
	q->state = LEAVING;
	q->next = (uint8_t)next;
	wheel_disarm(&q->servers->reactor->wheel, &q->timer);
	io_cancel(io_of(q), &q->connect.op);
	io_cancel(io_of(q), &q->send.op);
	io_cancel(io_of(q), &q->recv);
	if (q->stream_open)
		stream_close(&q->stream);
}

static void
end(struct dns_query *q, struct dns_answer *answer)
{
	q->answered(q, answer, q->heard);
	leave(q, NEXT_CLOSED);
}

/* The next server's turn, unless all tries are used up or every server has said that it does not know. */
static void
next_server(struct dns_query *q, enum next next)
{
	q->tcp = false;
	q->server++;
	if (q->tries >= q->servers->tries || q->failures >= q->servers->count)
		end(q, NULL);
	else
		leave(q, next);
}

/* What goes wrong at once would go wrong four times in a moment. */
static void
fail(struct dns_query *q, enum dns_counter why)
{
	count(q, why);
	next_server(q, NEXT_TRY_LATER);
}

/* --- answers --------------------------------------------------------------------------------------------- */

static void
take_failure(struct dns_query *q, enum dns_counter why)
{
	q->heard = true;
	q->failures++;
	fail(q, why);
}

static void
take_strange(struct dns_query *q)
{
	count(q, DNS_COUNT_STRANGE);
	if (q->state == TCP) {
		fail(q, DNS_COUNT_BROKEN);
	} else if (++q->strange >= DNS_STRANGE_MAX) {
		q->tcp = true;
		leave(q, NEXT_TCP);
	}
}

static void
take(struct dns_query *q, struct span packet)
{
	struct dns_answer *answer;

	switch (dns_wire_read(packet, &q->question, &answer)) {
	case DNS_WIRE_ANSWER:
		q->heard = true;
		q->servers->first = q->server % q->servers->count;
		end(q, answer);
		return;
	case DNS_WIRE_STRANGE:
		take_strange(q);
		return;
	case DNS_WIRE_TRUNCATED:
		q->heard = true;
		if (q->state == TCP) {
			take_failure(q, DNS_COUNT_BROKEN);
			return;
		}
		q->tcp = true;
		leave(q, NEXT_TCP);
		return;
	case DNS_WIRE_NO_EDNS:
		q->heard = true;
		if (q->plain) {
			take_failure(q, DNS_COUNT_SERVER_FAILURES);
			return;
		}
		q->plain = true;
		leave(q, q->tcp ? NEXT_TCP : NEXT_TRY);
		return;
	case DNS_WIRE_REFUSED:
		take_failure(q, DNS_COUNT_SERVER_FAILURES);
		return;
	case DNS_WIRE_BROKEN:
		take_failure(q, DNS_COUNT_BROKEN);
		return;
	}
}

static bool
is_passing(int result)
{
	return result == -ENOBUFS || result == -ECANCELED || result == -EINTR || result == -EAGAIN;
}

/* --- UDP ------------------------------------------------------------------------------------------------- */

static void settle(struct dns_query *q);

static void
received(struct io_op *op, const struct io_event *event)
{
	struct dns_query *q = CONTAINER_OF(op, struct dns_query, recv);

	if (q->state == UDP) {
		if (event->result > 0)
			take(q, event->data);
		else if (event->result == 0)
			take_strange(q); /* an empty packet */
		else if (!is_passing(event->result))
			fail(q, DNS_COUNT_ERRORS); /* nobody listens there, or no way leads there */
	}
	if (q->state == UDP && !(event->flags & IO_MORE))
		io_recv(io_of(q), &q->recv, q->fd);
	settle(q);
}

static void
sent(struct io_op *op, const struct io_event *event)
{
	struct dns_query *q = CONTAINER_OF(op, struct dns_query, send.op);

	if (q->state == UDP && event->result < 0)
		fail(q, DNS_COUNT_ERRORS);
	settle(q);
}

static void
ask_udp(struct dns_query *q)
{
	q->iov = (struct iovec){ q->packet + 2, q->packet_len };
	io_recv(io_of(q), &q->recv, q->fd);
	io_send(io_of(q), &q->send, q->fd, &q->iov, 1);
}

/* --- TCP: each message behind its length (RFC 1035 section 4.2.2) ------------------------------------------ */

static size_t
read_tcp(struct stream *s, struct span bytes)
{
	struct dns_query *q = CONTAINER_OF(s, struct dns_query, stream);
	size_t		  len;

	if (bytes.len < 2)
		return 0;
	len = (size_t)(unsigned char)bytes.data[0] << 8 | (unsigned char)bytes.data[1];
	if (bytes.len - 2 < len)
		return 0;
	take(q, span_first(span_from(bytes, 2), len));
	return bytes.len;
}

static void
ended_tcp(struct stream *s, int result)
{
	(void)result; /* without an answer, whatever the reason */
	fail(CONTAINER_OF(s, struct dns_query, stream), DNS_COUNT_ERRORS);
}

static void
closed_tcp(struct stream *s)
{
	struct dns_query *q = CONTAINER_OF(s, struct dns_query, stream);

	q->stream_open = false;
	q->fd = -1;
	settle(q);
}

static void
ask_tcp(struct dns_query *q)
{
	static const struct stream_handlers handlers = { .read = read_tcp, .ended = ended_tcp, .closed = closed_tcp };

	q->stream_open = true;
	stream_open(&q->stream, q->servers->reactor, q->fd, &handlers);
	q->packet[0] = (uint8_t)(q->packet_len >> 8);
	q->packet[1] = (uint8_t)q->packet_len;
	if (stream_write(&q->stream, span_make(q->packet, 2 + q->packet_len)) < 0)
		fail(q, DNS_COUNT_ERRORS); /* no memory */
}

/* --- one try ----------------------------------------------------------------------------------------------- */

static void
connected(struct io_op *op, const struct io_event *event)
{
	struct dns_query *q = CONTAINER_OF(op, struct dns_query, connect.op);

	if (q->state != LEAVING && event->result < 0)
		fail(q, DNS_COUNT_ERRORS);
	else if (q->state == UDP)
		ask_udp(q);
	else if (q->state == TCP)
		ask_tcp(q);
	settle(q);
}

static void
begin(struct dns_query *q)
{
	struct dns_servers    *s = q->servers;
	const struct endpoint *server = &s->at[q->server % s->count];

	q->state = q->tcp ? TCP : UDP;
	q->strange = 0;
	io_random(s->reactor->io, &q->question.id, sizeof(q->question.id));
	q->packet_len = (unsigned)dns_wire_query(&q->question, !q->plain, q->packet + 2);
	q->fd = io_socket(s->reactor->io, q->tcp ? IO_STREAM : IO_DATAGRAM, server, NULL);
	if (q->fd < 0) {
		fail(q, DNS_COUNT_ERRORS);
		settle(q);
		return;
	}
	count(q, DNS_COUNT_QUERIES);
	if (q->tcp)
		count(q, DNS_COUNT_TCP);
	reactor_arm_ms(s->reactor, &q->timer, s->timeout_ms);
	io_connect(s->reactor->io, &q->connect, q->fd, server);
}


static void
settle(struct dns_query *q)
{
	if (q->state != LEAVING || q->stream_open || !io_op_idle(&q->connect.op) || !io_op_idle(&q->send.op) ||
	    !io_op_idle(&q->recv))
		return;
	if (q->fd >= 0)
		io_close(io_of(q), q->fd);
	q->fd = -1;
	switch ((enum next)q->next) {
	case NEXT_TRY:
		q->tries++;
		begin(q);
		return;
	case NEXT_TCP: /* the same try */
		begin(q);
		return;
	case NEXT_TRY_LATER:
		q->state = PAUSE;
		reactor_arm_ms(q->servers->reactor, &q->timer, DNS_PAUSE_MS);
		return;
	case NEXT_CLOSED:
		wheel_disarm(&q->servers->reactor->wheel, &q->timer);
		q->closed(q);
		return;
	}
}

static void
time_is_over(struct wheel_timer *timer)
{
	struct dns_query *q = CONTAINER_OF(timer, struct dns_query, timer);

	switch ((enum state)q->state) {
	case PAUSE:
		q->tries++;
		begin(q);
		return;
	case UDP:
	case TCP:
		count(q, DNS_COUNT_TIMEOUTS);
		next_server(q, NEXT_TRY);
		break;
	case LEAVING: /* stopped, perhaps while nothing was in flight */
		break;
	}
	settle(q);
}

void
dns_query_start(struct dns_query *q, struct dns_servers *servers, struct span name, enum dns_type type)
{
	q->servers = servers;
	q->question = (struct dns_wire_question){ .name = name, .type = type };
	q->state = PAUSE;
	q->tcp = q->plain = q->heard = q->stream_open = false;
	q->server = servers->first;
	q->tries = q->failures = q->strange = 0;
	q->fd = -1;
	wheel_timer_init(&q->timer, time_is_over);
	io_op_init(&q->connect.op, connected);
	io_op_init(&q->send.op, sent);
	io_op_init(&q->recv, received);
	/* Nothing may go wrong inside this call: the first try begins when timers run next. */
	wheel_arm(&servers->reactor->wheel, &q->timer, 0);
}

void
dns_query_stop(struct dns_query *q)
{
	if (q->state != LEAVING)
		leave(q, NEXT_CLOSED);
	q->next = NEXT_CLOSED;
	wheel_arm(&q->servers->reactor->wheel, &q->timer, 0);
}
