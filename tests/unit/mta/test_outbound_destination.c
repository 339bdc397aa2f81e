/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, reuse, hosts that are down, and the end: what the owner of a next hop answers for. */
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/mta/outbound_rig.h"
#include "tests/support/run.h"

static struct id
send_to(const char *recipient)
{
	return rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = recipient, .flags = ENVELOPE_DOT });
}

/* Turns until a counter is there; the assertion behind it says whether it is. */
static void
wait_for(enum outbound_counter c, uint64_t n)
{
	for (unsigned i = 0; i < 400 && rig_count(c) != n; i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(c), n);
}

static void
wait_for_sessions(unsigned n)
{
	for (unsigned i = 0; i < 400 && rig.peer.sessions_now != n; i++)
		rig_turn();
	ck_assert_uint_eq(rig.peer.sessions_now, n);
}

static unsigned
attempts_of(struct id id)
{
	struct queue_message *m = queue_find(rig.cores[0].queue, id);

	ck_assert_ptr_nonnull(m);
	return m->recipients[0].attempts;
}

static unsigned
times_said(const struct peer *p, const char *what)
{
	unsigned n = 0;

	for (const char *at = p->said; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* --- limits ---------------------------------------------------------------------------------------------------- */

/* As many sessions as are allowed, and not one more at any instant (P4). */
START_TEST(connections_max)
{
	rig_open("outbound: {connections_max: 3, messages_per_connection_max: 2}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 12; i++)
		(void)send_to("a@to.test");
	wait_for(OUTBOUND_AWAY, 12);
	wait_for_sessions(3);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 12);
	ck_assert_uint_eq(rig.peer.sessions_most, 3);
	ck_assert_uint_ge(rig.peer.sessions, 6); /* two messages each */
	rig_close();
} END_TEST

START_TEST(connections_max_is_lowered)
{
	rig_open("outbound: {connections_max: 4, idle_reuse: 1 m}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 12; i++)
		(void)send_to("a@to.test");
	wait_for(OUTBOUND_AWAY, 12);
	wait_for_sessions(4);
	rig.cores[0].settings->destination_connections_max = 1;
	peer_greet(&rig.peer);
	rig_settle();
	for (unsigned i = 0; i < 400 && rig.peer.sessions_now > 1; i++)
		rig_turn();
	ck_assert_uint_le(rig.peer.sessions_now, 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 12);
	rig_close();
} END_TEST

static const struct {
	const char *label, *settings, *ehlo;
	unsigned    sessions; /* for five messages, one after another */
} reuse_cases[] = {
	{ "one connection", "outbound: {idle_reuse: 1 m}\n", "PIPELINING", 1 },
	{ "two messages each", "outbound: {idle_reuse: 1 m, messages_per_connection_max: 2}\n", "PIPELINING", 3 },
	{ "MAILMAX", "outbound: {idle_reuse: 1 m}\n", "LIMITS_MAILMAX=2", 3 },
	{ "no reuse", "outbound: {idle_reuse: 0 s}\n", "PIPELINING", 5 },
};

START_TEST(reuse)
{
	rig_open(reuse_cases[_i].settings, reuse_cases[_i].ehlo, NULL, 0);
	for (unsigned i = 0; i < 5; i++) {
		(void)send_to("a@to.test");
		rig_settle();
		if (_i == 3)
			rig_quiet(); /* gone before the next message comes */
	}
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 5);
	ck_assert_msg(rig.peer.sessions == reuse_cases[_i].sessions, "%s: %u sessions", reuse_cases[_i].label,
		      rig.peer.sessions);
	ck_assert_uint_eq(rig_count(OUTBOUND_REUSED), 5 - reuse_cases[_i].sessions);
	rig_close();
} END_TEST

/* A transaction that was refused leaves nothing behind for the next one. */
START_TEST(reset_after_refusal)
{
	static const struct peer_row rows[] = { { "RCPT TO:<bad@", "550 5.1.1 no", 0, false } };

	rig_open("outbound: {idle_reuse: 1 m}\n", "", rows, COUNT_OF(rows));
	(void)send_to("bad@to.test");
	rig_settle();
	(void)send_to("good@to.test");
	rig_settle();
	ck_assert_uint_eq(rig.peer.sessions, 1);
	ck_assert_uint_eq(times_said(&rig.peer, "RSET"), 1);
	ck_assert_uint_eq(rig.peer.text_count, 1);
	rig_close();
} END_TEST

/* --- connections gone stale -------------------------------------------------------------------------------------- */

static const struct {
	const char    *label;
	struct peer_row rows[3];
	unsigned       deferred;
} stale_cases[] = {
	{ "closed when we speak", { { "MAIL", "250 ok", 1, false }, { "MAIL", NULL, 1, true } }, 0 },
	{ "421 when we speak", { { "MAIL", "250 ok", 1, false }, { "MAIL", "421 4.4.2 idle", 1, true } }, 0 },
	{ "421 behind the end", { { "BDAT-END", "250 ok\r\n421 4.4.2 idle", 1, true } }, 0 },
	{ "a reply nobody asked for", { { "BDAT-END", "250 ok\r\n250 ok", 1, false } }, 0 },
	{ "again on a new one: that counts",
	  { { "MAIL", "250 ok", 1, false }, { "MAIL", NULL, 2, true } }, 1 },
};

START_TEST(stale)
{
	unsigned rows = 0;
	struct id second;

	while (rows < COUNT_OF(stale_cases[_i].rows) && stale_cases[_i].rows[rows].at)
		rows++;
	rig_open("outbound: {idle_reuse: 1 m, connections_max: 1}\n", "CHUNKING PIPELINING", stale_cases[_i].rows, rows);
	(void)send_to("a@to.test");
	second = send_to("b@to.test");
	rig_settle();
	ck_assert_msg(rig_count(OUTBOUND_DEFERRED) == stale_cases[_i].deferred, "%s: %u deferred", stale_cases[_i].label,
		      (unsigned)rig_count(OUTBOUND_DEFERRED));
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 2 - stale_cases[_i].deferred);
	ck_assert_uint_eq(rig.peer.sessions, 2);
	if (stale_cases[_i].deferred)
		ck_assert_uint_eq(attempts_of(second), 1);
	rig_close();
} END_TEST

/* --- hosts --------------------------------------------------------------------------------------------------------- */

static const struct rig_host mx_hosts[] = {
	{ .name = "mx.test", .mail = { "one.test", "two.test" } },
	{ .name = "one.test", .address = "127.0.0.1" },
	{ .name = "two.test", .address = "127.0.0.2" },
	{ .name = "half.test", .mail = { "nobody.test", "two.test" } },
	{ .name = "nobody.test", .address = "127.0.0.3" }, /* nobody listens */
	{ .name = "down.test", .mail = { "nobody.test" } },
	{ .name = "servfail.test", .status = DNS_FAILED },
};

static const struct {
	const char    *label, *to;
	struct peer_row rows[2];
	unsigned       first, second; /* texts that each host took */
	unsigned       bounced, deferred;
} host_cases[] = {
	{ "the best host", "a@mx.test", { { 0 } }, 1, 0, 0, 0 },
	{ "refuses connections", "a@half.test", { { 0 } }, 0, 1, 0, 0 },
	{ "greets with 421", "a@mx.test", { { "CONNECT", "421 4.3.2 busy", 0, true } }, 0, 1, 0, 0 },
	{ "greets with 450", "a@mx.test", { { "CONNECT", "450 4.3.2 busy", 0, false } }, 0, 1, 0, 0 },
	{ "greets with 554", "a@mx.test", { { "CONNECT", "554 5.7.1 not you", 0, false } }, 0, 1, 0, 0 },
	{ "greets with 521", "a@mx.test", { { "CONNECT", "521 5.3.2 never", 0, false } }, 0, 1, 0, 0 },
	{ "hangs", "a@mx.test", { { "CONNECT", NULL, 0, false } }, 0, 1, 0, 0 },
	{ "closes at EHLO", "a@mx.test", { { "EHLO", NULL, 0, true } }, 0, 1, 0, 0 },
	{ "421 to EHLO", "a@mx.test", { { "EHLO", "421 4.3.2 busy", 0, true } }, 0, 1, 0, 0 },
	/* A host that serves is the one that decides about the mail. */
	{ "451 to MAIL", "a@mx.test", { { "MAIL", "451 4.3.0 later", 0, false } }, 0, 0, 0, 1 },
	{ "550 to RCPT", "a@mx.test", { { "RCPT", "550 5.1.1 no", 0, false } }, 0, 0, 1, 0 },
	{ "no such domain", "a@nx.test", { { 0 } }, 0, 0, 1, 0 },
	{ "the name server fails", "a@servfail.test", { { 0 } }, 0, 0, 0, 1 },
	{ "by address", "a@[127.0.0.2]", { { 0 } }, 0, 1, 0, 0 },
	{ "no domain at all", "a@", { { 0 } }, 0, 0, 1, 0 },
};

START_TEST(a_host)
{
	unsigned rows = host_cases[_i].rows[0].at != NULL;

	rig_open(NULL, "PIPELINING", host_cases[_i].rows, rows);
	rig.hosts = mx_hosts;
	rig.host_count = COUNT_OF(mx_hosts);
	(void)send_to(host_cases[_i].to);
	rig_settle();
	ck_assert_msg(rig.peer.text_count == host_cases[_i].first && rig.second.text_count == host_cases[_i].second,
		      "%s: %u and %u", host_cases[_i].label, rig.peer.text_count, rig.second.text_count);
	ck_assert_msg(rig_count(OUTBOUND_BOUNCED) == host_cases[_i].bounced, "%s: bounced", host_cases[_i].label);
	ck_assert_msg(rig_count(OUTBOUND_DEFERRED) == host_cases[_i].deferred, "%s: deferred", host_cases[_i].label);
	rig_close();
} END_TEST

/* --- down ---------------------------------------------------------------------------------------------------------- */

START_TEST(left_alone_while_down)
{
	struct id first, second;

	rig_open(NULL, "PIPELINING", NULL, 0);
	rig.hosts = mx_hosts;
	rig.host_count = COUNT_OF(mx_hosts);
	first = send_to("a@down.test");
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 1);
	ck_assert_uint_eq(attempts_of(first), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_CONNECTS), 1);
	/* Nothing is tried, and nothing counts as tried. */
	second = send_to("b@down.test");
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_CONNECTS), 1);
	ck_assert_uint_eq(attempts_of(second), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 2);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWNS), 1);
	rig_close();
} END_TEST

