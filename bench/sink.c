/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners, options and the end of the sink; sessions are in sink_session.c.  On an interrupt the sink stops
 * accepting, lets open transactions end for a moment, writes its ledger to the end and prints its summary.
 */
#include "bench/sink.h"

#include <errno.h>

#include "bench/commands.h"

enum { ACCEPT_AGAIN_MS = 50, OFFERS_MAX = 256 };

static struct sink_options options = {
	.cores = 1,
	.size_max = 64 << 20,
	.seed = 1,
	.delay_at = SINK_DOT,
	.close_at = { .word = -1 },
	.ehlo = true,
	.pipelining = true,
	.size = true,
	.eight_bit = true,
	.chunking = true,
	.binary = true,
	.utf8 = true,
	.status_codes = true,
	.dsn = true,
};

/* In the order of enum sink_stage. */
static const char *const stage_words[] = {
	"banner", "ehlo", "mail", "rcpt", "data", "body", "dot", "answer", NULL,
};

#define AT(member) offsetof(struct sink_options, member)
#define OFFER(name, member, what) { name, OPTION_CLEAR, AT(member), NULL, what, 0, 0, NULL }
#define REFUSAL(name, member, what) { name, OPTION_REFUSAL, AT(member), "CODE:PERCENT", what, 0, 0, NULL }
static const struct option_row rows[] = {
	{ "listen", OPTION_ENDPOINTS, AT(listen), "ADDRESS:PORT",
	  "Where to listen; needed, and may be given several times.", 0, 0, NULL },
	{ "ledger", OPTION_TEXT, AT(ledger), "FILE",
	  "Add a line for each message to FILE, before its end of data is answered.", 0, 0, NULL },
	{ "store", OPTION_TEXT, AT(store), "DIRECTORY",
	  "Write the text of each message to a file of its own, before it is answered.", 0, 0, NULL },
	REFUSAL("refuse-mail", refuse_mail, "Answer so many MAIL commands with CODE."),
	REFUSAL("refuse-rcpt", refuse_rcpt, "Answer so many RCPT commands with CODE."),
	REFUSAL("refuse-data", refuse_data, "Answer so many DATA commands, or first BDAT, with CODE."),
	REFUSAL("refuse-dot", refuse_dot, "Answer the end of data of so many messages with CODE."),
	{ "delay", OPTION_COUNT, AT(delay_ms), "MS", "Wait so many milliseconds before answering at --delay-at.", 0,
	  3600000, NULL },
	{ "delay-at", OPTION_WORD, AT(delay_at), "WHERE", "Where --delay strikes (dot).", 0, 0, stage_words },
	{ "close-at", OPTION_CHANCE, AT(close_at), "WHERE:PERCENT",
	  "Close the connection instead of answering, so often; dot: before the message is recorded, answer: "
	  "after it.", 0, 0, stage_words },
	{ "max-messages-per-session", OPTION_COUNT, AT(messages_per_session), "N",
	  "Answer MAIL after N messages with 421 and close.", 1, UINT32_MAX, NULL },
	{ "size-max", OPTION_OCTETS, AT(size_max), "OCTETS", "Largest message; announced, and refused beyond (64M).",
	  1, SINK_KEPT_MAX, NULL },
	{ "seed", OPTION_COUNT, AT(seed), "N", "For what is left to chance (1).", 1, UINT32_MAX, NULL },
	OFFER("no-ehlo", ehlo, "Answer EHLO with 502: HELO only."),
	OFFER("no-pipelining", pipelining, "Do not offer PIPELINING."),
	OFFER("no-size", size, "Do not offer SIZE."),
	OFFER("no-8bitmime", eight_bit, "Do not offer 8BITMIME."),
	OFFER("no-chunking", chunking, "Do not offer CHUNKING and BINARYMIME."),
	OFFER("no-binarymime", binary, "Do not offer BINARYMIME."),
	OFFER("no-smtputf8", utf8, "Do not offer SMTPUTF8."),
	OFFER("no-status-codes", status_codes, "Do not offer ENHANCEDSTATUSCODES."),
	OFFER("no-dsn", dsn, "Do not offer DSN."),
	{ "cores", OPTION_COUNT, AT(cores), "N", "Threads (1).", 1, BENCH_CORES_MAX, NULL },
	{ "json", OPTION_FLAG, AT(json), NULL, "Print the summary as one JSON object.", 0, 0, NULL },
};
#undef AT

