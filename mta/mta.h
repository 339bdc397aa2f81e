/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/mta.h - the whole house: one struct mta for the process, one struct mta_core for each reactor.
 *
 * Everything a core does hangs on its struct mta_core and is touched by its thread only.  What crosses cores is
 * a post (core/io.h) or one of the few shared things named in struct mta.
 *
 * Start: main() reads the settings, mta/process.c opens the spool and starts a thread for each core; each opens its
 * reactor, resolver, queue, outbound, admin (core 0 only), inbound in this order, and only when all have, they turn.
 * End: inbound and outbound are drained side by side, then admin; then queue and resolver are closed
 * (mta/lifecycle.c).
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

struct mta_reload;

struct mta {
	unsigned	   core_count;
	struct mta_core	  *cores; /* core_count of them */
	struct io_net	  *net;
	struct clients	  *clients; /* sessions of each client address, all cores (mta/policy/clients.h) */
	_Atomic(unsigned)  sessions; /* server sessions, all cores */
	unsigned	   sessions_ceiling; /* what our descriptors suffice for; the settings may ask for less */
	int		   spool;	     /* directory */
	int		   log_fd;	     /* the same number for as long as the process lives; main's */
	int64_t		   started_ms;	     /* wall clock */
	const char	  *settings_file;    /* NULL: embedded */
	struct settings	  *started;	     /* the generation we began with: what needs a restart is as it says */
	const char	  *version;
	bool		   privileged;	     /* we run as root, and need not */
	_Atomic(struct mta_reload *) reloads; /* asked for, newest first */
	void (*wake)(struct mta *mta); /* the thread that may wait for the disk: look at `reloads` */
	_Atomic(unsigned)  undrained;  /* cores whose sides have not drained yet */
	_Atomic(unsigned)  unopened;   /* cores that have not read their past yet */
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
	/* private to mta/lifecycle.c */
	unsigned	    left; /* parts still draining or closing */
	struct io_post	    orders;
	struct reactor_hook next;
	struct wheel_timer  settle;
};

#endif
