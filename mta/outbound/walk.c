/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail hosts come from one of three places: the route's hops, an address literal, or the resolver.  From there on they are
 * alike: a list in order, each with a name to look up or an address.
 *
 * Mail must not come back to us: of an MX that holds our own name only better hosts are tried, and that is known before the
 * first connection.  That an address is ours shows later, when its turn comes; a host of equal preference may have been
 * tried before, and what comes back from it is stopped by its Received fields.
 *
 * Which trouble is told when all have failed: the first deferral, since it is what keeps the best host from taking the mail; a
 * failure only when there was no deferral.  So mail bounces only when every way is closed for good.
 */
#include "mta/outbound/walk.h"

static bool
ask_hosts(struct walk *w)
{
	w->asked_hosts = true;
	if (w->kind != ROUTE_MX)
		return false;
	w->asking = true;
	resolver_mail_hosts(w->resolver, &w->question, w->domain);
	return true;
}

static void
local_trouble(struct walk *w, struct outcome_trouble t, struct span host, const char *what)
{
	char text[SMTP_REPLY_TEXT_MAX];
	int  len = snprintf(text, sizeof(text), "%.*s: %s", (int)MIN_OF(host.len, SMTP_DOMAIN_MAX), host.data, what);

	walk_trouble(w, &(struct outcome){ .kind = t.kind, .attempt = true, .code = t.code, .status = t.status,
					   .text = span_make(text, (size_t)len) },
		     true);
}

static void
name_host(struct walk_host *h, struct span name)
{
	size_t len = MIN_OF(name.len, sizeof(h->text) - 1);

	memcpy(h->text, name.data, len);
	h->text[len] = 0;
	h->name = span_make(h->text, len);
}

static struct walk_host *
hosts_new(struct walk *w, unsigned count)
{
	w->hosts = calloc(MAX_OF(count, 1u), sizeof(*w->hosts));
	w->no_memory = w->hosts == NULL;
	w->host_count = w->hosts ? count : 0;
	return w->hosts;
}

/* Our own routes may be wrong: mail waits for the operator.  A stranger's MX that names us is final. */
static void
loops(struct walk *w)
{
	struct outcome_trouble t = { OUTCOME_FAILED, 0, { 5, 4, 6 } };

	if (w->source == OUTCOME_ROUTE)
		t = (struct outcome_trouble){ OUTCOME_DEFERRED, 0, { 4, 4, 6 } };
	local_trouble(w, t, w->domain, "mail for it would loop back to us");
}

/* How many hosts are better than one of our own name; all, when there is none. */
static unsigned
before_our_name(const struct walk *w, const struct dns_hosts *answer, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned better = 0;

		if (!span_equal_nocase(answer->host[i].name, w->settings->hostname))
			continue;
		while (answer->host[better].preference < answer->host[i].preference)
			better++;
		return better;
	}
	return count;
}

static void
take_hosts(struct walk *w, const struct dns_hosts *answer)
{
	unsigned all = MIN_OF(answer->count, (unsigned)WALK_HOSTS_MAX);
	unsigned count = before_our_name(w, answer, all);

	w->source = answer->implicit ? OUTCOME_IMPLICIT : OUTCOME_EXCHANGER;
	if (count == 0 && all)
		loops(w);
	if (hosts_new(w, count) == NULL)
		return;
	for (unsigned i = 0; i < count; i++) {
		name_host(&w->hosts[i], answer->host[i].name);
		w->hosts[i].preference = answer->host[i].preference;
		w->hosts[i].port = (uint16_t)w->settings->outbound_port;
	}
}

static void
take_hops(struct walk *w, const struct settings_route *route)
{
	w->source = OUTCOME_ROUTE;
	if (hosts_new(w, route->hop_count) == NULL)
		return;
	for (unsigned i = 0; i < route->hop_count; i++) {
		const struct settings_hop *hop = &route->hops[i];
		struct walk_host	  *h = &w->hosts[i];

		h->hop = hop;
		h->port = hop->address.port;
		h->preference = (uint16_t)i;
		if (hop->host.len)
			name_host(h, hop->host);
	}
}

static void
take_addresses(struct walk *w, const struct dns_addresses *answer)
{
	w->address_count = w->address_at = 0;
	for (unsigned i = 0; i < answer->count && w->address_count < WALK_ADDRESSES_MAX; i++) {
		struct endpoint e = answer->at[i];

		if (!w->settings->outbound_ipv6 && !endpoint_is_ipv4(&e))
			continue;
		e.port = w->hosts[w->host_at].port;
		w->addresses[w->address_count++] = e;
	}
	if (w->address_count == 0)
		local_trouble(w, outcome_of_dns(w->source, DNS_NONE), w->host, "no address that we may use");
}

