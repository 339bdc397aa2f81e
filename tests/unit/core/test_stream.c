/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over loopback against a plain socket, and two streams against each other doing things at random. */
#include "core/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "rig.h"

enum { LARGE = 3 << 20 };

static struct reactor reactor;
static int	      far; /* the other end, a plain socket */

enum policy { TAKE_ALL, TAKE_NOTHING, TAKE_LINES, TAKE_SOME, TAKE_AND_PAUSE };
enum place { NOWHERE, IN_READ, IN_ENDED, IN_SENT, OUTSIDE };

struct user {
	struct stream s;
	enum policy   policy;
	enum place    close_in, answer_in;
	size_t	      taken; /* octets consumed, each compared with text_at() */
	size_t	      shown; /* the longest run seen */
	unsigned      ended, sent, closed;
	int	      result; /* of the end */
};

static unsigned depth; /* handlers running: 0 or 1 */

static char
text_at(size_t i)
{
	return i % 64 == 63 ? '\n' : (char)('a' + i * 7 % 23);
}

static char *
text_of(size_t from, size_t len)
{
	char *text = malloc(len + 1);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < len; i++)
		text[i] = text_at(from + i);
	return text;
}

static void
check_text(const char *data, size_t len, size_t from)
{
	size_t i = 0;

	while (i < len && data[i] == text_at(from + i))
		i++;
	ck_assert_msg(i == len, "octet %zu is another", from + i);
}

static struct user *
user_of(struct stream *s)
{
	return CONTAINER_OF(s, struct user, s);
}

static size_t
on_read(struct stream *s, struct span bytes)
{
	struct user *u = user_of(s);
	size_t	     take = bytes.len;

	ck_assert_uint_eq(depth++, 0);
	ck_assert(bytes.len && !stream_is_closing(s) && !u->ended);
	check_text(bytes.data, bytes.len, u->taken);
	u->shown = MAX_OF(u->shown, bytes.len);
	switch (u->policy) {
	case TAKE_ALL:
		break;
	case TAKE_NOTHING:
		take = 0;
		break;
	case TAKE_LINES:
		while (take && bytes.data[take - 1] != '\n')
			take--;
		break;
	case TAKE_SOME:
		take = (bytes.len + 1) / 2;
		break;
	case TAKE_AND_PAUSE:
		take = MIN_OF(bytes.len, (size_t)10);
		stream_pause(s);
		break;
	}
	u->taken += take;
	if (u->answer_in == IN_READ)
		ck_assert_int_eq(stream_write(s, SPAN_LITERAL("answer")), 0);
	if (u->close_in == IN_READ)
		stream_close(s);
	depth--;
	return take;
}

static void
on_ended(struct stream *s, int result)
{
	struct user *u = user_of(s);

	ck_assert_uint_eq(depth++, 0);
	u->ended++;
	u->result = result;
	if (u->answer_in == IN_ENDED)
		ck_assert_int_eq(stream_write(s, SPAN_LITERAL("answer")), 0);
	if (u->close_in == IN_ENDED)
		stream_close(s);
	depth--;
}

static void
on_sent(struct stream *s)
{
	struct user *u = user_of(s);

	ck_assert_uint_eq(depth++, 0);
	ck_assert_uint_eq(stream_unsent(s), 0);
	u->sent++;
	if (u->close_in == IN_SENT)
		stream_close(s);
	depth--;
}

static void
on_closed(struct stream *s)
{
	ck_assert_uint_eq(depth++, 0);
	user_of(s)->closed++;
	depth--;
}

static const struct stream_handlers handlers = { on_read, on_ended, on_sent, on_closed };

/* --- around each test ----------------------------------------------------------------------------- */

static void
open_with(unsigned buffer_count, unsigned buffer_size)
{
	const struct reactor_params p = { .core_count = 1, .memory_max = 64 << 20, .log_fd = 2,
					  .recv_buffer_count = buffer_count, .recv_buffer_size = buffer_size };
	const char		   *why = "no sentence";

	rig_net = io_net_new(1);
	ck_assert_msg(reactor_open(&reactor, rig_net, &p, &why) == 0, "%s", why);
	rig_io = reactor.io;
}

