/* SPDX-License-Identifier: Apache-2.0 */
/* Files through the seam: what the ring does, and the helpers of the start. */
#include "rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory_name[32];
static int  directory;

static void
open_directory(void)
{
	rig_open();
	(void)umask(022);
	(void)snprintf(directory_name, sizeof(directory_name), "files-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory_name));
	directory = io_directory_open(directory_name, 0);
	ck_assert_int_ge(directory, 0);
}

static void
close_directory(void)
{
	char command[64];

	close(directory);
	rig_close();
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory_name);
	ck_assert_int_eq(system(command), 0);
}

static int
open_file(const char *name, int flags)
{
	struct seen *s = rig_seen();

	io_open(rig_io, &s->op, directory, name, flags, 0640);
	return rig_end(s);
}

static int
write_text(int fd, const char *text, uint64_t offset, unsigned flags)
{
	char	    *bytes = (char *)(uintptr_t)text;
	size_t	     half = strlen(text) / 2;
	struct iovec iov[2] = { { bytes, half }, { bytes + half, strlen(text) - half } };
	struct seen *s = rig_seen();

	io_write(rig_io, &s->op, fd, iov, 2, offset, flags);
	return rig_end(s);
}

static void
check_file(const char *name, const char *want)
{
	char   path[128], *text;
	size_t len;

	(void)snprintf(path, sizeof(path), "%s/%s", directory_name, name);
	ck_assert_int_eq(io_file_slurp(path, 1 << 20, &text, &len), 0);
	ck_assert_str_eq(text, want);
	ck_assert_uint_eq(len, strlen(want));
	free(text);
}

/* --- the ring ------------------------------------------------------------------------------------- */

START_TEST(open_makes_private_descriptors)
{
	struct stat st;
	int	    fd = open_file("new", O_CREAT | O_EXCL | O_RDWR);

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(open_file("new", O_CREAT | O_EXCL | O_RDWR), -EEXIST);
	ck_assert_int_eq(open_file("absent", O_RDONLY), -ENOENT);
	ck_assert_int_eq(open_file("new/below", O_RDONLY), -ENOTDIR);
} END_TEST

static const struct {
	const char *label;
	unsigned    flags;
} write_cases[] = {
	{ "into the page cache", 0 },
	{ "durable", IO_WRITE_DURABLE },
};

START_TEST(written_is_read_back)
{
	struct seen *s = rig_seen();
	int	     fd = open_file("data", O_CREAT | O_RDWR);
	const char  *label = write_cases[_i].label;

	ck_assert_msg(write_text(fd, "0123456789", 0, write_cases[_i].flags) == 10, "%s", label);
	ck_assert_msg(write_text(fd, "abc", 4, write_cases[_i].flags) == 3, "%s", label);
	io_read(rig_io, &s->op, fd, s->data, 100, 2);
	ck_assert_msg(rig_end(s) == 8, "%s", label);
	ck_assert_int_eq(memcmp(s->data, "23abc789", 8), 0);
	io_read(rig_io, &s->op, fd, s->data, 100, 10);
	ck_assert_int_eq(rig_end(s), 0);
	ck_assert_int_eq(io_file_size(fd), 10);
	check_file("data", "0123abc789");
} END_TEST

/* Two descriptors without O_APPEND, as two cores that log to what a shell opened. */
START_TEST(appending_goes_to_the_end_whoever_wrote_before)
{
	int one = open_file("log", O_CREAT | O_WRONLY), two = open_file("log", O_WRONLY);

	ck_assert_int_eq(write_text(one, "first,", 0, IO_WRITE_APPEND), 6);
	ck_assert_int_eq(write_text(two, "second,", 0, IO_WRITE_APPEND | IO_WRITE_DURABLE), 7);
	ck_assert_int_eq(write_text(one, "third", 77, IO_WRITE_APPEND), 5);
	check_file("log", "first,second,third");
} END_TEST

START_TEST(appending_to_a_pipe)
{
	char room[32];
	int  ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write_text(ends[1], "through a pipe", 9, IO_WRITE_APPEND), 14);
	ck_assert_int_eq(read(ends[0], room, sizeof(room)), 14);
	ck_assert_int_eq(memcmp(room, "through a pipe", 14), 0);
} END_TEST