static void
answered(struct dns_question *q, enum dns_status status)
{
	struct walk *w = CONTAINER_OF(q, struct walk, question);
	bool	     hosts = w->hosts == NULL;

	w->asking = false;
	if (status != DNS_OK) {
		struct outcome_trouble t = outcome_of_dns(hosts ? OUTCOME_DOMAIN : w->source, status);

		local_trouble(w, t, hosts ? w->domain : w->host, dns_status_text(status));
	} else if (hosts) {
		take_hosts(w, q->hosts);
	} else {
		take_addresses(w, q->addresses);
	}
	w->ready(w);
}

void
walk_begin(struct walk *w, struct resolver *resolver, const struct settings *s, enum route_kind kind,
	   const struct settings_route *hops, const struct endpoint *literal, struct span name,
	   void (*ready)(struct walk *w), void *owner)
{
	memset(w, 0, offsetof(struct walk, trouble_host));
	w->ready = ready;
	w->owner = owner;
	w->resolver = resolver;
	w->settings = s;
	w->kind = kind;
	w->domain = name;
	w->question.done = answered;
	list_node_init(&w->question.node);
	if (kind == ROUTE_STATIC) {
		take_hops(w, hops);
	} else if (kind == ROUTE_LITERAL && hosts_new(w, 1)) {
		w->source = OUTCOME_ROUTE;
		w->hosts[0].port = literal->port;
		w->addresses[0] = *literal;
	}
}

/* The host at hand: its addresses are known, or asked for (false). */
static bool
open_host(struct walk *w)
{
	struct walk_host *h = &w->hosts[w->host_at];

	w->host_open = true;
	w->host = h->name;
	w->address_at = w->address_count = 0;
	if (h->name.len) {
		w->asking = true;
		resolver_addresses(w->resolver, &w->question, h->name);
		return false;
	}
	if (h->hop)
		w->addresses[0] = h->hop->address;
	w->address_count = 1;
	return true;
}

static enum walk_result
over(struct walk *w)
{
	if (w->trouble.kind == OUTCOME_PENDING)
		local_trouble(w, (struct outcome_trouble){ OUTCOME_DEFERRED, 0, { 4, 4, 4 } }, w->domain,
			      "no host to try");
	return WALK_OVER;
}

enum walk_result
walk_next(struct walk *w)
{
	INVARIANT(!w->asking);
	if (!w->asked_hosts && ask_hosts(w))
		return WALK_WAIT;
	if (w->no_memory)
		return WALK_NO_MEMORY;
	while (w->hosts && w->host_at < w->host_count && w->tries < WALK_TRIES_MAX) {
		if (!w->host_open && !open_host(w))
			return WALK_WAIT;
		if (w->address_at < w->address_count) {
			w->address = w->addresses[w->address_at++];
			w->tries++;
			return WALK_FOUND;
		}
		w->host_at++;
		w->host_open = false;
	}
	return over(w);
}

void
walk_trouble(struct walk *w, const struct outcome *what, bool next_host)
{
	if (next_host)
		w->address_at = w->address_count;
	if (w->trouble.kind == OUTCOME_DEFERRED ||
	    (w->trouble.kind == OUTCOME_FAILED && what->kind == OUTCOME_FAILED))
		return;
	w->trouble = *what;
	w->trouble.host.len = MIN_OF(what->host.len, sizeof(w->trouble_host));
	if (w->trouble.host.len)
		memcpy(w->trouble_host, what->host.data, w->trouble.host.len);
	w->trouble.host.data = w->trouble_host;
	w->trouble.text.len = MIN_OF(what->text.len, sizeof(w->trouble_text));
	if (w->trouble.text.len)
		memcpy(w->trouble_text, what->text.data, w->trouble.text.len);
	w->trouble.text.data = w->trouble_text;
}

void
walk_is_ourselves(struct walk *w)
{
	uint16_t preference = w->hosts[w->host_at].preference;

	loops(w);
	if (w->source == OUTCOME_ROUTE)
		return;
	for (unsigned i = w->host_at + 1; i < w->host_count; i++)
		if (w->hosts[i].preference >= preference) {
			w->host_count = i;
			break;
		}
}

static bool
is_any(const struct endpoint *e)
{
	static const uint8_t none[16];

	return endpoint_is_ipv4(e) ? memcmp(e->ip + 12, none, 4) == 0 : memcmp(e->ip, none, 16) == 0;
}

/*
 * A listener on the wildcard takes what comes to any address of the machine; that an address is the machine's shows when
 * both ends of a connection have it, or when it is a loopback address.
 */
bool
walk_is_own(const struct settings *s, const struct endpoint *address, const struct endpoint *local)
{
	for (unsigned i = 0; i < s->listen.count; i++) {
		const struct endpoint *l = &s->listen.at[i];

		if (l->port != address->port)
			continue;
		if (endpoint_same_ip(l, address))
			return true;
		if (is_any(l) && (endpoint_is_loopback(address) || (local && endpoint_same_ip(local, address))))
			return true;
	}
	return false;
}

void
walk_end(struct walk *w)
{
	if (w->asking)
		resolver_cancel(w->resolver, &w->question);
	w->asking = false;
	free(w->hosts);
	w->hosts = NULL;
	w->host_count = 0;
}
