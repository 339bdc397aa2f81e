/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/smtp/trace.h"

#include <time.h>

#include "core/utf8.h"

const char *
smtp_date(int64_t seconds, char buffer[static SMTP_DATE_MAX])
{
	/* By hand, because strftime() would ask the locale for the names. */
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t		  t = (time_t)seconds;
	struct tm	  tm;

	(void)gmtime_r(&t, &tm);
	(void)snprintf(buffer, SMTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u +0000",
		       days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
		       (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		       (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return buffer;
}

struct out {
	char *at, *end;
};

static void
put(struct out *o, const char *text)
{
	for (; *text && o->at < o->end; text++)
		*o->at++ = *text;
}

/* Printable ASCII, and UTF-8 when the message is internationalised; nothing of `not`. */
static void
put_outside(struct out *o, struct span text, bool utf8, const char *not )
{
	utf8 = utf8 && utf8_valid(text);
	for (size_t i = 0; i < text.len && o->at < o->end; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool	      fine = (c > 32 && c < 127 && strchr(not, c) == NULL) || (c >= 0x80 && utf8);

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