/* After the pause one session tries alone; when it finds it up, the others do not wait for it. */
START_TEST(one_tries_then_all)
{
	static const struct peer_row rows[] = { { "CONNECT", NULL, 1, true } };

	rig_open("outbound: {connections_max: 4}\n", "PIPELINING", rows, COUNT_OF(rows));
	rig.cores[0].settings->down_pause_ms = 0;
	(void)send_to("a@to.test");
	rig_quiet();
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 1);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 8; i++)
		(void)send_to("b@to.test");
	wait_for(OUTBOUND_AWAY, 8);
	wait_for_sessions(1);
	ck_assert_uint_eq(rig_count(OUTBOUND_SESSIONS), 1);
	/* It greets the first, and none that comes then: four are there, one of them at work. */
	peer_greet(&rig.peer);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 400 && rig_count(OUTBOUND_SESSIONS) < 4; i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(OUTBOUND_SESSIONS), 4);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 0);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 8);
	rig_close();
} END_TEST

START_TEST(still_down)
{
	struct id id;

	rig_open(NULL, "PIPELINING", NULL, 0);
	rig.cores[0].settings->down_pause_ms = 0;
	rig.hosts = mx_hosts;
	rig.host_count = COUNT_OF(mx_hosts);
	id = send_to("a@down.test");
	rig_quiet();
	rig_retry(id);
	ck_assert_uint_eq(rig_count(OUTBOUND_CONNECTS), 2);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWNS), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 1);
	ck_assert_uint_eq(attempts_of(id), 2);
	rig_close();
} END_TEST

