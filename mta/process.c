/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting is done in the order in which it can fail cheaply: descriptors, log, spool, then the threads.  Each thread opens
 * its core and waits for the others; if one cannot, all end and nothing has been listened on for longer than a moment.
 *
 * The number of cores is the setting's or the machine's, but never smaller than the number of shards in the spool that
 * hold segments: mail in a shard without a core would lie there unseen.  More threads than processors cost little.
 */
#include "mta/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dns/limits.h"
#include "mta/lifecycle.h"
#include "mta/policy/clients.h"
#include "tls/random.h"

enum {
	DESCRIPTORS_OF_PROCESS = 64, /* log, spool, control socket, what libraries hold */
	DESCRIPTORS_OF_CORE = 64 + DNS_QUERIES_MAX, /* ring, listeners, segments; one for each query */
	SESSIONS_LEAST = 64,	     /* too few descriptors for these: refuse to start */
	CORES_MAX = 256,
};

struct start {
	struct mta	 *mta;
	struct settings	 *settings;
	unsigned	  index;
	pthread_t	  thread;
	pthread_barrier_t *opened;
	_Atomic(bool)	 *failed;
};

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

static void
say(const char *format, ...)
{
	char	text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "ringpost: %s\n", text);
}

/* --- threads ------------------------------------------------------------------------------------------------ */

static void *
core_thread(void *arg)
{
	struct start	*s = arg;
	struct mta_core *core = &s->mta->cores[s->index];
	const char	*why = NULL;
	int		 result;

	reactor_pin_thread(s->index);
	result = mta_core_open(s->mta, s->index, s->settings, &why);
	if (result < 0 && !atomic_exchange(s->failed, true))
		say(why && strchr(why, ':') ? "%s" : "%s: %s", why ? why : "cannot start", strerror(-result));
	(void)pthread_barrier_wait(s->opened);
	if (atomic_load(s->failed))
		return NULL;
	mta_core_run(core);
	mta_core_close(core);
	return NULL;
}

/* --- what is shared ------------------------------------------------------------------------------------------- */

static int
count_shard(void *arg, const char *name)
{
	unsigned *shards = arg, number;
	char	  behind;

	if (sscanf(name, "shard-%u%c", &number, &behind) == 1 && number < CORES_MAX && number + 1 > *shards)
		*shards = number + 1;
	return 0;
}

static int
has_segment(void *arg, const char *name)
{
	(void)arg;
	return strstr(name, ".seg") != NULL && strcmp(name, "new.seg") != 0;
}

/* How many shards the spool has, counted up to the last that holds anything. */
static unsigned
shards_in_use(int spool)
{
	unsigned shards = 0;
	char	 name[32];

	if (io_directory_list(spool, count_shard, &shards) < 0)
		return 0;
	for (; shards; shards--) {
		int directory, found;

		(void)snprintf(name, sizeof(name), "shard-%02u", shards - 1);
		directory = io_directory_open_at(spool, name, 0);
		if (directory < 0)
			continue;
		found = io_directory_list(directory, has_segment, NULL);
		(void)close(directory);
		if (found)
			break;
	}
	return shards;
}

static unsigned
core_count(const struct settings *s, int spool)
{
	unsigned  shards = shards_in_use(spool), wanted = (unsigned)s->cores;
	cpu_set_t set;

	if (wanted == 0)
		wanted = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	wanted = MIN_OF(wanted, (unsigned)CORES_MAX);
	if (shards > wanted && s->cores)
		say("the spool has %u shards, so %u threads run instead of %u", shards, shards, wanted);
	return MAX_OF(MAX_OF(wanted, shards), 1u);
}

