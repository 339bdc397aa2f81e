/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/record.h"

#include <errno.h>

#include "tests/support/run.h"

static struct envelope_recipient recipients[2] = {
	{ .address = SPAN_LITERAL("one@example.org"), .orcpt = SPAN_LITERAL("rfc822;o@x"), .notify = NOTIFY_DELAY },
	{ .address = SPAN_LITERAL("two@example.org") },
};

static const struct envelope envelope = {
	.id = { UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210) },
	.accepted_ms = 1795521197123,
	.flags = ENVELOPE_8BIT | ENVELOPE_DOT,
	.hops = 3,
	.sender = SPAN_LITERAL("me@example.net"),
	.envid = SPAN_LITERAL("x"),
	.helo = SPAN_LITERAL("mx.example.net"),
	.client = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 }, .port = 4711, .scope_id = 2 },
	.body_octets = 12,
	.recipient_count = 2,
	.recipients = recipients,
};

static size_t
write_message(uint8_t *out)
{
	struct record_result r = { .id = { 7, 8 }, .recipient = 1, .state = QUEUE_FAILED, .code = 550,
				   .text = SPAN_LITERAL("no") };
	uint8_t		     result[RECORD_RESULT_MAX];
	uint32_t	     len = (uint32_t)record_result_write(&r, result);
	uint8_t		    *at = record_message_head_write(&envelope, 0, 1, out);

	ck_assert_uint_eq((size_t)(at - out), record_message_head_len(&envelope));
	memcpy(at, &len, 4);
	memcpy(at + 4, result, len);
	memcpy(at + 4 + len, "a: b\r\n\r\nhi\r\n", 12);
	return (size_t)(at - out) + 4 + len + 12;
}

START_TEST(message_comes_back)
{
	uint8_t		      bytes[1024];
	size_t		      len = write_message(bytes);
	struct arena	      arena;
	struct record_message m;
	struct record_result  r;

	arena_init(&arena, 4096);
	ck_assert_int_eq(record_message_read(span_make(bytes, len), &arena, &m), 0);
	ck_assert(id_equal(m.envelope.id, envelope.id));
	ck_assert_int_eq(m.envelope.accepted_ms, envelope.accepted_ms);
	ck_assert_uint_eq(m.envelope.flags, envelope.flags);
	ck_assert_uint_eq(m.envelope.hops, 3);
	ck_assert(span_equal(m.envelope.sender, envelope.sender));
	ck_assert(span_equal(m.envelope.envid, envelope.envid));
	ck_assert(span_equal(m.envelope.helo, envelope.helo));
	ck_assert_mem_eq(&m.envelope.client, &envelope.client, sizeof(struct endpoint));
	ck_assert_uint_eq(m.envelope.recipient_count, 2);
	ck_assert(span_equal(m.envelope.recipients[0].address, recipients[0].address));
	ck_assert(span_equal(m.envelope.recipients[0].orcpt, recipients[0].orcpt));
	ck_assert_uint_eq(m.envelope.recipients[0].notify, NOTIFY_DELAY);
	ck_assert(span_equal(m.envelope.recipients[1].address, recipients[1].address));
	ck_assert(span_equal(m.text, SPAN_LITERAL("a: b\r\n\r\nhi\r\n")));
	ck_assert(record_next_result(&m.results, &r));
	ck_assert_uint_eq(r.id.high, 7);
	ck_assert_uint_eq(r.state, QUEUE_FAILED);
	ck_assert_uint_eq(r.code, 550);
	ck_assert(span_equal(r.text, SPAN_LITERAL("no")));
	ck_assert(!record_next_result(&m.results, &r));
	arena_reset(&arena);
}
END_TEST

/* No prefix of a message is a message. */
START_TEST(cut_message_is_refused)
{
	uint8_t		      bytes[1024];
	size_t		      len = write_message(bytes);
	struct arena	      arena;
	struct record_message m;

	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1); /* a reader beyond the end is seen by the sanitizer */

		memcpy(exact, bytes, cut);
		arena_init(&arena, 4096);
		ck_assert_int_eq(record_message_read(span_make(exact, cut), &arena, &m), -EBADMSG);
		arena_reset(&arena);
		free(exact);
	}
}
END_TEST

START_TEST(lying_counts_cost_nothing)
{
	uint8_t		      bytes[1024];
	size_t		      len = write_message(bytes);
	struct arena	      arena;
	struct record_message m;

	arena_init(&arena, 4096);
	memset(bytes + 76, 0xff, 4); /* recipients */
	ck_assert_int_eq(record_message_read(span_make(bytes, len), &arena, &m), -EBADMSG);
	(void)write_message(bytes);
	memset(bytes + 80, 0xff, 4); /* pieces */
	ck_assert_int_eq(record_message_read(span_make(bytes, len), &arena, &m), -EBADMSG);
	(void)write_message(bytes);
	memset(bytes + 84, 0xff, 4); /* results */
	ck_assert_int_eq(record_message_read(span_make(bytes, len), &arena, &m), -EBADMSG);
	ck_assert_uint_le(arena.held, 4096);
	arena_reset(&arena);
}
END_TEST

