/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question becomes a request, which needs one or two answers (MX; or A and AAAA).  Each is in the cache, or a lookup
 * for it is under way, or one is begun; the request waits in the lookup's list.  Requests that have all they
 * need are due, and one hook at the end of the turn tells them: it is the only place that calls `done`, so neither asking nor
 * any completion ever runs a user's code.
 *
 *	question ──▶ request ──▶ wait ──▶ lookup ──▶ dns_query
 *				  └─────▶ answer ◀── cache
 *
 * Lookups are in a table by name and type from their beginning until they are answered; after that they only wait for
 * their socket to be gone.  Beyond DNS_QUERIES_MAX they wait in line without one.  A lookup that nobody waits for any more goes
 * on: the next one to ask finds its answer.  In line it is dropped, so the line is no longer than the questions.
 *
 * Invariants
 *   - a question is in `waiting` while its request waits for a lookup, in `due` until it is told, else in neither;
 *   - its entry is its request, or NULL: refused at the door, DNS_FAILED;
 *   - d->open is the number of lookups whose query is not closed, and the resolver is freed when it is 0.
 */
#include "dns/resolver.h"

#include <errno.h>

#include "dns/cache.h"
#include "dns/order.h"
#include "dns/query.h"
#include "dns/resolvconf.h"

static COUNTER_TABLE(dns_counter_rows, DNS_COUNTERS);

enum slot { SLOT_MX = 0, SLOT_A = 0, SLOT_AAAA = 1, SLOTS };

struct resolver {
	struct reactor	   *reactor;
	struct dns_secret   secret;
	struct dns_servers  servers;
	unsigned	    file_count; /* servers of /etc/resolv.conf */
	struct endpoint	    file[DNS_SERVERS_MAX];
	bool		    ipv6;
	struct dns_cache    cache;
	struct dns_table    lookups;  /* without an answer */
	struct list	    in_line;  /* of them, those without a socket */
	struct list	    running;  /* queries not closed, answered or not */
	unsigned	    open;
	struct list	    waiting, due; /* questions */
	unsigned	    questions;	  /* with a request */
	struct reactor_hook hook;
	bool		    silent; /* no server says anything, and the log says so */
	bool		    closing;
	void (*closed)(void *arg);
	void		    *closed_arg;
	struct dns_hosts     hosts; /* what is being told */
	struct dns_addresses addresses;
	struct counter_group counter_group;
	counter_value	     counters[DNS_COUNTER_COUNT];
};

struct lookup {
	struct dns_node	 node; /* in d->lookups until it is answered */
	struct list_node link; /* in line, or running */
	struct resolver *resolver;
	struct list	 waits;
	bool		 begun, answered; /* not begun: in line */
	struct dns_query query;
	char		 name[];
};

struct wait {
	struct list_node node; /* in lookup->waits until it is answered */
	struct request	*request;
	struct lookup	*lookup;
};

struct request {
	struct dns_question *question;
	struct resolver	    *resolver;
	bool		     hosts;	/* MX, else addresses */
	bool		     ipv6;	/* AAAA too */
	bool		     bad_name;
	unsigned	     missing; /* answers */
	struct wait	     wait[SLOTS];
	struct dns_answer   *answer[SLOTS]; /* NULL: missing, not needed, or no memory for it: a failure */
	size_t		     name_len;
	char		     name[];
};

const char *
dns_status_text(enum dns_status status)
{
	switch (status) {
	case DNS_OK:
		return "the name is known";
	case DNS_NONE:
		return "the name has no usable record of this kind";
	case DNS_NXDOMAIN:
		return "there is no such name";
	case DNS_NULL_MX:
		return "the domain takes no mail (null MX)";
	case DNS_FAILED:
		return "name servers did not answer, or failed";
	case DNS_BAD_NAME:
		return "not a domain name";
	}
	return "unknown";
}

static void
count(struct resolver *d, enum dns_counter what)
{
	counter_add(&d->counters[what], 1);
}

static void
show_levels(struct resolver *d)
{
	counter_set(&d->counters[DNS_COUNT_WAITING], d->questions);
	counter_set(&d->counters[DNS_COUNT_OPEN], d->open);
	counter_set(&d->counters[DNS_COUNT_KEPT], d->cache.table.count);
	counter_set(&d->counters[DNS_COUNT_KEPT_OCTETS], d->cache.octets);
}

/* --- requests ------------------------------------------------------------------------------------------ */

static struct request *
request_of(const struct dns_question *q)
{
	return q->entry;
}

static size_t
request_octets(const struct request *r)
{
	return sizeof(*r) + r->name_len;
}

