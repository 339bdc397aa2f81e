/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/wire.h"

#include <dirent.h>

#include "dns/limits.h"
#include "tests/support/run.h"
#include "tests/unit/dns/packet.h"

enum { ID = 0x1234 };

static struct packet p;

/* --- queries --------------------------------------------------------------------------------------------- */

START_TEST(query)
{
	const struct dns_wire_question q = { SPAN_LITERAL("a.example"), DNS_TYPE_MX, ID };
	uint8_t			       out[DNS_WIRE_QUERY_MAX];
	size_t			       len;

	packet_begin(&p, ID, 0x0100, "a.example", DNS_TYPE_MX);
	len = dns_wire_query(&q, false, out);
	ck_assert_uint_eq(len, p.len);
	ck_assert_mem_eq(out, p.at, len);
	/* An OPT record of the root, its class the size we take. */
	p.at[PACKET_ADDITIONAL + 1] = 1;
	packet_octets(&p, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
	len = dns_wire_query(&q, true, out);
	ck_assert_uint_eq(len, p.len);
	ck_assert_mem_eq(out, p.at, len);
}
END_TEST

START_TEST(query_of_the_longest_name)
{
	char		 name[DNS_NAME_TEXT_MAX];
	uint8_t		 out[DNS_WIRE_QUERY_MAX];
	struct dns_wire_question q = { span_make(name, sizeof(name)), DNS_TYPE_A, ID };

	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	ck_assert_uint_eq(dns_wire_query(&q, true, out), DNS_WIRE_QUERY_MAX);
}
END_TEST

/* --- answers ------------------------------------------------------------------------------------------------ */

#define NAME "www.example"

static void
begin(unsigned flags, enum dns_type type)
{
	packet_begin(&p, ID, PACKET_RESPONSE | flags, NAME, type);
}

static void
one_address(void)
{
	begin(0, DNS_TYPE_A);
	packet_address(&p, NAME, 300, "192.0.2.1");
}

static void
other_case(void)
{
	packet_begin(&p, ID, PACKET_RESPONSE, "WWW.Example", DNS_TYPE_A);
	packet_address(&p, "www.EXAMPLE", 300, "192.0.2.1");
}

static void
two_ttls(void)
{
	one_address();
	packet_address(&p, NAME, 60, "192.0.2.2");
}

static void
address_of_another(void)
{
	one_address();
	packet_address(&p, "evil.example", 300, "192.0.2.66");
}

static void
ttl_above_the_sign(void)
{
	begin(0, DNS_TYPE_A);
	packet_address(&p, NAME, UINT32_C(0x80000001), "192.0.2.1");
}

static void
useless_addresses(void)
{
	begin(0, DNS_TYPE_A);
	packet_address(&p, NAME, 300, "0.0.0.0");
}

static void
many_addresses(void)
{
	char ip[16];

	begin(0, DNS_TYPE_A);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(ip, sizeof(ip), "192.0.2.%u", i);
		packet_address(&p, NAME, 300, ip);
	}
}

static void
many_records(void)
{
	begin(0, DNS_TYPE_A);
	for (unsigned i = 0; i <= DNS_RECORDS_MAX; i++)
		packet_address(&p, NAME, 300, "192.0.2.1");
}

static void
count_too_large(void)
{
	one_address();
	p.at[PACKET_ANSWER + 1] = 2;
}

static void
count_huge(void)
{
	one_address();
	p.at[PACKET_ANSWER] = p.at[PACKET_ANSWER + 1] = 0xff;
}

static void
additional_missing(void)
{
	one_address();
	p.at[PACKET_ADDITIONAL + 1] = 1;
}

static void
octets_behind(void)
{
	one_address();
	packet_octets(&p, "behind", 6);
}

static void
cut(void)
{
	one_address();
	p.len--;
}

static void
short_address(void)
{
	size_t record;

	begin(0, DNS_TYPE_A);
	record = packet_record(&p, PACKET_ANSWER, NAME, DNS_TYPE_A, 300);
	packet_octets(&p, "\1\2\3", 3);
	packet_end(&p, record);
}

static void
other_class(void)
{
	one_address();
	p.at[p.len - 11] = 3; /* in front of TTL, length and four octets */
}

static void
compressed(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 16);
}

static void
pointer_to_itself(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, (const uint8_t[]){ 0xc0, (uint8_t)p.len }, 2);
	packet_octets(&p, "\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 14);
}

