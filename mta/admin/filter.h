/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/filter.h - which messages an operator means: by state, by the domain of a recipient, by sender.  Pure.
 *
 * A message fits when all that was asked for fits.  Its state is known from the index; for the rest its envelope is
 * needed, which may have to be read from disk.
 */
#ifndef MTA_ADMIN_FILTER_H
#define MTA_ADMIN_FILTER_H

#include "mta/smtp/limits.h"
#include "queue/queue.h"

#define FILTER_STATES(X)                                                                                              \
	X(ANY, "any")                                                                                                 \
	X(WAITING, "waiting") /* not held, and a recipient waits for its time */                                      \
	X(IN_HAND, "in-hand") /* a recipient is with the sending side */                                              \
	X(HELD, "held")	      /* by the operator */

enum filter_state {
#define X(id, name) FILTER_##id,
	FILTER_STATES(X)
#undef X
};

enum filter_domain_kind {
	FILTER_DOMAIN_ANY,    /* nothing asked, or "*" */
	FILTER_DOMAIN_EXACT,  /* "example.org", "[192.0.2.1]" */
	FILTER_DOMAIN_BELOW,  /* ".example.org", "*.example.org" */
	FILTER_DOMAIN_BESIDE, /* "example.*": one label behind it */
};

/* Patterns as in the settings: any case, A-labels or U-labels. */
struct filter_domain {
	enum filter_domain_kind kind;
	size_t			len;
	char			name[SMTP_DOMAIN_MAX + 1]; /* in normal form */
};

enum filter_from_kind { FILTER_FROM_ANY, FILTER_FROM_NULL, FILTER_FROM_MAILBOX, FILTER_FROM_DOMAIN };

struct filter {
	enum filter_state     state;
	struct filter_domain  domain; /* of a recipient without final outcome */
	enum filter_from_kind from_kind;
	struct filter_domain  from_domain;
	size_t		      from_len;
	char		      from[SMTP_PATH_MAX + 1];
};

/* False: no such state, no such pattern; the filter is as it was. */
bool MUST_CHECK filter_set_state(struct filter *f, struct span word);
bool MUST_CHECK filter_set_domain(struct filter *f, struct span pattern);
/* "a@example.org", "@example.org" or a pattern without @, "<>" for the null sender. */
bool MUST_CHECK filter_set_from(struct filter *f, struct span text);

static inline bool
filter_is_empty(const struct filter *f)
{
	return f->state == FILTER_ANY && f->domain.kind == FILTER_DOMAIN_ANY && f->from_kind == FILTER_FROM_ANY;
}

static inline bool
filter_needs_envelope(const struct filter *f)
{
	return f->domain.kind != FILTER_DOMAIN_ANY || f->from_kind != FILTER_FROM_ANY;
}

/* By what the index knows. */
bool filter_fits_message(const struct filter *f, const struct queue_message *m);
/* By its envelope. */
bool filter_fits_envelope(const struct filter *f, const struct queue_message *m, const struct envelope *e);

#endif
