/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles, and names that lead to them; the file is read in sink_behaviour_read.c.  Names lie in one table with open
 * addressing, *.suffix under its own text, so a hundred thousand domains cost one look each and a name that is not there
 * as many as it has labels.  Who asks keeps the answer with the domain (bench/sink_tally.h).
 */
#include "bench/sink_behaviour_internal.h"

#include "core/siphash.h"

enum { NAMES_FIRST = 64 };

const char *const sink_stage_words[SINK_STAGE_COUNT + 1] = {
#define X(id, word, ...) word,
	SINK_STAGES(X)
#undef X
};

const char *const sink_limit_words[SINK_LIMIT_COUNT] = {
#define X(id, word, ...) word,
	SINK_LIMITS(X)
#undef X
};

/* --- profiles ---------------------------------------------------------------------------------------------- */

static bool
same_die(const struct sink_rule *a, const struct sink_rule *b)
{
	return a->stage == b->stage && (a->action == SINK_ACTION_DELAY) == (b->action == SINK_ACTION_DELAY);
}

enum sink_add
sink_profile_add(struct sink_profile *p, const struct sink_rule *rule)
{
	double sum = MAX_OF(rule->share, 0.0);
	struct sink_rule *rules;

	if (p->rule_count == SINK_RULES_MAX)
		return SINK_ADD_TOO_MANY;
	for (unsigned i = 0; i < p->rule_count; i++) {
		if (!same_die(&p->rules[i], rule))
			continue;
		if (p->rules[i].share < 0 && rule->share < 0)
			return SINK_ADD_SECOND_REST;
		sum += MAX_OF(p->rules[i].share, 0.0);
	}
	if (sum > 100 + 1e-9) /* ten times 0.1 is a little more than one */
		return SINK_ADD_TOO_MUCH;
	rules = realloc(p->rules, (p->rule_count + 1) * sizeof(*rules));
	if (!rules)
		return SINK_ADD_NO_MEMORY;
	p->rules = rules;
	rules[p->rule_count++] = *rule;
	return SINK_ADDED;
}

static unsigned
order_of(const struct sink_rule *rule)
{
	return 2u * rule->stage + (rule->action != SINK_ACTION_DELAY);
}

/* A rule without a share gets what the others on its die leave; false: nothing is left, *line names it. */
static bool
rest_share(struct sink_profile *p, uint32_t *line)
{
	for (unsigned i = 0; i < p->rule_count; i++) {
		double left = 100;

		if (p->rules[i].share >= 0)
			continue;
		for (unsigned j = 0; j < p->rule_count; j++) {
			if (same_die(&p->rules[i], &p->rules[j]))
				left -= MAX_OF(p->rules[j].share, 0.0);
		}
		*line = p->rules[i].line;
		if (left < 1e-9)
			return false;
		p->rules[i].share = left;
	}
	return true;
}

bool
sink_profile_finish(struct sink_profile *p, uint32_t *line)
{
	unsigned at = 0;

	if (!rest_share(p, line))
		return false;
	for (unsigned i = 1; i < p->rule_count; i++) {
		struct sink_rule rule = p->rules[i];
		unsigned j = i;

		for (; j && order_of(&p->rules[j - 1]) > order_of(&rule); j--)
			p->rules[j] = p->rules[j - 1];
		p->rules[j] = rule;
	}
	for (unsigned order = 0; order < COUNT_OF(p->first); order++) {
		while (at < p->rule_count && order_of(&p->rules[at]) < order)
			at++;
		p->first[order] = (uint8_t)at;
	}
	return true;
}

const struct sink_rule *
sink_profile_pick(const struct sink_profile *p, enum sink_stage stage, bool delays, double die)
{
	unsigned order = 2 * (unsigned)stage + !delays;

	for (unsigned i = p->first[order]; i < p->first[order + 1]; i++) {
		die -= p->rules[i].share;
		/* Shares that make up one hundred may lack a little of it. */
		if (die < 0 || (die < 1e-9 && i + 1 == p->first[order + 1]))
			return &p->rules[i];
	}
	return NULL;
}

/* --- names -------------------------------------------------------------------------------------------------- */

static uint64_t
name_hash(struct span text)
{
	/* Names of the file are its author's; no stranger adds any. */
	static const uint64_t key[2] = { 0x72696e67706f7374, 0x62656861766f7572 };

	return siphash(key, text.data, text.len);
}

