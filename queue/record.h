/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/record.h - records as bytes: docs/queue-format.md, sections 2 to 4.  Pure: bytes in, struct out.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "core/arena.h"
#include "queue/envelope.h"
#include "queue/queue.h"

enum record_kind {
	RECORD_SEGMENT = 1,
	RECORD_MESSAGE,
	RECORD_PIECE,
	RECORD_RESULT,
	RECORD_ACT,
	RECORD_CHECKPOINT,
	RECORD_END,
};

enum {
	RECORD_MAGIC = 0x31515052,
	RECORD_HEADER_LEN = 40,
	RECORD_ALIGN = 8,
	RECORD_BLOCK = 4096,
	RECORD_FORMAT = 2,
	RECORD_SEGMENT_LEN = 40, /* octets of payload */
	RECORD_END_LEN = 8,
	RECORD_PIECE_HEAD_LEN = 24,
	RECORD_ACT_LEN = 32,
	RECORD_HOST_MAX = 255,
	RECORD_TEXT_MAX = 1000,
	RECORD_RESULT_MAX = 48 + RECORD_HOST_MAX + RECORD_TEXT_MAX,
};

struct record_header {
	uint64_t nonce, lsn;
	uint32_t length, payload_crc;
	uint16_t kind, shard;
};

/* Octets from the start of a record to the start of the next. */
static inline uint64_t
record_stride(uint64_t payload_octets)
{
	return (RECORD_HEADER_LEN + payload_octets + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

/* The whole blocks that so many octets take, in octets. */
static inline uint64_t
record_blocks(uint64_t octets)
{
	return (octets + RECORD_BLOCK - 1) & ~(uint64_t)(RECORD_BLOCK - 1);
}

void record_header_write(const struct record_header *h, uint8_t out[static RECORD_HEADER_LEN]);
/* False: these are not RECORD_HEADER_LEN octets of a sound header with this nonce. */
bool MUST_CHECK record_header_read(const uint8_t *in, uint64_t nonce, struct record_header *h);
/* The same when the nonce is not known yet: the first record of a segment. */
bool MUST_CHECK record_header_read_first(const uint8_t *in, struct record_header *h);
/* What looks like a header of ours that has suffered: it has the nonce, or it would be sound if it had.  Who does not know
 * the nonce can write neither.  *octets is the length it claims, with the header. */
bool MUST_CHECK record_header_trace(const uint8_t *in, uint64_t nonce, uint64_t *octets);

/* --- payloads; _read says false when the bytes are not such a payload ---------------------------------- */

struct record_segment {
	uint64_t number, octets;
	uint64_t void_number, void_from; /* void_number 0: none */
	bool	 reused; /* the file was a segment before: what is behind the records is not zeros */
};
/* The number of the form on disk, which leads every SEGMENT payload of any form; 0: too short. */
uint32_t	record_segment_format(struct span payload);
void		record_segment_write(const struct record_segment *s, uint8_t out[static RECORD_SEGMENT_LEN]);
bool MUST_CHECK record_segment_read(struct span payload, struct record_segment *s);

/* END, the last record of a segment, alone in its block: from `from` on nothing was acknowledged. */
bool MUST_CHECK record_end_read(struct span payload, uint64_t *from);
void		record_end_block(uint64_t nonce, uint64_t lsn, uint16_t shard, uint64_t from, uint8_t out[static RECORD_BLOCK]);

struct record_piece {
	struct id   id;
	uint32_t    index;
	struct span bytes;
};
void		record_piece_head_write(struct id id, uint32_t index, uint8_t out[static RECORD_PIECE_HEAD_LEN]);
bool MUST_CHECK record_piece_read(struct span payload, struct record_piece *p);

struct record_act {
	struct id id;
	uint16_t  act; /* enum queue_act + 1 */
	int64_t	  at_ms;
};
void		record_act_write(const struct record_act *a, uint8_t out[static RECORD_ACT_LEN]);
bool MUST_CHECK record_act_read(struct span payload, struct record_act *a);

struct record_result {
	struct id   id;
	uint32_t    recipient;
	uint8_t	    state;   /* enum queue_state; never QUEUE_IN_HAND */
	bool	    delayed, attempt;
	uint16_t    code, attempts;
	int64_t	    due_ms, at_ms;
	struct span host, text; /* cut at RECORD_HOST_MAX and RECORD_TEXT_MAX when written */
};
/* Returns the octets written. */
size_t		record_result_write(const struct record_result *r, uint8_t out[static RECORD_RESULT_MAX]);
bool MUST_CHECK record_result_read(struct span payload, struct record_result *r);

/* A piece as a MESSAGE lists it. */
struct record_piece_ref {
	uint64_t segment, at; /* of the piece's text, behind the head of its payload */
	uint32_t length, crc; /* of the text alone */
};

struct record_message {
	struct envelope	 envelope; /* recipients in the arena given to _read; spans borrow from the payload */
	uint32_t	 piece_count, result_count;
	struct span	 pieces;  /* read each with record_piece_ref_read() */
	struct span	 results; /* read them with record_next_result() */
	struct span	 text;	  /* inline; empty when there are pieces */
};

/* Octets of the payload without pieces, results and text. */
size_t record_message_head_len(const struct envelope *e);
/* Writes the payload up to where pieces begin; returns where that is. */
uint8_t *record_message_head_write(const struct envelope *e, uint32_t piece_count, uint32_t result_count,
				   uint8_t *out);
enum { RECORD_PIECE_REF_LEN = 24 };
void record_piece_ref_write(const struct record_piece_ref *p, uint8_t out[static RECORD_PIECE_REF_LEN]);
void record_piece_ref_read(struct span pieces, uint32_t index, struct record_piece_ref *p);

/* The payload up to where pieces begin; *rest is what follows.  Errors as below. */
int MUST_CHECK record_message_head_read(struct span payload, struct arena *arena, struct record_message *m,
					struct span *rest);
/* 0; -EBADMSG: not a message; -ENOMEM: the arena is used up. */
int MUST_CHECK	record_message_read(struct span payload, struct arena *arena, struct record_message *m);
/* Takes one result off *results; false at the end. */
bool MUST_CHECK record_next_result(struct span *results, struct record_result *r);

struct record_checkpoint {
	uint64_t    segment;
	uint32_t    count;
	struct span ids; /* 16 octets each: record_id_read() */
};
enum { RECORD_CHECKPOINT_HEAD_LEN = 16, RECORD_ID_LEN = 16 };
void		record_checkpoint_head_write(uint64_t segment, uint32_t count,
					     uint8_t out[static RECORD_CHECKPOINT_HEAD_LEN]);
bool MUST_CHECK record_checkpoint_read(struct span payload, struct record_checkpoint *c);
void		record_id_write(struct id id, uint8_t out[static RECORD_ID_LEN]);
struct id	record_id_read(struct span ids, uint32_t index);

#endif
