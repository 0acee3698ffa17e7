/* output.c - what a connection says by itself, in the order it is to be transmitted: handshake flights, key updates,
 * alerts (RFC 8446 section 6), and how it fails. */
#include "conn.h"

sl_err sl_output_plain(struct sl_conn *conn, uint8_t type, const uint8_t *data, size_t len) {
  uint8_t header[SL_RECORD_HEADER_LEN] = {type, SL_TLS_1_2 >> 8, SL_TLS_1_2 & 0xff};
  if (len > SL_RECORD_TEXT_MAX) return SL_E_LENGTH;
  sl_store16_be(header + 3, (uint16_t)len);
  sl_err err = sl_buffer_reserve(&conn->output, sizeof header + len);
  if (!err) err = sl_buffer_append(&conn->output, header, sizeof header);
  if (!err) err = sl_buffer_append(&conn->output, data, len);
  return err;
}

/* Describes the seal of one record at the end of the output, where room has been made. */
static sl_err seal_at_end(struct sl_conn *conn, struct sl_record *record, struct sl_record_key *key, uint8_t type,
                          const uint8_t *data, size_t len) {
  struct iovec text = {(void *)(uintptr_t)data, len};
  struct sl_buffer *out = &conn->output;
  sl_err err = sl_record_seal(record, key, type, &text, 1, 0, out->data + out->len, out->cap - out->len);
  if (!err) out->len += (uint32_t)record->wire_len;
  return err;
}

/* Appends one protected record at once. Only for steps: nothing that uses the key waits then. */
static sl_err seal_now(struct sl_conn *conn, struct sl_record_key *key, uint8_t type, const uint8_t *data, size_t len) {
  struct sl_record record = {0};
  sl_err err = sl_buffer_reserve(&conn->output, SL_RECORD_WIRE_LEN(len, 0));
  if (!err) err = seal_at_end(conn, &record, key, type, data, len);
  return err ? err : sl_record_run(&record);
}

sl_err sl_output_flight(struct sl_conn *conn, struct sl_batch *batch, struct sl_record_key *key, const uint8_t *data,
                        size_t len) {
  size_t n_records = (len + SL_RECORD_TEXT_MAX - 1) / SL_RECORD_TEXT_MAX;
  sl_err err = sl_buffer_reserve(&conn->output, len + n_records * SL_RECORD_OVERHEAD);
  struct sl_record **end = &conn->opened;
  for (size_t at = 0; at < len && !err; at += SL_RECORD_TEXT_MAX) {
    size_t text_len = len - at < SL_RECORD_TEXT_MAX ? len - at : SL_RECORD_TEXT_MAX;
    struct sl_record *record = sl_batch_lend(batch, &conn->task);
    if (record == NULL) {
      err = seal_now(conn, key, SL_CONTENT_HANDSHAKE, data + at, text_len);
      continue;
    }
    err = seal_at_end(conn, record, key, SL_CONTENT_HANDSHAKE, data + at, text_len);
    if (!err) err = sl_batch_add_lent(batch, record);
    if (err) {
      sl_batch_return(batch, record);
    } else {
      *end = record;
      end = &record->next;
    }
  }
  return err;
}

/* The key the connection protects its own records with now; NULL: none yet. */
static struct sl_record_key *write_key(struct sl_conn *conn) {
  if (conn->state == SL_EXPECT_DATA) return &conn->write;
  enum sl_level level = conn->handshake ? conn->handshake->write_level : SL_LEVEL_PLAIN;
  switch (level) {
  case SL_LEVEL_HANDSHAKE:
    return &conn->handshake->write;
  case SL_LEVEL_TRAFFIC:
    return &conn->write;
  case SL_LEVEL_PLAIN:
    break;
  }
  return NULL;
}

static sl_err say_alert(struct sl_conn *conn, unsigned alert) {
  enum { WARNING = 1, FATAL = 2 }; /* section 6: close_notify and user_canceled are warnings, the level means nothing */
  uint8_t record[2] = {alert == SL_ALERT_CLOSE_NOTIFY ? WARNING : FATAL, (uint8_t)alert};
  struct sl_record_key *key = write_key(conn);
  return key ? seal_now(conn, key, SL_CONTENT_ALERT, record, sizeof record)
             : sl_output_plain(conn, SL_CONTENT_ALERT, record, sizeof record);
}

