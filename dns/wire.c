/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer is walked twice.  The first walk only measures: every name ends, its pointers lead strictly backward and are
 * few, every record lies inside the packet, the records are few.  What it costs is bounded by the length of the packet.  The
 * names of records that matter (class IN; of the type asked for, or CNAME) are then expanded by ldns and compared.
 *
 * Tried and left: reading whole records and making queries by ldns.  It follows as many pointers as a packet has octets,
 * again for each name, and where an allocation fails ldns_wire2rr() and ldns_pkt_query_new() write through a null
 * pointer and ldns_wire2rdf() forgets what it has.  A query is a few stores, and so are the four kinds of data we read.
 */
#include "dns/wire.h"

#include <ldns/ldns.h>

#include "dns/limits.h"

enum {
	HEADER = 12,
	CLASS_IN = 1,
	FLAG_QR = 0x80, /* of the third octet */
	FLAG_TC = 0x02,
	FLAG_RD = 0x01,
	OPCODE = 0x78,
};

_Static_assert((int)DNS_TYPE_MX == (int)LDNS_RR_TYPE_MX && (int)DNS_TYPE_AAAA == (int)LDNS_RR_TYPE_AAAA,
	       "both are RFC 1035's numbers");

enum section { ANSWER, AUTHORITY, ADDITIONAL, SECTIONS };

struct packet {
	const uint8_t *at;
	size_t	       len;
};

static unsigned
load16(struct packet p, size_t at)
{
	return (unsigned)p.at[at] << 8 | p.at[at + 1];
}

static uint32_t
load32(struct packet p, size_t at)
{
	return (uint32_t)load16(p, at) << 16 | load16(p, at + 2);
}

/* --- queries ------------------------------------------------------------------------------------------- */

static uint8_t *
store16(uint8_t *at, unsigned v)
{
	*at++ = (uint8_t)(v >> 8);
	*at++ = (uint8_t)v;
	return at;
}

size_t
dns_wire_query(const struct dns_wire_question *q, bool edns, uint8_t out[static DNS_WIRE_QUERY_MAX])
{
	uint8_t *at = store16(out, q->id);

	at = store16(at, FLAG_RD << 8);
	at = store16(at, 1); /* a question, */
	at = store16(at, 0);
	at = store16(at, 0);
	at = store16(at, edns); /* and an OPT record (RFC 6891 section 6.1.2) */
	at += dns_name_to_wire(q->name, at);
	at = store16(at, q->type);
	at = store16(at, CLASS_IN);
	if (edns) {
		*at++ = 0; /* the root */
		at = store16(at, DNS_TYPE_OPT);
		at = store16(at, DNS_UDP_OCTETS);
		at = store16(at, 0); /* no extended RCODE, version 0 */
		at = store16(at, 0);
		at = store16(at, 0); /* no options */
	}
	return (size_t)(at - out);
}

/* --- the first walk -------------------------------------------------------------------------------------- */

/* Where the name at `at` ends in its place (behind the first pointer, if it has one); 0 when it is not sound. */
static size_t
name_end(struct packet p, size_t at)
{
	size_t	 end = 0, octets = 1, before = at;
	unsigned pointers = 0;

	while (at < p.len) {
		unsigned c = p.at[at];

		if (c == 0)
			return end ? end : at + 1;
		if (c <= DNS_LABEL_MAX) {
			octets += c + 1;
			at += c + 1;
			if (octets > DNS_NAME_WIRE_MAX)
				return 0;
			continue;
		}
		if (c < 0xc0 || at + 1 >= p.len || pointers++ == DNS_POINTERS_MAX)
			return 0;
		if (end == 0)
			end = at + 2;
		at = load16(p, at) & 0x3fff;
		/* Strictly backward, so there is no circle. */
		if (at >= before || at < HEADER)
			return 0;
		before = at;
	}
	return 0;
}

struct record {
	size_t	     start, data, end;
	unsigned     type, class;
	uint32_t     ttl;
	enum section section;
};

