/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every row of the table, also for those that are still to come. */
#include "mta/inbound/answers.h"

#include "mta/smtp/command.h"
#include "mta/smtp/reply.h"
#include "tests/support/run.h"

static void
check_reply(unsigned code, const char *enhanced, const char *text)
{
	char	 line[SMTP_REPLY_LINE_MAX];
	unsigned class, subject, detail;
	size_t	 n = smtp_reply_write(line, code, enhanced, span_of(text));

	ck_assert_uint_ge(code, 200);
	ck_assert_uint_le(code, 599);
	ck_assert(memchr(line, '?', n) == NULL);
	ck_assert_uint_le(n, SMTP_REPLY_LINE_MAX - 256); /* our name may stand in front */
	if (enhanced == NULL) {
		ck_assert_uint_eq(code, 354);
		return;
	}
	/* RFC 2034 section 4: the class is the first digit of the code. */
	ck_assert_int_eq(sscanf(enhanced, "%u.%u.%u", &class, &subject, &detail), 3);
	ck_assert_uint_eq(class, code / 100);
	ck_assert_uint_le(subject, 7); /* RFC 3463 section 3 */
}

START_TEST(answers_are_replies)
{
	check_reply(server_answers[_i].code, server_answers[_i].enhanced, server_answers[_i].text);
}
END_TEST

START_TEST(command_replies_are_replies)
{
	check_reply(smtp_command_replies[_i].code, smtp_command_replies[_i].enhanced, smtp_command_replies[_i].text);
}
END_TEST

START_TEST(words_name_one_answer)
{
	for (unsigned i = 0; i < (unsigned)_i; i++)
		ck_assert_str_ne(server_answers[i].word, server_answers[_i].word);
	ck_assert_uint_eq(strspn(server_answers[_i].word, "abcdefghijklmnopqrstuvwxyz0123456789_"),
			  strlen(server_answers[_i].word));
	ck_assert_ptr_nonnull(strstr(server_answer_counters[_i].name, server_answers[_i].word));
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("answers");

	tcase_add_loop_test(tc, answers_are_replies, 0, SERVER_ANSWER_COUNT);
	tcase_add_loop_test(tc, command_replies_are_replies, 0, SMTP_COMMAND_RESULT_COUNT);
	tcase_add_loop_test(tc, words_name_one_answer, 0, SERVER_ANSWER_COUNT);
	return run_case("inbound/answers", tc);
}
