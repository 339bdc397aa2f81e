/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ledger_file.h - a ledger (bench/ledger.h) on its way to a file, without waiting.
 *
 * Lines gather during a turn and leave in one write to the end of the file at its end.  Who must not go on before
 * its line is written (a sink before its 250) hangs a waiter on it.  Written means that the kernel has it: a
 * bench that is killed loses nothing, a machine that stops may.  Each core has its own struct
 * ledger_file, all on the same path; writes to the end of a file do not mix.
 */
#ifndef BENCH_LEDGER_FILE_H
#define BENCH_LEDGER_FILE_H

#include <sys/uio.h>

#include "bench/ledger.h"
#include "core/reactor.h"

struct ledger_waiter {
	struct list_node node;
	void (*written)(struct ledger_waiter *waiter); /* never from inside a call */
};

struct ledger_file {
	struct ledger_text lines;   /* gathering; append with ledger_put...(), then ledger_file_push() */
	/* private */
	struct ledger_text  writing;
	struct reactor	   *reactor;
	struct io_op	    op;
	struct iovec	    iov;
	struct reactor_hook flush;
	struct list	    waiters, waiters_writing;
	const char	   *path;
	int		    fd;
	void (*opened)(struct ledger_file *file, int result);
	void (*idle)(struct ledger_file *file);
};

/* Opens or creates the file at path (borrowed); opened follows with 0 or a negative errno. */
void ledger_file_open(struct ledger_file *file, struct reactor *r, const char *path,
		      void (*opened)(struct ledger_file *file, int result));
/* The same of a file that begins empty. */
void ledger_file_create(struct ledger_file *file, struct reactor *r, const char *path,
			void (*opened)(struct ledger_file *file, int result));
/* The lines put so far are whole.  waiter may be NULL. */
void ledger_file_push(struct ledger_file *file, struct ledger_waiter *waiter);
void ledger_waiter_init(struct ledger_waiter *waiter, void (*written)(struct ledger_waiter *waiter));
/* The waiter forgets; harmless when it does not wait. */
void ledger_waiter_cancel(struct ledger_waiter *waiter);
/* Calls idle once everything is written; not from inside the call unless it is so already. */
void ledger_file_finish(struct ledger_file *file, void (*idle)(struct ledger_file *file));
/* After idle.  Closes the file. */
void ledger_file_fini(struct ledger_file *file);

#endif
