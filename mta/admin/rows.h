/* SPDX-License-Identifier: Apache-2.0 */
/* mta/admin/rows.h - a message and its recipients as the control protocol shows them (docs/control.md). */
#ifndef MTA_ADMIN_ROWS_H
#define MTA_ADMIN_ROWS_H

#include "mta/admin/reply.h"
#include "queue/queue.h"

/* One line of a listing; e is NULL when the record cannot be read.  NULL when memory is out. */
json_t *row_message(const struct queue_message *m, const struct envelope *e, unsigned core);
/* The same with all that the envelope says of the message. */
json_t *row_message_whole(const struct queue_message *m, const struct envelope *e, unsigned core);
/* One recipient; word may be NULL. */
json_t *row_recipient(const struct queue_recipient *to, const struct envelope_recipient *e,
		      const struct queue_last_word *word);

#endif
