/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/chance.h - chance without a state: what is drawn for message n follows from the seed and n alone, so a run
 * can be repeated whatever its timing, and with any number of cores.
 */
#ifndef BENCH_CHANCE_H
#define BENCH_CHANCE_H

#include "core/base.h"

/* What is drawn: draws for different things do not depend on one another. */
enum chance_for {
	CHANCE_SIZE,
	CHANCE_SENDER,
	CHANCE_RECIPIENT,
	CHANCE_VANISH,
	CHANCE_ARRIVAL, /* and one for each core */
};

/* The finishing step of SplitMix64 (Steele, Lea and Flood, 2014). */
static inline uint64_t
chance_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint64_t
chance_of(uint64_t seed, uint64_t what, uint64_t n)
{
	return chance_mix(chance_mix(chance_mix(seed) + what) + (n + 1) * 0x9e3779b97f4a7c15);
}

/* 0 to below 1. */
static inline double
chance_fraction(uint64_t chance)
{
	return (double)(chance >> 11) * 0x1p-53;
}

#endif
