/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text on its way out.
 *
 * What is in memory is lent to the stream whole and never copied, unless DATA demands that dots be stuffed.  What lies on disk
 * comes piece by piece into two buffers: one is sent while the other is filled.  Every piece is checked before its first
 * octet is sent; when one is damaged the connection is dropped without the final dot or BDAT LAST, so the peer has nothing
 * to deliver (RFC 5321 section 4.1.1.4, RFC 3030 section 3).
 *
 * By BDAT each piece is a chunk, the last one says LAST.
 */
#include "mta/outbound/client.h"

#include <errno.h>

enum { STUFFED_MAX = 32 * 1024 };

static const struct queue_view *
view_of(const struct client *c)
{
	return c->delivery->view;
}

/* --- memory --------------------------------------------------------------------------------------------------- */

bool
client_text_prepare(struct client *c)
{
	const struct queue_view *view = view_of(c);
	struct client_text	*t = &c->text;
	size_t			 piece_max = 0;
	uint64_t		 need = t->stuffing ? STUFFED_MAX : 0;

	if (view->body.data == NULL)
		for (unsigned i = 0; i < view->piece_count; i++)
			piece_max = MAX_OF(piece_max, view->pieces[i].length);
	need += 2 * piece_max;
	if (need == 0)
		return true;
	if (!budget_take(&c->out->reactor->memory, need))
		return false;
	t->taken = need;
	t->stuffed = t->stuffing ? malloc(STUFFED_MAX) : NULL;
	for (unsigned i = 0; i < 2 && piece_max; i++)
		t->pieces[i] = malloc(piece_max);
	if ((!t->stuffing || t->stuffed) && (piece_max == 0 || (t->pieces[0] && t->pieces[1])))
		return true;
	client_text_drop(c);
	return false;
}

bool
client_text_idle(const struct client *c)
{
	return io_op_idle(&c->text.read);
}

void
client_text_drop(struct client *c)
{
	struct client_text *t = &c->text;

	INVARIANT(client_text_idle(c));
	if (t->taken == 0)
		return;
	budget_give(&c->out->reactor->memory, t->taken);
	t->taken = 0;
	free(t->stuffed);
	free(t->pieces[0]);
	free(t->pieces[1]);
	t->stuffed = t->pieces[0] = t->pieces[1] = NULL;
}

/* --- from disk -------------------------------------------------------------------------------------------------- */

static void
read_piece(struct client *c)
{
	struct client_text	 *t = &c->text;
	const struct queue_piece *p = &view_of(c)->pieces[t->piece_read];

	io_read(c->out->reactor->io, &t->read, p->fd, t->pieces[t->piece_read % 2] + t->read_at,
		p->length - (unsigned)t->read_at, p->at + t->read_at);
}

/* The buffer of the piece at hand is in use until the stream has sent it. */
static void
read_ahead(struct client *c)
{
	struct client_text *t = &c->text;
	unsigned	    begun = t->piece_sent, kept;

	if (view_of(c)->body.data || !io_op_idle(&t->read) || t->piece_read == view_of(c)->piece_count)
		return;
	kept = t->piece_read - begun + (begun && (t->rest.len || stream_unsent(&c->stream)) ? 1 : 0);
	if (kept < 2)
		read_piece(c);
}

static void
damaged(struct client *c, int error)
{
	outbound_count(c->out, OUTBOUND_DAMAGED, 1);
	log_error(c->out->reactor->log, "text-damaged", LOG_ID("id", view_of(c)->envelope.id),
		  LOG_UINT("piece", c->text.piece_read), LOG_ERRNO("why", error));
	client_break_because(c, (struct smtp_enhanced){ 4, 3, 0 }, "the message could not be read from disk");
}

static void
was_read(struct io_op *op, const struct io_event *event)
{
	struct client		 *c = CONTAINER_OF(op, struct client, text.read);
	struct client_text	 *t = &c->text;
	const struct queue_piece *p;

	if (c->state == CLIENT_CLOSING) {
		client_end_when_idle(c);
		return;
	}
	p = &view_of(c)->pieces[t->piece_read];
	if (event->result <= 0) {
		damaged(c, event->result ? -event->result : EIO);
		return;
	}
	t->read_at += (unsigned)event->result;
	if (t->read_at < p->length) {
		read_piece(c);
		return;
	}
	if (!queue_piece_check(p, span_make(t->pieces[t->piece_read % 2], p->length))) {
		damaged(c, EBADMSG);
		return;
	}
	t->read_at = 0;
	t->piece_read++;
	client_text_more(c);
}

