/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as what a client says.  The first one tells in steps of how many the rest arrives: lines are found the same
 * as when all arrives at once, no more than the limit is kept, and what is made of a line lies inside it.
 */
#include "mta/smtp/command.h"

#include "mta/smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 600 };

static char *
exact_copy(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1); /* reading one more octet is seen */

	INVARIANT(copy);
	if (s.len)
		memcpy(copy, s.data, s.len);
	return copy;
}

static void
check_inside(struct span part, struct span line)
{
	if (part.len == 0)
		return;
	INVARIANT(part.data >= line.data && part.data + part.len <= line.data + line.len);
	for (size_t i = 0; i < part.len; i++)
		INVARIANT((unsigned char)part.data[i] >= 0x20 && part.data[i] != 0x7f);
}

static void
check_xtext(struct span text)
{
	char *decoded = malloc(text.len + 1), *encoded = malloc(3 * text.len + 1), *again = malloc(3 * text.len + 1);
	size_t n, m;

	INVARIANT(decoded && encoded && again && smtp_xtext_valid(text));
	n = smtp_xtext_decode(text, decoded);
	INVARIANT(n <= text.len);
	m = smtp_xtext_encode(span_make(decoded, n), encoded);
	INVARIANT(smtp_xtext_valid(span_make(encoded, m)));
	INVARIANT(span_equal(span_make(again, smtp_xtext_decode(span_make(encoded, m), again)), span_make(decoded, n)));
	free(decoded);
	free(encoded);
	free(again);
}

static void
check_line(struct span borrowed)
{
	char		   *copy = exact_copy(borrowed);
	struct span	    line = span_make(copy, borrowed.len);
	struct smtp_command c;

	switch (smtp_command_parse(line, &c)) {
	case SMTP_COMMAND_UNKNOWN:
	case SMTP_COMMAND_FOREIGN:
		INVARIANT(c.verb == SMTP_VERB_COUNT);
		break;
	case SMTP_COMMAND_OK:
		INVARIANT(c.verb < SMTP_VERB_COUNT);
		check_inside(c.path.mailbox, line);
		INVARIANT(c.path.local.len <= SMTP_LOCAL_MAX && c.path.domain.len <= SMTP_DOMAIN_MAX);
		if (c.verb == SMTP_VERB_MAIL) {
			check_inside(c.mail.envid, line);
			check_xtext(c.mail.envid);
		}
		if (c.verb == SMTP_VERB_RCPT) {
			check_inside(c.rcpt.orcpt, line);
			INVARIANT(c.path.mailbox.len && c.rcpt.orcpt.len <= SMTP_ORCPT_MAX && c.rcpt.notify < 16);
		}
		break;
	case SMTP_COMMAND_NO_ARGUMENT:
	case SMTP_COMMAND_EXTRA_ARGUMENT:
	case SMTP_COMMAND_BAD_NAME:
	case SMTP_COMMAND_BAD_FORM:
	case SMTP_COMMAND_BAD_SENDER:
	case SMTP_COMMAND_BAD_RECIPIENT:
	case SMTP_COMMAND_LONG_SENDER:
	case SMTP_COMMAND_LONG_RECIPIENT:
	case SMTP_COMMAND_BAD_PARAMETER:
	case SMTP_COMMAND_UNKNOWN_PARAMETER:
		INVARIANT(c.verb < SMTP_VERB_COUNT);
		break;
	case SMTP_COMMAND_RESULT_COUNT:
		INVARIANT(false);
	}
	free(copy);
}

/* The next line of bytes, of which *shown have arrived. */
static enum smtp_line_result
next_line(struct span bytes, size_t step, size_t *from, size_t *shown, struct span *line)
{
	struct smtp_line_reader reader = { 0 };
	enum smtp_line_result	got;
	size_t			used;

	for (;;) {
		got = smtp_line_next(&reader, span_make(bytes.data + *from, *shown - *from), LIMIT, line, &used);
		INVARIANT(used <= *shown - *from);
		*from += used;
		if (got != SMTP_LINE_MORE)
			return got;
		INVARIANT(*shown - *from < LIMIT);
		if (*shown == bytes.len)
			return got;
		*shown = MIN_OF(*shown + step, bytes.len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy;
	struct span bytes, line, other;
	size_t	    step, from = 0, shown, from_cut = 0, shown_cut = 0;

	if (size == 0)
		return 0;
	step = data[0] % 32 + 1;
	copy = exact_copy(span_make(data + 1, size - 1));
	bytes = span_make(copy, size - 1);
	shown = bytes.len;
	for (;;) {
		enum smtp_line_result whole = next_line(bytes, bytes.len, &from, &shown, &line);

		INVARIANT(next_line(bytes, step, &from_cut, &shown_cut, &other) == whole);
		if (whole == SMTP_LINE_MORE)
			break;
		INVARIANT(from == from_cut);
		if (whole != SMTP_LINE_OK)
			continue;
		INVARIANT(span_equal(line, other) && line.len + 2 <= LIMIT);
		INVARIANT(span_find(line, '\r') == line.len && span_find(line, '\n') == line.len);
		check_line(line);
	}
	free(copy);
	return 0;
}
