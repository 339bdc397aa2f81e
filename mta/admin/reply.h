/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/reply.h - lines of JSON on their way to a client, in a buffer that grows.  Without memory the buffer is
 * marked, and what is in it must not be sent: the client is told, instead of being shown half of something.
 */
#ifndef MTA_ADMIN_REPLY_H
#define MTA_ADMIN_REPLY_H

#include <jansson.h>

#include "core/id.h"

struct reply {
	char  *text;
	size_t len, cap;
	bool   failed; /* memory was out */
};

/* Adds one line {"kind": body} and drops the caller's reference to body; NULL stands for memory that was out. */
void reply_add(struct reply *r, const char *kind, json_t *body);
/* Adds {"error": code, "why": sentence}. */
void reply_error(struct reply *r, const char *code, const char *why);
/* Moves all lines of from behind those of to. */
void reply_move(struct reply *to, struct reply *from);
/* Empty, as new. */
void reply_reset(struct reply *r);

/* A JSON text of whatever came from outside: what is not UTF-8 becomes U+FFFD.  NULL when memory is out. */
json_t *reply_text(struct span text);
json_t *reply_id(struct id id);
/* The number, or null when it is 0. */
json_t *reply_time(int64_t ms);

#endif
