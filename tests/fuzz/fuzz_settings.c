/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a settings file.  They are refused with a message of one line, or taken; then what is printed reads
 * back as the same settings, and questions about any domain are answered.
 */
#include "mta/settings_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_message(const struct settings_error *error)
{
	size_t len = strnlen(error->message, sizeof(error->message));

	INVARIANT(len > 0 && len < sizeof(error->message));
	INVARIANT(strncmp(error->message, "fuzz:", 5) == 0);
	for (size_t i = 0; i < len; i++)
		INVARIANT((unsigned char)error->message[i] >= 0x20 && error->message[i] != 0x7f);
}

static void
check_taken(struct settings *s, struct span input)
{
	struct settings_error error;
	struct settings	     *again;
	char		     *text = NULL;
	size_t		      len = 0;
	FILE		     *to = open_memstream(&text, &len);

	INVARIANT(to);
	settings_print(s, to);
	INVARIANT(fclose(to) == 0);
	again = settings_parse_as(span_make(text, len), "fuzz", SPAN_LITERAL("localhost"), &error);
	if (again == NULL)
		fprintf(stderr, "%s\n%s", error.message, text);
	INVARIANT(again);
	for (size_t i = 0; i < COUNT_OF(settings_rows); i++)
		INVARIANT(settings_value_equal(&settings_rows[i], s, again));
	settings_unref(again);
	free(text);
	for (unsigned i = 0; i < s->accept_domains.count; i++) {
		struct span p = s->accept_domains.at[i];

		if (p.data[0] != '.' && p.data[p.len - 1] != '*')
			INVARIANT(settings_accepts(s, p));
	}
	(void)settings_accepts(s, span_first(input, 300));
	(void)settings_route_for(s, span_first(input, 300));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_error error;
	struct settings	     *s;
	char		     *copy = calloc(1, size ? size : 1); /* of exact size: reading one more octet is seen */
	struct span	      input = span_make(copy, size);

	if (copy == NULL)
		return 0;
	if (size)
		memcpy(copy, data, size);
	s = settings_parse_as(input, "fuzz", SPAN_LITERAL("localhost"), &error);
	if (s)
		check_taken(s, input);
	else
		check_message(&error);
	settings_unref(s);
	free(copy);
	return 0;
}
