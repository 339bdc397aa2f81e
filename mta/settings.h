/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/settings.h - what the operator decided, read whole and checked whole.
 *
 * A struct settings is one generation: made by settings_read(), never changed afterwards, counted with atomics, so
 * that any core may hold it.  A reload makes a new one; a bad file changes nothing.  The rows are in
 * mta/settings_table.h.
 *
 * Reading happens on a thread that may wait for the disk (main, at start and at SIGHUP); all functions that take a
 * const struct settings are pure, cost what the question costs and not what the lists hold, and may run on any core.
 */
#ifndef MTA_SETTINGS_H
#define MTA_SETTINGS_H

#include <stdatomic.h>

#include "core/arena.h"
#include "core/endpoint.h"
#include "core/log.h"
#include "mta/settings_table.h"
#include "tls/digest.h"

/* A list as written; the arrays live as long as the generation. */
struct settings_endpoints {
	unsigned	 count;
	struct endpoint *at;
};

struct settings_prefixes {
	unsigned		count;
	struct endpoint_prefix *at;
};

/* Domain patterns, checked and in lower-case A-label form: "example.org", ".example.org", "example.*" or "*". */
struct settings_patterns {
	unsigned     count;
	struct span *at;
};

enum {
	SETTINGS_FILE_MAX = 16 << 20, /* octets of a settings file: 65 536 long domain names fit */
	SETTINGS_HOPS_MAX = 16,	      /* next hops of one route */
};

struct settings_hop {
	struct span	host;	 /* name to resolve to addresses; empty when `address` is given */
	struct endpoint address; /* with port; port alone when host is given */
};

struct settings_route {
	struct span	     pattern;
	bool		     by_mx; /* "mx": as if there were no route */
	unsigned	     hop_count; /* 1..SETTINGS_HOPS_MAX, 0 when by_mx */
	struct settings_hop *hops;	/* in order of preference */
};

struct settings_routes {
	unsigned	       count;
	struct settings_route *at; /* as written; settings_route_for() finds the best */
};

#define SETTINGS_FIELD_BOOL	 bool
#define SETTINGS_FIELD_UINT	 uint64_t
#define SETTINGS_FIELD_SIZE	 uint64_t
#define SETTINGS_FIELD_DURATION	 uint64_t
#define SETTINGS_FIELD_STRING	 struct span
#define SETTINGS_FIELD_PATH	 struct span
#define SETTINGS_FIELD_FORMAT	 uint64_t
#define SETTINGS_FIELD_LEVEL	 uint64_t
#define SETTINGS_FIELD_ENDPOINTS struct settings_endpoints
#define SETTINGS_FIELD_PREFIXES	 struct settings_prefixes
#define SETTINGS_FIELD_PATTERNS	 struct settings_patterns
#define SETTINGS_FIELD_ROUTES	 struct settings_routes

struct settings_index; /* for matching patterns without a walk; private */

struct settings {
#define X(path, field, type, ...) SETTINGS_FIELD_##type field;
	SETTINGS_TABLE(X)
#undef X
	char digest[TLS_DIGEST_TEXT_MAX]; /* SHA-256 of the text it was read from: names the generation */
	/* private */
	struct settings_index   *accept_index, *route_index;
	struct settings_prefixes relay_ranges; /* relay_networks by address, none inside another */
	struct arena		 arena;	       /* all lists and texts */
	_Atomic(unsigned)	 references;
};

struct settings_error {
	char     message[512]; /* "ringpost.yaml:12:3: unknown key \"relay_network\"; did you mean "
				* "\"relay_networks\"?" */
};

/*
 * Reads a file of at most SETTINGS_FILE_MAX octets; a symbolic link is followed.  NULL and *error when anything is
 * wrong with it: syntax, unknown or doubled key, wrong type, out of bounds, a list entry that does not parse, settings
 * that contradict one another.  The message names file, line, column, key and, where one is near, the key that was
 * meant.  An empty file is an error, for it is what a full disk leaves of one; "{}" means all defaults.
 *
 * An empty hostname is replaced by the machine's own name, in A-label form.
 */
struct settings *settings_read(const char *file, struct settings_error *error);
/* The same from memory; name stands in messages.  Empty text means all defaults. */
struct settings *settings_parse(struct span yaml, const char *name, struct settings_error *error);
/* What `ringpost` without --config runs with: loopback only, a sink as next hop (see README).  NULL when memory is
 * out.  Where the machine has no usable name, hostname is "localhost". */
struct settings *settings_embedded(void);
struct span	 settings_embedded_text(void);

struct settings *settings_ref(struct settings *s);
void		 settings_unref(struct settings *s); /* NULL is fine */

/* Names of rows marked START whose value differs, as one text "spool.directory, cores"; empty when none.
 * Written into buffer, always ended by NUL. */
const char *settings_needing_restart(const struct settings *running, const struct settings *next,
				     char *buffer, size_t size);

/* Is mail for this domain taken from anybody?  Any case, A-label or U-label. */
bool settings_accepts(const struct settings *s, struct span domain);
/* May this client send to any domain? */
bool settings_may_relay(const struct settings *s, const struct endpoint *client);
/* The route of the best matching pattern (exact name, longest suffix, example.*, *), or NULL: by MX. */
const struct settings_route *settings_route_for(const struct settings *s, struct span domain);

/* Every row with default, bounds, unit and sentence: the manual (Markdown), and the running values (YAML). */
void settings_print_manual(FILE *to);
void settings_print(const struct settings *s, FILE *to);

#endif
