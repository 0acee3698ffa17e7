/* input.c - from bytes that arrived to content, in order (RFC 8446 section 5).
 *
 * Opening is optimistic: all whole records of a feed are opened side by side, each at the place its content has if no
 * record is padded and none is a handshake message, which is to say almost always. Results are then taken in order.
 * Padding leaves gaps: later content moves down. A KeyUpdate makes the results behind it worthless: they are dropped, and
 * the same wire bytes opened again with the new key. Before the handshake is done, records are opened one at a time. */
#include "conn.h"
#include <stdarg.h>
#include <stdio.h>

/* ---- cutting records ------------------------------------------------------------------------------------------ */

/* The text of a protected record as far as its length shows: what it has when it is not padded. */
#define ASSUMED_TEXT_LEN(wire_len) ((wire_len)-SL_RECORD_OVERHEAD)
static size_t fragment_len(const uint8_t *header) {
  return sl_load16_be(header + 3);
}

static bool is_content_type(uint8_t type) {
  return type >= SL_CONTENT_CHANGE_CIPHER_SPEC && type <= SL_CONTENT_APPLICATION_DATA;
}

/* Can a record begin like this? The version means nothing (5.1: "MUST be ignored for all purposes"). No suite here makes
 * 256 bytes of expansion, but whether a record is too long inside is known only of an authentic one: forgeries up to this
 * length are bad_record_mac, or early data (5.2). */
static bool is_header_legal(const uint8_t *header) {
  size_t max = header[0] == SL_CONTENT_APPLICATION_DATA ? SL_RECORD_FRAGMENT_MAX : SL_RECORD_TEXT_MAX;
  return is_content_type(header[0]) && fragment_len(header) <= max;
}

/* How many bytes from `at` are whole records. A header that is not legal is whole as it is: nothing follows it. */
static size_t whole_records_len(const uint8_t *at, size_t len) {
  size_t whole = 0;
  while (len - whole >= SL_RECORD_HEADER_LEN) {
    const uint8_t *header = at + whole;
    if (!is_header_legal(header)) return len;
    size_t record_len = SL_RECORD_HEADER_LEN + fragment_len(header);
    if (record_len > len - whole) break;
    whole += record_len;
  }
  return whole;
}

/* How many of the bytes from `at` continue the record that was begun in kept[0..kept_len); *is_whole: they complete it. */
static size_t continued_len(const uint8_t *kept, size_t kept_len, const uint8_t *at, size_t len, bool *is_whole) {
  uint8_t header[SL_RECORD_HEADER_LEN];
  *is_whole = false;
  size_t n_kept = kept_len < sizeof header ? kept_len : sizeof header, n_new = sizeof header - n_kept;
  if (n_new > len) return len;
  memcpy(header, kept, n_kept);
  memcpy(header + n_kept, at, n_new);
  *is_whole = true;
  if (!is_header_legal(header)) return n_new;
  size_t rest = SL_RECORD_HEADER_LEN + fragment_len(header) - kept_len;
  if (rest <= len) return rest;
  *is_whole = false;
  return len;
}

sl_err sl_input_feed(struct sl_conn *conn, const uint8_t *wire, size_t wire_len) {
  bool is_whole = false;
  size_t kept_len = conn->kept.len;
  size_t head = kept_len > 0 ? continued_len(conn->kept.data, kept_len, wire, wire_len, &is_whole) : 0;
  size_t middle = whole_records_len(wire + head, wire_len - head);
  size_t tail = wire_len - head - middle;
  sl_err err = sl_buffer_reserve(&conn->kept, head + tail);
  if (err) return err;
  (void)!sl_buffer_append(&conn->kept, wire, head); /* room has been made */
  (void)!sl_buffer_append(&conn->kept, wire + head + middle, tail);
  conn->carry_len = is_whole ? (uint16_t)(kept_len + head) : 0;
  conn->carry_taken = false;
  conn->wire = wire + head;
  conn->wire_end = conn->wire + middle;
  return SL_OK;
}

/* A place between two records of this turn. */
struct cursor {
  const uint8_t *carry, *at; /* carry: the record at the front of `kept`, NULL when it was taken or there is none */
};

