/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rate counts from the first transaction to the last answer: waiting for sessions to open or for the
 * goodbye at the end says nothing about the server's mail.  Words printed here are ours, so JSON needs no escaping.
 */
#include "bench/report.h"

#include <inttypes.h>

#include "core/log.h"

const char *const bench_stage_words[STAGE_COUNT + 1] = {
#define X(id, word) word,
	BENCH_STAGES(X)
#undef X
};

static const char *const latency_names[REPORT_LATENCY_COUNT] = {
#define X(id, name, what) name,
	REPORT_LATENCIES(X)
#undef X
};

static const char *const count_names[REPORT_COUNT] = {
#define X(id, name, what) name,
	REPORT_COUNTS(X)
#undef X
};

void
report_code(struct report *r, enum bench_stage stage, unsigned code)
{
	if (code >= 400 && code < 400 + REPORT_CODES)
		r->codes[stage][code - 400]++;
	else
		r->counts[REPORT_UNEXPECTED]++;
}

void
report_errno(struct report *r, int result)
{
	unsigned number = result < 0 ? (unsigned)-result : 0;

	r->errnos[MIN_OF(number, REPORT_ERRNOS - 1u)]++;
}

void
report_merge(struct report *to, const struct report *from)
{
	for (unsigned i = 0; i < REPORT_COUNT; i++)
		to->counts[i] += from->counts[i];
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		for (unsigned i = 0; i < REPORT_CODES; i++)
			to->codes[s][i] += from->codes[s][i];
	}
	for (unsigned i = 0; i < REPORT_ERRNOS; i++)
		to->errnos[i] += from->errnos[i];
	for (unsigned i = 0; i < REPORT_LATENCY_COUNT; i++)
		histogram_merge(&to->latency[i], &from->latency[i]);
	timeline_merge(&to->timeline, &from->timeline);
	if (from->first_ns && (!to->first_ns || from->first_ns < to->first_ns))
		to->first_ns = from->first_ns;
	to->last_ns = MAX_OF(to->last_ns, from->last_ns);
	to->latencies |= from->latencies;
	to->cores += MAX_OF(from->cores, 1u);
	to->busy = MAX_OF(to->busy, from->busy);
	to->warm_up_s = MAX_OF(to->warm_up_s, from->warm_up_s);
}

double
report_seconds(const struct report *r)
{
	return r->last_ns > r->first_ns ? (double)(r->last_ns - r->first_ns) / 1e9 : 0;
}

bool
report_saturated(const struct report *r)
{
	uint64_t late = histogram_percentile(&r->latency[REPORT_LATE], 99);

	/* A latency has in it how late its message was begun. */
	return r->busy > REPORT_BUSY_MAX ||
	       (late > REPORT_LATE_MIN_NS && late > histogram_percentile(&r->latency[REPORT_LATENCY], 99) / 2);
}

struct quantile {
	const char *name;
	double	    percent;
};

static const struct quantile quantiles[] = {
	{ "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "p99_9", 99.9 }, { "max", 100 },
};

static void
latency_print(FILE *to, const char *name, const struct histogram *h, bool json)
{
	const char *between = "";

	(void)fprintf(to, json ? ", \"%s_us\": {\"mean\": %.1f" : "%-12s us      mean %.0f", name,
		      histogram_mean(h) / 1e3);
	for (size_t i = 0; i < COUNT_OF(quantiles); i++)
		(void)fprintf(to, json ? ", \"%s\": %.1f" : "  %s %.0f", quantiles[i].name,
			      (double)histogram_percentile(h, quantiles[i].percent) / 1e3);
	if (!json) {
		(void)fputc('\n', to);
		return;
	}
	(void)fprintf(to, ", \"buckets\": [");
	for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
		if (!h->slots[i])
			continue;
		(void)fprintf(to, "%s[%.3f, %" PRIu64 "]", between, (double)histogram_slot_top(i) / 1e3, h->slots[i]);
		between = ", ";
	}
	(void)fprintf(to, "]}");
}

