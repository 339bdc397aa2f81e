/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash with chains, whose heads are swapped in by compare-and-exchange; a tally that is in never moves.
 *
 * A rate is kept as one time (the virtual scheduling of ATM's cell rate, also called GCRA): rate_due_ns is when the
 * messages taken so far would have been due if they had come evenly.  It may run ahead of now by what the burst allows; a message
 * that would take it further is over the rate.  rate_want_ns is the same of all messages that were wanted, the
 * refused ones too: how far it is ahead says by how much the rate was passed.
 *
 * Changed tallies form a stack.  Who counts adds first and looks at `changed` then, the exporter clears `changed` first and
 * reads then, both sequentially consistent: so a count is either read or its tally is on the stack again.
 */
#include "bench/sink_tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

#include "core/siphash.h"
#include "core/utf8.h"

enum {
	BUCKETS = 1 << 17,
	NAME_MAX_OCTETS = 255,
	TEXT_ROWS = 10,
};

const char *const sink_count_words[SINK_COUNT_COUNT] = {
#define X(id, word) word,
	SINK_COUNTS(X)
#undef X
};

struct sink_tallies {
	const struct sink_behaviour *behaviour;
	bool			     exports;
	uint64_t		     key[2];
	_Atomic(uint64_t)	     domain_count;
	_Atomic(struct sink_tally *) changed;
	struct sink_tally	    *hosts; /* linked by next */
	struct sink_tally	    *nameless, *others; /* what is no domain; domains beyond the bound */
	_Atomic(struct sink_tally *) buckets[BUCKETS];
};

/* --- finding ------------------------------------------------------------------------------------------------ */

static struct sink_tally *
tally_new(struct span name, const struct sink_profile *profile)
{
	struct sink_tally *tally = calloc(1, sizeof(*tally) + name.len);

	if (!tally)
		return NULL;
	tally->profile = profile;
	tally->name_len = (unsigned)name.len;
	memcpy(tally->name, name.data, name.len);
	return tally;
}

struct sink_tallies *
sink_tallies_new(const struct sink_behaviour *behaviour, bool exports)
{
	struct sink_tallies *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->behaviour = behaviour;
	t->exports = exports;
	/* Whoever sends to a sink wants it to work: chains that he makes long are his own loss. */
	t->key[0] = 0x73696e6b2d74616c;
	t->key[1] = 0x6c6965732e2e2e2e;
	/* Neither can be a domain's name. */
	t->nameless = tally_new(SPAN_LITERAL("no domain"), NULL);
	t->others = tally_new(SPAN_LITERAL("other domains"), NULL);
	if (!t->nameless || !t->others) {
		sink_tallies_free(t);
		return NULL;
	}
	return t;
}

void
sink_tallies_free(struct sink_tallies *t)
{
	struct sink_tally *tally, *next;

	if (!t)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (tally = atomic_load(&t->buckets[i]); tally; tally = next) {
			next = tally->next;
			free(tally);
		}
	}
	for (tally = t->hosts; tally; tally = next) {
		next = tally->next;
		free(tally);
	}
	free(t->nameless);
	free(t->others);
	free(t);
}

struct sink_tally *
sink_tallies_host(struct sink_tallies *t, const struct endpoint *at)
{
	char name[ENDPOINT_TEXT_MAX];
	struct sink_tally *tally = tally_new(span_of(endpoint_format(at, name)), sink_behaviour_host(t->behaviour, at));

	if (!tally)
		return NULL;
	tally->host = true;
	tally->next = t->hosts;
	t->hosts = tally;
	return tally;
}

/* The domain of a mailbox in lower case; empty when it is none. */
static struct span
domain_of(struct span mailbox, char buffer[static NAME_MAX_OCTETS])
{
	size_t at = mailbox.len;
	struct span domain;

	while (at && mailbox.data[at - 1] != '@')
		at--;
	domain = span_from(mailbox, at);
	if (!at || !domain.len || domain.len > NAME_MAX_OCTETS || !utf8_valid(domain))
		return (struct span){ 0 };
	for (size_t i = 0; i < domain.len; i++) {
		unsigned char c = (unsigned char)domain.data[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80 || memchr(".-_[]:", c, 6)))
			return (struct span){ 0 };
		buffer[i] = (char)c;
	}
	return span_make(buffer, domain.len);
}

