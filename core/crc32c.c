/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor's own instruction (SSE4.2) takes eight octets in three cycles but can start one each
 * cycle: so three stretches run side by side and are joined by multiplying with x^(8*STRETCH) in
 * GF(2), done by table.  Without the instruction: slicing by eight.
 */
#include "core/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */

enum { STRETCH = 256 }; /* octets of each of the three */

static uint32_t slice[8][256];
static uint32_t shift_one[4][256]; /* crc moved over STRETCH zero octets, by each of its octets */
static bool	hardware;

__attribute__((constructor)) static void
crc32c_tables(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		slice[0][n] = c;
	}
	for (uint32_t n = 0; n < 256; n++)
		for (int k = 1; k < 8; k++)
			slice[k][n] = slice[k - 1][n] >> 8 ^ slice[0][slice[k - 1][n] & 255];
	for (uint32_t n = 0; n < 256; n++)
		for (int k = 0; k < 4; k++) {
			uint32_t c = n << (8 * k);

			for (int i = 0; i < STRETCH; i++)
				c = c >> 8 ^ slice[0][c & 255];
			shift_one[k][n] = c;
		}
#ifdef __x86_64__
	__builtin_cpu_init();
	hardware = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

static uint32_t
crc_by_table(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		word ^= crc; /* little-endian: the header of docs/queue-format.md says so */
		crc = slice[7][word & 255] ^ slice[6][word >> 8 & 255] ^ slice[5][word >> 16 & 255] ^
		      slice[4][word >> 24 & 255] ^ slice[3][word >> 32 & 255] ^ slice[2][word >> 40 & 255] ^
		      slice[1][word >> 48 & 255] ^ slice[0][word >> 56];
	}
	while (len--)
		crc = crc >> 8 ^ slice[0][(crc ^ *p++) & 255];
	return crc;
}

#ifdef __x86_64__
static uint32_t
shifted(uint32_t crc)
{
	return shift_one[0][crc & 255] ^ shift_one[1][crc >> 8 & 255] ^ shift_one[2][crc >> 16 & 255] ^
	       shift_one[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t
crc_by_hardware(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len >= 3 * STRETCH) {
		uint64_t a = crc, b = 0, c = 0;

		for (size_t i = 0; i < STRETCH; i += 8) {
			uint64_t x, y, z;

			memcpy(&x, p + i, 8);
			memcpy(&y, p + STRETCH + i, 8);
			memcpy(&z, p + 2 * STRETCH + i, 8);
			a = __builtin_ia32_crc32di(a, x);
			b = __builtin_ia32_crc32di(b, y);
			c = __builtin_ia32_crc32di(c, z);
		}
		crc = shifted(shifted((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
		p += 3 * STRETCH;
		len -= 3 * STRETCH;
	}
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t x;

		memcpy(&x, p, 8);
		crc = (uint32_t)__builtin_ia32_crc32di(crc, x);
	}
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	crc = ~crc;
#ifdef __x86_64__
	if (LIKELY(hardware))
		return ~crc_by_hardware(crc, data, len);
#endif
	return ~crc_by_table(crc, data, len);
}
