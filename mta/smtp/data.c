/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder looks at four kinds of octet (CR, LF, NUL, a dot at the start of a line) and steps over the others sixteen at
 * a time.  A CR is passed on at once: it is text whatever follows.  A dot at the start of a line is withheld: it is
 * either stuffing or part of the end.
 */
#include "mta/smtp/data.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state {
	LINE_START, /* after CRLF, or at the very start */
	IN_LINE,
	AFTER_CR,
	AFTER_DOT,    /* CRLF . */
	AFTER_DOT_CR, /* CRLF . CR */
};

void
smtp_data_begin(struct smtp_data *d, uint64_t line_max, bool binary)
{
	*d = (struct smtp_data){ .state = LINE_START, .line_max = line_max, .binary = binary };
}

static void
note(struct smtp_data *d, enum smtp_data_defect defect)
{
	if (d->defect == SMTP_DATA_SOUND)
		d->defect = (uint8_t)defect;
}

/* Octets before the first CR, LF or NUL; notes those above 127. */
static size_t
plain_run(struct smtp_data *d, const char *at, size_t len)
{
	size_t	      n = 0;
	unsigned char high = 0;

#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), nul = _mm_setzero_si128();

	for (; len - n >= 16; n += 16) {
		__m128i	 v = _mm_loadu_si128((const __m128i *)(const void *)(at + n));
		__m128i	 hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)),
					    _mm_cmpeq_epi8(v, nul));
		unsigned hits = (unsigned)_mm_movemask_epi8(hit), highs = (unsigned)_mm_movemask_epi8(v);

		if (hits) {
			unsigned first = (unsigned)__builtin_ctz(hits);

			if (highs & ((1u << first) - 1))
				d->flags |= SMTP_DATA_8BIT;
			return n + first;
		}
		if (highs)
			d->flags |= SMTP_DATA_8BIT;
	}
#endif
	for (; n < len && at[n] != '\r' && at[n] != '\n' && at[n] != 0; n++)
		high |= (unsigned char)at[n];
	if (high & 0x80)
		d->flags |= SMTP_DATA_8BIT;
	return n;
}

/* Steps from IN_LINE over what is plain and then over one octet that is not, if there is one. */
static size_t
step_in_line(struct smtp_data *d, struct span rest)
{
	size_t n = plain_run(d, rest.data, rest.len);

	d->line_len += n;
	if (d->line_len > d->line_max)
		note(d, SMTP_DATA_LONG_LINE);
	if (n == rest.len)
		return n;
	switch (rest.data[n]) {
	case '\r':
		d->state = AFTER_CR;
		break;
	case '\n':
		note(d, SMTP_DATA_BARE_LF);
		break;
	default:
		note(d, SMTP_DATA_NUL);
		break;
	}
	return n + 1;
}

/* The octet behind a CR; true when it was the LF that belongs to it. */
static bool
step_after_cr(struct smtp_data *d, char c)
{
	if (c != '\n') {
		note(d, SMTP_DATA_BARE_CR);
		d->state = IN_LINE;
		return false;
	}
	d->state = LINE_START;
	d->line_len = 0;
	return true;
}

enum smtp_data_result
smtp_data_next(struct smtp_data *d, struct span *rest, struct span *piece)
{
	size_t from = 0, at = 0; /* the piece is [from, at) */

	while (at < rest->len) {
		char c = rest->data[at];

		switch ((enum state)d->state) {
		case LINE_START:
			if (c != '.') {
				d->state = IN_LINE;
				break;
			}
			d->state = AFTER_DOT;
			*piece = span_make(rest->data + from, at - from);
			*rest = span_from(*rest, at + 1);
			return SMTP_DATA_PIECE;
		case IN_LINE:
			at += step_in_line(d, span_from(*rest, at));
			break;
		case AFTER_CR:
			at += step_after_cr(d, c);
			break;
		case AFTER_DOT:
			if (c == '\r') {
				d->state = AFTER_DOT_CR;
				from = ++at;
				break;
			}
			if (c == '.')
				d->flags |= SMTP_DATA_DOT;
			d->state = IN_LINE;
			break;
		case AFTER_DOT_CR:
			if (c == '\n') {
				*piece = span_make(rest->data, 0);
				*rest = span_from(*rest, at + 1);
				return SMTP_DATA_END;
			}
			note(d, SMTP_DATA_BARE_CR);
			d->state = IN_LINE;
			break;
		}
	}
	*piece = span_make(rest->data + from, at - from);
	*rest = span_from(*rest, at);
	return SMTP_DATA_MORE;
}

