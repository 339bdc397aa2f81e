/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/answer.h"

struct dns_answer *
dns_answer_new(enum dns_status status, uint32_t ttl_s, unsigned count, const void *records, size_t size)
{
	struct dns_answer *a;

	INVARIANT(count <= UINT16_MAX && size <= UINT16_MAX);
	a = malloc(sizeof(*a) + size);
	if (a == NULL)
		return NULL;
	*a = (struct dns_answer){ .references = 1, .ttl_s = ttl_s, .status = status, .count = (uint16_t)count,
				  .size = (uint16_t)size };
	if (size)
		memcpy(a->records, records, size);
	return a;
}

struct dns_answer *
dns_answer_get(struct dns_answer *a)
{
	a->references++;
	return a;
}

void
dns_answer_put(struct dns_answer *a)
{
	if (a == NULL)
		return;
	INVARIANT(a->references > 0);
	if (--a->references == 0)
		free(a);
}

bool
dns_answer_host(const struct dns_answer *a, size_t *at, struct dns_host *out)
{
	const uint8_t *r = a->records + *at;

	if (*at == a->size)
		return false;
	out->preference = (uint16_t)(r[0] << 8 | r[1]);
	out->name = span_make(r + 3, r[2]);
	*at += 3u + r[2];
	INVARIANT(*at <= a->size);
	return true;
}

struct endpoint
dns_answer_address(const struct dns_answer *a, enum dns_type type, unsigned i)
{
	INVARIANT(i < a->count);
	return type == DNS_TYPE_A ? endpoint_from_ipv4(a->records + (size_t)i * 4, 0)
				  : endpoint_from_ipv6(a->records + (size_t)i * 16, 0);
}
