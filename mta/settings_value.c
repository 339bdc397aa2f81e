/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single values: text of the file to number, and back.
 *
 * There is one way to write each value, the one an operator can read aloud: "64 KiB", "5 m", "yes".  What other
 * programs take ("64K", "5min") is refused with the spelling that was meant, because two readers must not
 * disagree about whether K is 1000 or 1024, or m a minute or a month.
 */
#include "mta/settings_internal.h"

#include <stdarg.h>

void
settings_because(struct settings_why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

const char *
settings_quote(struct span text, char buffer[static SETTINGS_QUOTE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const size_t	  end = SETTINGS_QUOTE_MAX - sizeof("...\"");
	size_t		  n = 0;

	buffer[n++] = '"';
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (n + 4 > end) {
			/* Not in the middle of a character. */
			while (n > 1 && ((unsigned char)buffer[n - 1] & 0xc0) == 0x80)
				n--;
			if (n > 1 && (unsigned char)buffer[n - 1] >= 0xc0)
				n--;
			memcpy(buffer + n, "...", 3);
			n += 3;
			break;
		}
		if (c < 0x20 || c == 0x7f) {
			buffer[n++] = '\\';
			buffer[n++] = 'x';
			buffer[n++] = digits[c >> 4];
			buffer[n++] = digits[c & 15];
		} else {
			buffer[n++] = (char)c;
		}
	}
	buffer[n++] = '"';
	buffer[n] = 0;
	return buffer;
}

/* --- numbers and their units ---------------------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t    factor;
};

/* Largest first. */
static const struct unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
};

static const struct unit duration_units[] = {
	{ "d", UINT64_C(86400000) },
	{ "h", UINT64_C(3600000) },
	{ "m", UINT64_C(60000) },
	{ "s", UINT64_C(1000) },
	{ "ms", UINT64_C(1) },
};

/* What people write instead, and the name that was meant. */
static const struct {
	enum settings_type type;
	const char	  *wrong, *right;
} misnomers[] = {
	{ SETTINGS_SIZE, "k", "KiB" },	      { SETTINGS_SIZE, "kb", "KiB" },
	{ SETTINGS_SIZE, "m", "MiB" },	      { SETTINGS_SIZE, "mb", "MiB" },
	{ SETTINGS_SIZE, "g", "GiB" },	      { SETTINGS_SIZE, "gb", "GiB" },
	{ SETTINGS_SIZE, "t", "TiB" },	      { SETTINGS_SIZE, "tb", "TiB" },
	{ SETTINGS_DURATION, "sec", "s" },    { SETTINGS_DURATION, "second", "s" },
	{ SETTINGS_DURATION, "seconds", "s" }, { SETTINGS_DURATION, "min", "m" },
	{ SETTINGS_DURATION, "minute", "m" }, { SETTINGS_DURATION, "minutes", "m" },
	{ SETTINGS_DURATION, "hour", "h" },   { SETTINGS_DURATION, "hours", "h" },
	{ SETTINGS_DURATION, "day", "d" },    { SETTINGS_DURATION, "days", "d" },
	{ SETTINGS_DURATION, "msec", "ms" },
};

static void
units_of(enum settings_type type, const struct unit **units, size_t *count)
{
	*units = type == SETTINGS_SIZE ? size_units : duration_units;
	*count = type == SETTINGS_SIZE ? COUNT_OF(size_units) : COUNT_OF(duration_units);
}

const char *
settings_number_format(enum settings_type type, uint64_t value, char buffer[static SETTINGS_NUMBER_MAX])
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const struct unit	*units;
	size_t			 count;

	switch (type) {
	case SETTINGS_BOOL:
		(void)snprintf(buffer, SETTINGS_NUMBER_MAX, "%s", value ? "yes" : "no");
		return buffer;
	case SETTINGS_FORMAT:
		(void)snprintf(buffer, SETTINGS_NUMBER_MAX, "%s", value == LOG_FORMAT_JSON ? "json" : "logfmt");
		return buffer;
	case SETTINGS_LEVEL:
		INVARIANT(value < COUNT_OF(levels));
		(void)snprintf(buffer, SETTINGS_NUMBER_MAX, "%s", levels[value]);
		return buffer;
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
		units_of(type, &units, &count);
		for (size_t i = 0; i < count && value; i++)
			if (value % units[i].factor == 0) {
				(void)snprintf(buffer, SETTINGS_NUMBER_MAX, "%llu %s",
					       (unsigned long long)(value / units[i].factor), units[i].name);
				return buffer;
			}
		(void)snprintf(buffer, SETTINGS_NUMBER_MAX, type == SETTINGS_SIZE ? "%llu" : "%llu s",
			       (unsigned long long)value);
		return buffer;
	case SETTINGS_UINT:
	case SETTINGS_STRING:
	case SETTINGS_PATH:
	case SETTINGS_ENDPOINTS:
	case SETTINGS_PREFIXES:
	case SETTINGS_PATTERNS:
	case SETTINGS_ROUTES:
		break;
	}
	(void)snprintf(buffer, SETTINGS_NUMBER_MAX, "%llu", (unsigned long long)value);
	return buffer;
}