static void
pointers_in_a_circle(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, (const uint8_t[]){ 1, 'a', 0xc0, (uint8_t)p.len }, 4);
	packet_octets(&p, "\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 14);
}

static void
pointer_forward(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, (const uint8_t[]){ 0xc0, (uint8_t)(p.len + 2) }, 2);
	packet_octets(&p, "\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 14);
}

static void
pointer_into_the_header(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, "\xc0\x04\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 16);
}

/* Each points to the one before it; the record's owner is the last of them. */
static void
pointers(unsigned count)
{
	size_t record, at = 12;

	begin(0, DNS_TYPE_A);
	record = packet_record(&p, PACKET_ANSWER, "x.example", TYPE_TXT, 1);
	for (unsigned i = 1; i < count; i++) {
		size_t next = p.len;

		packet_16(&p, 0xc000 | (unsigned)at);
		at = next;
	}
	packet_end(&p, record);
	p.at[PACKET_ANSWER + 1]++;
	packet_16(&p, 0xc000 | (unsigned)at);
	packet_octets(&p, "\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 14);
}

static void
pointers_at_the_limit(void)
{
	pointers(DNS_POINTERS_MAX);
}

static void
pointers_beyond(void)
{
	pointers(DNS_POINTERS_MAX + 1);
}

static void
label_type_unknown(void)
{
	begin(0, DNS_TYPE_A);
	p.at[PACKET_ANSWER + 1] = 1;
	packet_octets(&p, "\x41\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1", 16);
}

static void
one_alias(void)
{
	begin(0, DNS_TYPE_A);
	/* In whatever order. */
	packet_address(&p, "real.example", 300, "192.0.2.1");
	packet_cname(&p, NAME, 20, "real.example");
}

static void
aliases(unsigned count)
{
	char from[32] = NAME, to[32];

	begin(0, DNS_TYPE_A);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(to, sizeof(to), "a%u.example", i);
		packet_cname(&p, from, 300, to);
		memcpy(from, to, sizeof(from));
	}
	packet_address(&p, from, 300, "192.0.2.1");
}

static void
aliases_at_the_limit(void)
{
	aliases(DNS_CNAMES_MAX);
}

static void
aliases_beyond(void)
{
	aliases(DNS_CNAMES_MAX + 1);
}

static void
alias_of_itself(void)
{
	begin(0, DNS_TYPE_A);
	packet_cname(&p, NAME, 300, NAME);
}

static void
alias_circle(void)
{
	begin(0, DNS_TYPE_A);
	packet_cname(&p, NAME, 300, "b.example");
	packet_cname(&p, "b.example", 300, NAME);
}

static void
alias_to_nowhere(void)
{
	begin(PACKET_NXDOMAIN, DNS_TYPE_A);
	packet_cname(&p, NAME, 300, "b.example");
	packet_soa(&p, "example", 100, 50);
}

static void
alias_without_records(void)
{
	begin(0, DNS_TYPE_A);
	packet_cname(&p, NAME, 30, "b.example");
	packet_soa(&p, "example", 100, 50);
}

static void
cut_cname(void)
{
	size_t record;

	begin(0, DNS_TYPE_A);
	record = packet_record(&p, PACKET_ANSWER, NAME, DNS_TYPE_CNAME, 300);
	packet_octets(&p, "\3abc", 4);
	packet_end(&p, record);
}

static void
no_such_name(void)
{
	begin(PACKET_NXDOMAIN, DNS_TYPE_A);
	packet_soa(&p, "example", 50, 100);
}

static void
no_such_name_without_soa(void)
{
	begin(PACKET_NXDOMAIN, DNS_TYPE_A);
}

static void
none_of_the_type(void)
{
	begin(0, DNS_TYPE_A);
	packet_soa(&p, "example", 100, 50);
}

static void
none_without_soa(void)
{
	begin(0, DNS_TYPE_A);
}

static void
referral(void)
{
	size_t record;

	begin(0, DNS_TYPE_A);
	record = packet_record(&p, PACKET_AUTHORITY, "example", TYPE_NS, 300);
	packet_name(&p, "ns.example");
	packet_end(&p, record);
}

static void
short_soa(void)
{
	size_t record;

	begin(0, DNS_TYPE_A);
	record = packet_record(&p, PACKET_AUTHORITY, "example", DNS_TYPE_SOA, 300);
	packet_name(&p, "ns.example");
	packet_name(&p, "root.example");
	packet_octets(&p, "0123456789abcdef", 16); /* four numbers of five */
	packet_end(&p, record);
}

