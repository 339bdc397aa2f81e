/* SPDX-License-Identifier: Apache-2.0 */
/* queue, queue show. */
#include <inttypes.h>

#include "tools/ringpostctl.h"

static const char *
state_of(const json_t *m)
{
	return truth(m, "held") ? "held" : number(m, "in_hand") ? "in hand" : "waiting";
}

/* "in 5 min", "now", "-" */
static const char *
next_try(const struct ctl *ctl, const json_t *m, char buffer[static TEXT_MAX])
{
	int64_t due = number(m, "due_ms");
	char	text_of[TEXT_MAX];

	if (due == 0 || truth(m, "held"))
		return "-";
	if (due <= ctl->now_ms)
		return "now";
	(void)snprintf(buffer, TEXT_MAX, "in %.40s", duration_short(due - ctl->now_ms, text_of));
	return buffer;
}

/* --- the list --------------------------------------------------------------------------------------------------- */

struct list {
	struct ctl *ctl;
	unsigned    lines;
};

static void
print_recipients(const json_t *m)
{
	const json_t *to = json_object_get(m, "to");
	int64_t	      more = number(m, "open") - (int64_t)json_array_size(to);
	size_t	      i;
	json_t	     *address;

	json_array_foreach(to, i, address) {
		printf("%s", i ? ", " : "");
		print_foreign(json_string_value(address));
	}
	if (more > 0)
		printf(" and %" PRId64 " more", more);
}

static void
list_line(void *arg, const char *kind, const json_t *m)
{
	struct list *l = arg;
	char	     age[TEXT_MAX], size[TEXT_MAX], next[TEXT_MAX];

	(void)kind;
	if (l->lines++ == 0)
		printf("%-26s  %7s  %6s  %-7s  %5s  %-9s  %s\n", "ID", "AGE", "SIZE", "STATE", "TRIES", "NEXT TRY",
		       "SENDER AND RECIPIENTS");
	printf("%-26s  %7s  %6s  %-7s  %5" PRId64 "  %-9s  ", text(m, "id"),
	       duration_short(l->ctl->now_ms - number(m, "accepted_ms"), age), octets(number(m, "octets"), size),
	       state_of(m), number(m, "attempts"), next_try(l->ctl, m, next));
	if (truth(m, "unreadable")) {
		printf("its record cannot be read\n");
		return;
	}
	(void)fputc('<', stdout);
	print_foreign(text(m, "from"));
	printf("> to ");
	print_recipients(m);
	(void)fputc('\n', stdout);
}

enum ctl_status
run_list(struct ctl *ctl)
{
	struct list	list = { .ctl = ctl };
	bool		filtered = ctl->state || ctl->domain || ctl->from;
	json_t	       *end;
	enum ctl_status status = ctl_ask(ctl, ctl_request(ctl, "list"), list_line, &list, &end);
	int64_t		shown = number(end, "shown"), matching = number(end, "matching");

	if (status == CTL_DONE && !ctl->json) {
		if (matching == 0)
			printf("%s\n", filtered ? "No message in the queue fits." : "The queue is empty.");
		else if (shown < matching)
			printf("%" PRId64 " of %" PRId64
			       " messages, the oldest; --limit N or --limit all shows more.\n", shown, matching);
		else
			printf("%" PRId64 " message%s.\n", shown, plural(shown));
	}
	json_decref(end);
	return status;
}

/* --- one message ------------------------------------------------------------------------------------------------ */

static void
field(const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	printf("%-11s ", name);
	print_foreign(value);
	(void)fputc('\n', stdout);
}

static void
print_message(const struct ctl *ctl, const json_t *m)
{
	char when[TEXT_MAX], ago[TEXT_MAX];

	field("message", text(m, "id"));
	field("state", state_of(m));
	printf("%-11s %s, %s ago\n", "accepted", moment(number(m, "accepted_ms"), when),
	       duration(ctl->now_ms - number(m, "accepted_ms"), ago));
	printf("%-11s %" PRId64 " octets\n", "size", number(m, "octets"));
	if (truth(m, "unreadable")) {
		printf("Its record cannot be read; the log says where on disk it lies.\n");
		return;
	}
	printf("%-11s <", "from");
	print_foreign(text(m, "from"));
	printf(">\n");
	field("client", text(m, "client"));
	field("helo", text(m, "helo"));
	field("envid", text(m, "envid"));
	field("report on", text(m, "origin"));
	printf("%-11s %" PRId64 ", %" PRId64 " of them without final outcome\n", "recipients", number(m, "recipients"),
	       number(m, "open"));
}

static void
print_recipient(const struct ctl *ctl, const json_t *r)
{
	int64_t due = number(r, "due_ms"), last = number(r, "last_ms"), attempts = number(r, "attempts");
	char	when[TEXT_MAX], rest[TEXT_MAX];

	printf("\n");
	print_foreign(text(r, "address"));
	printf("\n    %s, %" PRId64 " attempt%s",
	       strcmp(text(r, "state"), "in-hand") == 0 ? "in hand" : text(r, "state"), attempts, plural(attempts));
	if (due && due > ctl->now_ms)
		printf(", next %s, in %s", moment(due, when), duration(due - ctl->now_ms, rest));
	else if (due)
		printf(", due now");
	printf("\n");
	if (last == 0)
		return;
	printf("    last %s, %s ago", moment(last, when), duration(ctl->now_ms - last, rest));
	if (text(r, "host")[0]) {
		printf(", ");
		print_foreign(text(r, "host"));
	}
	printf(":\n    ");
	if (number(r, "code"))
		printf("%" PRId64 " ", number(r, "code"));
	print_foreign(text(r, "text"));
	printf("\n");
}

static void
show_line(void *arg, const char *kind, const json_t *body)
{
	if (strcmp(kind, "message") == 0)
		print_message(arg, body);
	else if (strcmp(kind, "recipient") == 0)
		print_recipient(arg, body);
}

enum ctl_status
run_show(struct ctl *ctl)
{
	json_t	       *end;
	enum ctl_status status =
		ctl_ask(ctl, json_pack("{s:s, s:s}", "do", "show", "id", ctl->words[0]), show_line, ctl, &end);

	json_decref(end);
	return status;
}
