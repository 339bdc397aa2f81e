/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as they reach a file, a pipe that nobody empties, a full disk. */
#include "core/log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/utf8.h"
#include "rig.h"

enum { TEXT_MAX = 4 << 20 };

static char	   name[32];
static int	   fd;
static struct log *out;
static char	   text[TEXT_MAX + 1];

static void
open_log(void)
{
	rig_open();
	(void)snprintf(name, sizeof(name), "log-XXXXXX");
	fd = mkostemp(name, O_APPEND);
	ck_assert_int_ge(fd, 0);
	out = log_new(rig_io, fd, LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
	ck_assert_ptr_nonnull(out);
}

static void
close_log(void)
{
	log_free(out);
	close(fd);
	ck_assert_int_eq(unlink(name), 0);
	rig_close();
}

/* All that the file holds, once nothing waits. */
static const char *
written_text(void)
{
	ssize_t n;

	log_flush(out);
	RIG_UNTIL(log_idle(out));
	n = pread(fd, text, TEXT_MAX, 0);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	return text;
}

static unsigned
count_of(const char *all, const char *what)
{
	unsigned count = 0;

	for (const char *at = all; (at = strstr(at, what)); at += strlen(what))
		count++;
	return count;
}

/* Lines that were reported as dropped, all reports together. */
static unsigned long
reported(const char *all)
{
	static const char key[] = "event=log-dropped lines=";
	unsigned long	  sum = 0;

	for (const char *at = all; (at = strstr(at, key)); at += sizeof(key) - 1)
		sum += strtoul(at + sizeof(key) - 1, NULL, 10);
	return sum;
}

/* --- is it JSON (RFC 8259)?  As much of it as a line of the log may use --------------------------- */

static const char *
skip_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	while (*at != '"') {
		size_t n;

		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at == '\\') {
			at++;
			if (*at == 'u') {
				if (strspn(at + 1, "0123456789abcdef") < 4)
					return NULL;
				at += 5;
			} else if (*at && strchr("\"\\/bfnrt", *at)) {
				at++;
			} else {
				return NULL;
			}
			continue;
		}
		n = utf8_length(span_of(at));
		if (n == 0)
			return NULL;
		at += n;
	}
	return at + 1;
}

static const char *
skip_value(const char *at)
{
	size_t n;

	if (*at == '"')
		return skip_string(at);
	if (strncmp(at, "true", 4) == 0)
		return at + 4;
	if (strncmp(at, "false", 5) == 0)
		return at + 5;
	at += *at == '-';
	n = strspn(at, "0123456789");
	return n == 0 || (n > 1 && *at == '0') ? NULL : at + n;
}

static bool
is_json_line(const char *at)
{
	if (*at++ != '{')
		return false;
	for (;;) {
		at = skip_string(at);
		if (at == NULL || *at != ':' || (at = skip_value(at + 1)) == NULL)
			return false;
		if (*at == '}')
			return strcmp(at, "}\n") == 0;
		if (*at++ != ',')
			return false;
	}
}

/* --- values --------------------------------------------------------------------------------------- */

static const struct {
	const char *label, *value, *logfmt, *json;
} value_cases[] = {
	{ "word", "relay.example", "relay.example", "\"relay.example\"" },
	{ "nothing", "", "\"\"", "\"\"" },
	{ "blank", "two words", "\"two words\"", "\"two words\"" },
	{ "equals sign", "a=b", "\"a=b\"", "\"a=b\"" },
	{ "quotes", "say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\"" },
	{ "backslash", "a\\b", "\"a\\\\b\"", "\"a\\\\b\"" },
	{ "another line", "x\nevent=forged", "\"x\\nevent=forged\"", "\"x\\nevent=forged\"" },
	{ "carriage return and tab", "\r\t", "\"\\r\\t\"", "\"\\r\\t\"" },
	{ "escape", "\x1b[2J", "\"\\x1b[2J\"", "\"\\u001b[2J\"" },
	{ "delete", "\x7f", "\"\\x7f\"", "\"\\u007f\"" },
	{ "two octets", "caf\xc3\xa9", "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\"" },
	{ "four octets", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\"" },
	{ "C1 control", "\xc2\x85", "\"\\xc2\\x85\"", "\"\\u0085\"" },
	{ "line separator", "\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\"", "\"\\u2028\"" },
	{ "turned direction", "\xe2\x80\xae" "x", "\"\\xe2\\x80\\xaex\"", "\"\\u202ex\"" },
	{ "isolate", "\xe2\x81\xa6", "\"\\xe2\\x81\\xa6\"", "\"\\u2066\"" },
	{ "not UTF-8", "\xff", "\"\\xff\"", "\"\\u00ff\"" },
	{ "continuation alone", "a\x80" "b", "\"a\\x80b\"", "\"a\\u0080b\"" },
	{ "surrogate", "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\"" },
	{ "overlong slash", "\xc0\xaf", "\"\\xc0\\xaf\"", "\"\\u00c0\\u00af\"" },
	{ "cut in a character", "\xe2\x82", "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\"" },
};

