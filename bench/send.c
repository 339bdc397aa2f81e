/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open loop is kept by the reactor's alarm, set to the time of the next ticket while a session waits for it: the wheel's
 * tick would begin messages up to 4 ms late, which is more than a good server takes to answer.  Sessions wait in the
 * order in which they became free, so all are used and none is forgotten until the server closes it.
 */
#include "bench/send.h"

#include <errno.h>
#include <time.h>

#include "bench/commands.h"
#include "bench/dial.h"

enum { RAMP_MS = 10 };

static struct send_options options = {
	.sessions = 20,
	.cores = 1,
	.sources = 1,
	.size = 4096,
	.recipients = 1,
	.timeout_s = 60,
	.seed = 1,
	.from = "bench@example.org",
	.rcpt = "user%d@example.org",
	.helo = "bench.example.org",
	.vanish = { .word = -1 },
};

static const char *const arrivals_words[] = { "constant", "poisson", NULL };
static const char *const vanish_words[] = { "mail", "rcpt", "data", "body", "dot", NULL };
static const char *const pipelining_words[] = { "offered", "off", "overlap", NULL };

#define AT(member) offsetof(struct send_options, member)
static const struct option_row rows[] = {
	{ "to", OPTION_ENDPOINT, AT(to), "ADDRESS:PORT", "The server; needed.", 0, 0, NULL },
	{ "sessions", OPTION_COUNT, AT(sessions), "N", "Connections kept busy at once (20).", 1, SEND_SESSIONS_MAX,
	  NULL },
	{ "messages", OPTION_COUNT, AT(messages), "N",
	  "Messages to send in all (1000, or no end with --seconds).", 1, UINT32_MAX, NULL },
	{ "seconds", OPTION_COUNT, AT(seconds), "S", "Begin no message after S seconds.", 1, 1000000, NULL },
	{ "rate", OPTION_COUNT, AT(rate), "R",
	  "Open loop: R messages are due each second, whatever the server does; latency counts from then.", 1,
	  10000000, NULL },
	{ "arrivals", OPTION_WORD, AT(arrivals), "HOW", "When messages of --rate are due (constant).", 0, 0,
	  arrivals_words },
	{ "warm-up", OPTION_COUNT, AT(warm_up_s), "S",
	  "Leave the first S seconds out of all figures but the timeline; --messages and --seconds count from their end.",
	  1, 1000000, NULL },
	{ "ramp", OPTION_COUNT, AT(ramp_s), "S",
	  "Let the sessions, and the rate, grow in a straight line for the first S seconds.", 1, 1000000, NULL },
	{ "seed", OPTION_COUNT, AT(seed), "N", "For what is left to chance (1).", 0, UINT32_MAX, NULL },
	{ "messages-per-session", OPTION_COUNT, AT(messages_per_session), "K",
	  "QUIT and connect anew after K messages (never).", 1, UINT32_MAX, NULL },
	{ "size", OPTION_OCTETS, AT(size), "OCTETS", "Size of made messages, with head (4096).", 1,
	  MESSAGE_FILE_MAX, NULL },
	{ "size-distribution", OPTION_TEXT, AT(size_distribution), "FILE",
	  "Sizes by chance: lines of OCTETS or LOW-HIGH and a weight; corporate is a built-in one.", 0, 0, NULL },
	{ "file", OPTION_TEXT, AT(file), "FILE",
	  "Send this text behind the id field, with CRLF line ends, instead of made messages.", 0, 0, NULL },
	{ "dir", OPTION_TEXT, AT(directory), "DIRECTORY",
	  "The same with each file of a directory in turn; without --messages each once.", 0, 0, NULL },
	{ "from", OPTION_TEXT, AT(from), "MAILBOX", "Reverse-path (bench@example.org).", 0, 0, NULL },
	{ "rcpt", OPTION_TEXT, AT(rcpt), "PATTERN",
	  "Recipients; %d is replaced by a number (user%d@example.org).", 0, 0, NULL },
	{ "from-domains", OPTION_TEXT, AT(from_domains), "FILE",
	  "Draw the domain of --from from FILE: lines of a domain and its weight (1).", 0, 0, NULL },
	{ "rcpt-domains", OPTION_TEXT, AT(rcpt_domains), "FILE", "The same for the domain of each --rcpt.", 0, 0, NULL },
	{ "recipients", OPTION_COUNT, AT(recipients), "N", "Recipients of each message (1).", 1,
	  SEND_RECIPIENTS_MAX, NULL },
	{ "pool", OPTION_COUNT, AT(pool), "N",
	  "Mailboxes that recipients are taken from in turn (as many as --recipients).", 1, SEND_POOL_MAX, NULL },
	{ "pipelining", OPTION_WORD, AT(pipelining), "HOW",
	  "Group MAIL, RCPT and DATA if the server offers it; overlap also sends the next group behind the end of "
	  "data.", 0, 0, pipelining_words },
	{ "bdat", OPTION_FLAG, AT(bdat), NULL, "Send the text by BDAT (RFC 3030).", 0, 0, NULL },
	{ "slow", OPTION_OCTETS, AT(slow), "OCTETS", "Each session sends its text no faster than so many octets a second.", 1,
	  1 << 30, NULL },
	{ "vanish", OPTION_CHANCE, AT(vanish), "WHERE:PERCENT",
	  "Break so many connections behind MAIL, RCPT, DATA, half of the text, or the end of data, by a reset.", 0, 0,
	  vanish_words },
	{ "auth", OPTION_TEXT, AT(auth), "NAME:PASSWORD", "Each session begins with AUTH PLAIN (RFC 4616).", 0, 0, NULL },
	{ "helo", OPTION_TEXT, AT(helo), "NAME", "What EHLO says (bench.example.org).", 0, 0, NULL },
	{ "sources", OPTION_COUNT, AT(sources), "N",
	  "Come from N addresses of 127.0.0.0/8 in turn, beginning with 127.0.0.1 (1).", 1, DIAL_SOURCES_MAX, NULL },
	{ "timeout", OPTION_COUNT, AT(timeout_s), "S", "Give a connection up after S seconds without an answer (60).",
	  1, 100000, NULL },
	{ "wait-retry", OPTION_COUNT, AT(wait_retry_s), "S",
	  "Connect anew when a connection fails or breaks, until for S seconds no server has greeted us; messages "
	  "are not sent again.", 1, 100000, NULL },
	{ "watch-pid", OPTION_COUNT, AT(watch_pid), "PID",
	  "Also report the processor time that this process, the server, used during the run.", 1, INT32_MAX, NULL },
	{ "ledger", OPTION_TEXT, AT(ledger), "FILE", "Add a line for each message and its outcome to FILE.", 0, 0,
	  NULL },
	{ "cores", OPTION_COUNT, AT(cores), "N", "Threads (1).", 1, BENCH_CORES_MAX, NULL },
	DIAL_OWNED_ROW(AT(owned)),
	{ "quiet", OPTION_FLAG, AT(quiet), NULL, "No live line, which a terminal has otherwise.", 0, 0, NULL },
	{ "json", OPTION_FLAG, AT(json), NULL, "Print the summary as one JSON object.", 0, 0, NULL },
};
#undef AT

