/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain begins behind the last "@": a quoted local part may hold others, a domain none.  No pattern fits a literal: it
 * names a machine, and mail for it goes there.
 */
#include "mta/outbound/route.h"

#include "mta/outbound/table.h"
#include "mta/smtp/address.h"
#include "mta/smtp/domain.h"

static struct span
domain_of(const struct settings *s, struct span mailbox)
{
	for (size_t i = mailbox.len; i; i--)
		if (mailbox.data[i - 1] == '@')
			return span_from(mailbox, i);
	return s->hostname;
}

static void
name(struct route *out, const char *prefix, struct span of)
{
	int len = snprintf(out->text, sizeof(out->text), "%s%.*s", prefix, (int)MIN_OF(of.len, SMTP_DOMAIN_MAX), of.data);

	out->name = span_make(out->text, (size_t)len);
}

void
route_find(const struct settings *s, struct span mailbox, struct route *out)
{
	struct span		     domain = domain_of(s, mailbox), normal;
	char			     buffer[SMTP_DOMAIN_MAX + 1];
	const struct settings_route *found;

	out->kind = ROUTE_NOWHERE;
	out->name = span_make(out->text, 0);
	out->hops = NULL;
	if (domain.len && domain.data[0] == '[') {
		if (!smtp_literal_parse(domain, &out->address))
			return;
		out->address.port = (uint16_t)s->outbound_port;
		out->kind = ROUTE_LITERAL;
		buffer[0] = '[';
		endpoint_format_ip(&out->address, buffer + 1);
		normal = span_of(buffer);
		buffer[normal.len++] = ']';
		name(out, "", normal);
		return;
	}
	normal = smtp_domain_normal(domain, buffer);
	if (normal.len == 0)
		return;
	found = settings_route_for(s, normal);
	if (found && !found->by_mx) {
		out->kind = ROUTE_STATIC;
		out->hops = found;
		name(out, "route ", found->pattern);
		return;
	}
	out->kind = ROUTE_MX;
	name(out, "", normal);
}

unsigned
route_owner(struct span name, unsigned core_count)
{
	return (unsigned)(table_hash(0, name) % core_count);
}
