/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/sink_export.h - what a sink received, second by second and domain by domain, as it comes: CSV with a header, which
 * spreadsheets, plotting programs and awk read as it is and which a hundred thousand domains keep small.
 *
 *	time,domain,messages,recipients,octets,refused,deferred,dropped,connections
 *
 * time is the second since 1970 (UTC) in which it happened.  A domain has a line for each second in which anything happened,
 * and none for the others, so the sums of the columns are those of the summary.  One core writes for all.
 */
#ifndef BENCH_SINK_EXPORT_H
#define BENCH_SINK_EXPORT_H

#include "bench/ledger_file.h"
#include "bench/sink_tally.h"

struct sink_export {
	struct ledger_file   file;
	struct sink_tallies *tallies;
	struct wheel_timer   second;
	int64_t		     begun_s; /* the second that runs */
	bool		     running;
	void (*opened)(struct sink_export *e, int result);
	void (*done)(struct sink_export *e);
};

/* path and tallies are borrowed; opened follows with 0 or a negative errno. */
void sink_export_open(struct sink_export *e, struct reactor *r, const char *path, struct sink_tallies *tallies,
		      void (*opened)(struct sink_export *e, int result));
/* Nothing is counted any more: writes the rest, closes the file, then calls done. */
void sink_export_finish(struct sink_export *e, void (*done)(struct sink_export *e));

#endif
