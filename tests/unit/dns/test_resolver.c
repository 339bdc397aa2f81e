/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver against two name servers of our own on loopback, which are served between the reactor's turns: what they
 * have been asked is counted, and what they answer is a table.
 */
#include "dns/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "dns/counters.h"
#include "dns/limits.h"
#include "tests/support/run.h"
#include "tests/unit/dns/packet.h"

enum { TURNS_MAX = 4000, TURN_MS = 5, SERVERS = 2, CONNECTIONS = 8 };
enum { PATIENT_MS = 20000, IMPATIENT_MS = 200 };

/* --- memory that runs out: the linker wraps these two ----------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool	     ours; /* the resolver or the reactor is at work, and not the test */
static unsigned long allocations, failing; /* failing: number of the one of ours that fails, 0: none */

void *
__wrap_malloc(size_t size)
{
	return ours && ++allocations == failing ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return ours && ++allocations == failing ? NULL : __real_calloc(count, size);
}

/* --- what a server does with a question ---------------------------------------------------------------------- */

enum deed {
	ANSWER,	      /* the records of the zone; without any of the type: there is none; without the name: NXDOMAIN */
	SILENT,
	SERVFAIL,
	WRONG_ID,     /* only that */
	FORGED,	      /* wrong id, wrong question, garbage and nothing; then the answer */
	TRUNCATE,     /* over UDP; the answer over TCP */
	OLD,	      /* FORMERR to EDNS */
	GARBLED,
	FLOOD,	      /* wrong ids over UDP without end; the answer over TCP */
	HANG_UP,      /* truncated over UDP, and over TCP the connection ends */
};

struct record {
	const char *name;
	unsigned    type;
	const char *value; /* MX: preference and host */
	uint32_t    ttl;
};

enum { MANY_COUNT = 400 };
#define MANY "many"

static const struct record zone[] = {
	{ "many.example", DNS_TYPE_MX, MANY, 300 },
	{ "example.com", DNS_TYPE_MX, "20 b.example.com", 300 },
	{ "example.com", DNS_TYPE_MX, "10 A.Example.Com", 300 },
	{ "example.com", DNS_TYPE_MX, "30 192.0.2.9", 300 },
	{ "alias.example", DNS_TYPE_CNAME, "example.com", 300 },
	{ "a.example.com", DNS_TYPE_A, "192.0.2.1", 300 },
	{ "a.example.com", DNS_TYPE_A, "192.0.2.2", 300 },
	{ "a.example.com", DNS_TYPE_A, "192.0.2.3", 300 },
	{ "a.example.com", DNS_TYPE_AAAA, "2001:db8::1", 300 },
	{ "b.example.com", DNS_TYPE_A, "192.0.2.4", 0 },
	{ "null.example", DNS_TYPE_MX, "0 .", 300 },
	{ "literal.example", DNS_TYPE_MX, "10 192.0.2.1", 300 },
	{ "implicit.example", DNS_TYPE_A, "192.0.2.5", 300 },
	{ "text.example", TYPE_TXT, "", 300 },
	{ "half.example", DNS_TYPE_A, "192.0.2.6", 300 },
	{ "tld", DNS_TYPE_MX, "10 mx.tld", 300 },
};

static struct server {
	int	     udp, tcp;
	int	     connections[CONNECTIONS];
	enum deed    deed;
	unsigned     aaaa_fails; /* whatever the deed */
	unsigned     asked, asked_tcp, without_edns;
	struct endpoint at;
} servers[SERVERS];

static struct world {
	struct io_net  *net;
	struct reactor	reactor;
	struct resolver *resolver;
	bool		closed;
	uint32_t	timeout_ms, tries;
} w;

