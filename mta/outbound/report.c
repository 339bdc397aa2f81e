/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report is 7-bit unless what it must carry is not: a sender with UTF-8 in his address makes it an internationalised one
 * (RFC 6533: message/global-delivery-status, sent with SMTPUTF8), a returned text with octets above 127 makes it 8bit.  A
 * sender with an ASCII address must hear of recipients that have none also where no host on the way to him takes
 * SMTPUTF8, so their addresses are written in ASCII (RFC 6533 section 3).  A text declared binary is never returned,
 * only its header section.
 *
 * The boundary holds the report's own id, made of chance: no returned text can contain it by intent.
 */
#include "mta/outbound/report.h"

#include <errno.h>
#include <stdarg.h>

#include "core/utf8.h"
#include "mta/outbound/limits.h"
#include "mta/smtp/parameters.h"
#include "mta/smtp/trace.h"

struct writer {
	char  *data;
	size_t len, cap;
	bool   failed;
};

static bool
room(struct writer *w, size_t len)
{
	size_t cap = w->cap ? w->cap : 4096;
	char  *data;

	if (w->failed)
		return false;
	if (w->len + len <= w->cap)
		return true;
	while (cap < w->len + len)
		cap *= 2;
	data = realloc(w->data, cap);
	if (data == NULL) {
		w->failed = true;
		return false;
	}
	w->data = data;
	w->cap = cap;
	return true;
}

static void
put(struct writer *w, struct span bytes)
{
	if (bytes.len == 0 || !room(w, bytes.len))
		return;
	memcpy(w->data + w->len, bytes.data, bytes.len);
	w->len += bytes.len;
}

/* For our own words and numbers; nothing of unknown length goes through it. */
static void PRINTF_LIKE(2, 3)
say(struct writer *w, const char *format, ...)
{
	char	line[512];
	va_list args;
	int	len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	INVARIANT(len >= 0 && (size_t)len < sizeof(line));
	put(w, span_make(line, (size_t)len));
}

/* --- words from outside ------------------------------------------------------------------------------------ */

static bool
has_high(struct span s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return all >= 0x80;
}

/* Controls become spaces; what is no UTF-8, or has no place here because the report has none, becomes "?". */
static void
put_clean(struct writer *w, struct span s, bool utf8)
{
	if (!room(w, s.len))
		return;
	for (size_t n; s.len; s = span_from(s, n)) {
		unsigned char c = (unsigned char)s.data[0];

		n = MAX_OF(utf8_length(s), (size_t)1);
		if (n > 1 && utf8) {
			memcpy(w->data + w->len, s.data, n);
			w->len += n;
			continue;
		}
		w->data[w->len++] = (char)(c >= 0x80 ? '?' : c < 0x20 || c == 0x7f ? ' ' : c);
	}
}

/* At most max octets, and no part of a character. */
static struct span
cut(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max && ((unsigned char)s.data[max] & 0xc0) == 0x80)
		max--;
	return span_first(s, max);
}

static bool
is_blank(char c)
{
	return (unsigned char)c <= 0x20 || c == 0x7f;
}

/*
 * Words after a field's name, folded to lines of 76 octets or so.  Between two words there is one space, whatever there was: a
 * line of nothing but spaces would end the field, and for some readers the whole group of fields.
 */
static void
put_folded(struct writer *w, size_t column, struct span s, bool utf8)
{
	enum { WIDTH = 76 };

	for (;;) {
		size_t word = 0;

		while (s.len && is_blank(s.data[0]))
			s = span_from(s, 1);
		while (word < s.len && !is_blank(s.data[word]))
			word++;
		if (word == 0)
			return;
		if (column > 1 && column + 1 + word > WIDTH) {
			put(w, SPAN_LITERAL("\r\n"));
			column = 0;
		}
		put(w, SPAN_LITERAL(" "));
		put_clean(w, span_first(s, word), utf8);
		column += 1 + word;
		s = span_from(s, word);
	}
}

enum { ADDRESS_WIDTH = 900 }; /* octets of an address in a line; cut */

_Static_assert((int)REPORT_DIAGNOSTIC_MAX + 100 < 998 && (int)ADDRESS_WIDTH + 50 < 998,
	       "a word of that length fits a line (RFC 5322 section 2.1.1)");

