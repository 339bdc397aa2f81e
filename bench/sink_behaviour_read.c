/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language of a behaviour file.  A line is a comment (#), names somebody, or says something about those named
 * last:
 *
 *	file	  = *( block )
 *	block	  = 1*( "domain" 1*name | "listen" 1*address ) *( rule | limit | read )
 *	rule	  = stage [ share "%" ] ( "delay" ms [ ".." ms ] | "refuse" code [ text ] | "close" | "reset" | "hang" | "leave" )
 *	limit	  = ( "connections" | "messages" | "recipients" ) n [ code [ text ] ]
 *	limit	 /= "rate" n "/" ( "s" | "m" | "h" ) [ "burst" n ] [ code [ text ] ]
 *	read	  = "read" octets "/s"
 *
 * Lines rather than YAML, because a rule reads as one would say it, and a generator of a hundred thousand of them is a
 * printf.  A block says all about its names: nothing is inherited, so what a host does is seen in one place.  What is
 * wrong is told by the word, with the one that was likely meant.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "bench/sink_behaviour_internal.h"
#include "core/nearest.h"
#include "core/utf8.h"

struct reader {
	struct sink_behaviour *behaviour;
	const char	      *name; /* of the file */
	char		      *why;
	uint32_t	       line;
	int		       result;
	/* the block */
	struct sink_profile *profile; /* NULL: nobody was named yet */
	bool		     naming;  /* the last line named somebody: further names join in */
	bool		     listens;
};

static bool PRINTF_LIKE(2, 3)
wrong(struct reader *r, const char *format, ...)
{
	va_list args;
	int n = snprintf(r->why, SINK_BEHAVIOUR_WHY_MAX, "%s:%" PRIu32 ": ", r->name, r->line);

	if (n > 0 && n < SINK_BEHAVIOUR_WHY_MAX) {
		va_start(args, format);
		(void)vsnprintf(r->why + n, SINK_BEHAVIOUR_WHY_MAX - (size_t)n, format, args); /* cut is fine */
		va_end(args);
	}
	/* What is quoted may be anything, and a terminal will show it. */
	for (char *at = r->why; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	r->result = -EINVAL;
	return false;
}

static bool
no_memory(struct reader *r)
{
	(void)wrong(r, "no memory");
	r->result = -ENOMEM;
	return false;
}

/* A word as printf wants it, cut to what a message bears. */
#define WORD(span) (int)MIN_OF((span).len, 60), (span).data

/* --- words ----------------------------------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span s)
{
	while (s.len && is_blank(s.data[0]))
		s = span_from(s, 1);
	while (s.len && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* The next word of *rest, empty at its end. */
static struct span
word_take(struct span *rest)
{
	struct span word = trim(*rest);
	size_t len = 0;

	while (len < word.len && !is_blank(word.data[len]))
		len++;
	*rest = trim(span_from(word, len));
	return span_first(word, len);
}

static int
word_find(struct span word, const char *const *words)
{
	for (int i = 0; words[i]; i++) {
		if (span_equal(word, span_of(words[i])))
			return i;
	}
	return -1;
}

/* Decimal digits and nothing else, not above max; the digits at the front of *s, which loses them. */
static bool
number_take(struct span *s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < s->len && s->data[i] >= '0' && s->data[i] <= '9'; i++) {
		n = n * 10 + (uint64_t)(s->data[i] - '0');
		if (n > max)
			return false;
	}
	*s = span_from(*s, i);
	*out = n;
	return i > 0;
}

static bool
number_parse(struct span word, uint64_t min, uint64_t max, uint64_t *out)
{
	return number_take(&word, max, out) && word.len == 0 && *out >= min;
}

static bool
char_take(struct span *s, const char *text)
{
	if (!span_starts_nocase(*s, span_of(text)))
		return false;
	*s = span_from(*s, strlen(text));
	return true;
}

/* "5%", "0.25%" */
static bool
share_parse(struct span word, double *out)
{
	uint64_t whole, part = 0;
	double unit = 1;

	if (!number_take(&word, 100, &whole))
		return false;
	if (char_take(&word, ".")) {
		size_t before = word.len;

		if (!number_take(&word, 1000000000, &part))
			return false;
		for (size_t digits = before - word.len; digits; digits--)
			unit *= 10;
	}
	*out = (double)whole + (double)part / unit;
	return char_take(&word, "%") && word.len == 0 && *out > 0 && *out <= 100;
}

static bool
code_parse(struct span word, uint16_t *out)
{
	uint64_t code;

	if (word.len != 3 || !number_parse(word, 400, 599, &code))
		return false;
	*out = (uint16_t)code;
	return true;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* Lower case, in place: the text is the reader's own. */
static void
lower(struct span s)
{
	char *at = (char *)s.data;

	for (size_t i = 0; i < s.len; i++) {
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] |= 0x20;
	}
}

/* Loose: a sink also plays domains that no registry would take. */
static bool
domain_valid(struct span s)
{
	if (s.len > 2 && s.data[0] == '*' && s.data[1] == '.')
		s = span_from(s, 2);
	if (!s.len || s.len > SINK_NAME_MAX - 2 || s.data[0] == '.' || s.data[s.len - 1] == '.' || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == '.' && s.data[i - 1] == '.')
			return false;
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80 || memchr(".-_[]:", c, 6)))
			return false;
	}
	return true;
}