static void
build(struct packet *p, unsigned id, const char *name, unsigned type)
{
	const char *at = name;
	bool	    found = false, there = false;

	packet_begin(p, id, PACKET_RESPONSE, name, type);
	for (unsigned hop = 0; hop < 2; hop++)
		for (size_t i = 0; i < COUNT_OF(zone); i++) {
			const struct record *r = &zone[i];
			char		    *host;

			if (strcasecmp(r->name, at) != 0)
				continue;
			there = true;
			if (r->type == DNS_TYPE_CNAME && !found) {
				packet_cname(p, at, r->ttl, r->value);
				at = r->value;
				break;
			}
			if (r->type != type || (hop && found && at == name))
				continue;
			for (unsigned n = 0; strcmp(r->value, MANY) == 0 && n < MANY_COUNT; n++) {
				char long_name[] = "mx000.with-a-long-name-so-that-all-of-them-need-many-octets.example";

				(void)snprintf(long_name, 6, "mx%03u", n);
				long_name[5] = '.';
				packet_mx(p, at, r->ttl, n, long_name);
				found = true;
			}
			if (found && strcmp(r->value, MANY) == 0)
				continue;
			found = true;
			if (type == DNS_TYPE_MX) {
				unsigned long preference = strtoul(r->value, &host, 10);

				packet_mx(p, at, r->ttl, (unsigned)preference, host + 1);
			} else {
				packet_address(p, at, r->ttl, r->value);
			}
		}
	if (!found)
		packet_soa(p, "example", 60, 60);
	if (!there)
		p->at[3] |= PACKET_NXDOMAIN;
}

/* The question's name as text; its type. */
static unsigned
read_question(const uint8_t *packet, char *name)
{
	size_t at = 12, out = 0;

	while (packet[at]) {
		if (out)
			name[out++] = '.';
		memcpy(name + out, packet + at + 1, packet[at]);
		out += packet[at];
		at += packet[at] + 1u;
	}
	name[out] = 0;
	return (unsigned)packet[at + 1] << 8 | packet[at + 2];
}

static void
send_packet(int fd, const struct packet *p, const struct sockaddr_storage *to, socklen_t len)
{
	ck_assert_int_eq(sendto(fd, p->at, p->len, 0, (const struct sockaddr *)to, len), (ssize_t)p->len);
}

static void
reply_udp(struct server *s, const uint8_t *query, size_t size, const struct sockaddr_storage *to, socklen_t len)
{
	static struct packet p, other;
	char		     name[256];
	unsigned	     type = read_question(query, name), id = (unsigned)query[0] << 8 | query[1];
	bool		     edns = query[11];

	s->asked++;
	s->without_edns += !edns;
	ck_assert_uint_le(size, DNS_WIRE_QUERY_MAX);
	build(&p, id, name, type);
	if (type == DNS_TYPE_AAAA && s->aaaa_fails)
		p.at[3] = (uint8_t)((p.at[3] & 0xf0) | PACKET_SERVFAIL);
	switch (s->deed) {
	case ANSWER:
		break;
	case SILENT:
		return;
	case SERVFAIL:
		packet_begin(&p, id, PACKET_RESPONSE | PACKET_SERVFAIL, name, type);
		break;
	case WRONG_ID:
		p.at[0] ^= 1;
		break;
	case FLOOD:
		p.at[0] ^= 1;
		for (unsigned i = 1; i < DNS_STRANGE_MAX; i++)
			send_packet(s->udp, &p, to, len);
		break;
	case FORGED:
		other = p;
		other.at[1] ^= 0x80;
		send_packet(s->udp, &other, to, len);
		packet_begin(&other, id, PACKET_RESPONSE, "other.example", type);
		packet_address(&other, "other.example", 60, "192.0.2.66");
		send_packet(s->udp, &other, to, len);
		packet_begin(&other, id, PACKET_RESPONSE, name, TYPE_TXT);
		send_packet(s->udp, &other, to, len);
		other.len = 3;
		send_packet(s->udp, &other, to, len);
		other.len = 0;
		send_packet(s->udp, &other, to, len);
		break;
	case TRUNCATE:
	case HANG_UP:
		packet_begin(&p, id, PACKET_RESPONSE | PACKET_TRUNCATED, name, type);
		break;
	case OLD:
		if (edns) {
			packet_begin(&p, id, PACKET_RESPONSE | 1, name, type);
			p.len = 12;
			p.at[5] = 0;
		}
		break;
	case GARBLED:
		p.len -= 3;
		break;
	}
	send_packet(s->udp, &p, to, len);
}

static void
reply_tcp(struct server *s, unsigned slot)
{
	static struct packet p;
	uint8_t		     query[600], length[2];
	ssize_t		     n = recv(s->connections[slot], query, sizeof(query), MSG_DONTWAIT);
	char		     name[256];
	unsigned	     type;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		ck_assert_int_eq(n - 2, query[0] << 8 | query[1]);
		s->asked_tcp++;
	}
	if (n > 0 && s->deed != HANG_UP) {
		type = read_question(query + 2, name);
		build(&p, (unsigned)query[2] << 8 | query[3], name, type);
		length[0] = (uint8_t)(p.len >> 8);
		length[1] = (uint8_t)p.len;
		/* In pieces: a length and a message may come apart. */
		ck_assert_int_eq(send(s->connections[slot], length, 1, MSG_NOSIGNAL), 1);
		ck_assert_int_eq(send(s->connections[slot], length + 1, 1, MSG_NOSIGNAL), 1);
		ck_assert_int_eq(send(s->connections[slot], p.at, p.len, MSG_NOSIGNAL), (ssize_t)p.len);
		return;
	}
	close(s->connections[slot]);
	s->connections[slot] = -1;
}

