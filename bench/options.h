/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/options.h - command lines from a table: one row for each option gives its name, its kind, its
 * bounds, where the value goes and the sentence that --help prints.
 *
 * "--name value" and "--name=value" are the same; flags take no value; options may stand in any
 * order; "--" ends them.  The help and the manual cannot differ from what is parsed, because there is nothing else to
 * read than the table.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "core/endpoint.h"

enum option_kind {
	OPTION_FLAG,	 /* bool: true */
	OPTION_CLEAR,	 /* bool: false */
	OPTION_COUNT,	 /* uint64_t within min..max */
	OPTION_OCTETS,	 /* the same; a suffix K, M or G multiplies by 1024, 1024^2, 1024^3 */
	OPTION_TEXT,	 /* const char *, borrowed from argv */
	OPTION_ENDPOINT, /* struct endpoint; the port must be named */
	OPTION_ENDPOINTS, /* struct option_endpoints; each time the option is given adds one */
	OPTION_REFUSAL,	 /* struct option_refusal, "CODE:PERCENT", "CODE" alone is CODE:100 */
	OPTION_CHANCE,	 /* struct option_chance, "WORD:PERCENT", WORD one of the row's words */
	OPTION_WORD,	 /* unsigned, the index of one of the row's words */
};

enum { OPTION_ENDPOINTS_MAX = 8, OPTION_ROWS_MAX = 128 /* that are thought of when a name is wrong */ };

struct option_endpoints {
	struct endpoint at[OPTION_ENDPOINTS_MAX];
	size_t		count;
};

struct option_refusal {
	unsigned code;	  /* 400..599; 0: not given */
	double	 percent; /* 0..100 */
};

struct option_chance {
	int    word;	/* index in the row's words; -1: not given */
	double percent; /* 0..100 */
};

struct option_row {
	const char	  *name; /* without the dashes */
	enum option_kind   kind;
	size_t		   offset; /* of the value in the caller's struct */
	const char	  *value;  /* what help calls the value; NULL for flags */
	const char	  *what;   /* a sentence */
	uint64_t	   min, max;
	const char *const *words; /* NULL-terminated, for OPTION_WORD and OPTION_CHANCE */
};

enum option_result {
	OPTIONS_OK,
	OPTIONS_HELP,  /* --help was among them */
	OPTIONS_WRONG, /* why says what and how */
};

enum { OPTION_WHY_MAX = 256 };

/*
 * Reads argv[0..argc-1] into out, which holds the defaults.  Words that are not options go to rest[0..*rest_count-1],
 * which has room for *rest_count; one more is an error.
 */
enum option_result MUST_CHECK options_parse(const struct option_row *rows, size_t row_count, int argc,
					    char *const *argv, void *out, const char **rest,
					    size_t *rest_count, char why[static OPTION_WHY_MAX]);
/* "4096", "4K", "1M", "2G", as an OPTION_OCTETS takes it. */
bool option_octets_parse(const char *text, uint64_t *out);
void options_help(FILE *to, const struct option_row *rows, size_t row_count);

#endif
