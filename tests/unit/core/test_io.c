/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of core/io.h, held against the kernel: sockets, cancelling, and more at once than fits. */
#include "rig.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { LARGE = 4 << 20 };

static char
text_at(size_t i)
{
	return (char)('a' + i * 7 % 23);
}

static struct iovec
large_text(void)
{
	char *text = malloc(LARGE);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < LARGE; i++)
		text[i] = text_at(i);
	return (struct iovec){ text, LARGE };
}

static void
check_text(const char *data, size_t len, size_t from)
{
	size_t i = 0;

	while (i < len && data[i] == text_at(from + i))
		i++;
	ck_assert_msg(i == len, "octet %zu is another", from + i);
}

static void
say(int fd, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* --- connections ---------------------------------------------------------------------------------- */

START_TEST(accept_reports_each_and_ends_once)
{
	struct endpoint at, here, there;
	int		listener = rig_listen(&at), fds[5];
	struct seen    *a = rig_seen();

	io_accept(rig_io, &a->op, listener);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		struct seen *c = rig_seen();

		fds[i] = io_socket(rig_io, IO_STREAM, &at, NULL);
		io_connect(rig_io, &c->connect, fds[i], &at);
		ck_assert_int_eq(rig_end(c), 0);
		RIG_UNTIL(a->reports == i + 1);
		ck_assert_int_ge(a->result, 0);
		ck_assert(fcntl(a->result, F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(a->result, F_GETFD) & FD_CLOEXEC);
		ck_assert_int_eq(io_peer(a->result, &there), 0);
		ck_assert_int_eq(io_local(fds[i], &here), 0);
		ck_assert(endpoint_same_ip(&here, &there) && here.port == there.port);
	}
	ck_assert_uint_eq(a->ends, 0);
	io_cancel(rig_io, &a->op);
	ck_assert_int_eq(rig_end(a), -ECANCELED);
	ck_assert_uint_eq(a->ends, 1);
} END_TEST

START_TEST(connecting_to_nobody_is_refused)
{
	struct endpoint at = rig_loopback(), from = at;
	struct sockaddr_storage address;
	socklen_t	len = endpoint_to_sockaddr(&at, &address);
	int		holder = socket(AF_INET, SOCK_STREAM, 0), fd; /* has the port and does not listen */
	struct seen    *c = rig_seen();

	ck_assert_int_eq(bind(holder, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(io_local(holder, &at), 0);
	fd = io_socket(rig_io, IO_STREAM, &at, &from);
	ck_assert_int_ge(fd, 0);
	io_connect(rig_io, &c->connect, fd, &at);
	ck_assert_int_eq(rig_end(c), -ECONNREFUSED);
} END_TEST

START_TEST(addresses_that_cannot_be_had_are_errors)
{
	struct endpoint at, taken, elsewhere;
	int		listener = rig_listen(&taken);

	ck_assert_int_eq(io_listen(rig_io, &taken, 0), -EADDRINUSE);
	ck_assert(endpoint_parse(SPAN_LITERAL("192.0.2.1:0"), 0, &elsewhere));
	ck_assert_int_eq(io_listen(rig_io, &elsewhere, 0), -EADDRNOTAVAIL);
	ck_assert_int_eq(io_socket(rig_io, IO_STREAM, &elsewhere, &elsewhere), -EADDRNOTAVAIL);
	ck_assert_int_eq(io_peer(listener, &at), -ENOTCONN);
	ck_assert_int_lt(io_peer_user(-1), 0);
} END_TEST

START_TEST(cores_share_an_endpoint)
{
	struct endpoint at = rig_loopback();
	int		first = io_listen(rig_io, &at, IO_LISTEN_SHARED);

	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(io_local(first, &at), 0);
	ck_assert_int_ge(io_listen(rig_io, &at, IO_LISTEN_SHARED), 0);
	ck_assert_int_eq(io_listen(rig_io, &at, 0), -EADDRINUSE);
	/* Who does not belong to them is to find out. */
	ck_assert_int_eq(io_listen_check(&at), -EADDRINUSE);
	at.port = 0;
	ck_assert_int_eq(io_listen_check(&at), 0);
} END_TEST

START_TEST(accept_ends_when_descriptors_are_out)
{
	struct endpoint at;
	struct rlimit	limit, few;
	int		listener = rig_listen(&at), fds[3], fd, last = -1;
	struct seen    *a = rig_seen(), *c[3];

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = io_socket(rig_io, IO_STREAM, &at, NULL);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)fds[2] + 8;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fd = dup(listener)) >= 0)
		last = fd;
	close(last); /* room for one */
	io_accept(rig_io, &a->op, listener);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		c[i] = rig_seen();
		io_connect(rig_io, &c[i]->connect, fds[i], &at);
	}
	ck_assert_int_eq(rig_end(a), -EMFILE);
	ck_assert_uint_eq(a->reports, 2);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	io_accept(rig_io, &a->op, listener);
	RIG_UNTIL(a->reports >= 4);
	ck_assert_int_ge(a->result, 0);
	ck_assert_uint_eq(a->ends, 1);
} END_TEST

