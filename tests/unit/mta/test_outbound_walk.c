/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and addresses in their order, and what is told when none serves.  The resolver here is the test's. */
#include "mta/outbound/walk.h"

#include "tests/support/run.h"

struct known_host {
	const char     *name;
	uint16_t	preference;
	enum dns_status status;
	const char     *addresses; /* separated by blanks */
};

static const struct walk_case {
	const char	 *label;
	enum dns_status	  status; /* of the domain */
	bool		  implicit;
	struct known_host hosts[4];
	/* What happens at each address in turn: "d" deferred, "D" deferred and the host with it, "F" failed and the host with it,
	 * "o" it is ourselves, "+" it serves. */
	const char *events;
	const char *tried; /* addresses */
	const char *end;   /* status, with "later" or "never"; "served" */
	const char *host;  /* whose trouble is told */
} cases[] = {
	{ "the first serves", DNS_OK, false, { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } },
	  "+", "192.0.2.1", "served", "" },
	{ "all addresses of a host, then the next", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "2001:db8::1 192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "dd+",
	  "2001:db8::1 192.0.2.1 192.0.2.2", "served", "" },
	{ "a host that greets with 4xx is left with all its addresses", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1 192.0.2.3" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "D+",
	  "192.0.2.1 192.0.2.2", "served", "" },
	{ "none serves: the best host's trouble", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "dd", "192.0.2.1 192.0.2.2",
	  "later 4.9.1", "192.0.2.1" },
	{ "a deferral outweighs a failure before it", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "Fd", "192.0.2.1 192.0.2.2",
	  "later 4.9.1", "192.0.2.2" },
	{ "a deferral outweighs a failure behind it", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "dF", "192.0.2.1 192.0.2.2",
	  "later 4.9.1", "192.0.2.1" },
	{ "all refuse for good", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "FF", "192.0.2.1 192.0.2.2",
	  "never 5.9.2", "192.0.2.1" },

	{ "no such domain", DNS_NXDOMAIN, false, { { 0 } }, "", "", "never 5.1.2", "" },
	{ "null MX", DNS_NULL_MX, false, { { 0 } }, "", "", "never 5.1.10", "" },
	{ "no answer", DNS_FAILED, false, { { 0 } }, "", "", "later 4.4.3", "" },
	{ "an answer without hosts", DNS_OK, false, { { 0 } }, "", "", "later 4.4.4", "" },
	{ "without MX, without address", DNS_OK, true, { { "to.test", 0, DNS_NONE, "" } }, "", "", "never 5.1.2", "" },
	{ "without MX", DNS_OK, true, { { "to.test", 0, DNS_OK, "192.0.2.1" } }, "+", "192.0.2.1", "served", "" },
	{ "the MX is not there", DNS_OK, false, { { "a.test", 10, DNS_NXDOMAIN, "" } }, "", "", "never 5.4.4", "" },
	{ "one MX is not there", DNS_OK, false,
	  { { "a.test", 10, DNS_NXDOMAIN, "" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "+", "192.0.2.2", "served", "" },
	{ "one MX is not there, of the other no answer", DNS_OK, false,
	  { { "a.test", 10, DNS_NXDOMAIN, "" }, { "b.test", 20, DNS_FAILED, "" } }, "", "", "later 4.4.3", "" },

	{ "we are the best", DNS_OK, false,
	  { { "Us.Test", 10, DNS_OK, "192.0.2.9" }, { "b.test", 20, DNS_OK, "192.0.2.2" } }, "", "", "never 5.4.6", "" },
	{ "we are the second", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "us.test", 20, DNS_OK, "192.0.2.9" }, { "b.test", 30, DNS_OK, "192.0.2.2" } },
	  "d", "192.0.2.1", "later 4.9.1", "192.0.2.1" },
	{ "we are as good as the first", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "us.test", 10, DNS_OK, "192.0.2.9" } }, "", "", "never 5.4.6", "" },
	{ "without MX it is we", DNS_OK, true, { { "us.test", 0, DNS_OK, "192.0.2.9" } }, "", "", "never 5.4.6", "" },
	{ "an address turns out to be ours", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1 192.0.2.3" }, { "b.test", 10, DNS_OK, "192.0.2.2" } }, "o", "192.0.2.1",
	  "never 5.4.6", "" },
	{ "an address turns out to be ours, better ones were down", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1" }, { "b.test", 20, DNS_OK, "192.0.2.2" }, { "c.test", 30, DNS_OK, "192.0.2.3" } },
	  "do", "192.0.2.1 192.0.2.2", "later 4.9.1", "192.0.2.1" },
	{ "more addresses than are tried", DNS_OK, false,
	  { { "a.test", 10, DNS_OK, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8 "
				    "192.0.2.9 192.0.2.10 192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14 192.0.2.15 192.0.2.16 "
				    "192.0.2.17" },
	    { "b.test", 20, DNS_OK, "198.51.100.1 198.51.100.2 198.51.100.3 198.51.100.4 198.51.100.5" } },
	  "dddddddddddddddddddd",
	  "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7 192.0.2.8 192.0.2.9 192.0.2.10 "
	  "192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14 192.0.2.15 192.0.2.16 198.51.100.1 198.51.100.2 198.51.100.3 "
	  "198.51.100.4",
	  "later 4.9.1", "192.0.2.1" },
};

