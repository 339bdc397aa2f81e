/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/parameters.h - what may stand behind the path of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030),
 * SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461).
 */
#ifndef MTA_SMTP_PARAMETERS_H
#define MTA_SMTP_PARAMETERS_H

#include "core/span.h"
#include "mta/smtp/limits.h"

enum smtp_body { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HDRS };

enum smtp_notify { /* the bits of enum envelope_notify (queue/envelope.h) */
	SMTP_NOTIFY_NEVER = 1 << 0,
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

struct smtp_mail_parameters {
	uint64_t       size; /* 0: not said */
	enum smtp_body body;
	enum smtp_ret  ret;
	bool	       smtputf8;
	struct span    envid; /* xtext as it came */
};

struct smtp_rcpt_parameters {
	unsigned    notify; /* enum smtp_notify; 0: not said */
	struct span orcpt;  /* "rfc822;xtext" as it came */
};

enum smtp_parameters_result {
	SMTP_PARAMETERS_OK,
	SMTP_PARAMETERS_SYNTAX,	 /* 501 5.5.4: malformed, doubled, contradictory or too long */
	SMTP_PARAMETERS_UNKNOWN, /* 555 5.5.4: not an extension we offer */
};

/* text: all behind the path, spaces in front allowed; spans borrow from it. */
enum smtp_parameters_result MUST_CHECK smtp_mail_parameters_parse(struct span		       text,
								  struct smtp_mail_parameters *out);
enum smtp_parameters_result MUST_CHECK smtp_rcpt_parameters_parse(struct span		       text,
								  struct smtp_rcpt_parameters *out);

/* RFC 3461 section 4: "+" and two upper-case hexadecimal digits stand for an octet.  Decoding needs at most
 * text.len octets of room.  False when it is not xtext. */
bool   smtp_xtext_valid(struct span text);
size_t smtp_xtext_decode(struct span text, char *out);
/* Needs at most 3 * text.len octets of room. */
size_t smtp_xtext_encode(struct span text, char *out);
/*
 * RFC 6533 section 3: an address of type utf-8 where only ASCII may stand; "\x{E9}" is a character by its number, an octet
 * that is no UTF-8 becomes "?".  plain: the text is an address as in an envelope, so that ASCII with a meaning here (space,
 * "\", "+", "=") is replaced too; else it was encoded before, and keeps that.  Returns how many octets of out were
 * written; what finds no room is left out, by whole characters.
 */
size_t smtp_utf8_ascii(struct span text, bool plain, char *out, size_t room);

#endif
