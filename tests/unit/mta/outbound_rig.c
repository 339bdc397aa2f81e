/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mta/outbound_rig.h"

#include <errno.h>
#include <unistd.h>

/* A test that hangs fails after so many turns: seconds, not minutes. */
enum { TURNS_MAX = 4000, TURN_MS = 5, HANG_MS = 200 };

unsigned rig_core_count = 1, rig_inline_max = 64 * 1024;
struct rig rig;

/* --- the resolver's place --------------------------------------------------------------------------------- */

static struct asked {
	struct reactor_hook  hook;
	struct dns_question *question;
	bool		     hosts;
	char		     name[DNS_NAME_MAX + 1];
} asked[256];

static const struct rig_host *
host_find(const char *name)
{
	for (unsigned i = 0; i < rig.host_count; i++)
		if (strcasecmp(rig.hosts[i].name, name) == 0)
			return &rig.hosts[i];
	return NULL;
}

static void
answer(struct reactor_hook *hook)
{
	static struct dns_hosts	    hosts;
	static struct dns_addresses addresses;
	struct asked		   *a = CONTAINER_OF(hook, struct asked, hook);
	struct dns_question	   *q = a->question;
	const struct rig_host	   *h = host_find(a->name);
	enum dns_status		    status = h ? h->status : DNS_NXDOMAIN;

	a->question = NULL;
	memset(&hosts, 0, sizeof(hosts));
	memset(&addresses, 0, sizeof(addresses));
	if (a->hosts) {
		for (unsigned i = 0; h && i < COUNT_OF(h->mail) && h->mail[i]; i++) {
			hosts.host[hosts.count].name = span_of(h->mail[i]);
			hosts.host[hosts.count++].preference = (uint16_t)(10 * (i + 1));
		}
		if (hosts.count == 0) {
			hosts.implicit = true;
			hosts.host[hosts.count++].name = span_of(a->name);
		}
		q->hosts = &hosts;
	} else if (h && h->address) {
		addresses.count = 1;
		ck_assert(endpoint_parse(span_of(h->address), 0, &addresses.at[0]));
		q->addresses = &addresses;
		status = DNS_OK;
	} else if (status == DNS_OK) {
		status = DNS_NONE;
	}
	q->done(q, status);
}

static void
ask(struct dns_question *q, struct span name, bool hosts)
{
	for (unsigned i = 0; i < COUNT_OF(asked); i++) {
		if (asked[i].question)
			continue;
		asked[i].question = q;
		asked[i].hosts = hosts;
		(void)snprintf(asked[i].name, sizeof(asked[i].name), "%.*s", (int)name.len, name.data);
		reactor_hook_init(&asked[i].hook, answer);
		reactor_at_turn_end(&rig.cores[0].reactor, &asked[i].hook);
		return;
	}
	ck_abort_msg("too many questions");
}

void
resolver_mail_hosts(struct resolver *d, struct dns_question *q, struct span domain)
{
	(void)d;
	ask(q, domain, true);
}

void
resolver_addresses(struct resolver *d, struct dns_question *q, struct span host)
{
	(void)d;
	ask(q, host, false);
}

void
resolver_cancel(struct resolver *d, struct dns_question *q)
{
	(void)d;
	for (unsigned i = 0; i < COUNT_OF(asked); i++)
		if (asked[i].question == q) {
			reactor_hook_cancel(&asked[i].hook);
			asked[i].question = NULL;
		}
}

const char *
dns_status_text(enum dns_status status)
{
	(void)status;
	return "the name server says no";
}

/* --- the core ------------------------------------------------------------------------------------------------------ */

static void
recovered(struct queue *q, const struct queue_recovery *what)
{
	(void)q;
	(void)what;
	rig.recovered++;
}

static void
closed(struct queue *q)
{
	(void)q;
	rig.closed++;
}

static void
drained(struct mta_core *core)
{
	(void)core;
	rig.drained++;
}

void
rig_turn(void)
{
	for (unsigned i = 0; i < rig.core_count; i++)
		reactor_turn(&rig.cores[i].reactor,
			     reactor_in_ms(&rig.cores[i].reactor, TURN_MS / rig.core_count));
}

static void
turn_until(const bool *done)
{
	for (unsigned i = 0; i < TURNS_MAX && !*done; i++)
		rig_turn();
	ck_assert(*done);
}

static void
turn_until_all(const unsigned *cores)
{
	for (unsigned i = 0; i < TURNS_MAX && *cores < rig.core_count; i++)
		rig_turn();
	ck_assert_uint_eq(*cores, rig.core_count);
}

/* A peer that hangs is waited for: not for as long as the least setting. */
static void
short_timeouts(struct settings *s)
{
	uint64_t *all[] = { &s->greeting_timeout_ms, &s->ehlo_timeout_ms, &s->mail_timeout_ms, &s->rcpt_timeout_ms,
			    &s->data_timeout_ms,     &s->block_timeout_ms, &s->end_timeout_ms, &s->quit_timeout_ms };

	for (size_t i = 0; i < COUNT_OF(all); i++)
		*all[i] = HANG_MS;
}

