/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/commands.h - what ringpost-bench can be asked to do: a table of commands for main(), and of each the options.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include "bench/options.h"

struct bench_command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *what;     /* a sentence */
	const struct option_row *rows;
	size_t	    row_count;
	void	   *options; /* defaults; filled by options_parse() */
	size_t	    words;   /* words that must follow that are not options */
	/* The exit status: 0 well, 1 not, 2 asked wrongly (after saying how on standard error). */
	int (*run)(const struct bench_command *command, const char *const *words);
};

extern const struct bench_command bench_send, bench_sink, bench_idle, bench_ledger, bench_floor;

enum { BENCH_CORES_MAX = 64 };

#endif
