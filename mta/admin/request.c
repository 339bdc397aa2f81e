/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/request.h"

#include "mta/admin/admin_internal.h"

static const struct verb *const verbs[ASK_VERB_COUNT] = {
	[ASK_STATUS] = &verb_status,
	[ASK_METRICS] = &verb_metrics,
	[ASK_DESTINATIONS] = &verb_destinations,
	[ASK_RELOAD] = &verb_reload,
	[ASK_LIST] = &verb_list,
	[ASK_SHOW] = &verb_show,
	[ASK_RETRY] = &verb_act,
	[ASK_HOLD] = &verb_act,
	[ASK_RELEASE] = &verb_act,
	[ASK_DELETE] = &verb_act,
};

struct request *
request_new(struct mta *mta, struct connection *c, struct span line, struct reply *reply)
{
	struct ask	ask;
	char		why[ASK_WHY_MAX];
	struct request *r;

	if (!ask_parse(line, &ask, why)) {
		reply_error(reply, "bad-request", why);
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (r)
		r->state = calloc(1, MAX_OF(verbs[ask.verb]->state_octets, (size_t)1));
	if (r == NULL || r->state == NULL) {
		free(r);
		ask_fini(&ask);
		reply_error(reply, REQUEST_NO_MEMORY);
		return NULL;
	}
	r->mta = mta;
	r->connection = c;
	r->user = c->user;
	r->verb = verbs[ask.verb];
	r->ask = ask;
	return r;
}

void
request_free(struct request *r)
{
	if (r->verb->fini)
		r->verb->fini(r);
	reply_reset(&r->reply);
	ask_fini(&r->ask);
	free(r->state);
	free(r);
}

/* --- the way ---------------------------------------------------------------------------------------------------- */

static void
arrived(struct io *io, struct io_post *post)
{
	struct request *r = CONTAINER_OF(post, struct request, post);

	r->verb->work(r, &r->mta->cores[io_core(io)]);
}

static void
came_home(struct io *io, struct io_post *post)
{
	(void)io;
	connection_came_home(CONTAINER_OF(post, struct request, post)->connection);
}

void
request_visit(struct request *r, unsigned core)
{
	INVARIANT(core < r->mta->core_count);
	r->at = core;
	connection_left_home(r->connection);
	io_post_init(&r->post, arrived);
	io_post_to(r->mta->cores[0].reactor.io, core, &r->post);
}

void
request_return(struct request *r, struct mta_core *here)
{
	io_post_init(&r->post, came_home);
	io_post_to(here->reactor.io, 0, &r->post);
}

void
request_resume(struct request *r)
{
	connection_came_home(r->connection);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

void
request_end(struct request *r, json_t *body)
{
	reply_add(&r->reply, "end", body);
	r->ended = true;
}

void
request_fail(struct request *r, const char *code, const char *why)
{
	if (r->ended)
		return;
	reply_error(&r->reply, code, why);
	r->ended = true;
}
