/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/laboratory.h - the commands of ringpost-bench that are written in Python: bench/lab, which starts
 * targets, senders and sinks, measures, compares and reports.
 */
#ifndef BENCH_LABORATORY_H
#define BENCH_LABORATORY_H

#include <stdbool.h>
#include <stdio.h>

/* Is this word one of its commands? */
bool laboratory_has(const char *word);

/* Their lines in the list of commands. */
void laboratory_usage(FILE *to);

/*
 * Becomes python3, with the package that belongs to this program: that of ../libexec/ringpost-bench beside it when it
 * is installed, else that of the source tree it was built from.  The environment variable RINGPOST_BENCH names
 * this program.  argv is that of main().  Returns only when it fails, the exit status, after saying why.
 */
int laboratory_run(char *const *argv);

#endif
