/* conn_input.c - what arrives on a connection: wire bytes into its feed, plaintext into requests.
 *
 * Wire bytes wait in the provided buffers they came in until the next turn feeds them. While plaintext waits behind an
 * answer (pipelining), nothing is fed: wire bytes then move to the heap, because others need the buffers, within a bound
 * for the connection, at which receiving stops, and one for the worker, at which the connection ends. */
#define _GNU_SOURCE
#include "conn.h"
#include <stdlib.h>
#include <string.h>

/* What kept bytes count for. A peer that sends single bytes must not get forty times the memory it is charged for. */
static size_t cost(size_t len) {
  return sizeof(struct kept) + len;
}

static void kept_free(struct worker *worker, struct kept *kept) {
  if (kept == NULL) return;
  worker->kept_len -= cost(kept->len);
  free(kept);
}

void input_drop(struct worker *worker, struct conn *conn) {
  while (conn->recv_first >= 0) {
    int id = conn->recv_first;
    conn->recv_first = worker->recv_next[id];
    loop_recv_recycle(worker, id);
  }
  while (conn->in_first != NULL) {
    struct kept *kept = conn->in_first;
    conn->in_first = kept->next;
    kept_free(worker, kept);
  }
  conn->in_last = &conn->in_first;
  conn->in_len = 0;
  kept_free(worker, conn->held);
  conn->held = NULL;
}

/* Copies bytes to the heap, within what the worker may keep there. NULL: over it, or no memory. */
static struct kept *keep(struct worker *worker, const uint8_t *bytes, size_t len) {
  if (cost(len) > worker->kept_max - worker->kept_len) return NULL;
  struct kept *kept = malloc(sizeof(*kept) + len);
  if (kept == NULL) return NULL;
  *kept = (struct kept){.len = len};
  memcpy(kept->bytes, bytes, len);
  worker->kept_len += cost(len);
  return kept;
}

/* Keeps wire bytes for later. returns: false after ending the connection */
static bool keep_input(struct worker *worker, struct conn *conn, const uint8_t *bytes, size_t len) {
  struct kept *kept = keep(worker, bytes, len);
  if (kept == NULL) {
    CONN_COUNT_END(worker, conn, n_overfull);
    conn_kill(worker, conn, true);
    return false;
  }
  *conn->in_last = kept;
  conn->in_last = &kept->next;
  conn->in_len += cost(len);
  if (conn->in_len >= IN_MAX && conn->recv_is_armed && !conn->recv_is_cancelled) loop_recv_cancel(worker, conn);
  return true;
}

/* What waits in provided buffers moves to the heap: others need those. */
static void give_buffers_back(struct worker *worker, struct conn *conn) {
  while (conn->recv_first >= 0) {
    int id = conn->recv_first;
    conn->recv_first = worker->recv_next[id];
    bool is_kept = keep_input(worker, conn, loop_recv_bytes(worker, id), worker->recv_len[id]);
    loop_recv_recycle(worker, id);
    if (!is_kept) return;
  }
}

void input_take(struct worker *worker, struct conn *conn, int id, size_t len) {
  stats_add(&worker->stats.wire_in_bytes, len);
  if (conn->phase >= CONN_FLUSH) {
    loop_recv_recycle(worker, id);
    conn->lingered_len += len;
    if (conn->lingered_len > LINGER_MAX) conn_kill(worker, conn, true);
  } else if (conn->held != NULL || conn->in_first != NULL) {
    keep_input(worker, conn, loop_recv_bytes(worker, id), len);
    loop_recv_recycle(worker, id);
  } else {
    worker->recv_len[id] = (uint16_t)len;
    worker->recv_next[id] = -1;
    if (conn->recv_first < 0) {
      conn->recv_first = id;
    } else {
      worker->recv_next[conn->recv_last] = (int16_t)id;
    }
    conn->recv_last = id;
  }
}

bool input_is_waiting(const struct conn *conn) {
  return conn->recv_first >= 0 || conn->in_first != NULL;
}

/* The bytes that were given to sl_conn_feed() are done with. */
void input_end_feed(struct worker *worker, struct conn *conn) {
  if (conn->feeding_recv >= 0) loop_recv_recycle(worker, conn->feeding_recv);
  kept_free(worker, conn->feeding_kept);
  conn->feeding_recv = -1;
  conn->feeding_kept = NULL;
  conn->fed = NULL;
}

