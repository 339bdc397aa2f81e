/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading keeps one line at a time, cut at SMTP_REPLY_LINE_MAX, and hands it on whole when its end has come.
 */
#include "mta/smtp/reply.h"

#include "core/utf8.h"

/* --- writing --------------------------------------------------------------------------------------- */

struct out {
	char *at, *end;
};

static void
put(struct out *o, struct span text)
{
	for (size_t i = 0; i < text.len && o->at < o->end; i++) {
		unsigned char c = (unsigned char)text.data[i];

		*o->at++ = (char)(c >= 32 && c < 127 ? c : '?');
	}
}

static void
put_code(struct out *o, unsigned code, char separator)
{
	char digits[4] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10),
			   separator };

	put(o, span_make(digits, 4));
}

static size_t
finish(struct out *o, const char *buffer)
{
	*o->at++ = '\r';
	*o->at++ = '\n';
	return (size_t)(o->at - buffer);
}

size_t
smtp_reply_write(char buffer[static SMTP_REPLY_LINE_MAX], unsigned code, const char *enhanced, struct span text)
{
	struct out o = { buffer, buffer + SMTP_REPLY_LINE_MAX - 2 };

	put_code(&o, code, ' ');
	if (enhanced) {
		put(&o, span_of(enhanced));
		put(&o, SPAN_LITERAL(" "));
	}
	put(&o, text);
	return finish(&o, buffer);
}

size_t
smtp_reply_write_line(char buffer[static SMTP_REPLY_LINE_MAX], unsigned code, bool more, struct span text)
{
	struct out o = { buffer, buffer + SMTP_REPLY_LINE_MAX - 2 };

	put_code(&o, code, more ? '-' : ' ');
	put(&o, text);
	return finish(&o, buffer);
}

/* --- what EHLO offers ------------------------------------------------------------------------------ */

static uint64_t
number(struct span digits)
{
	uint64_t n = 0;

	for (size_t i = 0; i < digits.len && n < UINT64_MAX / 100; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return 0;
		n = n * 10 + (unsigned)(digits.data[i] - '0');
	}
	return n;
}

static void
take_limits(struct smtp_offers *o, struct span words)
{
	while (words.len) {
		struct span word = span_first(words, span_find(words, ' '));
		size_t	    equals = span_find(word, '=');
		struct span name = span_first(word, equals);
		uint64_t    n = number(span_from(word, equals + 1));
		uint32_t    value = n > UINT32_MAX ? 0 : (uint32_t)n;

		if (span_equal_nocase(name, SPAN_LITERAL("RCPTMAX")))
			o->recipients_max = value;
		else if (span_equal_nocase(name, SPAN_LITERAL("MAILMAX")))
			o->transactions_max = value;
		else if (span_equal_nocase(name, SPAN_LITERAL("RCPTDOMAINMAX")))
			o->domains_max = value;
		words = span_from(words, word.len + 1);
	}
}

static void
take_offer(struct smtp_offers *o, struct span line)
{
	static const struct {
		struct span word;
		unsigned    bit;
	} words[] = {
		{ { "PIPELINING", 10 }, SMTP_OFFER_PIPELINING },
		{ { "SIZE", 4 }, SMTP_OFFER_SIZE },
		{ { "8BITMIME", 8 }, SMTP_OFFER_8BITMIME },
		{ { "BINARYMIME", 10 }, SMTP_OFFER_BINARYMIME },
		{ { "CHUNKING", 8 }, SMTP_OFFER_CHUNKING },
		{ { "SMTPUTF8", 8 }, SMTP_OFFER_SMTPUTF8 },
		{ { "ENHANCEDSTATUSCODES", 19 }, SMTP_OFFER_ENHANCED },
		{ { "DSN", 3 }, SMTP_OFFER_DSN },
		{ { "STARTTLS", 8 }, SMTP_OFFER_STARTTLS },
		{ { "LIMITS", 6 }, SMTP_OFFER_LIMITS },
	};
	struct span word = span_first(line, span_find(line, ' '));
	struct span rest = span_from(line, word.len + 1);

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (span_equal_nocase(word, words[i].word)) {
			o->bits |= words[i].bit;
			if (words[i].bit == SMTP_OFFER_SIZE)
				o->size_max = number(span_first(rest, span_find(rest, ' ')));
			else if (words[i].bit == SMTP_OFFER_LIMITS)
				take_limits(o, rest);
		}
}

