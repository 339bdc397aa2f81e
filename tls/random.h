/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/random.h - octets that nobody can guess, for keys made at start and kept in memory (the hash of the
 * table of clients, cookies).  BoringSSL's generator, seeded by the kernel, safe across fork, any thread.
 *
 * Not for what a simulation must repeat: ids, jitter and ports come from io_random().
 */
#ifndef TLS_RANDOM_H
#define TLS_RANDOM_H

#include "core/base.h"

/* Fills out.  Cannot fail: without a source of randomness the process ends, as BoringSSL does. */
void tls_random(void *out, size_t len);

#endif
