/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringpost-bench idle: opens sessions, says EHLO, and holds them, so that somebody can look at the server's memory.
 * "holding N" on standard output says when all are open; a script waits for that line.
 */
#include <errno.h>
#include <inttypes.h>

#include "bench/commands.h"
#include "bench/crew.h"
#include "bench/dial.h"
#include "bench/report.h"
#include "bench/wire.h"
#include "core/stream.h"

enum { IDLE_SESSIONS_MAX = 1000000, IDLE_OPENING_MAX = 128 };

static struct {
	struct endpoint to;
	uint64_t	sessions, seconds, sources, timeout_s;
	bool		owned;
} options = { .sessions = 1000, .seconds = 10, .sources = 64, .timeout_s = 60 };

#define AT(member) offsetof(__typeof__(options), member)
static const struct option_row rows[] = {
	{ "to", OPTION_ENDPOINT, AT(to), "ADDRESS:PORT", "The server; needed.", 0, 0, NULL },
	{ "sessions", OPTION_COUNT, AT(sessions), "N", "Sessions to hold (1000).", 1, IDLE_SESSIONS_MAX, NULL },
	{ "seconds", OPTION_COUNT, AT(seconds), "S", "Hold them so long after the last is open (10).", 0, 1000000,
	  NULL },
	{ "sources", OPTION_COUNT, AT(sources), "N",
	  "Come from N addresses of 127.0.0.0/8 in turn; 1 for other servers (64).", 1, DIAL_SOURCES_MAX, NULL },
	{ "timeout", OPTION_COUNT, AT(timeout_s), "S",
	  "Hold what is open when no further session opens within S seconds (60).", 1, 100000, NULL },
	DIAL_OWNED_ROW(AT(owned)),
};
#undef AT

struct idle_session {
	struct idle_crew    *crew;
	struct stream	     stream;
	struct io_connect_op connect;
	int		     fd;
	bool		     greeted, open; /* open: EHLO was answered */
};

struct idle_crew {
	struct crew_member  *member;
	struct idle_session *sessions;
	struct wheel_timer   hold, patience;
	unsigned	     started, opening, open, failed, lost, streams;
	bool		     told, ending, given_up; /* given up: no more are opened */
};

static unsigned open_all, failed_all, lost_all;

static void
end_perhaps(struct idle_crew *crew)
{
	if (crew->ending && !crew->opening && !crew->streams)
		reactor_stop(&crew->member->reactor);
}

static void open_more(struct idle_crew *crew);

static void
opening_over(struct idle_crew *crew)
{
	crew->opening--;
	reactor_arm_ms(&crew->member->reactor, &crew->patience, options.timeout_s * 1000);
	open_more(crew);
	end_perhaps(crew);
}

static size_t
idle_read(struct stream *stream, struct span bytes)
{
	struct idle_session *s = CONTAINER_OF(stream, struct idle_session, stream);
	struct wire_reply reply;
	size_t done = 0;

	while (done < bytes.len) {
		switch (wire_reply_parse(span_from(bytes, done), &reply)) {
		case WIRE_MORE:
			return done;
		case WIRE_BROKEN:
			stream_close(stream);
			return bytes.len;
		case WIRE_OK:
			done += reply.len;
			break;
		}
		if (reply.code / 100 != 2) {
			stream_close(stream); /* 421: limits are what we came to see, and count as failed */
			return bytes.len;
		}
		if (!s->greeted) {
			s->greeted = true;
			if (stream_write(stream, SPAN_LITERAL("EHLO bench.example.org\r\n")) < 0)
				stream_close(stream);
		} else if (!s->open) {
			s->open = true;
			s->crew->open++;
			opening_over(s->crew);
		}
	}
	return done;
}

static void
idle_ended(struct stream *stream, int result)
{
	(void)result;
	stream_close(stream);
}

static void
idle_closed(struct stream *stream)
{
	struct idle_session *s = CONTAINER_OF(stream, struct idle_session, stream);
	struct idle_crew *crew = s->crew;

	crew->streams--;
	if (!s->open) {
		crew->failed++;
		opening_over(crew);
		return;
	}
	if (!crew->ending)
		crew->lost++;
	end_perhaps(crew);
}

static const struct stream_handlers handlers = { .read = idle_read, .ended = idle_ended, .closed = idle_closed };

static void
idle_connected(struct io_op *op, const struct io_event *event)
{
	struct idle_session *s = CONTAINER_OF(op, struct idle_session, connect.op);
	struct reactor *r = &s->crew->member->reactor;

	if (event->result < 0) {
		io_close(r->io, s->fd);
		s->crew->failed++;
		opening_over(s->crew);
		return;
	}
	s->crew->streams++;
	stream_open(&s->stream, r, s->fd, &handlers);
}

