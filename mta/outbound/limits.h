/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/limits.h - the edges of the sending side that no operator needs to move; those he does are in
 * mta/settings_table.h.  Each says its unit and what happens at it.
 */
#ifndef MTA_OUTBOUND_LIMITS_H
#define MTA_OUTBOUND_LIMITS_H

#include "core/base.h"

enum {
	/* --- keeper, of each shard --------------------------------------------------------------------- */
	OUTBOUND_AWAY_MAX = 4096,    /* deliveries handed to owners; beyond: recipients wait in their lanes */
	OUTBOUND_LANE_AWAY_MIN = 32, /* of one next hop: twice its connections, and never fewer than this; beyond: they
				      * wait in the lane */
	OUTBOUND_LANE_AWAY_FEW = 4,  /* the same when half of OUTBOUND_AWAY_MAX is used up, so that many next hops that
				      * hang do not take all of it */
	OUTBOUND_LANE_AWAY_LEAST = 1, /* when three quarters are */
	OUTBOUND_LOADS_MAX = 64,     /* messages being read from disk; beyond: recipients wait */
	OUTBOUND_STEPS_MAX = 256,    /* deliveries started in one turn; beyond: the next turn */
	OUTBOUND_PUT_BACK_MS = 10 * 1000,    /* pause after a failure of ours (memory, disk) */
	OUTBOUND_GATHER_MS   = 60 * 1000,    /* failures of one message wait so long for others to share a report */

	/* --- owner, of each next hop ------------------------------------------------------------------- */
	DESTINATION_FAILURES_MAX = 5, /* sessions in a row that broke before any transaction ended: it is down */
	DESTINATIONS_DOWN_MAX = 16384, /* next hops known, beyond which those down are forgotten when there is no mail for
					* them, and tried again with their next message */
	WALK_HOSTS_MAX	   = 16,      /* mail hosts tried in one connection attempt; the rest is not */
	WALK_ADDRESSES_MAX = 16,      /* addresses of one host tried; the rest is not */
	WALK_TRIES_MAX	   = 20,      /* connections tried in one walk over all hosts; then it has failed */

	/* --- client session ---------------------------------------------------------------------------- */
	CLIENT_GROUP_MAX = 64 * 1024,	  /* octets of commands sent before their replies are waited for, so that neither
					   * side can block the other (RFC 2920 section 3.1) */
	CLIENT_EAGER_TEXT_MAX = 64 * 1024, /* octets of text sent by BDAT before RCPT was answered */
	CLIENT_BDAT_AHEAD_MAX = 4,	  /* BDAT chunks whose replies are outstanding */

	/* --- results and reports ------------------------------------------------------------------------- */
	DELIVERY_HOST_MAX = 255,	/* octets of a peer's name and address in a result (queue/queue.h cuts there) */
	DELIVERY_RECIPIENTS_MAX = 1000, /* of one delivery; more recipients make more deliveries */
	GATHERINGS_MAX = 1024,		/* messages whose failures wait for others; beyond: reported at once */
	REPORTS_MAX = 16,		/* being written at a time; beyond: they wait their turn */
	REPORTS_WAITING_MAX = 1024,	/* waiting their turn; beyond: no further delivery is started */
	REPORT_RECIPIENTS_MAX = 1000,	/* told of in one report; more make more reports */
	REPORT_DIAGNOSTIC_MAX = 500,	/* octets of a peer's words in a report; cut */
};

#endif
