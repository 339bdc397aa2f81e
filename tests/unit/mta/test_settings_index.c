/* SPDX-License-Identifier: Apache-2.0 */

#include "mta/settings_internal.h"
#include "tests/support/run.h"

static struct settings_error error;

static struct settings *
must_parse(const char *yaml)
{
	struct settings *s = settings_parse(span_of(yaml), "test", &error);

	ck_assert_msg(s != NULL, "%s", error.message);
	return s;
}

/* --- what a pattern fits --------------------------------------------------------------------------------------- */

static const struct {
	const char *pattern, *domain;
	bool	    fits;
} fit_cases[] = {
	{ "example.org", "example.org", true },
	{ "example.org", "EXAMPLE.Org", true },
	{ "example.org", "mail.example.org", false },
	{ "example.org", "example.or", false },
	{ "example.org", "xample.org", false },
	{ "example.org", "org", false },
	{ ".example.org", "mail.example.org", true },
	{ ".example.org", "a.b.c.example.org", true },
	{ ".example.org", "example.org", false },
	{ ".example.org", "mailexample.org", false },
	{ "\"*.test\"", "my.test", true },
	{ "\"*.test\"", "a.my.TEST", true },
	{ "\"*.test\"", "test", false },
	{ "\"*.test\"", "mytest", false },
	{ "example.*", "example.com", true },
	{ "example.*", "Example.ORG", true },
	{ "example.*", "example", false },
	{ "example.*", "example.co.uk", false },
	{ "example.*", "an.example.com", false },
	{ "example.*", "examples.com", false },
	{ "mail.example.*", "mail.example.com", true },
	{ "mail.example.*", "example.com", false },
	{ "\"*\"", "any.thing", true },
	{ "\"*\"", "thing", true },
	{ "bücher.example", "xn--bcher-kva.example", true },
	{ "xn--bcher-kva.example", "BÜCHER.example", true },
	{ ".bücher.example", "a.bücher.example", true },
	{ "r3---sn.example", "R3---SN.example", true },
	{ ".example", "r3---sn.example", true },
	{ "\"*\"", "a-.b", false },
	{ "\"*\"", "a.-b", false },
	{ "\"*\"", "a.b-", false },
	{ "\"*\"", "a.b.", false },
	{ "\"*\"", "ü..b", false },
	{ "\"*\"", "a_b.example", false },
	/* What no domain is fits nothing, not even the star. */
	{ "\"*\"", "", false },
	{ "\"*\"", ".", false },
	{ "\"*\"", "a..b", false },
	{ "\"*\"", ".a", false },
	{ "\"*\"", "a b", false },
	{ "\"*\"", "a\n.b", false },
	{ "\"*\"", "\xff.example", false },
	{ "\"*\"", "[192.0.2.1]", false },
	{ ".example.org", ".example.org", false },
};

START_TEST(a_pattern_fits_what_it_says)
{
	char		 yaml[256];
	struct settings *s;

	(void)snprintf(yaml, sizeof(yaml), "accept_domains: %s\nroutes: {\"*\": \"smtp:192.0.2.1\"}\n",
		       fit_cases[_i].pattern);
	s = must_parse(yaml);
	ck_assert_msg(settings_accepts(s, span_of(fit_cases[_i].domain)) == fit_cases[_i].fits, "%s %s",
		      fit_cases[_i].pattern, fit_cases[_i].domain);
	settings_unref(s);
} END_TEST

/* --- which of several is taken --------------------------------------------------------------------------------- */

static const struct {
	const char *domain, *pattern; /* NULL: none */
} best_cases[] = {
	{ "example.org", "example.org" },
	{ "a.example.org", ".example.org" },
	{ "b.a.example.org", ".a.example.org" },
	{ "x.b.a.example.org", ".a.example.org" },
	{ "example.net", "example.*" },
	{ "another.org", ".org" },
	{ "a.example.net", "*" },
	{ "elsewhere", "*" },
};

