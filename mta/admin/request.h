/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/request.h - one request of a client, on its way from core to core.
 *
 * It begins on core 0 (home), where the connection is.  A request that needs what another core has is posted there,
 * does a bounded piece of work, and is posted home with the lines that came of it.  At home the lines go to the
 * client, and only when he has taken them does the next step begin.  So whatever is asked, a core is never busy with
 * it for long, memory is bounded by a step, and a client that is gone or a process that ends is noticed between two
 * steps.
 *
 *	home:  next() -> request_visit()		      lines sent, next() ... request_end()
 *	there:			       ..> work() ... request_return() ..>
 *
 * A request belongs to one core at a time, with all that hangs on it; only home touches `connection`.
 */
#ifndef MTA_ADMIN_REQUEST_H
#define MTA_ADMIN_REQUEST_H

#include "mta/admin/ask.h"
#include "mta/admin/reply.h"
#include "mta/mta.h"

struct connection;
struct request;

struct verb {
	size_t state_octets; /* of request->state */
	void (*next)(struct request *r); /* home: the first step, and each further one */
	void (*work)(struct request *r, struct mta_core *here); /* there; must lead to one request_return() */
	void (*let_go)(struct request *r); /* home: do not wait any more.  NULL when it only ever waits for cores */
	void (*fini)(struct request *r);   /* home; or NULL */
};

struct request {
	struct io_post	     post;
	struct mta	    *mta;
	struct connection   *connection;
	const struct verb   *verb;
	struct ask	     ask;
	int64_t		     user;  /* who asks: uid, or -1 when the kernel does not say */
	struct reply	     reply; /* lines that the connection does not have yet */
	bool		     ended; /* the last line is among them */
	unsigned	     at;    /* the core it visits */
	void		    *state; /* the verb's, zeros at first */
};

/* Home: reads the line and starts; NULL with *reply an error line when that cannot be. */
struct request *request_new(struct mta *mta, struct connection *c, struct span line, struct reply *reply);
void		request_free(struct request *r);

/* Home: work() runs on that core, never from inside this call. */
void request_visit(struct request *r, unsigned core);
/* There: back home. */
void request_return(struct request *r, struct mta_core *here);
/* Home, where it was waiting for something else than a core. */
void request_resume(struct request *r);

/* Home: the closing line {"end": body}; takes the reference.  Nothing of the request may be used after. */
void request_end(struct request *r, json_t *body);
/* Anywhere: the closing line is an error.  At home request_resume() or the return of next() must follow. */
void request_fail(struct request *r, const char *code, const char *why);

#define REQUEST_NO_MEMORY "no-memory", "out of memory"
#define REQUEST_STOPPING  "stopping", "ringpost is shutting down"

/* The table is in request.c. */
extern const struct verb verb_status, verb_metrics, verb_destinations, verb_reload, verb_list, verb_show, verb_act;

#endif
