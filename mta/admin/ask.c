/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/ask.h"

#include <jansson.h>
#include <stdarg.h>

#include "mta/admin/limits.h"

static const struct {
	const char *word;
	unsigned    may;
} verbs[ASK_VERB_COUNT] = {
#define X(id, word, may) { word, may },
	ASK_VERBS(X)
#undef X
};

static bool PRINTF_LIKE(2, 3)
wrong(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, ASK_WHY_MAX, format, args); /* cut is fine: it is for a reader */
	va_end(args);
	return false;
}

const char *
ask_verb_word(enum ask_verb verb)
{
	return verbs[verb].word;
}

static bool
text_of(const json_t *value, struct span *out)
{
	if (!json_is_string(value))
		return false;
	*out = span_make(json_string_value(value), json_string_length(value));
	return true;
}

static bool
read_verb(struct ask *a, const json_t *value, char *why)
{
	struct span word;

	if (!text_of(value, &word))
		return wrong(why, "\"do\" must be there, a text");
	for (unsigned i = 0; i < ASK_VERB_COUNT; i++)
		if (span_equal(word, span_of(verbs[i].word))) {
			a->verb = (enum ask_verb)i;
			return true;
		}
	return wrong(why, "\"do\" is no request: \"%.40s\"", word.data);
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

static bool
read_id(struct ask *a, const json_t *value, char *why)
{
	struct span text;

	if (!text_of(value, &text))
		return wrong(why, "an id must be a text");
	if (!id_parse(text, &a->ids[a->id_count]))
		return wrong(why, "\"%.40s\" is no id: those have %d letters and digits", text.data, ID_TEXT_LEN);
	a->id_count++;
	return true;
}

static bool
key_id(struct ask *a, const json_t *value, char *why)
{
	a->ids = calloc(1, sizeof(*a->ids));
	return a->ids ? read_id(a, value, why) : wrong(why, "out of memory");
}

static bool
key_ids(struct ask *a, const json_t *value, char *why)
{
	size_t count = json_array_size(value);

	if (count == 0 || count > ADMIN_IDS_MAX)
		return wrong(why, "\"ids\" must be a list of 1 to %d ids", ADMIN_IDS_MAX);
	a->ids = calloc(count, sizeof(*a->ids));
	if (a->ids == NULL)
		return wrong(why, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!read_id(a, json_array_get(value, i), why))
			return false;
	return true;
}

static bool
key_all(struct ask *a, const json_t *value, char *why)
{
	if (!json_is_true(value))
		return wrong(why, "\"all\" must be true or not be there");
	a->all = true;
	return true;
}

static bool
key_limit(struct ask *a, const json_t *value, char *why)
{
	json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;

	if (n < 0 || n > ADMIN_LIST_MAX)
		return wrong(why, "\"limit\" must be a number from 0, which is none, to %d", ADMIN_LIST_MAX);
	a->limit = (unsigned)n;
	return true;
}

static bool
key_state(struct ask *a, const json_t *value, char *why)
{
	struct span text;

	return (text_of(value, &text) && filter_set_state(&a->filter, text)) ||
	       wrong(why, "\"state\" must be waiting, in-hand, held or any");
}

static bool
key_domain(struct ask *a, const json_t *value, char *why)
{
	struct span text;

	return (text_of(value, &text) && filter_set_domain(&a->filter, text)) ||
	       wrong(why, "\"domain\" must be a domain or a pattern: example.org, .example.org, example.*, *");
}

static bool
key_from(struct ask *a, const json_t *value, char *why)
{
	struct span text;

	return (text_of(value, &text) && filter_set_from(&a->filter, text)) ||
	       wrong(why, "\"from\" must be a mailbox, a domain, a pattern of domains, or <>");
}

static const struct key {
	const char *name;
	unsigned    may; /* any of these */
	bool (*read)(struct ask *a, const json_t *value, char *why);
} keys[] = {
	{ "id", ASK_MAY_ID, key_id },
	{ "ids", ASK_MAY_IDS, key_ids },
	{ "all", ASK_MAY_IDS, key_all },
	{ "limit", ASK_MAY_LIMIT, key_limit },
	{ "state", ASK_MAY_FILTER, key_state },
	{ "domain", ASK_MAY_FILTER, key_domain },
	{ "from", ASK_MAY_FILTER, key_from },
};

static const struct key *
key_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* --- the line --------------------------------------------------------------------------------------------------- */

static bool
read_keys(struct ask *a, json_t *line, char *why)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(line, name, value) {
		const struct key *key = key_find(name);

		if (strcmp(name, "do") == 0)
			continue;
		if (key == NULL || !(key->may & verbs[a->verb].may))
			return wrong(why, "\"%s\" takes no \"%.40s\"", verbs[a->verb].word, name);
		if (!key->read(a, value, why))
			return false;
	}
	return true;
}

static bool
is_whole(const struct ask *a, char *why)
{
	unsigned may = verbs[a->verb].may;
	int	 ways = (a->id_count > 0) + a->all + !filter_is_empty(&a->filter);

	if ((may & ASK_MAY_ID) && a->id_count == 0)
		return wrong(why, "\"%s\" wants an \"id\"", verbs[a->verb].word);
	if ((may & ASK_MAY_IDS) && ways != 1)
		return wrong(why, "\"%s\" wants either \"ids\" or \"all\" or a filter that leaves something out",
			     verbs[a->verb].word);
	return true;
}

bool
ask_parse(struct span text, struct ask *out, char why[static ASK_WHY_MAX])
{
	struct ask   a = { .limit = ADMIN_LIST_DEFAULT };
	json_error_t error;
	json_t	    *line = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	bool	     good;

	if (line == NULL)
		return wrong(why, "this is no JSON: %.150s", error.text);
	if (json_is_object(line))
		good = read_verb(&a, json_object_get(line, "do"), why) && read_keys(&a, line, why) && is_whole(&a, why);
	else
		good = wrong(why, "a request is a JSON object");
	json_decref(line);
	if (!good) {
		ask_fini(&a);
		return false;
	}
	*out = a;
	return true;
}

void
ask_fini(struct ask *ask)
{
	free(ask->ids);
	ask->ids = NULL;
	ask->id_count = 0;
}
