/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/mta/outbound_rig.h - a core or two with a real queue and the sending side, and a next hop that does as a script
 * says; all on one thread over loopback.  Names are resolved by a table of the test.
 */
#ifndef TESTS_UNIT_MTA_OUTBOUND_RIG_H
#define TESTS_UNIT_MTA_OUTBOUND_RIG_H

#include <check.h>

#include "mta/outbound/outbound_internal.h"
#include "tests/unit/mta/outbound_peer.h"

enum { RIG_CORES_MAX = 2 };

struct rig_host {
	const char	*name;
	enum dns_status	 status;
	const char	*mail[4];  /* hosts in order; none: implicit */
	const char	*address;  /* IPv4 */
};

struct rig {
	struct io_net	 *net;
	struct mta	  mta;
	struct mta_core	  cores[RIG_CORES_MAX]; /* all on this thread, turning one after another */
	unsigned	  core_count;
	struct peer	  peer; /* the next hop of "to.test"; 127.0.0.1, at the port of delivery by MX */
	struct peer	  second; /* 127.0.0.2 at the same port */
	struct peer	  back; /* the next hop of "back.test": always good; reports arrive there */
	const struct rig_host *hosts;
	unsigned	  host_count;
	char		  path[64];
	int		  spool;
	unsigned	  recovered, closed, drained; /* cores */
};

extern struct rig rig;

/* Set to 2 before rig_open() for a second core with a shard of its own; the next hops are on core 0. */
extern unsigned rig_core_count;
/* Octets of a text that is kept in memory; larger ones lie on disk in pieces. */
extern unsigned rig_inline_max;
/* settings: further YAML lines; may be NULL.  ehlo: what the next hop offers. */
void rig_open(const char *settings, const char *ehlo, const struct peer_row *rows, unsigned row_count);
/* Drains, closes, and looks for what was not given back. */
void rig_close(void);

/* A line with a dot, one that is a dot: flags must say ENVELOPE_DOT. */
#define RIG_TEXT "Subject: x\r\n\r\none\r\n.two\r\n..\r\nthree\r\n"

struct rig_mail {
	const char *sender, *recipients; /* "a@to.test b@to.test" */
	unsigned    flags, notify;	 /* NOTIFY for all of them */
	const char *envid, *orcpt;
	int64_t	    age_ms;   /* accepted so long ago */
	const char *text;     /* NULL: RIG_TEXT */
	size_t	    text_len;
	unsigned    core; /* whose shard takes it */
};
/* Into the queue; it is due in the next turn. */
struct id rig_send(const struct rig_mail *mail);
/* Makes a deferred message due now, and turns until it is settled. */
void rig_retry(struct id id);
void rig_turn(void);
/* Turns until nothing is in hand and no report is being written; fails after a while. */
void rig_settle(void);
/* The same, and until no session is left, idle ones included. */
void rig_quiet(void);
/* Turns until the queue is empty. */
void rig_empty(void);
uint64_t rig_messages(void); /* in the queue */
void	 rig_drain(void);
/* All cores together. */
uint64_t rig_count(enum outbound_counter c);

#endif
