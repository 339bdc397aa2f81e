/* SPDX-License-Identifier: Apache-2.0 */
/* What replies and name servers mean: the table of docs/delivery.md, whole. */
#include "mta/outbound/outcome.h"

#include "tests/support/run.h"

/* One letter for each verdict. */
static const char letters[] = {
	[VERDICT_GO_ON] = '+',	       [VERDICT_USE_HELO] = 'H',      [VERDICT_DEFER_HOST] = 'h',
	[VERDICT_FAIL_HOST] = 'X',     [VERDICT_DEFER_RECIPIENT] = 'r', [VERDICT_FAIL_RECIPIENT] = 'R',
	[VERDICT_DEFER_MESSAGE] = 'm', [VERDICT_FAIL_MESSAGE] = 'M',  [VERDICT_DEFER_SESSION] = 's',
	[VERDICT_BREAK] = '!',
};

static const struct {
	unsigned    code;
	const char *want; /* greeting EHLO HELO, MAIL RCPT DATA, BDAT end, RSET QUIT */
} verdicts[] = {
	{ 220, "+++" "++!" "++" "++" },
	{ 250, "h++" "++!" "++" "++" },
	{ 251, "h++" "++!" "++" "++" },
	{ 299, "h++" "++!" "++" "++" },
	{ 300, "hhh" "!!!" "!!" "!!" },
	{ 354, "hhh" "!!+" "!!" "!!" },
	{ 399, "hhh" "!!!" "!!" "!!" },
	{ 421, "hhh" "sss" "ss" "ss" },
	{ 450, "hhh" "mrm" "mm" "ss" },
	{ 451, "hhh" "mrm" "mm" "ss" },
	{ 452, "hhh" "mrm" "mm" "ss" },
	{ 499, "hhh" "mrm" "mm" "ss" },
	{ 500, "hHX" "MRM" "MM" "ss" },
	{ 521, "XHX" "MRM" "MM" "ss" },
	{ 550, "hHX" "MRM" "MM" "ss" },
	{ 552, "hHX" "MrM" "MM" "ss" },
	{ 554, "hHX" "MRM" "MM" "ss" },
	{ 556, "hHX" "MRM" "MM" "ss" },
	{ 599, "hHX" "MRM" "MM" "ss" },
};

START_TEST(a_reply)
{
	ck_assert_uint_eq(strlen(verdicts[_i].want), OUTCOME_PHASE_COUNT);
	for (unsigned phase = 0; phase < OUTCOME_PHASE_COUNT; phase++) {
		char got = letters[outcome_of_reply((enum outcome_phase)phase, verdicts[_i].code)];

		ck_assert_msg(got == verdicts[_i].want[phase], "%u to %s: %c", verdicts[_i].code,
			      outcome_phase_name((enum outcome_phase)phase), got);
	}
} END_TEST

static const struct {
	const char	    *label;
	enum outcome_kind    kind;
	enum outcome_phase   phase;
	unsigned	     code;
	struct smtp_enhanced told;
	const char	    *want;
} statuses[] = {
	{ "the peer's own", OUTCOME_FAILED, OUTCOME_PHASE_RCPT, 550, { 5, 1, 6 }, "5.1.6" },
	{ "none, delivered", OUTCOME_DELIVERED, OUTCOME_PHASE_END, 250, { 0 }, "2.0.0" },
	{ "its class does not fit", OUTCOME_DELIVERED, OUTCOME_PHASE_END, 250, { 5, 1, 1 }, "2.0.0" },
	{ "deferred though permanent", OUTCOME_DEFERRED, OUTCOME_PHASE_RCPT, 552, { 5, 2, 2 }, "4.2.2" },
	{ "no such user", OUTCOME_FAILED, OUTCOME_PHASE_RCPT, 550, { 0 }, "5.1.1" },
	{ "550 to the sender", OUTCOME_FAILED, OUTCOME_PHASE_MAIL, 550, { 0 }, "5.7.0" },
	{ "552 to RCPT", OUTCOME_DEFERRED, OUTCOME_PHASE_RCPT, 552, { 0 }, "4.5.3" },
	{ "552 to the text", OUTCOME_FAILED, OUTCOME_PHASE_END, 552, { 0 }, "5.3.4" },
	{ "452 to the text", OUTCOME_DEFERRED, OUTCOME_PHASE_END, 452, { 0 }, "4.3.1" },
	{ "421", OUTCOME_DEFERRED, OUTCOME_PHASE_MAIL, 421, { 0 }, "4.3.2" },
	{ "parameter", OUTCOME_FAILED, OUTCOME_PHASE_MAIL, 555, { 0 }, "5.5.4" },
	{ "order", OUTCOME_FAILED, OUTCOME_PHASE_DATA, 503, { 0 }, "5.5.0" },
	{ "takes no mail", OUTCOME_FAILED, OUTCOME_PHASE_GREETING, 521, { 0 }, "5.3.2" },
	{ "its domain takes none", OUTCOME_FAILED, OUTCOME_PHASE_RCPT, 556, { 0 }, "5.1.10" },
	{ "anything", OUTCOME_FAILED, OUTCOME_PHASE_END, 554, { 0 }, "5.0.0" },
};

