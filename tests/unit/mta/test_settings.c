/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/settings.h"

#include <pthread.h>
#include <unistd.h>

#include "mta/settings_internal.h"
#include "tests/support/run.h"

static struct settings_error error;

static struct settings *
parse(const char *yaml)
{
	struct settings *s;

	memset(&error, 0x55, sizeof(error));
	s = settings_parse(span_of(yaml), "ringpost.yaml", &error);
	return s;
}

static struct settings *
must_parse(const char *yaml)
{
	struct settings *s = parse(yaml);

	ck_assert_msg(s != NULL, "%s", error.message);
	return s;
}

/* --- what is right ------------------------------------------------------------------------------------------- */

START_TEST(nothing_given_is_all_defaults)
{
	static const char *const nothings[] = { "", "{}", "---\n", "# a remark\n", "inbound:\n", "inbound: {}\n" };

	for (size_t i = 0; i < COUNT_OF(nothings); i++) {
		struct settings *s = must_parse(nothings[i]);

		ck_assert_uint_eq(s->message_size_max_octets, 50u << 20);
		ck_assert_uint_eq(s->retry_expire_ms, UINT64_C(5) * 86400000);
		ck_assert_uint_eq(s->log_level, LOG_LEVEL_INFO);
		ck_assert(s->text_line_check);
		ck_assert_uint_eq(s->listen.count, 2);
		ck_assert_uint_eq(s->relay_networks.count, 2);
		ck_assert_uint_eq(s->accept_domains.count, 0);
		ck_assert_uint_eq(s->routes.count, 0);
		ck_assert_uint_eq(s->log_file.len, 0);
		ck_assert_str_eq(s->spool_directory.data, "var/spool");
		ck_assert_uint_gt(s->hostname.len, 0);
		/* One client does not take every place. */
		ck_assert_uint_lt(s->sessions_per_client_max, s->sessions_max / 2);
		settings_unref(s);
	}
} END_TEST

