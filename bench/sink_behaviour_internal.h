/* SPDX-License-Identifier: Apache-2.0 */
/* bench/sink_behaviour_internal.h - what reading a behaviour and asking it share. */
#ifndef BENCH_SINK_BEHAVIOUR_INTERNAL_H
#define BENCH_SINK_BEHAVIOUR_INTERNAL_H

#include "bench/sink_behaviour.h"

enum { SINK_NAME_MAX = 255 };

struct sink_name {
	struct span		   text; /* lower case: example.org, *.example.org */
	const struct sink_profile *profile; /* NULL: the slot is free */
	uint32_t		   line;
};

struct sink_behaviour {
	char		     *text; /* of the file; names and replies lie in it */
	struct sink_profile **profiles;
	size_t		      profile_count, profile_room;
	struct sink_name     *names;
	size_t		      name_count, name_room; /* room: a power of two */
	bool		      suffixes;		     /* a name begins with *. */
	struct sink_profile  *options;		     /* what the command line says */
	const struct sink_profile *every_domain;     /* of `domain *`; NULL: none */
	const struct sink_profile *every_host;
	uint32_t		   every_domain_line, every_host_line;
	struct endpoint		   hosts[SINK_LISTEN_MAX];
	const struct sink_profile *host_profiles[SINK_LISTEN_MAX];
	uint32_t		   host_lines[SINK_LISTEN_MAX];
	size_t			   host_count;
};

enum sink_add {
	SINK_ADDED,
	SINK_ADD_TOO_MANY,    /* rules */
	SINK_ADD_TOO_MUCH,    /* the shares exceed one hundred */
	SINK_ADD_SECOND_REST, /* without a share */
	SINK_ADD_NO_MEMORY,
};

struct sink_profile *sink_profile_new(struct sink_behaviour *b); /* b's; NULL without memory */
enum sink_add	     sink_profile_add(struct sink_profile *p, const struct sink_rule *rule);
/* All rules are in.  False: nothing is left for the rule in *line, which has no share. */
bool MUST_CHECK sink_profile_finish(struct sink_profile *p, uint32_t *line);
void		sink_limit_init(struct sink_limit *limit, enum sink_limit_kind kind);

/* The slot of a name: taken when it has a profile, else to be filled, and counted in name_count.  NULL without memory. */
struct sink_name *sink_name_add(struct sink_behaviour *b, struct span text);

#endif
