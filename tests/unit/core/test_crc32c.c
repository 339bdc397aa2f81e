/* SPDX-License-Identifier: Apache-2.0 */
/* The source itself is taken in: a processor with the instruction would never come to the table. */
#include "core/crc32c.c"

#include "tests/support/run.h"

enum { LONG = 5000 };

/* The definition, a bit at a time. */
static uint32_t
crc_by_bits(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static const uint8_t *
noise(void)
{
	static uint8_t room[LONG];
	uint32_t       x = 1;

	for (size_t i = 0; i < LONG; i++) {
		x = x * 1664525 + 1013904223;
		room[i] = (uint8_t)(x >> 24);
	}
	return room;
}

/* Loop: 0 with the table, 1 as this processor can. */
static void
choose(int way)
{
	hardware = hardware && way == 1;
}

START_TEST(known_answers)
{
	uint8_t room[32];

	choose(_i);
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	/* RFC 3720 appendix B.4 */
	memset(room, 0, sizeof(room));
	ck_assert_uint_eq(crc32c(0, room, 32), 0x8a9136aa);
	memset(room, 0xff, sizeof(room));
	ck_assert_uint_eq(crc32c(0, room, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		room[i] = i;
	ck_assert_uint_eq(crc32c(0, room, 32), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		room[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(crc32c(0, room, 32), 0x113fdb5c);
} END_TEST

START_TEST(every_length_and_place)
{
	const uint8_t *bytes = noise();

	choose(_i);
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; len + from <= LONG; len += len < 1600 ? 1 : 97)
			ck_assert_msg(crc32c(0, bytes + from, len) == crc_by_bits(0, bytes + from, len),
				      "from %zu, %zu octets", from, len);
} END_TEST

START_TEST(chains_at_every_cut)
{
	const uint8_t *bytes = noise();
	uint32_t       whole = crc_by_bits(0, bytes, LONG);

	choose(_i);
	for (size_t cut = 0; cut <= LONG; cut += 13)
		ck_assert_uint_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, LONG - cut), whole);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("crc32c");

	tcase_add_loop_test(tc, known_answers, 0, 2);
	tcase_add_loop_test(tc, every_length_and_place, 0, 2);
	tcase_add_loop_test(tc, chains_at_every_cut, 0, 2);
	return run_case("core/crc32c", tc);
}