static struct sink_tally *
chain_find(struct sink_tally *tally, const struct sink_tally *end, uint64_t hash, struct span name)
{
	for (; tally != end; tally = tally->next) {
		if (tally->hash == hash && span_equal(span_make(tally->name, tally->name_len), name))
			return tally;
	}
	return NULL;
}

struct sink_tally *
sink_tallies_find(struct sink_tallies *t, struct span mailbox)
{
	char buffer[NAME_MAX_OCTETS];
	struct span name = domain_of(mailbox, buffer);
	_Atomic(struct sink_tally *) *bucket;
	struct sink_tally *head, *seen = NULL, *found, *fresh;
	uint64_t hash;

	if (!name.len)
		return t->nameless;
	hash = siphash(t->key, name.data, name.len);
	bucket = &t->buckets[hash % BUCKETS];
	/* acquire: pairs with the release below; a tally in the chain is whole. */
	head = atomic_load_explicit(bucket, memory_order_acquire);
	found = chain_find(head, seen, hash, name);
	if (found)
		return found;
	if (atomic_fetch_add(&t->domain_count, 1) >= SINK_DOMAINS_MAX ||
	    !(fresh = tally_new(name, sink_behaviour_domain(t->behaviour, name)))) {
		atomic_fetch_sub(&t->domain_count, 1);
		return t->others;
	}
	fresh->hash = hash;
	for (;;) {
		fresh->next = seen = head;
		if (atomic_compare_exchange_weak_explicit(bucket, &head, fresh, memory_order_release,
							  memory_order_acquire))
			return fresh;
		/* Another core added one: the same? */
		found = chain_find(head, seen, hash, name);
		if (found) {
			free(fresh);
			atomic_fetch_sub(&t->domain_count, 1);
			return found;
		}
	}
}

/* --- counting -------------------------------------------------------------------------------------------------- */

static void
changed(struct sink_tallies *t, struct sink_tally *tally)
{
	struct sink_tally *top;

	if (!t->exports || atomic_load(&tally->changed) || atomic_exchange(&tally->changed, true))
		return;
	top = atomic_load(&t->changed);
	do
		tally->changed_next = top;
	while (!atomic_compare_exchange_weak(&t->changed, &top, tally));
}

void
sink_tally_add(struct sink_tallies *t, struct sink_tally *tally, enum sink_count what, uint64_t n)
{
	atomic_fetch_add(&tally->counts[what], n);
	changed(t, tally);
}

static void
raise_to(_Atomic(uint64_t) *most, uint64_t value)
{
	uint64_t old = atomic_load_explicit(most, memory_order_relaxed);

	while (old < value && !atomic_compare_exchange_weak_explicit(most, &old, value, memory_order_relaxed,
								     memory_order_relaxed))
		;
}

void
sink_tally_over(struct sink_tally *tally, enum sink_limit_kind kind, uint64_t by)
{
	atomic_fetch_add_explicit(&tally->over[kind], 1, memory_order_relaxed);
	raise_to(&tally->worst[kind], by);
}

uint64_t
sink_tally_enter(struct sink_tallies *t, struct sink_tally *tally, const struct sink_limit *limit)
{
	uint64_t open = atomic_fetch_add_explicit(&tally->open, 1, memory_order_relaxed) + 1;

	raise_to(&tally->open_max, open);
	sink_tally_add(t, tally, SINK_COUNT_CONNECTIONS, 1);
	return limit && limit->max && open > limit->max ? open - limit->max : 0;
}

void
sink_tally_leave(struct sink_tally *tally)
{
	atomic_fetch_sub_explicit(&tally->open, 1, memory_order_relaxed);
}