/* What is no longer of use is forgotten. */
START_TEST(forgotten)
{
	rig_open("retry: {first: 1 s, max: 1 s}\n", "PIPELINING", NULL, 0);
	rig.cores[0].settings->down_pause_ms = 1;
	rig.cores[0].settings->retry_max_ms = 1;
	rig.hosts = mx_hosts;
	rig.host_count = COUNT_OF(mx_hosts);
	(void)rig_send(&(struct rig_mail){ .sender = "", .recipients = "a@down.test", .age_ms = INT64_C(1) << 40 });
	rig_quiet();
	wait_for(OUTBOUND_DESTINATIONS, 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_EXPIRED), 1);
	rig_close();
} END_TEST

/* Sessions that break one after another are a next hop that is down, though it greets. */
START_TEST(breaks_in_a_row)
{
	static const struct peer_row rows[] = { { "MAIL", NULL, 0, true } };
	struct id		    last = { 0 };

	rig_open("outbound: {connections_max: 1}\n", "PIPELINING", rows, COUNT_OF(rows));
	rig.peer.silent = true;
	for (unsigned i = 0; i < DESTINATION_FAILURES_MAX + 2; i++)
		last = send_to("a@to.test");
	wait_for(OUTBOUND_AWAY, DESTINATION_FAILURES_MAX + 2);
	wait_for_sessions(1);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 1);
	ck_assert_uint_eq(rig.peer.sessions, DESTINATION_FAILURES_MAX);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), DESTINATION_FAILURES_MAX + 2);
	ck_assert_uint_eq(attempts_of(last), 0);
	rig_close();
} END_TEST