/* --- bytes ---------------------------------------------------------------------------------------- */

START_TEST(receive_reports_many_times_and_ends_once)
{
	int	     ends[2];
	struct seen *r = rig_seen();

	rig_pair(ends);
	io_recv(rig_io, &r->op, ends[1]);
	for (unsigned i = 0; i < 10; i++) {
		size_t before = r->len;

		say(ends[0], "some words", 10);
		RIG_UNTIL(r->len == before + 10);
	}
	ck_assert_uint_eq(r->ends, 0);
	io_shutdown_write(rig_io, ends[0]);
	ck_assert_int_eq(rig_end(r), 0);
	ck_assert_uint_eq(r->reports, 11);
	/* Half closed: the other direction still carries. */
	say(ends[1], "answer", 6);
	r->len = 0;
	io_recv(rig_io, &r->op, ends[0]);
	RIG_UNTIL(r->len == 6);
} END_TEST

START_TEST(a_peer_that_resets_ends_a_receive)
{
	int	     ends[2];
	struct seen *r = rig_seen();

	rig_pair(ends);
	io_recv(rig_io, &r->op, ends[1]);
	rig_poll();
	io_reset_at_close(ends[0]);
	io_close(rig_io, ends[0]);
	ck_assert_int_eq(rig_end(r), -ECONNRESET);
	ck_assert(!is_open(ends[0]));
} END_TEST

static unsigned starved;

static void
receive_on(struct seen *s)
{
	if (!io_op_idle(&s->op) || s->result == 0)
		return;
	ck_assert_int_eq(s->result, -ENOBUFS);
	starved++;
	io_recv(rig_io, &s->op, s->op.fd);
}

START_TEST(two_small_buffers_serve_eight_receivers)
{
	enum { COUNT = 8, EACH = 5000 };
	struct seen *r[COUNT];
	char	     text[EACH];
	bool	     done;

	rig_close();
	rig_open_with(64, 2, 100);
	for (size_t i = 0; i < COUNT; i++) {
		int ends[2];

		rig_pair(ends);
		for (size_t at = 0; at < EACH; at++)
			text[at] = text_at(at + i);
		say(ends[0], text, EACH);
		io_close(rig_io, ends[0]);
		r[i] = rig_seen();
		r[i]->then = receive_on;
		io_recv(rig_io, &r[i]->op, ends[1]);
	}
	do {
		rig_turn();
		done = true;
		for (size_t i = 0; i < COUNT; i++)
			done = done && io_op_idle(&r[i]->op);
	} while (!done);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_int_eq(r[i]->result, 0);
		ck_assert_uint_eq(r[i]->len, EACH);
		check_text(r[i]->data, EACH, i);
	}
	ck_assert_uint_gt(starved, 0);
} END_TEST

/* The reader takes what there is after each turn of the writer. */
START_TEST(a_large_send_reaches_a_slow_reader_whole)
{
	static char  room[50000];
	struct iovec whole = large_text(), left = whole;
	struct seen *s = rig_seen();
	size_t	     got = 0;
	int	     ends[2];

	rig_pair(ends);
	io_send(rig_io, &s->send, ends[0], &left, 1);
	while (got < LARGE) {
		ssize_t n;

		rig_poll();
		if (io_op_idle(&s->op) && left.iov_len) {
			ck_assert_int_gt(s->result, 0);
			left.iov_base = (char *)left.iov_base + s->result;
			left.iov_len -= (size_t)s->result;
			if (left.iov_len)
				io_send(rig_io, &s->send, ends[0], &left, 1);
		}
		n = recv(ends[1], room, sizeof(room), MSG_DONTWAIT);
		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			continue;
		}
		check_text(room, (size_t)n, got);
		got += (size_t)n;
	}
	RIG_UNTIL(io_op_idle(&s->op));
	free(whole.iov_base);
} END_TEST