static bool
unit_refused(enum settings_type type, struct span text, struct span unit, struct settings_why *why)
{
	char quoted[SETTINGS_QUOTE_MAX], again[SETTINGS_QUOTE_MAX];

	settings_quote(text, quoted);
	if (unit.len && (unit.data[0] == '.' || unit.data[0] == ',')) {
		settings_because(why, "%s is not a whole number; take a smaller unit", quoted);
		return false;
	}
	if (unit.len && unit.data[0] == '-') {
		settings_because(why, "%s is not one number", quoted);
		return false;
	}
	for (size_t i = 0; i < COUNT_OF(misnomers); i++)
		if (misnomers[i].type == type && span_equal_nocase(unit, span_of(misnomers[i].wrong))) {
			settings_because(why, "%s: the unit is written %s", quoted, misnomers[i].right);
			return false;
		}
	if (unit.len == 0)
		settings_because(why, "%s lacks its unit: ms, s, m, h or d", quoted);
	else
		settings_because(why, "%s: there is no unit %s, only %s", quoted, settings_quote(unit, again),
				 type == SETTINGS_SIZE ? "KiB, MiB, GiB and TiB" : "ms, s, m, h and d");
	return false;
}

/* Digits, then for sizes and durations blanks and a unit.  Bounds are the caller's. */
static bool
number_parse(enum settings_type type, struct span text, uint64_t *out, struct settings_why *why)
{
	char		   quoted[SETTINGS_QUOTE_MAX];
	const struct unit *units;
	size_t		   count, i = 0;
	uint64_t	   n = 0, factor = 1;
	struct span	   unit;

	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text.data[i] - '0'), &n)) {
			settings_because(why, "%s is too large a number", settings_quote(text, quoted));
			return false;
		}
	if (i == 0) {
		settings_because(why, "%s is not %s", settings_quote(text, quoted),
				 type == SETTINGS_UINT	 ? "a number" :
				 type == SETTINGS_SIZE	 ? "a size like 2048, 64 KiB or 50 MiB" :
							   "a duration like 500 ms, 30 s, 5 m, 4 h or 5 d");
		return false;
	}
	while (i < text.len && text.data[i] == ' ')
		i++;
	unit = span_from(text, i);
	if (type == SETTINGS_UINT) {
		if (unit.len) {
			settings_because(why, "%s is not a number alone", settings_quote(text, quoted));
			return false;
		}
		*out = n;
		return true;
	}
	units_of(type, &units, &count);
	/* Octets need no unit, and nothing is nothing in any. */
	if (unit.len || (type == SETTINGS_DURATION && n)) {
		for (i = 0; i < count && !span_equal_nocase(unit, span_of(units[i].name)); i++)
			;
		if (i == count)
			return unit_refused(type, text, unit, why);
		factor = units[i].factor;
	}
	if (__builtin_mul_overflow(n, factor, &n)) {
		settings_because(why, "%s is too large a number", settings_quote(text, quoted));
		return false;
	}
	*out = n;
	return true;
}

/* --- words ------------------------------------------------------------------------------------------------- */

static const struct {
	enum settings_type type;
	const char	  *word;
	uint64_t	   value;
} words[] = {
	{ SETTINGS_BOOL, "yes", 1 },
	{ SETTINGS_BOOL, "no", 0 },
	{ SETTINGS_BOOL, "true", 1 },
	{ SETTINGS_BOOL, "false", 0 },
	{ SETTINGS_FORMAT, "logfmt", LOG_FORMAT_LOGFMT },
	{ SETTINGS_FORMAT, "json", LOG_FORMAT_JSON },
	{ SETTINGS_LEVEL, "error", LOG_LEVEL_ERROR },
	{ SETTINGS_LEVEL, "warn", LOG_LEVEL_WARN },
	{ SETTINGS_LEVEL, "info", LOG_LEVEL_INFO },
	{ SETTINGS_LEVEL, "debug", LOG_LEVEL_DEBUG },
};

