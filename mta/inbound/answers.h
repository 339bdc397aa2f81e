/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/answers.h - all that the receiving side ever says with fixed words, one row each.  A row makes the
 * enumerator, the reply, the `why` of the log and a counter, so whatever is refused is counted under its own name.
 * What is wrong with a command line by itself is said by mta/smtp/command.h.
 *
 *	X(id, code, enhanced status code (RFC 3463), word, text)
 *
 * 221 and 421 have our name in front of the text (RFC 5321 section 4.2.2).
 */
#ifndef MTA_INBOUND_ANSWERS_H
#define MTA_INBOUND_ANSWERS_H

#include "core/counter.h"

/* clang-format off */
#define SERVER_ANSWERS(X)                                                                                               \
	X(OK, 250, "2.0.0", "ok", "Ok")                                                                                 \
	X(SENDER_OK, 250, "2.1.0", "sender_ok", "Ok")                                                                   \
	X(RECIPIENT_OK, 250, "2.1.5", "recipient_ok", "Ok")                                                             \
	X(HELP, 214, "2.0.0", "help", "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT; RFC 5321")     \
	X(BYE, 221, "2.0.0", "bye", "Bye")                                                                              \
	X(VRFY, 252, "2.0.0", "vrfy", "Cannot tell; send it mail and see")                                              \
	X(SEND_TEXT, 354, NULL, "send_text", "End with CRLF.CRLF")                                                      \
	/* the session */                                                                                               \
	X(TOO_MANY, 421, "4.3.2", "sessions_max", "Too many sessions, come back later")                                 \
	X(TOO_MANY_OF_CLIENT, 421, "4.7.0", "sessions_per_client_max", "Too many sessions from your address")           \
	X(NO_MEMORY_SESSION, 421, "4.3.1", "memory_session", "Out of memory, come back later")                          \
	X(SHUTTING_DOWN, 421, "4.3.2", "shutting_down", "Shutting down, come back later")                               \
	X(TIMEOUT, 421, "4.4.2", "timeout", "Waited too long")                                                          \
	X(TOO_SLOW, 421, "4.4.2", "too_slow", "Text comes too slowly")                                                  \
	X(ERRORS, 421, "4.7.0", "errors_max", "Too many errors")                                                        \
	X(TRANSACTIONS, 421, "4.5.3", "transactions_max", "Enough messages for one session")                            \
	X(ENDLESS, 421, "4.3.0", "endless", "Far more than the largest message, hanging up")                            \
	X(HANG_UP, 421, "4.7.0", "out_of_step", "Out of step, hanging up")                                              \
	/* commands */                                                                                                  \
	X(LONG_LINE, 500, "5.5.2", "command_line_max", "Line too long")                                                 \
	X(BARE, 500, "5.5.2", "bare_line_end", "Only CRLF ends a line")                                                 \
	X(NUL, 500, "5.5.2", "nul_in_command", "NUL in a command")                                                      \
	X(HELLO_FIRST, 503, "5.5.1", "hello_first", "EHLO first")                                                       \
	X(SENDER_FIRST, 503, "5.5.1", "sender_first", "MAIL first")                                                     \
	X(NO_RECIPIENTS, 554, "5.5.1", "no_recipients", "No valid recipients")                                          \
	X(NESTED, 503, "5.5.1", "nested", "Sender given already")                                                       \
	X(CHUNKS_BEGUN, 503, "5.5.1", "chunks_begun", "Only BDAT or RSET now")                                          \
	X(NEEDS_BDAT, 503, "5.5.1", "needs_bdat", "BODY=BINARYMIME needs BDAT")                                         \
	X(TALKED_AHEAD, 554, "5.5.0", "talked_ahead", "You did not wait for the reply to DATA")                         \
	X(NOT_HERE, 502, "5.5.1", "not_here", "Not offered here")                                                       \
	/* sender and recipients */                                                                                     \
	X(RELAY_DENIED, 550, "5.7.1", "relay_denied", "Relaying denied")                                                \
	X(NEEDS_SMTPUTF8, 553, "5.6.7", "needs_smtputf8", "This address needs SMTPUTF8")                                \
	X(RECIPIENTS, 452, "4.5.3", "recipients_max", "Too many recipients, send the rest in another transaction")      \
	X(ENVELOPE_MEMORY, 452, "4.3.1", "memory_envelope", "Out of memory, come back later")                           \
	/* the message */                                                                                               \
	X(TOO_LARGE, 552, "5.3.4", "message_size_max", "Message too large")                                             \
	X(BARE_CR, 554, "5.6.0", "text_bare_cr", "Message has a bare CR; only CRLF ends a line")                        \
	X(BARE_LF, 554, "5.6.0", "text_bare_lf", "Message has a bare LF; only CRLF ends a line")                        \
	X(TEXT_NUL, 554, "5.6.0", "text_nul", "Message has a NUL and was not declared BINARYMIME")                      \
	X(TEXT_LONG_LINE, 554, "5.6.0", "text_line_max", "Message has a line that is too long")                         \
	X(HOPS, 554, "5.4.6", "hops_max", "Too many hops, this message goes in circles")                                \
	X(NO_SPACE, 452, "4.3.1", "no_space", "Out of space, come back later")                                          \
	X(NO_MEMORY, 452, "4.3.1", "no_memory", "Out of memory, come back later")                                       \
	X(DISK, 451, "4.3.0", "disk", "Cannot store mail now, come back later")                                         \
	X(BUSY, 451, "4.3.2", "busy", "Not ready, come back later")
/* clang-format on */

enum server_answer {
#define X(id, ...) ANSWER_##id,
	SERVER_ANSWERS(X)
#undef X
	SERVER_ANSWER_COUNT
};

struct server_answer_row {
	unsigned    code;
	const char *enhanced, *word, *text;
};

extern const struct server_answer_row server_answers[SERVER_ANSWER_COUNT];
extern const struct counter_row	      server_answer_counters[SERVER_ANSWER_COUNT];

#endif
