/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink is as strict as a server must be: only CRLF ends a line of text, and a lone CR, a lone LF or a NUL breaks the
 * session, so that an MTA that lets one through is found out by its lost connection (RFC 5321 section 2.3.8).
 */
#include "bench/wire.h"

/* --- replies ------------------------------------------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes a line off *rest, without its end; false when it is not whole. */
static bool
line_take(struct span *rest, struct span *line)
{
	size_t len = span_find(*rest, '\n');

	if (len == rest->len)
		return false;
	*line = span_first(*rest, len);
	if (line->len && line->data[line->len - 1] == '\r')
		line->len--;
	*rest = span_from(*rest, len + 1);
	return true;
}

enum wire_result
wire_reply_parse(struct span bytes, struct wire_reply *out)
{
	struct span rest = bytes, line;
	unsigned code = 0;

	while (line_take(&rest, &line)) {
		unsigned this;

		if (line.len < 3 || !is_digit(line.data[0]) || !is_digit(line.data[1]) || !is_digit(line.data[2]))
			return WIRE_BROKEN;
		this = (unsigned)(line.data[0] - '0') * 100 + (unsigned)(line.data[1] - '0') * 10 +
		       (unsigned)(line.data[2] - '0');
		if (this < 200 || this > 599 || (code && this != code) ||
		    (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-'))
			return WIRE_BROKEN;
		code = this;
		if (line.len > 3 && line.data[3] == '-')
			continue;
		out->code = code;
		out->len = bytes.len - rest.len;
		out->text = span_from(line, 4);
		return WIRE_OK;
	}
	return bytes.len > WIRE_REPLY_MAX ? WIRE_BROKEN : WIRE_MORE;
}

static bool
word_is_among(struct span words, struct span wanted)
{
	while (words.len) {
		if (span_equal_nocase(span_first(words, span_find(words, ' ')), wanted))
			return true;
		words = span_from(words, span_find(words, ' ') + 1);
	}
	return false;
}

void
wire_ehlo_parse(struct span reply, struct wire_offers *out)
{
	struct span line;
	bool first = true;

	*out = (struct wire_offers){ 0 };
	while (line_take(&reply, &line)) {
		struct span word = span_from(line, 4);

		word = span_first(word, span_find(word, ' '));
		if (first) {
			first = false; /* the server's name, not an offer */
			continue;
		}
		out->pipelining |= span_equal_nocase(word, SPAN_LITERAL("PIPELINING"));
		out->chunking |= span_equal_nocase(word, SPAN_LITERAL("CHUNKING"));
		out->size |= span_equal_nocase(word, SPAN_LITERAL("SIZE"));
		out->eight_bit |= span_equal_nocase(word, SPAN_LITERAL("8BITMIME"));
		if (span_equal_nocase(word, SPAN_LITERAL("AUTH")))
			out->auth_plain |= word_is_among(span_from(line, 4 + word.len), SPAN_LITERAL("PLAIN"));
	}
}

void
wire_auth_plain(struct span name, struct span password, char out[static WIRE_AUTH_LINE_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char plain[WIRE_AUTH_MAX + 4] = { 0 };
	size_t len = 2 + name.len + password.len;
	char *at = out + snprintf(out, WIRE_AUTH_LINE_MAX, "AUTH PLAIN ");

	INVARIANT(name.len + password.len <= WIRE_AUTH_MAX);
	memcpy(plain + 1, name.data, name.len);
	memcpy(plain + 2 + name.len, password.data, password.len);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)plain[i] << 16 | (uint32_t)plain[i + 1] << 8 | plain[i + 2];

		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[three & 63] : '=';
	}
	memcpy(at, "\r\n", 3);
}

/* --- commands ------------------------------------------------------------------------------------------ */

static struct span
word_take(struct span *rest)
{
	struct span word;

	while (rest->len && rest->data[0] == ' ')
		*rest = span_from(*rest, 1);
	word = span_first(*rest, span_find(*rest, ' '));
	*rest = span_from(*rest, word.len);
	return word;
}

/* <path>: up to the closing bracket, which may also stand in a quoted local part. */
static bool
path_take(struct span *rest, struct span *path)
{
	bool quoted = false;

	while (rest->len && rest->data[0] == ' ')
		*rest = span_from(*rest, 1);
	if (!rest->len || rest->data[0] != '<')
		return false;
	for (size_t i = 1; i < rest->len; i++) {
		char c = rest->data[i];

		if (c == '\\' && quoted) {
			i++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (c == '>' && !quoted) {
			*path = span_make(rest->data + 1, i - 1);
			*rest = span_from(*rest, i + 1);
			return true;
		}
	}
	return false;
}

static bool
number_parse(struct span s, uint64_t *out)
{
	uint64_t n = 0;

	if (!s.len || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.data[i]))
			return false;
		n = n * 10 + (uint64_t)(s.data[i] - '0');
	}
	*out = n;
	return true;
}

