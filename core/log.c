/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buffers: lines are formatted into one while the other is being written.  When a write ends, they
 * change places, so a log that is slower than its writers costs one buffer of LOG_BUFFER_MAX and then lines,
 * never time.  A write that fails loses what it carried; that too is counted.
 *
 * The text of the second is kept: most lines of a busy server share theirs.
 */
#include "core/log.h"

#include <errno.h>
#include <time.h>

#include "core/digits.h"
#include "core/utf8.h"

enum {
	BUFFER_FIRST = 16 * 1024,
	STAMP_LEN = 19, /* 2026-11-24T11:53:17 */
};

struct log_buffer {
	char	*data;
	size_t	 len, cap;
	uint64_t lines;
	uint64_t reported; /* lines dropped before, of which it carries the news */
};

struct log {
	struct io	 *io;
	int		  fd, next_fd; /* next_fd: for the next write, when reopened */
	bool		  reopened, fd_is_file;
	enum log_format	  format;
	enum log_level	  level;
	struct log_buffer filling, flying;
	size_t		  flown; /* octets of `flying` already taken */
	struct io_op	  write;
	struct iovec	  iov;
	uint64_t	  due_ns;  /* when `filling` leaves at the latest */
	uint64_t	  dropped; /* lines, not yet reported */
	bool		  torn;	   /* the file ends inside a line */
	int64_t		  stamp_second;
	char		  stamp[STAMP_LEN + 1];
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };

bool
log_wants(const struct log *log, enum log_level level)
{
	return log != NULL && level <= log->level;
}

const char *
log_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "EUNKNOWN";
}

/* --- a line -------------------------------------------------------------------------------------- */

/* The line under way.  Past the end of room it stays valid and says `full`. */
struct line {
	char *at, *end;
	bool  full;
};

static void
put(struct line *l, const char *bytes, size_t len)
{
	if ((size_t)(l->end - l->at) < len) {
		l->full = true;
		return;
	}
	memcpy(l->at, bytes, len);
	l->at += len;
}

static void
put_char(struct line *l, char c)
{
	put(l, &c, 1);
}

#define PUT_LITERAL(l, text) put((l), "" text, sizeof(text) - 1)

static void
put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static void
put_uint(struct line *l, uint64_t v)
{
	char digits[DIGITS_MAX];

	put(l, digits, (size_t)(digits_put(digits, v) - digits));
}

/*
 * C1 controls (U+0080..9F), line and paragraph separators and the marks that turn the direction of writing
 * round are well-formed, and still no business of a terminal.
 */
static bool
utf8_harmless(const unsigned char *s, size_t n)
{
	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return false;
	if (n == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] >= 0xa8 && s[2] <= 0xaf))
		return false;
	if (n == 3 && s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa0)
		return false;
	return true;
}

static void
put_escape(struct line *l, unsigned char c, bool json)
{
	static const char hex[] = "0123456789abcdef";
	char		  e[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '\n':
		put(l, "\\n", 2);
		return;
	case '\r':
		put(l, "\\r", 2);
		return;
	case '\t':
		put(l, "\\t", 2);
		return;
	case '"':
		put(l, "\\\"", 2);
		return;
	case '\\':
		put(l, "\\\\", 2);
		return;
	}
	if (json) {
		put(l, e, 6);
	} else {
		e[1] = 'x';
		put(l, e, 2);
		put(l, e + 4, 2);
	}
}