static struct report report_all, report_warm;
static struct crew_usage usage_before; /* the run's figures begin: first core, read when all have ended */
static struct crew_watch watched;

static void alarm_run(struct reactor *r);

/* --- tickets ------------------------------------------------------------------------------------------ */

bool
send_more(const struct send_core *core)
{
	uint64_t at = core->shared->options->rate ? core->pace.due_ns : reactor_now(&core->member->reactor);

	return !core->done && core->measured < core->share && at < core->end_ns;
}

enum send_take
send_take(struct send_core *core, struct list_node *waiting, struct send_ticket *ticket)
{
	const struct send_options *o = core->shared->options;
	struct reactor *r = &core->member->reactor;

	if (!send_more(core))
		return SEND_TAKE_DONE;
	ticket->due_ns = reactor_now(r);
	if (o->rate) {
		if (core->pace.due_ns > ticket->due_ns) {
			list_append(&core->waiting, waiting);
			reactor_set_alarm(r, core->pace.due_ns, alarm_run);
			return SEND_TAKE_WAIT;
		}
		ticket->due_ns = core->pace.due_ns;
		pace_next(&core->pace);
	}
	core->measured += ticket->due_ns >= core->measured_ns;
	ticket->seq = (uint32_t)(core->taken++ * o->cores + core->member->index);
	return SEND_TAKE_OK;
}