static bool
name_again(struct reader *r, struct span word, uint32_t line)
{
	return wrong(r, "%.*s has its block in line %" PRIu32 " already", WORD(word), line);
}

static bool
domain_add(struct reader *r, struct span word)
{
	struct sink_behaviour *b = r->behaviour;
	struct sink_name *name;

	lower(word);
	if (span_equal(word, SPAN_LITERAL("*"))) {
		if (b->every_domain)
			return name_again(r, SPAN_LITERAL("domain *"), b->every_domain_line);
		b->every_domain = r->profile;
		b->every_domain_line = r->line;
		return true;
	}
	if (!domain_valid(word))
		return wrong(r, "no domain \"%.*s\"; domain wants names as example.org, *.example.org or *", WORD(word));
	name = sink_name_add(b, word);
	if (!name)
		return no_memory(r);
	if (name->profile)
		return name_again(r, word, name->line);
	*name = (struct sink_name){ .text = word, .profile = r->profile, .line = r->line };
	b->name_count++;
	b->suffixes |= word.data[0] == '*';
	return true;
}

/* `listen *` is also the block of what the options say. */
static bool
everybody_add(struct reader *r)
{
	struct sink_behaviour *b = r->behaviour;

	if (b->every_host_line)
		return name_again(r, SPAN_LITERAL("listen *"), b->every_host_line);
	for (unsigned i = 0; i < b->options->rule_count; i++) {
		if (sink_profile_add(r->profile, &b->options->rules[i]) != SINK_ADDED)
			return no_memory(r);
	}
	memcpy(r->profile->limits, b->options->limits, sizeof(r->profile->limits));
	b->every_host = r->profile;
	b->every_host_line = r->line;
	return true;
}

static bool
listen_add(struct reader *r, struct span word)
{
	struct sink_behaviour *b = r->behaviour;
	struct endpoint at;

	r->listens = true;
	if (span_equal(word, SPAN_LITERAL("*")))
		return everybody_add(r);
	if (!endpoint_parse(word, 0, &at) || !at.port)
		return wrong(r, "no address \"%.*s\"; listen wants them with a port, as 127.0.0.5:2525 or [::1]:2525, or *",
			     WORD(word));
	for (size_t i = 0; i < b->host_count; i++) {
		if (endpoint_same_ip(&b->hosts[i], &at) && b->hosts[i].port == at.port)
			return name_again(r, word, b->host_lines[i]);
	}
	if (b->host_count == SINK_LISTEN_MAX)
		return wrong(r, "more than %d addresses", SINK_LISTEN_MAX);
	b->hosts[b->host_count] = at;
	b->host_profiles[b->host_count] = r->profile;
	b->host_lines[b->host_count++] = r->line;
	return true;
}

static bool
block_end(struct reader *r)
{
	uint32_t line;

	if (!r->profile || sink_profile_finish(r->profile, &line))
		return true;
	r->line = line;
	return wrong(r, "nothing is left for this rule: the others of its stage make up 100%% already");
}