static void
open_reactor(void)
{
	open_with(64, 4096);
}

static void
close_reactor(void)
{
	ck_assert_uint_eq(reactor.memory.used, 0);
	reactor_close(&reactor);
	io_net_free(rig_net);
}

static void
turn(void)
{
	reactor_turn(&reactor, reactor_in_ms(&reactor, 5));
}

#define TURN_UNTIL(condition)                                                                      \
	do {                                                                                       \
		for (unsigned turns_ = 0; !(condition) && turns_ < RIG_TURNS_MAX; turns_++)        \
			turn();                                                                    \
		ck_assert_msg((condition), "never came: %s", #condition);                          \
	} while (0)

static struct user *
open_user(enum policy policy)
{
	struct user *u = calloc(1, sizeof(*u));
	int	     ends[2];

	ck_assert_ptr_nonnull(u);
	u->policy = policy;
	rig_pair(ends);
	far = ends[0];
	stream_open(&u->s, &reactor, ends[1], &handlers);
	return u;
}

static void
close_user(struct user *u)
{
	int fd = u->s.fd;

	stream_close(&u->s);
	stream_close(&u->s); /* harmless */
	ck_assert_int_eq(stream_write(&u->s, SPAN_LITERAL("late")), -EPIPE);
	TURN_UNTIL(u->closed);
	turn();
	ck_assert_uint_eq(u->closed, 1);
	ck_assert(fd < 0 || fcntl(fd, F_GETFD) < 0);
	free(u);
}

static void
far_say(size_t from, size_t len)
{
	char *text = text_of(from, len);

	ck_assert_int_eq(send(far, text, len, MSG_NOSIGNAL), (ssize_t)len);
	free(text);
}

/* As much as is there; compared with the text from *got on.  False at the end of stream. */
static bool
far_take(size_t *got)
{
	static char room[65536];
	ssize_t	    n = recv(far, room, sizeof(room), MSG_DONTWAIT);

	if (n <= 0) {
		ck_assert(n == 0 || errno == EAGAIN);
		return n != 0;
	}
	check_text(room, (size_t)n, *got);
	*got += (size_t)n;
	return true;
}

/* --- reading -------------------------------------------------------------------------------------- */

static const struct {
	const char *label;
	enum policy policy;
	size_t	    piece;
	bool	    turns; /* between the pieces; else they come together */
	unsigned    buffers, size;
} read_cases[] = {
	{ "octet by octet", TAKE_LINES, 1, true, 64, 4096 },
	{ "small pieces", TAKE_LINES, 7, true, 64, 4096 },
	{ "a line at a time", TAKE_LINES, 64, true, 64, 4096 },
	{ "lines and a half", TAKE_LINES, 100, true, 64, 4096 },
	{ "all at once", TAKE_LINES, 6400, false, 64, 4096 },
	{ "coalesced", TAKE_LINES, 7, false, 64, 4096 },
	{ "half of what is shown", TAKE_SOME, 640, true, 64, 4096 },
	{ "two buffers of 64 octets", TAKE_LINES, 6400, false, 2, 64 },
	{ "two buffers, half taken", TAKE_SOME, 6400, false, 2, 64 },
};

START_TEST(bytes_arrive_whole_however_they_are_cut)
{
	size_t	     piece = read_cases[_i].piece;
	struct user *u;

	close_reactor();
	open_with(read_cases[_i].buffers, read_cases[_i].size);
	u = open_user(read_cases[_i].policy);
	for (size_t at = 0; at < 6400; at += piece) {
		far_say(at, MIN_OF(piece, 6400 - at));
		if (read_cases[_i].turns)
			turn();
	}
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	TURN_UNTIL(u->ended);
	ck_assert_int_eq(u->result, 0);
	ck_assert_uint_eq(u->s.bytes_in, 6400);
	if (read_cases[_i].policy == TAKE_LINES) {
		ck_assert_msg(u->taken == 6400, "%s: %zu", read_cases[_i].label, u->taken);
		ck_assert_ptr_null(u->s.held);
		ck_assert_uint_eq(reactor.memory.used, 0);
	}
	close_user(u);
} END_TEST

START_TEST(what_nobody_takes_has_an_edge)
{
	struct user *u = open_user(TAKE_NOTHING);
	size_t	     at = 0;

	for (unsigned i = 0; i < RIG_TURNS_MAX && !u->ended; i++) {
		char   *text = text_of(at, 20000);
		ssize_t n = send(far, text, 20000, MSG_NOSIGNAL | MSG_DONTWAIT);

		at += n > 0 ? (size_t)n : 0;
		free(text);
		turn();
	}
	ck_assert_uint_eq(u->ended, 1);
	ck_assert_int_eq(u->result, -EMSGSIZE);
	ck_assert_uint_le(u->shown, STREAM_HOLD_MAX);
	ck_assert_uint_gt(u->shown, STREAM_HOLD_MAX - 8192);
	ck_assert_uint_eq(u->taken, 0);
	close_user(u);
} END_TEST

START_TEST(a_pause_slows_the_peer)
{
	struct user *u = open_user(TAKE_ALL);
	size_t	     said = 0, before;

	stream_pause(&u->s);
	for (unsigned idle = 0; idle < 20;) {
		char   *text = text_of(said, 50000);
		ssize_t n = send(far, text, 50000, MSG_NOSIGNAL | MSG_DONTWAIT);

		free(text);
		said += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turn();
		ck_assert_uint_lt(said, 64 << 20); /* the kernel's buffers are full long before */
	}
	ck_assert_uint_eq(u->shown, 0);
	ck_assert_uint_ge(u->s.held_len, STREAM_PAUSE_AT);
	ck_assert_uint_le(u->s.held_len, STREAM_PAUSE_AT + 64 * 4096); /* what was under way */
	ck_assert(io_op_idle(&u->s.recv));
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	before = u->s.bytes_in;
	turn();
	ck_assert_uint_eq(u->s.bytes_in, before);
	stream_resume(&u->s);
	ck_assert_uint_eq(u->shown, 0); /* not from inside of the call */
	TURN_UNTIL(u->ended);
	ck_assert_uint_eq(u->taken, said);
	ck_assert_int_eq(u->result, 0);
	close_user(u);
} END_TEST

START_TEST(pausing_after_each_look)
{
	struct user *u = open_user(TAKE_AND_PAUSE);

	far_say(0, 1005);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	for (unsigned i = 0; i < RIG_TURNS_MAX && !u->ended; i++) {
		size_t before = u->taken;

		turn();
		ck_assert_uint_le(u->taken, before + 10);
		stream_resume(&u->s);
	}
	ck_assert_uint_eq(u->taken, 1005);
	ck_assert_uint_eq(u->ended, 1);
	close_user(u);
} END_TEST

START_TEST(a_paused_stream_hears_of_the_end_later)
{
	struct user *u = open_user(TAKE_ALL);

	stream_pause(&u->s);
	far_say(0, 100);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	TURN_UNTIL(u->s.end_seen);
	turn();
	ck_assert_uint_eq(u->ended + u->taken, 0);
	stream_resume(&u->s);
	TURN_UNTIL(u->ended);
	ck_assert_uint_eq(u->taken, 100);
	close_user(u);
} END_TEST

/* --- writing -------------------------------------------------------------------------------------- */

START_TEST(copies_and_borrowed_pieces_keep_their_order)
{
	struct user *u = open_user(TAKE_ALL);
	size_t	     at = 0, got = 0;
	char	    *borrowed = text_of(0, 20000);

	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < STREAM_PIECE_MAX; i++) {
			char *copied = text_of(at, 37);

			ck_assert_int_eq(stream_write(&u->s, span_make(copied, 20)), 0);
			ck_assert_int_eq(stream_write(&u->s, span_make(copied + 20, 17)), 0);
			memset(copied, '!', 37); /* ours again */
			free(copied);
			ck_assert_int_eq(stream_write(&u->s, span_make(NULL, 0)), 0);
			at += 37;
			ck_assert_int_eq(stream_write_borrowed(&u->s, span_make(borrowed + at, 5)), 0);
			at += 5;
		}
		ck_assert_int_eq(stream_write_borrowed(&u->s, span_make(borrowed, 1)), -ENOBUFS);
		ck_assert_uint_eq(stream_unsent(&u->s), STREAM_PIECE_MAX * 42);
		ck_assert_uint_eq(u->sent, round);
		TURN_UNTIL(u->sent == round + 1);
		/* Nothing is kept while nothing waits. */
		ck_assert_ptr_null(u->s.out);
		ck_assert_uint_eq(reactor.memory.used, 0);
	}
	while (got < at)
		ck_assert(far_take(&got));
	ck_assert_uint_eq(u->s.bytes_out, at);
	close_user(u);
	free(borrowed);
} END_TEST

