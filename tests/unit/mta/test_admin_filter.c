/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/filter.h"

#include "tests/support/run.h"

static const struct {
	const char *pattern, *domain;
	bool	    good, fits;
} domains[] = {
	{ "example.org", "example.org", true, true },
	{ "EXAMPLE.org", "Example.ORG", true, true },
	{ "example.org", "a.example.org", true, false },
	{ "example.org", "example.org.example", true, false },
	{ ".example.org", "a.example.org", true, true },
	{ ".example.org", "A.b.Example.org", true, true },
	{ ".example.org", "example.org", true, false },
	{ ".example.org", "badexample.org", true, false },
	{ "*.example.org", "a.example.org", true, true },
	{ "*.example.org", "example.org", true, false },
	{ "example.*", "example.net", true, true },
	{ "example.*", "example.co.uk", true, false },
	{ "example.*", "example", true, false },
	{ "example.*", "examples.net", true, false },
	{ "a.example.*", "a.example.net", true, true },
	{ "*", "anything.example", true, true },
	{ "*", "", true, true },
	{ "example.org", "", true, false },
	{ ".example.org", "", true, false },
	{ "example.*", "", true, false },
	{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", true, true },
	{ "xn--bcher-kva.example", "B\xc3\x9c" "CHER.example", true, true },
	{ "[192.0.2.1]", "[192.0.2.1]", true, true },
	{ "[192.0.2.1]", "[192.0.2.10]", true, false },
	{ "", "", false, false },
	{ ".", "", false, false },
	{ "..", "", false, false },
	{ ".*", "", false, false },
	{ "*.*", "", false, false },
	{ "a b", "", false, false },
	{ "a..b", "", false, false },
	{ "*a", "", false, false },
	{ "-a.example", "", false, false },
};

static struct queue_recipient two[2];

static const struct queue_message *
message(void)
{
	static struct queue_message m = { .recipients = two, .recipient_count = 2, .open = 2 };

	return &m;
}

static struct envelope
envelope(const char *sender, const char *domain)
{
	static struct envelope_recipient recipients[2];
	static char			 address[600];

	(void)snprintf(address, sizeof(address), "\"a@b\"@%s", domain);
	recipients[0].address = span_of("x@first.example");
	recipients[1].address = span_of(address);
	return (struct envelope){ .sender = span_of(sender), .recipients = recipients, .recipient_count = 2 };
}

START_TEST(recipients_domain)
{
	struct filter	f = { 0 }, untouched = { 0 };
	struct envelope e = envelope("s@example.org", domains[_i].domain);

	two[1].state = QUEUE_WAITING;
	ck_assert_msg(filter_set_domain(&f, span_of(domains[_i].pattern)) == domains[_i].good, "%s",
		      domains[_i].pattern);
	if (!domains[_i].good) {
		ck_assert(memcmp(&f, &untouched, sizeof(f)) == 0);
		return;
	}
	ck_assert_msg(filter_fits_envelope(&f, message(), &e) == domains[_i].fits, "%s of %s", domains[_i].domain,
		      domains[_i].pattern);
	/* Who has his mail, or never will, is not meant. */
	two[1].state = QUEUE_DELIVERED;
	ck_assert(!filter_needs_envelope(&f) || !filter_fits_envelope(&f, message(), &e));
}
END_TEST

static const struct {
	const char *from, *sender;
	bool	    good, fits;
} senders[] = {
	{ "a@example.org", "a@example.org", true, true },
	{ "A@Example.org", "a@example.ORG", true, true },
	{ "a@example.org", "b@example.org", true, false },
	{ "a@example.org", "", true, false },
	{ "@example.org", "a@example.org", true, true },
	{ "@.example.org", "a@b.example.org", true, true },
	{ "example.org", "a@example.org", true, true },
	{ "example.*", "a@example.org", true, true },
	{ "example.org", "a@b.example.org", true, false },
	{ "example.org", "", true, false },
	{ "*", "a@example.org", true, true },
	{ "*", "", true, false },
	{ "<>", "", true, true },
	{ "", "", true, true },
	{ "<>", "a@example.org", true, false },
	{ "@", "", false, false },
	{ "@@", "", false, false },
	{ "a b", "", false, false },
};

START_TEST(sender)
{
	struct filter	f = { 0 };
	struct envelope e = envelope(senders[_i].sender, "example.org");

	two[1].state = QUEUE_WAITING;
	ck_assert_msg(filter_set_from(&f, span_of(senders[_i].from)) == senders[_i].good, "%s", senders[_i].from);
	ck_assert_int_eq(filter_is_empty(&f), !senders[_i].good);
	if (senders[_i].good)
		ck_assert_msg(filter_fits_envelope(&f, message(), &e) == senders[_i].fits, "%s of %s",
			      senders[_i].sender, senders[_i].from);
}
END_TEST

static const struct {
	const char *word;
	bool	    held;
	unsigned    a, b; /* states of two recipients */
	bool	    fits;
} states[] = {
	{ "any", true, QUEUE_DELIVERED, QUEUE_IN_HAND, true },
	{ "waiting", false, QUEUE_DELIVERED, QUEUE_WAITING, true },
	{ "waiting", true, QUEUE_WAITING, QUEUE_WAITING, false },
	{ "waiting", false, QUEUE_IN_HAND, QUEUE_FAILED, false },
	{ "in-hand", false, QUEUE_WAITING, QUEUE_IN_HAND, true },
	{ "in-hand", true, QUEUE_IN_HAND, QUEUE_WAITING, true },
	{ "in-hand", false, QUEUE_WAITING, QUEUE_WAITING, false },
	{ "held", true, QUEUE_WAITING, QUEUE_WAITING, true },
	{ "held", false, QUEUE_WAITING, QUEUE_WAITING, false },
};

START_TEST(state)
{
	struct queue_message m = *message();
	struct filter	     f = { 0 };

	two[0].state = states[_i].a & 15;
	two[1].state = states[_i].b & 15;
	m.held = states[_i].held;
	ck_assert(filter_set_state(&f, span_of(states[_i].word)));
	ck_assert(!filter_needs_envelope(&f));
	ck_assert_msg(filter_fits_message(&f, &m) == states[_i].fits, "%s, row %d", states[_i].word, _i);
	ck_assert(!filter_set_state(&f, span_of("gone")));
}
END_TEST

START_TEST(too_long)
{
	struct filter f = { 0 };
	char	      text[SMTP_PATH_MAX + 2];

	memset(text, 'a', sizeof(text));
	ck_assert(!filter_set_domain(&f, span_make(text, SMTP_DOMAIN_MAX + 1)));
	ck_assert(!filter_set_domain(&f, span_make(text, sizeof(text))));
	text[0] = '[';
	ck_assert(!filter_set_domain(&f, span_make(text, SMTP_DOMAIN_MAX + 1)));
	text[1] = '@';
	ck_assert(filter_set_from(&f, span_make(text, SMTP_PATH_MAX)));
	ck_assert(!filter_set_from(&f, span_make(text, SMTP_PATH_MAX + 1)));
}
END_TEST

int
main(void)
{
	TCase *tc = case_new("filter");

	tcase_add_loop_test(tc, recipients_domain, 0, COUNT_OF(domains));
	tcase_add_loop_test(tc, sender, 0, COUNT_OF(senders));
	tcase_add_loop_test(tc, state, 0, COUNT_OF(states));
	tcase_add_test(tc, too_long);
	return run_case("mta/admin/filter", tc);
}
