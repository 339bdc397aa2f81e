/* SPDX-License-Identifier: Apache-2.0 */
/* ringpost: what the command line asks for.  docs/man/ringpost.8 is the manual. */
#include <getopt.h>

#include "mta/process.h"
#include "mta/settings.h"

static const char usage[] =
	"usage: ringpost [--config FILE]\n"
	"       ringpost --check FILE | --settings [FILE] | --settings-manual | --version | --help\n"
	"\n"
	"  -c, --config FILE     run with these settings; without, on embedded ones: loopback\n"
	"                        only, everything below ./var\n"
	"      --check FILE      read the settings, say what is wrong with them, and end\n"
	"      --settings FILE   print all settings as they are in effect\n"
	"      --settings-manual print every setting with bounds, default and meaning\n"
	"  -V, --version         print the version\n"
	"  -h, --help            print this\n"
	"\n"
	"SIGHUP reads the settings and opens the log anew; SIGTERM ends in order.\n"
	"The manual is ringpost(8); the queue is looked at with ringpostctl(8).\n";

enum { OPTION_CHECK = 256, OPTION_SETTINGS, OPTION_MANUAL };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", required_argument, NULL, OPTION_CHECK },
	{ "settings", optional_argument, NULL, OPTION_SETTINGS },
	{ "settings-manual", no_argument, NULL, OPTION_MANUAL },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* NULL after saying what is wrong. */
static struct settings *
read_settings(const char *file)
{
	struct settings_error error;
	struct settings	     *s;

	if (file == NULL)
		return settings_embedded();
	s = settings_read(file, &error);
	if (s == NULL)
		(void)fprintf(stderr, "ringpost: %s\n", error.message);
	return s;
}

static int
print_and_end(const char *file, bool values)
{
	struct settings *s = read_settings(file);

	if (s == NULL)
		return 1;
	if (values)
		settings_print(s, stdout);
	else
		printf("%s: good\n", file);
	settings_unref(s);
	return fflush(stdout) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	const char	*file = NULL;
	struct settings *settings;
	int		 option;

	while ((option = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case OPTION_CHECK:
			return print_and_end(optarg, false);
		case OPTION_SETTINGS:
			if (optarg == NULL && optind < argc)
				optarg = argv[optind];
			return print_and_end(optarg, true);
		case OPTION_MANUAL:
			settings_print_manual(stdout);
			return fflush(stdout) == 0 ? 0 : 1;
		case 'V':
			printf("ringpost %s\n", RINGPOST_VERSION);
			return 0;
		case 'h':
			printf("%s", usage);
			return 0;
		default:
			(void)fprintf(stderr, "%s", usage);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "ringpost: unexpected argument \"%s\"; a settings file is named with --config\n",
			      argv[optind]);
		return 2;
	}
	settings = read_settings(file);
	return settings ? process_run(settings, file, RINGPOST_VERSION) : 1;
}
