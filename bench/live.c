/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread looks a tenth of a second after each full second of the run, when all cores have told of it.  What
 * they tell is added up under a lock that is held for some microseconds once a second.
 */
#include "bench/live.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define LOOK_NS	  UINT64_C(100000000) /* behind the second */

struct live {
	struct live_params params;
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 ending;
	bool		 ended;
	uint64_t	 messages, errors, sessions; /* told since the last look */
	uint64_t	 width_s;	/* of what was told */
	uint64_t	 errors_all, counted; /* errors so far; messages that the end by count counts */
	struct histogram latency;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* Another job's line stays as it is: a sink in the background does not write over its sender. */
static bool
in_foreground(void)
{
	pid_t group = tcgetpgrp(STDERR_FILENO);

	return group < 0 || group == getpgrp(); /* -1: a terminal without jobs */
}

/* " left 12 s", as far as one can tell. */
static void
left_print(char *out, size_t size, const struct live *live, uint64_t passed_s)
{
	const struct live_params *p = &live->params;
	uint64_t rate = live->messages / live->width_s, left;

	out[0] = '\0';
	if (p->seconds)
		left = p->warm_up_s + p->seconds > passed_s ? p->warm_up_s + p->seconds - passed_s : 0;
	else if (p->messages && rate)
		left = (p->messages - MIN_OF(p->messages, live->counted)) / rate;
	else
		return;
	(void)snprintf(out, size, "  left %" PRIu64 " s", left);
}

/* The lock is held; returns the line. */
static void
line_make(struct live *live, char *out, size_t size)
{
	uint64_t passed_s = (now_ns() - live->params.start_ns) / SECOND_NS;
	char left[40];

	live->errors_all += live->errors;
	if (passed_s > live->params.warm_up_s)
		live->counted += live->messages;
	left_print(left, sizeof(left), live, passed_s);
	(void)snprintf(out, size, "\r\033[K%" PRIu64 " s%s  %" PRIu64 " messages/s  p50 %.2f ms  p99 %.2f ms  errors %" PRIu64
		       "  sessions %" PRIu64 "%s", passed_s, passed_s <= live->params.warm_up_s ? " (warm-up)" : "",
		       live->messages / live->width_s, (double)histogram_percentile(&live->latency, 50) / 1e6,
		       (double)histogram_percentile(&live->latency, 99) / 1e6, live->errors_all, live->sessions, left);
	live->messages = live->errors = live->sessions = 0;
	live->latency = (struct histogram){ 0 };
}

static void *
live_run(void *arg)
{
	struct live *live = arg;
	uint64_t look = live->params.start_ns + LOOK_NS;
	char line[256];

	(void)pthread_mutex_lock(&live->lock);
	for (;;) {
		struct timespec at;

		look += live->width_s * SECOND_NS;
		at = (struct timespec){ (time_t)(look / SECOND_NS), (long)(look % SECOND_NS) };
		while (!live->ended && now_ns() < look)
			(void)pthread_cond_timedwait(&live->ending, &live->lock, &at);
		if (live->ended)
			break;
		line_make(live, line, sizeof(line));
		(void)pthread_mutex_unlock(&live->lock);
		if (in_foreground())
			(void)fputs(line, stderr);
		(void)fflush(stderr);
		(void)pthread_mutex_lock(&live->lock);
	}
	(void)pthread_mutex_unlock(&live->lock);
	if (in_foreground())
		(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	return NULL;
}

struct live *
live_begin(const struct live_params *params)
{
	struct live *live = isatty(STDERR_FILENO) ? calloc(1, sizeof(*live)) : NULL;
	pthread_condattr_t monotonic;
	sigset_t every, before;
	int result;

	if (!live)
		return NULL;
	live->params = *params;
	live->width_s = 1;
	(void)pthread_mutex_init(&live->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&live->ending, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	/* An interrupt is for the crew (bench/crew.c). */
	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_BLOCK, &every, &before);
	result = pthread_create(&live->thread, NULL, live_run, live);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0) {
		free(live);
		return NULL;
	}
	return live;
}

/* The last step of a core's timeline is over. */
static void
tell(struct live *live, const struct timeline *timeline)
{
	const struct timeline_step *step = &timeline->steps[timeline->count - 1];

	(void)pthread_mutex_lock(&live->lock);
	live->messages += step->messages;
	live->errors += step->errors;
	live->sessions += step->sessions;
	live->width_s = timeline->width_s;
	if (step->slots)
		histogram_unpack(&live->latency, step->slots, step->slot_count);
	(void)pthread_mutex_unlock(&live->lock);
}

static void
second_over(struct wheel_timer *timer)
{
	struct live_teller *teller = CONTAINER_OF(timer, struct live_teller, second);
	struct timeline *t = teller->timeline;

	(void)timeline_at(t, reactor_now(teller->reactor));
	if (t->count && t->count != teller->told)
		tell(teller->live, t);
	teller->told = t->count;
	wheel_arm(&teller->reactor->wheel, &teller->second, t->until_ns);
}

void
live_teller_begin(struct live_teller *teller, struct live *live, struct reactor *r, struct timeline *timeline)
{
	*teller = (struct live_teller){ 0 };
	if (!live || !timeline->start_ns)
		return;
	teller->live = live;
	teller->reactor = r;
	teller->timeline = timeline;
	wheel_timer_init(&teller->second, second_over);
	wheel_arm(&r->wheel, &teller->second, timeline->until_ns);
}

void
live_teller_end(struct live_teller *teller)
{
	if (teller->live)
		wheel_disarm(&teller->reactor->wheel, &teller->second);
}

void
live_end(struct live *live)
{
	if (!live)
		return;
	(void)pthread_mutex_lock(&live->lock);
	live->ended = true;
	(void)pthread_cond_signal(&live->ending);
	(void)pthread_mutex_unlock(&live->lock);
	(void)pthread_join(live->thread, NULL);
	(void)pthread_cond_destroy(&live->ending);
	(void)pthread_mutex_destroy(&live->lock);
	free(live);
}