static bool
names_read(struct reader *r, struct span rest, bool (*add)(struct reader *r, struct span word), const char *what)
{
	struct span word = word_take(&rest);

	if (!word.len)
		return wrong(r, "%s", what);
	if (!r->naming) {
		if (!block_end(r))
			return false;
		r->listens = false;
		r->profile = sink_profile_new(r->behaviour);
		if (!r->profile)
			return no_memory(r);
	}
	r->naming = true;
	for (; word.len; word = word_take(&rest)) {
		if (!add(r, word))
			return false;
	}
	return true;
}

/* --- rules ------------------------------------------------------------------------------------------------------- */

static const char *const action_words[SINK_ACTION_COUNT] = {
#define X(id, word) [SINK_ACTION_##id] = word,
	SINK_ACTIONS(X)
#undef X
};

static const unsigned stage_actions[SINK_STAGE_COUNT] = {
#define X(id, word, actions) actions,
	SINK_STAGES(X)
#undef X
};

static bool
text_read(struct reader *r, struct span text, struct span *out)
{
	if (text.len > SINK_REPLY_TEXT_MAX)
		return wrong(r, "the text of a reply may have %d octets, not %zu", SINK_REPLY_TEXT_MAX, text.len);
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return wrong(r, "a control character in the text of a reply");
	}
	*out = text;
	return true;
}

static bool
delay_read(struct reader *r, struct span rest, struct sink_rule *rule)
{
	struct span word = word_take(&rest), left = word;
	uint64_t least, most;
	bool sound = number_take(&left, SINK_DELAY_MS_MAX, &least);

	most = least;
	if (sound && char_take(&left, ".."))
		sound = number_take(&left, SINK_DELAY_MS_MAX, &most);
	if (!sound || left.len || least > most)
		return wrong(r, "delay wants milliseconds, as 20 or 20..80, up to %d, not \"%.*s\"", SINK_DELAY_MS_MAX,
			     WORD(word));
	if (rest.len)
		return wrong(r, "\"%.*s\" is too much behind delay %.*s", WORD(rest), WORD(word));
	rule->delay_min_ms = (uint32_t)least;
	rule->delay_max_ms = (uint32_t)most;
	return true;
}

static bool
refuse_read(struct reader *r, struct span rest, struct sink_rule *rule)
{
	struct span word = word_take(&rest);

	if (!code_parse(word, &rule->code))
		return wrong(r, "refuse wants a code from 400 to 599, not \"%.*s\"", WORD(word));
	return text_read(r, rest, &rule->text);
}

static bool
rule_add(struct reader *r, const struct sink_rule *rule)
{
	const char *stage = sink_stage_words[rule->stage];
	const char *sort = rule->action == SINK_ACTION_DELAY ? "the delays" : "what is no delay";

	switch (sink_profile_add(r->profile, rule)) {
	case SINK_ADDED:
		return true;
	case SINK_ADD_TOO_MANY:
		return wrong(r, "more than %d rules in one block", SINK_RULES_MAX);
	case SINK_ADD_TOO_MUCH:
		return wrong(r, "%s at %s: the shares exceed 100%%", sort, stage);
	case SINK_ADD_SECOND_REST:
		return wrong(r, "%s at %s: a second rule without a share; each but one wants its own, as %s 5%% %s", sort,
			     stage, stage, action_words[rule->action]);
	case SINK_ADD_NO_MEMORY:
		return no_memory(r);
	}
	INVARIANT(!"sink_add");
	return false;
}

static bool
action_fits(struct reader *r, const struct sink_rule *rule)
{
	if (stage_actions[rule->stage] & 1u << rule->action)
		return true;
	if (rule->stage == SINK_BODY)
		return wrong(r, "no %s at body, which has no answer of its own; say it at dot",
			     action_words[rule->action]);
	return wrong(r, "no %s at %s, where the message is recorded already; say it at dot", action_words[rule->action],
		     sink_stage_words[rule->stage]);
}