/* --- the resolver's place --------------------------------------------------------------------------------- */

static struct dns_question *question;
static bool		    question_hosts;
static char		    question_name[DNS_NAME_MAX + 1];

static void
ask(struct dns_question *q, struct span name, bool hosts)
{
	ck_assert_ptr_null(question);
	question = q;
	question_hosts = hosts;
	(void)snprintf(question_name, sizeof(question_name), "%.*s", (int)name.len, name.data);
}

void
resolver_mail_hosts(struct resolver *d, struct dns_question *q, struct span domain)
{
	(void)d;
	ask(q, domain, true);
}

void
resolver_addresses(struct resolver *d, struct dns_question *q, struct span host)
{
	(void)d;
	ask(q, host, false);
}

void
resolver_cancel(struct resolver *d, struct dns_question *q)
{
	(void)d;
	ck_assert_ptr_eq(q, question);
	question = NULL;
}

const char *
dns_status_text(enum dns_status status)
{
	(void)status;
	return "the name server says no";
}

static enum dns_status
answer_hosts(const struct walk_case *c, struct dns_hosts *answer)
{
	*answer = (struct dns_hosts){ .implicit = c->implicit };
	for (size_t i = 0; i < COUNT_OF(c->hosts) && c->hosts[i].name; i++)
		answer->host[answer->count++] =
			(struct dns_host){ span_of(c->hosts[i].name), c->hosts[i].preference };
	return c->status;
}

static enum dns_status
answer_addresses(const struct walk_case *c, struct dns_addresses *answer)
{
	const struct known_host *h = c->hosts;
	char			 words[512], *save = NULL;

	while (strcmp(h->name, question_name) != 0)
		h++;
	answer->count = 0;
	(void)snprintf(words, sizeof(words), "%s", h->addresses);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		ck_assert(endpoint_parse(span_of(word), 0, &answer->at[answer->count++]));
	return h->status;
}

static void
answer(const struct walk_case *c)
{
	static struct dns_hosts	    hosts;
	static struct dns_addresses addresses;
	struct dns_question	   *q = question;
	enum dns_status		    status;

	question = NULL;
	if (question_hosts) {
		ck_assert_str_eq(question_name, "to.test");
		status = answer_hosts(c, &hosts);
		q->hosts = &hosts;
	} else {
		status = answer_addresses(c, &addresses);
		q->addresses = &addresses;
	}
	q->done(q, status);
}

/* --- walking ---------------------------------------------------------------------------------------------------- */

static unsigned ready_count;

static void
ready(struct walk *w)
{
	(void)w;
	ready_count++;
}

static const struct settings settings = {
	.hostname = { "us.test", 7 },
	.outbound_port = 25,
	.outbound_ipv6 = true,
};

