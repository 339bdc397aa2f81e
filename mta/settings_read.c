/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML text to a generation.
 *
 * The file has three shapes only: keys with single values or lists, sections of such keys, and the map of routes.  So
 * libyaml's events are walked by one function per shape and no tree is built: what does not fit the shape ends
 * the reading where it stands, which also bounds nesting (nobody descends further than routes need) and memory.
 *
 * YAML's surprises are kept out.  All scalars are text until a row says what they are, so no "no" becomes false on its
 * own and no 22:30 a number in base 60.  Anchors, aliases and tags are refused: a page that can be read aloud
 * has none, and aliases are how a small text becomes a huge one.
 *
 * The first mistake ends the reading.  Later ones are often its children.
 */
#include "mta/settings_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <yaml.h>

enum {
	/* All that a file of SETTINGS_FILE_MAX can become, and room for tables. */
	ARENA_MAX = 512 << 20,
};

/* Where something stands, counted from 1; line 0: not in the file. */
struct mark {
	size_t line, column;
};

struct reader {
	yaml_parser_t	       parser;
	yaml_event_t	       event; /* the latest */
	struct span	       text;
	const char	      *name;
	struct settings	      *s;
	struct settings_error *error;
	struct settings_why    why;
	struct mark	       given[SETTINGS_ROW_COUNT]; /* where a row's key stands */
	struct mark	      *route_marks; /* of each route's pattern; in the arena */
};

/* --- saying what is wrong ---------------------------------------------------------------------------------- */

static bool fail(struct reader *r, struct mark at, const char *format, ...) PRINTF_LIKE(3, 4);

static bool
fail(struct reader *r, struct mark at, const char *format, ...)
{
	size_t	size = sizeof(r->error->message);
	int	n = at.line ? snprintf(r->error->message, size, "%.180s:%zu:%zu: ", r->name, at.line, at.column) :
			      snprintf(r->error->message, size, "%.180s: ", r->name);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(r->error->message + n, size - (size_t)n, format, args);
	va_end(args);
	return false;
}

static struct mark
mark_of(yaml_mark_t mark)
{
	return (struct mark){ mark.line + 1, mark.column + 1 };
}

/* libyaml gives the octet of what is not text, not its line. */
static struct mark
mark_of_offset(struct span text, size_t offset)
{
	struct mark at = { 1, 1 };

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.data[i] == '\n')
			at = (struct mark){ at.line + 1, 0 };
		if (((unsigned char)text.data[i] & 0xc0) != 0x80)
			at.column++;
	}
	return at;
}

/* Habits of YAML that an operator need not know, told when they bite. */
static const char *
syntax_hint(struct span text, size_t line, size_t column)
{
	size_t	    start = 0, end;
	struct span row;

	for (size_t n = 1; n < line && start < text.len; n++)
		start += span_find(span_from(text, start), '\n') + 1;
	row = span_first(span_from(text, start), span_find(span_from(text, start), '\n'));
	/* Columns count characters; before the first odd one they are octets, which is near enough for a hint. */
	end = MIN_OF(column, row.len);
	for (size_t i = 0; i < end; i++)
		if (row.data[i] == '\t')
			return "; indent by blanks, not by tabs";
	for (size_t i = 0; i < row.len; i++) {
		if (row.data[i] == '#')
			break;
		if (row.data[i] == '"' || row.data[i] == '\'')
			i += 1 + span_find(span_from(row, i + 1), row.data[i]); /* what is quoted needs no quotes */
		else if (row.data[i] == '*')
			return "; a word that begins with * needs quotes, as in \"*.example\"";
		else if (row.data[i] == '[' && memchr(row.data + i, ':', row.len - i))
			return "; an address in brackets needs quotes, as in \"[::1]:25\"";
	}
	return "";
}

static bool
fail_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct mark	     at;

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return fail(r, (struct mark){ 0, 0 }, "there is no memory to read it");
	case YAML_READER_ERROR:
		at = mark_of_offset(r->text, p->problem_offset);
		return fail(r, at, "this is not text in UTF-8: %s", p->problem);
	case YAML_SCANNER_ERROR:
	case YAML_PARSER_ERROR:
		at = mark_of(p->problem_mark);
		return fail(r, at, "%s%s%s%s", p->problem ? p->problem : "this is not YAML", p->context ? ", " : "",
			    p->context ? p->context : "", syntax_hint(r->text, at.line, at.column));
	case YAML_NO_ERROR:
	case YAML_COMPOSER_ERROR:
	case YAML_WRITER_ERROR:
	case YAML_EMITTER_ERROR:
		break;
	}
	return fail(r, (struct mark){ 0, 0 }, "this is not YAML");
}

