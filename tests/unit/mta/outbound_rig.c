/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mta/outbound_rig.h"

#include <errno.h>
#include <unistd.h>

#include "mta/smtp/data.h"

/* A test that hangs fails after so many turns: seconds, not minutes. */
enum { TURNS_MAX = 4000, TURN_MS = 5, HANG_MS = 50 };

unsigned	  rig_core_count = 1;
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

/* --- the scripted next hop ------------------------------------------------------------------------------------ */

struct peer_session {
	struct list_node node;
	struct stream	 stream;
	struct rig_peer *peer;
	bool		 in_data, in_transaction;
	bool		 hung; /* says nothing more, whatever comes */
	bool		 greeted, finished;
	unsigned	 accepted; /* recipients */
	struct smtp_data data;
	size_t		 chunk_left;
	bool		 chunk_last;
	char		*text;
	size_t		 text_len;
};

static void
keep_text(struct peer_session *s, struct span bytes)
{
	s->text = realloc(s->text, s->text_len + bytes.len + 1);
	memcpy(s->text + s->text_len, bytes.data, bytes.len);
	s->text_len += bytes.len;
	s->text[s->text_len] = 0;
}

static void
drop_text(struct peer_session *s)
{
	free(s->text);
	s->text = NULL;
	s->text_len = 0;
}

static void
taken(struct peer_session *s)
{
	struct rig_peer *p = s->peer;

	ck_assert_uint_lt(p->text_count, RIG_TEXTS_MAX);
	p->text_lens[p->text_count] = s->text_len;
	p->texts[p->text_count++] = s->text;
	s->text = NULL;
	s->text_len = 0;
}

static const struct rig_row *
row_for(struct rig_peer *p, const char *line)
{
	for (unsigned i = 0; i < p->row_count; i++) {
		const struct rig_row *row = &p->rows[i];

		if (strncasecmp(line, row->at, strlen(row->at)) == 0 && (row->times == 0 || p->used[i] < row->times)) {
			p->used[i]++;
			return row;
		}
	}
	return NULL;
}

static void
offer(struct peer_session *s)
{
	char	    reply[1024] = "250-peer.test greets you\r\n", words[512];
	char	   *save = NULL;

	(void)snprintf(words, sizeof(words), "%s", s->peer->ehlo ? s->peer->ehlo : "");
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strlen(reply);

		for (char *c = word; *c; c++)
			if (*c == '_')
				*c = ' ';
		(void)snprintf(reply + len, sizeof(reply) - len, "250-%s\r\n", word);
	}
	(void)snprintf(reply + strlen(reply), sizeof(reply) - strlen(reply), "250 HELP\r\n");
	(void)stream_write(&s->stream, span_of(reply));
}

/* The peer's part is over: for its own count the session has ended. */
static void
finish(struct peer_session *s)
{
	if (!s->finished)
		s->peer->sessions_now--;
	s->finished = true;
	stream_finish(&s->stream);
}

/* Says what the script says, or what is usual; returns the code. */
static int
respond(struct peer_session *s, const char *line, const char *usual)
{
	const struct rig_row *row = row_for(s->peer, line);
	const char	     *say = row ? row->say : usual;

	if (say && strcmp(say, "offer") == 0) {
		offer(s);
		return 250;
	}
	if (say) {
		(void)stream_write(&s->stream, span_of(say));
		(void)stream_write(&s->stream, SPAN_LITERAL("\r\n"));
	}
	if (row && row->close)
		finish(s);
	else if (row && say == NULL)
		s->hung = true;
	return say ? (int)strtol(say, NULL, 10) : 0;
}

