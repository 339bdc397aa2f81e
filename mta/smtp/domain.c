/* SPDX-License-Identifier: Apache-2.0 */
/* Plain names, nearly all there are, are only put into lower case; libidn2 sees the others. */
#include "mta/smtp/domain.h"

#include <idn2.h>

#include "core/utf8.h"

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
in_label(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c >= 0x80;
}

static bool
label_valid(struct span label)
{
	bool plain = true;

	if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.data[i];

		if (!in_label(c))
			return false;
		plain &= c < 0x80;
	}
	return !plain || label.len <= SMTP_LABEL_MAX;
}

bool
smtp_domain_valid(struct span domain)
{
	if (domain.len == 0 || domain.len > SMTP_DOMAIN_MAX || !utf8_valid(domain))
		return false;
	for (;;) {
		size_t dot = span_find(domain, '.');

		if (!label_valid(span_first(domain, dot)))
			return false;
		if (dot == domain.len)
			return true;
		domain = span_from(domain, dot + 1);
	}
}

size_t
smtp_domain_length(struct span text)
{
	size_t n = 0;

	while (n < text.len && (in_label((unsigned char)text.data[n]) || text.data[n] == '.'))
		n++;
	return n;
}

static bool
is_plain(struct span domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if ((unsigned char)domain.data[i] >= 0x80)
			return false;
	return true;
}

struct span
smtp_domain_normal(struct span domain, char buffer[static SMTP_DOMAIN_MAX + 1])
{
	const struct span none = { buffer, 0 };
	char		 *made = NULL;
	size_t		  len;

	buffer[0] = 0;
	if (!smtp_domain_valid(domain))
		return none;
	memcpy(buffer, domain.data, domain.len);
	buffer[domain.len] = 0;
	len = domain.len;
	if (!is_plain(domain)) {
		int result = idn2_lookup_u8((const uint8_t *)buffer, (uint8_t **)&made,
					    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

		len = result == IDN2_OK ? strlen(made) : 0;
		if (len > SMTP_DOMAIN_MAX)
			len = 0;
		if (len)
			memcpy(buffer, made, len + 1);
		idn2_free(made);
		if (!smtp_domain_valid(span_make(buffer, len))) {
			buffer[0] = 0;
			return none;
		}
	}
	for (size_t i = 0; i < len; i++)
		if (buffer[i] >= 'A' && buffer[i] <= 'Z')
			buffer[i] |= 0x20;
	return span_make(buffer, len);
}
