/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/log.h - one line per event, with keys; logfmt or JSON.
 *
 *	log_info(r->log, "accepted", LOG_ID("id", m->id), LOG_SPAN("from", from), LOG_UINT("size", n));
 *
 * A line is formatted into the core's own buffer and leaves by an asynchronous write, so logging never
 * waits.  Warnings and errors leave with the next turn and take along what is there; other lines wait
 * up to LOG_DELAY_MS for company, because the kernel hands each write to a file to a thread of its
 * own: two changes of context, whether it carries one line or a hundred.  Cores may share a descriptor: a file takes whole batches, a pipe or a
 * socket whole lines of up to IO_PIPE_WHOLE octets together.  When the buffer is full because the
 * descriptor does not take it, whole lines are dropped and counted, and the count is logged when writing
 * works again (log-dropped).
 *
 * Event names are stable and listed in docs/operations.md.  Text from outside is escaped: no control
 * character, no invalid UTF-8, no line end ever reaches the file raw; values are cut at LOG_VALUE_MAX.
 * Never log mail data or credentials.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/endpoint.h"
#include "core/id.h"
#include "core/io.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

enum {
	LOG_VALUE_MAX  = 512,	 /* octets of one value before it is cut and ends in "..." */
	LOG_LINE_MAX   = 8192,	 /* octets of one line; a field that does not fit is left out */
	LOG_BUFFER_MAX = 1 << 20, /* octets waiting for the file; beyond: dropped and counted */
	LOG_BATCH_MIN  = 32 * 1024, /* octets that wait for no further company */
	LOG_DELAY_MS   = 10,	 /* the longest that a line waits for it */
};

enum log_type { LOG_TYPE_SPAN, LOG_TYPE_UINT, LOG_TYPE_INT, LOG_TYPE_ID, LOG_TYPE_ENDPOINT, LOG_TYPE_BOOL };

struct log_field {
	const char   *key;
	uint32_t      key_len;
	enum log_type type;
	union {
		struct span	       span;
		uint64_t	       uint;
		int64_t		       sint;
		struct id	       id;
		const struct endpoint *endpoint;
	};
};

/* A key is a literal, so nobody measures it when a line is written. */
#define LOG_KEY_(k) .key = "" k, .key_len = sizeof(k) - 1

#define LOG_STR(k, cstring)  { LOG_KEY_(k), .type = LOG_TYPE_SPAN, .span = span_of(cstring) }
#define LOG_SPAN(k, s)	     { LOG_KEY_(k), .type = LOG_TYPE_SPAN, .span = (s) }
#define LOG_UINT(k, v)	     { LOG_KEY_(k), .type = LOG_TYPE_UINT, .uint = (uint64_t)(v) }
#define LOG_INT(k, v)	     { LOG_KEY_(k), .type = LOG_TYPE_INT, .sint = (int64_t)(v) }
#define LOG_ID(k, v)	     { LOG_KEY_(k), .type = LOG_TYPE_ID, .id = (v) }
#define LOG_ENDPOINT(k, ptr) { LOG_KEY_(k), .type = LOG_TYPE_ENDPOINT, .endpoint = (ptr) }
#define LOG_BOOL(k, v)	     { LOG_KEY_(k), .type = LOG_TYPE_BOOL, .uint = (v) }
/* An errno, as text: LOG_ERRNO("why", -result). */
#define LOG_ERRNO(k, e)	     { LOG_KEY_(k), .type = LOG_TYPE_SPAN, .span = span_of(log_errno_name(e)) }

struct log;

/* The one call; level filter first, so a debug line that nobody wants costs a comparison. */
void log_write(struct log *log, enum log_level level, const char *event,
	       const struct log_field *fields, size_t count);

#define LOG_AT_(log, level, event, ...)                                                            \
	do {                                                                                       \
		if (log_wants((log), (level))) {                                                   \
			const struct log_field log_fields_[] = { __VA_ARGS__ };                    \
			log_write((log), (level), (event), log_fields_, COUNT_OF(log_fields_));    \
		}                                                                                  \
	} while (0)
#define log_error(log, event, ...) LOG_AT_(log, LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(log, event, ...)  LOG_AT_(log, LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(log, event, ...)  LOG_AT_(log, LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(log, event, ...) LOG_AT_(log, LOG_LEVEL_DEBUG, event, __VA_ARGS__)

bool	    log_wants(const struct log *log, enum log_level level);
const char *log_errno_name(int errno_positive); /* "ENOSPC" style, static */

/* --- for the reactor ------------------------------------------------------------------------- */

/* fd must stay open while the log lives; it may be a file opened for append, a pipe or a terminal. */
struct log *log_new(struct io *io, int fd, enum log_format format, enum log_level level);
/* Starts writing what is waiting; what a write in flight keeps from it follows at once. */
void log_flush(struct log *log);
/* When log_flush() should be called, on io_mono()'s clock: 0 at once, UINT64_MAX not for what is known now. */
uint64_t log_due(const struct log *log);
/* Changes where the next line goes (rotation), or says that the same descriptor leads elsewhere now.  fd stays the
 * caller's; the old descriptor is in use until log_idle() or, at the latest, until the write in flight has ended. */
void log_reopen(struct log *log, int fd);
void log_configure(struct log *log, enum log_format format, enum log_level level);
/* Nothing waits and nothing is in flight. */
bool log_idle(const struct log *log);
void log_free(struct log *log);

#endif
