/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end goes in three steps, each begun on every core by an order from outside or from the core that was last to end the
 * step before:
 *
 *	drain	 both sides of each core at once, until no session and no delivery is left.  A core that is done still
 *		 turns: deliveries of others come home through it.
 *	close	 when all cores have drained: admin first, whose requests travel from core to core and read the queues; then
 *		 on each core queue (what is pending is written) and resolver.
 *	settle	 descriptors are closed beside the loop and the last log lines are written: a few more turns.
 */
#include "mta/lifecycle.h"

#include <errno.h>

#include "mta/admin/admin.h"
#include "mta/inbound/inbound.h"
#include "mta/outbound/outbound.h"

enum { SETTLE_MS = 20, SETTLE_TRIES = 100 };

static struct mta_core *
core_of(struct io *io)
{
	return reactor_of(io)->owner;
}

/* --- parameters from settings -------------------------------------------------------------------------- */

static struct queue_params
queue_params_of(const struct mta_core *core, const struct settings *s)
{
	unsigned cores = core->mta->core_count;

	return (struct queue_params){
		.spool = core->mta->spool,
		.shard = core->index,
		.segment_octets = s->spool_segment_octets,
		.spool_octets_max = s->spool_size_max_octets / cores,
		.space_free_min = s->spool_space_free_min_octets,
		.direct_writes = s->spool_direct_writes,
		.inline_octets_max = s->spool_inline_max_octets,
		.cache_octets_max = s->spool_cache_max_octets / cores,
	};
}

static struct resolver_params
resolver_params_of(const struct mta_core *core, const struct settings *s)
{
	return (struct resolver_params){
		.server_count = s->dns_servers.count,
		.servers = s->dns_servers.at,
		.timeout_ms = (uint32_t)s->dns_timeout_ms,
		.tries = (uint32_t)s->dns_tries,
		.ttl_max_s = (uint32_t)(s->dns_ttl_max_ms / 1000),
		.cache_octets = s->dns_cache_max_octets / core->mta->core_count,
		.ipv6 = s->outbound_ipv6,
	};
}

/* --- the queue's words ----------------------------------------------------------------------------------- */

static void
recovered(struct queue *q, const struct queue_recovery *what)
{
	struct mta_core *core = queue_owner(q);
	struct log	*log = core->reactor.log;

	log_info(log, "queue-recovered", LOG_UINT("shard", core->index), LOG_UINT("messages", what->messages),
		 LOG_UINT("records", what->records), LOG_UINT("segments", what->segments),
		 LOG_UINT("torn_octets", what->torn_octets), LOG_INT("ms", what->milliseconds));
	if (what->damaged)
		log_error(log, "queue-damaged", LOG_UINT("shard", core->index), LOG_UINT("stretches", what->damaged),
			  LOG_UINT("octets", what->lost_octets));
	if (atomic_fetch_sub(&core->mta->unopened, 1) == 1)
		log_info(log, "ready", LOG_UINT("cores", core->mta->core_count));
}

static void queue_is_closed(struct queue *q);

static const struct queue_handlers queue_handlers = {
	.due = outbound_due,
	.recovered = recovered,
	.closed = queue_is_closed,
};

/* --- the end ------------------------------------------------------------------------------------------------ */

static void
settle(struct wheel_timer *timer)
{
	struct mta_core *core = CONTAINER_OF(timer, struct mta_core, settle);

	if (core->left-- == 0 || log_idle(core->reactor.log))
		reactor_stop(&core->reactor);
	else
		reactor_arm_ms(&core->reactor, timer, SETTLE_MS);
}

static void
free_parts(struct reactor_hook *hook)
{
	struct mta_core *core = CONTAINER_OF(hook, struct mta_core, next);

	inbound_free(core->inbound);
	outbound_free(core->outbound);
	admin_free(core->admin);
	queue_free(core->queue);
	core->inbound = NULL;
	core->outbound = NULL;
	core->admin = NULL;
	core->queue = NULL;
	core->left = SETTLE_TRIES;
	log_info(core->reactor.log, "stopped", LOG_UINT("core", core->index));
	reactor_arm_ms(&core->reactor, &core->settle, SETTLE_MS);
}

static void
part_closed(struct mta_core *core)
{
	INVARIANT(core->left);
	if (--core->left)
		return;
	reactor_hook_init(&core->next, free_parts);
	reactor_at_turn_end(&core->reactor, &core->next);
}

static void
queue_is_closed(struct queue *q)
{
	part_closed(queue_owner(q));
}

