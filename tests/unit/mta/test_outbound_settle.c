/* SPDX-License-Identifier: Apache-2.0 */
/* What outcomes mean for a message and its sender: later, too late, told once or not at all. */
#include "tests/unit/mta/outbound_rig.h"
#include "tests/support/run.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

#define SETTINGS "retry: {warn: 4 h, expire: 5 d}\noutbound: {idle_reuse: 0 s}\n"

static const struct settle_case {
	const char *label, *reply; /* to RCPT */
	const char *ehlo;
	const char *sender;
	unsigned    notify;
	int64_t	    age_ms;
	enum outbound_counter counted; /* once */
	const char *action;	       /* of the report; NULL: there is none */
	const char *words;	       /* in it */
} cases[] = {
#define GOOD  "250 2.1.5 ok"
#define LATER "450 4.2.0 grey"
#define NEVER "550 5.1.1 nobody"
	{ "refused", NEVER, "", "s@back.test", 0, 0, OUTBOUND_BOUNCED, "failed", "Status: 5.1.1" },
	{ "refused, NEVER", NEVER, "", "s@back.test", NOTIFY_NEVER, 0, OUTBOUND_BOUNCED, NULL, NULL },
	{ "refused, FAILURE", NEVER, "", "s@back.test", NOTIFY_FAILURE, 0, OUTBOUND_BOUNCED, "failed", "550 nobody" },
	{ "refused, SUCCESS", NEVER, "", "s@back.test", NOTIFY_SUCCESS, 0, OUTBOUND_BOUNCED, NULL, NULL },
	{ "refused, DELAY", NEVER, "", "s@back.test", NOTIFY_DELAY, 0, OUTBOUND_BOUNCED, NULL, NULL },
	{ "refused, the null sender", NEVER, "", "", 0, 0, OUTBOUND_BOUNCED, NULL, NULL },
	{ "refused, the null sender asks for it", NEVER, "", "", NOTIFY_FAILURE, 0, OUTBOUND_BOUNCED, NULL, NULL },

	{ "delivered", GOOD, "", "s@back.test", 0, 0, OUTBOUND_DELIVERED, NULL, NULL },
	{ "delivered, SUCCESS, to one without DSN", GOOD, "", "s@back.test", NOTIFY_SUCCESS, 0, OUTBOUND_DELIVERED,
	  "relayed", "Status: 2.0.0" },
	{ "delivered, SUCCESS, to one with DSN", GOOD, "DSN", "s@back.test", NOTIFY_SUCCESS, 0, OUTBOUND_DELIVERED, NULL,
	  NULL },
	{ "delivered, FAILURE", GOOD, "", "s@back.test", NOTIFY_FAILURE, 0, OUTBOUND_DELIVERED, NULL, NULL },
	{ "delivered, SUCCESS, the null sender", GOOD, "", "", NOTIFY_SUCCESS, 0, OUTBOUND_DELIVERED, NULL, NULL },

	{ "deferred", LATER, "", "s@back.test", 0, 0, OUTBOUND_DEFERRED, NULL, NULL },
	{ "deferred, just not late", LATER, "", "s@back.test", 0, 4 * HOUR - MINUTE, OUTBOUND_DEFERRED, NULL, NULL },
	{ "deferred, late", LATER, "", "s@back.test", 0, 4 * HOUR, OUTBOUND_DEFERRED, "delayed", "Will-Retry-Until:" },
	{ "deferred, late, DELAY", LATER, "", "s@back.test", NOTIFY_DELAY, 4 * HOUR, OUTBOUND_DEFERRED, "delayed",
	  "450 grey" },
	{ "deferred, late, FAILURE", LATER, "", "s@back.test", NOTIFY_FAILURE, 4 * HOUR, OUTBOUND_DEFERRED, NULL, NULL },
	{ "deferred, late, NEVER", LATER, "", "s@back.test", NOTIFY_NEVER, 4 * HOUR, OUTBOUND_DEFERRED, NULL, NULL },
	{ "deferred, late, the null sender", LATER, "", "", 0, 4 * HOUR, OUTBOUND_DEFERRED, NULL, NULL },

	{ "too late", LATER, "", "s@back.test", 0, 120 * (int64_t)HOUR, OUTBOUND_EXPIRED, "failed", "Status: 4.4.7" },
	{ "too late, FAILURE", LATER, "", "s@back.test", NOTIFY_FAILURE, 120 * (int64_t)HOUR, OUTBOUND_EXPIRED, "failed",
	  "450 grey" },
	{ "too late, NEVER", LATER, "", "s@back.test", NOTIFY_NEVER, 120 * (int64_t)HOUR, OUTBOUND_EXPIRED, NULL, NULL },
	{ "too late, the null sender", LATER, "", "", 0, 120 * (int64_t)HOUR, OUTBOUND_EXPIRED, NULL, NULL },
	{ "too late, but taken", GOOD, "", "s@back.test", 0, 120 * (int64_t)HOUR, OUTBOUND_DELIVERED, NULL, NULL },
};

