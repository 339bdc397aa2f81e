/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/checksum.h - CRC-32C (RFC 3720 appendix B.4) of message texts, for the ledgers.  Both
 * ends are ours and nobody forges, so a checksum that costs half a microsecond for 4 KiB is right; the size stands beside it.
 * It is the bench's own: what the measured queue uses to check its records must not vouch for itself.
 */
#ifndef BENCH_CHECKSUM_H
#define BENCH_CHECKSUM_H

#include "core/span.h"

/* Start with 0; feeding a text in pieces gives the same as feeding it whole. */
uint32_t checksum_add(uint32_t crc, struct span bytes);
/* The portable way, whatever the processor offers; for the test. */
uint32_t checksum_add_by_table(uint32_t crc, struct span bytes);

#endif