/* Does the record's data have the shape of its type, one of those that matter? */
static bool
shape_is_right(struct packet p, const struct record *r)
{
	size_t at;

	switch (r->type) {
	case DNS_TYPE_A:
		return r->end - r->data == 4;
	case DNS_TYPE_AAAA:
		return r->end - r->data == 16;
	case DNS_TYPE_CNAME:
		return name_end(p, r->data) == r->end;
	case DNS_TYPE_MX:
		return r->end - r->data > 2 && name_end(p, r->data + 2) == r->end;
	case DNS_TYPE_SOA:
		at = name_end(p, r->data);
		at = at ? name_end(p, at) : 0;
		return at && at + 20 == r->end;
	default:
		return false;
	}
}

/* The record at *at, which moves behind it. */
static bool
next_record(struct packet p, size_t *at, struct record *r)
{
	size_t head = name_end(p, *at);

	if (head == 0 || p.len - head < 10)
		return false;
	r->start = *at;
	r->type = load16(p, head);
	r->class = load16(p, head + 2);
	r->ttl = load32(p, head + 4);
	r->data = head + 10;
	r->end = r->data + load16(p, head + 8);
	*at = r->end;
	return r->end <= p.len;
}

/* A record that the second walk looks at. */
struct found {
	unsigned  type;
	uint32_t  ttl;
	ldns_rdf *owner;
	ldns_rdf *target; /* of CNAME and MX */
	size_t	  data;
};

struct content {
	struct packet packet;
	unsigned      count;
	bool	      has_soa, has_ns;
	uint32_t      negative_ttl;
	unsigned      rcode_high; /* of EDNS0 */
	struct found  found[DNS_RECORDS_MAX]; /* in the answer section: of the type asked for, and CNAMEs */
};

static void
content_fini(struct content *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		ldns_rdf_deep_free(c->found[i].owner);
		ldns_rdf_deep_free(c->found[i].target);
	}
}

/* RFC 2181 section 8 */
static uint32_t
ttl_of(uint32_t ttl)
{
	return ttl > INT32_MAX ? 0 : ttl;
}

static ldns_rdf *
expand(struct packet p, size_t at)
{
	ldns_rdf *name = NULL;

	return ldns_wire2dname(&name, p.at, p.len, &at) == LDNS_STATUS_OK ? name : NULL;
}

/* False: its data has not the shape of its type, or memory is out. */
static bool
take_answer(struct content *c, const struct record *r)
{
	struct found *f = &c->found[c->count];

	if (!shape_is_right(c->packet, r))
		return false;
	*f = (struct found){ .type = r->type, .ttl = ttl_of(r->ttl), .data = r->data };
	c->count++;
	f->owner = expand(c->packet, r->start);
	if (r->type == DNS_TYPE_CNAME || r->type == DNS_TYPE_MX)
		f->target = expand(c->packet, r->type == DNS_TYPE_MX ? r->data + 2 : r->data);
	return f->owner && (f->target || r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA);
}

static bool
take_soa(struct content *c, const struct record *r)
{
	if (!shape_is_right(c->packet, r))
		return false;
	c->has_soa = true;
	c->negative_ttl = MIN_OF(ttl_of(r->ttl), ttl_of(load32(c->packet, r->end - 4)));
	return true;
}

static bool
take_record(struct content *c, const struct record *r, enum dns_type wanted)
{
	if (r->type == DNS_TYPE_OPT && r->section == ADDITIONAL)
		c->rcode_high = r->ttl >> 24;
	if (r->class != CLASS_IN)
		return true;
	if (r->section == ANSWER && (r->type == (unsigned)wanted || r->type == DNS_TYPE_CNAME))
		return take_answer(c, r);
	if (r->section == AUTHORITY && r->type == DNS_TYPE_SOA && !c->has_soa)
		return take_soa(c, r);
	if (r->section == AUTHORITY && r->type == LDNS_RR_TYPE_NS)
		c->has_ns = true;
	return true;
}

static bool
take_records(struct content *c, size_t at, enum dns_type wanted)
{
	unsigned counts[SECTIONS] = { load16(c->packet, 6), load16(c->packet, 8), load16(c->packet, 10) };

	if (counts[ANSWER] + counts[AUTHORITY] + counts[ADDITIONAL] > DNS_RECORDS_MAX)
		return false;
	for (unsigned s = ANSWER; s < SECTIONS; s++)
		for (unsigned i = 0; i < counts[s]; i++) {
			struct record r = { .section = (enum section)s };

			if (!next_record(c->packet, &at, &r) || !take_record(c, &r, wanted))
				return false;
		}
	return true;
}