static bool
mail_parse(struct span rest, struct wire_command *out)
{
	static const struct span from = SPAN_LITERAL("FROM:"), size = SPAN_LITERAL("SIZE=");
	struct span word;

	if (!span_starts_nocase(rest, from))
		return false;
	rest = span_from(rest, from.len);
	if (!path_take(&rest, &out->path))
		return false;
	while ((word = word_take(&rest)).len) {
		if (span_starts_nocase(word, size) && !number_parse(span_from(word, size.len), &out->size))
			return false;
	}
	return true;
}

static bool
rcpt_parse(struct span rest, struct wire_command *out)
{
	static const struct span to = SPAN_LITERAL("TO:");

	if (!span_starts_nocase(rest, to))
		return false;
	rest = span_from(rest, to.len);
	return path_take(&rest, &out->path) && out->path.len;
}

static bool
bdat_parse(struct span rest, struct wire_command *out)
{
	struct span last;

	if (!number_parse(word_take(&rest), &out->size))
		return false;
	last = word_take(&rest);
	out->last = span_equal_nocase(last, SPAN_LITERAL("LAST"));
	return (out->last || !last.len) && !word_take(&rest).len;
}

void
wire_command_parse(struct span line, struct wire_command *out)
{
	static const struct {
		struct span    word;
		enum wire_verb verb;
	} verbs[] = {
		{ SPAN_LITERAL("MAIL"), WIRE_MAIL }, { SPAN_LITERAL("RCPT"), WIRE_RCPT },
		{ SPAN_LITERAL("DATA"), WIRE_DATA }, { SPAN_LITERAL("BDAT"), WIRE_BDAT },
		{ SPAN_LITERAL("EHLO"), WIRE_EHLO }, { SPAN_LITERAL("HELO"), WIRE_HELO },
		{ SPAN_LITERAL("RSET"), WIRE_RSET }, { SPAN_LITERAL("NOOP"), WIRE_NOOP },
		{ SPAN_LITERAL("VRFY"), WIRE_VRFY }, { SPAN_LITERAL("QUIT"), WIRE_QUIT },
	};
	struct span rest = line, word;
	bool sound = true;

	*out = (struct wire_command){ .verb = WIRE_OTHER };
	(void)line_take(&rest, &line); /* a line without its end is read as it is */
	rest = line;
	word = word_take(&rest);
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		if (span_equal_nocase(word, verbs[i].word))
			out->verb = verbs[i].verb;
	}
	if (rest.len)
		rest = span_from(rest, 1);
	if (out->verb == WIRE_MAIL)
		sound = mail_parse(rest, out);
	else if (out->verb == WIRE_RCPT)
		sound = rcpt_parse(rest, out);
	else if (out->verb == WIRE_BDAT)
		sound = bdat_parse(rest, out);
	if (!sound)
		out->verb = WIRE_WRONG;
}

/* --- text ---------------------------------------------------------------------------------------------- */

enum {
	LINE_START,
	INSIDE,
	SEEN_CR,  /* it was given out; LF must follow */
	SEEN_DOT, /* at the start of a line; it was not given out */
	SEEN_DOT_CR,
};

void
wire_text_init(struct wire_text *t)
{
	t->state = LINE_START;
}

/* Octets of the line at the front of rest, with its end if it is there; -1 for what a line must not hold. */
static long
line_length(struct span rest, uint8_t *state)
{
	const char *lf = memchr(rest.data, '\n', rest.len);
	size_t body = lf ? (size_t)(lf - rest.data) : rest.len; /* before LF */

	if (lf) {
		if (!body || rest.data[body - 1] != '\r')
			return -1;
		body--;
		*state = LINE_START;
	} else if (rest.data[body - 1] == '\r') {
		body--;
		*state = SEEN_CR;
	} else {
		*state = INSIDE;
	}
	if (memchr(rest.data, '\r', body) || memchr(rest.data, '\0', body))
		return -1;
	return lf ? (long)body + 2 : (long)rest.len;
}

enum wire_text_result
wire_text_next(struct wire_text *t, struct span *rest, struct span *piece)
{
	*piece = span_make(rest->data, 0);
	while (rest->len) {
		char c = rest->data[0];
		long len = 1;

		switch (t->state) {
		case LINE_START:
			if (c == '.') {
				t->state = SEEN_DOT;
				*rest = span_from(*rest, 1);
				if (piece->len)
					return WIRE_TEXT_PIECE;
				piece->data = rest->data;
				continue;
			}
			len = line_length(*rest, &t->state);
			break;
		case INSIDE:
			len = line_length(*rest, &t->state);
			break;
		case SEEN_CR:
			if (c != '\n')
				return WIRE_TEXT_BROKEN;
			t->state = LINE_START;
			break;
		case SEEN_DOT:
			if (c == '\r') {
				t->state = SEEN_DOT_CR;
				*rest = span_from(*rest, 1);
				continue;
			}
			len = line_length(*rest, &t->state);
			break;
		case SEEN_DOT_CR:
			if (c != '\n')
				return WIRE_TEXT_BROKEN;
			*rest = span_from(*rest, 1);
			return WIRE_TEXT_END;
		}
		if (len < 0)
			return WIRE_TEXT_BROKEN;
		piece->len += (size_t)len;
		*rest = span_from(*rest, (size_t)len);
	}
	return WIRE_TEXT_MORE;
}