/* --- events ------------------------------------------------------------------------------------------------ */

static struct mark
here(const struct reader *r)
{
	return mark_of(r->event.start_mark);
}

static struct span
scalar(const struct reader *r)
{
	return span_make(r->event.data.scalar.value, r->event.data.scalar.length);
}

/* What stands where nothing was written. */
static bool
is_nothing(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
	       r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* The next event; nothing that points elsewhere gets past here. */
static bool
next(struct reader *r)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		r->event.type = YAML_NO_EVENT;
		return fail_syntax(r);
	}
	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		return fail(r, here(r), "YAML aliases are not used here; a word that begins with * needs quotes, as in "
					"\"*.example\"");
	case YAML_SCALAR_EVENT:
		anchor = r->event.data.scalar.anchor;
		tag = r->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = r->event.data.sequence_start.anchor;
		tag = r->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = r->event.data.mapping_start.anchor;
		tag = r->event.data.mapping_start.tag;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	if (anchor)
		return fail(r, here(r), "YAML anchors (&name) are not used here");
	if (tag)
		return fail(r, here(r), "YAML tags (!name) are not used here");
	return true;
}

/* A scalar with something in it, for `what`; `path` names the key in messages. */
static bool
need_text(struct reader *r, const char *path, const char *what)
{
	struct span text;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, here(r), "%s: needs %s, not a %s", path, what,
			    r->event.type == YAML_SEQUENCE_START_EVENT ? "list" : "map");
	text = scalar(r);
	if (is_nothing(r))
		return fail(r, here(r), "%s: needs %s, and none is given; leave the key out for its default", path, what);
	if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (span_equal(text, SPAN_LITERAL("~")) || span_equal_nocase(text, SPAN_LITERAL("null"))))
		return fail(r, here(r), "%s: null is not %s; leave the key out for its default", path, what);
	return true;
}

/* --- values ---------------------------------------------------------------------------------------------------- */

static bool
add_entry(struct reader *r, const struct settings_row *row)
{
	bool added = false;

	if (r->event.type == YAML_SEQUENCE_START_EVENT && row->type == SETTINGS_ENDPOINTS)
		return fail(r, here(r), "%s: a list in the list; an address in brackets needs quotes, as in \"[::1]:25\"",
			    row->path);
	if (!need_text(r, row->path, "an entry of one line"))
		return false;
	switch (row->type) {
	case SETTINGS_ENDPOINTS:
		added = settings_endpoint_add(row, scalar(r), r->s, &r->why);
		break;
	case SETTINGS_PREFIXES:
		added = settings_prefix_add(row, scalar(r), r->s, &r->why);
		break;
	case SETTINGS_PATTERNS:
		added = settings_pattern_add(row, scalar(r), r->s, &r->why);
		break;
	case SETTINGS_BOOL:
	case SETTINGS_UINT:
	case SETTINGS_SIZE:
	case SETTINGS_DURATION:
	case SETTINGS_STRING:
	case SETTINGS_PATH:
	case SETTINGS_FORMAT:
	case SETTINGS_LEVEL:
	case SETTINGS_ROUTES:
		INVARIANT(!"not a list");
	}
	return added || fail(r, here(r), "%s: %s", row->path, r->why.text);
}

/* A list, one entry without a list around it, or nothing at all (each entry commented out). */
static bool
read_list(struct reader *r, const struct settings_row *row)
{
	if (is_nothing(r))
		return true;
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return fail(r, here(r), "%s: needs a list, not a map", row->path);
	if (r->event.type != YAML_SEQUENCE_START_EVENT) {
		if (r->event.type == YAML_SCALAR_EVENT && span_find(scalar(r), ',') < scalar(r).len)
			return fail(r, here(r), "%s: several entries are written as a list, [one, two]", row->path);
		return add_entry(r, row);
	}
	for (;;) {
		if (!next(r))
			return false;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (!add_entry(r, row))
			return false;
	}
}

