/* SPDX-License-Identifier: Apache-2.0 */
/* ringpostctl: what the command line asks for.  docs/man/ringpostctl.8 is the manual. */
#include "tools/ringpostctl.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <time.h>
#include <unistd.h>

#include "core/nearest.h"
#include "mta/admin/limits.h"
#include "mta/settings.h"

enum { TAKES_FILTER = 1, TAKES_LIMIT = 2, TAKES_ALL = 4, TAKES_YES = 8 };
enum { WORDS_NONE = 0, WORDS_MANY = -1 };

static const struct command {
	const char *name, *second; /* two words, or one */
	const char *synopsis, *what;
	unsigned    takes;
	int	    words;
	enum ctl_status (*run)(struct ctl *ctl);
} commands[] = {
	{ "status", NULL, "", "what runs and how it goes", 0, WORDS_NONE, run_status },
	{ "queue", NULL, "[filter] [--limit N|all]", "messages in the queue, the oldest first",
	  TAKES_FILTER | TAKES_LIMIT, WORDS_NONE, run_list },
	{ "queue", "show", "ID", "one message: recipients, attempts, last words", 0, 1, run_show },
	{ "destinations", NULL, "[--limit N|all]", "next hops: sessions, what waits, what ails them", TAKES_LIMIT,
	  WORDS_NONE, run_destinations },
	{ "retry", NULL, "ID ... | --all | filter", "try now", TAKES_FILTER | TAKES_ALL, WORDS_MANY, run_act },
	{ "hold", NULL, "ID ... | --all | filter", "keep without trying", TAKES_FILTER | TAKES_ALL, WORDS_MANY,
	  run_act },
	{ "release", NULL, "ID ... | --all | filter", "end of hold", TAKES_FILTER | TAKES_ALL, WORDS_MANY, run_act },
	{ "delete", NULL, "ID ... | --all --yes | filter --yes", "forget, without a report to the sender",
	  TAKES_FILTER | TAKES_ALL | TAKES_YES, WORDS_MANY, run_act },
	{ "reload", NULL, "", "read the settings and open the log anew", 0, WORDS_NONE, run_reload },
	{ "metrics", NULL, "", "all counters, in the text format of Prometheus", 0, WORDS_NONE, run_metrics },
};

/* Of the embedded settings, and of docs/ringpost.yaml.example. */
#define SOCKET_HERE	 "./var/control.sock"
#define SOCKET_INSTALLED "/run/ringpost/control.sock"

static const char usage_head[] = "usage: ringpostctl [--socket PATH | --config FILE] [--json] COMMAND\n\n";
static const char usage_tail[] =
	"\nA filter is one or more of\n"
	"  --state STATE    waiting, in-hand or held\n"
	"  --domain PATTERN a recipient's domain: example.org, .example.org (below it), example.*\n"
	"  --from SENDER    a mailbox, a domain or a pattern of domains, or <> for reports\n"
	"\n"
	"  -s, --socket PATH   control socket; else that of --config, $RINGPOST_SOCKET, or the first there is of\n"
	"                      " SOCKET_HERE " and " SOCKET_INSTALLED "\n"
	"  -c, --config FILE   settings whose control.socket is meant\n"
	"  -j, --json          lines of JSON as they come (docs/control.md)\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n"
	"\n"
	"Exit status: 0 done, 1 not done or an ID is unknown, 2 wrong command line, 3 ringpost cannot be reached.\n"
	"The manual is ringpostctl(8).\n";

static void
usage(FILE *to)
{
	char line[96];

	(void)fputs(usage_head, to);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = &commands[i];

		(void)snprintf(line, sizeof(line), "%s%s%s%s%s", c->name, c->second ? " " : "",
			       c->second ? c->second : "", c->synopsis[0] ? " " : "", c->synopsis);
		(void)fprintf(to, "  %-42s %s\n", line, c->what);
	}
	(void)fputs(usage_tail, to);
}

/* --- what was meant --------------------------------------------------------------------------------------------- */

static enum ctl_status
unknown_command(const char *word)
{
	const char *best = NULL;
	unsigned    least = UINT32_MAX;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const char *name = commands[i].second ? commands[i].second : commands[i].name;
		unsigned    d = nearest_distance(span_of(word), span_of(name));

		if (d < least && d <= (strlen(name) + 1) / 3) {
			least = d;
			best = commands[i].second ? "queue show" : name;
		}
	}
	if (best)
		say("no command \"%.40s\"; did you mean \"%s\"?", word, best);
	else
		say("no command \"%.40s\"; ringpostctl --help lists them", word);
	return CTL_USAGE;
}

static const struct command *
command_find(int count, char **words)
{
	const struct command *one = NULL;

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(words[0], c->name) != 0)
			continue;
		if (c->second == NULL)
			one = c;
		else if (count > 1 && strcmp(words[1], c->second) == 0)
			return c;
	}
	return one;
}

