/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/random.h"

#include "tests/support/run.h"

/* Two keys of 128 bits are never equal, and each octet of the buffer is reached: one that stays zero in
 * 64 fills has a chance of 2^-512. */
START_TEST(fills_all_of_it_and_never_twice_the_same)
{
	uint8_t seen[37] = { 0 }, last[37] = { 0 };

	for (unsigned round = 0; round < 64; round++) {
		uint8_t now[37] = { 0 };

		tls_random(now, sizeof(now));
		ck_assert_mem_ne(now, last, sizeof(now));
		for (size_t i = 0; i < sizeof(now); i++)
			seen[i] |= now[i];
		memcpy(last, now, sizeof(now));
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		ck_assert_msg(seen[i] != 0, "octet %zu", i);
} END_TEST

START_TEST(writes_no_more_than_asked)
{
	uint8_t room[8];

	for (size_t len = 0; len < sizeof(room); len++) {
		memset(room, 0x5a, sizeof(room));
		tls_random(room, len);
		for (size_t i = len; i < sizeof(room); i++)
			ck_assert_uint_eq(room[i], 0x5a);
	}
} END_TEST

int
main(void)
{
	TCase *tc = case_new("random");

	tcase_add_test(tc, fills_all_of_it_and_never_twice_the_same);
	tcase_add_test(tc, writes_no_more_than_asked);
	return run_case("tls/random", tc);
}
