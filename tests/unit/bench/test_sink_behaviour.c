/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink_behaviour.h"

#include <errno.h>

#include "tests/support/run.h"

static char why[SINK_BEHAVIOUR_WHY_MAX];

static int
read_into(struct sink_behaviour *b, const char *text)
{
	why[0] = '\0';
	return sink_behaviour_read(b, "net", strdup(text), strlen(text), why);
}

static struct sink_behaviour *
read_good(const char *text)
{
	struct sink_behaviour *b = sink_behaviour_new();
	int result = read_into(b, text);

	ck_assert_msg(result == 0, "%s", why);
	return b;
}

#define D "domain example.org\n"
#define L "listen 127.0.0.5:2525\n"

static const struct {
	const char *label, *text;
	const char *says; /* NULL: it is good */
} cases[] = {
	{ "nothing", "", NULL },
	{ "comments and empty lines", "# a\n\n   # b\n\t\n", NULL },
	{ "a block without rules", D, NULL },
	{ "no line end", D "rcpt hang", NULL },
	{ "CR LF", "domain example.org\r\n  rcpt close\r\n", NULL },
	{ "every rule", D L "banner 1% refuse 421 4.3.2 Go away\nehlo delay 10\nmail 0.5% close\nrcpt 5% reset\n"
	  "data 100% hang\nbody delay 1..2\ndot leave\nanswer 2% leave\n", NULL },
	{ "every limit", D "connections 20\nrate 100/s burst 5 450 4.7.1 Slow\nmessages 9 421\nrecipients 5 452 x\n"
	  "read 64K/s\n", NULL },
	{ "names in one block", "domain a.example *.a.example\ndomain b.example\n" L "dot hang\n", NULL },
	{ "the same rule twice, with shares", D "rcpt 5% refuse 450\nrcpt 5% refuse 550\n", NULL },
	{ "shares that make one hundred", D "rcpt 33.3% close\nrcpt 33.3% hang\nrcpt 33.4% reset\n", NULL },
	{ "the rest", D "dot 1% delay 1000\ndot delay 5\n", NULL },
	{ "delays and others have dice of their own", D "dot 100% delay 5\ndot 100% hang\n", NULL },
	{ "internationalised", "domain b\xc3\xbc" "cher.example\n", NULL },
	{ "a literal", "domain [192.0.2.1]\n", NULL },
	{ "a percent sign in a text", D "dot refuse 452 90% full\n", NULL },

	{ "unknown word", D "rctp hang\n", "net:2: no word \"rctp\"; did you mean rcpt?" },
	{ "unknown word, nothing near", D "postpone 5\n", "net:2: no word \"postpone\"; a line begins with" },
	{ "a word in capitals", "Domain example.org\n", "did you mean domain?" },
	{ "unknown action", D "\n\nrcpt 5% relay 20\n", "net:4: no action \"relay\"; did you mean delay?" },
	{ "unknown action, nothing near", D "rcpt explode\n", "no action \"explode\"; it is one of delay" },
	{ "no action", D "rcpt\n", "net:2: rcpt wants an action" },
	{ "no action behind a share", D "rcpt 5%\n", "rcpt wants an action" },
	{ "nobody named", "rcpt hang\n", "net:1: rcpt of whom?" },
	{ "nobody named, limit", "connections 5\n", "connections of whom?" },
	{ "banner without an address", D "banner close\n", "net:2: banner comes before a recipient" },
	{ "mail without an address", D "mail close\n", "mail comes before a recipient" },
	{ "share behind the action", D "rcpt refuse 5% 451\n", "the share stands in front: rcpt 5% refuse" },
	{ "share of nothing", D "rcpt 0% hang\n", "no share \"0%\"" },
	{ "share beyond all", D "rcpt 101% hang\n", "no share \"101%\"" },
	{ "share without percent", D "rcpt 5 hang\n", "no share \"5\"" },
	{ "share negative", D "rcpt -5% hang\n", "no share \"-5%\"" },
	{ "share, two points", D "rcpt 1.2.3% hang\n", "no share \"1.2.3%\"" },
	{ "shares exceed", D "rcpt 60% refuse 451\nrcpt 41% hang\n", "net:3: what is no delay at rcpt: the shares exceed" },
	{ "delays exceed", D "dot 60% delay 5\ndot 41% delay 6\n", "net:3: the delays at dot: the shares exceed" },
	{ "two without a share", D "dot hang\ndot close\n", "net:3: what is no delay at dot: a second rule without a share" },
	{ "nothing left", D "dot hang\ndot 100% close\n", "net:2: nothing is left for this rule" },
	{ "nothing left, in an earlier block", D "dot hang\ndot 100% close\ndomain b.example\n", "net:2: nothing is left" },
	{ "code 250", D "rcpt refuse 250\n", "refuse wants a code from 400 to 599, not \"250\"" },
	{ "code 4511", D "rcpt refuse 4511\n", "not \"4511\"" },
	{ "no code", D "rcpt refuse\n", "refuse wants a code" },
	{ "no code but a text", D "rcpt refuse No such user\n", "not \"No\"" },
	{ "control character", D "rcpt refuse 550 a\001b\n", "a control character" },
	{ "a control character in a word", D "rc\033[2Jpt hang\n", "no word \"rc?[2Jpt\"" },
	{ "delay of nothing", D "dot delay\n", "delay wants milliseconds" },
	{ "delay backwards", D "dot delay 80..20\n", "delay wants milliseconds" },
	{ "delay with a unit", D "dot delay 20ms\n", "not \"20ms\"" },
	{ "delay of a day", D "dot delay 86400000\n", "up to 3600000" },
	{ "too much behind delay", D "dot delay 5 6\n", "\"6\" is too much" },
	{ "too much behind hang", D "dot hang forever\n", "\"forever\" is too much behind hang" },
	{ "refuse at body", D "body refuse 451\n", "no refuse at body" },
	{ "leave at body", D "body leave\n", "no leave at body" },
	{ "refuse at answer", D "answer refuse 451\n", "no refuse at answer, where the message is recorded already" },
	{ "no domain", "domain\n", "net:1: domain wants names" },
	{ "bad domain", "domain example..org\n", "no domain \"example..org\"" },
	{ "a dot first", "domain .example.org\n", "no domain \".example.org\"" },
	{ "a star within", "domain a.*.org\n", "no domain \"a.*.org\"" },
	{ "a comma", "domain a.example,b.example\n", "no domain \"a.example,b.example\"" },
	{ "no UTF-8", "domain b\xfc" "cher.example\n", "no domain" },
	{ "twice", D "rcpt hang\ndomain Example.ORG\n", "net:3: example.org has its block in line 1 already" },
	{ "twice in a line", "domain a.example a.example\n", "a.example has its block in line 1 already" },
	{ "everybody twice", "domain *\nrcpt hang\ndomain *\n", "net:3: domain * has its block in line 1 already" },
	{ "address without port", "listen 127.0.0.5\n", "no address \"127.0.0.5\"" },
	{ "address by name", "listen localhost:25\n", "no address \"localhost:25\"" },
	{ "address twice", L "dot hang\n" L, "net:3: 127.0.0.5:2525 has its block in line 1 already" },
	{ "every address twice", "listen *\nlisten *\n", "listen * has its block in line 1 already" },
	{ "limit of nothing", D "connections 0\n", "connections wants a number from 1" },
	{ "limit without a number", D "connections many\n", "not \"many\"" },
	{ "limit twice", D "messages 5\nmessages 6\n", "net:3: messages was limited in line 2 already" },
	{ "limit with a bad code", D "messages 5 250\n", "behind the limit comes the code" },
	{ "rate without a time", D "rate 100\n", "rate wants messages in a second, minute or hour" },
	{ "rate in days", D "rate 100/d\n", "not \"100/d\"" },
	{ "rate of nothing", D "rate 0/s\n", "not \"0/s\"" },
	{ "burst of nothing", D "rate 5/s burst\n", "burst wants a number" },
	{ "read without a time", D "read 500\n", "read wants octets in a second" },
	{ "read twice", D "read 5/s\nread 6/s\n", "read was said already" },
	{ "too large a number", D "connections 99999999999999999999999\n", "connections wants a number" },
};