START_TEST(each_type_as_it_is_written)
{
	struct settings *s = must_parse("hostname: MX.Bücher.example\n"
					"listen:\n"
					"  - 192.0.2.1\n"
					"  - \"[2001:db8::1]:2525\"\n"
					"memory_max: 4 GiB\n"
					"spool:\n"
					"  directory: \"/var/spool/ring post\"\n"
					"log: {format: json, level: DEBUG}\n"
					"inbound:\n"
					"  message_size_max: 1048576\n"
					"  text_line_check: no\n"
					"  command_deadline: 90s\n"
					"retry:\n"
					"  warn: 4 h\n"
					"relay_networks: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.7]\n"
					"accept_domains:\n"
					"  - EXAMPLE.org\n"
					"  - \"*.straße.example\"\n"
					"routes:\n"
					"  example.org:\n"
					"    - smtp:mail.example.net:2525\n"
					"    - \"smtp:[2001:db8::25]\"\n"
					"    - smtp:192.0.2.25:26\n"
					"  \"*.straße.example\": MX\n"
					"dns:\n"
					"  servers: [127.0.0.53, \"::1\"]\n");
	const struct settings_route *route;

	ck_assert_str_eq(s->hostname.data, "mx.xn--bcher-kva.example");
	ck_assert_uint_eq(s->listen.count, 2);
	ck_assert_uint_eq(s->listen.at[0].port, 25);
	ck_assert_uint_eq(s->listen.at[1].port, 2525);
	ck_assert_uint_eq(s->memory_max_octets, UINT64_C(4) << 30);
	ck_assert_str_eq(s->spool_directory.data, "/var/spool/ring post");
	ck_assert_uint_eq(s->log_format, LOG_FORMAT_JSON);
	ck_assert_uint_eq(s->log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(s->message_size_max_octets, 1u << 20);
	ck_assert(!s->text_line_check);
	ck_assert_uint_eq(s->command_deadline_ms, 90000);
	ck_assert_uint_eq(s->retry_warn_ms, 4u * 3600000);
	ck_assert_uint_eq(s->dns_servers.count, 2);
	ck_assert_uint_eq(s->dns_servers.at[0].port, 53);
	ck_assert_uint_eq(s->accept_domains.count, 2);
	ck_assert_str_eq(s->accept_domains.at[0].data, "example.org");
	ck_assert_str_eq(s->accept_domains.at[1].data, ".xn--strae-oqa.example");
	route = settings_route_for(s, SPAN_LITERAL("Example.ORG"));
	ck_assert_ptr_nonnull(route);
	ck_assert(!route->by_mx);
	ck_assert_uint_eq(route->hop_count, 3);
	ck_assert_str_eq(route->hops[0].host.data, "mail.example.net");
	ck_assert_uint_eq(route->hops[0].address.port, 2525);
	ck_assert_uint_eq(route->hops[1].host.len, 0);
	ck_assert(!endpoint_is_ipv4(&route->hops[1].address));
	ck_assert_uint_eq(route->hops[1].address.port, 25);
	ck_assert(endpoint_is_ipv4(&route->hops[2].address));
	ck_assert_uint_eq(route->hops[2].address.port, 26);
	route = settings_route_for(s, SPAN_LITERAL("mail.straße.example"));
	ck_assert_ptr_nonnull(route);
	ck_assert(route->by_mx);
	ck_assert_uint_eq(route->hop_count, 0);
	settings_unref(s);
} END_TEST

START_TEST(the_embedded_ones_stay_on_this_machine)
{
	struct settings *s = settings_embedded();
	const struct settings_route *route;

	ck_assert_ptr_nonnull(s);
	for (unsigned i = 0; i < s->listen.count; i++) {
		ck_assert(endpoint_is_loopback(&s->listen.at[i]));
		ck_assert_uint_eq(s->listen.at[i].port, 2525);
	}
	ck_assert(settings_accepts(s, SPAN_LITERAL("example.org")));
	ck_assert(settings_accepts(s, SPAN_LITERAL("my.test")));
	ck_assert(!settings_accepts(s, SPAN_LITERAL("debian.org")));
	route = settings_route_for(s, SPAN_LITERAL("example.net"));
	ck_assert_ptr_nonnull(route);
	ck_assert(endpoint_is_loopback(&route->hops[0].address));
	ck_assert_uint_eq(route->hops[0].address.port, 2526);
	ck_assert_ptr_null(settings_route_for(s, SPAN_LITERAL("debian.org")));
	ck_assert_str_eq(s->log_file.data, "./var/ringpost.log");
	ck_assert_uint_eq(strlen(s->digest), 64);
	settings_unref(s);
} END_TEST

/* --- what is wrong --------------------------------------------------------------------------------------------- */

/* The whole message behind "ringpost.yaml:". */
static const struct {
	const char *label, *yaml, *want;
} wrong_cases[] = {
	/* keys */
	{ "a letter missing", "relay_network: []\n", "1:1: unknown key \"relay_network\"; did you mean \"relay_networks\"?" },
	{ "letters swapped", "cores: 1\nacecpt_domains: []\n",
	  "2:1: unknown key \"acecpt_domains\"; did you mean \"accept_domains\"?" },
	{ "in a section", "inbound:\n  mesage_size_max: 1 MiB\n",
	  "2:3: unknown key \"inbound.mesage_size_max\"; did you mean \"inbound.message_size_max\"?" },
	{ "not in a section", "errors_max: 5\n", "1:1: unknown key \"errors_max\"; did you mean \"inbound.errors_max\"?" },
	{ "in the wrong section", "retry: {connect_timeout: 5 s}\n",
	  "1:9: unknown key \"retry.connect_timeout\"; did you mean \"outbound.connect_timeout\"?" },
	{ "section misspelt", "inbuond:\n  errors_max: 1\n", "1:1: unknown key \"inbuond\"; did you mean \"inbound\"?" },
	{ "nothing like it", "philosophy: deep\n", "1:1: unknown key \"philosophy\"" },
	{ "dotted", "spool.directory: /s\n",
	  "1:1: unknown key \"spool.directory\"; write \"spool:\" and below it, indented, \"directory:\"" },
	{ "case counts", "Cores: 1\n", "1:1: unknown key \"Cores\"; did you mean \"cores\"?" },
	{ "empty key", "\"\": 1\n", "1:1: unknown key \"\"" },
	{ "control characters in a key", "\"a\\nb\\e\": 1\n", "1:1: unknown key \"a\\x0ab\\x1b\"" },
	{ "a long key is cut", "k23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890: 1\n",
	  "1:1: unknown key \"k234567890123456789012345678901234567890123456789012345678901234\"" },
	{ "a list as key", "[a, b]: 1\n", "1:1: a key must be a word" },
	{ "merge key", "<<: {cores: 1}\n", "1:1: unknown key \"<<\"" },
	{ "twice", "cores: 2\nhostname: a.example\ncores: 2\n", "3:1: \"cores\" is given twice, first in line 1" },
	{ "twice in a section", "dns:\n  tries: 1\n  tries: 1\n", "3:3: \"dns.tries\" is given twice, first in line 2" },
	{ "section twice", "dns:\n  tries: 1\ncores: 1\ndns:\n  timeout: 1 s\n",
	  "4:1: section \"dns\" is given twice, first in line 1" },
	/* shapes */
	{ "a list on top", "- cores\n", "1:1: needs lines of the form \"key: value\"" },
	{ "a word on top", "cores\n", "1:1: needs lines of the form \"key: value\"" },
	{ "value for a section", "dns: 127.0.0.1\n",
	  "1:6: \"dns\" is a section; below it, indented, stand servers, timeout, tries, ttl_max, cache_max" },
	{ "list for a section", "dns: [a]\n",
	  "1:6: \"dns\" is a section; below it, indented, stand servers, timeout, tries, ttl_max, cache_max" },
	{ "list for a value", "cores: [1]\n", "1:8: cores: needs one value, not a list" },
	{ "map for a value", "cores: {a: 1}\n", "1:8: cores: needs one value, not a map" },
	{ "map for a list", "listen: {a: 1}\n", "1:9: listen: needs a list, not a map" },
	{ "list in a list", "accept_domains: [[a.example]]\n",
	  "1:18: accept_domains: needs an entry of one line, not a list" },
	{ "list for routes", "routes: [a]\n", "1:9: routes: needs lines of the form \"domain: smtp:host:port\"" },
	{ "map for a route", "routes:\n  a.example: {b: c}\n", "2:14: routes: needs a next hop, not a map" },
	{ "no value", "cores:\n", "1:7: cores: needs one value, and none is given; leave the key out for its default" },
	{ "null", "hostname: null\n", "1:11: hostname: null is not one value; leave the key out for its default" },
	{ "tilde", "spool:\n  directory: ~\n",
	  "2:14: spool.directory: null is not one value; leave the key out for its default" },
	{ "an empty entry", "accept_domains:\n  -\n",
	  "2:4: accept_domains: needs an entry of one line, and none is given; leave the key out for its default" },
	{ "several without a list", "accept_domains: a.example, b.example\n",
	  "1:17: accept_domains: several entries are written as a list, [one, two]" },
	{ "deep nesting", "cores: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", "1:8: cores: needs one value, not a list" },
	/* YAML */
	{ "alias", "accept_domains:\n  - *test\n",
	  "2:5: YAML aliases are not used here; a word that begins with * needs quotes, as in \"*.example\"" },
	{ "star without quotes", "accept_domains:\n  - *.test\n",
	  "2:6: did not find expected alphabetic or numeric character, while scanning an alias; a word that begins with * "
	  "needs quotes, as in \"*.example\"" },
	{ "anchor", "cores: &c 1\n", "1:8: YAML anchors (&name) are not used here" },
	{ "anchor on a list", "listen: &c [127.0.0.1]\n", "1:9: YAML anchors (&name) are not used here" },
	{ "anchor on a map", "dns: &c {tries: 1}\n", "1:6: YAML anchors (&name) are not used here" },
	{ "tag", "cores: !!int 1\n", "1:8: YAML tags (!name) are not used here" },
	{ "two documents", "cores: 1\n---\ncores: 2\n", "2:1: a second YAML document begins here; one file holds one" },
	{ "a tab", "dns:\n\ttries: 1\n",
	  "2:1: found character that cannot start any token, while scanning for the next token; indent by blanks, not by "
	  "tabs" },
	{ "a bracket left open", "listen: [127.0.0.1\n",
	  "2:1: did not find expected ',' or ']', while parsing a flow sequence" },
	{ "a quote left open", "hostname: \"a\n", "2:1: found unexpected end of stream, while scanning a quoted scalar" },
	{ "wrong indent", "dns:\n  tries: 1\n timeout: 1 s\n", "3:2: did not find expected key, while parsing a block mapping" },
	{ "an address in brackets", "listen:\n  - [::1]:25\n",
	  "2:5: listen: a list in the list; an address in brackets needs quotes, as in \"[::1]:25\"" },
	{ "a hop in brackets", "routes:\n  \"*.test\": [smtp:[::1]:25]\n",
	  "2:18: found unexpected ':', while scanning a plain scalar; an address in brackets needs quotes, as in "
	  "\"[::1]:25\"" },
	{ "not UTF-8", "# ü\n# \xc3\xbc \xff\n", "2:5: this is not text in UTF-8: invalid leading UTF-8 octet" },
	{ "UTF-16", "\xff\xfe" "c", "1:1: this is not text in UTF-8: invalid leading UTF-8 octet" },
	{ "a control character", "cores: 1 # \a\n", "1:12: this is not text in UTF-8: control characters are not allowed" },
	/* numbers */
	{ "a word", "cores: many\n", "1:8: cores: \"many\" is not a number" },
	{ "signed", "cores: -1\n", "1:8: cores: \"-1\" is not a number" },
	{ "hexadecimal", "cores: 0x10\n", "1:8: cores: \"0x10\" is not a number alone" },
	{ "behind the number", "cores: 1 2\n", "1:8: cores: \"1 2\" is not a number alone" },
	{ "empty in quotes", "cores: \"\"\n", "1:8: cores: \"\" is not a number" },
	{ "NUL", "cores: \"1\\0\"\n", "1:8: cores: \"1\\x00\" is not a number alone" },
	{ "above", "cores: 257\n", "1:8: cores: 257 is above its maximum, 256" },
	{ "below", "inbound: {hops_max: 29}\n", "1:21: inbound.hops_max: 29 is below its minimum, 30" },
	{ "2^64", "cores: 18446744073709551616\n", "1:8: cores: \"18446744073709551616\" is too large a number" },
	{ "2^64 by its unit", "memory_max: 17179869184 GiB\n", "1:13: memory_max: \"17179869184 GiB\" is too large a number" },
	{ "size above", "inbound: {text_line_max: 2 MiB}\n", "1:26: inbound.text_line_max: 2 MiB is above its maximum, 1 MiB" },
	{ "size with K", "inbound: {text_line_max: 1K}\n", "1:26: inbound.text_line_max: \"1K\": the unit is written KiB" },
	{ "size with MB", "memory_max: 500 MB\n", "1:13: memory_max: \"500 MB\": the unit is written MiB" },
	{ "size with another", "memory_max: 5 bananas\n",
	  "1:13: memory_max: \"5 bananas\": there is no unit \"bananas\", only KiB, MiB, GiB and TiB" },
	{ "fraction", "memory_max: 1.5 GiB\n", "1:13: memory_max: \"1.5 GiB\" is not a whole number; take a smaller unit" },
	{ "no size", "memory_max: plenty\n", "1:13: memory_max: \"plenty\" is not a size like 2048, 64 KiB or 50 MiB" },
	{ "duration without unit", "dns: {timeout: 3}\n", "1:16: dns.timeout: \"3\" lacks its unit: ms, s, m, h or d" },
	{ "minutes", "retry: {first: 5 min}\n", "1:16: retry.first: \"5 min\": the unit is written m" },
	{ "weeks", "retry: {expire: 1 w}\n", "1:17: retry.expire: \"1 w\": there is no unit \"w\", only ms, s, m, h and d" },
	{ "two units", "retry: {first: 1 h 30 m}\n",
	  "1:16: retry.first: \"1 h 30 m\": there is no unit \"h 30 m\", only ms, s, m, h and d" },
	{ "a range", "retry: {first: 5-10 m}\n", "1:16: retry.first: \"5-10 m\" is not one number" },
	{ "duration below", "dns: {timeout: 99 ms}\n", "1:16: dns.timeout: 99 ms is below its minimum, 100 ms" },
	{ "no duration", "retry: {first: soon}\n",
	  "1:16: retry.first: \"soon\" is not a duration like 500 ms, 30 s, 5 m, 4 h or 5 d" },
	/* words and text */
	{ "neither yes nor no", "outbound: {bdat: maybe}\n", "1:18: outbound.bdat: \"maybe\" is neither yes nor no" },
	{ "a level", "log: {level: loud}\n", "1:14: log.level: \"loud\" is neither error, warn, info nor debug" },
	{ "a format", "log: {format: xml}\n", "1:15: log.format: \"xml\" is neither logfmt nor json" },
	{ "empty path", "spool: {directory: \"\"}\n", "1:20: spool.directory: must not be empty" },
	{ "path with a line end", "log:\n  file: \"a\\nb\"\n",
	  "2:9: log.file: \"a\\x0ab\" has a control character in it" },
	{ "too long for a socket",
	  "control:\n  socket: /123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/1234567\n",
	  "2:11: control.socket: "
	  "\"/123456789/123456789/123456789/123456789/123456789/123456789/123456789/1234...\" is longer than 107 octets" },
	/* names */
	{ "hostname with underscore", "hostname: my_host.example\n", "1:1: hostname: \"my_host.example\" is not a domain name" },
	{ "hostname with blanks", "hostname: my host\n", "1:1: hostname: \"my host\" is not a domain name" },
	{ "hyphen at the edge", "hostname: -a.example\n", "1:1: hostname: \"-a.example\" is not a domain name" },
	{ "empty label", "accept_domains: [a..example]\n", "1:18: accept_domains: \"a..example\" is not a domain name" },
	{ "label of 64",
	  "accept_domains: [a234567890123456789012345678901234567890123456789012345678901234.example]\n",
	  "1:18: accept_domains: \"a234567890123456789012345678901234567890123456789012345678901234.example\" is not a "
	  "domain name" },
	{ "star inside", "accept_domains: [\"a.*.example\"]\n",
	  "1:18: accept_domains: \"a.*.example\": a star stands for the first labels or the last ones of a domain, not for "
	  "both and not for a part of a label" },
	{ "star in a label", "accept_domains: [\"*a.example\"]\n",
	  "1:18: accept_domains: \"*a.example\": a star stands for the first labels or the last ones of a domain, not for "
	  "both and not for a part of a label" },
	{ "star at both ends", "accept_domains: [\"*.a.*\"]\n",
	  "1:18: accept_domains: \"*.a.*\": a star stands for the first labels or the last ones of a domain, not for "
	  "both and not for a part of a label" },
	{ "a dot alone", "accept_domains: [\".\"]\n", "1:18: accept_domains: \".\" is not a domain name" },
	{ "an address literal", "accept_domains: [\"[192.0.2.1]\"]\n",
	  "1:18: accept_domains: \"[192.0.2.1]\" is not a domain name" },
	/* addresses */
	{ "no addresses at all", "listen: []\n", "1:1: listen: needs at least one entry" },
	{ "a name to listen at", "listen: localhost:25\n",
	  "1:9: listen: \"localhost:25\" is not an address like 192.0.2.1:25 or \"[2001:db8::1]:25\"" },
	{ "a port alone", "listen: \":25\"\n",
	  "1:9: listen: \":25\" is not an address like 192.0.2.1:25 or \"[2001:db8::1]:25\"" },
	{ "port 0", "listen: 127.0.0.1:0\n", "1:9: listen: \"127.0.0.1:0\": there is no port 0" },
	{ "port 65536", "listen: 127.0.0.1:65536\n",
	  "1:9: listen: \"127.0.0.1:65536\" is not an address like 192.0.2.1:25 or \"[2001:db8::1]:25\"" },
	{ "listen twice", "listen: [127.0.0.1:25, 127.0.0.1]\n", "1:24: listen: names \"127.0.0.1\" twice" },
	{ "too many name servers",
	  "dns: {servers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9]}\n",
	  "1:97: dns.servers: has more than 8 entries" },
	{ "host bits", "relay_networks: 10.1.2.3/8\n",
	  "1:17: relay_networks: \"10.1.2.3/8\" has bits set behind its prefix; the network is 10.0.0.0/8" },
	{ "host bits of IPv6", "relay_networks: [\"2001:db8::1/32\"]\n",
	  "1:18: relay_networks: \"2001:db8::1/32\" has bits set behind its prefix; the network is 2001:db8::/32" },
	{ "prefix of 33", "relay_networks: 10.0.0.0/33\n",
	  "1:17: relay_networks: \"10.0.0.0/33\" is not a network like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.1" },
	{ "a mask", "relay_networks: 10.0.0.0/255.0.0.0\n",
	  "1:17: relay_networks: \"10.0.0.0/255.0.0.0\" is not a network like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.1" },
	/* routes */
	{ "route twice", "routes:\n  a.example: mx\n  A.EXAMPLE: mx\n",
	  "3:3: routes: \"a.example\" is given twice, first in line 2" },
	{ "route twice, star and dot", "routes:\n  \"*.a.example\": mx\n  .a.example: mx\n",
	  "3:3: routes: \".a.example\" is given twice, first in line 2" },
	{ "anything twice", "routes:\n  \"*\": mx\n  b.example: mx\n  \"*\": mx\n",
	  "4:3: routes: \"*\" is given twice, first in line 2" },
	{ "no hop", "routes:\n  a.example: []\n", "2:3: routes: needs a next hop; mx stands for delivery by MX" },
	{ "a host without smtp:", "routes:\n  a.example: mail.example\n",
	  "2:14: routes: \"mail.example\" is neither smtp:host:port nor mx" },
	{ "mx among others", "routes:\n  a.example: [\"smtp:b.example\", mx]\n", "2:33: routes: mx stands alone or not at all" },
	{ "others behind mx", "routes:\n  a.example: [mx, \"smtp:b.example\"]\n", "2:19: routes: mx stands alone or not at all" },
	{ "hop with port 0", "routes:\n  a.example: smtp:b.example:0\n",
	  "2:14: routes: \"b.example:0\": a port is a number from 1 to 65535" },
	{ "hop with no port behind the colon", "routes:\n  a.example: \"smtp:b.example:\"\n",
	  "2:14: routes: \"b.example:\": a port is a number from 1 to 65535" },
	{ "address with port 0", "routes:\n  a.example: smtp:192.0.2.1:0\n", "2:14: routes: \"192.0.2.1:0\": there is no port 0" },
	{ "bare IPv6", "routes:\n  a.example: smtp:2001:db8::1\n",
	  "2:14: routes: \"2001:db8::1\": an IPv6 address is written in brackets" },
	{ "name in brackets", "routes:\n  a.example: \"smtp:[b.example]:25\"\n",
	  "2:14: routes: \"[b.example]:25\" is not an address in brackets; a host's name has none" },
	{ "not quite an address", "routes:\n  a.example: smtp:192.0.2.256\n",
	  "2:14: routes: \"192.0.2.256\" is neither a host nor an address" },
	{ "nowhere", "routes:\n  a.example: smtp:0.0.0.0:25\n", "2:14: routes: \"0.0.0.0:25\" is no address to send to" },
	{ "no host", "routes:\n  a.example: \"smtp:\"\n", "2:14: routes: \"\" is not a domain name" },
	{ "17 hops",
	  "routes:\n  a.example: [smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a]\n",
	  "2:127: routes: has more than 16 next hops" },
	/* contradictions */
	{ "first pause above the longest", "retry:\n  first: 6 h\n",
	  "2:3: retry.first (6 h) is longer than retry.max (4 h)" },
	{ "longest pause above the age", "retry:\n  expire: 1 h\n",
	  "2:3: retry.max (4 h) is longer than retry.expire (1 h)" },
	{ "warning after the end", "retry: {warn: 6 d}\n", "1:9: retry.warn (6 d) is longer than retry.expire (5 d)" },
	{ "caches above the budget", "memory_max: 64 MiB\n",
	  "1:1: memory_max (64 MiB) leaves less than half to sessions and messages beside spool.cache_max (128 MiB) and "
	  "dns.cache_max (16 MiB)" },
	{ "too few segments", "spool:\n  size_max: 1 GiB\n  segment_size: 512 MiB\n",
	  "2:3: spool.size_max (1 GiB) has room for fewer than 4 segments of spool.segment_size (512 MiB)" },
	{ "one octet too few", "spool: {size_max: 1 GiB, segment_size: 268435457}\n",
	  "1:9: spool.size_max (1 GiB) has room for fewer than 4 segments of spool.segment_size (268435457)" },
	{ "too few segments for each core", "cores: 2\nspool:\n  size_max: 256 MiB\n",
	  "3:3: spool.size_max (256 MiB) has room for fewer than 4 segments of spool.segment_size (64 MiB) for each core" },
	{ "a message above the spool", "spool: {size_max: 1 GiB}\ninbound: {message_size_max: 1 GiB}\n",
	  "2:11: inbound.message_size_max (1 GiB) is more than half of spool.size_max (1 GiB)" },
	{ "a message above the segment", "spool: {segment_size: 4 MiB, inline_max: 2 MiB}\n",
	  "1:9: spool.segment_size (4 MiB) is too small: a message of spool.inline_max (2 MiB) and an envelope of "
	  "inbound.recipients_max (1000), 1 KiB each, must fit into half of it" },
	{ "log is the socket", "log: {file: /run/a}\ncontrol: {socket: /run/a}\n",
	  "1:7: log.file is a file and cannot be what is named by control.socket as well" },
	{ "spool below the log", "log: {file: /a}\nspool: {directory: /a/b}\n",
	  "1:7: log.file is a file and cannot be a directory of spool.directory as well" },
	{ "open relay", "relay_networks: [10.0.0.0/8, 0.0.0.0/0]\n",
	  "1:1: relay_networks holds the whole internet: this would be an open relay" },
	{ "open relay over IPv6", "relay_networks: [\"::/0\"]\n",
	  "1:1: relay_networks holds the whole internet: this would be an open relay" },
	{ "open relay, global unicast", "relay_networks: [\"2000::/3\"]\n",
	  "1:1: relay_networks holds the whole internet: this would be an open relay" },
	{ "any domain, by MX", "accept_domains: \"*\"\nroutes: {\"*\": mx}\n",
	  "1:1: accept_domains \"*\" takes mail from anybody to any domain, and no route \"*\" leads it to a server of "
	  "yours: this would be an open relay" },
	{ "a route to ourselves", "routes:\n  a.example: smtp:127.0.0.1:2525\n",
	  "1:1: routes \"a.example\" leads to 127.0.0.1:2525, where ringpost itself listens" },
};

START_TEST(wrong_is_refused_and_says_where)
{
	static const char name[] = "ringpost.yaml:";
	struct settings *s = parse(wrong_cases[_i].yaml);

	ck_assert_msg(s == NULL, "%s: was taken", wrong_cases[_i].label);
	ck_assert_msg(strncmp(error.message, name, strlen(name)) == 0, "%s: %s", wrong_cases[_i].label, error.message);
	ck_assert_msg(strcmp(error.message + strlen(name), wrong_cases[_i].want) == 0, "%s: got\n%s\nwant\n%s",
		      wrong_cases[_i].label, error.message + strlen(name), wrong_cases[_i].want);
} END_TEST

/* Near the edge and still right. */
static const struct {
	const char *label, *yaml;
} right_cases[] = {
	{ "UTF-8 with its mark", "\xef\xbb\xbf" "cores: 1\n" },
	{ "CRLF", "cores: 1\r\nhostname: a.example\r\n" },
	{ "no end of line", "cores: 1" },
	{ "quoted keys and numbers", "\"cores\": '1'\n" },
	{ "flow style", "{cores: 1, dns: {tries: 3}}" },
	{ "the end of a document", "cores: 1\n...\n" },
	{ "a directive", "%YAML 1.2\n---\ncores: 1\n" },
	{ "nothing relays", "relay_networks: []\n" },
	{ "all entries commented out", "accept_domains:\n#  - a.example\nroutes:\n" },
	{ "wide but not the world", "relay_networks: [10.0.0.0/8, \"2000::/4\"]\n" },
	{ "any domain to a server of ours", "accept_domains: \"*\"\nroutes: {\"*\": \"smtp:192.0.2.1\"}\n" },
	{ "no pause at all", "shutdown_deadline: 0\n" },
	{ "units in any case", "memory_max: 2 gib\nretry: {warn: 5 H}\n" },
	{ "the same domain twice", "accept_domains: [a.example, A.example]\n" },
	{ "route and pattern alike but not the same", "routes: {a.example: mx, .a.example: mx, \"a.*\": mx, \"*\": mx}\n" },
	{ "16 hops", "routes:\n  a.example: [smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,smtp:a,"
		     "smtp:a,smtp:a,smtp:a,smtp:a,smtp:a]\n" },
	{ "label of 63", "accept_domains: [a23456789012345678901234567890123456789012345678901234567890123.example]\n" },
	{ "log beside the spool", "log: {file: /a/spool.log}\nspool: {directory: /a/spool}\n" },
	{ "four segments", "spool: {size_max: 1 GiB, segment_size: 256 MiB}\n" },
	{ "a message of half the spool", "spool: {size_max: 1 GiB}\ninbound: {message_size_max: 512 MiB}\n" },
	{ "caches of half the budget", "memory_max: 288 MiB\n" },
	{ "a pause as long as the longest", "retry: {first: 4 h}\n" },
	{ "one second for everything", "retry: {first: 1 s, max: 1 s, expire: 1 s}\n" },
};

START_TEST(right_is_taken)
{
	struct settings *s = parse(right_cases[_i].yaml);

	ck_assert_msg(s != NULL, "%s: %s", right_cases[_i].label, error.message);
	settings_unref(s);
} END_TEST

/* --- defaults and bounds of the table ------------------------------------------------------------------------- */

START_TEST(each_default_is_within_its_bounds)
{
	const struct settings_row *row = &settings_rows[_i];
	struct settings		  *s = must_parse("");
	struct settings_why	   why;

	ck_assert_uint_le(row->min, row->max);
	ck_assert_uint_lt(strlen(row->path), SETTINGS_PATH_MAX);
	ck_assert_uint_gt(strlen(row->what), 0);
	ck_assert_msg(row->what[strlen(row->what) - 1] == '.', "%s: a sentence ends in a stop", row->path);
	if (!settings_type_is_list(row->type) && *row->text)
		ck_assert_msg(settings_value_parse(row, span_of(row->text), s, &why), "%s: %s", row->path, why.text);
	for (int i = 0; i < _i; i++)
		ck_assert_str_ne(settings_rows[i].path, row->path);
	settings_unref(s);
} END_TEST

/* --- printing --------------------------------------------------------------------------------------------------- */

static char *
printed(const struct settings *s)
{
	char  *text = NULL;
	size_t len = 0;
	FILE  *to = open_memstream(&text, &len);

	settings_print(s, to);
	(void)fclose(to);
	return text;
}

/* What is printed reads back as the same settings. */
START_TEST(printed_and_read_again)
{
	static const char *const texts[] = {
		"",
		"hostname: a.example\n"
		"listen: [192.0.2.1, \"[2001:db8::1]:587\"]\n"
		"spool: {directory: \"/a \\\"quoted\\\" \\\\ ü dir\"}\n"
		"log: {file: \"*x: [y] # z\", level: error, format: json}\n"
		"relay_networks: [192.0.2.0/24, 192.0.2.9, \"2001:db8::/33\", \"::1\"]\n"
		"accept_domains: [\"*.a.example\", \"b.*\", c.example]\n"
		"routes: {a.example: mx, \"*\": [\"smtp:b.example\", \"smtp:[2001:db8::2]:26\", \"smtp:192.0.2.3\"]}\n"
		"inbound: {message_size_max: 1048577, command_deadline: 1001 ms, text_line_check: no}\n"
		"dns: {servers: [127.0.0.1:5353]}\n",
	};
	struct settings *first = must_parse(texts[_i]), *second;
	char		*text = printed(first), *again;

	second = parse(text);
	ck_assert_msg(second != NULL, "%s\n%s", error.message, text);
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++)
		ck_assert_msg(settings_value_equal(&settings_rows[i], first, second), "%s", settings_rows[i].path);
	again = printed(second);
	ck_assert_str_eq(text, again);
	free(text);
	free(again);
	settings_unref(first);
	settings_unref(second);
} END_TEST