static struct report report_all;
static char offers_text[OFFERS_MAX];
static int store_directory = -1;

static void
offers_make(const struct sink_options *o)
{
	const struct {
		bool	    on;
		const char *line;
	} offers[] = {
		{ o->pipelining, "PIPELINING" }, { o->eight_bit, "8BITMIME" },
		{ o->chunking, "CHUNKING" },	 { o->chunking && o->binary, "BINARYMIME" },
		{ o->utf8, "SMTPUTF8" },	 { o->status_codes, "ENHANCEDSTATUSCODES" },
		{ o->dsn, "DSN" },
	};
	size_t at = 0;

	for (size_t i = 0; i < COUNT_OF(offers); i++) {
		if (offers[i].on)
			at += (size_t)snprintf(offers_text + at, OFFERS_MAX - at, "250-%s\r\n", offers[i].line);
	}
	if (o->size)
		at += (size_t)snprintf(offers_text + at, OFFERS_MAX - at, "250-SIZE %llu\r\n",
				       (unsigned long long)o->size_max);
	at += (size_t)snprintf(offers_text + at, OFFERS_MAX - at, "250 HELP\r\n");
	INVARIANT(at < OFFERS_MAX);
}

/* --- life ------------------------------------------------------------------------------------------------ */

static void
ledger_idle(struct ledger_file *file)
{
	struct sink_core *core = CONTAINER_OF(file, struct sink_core, ledger);

	ledger_file_fini(file);
	core->ledger_open = false;
	reactor_stop(&core->member->reactor);
}

static bool
accepting(const struct sink_core *core)
{
	for (size_t i = 0; i < core->listener_count; i++) {
		if (!io_op_idle(&core->listeners[i].accept))
			return true;
	}
	return false;
}

static void
end_perhaps(struct sink_core *core)
{
	struct wheel *wheel = &core->member->reactor.wheel;

	if (!core->stopping || accepting(core) || !list_empty(&core->sessions))
		return;
	wheel_disarm(wheel, &core->cut);
	for (size_t i = 0; i < core->listener_count; i++)
		wheel_disarm(wheel, &core->listeners[i].again);
	if (core->ledger_open)
		ledger_file_finish(&core->ledger, ledger_idle);
	else
		reactor_stop(&core->member->reactor);
}

void
sink_session_gone(struct sink_core *core)
{
	end_perhaps(core);
}

static void
accepted(struct io_op *op, const struct io_event *event)
{
	struct sink_listener *l = CONTAINER_OF(op, struct sink_listener, accept);
	struct sink_core *core = l->core;
	struct reactor *r = &core->member->reactor;

	if (event->result >= 0) {
		if (core->stopping)
			io_close(r->io, event->result);
		else
			sink_session_start(core, event->result);
	}
	if (event->flags & IO_MORE)
		return;
	if (core->stopping)
		end_perhaps(core);
	else if (event->result >= 0 || event->result == -ECANCELED)
		io_accept(r->io, op, l->fd);
	else
		reactor_arm_ms(r, &l->again, ACCEPT_AGAIN_MS);
}

static void
accept_again(struct wheel_timer *timer)
{
	struct sink_listener *l = CONTAINER_OF(timer, struct sink_listener, again);

	io_accept(l->core->member->reactor.io, &l->accept, l->fd);
}

static void
accept_start(struct sink_core *core)
{
	for (size_t i = 0; i < core->listener_count; i++)
		io_accept(core->member->reactor.io, &core->listeners[i].accept, core->listeners[i].fd);
}

static void
cut(struct wheel_timer *timer)
{
	struct sink_core *core = CONTAINER_OF(timer, struct sink_core, cut);

	LIST_FOR_EACH(&core->sessions, node)
		sink_session_cut(node);
}

