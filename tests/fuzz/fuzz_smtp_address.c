/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a path.  What is taken has a mailbox that is taken again by itself, with the same parts; names have one
 * normal form, which is its own.
 */
#include "mta/smtp/address.h"

#include "core/utf8.h"
#include "mta/smtp/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_domain(struct span domain)
{
	char	    first[SMTP_DOMAIN_MAX + 1], second[SMTP_DOMAIN_MAX + 1];
	struct span normal = smtp_domain_normal(domain, first), again;

	INVARIANT(normal.len <= SMTP_DOMAIN_MAX && first[normal.len] == 0);
	if (normal.len == 0)
		return;
	INVARIANT(smtp_domain_valid(normal));
	for (size_t i = 0; i < normal.len; i++)
		INVARIANT((unsigned char)normal.data[i] < 0x80 && !(normal.data[i] >= 'A' && normal.data[i] <= 'Z'));
	again = smtp_domain_normal(normal, second);
	INVARIANT(span_equal(again, normal));
}

static void
check_literal(const struct smtp_path *p)
{
	char		text[ENDPOINT_TEXT_MAX], literal[ENDPOINT_TEXT_MAX + 16];
	struct endpoint again;
	int		len = snprintf(literal, sizeof(literal), "[%s%s]", endpoint_is_ipv4(&p->address) ? "" : "IPv6:",
				       endpoint_format_ip(&p->address, text));

	INVARIANT(p->address.port == 0);
	INVARIANT(smtp_literal_parse(span_make(literal, (size_t)len), &again));
	INVARIANT(memcmp(again.ip, p->address.ip, sizeof(again.ip)) == 0);
}

static void
check_taken(const struct smtp_path *p)
{
	struct smtp_path again;

	INVARIANT(p->local.len > 0 && p->local.len <= SMTP_LOCAL_MAX && p->domain.len <= SMTP_DOMAIN_MAX);
	INVARIANT(p->mailbox.len == p->local.len + (p->domain.len ? 1 + p->domain.len : 0));
	INVARIANT(utf8_valid(p->mailbox));
	for (size_t i = 0; i < p->mailbox.len; i++)
		INVARIANT((unsigned char)p->mailbox.data[i] >= 0x20 && p->mailbox.data[i] != 0x7f);
	INVARIANT(smtp_mailbox_parse(p->mailbox, &again) == SMTP_PATH_OK);
	INVARIANT(span_equal(again.local, p->local) && span_equal(again.domain, p->domain));
	INVARIANT(again.utf8 == p->utf8 && again.literal == p->literal);
	if (p->literal)
		check_literal(p);
	else if (p->domain.len)
		check_domain(p->domain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	        *copy = malloc(size ? size : 1); /* of exact size: reading one more octet is seen */
	struct span	 text = span_make(copy, size);
	struct smtp_path path;
	struct endpoint	 endpoint;
	size_t		 used;

	INVARIANT(copy);
	if (size)
		memcpy(copy, data, size);
	if (smtp_path_parse(text, &path, &used) == SMTP_PATH_OK) {
		INVARIANT(used >= 2 && used <= size && used <= SMTP_PATH_MAX && copy[used - 1] == '>');
		if (path.mailbox.len)
			check_taken(&path);
		else
			INVARIANT(used == 2);
	}
	if (smtp_mailbox_parse(text, &path) == SMTP_PATH_OK)
		check_taken(&path);
	if (smtp_literal_parse(text, &endpoint))
		INVARIANT(endpoint.port == 0);
	check_domain(text);
	free(copy);
	return 0;
}
