/* conn.c - the calls of tls.h on connections. They only note what is asked for and add records to the batch; what follows
 * happens in the task's step. */
#include "conn.h"
#include <sealane/cpu.h>
#include <stdlib.h>

/* ---- life ----------------------------------------------------------------------------------------------------- */

sl_err sl_conn_new(struct sl_conn **out, struct sl_config *config) {
  *out = NULL;
  if (config->credentials == NULL) return SL_E_STATE;
  sl_err err = sl_kernels_check(NULL, 0);
  if (err) return err;
  struct sl_conn *conn = aligned_alloc(_Alignof(struct sl_conn), sizeof *conn);
  if (conn == NULL) return SL_E_MEMORY;
  memset(conn, 0, sizeof *conn);
  conn->task.step = sl_conn_step;
  conn->config = sl_config_ref(config);
  conn->window = SL_OPEN_WINDOW_MAX;
  *out = conn;
  return SL_OK;
}

void sl_conn_free(struct sl_conn *conn) {
  if (conn == NULL) return;
  if (conn->handshake != NULL) conn->handshake->work_place = SL_WORK_NONE;
  sl_handshake_free(conn);
  sl_buffer_free(&conn->kept);
  sl_buffer_free(&conn->message);
  sl_buffer_free(&conn->output);
  free(conn->names);
  sl_config_free(conn->config);
  sl_wipe(conn, sizeof *conn);
  free(conn);
}

enum sl_conn_state sl_conn_state(const struct sl_conn *conn) {
  if (conn->has_failed) return SL_CONN_FAILED;
  if (conn->write_closed) return SL_CONN_CLOSED;
  if (conn->read_closed) return SL_CONN_PEER_CLOSED;
  return conn->state == SL_EXPECT_DATA ? SL_CONN_OPEN : SL_CONN_HANDSHAKING;
}

/* ---- in ------------------------------------------------------------------------------------------------------- */

static bool ranges_overlap(const void *a, size_t a_len, const void *b, size_t b_len) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return a_len > 0 && b_len > 0 && x < y + b_len && y < x + a_len;
}

size_t sl_conn_plain_bound(const struct sl_conn *conn, size_t wire_len) {
  return conn->kept.len + wire_len;
}

sl_err sl_conn_feed(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *wire, size_t wire_len, uint8_t *plain,
                    size_t plain_cap) {
  if (conn->is_fed) return SL_E_STATE;
  conn->plain_len = 0;
  if (conn->has_failed || conn->read_closed) return SL_E_CLOSED;
  if (wire_len == 0) return SL_OK;
  if (wire == NULL || plain == NULL) return SL_E_ARG;
  if (plain_cap < sl_conn_plain_bound(conn, wire_len)) return SL_E_SPACE;
  if (ranges_overlap(wire, wire_len, plain, plain_cap)) return SL_E_OVERLAP;
  sl_err err = sl_input_feed(conn, wire, wire_len);
  if (err) return err;
  conn->plain = plain;
  conn->opened_off = conn->opened_end = 0;
  conn->is_fed = true;
  /* Data can be opened in the run's first round; everything else is the step's business, as is what did not fit. */
  if (conn->state == SL_EXPECT_DATA) (void)!sl_input_open(conn, batch);
  if (conn->opened == NULL) sl_batch_wake(batch, &conn->task);
  return SL_OK;
}

size_t sl_conn_plain_len(const struct sl_conn *conn) {
  return conn->plain_len;
}

sl_err sl_conn_feed_end(struct sl_conn *conn) {
  if (conn->is_fed) return SL_E_STATE;
  if (conn->has_failed) return SL_E_CLOSED;
  if (conn->read_closed) return SL_OK;
  struct sl_failure failure = {.extension = -1};
  sl_refuse(&failure, SL_E_TRUNCATED, "%s",
            conn->state == SL_EXPECT_DATA ? sl_err_text(SL_E_TRUNCATED)
                                          : "the stream ended in the middle of the handshake");
  sl_conn_fail(conn, NULL, &failure);
  return SL_E_TRUNCATED;
}

/* ---- out ------------------------------------------------------------------------------------------------------ */

