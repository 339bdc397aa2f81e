/* SPDX-License-Identifier: Apache-2.0 */
/* Each command has a table of the parameters it takes; what is not in it is unknown. */
#include "mta/smtp/parameters.h"

#include "core/utf8.h"

/* --- xtext ----------------------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
smtp_xtext_valid(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 33 || c > 126 || c == '=')
			return false;
		if (c != '+')
			continue;
		if (text.len - i < 3 || hex_digit(text.data[i + 1]) < 0 || hex_digit(text.data[i + 2]) < 0)
			return false;
		i += 2;
	}
	return true;
}

size_t
smtp_xtext_decode(struct span text, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '+' && text.len - i >= 3) {
			out[n++] = (char)(hex_digit(text.data[i + 1]) << 4 | hex_digit(text.data[i + 2]));
			i += 2;
		} else {
			out[n++] = text.data[i];
		}
	}
	return n;
}

size_t
smtp_xtext_encode(struct span text, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t		  n = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 33 && c <= 126 && c != '+' && c != '=') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '+';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

/* Of a character of n octets, two or more. */
static unsigned
code_point(const char *octets, size_t n)
{
	unsigned c = (unsigned char)octets[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)octets[i] & 0x3fu);
	return c;
}

size_t
smtp_utf8_ascii(struct span text, bool plain, char *out, size_t room)
{
	char   number[16];
	size_t len = 0;

	for (size_t n; text.len; text = span_from(text, n)) {
		unsigned char c = (unsigned char)text.data[0];
		struct span   piece = span_first(text, 1);

		n = utf8_length(text);
		if (n == 0) {
			n = 1;
			piece = SPAN_LITERAL("?");
		} else if (n > 1 || (plain && (c <= ' ' || c == '\\' || c == '+' || c == '=' || c == 0x7f))) {
			(void)snprintf(number, sizeof(number), "\\x{%02X}", n > 1 ? code_point(text.data, n) : c);
			piece = span_of(number);
		}
		if (piece.len > room - len)
			break;
		memcpy(out + len, piece.data, piece.len);
		len += piece.len;
	}
	return len;
}

/* --- values ---------------------------------------------------------------------------------------- */

static bool
take_size(struct span value, void *out)
{
	struct smtp_mail_parameters *p = out;
	uint64_t		     n = 0;

	if (value.len == 0 || value.len > 20) /* RFC 1870 section 3: at most 20 digits */
		return false;
	for (size_t i = 0; i < value.len; i++) {
		unsigned digit = (unsigned)(value.data[i] - '0');

		if (digit > 9)
			return false;
		/* What does not fit is larger than any limit. */
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
			n = UINT64_MAX / 10 * 10;
	}
	p->size = n;
	return true;
}

static bool
take_body(struct span value, void *out)
{
	static const struct {
		struct span    word;
		enum smtp_body body;
	} words[] = {
		{ { "7BIT", 4 }, SMTP_BODY_7BIT },
		{ { "8BITMIME", 8 }, SMTP_BODY_8BITMIME },
		{ { "BINARYMIME", 10 }, SMTP_BODY_BINARYMIME },
	};
	struct smtp_mail_parameters *p = out;

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (span_equal_nocase(value, words[i].word)) {
			p->body = words[i].body;
			return true;
		}
	return false;
}

static bool
take_ret(struct span value, void *out)
{
	struct smtp_mail_parameters *p = out;

	if (span_equal_nocase(value, SPAN_LITERAL("FULL")))
		p->ret = SMTP_RET_FULL;
	else if (span_equal_nocase(value, SPAN_LITERAL("HDRS")))
		p->ret = SMTP_RET_HDRS;
	return p->ret != SMTP_RET_UNSAID;
}

static bool
take_envid(struct span value, void *out)
{
	struct smtp_mail_parameters *p = out;

	p->envid = value;
	return value.len && value.len <= SMTP_ENVID_MAX && smtp_xtext_valid(value);
}

static bool
take_smtputf8(struct span value, void *out)
{
	struct smtp_mail_parameters *p = out;

	(void)value;
	p->smtputf8 = true;
	return true;
}