static bool
add_hop(struct reader *r, const struct settings_row *row)
{
	return need_text(r, row->path, "a next hop") &&
	       (settings_hop_add(&r->s->routes.at[r->s->routes.count - 1], scalar(r), r->s, &r->why) ||
		fail(r, here(r), "%s: %s", row->path, r->why.text));
}

/* Marks double when their count is a power of two, as the routes themselves do. */
static bool
remember_route(struct reader *r, struct mark at)
{
	unsigned count = r->s->routes.count - 1;

	if ((count & (count - 1)) == 0) {
		struct mark *larger = arena_alloc(&r->s->arena, (count ? count * 2 : 1) * sizeof(*larger));

		if (larger == NULL)
			return fail(r, at, "there is no memory for the routes");
		if (count)
			memcpy(larger, r->route_marks, count * sizeof(*larger));
		r->route_marks = larger;
	}
	r->route_marks[count] = at;
	return true;
}

/* pattern: hop, or pattern: [hop, hop]. */
static bool
read_route(struct reader *r, const struct settings_row *row)
{
	struct mark at = here(r);

	if (!need_text(r, row->path, "a domain pattern"))
		return false;
	if (!settings_route_add(row, scalar(r), r->s, &r->why))
		return fail(r, at, "%s: %s", row->path, r->why.text);
	if (!remember_route(r, at) || !next(r))
		return false;
	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return add_hop(r, row);
	for (unsigned count = 0;; count++) {
		if (!next(r))
			return false;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return count || fail(r, at, "%s: needs a next hop; mx stands for delivery by MX", row->path);
		if (!add_hop(r, row))
			return false;
	}
}

static bool
read_routes(struct reader *r, const struct settings_row *row)
{
	if (is_nothing(r))
		return true;
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail(r, here(r), "%s: needs lines of the form \"domain: smtp:host:port\"", row->path);
	for (;;) {
		if (!next(r))
			return false;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!read_route(r, row))
			return false;
	}
}

/* The value of a row, whose first event is here. */
static bool
read_value(struct reader *r, const struct settings_row *row)
{
	if (row->type == SETTINGS_ROUTES)
		return read_routes(r, row);
	if (settings_type_is_list(row->type))
		return read_list(r, row);
	return need_text(r, row->path, "one value") &&
	       (settings_value_parse(row, scalar(r), r->s, &r->why) ||
		fail(r, here(r), "%s: %s", row->path, r->why.text));
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static const struct settings_row *
find_row(struct span section, struct span key)
{
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++)
		if (span_equal(settings_row_section(&settings_rows[i]), section) &&
		    span_equal(settings_row_key(&settings_rows[i]), key))
			return &settings_rows[i];
	return NULL;
}

static bool
unknown_key(struct reader *r, struct span section, struct span key)
{
	char	    quoted[SETTINGS_QUOTE_MAX], path[2 * SETTINGS_PATH_MAX], near[SETTINGS_PATH_MAX];
	const char *meant;
	size_t	    dot = span_find(key, '.');

	if (section.len == 0 && dot < key.len && find_row(span_first(key, dot), span_from(key, dot + 1)))
		return fail(r, here(r), "unknown key %s; write \"%.*s:\" and below it, indented, \"%.*s:\"",
			    settings_quote(key, quoted), (int)dot, key.data, (int)(key.len - dot - 1),
			    key.data + dot + 1);
	(void)snprintf(path, sizeof(path), "%.*s%s%.*s", (int)section.len, section.data, section.len ? "." : "",
		       (int)MIN_OF(key.len, (size_t)SETTINGS_PATH_MAX), key.data);
	settings_quote(span_of(path), quoted);
	meant = settings_nearest(span_of(path), near);
	if (meant)
		return fail(r, here(r), "unknown key %s; did you mean \"%s\"?", quoted, meant);
	return fail(r, here(r), "unknown key %s", quoted);
}

/* A key of the section is here; reads its value. */
static bool
read_key(struct reader *r, struct span section)
{
	const struct settings_row *row;
	struct mark		  *given;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, here(r), "a key must be a word");
	row = find_row(section, scalar(r));
	if (row == NULL)
		return unknown_key(r, section, scalar(r));
	given = &r->given[row - settings_rows];
	if (given->line)
		return fail(r, here(r), "\"%s\" is given twice, first in line %zu", row->path, given->line);
	*given = here(r);
	return next(r) && read_value(r, row);
}

static bool
is_section(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++)
		if (name.len && span_equal(settings_row_section(&settings_rows[i]), name))
			return true;
	return false;
}