static void
command(struct peer_session *s, const char *line)
{
	struct rig_peer *p = s->peer;
	size_t		 len = strlen(line);

	ck_assert_uint_lt(p->said_len + len + 2, sizeof(p->said));
	memcpy(p->said + p->said_len, line, len);
	p->said_len += len;
	p->said[p->said_len++] = '\n';
	p->said[p->said_len] = 0;
	if (strncasecmp(line, "EHLO", 4) == 0) {
		respond(s, line, "offer");
	} else if (strncasecmp(line, "MAIL", 4) == 0) {
		if (respond(s, line, s->in_transaction ? "503 5.5.1 nested" : "250 2.1.0 ok") == 250) {
			s->in_transaction = true;
			s->accepted = 0;
		}
		p->transactions++;
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		s->accepted += respond(s, line, s->in_transaction ? "250 2.1.5 ok" : "503 5.5.1 no MAIL") / 100 == 2;
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		s->in_data = respond(s, line, s->accepted ? "354 go on" : "503 5.5.1 no RCPT") == 354;
		smtp_data_begin(&s->data, UINT64_MAX, false);
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		char *end;

		s->chunk_left = strtoul(line + 5, &end, 10);
		s->chunk_last = strcasecmp(end, " LAST") == 0;
	} else if (strncasecmp(line, "RSET", 4) == 0) {
		s->in_transaction = false;
		s->accepted = 0;
		drop_text(s);
		respond(s, line, "250 2.0.0 ok");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		respond(s, line, "221 2.0.0 bye");
		finish(s);
	} else {
		respond(s, line, "250 2.0.0 ok");
	}
}

/* No recipient, no mail: RFC 2920 section 3.2 for the lone dot, RFC 3030 section 2 for BDAT. */
static void
text_ended(struct peer_session *s, const char *at)
{
	if (respond(s, at, s->accepted ? "250 2.0.0 taken" : "554 5.5.1 no RCPT") / 100 == 2)
		taken(s);
	else
		drop_text(s);
	s->in_transaction = false;
	s->accepted = 0;
}

/* Octets of a text; returns how many. */
static size_t
text_octets(struct peer_session *s, struct span bytes)
{
	size_t take = MIN_OF(s->chunk_left, bytes.len);

	keep_text(s, span_first(bytes, take));
	s->chunk_left -= take;
	if (s->chunk_left)
		return take;
	if (s->chunk_last)
		text_ended(s, "BDAT-END");
	else
		respond(s, "BDAT-CHUNK", s->accepted ? "250 2.0.0 chunk" : "503 5.5.1 no RCPT");
	return take;
}

/* In the middle of a text: what the script says, and the end. */
static bool
breaks_off(struct peer_session *s)
{
	const struct rig_row *row = row_for(s->peer, "TEXT");

	if (row == NULL)
		return false;
	if (row->say) {
		(void)stream_write(&s->stream, span_of(row->say));
		(void)stream_write(&s->stream, SPAN_LITERAL("\r\n"));
	}
	if (row->close)
		finish(s);
	s->hung = true;
	return true;
}

static bool
may_pipeline(const struct peer_session *s, const char *line)
{
	return strncasecmp(line, "BDAT ", 5) == 0 || (s->peer->ehlo && strstr(s->peer->ehlo, "PIPELINING"));
}

static size_t
peer_read(struct stream *stream, struct span bytes)
{
	struct peer_session *s = CONTAINER_OF(stream, struct peer_session, stream);
	struct span	     rest = bytes, piece;
	char		     line[4096];
	size_t		     len;

	while (rest.len && !stream_is_closing(stream)) {
		if (s->hung || ((s->in_data || s->chunk_left) && breaks_off(s)))
			return bytes.len;
		if (s->chunk_left) {
			rest = span_from(rest, text_octets(s, rest));
			continue;
		}
		if (s->in_data) {
			enum smtp_data_result r = smtp_data_next(&s->data, &rest, &piece);

			keep_text(s, piece);
			if (r == SMTP_DATA_END) {
				s->in_data = false;
				text_ended(s, ".");
			}
			continue;
		}
		len = span_find(rest, '\n');
		if (len == rest.len)
			break;
		ck_assert_uint_lt(len, sizeof(line));
		ck_assert_msg(len && rest.data[len - 1] == '\r', "a line without CR");
		memcpy(line, rest.data, len - 1);
		line[len - 1] = 0;
		rest = span_from(rest, len + 1);
		/* RFC 2920 section 3.1: only who was offered it may run ahead; and not at all before EHLO is answered. */
		ck_assert_msg(rest.len == 0 || may_pipeline(s, line), "sent too early, behind \"%.200s\": %.*s", line,
			      (int)MIN_OF(rest.len, (size_t)200), rest.data);
		command(s, line);
	}
	return bytes.len - rest.len;
}

static void
peer_ended(struct stream *stream, int result)
{
	(void)result;
	stream_close(stream);
}

