/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink.h - the sink: next hops that take everything, keep the account of it, and misbehave on request.
 * How they behave is in sink_behaviour.h, what they received for whom in sink_tally.h.
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "bench/crew.h"
#include "bench/ledger_file.h"
#include "bench/live.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/sink_export.h"
#include "core/stream.h"

enum {
	SINK_RECIPIENTS_MAX = 5000,
	SINK_LINE_MAX	    = 4096,
	SINK_KEPT_MAX	    = 256 << 20, /* octets of one message that --store can keep */
	SINK_STOP_MS	    = 3000, /* after an interrupt, transactions may end so long */
};

struct sink_options {
	struct option_endpoints listen;
	uint64_t	      cores, delay_ms, messages_per_session, size_max, seed, domains;
	const char	     *ledger, *store, *behaviour, *export;
	struct option_refusal refuse_mail, refuse_rcpt, refuse_data, refuse_dot;
	unsigned	      delay_at; /* enum sink_stage */
	struct option_chance  close_at;
	bool ehlo, pipelining, size, eight_bit, chunking, binary, utf8, status_codes, dsn;
	bool json, quiet;
};

/* What the cores share. */
struct sink_shared {
	const struct sink_options *options;
	struct sink_behaviour	  *behaviour;
	struct sink_tallies	  *tallies;
	struct endpoint		  *listen;  /* listen_count of them */
	struct sink_tally	 **hosts;   /* of each */
	size_t			   listen_count;
	int			   store;   /* directory, or -1 */
	uint64_t		   start_ns;
	struct live		  *live;    /* NULL: nobody looks */
	_Atomic(unsigned)	   working; /* cores that may still count something */
};

struct sink_listener {
	struct sink_core  *core;
	struct sink_tally *host;
	struct io_op	   accept;
	struct wheel_timer again; /* accept after trouble */
	int		   fd;
};

struct sink_core {
	struct crew_member	  *member;
	struct sink_shared	  *shared;
	const struct sink_options *options;
	struct sink_listener	  *listeners;
	size_t			   listener_count; /* open ones */
	struct ledger_file	   ledger;
	struct sink_export	   export; /* of the first core */
	unsigned		   opening; /* files */
	bool			   ledger_open, stopping, idle;
	struct list		   sessions;
	struct wheel_timer	   cut; /* the end after an interrupt */
	struct live_teller	   teller;
	struct wheel_timer	   others; /* the exporter waits for the other cores */
	uint64_t		   chance, stored;
	struct span		   greeting, offers; /* "220 ..."; the reply to EHLO */
	struct report		   report;
};

/* Takes the descriptor over; closes it when memory is out. */
void sink_session_start(struct sink_core *core, struct sink_tally *host, int fd);
/* The core stops: sessions between transactions end now. */
void sink_session_stop(struct list_node *node);
void sink_session_cut(struct list_node *node);
/* One session less. */
void sink_session_gone(struct sink_core *core);

#endif
