/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals are blocked in every thread and taken by one that does nothing else; it sets a flag that each
 * member looks at from a timer.  Twenty glances a second cost nothing that a bench could measure, and
 * nothing has to reach into a reactor from outside.
 */
#include "bench/crew.h"

#include <signal.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { WATCH_MS = 50 };

static void
member_watch(struct wheel_timer *timer)
{
	struct crew_member *m = CONTAINER_OF(timer, struct crew_member, watch);

	if (!m->told && atomic_load_explicit(&m->crew->stop, memory_order_relaxed)) {
		m->told = true;
		m->crew->plan->stop(m);
	}
	if (!m->told)
		reactor_arm_ms(&m->reactor, &m->watch, WATCH_MS);
}

static void
member_failed(struct crew_member *m, int result, const char *why)
{
	(void)fprintf(stderr, "ringpost-bench: %s%s%s\n", why ? why : "cannot start",
		      result ? ": " : "", result ? strerror(-result) : "");
	atomic_store(&m->crew->failed, true);
	atomic_store(&m->crew->stop, true);
}

static uint64_t
clock_ns(clockid_t which)
{
	struct timespec t;

	if (clock_gettime(which, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
crew_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void
crew_busy_begin(struct crew_member *m)
{
	m->busy_from_ns = io_mono_now(m->reactor.io);
	m->busy_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void
busy_end(struct crew_member *m)
{
	uint64_t passed = io_mono_now(m->reactor.io) - m->busy_from_ns;

	m->busy = passed ? MIN_OF((double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - m->busy_cpu_ns) / (double)passed, 1.0) : 0;
}

static void *
member_run(void *arg)
{
	struct crew_member *m = arg;
	struct crew *crew = m->crew;
	const struct reactor_params params = {
		.core = m->index,
		.core_count = crew->count,
		.recv_buffer_count = crew->plan->recv_buffer_count,
		.recv_buffer_size = crew->plan->recv_buffer_size,
		.memory_max = UINT64_MAX / 2,
		.log_fd = STDERR_FILENO,
		.log_level = LOG_LEVEL_WARN,
	};
	const char *why = NULL;
	int result = reactor_open(&m->reactor, crew->net, &params, &why);

	if (result < 0) {
		member_failed(m, result, why);
		return NULL;
	}
	m->reactor.owner = m;
	wheel_timer_init(&m->watch, member_watch);
	crew_busy_begin(m);
	result = crew->plan->open(m, &why);
	if (result < 0) {
		member_failed(m, result, why);
	} else {
		reactor_arm_ms(&m->reactor, &m->watch, WATCH_MS);
		reactor_run(&m->reactor);
		busy_end(m);
		(void)pthread_mutex_lock(&crew->closing);
		crew->plan->close(m);
		(void)pthread_mutex_unlock(&crew->closing);
	}
	wheel_disarm(&m->reactor.wheel, &m->watch);
	reactor_close(&m->reactor);
	return NULL;
}

static void *
signals_run(void *arg)
{
	struct crew *crew = arg;
	sigset_t set;
	int signal_number;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	for (;;) {
		if (sigwait(&set, &signal_number) != 0)
			continue;
		if (atomic_exchange(&crew->stop, true))
			_exit(128 + signal_number);
	}
	return NULL;
}

int
crew_run(const struct crew_plan *plan, unsigned count, void *arg)
{
	/* Static: the thread that takes signals lives as long as the process and looks at it. */
	static struct crew crew;
	sigset_t set;
	pthread_t signals;
	unsigned started = 0;

	crew = (struct crew){ .plan = plan, .arg = arg, .count = count };
	(void)pthread_mutex_init(&crew.closing, NULL);
	crew.members = calloc(count, sizeof(*crew.members));
	crew.net = io_net_new(count);
	if (!crew.members || !crew.net) {
		(void)fprintf(stderr, "ringpost-bench: no memory\n");
		return -1;
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGPIPE); /* blocked for good: a send reports -EPIPE instead */
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&signals, NULL, signals_run, &crew) != 0) {
		(void)fprintf(stderr, "ringpost-bench: cannot start a thread\n");
		return -1;
	}
	(void)pthread_detach(signals);
	for (; started < count; started++) {
		struct crew_member *m = &crew.members[started];

		m->crew = &crew;
		m->index = started;
		if (pthread_create(&m->thread, NULL, member_run, m) != 0) {
			member_failed(m, 0, "cannot start a thread");
			break;
		}
	}
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(crew.members[i].thread, NULL);
	io_net_free(crew.net);
	free(crew.members);
	return atomic_load(&crew.failed) ? -1 : 0;
}

uint64_t
crew_descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* else what we have must do; opening says when it does not */
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

struct crew_usage
crew_usage_now(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return (struct crew_usage){ 0 };
	return (struct crew_usage){
		.user_s = seconds(&usage.ru_utime),
		.system_s = seconds(&usage.ru_stime),
		.rss_octets_max = (uint64_t)usage.ru_maxrss * 1024,
	};
}

static int
watch_read(const struct crew_watch *watch, double *out)
{
	struct timespec t;

	if (clock_gettime(watch->clock, &t) < 0)
		return -1;
	*out = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	return 0;
}

int
crew_watch_begin(struct crew_watch *watch, int pid)
{
	*watch = (struct crew_watch){ .pid = pid };
	if (clock_getcpuclockid(pid, &watch->clock) != 0)
		return -1;
	return watch_read(watch, &watch->cpu_s);
}

int
crew_watch_end(struct crew_watch *watch)
{
	char path[64];
	uint64_t pages;
	double now;
	FILE *file;

	if (watch_read(watch, &now) < 0)
		return -1;
	watch->cpu_s = now - watch->cpu_s;
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", watch->pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%*u %" SCNu64, &pages) == 1)
		watch->rss_octets = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	(void)fclose(file);
	return 0;
}
