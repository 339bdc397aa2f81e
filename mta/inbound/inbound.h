/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/inbound/inbound.h - the receiving side of one core: listeners and server sessions.
 */
#ifndef MTA_INBOUND_INBOUND_H
#define MTA_INBOUND_INBOUND_H

#include "mta/mta.h"

/* Opens this core's listeners (each core its own on every endpoint, SO_REUSEPORT).  0, else -errno with *why a
 * sentence for the operator; nothing is open then. */
int MUST_CHECK inbound_open(struct mta_core *core, const char **why);
/* New sessions and, from their next transaction, old ones follow core->settings. */
void inbound_reload(struct inbound *in);
/*
 * Stops accepting at once, answers 421 to sessions between transactions, lets transactions
 * end until the shutdown deadline of the settings, then closes what is left (nothing unanswered is lost: it was not
 * acknowledged).  drained(core) follows once.
 */
void inbound_drain(struct inbound *in, void (*drained)(struct mta_core *core));
void inbound_free(struct inbound *in);

#endif