static void
serve(struct server *s)
{
	struct sockaddr_storage from;
	socklen_t		len = sizeof(from);
	uint8_t			query[600];
	ssize_t			n;
	int			fd;

	while ((n = recvfrom(s->udp, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &len)) > 0) {
		reply_udp(s, query, (size_t)n, &from, len);
		len = sizeof(from);
	}
	while ((fd = accept4(s->tcp, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		unsigned slot = 0;

		while (s->connections[slot] >= 0)
			ck_assert_uint_lt(++slot, CONNECTIONS);
		s->connections[slot] = fd;
	}
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (s->connections[i] >= 0)
			reply_tcp(s, i);
}

/* UDP and TCP on the same port, which the kernel chooses. */
static void
server_open(struct server *s, enum deed deed)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t	   len = sizeof(a);

	*s = (struct server){ .deed = deed };
	for (unsigned i = 0; i < CONNECTIONS; i++)
		s->connections[i] = -1;
	for (unsigned i = 0; i < 20; i++) {
		a.sin_port = 0;
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert(s->udp >= 0 && s->tcp >= 0);
		ck_assert_int_eq(bind(s->udp, (struct sockaddr *)&a, sizeof(a)), 0);
		ck_assert_int_eq(getsockname(s->udp, (struct sockaddr *)&a, &len), 0);
		if (bind(s->tcp, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->tcp, 16) == 0) {
			s->at = endpoint_from_ipv4((const uint8_t *)&a.sin_addr, ntohs(a.sin_port));
			return;
		}
		close(s->udp);
		close(s->tcp);
	}
	ck_abort_msg("no port is free");
}

/* --- the world ------------------------------------------------------------------------------------------------- */

static struct resolver_params
params(void)
{
	static struct endpoint at[SERVERS];

	for (unsigned i = 0; i < SERVERS; i++)
		at[i] = servers[i].at;
	return (struct resolver_params){ .server_count = SERVERS, .servers = at,
					 .timeout_ms = w.timeout_ms, .tries = w.tries, .ttl_max_s = 3600,
					 .cache_octets = 1 << 20, .ipv6 = true };
}

/* Impatient where an answer is not to come: elsewhere a machine that is busy must not look like a silent server. */
static void
open_world_with(enum deed first, enum deed second, uint32_t timeout_ms, uint32_t tries)
{
	const struct reactor_params p = { .core_count = 1, .memory_max = 64 << 20, .log_fd = 2,
					  .log_level = LOG_LEVEL_ERROR };
	struct resolver_params resolver;
	const char	      *why = "";

	server_open(&servers[0], first);
	server_open(&servers[1], second);
	w.net = io_net_new(1);
	ck_assert_msg(reactor_open(&w.reactor, w.net, &p, &why) == 0, "%s", why);
	w.closed = false;
	w.timeout_ms = timeout_ms;
	w.tries = tries;
	resolver = params();
	ck_assert_int_eq(resolver_open(&w.resolver, &w.reactor, &resolver), 0);
}

static void
open_world(enum deed first, enum deed second)
{
	open_world_with(first, second, PATIENT_MS, 3);
}

static void
turn(void)
{
	ours = true;
	reactor_turn(&w.reactor, reactor_in_ms(&w.reactor, TURN_MS));
	ours = false;
	for (unsigned i = 0; i < SERVERS; i++)
		serve(&servers[i]);
}

static uint64_t
counted(enum dns_counter what)
{
	LIST_FOR_EACH(&w.reactor.counter_groups, n) {
		struct counter_group *g = LIST_ENTRY(n, struct counter_group, node);

		if (g->count == DNS_COUNTER_COUNT && strncmp(g->rows[0].name, "dns_", 4) == 0)
			return counter_get(&g->values[what]);
	}
	ck_abort_msg("the resolver shows no counters");
	return 0;
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

static void
close_world(void)
{
	if (!w.closed)
		resolver_close(w.resolver, on_closed, &w.closed);
	for (unsigned i = 0; i < TURNS_MAX && !w.closed; i++)
		turn();
	ck_assert(w.closed);
	ck_assert_uint_eq(w.reactor.memory.used, 0);
	ck_assert_uint_eq(w.reactor.wheel.count, 0);
	reactor_close(&w.reactor);
	io_net_free(w.net);
	for (unsigned i = 0; i < SERVERS; i++) {
		close(servers[i].udp);
		close(servers[i].tcp);
		for (unsigned c = 0; c < CONNECTIONS; c++)
			if (servers[i].connections[c] >= 0)
				close(servers[i].connections[c]);
	}
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

struct asking {
	struct dns_question question;
	bool		    hosts, calling;
	unsigned	    told;
	enum dns_status	    status;
	bool		    implicit;
	unsigned	    count;
	char		    names[DNS_HOSTS_MAX][DNS_NAME_MAX];
	struct endpoint	    at[DNS_ADDRESSES_MAX];
	void (*then)(struct asking *a);
};

static void
done(struct dns_question *q, enum dns_status status)
{
	struct asking *a = CONTAINER_OF(q, struct asking, question);

	ours = false;
	ck_assert(!a->calling);
	a->told++;
	a->status = status;
	if (status == DNS_OK && a->hosts) {
		a->implicit = q->hosts->implicit;
		a->count = q->hosts->count;
		for (unsigned i = 0; i < a->count; i++)
			(void)snprintf(a->names[i], sizeof(a->names[i]), "%u %.*s", q->hosts->host[i].preference,
				       (int)q->hosts->host[i].name.len, q->hosts->host[i].name.data);
	} else if (status == DNS_OK) {
		a->count = q->addresses->count;
		memcpy(a->at, q->addresses->at, sizeof(a->at));
	}
	if (a->then)
		a->then(a);
}

static void
ask(struct asking *a, bool hosts, const char *name)
{
	a->question.done = done;
	a->hosts = hosts;
	a->calling = ours = true;
	if (hosts)
		resolver_mail_hosts(w.resolver, &a->question, span_of(name));
	else
		resolver_addresses(w.resolver, &a->question, span_of(name));
	a->calling = ours = false;
}

static void
turn_until_told(const struct asking *a, unsigned times)
{
	for (unsigned i = 0; i < TURNS_MAX && a->told < times; i++)
		turn();
	ck_assert_uint_eq(a->told, times);
}

static struct asking
asked(bool hosts, const char *name)
{
	struct asking a = { 0 };

	ask(&a, hosts, name);
	turn_until_told(&a, 1);
	return a;
}

static const char *
ip_of(const struct asking *a, unsigned i)
{
	static char text[ENDPOINT_TEXT_MAX];

	ck_assert_uint_eq(a->at[i].port, 0);
	return endpoint_format_ip(&a->at[i], text);
}

/* --- mail hosts ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char     *label, *domain;
	enum dns_status status;
	bool		implicit;
	const char     *hosts[4];
} host_cases[] = {
	{ "by preference, lower case, no addresses", "example.com", DNS_OK, false,
	  { "10 a.example.com", "20 b.example.com" } },
	{ "any case and a final dot", "EXAMPLE.com.", DNS_OK, false, { "10 a.example.com", "20 b.example.com" } },
	{ "an alias", "alias.example", DNS_OK, false, { "10 a.example.com", "20 b.example.com" } },
	{ "null MX", "null.example", DNS_NULL_MX, false, { NULL } },
	{ "only addresses as exchangers: no implicit one", "literal.example", DNS_NONE, false, { NULL } },
	{ "implicit", "Implicit.example", DNS_OK, true, { "0 implicit.example" } },
	{ "implicit, of a name without addresses", "text.example", DNS_OK, true, { "0 text.example" } },
	{ "no such name", "nowhere.example", DNS_NXDOMAIN, false, { NULL } },
	{ "a single label", "tld", DNS_OK, false, { "10 mx.tld" } },
	{ "an address", "192.0.2.1", DNS_BAD_NAME, false, { NULL } },
	{ "an address literal", "[192.0.2.1]", DNS_BAD_NAME, false, { NULL } },
	{ "an IPv6 address", "2001:db8::1", DNS_BAD_NAME, false, { NULL } },
	{ "nothing", "", DNS_BAD_NAME, false, { NULL } },
	{ "an empty label", "a..example", DNS_BAD_NAME, false, { NULL } },
	{ "a space", "exa mple.com", DNS_BAD_NAME, false, { NULL } },
};

START_TEST(mail_hosts)
{
	struct asking a;

	open_world(ANSWER, ANSWER);
	/* Once from the servers, once from the cache. */
	for (unsigned round = 0; round < 2; round++) {
		unsigned count = 0;

		a = asked(true, host_cases[_i].domain);
		ck_assert_msg(a.status == host_cases[_i].status, "%s: %s", host_cases[_i].label,
			      dns_status_text(a.status));
		while (count < COUNT_OF(host_cases[_i].hosts) && host_cases[_i].hosts[count]) {
			ck_assert_str_eq(a.names[count], host_cases[_i].hosts[count]);
			count++;
		}
		ck_assert_msg(a.count == count && a.implicit == host_cases[_i].implicit, "%s: %u hosts",
			      host_cases[_i].label, a.count);
	}
	ck_assert_uint_eq(servers[0].asked + servers[1].asked, host_cases[_i].status != DNS_BAD_NAME);
	close_world();
}
END_TEST

/* --- addresses ------------------------------------------------------------------------------------------------------ */

START_TEST(addresses_alternate)
{
	struct asking a;

	open_world(ANSWER, ANSWER);
	a = asked(false, "a.example.com");
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.count, 4);
	ck_assert_str_eq(ip_of(&a, 0), "2001:db8::1");
	for (unsigned i = 1; i < 4; i++)
		ck_assert(endpoint_is_ipv4(&a.at[i]));
	ck_assert_uint_eq(servers[0].asked, 2);
	close_world();
}
END_TEST

START_TEST(one_family_is_enough)
{
	struct asking a;

	open_world(ANSWER, ANSWER);
	servers[0].aaaa_fails = servers[1].aaaa_fails = 1;
	a = asked(false, "half.example");
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.count, 1);
	/* But nothing and a failure are a failure: there might be something. */
	a = asked(false, "text.example");
	ck_assert_int_eq(a.status, DNS_FAILED);
	close_world();
}
END_TEST