static void
opt(unsigned rcode_high)
{
	size_t record;

	none_of_the_type();
	record = packet_record(&p, PACKET_ADDITIONAL, ".", DNS_TYPE_OPT, (uint32_t)rcode_high << 24);
	packet_end(&p, record);
}

static void
with_opt(void)
{
	opt(0);
}

static void
bad_version(void)
{
	opt(1); /* 16, BADVERS, whose low bits say "no error" */
}

static void
server_failure(void)
{
	begin(PACKET_SERVFAIL, DNS_TYPE_A);
}

static void
refused(void)
{
	begin(5, DNS_TYPE_A);
}

static void
format_error(void)
{
	begin(1, DNS_TYPE_A);
}

static void
format_error_without_question(void)
{
	begin(1, DNS_TYPE_A);
	p.at[5] = 0;
	p.len = 12;
}

static void
truncated(void)
{
	one_address();
	p.at[2] |= PACKET_TRUNCATED >> 8;
}

static void
truncated_failure(void)
{
	server_failure();
	p.at[2] |= PACKET_TRUNCATED >> 8;
}

static void
wrong_id(void)
{
	one_address();
	p.at[1] ^= 1;
}

static void
a_query(void)
{
	one_address();
	p.at[2] &= 0x7f;
}

static void
another_opcode(void)
{
	one_address();
	p.at[2] |= 0x28;
}

static void
no_question(void)
{
	begin(0, DNS_TYPE_A);
	p.at[5] = 0;
	p.len = 12;
}

static void
two_questions(void)
{
	one_address();
	p.at[5] = 2;
}

static void
another_name(void)
{
	packet_begin(&p, ID, PACKET_RESPONSE, "wwx.example", DNS_TYPE_A);
	packet_address(&p, "wwx.example", 300, "192.0.2.1");
}

static void
another_type(void)
{
	begin(0, DNS_TYPE_AAAA);
	packet_address(&p, NAME, 300, "2001:db8::1");
}

static void
question_cut(void)
{
	begin(0, DNS_TYPE_A);
	p.len--;
}

static void
header_only(void)
{
	begin(0, DNS_TYPE_A);
	p.len = 12;
}

static void
header_cut(void)
{
	begin(0, DNS_TYPE_A);
	p.len = 11;
}

static void
nothing(void)
{
	p.len = 0;
}

static void
too_large(void)
{
	static const uint8_t zeroes[DNS_WIRE_PACKET_MAX];

	one_address();
	packet_octets(&p, zeroes, sizeof(zeroes));
}

