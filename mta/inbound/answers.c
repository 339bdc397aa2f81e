/* SPDX-License-Identifier: Apache-2.0 */
#include "mta/inbound/answers.h"

const struct server_answer_row server_answers[SERVER_ANSWER_COUNT] = {
#define X(id, code, enhanced, word, text) { code, enhanced, word, text },
	SERVER_ANSWERS(X)
#undef X
};

const struct counter_row server_answer_counters[SERVER_ANSWER_COUNT] = {
#define X(id, code, enhanced, word, text) \
	{ "inbound_answer_" word "_total", COUNTER_TOTAL, "Times a client was told " #code ": " text "." },
	SERVER_ANSWERS(X)
#undef X
};
