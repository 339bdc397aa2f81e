/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a server's reply.  The first one tells in steps of how many the rest arrives: the result is the same as at
 * once, and what is kept of it is printable and within its bounds.  Then the same octets as the text of a reply of
 * ours, which reads back as one reply.
 */
#include "mta/smtp/reply.h"

#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum smtp_reply_result
feed(struct smtp_reply *r, struct smtp_offers *offers, struct span bytes, size_t step, size_t *total)
{
	enum smtp_reply_result got = SMTP_REPLY_MORE;

	smtp_reply_begin(r, offers);
	*total = 0;
	while (bytes.len && got == SMTP_REPLY_MORE) {
		size_t	    used = 0;
		struct span piece = span_first(bytes, step);

		got = smtp_reply_feed(r, piece, &used);
		INVARIANT(used <= piece.len && (got != SMTP_REPLY_MORE || used == piece.len));
		*total += used;
		bytes = span_from(bytes, used);
	}
	return got;
}

static void
check_kept(const struct smtp_reply *r)
{
	INVARIANT(r->code >= 200 && r->code <= 599);
	INVARIANT(r->text_len <= SMTP_REPLY_TEXT_MAX && utf8_valid(span_make(r->text, r->text_len)));
	for (size_t i = 0; i < r->text_len; i++)
		INVARIANT((unsigned char)r->text[i] >= 0x20 && r->text[i] != 0x7f);
	INVARIANT(r->lines >= 1 && r->lines <= SMTP_REPLY_LINES_MAX && r->octets <= SMTP_REPLY_OCTETS_MAX);
	INVARIANT(r->enhanced.class == 0 || r->enhanced.class == r->code / 100);
	INVARIANT(r->enhanced.subject <= 999 && r->enhanced.detail <= 999);
}

static void
check_same(const struct smtp_reply *a, const struct smtp_reply *b)
{
	INVARIANT(a->code == b->code && a->lines == b->lines && a->octets == b->octets);
	INVARIANT(a->enhanced.class == b->enhanced.class && a->enhanced.subject == b->enhanced.subject &&
		  a->enhanced.detail == b->enhanced.detail);
	INVARIANT(span_equal(span_make(a->text, a->text_len), span_make(b->text, b->text_len)));
}

static void
check_written(struct span text)
{
	static struct smtp_reply r;
	char			 line[SMTP_REPLY_LINE_MAX];
	size_t			 n = smtp_reply_write(line, 550, "5.7.1", text), total;

	INVARIANT(n <= sizeof(line));
	INVARIANT(feed(&r, NULL, span_make(line, n), n, &total) == SMTP_REPLY_DONE && total == n);
	INVARIANT(r.code == 550 && r.enhanced.class == 5 && r.enhanced.subject == 7 && r.lines == 1);
	n = smtp_reply_write_line(line, 250, true, text);
	INVARIANT(n <= sizeof(line) && feed(&r, NULL, span_make(line, n), n, &total) == SMTP_REPLY_MORE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smtp_reply whole, cut;
	struct smtp_offers	 offers, offers_cut;
	enum smtp_reply_result	 result;
	size_t			 total, total_cut;
	struct span		 bytes;
	char			*copy;

	if (size == 0)
		return 0;
	copy = malloc(size - 1 ? size - 1 : 1); /* of exact size: reading one more octet is seen */
	INVARIANT(copy);
	memcpy(copy, data + 1, size - 1);
	bytes = span_make(copy, size - 1);
	result = feed(&whole, &offers, bytes, bytes.len, &total);
	INVARIANT(feed(&cut, &offers_cut, bytes, data[0] % 32 + 1, &total_cut) == result && total == total_cut);
	if (result == SMTP_REPLY_DONE) {
		check_kept(&whole);
		check_same(&whole, &cut);
		INVARIANT(offers.bits == offers_cut.bits && offers.size_max == offers_cut.size_max);
		INVARIANT(offers.recipients_max == offers_cut.recipients_max &&
			  offers.transactions_max == offers_cut.transactions_max);
	}
	check_written(bytes);
	free(copy);
	return 0;
}
