/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row for each phase, one column for each class of reply; what does not fit a class is an exception below.
 *
 * Choices where the RFCs leave one, and why:
 *   - a greeting of 5xx speaks of this host and this moment ("554 no service from your address"), not of any message, so
 *     the next host is tried and mail waits, as with Postfix.  Only 521 says that the host never takes mail (RFC 7504);
 *   - HELO refused with 5xx on every host is final: they all heard our name and do not want it;
 *   - 421 closes the session wherever it comes, and costs the message nothing but time;
 *   - 552 to RCPT means 452 (RFC 5321 section 4.5.3.1.10);
 *   - a reply outside 2xx, 4xx and 5xx where none belongs (354 to RCPT) ends the session: nobody can know any more which
 *     reply answers which command, and a guess could lose mail;
 *   - a name server's failure never bounces, and neither does a mistake in our own routes.
 */
#include "mta/outbound/outcome.h"

#include "core/digits.h"

static const char *const phase_names[] = {
#define X(id, name) name,
	OUTCOME_PHASES(X)
#undef X
};

const char *
outcome_phase_name(enum outcome_phase phase)
{
	return phase_names[phase];
}

struct verdict_row {
	uint16_t	     good;	/* the one code hoped for; 0: any 2xx */
	enum outcome_verdict transient; /* 4xx */
	enum outcome_verdict permanent; /* 5xx */
};

static const struct verdict_row rows[OUTCOME_PHASE_COUNT] = {
	[OUTCOME_PHASE_GREETING] = { 220, VERDICT_DEFER_HOST, VERDICT_DEFER_HOST },
	[OUTCOME_PHASE_EHLO] = { 0, VERDICT_DEFER_HOST, VERDICT_USE_HELO },
	[OUTCOME_PHASE_HELO] = { 0, VERDICT_DEFER_HOST, VERDICT_FAIL_HOST },
	[OUTCOME_PHASE_MAIL] = { 0, VERDICT_DEFER_MESSAGE, VERDICT_FAIL_MESSAGE },
	[OUTCOME_PHASE_RCPT] = { 0, VERDICT_DEFER_RECIPIENT, VERDICT_FAIL_RECIPIENT },
	[OUTCOME_PHASE_DATA] = { 354, VERDICT_DEFER_MESSAGE, VERDICT_FAIL_MESSAGE },
	[OUTCOME_PHASE_CHUNK] = { 0, VERDICT_DEFER_MESSAGE, VERDICT_FAIL_MESSAGE },
	[OUTCOME_PHASE_END] = { 0, VERDICT_DEFER_MESSAGE, VERDICT_FAIL_MESSAGE },
	[OUTCOME_PHASE_RSET] = { 0, VERDICT_DEFER_SESSION, VERDICT_DEFER_SESSION },
	[OUTCOME_PHASE_QUIT] = { 0, VERDICT_DEFER_SESSION, VERDICT_DEFER_SESSION },
};

static bool
before_mail(enum outcome_phase phase)
{
	return phase <= OUTCOME_PHASE_HELO;
}

enum outcome_verdict
outcome_of_reply(enum outcome_phase phase, unsigned code)
{
	const struct verdict_row *row = &rows[phase];

	if (code == 421)
		return before_mail(phase) ? VERDICT_DEFER_HOST : VERDICT_DEFER_SESSION;
	if (code == 552 && phase == OUTCOME_PHASE_RCPT)
		return VERDICT_DEFER_RECIPIENT;
	if (code == 521 && phase == OUTCOME_PHASE_GREETING)
		return VERDICT_FAIL_HOST;
	if (row->good ? code == row->good : code / 100 == 2)
		return VERDICT_GO_ON;
	if (code / 100 == 4)
		return row->transient;
	if (code / 100 == 5)
		return row->permanent;
	return before_mail(phase) ? VERDICT_DEFER_HOST : VERDICT_BREAK;
}

static struct smtp_enhanced
made(unsigned class, unsigned subject, unsigned detail)
{
	return (struct smtp_enhanced){ (unsigned char)class, (unsigned short)subject, (unsigned short)detail };
}

struct smtp_enhanced
outcome_status_of(enum outcome_kind kind, enum outcome_phase phase, unsigned code, const struct smtp_enhanced *told)
{
	unsigned class = kind == OUTCOME_DELIVERED ? 2 : kind == OUTCOME_FAILED ? 5 : 4;

	if (told->class == class)
		return *told;
	if (class == 2)
		return made(2, 0, 0);
	/* A deferral for which the peer gave a permanent status (552 to RCPT) keeps what it is about. */
	if (told->class == 5 && class == 4)
		return made(4, told->subject, told->detail);
	switch (code) {
	case 421:
		return made(class, 3, 2); /* the system is not accepting messages now */
	case 450:
	case 550:
		return made(class, phase == OUTCOME_PHASE_RCPT ? 1 : 7, phase == OUTCOME_PHASE_RCPT ? 1 : 0);
	case 452:
	case 552:
		return phase == OUTCOME_PHASE_RCPT && class == 4 ? made(4, 5, 3) : made(class, 3, class == 5 ? 4 : 1);
	case 500:
	case 501:
	case 502:
	case 503:
	case 504:
	case 555:
		return made(class, 5, code == 501 || code == 504 || code == 555 ? 4 : 0);
	case 521:
	case 556:
		return made(class, code == 521 ? 3 : 1, code == 521 ? 2 : 10);
	default:
		return made(class, 0, 0);
	}
}

bool
outcome_too_many(unsigned code, const struct smtp_enhanced *told)
{
	if (code != 452 && code != 552)
		return false;
	return told->class == 0 || (told->subject == 5 && told->detail == 3);
}

struct outcome_trouble
outcome_of_dns(enum outcome_source source, enum dns_status status)
{
	const struct outcome_trouble later = { OUTCOME_DEFERRED, 0, { 4, 4, 3 } };

	if (source == OUTCOME_ROUTE)
		return status == DNS_FAILED ? later : (struct outcome_trouble){ OUTCOME_DEFERRED, 0, { 4, 3, 5 } };
	switch (status) {
	case DNS_OK: /* and still no host: an answer that makes no sense */
	case DNS_FAILED:
		return later;
	case DNS_NULL_MX: /* RFC 7505 section 4.2 */
		return (struct outcome_trouble){ OUTCOME_FAILED, 556, { 5, 1, 10 } };
	case DNS_NONE:
	case DNS_NXDOMAIN:
	case DNS_BAD_NAME:
		if (source == OUTCOME_EXCHANGER) /* the domain is there; the way to it is not */
			return (struct outcome_trouble){ OUTCOME_FAILED, 0, { 5, 4, 4 } };
		return (struct outcome_trouble){ OUTCOME_FAILED, 0, { 5, 1, 2 } };
	}
	return later;
}

const char *
outcome_status_format(struct smtp_enhanced status, char buffer[static OUTCOME_STATUS_TEXT_MAX])
{
	char *at = digits_put(buffer, status.class ? status.class : 5u);

	*at++ = '.';
	at = digits_put(at, status.class ? status.subject % 1000u : 0u);
	*at++ = '.';
	*digits_put(at, status.class ? status.detail % 1000u : 0u) = 0;
	return buffer;
}
