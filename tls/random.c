/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/random.h"

#include <openssl/rand.h>

void
tls_random(void *out, size_t len)
{
	/* BoringSSL documents that this returns 1 or does not return. */
	(void)RAND_bytes(out, len);
}
