/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of lists: endpoints, networks, domain patterns, routes and their hops.  Lists grow by doubling inside the
 * generation's arena; what doubling leaves behind dies with it.
 */
#include "mta/settings_internal.h"

enum { PORT_SMTP = 25, PORT_DNS = 53 };

static const char no_memory[] = "there is no memory for it";

/* Room for one entry more behind `count` of `size` octets, or NULL. */
static void *
grow(struct arena *arena, void *at, unsigned count, size_t size)
{
	void *larger;

	if (count & (count - 1))
		return at;
	larger = arena_alloc(arena, (count ? (size_t)count * 2 : 1) * size);
	if (larger && count)
		memcpy(larger, at, (size_t)count * size);
	return larger;
}

static bool
room(const struct settings_row *row, unsigned count, struct settings_why *why)
{
	if (count < row->max)
		return true;
	settings_because(why, "has more than %llu entries", (unsigned long long)row->max);
	return false;
}

bool
settings_endpoint_add(const struct settings_row *row, struct span text, struct settings *s,
		      struct settings_why *why)
{
	struct settings_endpoints *list = (struct settings_endpoints *)((char *)s + row->offset);
	bool		 dns = row == &settings_rows[SETTINGS_ROW_dns_servers];
	char		 quoted[SETTINGS_QUOTE_MAX];
	struct endpoint	 e, *at;