uint64_t
sink_tally_rate(struct sink_tally *tally, const struct sink_limit *limit, uint64_t now_ns)
{
	uint64_t step = MAX_OF(limit->period_ns / limit->max, 1u), ahead = limit->burst * step;
	uint64_t want = atomic_load_explicit(&tally->rate_want_ns, memory_order_relaxed), next;
	uint64_t due = atomic_load_explicit(&tally->rate_due_ns, memory_order_relaxed);

	do
		next = MAX_OF(want, now_ns) + step;
	while (!atomic_compare_exchange_weak_explicit(&tally->rate_want_ns, &want, next, memory_order_relaxed,
						      memory_order_relaxed));
	want = next;
	do {
		next = MAX_OF(due, now_ns) + step;
		if (next - now_ns > ahead)
			return MAX_OF((want - MIN_OF(want, now_ns + ahead) + step - 1) / step, 1u);
	} while (!atomic_compare_exchange_weak_explicit(&tally->rate_due_ns, &due, next, memory_order_relaxed,
							memory_order_relaxed));
	return 0;
}

struct sink_tally *
sink_tallies_changed(struct sink_tallies *t)
{
	return atomic_exchange(&t->changed, NULL);
}

struct sink_tally *
sink_tally_changed_next(struct sink_tally *tally)
{
	struct sink_tally *next = tally->changed_next;

	atomic_store(&tally->changed, false);
	return next;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static uint64_t
count_of(const struct sink_tally *tally, enum sink_count what)
{
	return atomic_load_explicit(&tally->counts[what], memory_order_relaxed);
}

/* Most messages first; of as many, by what else came, then by name. */
static int
by_messages(const void *left, const void *right)
{
	const struct sink_tally *a = *(const struct sink_tally *const *)left, *b = *(const struct sink_tally *const *)right;
	static const enum sink_count order[] = { SINK_COUNT_MESSAGES, SINK_COUNT_DEFERRED, SINK_COUNT_REFUSED };
	int result;

	for (size_t i = 0; i < COUNT_OF(order); i++) {
		if (count_of(a, order[i]) != count_of(b, order[i]))
			return count_of(a, order[i]) < count_of(b, order[i]) ? 1 : -1;
	}
	result = memcmp(a->name, b->name, MIN_OF(a->name_len, b->name_len));
	return result ? result : (int)a->name_len - (int)b->name_len;
}

/* Names do not need escaping; see domain_of(). */
static void
tally_print_json(FILE *to, const struct sink_tally *tally)
{
	const char *between = "";

	(void)fprintf(to, "\"%.*s\": {", (int)tally->name_len, tally->name);
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++, between = ", ")
		(void)fprintf(to, "%s\"%s\": %" PRIu64, between, sink_count_words[i], count_of(tally, i));
	(void)fprintf(to, ", \"connections_max\": %" PRIu64, tally->open_max);
	for (unsigned i = 0; i < SINK_LIMIT_COUNT; i++) {
		if (tally->over[i] || (tally->profile && tally->profile->limits[i].max))
			(void)fprintf(to, ", \"over_%s\": %" PRIu64 ", \"over_%s_worst\": %" PRIu64, sink_limit_words[i],
				      tally->over[i], sink_limit_words[i], tally->worst[i]);
	}
	(void)fputc('}', to);
}

static void
tally_print_text(FILE *to, const struct sink_tally *tally)
{
	(void)fprintf(to, "%s %.*s:", tally->host ? "at" : "to", (int)tally->name_len, tally->name);
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++) {
		if (count_of(tally, i))
			(void)fprintf(to, " %" PRIu64 " %s", count_of(tally, i), sink_count_words[i]);
	}
	for (unsigned i = 0; i < SINK_LIMIT_COUNT; i++) {
		if (tally->over[i])
			(void)fprintf(to, ", %" PRIu64 " over %s, by %" PRIu64 " at worst", tally->over[i],
				      sink_limit_words[i], tally->worst[i]);
	}
	(void)fputc('\n', to);
}