static const struct {
	const char     *label, *name;
	bool		ipv6;
	enum dns_status status;
	unsigned	asked;
} address_cases[] = {
	{ "no records of either family", "text.example", true, DNS_NONE, 2 },
	{ "no such name", "nowhere.example", true, DNS_NXDOMAIN, 2 },
	{ "IPv4 only", "a.example.com", false, DNS_OK, 1 },
	{ "IPv4 only, nothing", "text.example", false, DNS_NONE, 1 },
	{ "IPv4 only, no such name", "nowhere.example", false, DNS_NXDOMAIN, 1 },
	{ "an address", "192.0.2.1", true, DNS_BAD_NAME, 0 },
};

START_TEST(addresses)
{
	struct resolver_params p;
	struct asking	       a;

	open_world(ANSWER, ANSWER);
	p = params();
	p.ipv6 = address_cases[_i].ipv6;
	resolver_configure(w.resolver, &p);
	a = asked(false, address_cases[_i].name);
	ck_assert_msg(a.status == address_cases[_i].status, "%s: %s", address_cases[_i].label,
		      dns_status_text(a.status));
	ck_assert_uint_eq(servers[0].asked, address_cases[_i].asked);
	close_world();
}
END_TEST

/* --- servers and what they do ---------------------------------------------------------------------------------------- */

