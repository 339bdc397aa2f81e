/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as the answer to a question: to a fixed one, and to the one they seem to answer, so that a fuzzer need not
 * guess an id.
 */
#include "dns/wire.h"

#include "tests/unit/dns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_as(struct span packet, const struct dns_wire_question *q)
{
	struct dns_answer    *answer;
	enum dns_wire_verdict verdict = dns_wire_read(packet, q, &answer);

	INVARIANT((verdict == DNS_WIRE_ANSWER) == (answer != NULL));
	if (answer)
		packet_check(answer, q->type);
	dns_answer_put(answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t			*copy = malloc(size ? size : 1); /* of exact size: reading one more octet is seen */
	char			 name[DNS_NAME_TEXT_MAX];
	struct dns_wire_question q;

	if (copy == NULL)
		return 0;
	if (size)
		memcpy(copy, data, size);
	read_as(span_make(copy, size), &(struct dns_wire_question){ SPAN_LITERAL("example.com"), DNS_TYPE_MX, 0 });
	q = packet_question(span_make(copy, size), name);
	read_as(span_make(copy, size), &q);
	free(copy);
	return 0;
}
