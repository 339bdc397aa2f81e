/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/dial.h - connections out, from one address or from many.
 *
 * A server may limit the sessions of one client, and one address has some 28 000 ports; so the
 * bench can come from several addresses of the loopback network, 127.0.0.1, 127.0.0.2 and so on, in turn.
 */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H

#include "core/io.h"

enum { DIAL_SOURCES_MAX = 1000 };

/* Why we do not load `to` from `sources` addresses; NULL when we do.  owned: --i-own-this-host was said, without which
 * only this machine is loaded: one wrong address, and a stranger's server has all of it. */
const char *dial_check(const struct endpoint *to, uint64_t sources, bool owned);

/* The row of that option. */
#define DIAL_OWNED_ROW(offset)                                                                     \
	{ "i-own-this-host", OPTION_FLAG, offset, NULL,                                            \
	  "Load a server that is not on this machine: you answer for it.", 0, 0, NULL }
/*
 * Starts connecting; op must be idle with its handler set.  Returns the descriptor, which the caller closes
 * after op has ended badly; else a negative errno and op is idle.
 */
int MUST_CHECK dial(struct io *io, struct io_connect_op *op, const struct endpoint *to, unsigned sources,
		    unsigned index);

#endif