START_TEST(values_are_escaped)
{
	char want[256];

	log_info(out, "event", LOG_STR("k", value_cases[_i].value), LOG_UINT("n", 1));
	(void)snprintf(want, sizeof(want), " level=info event=event k=%s n=1\n", value_cases[_i].logfmt);
	ck_assert_msg(strstr(written_text(), want) != NULL, "%s: %s", value_cases[_i].label, text);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	log_configure(out, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info(out, "event", LOG_STR("k", value_cases[_i].value), LOG_UINT("n", 1));
	(void)snprintf(want, sizeof(want), ",\"level\":\"info\",\"event\":\"event\",\"k\":%s,\"n\":1}\n",
		       value_cases[_i].json);
	ck_assert_msg(strstr(written_text(), want) != NULL, "%s: %s", value_cases[_i].label, text);
	ck_assert_msg(is_json_line(text), "%s: %s", value_cases[_i].label, text);
} END_TEST

START_TEST(any_octet_leaves_one_line)
{
	for (unsigned format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++)
		for (unsigned c = 0; c < 256; c++) {
			char	    octets[3] = { 'a', (char)c, 'b' };
			struct span s = span_make(octets, 3);
			size_t	    len;

			ck_assert_int_eq(ftruncate(fd, 0), 0);
			log_configure(out, (enum log_format)format, LOG_LEVEL_INFO);
			log_info(out, "event", LOG_SPAN("k", s));
			len = strlen(written_text());
			ck_assert(len && strchr(text, '\n') == text + len - 1);
			ck_assert(format == LOG_FORMAT_LOGFMT || is_json_line(text));
			for (size_t i = 0; i + 1 < len; i++)
				ck_assert_msg(text[i] >= 0x20 && text[i] < 0x7f, "octet %02x", c);
		}
} END_TEST

START_TEST(types)
{
	struct endpoint e;

	ck_assert(endpoint_parse(SPAN_LITERAL("[2001:db8::1]:25"), 0, &e));
	log_info(out, "event", LOG_UINT("a", UINT64_MAX), LOG_INT("b", INT64_MIN), LOG_INT("c", 7), LOG_BOOL("d", 1),
		 LOG_BOOL("e", 0), LOG_ID("f", ((struct id){ 0, 1 })), LOG_ENDPOINT("g", &e), LOG_ERRNO("h", ENOSPC),
		 LOG_ERRNO("i", 9999), LOG_STR("j", NULL), LOG_UINT("k", 0));
	ck_assert_ptr_nonnull(strstr(written_text(),
				     " a=18446744073709551615 b=-9223372036854775808 c=7 d=true e=false "
				     "f=00000000000000000000000001 g=[2001:db8::1]:25 h=ENOSPC i=EUNKNOWN j=\"\" k=0\n"));
	/* ts=2026-11-24T11:53:17.123Z */
	ck_assert_int_eq(strncmp(text, "ts=2", 4), 0);
	ck_assert_int_eq(strspn(text + 3, "0123456789-T:."), 23);
	ck_assert_int_eq(text[26], 'Z');
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	log_configure(out, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info(out, "event", LOG_INT("b", INT64_MIN), LOG_BOOL("d", 1), LOG_ENDPOINT("g", &e));
	ck_assert(is_json_line(written_text()));
} END_TEST

START_TEST(levels)
{
	log_debug(out, "unwanted", LOG_UINT("n", 1));
	log_error(out, "wanted", LOG_UINT("n", 2));
	log_configure(out, LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR);
	log_warn(out, "unwanted", LOG_UINT("n", 3));
	log_configure(out, LOG_FORMAT_LOGFMT, LOG_LEVEL_DEBUG);
	log_debug(out, "wanted", LOG_UINT("n", 4));
	ck_assert_uint_eq(count_of(written_text(), "event=wanted"), 2);
	ck_assert_uint_eq(count_of(text, "unwanted"), 0);
	ck_assert_ptr_nonnull(strstr(text, "level=debug"));
	log_error(NULL, "nowhere", LOG_UINT("n", 5)); /* before there is a log */
} END_TEST

/* --- edges ---------------------------------------------------------------------------------------- */

START_TEST(long_values_are_cut_between_characters)
{
	static const struct {
		const char *piece;
		size_t	    whole; /* octets that remain */
	} cuts[] = { { "a", LOG_VALUE_MAX }, { "\xc3\xa9", LOG_VALUE_MAX }, { "\xe2\x82\xac", 510 },
		     { "a\xf0\x9f\x98\x80", 511 } };

	for (size_t i = 0; i < COUNT_OF(cuts); i++)
		for (size_t len = LOG_VALUE_MAX - 8; len < LOG_VALUE_MAX + 8; len++) {
			char	    value[LOG_VALUE_MAX + 16];
			size_t	    n = strlen(cuts[i].piece);
			struct span s;
			const char *at;

			for (size_t j = 0; j < len; j++)
				value[j] = cuts[i].piece[j % n];
			s = span_make(value, len - len % n);
			ck_assert_int_eq(ftruncate(fd, 0), 0);
			log_info(out, "event", LOG_SPAN("k", s), LOG_UINT("n", 1));
			at = strstr(written_text(), " k=") + 3;
			at += *at == '"';
			ck_assert_int_eq(strncmp(at, value, MIN_OF(s.len, cuts[i].whole)), 0);
			at += MIN_OF(s.len, cuts[i].whole);
			if (s.len > LOG_VALUE_MAX) {
				ck_assert_int_eq(strncmp(at, "...", 3), 0);
				at += 3;
			}
			at += *at == '"';
			ck_assert_str_eq(at, " n=1\n");
		}
} END_TEST

START_TEST(a_line_has_an_end_and_stays_whole)
{
	struct log_field fields[40];
	char		 value[LOG_VALUE_MAX];

	memset(value, 1, sizeof(value)); /* six octets each in JSON */
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		fields[i] = (struct log_field)LOG_SPAN("key", span_make(value, 13 * i));
	log_configure(out, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_write(out, LOG_LEVEL_INFO, "event", fields, COUNT_OF(fields));
	ck_assert_uint_le(strlen(written_text()), LOG_LINE_MAX);
	ck_assert_uint_gt(strlen(text), LOG_LINE_MAX / 2);
	ck_assert(is_json_line(text));
} END_TEST

START_TEST(what_a_pipe_does_not_take_is_counted)
{
	int	      ends[2];
	unsigned      logged = 40000;
	size_t	      len = 0;
	unsigned long lost;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
	log_reopen(out, ends[1]);
	for (unsigned i = 0; i < logged; i++) {
		log_info(out, "event", LOG_UINT("n", i), LOG_STR("text", "words that fill the pipe, then the buffers"));
		log_flush(out);
		if (i % 100 == 0)
			rig_poll();
	}
	ck_assert(!log_idle(out));
	ck_assert_int_ge(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	for (unsigned turns = 0; turns < RIG_TURNS_MAX; turns++) {
		ssize_t n = read(ends[0], text + len, TEXT_MAX - len);

		len += n > 0 ? (size_t)n : 0;
		if (n < 0 && log_idle(out))
			break;
		rig_poll();
	}
	ck_assert(log_idle(out));
	log_info(out, "event", LOG_STR("text", "after")); /* brings the report along */
	logged++;
	log_flush(out);
	RIG_UNTIL(log_idle(out));
	len += (size_t)read(ends[0], text + len, TEXT_MAX - len);
	text[len] = 0;
	lost = reported(text);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(count_of(text, "event=event") + lost, logged);
	ck_assert_uint_eq(count_of(text, "\n"), count_of(text, "ts="));
} END_TEST

START_TEST(what_a_full_disk_loses_is_counted)
{
	int full = open("/dev/full", O_WRONLY);

	log_reopen(out, full);
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j <= i; j++)
			log_info(out, "event", LOG_UINT("n", i));
		log_flush(out);
		RIG_UNTIL(log_idle(out));
	}
	log_reopen(out, fd);
	log_info(out, "event", LOG_STR("text", "after"));
	ck_assert_uint_eq(reported(written_text()), 55);
	ck_assert_uint_eq(count_of(text, "event=event"), 1);
} END_TEST

START_TEST(a_torn_line_spoils_no_other)
{
	struct rlimit limit, small;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	log_info(out, "event", LOG_STR("text", "cut"));
	ck_assert_uint_eq(strlen(written_text()), 20);
	log_info(out, "event", LOG_STR("text", "lost"));
	ck_assert_uint_eq(strlen(written_text()), 20);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	log_info(out, "event", LOG_STR("text", "whole"));
	ck_assert_uint_eq(reported(written_text()), 2);
	ck_assert_uint_eq(count_of(text, "\n"), 3);
	ck_assert_uint_eq(count_of(text, "\nts="), 2);
	ck_assert_uint_eq(count_of(text, "text=whole\n"), 1);
} END_TEST

START_TEST(a_reopened_log_goes_on_elsewhere)
{
	char other_name[] = "log-XXXXXX";
	int  other = mkstemp(other_name);

	log_info(out, "event", LOG_STR("text", "first"));
	log_flush(out);
	log_reopen(out, other);
	log_info(out, "event", LOG_STR("text", "second"));
	ck_assert_uint_eq(count_of(written_text(), "event=event"), 1);
	ck_assert_ptr_nonnull(strstr(text, "first"));
	ck_assert_int_gt(pread(other, text, 1000, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "second"));
	close(other);
	ck_assert_int_eq(unlink(other_name), 0);
} END_TEST

START_TEST(lines_wait_for_company)
{
	ck_assert_uint_eq(log_due(out), UINT64_MAX);
	log_info(out, "event", LOG_STR("text", "first"));
	ck_assert_uint_eq(log_due(out), io_mono(rig_io) + LOG_DELAY_MS * UINT64_C(1000000));
	log_warn(out, "event", LOG_STR("text", "urgent"));
	ck_assert_uint_eq(log_due(out), 0);
	ck_assert_uint_eq(count_of(written_text(), "event=event"), 2);
	for (unsigned i = 0; i < LOG_BATCH_MIN / 30; i++)
		log_info(out, "event", LOG_UINT("n", i));
	ck_assert_uint_eq(log_due(out), 0);
	(void)written_text();
	ck_assert_uint_eq(log_due(out), UINT64_MAX);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("lines"), case_new("edges") };

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		tcase_add_checked_fixture(cases[i], open_log, close_log);
	tcase_add_loop_test(cases[0], values_are_escaped, 0, COUNT_OF(value_cases));
	tcase_add_test(cases[0], any_octet_leaves_one_line);
	tcase_add_test(cases[0], types);
	tcase_add_test(cases[0], levels);
	tcase_add_test(cases[0], lines_wait_for_company);
	tcase_add_test(cases[1], long_values_are_cut_between_characters);
	tcase_add_test(cases[1], a_line_has_an_end_and_stays_whole);
	tcase_add_test(cases[1], what_a_pipe_does_not_take_is_counted);
	tcase_add_test(cases[1], what_a_full_disk_loses_is_counted);
	tcase_add_test(cases[1], a_torn_line_spoils_no_other);
	tcase_add_test(cases[1], a_reopened_log_goes_on_elsewhere);
	return rig_run("core/log", cases, COUNT_OF(cases));
}