START_TEST(a_status)
{
	char		     text[OUTCOME_STATUS_TEXT_MAX];
	struct smtp_enhanced got = outcome_status_of(statuses[_i].kind, statuses[_i].phase, statuses[_i].code,
						     &statuses[_i].told);

	ck_assert_msg(strcmp(outcome_status_format(got, text), statuses[_i].want) == 0, "%s: %s", statuses[_i].label,
		      text);
} END_TEST

static const struct {
	unsigned	     code;
	struct smtp_enhanced told;
	bool		     want;
} too_many[] = {
	{ 452, { 0 }, true },	      { 452, { 4, 5, 3 }, true }, { 552, { 0 }, true },	 { 552, { 5, 5, 3 }, true },
	{ 452, { 4, 2, 2 }, false },  { 452, { 4, 3, 1 }, false }, { 552, { 5, 2, 2 }, false },
	{ 450, { 4, 5, 3 }, false },  { 550, { 5, 5, 3 }, false }, { 451, { 0 }, false },
};

START_TEST(too_many_recipients)
{
	ck_assert_msg(outcome_too_many(too_many[_i].code, &too_many[_i].told) == too_many[_i].want, "%u %u.%u.%u",
		      too_many[_i].code, too_many[_i].told.class, too_many[_i].told.subject, too_many[_i].told.detail);
} END_TEST

static const struct {
	const char	   *label;
	enum outcome_source source;
	enum dns_status	    status;
	enum outcome_kind   kind;
	unsigned	    code;
	const char	   *want;
} names[] = {
	{ "no such domain", OUTCOME_DOMAIN, DNS_NXDOMAIN, OUTCOME_FAILED, 0, "5.1.2" },
	{ "neither MX nor address", OUTCOME_DOMAIN, DNS_NONE, OUTCOME_FAILED, 0, "5.1.2" },
	{ "null MX", OUTCOME_DOMAIN, DNS_NULL_MX, OUTCOME_FAILED, 556, "5.1.10" },
	{ "no name", OUTCOME_DOMAIN, DNS_BAD_NAME, OUTCOME_FAILED, 0, "5.1.2" },
	{ "no answer", OUTCOME_DOMAIN, DNS_FAILED, OUTCOME_DEFERRED, 0, "4.4.3" },
	{ "an answer without a host", OUTCOME_DOMAIN, DNS_OK, OUTCOME_DEFERRED, 0, "4.4.3" },
	{ "no address of a domain without MX", OUTCOME_IMPLICIT, DNS_NONE, OUTCOME_FAILED, 0, "5.1.2" },
	{ "no answer about it", OUTCOME_IMPLICIT, DNS_FAILED, OUTCOME_DEFERRED, 0, "4.4.3" },
	{ "an MX that is not there", OUTCOME_EXCHANGER, DNS_NXDOMAIN, OUTCOME_FAILED, 0, "5.4.4" },
	{ "an MX without address", OUTCOME_EXCHANGER, DNS_NONE, OUTCOME_FAILED, 0, "5.4.4" },
	{ "no answer about an MX", OUTCOME_EXCHANGER, DNS_FAILED, OUTCOME_DEFERRED, 0, "4.4.3" },
	{ "our route to nowhere", OUTCOME_ROUTE, DNS_NXDOMAIN, OUTCOME_DEFERRED, 0, "4.3.5" },
	{ "our route, no address", OUTCOME_ROUTE, DNS_NONE, OUTCOME_DEFERRED, 0, "4.3.5" },
	{ "our route, no answer", OUTCOME_ROUTE, DNS_FAILED, OUTCOME_DEFERRED, 0, "4.4.3" },
};

START_TEST(a_name)
{
	char		       text[OUTCOME_STATUS_TEXT_MAX];
	struct outcome_trouble got = outcome_of_dns(names[_i].source, names[_i].status);

	ck_assert_msg(got.kind == names[_i].kind && got.code == names[_i].code &&
			      strcmp(outcome_status_format(got.status, text), names[_i].want) == 0,
		      "%s: kind %d, code %u, %s", names[_i].label, got.kind, got.code,
		      outcome_status_format(got.status, text));
} END_TEST

START_TEST(odd_statuses)
{
	char text[OUTCOME_STATUS_TEXT_MAX];

	ck_assert_str_eq(outcome_status_format((struct smtp_enhanced){ 0, 7, 7 }, text), "5.0.0");
	ck_assert_str_eq(outcome_status_format((struct smtp_enhanced){ 5, 999, 999 }, text), "5.999.999");
} END_TEST

int
main(void)
{
	TCase *tc = case_new("outcomes");

	tcase_add_loop_test(tc, a_reply, 0, COUNT_OF(verdicts));
	tcase_add_loop_test(tc, a_status, 0, COUNT_OF(statuses));
	tcase_add_loop_test(tc, too_many_recipients, 0, COUNT_OF(too_many));
	tcase_add_loop_test(tc, a_name, 0, COUNT_OF(names));
	tcase_add_test(tc, odd_statuses);
	return run_case("outbound outcome", tc);
}
