/* SPDX-License-Identifier: Apache-2.0 */
/* Two cores: messages kept by each, for next hops that one of them owns. */
#include "tests/unit/mta/outbound_rig.h"

#include "mta/outbound/route.h"
#include "tests/support/run.h"

enum { EACH = 10 };

static void
send_from_each(const char *recipients)
{
	for (unsigned i = 0; i < 2 * EACH; i++)
		(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = recipients,
						   .flags = ENVELOPE_DOT, .core = i % 2 });
}

static uint64_t
transactions_of(unsigned core)
{
	return counter_get(&rig.cores[core].outbound->values[OUTBOUND_TRANSACTIONS]);
}

/* One owner for the mail of both, and its limit holds for both together (P4). */
START_TEST(one_owner)
{
	unsigned owner = route_owner(SPAN_LITERAL("route to.test"), 2);

	rig_core_count = 2;
	rig_open("outbound: {connections_max: 3}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	send_from_each("a@to.test");
	for (unsigned i = 0; i < 400 && (rig_count(OUTBOUND_AWAY) < 2 * EACH || rig.peer.sessions_now < 3); i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(OUTBOUND_AWAY), 2 * EACH);
	ck_assert_uint_eq(rig.peer.sessions_now, 3);
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 2 * EACH);
	ck_assert_uint_eq(rig.peer.sessions_most, 3);
	ck_assert_uint_eq(transactions_of(owner), 2 * EACH);
	ck_assert_uint_eq(transactions_of(1 - owner), 0);
	ck_assert_uint_eq(rig_messages(), 0);
	rig_close();
} END_TEST

/* Outcomes and words come home from another core; the report is its keeper's. */
START_TEST(refused_elsewhere)
{
	static const struct peer_row rows[] = { { "RCPT", "550 5.1.1 nobody here", 0, false } };

	rig_core_count = 2;
	rig_open(NULL, "PIPELINING", rows, COUNT_OF(rows));
	send_from_each("a@to.test b@to.test");
	rig_empty();
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 4 * EACH);
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 2 * EACH);
	ck_assert_uint_eq(rig.back.text_count, 2 * EACH);
	for (unsigned i = 0; i < rig.back.text_count; i++)
		ck_assert_ptr_nonnull(strstr(rig.back.texts[i], "nobody here"));
	rig_close();
} END_TEST

/* A large text is read from the keeper's disk by the owner. */
START_TEST(large_from_elsewhere)
{
	static char large[300 * 1024];

	memset(large, 'x', sizeof(large));
	rig_core_count = 2;
	rig_open(NULL, "CHUNKING PIPELINING", NULL, 0);
	for (unsigned core = 0; core < 2; core++)
		(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@to.test", .text = large,
						   .text_len = sizeof(large), .core = core });
	rig_settle();
	ck_assert_uint_eq(rig.peer.text_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(rig.peer.text_lens[i], sizeof(large));
		ck_assert_int_eq(memcmp(rig.peer.texts[i], large, sizeof(large)), 0);
	}
	rig_close();
} END_TEST

/* The end, with deliveries at the other core: all come home. */
START_TEST(drained)
{
	rig_core_count = 2;
	rig_open(NULL, "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	send_from_each("a@to.test");
	for (unsigned i = 0; i < 5; i++)
		rig_turn();
	rig_drain();
	ck_assert_uint_eq(rig_messages(), 2 * EACH);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED) + rig_count(OUTBOUND_DELIVERED), 0);
	rig_close();
} END_TEST

/* New settings while mail is away: what is routed by them goes where they say, though sessions of the old ones are open. */
START_TEST(reloaded)
{
	struct settings_error error;
	char		      yaml[256];

	rig_core_count = 2;
	rig_open(NULL, "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	send_from_each("a@to.test");
	for (unsigned i = 0; i < 5; i++)
		rig_turn();
	(void)snprintf(yaml, sizeof(yaml), "hostname: us.test\nroutes: {to.test: \"smtp:127.0.0.2:%u\"}\n",
		       rig.peer.at.port);
	for (unsigned core = 0; core < 2; core++) {
		settings_unref(rig.cores[core].settings);
		rig.cores[core].settings = settings_parse(span_of(yaml), "test", &error);
		ck_assert_msg(rig.cores[core].settings != NULL, "%s", error.message);
		outbound_reload(rig.cores[core].outbound);
	}
	send_from_each("b@to.test");
	peer_greet(&rig.peer);
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 4 * EACH);
	ck_assert_uint_eq(rig.peer.text_count + rig.second.text_count, 4 * EACH);
	ck_assert(!peer_said(&rig.peer, "RCPT TO:<b@"));
	rig_close();
} END_TEST

int
main(void)
{
	TCase *tc = case_new("cores");

	tcase_add_test(tc, one_owner);
	tcase_add_test(tc, refused_elsewhere);
	tcase_add_test(tc, large_from_elsewhere);
	tcase_add_test(tc, drained);
	tcase_add_test(tc, reloaded);
	return run_case("outbound cores", tc);
}
