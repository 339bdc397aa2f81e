/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value is read whole or not at all: trailing text, a sign, an empty word and a number out of
 * bounds are errors that name the option and what it wants, since a bench that silently measured something else
 * than what was asked is worse than none.
 */
#include "bench/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>

#include "core/nearest.h"

static enum option_result PRINTF_LIKE(2, 3)
wrong(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, OPTION_WHY_MAX, format, args); /* cut is fine: it is for a reader */
	va_end(args);
	return OPTIONS_WRONG;
}

static bool
number_parse(const char *text, bool suffixes, uint64_t *out)
{
	unsigned long long n;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (suffixes && *end) {
		switch (*end++) {
		case 'k': case 'K': shift = 10; break;
		case 'm': case 'M': shift = 20; break;
		case 'g': case 'G': shift = 30; break;
		default: return false;
		}
	}
	if (*end || n > UINT64_MAX >> shift)
		return false;
	*out = (uint64_t)n << shift;
	return true;
}

bool
option_octets_parse(const char *text, uint64_t *out)
{
	return number_parse(text, true, out);
}

static bool
percent_parse(const char *text, double *out)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]))
		return false;
	value = strtod(text, &end);
	if (*end || !(value >= 0 && value <= 100))
		return false;
	*out = value;
	return true;
}

static int
word_find(const char *const *words, const char *text, size_t len)
{
	for (int i = 0; words[i]; i++) {
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
			return i;
	}
	return -1;
}

static void
words_join(const char *const *words, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (; *words && at < size; words++) {
		int n = snprintf(out + at, size - at, "%s%s", at ? ", " : "", *words);

		at += n > 0 ? (size_t)n : 0;
	}
}

static enum option_result
value_set(const struct option_row *row, const char *text, void *out, char *why)
{
	char *at = (char *)out + row->offset;
	char words[160];
	uint64_t n;

	switch (row->kind) {
	case OPTION_FLAG:
	case OPTION_CLEAR:
		*(bool *)at = row->kind == OPTION_FLAG;
		return OPTIONS_OK;
	case OPTION_COUNT:
	case OPTION_OCTETS:
		if (!number_parse(text, row->kind == OPTION_OCTETS, &n) || n < row->min || n > row->max)
			return wrong(why, "--%s wants a number from %llu to %llu, not \"%.60s\"", row->name,
				     (unsigned long long)row->min, (unsigned long long)row->max, text);
		*(uint64_t *)at = n;
		return OPTIONS_OK;
	case OPTION_TEXT:
		if (!*text)
			return wrong(why, "--%s wants a %s, not an empty word", row->name, row->value);
		*(const char **)at = text;
		return OPTIONS_OK;
	case OPTION_ENDPOINT:
	case OPTION_ENDPOINTS: {
		struct option_endpoints *several = (struct option_endpoints *)at;
		struct endpoint e;

		if (!endpoint_parse(span_of(text), 0, &e) || e.port == 0)
			return wrong(why, "--%s wants an address with a port, as 127.0.0.1:2525 or [::1]:2525, "
				     "not \"%.60s\"", row->name, text);
		if (row->kind == OPTION_ENDPOINT) {
			*(struct endpoint *)at = e;
			return OPTIONS_OK;
		}
		if (several->count == OPTION_ENDPOINTS_MAX)
			return wrong(why, "--%s may be given %d times", row->name, OPTION_ENDPOINTS_MAX);
		several->at[several->count++] = e;
		return OPTIONS_OK;
	}
	case OPTION_REFUSAL: {
		struct option_refusal r = { .percent = 100 };
		size_t len = strcspn(text, ":");

		if (len != 3 || (text[0] != '4' && text[0] != '5') || !isdigit((unsigned char)text[1]) ||
		    !isdigit((unsigned char)text[2]) || (text[len] && !percent_parse(text + len + 1, &r.percent)))
			return wrong(why, "--%s wants CODE:PERCENT, as 451:10, not \"%.60s\"", row->name, text);
		r.code = (unsigned)(text[0] - '0') * 100 + (unsigned)(text[1] - '0') * 10 +
			 (unsigned)(text[2] - '0');
		*(struct option_refusal *)at = r;
		return OPTIONS_OK;
	}
	case OPTION_CHANCE: {
		struct option_chance c = { .percent = 100 };
		size_t len = strcspn(text, ":");

		c.word = word_find(row->words, text, len);
		if (c.word < 0 || (text[len] && !percent_parse(text + len + 1, &c.percent))) {
			words_join(row->words, words, sizeof(words));
			return wrong(why, "--%s wants WHERE:PERCENT, WHERE one of %s, not \"%.60s\"", row->name,
				     words, text);
		}
		*(struct option_chance *)at = c;
		return OPTIONS_OK;
	}
	case OPTION_WORD: {
		int word = word_find(row->words, text, strlen(text));

		if (word < 0) {
			words_join(row->words, words, sizeof(words));
			return wrong(why, "--%s wants one of %s, not \"%.60s\"", row->name, words, text);
		}
		*(unsigned *)at = (unsigned)word;
		return OPTIONS_OK;
	}
	}
	INVARIANT(!"option kind");
	return OPTIONS_WRONG;
}

