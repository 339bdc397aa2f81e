/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table as a page (docs/settings.md) and the running values as a file that could be read again.
 */
#include "mta/settings_internal.h"

/* --- the manual ---------------------------------------------------------------------------------------------- */

static const char opening[] =
	"# Settings\n"
	"\n"
	"<!-- Made by `ringpost --settings-manual` from mta/settings_table.h; a test compares. -->\n"
	"\n"
	"One YAML file holds them all: `ringpost --config FILE` runs with it, `ringpost --check FILE` only reads it.\n"
	"What is left out has its default. An unknown key, a value out of bounds or two settings that contradict each\n"
	"other are errors with line and column; at a reload (SIGHUP) such a file changes nothing.\n"
	"\n"
	"| written as | what it is |\n"
	"| --- | --- |\n"
	"| number | digits alone: `1000` |\n"
	"| size | octets, or with KiB, MiB, GiB, TiB: `2048`, `64 KiB`, `50 MiB` |\n"
	"| duration | with its unit, ms, s, m, h or d: `500 ms`, `30 s`, `5 m`, `4 h`, `5 d` |\n"
	"| yes or no | `yes`, `no`, `true`, `false` |\n"
	"| text, path | as it stands; a relative path begins at the working directory |\n"
	"| addresses | a list of `192.0.2.1:25` or `\"[2001:db8::1]:25\"`; without a port 25, for name servers 53 |\n"
	"| networks | a list of `192.0.2.0/24`, `\"2001:db8::/32\"` or single addresses |\n"
	"| domains | a list of patterns, see below |\n"
	"| routes | lines of the form `pattern: hop` or `pattern: [hop, hop]`, see below |\n"
	"\n"
	"A list of one may be written without brackets. Words that begin with `*` or `[` need quotes, as YAML wants it;\n"
	"its anchors, aliases and tags are not used. Domain names may be written in any script and any case.\n"
	"\n"
	"| pattern | fits |\n"
	"| --- | --- |\n"
	"| `example.org` | this domain |\n"
	"| `.example.org` or `\"*.example.org\"` | all domains below it, not itself |\n"
	"| `example.*` | `example` with any one label behind it: `example.com` |\n"
	"| `\"*\"` | any domain |\n"
	"\n"
	"Of several patterns that fit, the exact name goes first, then the longest ending, then the one with the star\n"
	"behind, then `\"*\"`.\n"
	"\n"
	"| next hop | means |\n"
	"| --- | --- |\n"
	"| `smtp:host:port` | the addresses of this host (no MX); port 25 when none is given |\n"
	"| `smtp:192.0.2.1:25`, `\"smtp:[2001:db8::1]:25\"` | this address |\n"
	"| `mx` | by the domain's MX, as if there were no route |\n"
	"\n"
	"Several hops are tried in the order they stand in; the next one only when the one before cannot be reached.\n";

static const char *
type_name(enum settings_type type)
{
	static const char *const names[] = {
		[SETTINGS_BOOL] = "yes or no",	     [SETTINGS_UINT] = "number",
		[SETTINGS_SIZE] = "size",	     [SETTINGS_DURATION] = "duration",
		[SETTINGS_STRING] = "text",	     [SETTINGS_PATH] = "path",
		[SETTINGS_FORMAT] = "logfmt or json", [SETTINGS_LEVEL] = "error, warn, info or debug",
		[SETTINGS_ENDPOINTS] = "addresses",  [SETTINGS_PREFIXES] = "networks",
		[SETTINGS_PATTERNS] = "domains",     [SETTINGS_ROUTES] = "routes",
	};

	return names[type];
}

static void
print_bounds(const struct settings_row *row, FILE *to)
{
	char low[SETTINGS_NUMBER_MAX], high[SETTINGS_NUMBER_MAX];

	switch (row->type) {
	case SETTINGS_UINT:
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
		fprintf(to, ", %s to %s", settings_number_format(row->type, row->min, low),
			settings_number_format(row->type, row->max, high));
		break;
	case SETTINGS_STRING:
	case SETTINGS_PATH:
		fprintf(to, ", at most %llu octets", (unsigned long long)row->max);
		break;
	case SETTINGS_ENDPOINTS:
	case SETTINGS_PREFIXES:
	case SETTINGS_PATTERNS:
	case SETTINGS_ROUTES:
		if (row->min)
			fprintf(to, ", %llu to %llu entries", (unsigned long long)row->min,
				(unsigned long long)row->max);
		else
			fprintf(to, ", at most %llu entries", (unsigned long long)row->max);
		break;
	case SETTINGS_BOOL:
	case SETTINGS_FORMAT:
	case SETTINGS_LEVEL:
		break;
	}
}

static void
print_row(const struct settings_row *row, FILE *to)
{
	const char *tick = *row->text ? "`" : "";

	fprintf(to, "\n**%s**: %s", row->path, type_name(row->type));
	print_bounds(row, to);
	fprintf(to, "; default %s%s%s%s.\n%s\n", tick, *row->text ? row->text : "empty", tick,
		row->when == SETTINGS_START ? "; a change needs a restart" : "", row->what);
}