/* It bears no second session: when the first has ended, a new one need not wait for the pause. */
START_TEST(bears_one_at_a_time)
{
	static const struct peer_row rows[] = {
		{ "CONNECT", "220 to.test", 1, false },
		{ "CONNECT", NULL, 1, true },
		{ "MAIL", NULL, 1, false },
	};

	rig_open(NULL, "PIPELINING", rows, COUNT_OF(rows));
	(void)send_to("a@to.test");
	for (unsigned i = 0; i < 400 && !peer_said(&rig.peer, "MAIL"); i++)
		rig_turn();
	(void)send_to("b@to.test");
	rig_settle();
	ck_assert_uint_eq(rig.peer.sessions, 3);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 1);
	rig_close();
} END_TEST

/* Who refuses and hangs up has answered: that is no trouble of the next hop. */
START_TEST(refusals_in_a_row)
{
	static const struct peer_row rows[] = { { "MAIL", "550 5.7.1 not from you", 0, true } };

	rig_open("outbound: {connections_max: 1}\n", "PIPELINING", rows, COUNT_OF(rows));
	rig.peer.silent = true;
	for (unsigned i = 0; i < DESTINATION_FAILURES_MAX + 2; i++)
		(void)send_to("a@to.test");
	wait_for(OUTBOUND_AWAY, DESTINATION_FAILURES_MAX + 2);
	wait_for_sessions(1);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWN), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), DESTINATION_FAILURES_MAX + 2);
	rig_close();
} END_TEST

/* --- what we lack ourselves --------------------------------------------------------------------------------------- */

/* No descriptor is left from here on; where the limit stood. */
static rlim_t
use_up_descriptors(void)
{
	struct rlimit limit;
	int	      next = dup(STDERR_FILENO);
	rlim_t	      before;

	ck_assert_int_ge(next, 0);
	(void)close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void
limit_descriptors(rlim_t to)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = to;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The next hop is not to blame, and the mail has not been tried. */
START_TEST(no_descriptors)
{
	struct id id;
	rlim_t	  before;

	rig_open("outbound: {idle_reuse: 0 s}\n", "PIPELINING", NULL, 0);
	(void)send_to("first@back.test"); /* the queue has opened its segments */
	rig_quiet();
	for (unsigned i = 0; i < 400 && rig.back.sessions_now; i++)
		rig_turn();
	rig_turn(); /* descriptors are closed beside the loop */
	before = use_up_descriptors();
	id = send_to("a@to.test");
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_STARVED), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_PUT_BACK), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_DOWNS), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_DESTINATIONS), 0);
	ck_assert_uint_eq(attempts_of(id), 0);
	limit_descriptors(before);
	rig_retry(id);
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 2);
	rig_close();
} END_TEST

/* What a session that lives can take does not go back. */
START_TEST(no_further_descriptors)
{
	rlim_t before;

	rig_open("outbound: {idle_reuse: 0 s}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	(void)send_to("a@to.test");
	wait_for_sessions(1);
	before = use_up_descriptors();
	(void)send_to("b@to.test");
	wait_for(OUTBOUND_STARVED, 1);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 2);
	ck_assert_uint_eq(rig_count(OUTBOUND_PUT_BACK), 0);
	ck_assert_uint_eq(rig.peer.sessions, 1);
	limit_descriptors(before);
	rig_close();
} END_TEST

/* --- one does not hold up another ---------------------------------------------------------------------------------- */

