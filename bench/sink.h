/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink.h - the sink: a next hop that takes everything, keeps the account of it, and misbehaves on request.
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "bench/crew.h"
#include "bench/ledger_file.h"
#include "bench/options.h"
#include "bench/report.h"
#include "core/stream.h"

enum {
	SINK_RECIPIENTS_MAX = 5000,
	SINK_LINE_MAX	    = 4096,
	SINK_KEPT_MAX	    = 256 << 20, /* octets of one message that --store can keep */
	SINK_STOP_MS	    = 3000, /* after an interrupt, transactions may end so long */
};

/* Where --delay-at and --close-at strike. */
enum sink_stage {
	SINK_BANNER,
	SINK_EHLO,
	SINK_MAIL,
	SINK_RCPT,
	SINK_DATA,   /* after DATA, or after a BDAT line */
	SINK_BODY,   /* within the text */
	SINK_DOT,    /* the text is whole; it is not recorded */
	SINK_ANSWER, /* it is recorded; the answer does not come */
};

struct sink_options {
	struct option_endpoints listen;
	uint64_t	      cores, delay_ms, messages_per_session, size_max, seed;
	const char	     *ledger, *store;
	struct option_refusal refuse_mail, refuse_rcpt, refuse_data, refuse_dot;
	unsigned	      delay_at; /* enum sink_stage */
	struct option_chance  close_at;
	bool ehlo, pipelining, size, eight_bit, chunking, binary, utf8, status_codes, dsn;
	bool json;
};

struct sink_listener {
	struct sink_core  *core;
	struct io_op	   accept;
	struct wheel_timer again; /* accept after trouble */
	int		   fd;
};

struct sink_core {
	struct crew_member	  *member;
	const struct sink_options *options;
	struct sink_listener	   listeners[OPTION_ENDPOINTS_MAX];
	size_t			   listener_count; /* open ones */
	int			   store;	   /* directory, or -1 */
	struct ledger_file	   ledger;
	bool			   ledger_open, stopping;
	struct list		   sessions;
	struct wheel_timer	   cut; /* the end after an interrupt */
	uint64_t		   chance, stored;
	struct span		   greeting, offers; /* "220 ..."; the reply to EHLO */
	struct report		   report;
};

/* Takes the descriptor over; closes it when memory is out. */
void sink_session_start(struct sink_core *core, int fd);
/* The core stops: sessions between transactions end now. */
void sink_session_stop(struct list_node *node);
void sink_session_cut(struct list_node *node);
/* One session less. */
void sink_session_gone(struct sink_core *core);

#endif
