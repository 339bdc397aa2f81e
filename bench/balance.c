/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender's ledger becomes a hash of messages with their recipients behind one another in one
 * array; the sink's lines are then booked against it, and at the end each recipient is looked at once.
 * Hash by FNV-1a, open addressing, at most half full; memory is about a hundred octets for each message.
 */
#include "bench/balance.h"

#include <errno.h>
#include <stdarg.h>

#include "bench/ledger.h"

enum finding { MISSING, FORBIDDEN, ALTERED, BROKEN, DUPLICATE, FINDING_COUNT };

struct owed {
	struct span address; /* as escaped in the ledger */
	uint32_t    copies;
	uint32_t    unanswered; /* of those copies */
	bool	    refused;	/* by the server, in this transaction */
	bool	    reported;
};

struct entry {
	struct ledger_line line; /* id.len 0: the slot is free */
	uint32_t	   first, count;
	bool		   arrived;
};

struct books {
	struct entry   *slots;
	size_t		slot_count;
	struct owed    *owed;
	size_t		owed_count, owed_cap;
	struct balance *sum;
	unsigned	said[FINDING_COUNT];
	balance_say    *say;
	void	       *arg;
};

static void PRINTF_LIKE(3, 4)
find(struct books *b, enum finding what, const char *format, ...)
{
	char text[512];
	va_list args;

	if (b->said[what]++ >= BALANCE_FINDINGS_MAX || !b->say)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	b->say(b->arg, text);
}

#define SPAN_ARGS(s) (int)MIN_OF((s).len, 200), (s).data