/* One of type utf-8.  plain: as in an envelope, not encoded before (smtp_utf8_ascii). */
static void
put_address(struct writer *w, struct span s, bool plain, bool utf8)
{
	char ascii[ADDRESS_WIDTH];

	if (!utf8 && has_high(s))
		s = span_make(ascii, smtp_utf8_ascii(s, plain, ascii, sizeof(ascii)));
	put_clean(w, cut(s, ADDRESS_WIDTH), utf8);
}

/* xtext (RFC 3461 section 4) as it was meant. */
static struct span
meant_by(struct span s, char decoded[static SMTP_ORCPT_MAX])
{
	if (s.len > SMTP_ORCPT_MAX || !smtp_xtext_valid(s))
		return s;
	return span_make(decoded, smtp_xtext_decode(s, decoded));
}

/* --- the parts ---------------------------------------------------------------------------------------------- */

struct shape {
	bool utf8;	/* the sender's address needs it */
	bool high;	/* the returned text has octets above 127 */
	bool whole;	/* the text is returned, not just its header section */
	struct span returned;
	char boundary[ID_TEXT_LEN + 16];
};

/* Fit to be part of a text of lines: what was declared binary may hold anything. */
static bool
is_line(struct span line)
{
	return line.len >= 2 && line.len <= 1000 && line.data[line.len - 2] == '\r' &&
	       span_find(line, '\r') == line.len - 2 && memchr(line.data, 0, line.len) == NULL;
}

/* The header section with its line ends, or as many of its lines as fit; nothing behind a line that is none. */
static struct span
header_of(struct span text, uint64_t max)
{
	size_t end = 0;

	for (size_t at = 0; at < text.len && at < max;) {
		struct span rest = span_from(text, at);
		size_t	    line = span_find(rest, '\n') + 1;

		if (line > rest.len || at + line > max)
			break;
		if (line == 2 || !is_line(span_first(rest, line)))
			break;
		at += line;
		end = at;
	}
	return span_first(text, end);
}

static void
shape_find(const struct report *r, struct shape *shape)
{
	const struct envelope *e = r->envelope;
	bool		       failed = false;
	char		       id[ID_TEXT_LEN + 1];

	shape->utf8 = has_high(e->sender);
	for (unsigned i = 0; i < r->count; i++)
		failed = failed || r->recipients[i].action == REPORT_FAILED;
	shape->whole = failed && !(e->flags & (ENVELOPE_RET_HEADERS | ENVELOPE_BINARY)) && !r->text_damaged &&
		       r->text.len == e->body_octets && e->body_octets <= r->text_max;
	shape->returned = r->text_damaged ? span_make("", 0)
			  : shape->whole  ? r->text
					  : header_of(r->text, r->text_max);
	shape->high = has_high(shape->returned);
	(void)snprintf(shape->boundary, sizeof(shape->boundary), "report-%s", id_format(r->id, id));
}

static void
put_header(struct writer *w, const struct report *r, const struct shape *shape)
{
	enum report_action first = r->recipients[0].action;
	bool		   mixed = false;
	char		   date[SMTP_DATE_MAX], id[ID_TEXT_LEN + 1];

	for (unsigned i = 1; i < r->count; i++)
		mixed = mixed || r->recipients[i].action != first;
	say(w, "Date: %s\r\nFrom: Mail Delivery System <MAILER-DAEMON@", smtp_date(r->now_ms / 1000, date));
	put_clean(w, r->hostname, false);
	put(w, SPAN_LITERAL(">\r\nTo: <"));
	put_clean(w, r->envelope->sender, shape->utf8);
	say(w, ">\r\nSubject: %s\r\nMessage-ID: <%s@",
	    mixed		    ? "Delivery status of your message"
	    : first == REPORT_FAILED  ? "Undelivered mail returned to sender"
	    : first == REPORT_DELAYED ? "Delayed mail: still being tried"
				      : "Your message was passed on",
	    id_format(r->id, id));
	put_clean(w, r->hostname, false);
	say(w,
	    ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n\tboundary=\"%s\"\r\n",
	    shape->utf8 ? "global-" : "", shape->boundary);
	say(w, "Content-Transfer-Encoding: %s\r\n\r\nThis is a MIME-encapsulated message.\r\n\r\n",
	    shape->utf8 || shape->high ? "8bit" : "7bit");
}