START_TEST(files_are_read)
{
	struct sink_behaviour *b = sink_behaviour_new();
	int result = read_into(b, cases[_i].text);

	if (!cases[_i].says)
		ck_assert_msg(result == 0, "%s: %s", cases[_i].label, why);
	else
		ck_assert_msg(result == -EINVAL && strstr(why, cases[_i].says), "%s: %s", cases[_i].label, why);
	sink_behaviour_free(b);
} END_TEST

/* Whatever is cut off or overwritten, the reader says yes or no and touches nothing else (sanitizers look on). */
START_TEST(torn_files_are_survived)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t len = strlen(cases[i].text);

		for (size_t at = 0; at < len; at++) {
			struct sink_behaviour *b = sink_behaviour_new();
			char *text = strdup(cases[i].text);

			text[at] = (char)(at % 3 ? 0 : '%');
			(void)!sink_behaviour_read(b, "net", text, at % 2 ? len : at, why);
			sink_behaviour_free(b);
		}
	}
} END_TEST

static const struct {
	const char *domain;
	unsigned    code; /* of its rcpt rule; 0: the host's */
} lookups[] = {
	{ "example.org", 551 },
	{ "a.example.org", 552 },
	{ "b.a.example.org", 552 },
	{ "deep.example.org", 553 },
	{ "x.deep.example.org", 554 },
	{ "y.x.deep.example.org", 554 },
	{ "example.net", 555 },
	{ "notexample.org", 555 },
	{ "org", 555 },
	{ "", 555 },
	{ "..", 555 },
};