START_TEST(errors_arrive_at_the_handler)
{
	int reading = open_file("data", O_CREAT | O_RDONLY);

	ck_assert_int_eq(write_text(reading, "no", 0, 0), -EBADF);
	ck_assert_int_eq(write_text(-1, "no", 0, IO_WRITE_DURABLE), -EBADF);
	ck_assert_int_eq(write_text(open("/dev/full", O_WRONLY), "no", 0, 0), -ENOSPC);
} END_TEST

START_TEST(syncing)
{
	struct seen *s = rig_seen();
	int	     fd = open_file("data", O_CREAT | O_WRONLY);

	ck_assert_int_eq(write_text(fd, "kept", 0, 0), 4);
	io_datasync(rig_io, &s->op, fd);
	ck_assert_int_eq(rig_end(s), 0);
	io_dirsync(rig_io, &s->op, directory);
	ck_assert_int_eq(rig_end(s), 0);
	io_datasync(rig_io, &s->op, -1);
	ck_assert_int_eq(rig_end(s), -EBADF);
} END_TEST

START_TEST(renaming_replaces_and_unlinking_removes)
{
	struct seen *s = rig_seen();

	ck_assert_int_eq(write_text(open_file("new", O_CREAT | O_WRONLY), "new", 0, 0), 3);
	ck_assert_int_eq(write_text(open_file("old", O_CREAT | O_WRONLY), "old", 0, 0), 3);
	io_rename(rig_io, &s->op, directory, "new", "old");
	ck_assert_int_eq(rig_end(s), 0);
	check_file("old", "new");
	io_rename(rig_io, &s->op, directory, "new", "old");
	ck_assert_int_eq(rig_end(s), -ENOENT);
	io_unlink(rig_io, &s->op, directory, "old");
	ck_assert_int_eq(rig_end(s), 0);
	io_unlink(rig_io, &s->op, directory, "old");
	ck_assert_int_eq(rig_end(s), -ENOENT);
} END_TEST

START_TEST(allocating_reserves)
{
	struct seen *s = rig_seen();
	struct stat  st;
	int	     fd = open_file("segment", O_CREAT | O_RDWR);

	io_allocate(rig_io, &s->op, fd, 1 << 20);
	ck_assert_int_eq(rig_end(s), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks, (1 << 20) / 512);
	ck_assert_int_ge(io_space_free(directory), 0);
	io_allocate(rig_io, &s->op, fd, UINT64_C(1) << 62);
	ck_assert_int_lt(rig_end(s), 0);
} END_TEST

/* --- the helpers of the start --------------------------------------------------------------------- */