static void
put_sentences(struct writer *w, const struct report *r, const struct shape *shape)
{
	static const char *const introductions[] = {
		[REPORT_FAILED] = "could not be delivered to:",
		[REPORT_DELAYED] = "has not been delivered yet, and will be tried again, to:",
		[REPORT_RELAYED] = "was passed on to a server that sends no notice of delivery, to:",
	};
	char	    id[ID_TEXT_LEN + 1];
	const char *charset = shape->utf8 ? "utf-8" : "us-ascii";

	say(w, "--%s\r\nContent-Type: text/plain; charset=%s\r\n", shape->boundary, charset);
	say(w, "Content-Transfer-Encoding: %s\r\n\r\nThis is the mail system at ", shape->utf8 ? "8bit" : "7bit");
	put_clean(w, r->hostname, false);
	say(w, ".\r\n");
	for (enum report_action action = REPORT_FAILED; action <= REPORT_RELAYED; action++) {
		bool said = false;

		for (unsigned i = 0; i < r->count; i++) {
			const struct report_recipient *to = &r->recipients[i];

			if (to->action != action)
				continue;
			if (!said)
				say(w, "\r\nYour message %s\r\n", introductions[action]);
			said = true;
			put(w, SPAN_LITERAL("\r\n  <"));
			put_address(w, to->recipient->address, true, shape->utf8);
			put(w, SPAN_LITERAL(">\r\n"));
			if (to->expired)
				put(w, SPAN_LITERAL("   It was tried for as long as we keep mail.  The last answer:\r\n"));
			if (to->outcome->host.len) {
				put(w, SPAN_LITERAL("  "));
				put_folded(w, 2, cut(to->outcome->host, DELIVERY_HOST_MAX), shape->utf8);
				say(w, to->outcome->code ? " said:\r\n" : ":\r\n");
			}
			put(w, SPAN_LITERAL("   "));
			if (to->outcome->code)
				say(w, " %u", to->outcome->code);
			put_folded(w, 8, cut(to->outcome->text, REPORT_DIAGNOSTIC_MAX), shape->utf8);
			put(w, SPAN_LITERAL("\r\n"));
		}
	}
	say(w, "\r\nWe know your message as %s.\r\n", id_format(r->envelope->id, id));
	say(w, "%s\r\n\r\n",
	    r->text_damaged ? "It could not be read back and is not returned."
	    : shape->whole  ? "It is attached."
			    : "Its header section is attached.");
}

static void
put_original_recipient(struct writer *w, struct span orcpt, bool utf8)
{
	size_t	    semicolon = span_find(orcpt, ';');
	struct span type = span_first(orcpt, semicolon), address;
	char	    decoded[SMTP_ORCPT_MAX];

	if (semicolon == orcpt.len)
		return;
	address = meant_by(span_from(orcpt, semicolon + 1), decoded);
	put(w, SPAN_LITERAL("Original-Recipient: "));
	put_clean(w, type, false);
	put(w, SPAN_LITERAL("; "));
	if (span_equal_nocase(type, SPAN_LITERAL("utf-8")))
		put_address(w, address, false, utf8);
	else
		put_clean(w, address, utf8);
	put(w, SPAN_LITERAL("\r\n"));
}