START_TEST(small_writes_have_an_edge)
{
	struct user *u = open_user(TAKE_ALL);
	size_t	     at = 0, got = 0;
	char	    *large = text_of(0, STREAM_OUT_MAX + 1);

	ck_assert_int_eq(stream_write(&u->s, span_make(large, STREAM_OUT_MAX + 1)), -ENOBUFS);
	ck_assert_ptr_null(u->s.out);
	free(large);
	for (unsigned refused = 0; refused < 20;) { /* until the kernel takes no more either */
		char *text = text_of(at, 5000);
		int   result = stream_write(&u->s, span_make(text, 5000));

		free(text);
		ck_assert(result == 0 || result == -ENOBUFS);
		at += result == 0 ? 5000 : 0;
		refused = result == 0 ? 0 : refused + 1;
		if (refused)
			turn();
		ck_assert_uint_lt(at, 64 << 20);
		ck_assert_uint_le(stream_unsent(&u->s), 2 * STREAM_OUT_MAX);
	}
	for (unsigned i = 0; i < RIG_TURNS_MAX && got < at; i++) {
		ck_assert(far_take(&got));
		reactor_turn(&reactor, 0);
	}
	ck_assert_uint_eq(got, at);
	TURN_UNTIL(u->sent && u->s.out == NULL);
	close_user(u);
} END_TEST

