/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tallies that changed are looked at when a second of the wall clock is over; what a tally has more than at its last look
 * is the second's.  A look that comes late, because its core had much to do, gives the second a little of the next.
 */
#include "bench/sink_export.h"

#define NS_PER_S INT64_C(1000000000)

static void
header_write(struct ledger_text *lines)
{
	ledger_put(lines, SPAN_LITERAL("time,domain"));
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++) {
		ledger_put(lines, SPAN_LITERAL(","));
		ledger_put(lines, span_of(sink_count_words[i]));
	}
	ledger_put(lines, SPAN_LITERAL("\n"));
}

/* A count may have been read at one look and put its tally on the list for the next. */
static bool
has_more(const struct sink_tally *tally)
{
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++) {
		if (atomic_load(&tally->counts[i]) != tally->exported[i])
			return true;
	}
	return false;
}

static void
line_write(struct ledger_text *lines, int64_t second, struct sink_tally *tally)
{
	ledger_put_uint(lines, (uint64_t)second);
	ledger_put(lines, SPAN_LITERAL(","));
	ledger_put(lines, span_make(tally->name, tally->name_len));
	for (unsigned i = 0; i < SINK_COUNT_COUNT; i++) {
		uint64_t now = atomic_load(&tally->counts[i]);

		ledger_put(lines, SPAN_LITERAL(","));
		ledger_put_uint(lines, now - tally->exported[i]);
		tally->exported[i] = now;
	}
	ledger_put(lines, SPAN_LITERAL("\n"));
}

static void
second_write(struct sink_export *e)
{
	struct sink_tally *tally = sink_tallies_changed(e->tallies), *next;

	for (; tally; tally = next) {
		next = sink_tally_changed_next(tally);
		if (has_more(tally))
			line_write(&e->file.lines, e->begun_s, tally);
	}
	if (e->file.lines.len)
		ledger_file_push(&e->file, NULL);
}

static void
second_begin(struct sink_export *e)
{
	struct reactor *r = e->file.reactor;
	int64_t wall = io_wall(r->io);

	e->begun_s = wall / NS_PER_S;
	wheel_arm(&r->wheel, &e->second, reactor_now(r) + (uint64_t)(NS_PER_S - wall % NS_PER_S));
}

static void
second_over(struct wheel_timer *timer)
{
	struct sink_export *e = CONTAINER_OF(timer, struct sink_export, second);

	second_write(e);
	second_begin(e);
}

static void
file_opened(struct ledger_file *file, int result)
{
	struct sink_export *e = CONTAINER_OF(file, struct sink_export, file);

	if (result == 0) {
		e->running = true;
		header_write(&file->lines);
		ledger_file_push(file, NULL);
		second_begin(e);
	}
	e->opened(e, result);
}

void
sink_export_open(struct sink_export *e, struct reactor *r, const char *path, struct sink_tallies *tallies,
		 void (*opened)(struct sink_export *e, int result))
{
	*e = (struct sink_export){ .tallies = tallies, .opened = opened };
	wheel_timer_init(&e->second, second_over);
	ledger_file_create(&e->file, r, path, file_opened);
}

static void
file_idle(struct ledger_file *file)
{
	struct sink_export *e = CONTAINER_OF(file, struct sink_export, file);

	ledger_file_fini(file);
	e->running = false;
	e->done(e);
}

void
sink_export_finish(struct sink_export *e, void (*done)(struct sink_export *e))
{
	e->done = done;
	wheel_disarm(&e->file.reactor->wheel, &e->second);
	second_write(e);
	ledger_file_finish(&e->file, file_idle);
}
