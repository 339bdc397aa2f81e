/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/ask.h - one line of the control protocol, read into a structure.  Pure; docs/control.md describes the
 * lines.
 */
#ifndef MTA_ADMIN_ASK_H
#define MTA_ADMIN_ASK_H

#include "core/id.h"
#include "mta/admin/filter.h"

/*	verb	      word	      what else the line may say */
#define ASK_VERBS(X)                                                                                                  \
	X(STATUS, "status", 0)                                                                                        \
	X(METRICS, "metrics", 0)                                                                                      \
	X(DESTINATIONS, "destinations", ASK_MAY_LIMIT)                                                                \
	X(RELOAD, "reload", 0)                                                                                        \
	X(LIST, "list", ASK_MAY_FILTER | ASK_MAY_LIMIT)                                                               \
	X(SHOW, "show", ASK_MAY_ID)                                                                                   \
	X(RETRY, "retry", ASK_MAY_FILTER | ASK_MAY_IDS)                                                               \
	X(HOLD, "hold", ASK_MAY_FILTER | ASK_MAY_IDS)                                                                 \
	X(RELEASE, "release", ASK_MAY_FILTER | ASK_MAY_IDS)                                                           \
	X(DELETE, "delete", ASK_MAY_FILTER | ASK_MAY_IDS)

enum ask_may {
	ASK_MAY_FILTER = 1 << 0, /* state, domain, from */
	ASK_MAY_LIMIT  = 1 << 1, /* limit */
	ASK_MAY_ID     = 1 << 2, /* id, which must be there */
	ASK_MAY_IDS    = 1 << 3, /* ids or all or a filter, one of which must be there */
};

enum ask_verb {
#define X(id, ...) ASK_##id,
	ASK_VERBS(X)
#undef X
	ASK_VERB_COUNT
};

struct ask {
	enum ask_verb verb;
	struct filter filter;
	bool	      all;
	unsigned      limit;	/* ADMIN_LIST_DEFAULT when not said; 0: no limit */
	unsigned      id_count;
	struct id    *ids;	/* on the heap: ask_fini() */
};

enum { ASK_WHY_MAX = 200 };

/*
 * Reads a line without its end.  False: *why is a sentence for whoever wrote it, and nothing is to be freed.
 * Unknown keys are errors: a filter that is misspelt must not mean everything.
 */
bool MUST_CHECK ask_parse(struct span line, struct ask *out, char why[static ASK_WHY_MAX]);
void		ask_fini(struct ask *ask);

const char *ask_verb_word(enum ask_verb verb);

#endif