static const struct {
	const char	*label;
	enum deed	 first, second;
	enum dns_status	 status;
	unsigned	 asked[SERVERS], asked_tcp; /* TCP: of the first */
	enum dns_counter counter; /* and how often */
	unsigned	 times;
} deed_cases[] = {
	{ "one answers", ANSWER, ANSWER, DNS_OK, { 1, 0 }, 0, DNS_COUNT_QUERIES, 1 },
	{ "silence: the second", SILENT, ANSWER, DNS_OK, { 1, 1 }, 0, DNS_COUNT_TIMEOUTS, 1 },
	{ "all silent", SILENT, SILENT, DNS_FAILED, { 2, 1 }, 0, DNS_COUNT_TIMEOUTS, 3 },
	{ "failure: the second", SERVFAIL, ANSWER, DNS_OK, { 1, 1 }, 0, DNS_COUNT_SERVER_FAILURES, 1 },
	{ "all fail: each is asked once", SERVFAIL, SERVFAIL, DNS_FAILED, { 1, 1 }, 0, DNS_COUNT_FAILURES, 1 },
	{ "a wrong id is ignored", WRONG_ID, ANSWER, DNS_OK, { 1, 1 }, 0, DNS_COUNT_STRANGE, 1 },
	{ "forgeries are ignored, the answer counts", FORGED, ANSWER, DNS_OK, { 1, 0 }, 0, DNS_COUNT_STRANGE, 5 },
	{ "truncated: by TCP", TRUNCATE, ANSWER, DNS_OK, { 1, 0 }, 1, DNS_COUNT_TCP, 1 },
	{ "a flood of forgeries: by TCP", FLOOD, ANSWER, DNS_OK, { 1, 0 }, 1, DNS_COUNT_TCP, 1 },
	{ "TCP that ends: the second", HANG_UP, ANSWER, DNS_OK, { 1, 1 }, 1, DNS_COUNT_ERRORS, 1 },
	{ "before EDNS", OLD, ANSWER, DNS_OK, { 2, 0 }, 0, DNS_COUNT_QUERIES, 2 },
	{ "garbled: the second", GARBLED, ANSWER, DNS_OK, { 1, 1 }, 0, DNS_COUNT_BROKEN, 1 },
};