/* --- reload ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *label, *running, *next, *want;
} reload_cases[] = {
	{ "nothing", "", "", "" },
	{ "what a reload takes over", "", "hostname: b.example\nretry: {first: 1 m}\n", "" },
	{ "the spool", "", "spool: {directory: /elsewhere}\n", "spool.directory" },
	{ "several", "cores: 1\n", "cores: 2\nlisten: 127.0.0.1:26\ncontrol: {socket: /c}\n",
	  "listen, cores, control.socket" },
	{ "another order is another list", "listen: [127.0.0.1:26, 127.0.0.1:27]\n", "listen: [127.0.0.1:27, 127.0.0.1:26]\n",
	  "listen" },
	{ "one fewer", "listen: [127.0.0.1:26, 127.0.0.1:27]\n", "listen: [127.0.0.1:26]\n", "listen" },
	{ "the same, written otherwise", "listen: [127.0.0.1:25]\n", "listen: 127.0.0.1\n", "" },
};

START_TEST(what_needs_a_restart)
{
	struct settings *running = must_parse(reload_cases[_i].running), *next = must_parse(reload_cases[_i].next);
	char		 text[128];

	ck_assert_msg(strcmp(settings_needing_restart(running, next, text, sizeof(text)), reload_cases[_i].want) == 0,
		      "%s: %s", reload_cases[_i].label, text);
	settings_unref(running);
	settings_unref(next);
} END_TEST

START_TEST(a_list_of_names_is_cut_between_names)
{
	struct settings *running = must_parse("cores: 1\n"), *next = must_parse("cores: 2\nlisten: 127.0.0.1:26\n");
	char		 text[10];

	ck_assert_str_eq(settings_needing_restart(running, next, text, sizeof(text)), "listen");
	ck_assert_str_eq(settings_needing_restart(running, next, text, 3), "");
	settings_unref(running);
	settings_unref(next);
} END_TEST

START_TEST(a_digest_names_the_text)
{
	struct settings *a = must_parse("cores: 1\n"), *b = must_parse("cores: 1\n"), *c = must_parse("cores: 1 # x\n");

	ck_assert_str_eq(a->digest, b->digest);
	ck_assert_str_ne(a->digest, c->digest);
	settings_unref(a);
	settings_unref(b);
	settings_unref(c);
	settings_unref(NULL);
} END_TEST

static void *
hold_and_let_go(void *arg)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct settings *s = settings_ref(arg);

		ck_assert(settings_accepts(s, SPAN_LITERAL("b.a.example")));
		settings_unref(s);
	}
	settings_unref(arg);
	return NULL;
}

/* The last one frees it, whoever that is; the sanitizers watch. */
START_TEST(a_generation_is_shared_between_threads)
{
	struct settings *s = must_parse("accept_domains: .a.example\n");
	pthread_t	 threads[4];

	for (size_t i = 0; i < COUNT_OF(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hold_and_let_go, settings_ref(s)), 0);
	settings_unref(s);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
} END_TEST

