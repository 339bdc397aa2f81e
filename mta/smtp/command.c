/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/command.h"

#include "mta/smtp/domain.h"

const struct smtp_reply_row smtp_command_replies[SMTP_COMMAND_RESULT_COUNT] = {
#define X(id, code, enhanced, text) { code, enhanced, text },
	SMTP_COMMAND_RESULTS(X)
#undef X
};

static struct span
trim(struct span s)
{
	while (s.len && s.data[0] == ' ')
		s = span_from(s, 1);
	while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* --- arguments ------------------------------------------------------------------------------------- */

typedef enum smtp_command_result argument_parser(struct smtp_command *c);

static enum smtp_command_result
parse_NONE(struct smtp_command *c)
{
	return c->argument.len ? SMTP_COMMAND_EXTRA_ARGUMENT : SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_SOME(struct smtp_command *c)
{
	(void)c;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_NEEDED(struct smtp_command *c)
{
	return c->argument.len ? SMTP_COMMAND_OK : SMTP_COMMAND_NO_ARGUMENT;
}

/*
 * A name that is no proper domain must still be let in (RFC 5321 section 4.1.4 forbids refusing mail for it), but it goes to logs and trace
 * fields: it has to be printable and one word.
 */
static enum smtp_command_result
parse_HELLO(struct smtp_command *c)
{
	struct span name = c->argument;

	if (name.len == 0)
		return SMTP_COMMAND_NO_ARGUMENT;
	if (name.len > SMTP_DOMAIN_MAX)
		return SMTP_COMMAND_BAD_NAME;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char ch = (unsigned char)name.data[i];

		if (ch <= 32 || ch == 127 || strchr("()<>,;\\\"@", ch))
			return SMTP_COMMAND_BAD_NAME;
	}
	return SMTP_COMMAND_OK;
}

/* Steps over "FROM:" or "TO:" and spaces behind it. */
static bool
take_keyword(struct span *rest, struct span keyword)
{
	if (!span_starts_nocase(*rest, keyword))
		return false;
	*rest = span_from(*rest, keyword.len);
	while (rest->len && rest->data[0] == ' ')
		*rest = span_from(*rest, 1);
	return true;
}

static enum smtp_command_result
after_parameters(enum smtp_parameters_result result)
{
	switch (result) {
	case SMTP_PARAMETERS_OK:
		return SMTP_COMMAND_OK;
	case SMTP_PARAMETERS_SYNTAX:
		return SMTP_COMMAND_BAD_PARAMETER;
	case SMTP_PARAMETERS_UNKNOWN:
		return SMTP_COMMAND_UNKNOWN_PARAMETER;
	}
	return SMTP_COMMAND_BAD_PARAMETER;
}

static enum smtp_command_result
parse_MAIL(struct smtp_command *c)
{
	struct span	      rest = c->argument;
	size_t		      used;
	enum smtp_path_result result;

	if (!take_keyword(&rest, SPAN_LITERAL("FROM:")))
		return rest.len ? SMTP_COMMAND_BAD_FORM : SMTP_COMMAND_NO_ARGUMENT;
	result = smtp_path_parse(rest, &c->path, &used);
	if (result == SMTP_PATH_TOO_LONG)
		return SMTP_COMMAND_LONG_SENDER;
	/* Nobody could be answered at <postmaster>. */
	if (result != SMTP_PATH_OK || (c->path.mailbox.len && c->path.domain.len == 0))
		return SMTP_COMMAND_BAD_SENDER;
	rest = span_from(rest, used);
	if (rest.len && rest.data[0] != ' ')
		return SMTP_COMMAND_BAD_SENDER;
	return after_parameters(smtp_mail_parameters_parse(rest, &c->mail));
}

static enum smtp_command_result
parse_RCPT(struct smtp_command *c)
{
	struct span	      rest = c->argument;
	size_t		      used;
	enum smtp_path_result result;

	if (!take_keyword(&rest, SPAN_LITERAL("TO:")))
		return rest.len ? SMTP_COMMAND_BAD_FORM : SMTP_COMMAND_NO_ARGUMENT;
	result = smtp_path_parse(rest, &c->path, &used);
	if (result == SMTP_PATH_TOO_LONG)
		return SMTP_COMMAND_LONG_RECIPIENT;
	if (result != SMTP_PATH_OK || c->path.mailbox.len == 0)
		return SMTP_COMMAND_BAD_RECIPIENT;
	rest = span_from(rest, used);
	if (rest.len && rest.data[0] != ' ')
		return SMTP_COMMAND_BAD_RECIPIENT;
	return after_parameters(smtp_rcpt_parameters_parse(rest, &c->rcpt));
}

static enum smtp_command_result
parse_BDAT(struct smtp_command *c)
{
	struct span digits = span_first(c->argument, span_find(c->argument, ' '));
	struct span word = trim(span_from(c->argument, digits.len));
	uint64_t    size = 0;

	c->bdat.size = 0;
	c->bdat.last = false;
	if (digits.len == 0)
		return SMTP_COMMAND_NO_ARGUMENT;
	for (size_t i = 0; i < digits.len; i++) {
		unsigned digit = (unsigned)(digits.data[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(size, 10, &size) ||
		    __builtin_add_overflow(size, digit, &size))
			return SMTP_COMMAND_BAD_FORM;
	}
	c->bdat.size = size;
	c->bdat.last = span_equal_nocase(word, SPAN_LITERAL("LAST"));
	return word.len && !c->bdat.last ? SMTP_COMMAND_BAD_FORM : SMTP_COMMAND_OK;
}

/* --- the line -------------------------------------------------------------------------------------- */

struct verb_row {
	struct span	 word;
	argument_parser *parse;
};

static const struct verb_row verbs[SMTP_VERB_COUNT] = {
#define X(id, word, arguments) { { word, sizeof(word) - 1 }, parse_##arguments },
	SMTP_VERBS(X)
#undef X
};

const char *
smtp_verb_name(enum smtp_verb verb)
{
	return verb < SMTP_VERB_COUNT ? verbs[verb].word.data : "?";
}

/*
 * Browsers can be made to send mail commands in the body of a request; the first line gives them away.  A word that ends in
 * a colon is a field of a header: somebody's text is coming, whether by HTTP or behind a DATA that was refused, and nothing
 * in it may be obeyed.
 */
static bool
is_foreign(struct span word)
{
	static const struct span words[] = {
		{ "GET", 3 },	 { "POST", 4 },	   { "HEAD", 4 },   { "PUT", 3 },  { "DELETE", 6 },
		{ "OPTIONS", 7 }, { "CONNECT", 7 }, { "TRACE", 5 }, { "PATCH", 5 }, { "PRI", 3 },
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (span_equal_nocase(word, words[i]))
			return true;
	if (word.len > 1 && word.data[word.len - 1] == ':')
		return true;
	return word.len && (word.data[0] == 0x16 || (unsigned char)word.data[0] == 0x80); /* TLS, SSLv2 */
}

enum smtp_command_result
smtp_command_parse(struct span line, struct smtp_command *out)
{
	struct span word = span_first(line, span_find(line, ' '));

	out->verb = SMTP_VERB_COUNT;
	out->path = (struct smtp_path){ 0 };
	out->argument = trim(span_from(line, word.len));
	word = trim(word);
	for (unsigned i = 0; i < SMTP_VERB_COUNT; i++)
		if (span_equal_nocase(word, verbs[i].word)) {
			out->verb = (enum smtp_verb)i;
			return verbs[i].parse(out);
		}
	return is_foreign(word) ? SMTP_COMMAND_FOREIGN : SMTP_COMMAND_UNKNOWN;
}