static const struct option_row *
row_find(const struct option_row *rows, size_t row_count, const char *name, size_t len)
{
	for (size_t i = 0; i < row_count; i++) {
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	}
	return NULL;
}

static enum option_result
unknown(const struct option_row *rows, size_t row_count, struct span word, char *why)
{
	const char *names[OPTION_ROWS_MAX + 1] = { NULL }, *meant;

	for (size_t i = 0; i < MIN_OF(row_count, (size_t)OPTION_ROWS_MAX); i++)
		names[i] = rows[i].name;
	meant = nearest_word(word, names);
	return wrong(why, "no option \"--%.*s\"; %s%s%s", (int)MIN_OF(word.len, 60), word.data,
		     meant ? "is --" : "--help lists them", meant ? meant : "", meant ? " meant?" : "");
}

enum option_result
options_parse(const struct option_row *rows, size_t row_count, int argc, char *const *argv, void *out,
	      const char **rest, size_t *rest_count, char why[static OPTION_WHY_MAX])
{
	size_t room = *rest_count;
	bool ended = false;

	*rest_count = 0;
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *value;
		const struct option_row *row;
		enum option_result result;
		size_t len;

		if (ended || word[0] != '-' || word[1] != '-') {
			if (!ended && word[0] == '-' && word[1])
				return wrong(why, "no option \"%.60s\"; options begin with two dashes", word);
			if (*rest_count == room)
				return wrong(why, "\"%.60s\" is one word too many", word);
			rest[(*rest_count)++] = word;
			continue;
		}
		word += 2;
		if (!*word) {
			ended = true;
			continue;
		}
		if (strcmp(word, "help") == 0)
			return OPTIONS_HELP;
		len = strcspn(word, "=");
		row = row_find(rows, row_count, word, len);
		if (!row)
			return unknown(rows, row_count, span_make(word, len), why);
		value = word[len] ? word + len + 1 : NULL;
		if (row->kind == OPTION_FLAG || row->kind == OPTION_CLEAR) {
			if (value)
				return wrong(why, "--%s takes no value", row->name);
		} else if (!value) {
			if (++i == argc)
				return wrong(why, "--%s wants a value: %s", row->name, row->value);
			value = argv[i];
		}
		result = value_set(row, value, out, why);
		if (result != OPTIONS_OK)
			return result;
	}
	return OPTIONS_OK;
}

void
options_help(FILE *to, const struct option_row *rows, size_t row_count)
{
	char words[160];

	for (size_t i = 0; i < row_count; i++) {
		const struct option_row *row = &rows[i];

		(void)fprintf(to, "  --%s%s%s\n        %s", row->name, row->value ? " " : "",
			      row->value ? row->value : "", row->what);
		if (row->words) {
			words_join(row->words, words, sizeof(words));
			(void)fprintf(to, "  One of %s.", words);
		}
		(void)fputc('\n', to);
	}
	(void)fprintf(to, "  --help\n        This text.\n");
}
