/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/reply.h"

#include "core/utf8.h"

enum { CAP_FIRST = 1024 };

static int
append(const char *bytes, size_t len, void *arg)
{
	struct reply *r = arg;
	size_t	      cap = r->cap ? r->cap : CAP_FIRST;
	char	     *text;

	if (r->failed)
		return -1;
	if (len == 0)
		return 0; /* from a buffer that was never made, perhaps */
	if (r->len + len > r->cap) {
		while (cap < r->len + len)
			cap *= 2;
		text = realloc(r->text, cap);
		if (text == NULL) {
			r->failed = true;
			return -1;
		}
		r->text = text;
		r->cap = cap;
	}
	memcpy(r->text + r->len, bytes, len);
	r->len += len;
	return 0;
}

static void
add_line(struct reply *r, json_t *line)
{
	if (line == NULL || json_dump_callback(line, append, r, JSON_COMPACT) < 0 || append("\n", 1, r) < 0)
		r->failed = true;
	json_decref(line);
}

void
reply_add(struct reply *r, const char *kind, json_t *body)
{
	/* json_pack() drops the reference to body whether it succeeds or not. */
	add_line(r, json_pack("{s:o}", kind, body));
}

void
reply_error(struct reply *r, const char *code, const char *why)
{
	add_line(r, json_pack("{s:s, s:o}", "error", code, "why", reply_text(span_of(why))));
}

void
reply_move(struct reply *to, struct reply *from)
{
	if (to->len == 0 && !from->failed) {
		free(to->text);
		*to = *from;
		*from = (struct reply){ 0 };
		return;
	}
	to->failed |= from->failed;
	(void)append(from->text, from->len, to); /* it marks to as failed */
	from->len = 0;
}

void
reply_reset(struct reply *r)
{
	free(r->text);
	*r = (struct reply){ 0 };
}

/* --- values ----------------------------------------------------------------------------------------------------- */

json_t *
reply_text(struct span text)
{
	struct reply clean = { 0 };
	json_t	    *value;

	if (utf8_valid(text))
		return json_stringn(text.len ? text.data : "", text.len);
	while (text.len && !clean.failed) {
		size_t n = utf8_length(text);

		(void)append(n ? text.data : "\xef\xbf\xbd", n ? n : 3, &clean); /* failure is in clean.failed */
		text = span_from(text, n ? n : 1);
	}
	value = clean.failed ? NULL : json_stringn(clean.text, clean.len);
	free(clean.text);
	return value;
}

json_t *
reply_id(struct id id)
{
	char text[ID_TEXT_LEN + 1];

	return json_string(id_format(id, text));
}

json_t *
reply_time(int64_t ms)
{
	return ms ? json_integer(ms) : json_null();
}