START_TEST(the_best_fit_wins_whatever_the_order)
{
	static const char *const orders[] = {
		"routes: {example.org: mx, .example.org: mx, .a.example.org: mx, \"example.*\": mx, .org: mx, \"*\": mx}\n",
		"routes: {\"*\": mx, .org: mx, \"example.*\": mx, .a.example.org: mx, .example.org: mx, example.org: mx}\n",
	};

	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		struct settings		    *s = must_parse(orders[i]);
		const struct settings_route *route = settings_route_for(s, span_of(best_cases[_i].domain));

		ck_assert_ptr_nonnull(route);
		ck_assert_str_eq(route->pattern.data, best_cases[_i].pattern);
		settings_unref(s);
	}
} END_TEST

/* --- against the obvious way ------------------------------------------------------------------------------------ */

static uint32_t
chance(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

static bool
fits(const char *pattern, const char *domain)
{
	size_t p = strlen(pattern), d = strlen(domain);
	const char *last = strrchr(domain, '.');

	if (strcmp(pattern, "*") == 0)
		return true;
	if (pattern[0] == '.')
		return d > p && strcmp(domain + d - p, pattern) == 0;
	if (pattern[p - 1] == '*')
		return last && (size_t)(last - domain) == p - 2 && strncmp(pattern, domain, p - 2) == 0;
	return strcmp(pattern, domain) == 0;
}

/* Exact before endings before the star behind before all; of endings the longest. */
static size_t
weight(const char *pattern)
{
	if (strcmp(pattern, "*") == 0)
		return 1;
	if (pattern[strlen(pattern) - 1] == '*')
		return 2;
	return (pattern[0] == '.' ? 3 : 1000) + strlen(pattern);
}

/* Few labels, so that patterns and domains often meet. */
static void
random_name(uint32_t *state, char *out, size_t size)
{
	unsigned labels = 1 + chance(state, 4);
	size_t	 n = 0;

	for (unsigned i = 0; i < labels; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%c", i ? "." : "", 'a' + (char)chance(state, 3));
}

START_TEST(same_as_trying_each)
{
	uint32_t seed = (uint32_t)_i + 1, state = seed;
	char	 patterns[40][16], yaml[4096] = "routes:\n";
	unsigned count = 1 + chance(&state, COUNT_OF(patterns));
	struct settings *s;

	for (unsigned i = 0; i < count; i++) {
		char	 name[12];
		unsigned kind = chance(&state, 8);
		bool	 known = false;

		random_name(&state, name, sizeof(name));
		(void)snprintf(patterns[i], sizeof(patterns[i]), "%s%s%s", kind == 1 || kind == 2 ? "." : "",
			       kind == 0 ? "*" : name, kind == 3 ? ".*" : "");
		for (unsigned j = 0; j < i; j++)
			known |= strcmp(patterns[i], patterns[j]) == 0;
		if (known) {
			i--;
			count--;
			continue;
		}
		(void)snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "  \"%s\": mx\n", patterns[i]);
	}
	s = must_parse(yaml);
	for (unsigned round = 0; round < 200; round++) {
		char	    domain[12];
		const char *want = NULL;
		const struct settings_route *got;

		random_name(&state, domain, sizeof(domain));
		for (unsigned i = 0; i < count; i++)
			if (fits(patterns[i], domain) && (want == NULL || weight(patterns[i]) > weight(want)))
				want = patterns[i];
		got = settings_route_for(s, span_of(domain));
		ck_assert_msg((got == NULL) == (want == NULL) && (got == NULL || strcmp(got->pattern.data, want) == 0),
			      "seed %u, %s: got %s, want %s", seed, domain, got ? got->pattern.data : "none",
			      want ? want : "none");
	}
	settings_unref(s);
} END_TEST

/* As many as there may be: all are found, what is not there is not. */
START_TEST(all_65536_are_found)
{
	enum { COUNT = 65536 };
	size_t		 size = COUNT * 32 + 64, n = 0;
	char		*yaml = malloc(size), name[40];
	struct settings *s;

	n += (size_t)snprintf(yaml, size, "accept_domains:\n");
	for (unsigned i = 0; i < COUNT; i++)
		n += (size_t)snprintf(yaml + n, size - n, "- %sd%u.example\n", i % 2 ? "." : "", i);
	s = must_parse(yaml);
	for (unsigned i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "d%u.example", i);
		ck_assert_msg(settings_accepts(s, span_of(name)) == (i % 2 == 0), "%s", name);
		(void)snprintf(name, sizeof(name), "mx.d%u.example", i);
		ck_assert_msg(settings_accepts(s, span_of(name)) == (i % 2 == 1), "%s", name);
	}
	settings_unref(s);
	(void)snprintf(yaml + n, size - n, "- one.more.example\n");
	ck_assert_ptr_null(settings_parse(span_of(yaml), "test", &error));
	ck_assert_str_eq(error.message, "test:65538:3: accept_domains: has more than 65536 entries");
	free(yaml);
} END_TEST

