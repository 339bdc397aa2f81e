/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/message.h"

#include "bench/checksum.h"
#include "tests/support/run.h"

static char why[256];

static struct message_source *
made(uint64_t size)
{
	const struct message_source_params params = {
		.run = 0x5d0c93aa, .size_max = size, .from = "a@example.org", .to = "b@example.org",
		.date = "Mon, 01 Jan 2024 00:00:00 +0000",
	};
	struct message_source *source;

	ck_assert_msg(message_source_open(&source, &params, why) == 0, "%s", why);
	return source;
}

/* The whole text as it goes on the wire, without the final dot. */
static char *
whole(const struct message *m, bool stuffed, size_t *len)
{
	struct span body = stuffed ? m->body_stuffed : m->body;
	char *out = malloc(m->head_len + body.len + m->tail_len + 1);

	memcpy(out, m->head, m->head_len);
	memcpy(out + m->head_len, body.data, body.len);
	memcpy(out + m->head_len + body.len, m->tail, m->tail_len);
	*len = m->head_len + body.len + m->tail_len;
	return out;
}

static const uint64_t sizes[] = { 1, 100, 300, 399, 400, 479, 480, 481, 4096, 4097, 102400, 1048576 };

START_TEST(made_messages_are_sound)
{
	struct message_source *source = made(sizes[_i]);
	struct message m;
	char *text, *stuffed, *again, time[64];
	size_t len, stuffed_len, again_len, least = 0;

	for (uint32_t seq = 0; seq < 300; seq += 7) {
		message_make(source, seq, sizes[_i], seq * UINT64_C(1000000000000), &m);
		text = whole(&m, false, &len);
		stuffed = whole(&m, true, &stuffed_len);
		ck_assert_uint_eq(m.size, len);
		/* One size for all numbers; the size asked for unless it is too small. */
		if (!least)
			least = len;
		ck_assert_uint_eq(len, least);
		ck_assert_msg(len == sizes[_i] || (sizes[_i] < 300 && len < 400), "%llu came out as %zu",
			      (unsigned long long)sizes[_i], len);
		ck_assert_uint_eq(m.crc, checksum_add_by_table(0, span_make(text, len)));
		ck_assert(memcmp(text + len - 2, "\r\n", 2) == 0);
		ck_assert(strncmp(text, MESSAGE_ID_FIELD "5d0c93aa-", 29) == 0);
		(void)snprintf(time, sizeof(time), "\r\n" MESSAGE_TIME_FIELD "%020llu\r\n",
			       (unsigned long long)seq * 1000000000000);
		ck_assert(strncmp(m.id.data + m.id.len, time, strlen(time)) == 0);
		for (size_t i = 0, line = 0; i < len; i++) {
			/* Asserting each octet would take minutes. */
			if (text[i] == '\n' && (!i || text[i - 1] != '\r'))
				ck_abort_msg("lone LF at %zu", i);
			if (text[i] == '\r' && text[i + 1] != '\n')
				ck_abort_msg("lone CR at %zu", i);
			line = text[i] == '\n' ? 0 : line + 1;
			if (line > 999)
				ck_abort_msg("long line at %zu", i);
		}
		/* The window of the stuffed text is the stuffed window. */
		again = message_stuff(span_make(text, len), &again_len);
		ck_assert_uint_eq(again_len, stuffed_len);
		ck_assert_mem_eq(again, stuffed, stuffed_len);
		free(text);
		free(stuffed);
		free(again);
	}
	message_source_free(source);
} END_TEST

/* Of one source, in any order. */
START_TEST(sizes_may_differ)
{
	struct message_source *source = made(100000);
	struct message m;
	char *text, *stuffed, *again;
	size_t len, stuffed_len, again_len;

	for (uint32_t seq = 0; seq < 300; seq++) {
		uint64_t size = 400 + seq * UINT64_C(7919) % 99601;

		message_make(source, seq, size, 1, &m);
		ck_assert_uint_eq(m.size, size);
		text = whole(&m, false, &len);
		stuffed = whole(&m, true, &stuffed_len);
		ck_assert_uint_eq(len, size);
		ck_assert_uint_eq(m.crc, checksum_add(0, span_make(text, len)));
		again = message_stuff(span_make(text, len), &again_len);
		ck_assert_uint_eq(again_len, stuffed_len);
		ck_assert_mem_eq(again, stuffed, stuffed_len);
		free(text);
		free(stuffed);
		free(again);
	}
	message_make(source, 1, 1000000, 1, &m); /* more than was said */
	ck_assert_uint_eq(m.size, 100000);
	message_source_free(source);
} END_TEST