START_TEST(deeds)
{
	bool	      waits = deed_cases[_i].first == SILENT || deed_cases[_i].first == WRONG_ID;
	struct asking a;

	open_world_with(deed_cases[_i].first, deed_cases[_i].second, waits ? IMPATIENT_MS : PATIENT_MS, 3);
	a = asked(true, "example.com");
	ck_assert_msg(a.status == deed_cases[_i].status, "%s: %s", deed_cases[_i].label, dns_status_text(a.status));
	for (unsigned i = 0; i < SERVERS; i++)
		ck_assert_msg(servers[i].asked == deed_cases[_i].asked[i], "%s: server %u was asked %u times",
			      deed_cases[_i].label, i, servers[i].asked);
	ck_assert_msg(servers[0].asked_tcp == deed_cases[_i].asked_tcp, "%s: %u by TCP", deed_cases[_i].label,
		      servers[0].asked_tcp);
	ck_assert_msg(counted(deed_cases[_i].counter) == deed_cases[_i].times, "%s: counted %llu",
		      deed_cases[_i].label, (unsigned long long)counted(deed_cases[_i].counter));
	close_world();
}
END_TEST

/* Some 40 KiB, which come in pieces. */
START_TEST(large_answer_by_tcp)
{
	struct asking a;

	open_world(TRUNCATE, ANSWER);
	a = asked(true, "many.example");
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(a.count, DNS_HOSTS_MAX);
	ck_assert_str_eq(a.names[31], "31 mx031.with-a-long-name-so-that-all-of-them-need-many-octets.example");
	ck_assert_uint_eq(counted(DNS_COUNT_STRANGE), 0);
	close_world();
}
END_TEST

/* Nothing listens at the first one's port. */
START_TEST(refused_port)
{
	struct asking a;

	open_world(ANSWER, ANSWER);
	close(servers[0].udp);
	servers[0].udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	a = asked(true, "example.com");
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(servers[1].asked, 1);
	ck_assert_uint_eq(counted(DNS_COUNT_TIMEOUTS), 0);
	/* Who answered is asked first from now on. */
	a = asked(true, "null.example");
	ck_assert_uint_eq(servers[1].asked, 2);
	ck_assert_uint_eq(counted(DNS_COUNT_ERRORS), 1);
	close_world();
}
END_TEST

/* --- cache and company ------------------------------------------------------------------------------------------------ */

START_TEST(equal_questions_are_asked_once)
{
	struct asking a[20] = { 0 };

	open_world(ANSWER, ANSWER);
	for (unsigned i = 0; i < COUNT_OF(a); i++)
		ask(&a[i], i % 2, i % 2 ? "example.com" : "a.EXAMPLE.com");
	for (unsigned i = 0; i < COUNT_OF(a); i++) {
		turn_until_told(&a[i], 1);
		ck_assert_int_eq(a[i].status, DNS_OK);
	}
	ck_assert_uint_eq(servers[0].asked, 3);
	ck_assert_uint_eq(counted(DNS_COUNT_LOOKUPS), 3);
	ck_assert_uint_eq(counted(DNS_COUNT_JOINED), 27);
	ck_assert_uint_eq(counted(DNS_COUNT_WAITING), 0);
	close_world();
}
END_TEST