static struct settings *
settings_open(const char *more, const struct peer_row *rows, unsigned row_count)
{
	struct settings_error error;
	struct settings	     *s;
	char		      yaml[4096];

	(void)snprintf(yaml, sizeof(yaml),
		       "hostname: us.test\n"
		       "routes:\n"
		       "  to.test: smtp:127.0.0.1:%u\n"
		       "  back.test: smtp:127.0.0.1:%u\n"
		       "%s",
		       rig.peer.at.port, rig.back.at.port, more ? more : "");
	s = settings_parse(span_of(yaml), "test", &error);
	ck_assert_msg(s != NULL, "%s", error.message);
	s->outbound_port = rig.peer.at.port;
	for (unsigned i = 0; i < row_count; i++)
		if (rows[i].say == NULL && !rows[i].close)
			short_timeouts(s);
	return s;
}

static void
reactors_open(void)
{
	for (unsigned i = 0; i < rig.core_count; i++) {
		const struct reactor_params p = {
			.core = i,
			.core_count = rig.core_count,
			.memory_max = 256 << 20,
			.log_fd = 2,
			.log_level = getenv("RIG_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		};
		const char *why = "";

		ck_assert_msg(reactor_open(&rig.cores[i].reactor, rig.net, &p, &why) == 0, "%s", why);
	}
}

static void
core_open(unsigned i, int spool)
{
	const struct queue_handlers handlers = { outbound_due, recovered, closed };
	const struct queue_params   q = {
		  .spool = spool,
		  .shard = i,
		  .segment_octets = 4 << 20,
		  .spool_octets_max = 256 << 20,
		  .inline_octets_max = rig_inline_max,
		  .cache_octets_max = 16 << 20,
	};
	struct mta_core *core = &rig.cores[i];
	const char	*why = "";

	core->mta = &rig.mta;
	core->index = i;
	ck_assert_msg(queue_open(&core->queue, &core->reactor, &q, &handlers, core, &why) == 0, "%s", why);
	ck_assert_msg(outbound_open(core, &why) == 0, "%s", why);
}

void
rig_open(const char *settings, const char *ehlo, const struct peer_row *rows, unsigned row_count)
{
	memset(&rig, 0, sizeof(rig));
	ck_assert_uint_le(row_count, PEER_ROWS_MAX);
	ck_assert_uint_le(rig_core_count, RIG_CORES_MAX);
	rig.core_count = rig_core_count;
	rig.net = io_net_new(rig.core_count);
	reactors_open();
	rig.peer.ehlo = ehlo;
	rig.peer.rows = rows;
	rig.peer.row_count = row_count;
	rig.back.ehlo = "PIPELINING 8BITMIME SMTPUTF8";
	rig.second.ehlo = ehlo;
	peer_listen(&rig.peer, &rig.cores[0].reactor, "127.0.0.1", 0);
	peer_listen(&rig.second, &rig.cores[0].reactor, "127.0.0.2", rig.peer.at.port);
	peer_listen(&rig.back, &rig.cores[0].reactor, "127.0.0.1", 0);
	rig.mta = (struct mta){ .core_count = rig.core_count, .cores = rig.cores, .net = rig.net };
	rig.cores[0].settings = settings_open(settings, rows, row_count);
	for (unsigned i = 1; i < rig.core_count; i++)
		rig.cores[i].settings = settings_ref(rig.cores[0].settings);
	(void)snprintf(rig.path, sizeof(rig.path), "spool-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.path));
	rig.spool = io_directory_open(rig.path, 0700);
	ck_assert_int_ge(rig.spool, 0);
	for (unsigned i = 0; i < rig.core_count; i++)
		core_open(i, rig.spool);
	turn_until_all(&rig.recovered);
}

void
rig_drain(void)
{
	for (unsigned i = 0; i < rig.core_count; i++)
		outbound_drain(rig.cores[i].outbound, drained);
	turn_until_all(&rig.drained);
}

static void
peers_close(void)
{
	struct peer *peers[] = { &rig.peer, &rig.second, &rig.back };
	bool	     stopped = false;

	for (size_t i = 0; i < COUNT_OF(peers); i++)
		peer_stop(peers[i]);
	for (unsigned turn = 0; turn < TURNS_MAX && !stopped; turn++) {
		rig_turn();
		stopped = true;
		for (size_t i = 0; i < COUNT_OF(peers); i++)
			stopped = stopped && peer_stopped(peers[i]);
	}
	ck_assert(stopped);
	for (size_t i = 0; i < COUNT_OF(peers); i++)
		peer_free(peers[i]);
}

void
rig_close(void)
{
	char command_line[128];

	if (!rig.drained)
		rig_drain();
	for (unsigned i = 0; i < rig.core_count; i++)
		queue_close(rig.cores[i].queue);
	turn_until_all(&rig.closed);
	for (unsigned i = 0; i < rig.core_count; i++) {
		outbound_free(rig.cores[i].outbound);
		queue_free(rig.cores[i].queue);
	}
	peers_close();
	for (unsigned i = 0; i < rig.core_count; i++) {
		ck_assert_uint_eq(rig.cores[i].reactor.memory.used, 0);
		settings_unref(rig.cores[i].settings);
		reactor_close(&rig.cores[i].reactor);
	}
	io_net_free(rig.net);
	(void)close(rig.spool);
	(void)snprintf(command_line, sizeof(command_line), "rm -rf %s", rig.path);
	ck_assert_int_eq(system(command_line), 0);
}

uint64_t
rig_count(enum outbound_counter c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rig.core_count; i++)
		sum += counter_get(&rig.cores[i].outbound->values[c]);
	return sum;
}

/* --- mail ------------------------------------------------------------------------------------------------------------- */

struct submission {
	struct queue_intake in;
	bool		    done, ready;
	int		    result;
};

static void
submitted(struct queue_intake *in, int result)
{
	struct submission *s = CONTAINER_OF(in, struct submission, in);

	s->done = true;
	s->result = result;
}

static void
goes_on(struct queue_intake *in)
{
	CONTAINER_OF(in, struct submission, in)->ready = true;
}

struct id
rig_send(const struct rig_mail *mail)
{
	static struct envelope_recipient to[2000];
	static char			 words[64 * 1024];
	struct submission		 s = { .in.done = submitted, .in.ready = goes_on };
	struct span			 text = span_make(mail->text, mail->text_len);
	struct envelope			 e = { .flags = mail->flags, .sender = span_of(mail->sender), .recipients = to };
	struct queue			*queue = rig.cores[mail->core].queue;
	char				*save = NULL;

	if (mail->envid)
		e.envid = span_of(mail->envid);
	(void)snprintf(words, sizeof(words), "%s", mail->recipients);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		to[e.recipient_count++] = (struct envelope_recipient){
			.address = span_of(word),
			.orcpt = span_of(mail->orcpt ? mail->orcpt : ""),
			.notify = (uint8_t)mail->notify,
		};
	if (text.data == NULL)
		text = span_of(RIG_TEXT);
	ck_assert_int_eq(queue_intake_open(queue, &s.in, text.len), 0);
	for (size_t at = 0; at < text.len;) {
		struct span step = span_first(span_from(text, at), 16384);
		int	    result = queue_intake_append(&s.in, step);

		at += step.len;
		s.ready = result == 0;
		ck_assert(result == 0 || result == -EAGAIN);
		turn_until(&s.ready);
	}
	e.id = s.in.id;
	e.accepted_ms = io_wall(rig.cores[0].reactor.io) / 1000000 - mail->age_ms;
	e.body_octets = s.in.octets;
	queue_intake_commit(&s.in, &e, NULL);
	turn_until(&s.done);
	ck_assert_int_eq(s.result, 0);
	return e.id;
}

void
rig_retry(struct id id)
{
	struct queue_message *m = NULL;

	for (unsigned i = 0; i < rig.core_count && m == NULL; i++)
		if ((m = queue_find(rig.cores[i].queue, id)))
			queue_act(rig.cores[i].queue, m, QUEUE_RETRY, NULL);
	ck_assert_ptr_nonnull(m);
	rig_settle();
}

static bool
is_due(void *arg, struct queue_message *m)
{
	uint64_t now_ms = (uint64_t)io_wall(rig.cores[0].reactor.io) / 1000000;

	for (uint32_t i = 0; i < m->recipient_count; i++)
		if (m->recipients[i].state == QUEUE_WAITING && m->recipients[i].due_ms <= now_ms)
			*(bool *)arg = true;
	return true;
}

static bool
core_settled(const struct mta_core *core)
{
	struct queue_status st;
	uint64_t	    cursor = 0;
	bool		    due = false;

	queue_status(core->queue, &st);
	if (st.in_hand || core->outbound->reports || core->outbound->gatherings.count || core->outbound->away)
		return false;
	while (queue_walk(core->queue, &cursor, 1000, is_due, &due))
		;
	return !due;
}

/* Nothing is in hand, and nothing will be by itself. */
static bool
settled(void)
{
	for (unsigned i = 0; i < rig.core_count; i++)
		if (!core_settled(&rig.cores[i]))
			return false;
	return true;
}

void
rig_settle(void)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		rig_turn();
		if (settled())
			return;
	}
	ck_abort_msg("mail stays in hand");
}

void
rig_quiet(void)
{
	rig_settle();
	for (unsigned i = 0; i < TURNS_MAX && rig_count(OUTBOUND_SESSIONS); i++)
		rig_turn();
	ck_assert_uint_eq(rig_count(OUTBOUND_SESSIONS), 0);
}

uint64_t
rig_messages(void)
{
	struct queue_status st;
	uint64_t	    sum = 0;

	for (unsigned i = 0; i < rig.core_count; i++) {
		queue_status(rig.cores[i].queue, &st);
		sum += st.messages;
	}
	return sum;
}

void
rig_empty(void)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		rig_turn();
		if (rig_messages() == 0 && settled())
			return;
	}
	ck_abort_msg("the queue does not run empty");
}