static void
ledger_opened(struct ledger_file *file, int result)
{
	struct sink_core *core = CONTAINER_OF(file, struct sink_core, ledger);

	if (result < 0) {
		(void)fprintf(stderr, "ringpost-bench sink: %s: %s\n", core->options->ledger, strerror(-result));
		exit(1);
	}
	core->ledger_open = true;
	accept_start(core);
}

static int
listeners_open(struct sink_core *core)
{
	const struct option_endpoints *listen = &core->options->listen;

	while (core->listener_count < listen->count) {
		struct sink_listener *l = &core->listeners[core->listener_count];

		l->core = core;
		l->fd = io_listen(core->member->reactor.io, &listen->at[core->listener_count], IO_LISTEN_SHARED);
		if (l->fd < 0)
			return l->fd;
		io_op_init(&l->accept, accepted);
		wheel_timer_init(&l->again, accept_again);
		core->listener_count++;
	}
	return 0;
}

static int
sink_open(struct crew_member *m, const char **why)
{
	const struct sink_options *o = m->crew->arg;
	struct sink_core *core = calloc(1, sizeof(*core));
	int result;

	*why = "no memory";
	if (!core)
		return -ENOMEM;
	m->work = core;
	core->member = m;
	core->options = o;
	core->store = store_directory;
	core->report.latencies = REPORT_KNOWN(END_TO_END);
	timeline_begin(&core->report.timeline, m->crew->start_ns);
	core->chance = (o->seed + m->index) * 0x9e3779b97f4a7c15;
	core->greeting = SPAN_LITERAL("220 sink.example.org ESMTP ringpost-bench\r\n");
	core->offers = span_of(offers_text);
	list_init(&core->sessions);
	wheel_timer_init(&core->cut, cut);
	*why = "cannot listen";
	result = listeners_open(core);
	if (result < 0)
		return result;
	if (o->ledger)
		ledger_file_open(&core->ledger, &m->reactor, o->ledger, ledger_opened);
	else
		accept_start(core);
	return 0;
}

static void
sink_stop(struct crew_member *m)
{
	struct sink_core *core = m->work;

	core->stopping = true;
	for (size_t i = 0; i < core->listener_count; i++)
		io_cancel(m->reactor.io, &core->listeners[i].accept);
	LIST_FOR_EACH(&core->sessions, node)
		sink_session_stop(node);
	if (!list_empty(&core->sessions))
		reactor_arm_ms(&m->reactor, &core->cut, SINK_STOP_MS);
	end_perhaps(core);
}

static void
sink_close(struct crew_member *m)
{
	struct sink_core *core = m->work;

	for (size_t i = 0; i < core->listener_count; i++)
		io_close(m->reactor.io, core->listeners[i].fd);
	timeline_end(&core->report.timeline, reactor_now(&m->reactor));
	core->report.busy = m->busy;
	report_merge(&report_all, &core->report);
	timeline_free(&core->report.timeline);
	free(core);
}

static int
sink_run(const struct bench_command *command, const char *const *words)
{
	static const struct crew_plan plan = { .open = sink_open, .stop = sink_stop, .close = sink_close };
	struct crew_usage used;

	(void)command;
	(void)words;
	if (!options.listen.count) {
		(void)fprintf(stderr, "ringpost-bench sink: --listen is needed\n");
		return 2;
	}
	if (options.store) {
		store_directory = io_directory_open(options.store, 0755);
		if (store_directory < 0) {
			(void)fprintf(stderr, "ringpost-bench sink: %s: %s\n", options.store,
				      strerror(-store_directory));
			return 1;
		}
	}
	offers_make(&options);
	(void)crew_descriptors_raise();
	if (crew_run(&plan, (unsigned)options.cores, &options) < 0)
		return 1;
	used = crew_usage_now();
	report_print(stdout, &report_all, &used, NULL, options.json);
	return 0;
}

const struct bench_command bench_sink = {
	.name = "sink",
	.synopsis = "--listen ADDRESS:PORT [options]",
	.what = "Takes mail, keeps an account of what arrived, refuses, delays and breaks off on request.",
	.rows = rows,
	.row_count = COUNT_OF(rows),
	.options = &options,
	.run = sink_run,
};
