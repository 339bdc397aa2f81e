/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns/limits.h - the edges of the resolver that no operator needs to move; those he does are in struct
 * resolver_params.  Each says its unit and what happens at it.
 */
#ifndef DNS_LIMITS_H
#define DNS_LIMITS_H

enum {
	/* --- packets ----------------------------------------------------------------------------------- */
	DNS_UDP_OCTETS	 = 1232, /* of an answer that we ask for by EDNS0: travels in one piece nearly everywhere */
	DNS_RECORDS_MAX	 = 512,	 /* in all sections of an answer; beyond: the answer is broken */
	DNS_POINTERS_MAX = 32,	 /* compression pointers followed in one name; beyond: broken */
	DNS_CNAMES_MAX	 = 8,	 /* CNAMEs from the name asked for to its records; beyond: DNS_FAILED */

	/* --- questions, of each core --------------------------------------------------------------------- */
	DNS_QUESTIONS_MAX = 4096,  /* without an answer yet; beyond: DNS_FAILED */
	DNS_QUERIES_MAX	  = 128,   /* sockets open at a time; beyond: questions wait for one */
	DNS_STRANGE_MAX	  = 16,	   /* packets that are not the answer, in one try; then TCP, harder to forge */
	DNS_PAUSE_MS	  = 100,   /* before the next try when one failed at once: no server is hammered */
	DNS_SERVERS_MAX	  = 8,	   /* further ones are not asked */
	DNS_RESOLV_CONF_MAX = 64 * 1024, /* octets of /etc/resolv.conf; beyond: as if it were absent */

	/* --- cache ----------------------------------------------------------------------------------------- */
	DNS_TTL_MIN_S	   = 5,	       /* shorter ones are kept so long: mail comes in bursts */
	DNS_NEGATIVE_MAX_S = 3 * 3600, /* of "there is none" (RFC 2308 section 5) */
	DNS_FAILURE_S	   = 5,	       /* of "no server knows": 1 to 300 (RFC 9520 section 3.2) */
};

#endif
