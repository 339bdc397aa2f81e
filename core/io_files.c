/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the seam that runs before sessions are served: directories, locks, small files.  These
 * calls may wait for the disk.
 */
#include "core/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

int64_t
io_space_free(int directory)
{
	struct statvfs vfs;

	if (fstatvfs(directory, &vfs) < 0)
		return -errno;
	return (int64_t)((uint64_t)vfs.f_bavail * vfs.f_frsize);
}

/*
 * Makes the directory and its entry in the one above durable: what is synced inside of a directory that a power cut
 * takes away is lost with it.  One that exists is synced too, because who made it may have died before that.  One above
 * that cannot be opened is not ours, and neither is the entry.
 */
static int
make_directory(int directory, const char *name, mode_t mode)
{
	char	    above[4096] = ".";
	const char *slash = strrchr(name, '/');
	int	    fd, result = 0;

	if (mkdirat(directory, name, mode) < 0 && errno != EEXIST)
		return -errno;
	if (slash) {
		size_t len = slash == name ? 1 : (size_t)(slash - name);

		if (len >= sizeof(above))
			return -ENAMETOOLONG;
		memcpy(above, name, len);
		above[len] = 0;
	}
	fd = openat(directory, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* A file system that keeps nothing says EINVAL, one that takes no changes EROFS. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		result = -errno;
	close(fd);
	return result;
}

int
io_directory_open_at(int directory, const char *name, unsigned create_mode)
{
	int result = create_mode ? make_directory(directory, name, (mode_t)create_mode) : 0;
	int fd;

	if (result < 0)
		return result;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Creates the parents too, as mkdir -p does. */
int
io_directory_open(const char *path, unsigned create_mode)
{
	char part[4096];
	int  result;

	if (create_mode && *path)
		for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
			size_t len = (size_t)(slash - path);

			if (len >= sizeof(part))
				return -ENAMETOOLONG;
			memcpy(part, path, len);
			part[len] = 0;
			result = make_directory(AT_FDCWD, part, (mode_t)create_mode | 0111);
			if (result < 0)
				return result;
		}
	return io_directory_open_at(AT_FDCWD, path, create_mode);
}

int
io_lock(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int
not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

int
io_directory_list(int directory, int (*visit)(void *arg, const char *name), void *arg)
{
	struct dirent **entries;
	int		count = scandirat(directory, ".", &entries, not_dots, alphasort);
	int		result = 0;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = visit(arg, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int64_t
io_file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : (int64_t)st.st_size;
}

bool
io_is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int
io_file_slurp(const char *path, size_t max, char **out, size_t *out_len)
{
	int	fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t	len = 0, cap = 4096;
	char   *text;
	int	result = 0;

	if (fd < 0)
		return -errno;
	text = malloc(cap);
	while (text) {
		ssize_t n;

		if (len + 1 == cap) {
			char *grown = realloc(text, cap *= 2);

			if (grown == NULL) {
				result = -ENOMEM;
				break;
			}
			text = grown;
		}
		n = read(fd, text + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			result = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > max) {
			result = -EFBIG;
			break;
		}
	}
	close(fd);
	if (text == NULL)
		return -ENOMEM;
	if (result < 0) {
		free(text);
		return result;
	}
	text[len] = 0;
	*out = text;
	*out_len = len;
	return 0;
}

int
io_host_name(char *out, size_t size)
{
	struct utsname name;
	size_t	       len;

	if (uname(&name) < 0)
		return -errno;
	len = strnlen(name.nodename, sizeof(name.nodename));
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(out, name.nodename, len);
	out[len] = 0;
	return 0;
}
