/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginning and end.  Draining has two moments: at first only sessions between transactions are told to come back later;
 * at the deadline all of them.  Whatever the disk has been asked to keep is waited for in either case.
 */
#include "mta/inbound/inbound.h"

#include <errno.h>

#include "mta/inbound/server.h"
#include "mta/smtp/reply.h"

static COUNTER_TABLE(inbound_counter_rows, INBOUND_COUNTERS);

/* --- the end ------------------------------------------------------------------------------------------------ */

static bool
listeners_closed(const struct inbound *in)
{
	for (unsigned i = 0; i < in->listener_count; i++)
		if (!listener_closed(&in->listeners[i]))
			return false;
	return true;
}

static void
see_whether_drained(struct reactor_hook *hook)
{
	struct inbound *in = CONTAINER_OF(hook, struct inbound, ending);

	if (in->drained_told || !list_empty(&in->servers) || !listeners_closed(in))
		return;
	in->drained_told = true;
	wheel_disarm(&in->reactor->wheel, &in->deadline);
	in->drained(in->core);
}

void
inbound_may_be_drained(struct inbound *in)
{
	if (in->draining && !in->drained_told)
		reactor_at_turn_end(in->reactor, &in->ending);
}

static void
drain_servers(struct inbound *in)
{
	LIST_FOR_EACH(&in->servers, node)
		server_drain(LIST_ENTRY(node, struct server, node));
}

static void
too_late(struct wheel_timer *timer)
{
	struct inbound *in = CONTAINER_OF(timer, struct inbound, deadline);

	in->late = true;
	drain_servers(in);
}

void
inbound_drain(struct inbound *in, void (*drained)(struct mta_core *core))
{
	INVARIANT(!in->draining);
	in->draining = true;
	in->drained = drained;
	for (unsigned i = 0; i < in->listener_count; i++)
		listener_stop(&in->listeners[i]);
	drain_servers(in);
	reactor_arm_ms(in->reactor, &in->deadline, in->core->settings->shutdown_deadline_ms);
	inbound_may_be_drained(in);
}

void
inbound_free(struct inbound *in)
{
	if (in == NULL)
		return;
	INVARIANT(list_empty(&in->servers) && listeners_closed(in));
	wheel_disarm(&in->reactor->wheel, &in->deadline);
	reactor_hook_cancel(&in->ending);
	list_remove(&in->group.node);
	list_remove(&in->answer_group.node);
	free(in->listeners);
	free(in);
}

/* --- the beginning -------------------------------------------------------------------------------------------- */

static int
open_listeners(struct inbound *in, const struct settings_endpoints *at, const char **why)
{
	static _Thread_local char said[160];
	char			  text[ENDPOINT_TEXT_MAX];

	in->listeners = calloc(at->count, sizeof(*in->listeners));
	if (in->listeners == NULL) {
		*why = "no memory for the listeners";
		return -ENOMEM;
	}
	for (; in->listener_count < at->count; in->listener_count++) {
		const struct endpoint *e = &at->at[in->listener_count];
		int		       result = listener_open(&in->listeners[in->listener_count], in, e);

		if (result == 0)
			continue;
		(void)snprintf(said, sizeof(said), "cannot listen on %s: %s", endpoint_format(e, text),
			       strerror(-result));
		*why = said;
		while (in->listener_count)
			listener_close(&in->listeners[--in->listener_count]);
		free(in->listeners);
		return result;
	}
	return 0;
}

/* 221 and 421 have our name in front (answers.h). */
static void
write_words(struct inbound *in)
{
	char line[SMTP_REPLY_LINE_MAX];

	for (unsigned a = 0; a < SERVER_ANSWER_COUNT; a++) {
		const struct server_answer_row *row = &server_answers[a];
		size_t				len;

		if (row->code == 221 || row->code == 421)
			continue;
		len = smtp_reply_write(line, row->code, row->enhanced, span_of(row->text));
		INVARIANT(len <= sizeof(in->words[a].line));
		memcpy(in->words[a].line, line, len);
		in->words[a].len = (uint8_t)len;
	}
}

int
inbound_open(struct mta_core *core, const char **why)
{
	struct inbound *in = calloc(1, sizeof(*in));
	int		result;

	*why = "no memory for the receiving side";
	if (in == NULL)
		return -ENOMEM;
	in->core = core;
	in->reactor = &core->reactor;
	write_words(in);
	list_init(&in->servers);
	wheel_timer_init(&in->deadline, too_late);
	reactor_hook_init(&in->ending, see_whether_drained);
	result = open_listeners(in, &core->settings->listen, why);
	if (result < 0) {
		free(in);
		return result;
	}
	in->group = (struct counter_group){ .rows = inbound_counter_rows, .values = in->values,
					    .count = INBOUND_COUNTER_COUNT };
	in->answer_group = (struct counter_group){ .rows = server_answer_counters, .values = in->answers,
						   .count = SERVER_ANSWER_COUNT };
	reactor_add_counters(in->reactor, &in->group);
	reactor_add_counters(in->reactor, &in->answer_group);
	core->inbound = in;
	for (unsigned i = 0; i < in->listener_count; i++)
		listener_start(&in->listeners[i]);
	return 0;
}

/* Sessions look for a newer generation when a transaction begins or ends; nothing to do for them here. */
void
inbound_reload(struct inbound *in)
{
	(void)in;
}