/* Gives the next piece of input to the TLS connection. returns: false when the arena is full */
bool input_feed(struct worker *worker, struct conn *conn) {
  if (!input_is_waiting(conn)) return true;
  if (conn->tls == NULL) {
    sl_err err = sl_conn_new(&conn->tls, worker->server->config);
    if (err != SL_OK) {
      conn_count_failure(worker, conn, err, sl_err_text(err));
      conn_kill(worker, conn, true);
      return true;
    }
  }
  int id = conn->recv_first;
  const uint8_t *wire = id >= 0 ? loop_recv_bytes(worker, id) : conn->in_first->bytes;
  size_t wire_len = id >= 0 ? worker->recv_len[id] : conn->in_first->len;
  size_t plain_cap = sl_conn_plain_bound(conn->tls, wire_len);
  uint8_t *plain = arena_take(&worker->arena, plain_cap);
  if (plain == NULL) return false;

  if (id >= 0) {
    conn->recv_first = worker->recv_next[id];
    conn->feeding_recv = id;
  } else {
    conn->feeding_kept = conn->in_first;
    conn->in_len -= cost(wire_len);
    conn->in_first = conn->in_first->next;
    if (conn->in_first == NULL) conn->in_last = &conn->in_first;
  }
  sl_err err = sl_conn_feed(conn->tls, &worker->batch, wire, wire_len, plain, plain_cap);
  if (err == SL_OK) {
    conn->fed = plain;
    return true;
  }
  input_end_feed(worker, conn);
  if (err != SL_E_CLOSED) { /* which only means that the peer sends on after its end: ignored */
    conn_count_failure(worker, conn, err, sl_err_text(err));
    conn_kill(worker, conn, true);
  }
  return true;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct exchange_context conn_context(const struct worker *worker, const struct conn *conn, bool is_last) {
  return (struct exchange_context){
      .server = worker->server, .tls = conn->tls, .date = worker->date, .now_s = worker->now_s, .is_last = is_last};
}

/* Parses plaintext up to the end of one request and decides the answer. returns: how many bytes that took */
static size_t take_request(struct worker *worker, struct conn *conn, const uint8_t *text, size_t len) {
  size_t used = 0;
  if (conn->exchange == NULL) {
    while (used < len && (text[used] == '\r' || text[used] == '\n')) used++; /* RFC 9112 2.2 */
    if (used == len) return len;
    conn->exchange = exchange_new();
    conn->body_mark = 0;
  }
  struct exchange *exchange = conn->exchange;
  if (exchange == NULL) goto no_memory;
  size_t taken;
  enum http_progress progress = http_request_feed(&exchange->request, text + used, len - used, &taken);
  used += taken;
  if (progress == HTTP_MORE) return len;
  stats_add(&worker->stats.n_requests, 1);
  /* On the way to the end of the process, the last request that has arrived is the connection's last. */
  bool is_last = worker->is_draining && used == len && conn->recv_first < 0 && conn->in_first == NULL;
  struct exchange_context context = conn_context(worker, conn, is_last);
  if (progress == HTTP_REFUSED ? exchange_refuse(exchange, &context, exchange->request.status)
                               : exchange_answer(exchange, &context)) {
    return exchange->is_last ? len : used; /* after the last answer nothing is read any more */
  }

no_memory:
  CONN_COUNT_END(worker, conn, n_no_memory);
  conn_kill(worker, conn, true);
  return len;
}

/* Plaintext from the last run, or held back before. What follows a request waits for its answer. */
void input_parse(struct worker *worker, struct conn *conn, const uint8_t *text, size_t len, bool is_held) {
  size_t used = 0;
  while (used < len && conn->phase < CONN_FLUSH && !conn->wants_close) {
    if (conn->exchange != NULL && conn->exchange->is_answering) break;
    used += take_request(worker, conn, text + used, len - used);
  }
  bool is_rest = used < len && conn->phase < CONN_FLUSH && !conn->wants_close;
  if (is_held) {
    conn->held->off += used;
    if (!is_rest) {
      kept_free(worker, conn->held);
      conn->held = NULL;
    }
    return;
  }
  if (!is_rest) return;
  conn->held = keep(worker, text + used, len - used);
  if (conn->held == NULL) {
    CONN_COUNT_END(worker, conn, n_overfull);
    conn_kill(worker, conn, true);
    return;
  }
  give_buffers_back(worker, conn);
}