/* Of what is free of other duties three quarters serve clients, the rest next hops. */
static bool
descriptors(struct mta *mta)
{
	uint64_t      duties = DESCRIPTORS_OF_PROCESS + (uint64_t)DESCRIPTORS_OF_CORE * mta->core_count, sessions;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		say("cannot ask for the limit on descriptors: %s", strerror(errno));
		return false;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* else what we have must do */
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		limit.rlim_cur = 1 << 30;
	if (limit.rlim_cur < duties + 2 * SESSIONS_LEAST) {
		say("only %llu descriptors, %llu are needed: raise the limit (ulimit -n; LimitNOFILE= of systemd)",
		    (unsigned long long)limit.rlim_cur, (unsigned long long)duties + 2 * SESSIONS_LEAST);
		return false;
	}
	sessions = (limit.rlim_cur - duties) * 3 / 4;
	mta->sessions_ceiling = (unsigned)MIN_OF(sessions, (uint64_t)UINT32_MAX / 2);
	return true;
}

/* The directory a file is to lie in: made when we run on embedded settings, where nobody else could have. */
static void
make_directory_of(struct span path)
{
	char  text[4096];
	char *slash;
	int   fd;

	if (path.len == 0 || path.len >= sizeof(text))
		return;
	memcpy(text, path.data, path.len);
	text[path.len] = '\0';
	slash = strrchr(text, '/');
	if (slash == NULL || slash == text)
		return;
	*slash = '\0';
	fd = io_directory_open(text, 0700);
	if (fd >= 0)
		(void)close(fd);
}