/* --- the command line ------------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' }, { "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },	    { "state", required_argument, NULL, 'S' },
	{ "domain", required_argument, NULL, 'D' }, { "from", required_argument, NULL, 'F' },
	{ "limit", required_argument, NULL, 'L' },  { "all", no_argument, NULL, 'A' },
	{ "yes", no_argument, NULL, 'Y' },	    { "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
};

static bool
read_limit(struct ctl *ctl, const char *word)
{
	char *end;
	long  n = strtol(word, &end, 10);

	if (strcmp(word, "all") == 0) {
		ctl->limit = 0;
		return true;
	}
	if (!isdigit((unsigned char)word[0]) || *end || n < 1 || n > ADMIN_LIST_MAX) {
		say("--limit wants a number from 1 to %d, or all, not \"%.40s\"", ADMIN_LIST_MAX, word);
		return false;
	}
	ctl->limit = (int)n;
	return true;
}

static bool
may(const struct command *c, unsigned takes, bool given, const char *option)
{
	if (!given || (c->takes & takes))
		return true;
	say("%s%s%s takes no %s", c->name, c->second ? " " : "", c->second ? c->second : "", option);
	return false;
}

static bool
fits(const struct command *c, const struct ctl *ctl)
{
	if (!may(c, TAKES_FILTER, ctl->state || ctl->domain || ctl->from, "filter") ||
	    !may(c, TAKES_LIMIT, ctl->limit >= 0, "--limit") || !may(c, TAKES_ALL, ctl->all, "--all") ||
	    !may(c, TAKES_YES, ctl->yes, "--yes"))
		return false;
	if (c->words == WORDS_MANY || ctl->word_count == c->words)
		return true;
	if (ctl->word_count > c->words)
		say("\"%.40s\" is one word too many; ringpostctl --help shows how it is written", ctl->words[c->words]);
	else
		say("%s%s%s wants: %s", c->name, c->second ? " " : "", c->second ? c->second : "", c->synopsis);
	return false;
}

static bool
find_socket(struct ctl *ctl, const char *config)
{
	static char	      path[108]; /* control.socket has at most 107 octets */
	struct settings_error error = { "out of memory" };
	const char	     *environment = getenv("RINGPOST_SOCKET");
	struct settings	     *s;

	if (ctl->socket)
		return true;
	if (config == NULL) {
		if (environment && environment[0])
			ctl->socket = environment;
		else
			ctl->socket = access(SOCKET_HERE, F_OK) != 0 && access(SOCKET_INSTALLED, F_OK) == 0
					      ? SOCKET_INSTALLED
					      : SOCKET_HERE;
		return true;
	}
	s = settings_read(config, &error);
	if (s == NULL) {
		say("%s", error.message);
		return false;
	}
	(void)snprintf(path, sizeof(path), "%s", s->control_socket.data);
	settings_unref(s);
	ctl->socket = path;
	return true;
}

static enum ctl_status
run(struct ctl *ctl, const char *config, int count, char **words)
{
	const struct command *c;
	struct timespec	      now;
	enum ctl_status	      status;

	if (count == 0) {
		usage(stderr);
		return CTL_USAGE;
	}
	if (strcmp(words[0], "help") == 0) {
		usage(stdout);
		return CTL_DONE;
	}
	c = command_find(count, words);
	if (c == NULL)
		return unknown_command(words[0]);
	ctl->verb = c->name;
	ctl->word_count = count - (c->second ? 2 : 1);
	ctl->words = (const char *const *)words + (c->second ? 2 : 1);
	if (!fits(c, ctl) || !find_socket(ctl, config))
		return CTL_USAGE;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ctl->now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
	status = ctl_connect(ctl);
	return status == CTL_DONE ? c->run(ctl) : status;
}

int
main(int argc, char **argv)
{
	static char	name[] = "ringpostctl";
	struct ctl	ctl = { .limit = -1 };
	const char     *config = NULL;
	enum ctl_status status;
	int		option;

	if (argc > 0)
		argv[0] = name; /* in what getopt says */
	while ((option = getopt_long(argc, argv, "s:c:jVh", options, NULL)) != -1) {
		switch (option) {
		case 's':
			ctl.socket = optarg;
			break;
		case 'c':
			config = optarg;
			break;
		case 'j':
			ctl.json = true;
			break;
		case 'S':
			ctl.state = optarg;
			break;
		case 'D':
			ctl.domain = optarg;
			break;
		case 'F':
			ctl.from = optarg;
			break;
		case 'L':
			if (!read_limit(&ctl, optarg))
				return CTL_USAGE;
			break;
		case 'A':
			ctl.all = true;
			break;
		case 'Y':
			ctl.yes = true;
			break;
		case 'V':
			printf("ringpostctl %s\n", RINGPOST_VERSION);
			return CTL_DONE;
		case 'h':
			usage(stdout);
			return CTL_DONE;
		default:
			(void)fputs("ringpostctl: --help lists the options\n", stderr);
			return CTL_USAGE;
		}
	}
	status = run(&ctl, config, argc - optind, argv + optind);
	if (fflush(stdout) != 0 && status == CTL_DONE) {
		say("cannot write: %s", strerror(errno));
		status = CTL_NOT_DONE;
	}
	return status;
}