static struct request *
request_new(struct resolver *d, struct dns_question *q, struct span name, bool hosts)
{
	struct request *r = calloc(1, sizeof(*r) + name.len);

	if (r == NULL)
		return NULL;
	r->question = q;
	r->resolver = d;
	r->hosts = hosts;
	for (unsigned i = 0; i < SLOTS; i++) {
		list_node_init(&r->wait[i].node);
		r->wait[i].request = r;
	}
	r->name_len = name.len;
	memcpy(r->name, name.data, name.len);
	budget_force(&d->reactor->memory, request_octets(r));
	d->questions++;
	return r;
}

static void lookup_left(struct lookup *l);

static void
request_free(struct request *r)
{
	struct resolver *d = r->resolver;

	for (unsigned i = 0; i < SLOTS; i++) {
		if (list_linked(&r->wait[i].node)) {
			list_remove(&r->wait[i].node);
			lookup_left(r->wait[i].lookup);
		}
		dns_answer_put(r->answer[i]);
	}
	budget_give(&d->reactor->memory, request_octets(r));
	d->questions--;
	free(r);
}

/* In neither list, with nothing behind it. */
static void
question_forget(struct dns_question *q)
{
	list_remove(&q->node);
	if (q->entry)
		request_free(request_of(q));
	q->entry = NULL;
}

static void
question_due(struct resolver *d, struct dns_question *q)
{
	list_remove(&q->node);
	list_append(&d->due, &q->node);
	reactor_at_turn_end(d->reactor, &d->hook);
}

/* --- telling --------------------------------------------------------------------------------------------- */

static enum dns_status
status_of(const struct dns_answer *a)
{
	return a ? a->status : DNS_FAILED;
}

static enum dns_status
tell_hosts(struct resolver *d, struct request *r, const struct dns_chance *chance)
{
	enum dns_status status = status_of(r->answer[SLOT_MX]);

	if (status == DNS_OK) {
		dns_order_hosts(r->answer[SLOT_MX], chance, &d->hosts);
	} else if (status == DNS_NONE && !r->answer[SLOT_MX]->unusable) {
		d->hosts.implicit = true;
		d->hosts.count = 1;
		d->hosts.host[0] = (struct dns_host){ span_make(r->name, r->name_len), 0 };
		status = DNS_OK;
	}
	r->question->hosts = &d->hosts;
	return status;
}

static enum dns_status
tell_addresses(struct resolver *d, struct request *r, const struct dns_chance *chance)
{
	enum dns_status ipv4 = status_of(r->answer[SLOT_A]);
	enum dns_status ipv6 = r->ipv6 ? status_of(r->answer[SLOT_AAAA]) : ipv4;

	dns_order_addresses(r->answer[SLOT_A], r->answer[SLOT_AAAA], chance, &d->addresses);
	r->question->addresses = &d->addresses;
	if (d->addresses.count)
		return DNS_OK;
	if (ipv4 == DNS_FAILED || ipv6 == DNS_FAILED)
		return DNS_FAILED;
	return ipv4 == DNS_NXDOMAIN && ipv6 == DNS_NXDOMAIN ? DNS_NXDOMAIN : DNS_NONE;
}

static void
tell(struct resolver *d, struct dns_question *q)
{
	struct request	 *r = request_of(q);
	enum dns_status	  status = DNS_FAILED;
	struct dns_chance chance;

	q->entry = NULL;
	q->hosts = NULL;
	if (r && r->bad_name) {
		status = DNS_BAD_NAME;
	} else if (r) {
		io_random(d->reactor->io, &chance, sizeof(chance));
		status = r->hosts ? tell_hosts(d, r, &chance) : tell_addresses(d, r, &chance);
	}
	q->done(q, status);
	if (r)
		request_free(r);
}

static void
try_to_close(struct resolver *d)
{
	void (*closed)(void *arg) = d->closed;
	void *arg = d->closed_arg;

	if (d->open)
		return;
	dns_cache_fini(&d->cache);
	dns_table_fini(&d->lookups);
	list_remove(&d->counter_group.node);
	free(d);
	closed(arg);
}

static void
run_due(struct reactor_hook *hook)
{
	struct resolver *d = CONTAINER_OF(hook, struct resolver, hook);

	for (struct list_node *n; (n = list_take_first(&d->due));)
		tell(d, LIST_ENTRY(n, struct dns_question, node));
	show_levels(d);
	if (d->closing)
		try_to_close(d);
}

/* --- lookups ----------------------------------------------------------------------------------------------- */

static size_t
lookup_octets(const struct lookup *l)
{
	return sizeof(*l) + l->node.key.name.len;
}

static void
lookup_free(struct lookup *l)
{
	list_remove(&l->link);
	budget_give(&l->resolver->reactor->memory, lookup_octets(l));
	free(l);
}

/* One who waited for it does so no longer. */
static void
lookup_left(struct lookup *l)
{
	if (l->begun || !list_empty(&l->waits))
		return;
	dns_table_remove(&l->resolver->lookups, &l->node);
	lookup_free(l);
}

