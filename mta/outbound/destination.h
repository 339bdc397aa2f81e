/* SPDX-License-Identifier: Apache-2.0 */
#ifndef D_TMP
#define D_TMP
#include "mta/outbound/outbound_internal.h"
void destination_accept(struct outbound *out, struct delivery *d);
#endif
