/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/address.h - the one parser of paths: RFC 5321 section 4.1.2 with RFC 6531.
 *
 * The local part belongs to the domain's owner and is kept as it came, quotes and case included.  Two dots in a row, or a
 * dot at an end of the local part, pass: large providers gave such addresses out.  Source routes are read and
 * dropped (RFC 5321 appendix C).
 */
#ifndef MTA_SMTP_ADDRESS_H
#define MTA_SMTP_ADDRESS_H

#include "core/endpoint.h"
#include "mta/smtp/limits.h"

/* Spans borrow from the text parsed. */
struct smtp_path {
	struct span	mailbox; /* local@domain; empty: the null path <> */
	struct span	local;
	struct span	domain;	 /* empty for <Postmaster>; a literal with its brackets */
	bool		literal; /* domain is [192.0.2.1] or [IPv6:2001:db8::1] */
	bool		utf8;	 /* has octets above 127: needs SMTPUTF8 */
	struct endpoint address; /* of a literal; port 0 */
};

enum smtp_path_result {
	SMTP_PATH_OK,
	SMTP_PATH_SYNTAX,     /* 501 5.1.7 for a sender, 501 5.1.3 for a recipient */
	SMTP_PATH_NO_BRACKETS, /* <> are missing */
	SMTP_PATH_TOO_LONG,   /* a part exceeds its limit */
	SMTP_PATH_BAD_DOMAIN, /* neither a domain name nor an address literal we know */
};

/*
 * Reads a path at the start of text: "<>", "<Postmaster>", "<a@b.example>", "<@x,@y:a@b.example>".
 * *used is where the path ends, just after ">".
 */
enum smtp_path_result MUST_CHECK smtp_path_parse(struct span text, struct smtp_path *out, size_t *used);

/* The same for a mailbox without brackets (operator's input, MX of a literal). */
enum smtp_path_result MUST_CHECK smtp_mailbox_parse(struct span text, struct smtp_path *out);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; other tags are refused. */
bool MUST_CHECK smtp_literal_parse(struct span text, struct endpoint *out);

#endif
