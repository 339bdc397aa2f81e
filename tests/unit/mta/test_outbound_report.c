/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery reports: one against its whole text, the others read back as a receiver would. */
#include "mta/outbound/report.h"

#include "tests/support/run.h"

#define MESSAGE "Received: from x\r\nSubject: hello\r\n\r\n.body\r\n"

static struct id
an_id(const char *text)
{
	struct id id;

	ck_assert(id_parse(span_of(text), &id));
	return id;
}

/* A report of one recipient that failed; tests change what they are about. */
struct case_parts {
	struct envelope_recipient recipient;
	struct outcome		  outcome;
	struct report_recipient	  told;
	struct envelope		  envelope;
	struct report		  report;
};

static void
parts_init(struct case_parts *p)
{
	*p = (struct case_parts){
		.recipient = { .address = SPAN_LITERAL("user@to.example") },
		.outcome = { .kind = OUTCOME_FAILED, .attempt = true, .code = 550, .status = { 5, 1, 1 },
			     .host = SPAN_LITERAL("mx.to.example [192.0.2.1]:25"),
			     .text = SPAN_LITERAL("no such user") },
		.envelope = { .id = an_id("01hf7yat00000000000000000a"), .accepted_ms = INT64_C(1795521197000),
			      .sender = SPAN_LITERAL("sender@from.example"), .body_octets = sizeof(MESSAGE) - 1 },
	};
	p->told = (struct report_recipient){ &p->recipient, &p->outcome, REPORT_FAILED, false };
	p->report = (struct report){
		.envelope = &p->envelope,
		.id = an_id("01hf7yat00000000000000000b"),
		.hostname = SPAN_LITERAL("us.example"),
		.now_ms = INT64_C(1795521257000),
		.retry_until_ms = INT64_C(1795953197000),
		.recipients = &p->told,
		.count = 1,
		.text = span_make(MESSAGE, sizeof(MESSAGE) - 1),
		.text_max = 64 * 1024,
	};
}

/* --- the whole text of one ------------------------------------------------------------------------------------ */

static const char golden[] =
	"Date: Tue, 24 Nov 2026 11:54:17 +0000\r\n"
	"From: Mail Delivery System <MAILER-DAEMON@us.example>\r\n"
	"To: <sender@from.example>\r\n"
	"Subject: Undelivered mail returned to sender\r\n"
	"Message-ID: <01hf7yat00000000000000000b@us.example>\r\n"
	"Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/report; report-type=delivery-status;\r\n"
	"\tboundary=\"report-01hf7yat00000000000000000b\"\r\n"
	"Content-Transfer-Encoding: 7bit\r\n"
	"\r\n"
	"This is a MIME-encapsulated message.\r\n"
	"\r\n"
	"--report-01hf7yat00000000000000000b\r\n"
	"Content-Type: text/plain; charset=us-ascii\r\n"
	"Content-Transfer-Encoding: 7bit\r\n"
	"\r\n"
	"This is the mail system at us.example.\r\n"
	"\r\n"
	"Your message could not be delivered to:\r\n"
	"\r\n"
	"  <user@to.example>\r\n"
	"   mx.to.example [192.0.2.1]:25 said:\r\n"
	"    550 no such user\r\n"
	"\r\n"
	"  <other@to.example>\r\n"
	"   It was tried for as long as we keep mail.  The last answer:\r\n"
	"    connection timed out\r\n"
	"\r\n"
	"We know your message as 01hf7yat00000000000000000a.\r\n"
	"It is attached.\r\n"
	"\r\n"
	"--report-01hf7yat00000000000000000b\r\n"
	"Content-Type: message/delivery-status\r\n"
	"\r\n"
	"Reporting-MTA: dns; us.example\r\n"
	"Original-Envelope-Id: QQ314159+\r\n"
	"X-Ringpost-Id: 01hf7yat00000000000000000a\r\n"
	"Arrival-Date: Tue, 24 Nov 2026 11:53:17 +0000\r\n"
	"\r\n"
	"Original-Recipient: rfc822; User@old.example\r\n"
	"Final-Recipient: rfc822; user@to.example\r\n"
	"Action: failed\r\n"
	"Status: 5.1.1\r\n"
	"Remote-MTA: dns; mx.to.example\r\n"
	"Diagnostic-Code: smtp; 550 no such user\r\n"
	"Last-Attempt-Date: Tue, 24 Nov 2026 11:54:17 +0000\r\n"
	"\r\n"
	"Final-Recipient: rfc822; other@to.example\r\n"
	"Action: failed\r\n"
	"Status: 4.4.7\r\n"
	"Diagnostic-Code: x-ringpost; connection timed out\r\n"
	"Last-Attempt-Date: Tue, 24 Nov 2026 11:54:17 +0000\r\n"
	"\r\n"
	"--report-01hf7yat00000000000000000b\r\n"
	"Content-Type: message/rfc822\r\n"
	"Content-Transfer-Encoding: 7bit\r\n"
	"\r\n" MESSAGE "\r\n"
	"--report-01hf7yat00000000000000000b--\r\n";