/* --- the second walk --------------------------------------------------------------------------------------- */

static struct span
octets_of(const ldns_rdf *f)
{
	return span_make(ldns_rdf_data(f), ldns_rdf_size(f));
}

/* Names on the wire are compared as octets: those of lengths, at most 63, are no letters. */
static bool
is_of(const struct found *f, enum dns_type type, struct span owner)
{
	return f->type == (unsigned)type && span_equal_nocase(octets_of(f->owner), owner);
}

/* Follows CNAMEs from *owner; false when they do not end. */
static bool
follow(const struct content *c, enum dns_type wanted, struct span *owner, uint32_t *ttl)
{
	for (unsigned hops = 0; hops <= DNS_CNAMES_MAX; hops++) {
		const struct found *alias = NULL;

		for (unsigned i = 0; i < c->count; i++) {
			if (is_of(&c->found[i], wanted, *owner))
				return true;
			if (is_of(&c->found[i], DNS_TYPE_CNAME, *owner))
				alias = &c->found[i];
		}
		if (alias == NULL)
			return true;
		*owner = octets_of(alias->target);
		*ttl = MIN_OF(*ttl, alias->ttl);
	}
	return false;
}

struct exchanger {
	uint16_t preference;
	uint8_t	 len;
	char	 name[DNS_NAME_TEXT_MAX];
};

struct exchangers {
	unsigned	 count;
	bool		 root_seen;
	struct exchanger at[DNS_HOSTS_MAX];
};

static struct dns_answer *
none_usable(uint32_t ttl)
{
	struct dns_answer *a = dns_answer_new(DNS_NONE, ttl, 0, NULL, 0);

	if (a)
		a->unusable = true;
	return a;
}

/* Keeps them in order; when all places are taken the last one goes. */
static void
take_exchanger(struct exchangers *list, struct packet p, const struct found *f)
{
	struct exchanger e;
	size_t		 len;
	unsigned	 i;

	if (!dns_name_from_wire(octets_of(f->target), e.name, &len))
		return;
	if (len == 0) {
		list->root_seen = true;
		return;
	}
	e.preference = (uint16_t)load16(p, f->data);
	e.len = (uint8_t)len;
	if (list->count == DNS_HOSTS_MAX && list->at[DNS_HOSTS_MAX - 1].preference <= e.preference)
		return;
	if (list->count < DNS_HOSTS_MAX)
		list->count++;
	for (i = list->count - 1; i > 0 && list->at[i - 1].preference > e.preference; i--)
		list->at[i] = list->at[i - 1];
	list->at[i] = e;
}

static struct dns_answer *
answer_of_exchangers(const struct content *c, struct span owner, uint32_t ttl)
{
	struct exchangers list = { 0 };
	uint8_t		  packed[DNS_HOSTS_MAX * sizeof(struct exchanger)];
	size_t		  at = 0;

	for (unsigned i = 0; i < c->count; i++)
		if (is_of(&c->found[i], DNS_TYPE_MX, owner)) {
			take_exchanger(&list, c->packet, &c->found[i]);
			ttl = MIN_OF(ttl, c->found[i].ttl);
		}
	if (list.count == 0)
		return list.root_seen ? dns_answer_new(DNS_NULL_MX, ttl, 0, NULL, 0) : none_usable(ttl);
	for (unsigned i = 0; i < list.count; i++) {
		const struct exchanger *e = &list.at[i];

		packed[at++] = (uint8_t)(e->preference >> 8);
		packed[at++] = (uint8_t)e->preference;
		packed[at++] = e->len;
		memcpy(packed + at, e->name, e->len);
		at += e->len;
	}
	return dns_answer_new(DNS_OK, ttl, list.count, packed, at);
}

/* 0.0.0.0 and :: would reach ourselves; an IPv4 address inside AAAA goes around what holds for IPv4. */
static bool
is_usable(const uint8_t *ip, size_t size)
{
	static const uint8_t none[16], mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip, none, size) != 0 && (size == 4 || memcmp(ip, mapped, sizeof(mapped)) != 0);
}

