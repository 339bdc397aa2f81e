/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder looks at four kinds of octet (CR, LF, NUL, a dot at the start of a line) and steps over the others sixteen at
 * a time.  A CR is passed on at once: it is text whatever follows.  A dot at the start of a line is withheld: it is
 * either stuffing or part of the end.
 *
 * Text is sound as a rule: each CR before an LF, each LF behind a CR, no NUL, a dot first in few lines.  As sets of bits that is
 * seen of 64 octets at once, however many lines they hold (sound_run).  Where it is not so, and at the end, the state machine
 * goes on octet by octet.
 */
#include "mta/smtp/data.h"

#ifdef __SSE2__
#include <immintrin.h>
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

/* What sound_run() does with a dot at the start of a line. */
enum dots { DOTS_STOP, DOTS_ARE_TEXT };

#ifdef __SSE2__
struct block { /* of 64 octets: a bit for each */
	uint64_t cr, lf, dot;
	bool	 nul, high;
};

typedef struct block look_at(const char *at);

static inline __attribute__((always_inline)) struct block
look_by_16(const char *at)
{
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'), dot = _mm_set1_epi8('.');
	struct block  b = { 0 };
	__m128i	      all = _mm_setzero_si128(), least = _mm_set1_epi8(-1);

	for (unsigned i = 0; i < 4; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));

		b.cr |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, cr)) << 16 * i;
		b.lf |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, lf)) << 16 * i;
		b.dot |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, dot)) << 16 * i;
		all = _mm_or_si128(all, v);
		least = _mm_min_epu8(least, v);
	}
	b.nul = _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
	b.high = _mm_movemask_epi8(all) != 0;
	return b;
}

#define WIDE __attribute__((target("avx2,bmi")))

WIDE static inline __attribute__((always_inline)) uint64_t
where(__m256i low, __m256i high, char c)
{
	const __m256i all = _mm256_set1_epi8(c);

	return (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, all)) << 32 |
	       (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, all));
}

WIDE static inline __attribute__((always_inline)) struct block
look_by_32(const char *at)
{
	__m256i	     low = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i	     high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
	__m256i	     nul = _mm256_cmpeq_epi8(_mm256_min_epu8(low, high), _mm256_setzero_si256());

	return (struct block){ .cr = where(low, high, '\r'), .lf = where(low, high, '\n'),
			       .dot = where(low, high, '.'), .nul = _mm256_movemask_epi8(nul) != 0,
			       .high = _mm256_movemask_epi8(_mm256_or_si256(low, high)) != 0 };
}

/* Octets in whole blocks that are sound, from LINE_START or IN_LINE; the state is that behind them. */
static inline __attribute__((always_inline)) size_t
run(struct smtp_data *d, const char *at, size_t len, enum dots dots, look_at *look)
{
	uint64_t after_cr = 0, after_lf = d->state == LINE_START; /* of the block before: its last octet */
	uint64_t line_len = d->line_len, line_max = d->line_max;
	bool	 high = false;
	size_t	 n = 0;

	if (line_max < 64) /* a line inside of a block could be too long */
		return 0;
	for (; len - n >= 64; n += 64) {
		struct block b = look(at + n);
		uint64_t     ends = b.cr | b.lf;

		if (b.nul || b.lf != (b.cr << 1 | after_cr))
			break;
		if (b.dot & (b.lf << 1 | after_lf)) {
			if (dots == DOTS_STOP)
				break;
			d->flags |= SMTP_DATA_DOT;
		}
		high |= b.high;
		after_cr = b.cr >> 63;
		after_lf = b.lf >> 63;
		if (UNLIKELY(line_len + 64 > line_max) &&
		    line_len + (unsigned)(ends ? __builtin_ctzll(ends) : 64) > line_max)
			note(d, SMTP_DATA_LONG_LINE);
		line_len = (b.lf ? (unsigned)__builtin_clzll(b.lf) : line_len + 64) - after_cr;
	}
	if (n == 0)
		return 0;
	if (high)
		d->flags |= SMTP_DATA_8BIT;
	d->line_len = line_len;
	d->state = after_cr ? AFTER_CR : after_lf ? LINE_START : IN_LINE;
	return n;
}

WIDE static size_t
run_by_32(struct smtp_data *d, const char *at, size_t len, enum dots dots)
{
	return run(d, at, len, dots, look_by_32);
}

static size_t
run_by_16(struct smtp_data *d, const char *at, size_t len, enum dots dots)
{
	return run(d, at, len, dots, look_by_16);
}

static bool wide; /* has the processor what run_by_32() needs? */

__attribute__((constructor)) static void
ask_processor(void)
{
	__builtin_cpu_init();
	wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

static size_t
sound_run(struct smtp_data *d, const char *at, size_t len, enum dots dots)
{
	return wide ? run_by_32(d, at, len, dots) : run_by_16(d, at, len, dots);
}
#else
static size_t
sound_run(struct smtp_data *d, const char *at, size_t len, enum dots dots)
{
	(void)d, (void)at, (void)len, (void)dots;
	return 0;
}
#endif

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
		char   c = rest->data[at];
		size_t sound = d->state <= IN_LINE ? sound_run(d, rest->data + at, rest->len - at, DOTS_STOP) : 0;

		if (sound) {
			at += sound;
			continue;
		}
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
		size_t sound = d->state <= IN_LINE ?
				       sound_run(d, bytes.data + at, bytes.len - at, DOTS_ARE_TEXT) : 0;

		if (sound) {
			at += sound;
			continue;
		}
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