static const struct {
	const char *label, *name;
	enum deed   deed;
} kept_cases[] = {
	{ "negative", "nowhere.example", ANSWER },
	{ "failures", "example.com", SERVFAIL },
	{ "a TTL of 0, for a moment", "b.example.com", ANSWER },
};

START_TEST(is_kept)
{
	struct resolver_params p;
	struct asking	       a, again;
	unsigned	       asked_before;

	open_world(kept_cases[_i].deed, kept_cases[_i].deed);
	a = asked(false, kept_cases[_i].name);
	asked_before = servers[0].asked + servers[1].asked;
	again = asked(false, kept_cases[_i].name);
	ck_assert_msg(again.status == a.status, "%s", kept_cases[_i].label);
	ck_assert_msg(servers[0].asked + servers[1].asked == asked_before, "%s: asked again", kept_cases[_i].label);
	/* Other servers, other answers. */
	p = params();
	p.server_count = 1;
	resolver_configure(w.resolver, &p);
	(void)asked(false, kept_cases[_i].name);
	ck_assert_uint_gt(servers[0].asked + servers[1].asked, asked_before);
	close_world();
}
END_TEST

/* --- bounds ------------------------------------------------------------------------------------------------------------ */

static struct asking many[DNS_QUESTIONS_MAX + 10];

START_TEST(too_many_questions)
{
	unsigned refused = 0;

	open_world(ANSWER, ANSWER);
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < COUNT_OF(many); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "n%u.example", i);
		ask(&many[i], true, name);
	}
	ck_assert_uint_eq(counted(DNS_COUNT_OPEN), DNS_QUERIES_MAX);
	for (unsigned i = 0; i < COUNT_OF(many); i++) {
		turn_until_told(&many[i], 1);
		if (many[i].status == DNS_FAILED)
			refused++;
		else
			ck_assert_int_eq(many[i].status, DNS_NXDOMAIN);
	}
	ck_assert_uint_eq(refused, 10);
	ck_assert_uint_eq(counted(DNS_COUNT_REFUSED), 10);
	close_world();
}
END_TEST

/* Questions that are asked and given up again leave nothing behind, however long nobody answers. */
START_TEST(given_up_in_line)
{
	uint64_t used;
	char	 name[64];

	open_world(SILENT, SILENT);
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < DNS_QUERIES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		ask(&many[i], true, name);
	}
	used = w.reactor.memory.used;
	for (unsigned i = DNS_QUERIES_MAX; i < COUNT_OF(many); i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		ask(&many[i], i % 2, name);
		resolver_cancel(w.resolver, &many[i].question);
	}
	ck_assert_uint_eq(w.reactor.memory.used, used);
	ck_assert_uint_eq(counted(DNS_COUNT_OPEN), DNS_QUERIES_MAX);
	close_world();
}
END_TEST

/* Each allocation on the way fails once: an answer comes all the same, a failure at worst. */
START_TEST(memory_runs_out)
{
	unsigned long wanted = 1, failed = 0;

	open_world(_i ? TRUNCATE : ANSWER, ANSWER);
	for (unsigned long n = 1; n <= wanted; n++) {
		struct asking a = { 0 };
		char	      name[64];

		/* A name of its own, lest the cache answer; an alias, so that the answer has all kinds of records. */
		(void)snprintf(name, sizeof(name), "n%lu.example", n);
		allocations = 0;
		failing = n;
		ask(&a, n % 2, n % 3 ? name : "a.example.com");
		turn_until_told(&a, 1);
		wanted = n < 4 ? 4 : allocations > wanted ? allocations : wanted;
		failing = 0;
		failed += a.status == DNS_FAILED;
		ck_assert(a.status == DNS_FAILED || a.status == DNS_OK || a.status == DNS_NXDOMAIN);
	}
	ck_assert_uint_gt(failed, 1);
	close_world();
}
END_TEST

/* --- cancelling and closing -------------------------------------------------------------------------------------------- */

static struct asking other;

static void
cancel_other(struct asking *a)
{
	resolver_cancel(w.resolver, &other.question);
	/* One that has been told: harmless. */
	resolver_cancel(w.resolver, &a->question);
}

