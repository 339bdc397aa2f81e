/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/digest.h - SHA-256 (FIPS 180-4) for the floors above: telling two texts apart by a short name that
 * nobody can arrange to be equal.  Pure; any thread.
 */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include "core/span.h"

enum {
	TLS_DIGEST_SIZE	    = 32, /* octets of a digest */
	TLS_DIGEST_TEXT_MAX = 65, /* octets of its hexadecimal form, with the NUL */
};

/* The digest of all bytes; the empty span has one too. */
void tls_digest_sha256(struct span bytes, uint8_t out[static TLS_DIGEST_SIZE]);

/* 64 lower-case hexadecimal digits and a NUL; returns buffer. */
const char *tls_digest_format(const uint8_t digest[static TLS_DIGEST_SIZE],
			      char	    buffer[static TLS_DIGEST_TEXT_MAX]);

#endif
