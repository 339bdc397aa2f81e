/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/send.h - the sender: what all its sessions share on one core, and the door to a session.
 *
 * A sender hands out tickets to its sessions, one for each message, until the messages or the seconds are used up; a
 * session that gets none says QUIT.  When the last session is gone the core has ended.  Numbers of the cores
 * interleave, so ids are unique over the run.
 *
 * Closed loop: a session that is free gets the next ticket at once, so the server decides how many there are, and while
 * it stalls nobody asks.  Open loop (--rate): each ticket has its time, whatever the server does.  A free session waits
 * for the next one; when none is free the tickets wait, the oldest is taken first, none is left out, and latency counts
 * from the ticket's time: what a stall keeps from being asked shows like what it keeps from being answered.
 */
#ifndef BENCH_SEND_H
#define BENCH_SEND_H

#include "bench/crew.h"
#include "bench/ledger_file.h"
#include "bench/live.h"
#include "bench/mailboxes.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/pace.h"
#include "bench/report.h"
#include "bench/sizes.h"
#include "bench/wire.h"
#include "core/stream.h"

enum {
	SEND_SESSIONS_MAX   = 100000,
	SEND_RECIPIENTS_MAX = 2000, /* in one transaction; their RCPT lines fit STREAM_OUT_MAX */
	SEND_POOL_MAX	    = 1000000,
	SEND_RETRY_MS	    = 100,  /* between a failed connection and the next, with --wait-retry */
	SEND_DRIP_MS	    = 20,   /* between the pieces of a slow text */
	SEND_DRIP_MAX	    = 64 * 1024, /* octets of a piece */
	SEND_GREETING_MS    = 1000, /* for sessions that are not greeted when the work is over */
	SEND_STOP_MS	    = 10000, /* after an interrupt, what is still open is cut */
};

enum send_pipelining { SEND_PIPELINING_OFFERED, SEND_PIPELINING_OFF, SEND_PIPELINING_OVERLAP };

struct send_options {
	struct endpoint to;
	uint64_t	sessions, messages, seconds, cores, sources;
	uint64_t	rate; /* 0: closed loop */
	unsigned	arrivals; /* enum pace_arrivals */
	uint64_t	warm_up_s, ramp_s, seed;
	uint64_t	size, recipients, pool, messages_per_session, timeout_s;
	const char     *size_distribution; /* NULL: size */
	const char     *from_domains, *rcpt_domains;
	const char     *file, *directory, *from, *rcpt, *ledger, *helo;
	unsigned	pipelining; /* enum send_pipelining */
	uint64_t	wait_retry_s, watch_pid; /* 0: no */
	uint64_t	slow; /* octets a second of each session's text; 0: as fast as it goes */
	struct option_chance vanish; /* word: mail, rcpt, data, body, dot */
	const char     *auth; /* "name:password"; NULL: none */
	bool		bdat, json, owned, quiet;
};

/* What all cores read and none writes. */
struct send_shared {
	const struct send_options *options;
	struct message_source	  *source;
	uint64_t		   start_ns;	/* of the run, for all cores */
	struct sizes		   sizes;	/* with --size-distribution */
	struct mailboxes	   mailboxes;
	struct live		  *live; /* NULL: nobody looks */
	char			   auth_line[WIRE_AUTH_LINE_MAX];
};

struct send_ticket {
	uint32_t seq;	 /* number of the message in the run */
	uint64_t due_ns; /* closed loop: when the ticket was taken */
};

struct send_core {
	struct crew_member	 *member;
	const struct send_shared *shared;
	struct ledger_file	  ledger;
	bool			  ledger_open;
	struct list		  sessions;
	struct list		  waiting;	 /* sessions that wait for the next ticket; then none is overdue */
	struct pace		  pace;		 /* open loop */
	struct wheel_timer	  ramp, warm_up; /* more sessions; figures begin */
	struct live_teller	  teller;
	struct wheel_timer	  give_up;	 /* of sessions that nobody greets and nobody needs */
	struct wheel_timer	  last_call;	 /* end of --seconds, later the cut after an interrupt */
	uint64_t		  begun_ns, measured_ns, end_ns; /* start; end of the warm-up; of --seconds */
	uint64_t		  greeted_ns;	 /* when a server last greeted us with 220, or the start */
	uint64_t		  taken;	 /* tickets handed out */
	uint64_t		  measured, share; /* those behind the warm-up; all that this core may hand out */
	uint64_t		  started;	 /* sessions of this core that were begun */
	bool			  done;		 /* no more messages */
	bool			  starting;	 /* sessions are being made */
	struct report		  report;	 /* the timeline, too */
	struct report		  warm;		 /* what happened during the warm-up */
};

/* Where to book what began at ns. */
static inline struct report *
send_report_at(struct send_core *core, uint64_t ns)
{
	return ns < core->measured_ns ? &core->warm : &core->report;
}

enum send_take {
	SEND_TAKE_OK,
	SEND_TAKE_WAIT, /* none is due: put on core->waiting; send_session_wake() follows */
	SEND_TAKE_DONE,
};

/* For sessions. */
struct send_session;
enum send_take MUST_CHECK send_take(struct send_core *core, struct list_node *waiting,
				    struct send_ticket *ticket);
/* No ticket is left: who waits for a greeting is given up soon. */
void send_work_over(struct send_core *core);
/* Tickets are left, now or later. */
bool send_more(const struct send_core *core);
void send_session_gone(struct send_core *core);

/* A session connects and goes to work.  0, or -ENOMEM. */
int MUST_CHECK send_session_start(struct send_core *core, unsigned index);
void	       send_session_wake(struct list_node *waiting);
/* No more messages: what is idle says goodbye. */
void send_session_finish(struct list_node *node);
/* It ends unless it was greeted. */
void send_session_give_up(struct list_node *node);
/* Cut now. */
void send_session_cut(struct list_node *node);

#endif