START_TEST(word_for_word)
{
	struct case_parts	  p;
	struct envelope_recipient other = { .address = SPAN_LITERAL("other@to.example") };
	struct outcome		  late = { .kind = OUTCOME_DEFERRED, .status = { 4, 4, 1 },
					   .text = SPAN_LITERAL("connection timed out") };
	struct report_recipient	  both[2];
	struct report_text	  t;

	parts_init(&p);
	p.envelope.envid = SPAN_LITERAL("QQ314159+2B");
	p.recipient.orcpt = SPAN_LITERAL("rfc822;User@old.example");
	both[0] = p.told;
	both[1] = (struct report_recipient){ &other, &late, REPORT_FAILED, true };
	p.report.recipients = both;
	p.report.count = 2;
	ck_assert_int_eq(report_write(&p.report, &t), 0);
	ck_assert_msg(span_equal(span_make(t.data, t.len), span_of(golden)), "%.*s", (int)t.len, t.data);
	ck_assert_uint_eq(t.flags, ENVELOPE_REPORT | ENVELOPE_DOT);
	free(t.data);
} END_TEST

/* --- read back ---------------------------------------------------------------------------------------------------- */

struct part {
	struct span type; /* its header section */
	struct span body;
};

/* Every line ends well, holds no control and is not too long; the parts, without the final line end of each. */
static unsigned
read_parts(struct span text, struct part parts[static 4])
{
	unsigned    count = 0;
	const char *at = NULL;
	char	    mark[64];
	struct span boundary;

	ck_assert_ptr_nonnull(memmem(text.data, text.len, "boundary=\"", 10));
	at = (const char *)memmem(text.data, text.len, "boundary=\"", 10) + 10;
	boundary = span_make(at, strcspn(at, "\""));
	(void)snprintf(mark, sizeof(mark), "\r\n--%.*s", (int)boundary.len, boundary.data);
	for (const char *end = text.data + text.len, *next; (next = memmem(at, (size_t)(end - at), mark, strlen(mark)));) {
		if (count)
			parts[count - 1].body.len = (size_t)(next - parts[count - 1].body.data);
		at = next + strlen(mark);
		if (at[0] == '-')
			return count;
		ck_assert_uint_lt(count, 4);
		next = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
		ck_assert_ptr_nonnull(next);
		parts[count].type = span_make(at + 2, (size_t)(next - at - 2));
		parts[count++].body = span_make(next + 4, 0);
	}
	ck_abort_msg("the last boundary is missing");
}

static void
check_lines(struct span text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '\r') {
			ck_assert(i + 1 < text.len && text.data[i + 1] == '\n');
			ck_assert_uint_le(line, 998);
			line = 0;
			i++;
			continue;
		}
		ck_assert_msg(c >= 0x20 || c == '\t', "octet %u at %zu", c, i);
		ck_assert_uint_ne(c, 0x7f);
		line++;
	}
	ck_assert_uint_eq(line, 0);
}