/* JSON names the character, logfmt its octets. */
static void
put_escaped_character(struct line *l, const unsigned char *s, size_t n, bool json)
{
	char	 text[8];
	unsigned c = n == 2 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu) :
			      (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);

	if (json) {
		(void)snprintf(text, sizeof(text), "\\u%04x", c);
		put_text(l, text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		put_escape(l, s[i], false);
}

enum {
	PLAIN = 1, /* may stand raw between quotes */
	BARE = 2,  /* in a word of logfmt too, without quotes */
};

static const uint8_t kinds[256] = {
	[' '] = PLAIN,
	['!'] = PLAIN | BARE,
	['#' ... '<'] = PLAIN | BARE,
	['='] = PLAIN,
	['>' ... '['] = PLAIN | BARE,
	[']' ... '~'] = PLAIN | BARE,
};

/* Octets from the front that are of this kind. */
static size_t
run_of(unsigned kind, const unsigned char *at, size_t len)
{
	size_t n = 0;

	while (n < len && (kinds[at[n]] & kind))
		n++;
	return n;
}

static void
put_quoted(struct line *l, struct span s, bool json)
{
	const unsigned char *at = (const unsigned char *)s.data;
	size_t		     left = MIN_OF(s.len, (size_t)LOG_VALUE_MAX);

	/* Not inside a character. */
	for (unsigned i = 0; i < 3 && left < s.len && (at[left] & 0xc0) == 0x80; i++)
		left--;
	put_char(l, '"');
	while (left) {
		size_t n = run_of(PLAIN, at, left);

		if (n == 0 && at[0] >= 0x80) {
			n = utf8_length(span_make(at, left));
			if (n && !utf8_harmless(at, n)) {
				put_escaped_character(l, at, n, json);
				at += n;
				left -= n;
				continue;
			}
		}
		if (n) {
			put(l, (const char *)at, n);
		} else {
			put_escape(l, *at, json);
			n = 1;
		}
		at += n;
		left -= n;
	}
	if (s.len > LOG_VALUE_MAX)
		put_text(l, "...");
	put_char(l, '"');
}

/* logfmt leaves a word bare when nobody could misread it. */
static bool
is_word(struct span s)
{
	return s.len && s.len <= LOG_VALUE_MAX && run_of(BARE, (const unsigned char *)s.data, s.len) == s.len;
}

static void
put_string(struct line *l, struct span s, bool json)
{
	if (!json && is_word(s))
		put(l, s.data, s.len);
	else
		put_quoted(l, s, json);
}

/* Text of our own making, a word without blank or quote. */
static void
put_word(struct line *l, const char *word, size_t len, bool json)
{
	if (json)
		put_char(l, '"');
	put(l, word, len);
	if (json)
		put_char(l, '"');
}

static void
put_value(struct line *l, const struct log_field *f, bool json)
{
	char text[ENDPOINT_TEXT_MAX];

	_Static_assert((int)ENDPOINT_TEXT_MAX > (int)ID_TEXT_LEN, "both fit");
	switch (f->type) {
	case LOG_TYPE_SPAN:
		put_string(l, f->span, json);
		return;
	case LOG_TYPE_INT:
		if (f->sint < 0)
			put_char(l, '-');
		put_uint(l, f->sint < 0 ? 0 - (uint64_t)f->sint : (uint64_t)f->sint);
		return;
	case LOG_TYPE_UINT:
		put_uint(l, f->uint);
		return;
	case LOG_TYPE_BOOL:
		put_text(l, f->uint ? "true" : "false");
		return;
	case LOG_TYPE_ID:
		put_word(l, id_format(f->id, text), ID_TEXT_LEN, json);
		return;
	case LOG_TYPE_ENDPOINT:
		(void)endpoint_format(f->endpoint, text);
		put_word(l, text, strlen(text), json);
		return;
	}
}

static void
put_key(struct line *l, const struct log_field *f, bool json)
{
	if (json)
		PUT_LITERAL(l, ",\"");
	else
		put_char(l, ' ');
	put(l, f->key, f->key_len);
	if (json)
		PUT_LITERAL(l, "\":");
	else
		put_char(l, '=');
}

static void
put_head(struct log *log, struct line *l, enum log_level level, const char *event, bool json)
{
	int64_t	 wall = io_wall(log->io);
	int64_t	 second = wall / 1000000000;
	unsigned ms = (unsigned)(wall / 1000000 % 1000);
	char	 fraction[5] = { '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z' };

	if (second != log->stamp_second) {
		time_t	  t = (time_t)second;
		struct tm tm;

		(void)gmtime_r(&t, &tm);
		(void)strftime(log->stamp, sizeof(log->stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		log->stamp_second = second;
	}
	put_text(l, json ? "{\"ts\":\"" : "ts=");
	put(l, log->stamp, STAMP_LEN);
	put(l, fraction, sizeof(fraction));
	put_text(l, json ? "\",\"level\":\"" : " level=");
	put_text(l, level_names[level]);
	put_text(l, json ? "\",\"event\":\"" : " event=");
	put_text(l, event);
	if (json)
		put_char(l, '"');
}

/* A field that does not fit in LOG_LINE_MAX is left out whole; the line stays well-formed. */
static size_t
format_line(struct log *log, char *room, enum log_level level, const char *event,
	    const struct log_field *fields, size_t count)
{
	bool	    json = log->format == LOG_FORMAT_JSON;
	struct line l = { .at = room, .end = room + LOG_LINE_MAX - 2 };

	put_head(log, &l, level, event, json);
	for (size_t i = 0; i < count; i++) {
		char *before = l.at;

		put_key(&l, &fields[i], json);
		put_value(&l, &fields[i], json);
		if (l.full) {
			l.at = before;
			l.full = false;
		}
	}
	l.end += 2;
	if (json)
		put_char(&l, '}');
	put_char(&l, '\n');
	return (size_t)(l.at - room);
}

/* --- buffers --------------------------------------------------------------------------------------- */

static bool
make_room(struct log_buffer *b, size_t need)
{
	size_t cap = b->cap ? b->cap : BUFFER_FIRST;
	char  *data;

	if (b->cap - b->len >= need)
		return true;
	while (cap - b->len < need)
		cap *= 2;
	if (cap > LOG_BUFFER_MAX)
		return false;
	data = realloc(b->data, cap);
	if (data == NULL)
		return false;
	b->data = data;
	b->cap = cap;
	return true;
}

void
log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	struct log_buffer *b;

	if (!log_wants(log, level))
		return;
	b = &log->filling;
	if (!make_room(b, LOG_LINE_MAX)) {
		log->dropped++;
		return;
	}
	if (log->dropped) {
		struct log_field lost = LOG_UINT("lines", log->dropped);

		b->len += format_line(log, b->data + b->len, LOG_LEVEL_WARN, "log-dropped", &lost, 1);
		b->reported += log->dropped;
		log->dropped = 0;
		if (!make_room(b, LOG_LINE_MAX)) {
			log->dropped++;
			return;
		}
	}
	if (level <= LOG_LEVEL_WARN)
		log->due_ns = 0;
	else if (b->len == 0)
		log->due_ns = io_mono(log->io) + LOG_DELAY_MS * UINT64_C(1000000);
	b->len += format_line(log, b->data + b->len, level, event, fields, count);
	b->lines++;
}

/* Cores share a pipe, and it tears what is longer than this where it happens to be full: so lines go whole. */
static size_t
whole_lines(const char *lines, size_t len)
{
	const char *end;

	if (len <= IO_PIPE_WHOLE)
		return len;
	end = memrchr(lines, '\n', IO_PIPE_WHOLE);
	if (end == NULL)
		end = memchr(lines, '\n', len);
	return end ? (size_t)(end - lines) + 1 : len;
}

static void
write_on(struct log *log)
{
	const char *data = log->flying.data + log->flown;
	size_t	    len = log->flying.len - log->flown;

	log->iov = (struct iovec){ (char *)(uintptr_t)data, log->fd_is_file ? len : whole_lines(data, len) };
	io_write(log->io, &log->write, log->fd, &log->iov, 1, 0, IO_WRITE_APPEND);
}

static void
written(struct io_op *op, const struct io_event *event)
{
	struct log *log = CONTAINER_OF(op, struct log, write);

	if (event->result > 0)
		log->flown += (size_t)event->result;
	if (event->result == -EINTR || (event->result > 0 && log->flown < log->flying.len)) {
		write_on(log);
		return;
	}
	if (log->flown)
		log->torn = log->flying.data[log->flown - 1] != '\n';
	if (event->result <= 0)
		log->dropped += log->flying.lines + log->flying.reported;
	log->flying.len = 0;
	log->flying.lines = log->flying.reported = 0;
	if (log_due(log) <= io_mono(log->io))
		log_flush(log);
}

static void
use(struct log *log, int fd)
{
	log->fd = fd;
	log->fd_is_file = io_is_file(fd);
}

/* A write that stopped inside a line has spoilt that one; it must not spoil the next. */
static void
begin_a_line(struct log_buffer *b)
{
	if (b->data[0] == '\n' || !make_room(b, 1))
		return;
	memmove(b->data + 1, b->data, b->len);
	b->data[0] = '\n';
	b->len++;
}

uint64_t
log_due(const struct log *log)
{
	if (log->filling.len == 0 || !io_op_idle(&log->write))
		return UINT64_MAX;
	return log->filling.len >= LOG_BATCH_MIN ? 0 : log->due_ns;
}

void
log_flush(struct log *log)
{
	struct log_buffer full;

	if (log == NULL || log->filling.len == 0)
		return;
	log->due_ns = 0;
	if (!io_op_idle(&log->write))
		return;
	if (log->torn)
		begin_a_line(&log->filling);
	full = log->filling;
	log->filling = log->flying;
	log->flying = full;
	log->flown = 0;
	if (log->reopened)
		use(log, log->next_fd);
	log->reopened = false;
	write_on(log);
}

/* --- life -------------------------------------------------------------------------------------------- */

struct log *
log_new(struct io *io, int fd, enum log_format format, enum log_level level)
{
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->io = io;
	log->next_fd = fd;
	use(log, fd);
	log->stamp_second = -1;
	log_configure(log, format, level);
	io_op_init(&log->write, written);
	return log;
}

void
log_reopen(struct log *log, int fd)
{
	log->next_fd = fd;
	log->reopened = true;
}

void
log_configure(struct log *log, enum log_format format, enum log_level level)
{
	log->format = format;
	log->level = level;
}

bool
log_idle(const struct log *log)
{
	return log->filling.len == 0 && io_op_idle(&log->write);
}

void
log_free(struct log *log)
{
	if (log == NULL)
		return;
	free(log->filling.data);
	free(log->flying.data);
	free(log);
}
