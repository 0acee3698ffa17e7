/* conn.h - what conn.c (a connection's life and output) and conn_input.c (its input) have of each other. */
#ifndef SEALANE_SERVE_CONN_H
#define SEALANE_SERVE_CONN_H

#include "serve.h"

/* ---- conn.c ---- */

/* Counts an end and says why, when asked to. */
void conn_count(struct worker *worker, const struct conn *conn, _Atomic uint64_t *counter, const char *why);
#define CONN_COUNT_END(worker, conn, field) conn_count(worker, conn, &(worker)->stats.field, stats_sentence_##field)
/* The same for the TLS connection's failure, the first time. */
void conn_count_failure(struct worker *worker, struct conn *conn, sl_err err, const char *why);

/* ---- conn_input.c ---- */

/* Bytes that arrived, in the provided buffer `id`. */
void input_take(struct worker *worker, struct conn *conn, int id, size_t len);
/* Is there anything to feed? */
bool input_is_waiting(const struct conn *conn);
/* Gives the next piece of input to the TLS connection. returns: false when the arena is full */
bool input_feed(struct worker *worker, struct conn *conn);
/* The run is over: the bytes that were fed are done with. */
void input_end_feed(struct worker *worker, struct conn *conn);
/* Plaintext from the last run, or (is_held) from conn.held. What follows a request waits for its answer. */
void input_parse(struct worker *worker, struct conn *conn, const uint8_t *text, size_t len, bool is_held);
/* Forgets all input that waits. */
void input_drop(struct worker *worker, struct conn *conn);
/* What an answer of this connection depends on. */
struct exchange_context conn_context(const struct worker *worker, const struct conn *conn, bool is_last);

#endif
