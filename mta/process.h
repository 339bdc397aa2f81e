/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/process.h - the daemon as the operating system sees it: a thread for each core, one more that waits for signals
 * and reads files.
 *
 *	SIGTERM, SIGINT  end in order; a second one ends at once, which loses nothing that was acknowledged
 *	SIGHUP		 read the settings anew, open the log file anew
 */
#ifndef MTA_PROCESS_H
#define MTA_PROCESS_H

#include "mta/settings.h"

/* Runs with these settings (the reference is taken over) until told to end; file: where they came from, NULL: embedded.
 * Returns the exit status; what goes wrong at start is said on standard error. */
int process_run(struct settings *settings, const char *file, const char *version);

#endif
