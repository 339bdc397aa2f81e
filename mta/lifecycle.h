/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/lifecycle.h - the parts of a core put together, taken apart, and given new settings.  What waits (threads,
 * signals, files at start) is in mta/process.c; all here runs on reactors.
 */
#ifndef MTA_LIFECYCLE_H
#define MTA_LIFECYCLE_H

#include "mta/mta.h"

/*
 * Opens all parts of mta->cores[index] on the calling thread, which will run its reactor.  settings: a reference that
 * becomes the core's.  0, else -errno with *why a sentence; what is
 * open then stays so, for the process ends.
 */
int MUST_CHECK mta_core_open(struct mta *mta, unsigned index, struct settings *settings, const char **why);
/* Until the core has stopped. */
void mta_core_run(struct mta_core *core);
/* After it: gives all back. */
void mta_core_close(struct mta_core *core);

/*
 * From the thread without a reactor: every core stops taking mail, lets transactions end until the shutdown
 * deadline, writes what is pending and leaves mta_core_run().  Once.
 */
void mta_stop(struct mta *mta);

/*
 * From the thread without a reactor: all cores go over to the new generation, of which this takes one reference, and
 * look at mta->log_fd anew, which may lead elsewhere by now.
 */
void mta_adopt(struct mta *mta, struct settings *settings);

struct mta_reload {
	struct io_post	   post;
	struct mta_reload *next;
	void (*done)(void *arg, const char *error);
	void *arg;
	char  error[600]; /* empty: it worked */
};

/*
 * Core 0 asks for the settings to be read anew, as SIGHUP does.  done runs on core 0, from inside the call only when
 * memory is out; error is NULL when all went well, else a sentence: the old settings go on, or some of the new ones
 * wait for a restart.
 */
void mta_reload(struct mta *mta, void (*done)(void *arg, const char *error), void *arg);
/* For the thread that reads them: what was asked for, in a chain, or NULL; and the answer to one. */
struct mta_reload *mta_reloads_take(struct mta *mta);
void		   mta_reload_answer(struct mta *mta, struct mta_reload *reload);

/* Logged by core 0: why a reload changed nothing; which settings wait for a restart. */
void mta_log_reload_failed(struct mta *mta, const char *why);
void mta_log_restart_needed(struct mta *mta, const char *settings);

#endif