/* --- to the stream ------------------------------------------------------------------------------------------------ */

/* "BDAT n LAST" and its octets. */
static bool
send_chunk(struct client *c, struct span bytes, bool last)
{
	char line[48];
	int  len = snprintf(line, sizeof(line), "BDAT %zu%s\r\n", bytes.len, last ? " LAST" : "");

	c->text.ended = last;
	c->outstanding++;
	return client_send(c, span_make(line, (size_t)len)) && client_send_borrowed(c, bytes);
}

static bool
send_end(struct client *c, struct span end)
{
	c->text.ended = true;
	return client_send(c, end);
}

/* The next piece is at hand.  False when there is none yet. */
static bool
next_piece(struct client *c)
{
	struct client_text *t = &c->text;

	if (t->piece_sent == t->piece_read)
		return false;
	t->rest = span_make(t->pieces[t->piece_sent % 2], view_of(c)->pieces[t->piece_sent].length);
	t->piece_sent++;
	return true;
}

static bool
at_last_piece(const struct client *c)
{
	return view_of(c)->body.data || c->text.piece_sent == view_of(c)->piece_count;
}

/* The last of several waits until all before it were taken: a peer that refused one, and forgets that, would take the rest for
 * the message. */
static bool
may_send_chunk(const struct client *c)
{
	const struct client_text *t = &c->text;
	uint32_t pieces = view_of(c)->piece_count;
	bool	 last = pieces > 1 && (t->rest.len ? t->piece_sent == pieces : t->piece_sent + 1 == pieces);
	unsigned ahead = c->offers.bits & SMTP_OFFER_PIPELINING && !last ? CLIENT_BDAT_AHEAD_MAX : 1;

	return c->outstanding < ahead;
}

/* Sends some of what is at hand.  False when the session is over. */
static bool
send_some(struct client *c)
{
	struct client_text *t = &c->text;
	struct span	    all = t->rest;
	size_t		    len;

	if (t->stuffing) {
		len = smtp_stuff(&t->stuffer, &t->rest, t->stuffed, STUFFED_MAX);
		if (!client_send_borrowed(c, span_make(t->stuffed, len)))
			return false;
		return t->rest.len || !at_last_piece(c) || send_end(c, smtp_stuff_end(&t->stuffer));
	}
	t->rest.len = 0;
	if (t->chunking)
		return send_chunk(c, all, at_last_piece(c));
	if (!client_send_borrowed(c, all))
		return false;
	/* A piece may end between CR and LF. */
	for (size_t i = all.len > 2 ? all.len - 2 : 0; i < all.len; i++) {
		t->tail[0] = t->tail[1];
		t->tail[1] = all.data[i];
	}
	return !at_last_piece(c) || send_end(c, smtp_data_end(span_make(t->tail, sizeof(t->tail))));
}

/*
 * One step at a time: what the stream holds is sent before more is given, so that a buffer is never written while it is
 * read, and the stream's own bounds are never met.
 */
void
client_text_more(struct client *c)
{
	struct client_text *t = &c->text;

	if (t->ended || c->state == CLIENT_CLOSING)
		return;
	read_ahead(c);
	if (stream_unsent(&c->stream))
		return;
	if (t->chunking && !may_send_chunk(c))
		return;
	if (t->rest.len == 0 && !next_piece(c))
		return;
	if (send_some(c))
		read_ahead(c);
}

void
client_text_begin(struct client *c)
{
	struct client_text	*t = &c->text;
	const struct queue_view *view = view_of(c);

	if (!t->chunking)
		c->outstanding++; /* the reply to its end */
	t->seen_out = c->stream.bytes_out;
	if (view->body.data) {
		t->rest = view->body;
		send_some(c);
		return;
	}
	io_op_init(&t->read, was_read);
	if (view->piece_count == 0) {
		damaged(c, EBADMSG);
		return;
	}
	client_text_more(c);
}

bool
client_text_progress(struct client *c)
{
	bool moved = c->stream.bytes_out != c->text.seen_out;

	c->text.seen_out = c->stream.bytes_out;
	return moved;
}