/* ---- key updates and the end of a turn ------------------------------------------------------------------------ */

bool sl_key_is_worn(const struct sl_record_key *key) {
  uint64_t reserve = key->limit / SL_KEY_RESERVE_FRACTION + 1;
  return key->seq >= key->limit || key->limit - key->seq <= reserve;
}

sl_err sl_conn_replace_key(struct sl_conn *conn, struct sl_record_key *key, struct sl_secret *secret) {
  const struct sl_suite_params *suite = sl_suite_params(conn->suite);
  sl_err err = sl_secret_update(suite->hash, secret);
  return err ? err : sl_secret_record_key(suite->hash, suite->aead, secret, key);
}

static sl_err say_key_update(struct sl_conn *conn) {
  uint8_t message[SL_MESSAGE_HEADER_LEN + 1] = {SL_MSG_KEY_UPDATE, 0, 0, 1, SL_UPDATE_NOT_REQUESTED};
  if (conn->update_asks) message[SL_MESSAGE_HEADER_LEN] = SL_UPDATE_REQUESTED;
  sl_err err = seal_now(conn, &conn->write, SL_CONTENT_HANDSHAKE, message, sizeof message);
  if (err) return err;
  conn->update_asked |= conn->update_asks;
  conn->update_due = conn->update_asks = false;
  conn->update_waits = true;
  return sl_conn_replace_key(conn, &conn->write, &conn->write_secret);
}

sl_err sl_output_due(struct sl_conn *conn) {
  if (conn->has_failed) return SL_OK;
  sl_err err = SL_OK;
  if (conn->state == SL_EXPECT_DATA && !conn->write_closed) {
    if (sl_key_is_worn(&conn->write)) conn->update_due = true;
    if (sl_key_is_worn(&conn->read) && !conn->update_asked && !conn->read_closed)
      conn->update_due = conn->update_asks = true;
    if (conn->update_due) err = say_key_update(conn);
  }
  if (conn->says_close && !err) {
    err = say_alert(conn, SL_ALERT_CLOSE_NOTIFY);
    conn->says_close = false;
  }
  return err;
}

/* ---- failures ------------------------------------------------------------------------------------------------- */

bool sl_conn_fail(struct sl_conn *conn, struct sl_batch *batch, const struct sl_failure *failure) {
  if (conn->has_failed) return false;
  bool is_told = batch != NULL && !failure->alert_received && failure->alert != SL_ALERT_NONE &&
                 (!conn->write_closed || conn->says_close);
  /* Nothing can be done about an alert that cannot be said: the failure is what counts. */
  if (is_told) (void)!say_alert(conn, failure->alert);
  sl_wipe(&conn->read_secret, sizeof conn->read_secret);
  sl_wipe(&conn->write_secret, sizeof conn->write_secret);
  conn->has_failed = true;
  conn->says_close = conn->update_due = false;
  conn->failure = *failure;
  sl_input_drop(conn, batch);
  sl_handshake_free(conn);
  if (batch != NULL) {
    sl_record_key_wipe(&conn->read);
    sl_record_key_wipe(&conn->write);
  }
  return false;
}

bool sl_conn_fail_plainly(struct sl_conn *conn, struct sl_batch *batch, sl_err reason) {
  struct sl_failure failure = {.extension = -1};
  sl_refuse_plainly(&failure, reason);
  return sl_conn_fail(conn, batch, &failure);
}

bool sl_conn_count_idle(struct sl_conn *conn, struct sl_batch *batch) {
  if (++conn->n_idle <= SL_IDLE_RECORDS_MAX) return true;
  struct sl_failure failure = {.extension = -1};
  sl_refuse(&failure, SL_E_IDLE_RECORDS, "the client sent over %u records in a row that carry no data",
            SL_IDLE_RECORDS_MAX);
  return sl_conn_fail(conn, batch, &failure);
}