static size_t records_for(size_t text_len) {
  return text_len / SL_RECORD_TEXT_MAX + (text_len % SL_RECORD_TEXT_MAX != 0);
}

size_t sl_conn_wire_bound(const struct sl_conn *conn, size_t text_len) {
  (void)conn;
  size_t n_records = records_for(text_len);
  return n_records > (SIZE_MAX - text_len) / SL_RECORD_OVERHEAD ? SIZE_MAX : text_len + n_records * SL_RECORD_OVERHEAD;
}

/* A place in a list of pieces. */
struct gather {
  const struct iovec *text;
  size_t n_text, off; /* off: bytes of the first piece that are taken */
};

/* Takes len bytes that are there: where they stand when they are in one piece, else copied to `copy`. */
static const uint8_t *gather_take(struct gather *g, size_t len, uint8_t *copy) {
  while (g->text->iov_len == g->off) {
    g->text++;
    g->off = 0;
  }
  if (g->text->iov_len - g->off >= len) {
    const uint8_t *at = (const uint8_t *)g->text->iov_base + g->off;
    g->off += len;
    return at;
  }
  for (size_t done = 0; done < len;) {
    size_t rest = g->text->iov_len - g->off, n = rest < len - done ? rest : len - done;
    if (n > 0) memcpy(copy + done, (const uint8_t *)g->text->iov_base + g->off, n);
    done += n;
    g->off += n;
    if (done < len) {
      g->text++;
      g->off = 0;
    }
  }
  return copy;
}

/* Everything that could go wrong with a send, before anything is done. */
static sl_err check_send(const struct sl_conn *conn, const struct sl_batch *batch, const struct iovec *text,
                         size_t n_text, const uint8_t *wire, size_t wire_cap, size_t *total) {
  *total = 0;
  if (conn->has_failed || conn->write_closed) return SL_E_CLOSED;
  if (conn->state != SL_EXPECT_DATA) return SL_E_STATE;
  if (n_text > 0 && text == NULL) return SL_E_ARG;
  for (size_t i = 0; i < n_text; i++) {
    if (text[i].iov_len > 0 && text[i].iov_base == NULL) return SL_E_ARG;
    if (text[i].iov_len > SIZE_MAX / 2 - *total) return SL_E_LENGTH;
    *total += text[i].iov_len;
  }
  size_t wire_len = sl_conn_wire_bound(conn, *total), n_records = records_for(*total);
  if (*total == 0) return SL_OK;
  if (wire == NULL) return SL_E_ARG;
  if (wire_cap < wire_len) return SL_E_SPACE;
  for (size_t i = 0; i < n_text; i++) {
    bool is_in_place = n_text == 1 && n_records == 1 && text[i].iov_base == wire + SL_RECORD_HEADER_LEN;
    if (!is_in_place && ranges_overlap(text[i].iov_base, text[i].iov_len, wire, wire_len)) return SL_E_OVERLAP;
  }
  if (n_records > sl_batch_room(batch)) return SL_E_FULL;
  /* The key's last record is the KeyUpdate that replaces it. */
  if (n_records >= conn->write.limit - conn->write.seq) return SL_E_SEQ;
  return SL_OK;
}

static sl_err send_record(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *data, size_t len,
                          uint8_t *wire) {
  struct iovec piece = {(void *)(uintptr_t)data, len};
  struct sl_record *record = sl_batch_lend(batch, NULL);
  if (record == NULL) return SL_E_FULL;
  sl_err err =
      sl_record_seal(record, &conn->write, SL_CONTENT_APPLICATION_DATA, &piece, 1, 0, wire, SL_RECORD_WIRE_LEN(len, 0));
  if (!err) err = sl_batch_add_lent(batch, record);
  if (err) sl_batch_return(batch, record);
  return err;
}

