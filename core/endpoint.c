/* SPDX-License-Identifier: Apache-2.0 */
#include "core/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "core/digits.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct endpoint
endpoint_from_ipv4(const uint8_t ip[4], uint16_t port)
{
	struct endpoint e = { .port = port };

	memcpy(e.ip, mapped_prefix, sizeof(mapped_prefix));
	memcpy(e.ip + 12, ip, 4);
	return e;
}

struct endpoint
endpoint_from_ipv6(const uint8_t ip[16], uint16_t port)
{
	struct endpoint e = { .port = port };

	memcpy(e.ip, ip, 16);
	return e;
}

bool
endpoint_is_ipv4(const struct endpoint *e)
{
	return memcmp(e->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool
endpoint_is_loopback(const struct endpoint *e)
{
	if (endpoint_is_ipv4(e))
		return e->ip[12] == 127;
	return memcmp(e->ip, &in6addr_loopback, 16) == 0;
}

bool
endpoint_same_ip(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a->ip, b->ip, 16) == 0 && a->scope_id == b->scope_id;
}

/* An address alone, without port and brackets. */
static bool
ip_parse(struct span text, uint8_t out[16], bool *ipv4)
{
	char		buffer[INET6_ADDRSTRLEN];
	uint8_t		ip[16];

	if (text.len == 0 || text.len >= sizeof(buffer) || memchr(text.data, 0, text.len))
		return false;
	memcpy(buffer, text.data, text.len);
	buffer[text.len] = 0;
	if (inet_pton(AF_INET, buffer, ip) == 1) {
		memcpy(out, mapped_prefix, sizeof(mapped_prefix));
		memcpy(out + 12, ip, 4);
		*ipv4 = true;
		return true;
	}
	if (inet_pton(AF_INET6, buffer, ip) != 1)
		return false;
	memcpy(out, ip, 16);
	*ipv4 = memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
	return true;
}

/* Decimal digits only, at most max; an empty text is no number. */
static bool
number_parse(struct span text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text.data[i] - '0');
	}
	*out = n;
	return n <= max;
}

bool
endpoint_parse(struct span text, uint16_t port_default, struct endpoint *out)
{
	struct endpoint e = { .port = port_default };
	struct span	ip = text, port = { NULL, 0 };
	unsigned	number;
	bool		ipv4, named = false;

	if (text.len && text.data[0] == '[') {
		size_t close = span_find(text, ']');

		if (close == text.len)
			return false;
		ip = span_from(span_first(text, close), 1);
		port = span_from(text, close + 1);
		if (port.len) {
			if (port.data[0] != ':')
				return false;
			port = span_from(port, 1);
			named = true;
		}
	} else {
		size_t colon = span_find(text, ':');

		/* One colon: IPv4 with a port.  More: a bare IPv6 address. */
		if (colon < text.len && memchr(text.data + colon + 1, ':', text.len - colon - 1) == NULL) {
			ip = span_first(text, colon);
			port = span_from(text, colon + 1);
			named = true;
		}
	}
	if (!ip_parse(ip, e.ip, &ipv4))
		return false;
	if (named) {
		if (!number_parse(port, 65535, &number))
			return false;
		e.port = (uint16_t)number;
	}
	*out = e;
	return true;
}

bool
endpoint_prefix_parse(struct span text, struct endpoint_prefix *out)
{
	struct endpoint_prefix p;
	size_t		       slash = span_find(text, '/');
	struct span	       ip = span_first(text, slash);
	unsigned	       bits;
	bool		       ipv4;

	if (ip.len >= 2 && ip.data[0] == '[' && ip.data[ip.len - 1] == ']')
		ip = span_make(ip.data + 1, ip.len - 2);
	if (!ip_parse(ip, p.ip, &ipv4))
		return false;
	bits = ipv4 ? 32 : 128;
	if (slash < text.len && !number_parse(span_from(text, slash + 1), bits, &bits))
		return false;
	p.bits = (uint8_t)(bits + (ipv4 ? 96 : 0));
	for (unsigned i = p.bits; i < 128; i++)
		if (p.ip[i / 8] & (0x80 >> i % 8))
			return false;
	*out = p;
	return true;
}

bool
endpoint_prefix_match(const struct endpoint_prefix *prefix, const struct endpoint *e)
{
	unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (memcmp(prefix->ip, e->ip, whole) != 0)
		return false;
	return rest == 0 || ((prefix->ip[whole] ^ e->ip[whole]) >> (8 - rest)) == 0;
}

socklen_t
endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (endpoint_is_ipv4(e)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->ip + 12, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	in6->sin6_scope_id = e->scope_id;
	memcpy(&in6->sin6_addr, e->ip, 16);
	return sizeof(*in6);
}

socklen_t
endpoint_path_to_sockaddr(const char *path, struct sockaddr_storage *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	size_t		    len = strlen(path);

	memset(out, 0, sizeof(*out));
	if (len >= sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

bool
endpoint_from_sockaddr(const struct sockaddr_storage *from, struct endpoint *out)
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		*out = endpoint_from_ipv4((const uint8_t *)&in->sin_addr, ntohs(in->sin_port));
		return true;
	}
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

		*out = endpoint_from_ipv6((const uint8_t *)&in6->sin6_addr, ntohs(in6->sin6_port));
		out->scope_id = (uint16_t)in6->sin6_scope_id;
		return true;
	}
	return false;
}

static char *
ipv4_put(const struct endpoint *e, char *at)
{
	for (unsigned i = 12; i < 16; i++) {
		at = digits_put(at, e->ip[i]);
		*at++ = '.';
	}
	return at - 1;
}

const char *
endpoint_format_ip(const struct endpoint *e, char buffer[static ENDPOINT_TEXT_MAX])
{
	if (endpoint_is_ipv4(e))
		*ipv4_put(e, buffer) = 0;
	else
		inet_ntop(AF_INET6, e->ip, buffer, ENDPOINT_TEXT_MAX);
	return buffer;
}

const char *
endpoint_format(const struct endpoint *e, char buffer[static ENDPOINT_TEXT_MAX])
{
	char *at = buffer;

	if (endpoint_is_ipv4(e)) {
		at = ipv4_put(e, at);
	} else {
		*at++ = '[';
		inet_ntop(AF_INET6, e->ip, at, INET6_ADDRSTRLEN);
		at += strlen(at);
		*at++ = ']';
	}
	*at++ = ':';
	*digits_put(at, e->port) = 0;
	return buffer;
}