void
smtp_data_chunk(struct smtp_data *d, struct span bytes)
{
	if (d->binary)
		return;
	for (size_t at = 0; at < bytes.len;) {
		switch ((enum state)d->state) {
		case LINE_START:
			if (bytes.data[at] == '.')
				d->flags |= SMTP_DATA_DOT;
			d->state = IN_LINE;
			break;
		case AFTER_CR:
			at += step_after_cr(d, bytes.data[at]);
			break;
		case IN_LINE:
		case AFTER_DOT:
		case AFTER_DOT_CR:
			at += step_in_line(d, span_from(bytes, at));
			break;
		}
	}
}

void
smtp_data_chunk_end(struct smtp_data *d)
{
	if (!d->binary && d->state == AFTER_CR)
		note(d, SMTP_DATA_BARE_CR);
}

/* --- the header section -------------------------------------------------------------------------------- */

enum scan_state {
	SCAN_NAME,   /* at `matched` octets of a line */
	SCAN_COLON,  /* the name is "Received"; white space may stand before the colon (RFC 5322 section 4.5) */
	SCAN_SKIP,   /* to the end of the line */
	SCAN_DONE,
};

void
smtp_header_begin(struct smtp_header_scan *h)
{
	*h = (struct smtp_header_scan){ 0 };
}

void
smtp_header_feed(struct smtp_header_scan *h, struct span text)
{
	static const char name[] = "received";
	enum { NAME_LEN = sizeof(name) - 1, AFTER_EMPTY_CR = NAME_LEN + 1 };

	for (size_t i = 0; i < text.len && h->state != SCAN_DONE; i++) {
		char c = text.data[i];

		if (h->state == SCAN_SKIP) {
			i += span_find(span_from(text, i), '\n');
			if (i < text.len) {
				h->state = SCAN_NAME;
				h->matched = 0;
			}
		} else if (h->state == SCAN_COLON) {
			if (c == ':')
				h->received++;
			if (c != ' ' && c != '\t')
				h->state = c == '\n' ? SCAN_NAME : SCAN_SKIP;
			if (h->state == SCAN_NAME)
				h->matched = 0;
		} else if (h->matched == 0 && c == '\r') {
			h->matched = AFTER_EMPTY_CR;
		} else if (h->matched == AFTER_EMPTY_CR || c == '\n') {
			h->state = c == '\n' && (h->matched == 0 || h->matched == AFTER_EMPTY_CR) ? SCAN_DONE :
				   c == '\n' ? SCAN_NAME : SCAN_SKIP;
			h->matched = 0;
		} else if ((c | 0x20) != name[h->matched]) {
			h->state = SCAN_SKIP;
		} else if (++h->matched == NAME_LEN) {
			h->state = SCAN_COLON;
		}
	}
}

/* --- sending --------------------------------------------------------------------------------------------- */

size_t
smtp_stuff(struct smtp_stuffer *s, struct span *text, char *out, size_t room)
{
	size_t n = 0;

	while (text->len) {
		size_t line;

		if (!s->in_line && text->data[0] == '.') {
			if (room - n < 2)
				break;
			out[n++] = '.';
		}
		/* To the end of the line, of the text or of the room. */
		line = span_find(*text, '\n') + 1;
		line = MIN_OF(MIN_OF(line, text->len), room - n);
		if (line == 0)
			break;
		memcpy(out + n, text->data, line);
		n += line;
		s->in_line = text->data[line - 1] != '\n' ||
			     !(line >= 2 ? text->data[line - 2] == '\r' : s->after_cr);
		s->after_cr = text->data[line - 1] == '\r';
		*text = span_from(*text, line);
	}
	return n;
}

struct span
smtp_stuff_end(const struct smtp_stuffer *s)
{
	return s->in_line ? SPAN_LITERAL("\r\n.\r\n") : SPAN_LITERAL(".\r\n");
}

struct span
smtp_data_end(struct span text)
{
	const struct smtp_stuffer s = {
		.in_line = text.len && !(text.len >= 2 && text.data[text.len - 1] == '\n' &&
					 text.data[text.len - 2] == '\r'),
	};

	return smtp_stuff_end(&s);
}
