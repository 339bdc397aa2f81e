/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/base.h - the few words every file here may use without saying so.
 *
 * INVARIANT(x)  a fact about our own code.  It stays on in release: an accepted message is on
 *               disk, so stopping is safe and guessing is not.  Bytes from the network, DNS, disk
 *               or settings never reach one; those get an error.
 * MUST_CHECK    the compiler complains when a caller drops the result.
 * CONTAINER_OF  from a member's address to the struct that embeds it.
 *
 * The end of this header poisons the calls we avoid, so including it last of the system headers
 * and first of ours is the right order (conventions: own header, system, ours).
 */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MUST_CHECK	   __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)  __attribute__((format(printf, f, a)))
#define COUNT_OF(array)	   (sizeof(array) / sizeof((array)[0]))
#define LIKELY(x)	   __builtin_expect(!!(x), 1)
#define UNLIKELY(x)	   __builtin_expect(!!(x), 0)

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Says file, line and the condition on standard error, then aborts.  Never returns. */
_Noreturn void invariant_failed(const char *file, int line, const char *what);

#define INVARIANT(x)                                                                               \
	do {                                                                                       \
		if (UNLIKELY(!(x)))                                                                \
			invariant_failed(__FILE__, __LINE__, #x);                                  \
	} while (0)

/* No copy that cannot say how much room there is, no parser that cannot say where it failed. */
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof

#endif
