/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/trace.h"

#include "core/digits.h"
#include "core/utf8.h"

/* Days from 1 January 1970 to that of a later year. */
static unsigned
days_before(unsigned year)
{
	unsigned last = year - 1;

	return 365 * (year - 1970) + (last / 4 - last / 100 + last / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/*
 * By hand: strftime() would ask the locale for the names, and gmtime_r() takes a lock that all cores share, for zones that
 * nobody asks about here.
 */
const char *
smtp_date(int64_t seconds, char buffer[static SMTP_DATE_MAX])
{
	static const char    names[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint64_t	     time = (uint64_t)MIN_OF(MAX_OF(seconds, 0), SMTP_SECONDS_MAX);
	unsigned	     day = (unsigned)(time / 86400), second = (unsigned)(time % 86400), month = 0;
	unsigned	     year = 1970 + day / 366; /* or little later */
	const char	    *name = names + 3 * ((day + 4) % 7);
	char		    *at = buffer;

	while (days_before(year + 1) <= day)
		year++;
	day -= days_before(year);
	for (unsigned length; day >= (length = lengths[month] + (month == 1 && is_leap(year))); month++)
		day -= length;
	at = mempcpy(at, name, 3);
	at = mempcpy(at, ", ", 2);
	at = digits_put_two(at, day + 1);
	*at++ = ' ';
	at = mempcpy(at, months + 3 * month, 3);
	*at++ = ' ';
	at = digits_put(at, year);
	*at++ = ' ';
	at = digits_put_two(at, second / 3600);
	*at++ = ':';
	at = digits_put_two(at, second / 60 % 60);
	*at++ = ':';
	at = digits_put_two(at, second % 60);
	memcpy(at, " +0000", sizeof(" +0000"));
	return buffer;
}

struct out {
	char *at, *end;
};

static void
put(struct out *o, const char *text)
{
	o->at = mempcpy(o->at, text, MIN_OF(strlen(text), (size_t)(o->end - o->at)));
}

/* What most names are made of, and none of `not` below. */
static bool
is_common(unsigned char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '-' && c <= '9' && c != '/') || c == '@';
}

/* Printable ASCII, and UTF-8 when the message is internationalised; nothing of `not`. */
static void
put_outside(struct out *o, struct span text, bool utf8, const char *not )
{
	utf8 = utf8 && utf8_valid(text);
	for (size_t i = 0; i < text.len && o->at < o->end; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool	      fine = is_common(c) || (c > 32 && c < 127 && strchr(not, c) == NULL) ||
				     (c >= 0x80 && utf8);

		*o->at++ = (char)(fine ? c : '?');
	}
}

size_t
smtp_trace_write(const struct smtp_trace *t, char buffer[static SMTP_TRACE_MAX])
{
	struct out o = { buffer, buffer + SMTP_TRACE_MAX - 64 };
	char	   text[ENDPOINT_TEXT_MAX], date[SMTP_DATE_MAX];

	put(&o, "Received: from ");
	put_outside(&o, t->helo, t->utf8, "()<>;\\\"");
	put(&o, endpoint_is_ipv4(t->client) ? " ([" : " ([IPv6:");
	put(&o, endpoint_format_ip(t->client, text));
	put(&o, "])\r\n\tby ");
	put_outside(&o, t->hostname, t->utf8, "()<>;\\\"");
	put(&o, t->utf8 ? " with UTF8SMTP id " : t->esmtp ? " with ESMTP id " : " with SMTP id ");
	put(&o, t->id);
	if (t->recipient.len) {
		put(&o, "\r\n\tfor <");
		put_outside(&o, t->recipient, t->utf8, "<>()");
		put(&o, ">");
	}
	o.end = buffer + SMTP_TRACE_MAX;
	put(&o, ";\r\n\t");
	put(&o, smtp_date(t->seconds, date));
	put(&o, "\r\n");
	return (size_t)(o.at - buffer);
}
