/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/limits.h - the edges of the language.  What an operator may change is in mta/settings_table.h.
 */
#ifndef MTA_SMTP_LIMITS_H
#define MTA_SMTP_LIMITS_H

enum {
	SMTP_LOCAL_MAX = 64,	/* octets of a local part; RFC 5321 4.5.3.1.1; beyond: 553 5.1.3 */
	SMTP_DOMAIN_MAX = 255,	/* octets of a domain; RFC 5321 4.5.3.1.2; beyond: 553 5.1.3 */
	SMTP_LABEL_MAX = 63,	/* octets of a label, as A-label; RFC 1035 2.3.4 */
	SMTP_PATH_MAX = 1024,	/* octets with source route and brackets; RFC 5321 4.5.3.1.3 asks 256; 501 */
	SMTP_ENVID_MAX = 100,	/* octets of xtext; RFC 3461 4.4; beyond: 501 5.5.4 */
	SMTP_ORCPT_MAX = 500,	/* octets; RFC 3461 4.2; beyond: 501 5.5.4 */
	SMTP_PARAMETERS_MAX = 32, /* on one command; beyond: 501 5.5.4 */
	SMTP_REPLY_LINE_MAX = 512, /* octets of a line we send, with CRLF; RFC 5321 4.5.3.1.5 */
	SMTP_REPLY_TEXT_MAX = 1000, /* octets of a peer's reply kept; the rest is read and dropped */
	SMTP_REPLY_LINES_MAX = 512, /* lines of a peer's reply; beyond: broken */
	SMTP_REPLY_OCTETS_MAX = 256 * 1024, /* of a peer's reply in all; beyond: broken */
};

#endif
