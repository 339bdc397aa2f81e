/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink_behaviour.h - how a sink behaves towards whom.
 *
 * A profile says what happens at each stage of a session, how often, and what a host bears.  One behaviour holds all profiles:
 * each under the domains whose recipients it is for and the addresses at which it listens, so that one sink plays a
 * whole internet.  It is read from a file (the language: docs/man/ringpost-bench.1, BEHAVIOUR) and from the command
 * line's options, which are rules of the profile for everybody else.  Once read it does not change: all cores share it.
 *
 * At a stage two dice are thrown, one for how long the answer takes and one for what it is; the shares of a stage's rules
 * are parts of one hundred, so what is written is what happens.
 */
#ifndef BENCH_SINK_BEHAVIOUR_H
#define BENCH_SINK_BEHAVIOUR_H

#include "core/endpoint.h"

/* Where in a session a rule strikes, and what it may do there: bits of SINK_ACTIONS. */
#define SINK_STAGES(X)                                                                                              \
	X(BANNER, "banner", SINK_ALL)                                                                               \
	X(EHLO, "ehlo", SINK_ALL)		       /* EHLO and HELO */                                          \
	X(MAIL, "mail", SINK_ALL)                                                                                   \
	X(RCPT, "rcpt", SINK_ALL)                                                                                   \
	X(DATA, "data", SINK_ALL)		       /* DATA, or the first BDAT */                                \
	X(BODY, "body", SINK_ALL & ~SINK_SPOKEN)       /* the first octets of the text */                           \
	X(DOT, "dot", SINK_ALL)			       /* the text is whole; it is not recorded */                  \
	X(ANSWER, "answer", SINK_ALL & ~SINK_DOES(REFUSE)) /* it is recorded, and not answered yet */

enum sink_stage {
#define X(id, ...) SINK_##id,
	SINK_STAGES(X)
#undef X
	SINK_STAGE_COUNT
};

#define SINK_ACTIONS(X)                                                                                             \
	X(USUAL, "")	   /* what a host that takes all mail does */                                               \
	X(DELAY, "delay")  /* the answer comes later */                                                             \
	X(REFUSE, "refuse") /* the answer is another */                                                             \
	X(CLOSE, "close")  /* no answer; the connection is closed */                                                \
	X(RESET, "reset")  /* the same by a reset: what was not sent yet is lost too */                             \
	X(HANG, "hang")	   /* no answer, ever */                                                                    \
	X(LEAVE, "leave")  /* the usual answer, and the connection is closed behind it */

enum sink_action {
#define X(id, ...) SINK_ACTION_##id,
	SINK_ACTIONS(X)
#undef X
	SINK_ACTION_COUNT
};

#define SINK_DOES(id) (1u << SINK_ACTION_##id)
#define SINK_ALL      ((1u << SINK_ACTION_COUNT) - 1)
#define SINK_SPOKEN   (SINK_DOES(REFUSE) | SINK_DOES(LEAVE)) /* where there is an answer */

/* What a host bears: the word, and the answer to what goes beyond. */
#define SINK_LIMITS(X)                                                                                              \
	X(CONNECTIONS, "connections", 421, "4.7.0 Too many connections")                                            \
	X(RATE, "rate", 450, "4.7.1 Too many messages for now")                                                     \
	X(MESSAGES, "messages", 421, "4.7.0 Enough for one session")                                                \
	X(RECIPIENTS, "recipients", 452, "4.5.3 Too many recipients")

enum sink_limit_kind {
#define X(id, ...) SINK_LIMIT_##id,
	SINK_LIMITS(X)
#undef X
	SINK_LIMIT_COUNT
};

enum {
	SINK_RULES_MAX = 200,	       /* of one profile */
	SINK_DELAY_MS_MAX = 3600000,
	SINK_LIMIT_MAX = 1000000000,
	SINK_REPLY_TEXT_MAX = 400,     /* octets behind a code */
	SINK_BEHAVIOUR_FILE_MAX = 64 << 20,
	SINK_BEHAVIOUR_WHY_MAX = 512,
	SINK_LISTEN_MAX = 1024,	       /* addresses of a file */
};

struct sink_rule {
	double	    share; /* 0..100 */
	struct span text;  /* of a refusal, behind its code; empty: a usual one */
	uint32_t    delay_min_ms, delay_max_ms;
	uint32_t    line;  /* 0: an option */
	uint16_t    code;  /* 400..599 */
	uint8_t	    stage, action;
};

struct sink_limit {
	uint32_t    max;       /* 0: none */
	uint32_t    burst;     /* rate: messages that may come at once after a rest */
	uint64_t    period_ns; /* rate: max in so long */
	uint32_t    line;
	uint16_t    code;
	struct span text;
};

struct sink_profile {
	struct sink_rule *rules; /* by stage, delays first */
	unsigned	  rule_count;
	/* Index of the first delay of each stage and the first other rule, and the end. */
	uint8_t		  first[2 * SINK_STAGE_COUNT + 1];
	struct sink_limit limits[SINK_LIMIT_COUNT];
	uint64_t	  read_rate; /* octets a second; 0: as fast as they come */
};

extern const char *const sink_stage_words[SINK_STAGE_COUNT + 1]; /* NULL at the end */
extern const char *const sink_limit_words[SINK_LIMIT_COUNT];

struct sink_behaviour;

struct sink_behaviour *sink_behaviour_new(void); /* NULL without memory */
void		       sink_behaviour_free(struct sink_behaviour *b);
/* A rule, or limit, of the profile for everybody else, before a file is read.  False: the shares exceed one hundred. */
bool MUST_CHECK sink_behaviour_default(struct sink_behaviour *b, const struct sink_rule *rule);
void		sink_behaviour_default_limit(struct sink_behaviour *b, enum sink_limit_kind kind, uint32_t max);
/*
 * A file's text, given (from malloc(), NUL at its end), at most once.  0, -ENOMEM, or -EINVAL; then why says with name, line
 * and word what is wrong.
 */
int MUST_CHECK sink_behaviour_read(struct sink_behaviour *b, const char *name, char *text, size_t len,
				   char why[static SINK_BEHAVIOUR_WHY_MAX]);

/* The addresses that the file names, *count of them. */
const struct endpoint *sink_behaviour_listen(const struct sink_behaviour *b, size_t *count);
/* Of sessions at this address: that of `listen *` when it is not named.  Never NULL. */
const struct sink_profile *sink_behaviour_host(const struct sink_behaviour *b, const struct endpoint *at);
/* Of recipients in a domain, in lower case: its own, of the nearest *.suffix, of *; NULL: the host's. */
const struct sink_profile *sink_behaviour_domain(const struct sink_behaviour *b, struct span domain);

/* The rule that a die in [0, 100) falls on, NULL: none.  delays: among those that delay, else among the others. */
const struct sink_rule *sink_profile_pick(const struct sink_profile *p, enum sink_stage stage, bool delays, double die);
/* Are there any? */
static inline bool
sink_profile_has(const struct sink_profile *p, enum sink_stage stage, bool delays)
{
	unsigned at = 2 * (unsigned)stage + !delays;

	return p->first[at] != p->first[at + 1];
}

#endif