static void
troubles_print(FILE *to, const struct report *r, bool json)
{
	const char *between = "";

	(void)fprintf(to, json ? ", \"replies\": {" : "");
	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		for (unsigned i = 0; i < REPORT_CODES; i++) {
			if (!r->codes[s][i])
				continue;
			(void)fprintf(to, json ? "%s\"%s %u\": %" PRIu64 : "%sreply at %s %u: %" PRIu64 "\n",
				      json ? between : "", bench_stage_words[s], 400 + i, r->codes[s][i]);
			between = ", ";
		}
	}
	(void)fprintf(to, json ? "}, \"connections\": {" : "");
	between = "";
	for (unsigned i = 0; i < REPORT_ERRNOS; i++) {
		if (!r->errnos[i])
			continue;
		(void)fprintf(to, json ? "%s\"%s\": %" PRIu64 : "%sconnection %s: %" PRIu64 "\n",
			      json ? between : "", i ? log_errno_name((int)i) : "closed", r->errnos[i]);
		between = ", ";
	}
	(void)fprintf(to, json ? "}" : "");
}

static void
watched_print(FILE *to, const struct crew_watch *watched, double messages, bool json)
{
	double each = messages > 0 ? watched->cpu_s * 1e6 / messages : 0;

	if (json)
		(void)fprintf(to, ", \"server_cpu_s\": %.6f, \"server_cpu_us_per_message\": %.2f, "
			      "\"server_rss_octets\": %" PRIu64,
			      watched->cpu_s, each, watched->rss_octets);
	else
		(void)fprintf(to, "%-20s %.3f s, %.2f us per message; %" PRIu64 " KiB resident\n", "server cpu",
			      watched->cpu_s, each, watched->rss_octets / 1024);
}

static void
saturated_print(FILE *to, const struct report *r)
{
	(void)fprintf(to, "%-20s this program was the bottleneck, so its figures say little of the other side: ", "WARNING");
	if (r->busy > REPORT_BUSY_MAX)
		(void)fprintf(to, "a thread used %.0f %% of a core; --cores N may help\n", 100 * r->busy);
	else
		(void)fprintf(to, "one message in a hundred was begun more than %.1f ms late, and its latency tells that too\n",
			      (double)histogram_percentile(&r->latency[REPORT_LATE], 99) / 1e6);
}

void
report_print(FILE *to, const struct report *r, const struct crew_usage *used,
	     const struct crew_watch *watched, bool json)
{
	double seconds = report_seconds(r), cpu = used->user_s + used->system_s;
	double messages = (double)r->counts[REPORT_MESSAGES];
	double rate = seconds > 0 ? messages / seconds : 0;
	double cpu_each = messages > 0 ? cpu * 1e6 / messages : 0;

	if (json)
		(void)fprintf(to, "{\"seconds\": %.6f, \"rate\": %.1f, \"cpu_user_s\": %.3f, "
			      "\"cpu_system_s\": %.3f, \"cpu_us_per_message\": %.2f",
			      seconds, rate, used->user_s, used->system_s, cpu_each);
	for (unsigned i = 0; i < REPORT_COUNT; i++)
		(void)fprintf(to, json ? ", \"%s\": %" PRIu64 : "%-20s %" PRIu64 "\n", count_names[i],
			      r->counts[i]);
	if (!json)
		(void)fprintf(to, "%-20s %.3f\n%-20s %.1f messages/s\n%-20s %.3f user, %.3f system, "
			      "%.2f us per message\n",
			      "seconds", seconds, "rate", rate, "own cpu", used->user_s, used->system_s, cpu_each);
	if (watched)
		watched_print(to, watched, messages, json);
	for (unsigned i = 0; i < REPORT_LATENCY_COUNT; i++) {
		if (r->latencies >> i & 1)
			latency_print(to, latency_names[i], &r->latency[i], json);
	}
	troubles_print(to, r, json);
	if (!json && report_saturated(r))
		saturated_print(to, r);
	if (json) {
		(void)fprintf(to, ", \"warm_up_s\": %.3f, \"cores\": %u, \"busy\": %.3f, \"saturated\": %s, "
			      "\"started_ns\": %" PRIu64 ", \"first_ns\": %" PRIu64 ", \"last_ns\": %" PRIu64
			      ", \"timeline\": ",
			      r->warm_up_s, r->cores, r->busy, report_saturated(r) ? "true" : "false",
			      r->timeline.start_ns, r->first_ns, r->last_ns);
		timeline_print(to, &r->timeline);
	}
	if (r->print_more)
		r->print_more(to, json);
	(void)fprintf(to, json ? "}\n" : "");
}