static struct dns_answer *
answer_of_addresses(const struct content *c, enum dns_type type, struct span owner, uint32_t ttl)
{
	uint8_t	 packed[DNS_ADDRESSES_MAX * 16];
	size_t	 size = type == DNS_TYPE_A ? 4 : 16;
	unsigned count = 0;

	for (unsigned i = 0; i < c->count && count < DNS_ADDRESSES_MAX; i++) {
		const uint8_t *ip = c->packet.at + c->found[i].data;

		if (!is_of(&c->found[i], type, owner))
			continue;
		ttl = MIN_OF(ttl, c->found[i].ttl);
		if (is_usable(ip, size))
			memcpy(packed + size * count++, ip, size);
	}
	return count ? dns_answer_new(DNS_OK, ttl, count, packed, size * count) : none_usable(ttl);
}

static struct dns_answer *
answer_of(const struct content *c, enum dns_type wanted, struct span owner, bool no_name)
{
	uint32_t ttl = INT32_MAX;
	bool	 found = false;

	if (!follow(c, wanted, &owner, &ttl))
		return dns_answer_new(DNS_FAILED, 0, 0, NULL, 0);
	for (unsigned i = 0; i < c->count && !found; i++)
		found = is_of(&c->found[i], wanted, owner);
	if (found)
		return wanted == DNS_TYPE_MX ? answer_of_exchangers(c, owner, ttl)
					     : answer_of_addresses(c, wanted, owner, ttl);
	/* Without SOA "there is none" is not for keeping; with NS instead it is "ask somebody else". */
	if (!no_name && !c->has_soa && c->has_ns)
		return dns_answer_new(DNS_FAILED, 0, 0, NULL, 0);
	ttl = MIN_OF(ttl, c->has_soa ? c->negative_ttl : 0);
	return dns_answer_new(no_name ? DNS_NXDOMAIN : DNS_NONE, ttl, 0, NULL, 0);
}

/* The end of the question section when it is ours, else 0. */
static size_t
question_end(struct packet p, const struct dns_wire_question *q, struct span name)
{
	size_t end = name_end(p, HEADER);

	if (end == 0 || p.len - end < 4 || load16(p, end) != (unsigned)q->type || load16(p, end + 2) != CLASS_IN)
		return 0;
	return span_equal_nocase(span_make(p.at + HEADER, end - HEADER), name) ? end + 4 : 0;
}

enum dns_wire_verdict
dns_wire_read(struct span bytes, const struct dns_wire_question *q, struct dns_answer **out)
{
	struct content c = { .packet = { (const uint8_t *)bytes.data, bytes.len } };
	struct packet  p = c.packet;
	uint8_t	       wire[DNS_NAME_WIRE_MAX];
	struct span    name = span_make(wire, dns_name_to_wire(q->name, wire));
	unsigned       rcode;
	bool	       old;
	size_t	       at;

	*out = NULL;
	if (p.len < HEADER || p.len > DNS_WIRE_PACKET_MAX || load16(p, 0) != q->id || !(p.at[2] & FLAG_QR) ||
	    (p.at[2] & OPCODE))
		return DNS_WIRE_STRANGE;
	rcode = p.at[3] & 0x0f;
	old = rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL;
	if (load16(p, 4) == 0 && old) /* who could not read the question does not repeat it */
		return DNS_WIRE_NO_EDNS;
	if (load16(p, 4) != 1 || (at = question_end(p, q, name)) == 0)
		return DNS_WIRE_STRANGE;
	if (old)
		return DNS_WIRE_NO_EDNS;
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		return DNS_WIRE_REFUSED;
	if (p.at[2] & FLAG_TC)
		return DNS_WIRE_TRUNCATED;
	if (take_records(&c, at, q->type) && c.rcode_high == 0)
		*out = answer_of(&c, q->type, name, rcode == LDNS_RCODE_NXDOMAIN);
	content_fini(&c);
	if (c.rcode_high)
		return DNS_WIRE_REFUSED;
	return *out ? DNS_WIRE_ANSWER : DNS_WIRE_BROKEN;
}