START_TEST(the_nearest_name_wins)
{
	struct sink_behaviour *b = read_good("domain Example.ORG\nrcpt refuse 551\ndomain *.example.org\nrcpt refuse 552\n"
					     "domain deep.example.org\nrcpt refuse 553\n"
					     "domain *.deep.example.org\nrcpt refuse 554\ndomain *\nrcpt refuse 555\n");

	for (size_t i = 0; i < COUNT_OF(lookups); i++) {
		const struct sink_profile *p = sink_behaviour_domain(b, span_of(lookups[i].domain));

		ck_assert_msg(p && p->rules[0].code == lookups[i].code, "%s", lookups[i].domain);
	}
	sink_behaviour_free(b);
	b = read_good(D "rcpt hang\n");
	ck_assert_ptr_null(sink_behaviour_domain(b, SPAN_LITERAL("example.net")));
	sink_behaviour_free(b);
} END_TEST

START_TEST(options_are_for_everybody_else)
{
	struct sink_behaviour *b = sink_behaviour_new();
	const struct sink_rule rule = { .share = 10, .stage = SINK_RCPT, .action = SINK_ACTION_CLOSE };
	const struct sink_rule more = { .share = 91, .stage = SINK_RCPT, .action = SINK_ACTION_HANG };
	struct endpoint named, other;
	const struct sink_profile *p;

	ck_assert(endpoint_parse(SPAN_LITERAL("127.0.0.5:2525"), 0, &named));
	ck_assert(endpoint_parse(SPAN_LITERAL("127.0.0.5:2526"), 0, &other));
	ck_assert(sink_behaviour_default(b, &rule));
	ck_assert(!sink_behaviour_default(b, &more));
	sink_behaviour_default_limit(b, SINK_LIMIT_MESSAGES, 7);
	ck_assert_int_eq(read_into(b, L "rcpt 5% hang\nlisten *\nrcpt 20% refuse 450\nconnections 3\n"), 0);
	p = sink_behaviour_host(b, &named);
	ck_assert_uint_eq(p->rule_count, 1);
	ck_assert_uint_eq(p->limits[SINK_LIMIT_MESSAGES].max, 0);
	p = sink_behaviour_host(b, &other);
	ck_assert_uint_eq(p->rule_count, 2);
	ck_assert_uint_eq(p->limits[SINK_LIMIT_MESSAGES].max, 7);
	ck_assert_uint_eq(p->limits[SINK_LIMIT_CONNECTIONS].max, 3);
	ck_assert_uint_eq(p->limits[SINK_LIMIT_CONNECTIONS].code, 421);
	sink_behaviour_free(b);
} END_TEST

