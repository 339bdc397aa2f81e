/* SPDX-License-Identifier: Apache-2.0 */
/* status, destinations, metrics. */
#include <inttypes.h>

#include "tools/ringpostctl.h"

enum { CORES_SHOWN = 6 }; /* more columns than that fit no terminal: only the sum is shown */

/* --- status ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *key, *name;
	bool	    octets;
} rows[] = {
	{ "messages", "messages in the queue", false },
	{ "recipients_open", "recipients to deliver", false },
	{ "held", "messages held", false },
	{ "in_hand", "recipients in hand", false },
	{ "waiting", "  in line for a next hop", false },
	{ "sessions_in", "sessions, inbound", false },
	{ "sessions_out", "sessions, outbound", false },
	{ "destinations", "next hops busy", false },
	{ "destinations_down", "next hops down", false },
	{ "segments", "spool segments", false },
	{ "segment_octets", "  on disk", true },
	{ "memory_used", "memory used", true },
	{ "memory_max", "  of", true },
};

static void
print_cell(const json_t *body, size_t row)
{
	char buffer[TEXT_MAX];

	if (rows[row].octets)
		printf("  %10s", octets(number(body, rows[row].key), buffer));
	else
		printf("  %10" PRId64, number(body, rows[row].key));
}

static void
print_table(const json_t *s, const json_t *cores)
{
	size_t	count = json_array_size(cores), i;
	json_t *core;

	if (count == 1 || count > CORES_SHOWN)
		count = 0;
	printf("%-25s  %10s", "", "all");
	for (i = 0; i < count; i++)
		printf("  %5s %4zu", "core", i);
	printf("\n");
	for (size_t row = 0; row < COUNT_OF(rows); row++) {
		printf("%-25s", rows[row].name);
		print_cell(s, row);
		for (i = 0; i < count && (core = json_array_get(cores, i)) != NULL; i++)
			print_cell(core, row);
		printf("\n");
	}
}

/* What an operator must not overlook, one sentence each. */
static void
print_troubles(const json_t *s, const json_t *cores)
{
	int64_t	    down = number(s, "destinations_down"), held = number(s, "held"), damaged = number(s, "damaged");
	const char *why = "";
	size_t	    refusing = 0, i;
	json_t	   *core;

	json_array_foreach(cores, i, core) {
		if (text(core, "refusing")[0] == '\0')
			continue;
		refusing++;
		why = text(core, "refusing");
	}
	if (truth(s, "stopping"))
		printf("It is shutting down.\n");
	else if (refusing && json_array_size(cores) > 1)
		printf("New mail is refused by %zu of %zu cores: %s.\n", refusing, json_array_size(cores), why);
	else if (refusing)
		printf("New mail is refused: %s.\n", why);
	else
		printf("Mail is taken.\n");
	if (text(s, "restart_needed")[0])
		printf("Settings that wait for a restart: %s.\n", text(s, "restart_needed"));
	if (damaged)
		printf("%" PRId64 " piece%s of the spool cannot be read; the log says where (queue-damage).\n", damaged,
		       plural(damaged));
	if (down)
		printf("%" PRId64 " next hop%s cannot be reached; ringpostctl destinations says why.\n", down,
		       plural(down));
	if (held)
		printf("%" PRId64 " message%s held until released.\n", held, held == 1 ? " is" : "s are");
}

static void
status_line(void *arg, const char *kind, const json_t *s)
{
	const struct ctl *ctl = arg;
	const json_t	 *cores = json_object_get(s, "cores");
	char		  up[TEXT_MAX];

	if (strcmp(kind, "status") != 0)
		return;
	printf("ringpost %s on ", text(s, "version"));
	print_foreign(text(s, "hostname"));
	printf(", process %ld, up %s\n", ctl->pid, duration(number(s, "now_ms") - number(s, "started_ms"), up));
	printf("settings ");
	print_foreign(text(s, "settings")[0] ? text(s, "settings") : "embedded");
	printf(" (digest %.12s)\n", text(s, "digest"));
	print_troubles(s, cores);
	printf("\n");
	print_table(s, cores);
}

enum ctl_status
run_status(struct ctl *ctl)
{
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, ctl_request(ctl, "status"), status_line, ctl, &end);

	json_decref(end);
	return status;
}

/* --- destinations ----------------------------------------------------------------------------------------------- */

struct hops {
	struct ctl *ctl;
	unsigned    lines;
};

static void
destination_line(void *arg, const char *kind, const json_t *d)
{
	struct hops *h = arg;
	int64_t	     until = number(d, "down_until_ms");
	char	     rest[TEXT_MAX];

	(void)kind;
	if (h->lines++ == 0)
		printf("%7s  %7s  %9s  %s\n", "WAITING", "IN HAND", "SESSIONS", "NEXT HOP");
	printf("%7" PRId64 "  %7" PRId64 "  %4" PRId64 "/%-4" PRId64 "  ", number(d, "waiting"), number(d, "in_flight"),
	       number(d, "sessions"), number(d, "sessions_max"));
	print_foreign(text(d, "name"));
	if (until > h->ctl->now_ms)
		printf(", down, left alone for %s", duration(until - h->ctl->now_ms, rest));
	else if (until)
		printf(", down, tried with the next message");
	if (text(d, "trouble")[0]) {
		printf("%s", until ? ": " : ", last trouble: ");
		print_foreign(text(d, "trouble"));
	}
	printf("\n");
}

enum ctl_status
run_destinations(struct ctl *ctl)
{
	struct hops	hops = { .ctl = ctl };
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, ctl_request(ctl, "destinations"), destination_line, &hops, &end);
	int64_t		shown = number(end, "shown"), matching = number(end, "matching");

	if (status == CTL_DONE && !ctl->json) {
		if (matching == 0)
			printf("No next hop has mail, a session or trouble.\n");
		else if (shown < matching)
			printf("%" PRId64 " of %" PRId64 " next hops; --limit N or --limit all shows more.\n", shown,
			       matching);
	}
	json_decref(end);
	return status;
}

/* --- metrics, in the text format of Prometheus ------------------------------------------------------------------ */

static void
metric_line(void *arg, const char *kind, const json_t *m)
{
	const char *name = text(m, "name");
	size_t	    core;
	json_t	   *value;

	(void)arg;
	if (strcmp(kind, "metric") != 0)
		return;
	printf("# HELP ringpost_%s %s\n# TYPE ringpost_%s %s\n", name, text(m, "what"), name, text(m, "type"));
	json_array_foreach(json_object_get(m, "values"), core, value)
		printf("ringpost_%s{core=\"%zu\"} %" JSON_INTEGER_FORMAT "\n", name, core, json_integer_value(value));
}

enum ctl_status
run_metrics(struct ctl *ctl)
{
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, ctl_request(ctl, "metrics"), metric_line, NULL, &end);

	if (status == CTL_DONE && !ctl->json)
		printf("# HELP ringpost_build_info What runs.\n# TYPE ringpost_build_info gauge\n"
		       "ringpost_build_info{version=\"%s\"} 1\n"
		       "# HELP ringpost_start_time_seconds When it started, since 1970.\n"
		       "# TYPE ringpost_start_time_seconds gauge\nringpost_start_time_seconds %.3f\n",
		       text(end, "version"), (double)number(end, "started_ms") / 1000);
	json_decref(end);
	return status;
}
