/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/queue/queue_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct rig rig;

static void
on_due(struct queue *q, struct queue_message *m)
{
	(void)q;
	(void)m;
	rig.due++;
}

static void
on_recovered(struct queue *q, const struct queue_recovery *what)
{
	(void)q;
	rig.recovered = true;
	rig.what = *what;
}

static void
on_closed(struct queue *q)
{
	(void)q;
	rig.closed = true;
}

void
rig_turn(void)
{
	reactor_turn(&rig.reactor, reactor_in_ms(&rig.reactor, 5));
}

void
rig_turn_until(const bool *done)
{
	for (unsigned i = 0; i < RIG_TURNS_MAX && !*done; i++)
		rig_turn();
	ck_assert_msg(*done, "nothing came of it");
}

void
rig_begin(void)
{
	const struct queue_handlers handlers = { on_due, on_recovered, on_closed };
	const char		   *why = "";

	rig.recovered = rig.closed = false;
	rig.due = 0;
	/* The lock of the shard before is closed beside the loop. */
	for (unsigned i = 0; i < RIG_TURNS_MAX; i++) {
		int result = queue_open(&rig.queue, &rig.reactor, &rig.params, &handlers, NULL, &why);

		if (result == 0)
			break;
		ck_assert_msg(result == -EWOULDBLOCK, "%s", why);
		reactor_turn(&rig.reactor, 0);
	}
}

void
rig_start(void)
{
	rig_begin();
	rig_turn_until(&rig.recovered);
}

void
rig_stop(void)
{
	queue_close(rig.queue);
	rig_turn_until(&rig.closed);
	queue_free(rig.queue);
	rig.queue = NULL;
}

void
rig_restart(void)
{
	rig_stop();
	rig_start();
}