/* A descriptor of its own, also of standard error. */
static int
open_log(const struct settings *s)
{
	int fd;

	if (s->log_file.len == 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		fd = open(s->log_file.data, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	return fd < 0 ? -errno : fd;
}

/*
 * The cores share each endpoint among them (SO_REUSEPORT), and the kernel would share it with a second instance of ours as
 * well, so that half of the mail came to either.
 */
static bool
endpoints_are_free(const struct settings_endpoints *listen)
{
	char text[ENDPOINT_TEXT_MAX];

	for (unsigned i = 0; i < listen->count; i++) {
		int result = io_listen_check(&listen->at[i]);

		if (result == 0)
			continue;
		say("cannot listen on %s: %s%s", endpoint_format(&listen->at[i], text), strerror(-result),
		    result == -EADDRINUSE ? " (another process listens there)"
		    : result == -EACCES	  ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
					  : "");
		return false;
	}
	return true;
}

static bool
open_shared(struct mta *mta, const struct settings *s)
{
	uint8_t key[16];

	if (mta->settings_file == NULL) {
		make_directory_of(s->log_file);
		make_directory_of(s->control_socket);
	}
	mta->log_fd = open_log(s);
	if (mta->log_fd < 0) {
		say("cannot open the log file %s: %s", s->log_file.data, strerror(-mta->log_fd));
		return false;
	}
	mta->spool = io_directory_open(s->spool_directory.data, 0700);
	if (mta->spool < 0) {
		say("cannot open the spool %s: %s", s->spool_directory.data, strerror(-mta->spool));
		return false;
	}
	mta->core_count = core_count(s, mta->spool);
	if (!descriptors(mta) || !endpoints_are_free(&s->listen))
		return false;
	tls_random(key, sizeof(key));
	mta->clients = clients_new(s->sessions_max, key);
	mta->net = io_net_new(mta->core_count);
	mta->cores = calloc(mta->core_count, sizeof(*mta->cores));
	if (!mta->clients || !mta->net || !mta->cores) {
		say("out of memory");
		return false;
	}
	return true;
}

/* --- signals ----------------------------------------------------------------------------------------------------- */

static pthread_t waiting_thread;

static void
wake(struct mta *mta)
{
	(void)mta;
	(void)pthread_kill(waiting_thread, SIGHUP);
}

/* One answer for all that asked. */
static void
answer_all(struct mta *mta, const char *error)
{
	for (struct mta_reload *r = mta_reloads_take(mta), *next; r; r = next) {
		next = r->next;
		(void)snprintf(r->error, sizeof(r->error), "%s", error);
		mta_reload_answer(mta, r);
	}
}

/*
 * The log keeps its number and leads elsewhere: whenever a core takes this up, and though it never does, no line is written
 * to a number that was closed and means something else by now.
 */
static int
replace_log(struct mta *mta, const struct settings *s)
{
	int fd = open_log(s), result;

	if (fd < 0)
		return fd;
	result = dup3(fd, mta->log_fd, O_CLOEXEC) < 0 ? -errno : 0;
	(void)close(fd);
	return result;
}

static void
failed_to_reload(struct mta *mta, const char *why)
{
	mta_log_reload_failed(mta, why);
	answer_all(mta, why);
}

/*
 * *running: the generation the cores have.  The log is opened anew whatever becomes of the settings: the file that was
 * renamed is somebody else's by now.
 */
static void
reload(struct mta *mta, struct settings **running)
{
	struct settings_error error = { "" };
	struct settings	     *next = mta->settings_file ? settings_read(mta->settings_file, &error) : settings_embedded();
	char		      rows[400];
	int		      result = replace_log(mta, next ? next : *running);

	if (next == NULL) {
		failed_to_reload(mta, error.message);
		return;
	}
	if (result < 0) {
		(void)snprintf(error.message, sizeof(error.message), "cannot open the log file %.300s: %s",
			       next->log_file.data, strerror(-result));
		(void)replace_log(mta, *running);
		settings_unref(next);
		failed_to_reload(mta, error.message);
		return;
	}
	(void)settings_needing_restart(mta->started, next, rows, sizeof(rows));
	settings_unref(*running);
	*running = settings_ref(next);
	mta_adopt(mta, next);
	if (rows[0]) {
		(void)snprintf(error.message, sizeof(error.message), "taken over, but for what needs a restart: %s", rows);
		mta_log_restart_needed(mta, rows);
	}
	answer_all(mta, error.message);
}

static void
serve(struct mta *mta, const sigset_t *set, struct settings *running)
{
	int number;

	for (bool stopping = false; !stopping;) {
		if (sigwait(set, &number) != 0)
			continue;
		if (number == SIGHUP)
			reload(mta, &running);
		else
			stopping = true;
	}
	mta_stop(mta);
	settings_unref(running);
}

/* While the cores end, a second signal ends at once. */
static void *
impatience(void *arg)
{
	const sigset_t *set = arg;
	int		number;

	while (sigwait(set, &number) != 0 || number == SIGHUP)
		;
	_exit(128 + number);
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

int
process_run(struct settings *settings, const char *file, const char *version)
{
	/* What threads look at lives as long as the process: a start that lacks a thread does not wait for the others. */
	static struct mta	 mta;
	static sigset_t		 set;
	static _Atomic(bool)	 failed;
	static pthread_barrier_t opened;
	static struct start	*starts;
	pthread_t		 impatient;
	struct timespec		 now;

	(void)umask(077);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	mta = (struct mta){ .settings_file = file, .version = version, .wake = wake, .spool = -1,
			    .privileged = geteuid() == 0,
			    .started_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000 };
	if (!open_shared(&mta, settings)) {
		settings_unref(settings);
		return 1;
	}
	mta.started = settings_ref(settings);
	atomic_store(&mta.unopened, mta.core_count);

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	waiting_thread = pthread_self();

	starts = calloc(mta.core_count, sizeof(*starts));
	if (starts == NULL || pthread_barrier_init(&opened, NULL, mta.core_count + 1) != 0) {
		say("out of memory");
		return 1;
	}
	for (unsigned i = 0; i < mta.core_count; i++) {
		starts[i] = (struct start){ .mta = &mta, .settings = settings_ref(settings), .index = i,
					    .opened = &opened, .failed = &failed };
		if (pthread_create(&starts[i].thread, NULL, core_thread, &starts[i]) != 0) {
			say("cannot start thread %u of %u", i + 1, mta.core_count);
			return 1;
		}
	}
	(void)pthread_barrier_wait(&opened);
	if (atomic_load(&failed)) {
		for (unsigned i = 0; i < mta.core_count; i++)
			(void)pthread_join(starts[i].thread, NULL);
		return 1;
	}
	serve(&mta, &set, settings);
	if (pthread_create(&impatient, NULL, impatience, &set) == 0)
		(void)pthread_detach(impatient);
	for (unsigned i = 0; i < mta.core_count; i++)
		(void)pthread_join(starts[i].thread, NULL);
	settings_unref(mta.started);
	io_net_free(mta.net);
	clients_free(mta.clients);
	free(mta.cores);
	free(starts);
	return 0;
}
