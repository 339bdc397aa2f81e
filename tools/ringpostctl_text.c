/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ringpostctl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "core/utf8.h"

void
say(const char *format, ...)
{
	va_list args;

	(void)fflush(stdout);
	(void)fprintf(stderr, "ringpostctl: ");
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

/* --- values of a line ------------------------------------------------------------------------------------------- */

int64_t
number(const json_t *body, const char *key)
{
	return json_integer_value(json_object_get(body, key));
}

const char *
text(const json_t *body, const char *key)
{
	const char *value = json_string_value(json_object_get(body, key));

	return value ? value : "";
}

bool
truth(const json_t *body, const char *key)
{
	return json_is_true(json_object_get(body, key));
}

/* --- for people ------------------------------------------------------------------------------------------------- */

static const struct {
	int64_t	    ms;
	const char *word;
} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };

const char *
duration_short(int64_t ms, char buffer[static TEXT_MAX])
{
	size_t i = 0;

	ms = MAX_OF(ms, (int64_t)0);
	/* Two of a unit before it is used: "90 min" says more than "1 h". */
	while (i + 1 < COUNT_OF(units) && ms < 2 * units[i].ms)
		i++;
	(void)snprintf(buffer, TEXT_MAX, "%" PRId64 " %s", ms / units[i].ms, units[i].word);
	return buffer;
}

const char *
duration(int64_t ms, char buffer[static TEXT_MAX])
{
	size_t i = 0;

	ms = MAX_OF(ms, (int64_t)0);
	while (i + 1 < COUNT_OF(units) && ms < units[i].ms)
		i++;
	if (i + 1 == COUNT_OF(units))
		return duration_short(ms, buffer);
	(void)snprintf(buffer, TEXT_MAX, "%" PRId64 " %s %" PRId64 " %s", ms / units[i].ms, units[i].word,
		       ms % units[i].ms / units[i + 1].ms, units[i + 1].word);
	return buffer;
}

const char *
octets(int64_t n, char buffer[static TEXT_MAX])
{
	static const char letters[] = "KMGTP";
	double		  value = (double)n;
	size_t		  i = 0;

	if (n < 1024) {
		(void)snprintf(buffer, TEXT_MAX, "%" PRId64, n);
		return buffer;
	}
	for (value /= 1024; value >= 1023.5 && letters[i + 1]; value /= 1024)
		i++;
	(void)snprintf(buffer, TEXT_MAX, value < 9.95 ? "%.1f %c" : "%.0f %c", value, letters[i]);
	return buffer;
}

const char *
moment(int64_t ms, char buffer[static TEXT_MAX])
{
	time_t	  seconds = ms / 1000;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(buffer, TEXT_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		buffer[0] = '\0';
	return buffer;
}

const char *
plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

/* Control characters, and those that make text run the other way. */
static bool
is_harmful(struct span c)
{
	const unsigned char *b = (const unsigned char *)c.data;

	if (c.len == 1)
		return b[0] < 0x20 || b[0] == 0x7f;
	if (c.len == 2)
		return b[0] == 0xc2 && b[1] < 0xa0;
	return c.len == 3 && b[0] == 0xe2 &&
	       ((b[1] == 0x80 && b[2] >= 0xaa && b[2] <= 0xae) || (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
}

void
print_foreign(const char *utf8)
{
	struct span rest = span_of(utf8);

	while (rest.len) {
		size_t n = utf8_length(rest);

		if (n == 0 || is_harmful(span_first(rest, n)))
			(void)fputc('?', stdout);
		else
			(void)fwrite(rest.data, 1, n, stdout);
		rest = span_from(rest, n ? n : 1);
	}
}