sl_err sl_conn_send(struct sl_conn *conn, struct sl_batch *batch, const struct iovec *text, size_t n_text,
                    uint8_t *wire, size_t wire_cap, size_t *wire_len) {
  size_t total;
  *wire_len = 0;
  sl_err err = check_send(conn, batch, text, n_text, wire, wire_cap, &total);
  if (err == SL_E_SEQ) { /* the run replaces the key, and the same send is possible after it */
    conn->update_due = true;
    sl_batch_wake(batch, &conn->task);
  }
  if (err || total == 0) return err;
  struct gather g = {text, n_text, 0};
  size_t at = 0;
  for (size_t done = 0, len; done < total && !err; done += len, at += SL_RECORD_WIRE_LEN(len, 0)) {
    len = total - done < SL_RECORD_TEXT_MAX ? total - done : SL_RECORD_TEXT_MAX;
    err = send_record(conn, batch, gather_take(&g, len, wire + at + SL_RECORD_HEADER_LEN), len, wire + at);
  }
  if (err) return err;
  if (sl_key_is_worn(&conn->write)) sl_batch_wake(batch, &conn->task);
  conn->n_idle = 0;
  *wire_len = at;
  return SL_OK;
}

sl_err sl_conn_close(struct sl_conn *conn, struct sl_batch *batch) {
  if (conn->has_failed || conn->write_closed) return SL_OK;
  conn->write_closed = conn->says_close = true;
  sl_batch_wake(batch, &conn->task);
  return SL_OK;
}

sl_err sl_conn_key_update(struct sl_conn *conn, struct sl_batch *batch, bool ask_peer) {
  if (conn->has_failed || conn->write_closed) return SL_E_CLOSED;
  if (conn->state != SL_EXPECT_DATA) return SL_E_STATE;
  conn->update_due = true;
  conn->update_asks |= ask_peer;
  sl_batch_wake(batch, &conn->task);
  return SL_OK;
}

size_t sl_conn_output_len(const struct sl_conn *conn) {
  return conn->output.len;
}

size_t sl_conn_take_output(struct sl_conn *conn, uint8_t *wire, size_t cap) {
  size_t n = conn->output.len < cap ? conn->output.len : cap;
  if (n == 0) return 0;
  memcpy(wire, conn->output.data, n);
  sl_buffer_consume(&conn->output, n);
  if (conn->output.len == 0) conn->update_waits = false;
  return n;
}

sl_err sl_conn_sign_complete(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *sig, size_t sig_len) {
  struct sl_handshake *hs = conn->handshake;
  if (hs == NULL || hs->work_place != SL_WORK_AWAY) return SL_E_STATE;
  if (sig_len > sizeof hs->sig) return SL_E_LENGTH;
  hs->work_place = SL_WORK_NONE;
  if (conn->has_failed || conn->read_closed) { /* the handshake ended meanwhile: only its memory waited */
    sl_handshake_free(conn);
    return SL_E_CLOSED;
  }
  hs->work_err = sig == NULL ? SL_E_SIGN : SL_OK;
  hs->sig_len = sig == NULL ? 0 : sig_len;
  if (sig != NULL) {
    memcpy(hs->sig, sig, sig_len);
    batch->stats.n_signatures++;
  }
  sl_batch_wake(batch, &conn->task);
  return SL_OK;
}

/* ---- what happened -------------------------------------------------------------------------------------------- */

void sl_conn_info(const struct sl_conn *conn, struct sl_negotiated *info) {
  /* Everything is chosen when the ClientHello is accepted; before the ServerHello is said it may still fail. */
  const struct sl_handshake *hs = conn->handshake;
  bool is_chosen = conn->state >= SL_AWAIT_SIGNATURE;
  const char *name = conn->names ? conn->names : "";
  *info = (struct sl_negotiated){
      .version = "TLS 1.3",
      .suite = is_chosen ? sl_suite_name(conn->suite) : "",
      .group = is_chosen ? sl_group_at(conn->group_at)->name : "",
      .signature_scheme = is_chosen ? sl_signature_scheme_name(conn->scheme) : "",
      .server_name = name,
      .alpn = conn->names && is_chosen ? name + strlen(name) + 1 : "",
      .kernel =
          sl_aead_key_kernel(hs != NULL && hs->write_level == SL_LEVEL_HANDSHAKE ? &hs->write.aead : &conn->write.aead),
      .retried = conn->was_retried,
  };
}

const struct sl_failure *sl_conn_failure(const struct sl_conn *conn) {
  static const struct sl_failure none = {.alert = SL_ALERT_NONE, .extension = -1};
  return conn->has_failed ? &conn->failure : &none;
}