START_TEST(a_slow_next_hop)
{
	rig_open("outbound: {connections_max: 2}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 3 * OUTBOUND_LANE_AWAY_MIN; i++)
		(void)send_to("a@to.test");
	wait_for(OUTBOUND_WAITING, 2 * OUTBOUND_LANE_AWAY_MIN);
	wait_for(OUTBOUND_AWAY, OUTBOUND_LANE_AWAY_MIN);
	(void)send_to("b@back.test");
	for (unsigned i = 0; i < 200 && rig.back.text_count == 0; i++)
		rig_turn();
	ck_assert_uint_eq(rig.back.text_count, 1);
	peer_greet(&rig.peer);
	rig_empty();
	ck_assert_uint_eq(rig.peer.text_count, 3 * OUTBOUND_LANE_AWAY_MIN);
	ck_assert_uint_eq(rig_count(OUTBOUND_WAITING), 0);
	rig_close();
} END_TEST

/* Nor do many, though together they could hold all that may be held. */
START_TEST(many_slow_next_hops)
{
	enum { HOPS = OUTBOUND_AWAY_MAX / OUTBOUND_LANE_AWAY_MIN, ALL = HOPS * (OUTBOUND_LANE_AWAY_MIN + 1) };
	static struct rig_host hosts[HOPS];
	static char	       names[HOPS][16], recipients[HOPS * 16];
	size_t		       len = 0;

	for (unsigned i = 0; i < HOPS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "d%u.test", i);
		hosts[i] = (struct rig_host){ .name = names[i], .address = "127.0.0.1" };
		len += (size_t)snprintf(recipients + len, sizeof(recipients) - len, "%su@%s", i ? " " : "", names[i]);
	}
	rig_open("outbound: {connections_max: 1}\n", "PIPELINING", NULL, 0);
	rig.hosts = hosts;
	rig.host_count = HOPS;
	rig.peer.silent = true;
	for (unsigned i = 0; i < OUTBOUND_LANE_AWAY_MIN + 1; i++)
		(void)send_to(recipients);
	for (unsigned i = 0; i < 2000 && rig_count(OUTBOUND_AWAY) + rig_count(OUTBOUND_WAITING) < ALL; i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(OUTBOUND_AWAY) + rig_count(OUTBOUND_WAITING), ALL);
	(void)send_to("b@back.test");
	for (unsigned i = 0; i < 400 && rig.back.text_count == 0; i++)
		rig_turn();
	ck_assert_uint_eq(rig.back.text_count, 1);
	rig_close();
} END_TEST

/* --- the end ---------------------------------------------------------------------------------------------------------- */

START_TEST(drained_while_connecting)
{
	rig_open(NULL, "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	for (unsigned i = 0; i < 50; i++)
		(void)send_to("a@to.test");
	rig_drain();
	ck_assert_uint_eq(rig_messages(), 50); /* all of them, untried */
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED) + rig_count(OUTBOUND_DELIVERED), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_SESSIONS), 0);
	rig_close();
} END_TEST

START_TEST(drained_in_a_transaction)
{
	static const struct peer_row rows[] = { { ".", NULL, 0, false } };
	struct id		    id;

	rig_open("outbound: {bdat: no}\n", "PIPELINING", rows, COUNT_OF(rows));
	rig.cores[0].settings->end_timeout_ms = 60 * 1000;
	rig.cores[0].settings->shutdown_deadline_ms = 50;
	id = send_to("a@to.test");
	for (unsigned i = 0; i < 200 && !peer_said(&rig.peer, "DATA"); i++)
		rig_turn();
	for (unsigned i = 0; i < 4; i++)
		rig_turn();
	rig_drain();
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_UNCERTAIN), 1);
	ck_assert_uint_eq(attempts_of(id), 1);
	rig_close();
} END_TEST

/* One that can still end does. */
START_TEST(drained_with_time)
{
	rig_open(NULL, "PIPELINING", NULL, 0);
	(void)send_to("a@to.test");
	for (unsigned i = 0; i < 200 && !peer_said(&rig.peer, "MAIL"); i++)
		rig_turn();
	rig_drain();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 1);
	rig_close();
} END_TEST

int
main(void)
{
	TCase *tc = case_new("next hops");

	tcase_add_test(tc, connections_max);
	tcase_add_test(tc, connections_max_is_lowered);
	tcase_add_loop_test(tc, reuse, 0, COUNT_OF(reuse_cases));
	tcase_add_test(tc, reset_after_refusal);
	tcase_add_loop_test(tc, stale, 0, COUNT_OF(stale_cases));
	tcase_add_loop_test(tc, a_host, 0, COUNT_OF(host_cases));
	tcase_add_test(tc, left_alone_while_down);
	tcase_add_test(tc, one_tries_then_all);
	tcase_add_test(tc, still_down);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, breaks_in_a_row);
	tcase_add_test(tc, bears_one_at_a_time);
	tcase_add_test(tc, refusals_in_a_row);
	tcase_add_test(tc, no_descriptors);
	tcase_add_test(tc, no_further_descriptors);
	tcase_add_test(tc, a_slow_next_hop);
	tcase_add_test(tc, many_slow_next_hops);
	tcase_add_test(tc, drained_while_connecting);
	tcase_add_test(tc, drained_in_a_transaction);
	tcase_add_test(tc, drained_with_time);
	return run_case("outbound destination", tc);
}
