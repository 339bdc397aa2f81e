/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With SSE 4.2 the processor does eight octets in three cycles; elsewhere a table of 256
 * words does one at a time.  The table is made at first use, once for all threads.
 */
#include "bench/checksum.h"

#include <pthread.h>

static const uint32_t polynomial = 0x82f63b78; /* reflected */

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ polynomial : c >> 1;
		table[i] = c;
	}
}

uint32_t
checksum_add_by_table(uint32_t crc, struct span bytes)
{
	(void)pthread_once(&table_once, table_make); /* cannot fail with a static control */
	crc = ~crc;
	for (size_t i = 0; i < bytes.len; i++)
		crc = crc >> 8 ^ table[(crc ^ (unsigned char)bytes.data[i]) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
checksum_add_by_sse42(uint32_t crc, struct span bytes)
{
	const char *at = bytes.data, *end = bytes.data + bytes.len;
	uint64_t c = ~crc;

	for (; end - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		c = __builtin_ia32_crc32di(c, word);
	}
	for (; at < end; at++)
		c = __builtin_ia32_crc32qi((uint32_t)c, (unsigned char)*at);
	return ~(uint32_t)c;
}
#endif

uint32_t
checksum_add(uint32_t crc, struct span bytes)
{
#ifdef __x86_64__
	if (LIKELY(__builtin_cpu_supports("sse4.2")))
		return checksum_add_by_sse42(crc, bytes);
#endif
	return checksum_add_by_table(crc, bytes);
}