/* At every turn of a lookup that goes through timeout, UDP, TCP and the answer. */
START_TEST(cancel_at_any_time)
{
	struct asking a = { 0 };

	open_world_with(SILENT, TRUNCATE, 100, 20);
	ask(&a, true, "example.com");
	for (int i = 0; i < _i && a.told == 0; i++)
		turn();
	if (a.told == 0)
		resolver_cancel(w.resolver, &a.question);
	a.told = 0;
	/* The lookup goes on; who asks now joins it or finds its answer. */
	a = asked(true, "example.com");
	ck_assert_int_eq(a.status, DNS_OK);
	ck_assert_uint_eq(counted(DNS_COUNT_LOOKUPS), 1);
	close_world();
}
END_TEST

START_TEST(cancel_inside_done)
{
	struct asking a = { .then = cancel_other };

	open_world(ANSWER, ANSWER);
	/* Due at the same moment, by one lookup; then by the cache. */
	for (unsigned round = 0; round < 2; round++) {
		a.told = 0;
		memset(&other, 0, sizeof(other));
		ask(&a, true, "example.com");
		ask(&other, true, "example.com");
		turn_until_told(&a, 1);
		for (unsigned i = 0; i < 10; i++)
			turn();
		ck_assert_uint_eq(other.told, 0);
		resolver_cancel(w.resolver, &a.question);
		resolver_cancel(w.resolver, &other.question);
	}
	close_world();
}
END_TEST

static void
ask_again(struct asking *a)
{
	if (a->told < 5)
		ask(a, true, a->told == 3 ? "null.example" : "example.com");
}

START_TEST(ask_again_inside_done)
{
	struct asking a = { .then = ask_again };

	open_world(ANSWER, ANSWER);
	ask(&a, true, "example.com");
	turn_until_told(&a, 5);
	ck_assert_uint_eq(servers[0].asked, 2);
	close_world();
}
END_TEST

static void
close_inside(struct asking *a)
{
	(void)a;
	resolver_close(w.resolver, on_closed, &w.closed);
}

START_TEST(close_inside_done)
{
	struct asking a = { .then = close_inside };

	open_world(ANSWER, ANSWER);
	memset(&other, 0, sizeof(other));
	ask(&a, true, "example.com");
	ask(&other, true, "example.com");
	for (unsigned i = 0; i < TURNS_MAX && !w.closed; i++)
		turn();
	ck_assert_uint_eq(a.told, 1);
	ck_assert_uint_eq(other.told, 0);
	close_world();
}
END_TEST

/* In every state: nobody is told, nothing is left. */
START_TEST(close_at_any_time)
{
	struct asking a[3] = { 0 };

	open_world_with(_i % 2 ? TRUNCATE : SILENT, HANG_UP, 100, 20);
	ask(&a[0], true, "example.com");
	ask(&a[1], false, "a.example.com");
	ask(&a[2], true, "");
	for (int i = 0; i < _i / 2; i++)
		turn();
	for (unsigned i = 0; i < COUNT_OF(a); i++)
		a[i].told = 0;
	resolver_close(w.resolver, on_closed, &w.closed);
	ck_assert(!w.closed);
	for (unsigned i = 0; i < TURNS_MAX && !w.closed; i++)
		turn();
	for (unsigned i = 0; i < COUNT_OF(a); i++)
		ck_assert_uint_eq(a[i].told, 0);
	close_world();
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("resolver");

	tcase_add_loop_test(tc, mail_hosts, 0, COUNT_OF(host_cases));
	tcase_add_test(tc, addresses_alternate);
	tcase_add_test(tc, one_family_is_enough);
	tcase_add_loop_test(tc, addresses, 0, COUNT_OF(address_cases));
	tcase_add_loop_test(tc, deeds, 0, COUNT_OF(deed_cases));
	tcase_add_test(tc, large_answer_by_tcp);
	tcase_add_test(tc, refused_port);
	tcase_add_test(tc, equal_questions_are_asked_once);
	tcase_add_loop_test(tc, is_kept, 0, COUNT_OF(kept_cases));
	tcase_add_test(tc, too_many_questions);
	tcase_add_test(tc, given_up_in_line);
	tcase_add_loop_test(tc, memory_runs_out, 0, 2);
	tcase_add_loop_test(tc, cancel_at_any_time, 0, 30);
	tcase_add_test(tc, cancel_inside_done);
	tcase_add_test(tc, ask_again_inside_done);
	tcase_add_test(tc, close_inside_done);
	tcase_add_loop_test(tc, close_at_any_time, 0, 60);
	return run_case("dns/resolver", tc);
}