/* Sessions that waited were free since before their message was due: how late it is now is our own doing. */
static void
alarm_run(struct reactor *r)
{
	struct crew_member *m = r->owner;
	struct send_core *core = m->work;
	uint64_t now = reactor_now(r), due;

	while (!list_empty(&core->waiting)) {
		due = core->pace.due_ns;
		if (send_more(core)) {
			if (due > now) {
				reactor_set_alarm(r, due, alarm_run);
				return;
			}
			report_latency(send_report_at(core, due), REPORT_LATE, now - due);
		}
		send_session_wake(list_take_first(&core->waiting));
	}
}

/* Due before the end, and nobody was there to begin them. */
static void
unsent_count(struct send_core *core)
{
	uint64_t until = MIN_OF(core->end_ns, reactor_now(&core->member->reactor));

	while (core->measured < core->share && core->pace.due_ns < until) {
		if (core->pace.due_ns >= core->measured_ns) {
			core->measured++;
			report_add(&core->report, REPORT_UNSENT, 1);
		}
		pace_next(&core->pace);
	}
}

/* --- life --------------------------------------------------------------------------------------------- */

static void
ledger_idle(struct ledger_file *file)
{
	struct send_core *core = CONTAINER_OF(file, struct send_core, ledger);

	ledger_file_fini(file);
	core->ledger_open = false;
	reactor_stop(&core->member->reactor);
}

void
send_session_gone(struct send_core *core)
{
	if (core->starting || !list_empty(&core->sessions))
		return;
	wheel_disarm(&core->member->reactor.wheel, &core->warm_up);
	live_teller_end(&core->teller);
	wheel_disarm(&core->member->reactor.wheel, &core->last_call);
	wheel_disarm(&core->member->reactor.wheel, &core->give_up);
	if (core->ledger_open)
		ledger_file_finish(&core->ledger, ledger_idle);
	else
		reactor_stop(&core->member->reactor);
}

/* A server whose queue of connections is full lets some clients wait for a minute and longer. */
static void
give_up(struct wheel_timer *timer)
{
	struct send_core *core = CONTAINER_OF(timer, struct send_core, give_up);

	LIST_FOR_EACH(&core->sessions, node)
		send_session_give_up(node);
}

void
send_work_over(struct send_core *core)
{
	if (!list_empty(&core->sessions) && !wheel_timer_armed(&core->give_up))
		reactor_arm_ms(&core->member->reactor, &core->give_up, SEND_GREETING_MS);
}

static void
sessions_finish(struct send_core *core)
{
	core->done = true;
	core->starting = false;
	wheel_disarm(&core->member->reactor.wheel, &core->ramp);
	send_work_over(core);
	LIST_FOR_EACH(&core->sessions, node)
		send_session_finish(node);
}

static void
last_call(struct wheel_timer *timer)
{
	struct send_core *core = CONTAINER_OF(timer, struct send_core, last_call);

	if (!core->done) {
		sessions_finish(core);
		return;
	}
	LIST_FOR_EACH(&core->sessions, node)
		send_session_cut(node);
}

