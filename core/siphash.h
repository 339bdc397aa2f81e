/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/siphash.h - SipHash-2-4 (Aumasson and Bernstein, 2012): a hash with a secret key, for tables whose keys
 * strangers choose.  Without the key nobody finds two that meet.  No use where two parties must agree on a value, or
 * against forgery.
 */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include "core/base.h"

uint64_t siphash(const uint64_t key[static 2], const void *bytes, size_t len);

#endif