START_TEST(a_large_piece_reaches_a_slow_reader)
{
	struct user *u = open_user(TAKE_ALL);
	char	    *large = text_of(0, LARGE);
	size_t	     got = 0;
	bool	     open = true;

	ck_assert_int_eq(stream_write_borrowed(&u->s, span_make(large, LARGE)), 0);
	stream_finish(&u->s);
	for (unsigned i = 0; i < RIG_TURNS_MAX && open; i++) {
		reactor_turn(&reactor, 0);
		open = far_take(&got);
	}
	ck_assert(!open);
	ck_assert_uint_eq(got, LARGE);
	ck_assert_uint_eq(u->sent, 1);
	close_user(u);
	free(large);
} END_TEST

/* --- ending --------------------------------------------------------------------------------------- */

static const struct {
	const char *label;
	size_t	    before; /* octets written in front of the end */
	bool	    turn;   /* between writing and finishing */
} finish_cases[] = {
	{ "nothing written", 0, false },
	{ "last words", 1000, false },
	{ "last words already on their way", 1000, true },
	{ "much, still in flight", 200000, true },
};

START_TEST(finishing_ends_one_direction)
{
	struct user *u = open_user(TAKE_ALL);
	size_t	     len = finish_cases[_i].before, got = 0;
	char	    *text = text_of(0, len);
	bool	     open = true;

	ck_assert_int_eq(stream_write(&u->s, span_make(text, len)), 0);
	if (finish_cases[_i].turn)
		turn();
	stream_finish(&u->s);
	stream_finish(&u->s); /* harmless */
	ck_assert_int_eq(stream_write(&u->s, SPAN_LITERAL("more")), -EPIPE);
	ck_assert_int_eq(stream_write_borrowed(&u->s, SPAN_LITERAL("more")), -EPIPE);
	for (unsigned i = 0; i < RIG_TURNS_MAX && open; i++) {
		turn();
		open = far_take(&got);
	}
	ck_assert_msg(!open && got == len, "%s: %zu", finish_cases[_i].label, got);
	far_say(0, 77);
	TURN_UNTIL(u->taken == 77);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	TURN_UNTIL(u->ended);
	ck_assert_int_eq(u->result, 0);
	close_user(u);
	free(text);
} END_TEST