	if (!room(row, list->count, why))
		return false;
	if (!endpoint_parse(text, dns ? PORT_DNS : PORT_SMTP, &e)) {
		settings_because(why, "%s is not an address like 192.0.2.1:%d or \"[2001:db8::1]:%d\"",
				 settings_quote(text, quoted), dns ? PORT_DNS : PORT_SMTP,
				 dns ? PORT_DNS : PORT_SMTP);
		return false;
	}
	if (e.port == 0) {
		settings_because(why, "%s: there is no port 0", settings_quote(text, quoted));
		return false;
	}
	for (unsigned i = 0; i < list->count; i++)
		if (endpoint_same_ip(&list->at[i], &e) && list->at[i].port == e.port) {
			settings_because(why, "names %s twice", settings_quote(text, quoted));
			return false;
		}
	at = grow(&s->arena, list->at, list->count, sizeof(*at));
	if (at == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	list->at = at;
	at[list->count++] = e;
	return true;
}

/* "10.1.2.3/8" is either a slip of the address or of the length: say what each would be. */
static void
prefix_refused(struct span text, struct settings_why *why)
{
	char		       quoted[SETTINGS_QUOTE_MAX], ip[ENDPOINT_TEXT_MAX];
	size_t		       slash = span_find(text, '/');
	struct endpoint	       e;
	struct endpoint_prefix p;
	char		       again[ENDPOINT_TEXT_MAX + 8];

	settings_quote(text, quoted);
	if (slash < text.len && endpoint_parse(span_first(text, slash), 0, &e))
		for (int bits = endpoint_is_ipv4(&e) ? 31 : 127; bits >= 0; bits--) {
			unsigned bit = (unsigned)bits + (endpoint_is_ipv4(&e) ? 96 : 0);

			e.ip[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
			(void)snprintf(again, sizeof(again), "%s%.*s", endpoint_format_ip(&e, ip),
				       (int)MIN_OF(text.len - slash, (size_t)5), text.data + slash);
			if (endpoint_prefix_parse(span_of(again), &p)) {
				settings_because(why, "%s has bits set behind its prefix; the network is %s", quoted,
						 again);
				return;
			}
		}
	settings_because(why, "%s is not a network like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.1", quoted);
}

bool
settings_prefix_add(const struct settings_row *row, struct span text, struct settings *s,
		    struct settings_why *why)
{
	struct settings_prefixes *list = (struct settings_prefixes *)((char *)s + row->offset);
	struct endpoint_prefix p, *at;

	if (!room(row, list->count, why))
		return false;
	if (!endpoint_prefix_parse(text, &p)) {
		prefix_refused(text, why);
		return false;
	}
	at = grow(&s->arena, list->at, list->count, sizeof(*at));
	if (at == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	list->at = at;
	at[list->count++] = p;
	return true;
}

/* --- domains ------------------------------------------------------------------------------------------------- */

/*
 * "example.org", ".example.org" or "*.example.org" (kept as the former), "example.*", "*".  A star stands for whole
 * labels at one end and nowhere else.
 */
static bool
pattern_parse(struct span text, struct settings *s, struct span *out, struct settings_why *why)
{
	char	    quoted[SETTINGS_QUOTE_MAX];
	struct span name = text, plain;
	bool	    below = false, above = false;
	char	   *joined;

	settings_quote(text, quoted);
	if (span_equal(text, SPAN_LITERAL("*"))) {
		*out = arena_copy(&s->arena, text);
		if (out->data == NULL)
			settings_because(why, no_memory);
		return out->data != NULL;
	}
	if (text.len > 1 && text.data[0] == '.') {
		below = true;
		name = span_from(text, 1);
	} else if (text.len > 2 && memcmp(text.data, "*.", 2) == 0) {
		below = true;
		name = span_from(text, 2);
	}
	if (name.len > 2 && memcmp(name.data + name.len - 2, ".*", 2) == 0) {
		above = true;
		name.len -= 2;
	}
	if ((below && above) || span_find(name, '*') < name.len) {
		settings_because(why, "%s: a star stands for the first labels or the last ones of a domain, not for both "
				      "and not for a part of a label", quoted);
		return false;
	}
	if (!settings_domain(name, s, &plain, why))
		return false;
	if (!below && !above) {
		*out = plain;
		return true;
	}
	joined = arena_alloc(&s->arena, plain.len + 3);
	if (joined == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	(void)snprintf(joined, plain.len + 3, "%s%s%s", below ? "." : "", plain.data, above ? ".*" : "");
	*out = span_of(joined);
	return true;
}

bool
settings_pattern_add(const struct settings_row *row, struct span text, struct settings *s,
		     struct settings_why *why)
{
	struct settings_patterns *list = (struct settings_patterns *)((char *)s + row->offset);
	struct span pattern, *at;

	if (!room(row, list->count, why) || !pattern_parse(text, s, &pattern, why))
		return false;
	at = grow(&s->arena, list->at, list->count, sizeof(*at));
	if (at == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	list->at = at;
	at[list->count++] = pattern;
	return true;
}

/* --- routes ---------------------------------------------------------------------------------------------------- */

bool
settings_route_add(const struct settings_row *row, struct span text, struct settings *s,
		   struct settings_why *why)
{
	struct settings_routes *list = (struct settings_routes *)((char *)s + row->offset);
	struct span pattern;
	struct settings_route *at;

	if (!room(row, list->count, why) || !pattern_parse(text, s, &pattern, why))
		return false;
	at = grow(&s->arena, list->at, list->count, sizeof(*at));
	if (at == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	list->at = at;
	at[list->count++] = (struct settings_route){ .pattern = pattern };
	return true;
}

static bool
all_digits(struct span label)
{
	for (size_t i = 0; i < label.len; i++)
		if (label.data[i] < '0' || label.data[i] > '9')
			return false;
	return true;
}

/* "host", "host:port", "192.0.2.1:25", "[2001:db8::1]:25". */
static bool
hop_parse(struct span text, struct settings *s, struct settings_hop *hop, struct settings_why *why)
{
	static const uint8_t nowhere[16];
	char		     quoted[SETTINGS_QUOTE_MAX];
	size_t		     colon = span_find(text, ':'), dot;
	struct span	     host = span_first(text, colon), port = span_from(text, colon + 1);
	unsigned	     number = 0;

	settings_quote(text, quoted);
	*hop = (struct settings_hop){ .host = { NULL, 0 } };
	if (text.len && text.data[0] != '[' && span_find(port, ':') < port.len) {
		settings_because(why, "%s: an IPv6 address is written in brackets", quoted);
		return false;
	}
	if (endpoint_parse(text, PORT_SMTP, &hop->address)) {
		if (hop->address.port == 0) {
			settings_because(why, "%s: there is no port 0", quoted);
			return false;
		}
		if (memcmp(hop->address.ip, nowhere, 16) == 0 ||
		    (endpoint_is_ipv4(&hop->address) && memcmp(hop->address.ip + 12, nowhere, 4) == 0)) {
			settings_because(why, "%s is no address to send to", quoted);
			return false;
		}
		return true;
	}
	if (text.len && text.data[0] == '[') {
		settings_because(why, "%s is not an address in brackets; a host's name has none", quoted);
		return false;
	}
	dot = host.len;
	while (dot && host.data[dot - 1] != '.')
		dot--;
	if (host.len && all_digits(span_from(host, dot))) {
		settings_because(why, "%s is neither a host nor an address", quoted);
		return false;
	}
	if (!settings_domain(host, s, &hop->host, why))
		return false;
	hop->address.port = PORT_SMTP;
	if (colon == text.len)
		return true;
	for (size_t i = 0; i < port.len && number <= 65535; i++)
		number = port.data[i] >= '0' && port.data[i] <= '9' ?
			 number * 10 + (unsigned)(port.data[i] - '0') : 65536;
	if (number == 0 || number > 65535) {
		settings_because(why, "%s: a port is a number from 1 to 65535", quoted);
		return false;
	}
	hop->address.port = (uint16_t)number;
	return true;
}

bool
settings_hop_add(struct settings_route *route, struct span text, struct settings *s, struct settings_why *why)
{
	char		     quoted[SETTINGS_QUOTE_MAX];
	struct settings_hop  hop, *at;

	if (span_equal_nocase(text, SPAN_LITERAL("mx"))) {
		if (route->hop_count || route->by_mx) {
			settings_because(why, "mx stands alone or not at all");
			return false;
		}
		route->by_mx = true;
		return true;
	}
	if (!span_starts_nocase(text, SPAN_LITERAL("smtp:"))) {
		settings_because(why, "%s is neither smtp:host:port nor mx", settings_quote(text, quoted));
		return false;
	}
	if (route->by_mx) {
		settings_because(why, "mx stands alone or not at all");
		return false;
	}
	if (route->hop_count == SETTINGS_HOPS_MAX) {
		settings_because(why, "has more than %d next hops", SETTINGS_HOPS_MAX);
		return false;
	}
	if (!hop_parse(span_from(text, 5), s, &hop, why))
		return false;
	at = grow(&s->arena, route->hops, route->hop_count, sizeof(*at));
	if (at == NULL) {
		settings_because(why, no_memory);
		return false;
	}
	route->hops = at;
	at[route->hop_count++] = hop;
	return true;
}
