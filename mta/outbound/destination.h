/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/destination.h - one next hop, on the core that owns it: what waits for it, its sessions, its troubles.
 *
 * Only the owner opens sessions, so outbound.connections_max holds over all cores at every instant (P4); a session counts
 * from before its first socket until its last one is closed.
 *
 * A next hop that no session can reach is down: what waits is deferred with the reason, and so is what comes until
 * outbound.down_pause has passed; then one session tries alone, and more only once it has succeeded.
 */
#ifndef MTA_OUTBOUND_DESTINATION_H
#define MTA_OUTBOUND_DESTINATION_H

#include "mta/outbound/outbound_internal.h"

struct client;

struct destination {
	struct table_node node; /* by name */
	struct outbound	 *out;
	struct settings	 *settings; /* where to connect: of the delivery that came last; sessions take a reference */
	enum route_kind	  kind;
	const struct settings_route *hops; /* in settings */
	struct endpoint	  address;
	struct list	  waiting; /* deliveries */
	unsigned	  waiting_count;
	struct list	  idle; /* clients without a delivery, the one used last first */
	struct list	  busy; /* all others */
	unsigned	  sessions, connecting, in_flight;
	unsigned	  failures; /* sessions in a row that broke before a transaction ended */
	bool		  is_down;  /* until a session succeeds; nothing is tried before down_until */
	uint64_t	  down_until_ns;
	uint64_t	  forget_ns; /* without mail for it by then it is no longer known to be down */
	int64_t		  down_until_ms;
	uint64_t	  grow_after_ns; /* no further session before: the last one could not be opened, or we had nothing to open
					  * it with */
	struct wheel_timer timer;	 /* at grow_after or forget */
	struct outcome	  trouble;	 /* the last one; words below */
	char		  trouble_host[DELIVERY_HOST_MAX];
	char		  trouble_text[SMTP_REPLY_TEXT_MAX];
	char		  name[];
};

int MUST_CHECK destination_init(struct outbound *out);
void	       destination_fini(struct outbound *out);
/* A delivery for a next hop of this core.  It goes back by keeper_return(), perhaps from inside this call. */
void destination_accept(struct outbound *out, struct delivery *d);
/* Gives back what waits, ends idle sessions; busy ones go on. */
void destination_drain_all(struct outbound *out);
/* Ends every session now. */
void destination_stop_all(struct outbound *out);

/* --- for client.c ----------------------------------------------------------------------------------------- */

/* A session can take mail (again): what it gets, or NULL: it is idle. */
struct delivery *destination_next(struct destination *dest, struct client *c);
/* The settings have changed: this session leads where they no longer do, or there are too many by now.  It ends after its
 * transaction. */
bool destination_outlived(const struct destination *dest, const struct client *c);
/* A session has finished with a delivery: all its outcomes are known, or it goes to another session. */
void destination_done(struct destination *dest, struct delivery *d);
/* It could not be tried for want of memory. */
void destination_give_back(struct destination *dest, struct delivery *d);
/* The session has reached a host that takes mail. */
void destination_reached(struct destination *dest, struct client *c);
/* No host could be reached. */
void destination_unreached(struct destination *dest, const struct outcome *trouble);
/* No host could be tried, for want of descriptors or memory of our own (errno). */
void destination_starved(struct destination *dest, int error);
/* A transaction has come to its end: this next hop works. */
void destination_works(struct destination *dest);
/* The session broke in a transaction, or before its first. */
void destination_broke(struct destination *dest, const struct outcome *trouble);
/* The session is gone, its descriptor closed. */
void destination_left(struct destination *dest, struct client *c);

#endif
