/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/ringpostctl.h - the operator's tool, as its own files see it.
 *
 *	ringpostctl.c	     command line, table of commands
 *	ringpostctl_talk.c   the control socket
 *	ringpostctl_text.c   times, sizes and foreign text for a terminal
 *	ringpostctl_queue.c  queue, queue show
 *	ringpostctl_act.c    retry, hold, release, delete, reload
 *	ringpostctl_status.c status, destinations, metrics
 *
 * docs/man/ringpostctl.8 is the manual, docs/control.md the protocol.
 */
#ifndef TOOLS_RINGPOSTCTL_H
#define TOOLS_RINGPOSTCTL_H

#include <jansson.h>

#include "core/base.h"

enum ctl_status { CTL_DONE = 0, CTL_NOT_DONE = 1, CTL_USAGE = 2, CTL_UNREACHABLE = 3 };

struct ctl {
	/* --- command line --- */
	const char	  *socket;
	bool		   json, all, yes;
	const char	  *state, *domain, *from; /* NULL: not given */
	int		   limit;		  /* -1: not given, 0: none */
	const char	  *verb;		  /* word of the command */
	int		   word_count;
	const char *const *words; /* behind the command */
	/* --- the other end --- */
	FILE	*in;
	int	 fd;
	long	 pid;
	int64_t	 now_ms; /* ours, at the start */
};

/* Says it on standard error, behind the program's name. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- ringpostctl_talk.c ----------------------------------------------------------------------------------------- */

/* One line of a reply but the last. */
typedef void ctl_line(void *arg, const char *kind, const json_t *body);

/* CTL_DONE, or CTL_UNREACHABLE after saying why. */
enum ctl_status ctl_connect(struct ctl *ctl);
/*
 * Sends the request, whose reference it takes, and shows what comes: with --json as it is, else by line().  *end is
 * the body of the closing line, the caller's to drop; NULL unless CTL_DONE is returned.  Otherwise what is wrong has
 * been said.
 */
enum ctl_status ctl_ask(struct ctl *ctl, json_t *request, ctl_line *line, void *arg, json_t **end);
/* {"do": verb} with the filter and limit of the command line. */
json_t *ctl_request(const struct ctl *ctl, const char *verb);

/* --- ringpostctl_text.c ----------------------------------------------------------------------------------------- */

int64_t	    number(const json_t *body, const char *key);	   /* 0 when it is not there */
const char *text(const json_t *body, const char *key);	   /* "" when it is not there */
bool	    truth(const json_t *body, const char *key);

enum { TEXT_MAX = 48 };

/* "42 s", "5 min", "3 h", "12 d": one number is what a table has room for. */
const char *duration_short(int64_t ms, char buffer[static TEXT_MAX]);
/* "3 h 12 min" */
const char *duration(int64_t ms, char buffer[static TEXT_MAX]);
/* "814", "4.2 K", "17 M" */
const char *octets(int64_t n, char buffer[static TEXT_MAX]);
/* "2026-11-24 22:11:18 UTC" */
const char *moment(int64_t ms, char buffer[static TEXT_MAX]);
/* "s" unless there is one */
const char *plural(int64_t n);
/* Text from outside, without what a terminal would obey. */
void print_foreign(const char *utf8);

/* --- commands --------------------------------------------------------------------------------------------------- */

enum ctl_status run_status(struct ctl *ctl);
enum ctl_status run_destinations(struct ctl *ctl);
enum ctl_status run_metrics(struct ctl *ctl);
enum ctl_status run_list(struct ctl *ctl);
enum ctl_status run_show(struct ctl *ctl);
enum ctl_status run_act(struct ctl *ctl);
enum ctl_status run_reload(struct ctl *ctl);

#endif
