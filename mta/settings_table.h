/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/settings_table.h - every setting of ringpost, one row each.  From these rows come the struct, the parser, its
 * errors, `ringpost --settings-manual` and docs/settings.md; adding a setting is adding a row.
 *
 *	X(path, field, TYPE, default, min, max, WHEN, sentence)
 *
 * path	     where it stands in the YAML file: "section.key", or "key" at the top level
 * field     member of struct settings; its unit is the last word of the name
 * TYPE	     how it is written and kept:
 *		BOOL	  yes, no, true, false		bool
 *		UINT	  a number			uint64_t
 *		SIZE	  octets: 2048, 64 KiB, 50 MiB	uint64_t
 *		DURATION  500 ms, 30 s, 5 m, 4 h, 5 d	uint64_t, milliseconds
 *		STRING	  text				struct span, NUL behind it; empty when not given
 *		PATH	  a file or directory name	struct span, NUL behind it
 *		FORMAT	  logfmt, json			enum log_format, kept as uint64_t
 *		LEVEL	  error, warn, info, debug	enum log_level, kept as uint64_t
 *		ENDPOINTS list of address:port		struct settings_endpoints
 *		PREFIXES  list of networks		struct settings_prefixes
 *		PATTERNS  list of domain patterns	struct settings_patterns
 *		ROUTES	  map: pattern -> list of hops	struct settings_routes
 * default   as it would be written in the file; "" is an empty text, "[]" an empty list, "{}" no routes
 * min, max  of numbers; for text the greatest length is max
 * WHEN	     RELOAD: SIGHUP takes it over; START: needs a restart, and a reload that changes it says so
 */
#ifndef MTA_SETTINGS_TABLE_H
#define MTA_SETTINGS_TABLE_H

#define SETTINGS_KIB * UINT64_C(1024)
#define SETTINGS_MIB * UINT64_C(1048576)
#define SETTINGS_GIB * UINT64_C(1073741824)
#define SETTINGS_S   * UINT64_C(1000)
#define SETTINGS_H   * UINT64_C(3600000)
#define SETTINGS_D   * UINT64_C(86400000)

/* clang-format off */
#define SETTINGS_TABLE(X)                                                                                         \
X("hostname", hostname, STRING, "", 0, 255, RELOAD,                                                               \
  "Name this server gives in greetings, EHLO, Received fields and reports. Empty: the machine's own name.")       \
X("listen", listen, ENDPOINTS, "[\"127.0.0.1:2525\", \"[::1]:2525\"]", 1, 64, START,                              \
  "Addresses and ports that take mail.")                                                                          \
X("cores", cores, UINT, "0", 0, 256, START,                                                                       \
  "Reactor threads, each with its own part of the spool. 0: one for each processor.")                             \
X("busy_poll_us", busy_poll_us, UINT, "0", 0, 10000, START,                                                       \
  "Microseconds for which an idle core looks out for work before it sleeps; from Linux 6.9 on in the network card's queues "  \
  "too. 0: sleep at once.")                                                                                       \
X("memory_max", memory_max_octets, SIZE, "1 GiB", 16 SETTINGS_MIB, 1024 SETTINGS_GIB, RELOAD,                     \
  "Memory budget for sessions, messages and caches, all cores together; at it new work is refused with 4xx.")     \
X("shutdown_deadline", shutdown_deadline_ms, DURATION, "30 s", 0, 1 SETTINGS_H, RELOAD,                           \
  "How long transactions in hand may take to end after SIGTERM.")                                                 \
                                                                                                                  \
X("spool.directory", spool_directory, PATH, "var/spool", 1, 4000, START,                                          \
  "Where accepted mail is kept.")                                                                                 \
X("spool.size_max", spool_size_max_octets, SIZE, "32 GiB", 256 SETTINGS_MIB, 1048576 SETTINGS_GIB, RELOAD,        \
  "Space the spool may take; at it new mail gets 452 4.3.1.")                                                     \
X("spool.space_free_min", spool_space_free_min_octets, SIZE, "256 MiB", 0, 1048576 SETTINGS_GIB, RELOAD,          \
  "Free space that must stay on its file system; below it new mail gets 452 4.3.1.")                              \
X("spool.segment_size", spool_segment_octets, SIZE, "64 MiB", 4 SETTINGS_MIB, 1 SETTINGS_GIB, RELOAD,             \
  "Size of a new segment file.")                                                                                  \
X("spool.direct_writes", spool_direct_writes, BOOL, "yes", 0, 1, RELOAD,                                         \
  "Write around the page cache (O_DIRECT) where the file system can; no: always through it.")                     \
X("spool.inline_max", spool_inline_max_octets, SIZE, "256 KiB", 4 SETTINGS_KIB, 4 SETTINGS_MIB, RELOAD,           \
  "A larger message goes to disk in pieces while it comes in.")                                                   \
X("spool.cache_max", spool_cache_max_octets, SIZE, "128 MiB", 0, 1024 SETTINGS_GIB, RELOAD,                       \
  "Fresh messages kept in memory for their first delivery attempt, all cores together.")                          \
                                                                                                                  \