/* Each bit of a header is guarded, and so is the segment it belongs to. */
START_TEST(header_is_guarded)
{
	struct record_header h = { .nonce = 42, .lsn = 7, .length = 100, .payload_crc = 1,
				   .kind = RECORD_RESULT, .shard = 3 },
			     back;
	uint8_t bytes[RECORD_HEADER_LEN];

	record_header_write(&h, bytes);
	ck_assert(record_header_read(bytes, 42, &back));
	ck_assert_uint_eq(back.lsn, 7);
	ck_assert_uint_eq(back.length, 100);
	ck_assert_uint_eq(back.kind, RECORD_RESULT);
	ck_assert_uint_eq(back.shard, 3);
	ck_assert(!record_header_read(bytes, 43, &back));
	for (unsigned bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(!record_header_read(bytes, 42, &back), "bit %u", bit);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(end_comes_back)
{
	uint8_t		     block[RECORD_BLOCK];
	struct record_header h;
	uint64_t	     from, octets;

	record_end_block(77, 5, 3, 12345, block);
	ck_assert(record_header_read(block, 77, &h));
	ck_assert(h.kind == RECORD_END && h.lsn == 5 && h.shard == 3 && h.length == RECORD_END_LEN);
	ck_assert(record_end_read(span_make(block + RECORD_HEADER_LEN, h.length), &from));
	ck_assert_uint_eq(from, 12345);
	ck_assert(!record_end_read(span_make(block + RECORD_HEADER_LEN, h.length - 1), &from));
	ck_assert(!record_end_read(span_make(block + RECORD_HEADER_LEN, h.length + 1), &from));
	/* What is left of a header: of this life by its nonce, or by a checksum that only the nonce is missing from. */
	block[8] ^= 1;
	ck_assert(!record_header_read(block, 77, &h));
	ck_assert(record_header_trace(block, 77, &octets) && octets == RECORD_HEADER_LEN + RECORD_END_LEN);
	ck_assert(!record_header_trace(block, 78, &octets));
	block[8] ^= 1;
	ck_assert(!record_header_trace(block, 78, &octets)); /* sound, in another life of the file */
	for (unsigned i = 0; i < RECORD_HEADER_LEN; i++) {
		block[i] ^= 1;
		ck_assert(!record_header_read(block, 77, &h));
		ck_assert(record_header_trace(block, 77, &octets));
		block[i] ^= 1;
	}
	block[8] ^= 1;
	block[0] ^= 1;
	ck_assert(!record_header_trace(block, 77, &octets));
}
END_TEST

START_TEST(small_ones_come_back)
{
	struct record_segment	 s = { 9, 1 << 26, 8, 4096, true }, s2;
	struct record_act	 a = { { 1, 2 }, QUEUE_DELETE + 1, -5 }, a2;
	struct record_checkpoint k;
	struct record_piece	 p;
	uint8_t			 bytes[RECORD_RESULT_MAX + 8];
	char			 words[2000];
	struct record_result	 r = { .text = { words, sizeof(words) }, .host = { words, sizeof(words) } }, r2;
	size_t			 len;

	record_segment_write(&s, bytes);
	ck_assert(record_segment_read(span_make(bytes, RECORD_SEGMENT_LEN), &s2));
	ck_assert(s2.number == 9 && s2.octets == 1 << 26 && s2.void_number == 8 && s2.void_from == 4096 && s2.reused);
	ck_assert(!record_segment_read(span_make(bytes, RECORD_SEGMENT_LEN - 1), &s2));
	record_act_write(&a, bytes);
	ck_assert(record_act_read(span_make(bytes, RECORD_ACT_LEN), &a2));
	ck_assert(a2.act == a.act && a2.at_ms == -5 && id_equal(a.id, a2.id));
	bytes[16] = 9;
	ck_assert(!record_act_read(span_make(bytes, RECORD_ACT_LEN), &a2));
	record_checkpoint_head_write(5, 1, bytes);
	record_id_write((struct id){ 3, 4 }, bytes + RECORD_CHECKPOINT_HEAD_LEN);
	ck_assert(record_checkpoint_read(span_make(bytes, RECORD_CHECKPOINT_HEAD_LEN + RECORD_ID_LEN), &k));
	ck_assert_uint_eq(k.segment, 5);
	ck_assert_uint_eq(record_id_read(k.ids, 0).low, 4);
	ck_assert(!record_checkpoint_read(span_make(bytes, RECORD_CHECKPOINT_HEAD_LEN), &k));
	record_piece_head_write((struct id){ 5, 6 }, 77, bytes);
	memcpy(bytes + RECORD_PIECE_HEAD_LEN, "text", 4);
	ck_assert(record_piece_read(span_make(bytes, RECORD_PIECE_HEAD_LEN + 4), &p));
	ck_assert_uint_eq(p.index, 77);
	ck_assert(span_equal(p.bytes, SPAN_LITERAL("text")));
	/* Words are cut, and the record stays within its limit. */
	memset(words, 'x', sizeof(words));
	len = record_result_write(&r, bytes);
	ck_assert_uint_eq(len, RECORD_RESULT_MAX);
	ck_assert(record_result_read(span_make(bytes, len), &r2));
	ck_assert_uint_eq(r2.text.len, RECORD_TEXT_MAX);
	bytes[20] = QUEUE_IN_HAND;
	ck_assert(!record_result_read(span_make(bytes, len), &r2));
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("record");

	tcase_add_test(tc, message_comes_back);
	tcase_add_test(tc, cut_message_is_refused);
	tcase_add_test(tc, lying_counts_cost_nothing);
	tcase_add_test(tc, header_is_guarded);
	tcase_add_test(tc, end_comes_back);
	tcase_add_test(tc, small_ones_come_back);
	return run_case("queue/record", tc);
}