START_TEST(dice_fall_by_their_shares)
{
	struct sink_behaviour *b = read_good(D "dot 1% refuse 550\ndot 9% hang\ndot 0.5% delay 100\ndot delay 5..7\n");
	const struct sink_profile *p = sink_behaviour_domain(b, SPAN_LITERAL("example.org"));
	const struct sink_rule *r;

	ck_assert(sink_profile_has(p, SINK_DOT, true) && sink_profile_has(p, SINK_DOT, false));
	ck_assert(!sink_profile_has(p, SINK_DATA, true) && !sink_profile_has(p, SINK_ANSWER, false));
	r = sink_profile_pick(p, SINK_DOT, false, 0);
	ck_assert(r && r->action == SINK_ACTION_REFUSE);
	r = sink_profile_pick(p, SINK_DOT, false, 0.999);
	ck_assert(r && r->action == SINK_ACTION_REFUSE);
	r = sink_profile_pick(p, SINK_DOT, false, 1);
	ck_assert(r && r->action == SINK_ACTION_HANG);
	r = sink_profile_pick(p, SINK_DOT, false, 9.999);
	ck_assert(r && r->action == SINK_ACTION_HANG);
	ck_assert_ptr_null(sink_profile_pick(p, SINK_DOT, false, 10.001));
	r = sink_profile_pick(p, SINK_DOT, true, 0.4);
	ck_assert(r && r->delay_min_ms == 100);
	r = sink_profile_pick(p, SINK_DOT, true, 99.999999999999);
	ck_assert(r && r->delay_min_ms == 5 && r->delay_max_ms == 7);
	ck_assert_ptr_null(sink_profile_pick(p, SINK_RCPT, false, 0));
	sink_behaviour_free(b);
} END_TEST

START_TEST(a_hundred_thousand_domains)
{
	enum { COUNT = 100000, EACH = 64 };
	struct sink_behaviour *b = sink_behaviour_new();
	char *text = malloc((size_t)COUNT * EACH), name[64];
	size_t len = 0;

	for (unsigned i = 0; i < COUNT; i++)
		len += (size_t)snprintf(text + len, EACH, "domain d%u.example\nrcpt refuse %u\n", i, 400 + i % 200);
	ck_assert_int_eq(sink_behaviour_read(b, "net", text, len, why), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		const struct sink_profile *p;

		(void)snprintf(name, sizeof(name), "d%u.example", i);
		p = sink_behaviour_domain(b, span_of(name));
		ck_assert(p && p->rules[0].code == 400 + i % 200);
	}
	sink_behaviour_free(b);
} END_TEST

int
main(void)
{
	TCase *tc = case_new("sink_behaviour");

	tcase_add_loop_test(tc, files_are_read, 0, COUNT_OF(cases));
	tcase_add_test(tc, torn_files_are_survived);
	tcase_add_test(tc, the_nearest_name_wins);
	tcase_add_test(tc, options_are_for_everybody_else);
	tcase_add_test(tc, dice_fall_by_their_shares);
	tcase_add_test(tc, a_hundred_thousand_domains);
	return run_case("bench/sink_behaviour", tc);
}
