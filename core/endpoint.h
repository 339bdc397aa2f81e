/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/endpoint.h - an IP address with a port, and a prefix of addresses.  IPv4 is kept as an
 * IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so one comparison serves both families.
 */
#ifndef CORE_ENDPOINT_H
#define CORE_ENDPOINT_H

#include <sys/socket.h>

#include "core/span.h"

struct endpoint {
	uint8_t	 ip[16];   /* network order; ::ffff:a.b.c.d for IPv4 */
	uint16_t port;	   /* host order; 0 when it does not matter */
	uint16_t scope_id; /* of a link-local IPv6 address, else 0 */
};

struct endpoint_prefix {
	uint8_t ip[16];
	uint8_t bits; /* 0..128; an IPv4 prefix counts from 96 */
};

enum {
	ENDPOINT_TEXT_MAX = 64, /* octets that endpoint_format() may write, with the NUL */
};

/*
 * "192.0.2.1:25", "[2001:db8::1]:25", "192.0.2.1", "[2001:db8::1]", "2001:db8::1".  port_default
 * is used where the text names none.  Names are not resolved.  Returns false when the text is not
 * an address; *out is then untouched.
 */
bool MUST_CHECK endpoint_parse(struct span text, uint16_t port_default, struct endpoint *out);

/* "192.0.2.0/24", "2001:db8::/32", "[2001:db8::]/32", "192.0.2.1" (all bits).  Host bits must be zero. */
bool MUST_CHECK endpoint_prefix_parse(struct span text, struct endpoint_prefix *out);
bool endpoint_prefix_match(const struct endpoint_prefix *prefix, const struct endpoint *e);

bool endpoint_is_ipv4(const struct endpoint *e);
bool endpoint_is_loopback(const struct endpoint *e);
bool endpoint_same_ip(const struct endpoint *a, const struct endpoint *b);

/* From four octets or sixteen, network order. */
struct endpoint endpoint_from_ipv4(const uint8_t ip[4], uint16_t port);
struct endpoint endpoint_from_ipv6(const uint8_t ip[16], uint16_t port);

/* To and from the kernel's form; the length of what was written is returned. */
socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
bool	  endpoint_from_sockaddr(const struct sockaddr_storage *from, struct endpoint *out);
/* The same of a socket in the file system.  0: the path is too long, which the kernel refuses with -EINVAL. */
socklen_t endpoint_path_to_sockaddr(const char *path, struct sockaddr_storage *out);

/* "192.0.2.1:25" or "[2001:db8::1]:25"; writes a NUL; returns buffer. */
const char *endpoint_format(const struct endpoint *e, char buffer[static ENDPOINT_TEXT_MAX]);
/* The same without port and brackets. */
const char *endpoint_format_ip(const struct endpoint *e, char buffer[static ENDPOINT_TEXT_MAX]);

#endif