/* --- reading --------------------------------------------------------------------------------------- */

void
smtp_reply_begin(struct smtp_reply *r, struct smtp_offers *offers)
{
	r->code = r->line_code = r->lines = 0;
	r->enhanced = (struct smtp_enhanced){ 0 };
	r->octets = r->text_len = 0;
	r->offers = offers;
	r->column = 0;
	r->last = false;
	r->line_len = 0;
	if (offers)
		*offers = (struct smtp_offers){ 0 };
}

/* "5.1.1 " at the start of the first line, if its class is the code's. */
static void
take_enhanced(struct smtp_reply *r, struct span *line)
{
	unsigned part[3] = { 0 };
	size_t	 at = 0;

	for (unsigned i = 0; i < 3; i++) {
		size_t from = at;

		while (at < line->len && at - from < 3 && line->data[at] >= '0' && line->data[at] <= '9')
			part[i] = part[i] * 10 + (unsigned)(line->data[at++] - '0');
		if (at == from)
			return;
		if (i < 2 && (at >= line->len || line->data[at++] != '.'))
			return;
	}
	if (part[0] != r->code / 100 || (at < line->len && line->data[at] != ' '))
		return;
	if (r->enhanced.class && (r->enhanced.subject != part[1] || r->enhanced.detail != part[2]))
		return; /* another one further down: text */
	r->enhanced = (struct smtp_enhanced){ (unsigned char)part[0], (unsigned short)part[1],
					      (unsigned short)part[2] };
	*line = span_from(*line, at + (at < line->len));
}

static void
add_text(struct smtp_reply *r, struct span line)
{
	if (r->text_len && line.len && r->text_len < sizeof(r->text))
		r->text[r->text_len++] = ' ';
	for (size_t i = 0, n; i < line.len; i += n) {
		struct span rest = span_from(line, i);

		n = utf8_length(rest);
		if (r->text_len + MAX_OF(n, (size_t)1) > sizeof(r->text))
			return;
		if (n > 1) {
			memcpy(r->text + r->text_len, rest.data, n);
			r->text_len += n;
			continue;
		}
		n = 1;
		r->text[r->text_len++] = (char)(rest.data[0] >= 32 && rest.data[0] < 127 ? rest.data[0] : '?');
	}
}

/* One line has come to its end.  True: it was the last. */
static bool
take_line(struct smtp_reply *r)
{
	struct span line = span_make(r->line, r->line_len);

	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	if (r->lines++ == 0)
		r->code = r->line_code;
	else if (r->offers && r->code == 250)
		take_offer(r->offers, line);
	take_enhanced(r, &line);
	add_text(r, line);
	r->column = 0;
	r->line_len = 0;
	r->line_code = 0;
	return r->last;
}

/* The code, and what separates it from the text.  False: this is no reply. */
static bool
take_code(struct smtp_reply *r, char c)
{
	if (r->column < 3) {
		if (c < (r->column ? '0' : '2') || c > (r->column ? '9' : '5'))
			return false;
		r->line_code = r->line_code * 10 + (unsigned)(c - '0');
		r->column++;
		return true;
	}
	if (r->lines && r->line_code != r->code)
		return false;
	r->last = c != '-';
	r->column++;
	return c == '-' || c == ' ' || c == '\r' || c == '\n';
}

enum smtp_reply_result
smtp_reply_feed(struct smtp_reply *r, struct span bytes, size_t *used)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];

		*used = i + 1;
		if (++r->octets > SMTP_REPLY_OCTETS_MAX)
			return SMTP_REPLY_BROKEN;
		if (r->column <= 3) {
			if (!take_code(r, c))
				return SMTP_REPLY_BROKEN;
			if (c != '\n' && c != '\r')
				continue;
		}
		if (c == '\n') {
			if (take_line(r))
				return SMTP_REPLY_DONE;
			if (r->lines >= SMTP_REPLY_LINES_MAX)
				return SMTP_REPLY_BROKEN;
		} else if (r->line_len < sizeof(r->line)) {
			r->line[r->line_len++] = c;
		}
	}
	*used = bytes.len;
	return SMTP_REPLY_MORE;
}
