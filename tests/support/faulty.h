/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/faulty.h - a kernel that uses all that the contract of core/io.h allows it, and fails when it is told.
 *
 * A program that links `faulty` beside core_uring has the calls that start operations come here first.  Nothing changes
 * until it is asked for, by these functions or for a whole program by the environment, "seed:per_mille":
 *
 *	RINGPOST_FAULTY=7:300 ./test_core_stream
 *
 * Each thread has faults of its own.  Everything arrives at the handler, as always.
 */
#ifndef TESTS_SUPPORT_FAULTY_H
#define TESTS_SUPPORT_FAULTY_H

#include "core/io.h"

/*
 * From now on, so many of a thousand operations are lawful and inconvenient: a send, read or write does less than was
 * asked; a receive or accept ends with -ENOBUFS or -ECANCELED, at once or between two reports.  Who stands on the seam
 * must not notice.  0: none any more.
 */
void faulty_lawful(uint64_t seed, unsigned per_mille);

/*
 * The next operation of this kind, after skip more of them, does nothing and ends with error (a negative errno).  One
 * plan for each kind; once.
 */
void faulty_fail(enum io_kind kind, unsigned skip, int error);

/* How many operations of this thread went another way than without us. */
unsigned faulty_count(void);

#endif
