/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names of the settings and of the questions asked about them, in the one form that all comparing is done in:
 * lower case, A-labels, no final dot.
 *
 * Nearly all names are ASCII already and take the short way, which allocates nothing: one runs for each recipient.
 * Only the others go through libidn2 (UTS 46 mapping, IDNA 2008), whose strictness about hyphens in the third
 * and fourth place must not meet ASCII names: r3---sn.example.net is a host like others.
 */
#include "mta/settings_internal.h"

#include <idn2.h>

enum {
	NAME_MAX_OCTETS = 253, /* in text without the final dot: RFC 1035 section 2.3.4 allows 255 in wire form */
	LABEL_MAX_OCTETS = 63,
};

/* Letters, digits and inner hyphens (RFC 1123 section 2.1), made lower case; *out lies in plain. */
static bool
ascii_plain(struct span text, char plain[static SETTINGS_DOMAIN_MAX], struct span *out)
{
	size_t label = 0; /* octets of the one at hand */

	if (text.len == 0 || text.len > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '.') {
			if (label == 0 || plain[i - 1] == '-')
				return false;
			label = 0;
			plain[i] = c;
			continue;
		}
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && label)))
			return false;
		if (++label > LABEL_MAX_OCTETS)
			return false;
		plain[i] = c;
	}
	if (label == 0 || plain[text.len - 1] == '-')
		return false;
	*out = span_make(plain, text.len);
	return true;
}

static bool
is_ascii(struct span text)
{
	unsigned char all = 0;

	for (size_t i = 0; i < text.len; i++)
		all |= (unsigned char)text.data[i];
	return all < 0x80;
}

bool
settings_domain_plain(struct span text, char plain[static SETTINGS_DOMAIN_MAX], struct span *out)
{
	/* A character of four octets may become one of an A-label; more cannot be a name. */
	char given[4 * SETTINGS_DOMAIN_MAX], *form = NULL;
	bool good;

	if (is_ascii(text))
		return ascii_plain(text, plain, out);
	if (text.len >= sizeof(given) || memchr(text.data, 0, text.len))
		return false;
	memcpy(given, text.data, text.len);
	given[text.len] = 0;
	if (idn2_to_ascii_8z(given, &form, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return false;
	good = ascii_plain(span_of(form), plain, out);
	idn2_free(form);
	return good;
}

bool
settings_domain(struct span text, struct settings *s, struct span *out, struct settings_why *why)
{
	char	    plain[SETTINGS_DOMAIN_MAX], quoted[SETTINGS_QUOTE_MAX];
	struct span name;

	if (!settings_domain_plain(text, plain, &name)) {
		settings_because(why, "%s is not a domain name", settings_quote(text, quoted));
		return false;
	}
	*out = arena_copy(&s->arena, name);
	if (out->data == NULL)
		settings_because(why, "there is no memory for it");
	return out->data != NULL;
}
