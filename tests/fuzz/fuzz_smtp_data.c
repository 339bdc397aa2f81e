/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as message text.  The decoder is held against a slow one that looks at each octet and knows nothing of states;
 * the first octet tells in steps of how many the rest arrives and how much room the stuffer has.
 *
 * Of any text, sound or not, what the stuffer sends ends where it ends and not before: no server that keeps to
 * RFC 5321 can take a part of it for a command.
 */
#include "mta/smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_MAX_TRIED = 70 };

struct decoded {
	char		     *text;
	size_t		      len;
	bool		      ended;
	size_t		      used; /* octets up to the end */
	enum smtp_data_defect defect;
	unsigned	      flags;
};

static char *
room_for(size_t len)
{
	char *room = malloc(len ? len : 1);

	INVARIANT(room);
	return room;
}

/* --- the slow way ----------------------------------------------------------------------------------------- */

static bool
is_at(struct span s, size_t at, const char *what)
{
	size_t len = strlen(what);

	return at <= s.len && s.len - at >= len && memcmp(s.data + at, what, len) == 0;
}

/* The first thing wrong with [0, len), read as lines whose stuffing is gone. */
static enum smtp_data_defect
first_defect(struct span text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (is_at(text, i, "\r\n")) {
			line = 0;
			i++;
		} else if (c == '\r') {
			return SMTP_DATA_BARE_CR;
		} else if (c == '\n') {
			return SMTP_DATA_BARE_LF;
		} else if (c == 0) {
			return SMTP_DATA_NUL;
		} else if (++line > LINE_MAX_TRIED) {
			return SMTP_DATA_LONG_LINE;
		}
	}
	return SMTP_DATA_SOUND;
}

static struct decoded
decode_slowly(struct span wire)
{
	struct decoded d = { .text = room_for(wire.len) };
	bool	       line_start = true;
	size_t	       i;

	for (i = 0; i < wire.len; i++) {
		if (line_start && is_at(wire, i, ".\r\n")) {
			d.ended = true;
			i += 3;
			break;
		}
		if (line_start && wire.data[i] == '.') {
			line_start = false;
			if (is_at(wire, i, ".."))
				d.flags |= SMTP_DATA_DOT;
			continue;
		}
		if ((unsigned char)wire.data[i] >= 0x80)
			d.flags |= SMTP_DATA_8BIT;
		d.text[d.len++] = wire.data[i];
		line_start = wire.data[i] == '\n' && i > 0 && wire.data[i - 1] == '\r';
	}
	d.used = i;
	d.defect = first_defect(span_make(d.text, d.len));
	return d;
}

/* --- the fast way ----------------------------------------------------------------------------------------- */

static struct decoded
decode(struct span wire, size_t step)
{
	struct decoded	      d = { .text = room_for(wire.len) };
	struct smtp_data      s;
	enum smtp_data_result got = SMTP_DATA_MORE;

	smtp_data_begin(&s, LINE_MAX_TRIED, false);
	while (d.used < wire.len && got != SMTP_DATA_END) {
		struct span arrived = span_first(span_from(wire, d.used), step), rest = arrived, piece;

		do {
			got = smtp_data_next(&s, &rest, &piece);
			INVARIANT(d.len + piece.len <= wire.len);
			memcpy(d.text + d.len, piece.data, piece.len);
			d.len += piece.len;
		} while (got == SMTP_DATA_PIECE);
		INVARIANT(got == SMTP_DATA_END || rest.len == 0);
		d.used += arrived.len - rest.len;
	}
	d.ended = got == SMTP_DATA_END;
	d.defect = (enum smtp_data_defect)s.defect;
	d.flags = s.flags;
	return d;
}

/* What is not ended may be in the middle of something: only what has come to its end is compared whole. */
static void
check_decoding(struct span wire, size_t step)
{
	struct decoded slow = decode_slowly(wire), fast = decode(wire, step);

	INVARIANT(slow.ended == fast.ended && slow.used == fast.used);
	if (slow.ended) {
		INVARIANT(slow.defect == fast.defect);
		if (slow.defect == SMTP_DATA_SOUND) {
			INVARIANT(span_equal(span_make(slow.text, slow.len), span_make(fast.text, fast.len)));
			INVARIANT(slow.flags == fast.flags);
		}
	}
	free(slow.text);
	free(fast.text);
}

/* --- sending, chunks, header ------------------------------------------------------------------------------- */

static void
check_stuffing(struct span text, size_t step, size_t room)
{
	struct smtp_stuffer s = { 0 };
	char		   *wire = room_for(2 * text.len + 5);
	size_t		    len = 0;
	struct span	    end;
	struct decoded	    back;

	for (struct span t = text; t.len; t = span_from(t, step)) {
		struct span piece = span_first(t, step);

		while (piece.len) {
			size_t n = smtp_stuff(&s, &piece, wire + len, room);

			INVARIANT(n > 0 && n <= room);
			len += n;
			INVARIANT(len <= 2 * text.len);
		}
	}
	end = smtp_stuff_end(&s);
	INVARIANT(span_equal(end, smtp_data_end(text)));
	memcpy(wire + len, end.data, end.len);
	len += end.len;
	back = decode(span_make(wire, len), len);
	INVARIANT(back.ended && back.used == len);
	if (back.defect == SMTP_DATA_SOUND || back.defect == SMTP_DATA_LONG_LINE) {
		INVARIANT(back.len == text.len + (end.len == 5 ? 2 : 0));
		INVARIANT(span_equal(span_first(span_make(back.text, back.len), text.len), text));
	}
	free(back.text);
	free(wire);
}

static void
check_chunks(struct span text, size_t step)
{
	struct smtp_data d;

	smtp_data_begin(&d, LINE_MAX_TRIED, false);
	for (struct span t = text; t.len; t = span_from(t, step))
		smtp_data_chunk(&d, span_first(t, step));
	smtp_data_chunk_end(&d);
	INVARIANT((enum smtp_data_defect)d.defect == first_defect(text));
}

static unsigned
count_hops_slowly(struct span text)
{
	unsigned hops = 0;

	while (text.len) {
		size_t	    len = span_find(text, '\n');
		struct span line = span_first(text, len), rest;

		if (len < text.len && (line.len == 0 || (line.len == 1 && line.data[0] == '\r')))
			break;
		if (span_starts_nocase(line, SPAN_LITERAL("received"))) {
			rest = span_from(line, 8);
			while (rest.len && (rest.data[0] == ' ' || rest.data[0] == '\t'))
				rest = span_from(rest, 1);
			hops += rest.len && rest.data[0] == ':';
		}
		text = span_from(text, len + 1);
	}
	return hops;
}

static void
check_header(struct span text, size_t step)
{
	struct smtp_header_scan h;

	smtp_header_begin(&h);
	for (struct span t = text; t.len; t = span_from(t, step))
		smtp_header_feed(&h, span_first(t, step));
	INVARIANT(h.received == count_hops_slowly(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes;
	char	   *copy;
	size_t	    step;

	if (size == 0)
		return 0;
	copy = room_for(size - 1); /* of exact size: reading one more octet is seen */
	memcpy(copy, data + 1, size - 1);
	bytes = span_make(copy, size - 1);
	step = data[0] % 64 + 1;
	check_decoding(bytes, bytes.len ? bytes.len : 1);
	check_decoding(bytes, step);
	check_decoding(bytes, 1);
	check_stuffing(bytes, step, data[0] / 8 + 2);
	check_chunks(bytes, step);
	check_header(bytes, step);
	free(copy);
	return 0;
}