static unsigned
descriptors_open(void)
{
	DIR	*d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

void
rig_open(void)
{
	struct reactor_params p = { .core_count = 1, .memory_max = 256 << 20, .log_level = LOG_LEVEL_WARN };
	const char	     *why = "", *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : "";

	rig = (struct rig){ .log = open("/dev/null", O_WRONLY | O_CLOEXEC), .in_memory = *place };
	if (getenv("RINGPOST_TEST_LOG"))
		rig.log = STDERR_FILENO;
	p.log_fd = rig.log;
	(void)snprintf(rig.path, sizeof(rig.path), "%sringpost-spool-XXXXXX", place);
	ck_assert_ptr_nonnull(mkdtemp(rig.path));
	(void)snprintf(rig.shard, sizeof(rig.shard), "%s/shard-00", rig.path);
	rig.net = io_net_new(1);
	ck_assert_msg(reactor_open(&rig.reactor, rig.net, &p, &why) == 0, "%s", why);
	rig.params = (struct queue_params){
		.spool = io_directory_open(rig.path, 0700),
		.segment_octets = 64 << 10,
		.spool_octets_max = 64 << 20,
		.direct_writes = getenv("RINGPOST_TEST_BUFFERED") == NULL,
		.inline_octets_max = 8 << 10,
	};
	ck_assert_int_ge(rig.params.spool, 0);
	rig.descriptors = descriptors_open();
}

void
rig_close(void)
{
	char names[64][32];

	if (rig.queue)
		rig_stop();
	ck_assert_uint_eq(rig.reactor.memory.used, 0);
	/* They are closed beside the loop. */
	for (unsigned i = 0; i < 2000 && descriptors_open() != rig.descriptors; i++)
		reactor_turn(&rig.reactor, reactor_in_ms(&rig.reactor, 1));
	ck_assert_uint_eq(descriptors_open(), rig.descriptors);
	reactor_close(&rig.reactor);
	io_net_free(rig.net);
	for (unsigned n; (n = rig_segments(names, 64)) > 0;)
		while (n--)
			rig_remove(names[n]);
	for (unsigned n = rig_spares(names, 64); n > 0;)
		rig_remove(names[--n]);
	rig_remove("new.seg");
	rig_remove("lock");
	(void)rmdir(rig.shard);
	ck_assert_int_eq(rmdir(rig.path), 0);
	close(rig.params.spool);
	if (rig.log != STDERR_FILENO)
		close(rig.log);
}

/* --- files --------------------------------------------------------------------------------------------- */

static void
path_of(const char *name, char path[static 128])
{
	(void)snprintf(path, 128, "%s/%s", rig.shard, name);
}

char *
rig_read(const char *name, size_t *len)
{
	char	    path[128], *bytes;
	struct stat st;
	int	    fd;

	path_of(name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len + 1);
	ck_assert_int_eq(read(fd, bytes, *len), st.st_size);
	close(fd);
	return bytes;
}

void
rig_write(const char *name, const void *bytes, size_t len)
{
	char path[128];
	int  fd;

	path_of(name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

void
rig_remove(const char *name)
{
	char path[128];

	path_of(name, path);
	(void)unlink(path);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static unsigned
files(const char *suffix, char names[][32], unsigned max)
{
	DIR	*d = opendir(rig.shard);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d)) && n < max;)
		if (strlen(e->d_name) == 20 && strcmp(e->d_name + 16, suffix) == 0)
			memcpy(names[n++], e->d_name, 21);
	if (d)
		closedir(d);
	qsort(names, n, 32, by_name);
	return n;
}

unsigned
rig_segments(char names[][32], unsigned max)
{
	return files(".seg", names, max);
}

unsigned
rig_spares(char names[][32], unsigned max)
{
	return files(".old", names, max);
}

/* --- messages ------------------------------------------------------------------------------------------ */

static void
on_done(struct queue_intake *in, int result)
{
	struct rig_intake *s = CONTAINER_OF(in, struct rig_intake, in);

	ck_assert(!s->done);
	s->done = true;
	s->result = result;
}

static void
on_ready(struct queue_intake *in)
{
	CONTAINER_OF(in, struct rig_intake, in)->ready = true;
}

char
rig_text(unsigned seed, size_t at)
{
	return (char)('a' + (at * 7 + at / 26 + seed * 5) % 26);
}

int
rig_intake_open(struct rig_intake *s, unsigned seed, size_t size)
{
	*s = (struct rig_intake){ .in = { .ready = on_ready, .done = on_done }, .seed = seed, .size = size };
	return queue_intake_open(rig.queue, &s->in, 0);
}

int
rig_intake_fill(struct rig_intake *s)
{
	while (s->appended < s->size) {
		char   bytes[10000];
		size_t n = MIN_OF(sizeof(bytes), s->size - s->appended);
		int    result;

		for (size_t i = 0; i < n; i++)
			bytes[i] = rig_text(s->seed, s->appended + i);
		s->ready = false;
		result = queue_intake_append(&s->in, span_make(bytes, n));
		if (result && result != -EAGAIN)
			return result;
		s->appended += n;
		if (result == -EAGAIN)
			rig_turn_until(&s->ready);
	}
	return 0;
}

static void
make_address(unsigned seed, unsigned i, char out[static 32])
{
	(void)snprintf(out, 32, "r%u.%u@example.org", seed, i);
}

void
rig_intake_commit(struct rig_intake *s, const struct queue_settlement *settle)
{
	char			  sender[32], to[RIG_RECIPIENTS][32];
	struct envelope_recipient recipients[RIG_RECIPIENTS];
	struct envelope		  env = { .id = s->in.id, .body_octets = s->in.octets, .accepted_ms = 1000 + s->seed,
					  .hops = s->seed, .recipient_count = RIG_RECIPIENTS, .recipients = recipients };

	make_address(s->seed, 99, sender);
	env.sender = span_of(sender);
	for (unsigned i = 0; i < RIG_RECIPIENTS; i++) {
		make_address(s->seed, i, to[i]);
		recipients[i] = (struct envelope_recipient){ .address = span_of(to[i]), .notify = NOTIFY_FAILURE };
	}
	queue_intake_commit(&s->in, &env, settle);
	ck_assert(!s->done);
}

int
rig_try(unsigned seed, size_t size, struct id *id)
{
	struct rig_intake s;
	int		  result = rig_intake_open(&s, seed, size);

	*id = s.in.id;
	if (result)
		return result;
	result = rig_intake_fill(&s);
	if (result) {
		queue_intake_abort(&s.in);
		return result;
	}
	rig_intake_commit(&s, NULL);
	rig_turn_until(&s.done);
	return s.result;
}

struct id
rig_put(unsigned seed, size_t size)
{
	struct id id;

	ck_assert_int_eq(rig_try(seed, size, &id), 0);
	return id;
}

struct loaded {
	struct queue_load load;
	bool		  done;
	int		  result;
};

static void
on_load(struct queue_load *load, int result)
{
	struct loaded *l = CONTAINER_OF(load, struct loaded, load);

	l->done = true;
	l->result = result;
}

static int
check_pieces(const struct queue_view *view, unsigned seed, size_t *at)
{
	int result = 0;

	for (unsigned i = 0; i < view->piece_count && result == 0; i++) {
		const struct queue_piece *p = &view->pieces[i];
		char			 *bytes = malloc(p->length);

		if (pread(p->fd, bytes, p->length, (off_t)p->at) != (ssize_t)p->length ||
		    !queue_piece_check(p, span_make(bytes, p->length)))
			result = -EBADMSG;
		for (uint32_t j = 0; result == 0 && j < p->length; j++)
			if (bytes[j] != rig_text(seed, (*at)++))
				ck_abort_msg("text of %u differs at %zu", seed, *at - 1);
		free(bytes);
	}
	return result;
}

int
rig_check(struct id id, unsigned seed, size_t size)
{
	struct queue_message *m = queue_find(rig.queue, id);
	struct loaded	      l = { .load = { .done = on_load } };
	const struct envelope *e;
	char		      address[32];
	size_t		      at = 0;

	ck_assert_ptr_nonnull(m);
	queue_load(rig.queue, m, &l.load);
	rig_turn_until(&l.done);
	if (l.result)
		return l.result;
	e = &l.load.view->envelope;
	ck_assert(id_equal(e->id, id));
	ck_assert_uint_eq(e->recipient_count, RIG_RECIPIENTS);
	ck_assert_uint_eq(e->hops, seed);
	ck_assert_int_eq(e->accepted_ms, 1000 + seed);
	for (unsigned i = 0; i < RIG_RECIPIENTS; i++) {
		make_address(seed, i, address);
		ck_assert(span_equal(e->recipients[i].address, span_of(address)));
	}
	make_address(seed, 99, address);
	ck_assert(span_equal(e->sender, span_of(address)));
	for (size_t i = 0; i < l.load.view->body.len; i++)
		if (l.load.view->body.data[i] != rig_text(seed, at++))
			ck_abort_msg("text of %u differs at %zu", seed, at - 1);
	l.result = check_pieces(l.load.view, seed, &at);
	if (l.result == 0)
		ck_assert_uint_eq(at, size);
	queue_view_unref(rig.queue, l.load.view);
	return l.result;
}

void
rig_settle(struct id id, unsigned recipient, enum queue_state state, struct queue_ack *ack)
{
	struct queue_message *m = queue_find(rig.queue, id);
	struct queue_result   r = { .recipient = recipient, .state = state, .attempt = true, .code = 250,
				    .due_ms = INT64_C(1) << 42, .host = SPAN_LITERAL("mx"),
				    .text = SPAN_LITERAL("words") };

	ck_assert_ptr_nonnull(m);
	ck_assert(queue_take(rig.queue, m, recipient));
	queue_record(rig.queue, m, &r, 1, ack);
}

struct acted {
	struct queue_ack ack;
	bool		 done;
};

static void
on_acted(struct queue_ack *ack, int result)
{
	ck_assert_int_eq(result, 0);
	CONTAINER_OF(ack, struct acted, ack)->done = true;
}

void
rig_act(struct id id, enum queue_act act)
{
	struct acted a = { .ack = { .done = on_acted } };

	queue_act(rig.queue, queue_find(rig.queue, id), act, &a.ack);
	rig_turn_until(&a.done);
}

/* --- chance -------------------------------------------------------------------------------------------- */

uint64_t
rig_seed(const char *what)
{
	const char *given = getenv("RINGPOST_SEED");
	uint64_t    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	fprintf(stderr, "%s: RINGPOST_SEED=%llu\n", what, (unsigned long long)seed);
	return seed;
}

uint64_t
rig_chance(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