/* --- files --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *label, *content;
	size_t	    blanks;
	bool	    good;
	const char *want; /* end of the message */
} file_cases[] = {
	{ "a good one", "cores: 1\n", 0, true, NULL },
	{ "empty", "", 0, false, ": is empty; write {} when all defaults are meant" },
	{ "as large as may be", "#", SETTINGS_FILE_MAX - 1, true, NULL },
	{ "one octet larger", "#", SETTINGS_FILE_MAX, false, ": is larger than 16 MiB" },
	{ "a mistake", "cores: x\n", 0, false, ":1:8: cores: \"x\" is not a number" },
};

START_TEST(files_are_read)
{
	char		 path[] = "/tmp/test-settings-XXXXXX";
	int		 fd = mkstemp(path);
	FILE		*file = fdopen(fd, "w");
	struct settings *s;
	size_t		 len;

	(void)fputs(file_cases[_i].content, file);
	for (size_t i = 0; i < file_cases[_i].blanks; i++)
		(void)fputc(' ', file);
	ck_assert_int_eq(fclose(file), 0);
	s = settings_read(path, &error);
	(void)unlink(path);
	ck_assert_msg((s != NULL) == file_cases[_i].good, "%s: %s", file_cases[_i].label, error.message);
	settings_unref(s);
	if (file_cases[_i].good)
		return;
	ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
	len = strlen(error.message);
	ck_assert_uint_ge(len, strlen(file_cases[_i].want));
	ck_assert_str_eq(error.message + len - strlen(file_cases[_i].want), file_cases[_i].want);
} END_TEST