static bool
take_notify(struct span value, void *out)
{
	static const struct {
		struct span word;
		unsigned    bit;
	} words[] = {
		{ { "NEVER", 5 }, SMTP_NOTIFY_NEVER },
		{ { "SUCCESS", 7 }, SMTP_NOTIFY_SUCCESS },
		{ { "FAILURE", 7 }, SMTP_NOTIFY_FAILURE },
		{ { "DELAY", 5 }, SMTP_NOTIFY_DELAY },
	};
	struct smtp_rcpt_parameters *p = out;

	for (;;) {
		size_t	    comma = span_find(value, ',');
		struct span word = span_first(value, comma);
		unsigned    bit = 0;

		for (size_t i = 0; i < COUNT_OF(words); i++)
			if (span_equal_nocase(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		p->notify |= bit;
		if (comma == value.len)
			break;
		value = span_from(value, comma + 1);
	}
	/* NEVER stands alone (RFC 3461 section 4.1). */
	return !(p->notify & SMTP_NOTIFY_NEVER) || p->notify == SMTP_NOTIFY_NEVER;
}

static bool
take_orcpt(struct span value, void *out)
{
	struct smtp_rcpt_parameters *p = out;
	size_t			     semicolon = span_find(value, ';');
	struct span		     type = span_first(value, semicolon);
	struct span		     address = span_from(value, semicolon + 1);

	p->orcpt = value;
	if (type.len == 0 || address.len == 0 || value.len > SMTP_ORCPT_MAX)
		return false;
	for (size_t i = 0; i < type.len; i++) {
		char c = type.data[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-'))
			return false;
	}
	/* RFC 6533 section 3: utf-8 addresses may also stand as they are. */
	if (span_equal_nocase(type, SPAN_LITERAL("utf-8")))
		return utf8_valid(address);
	return smtp_xtext_valid(address);
}

/* --- the list -------------------------------------------------------------------------------------- */

struct parameter {
	struct span name;
	bool	    with_value;
	bool (*take)(struct span value, void *out);
};

static const struct parameter mail_parameters[] = {
	{ { "SIZE", 4 }, true, take_size },	{ { "BODY", 4 }, true, take_body },
	{ { "SMTPUTF8", 8 }, false, take_smtputf8 }, { { "RET", 3 }, true, take_ret },
	{ { "ENVID", 5 }, true, take_envid },
};

static const struct parameter rcpt_parameters[] = {
	{ { "NOTIFY", 6 }, true, take_notify },
	{ { "ORCPT", 5 }, true, take_orcpt },
};

/* esmtp-keyword and esmtp-value of RFC 5321 section 4.1.2 with RFC 6531 section 3.3. */
static bool
word_valid(struct span name, struct span value)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c == '-' && i)))
			return false;
	}
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] <= 32 || value.data[i] == 127)
			return false;
	return name.len > 0;
}

static enum smtp_parameters_result
parse(struct span text, const struct parameter *table, size_t count, void *out)
{
	unsigned seen = 0, words = 0;

	for (;;) {
		struct span word, name, value;
		size_t	    equals, i;

		while (text.len && text.data[0] == ' ')
			text = span_from(text, 1);
		if (text.len == 0)
			return SMTP_PARAMETERS_OK;
		word = span_first(text, span_find(text, ' '));
		text = span_from(text, word.len);
		equals = span_find(word, '=');
		name = span_first(word, equals);
		value = span_from(word, equals + 1);
		if (++words > SMTP_PARAMETERS_MAX || !word_valid(name, value))
			return SMTP_PARAMETERS_SYNTAX;
		for (i = 0; i < count && !span_equal_nocase(name, table[i].name); i++)
			;
		if (i == count)
			return SMTP_PARAMETERS_UNKNOWN;
		if ((seen >> i & 1) || (equals < word.len) != table[i].with_value || !table[i].take(value, out))
			return SMTP_PARAMETERS_SYNTAX;
		seen |= 1u << i;
	}
}

enum smtp_parameters_result
smtp_mail_parameters_parse(struct span text, struct smtp_mail_parameters *out)
{
	*out = (struct smtp_mail_parameters){ 0 };
	return parse(text, mail_parameters, COUNT_OF(mail_parameters), out);
}

enum smtp_parameters_result
smtp_rcpt_parameters_parse(struct span text, struct smtp_rcpt_parameters *out)
{
	*out = (struct smtp_rcpt_parameters){ 0 };
	return parse(text, rcpt_parameters, COUNT_OF(rcpt_parameters), out);
}
