/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/order.h"

_Static_assert((int)DNS_ADDRESSES_MAX <= (int)DNS_HOSTS_MAX, "each family has chances of its own");

void
dns_order_hosts(const struct dns_answer *mx, const struct dns_chance *chance, struct dns_hosts *out)
{
	size_t	 at = 0;
	unsigned n = 0, first = 0; /* of those with equal preference */

	*out = (struct dns_hosts){ 0 };
	for (; n < DNS_HOSTS_MAX && dns_answer_host(mx, &at, &out->host[n]); n++) {
		struct dns_host h = out->host[n];
		unsigned	place;

		if (h.preference != out->host[first].preference)
			first = n;
		/* Each newcomer changes places with one of its equals, itself among them. */
		place = first + chance->of[n] % (n - first + 1);
		out->host[n] = out->host[place];
		out->host[place] = h;
	}
	out->count = n;
}

struct family {
	unsigned	count, at;
	struct endpoint ip[DNS_ADDRESSES_MAX];
};

static void
shuffle(struct family *f, const struct dns_answer *a, enum dns_type type, const uint16_t *chance)
{
	f->count = f->at = 0;
	for (unsigned n = 0; a && n < a->count; n++) {
		unsigned place = chance[n] % (n + 1);

		f->ip[n] = f->ip[place];
		f->ip[place] = dns_answer_address(a, type, n);
		f->count++;
	}
}

void
dns_order_addresses(const struct dns_answer *a, const struct dns_answer *aaaa, const struct dns_chance *chance,
		    struct dns_addresses *out)
{
	struct family family[2]; /* IPv6, IPv4 */
	unsigned      turn = 0;

	shuffle(&family[0], aaaa, DNS_TYPE_AAAA, chance->of);
	shuffle(&family[1], a, DNS_TYPE_A, chance->of + DNS_HOSTS_MAX);
	out->count = 0;
	while (out->count < DNS_ADDRESSES_MAX) {
		struct family *f = &family[turn % 2];

		if (f->at == f->count)
			f = &family[++turn % 2];
		if (f->at == f->count)
			return;
		out->at[out->count++] = f->ip[f->at++];
		turn++;
	}
}
