/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base.h"

_Noreturn void
invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "ringpost: %s:%d: invariant does not hold: %s\n", file, line, what);
	fflush(stderr);
	abort();
}