void
settings_print_manual(FILE *to)
{
	struct span section = { NULL, 0 };

	(void)fputs(opening, to);
	(void)fputs("\n## Top level\n", to);
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++)
		if (settings_row_section(&settings_rows[i]).len == 0)
			print_row(&settings_rows[i], to);
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		struct span its = settings_row_section(&settings_rows[i]);

		if (its.len == 0)
			continue;
		if (!span_equal(section, its))
			fprintf(to, "\n## %.*s\n", (int)its.len, its.data);
		section = its;
		print_row(&settings_rows[i], to);
	}
}

/* --- the running values ---------------------------------------------------------------------------------------- */

/* Double quotes, so that no text means anything to YAML. */
static void
print_quoted(struct span text, FILE *to)
{
	(void)fputc('"', to);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\x%02x", c);
		else
			(void)fputc(c, to);
	}
	(void)fputc('"', to);
}

static void
print_prefix(const struct endpoint_prefix *p, FILE *to)
{
	struct endpoint e = endpoint_from_ipv6(p->ip, 0);
	char		text[ENDPOINT_TEXT_MAX];
	unsigned	bits = p->bits;

	if (endpoint_is_ipv4(&e) && bits >= 96)
		bits -= 96;
	fprintf(to, "\"%s/%u\"", endpoint_format_ip(&e, text), bits);
}

static void
print_hop(const struct settings_hop *hop, FILE *to)
{
	char text[ENDPOINT_TEXT_MAX];

	if (hop->host.len)
		fprintf(to, "\"smtp:%.*s:%u\"", (int)hop->host.len, hop->host.data, (unsigned)hop->address.port);
	else
		fprintf(to, "\"smtp:%s\"", endpoint_format(&hop->address, text));
}

static void
print_routes(const struct settings_routes *routes, const char *indent, FILE *to)
{
	if (routes->count == 0)
		fprintf(to, " {}");
	(void)fputc('\n', to);
	for (unsigned i = 0; i < routes->count; i++) {
		const struct settings_route *route = &routes->at[i];

		fprintf(to, "%s  ", indent);
		print_quoted(route->pattern, to);
		fprintf(to, ":%s", route->by_mx ? " mx" : " [");
		for (unsigned h = 0; h < route->hop_count; h++) {
			(void)fputs(h ? ", " : "", to);
			print_hop(&route->hops[h], to);
		}
		fprintf(to, "%s\n", route->by_mx ? "" : "]");
	}
}

static void
print_value(const struct settings *s, const struct settings_row *row, const char *indent, FILE *to)
{
	const void *field = (const char *)s + row->offset;
	char	    text[ENDPOINT_TEXT_MAX], number[SETTINGS_NUMBER_MAX];

	switch (row->type) {
	case SETTINGS_BOOL:
		fprintf(to, " %s\n", *(const bool *)field ? "yes" : "no");
		return;
	case SETTINGS_UINT:
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
	case SETTINGS_FORMAT:
	case SETTINGS_LEVEL:
		fprintf(to, " %s\n", settings_number_format(row->type, *(const uint64_t *)field, number));
		return;
	case SETTINGS_STRING:
	case SETTINGS_PATH:
		(void)fputc(' ', to);
		print_quoted(*(const struct span *)field, to);
		(void)fputc('\n', to);
		return;
	case SETTINGS_ENDPOINTS: {
		const struct settings_endpoints *list = field;

		fprintf(to, " [");
		for (unsigned i = 0; i < list->count; i++)
			fprintf(to, "%s\"%s\"", i ? ", " : "", endpoint_format(&list->at[i], text));
		fprintf(to, "]\n");
		return;
	}
	case SETTINGS_PREFIXES: {
		const struct settings_prefixes *list = field;

		fprintf(to, " [");
		for (unsigned i = 0; i < list->count; i++) {
			(void)fputs(i ? ", " : "", to);
			print_prefix(&list->at[i], to);
		}
		fprintf(to, "]\n");
		return;
	}
	case SETTINGS_PATTERNS: {
		const struct settings_patterns *list = field;

		(void)fputs(list->count ? "\n" : " []\n", to);
		for (unsigned i = 0; i < list->count; i++) {
			fprintf(to, "%s  - ", indent);
			print_quoted(list->at[i], to);
			(void)fputc('\n', to);
		}
		return;
	}
	case SETTINGS_ROUTES:
		print_routes(field, indent, to);
		return;
	}
}

void
settings_print(const struct settings *s, FILE *to)
{
	struct span section = { NULL, 0 };

	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		const struct settings_row *row = &settings_rows[i];
		struct span		   its = settings_row_section(row);
		const char		  *indent = its.len ? "  " : "";

		if (its.len && !span_equal(section, its))
			fprintf(to, "%.*s:\n", (int)its.len, its.data);
		section = its;
		fprintf(to, "%s%s:", indent, settings_row_key(row).data);
		print_value(s, row, indent, to);
	}
}