/* `name` borrowed from the table. */
static bool
read_section(struct reader *r, struct span name)
{
	char keys[256];
	size_t n = 0;

	if (is_nothing(r))
		return true;
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		for (size_t i = 0; i < COUNT_OF(settings_rows) && n < sizeof(keys); i++)
			if (span_equal(settings_row_section(&settings_rows[i]), name))
				n += (size_t)snprintf(keys + n, sizeof(keys) - n, "%s%s", n ? ", " : "",
						      settings_row_key(&settings_rows[i]).data);
		return fail(r, here(r), "\"%.*s\" is a section; below it, indented, stand %s%s", (int)name.len, name.data,
			    keys, n >= sizeof(keys) ? "..." : "");
	}
	for (;;) {
		if (!next(r))
			return false;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!read_key(r, name))
			return false;
	}
}

static bool
read_top(struct reader *r)
{
	struct {
		struct span name;
		size_t	    line;
	} seen[SETTINGS_ROW_COUNT];
	unsigned count = 0;

	for (;;) {
		struct span name = { NULL, 0 };

		if (!next(r))
			return false;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (r->event.type != YAML_SCALAR_EVENT || !is_section(scalar(r))) {
			if (!read_key(r, name))
				return false;
			continue;
		}
		for (size_t i = 0; i < COUNT_OF(settings_rows) && name.len == 0; i++)
			if (span_equal(settings_row_section(&settings_rows[i]), scalar(r)))
				name = settings_row_section(&settings_rows[i]);
		for (unsigned i = 0; i < count; i++)
			if (span_equal(seen[i].name, name))
				return fail(r, here(r), "section \"%.*s\" is given twice, first in line %zu", (int)name.len,
					    name.data, seen[i].line);
		seen[count].name = name;
		seen[count++].line = here(r).line;
		if (!next(r) || !read_section(r, name))
			return false;
	}
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

static bool
reader_open(struct reader *r, struct span text)
{
	if (!yaml_parser_initialize(&r->parser))
		return fail(r, (struct mark){ 0, 0 }, "there is no memory to read it");
	r->text = text;
	/* Not guessed: a text in UTF-16 is a mistake. */
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)(text.len ? text.data : ""), text.len);
	memset(&r->event, 0, sizeof(r->event));
	return true;
}

static void
reader_close(struct reader *r)
{
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
}

static bool
read_document(struct reader *r)
{
	if (!next(r) || !next(r))
		return false;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return true;
	if (!next(r))
		return false;
	if (!is_nothing(r)) {
		if (r->event.type != YAML_MAPPING_START_EVENT)
			return fail(r, here(r), "needs lines of the form \"key: value\"");
		if (!read_top(r))
			return false;
	}
	if (!next(r) || !next(r))
		return false;
	return r->event.type == YAML_STREAM_END_EVENT ||
	       fail(r, here(r), "a second YAML document begins here; one file holds one");
}

/* A default is ours and right (a test reads each); what can fail is memory. */
static bool
read_default(struct reader *outer, const struct settings_row *row)
{
	struct reader r = { .s = outer->s, .name = outer->name, .error = outer->error };
	bool	      good;

	if (*row->text == 0 || strcmp(row->text, "[]") == 0 || strcmp(row->text, "{}") == 0)
		return true;
	if (!settings_type_is_list(row->type))
		return settings_value_parse(row, span_of(row->text), r.s, &r.why) ||
		       fail(outer, (struct mark){ 0, 0 }, "%s: %s", row->path, r.why.text);
	good = reader_open(&r, span_of(row->text)) && next(&r) && next(&r) && next(&r) && read_value(&r, row);
	reader_close(&r);
	return good;
}

/* Of lists, addresses are the only ones that must not be empty. */
static bool
too_few(const struct settings *s, const struct settings_row *row)
{
	return row->type == SETTINGS_ENDPOINTS &&
	       ((const struct settings_endpoints *)((const char *)s + row->offset))->count < row->min;
}

static bool
read_defaults(struct reader *r)
{
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++) {
		if (r->given[i].line == 0 && !read_default(r, &settings_rows[i]))
			return false;
		if (too_few(r->s, &settings_rows[i]))
			return fail(r, r->given[i], "%s: needs at least one entry", settings_rows[i].path);
	}
	return true;
}

