/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings that are each in bounds and together make no sense.  What is said here at start would else be found out
 * under load, or by somebody who looks for an open relay.
 *
 * Each rule names the rows it is about, the one a reader should look at first in front.
 */
#include "mta/settings_internal.h"

static void
concerns(struct settings_conflict *conflict, enum settings_row_number a, enum settings_row_number b,
	 enum settings_row_number c)
{
	conflict->rows[0] = a;
	conflict->rows[1] = b;
	conflict->rows[2] = c;
}

/* "retry.first (6 h) is longer than retry.max (4 h)": what is above its partner. */
static bool
not_above(const struct settings *s, enum settings_row_number low, const char *relation,
	  enum settings_row_number high, struct settings_conflict *conflict)
{
	const struct settings_row *a = &settings_rows[low], *b = &settings_rows[high];
	uint64_t		   x = settings_number(s, a), y = settings_number(s, b);
	char			   first[SETTINGS_NUMBER_MAX], second[SETTINGS_NUMBER_MAX];

	if (x <= y)
		return true;
	settings_because(&conflict->why, "(%s) is %s than %s (%s)", settings_number_format(a->type, x, first), relation,
			 b->path, settings_number_format(b->type, y, second));
	concerns(conflict, low, high, high);
	return false;
}

static bool
times_agree(const struct settings *s, struct settings_conflict *conflict)
{
	return not_above(s, SETTINGS_ROW_retry_first_ms, "longer", SETTINGS_ROW_retry_max_ms, conflict) &&
	       not_above(s, SETTINGS_ROW_retry_max_ms, "longer", SETTINGS_ROW_retry_expire_ms, conflict) &&
	       not_above(s, SETTINGS_ROW_retry_warn_ms, "longer", SETTINGS_ROW_retry_expire_ms, conflict);
}

/* Caches that could eat the whole budget would turn all mail away. */
static bool
memory_agrees(const struct settings *s, struct settings_conflict *conflict)
{
	char a[SETTINGS_NUMBER_MAX], b[SETTINGS_NUMBER_MAX], c[SETTINGS_NUMBER_MAX];

	if (s->spool_cache_max_octets + s->dns_cache_max_octets <= s->memory_max_octets / 2)
		return true;
	concerns(conflict, SETTINGS_ROW_memory_max_octets, SETTINGS_ROW_spool_cache_max_octets,
		 SETTINGS_ROW_dns_cache_max_octets);
	settings_because(&conflict->why, "(%s) leaves less than half to sessions and messages beside spool.cache_max (%s) and "
			      "dns.cache_max (%s)",
			 settings_number_format(SETTINGS_SIZE, s->memory_max_octets, a),
			 settings_number_format(SETTINGS_SIZE, s->spool_cache_max_octets, b),
			 settings_number_format(SETTINGS_SIZE, s->dns_cache_max_octets, c));
	return false;
}

/* Each core has its own part of the spool; what one message may need must fit into it. */
static bool
spool_agrees(const struct settings *s, struct settings_conflict *conflict)
{
	/* Per recipient, as longest: an address, an ORCPT and what the record adds, each well below. */
	const uint64_t recipient = 1024;
	uint64_t       cores = s->cores ? s->cores : 1, part = s->spool_size_max_octets / cores;
	char	       a[SETTINGS_NUMBER_MAX], b[SETTINGS_NUMBER_MAX];

	if (part / 4 < s->spool_segment_octets) {
		concerns(conflict, SETTINGS_ROW_spool_size_max_octets, SETTINGS_ROW_spool_segment_octets,
			 SETTINGS_ROW_cores);
		settings_because(&conflict->why, "(%s) has room for fewer than 4 segments of spool.segment_size (%s)%s",
				 settings_number_format(SETTINGS_SIZE, s->spool_size_max_octets, a),
				 settings_number_format(SETTINGS_SIZE, s->spool_segment_octets, b),
				 s->cores > 1 ? " for each core" : "");
		return false;
	}
	if (s->message_size_max_octets > part / 2) {
		concerns(conflict, SETTINGS_ROW_message_size_max_octets, SETTINGS_ROW_spool_size_max_octets,
			 SETTINGS_ROW_cores);
		settings_because(&conflict->why, "(%s) is more than half of spool.size_max (%s)%s",
				 settings_number_format(SETTINGS_SIZE, s->message_size_max_octets, a),
				 settings_number_format(SETTINGS_SIZE, s->spool_size_max_octets, b),
				 s->cores > 1 ? " for one core" : "");
		return false;
	}
	if (s->spool_inline_max_octets + s->recipients_max * recipient > s->spool_segment_octets / 2) {
		concerns(conflict, SETTINGS_ROW_spool_segment_octets, SETTINGS_ROW_spool_inline_max_octets,
			 SETTINGS_ROW_recipients_max);
		settings_because(&conflict->why, "(%s) is too small: a message of spool.inline_max (%s) and an envelope of "
				      "inbound.recipients_max (%llu), 1 KiB each, must fit into half of it",
				 settings_number_format(SETTINGS_SIZE, s->spool_segment_octets, a),
				 settings_number_format(SETTINGS_SIZE, s->spool_inline_max_octets, b),
				 (unsigned long long)s->recipients_max);
		return false;
	}
	return true;
}

