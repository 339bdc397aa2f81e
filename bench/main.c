/* SPDX-License-Identifier: Apache-2.0 */
/* ringpost-bench: finds the command, reads its options, runs it.  docs/man/ringpost-bench.1 is the manual. */
#include "bench/commands.h"
#include "bench/laboratory.h"

static const struct bench_command *const commands[] = {
	&bench_send, &bench_sink, &bench_idle, &bench_ledger, &bench_floor,
};

static void
usage(FILE *to)
{
	(void)fprintf(to, "ringpost-bench: load generator, sink and yardstick for SMTP servers\n\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		(void)fprintf(to, "  ringpost-bench %s %s\n        %s\n", commands[i]->name,
			      commands[i]->synopsis, commands[i]->what);
	laboratory_usage(to);
	(void)fprintf(to, "\nringpost-bench COMMAND --help lists the options of a command.\n");
}

int
main(int argc, char **argv)
{
	const struct bench_command *command = NULL;
	const char *words[4];
	size_t word_count = COUNT_OF(words);
	char why[OPTION_WHY_MAX];

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("ringpost-bench " RINGPOST_VERSION "\n");
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(argv[1], commands[i]->name) == 0)
			command = commands[i];
	}
	if (!command && laboratory_has(argv[1]))
		return laboratory_run(argv);
	if (!command) {
		(void)fprintf(stderr, "ringpost-bench: no command \"%.60s\"; --help lists them\n", argv[1]);
		return 2;
	}
	switch (options_parse(command->rows, command->row_count, argc - 2, argv + 2, command->options,
			      words, &word_count, why)) {
	case OPTIONS_OK:
		break;
	case OPTIONS_HELP:
		(void)printf("ringpost-bench %s %s\n\n%s\n\n", command->name, command->synopsis, command->what);
		options_help(stdout, command->rows, command->row_count);
		return 0;
	case OPTIONS_WRONG:
		(void)fprintf(stderr, "ringpost-bench %s: %s\n", command->name, why);
		return 2;
	}
	if (word_count != command->words) {
		(void)fprintf(stderr, "usage: ringpost-bench %s %s\n", command->name, command->synopsis);
		return 2;
	}
	return command->run(command, words);
}