static size_t
hash(struct span s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

static struct entry *
entry_at(struct books *b, struct span id)
{
	size_t at = hash(id) & (b->slot_count - 1);

	while (b->slots[at].line.id.len && !span_equal(b->slots[at].line.id, id))
		at = (at + 1) & (b->slot_count - 1);
	return &b->slots[at];
}

static bool
owed_add(struct books *b, struct span address, bool refused)
{
	if (b->owed_count == b->owed_cap) {
		size_t cap = b->owed_cap ? b->owed_cap * 2 : 1024;
		struct owed *owed = realloc(b->owed, cap * sizeof(*owed));

		if (!owed)
			return false;
		b->owed = owed;
		b->owed_cap = cap;
	}
	b->owed[b->owed_count++] = (struct owed){ .address = address, .refused = refused };
	return true;
}

/* The next line of *text that says something; false at the end. */
static bool
line_next(struct books *b, struct span *text, struct ledger_line *line)
{
	while (text->len) {
		size_t len = span_find(*text, '\n');
		struct span one = span_first(*text, len);

		*text = span_from(*text, len + 1);
		switch (ledger_parse(one, line)) {
		case LEDGER_OK:
			return true;
		case LEDGER_SKIP:
			break;
		case LEDGER_BROKEN:
			b->sum->broken++;
			find(b, BROKEN, "broken: \"%.*s\"", SPAN_ARGS(one));
			break;
		}
	}
	return false;
}

static bool
sent_book(struct books *b, const struct ledger_line *line)
{
	struct entry *e = entry_at(b, line->id);
	struct span list, address;

	switch (line->kind) {
	case LEDGER_ACCEPTED: b->sum->accepted++; break;
	case LEDGER_REFUSED: b->sum->refused++; break;
	case LEDGER_ABORTED: b->sum->aborted++; break;
	case LEDGER_UNKNOWN: b->sum->unknown++; break;
	case LEDGER_RECEIVED: case LEDGER_REJECTED: case LEDGER_REPORTED: case LEDGER_KIND_COUNT:
		return true; /* a sink's line: one file may hold both accounts */
	}
	if (e->line.id.len) {
		b->sum->broken++;
		find(b, BROKEN, "broken: id=%.*s stands twice in the sender's ledger", SPAN_ARGS(line->id));
		return true;
	}
	e->line = *line;
	e->first = (uint32_t)b->owed_count;
	for (list = line->rcpt; ledger_next_address(&list, &address);) {
		if (!owed_add(b, address, false))
			return false;
	}
	for (list = line->refused; ledger_next_address(&list, &address);) {
		if (!owed_add(b, address, true))
			return false;
	}
	e->count = (uint32_t)b->owed_count - e->first;
	return true;
}

static struct owed *
owed_find(struct books *b, const struct entry *e, struct span address)
{
	for (uint32_t i = 0; i < e->count; i++) {
		if (span_equal(b->owed[e->first + i].address, address))
			return &b->owed[e->first + i];
	}
	return NULL;
}

static void
copy_book(struct books *b, const struct ledger_line *line)
{
	struct entry *e = entry_at(b, line->id);
	struct span list = line->rcpt, address;
	struct balance *sum = b->sum;

	if (line->kind == LEDGER_REPORTED) {
		while (e->line.id.len && ledger_next_address(&list, &address)) {
			struct owed *o = owed_find(b, e, address);

			if (o)
				o->reported = true;
		}
		return;
	}
	if (line->kind != LEDGER_RECEIVED)
		return;
	if (!e->line.id.len) {
		sum->strangers++;
		return;
	}
	e->arrived = true;
	if (line->size != e->line.size || line->crc != e->line.crc) {
		sum->altered++;
		find(b, ALTERED, "altered: id=%.*s sent size=%llu crc=%08x, received size=%llu crc=%08x",
		     SPAN_ARGS(line->id), (unsigned long long)e->line.size, (unsigned)e->line.crc,
		     (unsigned long long)line->size, (unsigned)line->crc);
	}
	while (ledger_next_address(&list, &address)) {
		struct owed *o = owed_find(b, e, address);

		sum->copies++;
		if (e->line.kind == LEDGER_REFUSED || e->line.kind == LEDGER_ABORTED) {
			sum->forbidden++;
			find(b, FORBIDDEN, "forbidden: id=%.*s was %s and came for %.*s", SPAN_ARGS(line->id),
			     ledger_kind_word(e->line.kind), SPAN_ARGS(address));
			continue;
		}
		if (!o || o->refused) {
			sum->forbidden++;
			find(b, FORBIDDEN, "forbidden: id=%.*s came for %.*s, which was %s",
			     SPAN_ARGS(line->id), SPAN_ARGS(address), o ? "refused" : "never named");
			continue;
		}
		o->copies++;
		o->unanswered += line->unanswered;
	}
}

static void
owed_close(struct books *b, const struct entry *e, const struct owed *o)
{
	struct balance *sum = b->sum;
	uint64_t again, excused;

	if (o->refused)
		return;
	if (e->line.kind == LEDGER_ACCEPTED) {
		sum->owed++;
		if (o->copies) {
			sum->delivered++;
		} else if (o->reported) {
			sum->reported++;
		} else {
			sum->missing++;
			find(b, MISSING, "missing: id=%.*s queue=%.*s for %.*s", SPAN_ARGS(e->line.id),
			     SPAN_ARGS(e->line.queue), SPAN_ARGS(o->address));
		}
	}
	if (o->copies < 2)
		return;
	again = o->copies - 1;
	excused = MIN_OF(again, o->unanswered);
	sum->duplicates_excused += excused;
	sum->duplicates += again - excused;
	if (again > excused)
		find(b, DUPLICATE, "duplicate: id=%.*s came %u times for %.*s", SPAN_ARGS(e->line.id),
		     o->copies, SPAN_ARGS(o->address));
}

static size_t
lines_count(struct span text)
{
	size_t n = 1;

	for (size_t at; (at = span_find(text, '\n')) < text.len; n++)
		text = span_from(text, at + 1);
	return n;
}

int
balance_ledgers(struct span sent, struct span received, balance_say *say, void *arg, struct balance *out)
{
	struct books b = { .slot_count = 1024, .sum = out, .say = say, .arg = arg };
	struct ledger_line line;
	int result = -ENOMEM;

	*out = (struct balance){ 0 };
	for (size_t lines = lines_count(sent); b.slot_count < lines * 2;)
		b.slot_count *= 2;
	b.slots = calloc(b.slot_count, sizeof(*b.slots));
	if (!b.slots)
		goto out;
	while (line_next(&b, &sent, &line)) {
		if (!sent_book(&b, &line))
			goto out;
	}
	while (line_next(&b, &received, &line))
		copy_book(&b, &line);
	for (size_t i = 0; i < b.slot_count; i++) {
		struct entry *e = &b.slots[i];

		if (!e->line.id.len)
			continue;
		if (e->line.kind == LEDGER_UNKNOWN) {
			out->unknown_arrived += e->arrived;
			out->unknown_absent += !e->arrived;
		}
		for (uint32_t k = 0; k < e->count; k++)
			owed_close(&b, e, &b.owed[e->first + k]);
	}
	result = 0;
out:
	free(b.owed);
	free(b.slots);
	return result;
}

bool
balance_holds(const struct balance *b, uint64_t duplicates_max)
{
	return !b->missing && !b->forbidden && !b->altered && !b->broken && b->duplicates <= duplicates_max;
}
