/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of "corporate" is ours: we know of no distribution that an organisation has published lately.  What is
 * public agrees on its features: sizing guides for office mail reckon with averages of 30 to 100 KB, and studies of
 * servers' logs find a body that is about lognormal with a tail of attachments that is much longer.  So the median is 24 KiB,
 * four of five are below 100 KiB, one in twenty is above 300 KiB, one in a hundred has several MiB, and the mean, 90 KiB, is
 * mostly the tail's.  Who knows her own mail gives a file, or the mail itself.
 */
#include "bench/sizes.h"

#include <errno.h>
#include <math.h>

#include "bench/chance.h"
#include "bench/message.h"
#include "bench/options.h"

static const char corporate[] =
	"2K-6K 160\n"
	"6K-16K 215\n"
	"16K-40K 280\n"
	"40K-100K 210\n"
	"100K-300K 90\n"
	"300K-1M 35\n"
	"1M-5M 9\n"
	"5M-10M 1\n";

static bool
range_parse(struct span word, struct sizes_range *out)
{
	char copy[64], *dash;

	if (word.len >= sizeof(copy))
		return false;
	memcpy(copy, word.data, word.len);
	copy[word.len] = '\0';
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (!option_octets_parse(copy, &out->low) || !option_octets_parse(dash ? dash + 1 : copy, &out->high))
		return false;
	return out->low >= 1 && out->low <= out->high && out->high <= MESSAGE_FILE_MAX;
}

int
sizes_open(struct sizes *s, const char *name, char why[static WEIGHTED_WHY_MAX])
{
	int result;

	*s = (struct sizes){ 0 };
	if (strcmp(name, "corporate") == 0)
		result = weighted_parse(&s->list, span_of(corporate), name, why);
	else
		result = weighted_read(&s->list, name, why);
	if (result < 0)
		return result;
	s->ranges = calloc(s->list.count, sizeof(*s->ranges));
	if (!s->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < s->list.count; i++) {
		struct span word = s->list.slots[i].word;

		if (!range_parse(word, &s->ranges[i])) {
			(void)snprintf(why, WEIGHTED_WHY_MAX,
				       "%.100s: \"%.*s\" is no size: octets up to %dM are wanted, as 4096, 4K or 2K-6K", name,
				       (int)MIN_OF(word.len, 40), word.data, MESSAGE_FILE_MAX >> 20);
			return -EINVAL;
		}
		s->max = MAX_OF(s->max, s->ranges[i].high);
	}
	return 0;
}

void
sizes_free(struct sizes *s)
{
	weighted_free(&s->list);
	free(s->ranges);
	*s = (struct sizes){ 0 };
}

uint64_t
sizes_of(const struct sizes *s, uint64_t seed, uint64_t n)
{
	uint64_t chance = chance_of(seed, CHANCE_SIZE, n), size;
	const struct sizes_range *r = &s->ranges[weighted_draw(&s->list, chance)];

	if (r->low == r->high)
		return r->low;
	size = (uint64_t)((double)r->low * pow((double)r->high / (double)r->low, chance_fraction(chance_mix(chance))));
	return MIN_OF(size, r->high);
}
