/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/name.h"

/* The octet as it is kept, or 0 when it belongs to no label. */
static char
kept(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return c;
	return 0;
}

static bool
is_number(struct span label)
{
	for (size_t i = 0; i < label.len; i++)
		if (label.data[i] < '0' || label.data[i] > '9')
			return false;
	return true;
}

size_t
dns_name_read(struct span text, char out[static DNS_NAME_TEXT_MAX])
{
	size_t label = 0; /* where the one at hand begins */

	if (text.len && text.data[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len > DNS_NAME_TEXT_MAX)
		return 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i == text.len || text.data[i] == '.') {
			if (i == label || i - label > DNS_LABEL_MAX)
				return 0;
			if (i == text.len)
				break;
			out[i] = '.';
			label = i + 1;
		} else if ((out[i] = kept(text.data[i])) == 0) {
			return 0;
		}
	}
	return is_number(span_make(out + label, text.len - label)) ? 0 : text.len;
}

size_t
dns_name_to_wire(struct span name, uint8_t out[static DNS_NAME_WIRE_MAX])
{
	size_t at = 0;

	INVARIANT(name.len <= DNS_NAME_TEXT_MAX);
	while (name.len) {
		size_t len = span_find(name, '.');

		INVARIANT(len >= 1 && len <= DNS_LABEL_MAX);
		out[at++] = (uint8_t)len;
		memcpy(out + at, name.data, len);
		at += len;
		name = span_from(name, len + 1);
	}
	out[at++] = 0;
	return at;
}

bool
dns_name_from_wire(struct span wire, char out[static DNS_NAME_TEXT_MAX], size_t *len)
{
	char   text[DNS_NAME_WIRE_MAX];
	size_t at = 0;

	*len = 0;
	if (wire.len == 0 || wire.len > DNS_NAME_WIRE_MAX)
		return false;
	if (wire.len == 1)
		return wire.data[0] == 0;
	/* Each length octet but the first becomes a dot; a dot inside a label would be taken for one, so it ends here. */
	for (size_t i = 0; i < wire.len && wire.data[i]; ) {
		size_t label = (unsigned char)wire.data[i++];

		if (label > DNS_LABEL_MAX || label >= wire.len - i || memchr(wire.data + i, '.', label))
			return false;
		if (at)
			text[at++] = '.';
		memcpy(text + at, wire.data + i, label);
		at += label;
		i += label;
	}
	*len = dns_name_read(span_make(text, at), out);
	return *len != 0;
}
