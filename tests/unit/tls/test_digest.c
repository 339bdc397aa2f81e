/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/digest.h"

#include "tests/support/run.h"

/* FIPS 180-4 examples, and lengths around the padding of a block. */
static const struct {
	const char *label, *text;
	unsigned    repeat;
	const char *want;
} cases[] = {
	{ "empty", "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "one block", "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "a million", "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

START_TEST(known_digests)
{
	size_t	len = strlen(cases[_i].text), total = len * cases[_i].repeat;
	char   *text = malloc(total + 1), hex[TLS_DIGEST_TEXT_MAX];
	uint8_t digest[TLS_DIGEST_SIZE];

	for (size_t i = 0; i < total; i++)
		text[i] = cases[_i].text[i % len];
	tls_digest_sha256(span_make(text, total), digest);
	ck_assert_msg(strcmp(tls_digest_format(digest, hex), cases[_i].want) == 0, "%s: %s", cases[_i].label, hex);
	free(text);
} END_TEST

START_TEST(an_empty_span_needs_no_pointer)
{
	uint8_t a[TLS_DIGEST_SIZE], b[TLS_DIGEST_SIZE];

	tls_digest_sha256(span_make(NULL, 0), a);
	tls_digest_sha256(SPAN_LITERAL(""), b);
	ck_assert_mem_eq(a, b, sizeof(a));
} END_TEST

int
main(void)
{
	TCase *tc = case_new("digest");

	tcase_add_loop_test(tc, known_digests, 0, COUNT_OF(cases));
	tcase_add_test(tc, an_empty_span_needs_no_pointer);
	return run_case("tls/digest", tc);
}