/* The name of this server: as given, or the stand-in, or the machine's, as a domain name in A-label form. */
static bool
settle_hostname(struct reader *r, struct span stand_in)
{
	char	    machine[256] = "", quoted[SETTINGS_QUOTE_MAX];
	struct mark at = r->given[SETTINGS_ROW_hostname];

	if (r->s->hostname.len)
		return settings_domain(r->s->hostname, r->s, &r->s->hostname, &r->why) ||
		       fail(r, at, "hostname: %s", r->why.text);
	if (io_host_name(machine, sizeof(machine)) == 0 &&
	    settings_domain(span_of(machine), r->s, &r->s->hostname, &r->why))
		return true;
	if (stand_in.len)
		return settings_domain(stand_in, r->s, &r->s->hostname, &r->why) ||
		       fail(r, at, "hostname: %s", r->why.text);
	return fail(r, at, "hostname: is not given, and the machine's own name, %s, is not a domain name",
		    settings_quote(span_of(machine), quoted));
}

static bool
settle(struct reader *r, struct span stand_in)
{
	struct settings_conflict conflict;
	struct mark		 at = { 0, 0 };
	unsigned		 first, second;
	char			 quoted[SETTINGS_QUOTE_MAX];
	uint8_t			 digest[TLS_DIGEST_SIZE];

	if (!read_defaults(r) || !settle_hostname(r, stand_in))
		return false;
	if (!settings_index_patterns(r->s) || !settings_index_routes(r->s) || !settings_index_networks(r->s))
		return fail(r, (struct mark){ 0, 0 }, "there is no memory for its lists");
	if (settings_index_doubled(r->s->route_index, &first, &second))
		return fail(r, r->route_marks[second], "routes: %s is given twice, first in line %zu",
			    settings_quote(r->s->routes.at[second].pattern, quoted), r->route_marks[first].line);
	if (!settings_agree(r->s, &conflict)) {
		/* Shown at the first of them that is in the file: one is, for the defaults agree. */
		for (size_t i = 0; i < COUNT_OF(conflict.rows) && at.line == 0; i++)
			at = r->given[conflict.rows[i]];
		return fail(r, at, "%s %s", settings_rows[conflict.rows[0]].path, conflict.why.text);
	}
	tls_digest_sha256(r->text, digest);
	(void)tls_digest_format(digest, r->s->digest);
	return true;
}

struct settings *
settings_parse_as(struct span yaml, const char *name, struct span hostname, struct settings_error *error)
{
	struct reader r = { .name = name, .error = error };
	bool	      good;

	error->message[0] = 0;
	if (yaml.len > SETTINGS_FILE_MAX) {
		(void)fail(&r, (struct mark){ 0, 0 }, "is larger than %d MiB", SETTINGS_FILE_MAX >> 20);
		return NULL;
	}
	r.s = calloc(1, sizeof(*r.s));
	if (r.s == NULL) {
		(void)fail(&r, (struct mark){ 0, 0 }, "there is no memory to read it");
		return NULL;
	}
	arena_init(&r.s->arena, ARENA_MAX);
	atomic_init(&r.s->references, 1);
	good = reader_open(&r, yaml) && read_document(&r) && settle(&r, hostname);
	reader_close(&r);
	if (!good) {
		settings_unref(r.s);
		return NULL;
	}
	return r.s;
}

struct settings *
settings_parse(struct span yaml, const char *name, struct settings_error *error)
{
	return settings_parse_as(yaml, name, SPAN_LITERAL(""), error);
}

struct settings *
settings_read(const char *file, struct settings_error *error)
{
	struct settings *s = NULL;
	char		*text;
	size_t		 len;
	int		 result = io_file_slurp(file, SETTINGS_FILE_MAX, &text, &len);

	if (result == -EFBIG) {
		(void)snprintf(error->message, sizeof(error->message), "%.300s: is larger than %d MiB", file,
			       SETTINGS_FILE_MAX >> 20);
		return NULL;
	}
	if (result < 0) {
		(void)snprintf(error->message, sizeof(error->message), "%.300s: cannot be read: %s", file,
			       strerror(-result));
		return NULL;
	}
	if (len == 0)
		(void)snprintf(error->message, sizeof(error->message),
			       "%.300s: is empty; write {} when all defaults are meant", file);
	else
		s = settings_parse(span_make(text, len), file, error);
	free(text);
	return s;
}