static void
lookup_run(struct lookup *l)
{
	struct resolver *d = l->resolver;

	l->begun = true;
	list_remove(&l->link);
	list_append(&d->running, &l->link);
	d->open++;
	count(d, DNS_COUNT_LOOKUPS);
	show_levels(d);
	dns_query_start(&l->query, &d->servers, l->node.key.name, l->node.key.type);
}

/* The operator hears once when nobody answers any more, and once when somebody does again. */
static void
note_silence(struct resolver *d, bool heard)
{
	if (d->silent == !heard)
		return;
	d->silent = !heard;
	if (d->silent)
		log_warn(d->reactor->log, "dns-silent", LOG_UINT("core", d->reactor->core),
			 LOG_UINT("servers", d->servers.count), LOG_ENDPOINT("first", &d->servers.at[0]));
	else
		log_info(d->reactor->log, "dns-answers", LOG_UINT("core", d->reactor->core));
}

static void
lookup_answered(struct dns_query *query, struct dns_answer *answer, bool heard)
{
	struct lookup	 *l = CONTAINER_OF(query, struct lookup, query);
	struct resolver	 *d = l->resolver;
	struct list_node *n;

	note_silence(d, heard);
	if (answer == NULL) {
		count(d, DNS_COUNT_FAILURES);
		log_debug(d->reactor->log, "dns-failed", LOG_SPAN("name", l->node.key.name),
			  LOG_UINT("type", l->node.key.type), LOG_BOOL("heard", heard));
		answer = dns_answer_new(DNS_FAILED, DNS_FAILURE_S, 0, NULL, 0);
	}
	if (answer)
		dns_cache_keep(&d->cache, &l->node.key, answer, reactor_now(d->reactor));
	dns_table_remove(&d->lookups, &l->node);
	l->answered = true;
	while ((n = list_take_first(&l->waits))) {
		struct wait    *w = LIST_ENTRY(n, struct wait, node);
		struct request *r = w->request;

		r->answer[w - r->wait] = answer ? dns_answer_get(answer) : NULL;
		if (--r->missing == 0)
			question_due(d, r->question);
	}
	dns_answer_put(answer);
}

static void
lookup_closed(struct dns_query *query)
{
	struct lookup	 *l = CONTAINER_OF(query, struct lookup, query);
	struct resolver	 *d = l->resolver;

	d->open--;
	lookup_free(l);
	if (!d->closing && !list_empty(&d->in_line))
		lookup_run(LIST_ENTRY(d->in_line.head.next, struct lookup, link));
	reactor_at_turn_end(d->reactor, &d->hook);
}

static void
lookup_stop(struct lookup *l)
{
	if (!l->answered)
		dns_table_remove(&l->resolver->lookups, &l->node);
	dns_query_stop(&l->query);
}

static struct lookup *
lookup_begin(struct resolver *d, const struct dns_key *key)
{
	struct lookup *l = calloc(1, sizeof(*l) + key->name.len);

	if (l == NULL)
		return NULL;
	memcpy(l->name, key->name.data, key->name.len);
	l->resolver = d;
	l->node.key = (struct dns_key){ span_make(l->name, key->name.len), key->type, key->hash };
	l->query.answered = lookup_answered;
	l->query.closed = lookup_closed;
	list_init(&l->waits);
	list_node_init(&l->link);
	list_append(&d->in_line, &l->link);
	budget_force(&d->reactor->memory, lookup_octets(l));
	dns_table_insert(&d->lookups, &l->node);
	if (d->open < DNS_QUERIES_MAX)
		lookup_run(l);
	return l;
}

/* One answer that the request needs: from the cache at once, else it waits.  No memory for that: the slot stays empty. */
static void
need(struct request *r, enum slot slot, enum dns_type type)
{
	struct resolver *d = r->resolver;
	struct dns_key	 key = dns_key_make(&d->secret, span_make(r->name, r->name_len), type);
	struct dns_node *n;
	struct lookup	*l;

	r->answer[slot] = dns_cache_find(&d->cache, &key, reactor_now(d->reactor));
	if (r->answer[slot]) {
		count(d, DNS_COUNT_HITS);
		return;
	}
	n = dns_table_find(&d->lookups, &key);
	if (n)
		count(d, DNS_COUNT_JOINED);
	l = n ? CONTAINER_OF(n, struct lookup, node) : lookup_begin(d, &key);
	if (l == NULL)
		return;
	r->wait[slot].lookup = l;
	list_append(&l->waits, &r->wait[slot].node);
	r->missing++;
}

/* --- asking ------------------------------------------------------------------------------------------------ */