START_TEST(the_longest_name_is_looked_up)
{
	char		 yaml[400], name[300] = "";
	struct settings *s;

	for (unsigned i = 0; i < 126; i++)
		(void)snprintf(name + 2 * i, sizeof(name) - 2 * i, "a.");
	name[252] = 'b'; /* 253 octets, 127 labels */
	name[253] = 0;
	(void)snprintf(yaml, sizeof(yaml), "accept_domains: [%s, .a.b]\n", name);
	s = must_parse(yaml);
	ck_assert(settings_accepts(s, span_of(name)));
	ck_assert(settings_accepts(s, span_of(name + 2)));
	ck_assert(!settings_accepts(s, SPAN_LITERAL("a.b")));
	memcpy(name + 252, "bc", 3);
	ck_assert(!settings_accepts(s, span_of(name)));
	settings_unref(s);
} END_TEST

/* A name of 254 octets, and a label of 64, are none: not even the star takes them. */
START_TEST(a_name_too_long_is_none)
{
	char		 name[300];
	struct settings *s = must_parse("routes: {\"*\": mx}\n");

	memset(name, 'a', sizeof(name));
	for (unsigned i = 50; i < 250; i += 50)
		name[i] = '.';
	ck_assert_ptr_nonnull(settings_route_for(s, span_make(name, 253)));
	ck_assert_ptr_null(settings_route_for(s, span_make(name, 254)));
	ck_assert_ptr_null(settings_route_for(s, span_make(name, 300)));
	memset(name, 'a', 64);
	ck_assert_ptr_nonnull(settings_route_for(s, span_make(name, 63)));
	ck_assert_ptr_null(settings_route_for(s, span_make(name, 64)));
	settings_unref(s);
} END_TEST

