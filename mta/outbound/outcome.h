/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/outbound/outcome.h - what becomes of a recipient, and what a peer's reply, a lost connection or a name server's answer
 * means for it.  Pure; docs/delivery.md shows the same table to the operator.
 */
#ifndef MTA_OUTBOUND_OUTCOME_H
#define MTA_OUTBOUND_OUTCOME_H

#include "core/span.h"
#include "dns/resolver.h"
#include "mta/smtp/reply.h"

/* --- for a recipient -------------------------------------------------------------------------------------- */

enum outcome_kind {
	OUTCOME_PENDING,   /* nothing has been tried */
	OUTCOME_DELIVERED, /* the next hop answers for it now */
	OUTCOME_DEFERRED,  /* later again */
	OUTCOME_FAILED,	   /* never */
};

struct outcome {
	enum outcome_kind     kind;
	bool		      attempt; /* a peer or its resolution was tried: counts */
	bool		      relayed; /* delivered to a hop without DSN: RFC 3461 section 4.1, action "relayed" */
	uint16_t	      code;    /* reply code, 0: nobody replied */
	struct smtp_enhanced  status;
	struct span	      host;    /* "mx.example.net [192.0.2.1]:25"; empty: no host was reached */
	struct span	      text;    /* the peer's words without codes, or ours */
};

/* --- for a reply ------------------------------------------------------------------------------------------ */

/* What is being waited for. */
#define OUTCOME_PHASES(X)                                                                                             \
	X(GREETING, "greeting")                                                                                       \
	X(EHLO, "EHLO")                                                                                               \
	X(HELO, "HELO")                                                                                               \
	X(MAIL, "MAIL")                                                                                               \
	X(RCPT, "RCPT")                                                                                               \
	X(DATA, "DATA")                                                                                               \
	X(CHUNK, "BDAT")                                                                                              \
	X(END, "end of data")                                                                                         \
	X(RSET, "RSET")                                                                                               \
	X(QUIT, "QUIT")

enum outcome_phase {
#define X(id, ...) OUTCOME_PHASE_##id,
	OUTCOME_PHASES(X)
#undef X
	OUTCOME_PHASE_COUNT
};

const char *outcome_phase_name(enum outcome_phase phase);

enum outcome_verdict {
	VERDICT_GO_ON,		 /* as hoped */
	VERDICT_USE_HELO,	 /* EHLO is not known here (RFC 5321 section 3.2) */
	VERDICT_DEFER_HOST,	 /* the next host; deferred when all are tried */
	VERDICT_FAIL_HOST,	 /* the next host; failed when all are tried and none gave hope */
	VERDICT_DEFER_RECIPIENT,
	VERDICT_FAIL_RECIPIENT,
	VERDICT_DEFER_MESSAGE,	 /* all recipients of the transaction without a verdict of their own */
	VERDICT_FAIL_MESSAGE,
	VERDICT_DEFER_SESSION,	 /* like DEFER_MESSAGE, and the session is over (421) */
	VERDICT_BREAK,		 /* the same because the peer breaks the protocol */
};

enum outcome_verdict outcome_of_reply(enum outcome_phase phase, unsigned code);

/*
 * The status that goes with a reply: the peer's own (told) when its class fits the kind of outcome, else one made from code and
 * phase.  told->class 0: the peer gave none.
 */
struct smtp_enhanced outcome_status_of(enum outcome_kind kind, enum outcome_phase phase, unsigned code,
					const struct smtp_enhanced *told);

/* Is this RCPT reply about too many recipients, so that those left may follow in a further transaction at once? RFC 5321
 * section 4.5.3.1.10 */
bool outcome_too_many(unsigned code, const struct smtp_enhanced *told);

/* --- for trouble before anything was said ---------------------------------------------------------------------- */

enum outcome_source {
	OUTCOME_DOMAIN,	   /* mail hosts of a recipient's domain were asked for */
	OUTCOME_IMPLICIT,  /* addresses of a domain without MX */
	OUTCOME_EXCHANGER, /* addresses of a host that an MX names */
	OUTCOME_ROUTE,	   /* addresses of a host that our operator named: his mistakes bounce nothing */
};

struct outcome_trouble {
	enum outcome_kind     kind; /* DEFERRED or FAILED */
	uint16_t	      code; /* 556 for a null MX, else 0 */
	struct smtp_enhanced status;
};

struct outcome_trouble outcome_of_dns(enum outcome_source source, enum dns_status status);

/* "5.1.2" into buffer; "5.0.0" for one without class. */
enum { OUTCOME_STATUS_TEXT_MAX = 16 };
const char *outcome_status_format(struct smtp_enhanced status, char buffer[static OUTCOME_STATUS_TEXT_MAX]);

#endif
