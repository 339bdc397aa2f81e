/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope of a transaction and the memory it is charged for. */
#include "mta/inbound/transaction.h"

#include <errno.h>

#include "mta/inbound/limits.h"
#include "tests/support/run.h"

enum { RECIPIENTS_MAX = 100000 };

static struct transaction *
begin(struct budget *budget, const char *mail)
{
	struct smtp_command c;

	ck_assert_int_eq(smtp_command_parse(span_of(mail), &c), SMTP_COMMAND_OK);
	return transaction_new(NULL, budget, &c);
}

static enum server_answer
add(struct transaction *t, const char *rcpt, uint64_t recipients_max)
{
	struct smtp_command c;

	ck_assert_int_eq(smtp_command_parse(span_of(rcpt), &c), SMTP_COMMAND_OK);
	return transaction_add(t, &c, SPAN_LITERAL("mx.test"), recipients_max);
}

START_TEST(envelope_is_copied)
{
	struct budget	     budget = { .max = 1 << 20 };
	char		     mail[] = "MAIL FROM:<a@far.example> BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=x SIZE=7";
	char		     rcpt[] = "RCPT TO:<Postmaster> NOTIFY=DELAY ORCPT=rfc822;y";
	struct transaction  *t = begin(&budget, mail);
	const struct envelope *e = &t->envelope;

	ck_assert_int_eq(add(t, rcpt, RECIPIENTS_MAX), ANSWER_RECIPIENT_OK);
	memset(mail, '!', sizeof(mail) - 1);
	memset(rcpt, '!', sizeof(rcpt) - 1);
	ck_assert(span_equal(e->sender, SPAN_LITERAL("a@far.example")));
	ck_assert(span_equal(e->envid, SPAN_LITERAL("x")));
	ck_assert_uint_eq(e->flags, ENVELOPE_BINARY | ENVELOPE_SMTPUTF8 | ENVELOPE_RET_HEADERS);
	ck_assert_uint_eq(t->announced, 7);
	ck_assert_uint_eq(e->recipient_count, 1);
	ck_assert(span_equal(e->recipients[0].address, SPAN_LITERAL("Postmaster@mx.test")));
	ck_assert(span_equal(e->recipients[0].orcpt, SPAN_LITERAL("rfc822;y")));
	ck_assert_uint_eq(e->recipients[0].notify, NOTIFY_DELAY);
	transaction_free(t);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(same_recipient_costs_once)
{
	struct budget	    budget = { .max = 1 << 20 };
	struct transaction *t = begin(&budget, "MAIL FROM:<>");
	uint64_t	    used;
	size_t		    held;

	ck_assert_int_eq(add(t, "RCPT TO:<b@away.example>", RECIPIENTS_MAX), ANSWER_RECIPIENT_OK);
	ck_assert_int_eq(add(t, "RCPT TO:<postmaster>", RECIPIENTS_MAX), ANSWER_RECIPIENT_OK);
	used = budget.used;
	held = t->arena.held;
	for (unsigned i = 0; i < 10000; i++) {
		ck_assert_int_eq(add(t, "RCPT TO:<b@away.example> NOTIFY=NEVER", RECIPIENTS_MAX), ANSWER_RECIPIENT_OK);
		ck_assert_int_eq(add(t, "RCPT TO:<postmaster@mx.test>", RECIPIENTS_MAX), ANSWER_RECIPIENT_OK);
	}
	ck_assert_uint_eq(t->envelope.recipient_count, 2);
	ck_assert_uint_eq(budget.used, used);
	ck_assert_uint_eq(t->arena.held, held);
	transaction_free(t);
}
END_TEST

START_TEST(recipients_have_a_limit)
{
	struct budget	    budget = { .max = 1 << 20 };
	struct transaction *t = begin(&budget, "MAIL FROM:<>");

	ck_assert_int_eq(add(t, "RCPT TO:<b@away.example>", 2), ANSWER_RECIPIENT_OK);
	ck_assert_int_eq(add(t, "RCPT TO:<c@away.example>", 2), ANSWER_RECIPIENT_OK);
	ck_assert_int_eq(add(t, "RCPT TO:<d@away.example>", 2), ANSWER_RECIPIENTS);
	ck_assert_uint_eq(t->envelope.recipient_count, 2);
	transaction_free(t);
}
END_TEST

/* Adds different recipients with all that may be said of one, and tries on when there is no more room; says how many were
 * taken. */
static unsigned
fill(struct transaction *t, unsigned from, unsigned count)
{
	unsigned taken = 0;

	for (unsigned i = from; i < from + count; i++) {
		char		   line[600];
		enum server_answer a;

		(void)snprintf(line, sizeof(line), "RCPT TO:<b%u@away.example> ORCPT=rfc822;%0450u", i, i);
		a = add(t, line, RECIPIENTS_MAX);
		ck_assert(a == ANSWER_RECIPIENT_OK || a == ANSWER_ENVELOPE_MEMORY);
		taken += a == ANSWER_RECIPIENT_OK;
	}
	return taken;
}

/* At the budget: what was taken stays, and asking again makes nothing grow. */
START_TEST(budget_is_kept)
{
	struct budget	    budget = { .max = 256 * 1024 };
	struct transaction *t = begin(&budget, "MAIL FROM:<>");
	unsigned	    taken = fill(t, 0, 2000);

	ck_assert_uint_gt(taken, 100);
	ck_assert_uint_eq(t->envelope.recipient_count, taken);
	ck_assert_uint_le(budget.used, budget.max);
	/* One grown array and one chunk may hang over. */
	ck_assert_uint_le(t->arena.held, 2 * budget.max);
	transaction_free(t);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(arena_is_kept)
{
	struct budget	    budget = { .max = UINT64_C(1) << 40 };
	struct transaction *t = begin(&budget, "MAIL FROM:<>");

	ck_assert_uint_lt(fill(t, 0, 20000), 20000);
	ck_assert_uint_eq(fill(t, 20000, 2000), 0);
	ck_assert_uint_le(t->arena.held, TRANSACTION_ARENA_MAX);
	ck_assert_uint_eq(budget.used, t->charged);
	ck_assert_uint_eq(t->charged, sizeof(*t) + t->arena.held);
	transaction_free(t);
}
END_TEST

START_TEST(no_budget_no_transaction)
{
	struct budget budget = { .max = 100 };

	ck_assert_ptr_null(begin(&budget, "MAIL FROM:<>"));
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(queue_errors_have_answers)
{
	ck_assert_int_eq(transaction_answer(-ENOSPC), ANSWER_NO_SPACE);
	ck_assert_int_eq(transaction_answer(-ENOMEM), ANSWER_NO_MEMORY);
	ck_assert_int_eq(transaction_answer(-EBUSY), ANSWER_BUSY);
	ck_assert_int_eq(transaction_answer(-EIO), ANSWER_DISK);
	ck_assert_int_eq(transaction_answer(-EBADF), ANSWER_DISK);
	for (int error = 1; error < 200; error++)
		ck_assert_uint_eq(server_answers[transaction_answer(-error)].code / 100, 4);
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("transaction");

	tcase_add_test(tc, envelope_is_copied);
	tcase_add_test(tc, same_recipient_costs_once);
	tcase_add_test(tc, recipients_have_a_limit);
	tcase_add_test(tc, budget_is_kept);
	tcase_add_test(tc, arena_is_kept);
	tcase_add_test(tc, no_budget_no_transaction);
	tcase_add_test(tc, queue_errors_have_answers);
	return run_case("inbound/transaction", tc);
}
