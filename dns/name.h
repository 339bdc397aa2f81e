/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/name.h - host names as text and as octets on the wire (RFC 1035 sections 2.3.4 and 3.1).  Pure.
 *
 * Text here is lower case without a final dot.  Labels hold letters, digits, hyphens and underscores; what else DNS
 * could carry names no host that takes mail, and stays out of log lines and TLS.
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "core/span.h"

enum {
	DNS_NAME_TEXT_MAX = 253, /* octets, without a final dot */
	DNS_NAME_WIRE_MAX = 255,
	DNS_LABEL_MAX	  = 63,
};

/*
 * Any case, with or without one final dot, becomes our text; its length is returned.  0: not a host name.  A name whose
 * last label is a number is an address in disguise and no name (RFC 1123 section 2.1).
 */
size_t dns_name_read(struct span text, char out[static DNS_NAME_TEXT_MAX]);

/* Our text as labels with their lengths; returns the octets written. */
size_t dns_name_to_wire(struct span name, uint8_t out[static DNS_NAME_WIRE_MAX]);

/* The way back, from an uncompressed name; false when it is not a host name.  The root is one, of length 0. */
bool dns_name_from_wire(struct span wire, char out[static DNS_NAME_TEXT_MAX], size_t *len);

#endif
