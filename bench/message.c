/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made message of N octets is head + window + tail.  The window is a whole number of 80-octet
 * lines; what is left over, 0..79 octets, fills the tail's first line, so each size is met exactly and
 * no line end is ever cut.  The shared text is WINDOW_STARTS lines longer than the largest window.  It is
 * kept twice, as it is and dot-stuffed; since each 16th line begins with a dot, the place of
 * line n in the stuffed text is arithmetic and needs no table.
 */
#include "bench/message.h"

#include <errno.h>

#include "bench/checksum.h"
#include "core/io.h"

enum {
	LINE_OCTETS   = 80,
	WINDOW_STARTS = 64,
	DOT_EVERY     = 16,
	DOT_AT	      = 5,
};

struct text {
	char *raw, *stuffed;
	size_t raw_len, stuffed_len;
	bool   eight_bit;
};

struct message_source {
	uint32_t     run;
	bool	     made;
	uint64_t     size_max;
	size_t	     fixed; /* octets of a made message that are not window and filler */
	char	     fields[MESSAGE_HEAD_MAX]; /* what follows the time field */
	size_t	     fields_len;
	struct text *texts;
	size_t	     text_count;
};

char *
message_normalise(struct span text, size_t *len)
{
	char *out = malloc(text.len * 2 + 2), *at = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n' && (i == 0 || text.data[i - 1] != '\r'))
			*at++ = '\r';
		*at++ = text.data[i];
	}
	if (at == out || at[-1] != '\n') {
		*at++ = '\r';
		*at++ = '\n';
	}
	*len = (size_t)(at - out);
	return out;
}

char *
message_stuff(struct span text, size_t *len)
{
	char *out = malloc(text.len * 2 + 1), *at = out;
	bool line_start = true;

	if (!out)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		if (line_start && text.data[i] == '.')
			*at++ = '.';
		*at++ = text.data[i];
		/* Only CRLF ends a line; after a lone LF a dot is text like any other. */
		line_start = text.data[i] == '\n' && i > 0 && text.data[i - 1] == '\r';
	}
	*len = (size_t)(at - out);
	return out;
}

static int
text_finish(struct text *t)
{
	t->stuffed = message_stuff(span_make(t->raw, t->raw_len), &t->stuffed_len);
	for (size_t i = 0; i < t->raw_len && !t->eight_bit; i++)
		t->eight_bit = (unsigned char)t->raw[i] >= 0x80;
	return t->stuffed ? 0 : -ENOMEM;
}

/* --- made bodies ----------------------------------------------------------------------------------- */

static int
text_make(struct message_source *source)
{
	static const char words[] = "the quick brown fox jumps over the lazy dog and home";
	size_t lines = WINDOW_STARTS + (source->size_max > source->fixed ?
						(size_t)(source->size_max - source->fixed) / LINE_OCTETS : 0);
	struct text *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	source->texts = t;
	source->text_count = 1;
	t->raw_len = lines * LINE_OCTETS;
	t->raw = malloc(t->raw_len + 1);
	if (!t->raw)
		return -ENOMEM;
	for (size_t i = 0; i < lines; i++) {
		char *line = t->raw + i * LINE_OCTETS;

		(void)snprintf(line, LINE_OCTETS, "%c%07zu %s", i % DOT_EVERY == DOT_AT ? '.' : ' ', i, words);
		memset(line + strlen(line), '=', LINE_OCTETS - 2 - strlen(line));
		line[LINE_OCTETS - 2] = '\r';
		line[LINE_OCTETS - 1] = '\n';
	}
	return text_finish(t);
}

/* Dots among the first n lines. */
static size_t
dots_before(size_t n)
{
	return (n + DOT_EVERY - 1 - DOT_AT) / DOT_EVERY;
}

static unsigned
decimal(char out[static 10], uint32_t n)
{
	char digits[10];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(out, digits + at, sizeof(digits) - at);
	return (unsigned)sizeof(digits) - at;
}

