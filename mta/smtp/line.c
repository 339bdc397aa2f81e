/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/line.h"

/* The line so far is dropped, but for a final CR, which may be half of its end. */
static enum smtp_line_result
no_end_yet(struct smtp_line_reader *r, struct span bytes, size_t max, size_t *used)
{
	if (bytes.len >= max) {
		r->overlong = true;
		*used = bytes.len - (bytes.data[bytes.len - 1] == '\r');
	}
	r->scanned = (uint32_t)(bytes.len - *used);
	return SMTP_LINE_MORE;
}

enum smtp_line_result
smtp_line_next(struct smtp_line_reader *r, struct span bytes, size_t max, struct span *line, size_t *used)
{
	struct smtp_line_reader was;
	size_t			at = r->scanned;

	*used = 0;
	*line = span_first(bytes, 0);
	for (;; at++) {
		at += span_find(span_from(bytes, at), '\n');
		if (at >= bytes.len)
			return no_end_yet(r, bytes, max, used);
		if (at > 0 && bytes.data[at - 1] == '\r')
			break;
		r->bare_lf = true;
	}
	*line = span_first(bytes, at - 1);
	*used = at + 1;
	was = *r;
	*r = (struct smtp_line_reader){ 0 };
	if (was.overlong || *used > max)
		return SMTP_LINE_TOO_LONG;
	if (was.bare_lf || span_find(*line, '\r') != line->len)
		return SMTP_LINE_BARE;
	return span_find(*line, 0) != line->len ? SMTP_LINE_NUL : SMTP_LINE_OK;
}
