/* conn.c - one connection: wire bytes in, plaintext to http.c, answers from exchange.c, wire bytes out.
 *
 *   received -> provided buffer -> feed | run | plaintext -> request -> answer
 *   answer -> arena -> send | run | wire buffer -> ring
 *
 * At most one wire buffer is on its way per connection (the socket's own buffer keeps the line busy while the next is
 * sealed), and while plaintext waits behind the answer being sent (pipelining) nothing more is fed: first the wire bytes
 * gather, then receiving stops, then the peer's window closes. */
#define _GNU_SOURCE
#include "serve.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

static void set_timer(struct worker *worker, struct conn *conn, enum conn_timing timing, uint64_t in_ms) {
  conn->timing = (uint8_t)timing;
  timer_set(&worker->wheel, &conn->timer, worker->now_ms + in_ms);
}

static void clear_timer(struct worker *worker, struct conn *conn) {
  conn->timing = TIMING_NONE;
  timer_clear(&worker->wheel, &conn->timer);
}

bool conn_new(struct worker *worker, int fd) {
  const struct options *options = worker->server->options;
  struct conn *conn = aligned_alloc(64, (sizeof(*conn) + 63) & ~(size_t)63); /* user_data keeps tags in the low bits */
  if (conn == NULL) {
    close(fd);
    return false;
  }
  *conn = (struct conn){.fd = fd, .recv_first = -1, .recv_last = -1, .feeding_recv = -1};
  conn->in_last = &conn->in_first;
  list_init(&conn->queue);
  timer_init(&conn->timer);
  list_append(&worker->all, &conn->all);
  if (options->is_verbose) {
    conn->peer.len = sizeof(conn->peer.sockaddr);
    getpeername(fd, (struct sockaddr *)&conn->peer.sockaddr, &conn->peer.len);
  }
  stats_add(&worker->stats.n_accepted, 1);
  set_timer(worker, conn, TIMING_HANDSHAKE, options->handshake_timeout_ms);
  loop_recv(worker, conn);
  return true;
}

/* Work for the next turn. Within a turn, the second half sees to it. */
static void queue(struct worker *worker, struct conn *conn) {
  if (conn->is_in_turn) return;
  list_remove(&conn->queue);
  list_append(&worker->work, &conn->queue);
}

void conn_kill(struct worker *worker, struct conn *conn, bool is_reset) {
  if (conn->phase == CONN_DEAD) return;
  conn->phase = CONN_DEAD;
  clear_timer(worker, conn);
  if (is_reset) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0}; /* the kernel forgets what it has not sent */
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  }
  shutdown(conn->fd, SHUT_RDWR); /* ends its operations in the ring */
  if (conn->is_in_turn) return;
  list_remove(&conn->queue);
  list_append(&worker->dead, &conn->queue);
}

static void kept_free(struct worker *worker, struct kept *kept) {
  if (kept == NULL) return;
  worker->kept_len -= kept->len;
  free(kept);
}