static const struct {
	const char	     *label;
	void (*build)(void);
	enum dns_wire_verdict want;
	enum dns_status	      status;
	unsigned	      count;
	uint32_t	      ttl_s;
} answer_cases[] = {
	{ "one address", one_address, DNS_WIRE_ANSWER, DNS_OK, 1, 300 },
	{ "names in another case", other_case, DNS_WIRE_ANSWER, DNS_OK, 1, 300 },
	{ "the least TTL counts", two_ttls, DNS_WIRE_ANSWER, DNS_OK, 2, 60 },
	{ "an address of another name", address_of_another, DNS_WIRE_ANSWER, DNS_OK, 1, 300 },
	{ "a TTL with its sign set is 0", ttl_above_the_sign, DNS_WIRE_ANSWER, DNS_OK, 1, 0 },
	{ "0.0.0.0 is no address", useless_addresses, DNS_WIRE_ANSWER, DNS_NONE, 0, 300 },
	{ "more addresses than are kept", many_addresses, DNS_WIRE_ANSWER, DNS_OK, DNS_ADDRESSES_MAX, 300 },
	{ "more records than are read", many_records, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "a count larger than what is there", count_too_large, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "a huge count", count_huge, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "an additional record is missing", additional_missing, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "octets behind the end", octets_behind, DNS_WIRE_ANSWER, DNS_OK, 1, 300 },
	{ "cut in the data", cut, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "an address of three octets", short_address, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "another class", other_class, DNS_WIRE_ANSWER, DNS_NONE, 0, 0 },
	{ "compressed", compressed, DNS_WIRE_ANSWER, DNS_OK, 1, 60 },
	{ "a pointer to itself", pointer_to_itself, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "pointers in a circle", pointers_in_a_circle, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "a pointer forward", pointer_forward, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "a pointer into the header", pointer_into_the_header, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "many pointers", pointers_at_the_limit, DNS_WIRE_ANSWER, DNS_OK, 1, 60 },
	{ "too many pointers", pointers_beyond, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "a label of unknown kind", label_type_unknown, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "an alias", one_alias, DNS_WIRE_ANSWER, DNS_OK, 1, 20 },
	{ "many aliases", aliases_at_the_limit, DNS_WIRE_ANSWER, DNS_OK, 1, 300 },
	{ "too many aliases", aliases_beyond, DNS_WIRE_ANSWER, DNS_FAILED, 0, 0 },
	{ "an alias of itself", alias_of_itself, DNS_WIRE_ANSWER, DNS_FAILED, 0, 0 },
	{ "aliases in a circle", alias_circle, DNS_WIRE_ANSWER, DNS_FAILED, 0, 0 },
	{ "an alias of no name", alias_to_nowhere, DNS_WIRE_ANSWER, DNS_NXDOMAIN, 0, 50 },
	{ "an alias of a name without", alias_without_records, DNS_WIRE_ANSWER, DNS_NONE, 0, 30 },
	{ "a name that does not end", cut_cname, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "no such name", no_such_name, DNS_WIRE_ANSWER, DNS_NXDOMAIN, 0, 50 },
	{ "no such name, without SOA", no_such_name_without_soa, DNS_WIRE_ANSWER, DNS_NXDOMAIN, 0, 0 },
	{ "none of the type", none_of_the_type, DNS_WIRE_ANSWER, DNS_NONE, 0, 50 },
	{ "none, without SOA", none_without_soa, DNS_WIRE_ANSWER, DNS_NONE, 0, 0 },
	{ "ask somebody else", referral, DNS_WIRE_ANSWER, DNS_FAILED, 0, 0 },
	{ "an SOA without its minimum", short_soa, DNS_WIRE_BROKEN, 0, 0, 0 },
	{ "with EDNS0", with_opt, DNS_WIRE_ANSWER, DNS_NONE, 0, 50 },
	{ "an error told by EDNS0", bad_version, DNS_WIRE_REFUSED, 0, 0, 0 },
	{ "SERVFAIL", server_failure, DNS_WIRE_REFUSED, 0, 0, 0 },
	{ "REFUSED", refused, DNS_WIRE_REFUSED, 0, 0, 0 },
	{ "FORMERR", format_error, DNS_WIRE_NO_EDNS, 0, 0, 0 },
	{ "FORMERR without the question", format_error_without_question, DNS_WIRE_NO_EDNS, 0, 0, 0 },
	{ "truncated", truncated, DNS_WIRE_TRUNCATED, 0, 0, 0 },
	{ "truncated failure", truncated_failure, DNS_WIRE_REFUSED, 0, 0, 0 },
	{ "wrong id", wrong_id, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "a query", a_query, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "another opcode", another_opcode, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "no question", no_question, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "two questions", two_questions, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "another name", another_name, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "another type", another_type, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "the question is cut", question_cut, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "nothing but a header", header_only, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "not even that", header_cut, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "nothing", nothing, DNS_WIRE_STRANGE, 0, 0, 0 },
	{ "larger than a message", too_large, DNS_WIRE_STRANGE, 0, 0, 0 },
};

/* From a block of exactly its size, so that a sanitizer sees one octet too far. */
static enum dns_wire_verdict
read_exactly(struct span packet, const struct dns_wire_question *q, struct dns_answer **answer)
{
	char		     *copy = malloc(packet.len ? packet.len : 1);
	enum dns_wire_verdict got;

	ck_assert_ptr_nonnull(copy);
	if (packet.len)
		memcpy(copy, packet.data, packet.len);
	got = dns_wire_read(span_make(copy, packet.len), q, answer);
	free(copy);
	ck_assert_int_eq(*answer != NULL, got == DNS_WIRE_ANSWER);
	if (*answer)
		packet_check(*answer, q->type);
	return got;
}

START_TEST(answers)
{
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_A, ID };
	struct dns_answer	      *answer;
	enum dns_wire_verdict	       got;

	answer_cases[_i].build();
	got = read_exactly(packet_span(&p), &q, &answer);
	ck_assert_msg(got == answer_cases[_i].want, "%s: verdict %d", answer_cases[_i].label, got);
	if (answer)
		ck_assert_msg(answer->status == answer_cases[_i].status && answer->count == answer_cases[_i].count &&
				      answer->ttl_s == answer_cases[_i].ttl_s,
			      "%s: status %d, %u records, TTL %u", answer_cases[_i].label, answer->status,
			      answer->count, answer->ttl_s);
	dns_answer_put(answer);
}
END_TEST