static void
peer_closed(struct stream *stream)
{
	struct peer_session *s = CONTAINER_OF(stream, struct peer_session, stream);

	if (!s->finished)
		s->peer->sessions_now--;
	list_remove(&s->node);
	drop_text(s);
	free(s);
}

static const struct stream_handlers peer_handlers = { peer_read, peer_ended, NULL, peer_closed };

static void
greet(struct peer_session *s)
{
	s->greeted = true;
	respond(s, "CONNECT", "220 peer.test ESMTP");
}

static void
peer_accepted(struct io_op *op, const struct io_event *event)
{
	struct rig_peer	    *p = CONTAINER_OF(op, struct rig_peer, accept);
	struct peer_session *s;

	if (event->result < 0)
		return;
	s = calloc(1, sizeof(*s));
	s->peer = p;
	list_node_init(&s->node);
	list_append(&p->open, &s->node);
	p->sessions++;
	p->sessions_now++;
	p->sessions_most = MAX_OF(p->sessions_most, p->sessions_now);
	stream_open(&s->stream, &rig.cores[0].reactor, event->result, &peer_handlers);
	if (!p->silent)
		greet(s);
}

void
rig_greet(struct rig_peer *p)
{
	p->silent = false;
	LIST_FOR_EACH(&p->open, n) {
		struct peer_session *s = LIST_ENTRY(n, struct peer_session, node);

		if (!s->greeted)
			greet(s);
	}
}

static void
peer_listen(struct rig_peer *p, const char *ip, uint16_t port)
{
	struct endpoint any;

	list_init(&p->open);
	ck_assert(endpoint_parse(span_of(ip), port, &any));
	p->listener = io_listen(rig.cores[0].reactor.io, &any, 0);
	ck_assert_int_ge(p->listener, 0);
	ck_assert_int_eq(io_local(p->listener, &p->at), 0);
	io_op_init(&p->accept, peer_accepted);
	io_accept(rig.cores[0].reactor.io, &p->accept, p->listener);
}

static void
peer_stop(struct rig_peer *p)
{
	io_cancel(rig.cores[0].reactor.io, &p->accept);
	for (unsigned i = 0; i < TURNS_MAX && (!list_empty(&p->open) || !io_op_idle(&p->accept)); i++)
		rig_turn();
	ck_assert(list_empty(&p->open));
	io_close(rig.cores[0].reactor.io, p->listener);
	for (unsigned i = 0; i < p->text_count; i++)
		free(p->texts[i]);
}

bool
rig_said(const struct rig_peer *p, const char *what)
{
	return strstr(p->said, what) != NULL;
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
settings_open(const char *more, const struct rig_row *rows, unsigned row_count)
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
		  .inline_octets_max = 64 * 1024,
		  .cache_octets_max = 1 << 20,
	};
	struct mta_core *core = &rig.cores[i];
	const char	*why = "";

	core->mta = &rig.mta;
	core->index = i;
	ck_assert_msg(queue_open(&core->queue, &core->reactor, &q, &handlers, core, &why) == 0, "%s", why);
	ck_assert_msg(outbound_open(core, &why) == 0, "%s", why);
}

void
rig_open(const char *settings, const char *ehlo, const struct rig_row *rows, unsigned row_count)
{
	memset(&rig, 0, sizeof(rig));
	ck_assert_uint_le(row_count, RIG_ROWS_MAX);
	ck_assert_uint_le(rig_core_count, RIG_CORES_MAX);
	rig.core_count = rig_core_count;
	rig.net = io_net_new(rig.core_count);
	reactors_open();
	rig.peer.ehlo = ehlo;
	rig.peer.rows = rows;
	rig.peer.row_count = row_count;
	rig.back.ehlo = "PIPELINING 8BITMIME SMTPUTF8";
	rig.second.ehlo = ehlo;
	peer_listen(&rig.peer, "127.0.0.1", 0);
	peer_listen(&rig.second, "127.0.0.2", rig.peer.at.port);
	peer_listen(&rig.back, "127.0.0.1", 0);
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
	peer_stop(&rig.peer);
	peer_stop(&rig.second);
	peer_stop(&rig.back);
	for (unsigned i = 0; i < 3; i++)
		rig_turn();
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
