/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a line to the control socket.  They are refused with a sentence, or taken; then what acts says whom it
 * means, and its filter can be asked about anything.
 */
#include "mta/admin/ask.h"
#include "mta/admin/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_taken(const struct ask *a, struct span input)
{
	struct queue_recipient	  to = { .state = QUEUE_WAITING };
	struct queue_message	  m = { .recipients = &to, .recipient_count = 1, .open = 1 };
	struct envelope_recipient recipient = { .address = input };
	struct envelope		  e = { .sender = input, .recipients = &recipient, .recipient_count = 1 };

	INVARIANT(a->limit <= ADMIN_LIST_MAX && a->id_count <= ADMIN_IDS_MAX);
	INVARIANT((a->ids == NULL) == (a->id_count == 0));
	if (a->verb >= ASK_RETRY)
		INVARIANT((a->id_count > 0) + a->all + !filter_is_empty(&a->filter) == 1);
	(void)filter_fits_message(&a->filter, &m);
	(void)filter_fits_envelope(&a->filter, &m, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = calloc(1, size ? size : 1); /* of exact size: reading one more octet is seen */
	struct span input = span_make(copy, size);
	struct ask  ask;
	char	    why[ASK_WHY_MAX] = "";

	if (copy == NULL)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (ask_parse(input, &ask, why)) {
		check_taken(&ask, input);
		ask_fini(&ask);
	} else {
		INVARIANT(why[0] && strnlen(why, sizeof(why)) < sizeof(why));
	}
	free(copy);
	return 0;
}