START_TEST(a_send_gathers_pieces)
{
	struct iovec pieces[IO_IOV_MAX];
	char	     text[3 * IO_IOV_MAX];
	struct seen *s = rig_seen(), *r = rig_seen();
	int	     ends[2];

	rig_pair(ends);
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		for (size_t j = 0; j < 3; j++)
			text[3 * i + j] = text_at(3 * i + j);
		pieces[i] = (struct iovec){ text + 3 * i, 3 };
	}
	io_send(rig_io, &s->send, ends[0], pieces, COUNT_OF(pieces));
	io_recv(rig_io, &r->op, ends[1]);
	ck_assert_int_eq(rig_end(s), sizeof(text));
	RIG_UNTIL(r->len == sizeof(text));
	check_text(r->data, sizeof(text), 0);
} END_TEST

START_TEST(a_cancelled_send_says_how_much_went)
{
	static char  room[65536];
	struct iovec whole = large_text();
	struct seen *s = rig_seen();
	size_t	     got = 0;
	ssize_t	     n;
	int	     ends[2], result;

	rig_pair(ends);
	io_send(rig_io, &s->send, ends[0], &whole, 1);
	rig_poll();
	ck_assert(!io_op_idle(&s->op)); /* nobody reads, and four megabytes do not fit */
	io_cancel(rig_io, &s->op);
	result = rig_end(s);
	ck_assert_int_lt(result, LARGE);
	io_shutdown_write(rig_io, ends[0]);
	while ((n = recv(ends[1], room, sizeof(room), 0)) != 0) {
		ck_assert(n > 0 || errno == EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_int_gt(result, 0);
	ck_assert_uint_eq(got, result);
	free(whole.iov_base);
} END_TEST

START_TEST(sending_to_who_is_gone_is_an_error_and_no_signal)
{
	struct iovec whole = large_text();
	struct seen *s = rig_seen();
	int	     ends[2];

	rig_pair(ends);
	io_close(rig_io, ends[1]);
	for (unsigned i = 0; i < 3; i++) {
		io_send(rig_io, &s->send, ends[0], &whole, 1);
		(void)rig_end(s);
	}
	ck_assert(s->result == -EPIPE || s->result == -ECONNRESET);
	free(whole.iov_base);
} END_TEST

/* --- datagrams ------------------------------------------------------------------------------------ */

static int
datagram_socket(struct endpoint *at)
{
	struct sockaddr_storage address;
	socklen_t		len;
	int			fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	*at = rig_loopback();
	len = endpoint_to_sockaddr(at, &address);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(io_local(fd, at), 0);
	return fd;
}

static int
send_to(int fd, const char *text, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t		len = endpoint_to_sockaddr(to, &address);

	return (int)sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, len);
}

START_TEST(datagrams_come_whole_and_from_one_peer_only)
{
	struct endpoint peer_at, other_at, at;
	int		peer = datagram_socket(&peer_at), other = datagram_socket(&other_at);
	int		fd = io_socket(rig_io, IO_DATAGRAM, &peer_at, NULL);
	struct seen    *c = rig_seen(), *s = rig_seen(), *r = rig_seen();
	char		question[] = "question", room[64];
	struct iovec	pieces[2] = { { question, 3 }, { question + 3, 5 } };

	io_connect(rig_io, &c->connect, fd, &peer_at);
	ck_assert_int_eq(rig_end(c), 0);
	io_send(rig_io, &s->send, fd, pieces, 2);
	ck_assert_int_eq(rig_end(s), 8);
	ck_assert_int_eq(recv(peer, room, sizeof(room), 0), 8);
	ck_assert_int_eq(memcmp(room, "question", 8), 0);
	ck_assert_int_eq(io_local(fd, &at), 0);
	io_recv(rig_io, &r->op, fd);
	(void)send_to(other, "forged", &at);
	ck_assert_int_eq(send_to(peer, "first", &at), 5);
	ck_assert_int_eq(send_to(peer, "next", &at), 4);
	RIG_UNTIL(r->reports == 2);
	ck_assert_int_eq(r->results[0], 5);
	ck_assert_int_eq(memcmp(r->data, "firstnext", 9), 0);
	/* An empty packet ends the operation and not the conversation. */
	ck_assert_int_eq(send_to(peer, "", &at), 0);
	ck_assert_int_eq(rig_end(r), 0);
	io_recv(rig_io, &r->op, fd);
	ck_assert_int_eq(send_to(peer, "more", &at), 4);
	RIG_UNTIL(r->reports == 4);
	ck_assert_int_eq(r->result, 4);
} END_TEST

START_TEST(a_datagram_to_a_closed_port_is_refused)
{
	struct endpoint peer_at;
	int		peer = datagram_socket(&peer_at), fd = io_socket(rig_io, IO_DATAGRAM, &peer_at, NULL);
	struct seen    *c = rig_seen(), *s = rig_seen(), *r = rig_seen();
	char		text[] = "anybody";
	struct iovec	piece = { text, 7 };

	close(peer);
	io_connect(rig_io, &c->connect, fd, &peer_at);
	ck_assert_int_eq(rig_end(c), 0);
	io_recv(rig_io, &r->op, fd);
	rig_poll();
	io_send(rig_io, &s->send, fd, &piece, 1);
	ck_assert_int_eq(rig_end(r), -ECONNREFUSED);
	(void)rig_end(s);
} END_TEST

/* --- sockets with paths --------------------------------------------------------------------------- */

START_TEST(path_sockets)
{
	char	     name[] = "sockets-XXXXXX", path[64], long_path[200];
	struct stat  st;
	struct seen *a = rig_seen(), *c = rig_seen(), *r = rig_seen();
	int	     listener, fd;

	ck_assert_ptr_nonnull(mkdtemp(name));
	(void)snprintf(path, sizeof(path), "%s/control", name);
	listener = io_listen_path(rig_io, path, 0640);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	/* Who listens there keeps it. */
	ck_assert_int_eq(io_listen_path(rig_io, path, 0600), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
	/* The mask of the process stays as it is, for it is every thread's. */
	close(listener);
	(void)umask(077);
	listener = io_listen_path(rig_io, path, 0640);
	ck_assert_uint_eq(umask(022), 077);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	/* What an earlier process left behind is replaced. */
	close(listener);
	listener = io_listen_path(rig_io, path, 0600);
	ck_assert_int_ge(listener, 0);
	io_accept(rig_io, &a->op, listener);
	fd = io_socket_path(rig_io);
	io_connect_path(rig_io, &c->connect, fd, path);
	ck_assert_int_eq(rig_end(c), 0);
	RIG_UNTIL(a->reports);
	ck_assert_int_eq(io_peer_user(a->result), (int64_t)geteuid());
	io_recv(rig_io, &r->op, a->result);
	say(fd, "status", 6);
	RIG_UNTIL(r->len == 6);
	ck_assert_int_eq(unlink(path), 0);
	/* A file that is no socket is not ours to remove. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(io_listen_path(rig_io, path, 0600), -EEXIST);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(name), 0);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = 0;
	ck_assert_int_eq(io_listen_path(rig_io, long_path, 0600), -ENAMETOOLONG);
	io_connect_path(rig_io, &c->connect, io_socket_path(rig_io), long_path);
	ck_assert_int_lt(rig_end(c), 0);
	io_connect_path(rig_io, &c->connect, io_socket_path(rig_io), "no-such-socket");
	ck_assert_int_eq(rig_end(c), -ENOENT);
} END_TEST

/* --- cancelling ----------------------------------------------------------------------------------- */

enum { WAITS_ACCEPT, WAITS_RECV, WAITS_SEND, WAITS_READ, WAITS_WRITE, WAITS_COUNT };
enum { CANCEL_UNSUBMITTED, CANCEL_IN_FLIGHT, CANCEL_TWICE, CANCEL_WHILE_IT_ENDS, CANCEL_COUNT };

struct waiting {
	struct seen *seen;
	struct iovec iov;
	int	     fd, other; /* other: what happens there ends the operation */
	char	     room[16];
};

static void
start_waiting(struct waiting *x, int kind)
{
	struct io_op *op = &x->seen->op;

	switch (kind) {
	case WAITS_ACCEPT:
		io_accept(rig_io, op, x->fd);
		return;
	case WAITS_RECV:
		io_recv(rig_io, op, x->fd);
		return;
	case WAITS_SEND:
		io_send(rig_io, &x->seen->send, x->fd, &x->iov, 1);
		return;
	case WAITS_READ:
		io_read(rig_io, op, x->fd, x->room, sizeof(x->room), 0);
		return;
	case WAITS_WRITE:
		io_write(rig_io, op, x->fd, &x->iov, 1, 0, IO_WRITE_APPEND);
		return;
	}
}

static void
make_waiting(struct waiting *x, int kind)
{
	struct endpoint at;
	int		ends[2];

	*x = (struct waiting){ .seen = rig_seen() };
	switch (kind) {
	case WAITS_ACCEPT:
		x->fd = rig_listen(&at);
		x->other = io_socket(rig_io, IO_STREAM, &at, NULL);
		return;
	case WAITS_RECV:
	case WAITS_SEND:
		rig_pair(ends);
		x->fd = ends[0];
		x->other = ends[1];
		break;
	case WAITS_READ:
	case WAITS_WRITE:
		ck_assert_int_eq(pipe(ends), 0);
		x->fd = ends[kind == WAITS_WRITE];
		x->other = ends[kind == WAITS_READ];
		break;
	}
	if (kind == WAITS_SEND || kind == WAITS_WRITE)
		x->iov = large_text();
}

static void
let_it_end(struct waiting *x, int kind)
{
	static struct sockaddr_storage address;
	static char		       room[LARGE];
	struct endpoint		       at;

	switch (kind) {
	case WAITS_ACCEPT:
		ck_assert_int_eq(io_local(x->fd, &at), 0);
		(void)connect(x->other, (struct sockaddr *)&address, endpoint_to_sockaddr(&at, &address));
		return;
	case WAITS_RECV:
		say(x->other, "x", 1);
		return;
	case WAITS_SEND:
		(void)recv(x->other, room, sizeof(room), MSG_DONTWAIT);
		return;
	case WAITS_READ:
		ck_assert_int_eq(write(x->other, "x", 1), 1);
		return;
	case WAITS_WRITE:
		ck_assert_int_gt(read(x->other, room, 65536), 0);
		return;
	}
}

START_TEST(cancel_ends_once_in_every_state)
{
	int	       kind = _i % WAITS_COUNT, state = _i / WAITS_COUNT;
	struct waiting x;

	make_waiting(&x, kind);
	io_cancel(rig_io, &x.seen->op); /* idle: nothing happens */
	rig_poll();
	ck_assert_uint_eq(x.seen->reports, 0);
	start_waiting(&x, kind);
	ck_assert_uint_eq(x.seen->reports, 0);
	if (state != CANCEL_UNSUBMITTED)
		rig_poll();
	if (state == CANCEL_WHILE_IT_ENDS && kind != WAITS_WRITE && kind != WAITS_SEND)
		let_it_end(&x, kind);
	io_cancel(rig_io, &x.seen->op);
	if (state == CANCEL_TWICE)
		io_cancel(rig_io, &x.seen->op);
	(void)rig_end(x.seen);
	ck_assert_uint_eq(x.seen->ends, 1);
	/* A late cancel does not hit what was started after it. */
	io_cancel(rig_io, &x.seen->op);
	start_waiting(&x, kind);
	rig_poll();
	rig_poll();
	if (kind != WAITS_WRITE) /* a pipe may have had room after all */
		ck_assert(x.seen->ends == 1 || x.seen->result >= 0);
	for (unsigned i = 0; i < RIG_TURNS_MAX && x.seen->reports < 2; i++) {
		let_it_end(&x, kind);
		rig_turn();
	}
	ck_assert_uint_ge(x.seen->reports, 2);
	ck_assert_int_ge(x.seen->result, 0);
	free(x.iov.iov_base);
} END_TEST

START_TEST(a_connect_without_answer_can_be_cancelled)
{
	enum { COUNT = 6 };
	struct endpoint at = rig_loopback();
	struct sockaddr_storage address;
	socklen_t	len = endpoint_to_sockaddr(&at, &address);
	int		listener = socket(AF_INET, SOCK_STREAM, 0); /* no room for waiting connections */
	struct seen    *c[COUNT];
	unsigned	waited = 0;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 0), 0);
	ck_assert_int_eq(io_local(listener, &at), 0);
	for (size_t i = 0; i < COUNT; i++) {
		c[i] = rig_seen();
		io_connect(rig_io, &c[i]->connect, io_socket(rig_io, IO_STREAM, &at, NULL), &at);
	}
	rig_turn();
	for (size_t i = 0; i < COUNT; i++) {
		waited += !io_op_idle(&c[i]->op);
		io_cancel(rig_io, &c[i]->op);
	}
	ck_assert_uint_gt(waited, 0);
	for (size_t i = 0; i < COUNT; i++) {
		int result = rig_end(c[i]);

		ck_assert(result == 0 || result == -ECANCELED);
		ck_assert_uint_eq(c[i]->ends, 1);
	}
} END_TEST

/* --- more than fits ------------------------------------------------------------------------------- */

static unsigned ended;

static void
count_end(struct io_op *op, const struct io_event *event)
{
	/* Every second one had no descriptor. */
	ck_assert_int_eq(event->result, op->fd < 0 ? -EBADF : 1);
	ck_assert(io_op_idle(op));
	ended++;
}

/* Eight submissions and sixty-four completions fit; ours are thousands, started in one turn. */
START_TEST(operations_beyond_the_ring_end_all_and_once)
{
	enum { COUNT = 3000 };
	static struct io_op ops[COUNT];
	static char	    zero[COUNT];
	int		    fd = open("/dev/zero", O_RDONLY);

	rig_close();
	rig_open_with(8, 8, 64);
	for (size_t i = 0; i < COUNT; i++) {
		io_op_init(&ops[i], count_end);
		io_read(rig_io, &ops[i], i % 2 ? fd : -1, &zero[i], 1, 0);
	}
	ck_assert_uint_eq(ended, 0); /* never from inside of the call that starts it */
	RIG_UNTIL(ended == COUNT);
	rig_poll();
	ck_assert_uint_eq(ended, COUNT);
} END_TEST

static unsigned accepted;

static void
accept_on(struct seen *s)
{
	if (s->result >= 0) {
		accepted++;
		io_close(rig_io, s->result);
	} else {
		ck_assert_int_eq(s->result, -ECANCELED);
	}
	if (io_op_idle(&s->op))
		io_accept(rig_io, &s->op, s->op.fd);
}

START_TEST(accept_outlives_an_overflow_of_completions)
{
	enum { COUNT = 300 };
	struct endpoint at;
	struct sockaddr_storage address;
	struct seen    *a;
	int		listener;
	socklen_t	len;

	rig_close();
	rig_open_with(8, 8, 64);
	a = rig_seen();
	listener = rig_listen(&at);
	len = endpoint_to_sockaddr(&at, &address);
	for (size_t i = 0; i < COUNT; i++) {
		int fd = io_socket(rig_io, IO_STREAM, &at, NULL);

		ck_assert(connect(fd, (struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS);
	}
	a->then = accept_on;
	io_accept(rig_io, &a->op, listener);
	RIG_UNTIL(accepted == COUNT);
} END_TEST

/* --- the seam itself ------------------------------------------------------------------------------ */

START_TEST(closing_the_seam_closes_what_was_given_to_it)
{
	int fd = open("/dev/zero", O_RDONLY);

	io_close(rig_io, fd);
	ck_assert(is_open(fd));
	io_close_seam(rig_io);
	ck_assert(!is_open(fd));
	io_net_free(rig_net);
	rig_open();
} END_TEST

/* Nothing may write into memory that is ours again. */
START_TEST(closing_the_seam_takes_back_what_is_in_flight)
{
	struct seen *r = rig_seen(), *s = rig_seen();
	int	     ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	io_read(rig_io, &r->op, ends[0], r->data, 8, 0);
	rig_poll();
	io_close_seam(rig_io);
	ck_assert_int_eq(write(ends[1], "too late", 8), 8);
	ck_assert_int_eq(r->data[0], 0);
	ck_assert_int_eq(read(ends[0], s->data, 8), 8);
	ck_assert_uint_eq(r->reports, 0);
	io_net_free(rig_net);
	rig_open();
} END_TEST

START_TEST(a_seam_that_cannot_open_says_why)
{
	const struct io_params p = { .core_count = 1, .queue_entries = 8, .recv_buffer_count = 8,
				     .recv_buffer_size = 64 };
	struct rlimit  limit, none;
	struct io     *io = NULL;
	struct io_net *net = io_net_new(1);
	const char    *why = NULL;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(io_open_seam(&io, net, &p, &why), -EMFILE);
	ck_assert_ptr_nonnull(strstr(why, "ulimit -n"));
	ck_assert_ptr_null(io_net_new(1));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(io_open_seam(&io, net, &p, &why), 0);
	io_close_seam(io);
	io_net_free(net);
} END_TEST

START_TEST(clocks_and_deadlines)
{
	uint64_t before = io_mono_now(rig_io);

	ck_assert_uint_eq(io_turn(rig_io, before), 0); /* past already */
	ck_assert_uint_ge(io_mono(rig_io), before);
	before = io_mono_now(rig_io);
	ck_assert_uint_eq(io_turn(rig_io, before + 20000000), 0);
	ck_assert_uint_ge(io_mono(rig_io), before + 20000000);
	ck_assert_uint_ge(io_mono_now(rig_io), io_mono(rig_io));
	ck_assert_int_gt(io_wall(rig_io), INT64_C(1700000000) * 1000000000);
} END_TEST

START_TEST(chance_fills_all_of_it_and_never_twice_the_same)
{
	static const size_t sizes[] = { 1, 8, 100, 128, 129, 600, 5000 };
	static char	    a[5001], b[5001];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t len = sizes[i], zeros = 0;

		memset(a, 0, sizeof(a));
		io_random(rig_io, a, len);
		io_random(rig_io, b, len);
		ck_assert(len < 8 || memcmp(a, b, len) != 0);
		ck_assert_int_eq(a[len], 0);
		for (size_t at = 0; at < len; at++)
			zeros += a[at] == 0;
		ck_assert_uint_le(zeros, len / 8 + 5);
	}
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("connections"), case_new("bytes"), case_new("cancel"),
			   case_new("bounds"), case_new("seam") };

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		tcase_add_checked_fixture(cases[i], rig_open, rig_close);
	tcase_add_test(cases[0], accept_reports_each_and_ends_once);
	tcase_add_test(cases[0], connecting_to_nobody_is_refused);
	tcase_add_test(cases[0], addresses_that_cannot_be_had_are_errors);
	tcase_add_test(cases[0], cores_share_an_endpoint);
	tcase_add_test(cases[0], accept_ends_when_descriptors_are_out);
	tcase_add_test(cases[0], path_sockets);
	tcase_add_test(cases[1], receive_reports_many_times_and_ends_once);
	tcase_add_test(cases[1], a_peer_that_resets_ends_a_receive);
	tcase_add_test(cases[1], two_small_buffers_serve_eight_receivers);
	tcase_add_test(cases[1], a_large_send_reaches_a_slow_reader_whole);
	tcase_add_test(cases[1], a_send_gathers_pieces);
	tcase_add_test(cases[1], sending_to_who_is_gone_is_an_error_and_no_signal);
	tcase_add_test(cases[1], datagrams_come_whole_and_from_one_peer_only);
	tcase_add_test(cases[1], a_datagram_to_a_closed_port_is_refused);
	tcase_add_loop_test(cases[2], cancel_ends_once_in_every_state, 0, WAITS_COUNT * CANCEL_COUNT);
	tcase_add_test(cases[2], a_connect_without_answer_can_be_cancelled);
	tcase_add_test(cases[2], a_cancelled_send_says_how_much_went);
	tcase_add_test(cases[3], operations_beyond_the_ring_end_all_and_once);
	tcase_add_test(cases[3], accept_outlives_an_overflow_of_completions);
	tcase_add_test(cases[4], closing_the_seam_closes_what_was_given_to_it);
	tcase_add_test(cases[4], closing_the_seam_takes_back_what_is_in_flight);
	tcase_add_test(cases[4], a_seam_that_cannot_open_says_why);
	tcase_add_test(cases[4], clocks_and_deadlines);
	tcase_add_test(cases[4], chance_fills_all_of_it_and_never_twice_the_same);
	return rig_run("core/io", cases, COUNT_OF(cases));
}