static bool
action_unknown(struct reader *r, struct span word)
{
	static const char *const words[] = { "delay", "refuse", "close", "reset", "hang", "leave", NULL };
	const char *meant = nearest_word(word, words);

	if (meant)
		return wrong(r, "no action \"%.*s\"; did you mean %s?", WORD(word), meant);
	return wrong(r, "no action \"%.*s\"; it is one of delay, refuse, close, reset, hang, leave", WORD(word));
}

static bool
rule_read(struct reader *r, enum sink_stage stage, struct span rest)
{
	struct sink_rule rule = { .share = -1, .stage = (uint8_t)stage, .line = r->line };
	struct span word = word_take(&rest), behind;
	double share;

	if (!r->listens && stage < SINK_RCPT)
		return wrong(r, "%s comes before a recipient says its domain; add a listen line to the block",
			     sink_stage_words[stage]);
	if (word.len && (word.data[word.len - 1] == '%' || (word.data[0] >= '0' && word.data[0] <= '9'))) {
		if (!share_parse(word, &rule.share))
			return wrong(r, "no share \"%.*s\"; it is more than 0%% and at most 100%%, as 5%% or 0.1%%",
				     WORD(word));
		word = word_take(&rest);
	}
	if (!word.len)
		return wrong(r, "%s wants an action: delay, refuse, close, reset, hang or leave",
			     sink_stage_words[stage]);
	rule.action = SINK_ACTION_USUAL;
	for (unsigned i = SINK_ACTION_USUAL + 1; i < SINK_ACTION_COUNT; i++) {
		if (span_equal(word, span_of(action_words[i])))
			rule.action = (uint8_t)i;
	}
	if (rule.action == SINK_ACTION_USUAL)
		return action_unknown(r, word);
	if (!action_fits(r, &rule))
		return false;
	behind = rest;
	if (share_parse(word_take(&behind), &share))
		return wrong(r, "the share stands in front: %s %.*s %s", sink_stage_words[stage],
			     WORD(span_first(rest, span_find(rest, '%') + 1)), action_words[rule.action]);
	if (rule.action == SINK_ACTION_DELAY && !delay_read(r, rest, &rule))
		return false;
	if (rule.action == SINK_ACTION_REFUSE && !refuse_read(r, rest, &rule))
		return false;
	if (rule.action > SINK_ACTION_REFUSE && rest.len)
		return wrong(r, "\"%.*s\" is too much behind %s", WORD(rest), action_words[rule.action]);
	return rule_add(r, &rule);
}

/* --- limits -------------------------------------------------------------------------------------------------------- */

static bool
rate_read(struct reader *r, struct span word, struct span *rest, struct sink_limit *limit)
{
	static const struct {
		const char *text;
		uint64_t    seconds;
	} periods[] = { { "/s", 1 }, { "/m", 60 }, { "/h", 3600 } };
	struct span left = word, after;
	uint64_t n;

	if (number_take(&left, SINK_LIMIT_MAX, &n) && n) {
		for (size_t i = 0; i < COUNT_OF(periods); i++) {
			if (span_equal(left, span_of(periods[i].text)))
				limit->period_ns = periods[i].seconds * 1000000000u;
		}
	}
	if (!limit->period_ns)
		return wrong(r, "rate wants messages in a second, minute or hour, as 100/s, 20/m or 500/h, not \"%.*s\"",
			     WORD(word));
	limit->max = limit->burst = (uint32_t)n;
	after = *rest;
	if (!span_equal(word_take(&after), SPAN_LITERAL("burst")))
		return true;
	word = word_take(&after);
	if (!number_parse(word, 1, SINK_LIMIT_MAX, &n))
		return wrong(r, "burst wants a number from 1 to %d, not \"%.*s\"", SINK_LIMIT_MAX, WORD(word));
	limit->burst = (uint32_t)n;
	*rest = after;
	return true;
}