/* Groups of fields, each with what RFC 3464 section 2 demands; returns how many. */
static unsigned
read_status(struct span body)
{
	unsigned groups = 0, fields = 0, finals = 0, actions = 0, states = 0;

	for (struct span rest = body; rest.len;) {
		size_t	    len = span_find(rest, '\n');
		struct span line = span_first(rest, len && len < rest.len && rest.data[len - 1] == '\r' ? len - 1 : len);

		rest = span_from(rest, len + 1);
		if (line.len == 0) {
			groups += fields > 0;
			fields = 0;
			continue;
		}
		if (line.data[0] == ' ' || line.data[0] == '\t') {
			bool words = false;

			for (size_t i = 0; i < line.len; i++)
				words = words || line.data[i] != ' ';
			ck_assert_msg(words, "a line of spaces");
			ck_assert_uint_gt(fields, 0);
			continue;
		}
		ck_assert_msg(span_find(line, ':') < line.len, "no field: %.*s", (int)line.len, line.data);
		fields++;
		finals += span_starts_nocase(line, SPAN_LITERAL("Final-Recipient:"));
		actions += span_starts_nocase(line, SPAN_LITERAL("Action:"));
		states += span_starts_nocase(line, SPAN_LITERAL("Status:"));
	}
	groups += fields > 0;
	ck_assert_uint_eq(finals, groups - 1);
	ck_assert_uint_eq(actions, groups - 1);
	ck_assert_uint_eq(states, groups - 1);
	return groups;
}

static bool
holds(struct span s, const char *what)
{
	return memmem(s.data, s.len, what, strlen(what)) != NULL;
}

/* Writes, reads back, and gives the parts; the text is the caller's to free. */
static unsigned
round_trip(const struct report *r, struct report_text *t, struct part parts[static 4])
{
	struct span text;
	unsigned    count;

	ck_assert_int_eq(report_write(r, t), 0);
	text = span_make(t->data, t->len);
	check_lines(text);
	count = read_parts(text, parts);
	ck_assert_uint_ge(count, 2);
	ck_assert(span_starts_nocase(parts[0].type, SPAN_LITERAL("Content-Type: text/plain")));
	ck_assert_uint_eq(read_status(parts[1].body), 1 + r->count);
	return count;
}

/* --- hostile words --------------------------------------------------------------------------------------------------- */

#define X10	     "xxxxxxxxxx"
#define X100	     X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define SPACES	     "                                                                                          "
#define E_ACUTE	     "\xc3\xa9"
#define E10	     E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE E_ACUTE
#define E100	     E10 E10 E10 E10 E10 E10 E10 E10 E10 E10

static const struct {
	const char *label, *text, *want; /* want: somewhere in the status */
} words[] = {
	{ "a line of its own", "no\r\n\r\nFinal-Recipient: rfc822; x@y\r\nAction: delivered", "no Final-Recipient:" },
	{ "a bare line feed", "no\nAction: delivered\n", "no Action: delivered" },
	{ "a boundary", "no\r\n--report-01hf7yat00000000000000000b--\r\n", "no --report-" },
	{ "spaces for lines", "no" SPACES SPACES SPACES "Action: delivered", "no Action: delivered" },
	{ "nothing but spaces", SPACES, "Diagnostic-Code: smtp; 550\r\n" },
	{ "controls", "a\x01\x02\x1b[2Jb\x7f", "a [2Jb" },
	{ "tabs", "a\t\t\tb", "a b" },
	{ "octets that are no UTF-8", "\xff\xfe caf\xc3", "?? caf?" },
	{ "UTF-8 where there is none", "caf" E_ACUTE, "caf?" },
	{ "a word too long for a line", X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100, X100 X100 X100 X100 X100 },
	{ "nothing", "", "Diagnostic-Code: smtp; 550\r\n" },
};

START_TEST(hostile_words)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];

	parts_init(&p);
	p.outcome.text = span_of(words[_i].text);
	(void)round_trip(&p.report, &t, parts);
	ck_assert_msg(holds(parts[1].body, words[_i].want), "%s: %.*s", words[_i].label, (int)parts[1].body.len,
		      parts[1].body.data);
	ck_assert(!holds(parts[1].body, X100 X100 X100 X100 X100 "x"));
	free(t.data);
} END_TEST