/* The question's request, waiting for nothing yet; NULL when the answer is on its way already. */
static struct request *
begin(struct resolver *d, struct dns_question *q, struct span text, bool hosts)
{
	char   name[DNS_NAME_TEXT_MAX];
	size_t len = dns_name_read(text, name);

	INVARIANT(!d->closing);
	count(d, DNS_COUNT_QUESTIONS);
	list_node_init(&q->node);
	q->entry = d->questions < DNS_QUESTIONS_MAX ? request_new(d, q, span_make(name, len), hosts) : NULL;
	show_levels(d);
	if (q->entry && len) {
		list_append(&d->waiting, &q->node);
		return request_of(q);
	}
	if (q->entry)
		request_of(q)->bad_name = true;
	else
		count(d, DNS_COUNT_REFUSED);
	question_due(d, q);
	return NULL;
}

void
resolver_mail_hosts(struct resolver *d, struct dns_question *q, struct span domain)
{
	struct request *r = begin(d, q, domain, true);

	if (r == NULL)
		return;
	need(r, SLOT_MX, DNS_TYPE_MX);
	if (r->missing == 0)
		question_due(d, q);
}

void
resolver_addresses(struct resolver *d, struct dns_question *q, struct span host)
{
	struct request *r = begin(d, q, host, false);

	if (r == NULL)
		return;
	need(r, SLOT_A, DNS_TYPE_A);
	r->ipv6 = d->ipv6;
	if (r->ipv6)
		need(r, SLOT_AAAA, DNS_TYPE_AAAA);
	if (r->missing == 0)
		question_due(d, q);
}

void
resolver_cancel(struct resolver *d, struct dns_question *q)
{
	(void)d;
	question_forget(q);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void
read_file(struct resolver *d)
{
	char  *text;
	size_t len;

	/* Absent or unreadable, it names nobody. */
	if (io_file_slurp("/etc/resolv.conf", DNS_RESOLV_CONF_MAX, &text, &len) < 0)
		return;
	d->file_count = dns_resolvconf_read(span_make(text, len), d->file, DNS_SERVERS_MAX);
	free(text);
}

/* True when the servers are others than before. */
static bool
take_servers(struct resolver *d, const struct resolver_params *p)
{
	struct dns_servers *s = &d->servers, old = *s;

	s->count = MIN_OF(p->server_count, (unsigned)DNS_SERVERS_MAX);
	if (s->count)
		memcpy(s->at, p->servers, s->count * sizeof(s->at[0]));
	else if ((s->count = d->file_count))
		memcpy(s->at, d->file, s->count * sizeof(s->at[0]));
	else
		s->count = dns_resolvconf_default(s->at);
	s->timeout_ms = p->timeout_ms;
	s->tries = p->tries;
	if (s->count == old.count && memcmp(s->at, old.at, s->count * sizeof(s->at[0])) == 0)
		return false;
	s->first = 0;
	return true;
}

int
resolver_open(struct resolver **out, struct reactor *r, const struct resolver_params *p)
{
	struct resolver *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->reactor = r;
	d->ipv6 = p->ipv6;
	d->servers.reactor = r;
	d->servers.counters = d->counters;
	io_random(r->io, &d->secret, sizeof(d->secret));
	list_init(&d->in_line);
	list_init(&d->running);
	list_init(&d->waiting);
	list_init(&d->due);
	reactor_hook_init(&d->hook, run_due);
	if (dns_table_init(&d->lookups) < 0)
		goto no_lookups;
	if (dns_cache_init(&d->cache, &r->memory, p->cache_octets, p->ttl_max_s) < 0)
		goto no_cache;
	read_file(d);
	(void)take_servers(d, p); /* there were none to differ from */
	d->counter_group = (struct counter_group){ .rows = dns_counter_rows, .values = d->counters,
						   .count = DNS_COUNTER_COUNT };
	reactor_add_counters(r, &d->counter_group);
	*out = d;
	return 0;

no_cache:
	dns_table_fini(&d->lookups);
no_lookups:
	free(d);
	return -ENOMEM;
}

void
resolver_configure(struct resolver *d, const struct resolver_params *p)
{
	d->ipv6 = p->ipv6;
	if (take_servers(d, p))
		dns_cache_clear(&d->cache);
	dns_cache_configure(&d->cache, p->cache_octets, p->ttl_max_s);
}

void
resolver_close(struct resolver *d, void (*closed)(void *arg), void *arg)
{
	INVARIANT(!d->closing);
	d->closing = true;
	d->closed = closed;
	d->closed_arg = arg;
	list_splice(&d->waiting, &d->due);
	LIST_FOR_EACH(&d->waiting, n)
		question_forget(LIST_ENTRY(n, struct dns_question, node));
	INVARIANT(list_empty(&d->in_line)); /* nobody waits any more */
	LIST_FOR_EACH(&d->running, n)
		lookup_stop(LIST_ENTRY(n, struct lookup, link));
	reactor_at_turn_end(d->reactor, &d->hook);
}
