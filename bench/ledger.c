/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are made and read by hand rather than through printf and scanf: a sink that answers sixty
 * thousand messages a second would otherwise spend more on its ledger than on its mail.
 */
#include "bench/ledger.h"

static const char *const kind_words[LEDGER_KIND_COUNT] = {
#define X(id, word) word,
	LEDGER_LINES(X)
#undef X
};

const char *
ledger_kind_word(enum ledger_kind kind)
{
	return kind_words[kind];
}

static bool
decimal_parse(struct span s, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 19)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.data[i] - '0');
	}
	*out = n;
	return true;
}

static bool
hex_parse(struct span s, uint32_t *out)
{
	uint32_t n = 0;

	if (s.len != 8)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

static bool
key_set(struct ledger_line *line, struct span key, struct span value)
{
	uint64_t n;

#define IS(word) span_equal(key, SPAN_LITERAL(word))
	if (IS("id"))
		line->id = value;
	else if (IS("rcpt"))
		line->rcpt = value;
	else if (IS("refused"))
		line->refused = value;
	else if (IS("from"))
		line->from = value;
	else if (IS("queue"))
		line->queue = value;
	else if (IS("at"))
		line->at = value;
	else if (IS("file"))
		line->file = value;
	else if (IS("answered"))
		line->unanswered = span_equal(value, SPAN_LITERAL("no"));
	else if (IS("crc"))
		return hex_parse(value, &line->crc);
	else if (IS("size"))
		return decimal_parse(value, &line->size);
	else if (IS("time") || IS("code")) {
		if (!decimal_parse(value, &n))
			return false;
		if (IS("time"))
			line->time_ms = (int64_t)n;
		else
			line->code = (unsigned)n;
	}
#undef IS
	return true;
}

enum ledger_result
ledger_parse(struct span text, struct ledger_line *out)
{
	struct ledger_line line = { .kind = LEDGER_KIND_COUNT };
	size_t len;

	if (text.len == 0 || text.data[0] == '#')
		return LEDGER_SKIP;
	len = span_find(text, ' ');
	for (unsigned i = 0; i < LEDGER_KIND_COUNT; i++) {
		if (span_equal(span_first(text, len), span_of(kind_words[i])))
			line.kind = (enum ledger_kind)i;
	}
	if (line.kind == LEDGER_KIND_COUNT)
		return LEDGER_BROKEN;
	while (len < text.len) {
		struct span word, key;

		text = span_from(text, len + 1);
		len = span_find(text, ' ');
		word = span_first(text, len);
		key = span_first(word, span_find(word, '='));
		if (key.len == word.len || !key_set(&line, key, span_from(word, key.len + 1)))
			return LEDGER_BROKEN;
	}
	/* The time is written last: a line without it was torn. */
	if (line.id.len == 0 || line.time_ms == 0)
		return LEDGER_BROKEN;
	*out = line;
	return LEDGER_OK;
}

bool
ledger_next_address(struct span *list, struct span *address)
{
	size_t len;

	if (list->len == 0)
		return false;
	len = span_find(*list, ',');
	*address = span_first(*list, len);
	*list = span_from(*list, len + 1);
	return true;
}

/* --- writing ---------------------------------------------------------------------------------- */

static char *
room_make(struct ledger_text *t, size_t more)
{
	if (t->cap - t->len < more) {
		size_t cap = MAX_OF(t->cap * 2, t->len + more + 4096);
		char *data = realloc(t->data, cap);

		/* A ledger with a hole would accuse the wrong party. */
		if (!data) {
			(void)fprintf(stderr, "ringpost-bench: no memory for the ledger\n");
			exit(1);
		}
		t->data = data;
		t->cap = cap;
	}
	return t->data + t->len;
}

void
ledger_put(struct ledger_text *t, struct span raw)
{
	char *at = room_make(t, raw.len);

	if (raw.len)
		memcpy(at, raw.data, raw.len);
	t->len += raw.len;
}

void
ledger_put_uint(struct ledger_text *t, uint64_t n)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	ledger_put(t, span_make(digits + at, sizeof(digits) - at));
}

static void
put_escaped(struct ledger_text *t, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";
	char *at = room_make(t, s.len * 3);

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c <= ' ' || c >= 0x7f || c == ',' || c == '%') {
			*at++ = '%';
			*at++ = hex[c >> 4];
			*at++ = hex[c & 15];
		} else {
			*at++ = (char)c;
		}
	}
	t->len = (size_t)(at - t->data);
}

static void
put_key(struct ledger_text *t, const char *key)
{
	ledger_put(t, SPAN_LITERAL(" "));
	ledger_put(t, span_of(key));
	ledger_put(t, SPAN_LITERAL("="));
}

void
ledger_put_key(struct ledger_text *t, const char *key, struct span value)
{
	put_key(t, key);
	put_escaped(t, value);
}

void
ledger_put_key_uint(struct ledger_text *t, const char *key, uint64_t n)
{
	put_key(t, key);
	ledger_put_uint(t, n);
}

void
ledger_put_address(struct ledger_text *t, bool first, struct span address)
{
	if (!first)
		ledger_put(t, SPAN_LITERAL(","));
	put_escaped(t, address);
}

void
ledger_put_begin(struct ledger_text *t, enum ledger_kind kind, struct span id, uint64_t size, uint32_t crc)
{
	static const char hex[] = "0123456789abcdef";
	char digits[8];

	for (unsigned i = 0; i < 8; i++)
		digits[i] = hex[crc >> (28 - 4 * i) & 15];
	ledger_put(t, span_of(kind_words[kind]));
	ledger_put_key(t, "id", id.len ? id : SPAN_LITERAL("-"));
	ledger_put_key_uint(t, "size", size);
	put_key(t, "crc");
	ledger_put(t, span_make(digits, sizeof(digits)));
}

void
ledger_put_end(struct ledger_text *t, int64_t wall_ns)
{
	ledger_put_key_uint(t, "time", (uint64_t)(wall_ns / 1000000));
	ledger_put(t, SPAN_LITERAL("\n"));
}