static void
put_recipient(struct writer *w, const struct report *r, const struct report_recipient *to, bool utf8)
{
	static const char *const actions[] = { "failed", "delayed", "relayed" };
	const struct outcome	*o = to->outcome;
	bool			 high = has_high(to->recipient->address);
	struct smtp_enhanced	 status = to->expired ? (struct smtp_enhanced){ 4, 4, 7 } : o->status;
	char			 text[OUTCOME_STATUS_TEXT_MAX], date[SMTP_DATE_MAX];

	put(w, SPAN_LITERAL("\r\n"));
	put_original_recipient(w, to->recipient->orcpt, utf8);
	say(w, "Final-Recipient: %s; ", high ? "utf-8" : "rfc822");
	put_address(w, to->recipient->address, true, utf8);
	say(w, "\r\nAction: %s\r\nStatus: %s\r\n", actions[to->action], outcome_status_format(status, text));
	if (o->host.len) {
		put(w, SPAN_LITERAL("Remote-MTA: dns; "));
		put_clean(w, span_first(o->host, span_find(o->host, ' ')), false);
		put(w, SPAN_LITERAL("\r\n"));
	}
	if (o->code || o->text.len) {
		/* The peer's words as SMTP when a peer spoke, else ours. */
		put(w, SPAN_LITERAL("Diagnostic-Code: "));
		say(w, o->code ? "smtp; %u" : "x-ringpost;", o->code);
		put_folded(w, 28, cut(o->text, REPORT_DIAGNOSTIC_MAX), utf8);
		put(w, SPAN_LITERAL("\r\n"));
	}
	say(w, "Last-Attempt-Date: %s\r\n", smtp_date(r->now_ms / 1000, date));
	if (to->action == REPORT_DELAYED)
		say(w, "Will-Retry-Until: %s\r\n", smtp_date(r->retry_until_ms / 1000, date));
}

static void
put_status(struct writer *w, const struct report *r, const struct shape *shape)
{
	const struct envelope *e = r->envelope;
	char		       date[SMTP_DATE_MAX], id[ID_TEXT_LEN + 1], decoded[SMTP_ORCPT_MAX];

	say(w, "--%s\r\nContent-Type: message/%sdelivery-status\r\n", shape->boundary, shape->utf8 ? "global-" : "");
	if (shape->utf8)
		say(w, "Content-Transfer-Encoding: 8bit\r\n");
	say(w, "\r\nReporting-MTA: dns; ");
	put_clean(w, r->hostname, false);
	put(w, SPAN_LITERAL("\r\n"));
	if (e->envid.len) {
		put(w, SPAN_LITERAL("Original-Envelope-Id: "));
		put_clean(w, meant_by(e->envid, decoded), false);
		put(w, SPAN_LITERAL("\r\n"));
	}
	say(w, "X-Ringpost-Id: %s\r\nArrival-Date: %s\r\n", id_format(e->id, id),
	    smtp_date(e->accepted_ms / 1000, date));
	for (unsigned i = 0; i < r->count; i++)
		put_recipient(w, r, &r->recipients[i], shape->utf8);
	put(w, SPAN_LITERAL("\r\n"));
}

static void
put_returned(struct writer *w, const struct report *r, const struct shape *shape)
{
	struct span text = shape->returned;
	const char *type;

	if (r->text_damaged)
		return;
	if (r->envelope->flags & ENVELOPE_SMTPUTF8 && shape->high)
		type = shape->whole ? "message/global" : "message/global-headers";
	else
		type = shape->whole ? "message/rfc822" : "text/rfc822-headers";
	say(w, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", shape->boundary, type,
	    shape->high ? "8bit" : "7bit");
	put(w, text);
	/* What ends in a line end keeps it: the one in front of the boundary is the boundary's (RFC 2046 section 5.1.1). */
	put(w, SPAN_LITERAL("\r\n"));
}

static bool
begins_a_line(const struct writer *w, char c)
{
	for (const char *at = w->data, *end = w->data + w->len; at < end; at++) {
		if (*at == c)
			return true;
		at = memchr(at, '\n', (size_t)(end - at));
		if (at == NULL)
			return false;
	}
	return false;
}

int
report_write(const struct report *r, struct report_text *out)
{
	struct writer w = { 0 };
	struct shape  shape;

	INVARIANT(r->count > 0 && r->envelope->sender.len > 0);
	shape_find(r, &shape);
	put_header(&w, r, &shape);
	put_sentences(&w, r, &shape);
	put_status(&w, r, &shape);
	put_returned(&w, r, &shape);
	say(&w, "--%s--\r\n", shape.boundary);
	if (w.failed) {
		free(w.data);
		return -ENOMEM;
	}
	*out = (struct report_text){ .data = w.data, .len = w.len, .flags = ENVELOPE_REPORT };
	if (begins_a_line(&w, '.'))
		out->flags |= ENVELOPE_DOT;
	if (has_high(span_make(w.data, w.len)))
		out->flags |= ENVELOPE_8BIT | ENVELOPE_8BIT_TEXT;
	if (shape.utf8)
		out->flags |= ENVELOPE_SMTPUTF8;
	return 0;
}