X("control.socket", control_socket, PATH, "var/control.sock", 1, 107, START,                                      \
  "Unix socket of ringpostctl. Only root and the user that ringpost runs as may connect.")                        \
                                                                                                                  \
X("log.file", log_file, PATH, "", 0, 4000, RELOAD,                                                                \
  "Log file, opened anew at SIGHUP. Empty: standard error.")                                                      \
X("log.format", log_format, FORMAT, "logfmt", 0, 1, RELOAD,                                                       \
  "One line per event, as logfmt or as json.")                                                                    \
X("log.level", log_level, LEVEL, "info", 0, 3, RELOAD,                                                            \
  "Least important lines that are written: error, warn, info or debug.")                                          \
                                                                                                                  \
X("relay_networks", relay_networks, PREFIXES, "[127.0.0.0/8, \"::1/128\"]", 0, 4096, RELOAD,                      \
  "Networks whose clients may send to any domain.")                                                               \
X("accept_domains", accept_domains, PATTERNS, "[]", 0, 65536, RELOAD,                                             \
  "Domains whose mail is taken from anybody: example.org, .example.org (below it), *.test, example.*.")           \
X("routes", routes, ROUTES, "{}", 0, 65536, RELOAD,                                                               \
  "Next hops for domains: smtp:host:port, smtp:[address]:port, several in order of preference, or mx.")           \
                                                                                                                  \
X("inbound.message_size_max", message_size_max_octets, SIZE, "50 MiB", 64 SETTINGS_KIB, 2 SETTINGS_GIB, RELOAD,   \
  "Largest message; beyond: 552 5.3.4, also from SIZE=.")                                                         \
X("inbound.recipients_max", recipients_max, UINT, "1000", 100, 10000, RELOAD,                                     \
  "Recipients in one transaction (RFC 5321 4.5.3.1.8); beyond: 452 4.5.3.")                                       \
X("inbound.command_line_max", command_line_max_octets, SIZE, "2048", 512, 16 SETTINGS_KIB, RELOAD,                \
  "Octets of a command line with CRLF (RFC 5321 4.5.3.1.4); beyond: 500 5.5.2.")                                  \
X("inbound.text_line_max", text_line_max_octets, SIZE, "998", 998, 1 SETTINGS_MIB, RELOAD,                        \
  "Octets of a line of message text without CRLF (RFC 5321 4.5.3.1.6); beyond: 554 5.6.0.")                       \
X("inbound.text_line_check", text_line_check, BOOL, "yes", 0, 1, RELOAD,                                          \
  "Refuse messages with longer lines than text_line_max.")                                                        \
X("inbound.hops_max", hops_max, UINT, "100", 30, 1000, RELOAD,                                                    \
  "Received fields a message may bring (RFC 5321 6.3); beyond: 554 5.4.6.")                                       \
X("inbound.errors_max", errors_max, UINT, "20", 1, 1000, RELOAD,                                                  \
  "Refused commands in one session; then 421 and the end.")                                                       \
X("inbound.sessions_max", sessions_max, UINT, "20000", 1, 1000000, RELOAD,                                        \
  "Server sessions in all; beyond: 421 4.3.2.")                                                                   \
X("inbound.sessions_per_client_max", sessions_per_client_max, UINT, "1000", 1, 1000000, RELOAD,                   \
  "Server sessions of one client address (IPv6: of its /64); beyond: 421 4.7.0.")                                 \
X("inbound.transactions_max", transactions_max, UINT, "10000", 1, 1000000000, RELOAD,                             \
  "Messages in one session, announced as LIMITS MAILMAX (RFC 9422); beyond: 421 4.5.3.")                          \
X("inbound.command_deadline", command_deadline_ms, DURATION, "5 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,           \
  "Wait for a whole command (RFC 5321 4.5.3.2.7); then 421 4.4.2.")                                               \
X("inbound.data_deadline", data_deadline_ms, DURATION, "3 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                 \
  "Wait for the next octets of message text (RFC 5321 4.5.3.2.5); then 421 4.4.2.")                               \
X("inbound.data_rate_min", data_rate_min_octets_per_s, SIZE, "100", 0, 1 SETTINGS_GIB, RELOAD,                    \
  "Least average octets per second of message text after its first minute; below: 421 4.4.2. 0: none.")           \
                                                                                                                  \
X("outbound.connections_max", destination_connections_max, UINT, "20", 1, 10000, RELOAD,                          \
  "Connections to one next hop, all cores together.")                                                             \
X("outbound.messages_per_connection_max", messages_per_connection_max, UINT, "100", 1, 1000000, RELOAD,           \
  "Transactions on one connection before it is ended.")                                                           \
X("outbound.recipients_per_transaction_max", recipients_per_transaction_max, UINT, "100", 1, 1000, RELOAD,        \
  "Recipients of one message sent together, unless the next hop's LIMITS ask for fewer.")                         \
X("outbound.idle_reuse", idle_reuse_ms, DURATION, "2 s", 0, 5 SETTINGS_S * 60, RELOAD,                            \
  "How long an idle connection waits for more mail before QUIT.")                                                 \