START_TEST(directories_are_made_with_those_above)
{
	char	    path[128], too_long[5000];
	struct stat st;
	int	    fd;

	(void)snprintf(path, sizeof(path), "%s/a/b/c", directory_name);
	ck_assert_int_eq(io_directory_open(path, 0), -ENOENT);
	for (unsigned i = 0; i < 2; i++) { /* made, and found */
		fd = io_directory_open(path, 0700);
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	fd = io_directory_open_at(directory, "shard-00", 0700);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(openat(fd, "file", O_CREAT | O_WRONLY, 0600), 0);
	ck_assert_int_eq(io_directory_open_at(fd, "file", 0700), -ENOTDIR);
	ck_assert_int_eq(io_directory_open("", 0700), -ENOENT);
	ck_assert_int_eq(io_directory_open("", 0), -ENOENT);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	ck_assert_int_eq(io_directory_open(too_long, 0700), -ENAMETOOLONG);
	too_long[4500] = '/';
	ck_assert_int_eq(io_directory_open(too_long, 0700), -ENAMETOOLONG);
} END_TEST

START_TEST(a_lock_is_held_by_one_process)
{
	int   lock = io_lock(directory, "lock"), status;
	pid_t child;

	ck_assert_int_ge(lock, 0);
	ck_assert_int_eq(io_lock(directory, "lock"), -EWOULDBLOCK);
	child = fork();
	if (child == 0)
		_exit(io_lock(directory, "lock") == -EWOULDBLOCK ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	io_close(rig_io, lock);
	rig_poll();
	ck_assert_int_ge(io_lock(directory, "lock"), 0);
	ck_assert_int_eq(io_lock(directory, "no/lock"), -ENOENT);
} END_TEST

struct visited {
	unsigned count, stop_at;
	char	 names[8][16];
};

static int
visit(void *arg, const char *name)
{
	struct visited *v = arg;

	(void)snprintf(v->names[v->count], sizeof(v->names[0]), "%s", name);
	return ++v->count == v->stop_at ? 42 : 0;
}

START_TEST(entries_are_listed_by_name)
{
	static const char *const names[] = { "b", "a.seg", "B", "_", "10", "9" };
	static const char *const sorted[] = { "10", "9", "B", "_", "a.seg", "b" };
	struct visited		 all = { 0 }, some = { .stop_at = 2 };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)open_file(names[i], O_CREAT | O_WRONLY);
	ck_assert_int_eq(io_directory_list(directory, visit, &all), 0);
	ck_assert_uint_eq(all.count, COUNT_OF(sorted));
	for (size_t i = 0; i < COUNT_OF(sorted); i++)
		ck_assert_str_eq(all.names[i], sorted[i]);
	ck_assert_int_eq(io_directory_list(directory, visit, &some), 42);
	ck_assert_uint_eq(some.count, 2);
	ck_assert_int_eq(io_directory_list(-1, visit, &some), -EBADF);
} END_TEST

static const struct {
	const char *label;
	size_t	    size, max;
	int	    want;
} slurp_cases[] = {
	{ "empty", 0, 100, 0 },
	{ "one octet", 1, 100, 0 },
	{ "as large as may be", 5000, 5000, 0 },
	{ "one too many", 5001, 5000, -EFBIG },
	{ "at the edge of the first block", 4095, 1 << 20, 0 },
	{ "beyond the edge of the first block", 4096, 1 << 20, 0 },
	{ "many blocks", 300000, 1 << 20, 0 },
};

START_TEST(a_small_file_is_read_whole)
{
	size_t size = slurp_cases[_i].size, len = 77;
	char   path[128], *text = NULL, *want = malloc(size + 1);
	int    fd = open_file("settings", O_CREAT | O_WRONLY), result;

	for (size_t i = 0; i < size; i++)
		want[i] = (char)('a' + i % 26);
	ck_assert_int_eq(write(fd, want, size), (ssize_t)size);
	(void)snprintf(path, sizeof(path), "%s/settings", directory_name);
	result = io_file_slurp(path, slurp_cases[_i].max, &text, &len);
	ck_assert_msg(result == slurp_cases[_i].want, "%s: got %d", slurp_cases[_i].label, result);
	if (result == 0) {
		ck_assert_uint_eq(len, size);
		ck_assert_int_eq(memcmp(text, want, size), 0);
		ck_assert_int_eq(text[len], 0);
	}
	free(text);
	free(want);
} END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
	char   small[2], large[256], *text = NULL;
	size_t len;

	ck_assert_int_eq(io_file_slurp("no-such-file", 10, &text, &len), -ENOENT);
	ck_assert_int_eq(io_file_slurp(directory_name, 10, &text, &len), -EISDIR);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(io_file_size(-1), -EBADF);
	ck_assert_int_eq(io_space_free(-1), -EBADF);
	ck_assert_int_eq(io_host_name(large, sizeof(large)), 0);
	ck_assert_uint_gt(strlen(large), 0);
	if (strlen(large) >= sizeof(small))
		ck_assert_int_eq(io_host_name(small, sizeof(small)), -ENAMETOOLONG);
} END_TEST

int
main(void)
{
	TCase *cases[] = { case_new("ring"), case_new("start") };

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		tcase_add_checked_fixture(cases[i], open_directory, close_directory);
	tcase_add_test(cases[0], open_makes_private_descriptors);
	tcase_add_loop_test(cases[0], written_is_read_back, 0, COUNT_OF(write_cases));
	tcase_add_test(cases[0], appending_goes_to_the_end_whoever_wrote_before);
	tcase_add_test(cases[0], appending_to_a_pipe);
	tcase_add_test(cases[0], errors_arrive_at_the_handler);
	tcase_add_test(cases[0], syncing);
	tcase_add_test(cases[0], renaming_replaces_and_unlinking_removes);
	tcase_add_test(cases[0], allocating_reserves);
	tcase_add_test(cases[1], directories_are_made_with_those_above);
	tcase_add_test(cases[1], a_lock_is_held_by_one_process);
	tcase_add_test(cases[1], entries_are_listed_by_name);
	tcase_add_loop_test(cases[1], a_small_file_is_read_whole, 0, COUNT_OF(slurp_cases));
	tcase_add_test(cases[1], what_cannot_be_read_is_an_error);
	return rig_run("core/io_files", cases, COUNT_OF(cases));
}