/* How many sessions of this core there shall be by now. */
static uint64_t
sessions_due(const struct send_core *core)
{
	const struct send_options *o = core->shared->options;
	uint64_t passed = reactor_now(&core->member->reactor) - core->begun_ns;
	uint64_t all = o->sessions, index = core->member->index;

	if (o->ramp_s)
		all = MIN_OF(all, 1 + (uint64_t)((double)all * (double)passed / ((double)o->ramp_s * 1e9)));
	return all > index ? (all - index + o->cores - 1) / o->cores : 0;
}

/* Those that are due; the others when they are. */
static void
sessions_start(struct send_core *core)
{
	const struct send_options *o = core->shared->options;
	uint64_t all = (o->sessions - core->member->index + o->cores - 1) / o->cores;

	core->starting = true; /* one that fails at once must not end the run before the others begin */
	for (uint64_t due = sessions_due(core); core->started < due; core->started++) {
		uint64_t index = core->member->index + core->started * o->cores;

		if (send_session_start(core, (unsigned)index) < 0) {
			(void)fprintf(stderr, "ringpost-bench send: no memory for session %llu\n",
				      (unsigned long long)index);
			core->started = all;
			break;
		}
	}
	if (core->started < all && send_more(core)) {
		reactor_arm_ms(&core->member->reactor, &core->ramp, RAMP_MS);
		return;
	}
	core->starting = false;
	if (list_empty(&core->sessions))
		send_session_gone(core);
}

static void
ramp_run(struct wheel_timer *timer)
{
	sessions_start(CONTAINER_OF(timer, struct send_core, ramp));
}

/* From here on it counts: what the run costs, too. */
static void
warm_up_over(struct wheel_timer *timer)
{
	struct send_core *core = CONTAINER_OF(timer, struct send_core, warm_up);

	crew_busy_begin(core->member);
	if (core->member->index)
		return;
	usage_before = crew_usage_now();
	if (watched.pid && crew_watch_begin(&watched, watched.pid) < 0)
		return; /* it has ended; crew_watch_end() will say so */
}

static void
run_begin(struct send_core *core)
{
	const struct send_options *o = core->shared->options;
	struct reactor *r = &core->member->reactor;
	const struct pace_params pace = {
		.rate = (double)o->rate,
		.ramp_s = (double)o->ramp_s,
		.arrivals = o->arrivals,
		.seed = o->seed,
		.core = core->member->index,
		.core_count = (unsigned)o->cores,
	};

	core->begun_ns = core->greeted_ns = reactor_now(r);
	core->measured_ns = core->begun_ns + o->warm_up_s * 1000000000;
	core->end_ns = o->seconds ? core->measured_ns + o->seconds * 1000000000 : UINT64_MAX;
	if (o->rate)
		pace_begin(&core->pace, &pace, core->begun_ns);
	/* In open loop the end is a matter of tickets: what was due before it is sent behind it, too. */
	if (o->seconds && !o->rate)
		wheel_arm(&r->wheel, &core->last_call, core->end_ns);
	live_teller_begin(&core->teller, core->shared->live, r, &core->report.timeline);
	if (o->warm_up_s)
		wheel_arm(&r->wheel, &core->warm_up, core->measured_ns);
	sessions_start(core);
}

static void
ledger_opened(struct ledger_file *file, int result)
{
	struct send_core *core = CONTAINER_OF(file, struct send_core, ledger);

	if (result < 0) {
		(void)fprintf(stderr, "ringpost-bench send: %s: %s\n", core->shared->options->ledger,
			      strerror(-result));
		exit(1);
	}
	core->ledger_open = true;
	run_begin(core);
}

