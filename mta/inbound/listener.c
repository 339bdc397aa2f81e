/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections taken.  Each core listens on each endpoint by itself (SO_REUSEPORT), so the kernel shares them out and no
 * core hands a connection to another.
 *
 * While draining the descriptor goes as soon as accepting has ended: who is not listened to any more hears so from the
 * kernel at once and tries another host, instead of waiting for a greeting in a queue that nobody takes from.
 */
#include <errno.h>

#include "mta/inbound/server.h"

void
listener_start(struct listener *l)
{
	io_accept(l->inbound->reactor->io, &l->accept, l->fd);
}

static void
start_again(struct wheel_timer *timer)
{
	listener_start(CONTAINER_OF(timer, struct listener, again));
}

static void
rest(struct listener *l, int error)
{
	struct inbound *in = l->inbound;

	log_warn(in->reactor->log, "accept-paused", LOG_UINT("core", in->core->index), LOG_ERRNO("why", -error));
	inbound_count(in, INBOUND_ACCEPT_PAUSES, 1);
	reactor_arm_ms(in->reactor, &l->again, LISTENER_PAUSE_MS);
}

static void
came(struct io_op *op, const struct io_event *event)
{
	struct listener *l = CONTAINER_OF(op, struct listener, accept);
	struct inbound	*in = l->inbound;

	if (event->result >= 0) {
		if (in->draining)
			io_close(in->reactor->io, event->result);
		else
			server_start(in, event->result);
	}
	if (event->flags & IO_MORE)
		return;
	if (in->draining) {
		listener_close(l);
		inbound_may_be_drained(in);
	} else if (event->result >= 0 || event->result == -ECANCELED || event->result == -ECONNABORTED) {
		listener_start(l);
	} else {
		rest(l, event->result);
	}
}

int
listener_open(struct listener *l, struct inbound *in, const struct endpoint *at)
{
	int fd = io_listen(in->reactor->io, at, IO_LISTEN_SHARED);

	if (fd < 0)
		return fd;
	l->inbound = in;
	l->fd = fd;
	io_op_init(&l->accept, came);
	wheel_timer_init(&l->again, start_again);
	return 0;
}

void
listener_stop(struct listener *l)
{
	wheel_disarm(&l->inbound->reactor->wheel, &l->again);
	if (io_op_idle(&l->accept))
		listener_close(l);
	else
		io_cancel(l->inbound->reactor->io, &l->accept);
}

bool
listener_closed(const struct listener *l)
{
	return l->fd < 0;
}

void
listener_close(struct listener *l)
{
	INVARIANT(io_op_idle(&l->accept));
	io_close(l->inbound->reactor->io, l->fd);
	l->fd = -1;
}
