/* conn.c - one connection: wire bytes in, plaintext to http.c, answers from exchange.c, wire bytes out.
 *
 *   received -> provided buffer -> feed | run | plaintext -> request -> answer
 *   answer -> arena -> send | run | wire buffer -> ring
 *
 * At most one wire buffer is on its way per connection (the socket's own buffer keeps the line busy while the next is
 * sealed), and while plaintext waits behind the answer being sent (pipelining) nothing more is fed: first the wire bytes
 * gather, then receiving stops, then the peer's window closes. */
#define _GNU_SOURCE
#include "conn.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
    conn->peer.len = sizeof(conn->peer.in6);
    getpeername(fd, &conn->peer.any, &conn->peer.len);
  }
  stats_add(&worker->stats.n_accepted, 1);
  set_timer(worker, conn, TIMING_HANDSHAKE, options->handshake_timeout_ms);
  loop_recv(worker, conn);
  return true;
}

/* The peer has all that was sent. What it has not acknowledged is lost by a reset. */
static bool is_all_acked(const struct conn *conn) {
  int n;
  return ioctl(conn->fd, SIOCOUTQ, &n) != 0 || n == 0;
}

/* The peer takes what it was sent, if slowly. Asked by the kernel's count of acknowledged bytes: that a send ends says
 * little, since the kernel holds megabytes and asks for more only when a third of them is gone. */
static void watch_progress(struct worker *worker, struct conn *conn) {
  struct tcp_info info = {0};
  socklen_t len = sizeof(info);
  if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return;
  if (info.tcpi_bytes_acked - conn->acked_mark < PROGRESS_LEN) return;
  conn->acked_mark = info.tcpi_bytes_acked;
  conn->progress_ms = worker->now_ms;
}

/* Patience is shorter for those who hold a buffer that others wait for: who reads nothing must not stop who does. */
static bool has_stalled(struct worker *worker, struct conn *conn) {
  uint64_t limit_ms = worker->server->options->stall_timeout_ms;
  if (conn->wire != NULL && !list_is_empty(&conn->wire_pool->waiters)) limit_ms /= 4;
  watch_progress(worker, conn);
  return worker->now_ms - conn->progress_ms >= limit_ms;
}