static void
meet(struct walk *w, char event, char address[static ENDPOINT_TEXT_MAX])
{
	struct outcome deferred = { .kind = OUTCOME_DEFERRED, .status = { 4, 9, 1 }, .host = span_of(address),
				    .text = SPAN_LITERAL("words") };
	struct outcome failed = { .kind = OUTCOME_FAILED, .status = { 5, 9, 2 }, .host = span_of(address),
				  .text = SPAN_LITERAL("words") };

	switch (event) {
	case 'd':
		walk_trouble(w, &deferred, false);
		break;
	case 'D':
		walk_trouble(w, &deferred, true);
		break;
	case 'F':
		walk_trouble(w, &failed, true);
		break;
	default:
		ck_assert_int_eq(event, 'o');
		walk_is_ourselves(w);
		break;
	}
	memset(address, '!', ENDPOINT_TEXT_MAX); /* words are copied */
}

/* Walks to the end; "served", or the trouble's status and kind. */
static void
walk_all(struct walk *w, const struct walk_case *c, char *tried, size_t size, char *end, size_t end_size)
{
	char address[ENDPOINT_TEXT_MAX], status[OUTCOME_STATUS_TEXT_MAX];

	for (unsigned event = 0; event < 100;) {
		switch (walk_next(w)) {
		case WALK_WAIT:
			answer(c);
			break;
		case WALK_OVER:
			(void)snprintf(end, end_size, "%s %s", w->trouble.kind == OUTCOME_FAILED ? "never" : "later",
				       outcome_status_format(w->trouble.status, status));
			return;
		case WALK_NO_MEMORY:
			ck_abort_msg("%s: no memory", c->label);
		case WALK_FOUND:
			endpoint_format_ip(&w->address, address);
			ck_assert_uint_eq(w->address.port, 25);
			(void)snprintf(tried + strlen(tried), size - strlen(tried), "%s%s", *tried ? " " : "", address);
			ck_assert_msg(event < strlen(c->events), "%s: %s is tried", c->label, address);
			if (c->events[event] == '+') {
				(void)snprintf(end, end_size, "served");
				return;
			}
			meet(w, c->events[event++], address);
			break;
		}
	}
	ck_abort_msg("%s: it does not end", c->label);
}

START_TEST(a_walk)
{
	const struct walk_case *c = &cases[_i];
	struct walk		w;
	char			tried[1024] = "", end[64] = "";

	walk_begin(&w, NULL, &settings, ROUTE_MX, NULL, NULL, SPAN_LITERAL("to.test"), ready, NULL);
	walk_all(&w, c, tried, sizeof(tried), end, sizeof(end));
	ck_assert_msg(strcmp(tried, c->tried) == 0, "%s: tried %s", c->label, tried);
	ck_assert_msg(strcmp(end, c->end) == 0, "%s: %s", c->label, end);
	if (strcmp(end, "served") != 0)
		ck_assert_msg(span_equal(w.trouble.host, span_of(c->host)), "%s: %.*s", c->label,
			      (int)w.trouble.host.len, w.trouble.host.data);
	ck_assert_uint_ge(ready_count, 1);
	walk_end(&w);
	ck_assert_ptr_null(question);
} END_TEST

START_TEST(ended_while_asking)
{
	struct walk w;

	walk_begin(&w, NULL, &settings, ROUTE_MX, NULL, NULL, SPAN_LITERAL("to.test"), ready, NULL);
	ck_assert_int_eq(walk_next(&w), WALK_WAIT);
	ck_assert_ptr_nonnull(question);
	walk_end(&w);
	ck_assert_ptr_null(question);
	walk_end(&w); /* once more is fine */
} END_TEST

START_TEST(without_ipv6)
{
	struct settings	 s = settings;
	struct walk	 w;
	struct walk_case c = { .status = DNS_OK, .hosts = { { "a.test", 10, DNS_OK, "2001:db8::1 192.0.2.1" } } };

	s.outbound_ipv6 = false;
	walk_begin(&w, NULL, &s, ROUTE_MX, NULL, NULL, SPAN_LITERAL("to.test"), ready, NULL);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(walk_next(&w), WALK_WAIT);
		answer(&c);
	}
	ck_assert_int_eq(walk_next(&w), WALK_FOUND);
	ck_assert(endpoint_is_ipv4(&w.address));
	walk_end(&w);
} END_TEST

