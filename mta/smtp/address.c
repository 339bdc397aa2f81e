/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/address.h"

#include "core/utf8.h"
#include "mta/smtp/domain.h"

/* atext of RFC 5322 section 3.2.3, the dot, and everything above ASCII. */
static bool
in_dot_string(unsigned char c)
{
	if (c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
}

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Length of the local part at the start of text, 0 when there is none. */
static size_t
local_length(struct span text)
{
	size_t n = 0;

	if (text.len == 0)
		return 0;
	if (text.data[0] != '"') {
		while (n < text.len && in_dot_string((unsigned char)text.data[n]))
			n++;
		return n;
	}
	for (n = 1; n < text.len; n++) {
		unsigned char c = (unsigned char)text.data[n];

		if (is_control(c))
			return 0;
		if (c == '"')
			return n + 1;
		if (c == '\\' && (++n == text.len || is_control((unsigned char)text.data[n])))
			return 0;
	}
	return 0;
}

bool
smtp_literal_parse(struct span text, struct endpoint *out)
{
	struct span	inner;
	struct endpoint e;

	if (text.len < 3 || text.data[0] != '[' || text.data[text.len - 1] != ']')
		return false;
	inner = span_make(text.data + 1, text.len - 2);
	if (span_starts_nocase(inner, SPAN_LITERAL("IPv6:"))) {
		inner = span_from(inner, 5);
		if (span_find(inner, ':') == inner.len || span_find(inner, '[') != inner.len)
			return false;
	} else if (span_find(inner, ':') != inner.len) {
		return false;
	}
	if (!endpoint_parse(inner, 0, &e) || e.port != 0)
		return false;
	*out = e;
	return true;
}

static bool
has_high_octet(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

/* Reads local@domain at the start of text up to `stop` octets in all. */
static enum smtp_path_result
mailbox_at(struct span text, struct smtp_path *out, size_t *used)
{
	size_t	    local = local_length(text), domain;
	struct span after;

	if (local == 0)
		return SMTP_PATH_SYNTAX;
	out->local = span_first(text, local);
	out->domain = span_make(text.data + local, 0);
	*used = local;
	after = span_from(text, local);
	if (after.len == 0 || after.data[0] != '@') {
		/* Only the postmaster needs no domain (RFC 5321 section 4.1.1.3). */
		out->mailbox = out->local;
		return span_equal_nocase(out->local, SPAN_LITERAL("postmaster")) ? SMTP_PATH_OK :
										   SMTP_PATH_SYNTAX;
	}
	after = span_from(after, 1);
	if (after.len && after.data[0] == '[') {
		domain = span_find(after, ']');
		if (domain == after.len)
			return SMTP_PATH_BAD_DOMAIN;
		domain++;
		out->literal = true;
	} else {
		domain = smtp_domain_length(after);
	}
	out->domain = span_first(after, domain);
	out->mailbox = span_first(text, local + 1 + domain);
	*used = out->mailbox.len;
	if (local > SMTP_LOCAL_MAX || domain > SMTP_DOMAIN_MAX)
		return SMTP_PATH_TOO_LONG;
	if (out->literal ? !smtp_literal_parse(out->domain, &out->address) : !smtp_domain_valid(out->domain))
		return SMTP_PATH_BAD_DOMAIN;
	out->utf8 = has_high_octet(out->mailbox);
	if (out->utf8 && !utf8_valid(out->mailbox))
		return SMTP_PATH_SYNTAX;
	return SMTP_PATH_OK;
}

/* Length of "@one,@two:" at the start of text; 0 when there is none; SIZE_MAX when it is broken. */
static size_t
source_route_length(struct span text)
{
	size_t at = 0;

	if (text.len == 0 || text.data[0] != '@')
		return 0;
	for (;;) {
		size_t n = smtp_domain_length(span_from(text, at + 1));

		if (!smtp_domain_valid(span_first(span_from(text, at + 1), n)))
			return SIZE_MAX;
		at += 1 + n;
		if (at < text.len && text.data[at] == ':')
			return at + 1;
		if (at + 1 >= text.len || text.data[at] != ',' || text.data[at + 1] != '@')
			return SIZE_MAX;
		at++;
	}
}

enum smtp_path_result
smtp_path_parse(struct span text, struct smtp_path *out, size_t *used)
{
	enum smtp_path_result result;
	size_t		      route, mailbox = 0;

	*out = (struct smtp_path){ 0 };
	*used = 0;
	if (text.len == 0 || text.data[0] != '<')
		return SMTP_PATH_NO_BRACKETS;
	if (text.len >= 2 && text.data[1] == '>') {
		*used = 2;
		return SMTP_PATH_OK;
	}
	route = source_route_length(span_from(text, 1));
	if (route == SIZE_MAX)
		return SMTP_PATH_SYNTAX;
	result = mailbox_at(span_from(text, 1 + route), out, &mailbox);
	if (result != SMTP_PATH_OK)
		return result;
	*used = 1 + route + mailbox + 1;
	if (*used > text.len || text.data[*used - 1] != '>')
		return SMTP_PATH_SYNTAX;
	return *used > SMTP_PATH_MAX ? SMTP_PATH_TOO_LONG : SMTP_PATH_OK;
}

enum smtp_path_result
smtp_mailbox_parse(struct span text, struct smtp_path *out)
{
	size_t		      used = 0;
	enum smtp_path_result result;

	*out = (struct smtp_path){ 0 };
	result = mailbox_at(text, out, &used);
	return result == SMTP_PATH_OK && used != text.len ? SMTP_PATH_SYNTAX : result;
}
