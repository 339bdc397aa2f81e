/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ringpost` runs with when no file is given: everything below the working directory, nothing on the network
 * but loopback, and a sink (ringpost-bench sink) as the next hop for names that can never be real (RFC 2606, RFC 6761).
 * As text, so that it is read by the one reader, shown to the user as an example, and covered by the same tests.
 */
#include "mta/settings_internal.h"

static const char text[] =
	"# The embedded settings of ringpost: for trying it out on one machine, with no network.\n"
	"\n"
	"listen: [\"127.0.0.1:2525\", \"[::1]:2525\"]\n"
	"\n"
	"spool:\n"
	"  directory: ./var/spool\n"
	"\n"
	"control:\n"
	"  socket: ./var/control.sock\n"
	"\n"
	"log:\n"
	"  file: ./var/ringpost.log\n"
	"\n"
	"relay_networks: [\"127.0.0.0/8\", \"::1/128\"]\n"
	"\n"
	"# Whoever tries it out is one client.\n"
	"inbound:\n"
	"  sessions_per_client_max: 20000\n"
	"\n"
	"accept_domains: [\"example.*\", \"*.test\"]\n"
	"\n"
	"routes:\n"
	"  \"example.*\": smtp:127.0.0.1:2526\n"
	"  \"*.test\": smtp:127.0.0.1:2526\n";

struct span
settings_embedded_text(void)
{
	return span_make(text, sizeof(text) - 1);
}

struct settings *
settings_embedded(void)
{
	struct settings_error error;
	/* For trying out, a machine whose name is no domain name (my_host) must not be an obstacle. */
	struct settings *s = settings_parse_as(settings_embedded_text(), "embedded settings",
					       SPAN_LITERAL("localhost"), &error);

	if (s == NULL)
		fprintf(stderr, "ringpost: %s\n", error.message);
	return s;
}
