/* SPDX-License-Identifier: Apache-2.0 */
/* The source itself is taken in: a processor with the wider instructions would never use the others. */
#include "mta/smtp/data.c"

#include "tests/support/run.h"

#define TEXT(s) { "" s, sizeof(s) - 1 }

static const struct {
	const char	     *label;
	struct span	      wire;
	bool		      ends;
	enum smtp_data_defect defect;
	struct span	      text;  /* of a sound one */
	unsigned	      flags;
	size_t		      after; /* octets that follow the end */
} texts[] = {
	{ "plain", TEXT("a\r\nb\r\n.\r\n"), true, SMTP_DATA_SOUND, TEXT("a\r\nb\r\n"), 0, 0 },
	{ "empty", TEXT(".\r\n"), true, SMTP_DATA_SOUND, TEXT(""), 0, 0 },
	{ "stuffed", TEXT("..a\r\n...\r\n.\r\n"), true, SMTP_DATA_SOUND, TEXT(".a\r\n..\r\n"), SMTP_DATA_DOT, 0 },
	{ "a dot too few", TEXT(".a\r\n.\r\n"), true, SMTP_DATA_SOUND, TEXT("a\r\n"), 0, 0 },
	{ "dots inside", TEXT("a.\r\nb.c\r\n.\r\n"), true, SMTP_DATA_SOUND, TEXT("a.\r\nb.c\r\n"), 0, 0 },
	{ "pipelined", TEXT("a\r\n.\r\nQUIT\r\n"), true, SMTP_DATA_SOUND, TEXT("a\r\n"), 0, 6 },
	{ "8 bit", TEXT("0123456789abcdef\xc3\xa4\r\n.\r\n"), true, SMTP_DATA_SOUND,
	  TEXT("0123456789abcdef\xc3\xa4\r\n"), SMTP_DATA_8BIT, 0 },
	{ "LF . LF", TEXT("a\n.\nMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_LF, TEXT(""), 0, 0 },
	{ "LF . CRLF", TEXT("a\n.\r\nMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_LF, TEXT(""), 0, 0 },
	{ "CR . CR", TEXT("a\r.\rMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_CR, TEXT(""), 0, 0 },
	{ "CR . CRLF", TEXT("a\r.\r\nMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_CR, TEXT(""), 0, 0 },
	{ "CRLF . LF", TEXT("a\r\n.\nMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_LF, TEXT(""), 0, 0 },
	{ "CRLF . CR", TEXT("a\r\n.\rMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_CR, TEXT(""), 0, 0 },
	{ "CRLF . CR CRLF", TEXT("a\r\n.\r\r\nMAIL\r\n.\r\n"), true, SMTP_DATA_BARE_CR, TEXT(""), 0, 0 },
	{ "CRLF . NUL CRLF", TEXT("a\r\n.\0\r\nMAIL\r\n.\r\n"), true, SMTP_DATA_NUL, TEXT(""), 0, 0 },
	{ "CR CRLF . CRLF", TEXT("a\r\r\n.\r\n"), true, SMTP_DATA_BARE_CR, TEXT(""), 0, 0 },
	{ "line of ten", TEXT("1234567890\r\n.\r\n"), true, SMTP_DATA_SOUND, TEXT("1234567890\r\n"), 0, 0 },
	{ "line of thirty-one", TEXT("1234567890123456789012345678901\r\n.\r\n"), true, SMTP_DATA_LONG_LINE,
	  TEXT(""), 0, 0 },
	{ "no end", TEXT("a\r\n."), false, SMTP_DATA_SOUND, TEXT("a\r\n"), 0, 0 },
};

START_TEST(text_is_decoded)
{
	for (size_t step = 1; step <= texts[_i].wire.len; step++) {
		struct smtp_data      d;
		struct span	      wire = texts[_i].wire;
		char		      text[100];
		size_t		      len = 0, left = 0;
		enum smtp_data_result got = SMTP_DATA_MORE;

		smtp_data_begin(&d, 30, false);
		while (wire.len && got != SMTP_DATA_END) {
			struct span rest = span_first(wire, step), piece;

			wire = span_from(wire, step);
			do {
				got = smtp_data_next(&d, &rest, &piece);
				memcpy(text + len, piece.data, piece.len);
				len += piece.len;
			} while (got == SMTP_DATA_PIECE);
			left = rest.len;
		}
		ck_assert_msg((got == SMTP_DATA_END) == texts[_i].ends, "%s by %zu", texts[_i].label, step);
		ck_assert_msg(d.defect == texts[_i].defect, "%s by %zu: defect %d", texts[_i].label, step,
			      d.defect);
		if (texts[_i].ends)
			ck_assert_msg(left + wire.len == texts[_i].after, "%s by %zu: %zu follow",
				      texts[_i].label, step, left + wire.len);
		if (d.defect != SMTP_DATA_SOUND)
			continue;
		ck_assert_msg(span_equal(span_make(text, len), texts[_i].text), "%s by %zu: %.*s",
			      texts[_i].label, step, (int)len, text);
		ck_assert_msg(d.flags == texts[_i].flags, "%s by %zu: flags %u", texts[_i].label, step, d.flags);
	}
}
END_TEST

static const struct {
	const char	     *label;
	struct span	      bytes;
	bool		      binary;
	enum smtp_data_defect defect;
	unsigned	      flags;
} chunks[] = {
	{ "plain", TEXT("a\r\n.\r\nb"), false, SMTP_DATA_SOUND, SMTP_DATA_DOT },
	{ "bare LF", TEXT("a\nb\r\n"), false, SMTP_DATA_BARE_LF, 0 },
	{ "ends in CR", TEXT("a\r\nb\r"), false, SMTP_DATA_BARE_CR, 0 },
	{ "NUL", TEXT("a\0b"), false, SMTP_DATA_NUL, 0 },
	{ "binary", TEXT("a\0b\n\r\xff"), true, SMTP_DATA_SOUND, 0 },
};

START_TEST(chunks_are_checked)
{
	for (size_t step = 1; step <= chunks[_i].bytes.len; step++) {
		struct smtp_data d;

		smtp_data_begin(&d, 998, chunks[_i].binary);
		for (struct span b = chunks[_i].bytes; b.len; b = span_from(b, step))
			smtp_data_chunk(&d, span_first(b, step));
		smtp_data_chunk_end(&d);
		ck_assert_msg(d.defect == chunks[_i].defect, "%s by %zu: %d", chunks[_i].label, step, d.defect);
		if (d.defect == SMTP_DATA_SOUND)
			ck_assert_uint_eq(d.flags, chunks[_i].flags);
	}
}
END_TEST

/* --- 64 octets at a time, and one by one: the same ------------------------------------------------------ */

enum { RANDOM_MAX = 500, RANDOM_TEXTS = 30000 };

struct seen {
	struct smtp_data d;
	char		 text[RANDOM_MAX];
	size_t		 len, used;
};

static uint64_t
chance(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Lines of all lengths; in some texts a defect or a dot here and there. */
static size_t
random_text(uint64_t *state, char *out)
{
	size_t	 len = chance(state) % RANDOM_MAX, line = chance(state) % 100;
	unsigned odd = chance(state) % 3 ? 0 : 40;

	for (size_t i = 0; i < len; i++) {
		out[i] = (char)('a' + chance(state) % 26);
		if (line-- == 0 && i + 1 < len) {
			memcpy(out + i++, "\r\n", 2);
			line = chance(state) % 100;
		}
		if (odd && chance(state) % odd == 0)
			out[i] = "\r\n..\0\xe9"[chance(state) % 6];
	}
	return len;
}

static void
see_text(struct seen *s, struct span wire, size_t step)
{
	enum smtp_data_result got = SMTP_DATA_MORE;

	s->len = s->used = 0;
	smtp_data_begin(&s->d, 80, false);
	while (s->used < wire.len && got != SMTP_DATA_END) {
		struct span rest = span_first(span_from(wire, s->used), step), piece;
		size_t	    had = rest.len;

		do {
			got = smtp_data_next(&s->d, &rest, &piece);
			memcpy(s->text + s->len, piece.data, piece.len);
			s->len += piece.len;
		} while (got == SMTP_DATA_PIECE);
		s->used += had - rest.len;
	}
}

static void
expect_same(const struct seen *a, const struct seen *b, unsigned n)
{
	ck_assert_msg(a->used == b->used && a->len == b->len && memcmp(a->text, b->text, a->len) == 0, "text %u", n);
	ck_assert_msg(a->d.defect == b->d.defect, "text %u: %d and %d", n, a->d.defect, b->d.defect);
	ck_assert_msg(a->d.flags == b->d.flags && a->d.state == b->d.state && a->d.line_len == b->d.line_len,
		      "text %u: the state", n);
}

START_TEST(blocks_are_as_octets)
{
	static struct seen whole, octets;
	static char	   wire[RANDOM_MAX];
	uint64_t	   state = 5;
	unsigned	   sound = 0;

#ifdef __SSE2__
	wide = wide && _i;
#endif
	for (unsigned n = 0; n < RANDOM_TEXTS; n++) {
		struct span text = span_make(wire, random_text(&state, wire));

		see_text(&whole, text, RANDOM_MAX);
		see_text(&octets, text, 1);
		expect_same(&whole, &octets, n);
		sound += whole.d.defect == SMTP_DATA_SOUND;
		smtp_data_begin(&whole.d, 80, false);
		smtp_data_begin(&octets.d, 80, false);
		smtp_data_chunk(&whole.d, text);
		for (size_t i = 0; i < text.len; i++)
			smtp_data_chunk(&octets.d, span_first(span_from(text, i), 1));
		expect_same(&whole, &octets, n);
	}
	ck_assert_uint_gt(sound, RANDOM_TEXTS / 10);
	ck_assert_uint_lt(sound, RANDOM_TEXTS / 10 * 9);
}
END_TEST

static const struct {
	const char *label, *text;
	unsigned    received;
} headers[] = {
	{ "two", "Received: a\r\n\tb\r\nreceived: c\r\nSubject: x\r\n\r\nReceived: d\r\n", 2 },
	{ "space before the colon", "Received : a\r\n\r\n", 1 },
	{ "others", "Receive: a\r\nReceivedX: b\r\nX-Received: c\r\n Received: d\r\n\r\n", 0 },
	{ "body at once", "\r\nReceived: a\r\n", 0 },
	{ "no end", "Received: a", 1 },
};

START_TEST(hops_are_counted)
{
	struct span text = span_of(headers[_i].text);

	for (size_t step = 1; step <= text.len; step++) {
		struct smtp_header_scan h;

		smtp_header_begin(&h);
		for (struct span t = text; t.len; t = span_from(t, step))
			smtp_header_feed(&h, span_first(t, step));
		ck_assert_msg(h.received == headers[_i].received, "%s by %zu: %u", headers[_i].label, step,
			      h.received);
	}
}
END_TEST

static const struct {
	const char *label, *text, *wire;
} sent[] = {
	{ "plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n" },
	{ "empty", "", ".\r\n" },
	{ "dots", ".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n.\r\n" },
	{ "no final CRLF", "a\r\n.b", "a\r\n..b\r\n.\r\n" },
	{ "a dot behind a lone LF stays", "a\n.b\r\n", "a\n.b\r\n.\r\n" },
};

START_TEST(text_is_stuffed)
{
	for (size_t room = 2; room < 20; room++)
		for (size_t step = 1; step < 10; step++) {
			struct smtp_stuffer s = { 0 };
			char		    wire[100];
			size_t		    len = 0;
			struct span	    end;

			for (struct span t = span_of(sent[_i].text); t.len;) {
				struct span piece = span_first(t, step);

				t = span_from(t, step);
				while (piece.len)
					len += smtp_stuff(&s, &piece, wire + len, room);
			}
			end = smtp_stuff_end(&s);
			memcpy(wire + len, end.data, end.len);
			len += end.len;
			ck_assert_msg(span_equal(span_make(wire, len), span_of(sent[_i].wire)), "%s: %.*s",
				      sent[_i].label, (int)len, wire);
		}
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("data");

	tcase_add_loop_test(tc, text_is_decoded, 0, COUNT_OF(texts));
	tcase_add_loop_test(tc, chunks_are_checked, 0, COUNT_OF(chunks));
	tcase_add_loop_test(tc, blocks_are_as_octets, 0, 2); /* by 16 and by 32 */
	tcase_add_loop_test(tc, hops_are_counted, 0, COUNT_OF(headers));
	tcase_add_loop_test(tc, text_is_stuffed, 0, COUNT_OF(sent));
	return run_case("smtp/data", tc);
}
