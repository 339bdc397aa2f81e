/* SPDX-License-Identifier: Apache-2.0 */
/* ringpost-bench ledger: balances two ledgers and says what it found; the exit status is the verdict. */
#include <inttypes.h>

#include "bench/balance.h"
#include "bench/commands.h"
#include "core/io.h"

static struct {
	uint64_t duplicates_max;
	bool	 json;
} options = { .duplicates_max = UINT64_MAX };

static const struct option_row rows[] = {
	{ "duplicates-max", OPTION_COUNT, offsetof(__typeof__(options), duplicates_max), "N",
	  "More duplicates than this, without a copy that the sink left unanswered, are an error.", 0,
	  UINT64_MAX, NULL },
	{ "json", OPTION_FLAG, offsetof(__typeof__(options), json), NULL, "Print one JSON object.", 0, 0, NULL },
};

enum { LEDGER_OCTETS_MAX = 1 << 30 };

#define BALANCE_FIELDS(X)                                                                          \
	X(accepted) X(refused) X(aborted) X(unknown) X(owed) X(copies) X(delivered) X(reported)    \
	X(missing) X(forbidden) X(altered) X(broken) X(duplicates) X(duplicates_excused)           \
	X(unknown_arrived) X(unknown_absent) X(strangers)

static void
finding_print(void *arg, const char *text)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", text);
}

static bool
slurp(const char *path, char **data, size_t *len)
{
	int result = io_file_slurp(path, LEDGER_OCTETS_MAX, data, len);

	if (result < 0)
		(void)fprintf(stderr, "ringpost-bench ledger: %s: %s\n", path, strerror(-result));
	return result >= 0;
}

static int
ledger_run(const struct bench_command *command, const char *const *words)
{
	char *sent = NULL, *received = NULL;
	size_t sent_len, received_len;
	struct balance b;
	int status = 1;
	bool holds;

	(void)command;
	if (!slurp(words[0], &sent, &sent_len) || !slurp(words[1], &received, &received_len))
		goto out;
	if (balance_ledgers(span_make(sent, sent_len), span_make(received, received_len), finding_print, NULL,
			    &b) < 0) {
		(void)fprintf(stderr, "ringpost-bench ledger: no memory\n");
		goto out;
	}
	holds = balance_holds(&b, options.duplicates_max);
	if (options.json) {
		(void)printf("{\"balanced\": %s", holds ? "true" : "false");
#define X(name) (void)printf(", \"%s\": %" PRIu64, #name, b.name);
		BALANCE_FIELDS(X)
#undef X
		(void)printf("}\n");
	} else {
#define X(name) (void)printf("%-20s %" PRIu64 "\n", #name, b.name);
		BALANCE_FIELDS(X)
#undef X
		(void)printf("%s\n", holds ? "balanced" : "NOT BALANCED");
	}
	status = holds ? 0 : 1;
out:
	free(sent);
	free(received);
	return status;
}

const struct bench_command bench_ledger = {
	.name = "ledger",
	.synopsis = "[options] SENT RECEIVED",
	.what = "Balances the ledger of a sender against that of a sink.",
	.rows = rows,
	.row_count = COUNT_OF(rows),
	.options = &options,
	.words = 2,
	.run = ledger_run,
};
