/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/crew.h - a run of the bench: a thread with a reactor for each core, the same work on each, a
 * common end.  Also what the bench asks of the operating system outside the seam: signals, descriptors, CPU time.
 *
 * Threads are not pinned: a bench that shares two cores with the server it measures should take what is free.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <pthread.h>

#include "core/reactor.h"

struct crew;

struct crew_member {
	struct crew   *crew;
	unsigned       index;
	struct reactor reactor;
	void	      *work; /* what open() made */
	double	       busy; /* in close(): share of one core that this thread used since crew_busy_begin() */
	/* private */
	pthread_t	   thread;
	struct wheel_timer watch;
	bool		   told;
	uint64_t	   busy_from_ns, busy_cpu_ns;
};

/* What a member does; each function runs on the member's thread. */
struct crew_plan {
	/* Starts the work.  0, else -errno with *why a sentence. */
	int (*open)(struct crew_member *m, const char **why);
	/* End early, soon: an interrupt came, or another member failed.  The work ends when it calls
	 * reactor_stop() on the member's reactor, now or later. */
	void (*stop)(struct crew_member *m);
	/* Nothing runs any more; adds its figures to the whole.  One member at a time. */
	void (*close)(struct crew_member *m);
	unsigned recv_buffer_count, recv_buffer_size; /* 0: the reactor's defaults */
};

struct crew {
	const struct crew_plan *plan;
	void		       *arg; /* what the members share */
	unsigned		count;
	struct crew_member     *members;
	struct io_net	       *net;
	_Atomic(bool)		stop, failed;
	pthread_mutex_t		closing;
};

/*
 * Runs the plan on `count` threads until all have stopped.  SIGINT and SIGTERM ask them to stop; a
 * second one ends the process at once.  0, or -1 after saying why on standard error.
 */
int MUST_CHECK crew_run(const struct crew_plan *plan, unsigned count, void *arg);

/* On the member's thread: `busy` counts from here, else from open(). */
void crew_busy_begin(struct crew_member *m);

/* The clock of io_mono(), where no reactor runs yet. */
uint64_t crew_mono_ns(void);

/* As many descriptors as we may have; returns how many that is. */
uint64_t crew_descriptors_raise(void);

struct crew_usage {
	double	 user_s, system_s;
	uint64_t rss_octets_max;
};
/* Of this process, all threads, so far. */
struct crew_usage crew_usage_now(void);

/*
 * The processor time of another process, all its threads with those that ended, to the nanosecond: the
 * kernel keeps a clock for each process that anybody may read.
 */
struct crew_watch {
	double	 cpu_s;	     /* between begin and end */
	uint64_t rss_octets; /* resident at the end */
	int	 pid, clock; /* private */
};

/* 0, or -1: there is no such process. */
int MUST_CHECK crew_watch_begin(struct crew_watch *watch, int pid);
int MUST_CHECK crew_watch_end(struct crew_watch *watch);

#endif