START_TEST(an_outcome)
{
	const struct settle_case *c = &cases[_i];
	const struct peer_row	  row = { "RCPT", c->reply, 0, false };
	unsigned		  reports = c->action != NULL, counted;
	char			  action[32];

	rig_open(SETTINGS, c->ehlo, &row, 1);
	(void)rig_send(&(struct rig_mail){ .sender = c->sender, .recipients = "a@to.test", .flags = ENVELOPE_DOT,
					   .notify = c->notify, .age_ms = c->age_ms });
	rig_quiet();
	counted = 1 + (c->counted == OUTBOUND_DELIVERED ? reports : 0); /* the report is delivered too */
	ck_assert_msg(rig_count(c->counted) == counted, "%s: counted %u", c->label, (unsigned)rig_count(c->counted));
	ck_assert_msg(rig_count(OUTBOUND_REPORTS) == reports, "%s: %u reports", c->label,
		      (unsigned)rig_count(OUTBOUND_REPORTS));
	ck_assert_uint_eq(rig.back.text_count, reports);
	if (reports) {
		(void)snprintf(action, sizeof(action), "Action: %s\r\n", c->action);
		ck_assert_msg(strstr(rig.back.texts[0], action) && strstr(rig.back.texts[0], c->words), "%s: %s", c->label,
			      rig.back.texts[0]);
		ck_assert_msg(peer_said(&rig.back, "MAIL FROM:<>"), "%s: %s", c->label, rig.back.said);
	}
	rig_close();
} END_TEST

/* --- once --------------------------------------------------------------------------------------------------------- */

START_TEST(late_is_told_once)
{
	static const struct peer_row rows[] = { { "RCPT", LATER, 0, false } };
	struct id		    id;

	rig_open(SETTINGS, "", rows, 1);
	id = rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@to.test", .age_ms = 5 * HOUR });
	rig_settle();
	for (unsigned i = 0; i < 3; i++)
		rig_retry(id);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 4);
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 1);
	ck_assert_uint_eq(queue_find(rig.cores[0].queue, id)->recipients[0].attempts, 4);
	rig_close();
} END_TEST

/* A report that cannot be delivered is not reported. */
START_TEST(no_loop_of_reports)
{
	static const struct peer_row rows[] = { { "RCPT", NEVER, 0, false } };

	rig_open(SETTINGS, "", rows, 1);
	(void)rig_send(&(struct rig_mail){ .sender = "s@to.test", .recipients = "a@to.test" });
	rig_quiet();
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 2);
	ck_assert_uint_eq(rig_messages(), 0);
	rig_close();
} END_TEST

/* --- several recipients --------------------------------------------------------------------------------------------- */

/* Two next hops, one report: it waits for the last of them. */
START_TEST(one_report_for_all)
{
	static const struct peer_row rows[] = { { "RCPT TO:<b@", "550 5.1.1 nobody", 0, false } };

	rig_open(SETTINGS, "", rows, 1);
	(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@nx.test b@to.test c@to.test",
					   .flags = ENVELOPE_DOT });
	rig_quiet();
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 2);
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 2); /* one, and the report */
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 1);
	ck_assert_ptr_nonnull(strstr(rig.back.texts[0], "Final-Recipient: rfc822; a@nx.test\r\n"));
	ck_assert_ptr_nonnull(strstr(rig.back.texts[0], "Final-Recipient: rfc822; b@to.test\r\n"));
	ck_assert_ptr_null(strstr(rig.back.texts[0], "c@to.test"));
	rig_close();
} END_TEST

/* It does not wait for a slow one when the server stops. */
START_TEST(reported_before_the_end)
{
	rig_open(SETTINGS, "", NULL, 0);
	rig.peer.silent = true;
	(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@nx.test b@to.test" });
	for (unsigned i = 0; i < 400 && rig.cores[0].outbound->gatherings.count == 0; i++)
		rig_turn();
	ck_assert_uint_eq(rig.cores[0].outbound->gatherings.count, 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 0);
	rig_drain();
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 1);
	ck_assert_uint_eq(rig_messages(), 2); /* the report, and the message for b */
	rig_close();
} END_TEST

START_TEST(more_than_one_report_holds)
{
	static const struct peer_row rows[] = { { "RCPT", NEVER, 0, false } };
	static char		    recipients[1500 * 16];
	size_t			    len = 0;

	for (unsigned i = 0; i < 1500; i++)
		len += (size_t)snprintf(recipients + len, sizeof(recipients) - len, "%su%u@to.test", i ? " " : "", i);
	rig_open(SETTINGS, "PIPELINING", rows, 1);
	(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = recipients });
	rig_quiet();
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 1500);
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 2);
	rig_close();
} END_TEST

/* --- reports that cannot be written ---------------------------------------------------------------------------------- */