static bool
word_parse(enum settings_type type, struct span text, uint64_t *out, struct settings_why *why)
{
	char quoted[SETTINGS_QUOTE_MAX];

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (words[i].type == type && span_equal_nocase(text, span_of(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	settings_because(why, "%s is neither %s", settings_quote(text, quoted),
			 type == SETTINGS_BOOL	 ? "yes nor no" :
			 type == SETTINGS_FORMAT ? "logfmt nor json" :
						   "error, warn, info nor debug");
	return false;
}

/* --- text ---------------------------------------------------------------------------------------------------- */

static bool
text_parse(const struct settings_row *row, struct span text, struct settings *s, struct settings_why *why)
{
	struct span *field = (struct span *)((char *)s + row->offset);
	char	     quoted[SETTINGS_QUOTE_MAX];

	if (text.len < row->min) {
		settings_because(why, "must not be empty");
		return false;
	}
	if (text.len > row->max) {
		settings_because(why, "%s is longer than %llu octets", settings_quote(text, quoted),
				 (unsigned long long)row->max);
		return false;
	}
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
			settings_because(why, "%s has a control character in it", settings_quote(text, quoted));
			return false;
		}
	*field = arena_copy(&s->arena, text);
	if (field->data == NULL) {
		settings_because(why, "there is no memory for it");
		return false;
	}
	return true;
}

/* --- together --------------------------------------------------------------------------------------------------- */

static bool
number_within(const struct settings_row *row, uint64_t n, struct settings_why *why)
{
	char value[SETTINGS_NUMBER_MAX], bound[SETTINGS_NUMBER_MAX];

	if (n >= row->min && n <= row->max)
		return true;
	settings_because(why, "%s is %s, %s", settings_number_format(row->type, n, value),
			 n < row->min ? "below its minimum" : "above its maximum",
			 settings_number_format(row->type, n < row->min ? row->min : row->max, bound));
	return false;
}

bool
settings_value_parse(const struct settings_row *row, struct span text, struct settings *s,
		     struct settings_why *why)
{
	void	*field = (char *)s + row->offset;
	uint64_t n;

	switch (row->type) {
	case SETTINGS_BOOL:
		if (!word_parse(row->type, text, &n, why))
			return false;
		*(bool *)field = n != 0;
		return true;
	case SETTINGS_FORMAT:
	case SETTINGS_LEVEL:
		return word_parse(row->type, text, field, why);
	case SETTINGS_UINT:
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
		if (!number_parse(row->type, text, &n, why) || !number_within(row, n, why))
			return false;
		*(uint64_t *)field = n;
		return true;
	case SETTINGS_STRING:
	case SETTINGS_PATH:
		return text_parse(row, text, s, why);
	case SETTINGS_ENDPOINTS:
	case SETTINGS_PREFIXES:
	case SETTINGS_PATTERNS:
	case SETTINGS_ROUTES:
		break;
	}
	INVARIANT(!"a list is not a single value");
	return false;
}

static bool
hops_equal(const struct settings_route *a, const struct settings_route *b)
{
	if (a->by_mx != b->by_mx || a->hop_count != b->hop_count)
		return false;
	for (unsigned i = 0; i < a->hop_count; i++)
		if (!span_equal(a->hops[i].host, b->hops[i].host) ||
		    !endpoint_same_ip(&a->hops[i].address, &b->hops[i].address) ||
		    a->hops[i].address.port != b->hops[i].address.port)
			return false;
	return true;
}

bool
settings_value_equal(const struct settings_row *row, const struct settings *a, const struct settings *b)
{
	const void *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;

	switch (row->type) {
	case SETTINGS_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case SETTINGS_UINT:
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
	case SETTINGS_FORMAT:
	case SETTINGS_LEVEL:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case SETTINGS_STRING:
	case SETTINGS_PATH:
		return span_equal(*(const struct span *)x, *(const struct span *)y);
	case SETTINGS_ENDPOINTS: {
		const struct settings_endpoints *p = x, *q = y;

		for (unsigned i = 0; i < p->count && p->count == q->count; i++)
			if (!endpoint_same_ip(&p->at[i], &q->at[i]) || p->at[i].port != q->at[i].port)
				return false;
		return p->count == q->count;
	}
	case SETTINGS_PREFIXES: {
		const struct settings_prefixes *p = x, *q = y;

		for (unsigned i = 0; i < p->count && p->count == q->count; i++)
			if (p->at[i].bits != q->at[i].bits || memcmp(p->at[i].ip, q->at[i].ip, 16) != 0)
				return false;
		return p->count == q->count;
	}
	case SETTINGS_PATTERNS: {
		const struct settings_patterns *p = x, *q = y;

		for (unsigned i = 0; i < p->count && p->count == q->count; i++)
			if (!span_equal(p->at[i], q->at[i]))
				return false;
		return p->count == q->count;
	}
	case SETTINGS_ROUTES: {
		const struct settings_routes *p = x, *q = y;

		for (unsigned i = 0; i < p->count && p->count == q->count; i++)
			if (!span_equal(p->at[i].pattern, q->at[i].pattern) || !hops_equal(&p->at[i], &q->at[i]))
				return false;
		return p->count == q->count;
	}
	}
	return false;
}