START_TEST(neighbours_differ_throughout)
{
	struct message_source *source = made(4096);
	struct message a, b;

	message_make(source, 1, 4096, 1, &a);
	message_make(source, 2, 4096, UINT64_MAX, &b);
	ck_assert(a.body.data != b.body.data);
	ck_assert_uint_eq(a.body.len, b.body.len);
	for (size_t at = 0; at + 80 <= a.body.len; at += 80)
		ck_assert(memcmp(a.body.data + at, b.body.data + at, 80) != 0);
	message_source_free(source);
} END_TEST

static const struct {
	const char *label, *in, *normal, *stuffed;
} text_cases[] = {
	{ "empty", "", "\r\n", "\r\n" },
	{ "whole", "a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "no line end", "a", "a\r\n", "a\r\n" },
	{ "lone LF", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "LF first", "\na\n", "\r\na\r\n", "\r\na\r\n" },
	{ "lone CR stays", "a\rb\r\n", "a\rb\r\n", "a\rb\r\n" },
	{ "CR CRLF stays", "a\r\r\n", "a\r\r\n", "a\r\r\n" },
	{ "dots", ".\n..\na.\n", ".\r\n..\r\na.\r\n", "..\r\n...\r\na.\r\n" },
	{ "only a dot", ".", ".\r\n", "..\r\n" },
};

START_TEST(texts_normalise_and_stuff)
{
	size_t len, stuffed_len;
	char *normal = message_normalise(span_of(text_cases[_i].in), &len);
	char *stuffed = message_stuff(span_make(normal, len), &stuffed_len);

	ck_assert_msg(span_equal(span_make(normal, len), span_of(text_cases[_i].normal)), "%s: normal",
		      text_cases[_i].label);
	ck_assert_msg(span_equal(span_make(stuffed, stuffed_len), span_of(text_cases[_i].stuffed)), "%s: stuffed",
		      text_cases[_i].label);
	free(normal);
	free(stuffed);
} END_TEST

START_TEST(missing_file_says_so)
{
	const struct message_source_params params = { .file = "/nonexistent/letter", .from = "", .to = "", .date = "" };
	struct message_source *source;

	ck_assert_int_lt(message_source_open(&source, &params, why), 0);
	ck_assert(strstr(why, "/nonexistent/letter") != NULL);
} END_TEST

/* RFC 3720 appendix B.4. */
START_TEST(checksum_is_crc32c)
{
	static const char zeros[32] = { 0 };
	struct span digits = SPAN_LITERAL("123456789");

	ck_assert_uint_eq(checksum_add(0, digits), 0xe3069283);
	ck_assert_uint_eq(checksum_add_by_table(0, digits), 0xe3069283);
	ck_assert_uint_eq(checksum_add(0, span_make(zeros, 32)), 0x8a9136aa);
	for (size_t cut = 0; cut <= digits.len; cut++)
		ck_assert_uint_eq(checksum_add(checksum_add(0, span_first(digits, cut)), span_from(digits, cut)),
				  0xe3069283);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("message");

	tcase_add_loop_test(tc, made_messages_are_sound, 0, COUNT_OF(sizes));
	tcase_add_test(tc, sizes_may_differ);
	tcase_add_test(tc, neighbours_differ_throughout);
	tcase_add_loop_test(tc, texts_normalise_and_stuff, 0, COUNT_OF(text_cases));
	tcase_add_test(tc, missing_file_says_so);
	tcase_add_test(tc, checksum_is_crc32c);
	return run_case("bench/message", tc);
}
