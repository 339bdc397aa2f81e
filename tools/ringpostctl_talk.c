/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket from outside (docs/control.md).  Here it is fine to wait. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/ringpostctl.h"

enum { PROTOCOL = 1, HELLO_S = 10 };

/* --- connecting ------------------------------------------------------------------------------------------------- */

static enum ctl_status
unreachable(const struct ctl *ctl, int error)
{
	const char *cause = "";

	switch (error) {
	case ENOENT:
		cause = "; is ringpost running, and is this its socket?  A relative path begins at its working "
			"directory";
		break;
	case ECONNREFUSED:
		cause = "; nobody listens there: ringpost has ended without taking its socket away";
		break;
	case EACCES:
		cause = "; only root and the user that ringpost runs as may connect";
		break;
	case EAGAIN:
		cause = "; it does not answer";
		break;
	case ECONNRESET:
		cause = "; it is ending, or has too many such connections";
		break;
	case EPROTO:
		cause = "; what listens there is no ringpost";
		break;
	}
	say("cannot reach ringpost at %s: %s%s", ctl->socket, strerror(error), cause);
	return CTL_UNREACHABLE;
}

static int
dial(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int		   fd, error;

	if (strlen(path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		error = errno;
		(void)close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void
wait_at_most(int fd, int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); /* without it we wait longer */
}

/* A line as JSON, or NULL; *raw is what it was, until the next call. */
static json_t *
next_line(struct ctl *ctl, const char **raw)
{
	static char  *line;
	static size_t cap;
	ssize_t	      len = getline(&line, &cap, ctl->in);
	json_error_t  error;
	json_t	     *parsed;

	if (len <= 0)
		return NULL;
	*raw = line;
	errno = 0;
	parsed = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, &error);
	if (!json_is_object(parsed)) {
		json_decref(parsed);
		errno = EPROTO;
		return NULL;
	}
	return parsed;
}

enum ctl_status
ctl_connect(struct ctl *ctl)
{
	struct ucred  peer;
	socklen_t     len = sizeof(peer);
	const char   *raw;
	json_t	     *hello;
	const json_t *body;
	int64_t	      protocol;

	ctl->fd = dial(ctl->socket);
	if (ctl->fd < 0)
		return unreachable(ctl, errno);
	if (getsockopt(ctl->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		ctl->pid = peer.pid;
	ctl->in = fdopen(ctl->fd, "r");
	if (ctl->in == NULL)
		return unreachable(ctl, errno);
	wait_at_most(ctl->fd, HELLO_S);
	errno = 0;
	hello = next_line(ctl, &raw);
	if (hello == NULL)
		return unreachable(ctl, errno ? errno : ECONNRESET);
	body = json_object_get(hello, "hello");
	protocol = number(body, "protocol");
	if (body == NULL)
		say("ringpost at %s says: %s", ctl->socket, text(hello, "why"));
	else if (protocol != PROTOCOL)
		say("ringpost %s at %s speaks version %d of the control protocol, this ringpostctl %s speaks %d",
		    text(body, "version"), ctl->socket, (int)protocol, RINGPOST_VERSION, PROTOCOL);
	json_decref(hello);
	if (protocol != PROTOCOL)
		return CTL_UNREACHABLE;
	wait_at_most(ctl->fd, 0);
	return CTL_DONE;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

json_t *
ctl_request(const struct ctl *ctl, const char *verb)
{
	json_t *request = json_pack("{s:s, s:s*, s:s*, s:s*}", "do", verb, "state", ctl->state, "domain", ctl->domain,
				    "from", ctl->from);

	if (request && ctl->limit >= 0)
		(void)json_object_set_new(request, "limit", json_integer(ctl->limit)); /* without it: the default */
	return request;
}

static bool
send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
send_request(struct ctl *ctl, json_t *request)
{
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	bool  sent = line && send_all(ctl->fd, line, strlen(line)) && send_all(ctl->fd, "\n", 1);

	free(line);
	json_decref(request);
	return sent;
}

static enum ctl_status
refused(const struct ctl *ctl, const json_t *line)
{
	const char *code = text(line, "error");

	if (!ctl->json)
		say("%s", text(line, "why"));
	return strcmp(code, "bad-request") == 0 || strcmp(code, "too-long") == 0 ? CTL_USAGE : CTL_NOT_DONE;
}

enum ctl_status
ctl_ask(struct ctl *ctl, json_t *request, ctl_line *show, void *arg, json_t **end)
{
	enum ctl_status status = CTL_UNREACHABLE;
	const char     *raw, *kind;
	json_t	       *line, *body;

	*end = NULL;
	if (!send_request(ctl, request)) {
		say("the connection to ringpost is lost");
		return CTL_UNREACHABLE;
	}
	while (status == CTL_UNREACHABLE && (line = next_line(ctl, &raw)) != NULL) {
		kind = json_object_iter_key(json_object_iter(line));
		body = json_object_get(line, kind ? kind : "");
		if (ctl->json)
			(void)fputs(raw, stdout);
		if (kind && strcmp(kind, "end") == 0) {
			*end = json_incref(body);
			status = CTL_DONE;
		} else if (kind && strcmp(kind, "error") == 0) {
			status = refused(ctl, line);
		} else if (kind && !ctl->json) {
			show(arg, kind, body);
		}
		json_decref(line);
	}
	if (status == CTL_UNREACHABLE)
		say("the connection to ringpost broke before the end of the answer");
	return status;
}
