/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/laboratory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base.h"

static const struct {
	const char *name, *synopsis, *what;
} commands[] = {
	{ "run", "SCENARIO [options]", "Starts target, sink and senders as a scenario says, measures, writes a result." },
	{ "compare", "SCENARIO [options]", "Runs a scenario against several servers in turn, in alternating rounds." },
	{ "report", "RESULT.json... [options]", "Makes a page with charts, a table or a summary of results." },
};

bool
laboratory_has(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(commands[i].name, word) == 0)
			return true;
	}
	return false;
}

void
laboratory_usage(FILE *to)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		(void)fprintf(to, "  ringpost-bench %s %s\n        %s\n", commands[i].name, commands[i].synopsis,
			      commands[i].what);
}

/* Where the package is, for a program at this path. */
static bool
package_find(const char *self, char *out, size_t size)
{
	const char *name = strrchr(self, '/');
	int n = snprintf(out, size, "%.*s/../libexec/ringpost-bench/lab", (int)(name ? name - self : 0), self);

	if (n > 0 && (size_t)n < size && access(out, R_OK) == 0)
		return true;
	n = snprintf(out, size, "%s/bench/lab", RINGPOST_SOURCE);
	return n > 0 && (size_t)n < size && access(out, R_OK) == 0;
}

int
laboratory_run(char *const *argv)
{
	char self[PATH_MAX], package[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t argc = 0;
	char **words;

	if (n < 0) {
		(void)fprintf(stderr, "ringpost-bench: /proc/self/exe: %s\n", strerror(errno));
		return 1;
	}
	self[n] = '\0';
	if (!package_find(self, package, sizeof(package))) {
		(void)fprintf(stderr, "ringpost-bench: %s is in Python, and its package is neither in "
			      "../libexec/ringpost-bench beside %s nor in %s/bench\n", argv[1], self, RINGPOST_SOURCE);
		return 1;
	}
	while (argv[argc])
		argc++;
	words = calloc(argc + 2, sizeof(*words));
	if (!words || setenv("RINGPOST_BENCH", self, 1) < 0) {
		(void)fprintf(stderr, "ringpost-bench: no memory\n");
		free(words);
		return 1;
	}
	words[0] = (char[]){ "python3" };
	words[1] = package;
	memcpy(words + 2, argv + 1, (argc - 1) * sizeof(*words));
	(void)execvp(words[0], words);
	(void)fprintf(stderr, "ringpost-bench: python3: %s; run, compare and report need it\n", strerror(errno));
	free(words);
	return 1;
}
