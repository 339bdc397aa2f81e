/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the seam about sockets that needs no ring: making them, listening, asking who is there.  None of these calls waits for
 * a peer, but for the checks that a start makes.
 */
#include "core/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	LISTEN_BACKLOG = 4096,
	LISTEN_PATIENCE_MS = 2000, /* for the sockets of a process that was killed */
	LISTEN_LOOK_MS = 10,
};

static int
minus_errno(int result)
{
	return result < 0 ? -errno : result;
}

static int
bind_to(int fd, const struct sockaddr_storage *address, socklen_t len)
{
	if (bind(fd, (const struct sockaddr *)address, len) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int
listen_on(int fd)
{
	if (fd >= 0 && listen(fd, LISTEN_BACKLOG) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* A descriptor that does not listen yet. */
static int
bound_socket(const struct endpoint *at, unsigned flags)
{
	struct sockaddr_storage address;
	socklen_t		len = endpoint_to_sockaddr(at, &address);
	int			one = 1, fd;

	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (flags & IO_LISTEN_SHARED)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* Inherited by what is accepted: replies are whole when they leave, waiting would only delay them. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	return bind_to(fd, &address, len);
}

int
io_listen(struct io *io, const struct endpoint *at, unsigned flags)
{
	(void)io;
	return listen_on(bound_socket(at, flags));
}

/*
 * A process that was killed still listens for a moment: the kernel takes its ring apart behind it, and an accept in flight
 * holds the socket until then.  False when we have waited long enough: somebody lives.
 */
static bool
wait_for_the_dead(unsigned *waited_ms)
{
	const struct timespec look = { .tv_nsec = LISTEN_LOOK_MS * 1000000 };

	if (*waited_ms >= LISTEN_PATIENCE_MS)
		return false;
	(void)nanosleep(&look, NULL);
	*waited_ms += LISTEN_LOOK_MS;
	return true;
}

/* SO_REUSEADDR lets us bind where nobody listens any more, and nowhere else. */
int
io_listen_check(const struct endpoint *at)
{
	unsigned waited_ms = 0;
	int	 fd;

	do
		fd = bound_socket(at, 0);
	while (fd == -EADDRINUSE && wait_for_the_dead(&waited_ms));
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * Does anybody live behind the socket at this path?  0: no; -EADDRINUSE: yes, he has taken us in and says something, or is
 * busy; -EAGAIN: the connection ended, as it does when he has just died.
 */
static int
ask_who_listens(const struct sockaddr_storage *address, socklen_t len)
{
	int	      fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;
	struct pollfd word = { .fd = fd, .events = POLLIN };
	char	      first;

	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)address, len) < 0 ? errno : 0;
	if (error == 0) {
		bool quiet = poll(&word, 1, LISTEN_PATIENCE_MS) == 0;

		error = quiet || recv(fd, &first, 1, MSG_DONTWAIT) > 0 ? EADDRINUSE : EAGAIN;
	} else if (error == EAGAIN || error == EPROTOTYPE) {
		error = EADDRINUSE;
	} else if (error == ECONNREFUSED) {
		error = 0;
	}
	close(fd);
	return -error;
}

/* Removes the socket that a process which is gone has left; who lives keeps his. */
static int
clear_path(const char *path, const struct sockaddr_storage *address, socklen_t len)
{
	unsigned    waited_ms = 0;
	struct stat st;
	int	    result;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	do
		result = ask_who_listens(address, len);
	while (result == -EAGAIN && wait_for_the_dead(&waited_ms));
	if (result < 0)
		return result == -EAGAIN ? -EADDRINUSE : result;
	return unlink(path) < 0 ? -errno : 0;
}

int
io_listen_path(struct io *io, const char *path, unsigned mode)
{
	struct sockaddr_storage address;
	socklen_t		len = endpoint_path_to_sockaddr(path, &address);
	int			fd, error;

	(void)io;
	if (len == 0)
		return -ENAMETOOLONG;
	error = clear_path(path, &address, len);
	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* What the descriptor has before it is bound, the path has from its first instant; a mask set for that moment would be
	 * every thread's, and a directory made meanwhile could not be entered. */
	if (fchmod(fd, (mode_t)mode) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return listen_on(bind_to(fd, &address, len));
}

int
io_socket(struct io *io, enum io_socket_kind kind, const struct endpoint *family_of,
	  const struct endpoint *from)
{
	int family = endpoint_is_ipv4(family_of) ? AF_INET : AF_INET6;
	int one = 1;
	int fd = socket(family, (kind == IO_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)io;
	if (fd < 0)
		return -errno;
	if (kind == IO_STREAM) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	if (from) {
		struct sockaddr_storage address;
		socklen_t		len = endpoint_to_sockaddr(from, &address);

		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		fd = bind_to(fd, &address, len);
	}
	return fd;
}

int
io_socket_path(struct io *io)
{
	(void)io;
	return minus_errno(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int
io_peer(int fd, struct endpoint *out)
{
	struct sockaddr_storage address;
	socklen_t		len = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, out) ? 0 : -EAFNOSUPPORT;
}

int
io_local(int fd, struct endpoint *out)
{
	struct sockaddr_storage address;
	socklen_t		len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	return endpoint_from_sockaddr(&address, out) ? 0 : -EAFNOSUPPORT;
}

int64_t
io_peer_user(int fd)
{
	struct ucred who;
	socklen_t    len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -errno;
	return (int64_t)who.uid;
}

void
io_shutdown_write(struct io *io, int fd)
{
	(void)io;
	shutdown(fd, SHUT_WR);
}

void
io_reset_at_close(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