START_TEST(hostile_host_and_addresses)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];

	parts_init(&p);
	p.outcome.host = SPAN_LITERAL("evil\r\nAction:delivered [192.0.2.1]:25");
	p.recipient.address = SPAN_LITERAL("\"a\r\nStatus: 2.0.0\"@to.example");
	p.recipient.orcpt = SPAN_LITERAL("rfc822;a+0D+0AStatus:+202.0.0+00");
	p.envelope.envid = SPAN_LITERAL("a+0D+0A+0D+0Ab");
	(void)round_trip(&p.report, &t, parts);
	ck_assert(holds(parts[1].body, "Original-Recipient: rfc822; a  Status: 2.0.0 \r\n"));
	ck_assert(holds(parts[1].body, "Original-Envelope-Id: a    b\r\n"));
	free(t.data);
} END_TEST

/* --- what is returned, and in which form ----------------------------------------------------------------------------- */

#define HIGH_HEADER "Subject: caf" E_ACUTE "\r\n"

static const struct {
	const char	  *label;
	uint32_t	   flags;
	enum report_action action;
	const char	  *text;
	uint64_t	   body_octets; /* 0: of text */
	uint64_t	   text_max;
	bool		   damaged;
	const char	  *type;     /* of the third part; NULL: there is none */
	const char	  *returned; /* its body, without the last line end */
	const char	  *encoding;
} returns[] = {
	{ "the whole text", 0, REPORT_FAILED, MESSAGE, 0, 1000, false, "message/rfc822", MESSAGE, "7bit" },
	{ "RET=FULL", ENVELOPE_RET_FULL, REPORT_FAILED, MESSAGE, 0, 1000, false, "message/rfc822", MESSAGE, "7bit" },
	{ "RET=HDRS", ENVELOPE_RET_HEADERS, REPORT_FAILED, MESSAGE, 0, 1000, false, "text/rfc822-headers",
	  "Received: from x\r\nSubject: hello\r\n", "7bit" },
	{ "a delay returns no text", 0, REPORT_DELAYED, MESSAGE, 0, 1000, false, "text/rfc822-headers",
	  "Received: from x\r\nSubject: hello\r\n", "7bit" },
	{ "a text too large", 0, REPORT_FAILED, MESSAGE, 0, 40, false, "text/rfc822-headers",
	  "Received: from x\r\nSubject: hello\r\n", "7bit" },
	{ "a header section too large", 0, REPORT_FAILED, MESSAGE, 0, 20, false, "text/rfc822-headers",
	  "Received: from x\r\n", "7bit" },
	{ "only the start is at hand", 0, REPORT_FAILED, MESSAGE, 5000, 9000, false, "text/rfc822-headers",
	  "Received: from x\r\nSubject: hello\r\n", "7bit" },
	{ "cut in the header section", 0, REPORT_FAILED, "Received: from x\r\nSubj", 5000, 9000, false,
	  "text/rfc822-headers", "Received: from x\r\n", "7bit" },
	{ "damaged", 0, REPORT_FAILED, "", 5000, 9000, true, NULL, NULL, NULL },
	{ "binary", ENVELOPE_BINARY, REPORT_FAILED, "A: b\r\nC: \x01\rd\r\nE: f\r\n\r\n\x80", 0, 1000, false,
	  "text/rfc822-headers", "A: b\r\n", "7bit" },
	{ "8-bit text", ENVELOPE_8BIT, REPORT_FAILED, HIGH_HEADER "\r\nx\r\n", 0, 1000, false, "message/rfc822",
	  HIGH_HEADER "\r\nx\r\n", "8bit" },
	{ "UTF-8 in a header section", ENVELOPE_SMTPUTF8, REPORT_FAILED, HIGH_HEADER "\r\nx\r\n", 0, 1000, false,
	  "message/global", HIGH_HEADER "\r\nx\r\n", "8bit" },
	{ "the same, RET=HDRS", ENVELOPE_SMTPUTF8 | ENVELOPE_RET_HEADERS, REPORT_FAILED, HIGH_HEADER "\r\nx\r\n", 0, 1000,
	  false, "message/global-headers", HIGH_HEADER, "8bit" },
	{ "SMTPUTF8 for nothing", ENVELOPE_SMTPUTF8, REPORT_FAILED, MESSAGE, 0, 1000, false, "message/rfc822", MESSAGE,
	  "7bit" },
	{ "no line end", 0, REPORT_FAILED, "A: b\r\n\r\nx", 0, 1000, false, "message/rfc822", "A: b\r\n\r\nx", "7bit" },
};

