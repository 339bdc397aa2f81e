/* SPDX-License-Identifier: Apache-2.0 */
#include "core/siphash.h"

#include "tests/support/run.h"

/* The key 00 01 .. 0f and the first octets of 00 01 02 ..; values of the authors' own table. */
static const struct {
	size_t	 len;
	uint64_t want;
} rows[] = {
	{ 0, UINT64_C(0x726fdb47dd0e0e31) },
	{ 1, UINT64_C(0x74f839c593dc67fd) },
	{ 8, UINT64_C(0x93f5f5799a932462) },
	{ 15, UINT64_C(0xa129ca6149be45e5) },
};

static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

START_TEST(as_published)
{
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	ck_assert_msg(siphash(key, bytes, rows[_i].len) == rows[_i].want, "%zu octets: got %llx", rows[_i].len,
		      (unsigned long long)siphash(key, bytes, rows[_i].len));
}
END_TEST

START_TEST(the_key_counts)
{
	const uint64_t other[2] = { key[0], key[1] + 1 };

	ck_assert(siphash(key, "name", 4) != siphash(other, "name", 4));
}
END_TEST

int
main(void)
{
	TCase *t = case_new("siphash");

	tcase_add_loop_test(t, as_published, 0, COUNT_OF(rows));
	tcase_add_test(t, the_key_counts);
	return run_case("siphash", t);
}
