/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/admin/filter.h"

#include "mta/smtp/domain.h"

static const char *const state_words[] = {
#define X(id, name) name,
	FILTER_STATES(X)
#undef X
};

bool
filter_set_state(struct filter *f, struct span word)
{
	for (unsigned i = 0; i < COUNT_OF(state_words); i++)
		if (span_equal(word, span_of(state_words[i]))) {
			f->state = (enum filter_state)i;
			return true;
		}
	return false;
}

/* --- domains ---------------------------------------------------------------------------------------------------- */

static struct span
domain_of(struct span mailbox)
{
	for (size_t i = mailbox.len; i; i--)
		if (mailbox.data[i - 1] == '@')
			return span_from(mailbox, i);
	return span_make("", 0);
}

/* A literal has no other form than its own. */
static struct span
normal_of(struct span domain, char buffer[static SMTP_DOMAIN_MAX + 1])
{
	if (domain.len && domain.data[0] == '[')
		return domain;
	return smtp_domain_normal(domain, buffer);
}

static bool
pattern_read(struct span text, struct filter_domain *out)
{
	struct filter_domain p = { .kind = FILTER_DOMAIN_EXACT };
	char		     buffer[SMTP_DOMAIN_MAX + 1];
	struct span	     normal;

	if (span_equal(text, SPAN_LITERAL("*"))) {
		*out = (struct filter_domain){ .kind = FILTER_DOMAIN_ANY };
		return true;
	}
	if (text.len > 2 && span_equal(span_first(text, 2), SPAN_LITERAL("*.")))
		text = span_from(text, 1);
	if (text.len > 1 && text.data[0] == '.') {
		p.kind = FILTER_DOMAIN_BELOW;
		text = span_from(text, 1);
	} else if (text.len > 2 && span_equal(span_from(text, text.len - 2), SPAN_LITERAL(".*"))) {
		p.kind = FILTER_DOMAIN_BESIDE;
		text = span_first(text, text.len - 2);
	}
	normal = normal_of(text, buffer);
	if (normal.len == 0 || normal.len > SMTP_DOMAIN_MAX)
		return false;
	memcpy(p.name, normal.data, normal.len);
	p.len = normal.len;
	*out = p;
	return true;
}

static bool
pattern_fits(const struct filter_domain *p, struct span domain)
{
	struct span name = span_make(p->name, p->len), rest;
	char	    buffer[SMTP_DOMAIN_MAX + 1];

	if (p->kind == FILTER_DOMAIN_ANY)
		return true;
	domain = normal_of(domain, buffer);
	switch (p->kind) {
	case FILTER_DOMAIN_ANY:
		break;
	case FILTER_DOMAIN_EXACT:
		return span_equal_nocase(domain, name);
	case FILTER_DOMAIN_BELOW:
		return domain.len > name.len + 1 && domain.data[domain.len - name.len - 1] == '.' &&
		       span_equal(span_from(domain, domain.len - name.len), name);
	case FILTER_DOMAIN_BESIDE:
		rest = span_from(domain, name.len + 1);
		return rest.len && domain.data[name.len] == '.' && span_equal(span_first(domain, name.len), name) &&
		       span_find(rest, '.') == rest.len;
	}
	return true;
}

bool
filter_set_domain(struct filter *f, struct span pattern)
{
	return pattern_read(pattern, &f->domain);
}

bool
filter_set_from(struct filter *f, struct span text)
{
	size_t at = span_find(text, '@');

	if (text.len == 0 || span_equal(text, SPAN_LITERAL("<>"))) {
		f->from_kind = FILTER_FROM_NULL;
		return true;
	}
	if (at == 0 || at == text.len) {
		if (!pattern_read(at == 0 ? span_from(text, 1) : text, &f->from_domain))
			return false;
		f->from_kind = FILTER_FROM_DOMAIN;
		return true;
	}
	if (text.len > SMTP_PATH_MAX)
		return false;
	memcpy(f->from, text.data, text.len);
	f->from_len = text.len;
	f->from_kind = FILTER_FROM_MAILBOX;
	return true;
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static bool
has_recipient(const struct queue_message *m, enum queue_state state)
{
	for (uint32_t i = 0; i < m->recipient_count; i++)
		if (m->recipients[i].state == state)
			return true;
	return false;
}

bool
filter_fits_message(const struct filter *f, const struct queue_message *m)
{
	switch (f->state) {
	case FILTER_ANY:
		return true;
	case FILTER_WAITING:
		return !m->held && has_recipient(m, QUEUE_WAITING);
	case FILTER_IN_HAND:
		return has_recipient(m, QUEUE_IN_HAND);
	case FILTER_HELD:
		return m->held;
	}
	return false;
}

static bool
fits_sender(const struct filter *f, struct span sender)
{
	switch (f->from_kind) {
	case FILTER_FROM_ANY:
		return true;
	case FILTER_FROM_NULL:
		return sender.len == 0;
	case FILTER_FROM_MAILBOX:
		return span_equal_nocase(sender, span_make(f->from, f->from_len));
	case FILTER_FROM_DOMAIN:
		return sender.len && pattern_fits(&f->from_domain, domain_of(sender));
	}
	return false;
}

bool
filter_fits_envelope(const struct filter *f, const struct queue_message *m, const struct envelope *e)
{
	if (!fits_sender(f, e->sender))
		return false;
	if (f->domain.kind == FILTER_DOMAIN_ANY)
		return true;
	for (uint32_t i = 0; i < m->recipient_count && i < e->recipient_count; i++)
		if (!queue_state_final((enum queue_state)m->recipients[i].state) &&
		    pattern_fits(&f->domain, domain_of(e->recipients[i].address)))
			return true;
	return false;
}
