/* SPDX-License-Identifier: Apache-2.0 */
/* With one source the kernel chooses address and port; a bound socket costs a search for a port at bind. */
#include "bench/dial.h"

const char *
dial_check(const struct endpoint *to, uint64_t sources, bool owned)
{
	if (!to->port)
		return "--to is needed";
	if (!endpoint_is_loopback(to) && !owned)
		return "--to is not on this machine.  A load generator takes from a server all that it has, and mail that "
		       "is accepted is real: if the host is yours to load, say --i-own-this-host";
	if (sources > 1 && (!endpoint_is_ipv4(to) || !endpoint_is_loopback(to)))
		return "--sources needs a server on 127.0.0.0/8";
	return NULL;
}

int
dial(struct io *io, struct io_connect_op *op, const struct endpoint *to, unsigned sources, unsigned index)
{
	unsigned host = 1 + index % MAX_OF(sources, 1u);
	const uint8_t ip[4] = { 127, 0, (uint8_t)(host >> 8), (uint8_t)host };
	struct endpoint from = endpoint_from_ipv4(ip, 0);
	int fd = io_socket(io, IO_STREAM, to, sources > 1 ? &from : NULL);

	if (fd >= 0)
		io_connect(io, op, fd, to);
	return fd;
}