/* Looks several times within a --stall-timeout, which thus is kept within a quarter. */
static void set_send_timer(struct worker *worker, struct conn *conn) {
  set_timer(worker, conn, TIMING_SEND, worker->server->options->stall_timeout_ms / 4);
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
  shutdown(conn->fd, SHUT_RDWR); /* ends its operations in the ring, but for reads */
  if (conn->is_reading) loop_read_cancel(worker, conn);
  if (conn->is_in_turn) return;
  list_remove(&conn->queue);
  list_append(&worker->dead, &conn->queue);
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
  input_drop(worker, conn);
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

void conn_count(struct worker *worker, const struct conn *conn, _Atomic uint64_t *counter, const char *why) {
  stats_add(counter, 1);
  if (!worker->server->options->is_verbose) return;
  char peer[ADDRESS_TEXT_CAP];
  address_write(&conn->peer, peer);
  fprintf(stderr, "%s: %s\n", peer, why);
}

void conn_count_failure(struct worker *worker, struct conn *conn, sl_err err, const char *why) {
  if (conn->has_failed) return;
  conn->has_failed = true;
  conn_count(worker, conn, &worker->stats.n_failed[err < SL_ERR_END ? err : SL_OK], why);
}

/* ---- first half: send ------------------------------------------------------------------------------------------ */

/* The answer is given out: the next request's turn, or the end. */
static void end_exchange(struct worker *worker, struct conn *conn) {
  bool is_last = conn->exchange->is_last;
  exchange_free(conn->exchange);
  conn->exchange = NULL;
  if (is_last) {
    conn->wants_close = true;
    input_drop(worker, conn);
  } else if (conn->held != NULL) {
    input_parse(worker, conn, conn->held->bytes + conn->held->off, conn->held->len - conn->held->off, true);
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
  loop_read(worker, conn, fd, off, len < TEXT_LARGE ? (size_t)len : TEXT_LARGE, conn->exchange->must_block);
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
      CONN_COUNT_END(worker, conn, n_shrunk);
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
    conn_count_failure(worker, conn, err, sl_err_text(err));
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
  input_drop(worker, conn);
}

bool conn_before_run(struct worker *worker, struct conn *conn) {
  bool has_room = true;
  conn->waits_for = NULL;
  if (conn->phase < CONN_FLUSH && conn->held == NULL && !conn->wants_close) has_room = input_feed(worker, conn);
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
  if (conn->phase == CONN_HANDSHAKE) return;
  conn->progress_ms = worker->now_ms;
  set_send_timer(worker, conn);
}

static void start_linger(struct worker *worker, struct conn *conn) {
  drop_all(worker, conn);
  conn->phase = CONN_LINGER;
  if (conn->has_fin || shutdown(conn->fd, SHUT_WR) != 0) {
    conn_kill(worker, conn, false);
    return;
  }
  conn->progress_ms = worker->now_ms;
  set_timer(worker, conn, TIMING_LINGER, LINGER_MS);
}

/* Looks at what the peer's end means, once everything before it is answered. */
static void heed_end(struct worker *worker, struct conn *conn) {
  if (conn->phase >= CONN_FLUSH || input_is_waiting(conn) || is_answering(conn) || conn->wire != NULL) return;
  if (conn->tls != NULL && sl_conn_state(conn->tls) == SL_CONN_PEER_CLOSED) {
    conn->wants_close = true;
  } else if (conn->has_fin) {
    /* A peer that leaves before it said a word is no failure. */
    if (conn->tls != NULL && sl_conn_feed_end(conn->tls) != SL_OK) {
      const struct sl_failure *failure = sl_conn_failure(conn->tls);
      conn_count_failure(worker, conn, failure->reason, failure->text);
    }
    conn_kill(worker, conn, false);
  }
}

static bool has_work(const struct conn *conn) {
  if (conn->phase >= CONN_FLUSH) return false;
  if (input_is_waiting(conn) && conn->held == NULL && !conn->wants_close) return true;
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
    if (conn->timing == TIMING_REQUEST && body_len - conn->body_mark < PROGRESS_LEN) return;
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
    conn_count_failure(worker, conn, failure->reason, failure->text);
    conn->phase = CONN_FLUSH; /* the alert */
    input_drop(worker, conn);
  } else if (conn->phase == CONN_HANDSHAKE && state != SL_CONN_HANDSHAKING) {
    conn->phase = CONN_OPEN;
    stats_add(&worker->stats.n_handshakes, 1);
  }
  if (conn->fed != NULL) {
    size_t len = sl_conn_plain_len(conn->tls);
    if (len > 0 && conn->phase < CONN_FLUSH) input_parse(worker, conn, conn->fed, len, false);
  }
}

void conn_after_run(struct worker *worker, struct conn *conn) {
  if (conn->tls != NULL && conn->phase <= CONN_FLUSH) look_at_results(worker, conn);
  if (conn->feeding_recv >= 0 || conn->feeding_kept != NULL) input_end_feed(worker, conn);
  if (conn->cold_is_sealed) drop_cold(worker, conn);
  if (conn->phase <= CONN_FLUSH) transmit(worker, conn);
  heed_end(worker, conn);
  /* A read in flight still writes to its buffer: that is given back when it has ended. */
  if (conn->phase == CONN_FLUSH && !conn->is_sending && !conn->is_reading && conn->waits_for == NULL) {
    start_linger(worker, conn);
  }
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

void conn_received(struct worker *worker, struct conn *conn, int result, int buffer_id, bool is_last) {
  if (is_last) {
    conn->recv_is_armed = false;
    conn->n_ops--;
  }
  if (buffer_id >= 0) {
    if (result > 0 && conn->phase != CONN_DEAD) {
      input_take(worker, conn, buffer_id, (size_t)result);
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
    if (conn->phase < CONN_FLUSH) CONN_COUNT_END(worker, conn, n_resets);
    conn_kill(worker, conn, false);
    return;
  }
  queue(worker, conn); /* whose second half also asks for more, if this receive has ended */
}

void conn_sent(struct worker *worker, struct conn *conn, int result) {
  conn->n_ops--;
  conn->is_sending = false;
  if (conn->phase == CONN_DEAD) return;
  if (result <= 0 && result != -EINTR && result != -EAGAIN) {
    if (conn->phase < CONN_FLUSH) CONN_COUNT_END(worker, conn, n_resets);
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
    CONN_COUNT_END(worker, conn, n_shrunk);
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
    CONN_COUNT_END(worker, conn, n_handshake_timeouts);
    conn_kill(worker, conn, true);
    break;
  case TIMING_IDLE:
    if (!worker->is_draining) CONN_COUNT_END(worker, conn, n_idle_timeouts);
    conn->wants_close = true;
    queue(worker, conn);
    break;
  case TIMING_REQUEST: {
    CONN_COUNT_END(worker, conn, n_stalls);
    struct exchange_context context = conn_context(worker, conn, true);
    if (exchange_refuse(conn->exchange, &context, 408)) {
      queue(worker, conn);
    } else {
      conn_kill(worker, conn, true);
    }
    break;
  }
  case TIMING_SEND:
  case TIMING_LINGER:
    if (timing == TIMING_LINGER && is_all_acked(conn)) {
      conn_kill(worker, conn, false);
    } else if (has_stalled(worker, conn)) {
      CONN_COUNT_END(worker, conn, n_stalls);
      conn_kill(worker, conn, true);
    } else if (timing == TIMING_SEND) {
      set_send_timer(worker, conn);
    } else {
      set_timer(worker, conn, TIMING_LINGER, LINGER_MS);
    }
    break;
  case TIMING_NONE:
    break;
  }
}

bool conn_is_owed(const struct conn *conn) {
  return conn->phase != CONN_DEAD && (conn->exchange != NULL || conn->wire != NULL || !is_all_acked(conn));
}

void conn_drain(struct worker *worker, struct conn *conn) {
  if (conn->phase == CONN_HANDSHAKE) {
    set_timer(worker, conn, TIMING_HANDSHAKE, conn->tls == NULL ? DRAIN_IDLE_MS : LINGER_MS);
  } else if (conn->timing == TIMING_IDLE) {
    set_timer(worker, conn, TIMING_IDLE, DRAIN_IDLE_MS);
  }
}