/* With leading zeros, so that it has one length and the size of a message does not hang on the time. */
static char *
put_time(char *at, uint64_t time_ns)
{
	static const char field[] = MESSAGE_TIME_FIELD;

	memcpy(at, field, sizeof(field) - 1);
	at += sizeof(field) - 1;
	for (unsigned i = MESSAGE_TIME_DIGITS; i-- > 0; time_ns /= 10)
		at[i] = (char)('0' + time_ns % 10);
	at += MESSAGE_TIME_DIGITS;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

static const char hex_digits[] = "0123456789abcdef";

void
message_make(const struct message_source *source, uint32_t seq, uint64_t size, uint64_t time_ns, struct message *out)
{
	static const char field[] = MESSAGE_ID_FIELD;
	const struct text *t = &source->texts[source->made ? 0 : seq % source->text_count];
	unsigned id_len, id_full;
	char *at = out->head;

	memcpy(at, field, sizeof(field) - 1);
	at += sizeof(field) - 1;
	out->id.data = at;
	for (unsigned i = 0; i < 8; i++)
		*at++ = hex_digits[source->run >> (28 - 4 * i) & 15];
	*at++ = '-';
	at += decimal(at, seq);
	out->id.len = (size_t)(at - out->id.data);
	*at++ = '\r';
	*at++ = '\n';
	at = put_time(at, time_ns);
	out->tail_len = 0;
	out->eight_bit = t->eight_bit;
	if (source->made) {
		size_t wanted = (size_t)MIN_OF(size, source->size_max);
		size_t room = wanted > source->fixed ? wanted - source->fixed : 0, filler = room % LINE_OCTETS;
		size_t start = seq % WINDOW_STARTS, lines = room / LINE_OCTETS, dots = dots_before(start);

		memcpy(at, source->fields, source->fields_len);
		at += source->fields_len;
		out->body = span_make(t->raw + start * LINE_OCTETS, lines * LINE_OCTETS);
		out->body_stuffed = span_make(t->stuffed + start * LINE_OCTETS + dots,
					      lines * LINE_OCTETS + dots_before(start + lines) - dots);
		/* A short number leaves room that the filler takes, so all are of one size. */
		id_len = (unsigned)out->id.len;
		id_full = 19;
		out->tail_len = (uint32_t)(filler + 2 * (id_full - id_len));
		memset(out->tail, '-', out->tail_len);
		memcpy(out->tail + out->tail_len, " end ", 5);
		memcpy(out->tail + out->tail_len + 5, out->id.data, id_len);
		out->tail_len += 5 + id_len;
		memcpy(out->tail + out->tail_len, "\r\n", 2);
		out->tail_len += 2;
	} else {
		out->body = span_make(t->raw, t->raw_len);
		out->body_stuffed = span_make(t->stuffed, t->stuffed_len);
	}
	out->head_len = (uint32_t)(at - out->head);
	out->size = out->head_len + out->body.len + out->tail_len;
	out->crc = checksum_add(0, span_make(out->head, out->head_len));
	out->crc = checksum_add(out->crc, out->body);
	out->crc = checksum_add(out->crc, span_make(out->tail, out->tail_len));
}

/* --- sources ----------------------------------------------------------------------------------------- */

static int
text_read(struct message_source *source, const char *path)
{
	struct text *texts = realloc(source->texts, (source->text_count + 1) * sizeof(*texts)), *t;
	size_t len;
	char *data;
	int result;

	if (!texts)
		return -ENOMEM;
	source->texts = texts;
	t = &texts[source->text_count];
	*t = (struct text){ 0 };
	result = io_file_slurp(path, MESSAGE_FILE_MAX, &data, &len);
	if (result < 0)
		return result;
	source->text_count++;
	t->raw = message_normalise(span_make(data, len), &t->raw_len);
	free(data);
	return t->raw ? text_finish(t) : -ENOMEM;
}

struct directory_reading {
	struct message_source *source;
	const char	      *directory;
	char		      *why;
};

static int
directory_entry(void *arg, const char *name)
{
	struct directory_reading *reading = arg;
	char path[1024];
	int result;

	if (name[0] == '.')
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", reading->directory, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	result = text_read(reading->source, path);
	if (result == -EISDIR)
		return 0;
	if (result < 0)
		(void)snprintf(reading->why, 256, "%.200s: %s", path, strerror(-result));
	return result;
}

static int
directory_read(struct message_source *source, const char *path, char *why)
{
	struct directory_reading reading = { source, path, why };
	int directory = io_directory_open(path, 0), result;

	why[0] = '\0';
	if (directory < 0) {
		(void)snprintf(why, 256, "%s: %s", path, strerror(-directory));
		return directory;
	}
	/* The descriptor is kept: closing would need a seam, and there is one for the whole run. */
	result = io_directory_list(directory, directory_entry, &reading);
	if (result == 0 && source->text_count == 0) {
		(void)snprintf(why, 256, "%s: no files in it", path);
		return -ENOENT;
	}
	if (result < 0 && !why[0])
		(void)snprintf(why, 256, "%s: %s", path, strerror(-result));
	return result;
}

static int
made_prepare(struct message_source *source, const struct message_source_params *p, char *why)
{
	/* Field and id at their longest, the tail with its id, " end " and line end. */
	size_t fixed = sizeof(MESSAGE_ID_FIELD) - 1 + 19 + 2 + 5 + 19 + 2;
	const size_t time_field = sizeof(MESSAGE_TIME_FIELD) - 1 + MESSAGE_TIME_DIGITS + 2;
	int n = snprintf(source->fields, sizeof(source->fields),
			 "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\nSubject: ringpost-bench\r\n\r\n",
			 p->from[0] ? p->from : "bench@localhost", p->to, p->date);

	if (n < 0 || (size_t)n + 64 + time_field > sizeof(source->fields)) {
		(void)snprintf(why, 256, "the addresses are too long");
		return -EINVAL;
	}
	source->fields_len = (size_t)n;
	source->fixed = fixed + source->fields_len + time_field;
	source->size_max = p->size_max;
	return text_make(source);
}

int
message_source_open(struct message_source **out, const struct message_source_params *p, char why[static 256])
{
	struct message_source *source = calloc(1, sizeof(*source));
	int result;

	(void)snprintf(why, 256, "no memory for the messages");
	if (!source)
		return -ENOMEM;
	source->run = p->run;
	if (p->directory) {
		result = directory_read(source, p->directory, why);
	} else if (p->file) {
		result = text_read(source, p->file);
		if (result < 0)
			(void)snprintf(why, 256, "%s: %s", p->file, strerror(-result));
	} else {
		source->made = true;
		result = made_prepare(source, p, why);
	}
	if (result < 0) {
		message_source_free(source);
		return result;
	}
	*out = source;
	return 0;
}

void
message_source_free(struct message_source *source)
{
	for (size_t i = 0; i < source->text_count; i++) {
		free(source->texts[i].raw);
		free(source->texts[i].stuffed);
	}
	free(source->texts);
	free(source);
}

size_t
message_source_count(const struct message_source *source)
{
	return source->text_count;
}