/* Is `inner` the same as `outer`, or below it?  By their text: a link can still fool us. */
static bool
path_within(struct span inner, struct span outer)
{
	while (outer.len > 1 && outer.data[outer.len - 1] == '/')
		outer.len--;
	return outer.len && inner.len >= outer.len && span_equal(span_first(inner, outer.len), outer) &&
	       (inner.len == outer.len || inner.data[outer.len] == '/');
}

/* The log and the socket are files: nothing lies below them, and the spool keeps its directory to itself. */
static bool
paths_agree(const struct settings *s, struct settings_conflict *conflict)
{
	static const enum settings_row_number files[] = {
		SETTINGS_ROW_log_file,
		SETTINGS_ROW_control_socket,
	};
	static const enum settings_row_number all[] = {
		SETTINGS_ROW_spool_directory,
		SETTINGS_ROW_control_socket,
		SETTINGS_ROW_log_file,
	};

	for (size_t i = 0; i < COUNT_OF(files); i++)
		for (size_t j = 0; j < COUNT_OF(all); j++) {
			const struct settings_row *a = &settings_rows[files[i]], *b = &settings_rows[all[j]];
			struct span file = *(const struct span *)((const char *)s + a->offset);
			struct span other = *(const struct span *)((const char *)s + b->offset);

			if (a == b || !path_within(other, file))
				continue;
			concerns(conflict, files[i], all[j], all[j]);
			settings_because(&conflict->why, "is a file and cannot be %s %s as well",
					 other.len == file.len ? "what is named by" : "a directory of", b->path);
			return false;
		}
	return true;
}

/* Whom we serve: nobody may send anywhere through us by an oversight. */
static bool
relaying_is_closed(const struct settings *s, struct settings_conflict *conflict)
{
	/* All of IPv4, and all of global IPv6 (2000::/3). */
	static const struct {
		uint8_t ip[16];
		uint8_t bits;
	} worlds[] = {
		{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 },
		{ { 0x20 }, 3 },
	};
	const struct settings_route *any;

	for (unsigned i = 0; i < s->relay_networks.count; i++)
		for (size_t w = 0; w < COUNT_OF(worlds); w++) {
			struct endpoint e = endpoint_from_ipv6(worlds[w].ip, 0);

			if (s->relay_networks.at[i].bits > worlds[w].bits ||
			    !endpoint_prefix_match(&s->relay_networks.at[i], &e))
				continue;
			concerns(conflict, SETTINGS_ROW_relay_networks, SETTINGS_ROW_relay_networks,
				 SETTINGS_ROW_relay_networks);
			settings_because(&conflict->why, "holds the whole internet: this would be an open relay");
			return false;
		}
	for (unsigned i = 0; i < s->accept_domains.count; i++) {
		if (!span_equal(s->accept_domains.at[i], SPAN_LITERAL("*")))
			continue;
		any = NULL;
		for (unsigned r = 0; r < s->routes.count; r++)
			if (span_equal(s->routes.at[r].pattern, SPAN_LITERAL("*")))
				any = &s->routes.at[r];
		if (any && !any->by_mx)
			continue;
		concerns(conflict, SETTINGS_ROW_accept_domains, SETTINGS_ROW_routes, SETTINGS_ROW_routes);
		settings_because(&conflict->why, "\"*\" takes mail from anybody to any domain, and no route \"*\" leads it to a "
				      "server of yours: this would be an open relay");
		return false;
	}
	return true;
}

static bool
routes_lead_away(const struct settings *s, struct settings_conflict *conflict)
{
	for (unsigned r = 0; r < s->routes.count; r++)
		for (unsigned h = 0; h < s->routes.at[r].hop_count; h++) {
			const struct settings_hop *hop = &s->routes.at[r].hops[h];
			char			   text[ENDPOINT_TEXT_MAX], quoted[SETTINGS_QUOTE_MAX];

			for (unsigned l = 0; hop->host.len == 0 && l < s->listen.count; l++) {
				if (!endpoint_same_ip(&hop->address, &s->listen.at[l]) ||
				    hop->address.port != s->listen.at[l].port)
					continue;
				concerns(conflict, SETTINGS_ROW_routes, SETTINGS_ROW_listen, SETTINGS_ROW_listen);
				settings_because(&conflict->why, "%s leads to %s, where ringpost itself listens",
						 settings_quote(s->routes.at[r].pattern, quoted),
						 endpoint_format(&hop->address, text));
				return false;
			}
		}
	return true;
}

bool
settings_agree(const struct settings *s, struct settings_conflict *conflict)
{
	return times_agree(s, conflict) && memory_agrees(s, conflict) && spool_agrees(s, conflict) &&
	       paths_agree(s, conflict) && relaying_is_closed(s, conflict) && routes_lead_away(s, conflict);
}
