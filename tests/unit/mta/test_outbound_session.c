/* SPDX-License-Identifier: Apache-2.0 */
/* What a next hop says and does, and what becomes of the mail: over real sockets, with a scripted peer. */
#include "tests/unit/mta/outbound_rig.h"
#include "tests/support/run.h"

enum { PLAIN = 1 << 0, PIPED = 1 << 1, CHUNKED = 1 << 2, BY_DATA = PLAIN | PIPED, ALL = BY_DATA | CHUNKED };

static const struct mode {
	unsigned    bit;
	const char *name, *ehlo;
} modes[] = {
	{ PLAIN, "plain", "" },
	{ PIPED, "pipelined", "PIPELINING ENHANCEDSTATUSCODES" },
	{ CHUNKED, "chunked", "PIPELINING ENHANCEDSTATUSCODES CHUNKING 8BITMIME" },
};

#define L10  "250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n250-x\r\n"
#define L100 L10 L10 L10 L10 L10 L10 L10 L10 L10 L10

/* Each row is a conversation; the numbers are of recipients, but for texts (taken by the peer) and reports. */
static const struct session_case {
	const char    *label;
	unsigned       modes;
	const char    *recipients;
	struct peer_row rows[4];
	unsigned       delivered, deferred, bounced, uncertain, texts, reports;
	const char    *said;  /* by us, somewhere */
	const char    *words; /* in the report */
} cases[] = {
#define A   "a@to.test"
#define AB  "a@to.test b@to.test"
#define ABC "a@to.test b@to.test c@to.test"
	/* label, modes, recipients, rows,                                       del def bnc unc txt rep */
	{ "all is well", ALL, A, { { 0 } }, 1, 0, 0, 0, 1, 0, "MAIL FROM:<s@back.test>", NULL },
	{ "two recipients", ALL, AB, { { 0 } }, 2, 0, 0, 0, 1, 0, "RCPT TO:<b@to.test>", NULL },

	{ "greeting 554", ALL, A, { { "CONNECT", "554 5.7.1 go away", 0, false } }, 0, 1, 0, 0, 0, 0, "QUIT", NULL },
	{ "greeting 421", ALL, A, { { "CONNECT", "421 4.3.2 busy", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "greeting 521", ALL, A, { { "CONNECT", "521 5.3.2 never mail", 0, true } }, 0, 0, 1, 0, 0, 1, NULL,
	  "521 never mail" },
	{ "greeting is no reply", ALL, A, { { "CONNECT", "SSH-2.0-OpenSSH_9.2", 0, false } }, 0, 1, 0, 0, 0, 0, NULL,
	  NULL },
	{ "greeting never ends", ALL, A, { { "CONNECT", "220-x\r\n220-y", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "greeting of too many lines", ALL, A, { { "CONNECT", L100 L100 L100 L100 L100 L100, 0, false } }, 0, 1, 0, 0, 0, 0,
	  NULL, NULL },
	{ "greeting hangs", ALL, A, { { "CONNECT", NULL, 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "closed at once", ALL, A, { { "CONNECT", NULL, 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "two greetings", ALL, A, { { "CONNECT", "220 one\r\n250 two", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },

	{ "EHLO unknown", ALL, A, { { "EHLO", "500 what", 0, false } }, 1, 0, 0, 0, 1, 0, "HELO us.test", NULL },
	{ "EHLO and HELO refused", ALL, A,
	  { { "EHLO", "502 no", 0, false }, { "HELO", "550 5.7.1 not you", 0, false } }, 0, 0, 1, 0, 0, 1, "HELO",
	  "not you" },
	{ "EHLO 421", ALL, A, { { "EHLO", "421 4.3.2 later", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "EHLO hangs", ALL, A, { { "EHLO", NULL, 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "EHLO closes", ALL, A, { { "EHLO", NULL, 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "EHLO and a reply more", ALL, A, { { "EHLO", "250 me\r\n250 me again", 0, false } }, 0, 1, 0, 0, 0, 0, NULL,
	  NULL },

	{ "MAIL 451", ALL, AB, { { "MAIL", "451 4.3.0 not now", 0, false } }, 0, 2, 0, 0, 0, 0, NULL, NULL },
	{ "MAIL 550", ALL, AB, { { "MAIL", "550 5.7.1 not from you", 0, false } }, 0, 0, 2, 0, 0, 1, NULL,
	  "not from you" },
	{ "MAIL, too many lines", BY_DATA, A, { { "MAIL", L100 L100 L100 L100 L100 L100, 0, false } }, 0, 1, 0, 0, 0, 0,
	  NULL, NULL },
	{ "MAIL of many lines", ALL, A, { { "MAIL", L100 L100 L100 L100 L100 "250 x", 0, false } }, 1, 0, 0, 0, 1, 0, NULL,
	  NULL },
	{ "MAIL 421", ALL, A, { { "MAIL", "421 4.3.2 bye", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "MAIL 354", BY_DATA, A, { { "MAIL", "354 what", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "MAIL 354, the text is sent", CHUNKED, A, { { "MAIL", "354 what", 0, false } }, 0, 1, 0, 1, 0, 0, NULL, NULL },
	{ "MAIL hangs", BY_DATA, A, { { "MAIL", NULL, 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "MAIL hangs, the text is sent", CHUNKED, A, { { "MAIL", NULL, 0, false } }, 0, 1, 0, 1, 0, 0, NULL, NULL },
	{ "MAIL closes", BY_DATA, A, { { "MAIL", NULL, 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },

	{ "RCPT 550 for one", ALL, AB, { { "RCPT TO:<a@", "550 5.1.1 no such user", 0, false } }, 1, 0, 1, 0, 1, 1, NULL,
	  "no such user" },
	{ "RCPT 450 for one", ALL, AB, { { "RCPT TO:<a@", "450 4.2.0 grey", 0, false } }, 1, 1, 0, 0, 1, 0, NULL, NULL },
	{ "RCPT 552 means 452", ALL, A, { { "RCPT", "552 full", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "RCPT 550 for all", ALL, AB, { { "RCPT", "550 5.1.1 nobody", 0, false } }, 0, 0, 2, 0, 0, 1, NULL, "nobody" },
	{ "RCPT 550 for all, and yet 354", BY_DATA, A,
	  { { "RCPT", "550 5.1.1 nobody", 0, false }, { "DATA", "354 go on", 0, false } }, 0, 0, 1, 0, 0, 1, NULL,
	  "nobody" },
	{ "too many recipients", ALL, ABC,
	  { { "RCPT TO:<b@", "452 4.5.3 too many", 1, false }, { "RCPT TO:<c@", "452 4.5.3 too many", 1, false } }, 3, 0,
	  0, 0, 3, 0, NULL, NULL },
	{ "452 about the mailbox", ALL, AB, { { "RCPT TO:<b@", "452 4.2.2 full", 0, false } }, 1, 1, 0, 0, 1, 0, NULL,
	  NULL },
	{ "452 for the first", ALL, A, { { "RCPT", "452 4.5.3 too many", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "RCPT 421", BY_DATA, AB, { { "RCPT TO:<b@", "421 4.3.2 bye", 0, true } }, 0, 2, 0, 0, 0, 0, NULL, NULL },
	{ "RCPT 251", ALL, A, { { "RCPT", "251 2.1.5 will forward", 0, false } }, 1, 0, 0, 0, 1, 0, NULL, NULL },
	{ "RCPT hangs", BY_DATA, A, { { "RCPT", NULL, 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "RCPT closes", BY_DATA, A, { { "RCPT", NULL, 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "RCPT is no reply", BY_DATA, A, { { "RCPT", "\xff\xfe\x01 250", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },

	{ "DATA 451", BY_DATA, AB, { { "DATA", "451 4.3.0 not now", 0, false } }, 0, 2, 0, 0, 0, 0, "RSET", NULL },
	{ "DATA 554", BY_DATA, AB, { { "DATA", "554 5.7.1 not this", 0, false } }, 0, 0, 2, 0, 0, 1, "RSET", "not this" },
	{ "DATA 421", BY_DATA, A, { { "DATA", "421 4.3.2 bye", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "DATA 250", BY_DATA, A, { { "DATA", "250 ok", 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "DATA hangs", BY_DATA, A, { { "DATA", NULL, 0, false } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "DATA closes", BY_DATA, A, { { "DATA", NULL, 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	/* A 250 that came before the text left us is no promise about the text. */
	{ "DATA 354 and 250 at once", BY_DATA, A, { { "DATA", "354 go on\r\n250 2.0.0 taken", 0, false } }, 0, 1, 0, 1, 0,
	  0, NULL, NULL },

	{ "closes in the text", ALL, AB, { { "TEXT", NULL, 0, true } }, 0, 2, 0, 2, 0, 0, NULL, NULL },
	{ "421 in the text", ALL, AB, { { "TEXT", "421 4.3.2 bye", 0, true } }, 0, 2, 0, 0, 0, 0, NULL, NULL },

	{ "end 451", BY_DATA, AB, { { ".", "451 4.3.0 disk", 0, false } }, 0, 2, 0, 0, 0, 0, NULL, NULL },
	{ "end 552", BY_DATA, AB, { { ".", "552 5.3.4 too large", 0, false } }, 0, 0, 2, 0, 0, 1, NULL, "too large" },
	{ "end 421", BY_DATA, A, { { ".", "421 4.3.2 bye", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "end 354", BY_DATA, A, { { ".", "354 more", 0, false } }, 0, 1, 0, 1, 0, 0, NULL, NULL },
	{ "end hangs", BY_DATA, A, { { ".", NULL, 0, false } }, 0, 1, 0, 1, 0, 0, NULL, NULL },
	{ "end closes", BY_DATA, AB, { { ".", NULL, 0, true } }, 0, 2, 0, 2, 0, 0, NULL, NULL },
	{ "end taken, then closes", BY_DATA, A, { { ".", "250 ok", 0, true } }, 1, 0, 0, 0, 1, 0, NULL, NULL },

	{ "BDAT 451", CHUNKED, AB, { { "BDAT-END", "451 4.3.0 disk", 0, false } }, 0, 2, 0, 0, 0, 0, "RSET", NULL },
	{ "BDAT 554", CHUNKED, AB, { { "BDAT-END", "554 5.7.1 spam", 0, false } }, 0, 0, 2, 0, 0, 1, "RSET", "spam" },
	{ "BDAT 421", CHUNKED, A, { { "BDAT-END", "421 4.3.2 bye", 0, true } }, 0, 1, 0, 0, 0, 0, NULL, NULL },
	{ "BDAT hangs", CHUNKED, A, { { "BDAT-END", NULL, 0, false } }, 0, 1, 0, 1, 0, 0, NULL, NULL },
	{ "BDAT closes", CHUNKED, AB, { { "BDAT-END", NULL, 0, true } }, 0, 2, 0, 2, 0, 0, NULL, NULL },
	{ "RCPT refused, BDAT closes", CHUNKED, AB,
	  { { "RCPT TO:<a@", "550 5.1.1 nobody", 0, false }, { "BDAT-END", NULL, 0, true } }, 0, 1, 1, 1, 0, 1, NULL,
	  "nobody" },

	{ "QUIT hangs", ALL, A, { { "QUIT", NULL, 0, false } }, 1, 0, 0, 0, 1, 0, NULL, NULL },
};

static void
check_case(const struct session_case *c, const struct mode *mode)
{
	const struct {
		const char	     *what;
		enum outbound_counter counter;
		uint64_t	      want;
	} numbers[] = {
		{ "delivered", OUTBOUND_DELIVERED, c->delivered + c->reports },
		{ "deferred", OUTBOUND_DEFERRED, c->deferred },
		{ "bounced", OUTBOUND_BOUNCED, c->bounced },
		{ "uncertain", OUTBOUND_UNCERTAIN, c->uncertain },
	};
	unsigned rows = 0;

	while (rows < COUNT_OF(c->rows) && c->rows[rows].at)
		rows++;
	rig_open("outbound: {idle_reuse: 0 s}\n", mode->ehlo, c->rows, rows);
	(void)rig_send(&(struct rig_mail){ .sender = "s@back.test", .recipients = c->recipients, .flags = ENVELOPE_DOT });
	rig_quiet();
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		ck_assert_msg(rig_count(numbers[i].counter) == numbers[i].want, "%s, %s: %u %s, not %u", mode->name,
			      c->label, (unsigned)rig_count(numbers[i].counter), numbers[i].what,
			      (unsigned)numbers[i].want);
	ck_assert_msg(rig.peer.text_count == c->texts, "%s, %s: %u texts", mode->name, c->label, rig.peer.text_count);
	for (unsigned i = 0; i < rig.peer.text_count; i++)
		ck_assert_msg(strcmp(rig.peer.texts[i], RIG_TEXT) == 0, "%s, %s: the text is %s", mode->name, c->label,
			      rig.peer.texts[i]);
	ck_assert_msg(rig.back.text_count == c->reports, "%s, %s: %u reports", mode->name, c->label,
		      rig.back.text_count);
	if (c->said)
		ck_assert_msg(peer_said(&rig.peer, c->said), "%s, %s: we said %s", mode->name, c->label, rig.peer.said);
	if (c->words)
		ck_assert_msg(strstr(rig.back.texts[0], c->words) != NULL, "%s, %s: %s", mode->name, c->label,
			      rig.back.texts[0]);
	rig_close();
}

START_TEST(a_session)
{
	const struct session_case *c = &cases[_i / (int)COUNT_OF(modes)];
	const struct mode	  *mode = &modes[_i % (int)COUNT_OF(modes)];

	if (c->modes & mode->bit)
		check_case(c, mode);
} END_TEST

/* --- what the next hop offers -------------------------------------------------------------------------------- */

#define E_ACUTE "\xc3\xa9"
#define ASCII	"Subject: x\r\n\r\nbody\r\n"
#define BODY8	"Subject: x\r\n\r\nb" E_ACUTE "dy\r\n"
#define HEADER8 "Subject: " E_ACUTE "\r\n\r\nbody\r\n"

static const struct offer_case {
	const char    *label, *ehlo, *settings;
	struct rig_mail mail;
	unsigned       delivered, bounced, texts;
	const char    *said, *unsaid;
	const char    *words; /* in the report */
} offer_cases[] = {
	{ "SIZE is told", "SIZE_1000", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1,
	  "MAIL FROM:<s@back.test> SIZE=20\n", NULL, NULL },
	{ "SIZE without a limit", "SIZE_0", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1, " SIZE=20", NULL, NULL },
	{ "SIZE without a number", "SIZE", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1, " SIZE=20", NULL, NULL },
	{ "too large: nothing is tried", "SIZE_19", NULL, { "s@back.test", AB, .text = ASCII }, 0, 2, 0, "EHLO", "MAIL",
	  "Status: 5.3.4" },
	{ "no SIZE", "", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1, "MAIL FROM:<s@back.test>\n", NULL, NULL },

	{ "8-bit, 8BITMIME", "8BITMIME", NULL, { "s@back.test", A, ENVELOPE_8BIT | ENVELOPE_8BIT_TEXT, .text = BODY8 }, 1, 0,
	  1, " BODY=8BITMIME", NULL, NULL },
	{ "8-bit undeclared, 8BITMIME", "8BITMIME", NULL, { "s@back.test", A, ENVELOPE_8BIT_TEXT, .text = BODY8 }, 1, 0, 1,
	  " BODY=8BITMIME", NULL, NULL },
	{ "8-bit goes as it is without", "", NULL, { "s@back.test", A, ENVELOPE_8BIT | ENVELOPE_8BIT_TEXT, .text = BODY8 },
	  1, 0, 1, "MAIL FROM:<s@back.test>\n", "BODY", NULL },
	{ "7-bit", "8BITMIME", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1, "MAIL", "BODY", NULL },

	{ "binary, BINARYMIME", "CHUNKING BINARYMIME", "  bdat: no\n", { "s@back.test", A, ENVELOPE_BINARY, .text = BODY8 },
	  1, 0, 1, " BODY=BINARYMIME", "DATA", NULL },
	{ "binary without", "CHUNKING 8BITMIME", NULL, { "s@back.test", A, ENVELOPE_BINARY, .text = BODY8 }, 0, 1, 0, "EHLO",
	  "MAIL", "Status: 5.6.1" },
	{ "binary without CHUNKING", "BINARYMIME", NULL, { "s@back.test", A, ENVELOPE_BINARY, .text = BODY8 }, 0, 1, 0,
	  "EHLO", "MAIL", "Status: 5.6.1" },
	{ "BDAT is switched off", "CHUNKING", "  bdat: no\n", { "s@back.test", A, .text = ASCII }, 1, 0, 1, "DATA", "BDAT",
	  NULL },

	{ "SMTPUTF8 everywhere", "SMTPUTF8 8BITMIME", NULL,
	  { "s" E_ACUTE "@back.test", "u" E_ACUTE "@to.test", ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT_TEXT, .text = HEADER8 }, 1, 0,
	  1, "MAIL FROM:<s" E_ACUTE "@back.test> BODY=8BITMIME SMTPUTF8\nRCPT TO:<u" E_ACUTE "@to.test>", NULL, NULL },
	{ "SMTPUTF8 for the sender, not offered", "8BITMIME", NULL,
	  { "s" E_ACUTE "@back.test", A, ENVELOPE_SMTPUTF8, .text = ASCII }, 0, 1, 0, "EHLO", "MAIL", "Status: 5.6.7" },
	{ "SMTPUTF8 for the header, not offered", "8BITMIME", NULL,
	  { "s@back.test", A, ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT_TEXT, .text = HEADER8 }, 0, 1, 0, "EHLO", "MAIL",
	  "Status: 5.6.7" },
	{ "SMTPUTF8 for one recipient, not offered", "8BITMIME", NULL,
	  { "s@back.test", "u" E_ACUTE "@to.test b@to.test", ENVELOPE_SMTPUTF8, .text = ASCII }, 1, 1, 1, "RCPT TO:<b@",
	  "RCPT TO:<u", "Status: 5.6.7" },
	{ "SMTPUTF8 for nothing, not offered", "8BITMIME", NULL,
	  { "s@back.test", A, ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT_TEXT, .text = BODY8 }, 1, 0, 1, " BODY=8BITMIME\n", NULL,
	  NULL },

	{ "DSN", "DSN", NULL,
	  { "s@back.test", A, ENVELOPE_RET_HEADERS, NOTIFY_SUCCESS | NOTIFY_DELAY, "QQ+2B1", "rfc822;old@x.test",
	    .text = ASCII }, 1, 0, 1,
	  "MAIL FROM:<s@back.test> RET=HDRS ENVID=QQ+2B1\n"
	  "RCPT TO:<a@to.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old@x.test\n",
	  NULL, NULL },
	{ "DSN, ORCPT with UTF-8", "DSN SMTPUTF8", NULL,
	  { "s@back.test", A, ENVELOPE_SMTPUTF8, .orcpt = "utf-8;u" E_ACUTE "@x.test", .text = ASCII }, 1, 0, 1,
	  " ORCPT=utf-8;u" E_ACUTE "@x.test\n", NULL, NULL },
	{ "the same without SMTPUTF8", "DSN", NULL,
	  { "s@back.test", A, ENVELOPE_SMTPUTF8, .orcpt = "utf-8;u" E_ACUTE "@x.test", .text = ASCII }, 1, 0, 1,
	  " ORCPT=utf-8;u\\x{E9}@x.test\n", NULL, NULL },
	{ "DSN, NEVER", "DSN", NULL, { "s@back.test", A, ENVELOPE_RET_FULL, NOTIFY_NEVER, .text = ASCII }, 1, 0, 1,
	  " RET=FULL\nRCPT TO:<a@to.test> NOTIFY=NEVER\n", "ENVID", NULL },
	{ "DSN, nothing asked", "DSN", NULL, { "s@back.test", A, .text = ASCII }, 1, 0, 1,
	  "MAIL FROM:<s@back.test>\nRCPT TO:<a@to.test>\n", NULL, NULL },
	{ "no DSN", "", NULL,
	  { "s@back.test", A, ENVELOPE_RET_HEADERS, NOTIFY_FAILURE, "QQ+2B1", "rfc822;old@x.test", .text = ASCII }, 1, 0, 1,
	  "MAIL FROM:<s@back.test>\nRCPT TO:<a@to.test>\n", NULL, NULL },

	{ "LIMITS RCPTMAX", "LIMITS_RCPTMAX=2", NULL, { "s@back.test", ABC, .text = ASCII }, 3, 0, 2, NULL, NULL, NULL },
	{ "recipients_per_transaction_max", "", "  recipients_per_transaction_max: 1\n",
	  { "s@back.test", ABC, .text = ASCII }, 3, 0, 3, NULL, NULL, NULL },
	{ "the null sender", "SIZE_1000", NULL, { "", A, .text = ASCII }, 1, 0, 1, "MAIL FROM:<> SIZE=20\n", NULL, NULL },
};

START_TEST(an_offer)
{
	const struct offer_case *c = &offer_cases[_i];
	struct rig_mail		 mail = c->mail;
	char			 settings[256];
	unsigned		 reports = c->bounced > 0;

	(void)snprintf(settings, sizeof(settings), "outbound:\n  idle_reuse: 0 s\n%s", c->settings ? c->settings : "");
	rig_open(settings, c->ehlo, NULL, 0);
	mail.text_len = strlen(mail.text);
	(void)rig_send(&mail);
	rig_quiet();
	ck_assert_msg(rig_count(OUTBOUND_DELIVERED) == c->delivered + reports, "%s: %u delivered", c->label,
		      (unsigned)rig_count(OUTBOUND_DELIVERED));
	ck_assert_msg(rig_count(OUTBOUND_BOUNCED) == c->bounced, "%s: %u bounced", c->label,
		      (unsigned)rig_count(OUTBOUND_BOUNCED));
	ck_assert_msg(rig.peer.text_count == c->texts, "%s: %u texts", c->label, rig.peer.text_count);
	for (unsigned i = 0; i < rig.peer.text_count; i++)
		ck_assert_msg(strcmp(rig.peer.texts[i], mail.text) == 0, "%s: the text is %s", c->label, rig.peer.texts[i]);
	if (c->said)
		ck_assert_msg(peer_said(&rig.peer, c->said), "%s: we said %s", c->label, rig.peer.said);
	if (c->unsaid)
		ck_assert_msg(!peer_said(&rig.peer, c->unsaid), "%s: we said %s", c->label, rig.peer.said);
	if (c->words)
		ck_assert_msg(strstr(rig.back.texts[0], c->words) != NULL, "%s: %s", c->label, rig.back.texts[0]);
	rig_close();
} END_TEST

/* --- a text that lies on disk, in pieces ------------------------------------------------------------------------ */

static const struct large_case {
	const char    *label, *ehlo;
	struct peer_row rows[2];
	unsigned       delivered, deferred, bounced, uncertain;
} large_cases[] = {
	{ "by DATA", "", { { 0 } }, 1, 0, 0, 0 },
	{ "by BDAT", "CHUNKING", { { 0 } }, 1, 0, 0, 0 },
	{ "by BDAT, pipelined", "CHUNKING PIPELINING", { { 0 } }, 1, 0, 0, 0 },
	{ "DATA, closed in the text", "", { { "TEXT", NULL, 0, true } }, 0, 1, 0, 0 },
	{ "DATA, hangs", "", { { "TEXT", NULL, 0, false } }, 0, 1, 0, 1 }, /* though all was sent */
	{ "DATA, refused in the text", "", { { "TEXT", "552 5.3.4 too much", 0, true } }, 0, 0, 1, 0 },
	{ "DATA, deferred in the text", "", { { "TEXT", "452 4.3.1 full", 0, true } }, 0, 1, 0, 0 },
	{ "DATA, taken in the text", "", { { "TEXT", "250 2.0.0 taken", 0, true } }, 0, 1, 0, 0 },
	{ "DATA, nonsense in the text", "", { { "TEXT", "!", 0, true } }, 0, 1, 0, 0 },
	{ "a chunk 554", "CHUNKING", { { "BDAT-CHUNK", "554 5.7.1 no", 0, false } }, 0, 0, 1, 0 },
	{ "a chunk 554, pipelined", "CHUNKING PIPELINING", { { "BDAT-CHUNK", "554 5.7.1 no", 0, false } }, 0, 0, 1, 0 },
	{ "a chunk 451", "CHUNKING", { { "BDAT-CHUNK", "451 4.3.0 later", 0, false } }, 0, 1, 0, 0 },
	{ "a chunk 421", "CHUNKING", { { "BDAT-CHUNK", "421 4.3.2 bye", 0, true } }, 0, 1, 0, 0 },
	{ "a chunk closes", "CHUNKING", { { "BDAT-CHUNK", NULL, 0, true } }, 0, 1, 0, 0 },
	{ "a chunk hangs", "CHUNKING", { { "BDAT-CHUNK", NULL, 0, false } }, 0, 1, 0, 0 },
	{ "a chunk 354", "CHUNKING", { { "BDAT-CHUNK", "354 what", 0, false } }, 0, 1, 0, 0 },
	{ "the last closes", "CHUNKING", { { "BDAT-END", NULL, 0, true } }, 0, 1, 0, 1 },
};

static char large[600 * 1024];

/* Lines of all lengths, many of them with dots in front; piece boundaries fall everywhere. */
static void
large_fill(void)
{
	size_t at = 0;

	for (unsigned line = 0; at + 80 < sizeof(large); line++) {
		for (unsigned i = 0; i < line % 70; i++)
			large[at++] = i < line % 3 ? '.' : (char)('a' + (line + i) % 26);
		large[at++] = '\r';
		large[at++] = '\n';
	}
	while (at < sizeof(large) - 1)
		large[at++] = 'z'; /* the last line has no end */
}

START_TEST(a_large_text)
{
	const struct large_case *c = &large_cases[_i];
	unsigned		 rows = c->rows[0].at != NULL;
	struct rig_mail mail = { .sender = "s@back.test", .recipients = A, .flags = ENVELOPE_DOT, .text = large,
				 .text_len = sizeof(large) - 1 };

	large_fill();
	rig_open("outbound: {idle_reuse: 0 s}\n", c->ehlo, c->rows, rows);
	(void)rig_send(&mail);
	rig_quiet();
	ck_assert_msg(rig_count(OUTBOUND_DELIVERED) == c->delivered + c->bounced, "%s: %u delivered", c->label,
		      (unsigned)rig_count(OUTBOUND_DELIVERED));
	ck_assert_msg(rig_count(OUTBOUND_DEFERRED) == c->deferred, "%s: %u deferred", c->label,
		      (unsigned)rig_count(OUTBOUND_DEFERRED));
	ck_assert_msg(rig_count(OUTBOUND_BOUNCED) == c->bounced, "%s: %u bounced", c->label,
		      (unsigned)rig_count(OUTBOUND_BOUNCED));
	ck_assert_msg(rig_count(OUTBOUND_UNCERTAIN) == c->uncertain, "%s: %u uncertain", c->label,
		      (unsigned)rig_count(OUTBOUND_UNCERTAIN));
	if (c->delivered) {
		bool chunked = c->ehlo[0] != 0;

		/* By DATA a last line without end gets one. */
		ck_assert_msg(rig.peer.text_lens[0] == mail.text_len + (chunked ? 0 : 2), "%s: %zu octets", c->label,
			      rig.peer.text_lens[0]);
		ck_assert_int_eq(memcmp(rig.peer.texts[0], large, mail.text_len), 0);
	} else {
		ck_assert_msg(rig.peer.text_count == 0, "%s: a part of a text was taken", c->label);
	}
	rig_close();
} END_TEST

/* 2xx while a part of the text is still on its way: it counts when all of it has been sent. */
START_TEST(taken_early)
{
	enum { OCTETS = 4 << 20 }; /* with its envelope larger than the segments here */
	static const struct peer_row row = { "TEXT", "250 2.0.0 taken", 0, false };
	char			    *text = malloc(OCTETS);
	struct rig_mail mail = { .sender = "s@back.test", .recipients = A, .text = text, .text_len = OCTETS };

	memset(text, 'x', OCTETS);
	rig_inline_max = OCTETS;
	rig_open("outbound: {idle_reuse: 0 s, bdat: no}\n", "PIPELINING", &row, 1);
	(void)rig_send(&mail);
	rig_quiet();
	ck_assert_uint_eq(rig_count(OUTBOUND_DELIVERED), 1);
	rig_close();
	free(text);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("sessions");

	tcase_add_loop_test(tc, a_session, 0, COUNT_OF(cases) * COUNT_OF(modes));
	tcase_add_loop_test(tc, an_offer, 0, COUNT_OF(offer_cases));
	tcase_add_test(tc, taken_early);
	tcase_add_loop_test(tc, a_large_text, 0, COUNT_OF(large_cases));
	return run_case("outbound session", tc);
}