/* The streams of sessions that were opened; the others never were. */
static void
streams_close(struct idle_crew *crew)
{
	for (unsigned i = 0; i < crew->started; i++) {
		struct idle_session *s = &crew->sessions[i];

		if (s->stream.reactor && !stream_is_closing(&s->stream))
			stream_close(&s->stream);
	}
}

static void
hold_over(struct wheel_timer *timer)
{
	struct idle_crew *crew = CONTAINER_OF(timer, struct idle_crew, hold);

	crew->ending = true;
	streams_close(crew);
	end_perhaps(crew);
}

static unsigned
share(const struct idle_crew *crew)
{
	return (unsigned)(options.sessions / crew->member->crew->count);
}

static void
open_more(struct idle_crew *crew)
{
	struct reactor *r = &crew->member->reactor;

	while (!crew->ending && !crew->given_up && crew->started < share(crew) && crew->opening < IDLE_OPENING_MAX) {
		struct idle_session *s = &crew->sessions[crew->started++];

		s->crew = crew;
		io_op_init(&s->connect.op, idle_connected);
		s->fd = dial(r->io, &s->connect, &options.to, (unsigned)options.sources, crew->started);
		if (s->fd < 0)
			crew->failed++;
		else
			crew->opening++;
	}
	if ((crew->given_up || crew->started == share(crew)) && !crew->opening && !crew->told) {
		crew->told = true;
		wheel_disarm(&r->wheel, &crew->patience);
		(void)printf("holding %u\n", crew->open);
		(void)fflush(stdout);
		if (!crew->ending)
			reactor_arm_ms(r, &crew->hold, options.seconds * 1000);
	}
}

/* The server greets nobody any more. */
static void
patience_over(struct wheel_timer *timer)
{
	struct idle_crew *crew = CONTAINER_OF(timer, struct idle_crew, patience);

	crew->given_up = true;
	crew->failed += share(crew) - crew->started;
	for (unsigned i = 0; i < crew->started; i++) {
		struct idle_session *s = &crew->sessions[i];

		if (!io_op_idle(&s->connect.op))
			io_cancel(crew->member->reactor.io, &s->connect.op);
		else if (s->stream.reactor && !s->open && !stream_is_closing(&s->stream))
			stream_close(&s->stream);
	}
}

static int
idle_open(struct crew_member *m, const char **why)
{
	struct idle_crew *crew = calloc(1, sizeof(*crew));

	*why = "no memory";
	if (!crew)
		return -ENOMEM;
	m->work = crew;
	crew->member = m;
	crew->sessions = calloc(options.sessions, sizeof(*crew->sessions));
	if (!crew->sessions)
		return -ENOMEM;
	wheel_timer_init(&crew->hold, hold_over);
	wheel_timer_init(&crew->patience, patience_over);
	reactor_arm_ms(&m->reactor, &crew->patience, options.timeout_s * 1000);
	open_more(crew);
	return 0;
}

static void
idle_stop(struct crew_member *m)
{
	struct idle_crew *crew = m->work;

	wheel_disarm(&m->reactor.wheel, &crew->hold);
	wheel_disarm(&m->reactor.wheel, &crew->patience);
	hold_over(&crew->hold);
}

static void
idle_close(struct crew_member *m)
{
	struct idle_crew *crew = m->work;

	open_all += crew->open;
	failed_all += crew->failed;
	lost_all += crew->lost;
	free(crew->sessions);
	free(crew);
}

static int
idle_run(const struct bench_command *command, const char *const *words)
{
	static const struct crew_plan plan = { .open = idle_open, .stop = idle_stop, .close = idle_close };
	const char *wrong = dial_check(&options.to, options.sources, options.owned);

	(void)command;
	(void)words;
	if (wrong) {
		(void)fprintf(stderr, "ringpost-bench idle: %s\n", wrong);
		return 2;
	}
	if (crew_descriptors_raise() < options.sessions + 64) {
		(void)fprintf(stderr, "ringpost-bench idle: the limit of open files is below --sessions\n");
		return 1;
	}
	if (crew_run(&plan, 1, NULL) < 0)
		return 1;
	(void)printf("open %u, failed %u, lost %u\n", open_all, failed_all, lost_all);
	return open_all == options.sessions && !lost_all ? 0 : 1;
}

const struct bench_command bench_idle = {
	.name = "idle",
	.synopsis = "--to ADDRESS:PORT [options]",
	.what = "Opens sessions, says EHLO and holds them: for figures of memory.",
	.rows = rows,
	.row_count = COUNT_OF(rows),
	.options = &options,
	.run = idle_run,
};