/* --- networks --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *networks, *client;
	bool	    may;
} network_cases[] = {
	{ "[]", "127.0.0.1", false },
	{ "[127.0.0.0/8]", "127.0.0.1", true },
	{ "[127.0.0.0/8]", "127.255.255.255", true },
	{ "[127.0.0.0/8]", "128.0.0.0", false },
	{ "[127.0.0.0/8]", "126.255.255.255", false },
	{ "[127.0.0.0/8]", "::1", false },
	{ "[192.0.2.1]", "192.0.2.1", true },
	{ "[192.0.2.1]", "192.0.2.2", false },
	{ "[\"2001:db8::/32\"]", "2001:db8:ffff::1", true },
	{ "[\"2001:db8::/32\"]", "2001:db9::", false },
	{ "[\"2001:db8::/32\"]", "192.0.2.1", false },
	{ "[10.1.0.0/16, 10.0.0.0/8]", "10.200.0.1", true },
	{ "[10.0.0.0/8, 10.1.0.0/16, 10.1.1.1]", "10.1.1.2", true },
	{ "[10.0.0.0/8, 10.0.0.0/8]", "10.0.0.0", true },
	{ "[10.0.0.0/16, 10.0.0.0/8]", "10.1.0.0", true },
	{ "[10.0.0.0/24, 10.0.2.0/24]", "10.0.1.0", false },
	{ "[10.0.0.0/24, 10.0.2.0/24]", "10.0.2.255", true },
	{ "[10.0.0.0/24, 10.0.2.0/24]", "10.0.3.0", false },
};

START_TEST(a_network_holds_its_clients)
{
	char		 yaml[256];
	struct settings *s;
	struct endpoint	 client;

	(void)snprintf(yaml, sizeof(yaml), "relay_networks: %s\n", network_cases[_i].networks);
	s = must_parse(yaml);
	ck_assert(endpoint_parse(span_of(network_cases[_i].client), 4711, &client));
	ck_assert_msg(settings_may_relay(s, &client) == network_cases[_i].may, "%s %s", network_cases[_i].networks,
		      network_cases[_i].client);
	settings_unref(s);
} END_TEST

START_TEST(networks_same_as_trying_each)
{
	uint32_t	 seed = (uint32_t)_i + 1, state = seed;
	char		 yaml[4096] = "relay_networks:\n";
	unsigned	 count = 1 + chance(&state, 60);
	struct settings *s;

	for (unsigned i = 0; i < count; i++) {
		unsigned bits = 20 + chance(&state, 13);
		uint32_t ip = (10u << 24 | chance(&state, 1 << 14)) & ~(bits == 32 ? 0 : UINT32_MAX >> bits);

		(void)snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "- %u.%u.%u.%u/%u\n", ip >> 24,
			       ip >> 16 & 255, ip >> 8 & 255, ip & 255, bits);
	}
	s = must_parse(yaml);
	for (unsigned round = 0; round < 500; round++) {
		uint32_t	host = chance(&state, 1 << 14);
		uint8_t		ip[4] = { 10, 0, (uint8_t)(host >> 8), (uint8_t)host };
		struct endpoint e = endpoint_from_ipv4(ip, 0);
		bool		want = false;

		for (unsigned i = 0; i < s->relay_networks.count; i++)
			want |= endpoint_prefix_match(&s->relay_networks.at[i], &e);
		ck_assert_msg(settings_may_relay(s, &e) == want, "seed %u, 10.0.%u.%u", seed, ip[2], ip[3]);
	}
	settings_unref(s);
} END_TEST

/* --- the key that was meant -------------------------------------------------------------------------------------- */

static const struct {
	const char *path, *want; /* NULL: none near enough */
} nearest_cases[] = {
	{ "host_name", "hostname" },
	{ "hostnam", "hostname" },
	{ "hotsname", "hostname" },
	{ "listne", "listen" },
	{ "inbond", "inbound" },
	{ "logs", "log" },
	{ "relay_networks.", "relay_networks" },
	{ "spool.dir", "spool.directory" },
	{ "spool.di", NULL },
	{ "spool.directroy", "spool.directory" },
	{ "retry.max_", "retry.max" },
	{ "inbound.sessions_max_per_client", "inbound.sessions_per_client_max" },
	{ "outbound.sessions_max", "inbound.sessions_max" },
	{ "dns.cache_max", "dns.cache_max" },
	{ "log.cache_max", "spool.cache_max" },
	{ "x", NULL },
	{ "", NULL },
	{ ".", NULL },
	{ "completely_different_and_longer_than_any_path_there_is_in_the_whole_table", NULL },
};

START_TEST(nearest)
{
	char	    buffer[SETTINGS_PATH_MAX];
	const char *got = settings_nearest(span_of(nearest_cases[_i].path), buffer);

	ck_assert_msg((got == NULL) == (nearest_cases[_i].want == NULL) &&
			      (got == NULL || strcmp(got, nearest_cases[_i].want) == 0),
		      "%s: got %s", nearest_cases[_i].path, got ? got : "none");
} END_TEST

int
main(void)
{
	TCase *tc = case_new("settings_index");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_pattern_fits_what_it_says, 0, COUNT_OF(fit_cases));
	tcase_add_loop_test(tc, the_best_fit_wins_whatever_the_order, 0, COUNT_OF(best_cases));
	tcase_add_loop_test(tc, same_as_trying_each, 0, 50);
	tcase_add_test(tc, all_65536_are_found);
	tcase_add_test(tc, the_longest_name_is_looked_up);
	tcase_add_test(tc, a_name_too_long_is_none);
	tcase_add_loop_test(tc, a_network_holds_its_clients, 0, COUNT_OF(network_cases));
	tcase_add_loop_test(tc, networks_same_as_trying_each, 0, 50);
	tcase_add_loop_test(tc, nearest, 0, COUNT_OF(nearest_cases));
	return run_case("mta/settings_index", tc);
}
