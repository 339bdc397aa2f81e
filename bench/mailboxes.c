/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths are checked once, at the start, for the longest domain and number; making an address is then copying. */
#include "bench/mailboxes.h"

#include <errno.h>

#include "bench/chance.h"

enum { NUMBER_DIGITS = 10 };

static char *
put(char *at, struct span s)
{
	memcpy(at, s.data, s.len);
	return at + s.len;
}

static char *
put_number(char *at, uint64_t n)
{
	char digits[NUMBER_DIGITS];
	size_t len = 0;

	do
		digits[sizeof(digits) - ++len] = (char)('0' + n % 10);
	while ((n /= 10) && len < sizeof(digits));
	return put(at, span_make(digits + sizeof(digits) - len, len));
}

static char *
put_domain(char *at, const struct weighted *domains, uint64_t chance)
{
	*at++ = '@';
	return put(at, domains->slots[weighted_draw(domains, chance)].word);
}

/* Mailboxes go into command lines and ledgers: no control characters, spaces, angle brackets. */
static bool
is_safe(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
			return false;
	}
	return true;
}

static int
domains_read(struct weighted *w, const char *path, size_t local_max, char why[static WEIGHTED_WHY_MAX])
{
	int result = weighted_read(w, path, why);

	for (size_t i = 0; i < w->count && result == 0; i++) {
		struct span word = w->slots[i].word;

		if (!is_safe(word) || span_find(word, '@') < word.len || local_max + 1 + word.len > MESSAGE_ADDRESS_MAX) {
			(void)snprintf(why, WEIGHTED_WHY_MAX, "%.100s: \"%.*s\" is no domain, or too long", path,
				       (int)MIN_OF(word.len, 80), word.data);
			result = -EINVAL;
		}
	}
	return result;
}

int
mailboxes_open(struct mailboxes *m, const struct mailboxes_params *p, char why[static WEIGHTED_WHY_MAX])
{
	struct span from = span_of(p->from), rcpt = span_of(p->rcpt);
	const char *number = strstr(p->rcpt, "%d");
	int result;

	*m = (struct mailboxes){ .params = *p, .numbered = number != NULL };
	(void)snprintf(why, WEIGHTED_WHY_MAX, "--from and --rcpt take no spaces, angle brackets or control characters, and "
		       "%d octets at most", MESSAGE_ADDRESS_MAX - NUMBER_DIGITS);
	if (!is_safe(from) || !is_safe(rcpt) || MAX_OF(from.len, rcpt.len) > MESSAGE_ADDRESS_MAX - NUMBER_DIGITS)
		return -EINVAL;
	if (p->from_domains)
		from = span_first(from, span_find(from, '@'));
	if (p->rcpt_domains) {
		rcpt = span_first(rcpt, span_find(rcpt, '@'));
		m->numbered = number && number < rcpt.data + rcpt.len;
	}
	m->from_local = from;
	m->rcpt_before = m->numbered ? span_first(rcpt, (size_t)(number - rcpt.data)) : rcpt;
	m->rcpt_after = m->numbered ? span_from(rcpt, m->rcpt_before.len + 2) : span_of("");
	if (p->pool > 1 && !m->numbered) {
		(void)snprintf(why, WEIGHTED_WHY_MAX, "--rcpt needs a %%d, in front of the @ when there are --rcpt-domains, when "
			       "there is more than one recipient");
		return -EINVAL;
	}
	if (p->from_domains) {
		result = domains_read(&m->from_domains, p->from_domains, from.len, why);
		if (result < 0)
			return result;
	}
	if (p->rcpt_domains)
		return domains_read(&m->rcpt_domains, p->rcpt_domains, rcpt.len + NUMBER_DIGITS, why);
	return 0;
}

void
mailboxes_free(struct mailboxes *m)
{
	weighted_free(&m->from_domains);
	weighted_free(&m->rcpt_domains);
}

struct span
mailboxes_from(const struct mailboxes *m, uint64_t n, char room[static MESSAGE_ADDRESS_MAX])
{
	char *at;

	if (!m->from_domains.count)
		return m->from_local;
	at = put(room, m->from_local);
	at = put_domain(at, &m->from_domains, chance_of(m->params.seed, CHANCE_SENDER, n));
	return span_make(room, (size_t)(at - room));
}

struct span
mailboxes_recipient(const struct mailboxes *m, uint64_t n, uint64_t i, char room[static MESSAGE_ADDRESS_MAX])
{
	uint64_t number = n * m->params.recipients + i;
	char *at = put(room, m->rcpt_before);

	if (m->numbered)
		at = put_number(at, number % m->params.pool);
	at = put(at, m->rcpt_after);
	if (m->rcpt_domains.count)
		at = put_domain(at, &m->rcpt_domains, chance_of(m->params.seed, CHANCE_RECIPIENT, number));
	return span_make(room, (size_t)(at - room));
}