START_TEST(an_answer_follows_the_end_of_the_peer)
{
	struct user *u = open_user(TAKE_ALL);
	char	     room[16];

	u->answer_in = IN_ENDED;
	far_say(0, 10);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	TURN_UNTIL(u->sent);
	ck_assert_uint_eq(u->ended, 1);
	ck_assert_int_eq(recv(far, room, sizeof(room), 0), 6);
	ck_assert_int_eq(memcmp(room, "answer", 6), 0);
	close_user(u);
} END_TEST

START_TEST(a_broken_connection_is_told_once)
{
	struct user	   *u = open_user(_i ? TAKE_NOTHING : TAKE_ALL);
	const struct linger now = { .l_onoff = 1 };

	ck_assert_int_eq(setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	if (_i) {
		char *large = text_of(0, LARGE);

		far_say(0, 100);
		ck_assert_int_eq(stream_write_borrowed(&u->s, span_make(large, LARGE)), 0);
		turn();
		close(far);
		TURN_UNTIL(u->ended);
		close_user(u);
		free(large);
		return;
	}
	close(far);
	TURN_UNTIL(u->ended);
	ck_assert_int_eq(u->result, -ECONNRESET);
	(void)stream_write(&u->s, SPAN_LITERAL("into nothing"));
	turn();
	turn();
	ck_assert_int_eq(stream_write(&u->s, SPAN_LITERAL("into nothing")), -EPIPE);
	ck_assert_uint_eq(u->ended, 1);
	close_user(u);
} END_TEST

START_TEST(closing_is_possible_anywhere)
{
	struct user *u = open_user(TAKE_SOME);
	char	    *large = text_of(0, LARGE);
	int	     fd = u->s.fd;

	u->close_in = (enum place)_i;
	switch (u->close_in) {
	case NOWHERE:
		break;
	case IN_READ:
		far_say(0, 1000);
		break;
	case IN_ENDED:
		ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
		break;
	case IN_SENT:
		ck_assert_int_eq(stream_write(&u->s, SPAN_LITERAL("words")), 0);
		break;
	case OUTSIDE: /* all at once: unsent, in flight, kept and paused */
		ck_assert_int_eq(stream_write_borrowed(&u->s, span_make(large, LARGE)), 0);
		far_say(0, 1000);
		turn();
		ck_assert_int_eq(stream_write(&u->s, SPAN_LITERAL("words")), 0);
		stream_pause(&u->s);
		stream_resume(&u->s);
		break;
	}
	if (u->close_in == OUTSIDE || u->close_in == NOWHERE)
		stream_close(&u->s);
	ck_assert_uint_eq(u->closed, 0); /* never from inside of the call */
	TURN_UNTIL(u->closed);
	free(large);
	turn();
	ck_assert_uint_eq(u->closed, 1);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_uint_eq(reactor.memory.used, 0);
	free(u);
} END_TEST

/* --- two of them, at random ----------------------------------------------------------------------- */

enum { PAIRS = 4, STEPS = 3000, SEEDS = 6 };

struct talker {
	struct user  user;
	size_t	     written;
	bool	     finished;
	char	    *text; /* what it says, for borrowing */
};

static uint64_t seed;

static unsigned
chance(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % below;
}

static void
say_something(struct talker *t)
{
	size_t	    len = chance(4) ? chance(100) : chance(30000);
	struct span bytes;
	int	    result;

	len = MIN_OF(len, LARGE - t->written);
	bytes = span_make(t->text + t->written, len);
	result = chance(2) ? stream_write(&t->user.s, bytes) : stream_write_borrowed(&t->user.s, bytes);
	ck_assert(result == 0 || result == -ENOBUFS);
	if (result == 0)
		t->written += len;
}

START_TEST(anything_at_random_keeps_the_bytes)
{
	static struct talker t[2 * PAIRS];
	static const enum policy policies[] = { TAKE_ALL, TAKE_LINES, TAKE_SOME, TAKE_AND_PAUSE };
	char *text = text_of(0, LARGE);

	seed = 0x9e3779b97f4a7c15u * (unsigned)(_i + 1);
	close_reactor();
	open_with(_i % 2 ? 4 : 64, _i % 3 ? 4096 : 256);
	for (size_t i = 0; i < 2 * PAIRS; i += 2) {
		int ends[2];

		rig_pair(ends);
		for (size_t j = 0; j < 2; j++) {
			t[i + j] = (struct talker){ .text = text };
			stream_open(&t[i + j].user.s, &reactor, ends[j], &handlers);
		}
	}
	for (unsigned step = 0; step < STEPS; step++) {
		struct talker *x = &t[chance(2 * PAIRS)];

		x->user.policy = policies[chance(COUNT_OF(policies))];
		switch (chance(6)) {
		case 0:
			stream_pause(&x->user.s);
			break;
		case 1:
			stream_resume(&x->user.s);
			break;
		case 2:
			reactor_turn(&reactor, 0);
			break;
		default:
			say_something(x);
		}
	}
	for (size_t i = 0; i < 2 * PAIRS; i++)
		stream_finish(&t[i].user.s);
	for (size_t i = 0; i < 2 * PAIRS; i++) {
		struct user *u = &t[i].user;

		u->policy = TAKE_ALL;
		for (unsigned turns = 0; turns < RIG_TURNS_MAX && !u->ended; turns++) {
			for (size_t j = 0; j < 2 * PAIRS; j++)
				stream_resume(&t[j].user.s);
			turn();
		}
		ck_assert_uint_eq(u->ended, 1);
		ck_assert_int_eq(u->result, 0);
		ck_assert_uint_eq(u->s.bytes_in, t[i ^ 1].written);
		ck_assert_uint_eq(u->s.bytes_in, u->taken + u->s.held_len);
	}
	for (size_t i = 0; i < 2 * PAIRS; i++)
		stream_close(&t[i].user.s);
	for (size_t i = 0; i < 2 * PAIRS; i++)
		TURN_UNTIL(t[i].user.closed == 1);
	free(text);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("reading"), case_new("writing"), case_new("ending"),
			   case_new("random") };

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		tcase_add_checked_fixture(cases[i], open_reactor, close_reactor);
	tcase_add_loop_test(cases[0], bytes_arrive_whole_however_they_are_cut, 0, COUNT_OF(read_cases));
	tcase_add_test(cases[0], what_nobody_takes_has_an_edge);
	tcase_add_test(cases[0], a_pause_slows_the_peer);
	tcase_add_test(cases[0], pausing_after_each_look);
	tcase_add_test(cases[0], a_paused_stream_hears_of_the_end_later);
	tcase_add_test(cases[1], copies_and_borrowed_pieces_keep_their_order);
	tcase_add_test(cases[1], small_writes_have_an_edge);
	tcase_add_test(cases[1], a_large_piece_reaches_a_slow_reader);
	tcase_add_loop_test(cases[2], finishing_ends_one_direction, 0, COUNT_OF(finish_cases));
	tcase_add_test(cases[2], an_answer_follows_the_end_of_the_peer);
	tcase_add_loop_test(cases[2], a_broken_connection_is_told_once, 0, 2);
	tcase_add_loop_test(cases[2], closing_is_possible_anywhere, NOWHERE, OUTSIDE + 1);
	tcase_add_loop_test(cases[3], anything_at_random_keeps_the_bytes, 0, SEEDS);
	return rig_run("core/stream", cases, COUNT_OF(cases));
}
