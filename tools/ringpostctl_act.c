/* SPDX-License-Identifier: Apache-2.0 */
/* retry, hold, release, delete; reload. */
#include <inttypes.h>

#include "tools/ringpostctl.h"

enum { IDS_AT_ONCE = 1000 }; /* the protocol takes 2000 */

static void
act_line(void *arg, const char *kind, const json_t *body)
{
	(void)arg;
	if (strcmp(kind, "unknown") == 0)
		say("no message %s in the queue", text(body, "id"));
}

struct sum {
	int64_t done, unknown, failed, held;
};

static enum ctl_status
ask_once(struct ctl *ctl, json_t *request, struct sum *sum)
{
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, request, act_line, NULL, &end);

	sum->done += number(end, "done");
	sum->unknown += number(end, "unknown");
	sum->failed += number(end, "failed");
	sum->held += number(end, "held");
	json_decref(end);
	return status;
}

static enum ctl_status
ask_about_words(struct ctl *ctl, struct sum *sum)
{
	enum ctl_status status = CTL_DONE;

	for (int at = 0; at < ctl->word_count && status == CTL_DONE;) {
		json_t *ids = json_array();

		for (int end = MIN_OF(at + IDS_AT_ONCE, ctl->word_count); at < end; at++)
			(void)json_array_append_new(ids, json_string(ctl->words[at])); /* no UTF-8: no id either */
		status = ask_once(ctl, json_pack("{s:s, s:o}", "do", ctl->verb, "ids", ids), sum);
	}
	return status;
}

static const char *
done_word(const char *verb)
{
	return strcmp(verb, "retry") == 0     ? "due now"
	       : strcmp(verb, "hold") == 0    ? "held"
	       : strcmp(verb, "release") == 0 ? "released"
					      : "deleted";
}

enum ctl_status
run_act(struct ctl *ctl)
{
	bool		filtered = ctl->state || ctl->domain || ctl->from;
	struct sum	sum = { 0 };
	enum ctl_status status;
	json_t	       *request;

	if ((ctl->word_count > 0) + ctl->all + filtered != 1) {
		say("%s wants either IDs, or --all, or a filter (--state, --domain, --from)", ctl->verb);
		return CTL_USAGE;
	}
	if (ctl->word_count == 0 && strcmp(ctl->verb, "delete") == 0 && !ctl->yes) {
		say("deleting all that fit wants --yes; ringpostctl queue with the same filter shows what fits");
		return CTL_USAGE;
	}
	if (ctl->word_count) {
		status = ask_about_words(ctl, &sum);
	} else {
		request = ctl_request(ctl, ctl->verb);
		if (request && ctl->all)
			(void)json_object_set_new(request, "all", json_true()); /* without it: refused */
		status = ask_once(ctl, request, &sum);
	}
	sum.done -= sum.held;
	if (!ctl->json && (status == CTL_DONE || sum.done))
		printf("%" PRId64 " message%s %s.\n", sum.done, plural(sum.done), done_word(ctl->verb));
	if (!ctl->json && sum.held)
		printf("%" PRId64 " message%s held and not due before ringpostctl release.\n", sum.held,
		       sum.held == 1 ? " is" : "s are");
	if (!ctl->json && sum.failed)
		say("%" PRId64 " not written: the disk failed", sum.failed);
	return status == CTL_DONE && (sum.unknown || sum.failed) ? CTL_NOT_DONE : status;
}

enum ctl_status
run_reload(struct ctl *ctl)
{
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, ctl_request(ctl, "reload"), act_line, NULL, &end);

	if (status == CTL_DONE && !ctl->json)
		printf("The settings are in effect (digest %s).\n", text(end, "digest"));
	json_decref(end);
	return status;
}
