/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners, options and the end of the sink; sessions are in sink_session.c.  Options that ask for trouble are rules of
 * the profile for everybody (sink_behaviour.h), so there is one way in which a sink misbehaves.  On an interrupt the
 * sink stops accepting, lets open transactions end for a moment, writes its ledger and its export to the end and prints its
 * summary.
 */
#include "bench/sink.h"

#include <errno.h>

#include "bench/commands.h"

enum {
	ACCEPT_AGAIN_MS = 50,
	OTHERS_AGAIN_MS = 10,
	OFFERS_MAX = 256,
};

static struct sink_options options = {
	.cores = 1,
	.size_max = 64 << 20,
	.seed = 1,
	.domains = 1000,
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

#define AT(member) offsetof(struct sink_options, member)
#define OFFER(name, member, what) { name, OPTION_CLEAR, AT(member), NULL, what, 0, 0, NULL }
#define REFUSAL(name, member, what) { name, OPTION_REFUSAL, AT(member), "CODE:PERCENT", what, 0, 0, NULL }
static const struct option_row rows[] = {
	{ "listen", OPTION_ENDPOINTS, AT(listen), "ADDRESS:PORT",
	  "Where to listen; may be given several times, and is needed unless the behaviour names addresses.", 0, 0, NULL },
	{ "ledger", OPTION_TEXT, AT(ledger), "FILE",
	  "Add a line for each message to FILE, before its end of data is answered.", 0, 0, NULL },
	{ "store", OPTION_TEXT, AT(store), "DIRECTORY",
	  "Write the text of each message to a file of its own, before it is answered.", 0, 0, NULL },
	{ "behaviour", OPTION_TEXT, AT(behaviour), "FILE",
	  "Behave towards each recipient domain, and at each address, as FILE says.", 0, 0, NULL },
	{ "export", OPTION_TEXT, AT(export), "FILE",
	  "Write to FILE, as CSV, what came for each domain in each second.", 0, 0, NULL },
	{ "domains", OPTION_COUNT, AT(domains), "N",
	  "Domains that the JSON summary names, those with the most messages (1000).", 0, SINK_DOMAINS_MAX, NULL },
	REFUSAL("refuse-mail", refuse_mail, "Answer so many MAIL commands with CODE."),
	REFUSAL("refuse-rcpt", refuse_rcpt, "Answer so many RCPT commands with CODE."),
	REFUSAL("refuse-data", refuse_data, "Answer so many DATA commands, or first BDAT, with CODE."),
	REFUSAL("refuse-dot", refuse_dot, "Answer the end of data of so many messages with CODE."),
	{ "delay", OPTION_COUNT, AT(delay_ms), "MS", "Wait so many milliseconds before answering at --delay-at.", 0,
	  3600000, NULL },
	{ "delay-at", OPTION_WORD, AT(delay_at), "WHERE", "Where --delay strikes (dot).", 0, 0, sink_stage_words },
	{ "close-at", OPTION_CHANCE, AT(close_at), "WHERE:PERCENT",
	  "Close the connection instead of answering, so often; dot: before the message is recorded, answer: "
	  "after it.", 0, 0, sink_stage_words },
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
	{ "quiet", OPTION_FLAG, AT(quiet), NULL, "No live line, which a terminal has otherwise.", 0, 0, NULL },
	{ "json", OPTION_FLAG, AT(json), NULL, "Print the summary as one JSON object.", 0, 0, NULL },
};
#undef AT

static struct report report_all;
static char offers_text[OFFERS_MAX];
static struct sink_shared shared = { .options = &options, .store = -1 };

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
export_done(struct sink_export *e)
{
	struct sink_core *core = CONTAINER_OF(e, struct sink_core, export);

	reactor_stop(&core->member->reactor);
}

/* The core counts nothing any more, and its ledger is written.  The exporter goes last. */
static void
core_end(struct sink_core *core)
{
	if (!core->export.running)
		reactor_stop(&core->member->reactor);
	else if (atomic_load(&core->shared->working))
		reactor_arm_ms(&core->member->reactor, &core->others, OTHERS_AGAIN_MS);
	else
		sink_export_finish(&core->export, export_done);
}

static void
others_run(struct wheel_timer *timer)
{
	core_end(CONTAINER_OF(timer, struct sink_core, others));
}

static void
ledger_idle(struct ledger_file *file)
{
	struct sink_core *core = CONTAINER_OF(file, struct sink_core, ledger);

	ledger_file_fini(file);
	core->ledger_open = false;
	core_end(core);
}

static void
end_perhaps(struct sink_core *core)
{
	struct wheel *wheel = &core->member->reactor.wheel;

	if (!core->stopping || core->opening || core->idle || accepting(core) || !list_empty(&core->sessions))
		return;
	core->idle = true;
	atomic_fetch_sub(&core->shared->working, 1);
	wheel_disarm(wheel, &core->cut);
	live_teller_end(&core->teller);
	for (size_t i = 0; i < core->listener_count; i++)
		wheel_disarm(wheel, &core->listeners[i].again);
	if (core->ledger_open)
		ledger_file_finish(&core->ledger, ledger_idle);
	else
		core_end(core);
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
			sink_session_start(core, l->host, event->result);
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

/* Mail is taken once all files are open. */
static void
file_opened(struct sink_core *core, const char *path, int result)
{
	if (result < 0) {
		(void)fprintf(stderr, "ringpost-bench sink: %s: %s\n", path, strerror(-result));
		exit(1);
	}
	if (--core->opening)
		return;
	if (core->stopping)
		end_perhaps(core);
	else
		accept_start(core);
}

static void
ledger_opened(struct ledger_file *file, int result)
{
	struct sink_core *core = CONTAINER_OF(file, struct sink_core, ledger);

	core->ledger_open = result == 0;
	file_opened(core, core->options->ledger, result);
}

static void
export_opened(struct sink_export *e, int result)
{
	struct sink_core *core = CONTAINER_OF(e, struct sink_core, export);

	file_opened(core, core->options->export, result);
}

static void
files_open(struct sink_core *core)
{
	const struct sink_options *o = core->options;
	bool exports = o->export && core->member->index == 0;

	core->opening = (o->ledger != NULL) + exports;
	if (o->ledger)
		ledger_file_open(&core->ledger, &core->member->reactor, o->ledger, ledger_opened);
	if (exports)
		sink_export_open(&core->export, &core->member->reactor, o->export, core->shared->tallies, export_opened);
	if (!core->opening)
		accept_start(core);
}

static int
listeners_open(struct sink_core *core, const char **why)
{
	const struct sink_shared *sh = core->shared;
	char at[ENDPOINT_TEXT_MAX];

	core->listeners = calloc(sh->listen_count, sizeof(*core->listeners));
	if (!core->listeners)
		return -ENOMEM;
	while (core->listener_count < sh->listen_count) {
		struct sink_listener *l = &core->listeners[core->listener_count];

		l->core = core;
		l->host = sh->hosts[core->listener_count];
		l->fd = io_listen(core->member->reactor.io, &sh->listen[core->listener_count], IO_LISTEN_SHARED);
		if (l->fd < 0) {
			(void)fprintf(stderr, "ringpost-bench sink: %s: %s\n",
				      endpoint_format(&sh->listen[core->listener_count], at), strerror(-l->fd));
			*why = "cannot listen";
			return l->fd;
		}
		io_op_init(&l->accept, accepted);
		wheel_timer_init(&l->again, accept_again);
		core->listener_count++;
	}
	return 0;
}

static int
sink_open(struct crew_member *m, const char **why)
{
	struct sink_shared *sh = m->crew->arg;
	struct sink_core *core = calloc(1, sizeof(*core));
	int result;

	*why = "no memory";
	if (!core)
		return -ENOMEM;
	m->work = core;
	core->member = m;
	core->shared = sh;
	core->options = sh->options;
	core->report.latencies = REPORT_KNOWN(END_TO_END);
	timeline_begin(&core->report.timeline, sh->start_ns);
	core->chance = (sh->options->seed + m->index) * 0x9e3779b97f4a7c15;
	core->greeting = SPAN_LITERAL("220 sink.example.org ESMTP ringpost-bench\r\n");
	core->offers = span_of(offers_text);
	list_init(&core->sessions);
	wheel_timer_init(&core->cut, cut);
	wheel_timer_init(&core->others, others_run);
	live_teller_begin(&core->teller, sh->live, &m->reactor, &core->report.timeline);
	result = listeners_open(core, why);
	if (result == 0)
		files_open(core);
	return result;
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
	free(core->listeners);
	free(core);
}

/* --- start ------------------------------------------------------------------------------------------------- */

static int
failed(const char *what, const char *why)
{
	(void)fprintf(stderr, "ringpost-bench sink: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return 1;
}

/* The options as rules.  What --close-at leaves of a stage is what --refuse-... has a share of. */
static bool
options_behave(struct sink_behaviour *b, const struct sink_options *o)
{
	const struct {
		enum sink_stage		     stage;
		const struct option_refusal *refusal;
	} refusals[] = {
		{ SINK_MAIL, &o->refuse_mail },
		{ SINK_RCPT, &o->refuse_rcpt },
		{ SINK_DATA, &o->refuse_data },
		{ SINK_DOT, &o->refuse_dot },
	};
	struct sink_rule delay = { .share = 100, .stage = (uint8_t)o->delay_at, .action = SINK_ACTION_DELAY,
				   .delay_min_ms = (uint32_t)o->delay_ms, .delay_max_ms = (uint32_t)o->delay_ms };
	struct sink_rule close = { .share = o->close_at.percent, .action = SINK_ACTION_CLOSE };
	bool fits = true;

	if (o->messages_per_session)
		sink_behaviour_default_limit(b, SINK_LIMIT_MESSAGES, (uint32_t)o->messages_per_session);
	if (o->delay_ms)
		fits = sink_behaviour_default(b, &delay);
	close.stage = (uint8_t)MAX_OF(o->close_at.word, 0);
	if (o->close_at.word >= 0)
		fits = fits && sink_behaviour_default(b, &close);
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct sink_rule refuse = { .share = refusals[i].refusal->percent, .stage = (uint8_t)refusals[i].stage,
					    .action = SINK_ACTION_REFUSE, .code = (uint16_t)refusals[i].refusal->code };

		if (refuse.code)
			fits = fits && sink_behaviour_default(b, &refuse);
	}
	return fits;
}

static int
behaviour_read(struct sink_behaviour *b, const char *path)
{
	char why[SINK_BEHAVIOUR_WHY_MAX], *text;
	size_t len;
	int result = io_file_slurp(path, SINK_BEHAVIOUR_FILE_MAX, &text, &len);

	if (result < 0)
		return failed(path, strerror(-result));
	/* The text is b's now. */
	return sink_behaviour_read(b, path, text, len, why) < 0 ? failed(why, NULL) : 0;
}

static bool
is_listened(const struct sink_shared *sh, const struct endpoint *at)
{
	for (size_t i = 0; i < sh->listen_count; i++) {
		if (endpoint_same_ip(&sh->listen[i], at) && sh->listen[i].port == at->port)
			return true;
	}
	return false;
}

/* The addresses of the command line and of the behaviour, each with its tally. */
static int
listen_gather(struct sink_shared *sh)
{
	const struct option_endpoints *named = &sh->options->listen;
	size_t count;
	const struct endpoint *more = sink_behaviour_listen(sh->behaviour, &count);

	sh->listen = calloc(named->count + count + 1, sizeof(*sh->listen));
	sh->hosts = calloc(named->count + count + 1, sizeof(*sh->hosts));
	if (!sh->listen || !sh->hosts)
		return failed("no memory", NULL);
	for (size_t i = 0; i < named->count + count; i++) {
		const struct endpoint *at = i < named->count ? &named->at[i] : &more[i - named->count];

		if (is_listened(sh, at))
			continue;
		sh->listen[sh->listen_count] = *at;
		sh->hosts[sh->listen_count] = sink_tallies_host(sh->tallies, at);
		if (!sh->hosts[sh->listen_count++])
			return failed("no memory", NULL);
	}
	return 0;
}

static int
shared_open(struct sink_shared *sh)
{
	const struct sink_options *o = sh->options;

	sh->behaviour = sink_behaviour_new();
	if (!sh->behaviour)
		return failed("no memory", NULL);
	if (!options_behave(sh->behaviour, o)) {
		(void)failed("--close-at and --refuse-... at the same stage exceed 100 percent", NULL);
		return 2;
	}
	if (o->behaviour && behaviour_read(sh->behaviour, o->behaviour) != 0)
		return 2;
	sh->tallies = sink_tallies_new(sh->behaviour, o->export != NULL);
	if (!sh->tallies)
		return failed("no memory", NULL);
	if (o->store) {
		sh->store = io_directory_open(o->store, 0755);
		if (sh->store < 0)
			return failed(o->store, strerror(-sh->store));
	}
	return listen_gather(sh);
}

static void
shared_close(struct sink_shared *sh)
{
	free(sh->listen);
	free(sh->hosts);
	sink_tallies_free(sh->tallies);
	sink_behaviour_free(sh->behaviour);
}

static void
tallies_report(FILE *to, bool json)
{
	if (sink_tallies_print(to, shared.tallies, (size_t)options.domains, json) < 0)
		(void)failed("no memory for the domains", NULL);
}

static int
sink_run(const struct bench_command *command, const char *const *words)
{
	static const struct crew_plan plan = { .open = sink_open, .stop = sink_stop, .close = sink_close };
	struct crew_usage used;
	int result;

	(void)command;
	(void)words;
	result = shared_open(&shared);
	if (result == 0 && !shared.listen_count) {
		(void)failed("--listen is needed", NULL);
		result = 2;
	}
	if (result == 0) {
		offers_make(&options);
		(void)crew_descriptors_raise();
		atomic_init(&shared.working, (unsigned)options.cores);
		shared.start_ns = crew_mono_ns();
		if (!options.quiet)
			shared.live = live_begin(&(struct live_params){ .start_ns = shared.start_ns });
		result = crew_run(&plan, (unsigned)options.cores, &shared) < 0 ? 1 : 0;
		live_end(shared.live);
	}
	if (result == 0) {
		used = crew_usage_now();
		report_all.print_more = tallies_report;
		report_print(stdout, &report_all, &used, NULL, options.json);
	}
	shared_close(&shared);
	return result;
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