START_TEST(what_is_returned)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];
	unsigned	   count;
	char		   type[128];

	parts_init(&p);
	p.told.action = returns[_i].action;
	p.envelope.flags = returns[_i].flags;
	p.report.text = span_of(returns[_i].text);
	p.envelope.body_octets = returns[_i].body_octets ? returns[_i].body_octets : p.report.text.len;
	p.report.text_max = returns[_i].text_max;
	p.report.text_damaged = returns[_i].damaged;
	count = round_trip(&p.report, &t, parts);
	ck_assert_msg(count == (returns[_i].type ? 3 : 2), "%s: %u parts", returns[_i].label, count);
	if (returns[_i].type) {
		(void)snprintf(type, sizeof(type), "Content-Type: %s\r\nContent-Transfer-Encoding: %s", returns[_i].type,
			       returns[_i].encoding);
		ck_assert_msg(span_equal(parts[2].type, span_of(type)), "%s: %.*s", returns[_i].label,
			      (int)parts[2].type.len, parts[2].type.data);
		ck_assert_msg(span_equal(parts[2].body, span_of(returns[_i].returned)), "%s: %.*s", returns[_i].label,
			      (int)parts[2].body.len, parts[2].body.data);
	}
	ck_assert_uint_eq(!!(t.flags & ENVELOPE_8BIT_TEXT), returns[_i].encoding && returns[_i].encoding[0] == '8');
	free(t.data);
} END_TEST

/* --- addresses that need UTF-8 (RFC 6533) ------------------------------------------------------------------------------ */

START_TEST(utf8_addresses)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];

	parts_init(&p);
	p.envelope.sender = SPAN_LITERAL("s" E_ACUTE "nder@from.example");
	p.recipient.address = SPAN_LITERAL("us" E_ACUTE "r@to.example");
	p.recipient.orcpt = SPAN_LITERAL("utf-8;u+C3+A9+C3");
	p.outcome.text = SPAN_LITERAL("caf" E_ACUTE " \xff " E100 E100 E100 E100);
	ck_assert_uint_eq(round_trip(&p.report, &t, parts), 3);
	ck_assert(holds(span_make(t.data, t.len), "report-type=global-delivery-status;"));
	ck_assert(holds(parts[0].type, "charset=utf-8"));
	ck_assert(holds(parts[1].type, "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"));
	ck_assert(holds(parts[1].body, "Final-Recipient: utf-8; us" E_ACUTE "r@to.example\r\n"));
	ck_assert(holds(parts[1].body, "Original-Recipient: utf-8; u" E_ACUTE "?\r\n"));
	ck_assert(holds(parts[1].body, "caf" E_ACUTE " ?"));
	for (struct span s = span_make(t.data, t.len); s.len;) {
		size_t n = 1;

		while (n < s.len && ((unsigned char)s.data[n] & 0xc0) == 0x80)
			n++;
		ck_assert_msg((unsigned char)s.data[0] < 0x80 || n == 2, "half a character: %.20s", s.data);
		s = span_from(s, n);
	}
	ck_assert_uint_eq(t.flags & (ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT), ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT);
	free(t.data);
} END_TEST

