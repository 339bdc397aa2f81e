/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/mta.h - the whole house: one struct mta for the process, one struct mta_core for each reactor.
 *
 * Everything a core does hangs on its struct mta_core and is touched by its thread only.  What crosses cores is
 * a post (core/io.h) or one of the few shared things named in struct mta.
 *
 * Start: main() reads the settings, opens the spool, starts a thread per core; each opens
 * reactor, queue, resolver, outbound, inbound in this order and listens.  End: each closes them
 * in the opposite order, asynchronously (mta/lifecycle.c).
 */
#ifndef MTA_MTA_H
#define MTA_MTA_H

#include "core/reactor.h"
#include "dns/resolver.h"
#include "mta/settings.h"
#include "queue/queue.h"

struct inbound;
struct outbound;
struct admin;
struct mta_core;

struct mta {
	unsigned	   core_count;
	struct mta_core	  *cores; /* core_count of them */
	struct io_net	  *net;
	struct clients	  *clients; /* sessions of each client address, all cores (mta/policy/clients.h) */
	_Atomic(unsigned)  sessions; /* server sessions, all cores */
};

struct mta_core {
	struct mta	*mta;
	unsigned	 index;
	struct reactor	 reactor;
	struct settings *settings; /* this core's reference to the newest generation; a session that must
				    * see one generation throughout takes its own */
	struct queue	*queue;
	struct resolver *resolver;
	struct inbound	*inbound;
	struct outbound *outbound;
	struct admin	*admin; /* core 0 only */
	bool		 stopping;
};

#endif
