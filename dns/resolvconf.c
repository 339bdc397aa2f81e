/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolvconf.h"

enum { PORT_DNS = 53 };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The first word of *line, which moves behind it. */
static struct span
next_word(struct span *line)
{
	size_t	    start = 0, end;
	struct span word;

	while (start < line->len && is_blank(line->data[start]))
		start++;
	end = start;
	while (end < line->len && !is_blank(line->data[end]))
		end++;
	word = span_make(line->data + start, end - start);
	*line = span_from(*line, end);
	return word;
}

unsigned
dns_resolvconf_read(struct span text, struct endpoint *out, unsigned max)
{
	unsigned count = 0;

	while (text.len && count < max) {
		struct span line = span_first(text, span_find(text, '\n')), word;

		text = span_from(text, line.len + 1);
		/* The keyword stands at the very beginning. */
		if (line.len == 0 || is_blank(line.data[0]))
			continue;
		word = next_word(&line);
		if (!span_equal(word, SPAN_LITERAL("nameserver")))
			continue;
		word = next_word(&line);
		/* A port belongs to other files; a zone, as in fe80::1%eth0, needs an interface's number that only the
		 * kernel knows. */
		if (endpoint_parse(word, 0, &out[count]) && out[count].port == 0) {
			out[count].port = PORT_DNS;
			count++;
		}
	}
	return count;
}

unsigned
dns_resolvconf_default(struct endpoint out[static 2])
{
	static const uint8_t ipv4[4] = { 127, 0, 0, 1 }, ipv6[16] = { [15] = 1 };

	out[0] = endpoint_from_ipv4(ipv4, PORT_DNS);
	out[1] = endpoint_from_ipv6(ipv6, PORT_DNS);
	return 2;
}