static bool
limit_read(struct reader *r, enum sink_limit_kind kind, struct span rest)
{
	const char *what = sink_limit_words[kind];
	struct sink_limit *limit = &r->profile->limits[kind];
	struct span word = word_take(&rest);
	uint64_t n;

	if (limit->line)
		return wrong(r, "%s was limited in line %" PRIu32 " already", what, limit->line);
	sink_limit_init(limit, kind);
	limit->line = r->line;
	if (kind == SINK_LIMIT_RATE) {
		if (!rate_read(r, word, &rest, limit))
			return false;
	} else {
		if (!number_parse(word, 1, SINK_LIMIT_MAX, &n))
			return wrong(r, "%s wants a number from 1 to %d, not \"%.*s\"", what, SINK_LIMIT_MAX, WORD(word));
		limit->max = (uint32_t)n;
	}
	word = word_take(&rest);
	if (!word.len)
		return true;
	if (!code_parse(word, &limit->code))
		return wrong(r, "behind the limit comes the code of the answer beyond it, from 400 to 599, not \"%.*s\"",
			     WORD(word));
	return rest.len == 0 || text_read(r, rest, &limit->text);
}

static bool
read_rate_read(struct reader *r, struct span rest)
{
	struct span word = word_take(&rest), left = word;
	uint64_t n;
	bool sound = number_take(&left, SINK_LIMIT_MAX, &n) && n;

	if (sound && char_take(&left, "K"))
		n <<= 10;
	else if (sound && char_take(&left, "M"))
		n <<= 20;
	if (!sound || !span_equal(left, SPAN_LITERAL("/s")) || rest.len)
		return wrong(r, "read wants octets in a second, as 500/s, 64K/s or 1M/s, not \"%.*s\"",
			     WORD(rest.len ? rest : word));
	if (r->profile->read_rate)
		return wrong(r, "read was said already");
	r->profile->read_rate = n;
	return true;
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

static bool
line_unknown(struct reader *r, struct span word)
{
	static const char *const words[] = {
		"domain", "listen",
#define X(id, word, ...) word,
		SINK_STAGES(X) SINK_LIMITS(X)
#undef X
		"read", NULL,
	};
	const char *meant = nearest_word(word, words);

	if (meant)
		return wrong(r, "no word \"%.*s\"; did you mean %s?", WORD(word), meant);
	return wrong(r, "no word \"%.*s\"; a line begins with domain, listen, a stage (banner, ehlo, mail, rcpt, data, body, "
		     "dot, answer), a limit (connections, rate, messages, recipients) or read", WORD(word));
}

static bool
line_read(struct reader *r, struct span line)
{
	static const char *const limits[SINK_LIMIT_COUNT + 1] = {
#define X(id, word, ...) word,
		SINK_LIMITS(X)
#undef X
	};
	struct span rest = trim(line), word;
	int stage, limit;
	bool reads;

	if (!rest.len || rest.data[0] == '#')
		return true;
	word = word_take(&rest);
	if (span_equal(word, SPAN_LITERAL("domain")))
		return names_read(r, rest, domain_add, "domain wants names, as example.org *.example.org, or *");
	if (span_equal(word, SPAN_LITERAL("listen")))
		return names_read(r, rest, listen_add, "listen wants addresses, as 127.0.0.5:2525, or *");
	stage = word_find(word, sink_stage_words);
	limit = word_find(word, limits);
	reads = span_equal(word, SPAN_LITERAL("read"));
	if (stage < 0 && limit < 0 && !reads)
		return line_unknown(r, word);
	if (!r->profile)
		return wrong(r, "%.*s of whom?  A domain or listen line comes first", WORD(word));
	r->naming = false;
	if (stage >= 0)
		return rule_read(r, (enum sink_stage)stage, rest);
	return reads ? read_rate_read(r, rest) : limit_read(r, (enum sink_limit_kind)limit, rest);
}

int
sink_behaviour_read(struct sink_behaviour *b, const char *name, char *text, size_t len,
		    char why[static SINK_BEHAVIOUR_WHY_MAX])
{
	struct reader r = { .behaviour = b, .name = name, .why = why };
	struct span rest = span_make(text, len);

	INVARIANT(!b->text);
	b->text = text;
	while (rest.len) {
		struct span line = span_first(rest, span_find(rest, '\n'));

		rest = span_from(rest, line.len + 1);
		if (line.len && line.data[line.len - 1] == '\r')
			line.len--;
		r.line++;
		if (!line_read(&r, line))
			return r.result;
	}
	return block_end(&r) ? 0 : r.result;
}
