/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a sink's behaviour.  They are refused with a message of one line, or taken; then every domain and die has an
 * answer that is a rule of the stage that was asked for.
 */
#include "bench/sink_behaviour.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_message(const char *why)
{
	INVARIANT(strncmp(why, "fuzz:", 5) == 0 && strnlen(why, SINK_BEHAVIOUR_WHY_MAX) < SINK_BEHAVIOUR_WHY_MAX);
	for (; *why; why++)
		INVARIANT((unsigned char)*why >= 0x20 && *why != 0x7f);
}

static void
check_profile(const struct sink_profile *p)
{
	if (!p)
		return;
	for (unsigned stage = 0; stage < SINK_STAGE_COUNT; stage++) {
		for (unsigned die = 0; die < 100; die++) {
			for (unsigned delays = 0; delays < 2; delays++) {
				const struct sink_rule *r = sink_profile_pick(p, stage, delays, die);

				INVARIANT(!r || (r->stage == stage && (r->action == SINK_ACTION_DELAY) == delays));
				INVARIANT(!r || (r->share > 0 && sink_profile_has(p, stage, delays)));
			}
		}
	}
	for (unsigned i = 0; i < SINK_LIMIT_COUNT; i++)
		INVARIANT(!p->limits[i].max || (p->limits[i].code >= 400 && p->limits[i].code < 600));
	INVARIANT(!p->limits[SINK_LIMIT_RATE].max || (p->limits[SINK_LIMIT_RATE].burst &&
						      p->limits[SINK_LIMIT_RATE].period_ns));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink_behaviour *b = sink_behaviour_new();
	char *text = malloc(size + 1), why[SINK_BEHAVIOUR_WHY_MAX];
	const struct endpoint *at;
	size_t count;

	if (!b || !text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (sink_behaviour_read(b, "fuzz", text, size, why) < 0) {
		check_message(why);
	} else {
		at = sink_behaviour_listen(b, &count);
		for (size_t i = 0; i < count; i++)
			check_profile(sink_behaviour_host(b, &at[i]));
		check_profile(sink_behaviour_domain(b, SPAN_LITERAL("a.big.example")));
		check_profile(sink_behaviour_domain(b, span_first(span_make(data, size), 300)));
	}
	sink_behaviour_free(b);
	return 0;
}
