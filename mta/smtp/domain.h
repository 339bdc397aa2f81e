/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/domain.h - domain names as mail writes them (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 */
#ifndef MTA_SMTP_DOMAIN_H
#define MTA_SMTP_DOMAIN_H

#include "core/span.h"
#include "mta/smtp/limits.h"

/*
 * Is it a domain by syntax?  Labels of letters, digits and hyphens, no hyphen at either end of a label; an
 * underscore passes, because the field has them; UTF-8 passes as part of a U-label.  No final dot.
 */
bool smtp_domain_valid(struct span domain);

/*
 * The one form in which names are compared and looked up: A-labels (IDNA2008) in lower case.  Writes a NUL.  The
 * empty span when the name has no such form.
 */
struct span smtp_domain_normal(struct span domain, char buffer[static SMTP_DOMAIN_MAX + 1]);

/* The length of the domain at the start of text: up to the first octet that can be in none. */
size_t smtp_domain_length(struct span text);

#endif