/* Whoever has an ASCII address can be told by hosts that know nothing else. */
START_TEST(utf8_addresses_in_ascii)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];

	parts_init(&p);
	p.envelope.flags = ENVELOPE_SMTPUTF8;
	p.recipient.address = SPAN_LITERAL("us" E_ACUTE "r+\xf0\x9f\x90\xa6@to.example");
	p.recipient.orcpt = SPAN_LITERAL("utf-8;u+C3+A9+2B\\x{20AC}");
	p.outcome.text = SPAN_LITERAL("caf" E_ACUTE);
	ck_assert_uint_eq(round_trip(&p.report, &t, parts), 3);
	ck_assert(holds(span_make(t.data, t.len), "report-type=delivery-status;"));
	ck_assert(holds(parts[0].type, "charset=us-ascii"));
	ck_assert(holds(parts[0].body, "  <us\\x{E9}r\\x{2B}\\x{1F426}@to.example>\r\n"));
	ck_assert(holds(parts[1].type, "message/delivery-status"));
	ck_assert(holds(parts[1].body, "Original-Recipient: utf-8; u\\x{E9}+\\x{20AC}\r\n"));
	ck_assert(holds(parts[1].body, "Final-Recipient: utf-8; us\\x{E9}r\\x{2B}\\x{1F426}@to.example\r\n"));
	for (size_t i = 0; i < t.len; i++)
		ck_assert_int_gt(t.data[i], 0);
	ck_assert_uint_eq(t.flags & (ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT), 0);
	free(t.data);
} END_TEST

/* As long as one can be, and longer in ASCII than a line. */
START_TEST(a_long_address_is_cut)
{
	struct case_parts  p;
	struct report_text t;
	struct part	   parts[4];

	parts_init(&p);
	p.recipient.address = SPAN_LITERAL("++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++@" E100 E10
					     E10);
	(void)round_trip(&p.report, &t, parts);
	ck_assert(holds(parts[1].body, "\\x{E9}\r\n"));
	free(t.data);
} END_TEST

/* --- actions -------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char	  *label;
	enum report_action action, other;
	const char	  *subject, *status;
} actions[] = {
	{ "failed", REPORT_FAILED, REPORT_FAILED, "Subject: Undelivered mail returned to sender\r\n", "Action: failed\r\n" },
	{ "delayed", REPORT_DELAYED, REPORT_DELAYED, "Subject: Delayed mail: still being tried\r\n",
	  "Will-Retry-Until: Sun, 29 Nov 2026 11:53:17 +0000\r\n" },
	{ "relayed", REPORT_RELAYED, REPORT_RELAYED, "Subject: Your message was passed on\r\n", "Action: relayed\r\n" },
	{ "mixed", REPORT_DELAYED, REPORT_FAILED, "Subject: Delivery status of your message\r\n", "Action: delayed\r\n" },
};

START_TEST(an_action)
{
	struct case_parts	p;
	struct report_recipient both[2];
	struct report_text	t;
	struct part		parts[4];

	parts_init(&p);
	both[0] = both[1] = p.told;
	both[0].action = actions[_i].action;
	both[1].action = actions[_i].other;
	p.report.recipients = both;
	p.report.count = 2;
	ck_assert_uint_eq(round_trip(&p.report, &t, parts), 3);
	ck_assert_msg(holds(span_make(t.data, t.len), actions[_i].subject), "%s", actions[_i].label);
	ck_assert_msg(holds(parts[1].body, actions[_i].status), "%s: %.*s", actions[_i].label, (int)parts[1].body.len,
		      parts[1].body.data);
	free(t.data);
} END_TEST

START_TEST(a_thousand_recipients)
{
	static struct report_recipient all[1000];
	struct case_parts	       p;
	struct report_text	       t;
	struct part		       parts[4];

	parts_init(&p);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		all[i] = p.told;
	p.report.recipients = all;
	p.report.count = COUNT_OF(all);
	ck_assert_uint_eq(round_trip(&p.report, &t, parts), 3);
	free(t.data);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("report");

	tcase_add_test(tc, word_for_word);
	tcase_add_loop_test(tc, hostile_words, 0, COUNT_OF(words));
	tcase_add_test(tc, hostile_host_and_addresses);
	tcase_add_loop_test(tc, what_is_returned, 0, COUNT_OF(returns));
	tcase_add_test(tc, utf8_addresses);
	tcase_add_test(tc, utf8_addresses_in_ascii);
	tcase_add_test(tc, a_long_address_is_cut);
	tcase_add_loop_test(tc, an_action, 0, COUNT_OF(actions));
	tcase_add_test(tc, a_thousand_recipients);
	return run_case("outbound report", tc);
}