static struct sink_name *
name_slot(const struct sink_behaviour *b, struct span text, uint64_t hash)
{
	size_t at = hash & (b->name_room - 1);

	while (b->names[at].profile && !span_equal(b->names[at].text, text))
		at = (at + 1) & (b->name_room - 1);
	return &b->names[at];
}

static bool
names_grow(struct sink_behaviour *b)
{
	struct sink_name *old = b->names;
	size_t room = b->name_room;

	b->name_room = room ? 2 * room : NAMES_FIRST;
	b->names = calloc(b->name_room, sizeof(*b->names));
	if (!b->names) {
		b->names = old;
		b->name_room = room;
		return false;
	}
	for (size_t i = 0; i < room; i++) {
		if (old[i].profile)
			*name_slot(b, old[i].text, name_hash(old[i].text)) = old[i];
	}
	free(old);
	return true;
}

struct sink_name *
sink_name_add(struct sink_behaviour *b, struct span text)
{
	if (2 * b->name_count >= b->name_room && !names_grow(b))
		return NULL;
	return name_slot(b, text, name_hash(text));
}

static const struct sink_profile *
name_profile(const struct sink_behaviour *b, struct span text)
{
	return name_slot(b, text, name_hash(text))->profile;
}

const struct sink_profile *
sink_behaviour_domain(const struct sink_behaviour *b, struct span domain)
{
	char pattern[SINK_NAME_MAX + 1] = "*";
	const struct sink_profile *found;

	if (!b->name_count || domain.len > SINK_NAME_MAX)
		return b->every_domain;
	found = name_profile(b, domain);
	for (size_t dot = span_find(domain, '.'); !found && b->suffixes && dot < domain.len;) {
		struct span suffix = span_from(domain, dot);

		memcpy(pattern + 1, suffix.data, suffix.len);
		found = name_profile(b, span_make(pattern, suffix.len + 1));
		dot += 1 + span_find(span_from(domain, dot + 1), '.');
	}
	return found ? found : b->every_domain;
}

const struct sink_profile *
sink_behaviour_host(const struct sink_behaviour *b, const struct endpoint *at)
{
	for (size_t i = 0; i < b->host_count; i++) {
		if (endpoint_same_ip(&b->hosts[i], at) && b->hosts[i].port == at->port)
			return b->host_profiles[i];
	}
	return b->every_host;
}

const struct endpoint *
sink_behaviour_listen(const struct sink_behaviour *b, size_t *count)
{
	*count = b->host_count;
	return b->hosts;
}

/* --- life ---------------------------------------------------------------------------------------------------- */

struct sink_profile *
sink_profile_new(struct sink_behaviour *b)
{
	struct sink_profile *p = calloc(1, sizeof(*p)), **profiles = b->profiles;

	if (!p)
		return NULL;
	if (b->profile_count == b->profile_room) {
		size_t room = b->profile_room ? 2 * b->profile_room : 16;

		profiles = realloc(b->profiles, room * sizeof(struct sink_profile *));
		if (!profiles) {
			free(p);
			return NULL;
		}
		b->profiles = profiles;
		b->profile_room = room;
	}
	profiles[b->profile_count++] = p;
	return p;
}

struct sink_behaviour *
sink_behaviour_new(void)
{
	struct sink_behaviour *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->every_host = b->options = sink_profile_new(b);
	if (!b->options) {
		free(b);
		return NULL;
	}
	return b;
}

void
sink_behaviour_free(struct sink_behaviour *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->profile_count; i++) {
		free(b->profiles[i]->rules);
		free(b->profiles[i]);
	}
	free(b->profiles);
	free(b->names);
	free(b->text);
	free(b);
}

bool
sink_behaviour_default(struct sink_behaviour *b, const struct sink_rule *rule)
{
	uint32_t line;

	return sink_profile_add(b->options, rule) == SINK_ADDED && sink_profile_finish(b->options, &line);
}

void
sink_limit_init(struct sink_limit *limit, enum sink_limit_kind kind)
{
	static const struct {
		uint16_t    code;
		struct span text;
	} usual[SINK_LIMIT_COUNT] = {
#define X(id, word, code, text) { code, SPAN_LITERAL(text) },
		SINK_LIMITS(X)
#undef X
	};

	*limit = (struct sink_limit){ .code = usual[kind].code, .text = usual[kind].text };
}

void
sink_behaviour_default_limit(struct sink_behaviour *b, enum sink_limit_kind kind, uint32_t max)
{
	sink_limit_init(&b->options->limits[kind], kind);
	b->options->limits[kind].max = max;
}
