/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4), what guards each record on disk.
 * Chainable: crc32c(crc32c(0, a), b) is that of a followed by b.
 */
#ifndef CORE_CRC32C_H
#define CORE_CRC32C_H

#include "core/base.h"

uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
