/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer where it is not built in: runs a driver over the files of its corpus, so that
 * what a fuzzer once found stays found with any compiler.  Arguments are files or directories.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned files;

static int
replay_file(const char *path)
{
	FILE	*f = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);
	size_t	 size;

	if (f == NULL || data == NULL) {
		perror(path);
		exit(1);
	}
	size = fread(data, 1, 1 << 20, f);
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	files++;
	return 0;
}

static void
replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		struct dirent **names;
		int		count = scandir(path, &names, NULL, alphasort);

		for (int i = 0; i < count; i++) {
			char inner[4096];

			if (names[i]->d_name[0] != '.') {
				(void)snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
				replay(inner);
			}
			free(names[i]);
		}
		if (count >= 0)
			free(names);
	} else {
		(void)replay_file(path);
	}
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u inputs replayed\n", files);
	return 0;
}