static void
resolver_is_closed(void *arg)
{
	struct mta_core *core = arg;

	core->resolver = NULL;
	part_closed(core);
}

static void
close_parts(struct io *io, struct io_post *post)
{
	struct mta_core *core = core_of(io);

	(void)post;
	core->left = 2;
	queue_close(core->queue);
	resolver_close(core->resolver, resolver_is_closed, core);
}

static void
close_all(struct mta_core *core)
{
	struct mta *mta = core->mta;

	for (unsigned i = 0; i < mta->core_count; i++) {
		io_post_init(&mta->cores[i].orders, close_parts);
		io_post_to(core->reactor.io, i, &mta->cores[i].orders);
	}
}

static void
close_admin(struct io *io, struct io_post *post)
{
	(void)post;
	admin_drain(core_of(io)->admin, close_all);
}

static void
part_drained(struct mta_core *core)
{
	struct mta *mta = core->mta;

	INVARIANT(core->left);
	if (--core->left || atomic_fetch_sub(&mta->undrained, 1) != 1)
		return;
	io_post_init(&mta->cores[0].orders, close_admin);
	io_post_to(core->reactor.io, 0, &mta->cores[0].orders);
}

static void
drain_parts(struct io *io, struct io_post *post)
{
	struct mta_core *core = core_of(io);

	(void)post;
	core->stopping = true;
	core->left = 2;
	log_info(core->reactor.log, "stopping", LOG_UINT("core", core->index));
	inbound_drain(core->inbound, part_drained);
	outbound_drain(core->outbound, part_drained);
}

void
mta_stop(struct mta *mta)
{
	atomic_store(&mta->undrained, mta->core_count);
	for (unsigned i = 0; i < mta->core_count; i++) {
		io_post_init(&mta->cores[i].orders, drain_parts);
		io_post_from_outside(mta->net, i, &mta->cores[i].orders);
	}
}

void
mta_core_close(struct mta_core *core)
{
	settings_unref(core->settings);
	reactor_close(&core->reactor);
}

/* --- the beginning ------------------------------------------------------------------------------------------- */

static int
open_queue(struct mta_core *core, const char **why)
{
	static _Thread_local char said[512];
	const struct queue_params params = queue_params_of(core, core->settings);
	int			  result = queue_open(&core->queue, &core->reactor, &params, &queue_handlers, core, why);

	if (result < 0) {
		(void)snprintf(said, sizeof(said), "spool %.300s: %s%s%s", core->settings->spool_directory.data, *why,
			       result == -EWOULDBLOCK ? "" : ": ", result == -EWOULDBLOCK ? "" : strerror(-result));
		*why = said;
	}
	return result;
}

static int
open_parts(struct mta_core *core, const char **why)
{
	const struct resolver_params resolver = resolver_params_of(core, core->settings);
	int			     result;

	*why = "cannot read /etc/resolv.conf";
	result = resolver_open(&core->resolver, &core->reactor, &resolver);
	if (result == 0)
		result = open_queue(core, why);
	if (result == 0)
		result = outbound_open(core, why);
	if (result == 0 && core->index == 0)
		result = admin_open(core, why);
	if (result == 0)
		result = inbound_open(core, why);
	return result;
}

/* What runs, and what the operator should know about how. */
static void
log_start(struct mta_core *core)
{
	const struct mta      *mta = core->mta;
	const struct settings *s = core->settings;
	struct log	      *log = core->reactor.log;

	log_info(log, "start", LOG_STR("version", mta->version), LOG_UINT("cores", mta->core_count),
		 LOG_SPAN("hostname", s->hostname), LOG_SPAN("spool", s->spool_directory),
		 LOG_STR("settings", mta->settings_file ? mta->settings_file : "embedded"), LOG_STR("digest", s->digest));
	if (mta->privileged)
		log_warn(log, "privileged", LOG_STR("cure", "run it as a user of its own, with CAP_NET_BIND_SERVICE"));
	if (mta->sessions_ceiling < s->sessions_max)
		log_warn(log, "descriptors-few", LOG_UINT("sessions_max", mta->sessions_ceiling),
			 LOG_UINT("wanted", s->sessions_max),
			 LOG_STR("cure", "raise the limit on descriptors (ulimit -n; LimitNOFILE= of systemd)"));
}

