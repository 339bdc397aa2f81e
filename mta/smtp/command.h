/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/smtp/command.h - a command line understood (RFC 5321 section 4.1.1, RFC 3030 section 2).
 *
 * Order is no matter of this page: whether MAIL may come now is the session's to say.
 */
#ifndef MTA_SMTP_COMMAND_H
#define MTA_SMTP_COMMAND_H

#include "mta/smtp/address.h"
#include "mta/smtp/parameters.h"

/*	id	  word	      arguments: NONE, SOME (optional, not looked at), or a parser of its own */
#define SMTP_VERBS(X)                                                                              \
	X(EHLO, "EHLO", HELLO)                                                                     \
	X(HELO, "HELO", HELLO)                                                                     \
	X(MAIL, "MAIL", MAIL)                                                                      \
	X(RCPT, "RCPT", RCPT)                                                                      \
	X(DATA, "DATA", NONE)                                                                      \
	X(BDAT, "BDAT", BDAT)                                                                      \
	X(RSET, "RSET", NONE)                                                                      \
	X(NOOP, "NOOP", SOME)                                                                      \
	X(VRFY, "VRFY", NEEDED)                                                                    \
	X(EXPN, "EXPN", NEEDED)                                                                    \
	X(HELP, "HELP", SOME)                                                                      \
	X(QUIT, "QUIT", NONE)                                                                      \
	X(STARTTLS, "STARTTLS", SOME)                                                              \
	X(AUTH, "AUTH", SOME)

enum smtp_verb {
#define X(id, ...) SMTP_VERB_##id,
	SMTP_VERBS(X)
#undef X
	SMTP_VERB_COUNT
};

/* Each outcome with the reply that tells it. */
#define SMTP_COMMAND_RESULTS(X)                                                                    \
	X(OK, 250, "2.0.0", "Ok")                                                                  \
	X(UNKNOWN, 500, "5.5.1", "Command not recognized")                                         \
	X(FOREIGN, 500, "5.5.1", "This is a mail server")                                          \
	X(NO_ARGUMENT, 501, "5.5.4", "Argument missing")                                           \
	X(EXTRA_ARGUMENT, 501, "5.5.4", "No argument allowed")                                     \
	X(BAD_NAME, 501, "5.5.4", "Not a domain name or address literal")                          \
	X(BAD_FORM, 501, "5.5.4", "Syntax error in argument")                                      \
	X(BAD_SENDER, 501, "5.1.7", "Sender address has wrong syntax")                             \
	X(BAD_RECIPIENT, 501, "5.1.3", "Recipient address has wrong syntax")                       \
	X(LONG_SENDER, 553, "5.1.7", "Sender address too long")                                    \
	X(LONG_RECIPIENT, 553, "5.1.3", "Recipient address too long")                              \
	X(BAD_PARAMETER, 501, "5.5.4", "Parameter with wrong value")                               \
	X(UNKNOWN_PARAMETER, 555, "5.5.4", "Parameter not recognized")

enum smtp_command_result {
#define X(id, ...) SMTP_COMMAND_##id,
	SMTP_COMMAND_RESULTS(X)
#undef X
	SMTP_COMMAND_RESULT_COUNT
};

struct smtp_reply_row {
	unsigned    code;
	const char *enhanced; /* RFC 3463 */
	const char *text;
};

extern const struct smtp_reply_row smtp_command_replies[SMTP_COMMAND_RESULT_COUNT];

struct smtp_command {
	enum smtp_verb	 verb; /* meaningful also when arguments are wrong, not when UNKNOWN or FOREIGN */
	struct span	 argument; /* as it came, without spaces around */
	struct smtp_path path;	   /* MAIL, RCPT */
	union {
		struct smtp_mail_parameters mail;
		struct smtp_rcpt_parameters rcpt;
		struct {
			uint64_t size;
			bool	 last;
		} bdat;
	};
};

/*
 * line: without CRLF; the spans of *out borrow from it.  FOREIGN: some other protocol, HTTP for one, is talking, or
 * a message without an envelope: hang up.
 * Accepted beyond the grammar, because it is met and harmless: spaces after "FROM:", and behind the last argument.
 */
enum smtp_command_result MUST_CHECK smtp_command_parse(struct span line, struct smtp_command *out);

const char *smtp_verb_name(enum smtp_verb verb);

#endif
