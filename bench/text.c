/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first piece of a message nearly always holds its whole header, so it is looked at where it lies; only when the
 * decision needs more is it copied.
 */
#include "bench/text.h"

#include "bench/checksum.h"

static const struct span id_field = { MESSAGE_ID_FIELD, sizeof(MESSAGE_ID_FIELD) - 1 };
static const struct span time_field = { MESSAGE_TIME_FIELD, sizeof(MESSAGE_TIME_FIELD) - 1 };

enum scan { SCAN_FOUND, SCAN_NONE, SCAN_MORE };

/*
 * Looks at whole lines from *at on.  FOUND: *at is where the id field begins.  MORE: *at is the
 * first line that is not whole.
 */
static enum scan
header_scan(struct span text, size_t *at)
{
	for (;;) {
		struct span rest = span_from(text, *at), line;
		size_t len = span_find(rest, '\n');

		if (len == rest.len)
			return SCAN_MORE;
		line = span_first(rest, len);
		if (line.len && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			return SCAN_NONE;
		if (span_starts_nocase(line, id_field))
			return SCAN_FOUND;
		*at += len + 1;
	}
}

static void
count(struct text_account *a, struct span bytes)
{
	a->size += bytes.len;
	a->crc = checksum_add(a->crc, bytes);
}

/* The line at the front of text without its end. */
static struct span
line_first(struct span text)
{
	text = span_first(text, span_find(text, '\n'));
	return span_first(text, span_find(text, '\r'));
}

/* The time in a line; 0 when it is another line, or no number of ours. */
static uint64_t
time_parse(struct span line)
{
	uint64_t n = 0;

	if (line.len != time_field.len + MESSAGE_TIME_DIGITS || !span_starts_nocase(line, time_field))
		return 0;
	for (size_t i = time_field.len; i < line.len; i++) {
		if (line.data[i] < '0' || line.data[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(line.data[i] - '0'), &n))
			return 0;
	}
	return n;
}

/* The id field begins at `at`: is the line behind it whole too? */
static bool
next_line_whole(struct span text, size_t at)
{
	struct span rest = span_from(text, at);

	rest = span_from(rest, span_find(rest, '\n') + 1);
	return span_find(rest, '\n') < rest.len;
}

static void
decide(struct text_account *a, enum scan how, struct span text, size_t at)
{
	a->decided = true;
	if (how == SCAN_FOUND) {
		struct span line = span_from(text, at), value = line_first(span_from(line, id_field.len));

		/* Longer than any of ours: somebody else's, and the text then counts under no name. */
		if (value.len && value.len <= MESSAGE_ID_MAX) {
			memcpy(a->id, value.data, value.len);
			a->id_len = (unsigned)value.len;
			a->time_ns = time_parse(line_first(span_from(line, span_find(line, '\n') + 1)));
			text = span_from(text, at);
		}
	}
	count(a, text);
}

void
text_feed(struct text_account *a, struct span bytes)
{
	enum scan how;
	size_t at = a->scanned;

	if (a->decided) {
		count(a, bytes);
		return;
	}
	if (a->undecided.len) {
		ledger_put(&a->undecided, bytes);
		bytes = span_make(a->undecided.data, a->undecided.len);
	}
	how = header_scan(bytes, &at);
	if ((how == SCAN_MORE || (how == SCAN_FOUND && !next_line_whole(bytes, at))) && bytes.len < TEXT_HEADER_MAX) {
		if (!a->undecided.len)
			ledger_put(&a->undecided, bytes);
		a->scanned = at;
		return;
	}
	decide(a, how, bytes, at);
	a->undecided.len = 0;
}

void
text_end(struct text_account *a)
{
	struct span text = span_make(a->undecided.data, a->undecided.len);
	size_t at = a->scanned;

	if (!a->decided)
		decide(a, header_scan(text, &at), text, at);
}

void
text_reset(struct text_account *a)
{
	free(a->undecided.data);
	*a = (struct text_account){ 0 };
}

/* --- reports ------------------------------------------------------------------------------------------ */

static struct span
trim(struct span s)
{
	while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_from(s, 1);
	while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\r'))
		s.len--;
	return s;
}

bool
text_report_parse(struct span text, struct span *id, struct ledger_text *recipients)
{
	static const struct span final_field = SPAN_LITERAL("Final-Recipient:");
	static const struct span action_field = SPAN_LITERAL("Action:");
	struct span final = { 0 };
	bool report = false;

	id->len = 0;
	while (text.len) {
		size_t len = span_find(text, '\n');
		struct span line = trim(span_first(text, len));

		text = span_from(text, len + 1);
		if (span_starts_nocase(line, SPAN_LITERAL("Content-Type: message/delivery-status"))) {
			report = true;
		} else if (span_starts_nocase(line, final_field)) {
			struct span value = span_from(line, final_field.len);
			size_t type = span_find(value, ';');

			final = type < value.len ? trim(span_from(value, type + 1)) : (struct span){ 0 };
		} else if (span_starts_nocase(line, action_field)) {
			/* RFC 3464 section 2.3: Final-Recipient comes before Action in each group. */
			if (final.len && span_equal_nocase(trim(span_from(line, action_field.len)),
							   SPAN_LITERAL("failed")))
				ledger_put_address(recipients, recipients->len == 0, final);
			final.len = 0;
		} else if (span_starts_nocase(line, id_field) && !id->len) {
			*id = trim(span_from(line, id_field.len));
		}
	}
	return report && id->len && recipients->len;
}
