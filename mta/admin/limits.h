/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/limits.h - the edges of the control socket, each with its unit and what happens at it.  Together they keep
 * what one connection may take at some 2 MiB.
 */
#ifndef MTA_ADMIN_LIMITS_H
#define MTA_ADMIN_LIMITS_H

enum {
	ADMIN_CONNECTIONS_MAX = 32,   /* with or without a request; beyond: error "busy" */
	ADMIN_REFUSALS_MAX = 8,	      /* being told so; beyond: closed without a word */
	ADMIN_LINE_MAX = 64 * 1024,   /* octets of a request with its line end; beyond: error "too-long" and the end */
	ADMIN_IDS_MAX = 2000,	      /* of one request; beyond: error "bad-request" */
	ADMIN_LIST_DEFAULT = 100,     /* messages or next hops listed when the request names no limit */
	ADMIN_LIST_MAX = 10000,	      /* greatest limit of a listing in order; beyond: error "bad-request" */
	ADMIN_HOPS_MAX = 1000,	      /* next hops listed, whatever the limit: they are all kept until the last is known */
	ADMIN_SEND_OCTETS = 64 * 1024, /* handed to the stream at a time; more waits until the client has read */

	ADMIN_PLACES = 4096, /* of a shard's index looked at in one turn */
	ADMIN_ACT_PLACES = 1024, /* the same when each message found is acted on, and logged */
	ADMIN_WINDOW = 16,   /* messages read from disk at a time */
	ADMIN_ACTS = 512,    /* messages read and acted on before the disk is waited for */
	ADMIN_RECIPIENTS = 64, /* of one message told in one visit to its core */
	ADMIN_SAMPLE = 5,    /* recipients named in a line of a listing */

	ADMIN_IDLE_MS = 60 * 1000,  /* a client that asks nothing; then closed */
	ADMIN_UNREAD_MS = 30 * 1000, /* a client that does not read what it asked for; then closed */
	ADMIN_LOOK_MS = 1000,	    /* between two looks whether a client that is being told something is still there */
	ADMIN_LINGER_MS = 2000,	    /* after our last words the client may take so long to hang up */
	ADMIN_REST_MS = 500,	    /* accepting rests so long after the process ran out of descriptors or memory */
};

#endif