START_TEST(no_file_is_said)
{
	ck_assert_ptr_null(settings_read("/nonexistent/ringpost.yaml", &error));
	ck_assert_str_eq(error.message, "/nonexistent/ringpost.yaml: cannot be read: No such file or directory");
	ck_assert_ptr_null(settings_read("/tmp", &error));
	ck_assert_str_eq(error.message, "/tmp: cannot be read: Is a directory");
} END_TEST

int
main(void)
{
	TCase *tc = case_new("settings");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nothing_given_is_all_defaults);
	tcase_add_test(tc, each_type_as_it_is_written);
	tcase_add_test(tc, the_embedded_ones_stay_on_this_machine);
	tcase_add_loop_test(tc, wrong_is_refused_and_says_where, 0, COUNT_OF(wrong_cases));
	tcase_add_loop_test(tc, right_is_taken, 0, COUNT_OF(right_cases));
	tcase_add_loop_test(tc, each_default_is_within_its_bounds, 0, SETTINGS_ROW_COUNT);
	tcase_add_loop_test(tc, printed_and_read_again, 0, 2);
	tcase_add_loop_test(tc, what_needs_a_restart, 0, COUNT_OF(reload_cases));
	tcase_add_test(tc, a_list_of_names_is_cut_between_names);
	tcase_add_test(tc, a_digest_names_the_text);
	tcase_add_test(tc, a_generation_is_shared_between_threads);
	tcase_add_loop_test(tc, files_are_read, 0, COUNT_OF(file_cases));
	tcase_add_test(tc, no_file_is_said);
	return run_case("mta/settings", tc);
}