/* Whatever is cut off, it is read without harm; every octet is changed, too. */
START_TEST(cut_and_changed_anywhere)
{
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_A, ID };
	struct dns_answer	      *answer;

	answer_cases[_i].build();
	if (p.len > 4096)
		return;
	for (size_t len = 0; len < p.len; len++) {
		(void)read_exactly(span_first(packet_span(&p), len), &q, &answer);
		dns_answer_put(answer);
	}
	for (size_t at = 0; at < p.len; at++)
		for (unsigned change = 1; change < 256; change *= 2) {
			p.at[at] ^= (uint8_t)change;
			(void)read_exactly(packet_span(&p), &q, &answer);
			dns_answer_put(answer);
			p.at[at] ^= (uint8_t)change;
		}
}
END_TEST

/* --- mail exchangers and IPv6 ----------------------------------------------------------------------------------- */

static const struct {
	const char     *label;
	struct {
		unsigned    preference;
		const char *host;
	} mx[4];
	enum dns_status status;
	bool		unusable;
	const char     *want; /* joined */
} mx_cases[] = {
	{ "in order", { { 20, "b.example" }, { 10, "A.Example" }, { 65535, "c.example" } }, DNS_OK, false,
	  "10 a.example, 20 b.example, 65535 c.example" },
	{ "null", { { 0, "." } }, DNS_NULL_MX, false, "" },
	{ "null with a preference", { { 10, "." } }, DNS_NULL_MX, false, "" },
	{ "null and another", { { 0, "." }, { 10, "b.example" } }, DNS_OK, false, "10 b.example" },
	{ "an address", { { 10, "192.0.2.1" } }, DNS_NONE, true, "" },
	{ "an address and another", { { 10, "192.0.2.1" }, { 20, "b.example" } }, DNS_OK, false, "20 b.example" },
	{ "an address and null", { { 10, "192.0.2.1" }, { 20, "." } }, DNS_NULL_MX, false, "" },
	{ "no host name", { { 10, "a b.example" } }, DNS_NONE, true, "" },
};

START_TEST(exchangers)
{
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_MX, ID };
	struct dns_answer	      *answer;
	struct dns_host		       h;
	char			       joined[256] = "";
	size_t			       at = 0, len = 0;

	begin(0, DNS_TYPE_MX);
	for (unsigned i = 0; i < COUNT_OF(mx_cases[_i].mx) && mx_cases[_i].mx[i].host; i++)
		packet_mx(&p, NAME, 300, mx_cases[_i].mx[i].preference, mx_cases[_i].mx[i].host);
	ck_assert_int_eq(read_exactly(packet_span(&p), &q, &answer), DNS_WIRE_ANSWER);
	ck_assert_msg(answer->status == mx_cases[_i].status && answer->unusable == mx_cases[_i].unusable, "%s: %d",
		      mx_cases[_i].label, answer->status);
	while (dns_answer_host(answer, &at, &h))
		len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%u %.*s", len ? ", " : "",
					h.preference, (int)h.name.len, h.name.data);
	ck_assert_str_eq(joined, mx_cases[_i].want);
	dns_answer_put(answer);
}
END_TEST

/* The best of them are kept, wherever they stand. */
START_TEST(many_exchangers)
{
	enum { COUNT = 200 };
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_MX, ID };
	struct dns_answer	      *answer;
	struct dns_host		       h;
	size_t			       at = 0;
	unsigned		       want = 0;

	begin(0, DNS_TYPE_MX);
	for (unsigned i = 0; i < COUNT; i++) {
		char host[32];

		(void)snprintf(host, sizeof(host), "mx%u.example", i * 77 % COUNT);
		packet_mx(&p, NAME, 300, i * 77 % COUNT, host);
	}
	ck_assert_int_eq(read_exactly(packet_span(&p), &q, &answer), DNS_WIRE_ANSWER);
	ck_assert_uint_eq(answer->count, DNS_HOSTS_MAX);
	while (dns_answer_host(answer, &at, &h))
		ck_assert_uint_eq(h.preference, want++);
	dns_answer_put(answer);
}
END_TEST

