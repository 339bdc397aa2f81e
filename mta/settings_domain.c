/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names of the settings, in the one form that all comparing is done in: lower case, A-labels, no final dot.
 */
#include "mta/settings_internal.h"

#include <idn2.h>

/* Letters, digits and hyphens inside each label (RFC 1123 section 2.1); lengths are libidn2's to check. */
static bool
host_syntax(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool first = i == 0 || name.data[i - 1] == '.', last = i + 1 == name.len || name.data[i + 1] == '.';

		if (c == '.' ? first : c == '-' ? first || last : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			return false;
	}
	return name.len && name.data[name.len - 1] != '.';
}

bool
settings_domain_plain(struct span text, char plain[static SETTINGS_DOMAIN_MAX], struct span *out)
{
	char   given[4 * SETTINGS_DOMAIN_MAX], *form = NULL;
	size_t len;

	if (text.len == 0 || text.len >= sizeof(given) || memchr(text.data, 0, text.len))
		return false;
	memcpy(given, text.data, text.len);
	given[text.len] = 0;
	if (idn2_to_ascii_8z(given, &form, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return false;
	len = strlen(form);
	if (len < SETTINGS_DOMAIN_MAX) {
		for (size_t i = 0; i <= len; i++)
			plain[i] = (char)(form[i] >= 'A' && form[i] <= 'Z' ? form[i] | 0x20 : form[i]);
		*out = span_make(plain, len);
	}
	idn2_free(form);
	return len < SETTINGS_DOMAIN_MAX - 2 && host_syntax(*out);
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