X("outbound.port", outbound_port, UINT, "25", 1, 65535, RELOAD,                                                   \
  "Port for delivery by MX.")                                                                                     \
X("outbound.bdat", outbound_bdat, BOOL, "yes", 0, 1, RELOAD,                                                      \
  "Send by BDAT where CHUNKING is offered (RFC 3030).")                                                           \
X("outbound.ipv6", outbound_ipv6, BOOL, "yes", 0, 1, RELOAD,                                                      \
  "Use IPv6 addresses of next hops.")                                                                             \
X("outbound.down_pause", down_pause_ms, DURATION, "1 m", 1 SETTINGS_S, 24 SETTINGS_H, RELOAD,                     \
  "How long a next hop that cannot be reached at any address is left alone.")                                     \
X("outbound.connect_timeout", connect_timeout_ms, DURATION, "30 s", 1 SETTINGS_S, 10 SETTINGS_S * 60, RELOAD,     \
  "Wait for one TCP connection.")                                                                                 \
X("outbound.greeting_timeout", greeting_timeout_ms, DURATION, "5 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,          \
  "Wait for the greeting (RFC 5321 4.5.3.2.1).")                                                                  \
X("outbound.ehlo_timeout", ehlo_timeout_ms, DURATION, "5 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                  \
  "Wait for the reply to EHLO or HELO.")                                                                          \
X("outbound.mail_timeout", mail_timeout_ms, DURATION, "5 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                  \
  "Wait for the reply to MAIL (RFC 5321 4.5.3.2.2).")                                                             \
X("outbound.rcpt_timeout", rcpt_timeout_ms, DURATION, "5 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                  \
  "Wait for the reply to RCPT (RFC 5321 4.5.3.2.3).")                                                             \
X("outbound.data_timeout", data_timeout_ms, DURATION, "2 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                  \
  "Wait for the reply to DATA (RFC 5321 4.5.3.2.4).")                                                             \
X("outbound.block_timeout", block_timeout_ms, DURATION, "3 m", 1 SETTINGS_S, 1 SETTINGS_H, RELOAD,                \
  "Wait until the next hop takes more message text (RFC 5321 4.5.3.2.5).")                                        \
X("outbound.end_timeout", end_timeout_ms, DURATION, "10 m", 1 SETTINGS_S, 2 SETTINGS_H, RELOAD,                   \
  "Wait for the reply after the final dot or BDAT LAST (RFC 5321 4.5.3.2.6).")                                    \
X("outbound.quit_timeout", quit_timeout_ms, DURATION, "5 s", 1 SETTINGS_S, 5 SETTINGS_S * 60, RELOAD,             \
  "Wait for the replies to RSET and QUIT.")                                                                       \
                                                                                                                  \
X("retry.first", retry_first_ms, DURATION, "5 m", 1 SETTINGS_S, 24 SETTINGS_H, RELOAD,                            \
  "Pause after the first failed attempt; it doubles with each further one.")                                      \
X("retry.max", retry_max_ms, DURATION, "4 h", 1 SETTINGS_S, 7 SETTINGS_D, RELOAD,                                 \
  "Longest pause between attempts.")                                                                              \
X("retry.jitter", retry_jitter_percent, UINT, "20", 0, 50, RELOAD,                                                \
  "Percent by which each pause is varied at random, up or down.")                                                 \
X("retry.expire", retry_expire_ms, DURATION, "5 d", 1 SETTINGS_S, 30 SETTINGS_D, RELOAD,                          \
  "Age at which undelivered mail is returned to its sender (RFC 5321 4.5.4.1).")                                  \
X("retry.warn", retry_warn_ms, DURATION, "0 s", 0, 30 SETTINGS_D, RELOAD,                                         \
  "Age at which the sender is told that mail is late, if NOTIFY allows. 0 s: never.")                             \
X("retry.report_text_max", report_text_max_octets, SIZE, "64 KiB", 1 SETTINGS_KIB, 1 SETTINGS_MIB, RELOAD,        \
  "How much of a message a delivery report returns when it returns the text.")                                    \
                                                                                                                  \
X("dns.servers", dns_servers, ENDPOINTS, "[]", 0, 8, RELOAD,                                                      \
  "Recursive name servers. Empty: those of /etc/resolv.conf.")                                                    \
X("dns.timeout", dns_timeout_ms, DURATION, "3 s", 100, 1 SETTINGS_S * 60, RELOAD,                                 \
  "Wait for one answer.")                                                                                         \
X("dns.tries", dns_tries, UINT, "4", 1, 20, RELOAD,                                                               \
  "Questions sent, over all servers in turn, before giving up.")                                                  \
X("dns.ttl_max", dns_ttl_max_ms, DURATION, "1 d", 1 SETTINGS_S, 7 SETTINGS_D, RELOAD,                             \
  "Longest time an answer is kept.")                                                                              \
X("dns.cache_max", dns_cache_max_octets, SIZE, "16 MiB", 64 SETTINGS_KIB, 16 SETTINGS_GIB, RELOAD,                \
  "Memory for kept answers, all cores together.")
/* clang-format on */

#endif
