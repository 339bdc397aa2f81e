/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket.  Its mode lets in only the user we run as, and root; whoever may connect may do all.
 *
 * Draining asks nothing of other cores: requests that are away come home by themselves, and all cores turn until we
 * have told that we are drained (mta/lifecycle.c).
 */
#include "mta/admin/admin.h"

#include <errno.h>

#include "mta/admin/admin_internal.h"

enum { SOCKET_MODE = 0600 };

static COUNTER_TABLE(admin_counter_rows, ADMIN_COUNTERS);

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void
see_whether_drained(struct reactor_hook *hook)
{
	struct admin *admin = CONTAINER_OF(hook, struct admin, ending);

	if (admin->drained_told || !list_empty(&admin->connections) || !io_op_idle(&admin->accept) ||
	    !io_op_idle(&admin->unlink))
		return;
	admin->drained_told = true;
	admin->drained(admin->core);
}

void
admin_may_be_drained(struct admin *admin)
{
	if (admin->draining && !admin->drained_told)
		reactor_at_turn_end(admin->reactor, &admin->ending);
}

static void
unlinked(struct io_op *op, const struct io_event *event)
{
	(void)event; /* a path that is left behind is removed by the next start */
	admin_may_be_drained(CONTAINER_OF(op, struct admin, unlink));
}

void
admin_drain(struct admin *admin, void (*drained)(struct mta_core *core))
{
	INVARIANT(!admin->draining);
	admin->draining = true;
	admin->drained = drained;
	wheel_disarm(&admin->reactor->wheel, &admin->again);
	io_cancel(admin->reactor->io, &admin->accept);
	io_unlink(admin->reactor->io, &admin->unlink, IO_CWD, admin->path);
	LIST_FOR_EACH(&admin->connections, node)
		connection_drain(LIST_ENTRY(node, struct connection, node));
	admin_may_be_drained(admin);
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	INVARIANT(list_empty(&admin->connections) && io_op_idle(&admin->accept) && io_op_idle(&admin->unlink));
	reactor_hook_cancel(&admin->ending);
	list_remove(&admin->group.node);
	io_close(admin->reactor->io, admin->listener);
	free(admin);
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static void
start_again(struct wheel_timer *timer)
{
	struct admin *admin = CONTAINER_OF(timer, struct admin, again);

	io_accept(admin->reactor->io, &admin->accept, admin->listener);
}

static void
came(struct io_op *op, const struct io_event *event)
{
	struct admin *admin = CONTAINER_OF(op, struct admin, accept);

	if (event->result >= 0)
		connection_open(admin, event->result);
	if (event->flags & IO_MORE)
		return;
	if (admin->draining) {
		admin_may_be_drained(admin);
	} else if (event->result >= 0 || event->result == -ECANCELED || event->result == -ECONNABORTED) {
		io_accept(admin->reactor->io, op, admin->listener);
	} else {
		log_warn(admin->reactor->log, "admin-accept-paused", LOG_ERRNO("why", -event->result));
		reactor_arm_ms(admin->reactor, &admin->again, ADMIN_REST_MS);
	}
}

/* jansson would read its seed from a file when the first object is made. */
static void
seed_hashes(struct io *io)
{
	size_t seed;

	io_random(io, &seed, sizeof(seed));
	json_object_seed(seed | 1);
}

int
admin_open(struct mta_core *core, const char **why)
{
	static char	  said[256];
	const struct span path = core->settings->control_socket;
	struct admin	 *admin = calloc(1, sizeof(*admin));
	int		  result;

	*why = "no memory for the control socket";
	if (admin == NULL)
		return -ENOMEM;
	admin->core = core;
	admin->reactor = &core->reactor;
	list_init(&admin->connections);
	io_op_init(&admin->accept, came);
	io_op_init(&admin->unlink, unlinked);
	wheel_timer_init(&admin->again, start_again);
	reactor_hook_init(&admin->ending, see_whether_drained);
	(void)snprintf(admin->path, sizeof(admin->path), "%.*s", (int)path.len, path.data);
	result = io_listen_path(core->reactor.io, admin->path, SOCKET_MODE);
	if (result < 0) {
		(void)snprintf(said, sizeof(said), "cannot open the control socket %s: %s", admin->path,
			       result == -EADDRINUSE ? "another process listens there"
						     : strerror(-result));
		*why = said;
		free(admin);
		return result;
	}
	admin->listener = result;
	seed_hashes(core->reactor.io);
	admin->group = (struct counter_group){ .rows = admin_counter_rows, .values = admin->values,
					       .count = ADMIN_COUNTER_COUNT };
	reactor_add_counters(&core->reactor, &admin->group);
	core->admin = admin;
	io_accept(core->reactor.io, &admin->accept, admin->listener);
	return 0;
}