int
mta_core_open(struct mta *mta, unsigned index, struct settings *settings, const char **why)
{
	struct mta_core		   *core = &mta->cores[index];
	const struct reactor_params params = {
		.core = index,
		.core_count = mta->core_count,
		.memory_max = settings->memory_max_octets / mta->core_count,
		.log_fd = mta->log_fd,
		.log_format = (enum log_format)settings->log_format,
		.log_level = (enum log_level)settings->log_level,
	};
	int result;

	core->mta = mta;
	core->index = index;
	core->settings = settings;
	wheel_timer_init(&core->settle, settle);
	result = reactor_open(&core->reactor, mta->net, &params, why);
	if (result < 0)
		return result;
	core->reactor.owner = core;
	if (index == 0)
		log_start(core);
	if (settings->busy_poll_us) {
		result = io_busy_poll(core->reactor.io, (unsigned)settings->busy_poll_us);
		if (result < 0)
			log_warn(core->reactor.log, "busy-poll-refused", LOG_UINT("core", index), LOG_ERRNO("why", -result));
	}
	/* A process that cannot open one part ends at once: nothing was accepted, so nothing has to be taken apart. */
	return open_parts(core, why);
}

void
mta_core_run(struct mta_core *core)
{
	reactor_run(&core->reactor);
}

/* --- new settings ---------------------------------------------------------------------------------------------- */

struct adoption {
	struct io_post	 post;
	struct settings *settings;
};

static void
adopt(struct io *io, struct io_post *post)
{
	struct mta_core	      *core = core_of(io);
	struct adoption	      *a = CONTAINER_OF(post, struct adoption, post);
	const struct settings *s = a->settings;
	struct queue_params    queue = queue_params_of(core, s);
	struct resolver_params resolver = resolver_params_of(core, s);

	log_configure(core->reactor.log, (enum log_format)s->log_format, (enum log_level)s->log_level);
	log_reopen(core->reactor.log, core->mta->log_fd);
	if (core->stopping) {
		settings_unref(a->settings);
		free(a);
		return;
	}
	settings_unref(core->settings);
	core->settings = a->settings;
	core->reactor.memory.max = s->memory_max_octets / core->mta->core_count;
	queue_configure(core->queue, &queue);
	resolver_configure(core->resolver, &resolver);
	inbound_reload(core->inbound);
	outbound_reload(core->outbound);
	log_info(core->reactor.log, "reloaded", LOG_UINT("core", core->index), LOG_STR("digest", s->digest));
	free(a);
}

void
mta_adopt(struct mta *mta, struct settings *settings)
{
	for (unsigned i = 0; i < mta->core_count; i++) {
		struct adoption *a = calloc(1, sizeof(*a));

		/* A core that misses one generation goes on with the old, which is sound too. */
		if (a == NULL)
			continue;
		a->settings = settings_ref(settings);
		io_post_init(&a->post, adopt);
		io_post_from_outside(mta->net, i, &a->post);
	}
	settings_unref(settings);
}

void
mta_reload(struct mta *mta, void (*done)(void *arg, const char *error), void *arg)
{
	struct mta_reload *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		done(arg, "out of memory");
		return;
	}
	r->done = done;
	r->arg = arg;
	r->next = atomic_load(&mta->reloads);
	while (!atomic_compare_exchange_weak(&mta->reloads, &r->next, r))
		;
	mta->wake(mta);
}

struct mta_reload *
mta_reloads_take(struct mta *mta)
{
	return atomic_exchange(&mta->reloads, NULL);
}

static void
answer(struct io *io, struct io_post *post)
{
	struct mta_reload *r = CONTAINER_OF(post, struct mta_reload, post);

	(void)io;
	r->done(r->arg, r->error[0] ? r->error : NULL);
	free(r);
}

void
mta_reload_answer(struct mta *mta, struct mta_reload *reload)
{
	io_post_init(&reload->post, answer);
	io_post_from_outside(mta->net, 0, &reload->post);
}

static void
log_failed(void *arg, const char *why)
{
	struct mta *mta = arg;

	log_error(mta->cores[0].reactor.log, "reload-failed", LOG_STR("why", why));
}

static void
log_restart(void *arg, const char *settings)
{
	struct mta *mta = arg;

	log_warn(mta->cores[0].reactor.log, "restart-needed", LOG_STR("settings", settings));
}

/* As an answer to nobody. */
static void
log_on_core_0(struct mta *mta, void (*done)(void *arg, const char *text), const char *text)
{
	struct mta_reload *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return;
	r->done = done;
	r->arg = mta;
	(void)snprintf(r->error, sizeof(r->error), "%s", text);
	mta_reload_answer(mta, r);
}

void
mta_log_reload_failed(struct mta *mta, const char *why)
{
	log_on_core_0(mta, log_failed, why);
}

void
mta_log_restart_needed(struct mta *mta, const char *settings)
{
	log_on_core_0(mta, log_restart, settings);
}