static int
send_open(struct crew_member *m, const char **why)
{
	const struct send_shared *shared = m->crew->arg;
	const struct send_options *o = shared->options;
	struct send_core *core = calloc(1, sizeof(*core));

	*why = "no memory";
	if (!core)
		return -ENOMEM;
	m->work = core;
	core->member = m;
	core->shared = shared;
	core->share = o->messages ? o->messages / o->cores + (m->index < o->messages % o->cores) :
				    UINT32_MAX / o->cores;
	core->report.latencies = REPORT_KNOWN(LATENCY) | REPORT_KNOWN(TRANSACTION) | REPORT_KNOWN(COMMIT) |
				 REPORT_KNOWN(CONNECT) | (o->rate ? REPORT_KNOWN(LATE) : 0);
	core->report.warm_up_s = (double)o->warm_up_s;
	timeline_begin(&core->report.timeline, shared->start_ns);
	list_init(&core->sessions);
	list_init(&core->waiting);
	wheel_timer_init(&core->ramp, ramp_run);
	wheel_timer_init(&core->warm_up, warm_up_over);
	wheel_timer_init(&core->give_up, give_up);
	wheel_timer_init(&core->last_call, last_call);
	if (o->ledger)
		ledger_file_open(&core->ledger, &m->reactor, o->ledger, ledger_opened);
	else
		run_begin(core);
	return 0;
}

static void
send_stop(struct crew_member *m)
{
	struct send_core *core = m->work;

	sessions_finish(core);
	if (!list_empty(&core->sessions))
		reactor_arm_ms(&m->reactor, &core->last_call, SEND_STOP_MS);
}

static void
send_close(struct crew_member *m)
{
	struct send_core *core = m->work;

	timeline_end(&core->report.timeline, reactor_now(&m->reactor));
	core->report.busy = m->busy;
	if (core->shared->options->rate)
		unsent_count(core);
	report_merge(&report_all, &core->report);
	report_merge(&report_warm, &core->warm);
	timeline_free(&core->report.timeline);
	free(core);
}

/* --- start ----------------------------------------------------------------------------------------------- */

/* What EHLO says goes into a command line as it is. */
static bool
helo_safe(const char *text)
{
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return false;
	}
	return strlen(text) <= 255;
}

static const char *
options_settle(struct send_options *o)
{
	const char *why = dial_check(&o->to, o->sources, o->owned);

	if (why)
		return why;
	if (o->bdat && o->pipelining == SEND_PIPELINING_OVERLAP)
		return "--pipelining overlap goes with DATA only: a refused BDAT would leave the next group "
		       "inside the old transaction";
	if (o->arrivals != PACE_CONSTANT && !o->rate)
		return "--arrivals goes with --rate";
	if (o->file && o->directory)
		return "--file and --dir exclude one another";
	if (o->pipelining == SEND_PIPELINING_OVERLAP && (o->slow || o->vanish.word >= 0))
		return "--pipelining overlap does not go with --slow or --vanish: two texts would share the connection";
	if (o->auth && (!strchr(o->auth, ':') || o->auth[0] == ':' || strlen(o->auth) > WIRE_AUTH_MAX))
		return "--auth wants NAME:PASSWORD, not longer than 512 octets";
	if (o->size_distribution && (o->file || o->directory))
		return "--size-distribution goes with made messages: --file and --dir have sizes of their own";
	if (!helo_safe(o->helo))
		return "--helo takes no spaces or control characters";
	if (!o->pool)
		o->pool = strstr(o->rcpt, "%d") ? o->recipients : 1;
	if (o->pool < o->recipients)
		return "--pool must not be smaller than --recipients: one message names a mailbox once";
	o->cores = MIN_OF(o->cores, o->sessions);
	return NULL;
}