static struct cursor cursor_of(const struct sl_conn *conn) {
  bool has_carry = conn->carry_len > 0 && !conn->carry_taken;
  return (struct cursor){has_carry ? conn->kept.data : NULL, conn->wire};
}

/* The next record; NULL: none is left. */
static const uint8_t *cursor_record(const struct sl_conn *conn, const struct cursor *cursor) {
  if (cursor->carry != NULL) return cursor->carry;
  return cursor->at < conn->wire_end ? cursor->at : NULL;
}

/* Goes behind the record, whose header is legal. */
static void cursor_pass(struct cursor *cursor, const uint8_t *record) {
  if (cursor->carry != NULL)
    cursor->carry = NULL;
  else
    cursor->at += SL_RECORD_HEADER_LEN + fragment_len(record);
}

/* The next record is dealt with. */
static void pass_record(struct sl_conn *conn) {
  struct cursor cursor = cursor_of(conn);
  cursor_pass(&cursor, cursor_record(conn, &cursor));
  conn->carry_taken = conn->carry_len > 0;
  conn->wire = cursor.at;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

sl_err sl_input_open(struct sl_conn *conn, struct sl_batch *batch) {
  bool is_traffic = sl_state_level(conn->state) == SL_LEVEL_TRAFFIC;
  struct sl_record_key *key = is_traffic ? &conn->read : &conn->handshake->read;
  struct cursor cursor = cursor_of(conn);
  struct sl_record **end = &conn->opened;
  const uint8_t *wire;
  sl_err err = SL_OK;
  size_t n = 0, n_max = is_traffic ? conn->window : 1;
  conn->opened_off = conn->opened_end = conn->plain_len;
  for (; n < n_max && (wire = cursor_record(conn, &cursor)) != NULL; n++) {
    if (wire[0] != SL_CONTENT_APPLICATION_DATA || !is_header_legal(wire)) break;
    size_t wire_len = SL_RECORD_HEADER_LEN + fragment_len(wire);
    if (wire_len < SL_RECORD_OVERHEAD) { /* too short for a tag and a type: it cannot be authentic */
      err = SL_E_AUTH;
      break;
    }
    size_t text_len = ASSUMED_TEXT_LEN(wire_len);
    struct sl_record *record = sl_batch_lend(batch, &conn->task);
    if (record == NULL) {
      err = SL_E_FULL;
      break;
    }
    err = sl_record_open(record, key, wire, wire_len, conn->plain + conn->opened_end, text_len);
    if (!err) err = sl_batch_add_lent(batch, record);
    if (err) {
      sl_batch_return(batch, record);
      break;
    }
    *end = record;
    end = &record->next;
    conn->opened_end += text_len;
    cursor_pass(&cursor, wire);
  }
  return n > 0 ? SL_OK : err;
}

void sl_input_reopen(struct sl_conn *conn, struct sl_batch *batch) {
  while (conn->opened != NULL) {
    struct sl_record *record = conn->opened;
    conn->opened = record->next;
    sl_batch_return(batch, record);
  }
  if (conn->opened_end > conn->plain_len) sl_wipe(conn->plain + conn->plain_len, conn->opened_end - conn->plain_len);
  conn->opened_off = conn->opened_end = conn->plain_len;
}

void sl_input_drop(struct sl_conn *conn, struct sl_batch *batch) {
  sl_input_reopen(conn, batch);
  conn->wire = conn->wire_end = NULL;
  conn->carry_len = 0;
  sl_buffer_free(&conn->kept);
  sl_buffer_free(&conn->message);
}

/* ---- content -------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool refuse(struct sl_conn *conn, struct sl_batch *batch, sl_err reason,
                                                         const char *format, ...) {
  struct sl_failure failure = {.extension = -1};
  va_list args;
  va_start(args, format);
  sl_refuse_plainly(&failure, reason);
  vsnprintf(failure.text, sizeof failure.text, format, args);
  va_end(args);
  return sl_conn_fail(conn, batch, &failure);
}

static const char *const level_names[] = {"an unprotected", "a handshake-protected", "a traffic-protected"};

static bool refuse_type(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t type) {
  return refuse(conn, batch, SL_E_RECORD_TYPE, "%s record of type %u (%s) must not stand here", level_names[level],
                type, sl_content_type_name(type));
}

/* One record's content; `level` is what protected it. False: the connection failed. */
typedef bool receive_fn(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t *data, size_t len);

/* "An implementation may receive an unencrypted record of type change_cipher_spec consisting of the single byte value 0x01
 * at any time after the first ClientHello message has been sent or received and before the peer's Finished message has
 * been received and MUST simply drop it" (section 5). */
static bool receive_ccs(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t *data, size_t len) {
  bool is_allowed = level == SL_LEVEL_PLAIN && conn->state != SL_EXPECT_CLIENT_HELLO && conn->state != SL_EXPECT_DATA;
  if (!is_allowed) return refuse_type(conn, batch, level, SL_CONTENT_CHANGE_CIPHER_SPEC);
  if (len != 1 || data[0] != 1)
    return refuse(conn, batch, SL_E_RECORD_TYPE, "a change_cipher_spec record of %zu bytes is not the one byte 1", len);
  return sl_conn_count_idle(conn, batch);
}

static bool receive_close(struct sl_conn *conn, struct sl_batch *batch) {
  conn->read_closed = true; /* "Any data received after a closure alert has been received MUST be ignored" (6.1) */
  sl_input_drop(conn, batch);
  return true;
}

/* The level byte is ignored: the description alone says what an alert means (section 6). */
static bool receive_alert(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t *data,
                          size_t len) {
  if (len == 0) return refuse_type(conn, batch, level, SL_CONTENT_ALERT); /* 5.4 asks for unexpected_message */
  if (len != 2) return refuse(conn, batch, SL_E_DECODE, "an alert record of %zu bytes instead of 2", len);
  unsigned alert = data[1];
  if (alert == SL_ALERT_USER_CANCELED) return sl_conn_count_idle(conn, batch);
  if (alert == SL_ALERT_CLOSE_NOTIFY && conn->state == SL_EXPECT_DATA) return receive_close(conn, batch);
  struct sl_failure failure = {.alert = (uint16_t)alert, .alert_received = true, .extension = -1};
  sl_refuse(&failure, SL_E_PEER_ALERT, "the client ended the %s with alert %u (%s)",
            conn->state == SL_EXPECT_DATA ? "connection" : "handshake", alert, sl_alert_name(alert));
  failure.alert = (uint16_t)alert;
  return sl_conn_fail(conn, batch, &failure);
}

static bool receive_handshake(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t *data,
                              size_t len) {
  (void)level;
  return sl_server_take(conn, batch, data, len);
}

static bool receive_data(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t *data, size_t len) {
  if (level != SL_LEVEL_TRAFFIC) return refuse_type(conn, batch, level, SL_CONTENT_APPLICATION_DATA);
  if (len == 0) return sl_conn_count_idle(conn, batch);
  uint8_t *to = conn->plain + conn->plain_len;
  if (to != data) memmove(to, data, len);
  conn->plain_len += len;
  conn->n_idle = 0;
  return true;
}

static receive_fn *const receivers[] = {
    [SL_CONTENT_CHANGE_CIPHER_SPEC] = receive_ccs,
    [SL_CONTENT_ALERT] = receive_alert,
    [SL_CONTENT_HANDSHAKE] = receive_handshake,
    [SL_CONTENT_APPLICATION_DATA] = receive_data,
};

/* Hands content on. "If a handshake message is split over two or more records, there MUST NOT be any other records between
 * them" (5.1); but an alert that ends the connection is worth more to its operator than this rule. */
static bool receive(struct sl_conn *conn, struct sl_batch *batch, enum sl_level level, uint8_t type, uint8_t *data,
                    size_t len) {
  if (!is_content_type(type)) return refuse_type(conn, batch, level, type);
  bool is_alert =
      type == SL_CONTENT_ALERT && len == 2 && data[1] != SL_ALERT_CLOSE_NOTIFY && data[1] != SL_ALERT_USER_CANCELED;
  if (conn->message.len > 0 && type != SL_CONTENT_HANDSHAKE && !is_alert)
    return refuse(conn, batch, SL_E_RECORD_TYPE,
                  "%s record of type %u (%s) stands between parts of a handshake message", level_names[level], type,
                  sl_content_type_name(type));
  return receivers[type](conn, batch, level, data, len);
}

/* ---- early data (4.2.10) -------------------------------------------------------------------------------------- */

/* A record of 0-RTT data that was offered and not accepted: passed over, up to a limit. False: the connection failed. */
static bool skip_early_data(struct sl_conn *conn, struct sl_batch *batch, size_t wire_len) {
  struct sl_handshake *hs = conn->handshake;
  hs->early_skipped += (uint32_t)wire_len;
  if (hs->early_skipped <= SL_EARLY_SKIP_MAX) return true;
  return refuse(conn, batch, SL_E_EARLY_DATA, "the client sent over %u bytes of early data that nobody accepted",
                SL_EARLY_SKIP_MAX);
}

/* ---- taking records in order ---------------------------------------------------------------------------------- */

/* What a header that cannot be one says about who is there. */
static bool refuse_header(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *header) {
  static const char *const http_methods[] = {"GET ", "HEAD", "POST", "PUT ", "OPTI",
                                             "CONN", "DELE", "PATC", "TRAC", "PRI "};
  bool is_first = conn->state == SL_EXPECT_CLIENT_HELLO && conn->message.len == 0;
  if (is_content_type(header[0]))
    return refuse(conn, batch, SL_E_RECORD_OVERFLOW, "a record of type %s announces %zu bytes, more than are allowed",
                  sl_content_type_name(header[0]), fragment_len(header));
  for (size_t i = 0; is_first && i < sizeof http_methods / sizeof http_methods[0]; i++)
    if (memcmp(header, http_methods[i], 4) == 0)
      return refuse(conn, batch, SL_E_NOT_TLS, "client speaks plain HTTP on a TLS port");
  enum { SSL2_CLIENT_HELLO = 1 };
  if (is_first && (header[0] & 0x80) != 0 && header[2] == SSL2_CLIENT_HELLO && header[3] <= 3)
    return refuse(conn, batch, SL_E_VERSION, "client offers SSL 2.0 framing, this server accepts TLS 1.3");
  if (is_first)
    return refuse(conn, batch, SL_E_NOT_TLS, "client does not speak TLS: its first bytes are %02x %02x %02x %02x %02x",
                  header[0], header[1], header[2], header[3], header[4]);
  return refuse(conn, batch, SL_E_RECORD_TYPE, "a record of the unknown type %u", header[0]);
}

/* An unprotected record. False: the connection failed. */
static bool take_plain(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *wire) {
  enum sl_level level = sl_state_level(conn->state);
  const struct sl_handshake *hs = conn->handshake;
  uint8_t type = wire[0];
  size_t len = fragment_len(wire);
  pass_record(conn);
  if (type == SL_CONTENT_APPLICATION_DATA && hs != NULL && hs->skips_early_data && conn->message.len == 0)
    return skip_early_data(conn, batch, SL_RECORD_HEADER_LEN + len);
  /* A client that cannot go on after our ServerHello has no keys for its alert. */
  bool is_allowed = level == SL_LEVEL_PLAIN || type == SL_CONTENT_CHANGE_CIPHER_SPEC ||
                    (type == SL_CONTENT_ALERT && level == SL_LEVEL_HANDSHAKE && hs->read.seq == 0);
  if (!is_allowed) return refuse_type(conn, batch, SL_LEVEL_PLAIN, type);
  /* receivers do not write to content that was not opened */
  return receive(conn, batch, SL_LEVEL_PLAIN, type, (uint8_t *)(uintptr_t)(wire + SL_RECORD_HEADER_LEN), len);
}

/* The next record, which was or should have been opened with `level`'s key, did not authenticate. */
static bool take_forged(struct sl_conn *conn, struct sl_batch *batch, size_t wire_len) {
  pass_record(conn);
  if (sl_state_level(conn->state) == SL_LEVEL_HANDSHAKE && conn->handshake->skips_early_data)
    return skip_early_data(conn, batch, wire_len);
  return refuse(conn, batch, SL_E_AUTH, "a record of %zu bytes failed authentication: wrong key, or changed on the way",
                wire_len);
}

/* The first of the opened records that were not taken. False: the connection failed. */
static bool take_opened(struct sl_conn *conn, struct sl_batch *batch) {
  struct sl_record *lent = conn->opened, record = *lent;
  enum sl_level level = sl_state_level(conn->state);
  size_t text_len = ASSUMED_TEXT_LEN(record.wire_len);
  uint8_t *text = conn->plain + conn->opened_off;
  conn->opened = record.next;
  conn->opened_off += text_len;
  sl_batch_return(batch, lent);
  if (record.err == SL_E_AUTH) {
    if (level == SL_LEVEL_HANDSHAKE) conn->handshake->read.seq--; /* of early data: it was not this key's */
    return take_forged(conn, batch, record.wire_len);
  }
  pass_record(conn);
  if (level == SL_LEVEL_HANDSHAKE) conn->handshake->skips_early_data = false;
  if (record.err == SL_E_LENGTH) return sl_conn_fail_plainly(conn, batch, SL_E_RECORD_OVERFLOW);
  if (record.err) return sl_conn_fail_plainly(conn, batch, record.err);
  bool is_well = receive(conn, batch, level, record.type, text, record.plain_len);
  if (record.type != SL_CONTENT_APPLICATION_DATA) sl_wipe(text, text_len);
  return is_well;
}

/* Goes on with the next record that nothing was done about. False: it must be waited for. */
static bool take_next(struct sl_conn *conn, struct sl_batch *batch, const uint8_t *wire) {
  if (!is_header_legal(wire)) {
    refuse_header(conn, batch, wire);
    return true;
  }
  if (wire[0] != SL_CONTENT_APPLICATION_DATA || sl_state_level(conn->state) == SL_LEVEL_PLAIN) {
    take_plain(conn, batch, wire);
    return true;
  }
  sl_err err = sl_input_open(conn, batch);
  if (err == SL_OK) return false;
  if (err == SL_E_FULL) { /* the next round has room */
    sl_batch_wake(batch, &conn->task);
    return false;
  }
  if (err == SL_E_AUTH)
    take_forged(conn, batch, SL_RECORD_HEADER_LEN + fragment_len(wire));
  else
    sl_conn_fail_plainly(conn, batch, err);
  return true;
}

/* Everything that arrived has been dealt with. */
static void end_turn(struct sl_conn *conn, struct sl_batch *batch) {
  if (conn->carry_len > 0) sl_buffer_consume(&conn->kept, conn->carry_len);
  conn->carry_len = 0;
  conn->wire = conn->wire_end = NULL;
  conn->is_fed = false;
  sl_err err = sl_output_due(conn);
  if (err) sl_conn_fail_plainly(conn, batch, err);
}

/* All results of one opening were taken: wipes what content that moved down, or went elsewhere, left behind, and trusts
 * the next one to go as well. */
static void end_window(struct sl_conn *conn) {
  if (conn->opened_end > conn->plain_len) sl_wipe(conn->plain + conn->plain_len, conn->opened_end - conn->plain_len);
  conn->opened_end = conn->plain_len;
  conn->window = conn->window < SL_OPEN_WINDOW_MAX / 2 ? conn->window * 2 : SL_OPEN_WINDOW_MAX;
}

/* One thing after another. False: nothing is left but waiting. */
static bool go_on(struct sl_conn *conn, struct sl_batch *batch) {
  struct sl_handshake *hs = conn->handshake;
  if (conn->opened != NULL) {
    if (conn->opened->err == SL_E_PENDING) return false;
    if (conn->state == SL_AWAIT_FLIGHT) return sl_server_go_on(conn, batch);
    if (take_opened(conn, batch) && conn->opened == NULL) end_window(conn);
    return true;
  }
  if (hs != NULL && hs->work_place == SL_WORK_QUEUED) return false;
  if (conn->says_close && conn->state != SL_EXPECT_DATA) { /* closed in the middle of a handshake: nothing goes on */
    sl_err err = sl_output_due(conn);
    if (err) return sl_conn_fail_plainly(conn, batch, err);
    sl_handshake_free(conn);
    return receive_close(conn, batch);
  }
  if (!conn->has_failed && !conn->read_closed && sl_server_go_on(conn, batch)) return true;
  struct cursor cursor = cursor_of(conn);
  const uint8_t *wire = cursor_record(conn, &cursor);
  if (wire != NULL) return take_next(conn, batch, wire);
  end_turn(conn, batch);
  return false;
}

void sl_conn_step(struct sl_task *task, struct sl_batch *batch) {
  struct sl_conn *conn = sl_conn_of_task(task);
  while (go_on(conn, batch)) continue;
}
