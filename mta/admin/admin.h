/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta/admin/admin.h - the control socket: how ringpostctl, and whatever an operator writes, asks what is going on
 * and says what to do.  It lives on core 0 and asks the other cores by posts; the protocol is in docs/control.md.
 */
#ifndef MTA_ADMIN_ADMIN_H
#define MTA_ADMIN_ADMIN_H

#include "mta/mta.h"

/* Opens control.socket of core->settings (core 0 only) and sets core->admin.  0, else -errno with *why a sentence;
 * nothing is open then. */
int MUST_CHECK admin_open(struct mta_core *core, const char **why);
/* Takes no more requests, ends those in hand, closes every connection.  drained(core) follows once, not from inside
 * the call.  Requests may be away on other cores: until then no core may close its queue or stop turning. */
void admin_drain(struct admin *admin, void (*drained)(struct mta_core *core));
void admin_free(struct admin *admin); /* drained; NULL is fine */

#endif
