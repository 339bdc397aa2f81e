/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first piece of a message nearly always holds its whole header, so it is looked at where it lies; only when the
 * decision needs more is it copied.
 */
#include "bench/text.h"

#include "bench/checksum.h"

static const struct span id_field = { MESSAGE_ID_FIELD, sizeof(MESSAGE_ID_FIELD) - 1 };

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

static void
decide(struct text_account *a, enum scan how, struct span text, size_t at)
{
	a->decided = true;
	if (how == SCAN_FOUND) {
		struct span value = span_from(text, at + id_field.len);

		value = span_first(value, span_find(value, '\n'));
		value = span_first(value, span_find(value, '\r'));
		/* Longer than any of ours: somebody else's, and the text then counts under no name. */
		if (value.len && value.len <= MESSAGE_ID_MAX) {
			memcpy(a->id, value.data, value.len);
			a->id_len = (unsigned)value.len;
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
	if (how == SCAN_MORE && bytes.len < TEXT_HEADER_MAX) {
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
	if (!a->decided)
		decide(a, SCAN_NONE, span_make(a->undecided.data, a->undecided.len), 0);
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