/* P1: a failure that nobody could be told of is met again. */
START_TEST(no_memory_for_a_report)
{
	static const struct peer_row rows[] = { { "RCPT", NEVER, 0, false } };
	static char		    large[200 * 1024];
	struct id		    id;

	memset(large, 'x', sizeof(large));
	rig_open("outbound: {idle_reuse: 0 s}\nretry: {report_text_max: 1 MiB}\n", "CHUNKING", rows, 1);
	id = rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@to.test", .text = large,
					  .text_len = sizeof(large) });
	for (unsigned i = 0; i < 400 && !peer_said(&rig.peer, "RCPT"); i++)
		rig_turn();
	rig.cores[0].reactor.memory.max = 1; /* the text on disk cannot be fetched */
	rig_settle();
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS_FAILED), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 0);
	ck_assert_uint_eq(rig_count(OUTBOUND_DEFERRED), 1);
	rig.cores[0].reactor.memory.max = 256 << 20;
	rig_retry(id);
	ck_assert_uint_eq(rig_count(OUTBOUND_REPORTS), 1);
	ck_assert_uint_eq(rig_count(OUTBOUND_BOUNCED), 1);
	rig_quiet();
	rig_close();
} END_TEST

/* --- what the operator does meanwhile ---------------------------------------------------------------------------------- */

START_TEST(deleted_while_waiting)
{
	struct queue_status st;
	struct id	    ids[OUTBOUND_LANE_AWAY_MIN + 4];

	rig_open("outbound: {connections_max: 1}\n", "PIPELINING", NULL, 0);
	rig.peer.silent = true;
	for (unsigned i = 0; i < COUNT_OF(ids); i++)
		ids[i] = rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@to.test",
						      .flags = ENVELOPE_DOT });
	for (unsigned i = 0; i < 400 && rig_count(OUTBOUND_WAITING) < 4; i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(OUTBOUND_WAITING), 4);
	/* One that waits here, one that is away: the first is never tried. */
	queue_act(rig.cores[0].queue, queue_find(rig.cores[0].queue, ids[COUNT_OF(ids) - 1]), QUEUE_DELETE, NULL);
	queue_act(rig.cores[0].queue, queue_find(rig.cores[0].queue, ids[COUNT_OF(ids) - 2]), QUEUE_HOLD, NULL);
	peer_greet(&rig.peer);
	for (unsigned i = 0; i < 2000; i++) {
		rig_turn();
		queue_status(rig.cores[0].queue, &st);
		if (st.messages == 1 && st.in_hand == 0)
			break;
	}
	ck_assert_uint_eq(st.messages, 1); /* the one that is held */
	ck_assert_uint_eq(rig.peer.text_count, COUNT_OF(ids) - 2);
	queue_act(rig.cores[0].queue, queue_find(rig.cores[0].queue, ids[COUNT_OF(ids) - 2]), QUEUE_RELEASE, NULL);
	rig_empty();
	ck_assert_uint_eq(rig.peer.text_count, COUNT_OF(ids) - 1);
	rig_close();
} END_TEST

static const struct {
	const char    *label;
	enum queue_act act;
	unsigned       left;
} read_cases[] = {
	{ "held", QUEUE_HOLD, 1 },
	{ "deleted", QUEUE_DELETE, 0 },
};

/* The operator is quicker than the disk. */
START_TEST(stopped_while_read)
{
	static const struct peer_row rows[] = { { "RCPT", "450 4.2.0 grey", 1, false } };
	const struct queue_params    no_cache = { .spool_octets_max = 256 << 20, .segment_octets = 4 << 20,
						  .inline_octets_max = rig_inline_max };
	struct outbound		    *out;
	struct queue		    *q;
	struct id		     id;

	rig_open(SETTINGS, "", rows, COUNT_OF(rows));
	out = rig.cores[0].outbound;
	q = rig.cores[0].queue;
	queue_configure(q, &no_cache);
	id = rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = "a@to.test", .flags = ENVELOPE_DOT });
	rig_quiet();
	queue_act(q, queue_find(q, id), QUEUE_RETRY, NULL);
	for (unsigned i = 0; i < 400 && out->loads == 0; i++)
		rig_turn();
	ck_assert_uint_gt(out->loads, 0);
	queue_act(q, queue_find(q, id), read_cases[_i].act, NULL);
	for (unsigned i = 0; i < 20 || out->loads; i++)
		rig_turn();
	ck_assert_msg(rig.peer.transactions == 1, "%s: it went out", read_cases[_i].label);
	ck_assert_uint_eq(rig_messages(), read_cases[_i].left);
	rig_close();
} END_TEST

int
main(void)
{
	TCase *tc = case_new("settling");

	tcase_add_loop_test(tc, an_outcome, 0, COUNT_OF(cases));
	tcase_add_test(tc, late_is_told_once);
	tcase_add_test(tc, no_loop_of_reports);
	tcase_add_test(tc, one_report_for_all);
	tcase_add_test(tc, reported_before_the_end);
	tcase_add_test(tc, more_than_one_report_holds);
	tcase_add_test(tc, no_memory_for_a_report);
	tcase_add_test(tc, deleted_while_waiting);
	tcase_add_loop_test(tc, stopped_while_read, 0, COUNT_OF(read_cases));
	return run_case("outbound settle", tc);
}