static const struct {
	const char *label;
	size_t	    size;
} short_mx_cases[] = { { "no data", 0 }, { "half a preference", 1 }, { "no name", 2 }, { "no end", 3 } };

START_TEST(short_exchangers)
{
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_MX, ID };
	struct dns_answer	      *answer;
	size_t			       record;

	begin(0, DNS_TYPE_MX);
	record = packet_record(&p, PACKET_ANSWER, NAME, DNS_TYPE_MX, 300);
	packet_octets(&p, "\0\12\1", short_mx_cases[_i].size);
	packet_end(&p, record);
	ck_assert_msg(read_exactly(packet_span(&p), &q, &answer) == DNS_WIRE_BROKEN, "%s", short_mx_cases[_i].label);
	/* A record behind it does not lend it octets. */
	packet_mx(&p, NAME, 300, 10, "a.example");
	ck_assert_msg(read_exactly(packet_span(&p), &q, &answer) == DNS_WIRE_BROKEN, "%s", short_mx_cases[_i].label);
}
END_TEST

START_TEST(ipv6)
{
	const struct dns_wire_question q = { SPAN_LITERAL(NAME), DNS_TYPE_AAAA, ID };
	struct dns_answer	      *answer;
	struct endpoint		       e;
	char			       text[ENDPOINT_TEXT_MAX];

	begin(0, DNS_TYPE_AAAA);
	packet_address(&p, NAME, 300, "::");
	packet_address(&p, NAME, 300, "::ffff:127.0.0.1");
	packet_address(&p, NAME, 300, "2001:db8::1");
	packet_address(&p, NAME, 300, "192.0.2.1");
	ck_assert_int_eq(read_exactly(packet_span(&p), &q, &answer), DNS_WIRE_ANSWER);
	ck_assert_uint_eq(answer->count, 1);
	e = dns_answer_address(answer, DNS_TYPE_AAAA, 0);
	ck_assert_str_eq(endpoint_format_ip(&e, text), "2001:db8::1");
	dns_answer_put(answer);
}
END_TEST

/* --- packets that once upset others ---------------------------------------------------------------------------------- */

static void
read_file(const char *path)
{
	FILE		    *f = fopen(path, "rb");
	static uint8_t	     octets[1 << 18];
	char		     name[DNS_NAME_TEXT_MAX];
	struct dns_wire_question q;
	struct dns_answer	*answer;
	struct span		 packet;

	ck_assert_ptr_nonnull(f);
	packet = span_make(octets, fread(octets, 1, sizeof(octets), f));
	(void)fclose(f);
	(void)read_exactly(packet, &(struct dns_wire_question){ SPAN_LITERAL(NAME), DNS_TYPE_MX, ID }, &answer);
	dns_answer_put(answer);
	if (packet.len < 4)
		return;
	/* As if it were what we wait for: an answer, not truncated, without error. */
	octets[2] = (octets[2] & 0x05) | 0x80;
	octets[3] &= 0xf0;
	q = packet_question(packet, name);
	(void)read_exactly(packet, &q, &answer);
	dns_answer_put(answer);
}

START_TEST(suite_of_packets)
{
	const char    *root = getenv("RINGPOST_SOURCE_DIR");
	char	       path[1024];
	DIR	      *directory;
	struct dirent *entry;
	unsigned       count = 0;

	(void)snprintf(path, sizeof(path), "%s/../shared/suites/dns-packets", root ? root : ".");
	directory = opendir(path);
	if (directory == NULL) {
		printf("%s is not there: packets of others are not tried\n", path);
		return;
	}
	while ((entry = readdir(directory))) {
		char file[2048];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		read_file(file);
		count++;
	}
	closedir(directory);
	printf("%u packets of others read\n", count);
	ck_assert_uint_gt(count, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("wire");

	tcase_add_test(tc, query);
	tcase_add_test(tc, query_of_the_longest_name);
	tcase_add_loop_test(tc, answers, 0, COUNT_OF(answer_cases));
	tcase_add_loop_test(tc, cut_and_changed_anywhere, 0, COUNT_OF(answer_cases));
	tcase_add_loop_test(tc, exchangers, 0, COUNT_OF(mx_cases));
	tcase_add_test(tc, many_exchangers);
	tcase_add_loop_test(tc, short_exchangers, 0, COUNT_OF(short_mx_cases));
	tcase_add_test(tc, ipv6);
	tcase_add_test(tc, suite_of_packets);
	return run_case("dns/wire", tc);
}
