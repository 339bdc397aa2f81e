/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dns/packet.h"

#include <arpa/inet.h>

void
packet_octets(struct packet *p, const void *octets, size_t len)
{
	INVARIANT(p->len + len <= sizeof(p->at));
	memcpy(p->at + p->len, octets, len);
	p->len += len;
}

void
packet_16(struct packet *p, unsigned v)
{
	packet_octets(p, (const uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

void
packet_32(struct packet *p, uint32_t v)
{
	packet_16(p, v >> 16);
	packet_16(p, v & 0xffff);
}

void
packet_name(struct packet *p, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		uint8_t len = (uint8_t)strcspn(name, ".");

		packet_octets(p, &len, 1);
		packet_octets(p, name, len);
		name += len + (name[len] == '.');
	}
	packet_octets(p, "", 1);
}

void
packet_begin(struct packet *p, unsigned id, unsigned flags, const char *name, unsigned type)
{
	p->len = 0;
	packet_16(p, id);
	packet_16(p, flags);
	packet_16(p, 1);
	packet_octets(p, "\0\0\0\0\0", 6);
	packet_name(p, name);
	packet_16(p, type);
	packet_16(p, 1);
}

size_t
packet_record(struct packet *p, unsigned section, const char *owner, unsigned type, uint32_t ttl)
{
	unsigned records = (unsigned)(p->at[section] << 8 | p->at[section + 1]) + 1;

	p->at[section] = (uint8_t)(records >> 8);
	p->at[section + 1] = (uint8_t)records;
	packet_name(p, owner);
	packet_16(p, type);
	packet_16(p, 1);
	packet_32(p, ttl);
	packet_16(p, 0);
	return p->len;
}

void
packet_end(struct packet *p, size_t record)
{
	size_t len = p->len - record;

	p->at[record - 2] = (uint8_t)(len >> 8);
	p->at[record - 1] = (uint8_t)len;
}

void
packet_address(struct packet *p, const char *owner, uint32_t ttl, const char *ip)
{
	bool	ipv6 = strchr(ip, ':') != NULL;
	uint8_t octets[16];
	size_t	record = packet_record(p, PACKET_ANSWER, owner, ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A, ttl);

	INVARIANT(inet_pton(ipv6 ? AF_INET6 : AF_INET, ip, octets) == 1);
	packet_octets(p, octets, ipv6 ? 16 : 4);
	packet_end(p, record);
}

void
packet_mx(struct packet *p, const char *owner, uint32_t ttl, unsigned preference, const char *host)
{
	size_t record = packet_record(p, PACKET_ANSWER, owner, DNS_TYPE_MX, ttl);

	packet_16(p, preference);
	packet_name(p, host);
	packet_end(p, record);
}

void
packet_cname(struct packet *p, const char *owner, uint32_t ttl, const char *target)
{
	size_t record = packet_record(p, PACKET_ANSWER, owner, DNS_TYPE_CNAME, ttl);

	packet_name(p, target);
	packet_end(p, record);
}

void
packet_soa(struct packet *p, const char *zone, uint32_t ttl, uint32_t minimum)
{
	size_t record = packet_record(p, PACKET_AUTHORITY, zone, DNS_TYPE_SOA, ttl);

	packet_name(p, "ns.example");
	packet_name(p, "root.example");
	for (unsigned i = 0; i < 4; i++)
		packet_32(p, i);
	packet_32(p, minimum);
	packet_end(p, record);
}

struct dns_wire_question
packet_question(struct span packet, char *name)
{
	const uint8_t		*at = (const uint8_t *)packet.data;
	struct dns_wire_question q = { .type = DNS_TYPE_MX, .id = packet.len >= 2 ? (uint16_t)(at[0] << 8 | at[1]) : 0 };
	size_t			 end = 12, len = 0;
	unsigned		 type;

	while (end < packet.len && at[end] && at[end] < 64)
		end += at[end] + 1u;
	if (end + 2 < packet.len && at[end] == 0 &&
	    dns_name_from_wire(span_make(packet.data + 12, end - 11), name, &len) && len) {
		type = (unsigned)at[end + 1] << 8 | at[end + 2];
		if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA)
			q.type = (enum dns_type)type;
	} else {
		len = dns_name_read(SPAN_LITERAL("example.com"), name);
	}
	q.name = span_make(name, len);
	return q;
}

void
packet_check(const struct dns_answer *a, enum dns_type type)
{
	INVARIANT((a->count > 0) == (a->status == DNS_OK));
	INVARIANT(a->ttl_s <= INT32_MAX);
	if (type == DNS_TYPE_MX) {
		struct dns_host h, before = { .preference = 0 };
		char		again[DNS_NAME_TEXT_MAX];
		size_t		at = 0;
		unsigned	count = 0;

		for (; dns_answer_host(a, &at, &h); before = h, count++) {
			INVARIANT(h.preference >= before.preference);
			INVARIANT(dns_name_read(h.name, again) == h.name.len);
			INVARIANT(memcmp(again, h.name.data, h.name.len) == 0);
		}
		INVARIANT(count == a->count && count <= DNS_HOSTS_MAX && at == a->size);
		return;
	}
	INVARIANT(a->count <= DNS_ADDRESSES_MAX && a->size == a->count * (type == DNS_TYPE_A ? 4u : 16u));
	for (unsigned i = 0; i < a->count; i++) {
		struct endpoint e = dns_answer_address(a, type, i);

		INVARIANT(endpoint_is_ipv4(&e) == (type == DNS_TYPE_A));
	}
}