static void
tally_sum(struct sink_tally *to, const struct sink_tally *from)
{
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++)
		to->counts[i] += from->counts[i];
	for (unsigned i = 0; i < SINK_LIMIT_COUNT; i++) {
		to->over[i] += from->over[i];
		raise_to(&to->worst[i], from->worst[i]);
	}
	raise_to(&to->open_max, from->open_max);
}

static bool
is_empty(const struct sink_tally *tally)
{
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++) {
		if (tally->counts[i])
			return false;
	}
	return true;
}

/* Domains in order in a fresh block, *count of them. */
static struct sink_tally **
domains_sorted(struct sink_tallies *t, size_t *count)
{
	struct sink_tally **all = malloc((t->domain_count + 2) * sizeof(*all));

	*count = 0;
	if (!all)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct sink_tally *tally = t->buckets[i]; tally; tally = tally->next)
			all[(*count)++] = tally;
	}
	if (!is_empty(t->nameless))
		all[(*count)++] = t->nameless;
	qsort(all, *count, sizeof(*all), by_messages);
	return all;
}

static void
limits_print(FILE *to, const struct sink_tallies *t, struct sink_tally *const *all, size_t count, bool json)
{
	struct sink_tally sum = { 0 };

	for (size_t i = 0; i < count; i++)
		tally_sum(&sum, all[i]);
	for (const struct sink_tally *host = t->hosts; host; host = host->next)
		tally_sum(&sum, host);
	tally_sum(&sum, t->others);
	for (unsigned i = 0; i < SINK_LIMIT_COUNT; i++) {
		if (json)
			(void)fprintf(to, ", \"over_%s\": %" PRIu64 ", \"over_%s_worst\": %" PRIu64, sink_limit_words[i],
				      sum.over[i], sink_limit_words[i], sum.worst[i]);
		else if (sum.over[i])
			(void)fprintf(to, "over %-15s %" PRIu64 ", by %" PRIu64 " at worst\n", sink_limit_words[i],
				      sum.over[i], sum.worst[i]);
	}
}

static void
tallies_print_json(FILE *to, const struct sink_tallies *t, struct sink_tally *const *all, size_t count, size_t shown)
{
	const char *between = "";

	(void)fprintf(to, ", \"domain_count\": %zu, \"domains\": {", count);
	for (size_t i = 0; i < shown; i++, between = ", ") {
		(void)fputs(between, to);
		tally_print_json(to, all[i]);
	}
	if (!is_empty(t->others)) {
		(void)fputs(between, to);
		tally_print_json(to, t->others);
	}
	(void)fprintf(to, "}, \"hosts\": {");
	between = "";
	for (const struct sink_tally *host = t->hosts; host; host = host->next, between = ", ") {
		(void)fputs(between, to);
		tally_print_json(to, host);
	}
	(void)fputc('}', to);
}

static void
tallies_print_text(FILE *to, const struct sink_tallies *t, struct sink_tally *const *all, size_t count, size_t shown)
{
	(void)fprintf(to, "%-20s %zu\n", "domains", count);
	for (size_t i = 0; i < shown; i++)
		tally_print_text(to, all[i]);
	if (!is_empty(t->others))
		tally_print_text(to, t->others);
	for (const struct sink_tally *host = t->hosts; host; host = host->next) {
		if (!is_empty(host))
			tally_print_text(to, host);
	}
}

int
sink_tallies_print(FILE *to, struct sink_tallies *t, size_t domains_max, bool json)
{
	size_t count, shown;
	struct sink_tally **all = domains_sorted(t, &count);

	if (!all)
		return -ENOMEM;
	limits_print(to, t, all, count, json);
	shown = MIN_OF(count, json ? domains_max : TEXT_ROWS);
	for (size_t i = shown; i < count; i++)
		tally_sum(t->others, all[i]);
	if (json)
		tallies_print_json(to, t, all, count, shown);
	else
		tallies_print_text(to, t, all, count, shown);
	free(all);
	return 0;
}
