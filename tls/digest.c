/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/digest.h"

#include <openssl/sha.h>

_Static_assert(TLS_DIGEST_SIZE == SHA256_DIGEST_LENGTH, "SHA-256");

void
tls_digest_sha256(struct span bytes, uint8_t out[static TLS_DIGEST_SIZE])
{
	/* An empty span may have any pointer, also NULL. */
	SHA256(bytes.len ? (const uint8_t *)bytes.data : (const uint8_t *)"", bytes.len, out);
}

const char *
tls_digest_format(const uint8_t digest[static TLS_DIGEST_SIZE], char buffer[static TLS_DIGEST_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < TLS_DIGEST_SIZE; i++) {
		buffer[2 * i] = digits[digest[i] >> 4];
		buffer[2 * i + 1] = digits[digest[i] & 15];
	}
	buffer[2 * TLS_DIGEST_SIZE] = 0;
	return buffer;
}