static int
shared_open(struct send_shared *shared, char why[static WEIGHTED_WHY_MAX])
{
	const struct send_options *o = shared->options;
	const struct mailboxes_params mailboxes = {
		.from = o->from,
		.rcpt = o->rcpt,
		.from_domains = o->from_domains,
		.rcpt_domains = o->rcpt_domains,
		.recipients = o->recipients,
		.pool = o->pool,
		.seed = o->seed,
	};
	struct message_source_params messages = {
		.size_max = o->size,
		.file = o->file,
		.directory = o->directory,
		.from = o->from,
		.to = "recipients@example.org",
	};
	struct timespec now;
	char date[64];
	int result = mailboxes_open(&shared->mailboxes, &mailboxes, why);

	if (o->auth) {
		struct span name = span_first(span_of(o->auth), span_find(span_of(o->auth), ':'));

		wire_auth_plain(name, span_from(span_of(o->auth), name.len + 1), shared->auth_line);
	}
	if (result < 0)
		return result;
	if (o->size_distribution) {
		result = sizes_open(&shared->sizes, o->size_distribution, why);
		if (result < 0)
			return result;
		messages.size_max = shared->sizes.max;
	}
	/* Two runs differ in their start; that is all an id asks. */
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime(&now.tv_sec));
	messages.date = date;
	messages.run = (uint32_t)now.tv_sec * 1000003u ^ (uint32_t)now.tv_nsec;
	return message_source_open(&shared->source, &messages, why);
}

static void
shared_free(struct send_shared *shared)
{
	if (shared->source)
		message_source_free(shared->source);
	sizes_free(&shared->sizes);
	mailboxes_free(&shared->mailboxes);
}

static bool
all_well(const struct report *r)
{
	return !r->counts[REPORT_REFUSED] && !r->counts[REPORT_ABORTED] && !r->counts[REPORT_UNKNOWN] &&
	       !r->counts[REPORT_UNSENT];
}

static int
send_run(const struct bench_command *command, const char *const *words)
{
	static const struct crew_plan plan = { .open = send_open, .stop = send_stop, .close = send_close };
	struct send_shared shared = { .options = &options };
	const char *wrong = options_settle(&options);
	struct crew_usage used;
	bool watching = options.watch_pid != 0;
	char why[WEIGHTED_WHY_MAX];
	uint64_t done;
	int status = 1;

	(void)command;
	(void)words;
	if (wrong) {
		(void)fprintf(stderr, "ringpost-bench send: %s\n", wrong);
		return 2;
	}
	if (shared_open(&shared, why) < 0) {
		(void)fprintf(stderr, "ringpost-bench send: %s\n", why);
		goto out;
	}
	if (!options.messages && !options.seconds)
		options.messages = options.directory ? message_source_count(shared.source) : 1000;
	(void)crew_descriptors_raise();
	if (watching && crew_watch_begin(&watched, (int)options.watch_pid) < 0) {
		(void)fprintf(stderr, "ringpost-bench send: --watch-pid: no process %llu\n",
			      (unsigned long long)options.watch_pid);
		goto out;
	}
	shared.start_ns = crew_mono_ns();
	if (!options.quiet)
		shared.live = live_begin(&(struct live_params){ shared.start_ns, options.warm_up_s, options.seconds,
								options.messages });
	usage_before = crew_usage_now();
	status = crew_run(&plan, (unsigned)options.cores, &shared) < 0;
	live_end(shared.live);
	used = crew_usage_now();
	used.user_s -= usage_before.user_s;
	used.system_s -= usage_before.system_s;
	if (watching && crew_watch_end(&watched) < 0) {
		(void)fprintf(stderr, "ringpost-bench send: process %llu has ended\n",
			      (unsigned long long)options.watch_pid);
		watching = false;
	}
	report_print(stdout, &report_all, &used, watching ? &watched : NULL, options.json);
	done = report_all.counts[REPORT_MESSAGES] + report_all.counts[REPORT_VANISHED];
	if (!all_well(&report_all) || !all_well(&report_warm) || done < MAX_OF(options.messages, 1u))
		status = 1;
out:
	shared_free(&shared);
	return status;
}

const struct bench_command bench_send = {
	.name = "send",
	.synopsis = "--to ADDRESS:PORT [options]",
	.what = "Sends messages over many sessions, keeps an account of what was answered, measures.",
	.rows = rows,
	.row_count = COUNT_OF(rows),
	.options = &options,
	.run = send_run,
};