static void drop_input(struct worker *worker, struct conn *conn) {
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

static void drop_wire(struct conn *conn) {
  if (conn->wire != NULL) pool_put(conn->wire_pool, conn->wire);
  conn->wire = NULL;
}

static void drop_cold(struct worker *worker, struct conn *conn) {
  if (conn->cold != NULL) pool_put(&worker->cold, conn->cold);
  conn->cold = NULL;
  conn->cold_len = 0;
  conn->cold_is_sealed = false;
}

/* Everything but the socket. */
static void drop_all(struct worker *worker, struct conn *conn) {
  drop_input(worker, conn);
  drop_wire(conn);
  drop_cold(worker, conn);
  exchange_free(conn->exchange);
  conn->exchange = NULL;
  sl_conn_free(conn->tls);
  conn->tls = NULL;
}

void conn_free(struct worker *worker, struct conn *conn) {
  drop_all(worker, conn);
  close(conn->fd);
  list_remove(&conn->queue);
  list_remove(&conn->all);
  free(conn);
  stats_add(&worker->stats.n_closed, 1);
  loop_conn_gone(worker);
}

/* Counts an end and says why, when asked to. */
static void count(struct worker *worker, const struct conn *conn, _Atomic uint64_t *counter, const char *why) {
  stats_add(counter, 1);
  if (!worker->server->options->is_verbose) return;
  char peer[ADDRESS_TEXT_CAP];
  address_write(&conn->peer, peer);
  fprintf(stderr, "%s: %s\n", peer, why);
}

#define STATS_SENTENCE(field, name, sentence) static const char field##_sentence[] = sentence;
STATS_ENDS(STATS_SENTENCE)
#undef STATS_SENTENCE

#define COUNT_END(worker, conn, field) count(worker, conn, &(worker)->stats.field, field##_sentence)

static void count_failure(struct worker *worker, struct conn *conn, sl_err err, const char *why) {
  if (conn->has_failed) return;
  conn->has_failed = true;
  count(worker, conn, &worker->stats.n_failed[err < SL_ERR_END ? err : SL_OK], why);
}

/* ---- input ------------------------------------------------------------------------------------------------------- */

/* Copies bytes to the heap, within what the worker may keep there. NULL: over it, or no memory. */
static struct kept *keep(struct worker *worker, const uint8_t *bytes, size_t len) {
  if (len > worker->kept_max - worker->kept_len) return NULL;
  struct kept *kept = malloc(sizeof(*kept) + len);
  if (kept == NULL) return NULL;
  *kept = (struct kept){.len = len};
  memcpy(kept->bytes, bytes, len);
  worker->kept_len += len;
  return kept;
}

/* Keeps wire bytes for later. returns: false after ending the connection */
static bool keep_input(struct worker *worker, struct conn *conn, const uint8_t *bytes, size_t len) {
  struct kept *kept = keep(worker, bytes, len);
  if (kept == NULL) {
    COUNT_END(worker, conn, n_overfull);
    conn_kill(worker, conn, true);
    return false;
  }
  *conn->in_last = kept;
  conn->in_last = &kept->next;
  conn->in_len += len;
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

static void take_received(struct worker *worker, struct conn *conn, int id, size_t len) {
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

void conn_received(struct worker *worker, struct conn *conn, int result, int buffer_id, bool is_last) {
  if (is_last) {
    conn->recv_is_armed = false;
    conn->n_ops--;
  }
  if (buffer_id >= 0) {
    if (result > 0 && conn->phase != CONN_DEAD) {
      take_received(worker, conn, buffer_id, (size_t)result);
    } else {
      loop_recv_recycle(worker, buffer_id);
    }
  }
  if (conn->phase == CONN_DEAD) return;
  if (result == 0) {
    conn->has_fin = true;
    if (conn->phase == CONN_LINGER) {
      conn_kill(worker, conn, false);
      return;
    }
  } else if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    if (conn->phase < CONN_FLUSH) COUNT_END(worker, conn, n_resets);
    conn_kill(worker, conn, false);
    return;
  }
  queue(worker, conn); /* whose second half also asks for more, if this receive has ended */
}

static void take_plaintext(struct worker *worker, struct conn *conn, const uint8_t *text, size_t len, bool is_held);

static struct exchange_context context_of(const struct worker *worker, const struct conn *conn, bool is_last) {
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
  struct exchange_context context = context_of(worker, conn, is_last);
  if (progress == HTTP_REFUSED ? exchange_refuse(exchange, &context, exchange->request.status)
                               : exchange_answer(exchange, &context)) {
    return exchange->is_last ? len : used; /* after the last answer nothing is read any more */
  }

no_memory:
  COUNT_END(worker, conn, n_no_memory);
  conn_kill(worker, conn, true);
  return len;
}

/* Plaintext from the last run, or held back before. What follows a request waits for its answer. */
static void take_plaintext(struct worker *worker, struct conn *conn, const uint8_t *text, size_t len, bool is_held) {
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
    COUNT_END(worker, conn, n_overfull);
    conn_kill(worker, conn, true);
    return;
  }
  give_buffers_back(worker, conn);
}

/* ---- first half: feed and send ----------------------------------------------------------------------------------- */

static bool has_input(const struct conn *conn) {
  return conn->recv_first >= 0 || conn->in_first != NULL;
}

/* The bytes that were given to sl_conn_feed() are done with. */
static void end_feed(struct worker *worker, struct conn *conn) {
  if (conn->feeding_recv >= 0) loop_recv_recycle(worker, conn->feeding_recv);
  kept_free(worker, conn->feeding_kept);
  conn->feeding_recv = -1;
  conn->feeding_kept = NULL;
  conn->fed = NULL;
}

/* Gives the next piece of input to the TLS connection. returns: false when the arena is full */
static bool feed(struct worker *worker, struct conn *conn) {
  if (!has_input(conn)) return true;
  if (conn->tls == NULL) {
    sl_err err = sl_conn_new(&conn->tls, worker->server->config);
    if (err != SL_OK) {
      count_failure(worker, conn, err, sl_err_text(err));
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
    conn->in_len -= wire_len;
    conn->in_first = conn->in_first->next;
    if (conn->in_first == NULL) conn->in_last = &conn->in_first;
  }
  sl_err err = sl_conn_feed(conn->tls, &worker->batch, wire, wire_len, plain, plain_cap);
  if (err == SL_OK) {
    conn->fed = plain;
    return true;
  }
  end_feed(worker, conn);
  if (err != SL_E_CLOSED) { /* which only means that the peer sends on after its end: ignored */
    count_failure(worker, conn, err, sl_err_text(err));
    conn_kill(worker, conn, true);
  }
  return true;
}

/* The answer is given out: the next request's turn, or the end. */
static void end_exchange(struct worker *worker, struct conn *conn) {
  bool is_last = conn->exchange->is_last;
  exchange_free(conn->exchange);
  conn->exchange = NULL;
  if (is_last) {
    conn->wants_close = true;
    drop_input(worker, conn);
  } else if (conn->held != NULL) {
    take_plaintext(worker, conn, conn->held->bytes + conn->held->off, conn->held->len - conn->held->off, true);
  }
}

static bool is_answering(const struct conn *conn) {
  return conn->exchange != NULL && conn->exchange->is_answering;
}

static bool is_able_to_send(const struct conn *conn) {
  return conn->wire == NULL && !conn->is_reading && conn->waits_for == NULL;
}

/* Starts reading file data through the ring. */
static void read_cold(struct worker *worker, struct conn *conn) {
  uint64_t off, len;
  conn->cold = pool_get(&worker->cold);
  if (conn->cold == NULL) {
    conn->waits_for = &worker->cold;
    return;
  }
  int fd = exchange_cold_file(conn->exchange, &off, &len);
  loop_read(worker, conn, fd, off, len < TEXT_LARGE ? (size_t)len : TEXT_LARGE);
}

/* Gathers the text of one send: answers, one after the other as long as they are known. returns: its length; 0 with the
 * connection dead, or reading, or waiting */
static size_t gather_text(struct worker *worker, struct conn *conn, uint8_t *text, size_t cap) {
  size_t len = 0;
  while (len < cap && is_answering(conn)) {
    size_t n;
    enum exchange_read result = exchange_read(conn->exchange, text + len, cap - len, &n);
    len += n;
    if (result == EXCHANGE_BROKEN) {
      /* Ending without close_notify is the way to say that this is not all. */
      COUNT_END(worker, conn, n_shrunk);
      conn_kill(worker, conn, false);
      return 0;
    }
    if (result == EXCHANGE_COLD) {
      if (len == 0) read_cold(worker, conn);
      break;
    }
    if (exchange_left(conn->exchange) == 0) end_exchange(worker, conn);
    if (conn->phase == CONN_DEAD) return 0;
  }
  return len;
}

/* Seals what comes next of the answers into a wire buffer. returns: false when the arena or the batch is full */
static bool send_answers(struct worker *worker, struct conn *conn) {
  enum sl_conn_state state = sl_conn_state(conn->tls);
  if (!is_able_to_send(conn) || (state != SL_CONN_OPEN && state != SL_CONN_PEER_CLOSED)) return true;
  if (sl_conn_output_len(conn->tls) > 0)
    return true; /* older than what would be sealed now: the second half sends it */
  if (sl_batch_room(&worker->batch) < TEXT_LARGE / SL_RECORD_TEXT_MAX + 1) return false;

  uint64_t left = exchange_left(conn->exchange);
  struct pool *pool = left > TEXT_SMALL ? &worker->large : &worker->small;
  size_t cap = left > TEXT_SMALL ? TEXT_LARGE : TEXT_SMALL;
  while (sl_conn_wire_bound(conn->tls, cap) > pool->buf_len) cap /= 2;
  uint8_t *wire = pool_get(pool);
  if (wire == NULL) {
    conn->waits_for = pool;
    return true;
  }
  struct iovec text = {conn->cold, conn->cold_len};
  if (conn->cold_len > 0) {
    conn->cold_is_sealed = true;
    exchange_skip(conn->exchange, conn->cold_len);
    if (exchange_left(conn->exchange) == 0) end_exchange(worker, conn);
  } else {
    text.iov_base = arena_take(&worker->arena, cap);
    if (text.iov_base == NULL) {
      pool_put(pool, wire);
      return false;
    }
    text.iov_len = gather_text(worker, conn, text.iov_base, cap);
    arena_trim(&worker->arena, text.iov_base, text.iov_len);
  }
  if (text.iov_len == 0) {
    pool_put(pool, wire);
    return true;
  }
  conn->wire = wire;
  conn->wire_pool = pool;
  conn->wire_off = 0;
  sl_err err = sl_conn_send(conn->tls, &worker->batch, &text, 1, wire, pool->buf_len, &conn->wire_len);
  if (err != SL_OK) {
    count_failure(worker, conn, err, sl_err_text(err));
    conn_kill(worker, conn, true);
  }
  return true;
}

/* Says close_notify behind everything that was sealed. */
static void say_close(struct worker *worker, struct conn *conn) {
  if (conn->tls == NULL || sl_conn_close(conn->tls, &worker->batch) != SL_OK) {
    conn_kill(worker, conn, false); /* no keys yet to say it with */
    return;
  }
  conn->said_close = true;
  conn->phase = CONN_FLUSH;
  drop_input(worker, conn);
}

bool conn_before_run(struct worker *worker, struct conn *conn) {
  bool has_room = true;
  conn->waits_for = NULL;
  if (conn->phase < CONN_FLUSH && conn->held == NULL && !conn->wants_close) has_room = feed(worker, conn);
  if (conn->phase == CONN_OPEN && is_answering(conn)) has_room = send_answers(worker, conn) && has_room;
  if (conn->phase < CONN_FLUSH && conn->wants_close && !is_answering(conn)) say_close(worker, conn);
  return has_room;
}

/* ---- second half: take what the run made ------------------------------------------------------------------------- */

/* Sends the wire buffer of this turn, with the connection's own output behind it. */
static void transmit(struct worker *worker, struct conn *conn) {
  if (conn->is_sending) return;
  size_t output_len = conn->tls != NULL ? sl_conn_output_len(conn->tls) : 0;
  if (conn->wire == NULL) {
    if (output_len == 0) return;
    conn->wire = pool_get(&worker->small);
    if (conn->wire == NULL) {
      conn->waits_for = &worker->small;
      return;
    }
    conn->wire_pool = &worker->small;
    conn->wire_len = conn->wire_off = 0;
  }
  if (output_len > 0) {
    conn->wire_len +=
        sl_conn_take_output(conn->tls, conn->wire + conn->wire_len, conn->wire_pool->buf_len - conn->wire_len);
  }
  loop_send(worker, conn);
  if (conn->phase != CONN_HANDSHAKE) set_timer(worker, conn, TIMING_SEND, worker->server->options->stall_timeout_ms);
}

static void start_linger(struct worker *worker, struct conn *conn) {
  drop_all(worker, conn);
  conn->phase = CONN_LINGER;
  if (conn->has_fin || shutdown(conn->fd, SHUT_WR) != 0) {
    conn_kill(worker, conn, false);
    return;
  }
  set_timer(worker, conn, TIMING_LINGER, LINGER_MS);
}

/* Looks at what the peer's end means, once everything before it is answered. */
static void heed_end(struct worker *worker, struct conn *conn) {
  if (conn->phase >= CONN_FLUSH || has_input(conn) || is_answering(conn) || conn->wire != NULL) return;
  if (conn->tls != NULL && sl_conn_state(conn->tls) == SL_CONN_PEER_CLOSED) {
    conn->wants_close = true;
  } else if (conn->has_fin) {
    /* A peer that leaves before it said a word is no failure. */
    if (conn->tls != NULL && sl_conn_feed_end(conn->tls) != SL_OK) {
      const struct sl_failure *failure = sl_conn_failure(conn->tls);
      count_failure(worker, conn, failure->reason, failure->text);
    }
    conn_kill(worker, conn, false);
  }
}

static bool has_work(const struct conn *conn) {
  if (conn->phase >= CONN_FLUSH) return false;
  if (has_input(conn) && conn->held == NULL && !conn->wants_close) return true;
  if (is_answering(conn)) return conn->phase == CONN_OPEN && is_able_to_send(conn);
  return conn->wants_close;
}

static void set_deadline(struct worker *worker, struct conn *conn) {
  const struct options *options = worker->server->options;
  if (conn->phase == CONN_HANDSHAKE || conn->phase == CONN_LINGER || conn->is_sending) return; /* theirs is running */
  if (conn->is_reading || conn->waits_for != NULL || has_work(conn)) {
    clear_timer(worker, conn); /* it waits for us */
  } else if (conn->exchange != NULL) {
    uint64_t body_len = conn->exchange->request.body_len;
    if (conn->timing == TIMING_REQUEST && body_len - conn->body_mark < BODY_PROGRESS_LEN) return;
    conn->body_mark = body_len;
    set_timer(worker, conn, TIMING_REQUEST, options->stall_timeout_ms);
  } else if (conn->timing != TIMING_IDLE) {
    set_timer(worker, conn, TIMING_IDLE, worker->is_draining ? DRAIN_IDLE_MS : options->idle_timeout_ms);
  }
}

/* After the run: states, plaintext, and what can be sent. */
static void look_at_results(struct worker *worker, struct conn *conn) {
  enum sl_conn_state state = sl_conn_state(conn->tls);
  if (state == SL_CONN_FAILED) {
    const struct sl_failure *failure = sl_conn_failure(conn->tls);
    count_failure(worker, conn, failure->reason, failure->text);
    conn->phase = CONN_FLUSH; /* the alert */
    drop_input(worker, conn);
  } else if (conn->phase == CONN_HANDSHAKE && state != SL_CONN_HANDSHAKING) {
    conn->phase = CONN_OPEN;
    stats_add(&worker->stats.n_handshakes, 1);
  }
  if (conn->fed != NULL) {
    size_t len = sl_conn_plain_len(conn->tls);
    if (len > 0 && conn->phase < CONN_FLUSH) take_plaintext(worker, conn, conn->fed, len, false);
  }
}

void conn_after_run(struct worker *worker, struct conn *conn) {
  if (conn->tls != NULL && conn->phase <= CONN_FLUSH) look_at_results(worker, conn);
  if (conn->feeding_recv >= 0 || conn->feeding_kept != NULL) end_feed(worker, conn);
  if (conn->cold_is_sealed) drop_cold(worker, conn);
  if (conn->phase <= CONN_FLUSH) transmit(worker, conn);
  heed_end(worker, conn);
  if (conn->phase == CONN_FLUSH && !conn->is_sending && conn->waits_for == NULL) start_linger(worker, conn);
  if (conn->phase == CONN_DEAD) {
    list_remove(&conn->queue);
    list_append(&worker->dead, &conn->queue);
    return;
  }
  if (!conn->recv_is_armed && !conn->has_fin && conn->in_len == 0) loop_recv(worker, conn);
  if (has_work(conn)) {
    queue(worker, conn);
  } else if (conn->waits_for != NULL) {
    list_append(&conn->waits_for->waiters, &conn->queue);
  }
  set_deadline(worker, conn);
}

/* ---- other events ------------------------------------------------------------------------------------------------ */

void conn_sent(struct worker *worker, struct conn *conn, int result) {
  conn->n_ops--;
  conn->is_sending = false;
  if (conn->phase == CONN_DEAD) return;
  if (result <= 0 && result != -EINTR && result != -EAGAIN) {
    if (conn->phase < CONN_FLUSH) COUNT_END(worker, conn, n_resets);
    conn_kill(worker, conn, false);
    return;
  }
  if (result > 0) {
    conn->wire_off += (size_t)result;
    stats_add(&worker->stats.wire_out_bytes, (uint64_t)result);
  }
  if (conn->wire_off < conn->wire_len) {
    loop_send(worker, conn);
    return;
  }
  drop_wire(conn);
  queue(worker, conn);
}

void conn_has_read(struct worker *worker, struct conn *conn, int result) {
  conn->n_ops--;
  conn->is_reading = false;
  if (conn->phase == CONN_DEAD) return;
  if (result == -EINTR || result == -EAGAIN) {
    drop_cold(worker, conn);
  } else if (result <= 0) {
    COUNT_END(worker, conn, n_shrunk);
    conn_kill(worker, conn, false);
    return;
  } else {
    conn->cold_len = (size_t)result;
  }
  queue(worker, conn);
}

void conn_timed_out(struct worker *worker, struct conn *conn) {
  enum conn_timing timing = conn->timing;
  conn->timing = TIMING_NONE;
  switch (timing) {
  case TIMING_HANDSHAKE:
    COUNT_END(worker, conn, n_handshake_timeouts);
    conn_kill(worker, conn, true);
    break;
  case TIMING_IDLE:
    if (!worker->is_draining) COUNT_END(worker, conn, n_idle_timeouts);
    conn->wants_close = true;
    queue(worker, conn);
    break;
  case TIMING_REQUEST: {
    COUNT_END(worker, conn, n_stalls);
    struct exchange_context context = context_of(worker, conn, true);
    if (exchange_refuse(conn->exchange, &context, 408)) {
      queue(worker, conn);
    } else {
      conn_kill(worker, conn, true);
    }
    break;
  }
  case TIMING_SEND:
    COUNT_END(worker, conn, n_stalls);
    conn_kill(worker, conn, true);
    break;
  case TIMING_LINGER:
    conn_kill(worker, conn, true);
    break;
  case TIMING_NONE:
    break;
  }
}

void conn_drain(struct worker *worker, struct conn *conn) {
  if (conn->phase == CONN_HANDSHAKE) {
    set_timer(worker, conn, TIMING_HANDSHAKE, conn->tls == NULL ? DRAIN_IDLE_MS : LINGER_MS);
  } else if (conn->timing == TIMING_IDLE) {
    set_timer(worker, conn, TIMING_IDLE, DRAIN_IDLE_MS);
  }
}