START_TEST(a_literal)
{
	struct endpoint e;
	struct walk	w;

	ck_assert(endpoint_parse(SPAN_LITERAL("192.0.2.7"), 2526, &e));
	walk_begin(&w, NULL, &settings, ROUTE_LITERAL, NULL, &e, SPAN_LITERAL("[192.0.2.7]"), ready, NULL);
	ck_assert_int_eq(walk_next(&w), WALK_FOUND);
	ck_assert(endpoint_same_ip(&w.address, &e));
	ck_assert_uint_eq(w.address.port, 2526);
	ck_assert_int_eq(walk_next(&w), WALK_OVER);
	walk_end(&w);
} END_TEST

START_TEST(a_route)
{
	struct settings_hop hops[2] = { { .host = SPAN_LITERAL("a.test"), .address = { .port = 26 } } };
	struct settings_route route = { .pattern = SPAN_LITERAL("to.test"), .hop_count = 2, .hops = hops };
	struct walk_case c = { .hosts = { { "a.test", 0, DNS_NXDOMAIN, "" } } };
	struct walk	 w;

	ck_assert(endpoint_parse(SPAN_LITERAL("192.0.2.7"), 27, &hops[1].address));
	walk_begin(&w, NULL, &settings, ROUTE_STATIC, &route, NULL, SPAN_LITERAL("route to.test"), ready, NULL);
	ck_assert_int_eq(walk_next(&w), WALK_WAIT);
	answer(&c);
	ck_assert_int_eq(walk_next(&w), WALK_FOUND);
	ck_assert_uint_eq(w.address.port, 27);
	/* A loop by our own route, and a name we mistyped: mail waits for the operator. */
	walk_is_ourselves(&w);
	ck_assert_int_eq(walk_next(&w), WALK_OVER);
	ck_assert_int_eq(w.trouble.kind, OUTCOME_DEFERRED);
	walk_end(&w);
} END_TEST

static const struct {
	const char *label, *listen, *address, *local;
	bool	    own;
} own_cases[] = {
	{ "the endpoint itself", "192.0.2.1:25", "192.0.2.1:25", NULL, true },
	{ "another port", "192.0.2.1:25", "192.0.2.1:26", NULL, false },
	{ "another address", "192.0.2.1:25", "192.0.2.2:25", NULL, false },
	{ "loopback, listening everywhere", "0.0.0.0:25", "127.0.0.1:25", NULL, true },
	{ "six, loopback, listening everywhere", "[::]:25", "[::1]:25", NULL, true },
	{ "elsewhere", "0.0.0.0:25", "192.0.2.1:25", "198.51.100.1:4711", false },
	{ "both ends are the same machine", "0.0.0.0:25", "192.0.2.1:25", "192.0.2.1:4711", true },
	{ "the same machine, not listening there", "127.0.0.1:25", "192.0.2.1:25", "192.0.2.1:4711", false },
};

START_TEST(an_own_address)
{
	struct endpoint listen, address, local;
	struct settings s = { .listen = { 1, &listen } };

	ck_assert(endpoint_parse(span_of(own_cases[_i].listen), 0, &listen));
	ck_assert(endpoint_parse(span_of(own_cases[_i].address), 0, &address));
	if (own_cases[_i].local)
		ck_assert(endpoint_parse(span_of(own_cases[_i].local), 0, &local));
	ck_assert_msg(walk_is_own(&s, &address, own_cases[_i].local ? &local : NULL) == own_cases[_i].own, "%s",
		      own_cases[_i].label);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("walk");

	tcase_add_loop_test(tc, a_walk, 0, COUNT_OF(cases));
	tcase_add_test(tc, ended_while_asking);
	tcase_add_test(tc, without_ipv6);
	tcase_add_test(tc, a_literal);
	tcase_add_test(tc, a_route);
	tcase_add_loop_test(tc, an_own_address, 0, COUNT_OF(own_cases));
	return run_case("outbound walk", tc);
}
