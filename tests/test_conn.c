/* test_conn.c - connections from the outside: records, handshake messages in every state, alerts, key updates, early data,
 * signers that answer late, sends of every shape (RFC 8446 sections 4.2.10, 4.6.3, 5 and 6). */
#define _GNU_SOURCE /* memmem */
#include "made_certs.h"
#include "session.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_config *config;
static const size_t feed_lens[] = {SIZE_MAX, 1};
static const char *const suites[] = {"\x13\x01", "\x13\x02", "\x13\x03"};
enum { N_SUITES = 3 };

/* ---- records that are refused ----------------------------------------------------------------------------------- */

static void raw(struct client *c, const void *bytes, size_t len) {
  assert_int_equal(sl_buffer_append(&c->wire, bytes, len), SL_OK);
}
#define RAW(c, bytes)          raw(c, bytes, sizeof(bytes) - 1)
#define PLAIN(c, type, bytes)  client_plain(c, type, bytes, sizeof(bytes) - 1)
#define SEALED(c, type, bytes) client_sealed(c, type, bytes, sizeof(bytes) - 1, 0)
#define ACT(name)              static void name(struct client *c)

/* A protected record of content that sl_record_seal() would not make. */
static void seal_inner(struct client *c, const uint8_t *inner, size_t len) {
  uint8_t *wire = malloc(5 + len + 16);
  assert_non_null(wire);
  memcpy(wire, (uint8_t[]){23, 3, 3, (uint8_t)((len + 16) >> 8), (uint8_t)(len + 16)}, 5);
  struct sl_aead_job job = {.key = &c->write.aead,
                            .aad = wire,
                            .aad_len = 5,
                            .in = inner,
                            .len = len,
                            .out = wire + 5,
                            .tag = wire + 5 + len};
  memcpy(job.nonce, c->write.iv, 12);
  for (int i = 0; i < 8; i++) job.nonce[4 + i] ^= (uint8_t)(c->write.seq >> (56 - 8 * i));
  c->write.seq++;
  assert_int_equal(sl_aead_seal(&job, 1), 0);
  raw(c, wire, 5 + len + 16);
  free(wire);
}

static void sealed_of(struct client *c, uint8_t type, size_t len, size_t pad_len) {
  uint8_t *inner = calloc(1, len + 1 + pad_len);
  assert_non_null(inner);
  inner[len] = type;
  seal_inner(c, inner, len + 1 + pad_len);
  free(inner);
}

ACT(http) {
  RAW(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
}
ACT(http2) {
  RAW(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}
ACT(smtp) {
  RAW(c, "EHLO example.org\r\n");
}
ACT(ssl2) {
  RAW(c, "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80");
}
ACT(zeros) {
  RAW(c, "\0\0\0\0\0\0\0");
}
ACT(type_24) {
  RAW(c, "\x18\x03\x03\0\1\1");
}
ACT(type_255) {
  RAW(c, "\xff\x03\x03\0\1\1");
}
ACT(long_handshake) {
  RAW(c, "\x16\x03\x01\x40\x01");
}
ACT(long_alert) {
  RAW(c, "\x15\x03\x01\x40\x01");
}
ACT(long_ccs) {
  RAW(c, "\x14\x03\x01\xff\xff");
}
ACT(long_data) {
  RAW(c, "\x17\x03\x03\x41\x01");
}
/* 2^14 + 18: longer than any suite here makes of a legal text, but only what is authentic is too long inside. */
ACT(forged_18) {
  sealed_of(c, 23, 16385, 0), c->wire.data[c->wire.len - 1] ^= 1;
}
ACT(forged_256) {
  sealed_of(c, 23, 16623, 0), c->wire.data[100] ^= 1;
}
ACT(content_256) {
  sealed_of(c, 23, 16623, 0);
}
ACT(padding_256) {
  sealed_of(c, 22, 1, 16622);
}
ACT(zeros_256) {
  sealed_of(c, 0, 0, 16623);
}
ACT(early_ccs) {
  PLAIN(c, 20, "\1");
}
ACT(plain_data) {
  PLAIN(c, 23, "0123456789abcdef0");
}
ACT(empty_handshake) {
  PLAIN(c, 22, "");
}
ACT(empty_alert) {
  PLAIN(c, 21, "");
}
ACT(empty_ccs) {
  PLAIN(c, 20, "");
}
ACT(empty_data) {
  PLAIN(c, 23, "");
}
ACT(ccs_2) {
  PLAIN(c, 20, "\2");
}
ACT(ccs_11) {
  PLAIN(c, 20, "\1\1");
}
ACT(alert_1) {
  PLAIN(c, 21, "\2");
}
ACT(alert_3) {
  PLAIN(c, 21, "\2\x28\0");
}
ACT(hello_cut_by_data) {
  PLAIN(c, 22, "\1\0\1\0"), PLAIN(c, 23, "01234567890123456789");
}
ACT(hello_cut_by_ccs) {
  PLAIN(c, 22, "\1\0\1\0"), PLAIN(c, 20, "\1");
}
ACT(hello_cut_by_close) {
  PLAIN(c, 22, "\1\0\1\0"), PLAIN(c, 21, "\1\0");
}
ACT(hello_cut_by_empty) {
  PLAIN(c, 22, "\1\0\1\0"), PLAIN(c, 22, "");
}
ACT(huge_hello) {
  PLAIN(c, 22, "\1\2\1\x45\0");
} /* one more than SL_CLIENT_HELLO_MAX */
ACT(two_hellos) {
  struct sl_buffer message = {0};
  client_write_hello(c, &message);
  raw(c, "\x16\x03\x01", 3);
  raw(c, (uint8_t[]){(uint8_t)((message.len + 1) >> 8), (uint8_t)(message.len + 1)}, 2);
  raw(c, message.data, message.len);
  RAW(c, "\1");
  sl_buffer_free(&message);
}

ACT(forged) {
  client_sealed(c, 23, "data", 4, 0), c->wire.data[c->wire.len - 1] ^= 1;
}
ACT(forged_header) {
  client_sealed(c, 23, "data", 4, 0), c->wire.data[2] ^= 1;
}
ACT(wrong_seq) {
  c->write.seq++, SEALED(c, 23, "data");
}
ACT(wrong_key) {
  client_rotate(c), SEALED(c, 23, "data");
}
ACT(short_record) {
  PLAIN(c, 23, "0123456789abcdef");
}
ACT(bare_record) {
  PLAIN(c, 23, "");
}
ACT(only_zeros) {
  seal_inner(c, (const uint8_t *)"\0\0\0\0", 4);
}
ACT(only_one_zero) {
  seal_inner(c, (const uint8_t *)"\0", 1);
}
ACT(sealed_ccs) {
  SEALED(c, 20, "\1");
}
ACT(sealed_type_24) {
  SEALED(c, 24, "\1");
}
ACT(sealed_type_1) {
  SEALED(c, 1, "\1");
}
ACT(sealed_empty_handshake) {
  SEALED(c, 22, "");
}
ACT(sealed_empty_alert) {
  SEALED(c, 21, "");
}
ACT(sealed_padded_alert) {
  client_sealed(c, 21, "", 0, 30);
}
ACT(sealed_alert_1) {
  SEALED(c, 21, "\2");
}
ACT(sealed_alert_4) {
  SEALED(c, 21, "\1\0\1\0");
}
ACT(sealed_data) {
  SEALED(c, 23, "data");
}
ACT(sealed_empty_data) {
  SEALED(c, 23, "");
}
ACT(plain_handshake) {
  PLAIN(c, 22,
        "\x14\0\0\x20"
        "01234567890123456789012345678901");
}
ACT(plain_close) {
  PLAIN(c, 21, "\1\0");
}
ACT(content_too_long) {
  sealed_of(c, 23, 16385, 0);
}
ACT(padding_too_long) {
  sealed_of(c, 23, 16000, 385);
}
ACT(finished_31) {
  SEALED(c, 22,
         "\x14\0\0\x1f"
         "0123456789012345678901234567890");
}
ACT(finished_49) {
  SEALED(c, 22,
         "\x14\0\0\x31"
         "0123456789012345678901234567890123456789012345678");
}
ACT(finished_33) {
  SEALED(c, 22,
         "\x14\0\0\x21"
         "012345678901234567890123456789012");
}
ACT(finished_0) {
  SEALED(c, 22, "\x14\0\0\0");
}
ACT(finished_huge) {
  SEALED(c, 22,
         "\x14\xff\xff\xff"
         "0123");
}
ACT(finished_wrong) {
  uint8_t message[4 + SL_HASH_LEN_MAX];
  size_t len = client_finished(c, message);
  message[len - 1] ^= 1;
  client_sealed(c, 22, message, len, 0);
}
ACT(finished_and_more) {
  uint8_t message[4 + SL_HASH_LEN_MAX + 1] = {0};
  size_t len = client_finished(c, message);
  client_sealed(c, 22, message, len + 1, 0);
}
ACT(finished_cut_by_data) {
  SEALED(c, 22, "\x14\0\0"), SEALED(c, 23, "data");
}
ACT(finished_cut_by_ccs) {
  SEALED(c, 22, "\x14\0\0"), PLAIN(c, 20, "\1");
}
ACT(plain_alert_late) {
  SEALED(c, 22, "\x14\0\0"), PLAIN(c, 21, "\2\x28");
}
ACT(update_2) {
  SEALED(c, 22, "\x18\0\0\1\2");
}
ACT(update_255) {
  SEALED(c, 22, "\x18\0\0\1\xff");
}
ACT(update_empty) {
  SEALED(c, 22, "\x18\0\0\0");
}
ACT(update_long) {
  SEALED(c, 22, "\x18\0\0\2\0\0");
}
ACT(update_and_more) {
  SEALED(c, 22, "\x18\0\0\1\0\x18\0\0\1\0");
}
ACT(update_old_key) {
  SEALED(c, 22, "\x18\0\0\1\0"), SEALED(c, 23, "data");
}
ACT(update_cut_by_data) {
  SEALED(c, 22, "\x18\0\0"), SEALED(c, 23, "data");
}
ACT(update_cut_by_close) {
  SEALED(c, 22, "\x18\0\0"), SEALED(c, 21, "\1\0");
}
ACT(update_cut_by_cancel) {
  SEALED(c, 22, "\x18"), SEALED(c, 21, "\1\x5a");
}
ACT(many_empty) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) SEALED(c, 23, "");
}
ACT(many_updates) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) client_say_key_update(c, 0);
}
ACT(many_requests) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) client_say_key_update(c, 1);
}
ACT(many_ccs) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) PLAIN(c, 20, "\1");
}
ACT(many_cancels) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) PLAIN(c, 21, "\1\x5a");
}
ACT(many_sealed_cancels) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX; i++) SEALED(c, 21, "\1\x5a");
}

#define NOT_TLS  SL_E_NOT_TLS, SL_ALERT_UNEXPECTED_MESSAGE
#define TYPE     SL_E_RECORD_TYPE, SL_ALERT_UNEXPECTED_MESSAGE
#define OVERFLOW SL_E_RECORD_OVERFLOW, SL_ALERT_RECORD_OVERFLOW
#define DECODE   SL_E_DECODE, SL_ALERT_DECODE_ERROR
#define MESSAGE  SL_E_MESSAGE, SL_ALERT_UNEXPECTED_MESSAGE
#define MAC      SL_E_AUTH, SL_ALERT_BAD_RECORD_MAC
#define NO_TYPE  SL_E_NO_CONTENT_TYPE, SL_ALERT_UNEXPECTED_MESSAGE
#define IDLE     SL_E_IDLE_RECORDS, SL_ALERT_UNEXPECTED_MESSAGE
#define UPDATE   SL_E_PARAMETER, SL_ALERT_ILLEGAL_PARAMETER

static const struct {
  enum session_stage stage;
  const char *name;
  void (*act)(struct client *c);
  sl_err reason;
  enum sl_alert alert;
} refused[] = {
#define ROW(stage, act, ...)                                                                                           \
  { STAGE_##stage, #stage " " #act, act, __VA_ARGS__ }
    ROW(NEW, http, NOT_TLS),
    ROW(NEW, http2, NOT_TLS),
    ROW(NEW, smtp, NOT_TLS),
    ROW(NEW, ssl2, SL_E_VERSION, SL_ALERT_PROTOCOL_VERSION),
    ROW(NEW, zeros, NOT_TLS),
    ROW(NEW, type_24, NOT_TLS),
    ROW(NEW, type_255, NOT_TLS),
    ROW(NEW, long_handshake, OVERFLOW),
    ROW(NEW, long_alert, OVERFLOW),
    ROW(NEW, long_ccs, OVERFLOW),
    ROW(NEW, long_data, OVERFLOW),
    ROW(NEW, early_ccs, TYPE),
    ROW(NEW, plain_data, TYPE),
    ROW(NEW, empty_handshake, TYPE),
    ROW(NEW, empty_alert, TYPE),
    ROW(NEW, empty_data, TYPE),
    ROW(NEW, alert_1, DECODE),
    ROW(NEW, alert_3, DECODE),
    ROW(NEW, hello_cut_by_data, TYPE),
    ROW(NEW, hello_cut_by_ccs, TYPE),
    ROW(NEW, hello_cut_by_close, TYPE),
    ROW(NEW, hello_cut_by_empty, TYPE),
    ROW(NEW, huge_hello, DECODE),
    ROW(NEW, two_hellos, MESSAGE),
    ROW(NEW, many_cancels, IDLE),
    ROW(RETRY, http, TYPE),
    ROW(RETRY, long_handshake, OVERFLOW),
    ROW(RETRY, plain_data, TYPE),
    ROW(RETRY, empty_handshake, TYPE),
    ROW(RETRY, empty_ccs, TYPE),
    ROW(RETRY, ccs_2, TYPE),
    ROW(RETRY, ccs_11, TYPE),
    ROW(RETRY, many_ccs, IDLE),
    ROW(RETRY, hello_cut_by_ccs, TYPE),
    ROW(RETRY, two_hellos, MESSAGE),
    ROW(FLIGHT, type_24, TYPE),
    ROW(FLIGHT, long_data, OVERFLOW),
    ROW(FLIGHT, forged_18, MAC),
    ROW(FLIGHT, forged_256, MAC),
    ROW(FLIGHT, content_256, OVERFLOW),
    ROW(FLIGHT, padding_256, OVERFLOW),
    ROW(FLIGHT, zeros_256, OVERFLOW),
    ROW(FLIGHT, ccs_2, TYPE),
    ROW(FLIGHT, ccs_11, TYPE),
    ROW(FLIGHT, empty_ccs, TYPE),
    ROW(FLIGHT, many_ccs, IDLE),
    ROW(FLIGHT, plain_handshake, TYPE),
    ROW(FLIGHT, empty_alert, TYPE),
    ROW(FLIGHT, alert_1, DECODE),
    ROW(FLIGHT, plain_alert_late, TYPE),
    ROW(FLIGHT, forged, MAC),
    ROW(FLIGHT, forged_header, MAC),
    ROW(FLIGHT, wrong_seq, MAC),
    ROW(FLIGHT, short_record, MAC),
    ROW(FLIGHT, bare_record, MAC),
    ROW(FLIGHT, only_zeros, NO_TYPE),
    ROW(FLIGHT, only_one_zero, NO_TYPE),
    ROW(FLIGHT, sealed_ccs, TYPE),
    ROW(FLIGHT, sealed_type_24, TYPE),
    ROW(FLIGHT, sealed_type_1, TYPE),
    ROW(FLIGHT, sealed_empty_handshake, TYPE),
    ROW(FLIGHT, sealed_empty_alert, TYPE),
    ROW(FLIGHT, sealed_padded_alert, TYPE),
    ROW(FLIGHT, sealed_alert_1, DECODE),
    ROW(FLIGHT, sealed_data, TYPE),
    ROW(FLIGHT, sealed_empty_data, TYPE),
    ROW(FLIGHT, content_too_long, OVERFLOW),
    ROW(FLIGHT, padding_too_long, OVERFLOW),
    ROW(FLIGHT, finished_0, DECODE),
    ROW(FLIGHT, finished_31, DECODE),
    ROW(FLIGHT, finished_33, DECODE),
    ROW(FLIGHT, finished_49, DECODE),
    ROW(FLIGHT, finished_huge, DECODE),
    ROW(FLIGHT, finished_wrong, SL_E_FINISHED, SL_ALERT_DECRYPT_ERROR),
    ROW(FLIGHT, finished_and_more, MESSAGE),
    ROW(FLIGHT, finished_cut_by_data, TYPE),
    ROW(FLIGHT, finished_cut_by_ccs, TYPE),
    ROW(OPEN, http, TYPE),
    ROW(OPEN, type_255, TYPE),
    ROW(OPEN, long_data, OVERFLOW),
    ROW(OPEN, forged_18, MAC),
    ROW(OPEN, forged_256, MAC),
    ROW(OPEN, content_256, OVERFLOW),
    ROW(OPEN, padding_256, OVERFLOW),
    ROW(OPEN, zeros_256, OVERFLOW),
    ROW(OPEN, early_ccs, TYPE),
    ROW(OPEN, plain_handshake, TYPE),
    ROW(OPEN, plain_close, TYPE),
    ROW(OPEN, forged, MAC),
    ROW(OPEN, forged_header, MAC),
    ROW(OPEN, wrong_seq, MAC),
    ROW(OPEN, wrong_key, MAC),
    ROW(OPEN, short_record, MAC),
    ROW(OPEN, bare_record, MAC),
    ROW(OPEN, only_zeros, NO_TYPE),
    ROW(OPEN, only_one_zero, NO_TYPE),
    ROW(OPEN, sealed_ccs, TYPE),
    ROW(OPEN, sealed_type_24, TYPE),
    ROW(OPEN, sealed_type_1, TYPE),
    ROW(OPEN, sealed_empty_handshake, TYPE),
    ROW(OPEN, sealed_empty_alert, TYPE),
    ROW(OPEN, sealed_padded_alert, TYPE),
    ROW(OPEN, sealed_alert_1, DECODE),
    ROW(OPEN, sealed_alert_4, DECODE),
    ROW(OPEN, content_too_long, OVERFLOW),
    ROW(OPEN, padding_too_long, OVERFLOW),
    ROW(OPEN, update_2, UPDATE),
    ROW(OPEN, update_255, UPDATE),
    ROW(OPEN, update_empty, DECODE),
    ROW(OPEN, update_long, DECODE),
    ROW(OPEN, update_and_more, MESSAGE),
    ROW(OPEN, update_old_key, MAC),
    ROW(OPEN, update_cut_by_data, TYPE),
    ROW(OPEN, update_cut_by_close, TYPE),
    ROW(OPEN, update_cut_by_cancel, TYPE),
    ROW(OPEN, many_empty, IDLE),
    ROW(OPEN, many_updates, IDLE),
    ROW(OPEN, many_requests, IDLE),
    ROW(OPEN, many_sealed_cancels, IDLE),
};

static void test_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    for (size_t f = 0; f < 2; f++) {
      struct session s;
      session_open(&s, config, refused[i].stage, feed_lens[f]);
      refused[i].act(&s.client);
      session_carry(&s);
      session_refused(&s, refused[i].reason, refused[i].alert, refused[i].name);
      assert_false(sl_conn_failure(s.pump.conn)->alert_received);
      session_close(&s);
    }
}

static void test_sentences(void **state) {
  static const struct {
    void (*act)(struct client *c);
    const char *text;
  } rows[] = {
      {http, "client speaks plain HTTP on a TLS port"},
      {ssl2, "client offers SSL 2.0 framing, this server accepts TLS 1.3"},
      {smtp, "client does not speak TLS: its first bytes are 45 48 4c 4f 20"},
      {long_handshake, "a record of type handshake announces 16385 bytes, more than are allowed"},
      {early_ccs, "an unprotected record of type 20 (change_cipher_spec) must not stand here"},
      {huge_hello, "a ClientHello cannot have 131397 bytes"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    rows[i].act(&s.client);
    session_carry(&s);
    assert_string_equal(sl_conn_failure(s.pump.conn)->text, rows[i].text);
    session_close(&s);
  }
}

/* ---- every message in every state -------------------------------------------------------------------------------- */

static void test_every_message(void **state) {
  static const uint8_t legal[] = {
      [STAGE_NEW] = SL_MSG_CLIENT_HELLO,
      [STAGE_RETRY] = SL_MSG_CLIENT_HELLO,
      [STAGE_FLIGHT] = SL_MSG_FINISHED,
      [STAGE_OPEN] = SL_MSG_KEY_UPDATE,
  };
  (void)state;
  for (unsigned stage = STAGE_NEW; stage <= STAGE_OPEN; stage++)
    for (unsigned type = 0; type < 256; type++)
      for (size_t len = 1; len <= 37; len += 36) {
        char what[40];
        uint8_t message[37] = {(uint8_t)type, 0, 0, 33};
        snprintf(what, sizeof what, "stage %u message %u", stage, type);
        struct session s;
        session_open(&s, config, (enum session_stage)stage, SIZE_MAX);
        if (stage >= STAGE_FLIGHT)
          client_sealed(&s.client, SL_CONTENT_HANDSHAKE, message, len, 0);
        else
          client_plain(&s.client, SL_CONTENT_HANDSHAKE, message, len);
        session_carry(&s);
        if (type == legal[stage] && len == 1)
          assert_int_not_equal(sl_conn_state(s.pump.conn), SL_CONN_FAILED); /* it waits for the rest */
        else if (type == legal[stage])
          session_refused(&s, SL_E_DECODE, SL_ALERT_DECODE_ERROR, what);
        else
          session_refused(&s, SL_E_MESSAGE, SL_ALERT_UNEXPECTED_MESSAGE, what);
        if (type != legal[stage]) assert_int_equal(sl_conn_failure(s.pump.conn)->message, type);
        session_close(&s);
      }
}

/* ---- handshakes that are unusual and right ------------------------------------------------------------------------ */

static void test_ccs_between(void **state) {
  (void)state;
  for (size_t f = 0; f < 2; f++) {
    struct session s;
    session_open(&s, config, STAGE_RETRY, feed_lens[f]);
    for (int i = 0; i < 10; i++) PLAIN(&s.client, 20, "\1");
    client_add_share(&s.client);
    client_say_hello(&s.client);
    session_carry(&s);
    for (int i = 0; i < 10; i++) PLAIN(&s.client, 20, "\1");
    client_say_finished(&s.client);
    session_carry(&s);
    session_works(&s, "CCS everywhere");
    session_close(&s);
  }
}

/* The Finished in many records, padded, all suites; data right behind it in the same feed. */
static void test_fragmented_finished(void **state) {
  (void)state;
  for (size_t suite = 0; suite < N_SUITES; suite++)
    for (size_t piece = 1; piece < 40; piece += 6)
      for (size_t f = 0; f < 2; f++) {
        struct session s;
        session_open(&s, config, STAGE_NEW, SIZE_MAX);
        buffer_set(&s.client.hello.suites, suites[suite], 2);
        client_say_hello(&s.client);
        session_carry(&s);
        s.feed_len = feed_lens[f];
        uint8_t message[4 + SL_HASH_LEN_MAX];
        size_t len = client_finished(&s.client, message);
        for (size_t at = 0; at < len; at += piece)
          client_sealed(&s.client, 22, message + at, len - at < piece ? len - at : piece, at % 5);
        s.client.write_level = CLIENT_TRAFFIC;
        assert_int_equal(
            sl_secret_record_key(s.client.suite->hash, s.client.suite->aead, &s.client.write_secret, &s.client.write),
            SL_OK);
        SEALED(&s.client, 23, "right behind");
        session_carry(&s);
        assert_int_equal(s.pump.received.len, 12);
        assert_memory_equal(s.pump.received.data, "right behind", 12);
        session_works(&s, "fragmented Finished");
        assert_null(s.pump.conn->handshake);
        session_close(&s);
      }
}

/* ---- early data --------------------------------------------------------------------------------------------------- */

static void early_record(struct client *c, size_t len) {
  uint8_t header[5] = {23, 3, 3, (uint8_t)(len >> 8), (uint8_t)len};
  raw(c, header, 5);
  for (size_t i = 0; i < len; i++) raw(c, (uint8_t[]){(uint8_t)(i * 31)}, 1);
}

static void test_early_data_skipped(void **state) {
  static const size_t lens[] = {1, 16, 17, 50, 1000, 16640};
  (void)state;
  for (int retries = 0; retries < 2; retries++)
    for (size_t f = 0; f < 2; f++) {
      struct session s;
      session_open(&s, config, STAGE_NEW, feed_lens[f]);
      hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
      if (!retries)
        client_add_share(&s.client);
      else
        hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
      client_say_hello(&s.client);
      PLAIN(&s.client, 20, "\1");
      for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) early_record(&s.client, lens[i]);
      session_carry(&s);
      assert_int_equal(s.client.was_retried, retries);
      early_record(&s.client, 100);
      if (retries) {
        hello_remove(&s.client.hello, SL_EXT_EARLY_DATA);
        client_add_share(&s.client);
        client_say_hello(&s.client);
        session_carry(&s);
      }
      client_say_finished(&s.client);
      session_carry(&s);
      session_works(&s, "early data skipped");
      session_close(&s);
    }
}

static void test_early_data_limits(void **state) {
  (void)state;
  for (int retries = 0; retries < 2; retries++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
    if (!retries)
      client_add_share(&s.client);
    else
      hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
    client_say_hello(&s.client);
    session_carry(&s);
    for (size_t n = 0; n <= SL_EARLY_SKIP_MAX; n += 1005) {
      assert_int_not_equal(sl_conn_state(s.pump.conn), SL_CONN_FAILED);
      early_record(&s.client, 1000);
      session_carry(&s);
    }
    session_refused(&s, SL_E_EARLY_DATA, SL_ALERT_UNEXPECTED_MESSAGE, "too much early data");
    session_close(&s);
  }
  /* Once a record of the second flight was authentic, forgeries are forgeries. */
  struct session s;
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
  client_add_share(&s.client);
  client_say_hello(&s.client);
  session_carry(&s);
  early_record(&s.client, 100);
  SEALED(&s.client, 22, "\x14\0");
  early_record(&s.client, 100);
  session_carry(&s);
  session_refused(&s, SL_E_AUTH, SL_ALERT_BAD_RECORD_MAC, "late early data");
  session_close(&s);
  /* In the middle of a second hello it is an interruption. */
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
  hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
  client_say_hello(&s.client);
  session_carry(&s);
  PLAIN(&s.client, 22, "\1\0");
  early_record(&s.client, 100);
  session_carry(&s);
  session_refused(&s, SL_E_RECORD_TYPE, SL_ALERT_UNEXPECTED_MESSAGE, "early data inside a hello");
  session_close(&s);
}

/* ---- alerts from the peer ----------------------------------------------------------------------------------------- */

static void test_alerts_received(void **state) {
  (void)state;
  for (unsigned stage = STAGE_NEW; stage <= STAGE_OPEN; stage++)
    for (unsigned alert = 0; alert < 256; alert++)
      for (unsigned sealed = 0; sealed < 2; sealed++) {
        if (sealed && stage < STAGE_FLIGHT) continue; /* there are no keys */
        if (!sealed && stage == STAGE_OPEN) continue; /* refused: see above */
        struct session s;
        uint8_t content[2] = {alert % 3, (uint8_t)alert}; /* the level means nothing */
        session_open(&s, config, (enum session_stage)stage, alert % 2 ? 1 : SIZE_MAX);
        if (sealed)
          client_sealed(&s.client, 21, content, 2, 0);
        else
          client_plain(&s.client, 21, content, 2);
        session_carry(&s);
        const struct sl_failure *failure = sl_conn_failure(s.pump.conn);
        if (alert == SL_ALERT_USER_CANCELED) {
          assert_int_not_equal(sl_conn_state(s.pump.conn), SL_CONN_FAILED);
        } else if (alert == SL_ALERT_CLOSE_NOTIFY && stage == STAGE_OPEN) {
          assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_PEER_CLOSED);
          assert_int_equal(failure->reason, SL_OK);
          assert_int_equal(failure->alert, SL_ALERT_NONE);
        } else {
          session_refused(&s, SL_E_PEER_ALERT, alert, "alert received");
          assert_true(failure->alert_received);
          assert_non_null(strstr(failure->text, sl_alert_name(alert)));
        }
        session_close(&s);
      }
}

static void test_data_around_close(void **state) {
  (void)state;
  for (size_t f = 0; f < 2; f++) {
    struct session s;
    session_open(&s, config, STAGE_OPEN, feed_lens[f]);
    SEALED(&s.client, 23, "before");
    SEALED(&s.client, 21, "\1\0");
    SEALED(&s.client, 23, "after");
    forged(&s.client);
    session_carry(&s);
    assert_int_equal(s.pump.received.len, 6);
    assert_memory_equal(s.pump.received.data, "before", 6);
    assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_PEER_CLOSED);
    assert_int_equal(s.client.alert, -1);
    assert_int_equal(pump_feed(&s.pump, (const uint8_t *)"x", 1), SL_E_CLOSED);
    assert_int_equal(sl_conn_feed_end(s.pump.conn), SL_OK);
    assert_int_equal(pump_send(&s.pump, (const uint8_t *)"answer", 6), SL_OK); /* half closed */
    session_carry(&s);
    assert_int_equal(s.client.data.len, 6);
    assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
    pump_run(&s.pump);
    session_carry(&s);
    assert_true(s.client.got_close);
    session_close(&s);
  }
}

/* We close first; what the peer still has to say arrives, its requests are not answered any more. */
static void test_close_first(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  assert_int_equal(pump_send(&s.pump, (const uint8_t *)"last", 4), SL_OK);
  assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
  pump_run(&s.pump);
  session_carry(&s);
  assert_true(s.client.got_close);
  assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_CLOSED);
  SEALED(&s.client, 23, "one");
  client_say_key_update(&s.client, 1);
  SEALED(&s.client, 23, "two");
  session_carry(&s);
  assert_int_equal(s.pump.received.len, 6);
  assert_memory_equal(s.pump.received.data, "onetwo", 6);
  assert_int_equal(s.client.n_key_updates, 0);
  forged(&s.client);
  session_carry(&s);
  assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_FAILED);
  assert_int_equal(sl_conn_failure(s.pump.conn)->reason, SL_E_AUTH);
  assert_int_equal(s.client.alert, -1); /* nothing may follow our close_notify */
  session_close(&s);
}

/* Closed by the application before the handshake is done. */
static void test_close_early(void **state) {
  (void)state;
  for (unsigned stage = STAGE_NEW; stage <= STAGE_FLIGHT; stage++) {
    struct session s;
    session_open(&s, config, (enum session_stage)stage, SIZE_MAX);
    assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
    pump_run(&s.pump);
    session_carry(&s);
    assert_true(s.client.got_close);
    assert_int_equal(s.client.alert_level, s.client.read_level);
    assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_CLOSED);
    assert_null(s.pump.conn->handshake);
    client_say_hello(&s.client);
    assert_int_equal(pump_feed(&s.pump, s.client.wire.data, s.client.wire.len), SL_E_CLOSED);
    assert_int_equal(s.pump.to_peer.len, 0);
    session_close(&s);
  }
}

static void test_truncated(void **state) {
  (void)state;
  for (unsigned stage = STAGE_NEW; stage <= STAGE_OPEN; stage++)
    for (unsigned partial = 0; partial < 2; partial++) {
      struct session s;
      session_open(&s, config, (enum session_stage)stage, SIZE_MAX);
      if (partial) assert_int_equal(pump_feed(&s.pump, (const uint8_t *)"\x16\x03", 2), SL_OK);
      assert_int_equal(sl_conn_feed_end(s.pump.conn), SL_E_TRUNCATED);
      session_refused(&s, SL_E_TRUNCATED, SL_ALERT_NONE, "truncated");
      assert_int_equal(sl_conn_feed_end(s.pump.conn), SL_E_CLOSED);
      session_close(&s);
    }
}

/* ---- input optimistically opened ----------------------------------------------------------------------------------- */

/* Records of many lengths, padded or not, empty ones and key updates between, fed in pieces of many sizes: the same
 * stream comes out. */
static void test_streams(void **state) {
  static const size_t sizes[] = {1, 13, 100, 1000, 10000, 50000, SIZE_MAX};
  (void)state;
  for (size_t suite = 0; suite < N_SUITES; suite++)
    for (size_t f = 0; f < sizeof sizes / sizeof sizes[0]; f++) {
      struct session s;
      session_open(&s, config, STAGE_NEW, SIZE_MAX);
      buffer_set(&s.client.hello.suites, suites[suite], 2);
      client_say_hello(&s.client);
      session_carry(&s);
      client_say_finished(&s.client);
      session_carry(&s);
      s.feed_len = sizes[f];
      struct sl_buffer expected = {0};
      unsigned seed = (unsigned)(suite * 100 + f), n_requests = 0;
      for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < 30; i++) {
          seed = seed * 1103515245u + 12345u;
          unsigned dice = seed >> 16;
          uint8_t text[700];
          size_t len = dice % sizeof text, pad_len = dice % 3 ? 0 : dice % 90;
          for (size_t k = 0; k < len; k++) text[k] = (uint8_t)(k * 7 + dice);
          if (dice % 11 == 0) len = 0;
          client_sealed(&s.client, 23, text, len, pad_len);
          assert_int_equal(sl_buffer_append(&expected, text, len), SL_OK);
          if (dice % 7 == 0) {
            client_say_key_update(&s.client, dice % 2);
            n_requests += dice % 2;
          }
          if (dice % 13 == 0) { /* a KeyUpdate in five records */
            for (unsigned b = 0; b < 5; b++) client_sealed(&s.client, 22, &"\x18\0\0\1\0"[b], 1, b);
            client_rotate(&s.client);
          }
        }
        session_carry(&s);
      }
      if (sl_conn_state(s.pump.conn) != SL_CONN_OPEN) fail_msg("%s", sl_conn_failure(s.pump.conn)->text);
      assert_int_equal(s.pump.received.len, expected.len);
      assert_memory_equal(s.pump.received.data, expected.data, expected.len);
      assert_true(s.client.n_key_updates <= n_requests);
      assert_true((s.client.n_key_updates > 0) == (n_requests > 0));
      if (sizes[f] == SIZE_MAX) assert_true(s.client.n_key_updates <= 4); /* one answer a turn */
      session_works(&s, "after a stream");
      sl_buffer_free(&expected);
      session_close(&s);
    }
}

/* Whatever a bad record stands between: what came before is delivered, nothing after, no plaintext is left behind. */
static void test_nothing_behind_a_failure(void **state) {
  static void (*const acts[])(struct client * c) = {forged,   only_zeros, sealed_ccs,  plain_close,
                                                    update_2, long_data,  short_record};
  (void)state;
  for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
    struct session s;
    session_open(&s, config, STAGE_OPEN, SIZE_MAX);
    struct client *c = &s.client;
    client_sealed(c, 23, "good", 4, 20);
    SEALED(c, 23, "also good");
    acts[i](c);
    for (int k = 0; k < 5; k++) SEALED(c, 23, "SECRETSECRETSECRETSECRETSECRET");
    size_t cap = sl_conn_plain_bound(s.pump.conn, c->wire.len);
    uint8_t *plain = malloc(cap);
    memset(plain, '.', cap);
    assert_int_equal(sl_conn_feed(s.pump.conn, &s.pump.batch, c->wire.data, c->wire.len, plain, cap), SL_OK);
    assert_int_equal(sl_conn_feed(s.pump.conn, &s.pump.batch, c->wire.data, c->wire.len, plain, cap), SL_E_STATE);
    assert_int_equal(sl_conn_feed_end(s.pump.conn), SL_E_STATE);
    pump_run(&s.pump);
    assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_FAILED);
    assert_int_equal(sl_conn_plain_len(s.pump.conn), 13);
    assert_memory_equal(plain, "goodalso good", 13);
    assert_null(memmem(plain, cap, "SECRET", 6));
    free(plain);
    session_close(&s);
  }
}

/* Handshake bytes and moved content do not stay in the application's buffer. */
static void test_nothing_left_behind(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  struct client *c = &s.client;
  for (int i = 0; i < 5; i++) client_sealed(c, 23, "abcd", 4, 200);
  client_say_key_update(c, 0);
  SEALED(c, 23, "efgh");
  size_t cap = sl_conn_plain_bound(s.pump.conn, c->wire.len);
  uint8_t *plain = malloc(cap);
  memset(plain, '.', cap);
  assert_int_equal(sl_conn_feed(s.pump.conn, &s.pump.batch, c->wire.data, c->wire.len, plain, cap), SL_OK);
  sl_batch_run(&s.pump.batch);
  assert_int_equal(sl_conn_plain_len(s.pump.conn), 24);
  assert_memory_equal(plain, "abcdabcdabcdabcdabcdefgh", 24);
  for (size_t i = 24; i < cap; i++) assert_true(plain[i] == 0 || plain[i] == '.');
  free(plain);
  session_close(&s);
}

/* A batch of one record, others' records in it: everything still happens, in more rounds. */
static void test_small_batch(void **state) {
  (void)state;
  for (size_t cap = 1; cap <= 3; cap++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, SIZE_MAX);
    sl_batch_wipe(&s.pump.batch);
    assert_int_equal(sl_batch_init(&s.pump.batch, cap, s.pump.batch_mem, sl_batch_mem_len(cap)), SL_OK);
    client_add_share(&s.client);
    client_say_hello(&s.client);
    session_carry(&s);
    client_say_finished(&s.client);
    for (int i = 0; i < 50; i++) SEALED(&s.client, 23, "text");
    session_carry(&s);
    assert_int_equal(s.pump.received.len, 200);
    session_works(&s, "small batch");
    session_close(&s);
  }
}

/* Many connections in one batch, their handshakes and data side by side. */
static void test_many_connections(void **state) {
  enum { N = 20 };
  (void)state;
  struct session *s = calloc(N, sizeof *s);
  struct sl_batch batch;
  size_t mem_len = sl_batch_mem_len(8);
  void *mem = aligned_alloc(64, (mem_len + 63) / 64 * 64);
  assert_int_equal(sl_batch_init(&batch, 8, mem, mem_len), SL_OK);
  uint8_t *plain[N];
  for (int i = 0; i < N; i++) {
    session_open(&s[i], config, STAGE_NEW, SIZE_MAX);
    client_say_hello(&s[i].client);
  }
  for (int turn = 0; turn < 3; turn++) {
    for (int i = 0; i < N; i++) {
      struct sl_buffer *wire = &s[i].client.wire;
      if (turn == 1) client_say_finished(&s[i].client);
      if (turn > 0)
        for (int k = 0; k <= i; k++) SEALED(&s[i].client, 23, "hello");
      size_t cap = sl_conn_plain_bound(s[i].pump.conn, wire->len);
      plain[i] = malloc(cap + 1);
      assert_int_equal(sl_conn_feed(s[i].pump.conn, &batch, wire->data, wire->len, plain[i], cap), SL_OK);
    }
    sl_batch_run(&batch);
    for (int i = 0; i < N; i++) {
      size_t len = sl_conn_plain_len(s[i].pump.conn);
      assert_int_equal(len, turn > 0 ? 5 * (i + 1) : 0);
      for (size_t k = 0; k < len; k += 5) assert_memory_equal(plain[i] + k, "hello", 5);
      free(plain[i]);
      sl_buffer_free(&s[i].client.wire);
      uint8_t out[4000];
      size_t n = sl_conn_take_output(s[i].pump.conn, out, sizeof out);
      assert_true(n < sizeof out);
      client_take(&s[i].client, out, n);
      assert_true(s[i].client.got_flight);
    }
  }
  assert_int_equal(batch.stats.n_key_exchanges, 2 * N);
  assert_int_equal(batch.stats.n_signatures, N);
  for (int i = 0; i < N; i++) {
    session_works(&s[i], "one of many");
    session_close(&s[i]);
  }
  free(mem);
  free(s);
}

/* ---- keys: updates and limits ---------------------------------------------------------------------------------------- */

static void test_one_answer_to_many(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  for (int i = 0; i < 20; i++) client_say_key_update(&s.client, 1);
  session_carry(&s);
  assert_int_equal(s.client.n_key_updates, 1);
  assert_int_equal(s.client.n_update_requests, 0);
  session_works(&s, "after updates");
  /* Nobody transmits: the answers do not pile up. */
  for (int i = 0; i < 20; i++) {
    client_say_key_update(&s.client, 1);
    uint8_t plain[100];
    assert_int_equal(
        sl_conn_feed(s.pump.conn, &s.pump.batch, s.client.wire.data, s.client.wire.len, plain, sizeof plain), SL_OK);
    sl_batch_run(&s.pump.batch);
    sl_buffer_free(&s.client.wire);
    assert_int_equal(sl_conn_output_len(s.pump.conn), 27);
  }
  pump_run(&s.pump);
  session_carry(&s);
  assert_int_equal(s.client.n_key_updates, 2);
  session_works(&s, "after silent updates");
  session_close(&s);
}

/* Data in either direction starts the count of idle records anew. */
static void test_idle_count(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  for (int round = 0; round < 4; round++) {
    for (unsigned i = 0; i < SL_IDLE_RECORDS_MAX; i++) client_say_key_update(&s.client, 0);
    if (round % 2) SEALED(&s.client, 23, "x");
    session_carry(&s);
    if (!(round % 2)) assert_int_equal(pump_send(&s.pump, (const uint8_t *)"y", 1), SL_OK);
    session_carry(&s);
  }
  session_works(&s, "idle but talking");
  session_close(&s);
}

static void test_update_asked(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  assert_int_equal(sl_conn_key_update(s.pump.conn, &s.pump.batch, false), SL_OK);
  assert_int_equal(sl_conn_key_update(s.pump.conn, &s.pump.batch, true), SL_OK);
  /* What is sent in the same turn comes first on the wire, under the old key. */
  assert_int_equal(pump_send(&s.pump, (const uint8_t *)"old", 3), SL_OK);
  session_carry(&s);
  assert_int_equal(s.client.data.len, 3);
  assert_int_equal(s.client.n_key_updates, 1);
  assert_int_equal(s.client.n_update_requests, 1);
  session_works(&s, "update asked");
  session_close(&s);
  session_open(&s, config, STAGE_FLIGHT, SIZE_MAX);
  assert_int_equal(sl_conn_key_update(s.pump.conn, &s.pump.batch, false), SL_E_STATE);
  session_close(&s);
}

/* The writing key is replaced before its limit, by sends alone. */
static void test_write_limit(void **state) {
  (void)state;
  for (uint64_t limit = 2; limit < 40; limit++) {
    struct session s;
    session_open(&s, config, STAGE_OPEN, SIZE_MAX);
    unsigned n_sent = 0, n_refused = 0;
    while (n_sent < 200) {
      struct sl_conn *conn = s.pump.conn;
      if (conn->write.limit > limit) conn->write.limit = limit;
      sl_err err = pump_send(&s.pump, (const uint8_t *)"text", 4);
      if (err == SL_OK)
        n_sent++;
      else
        assert_int_equal(err, SL_E_SEQ);
      n_refused += err == SL_E_SEQ;
      assert_true(n_refused <= n_sent + 1);
      assert_true(conn->write.seq <= limit);
    }
    session_carry(&s);
    assert_int_equal(s.client.data.len, 4 * n_sent);
    assert_true(s.client.n_key_updates >= n_sent / limit);
    if (limit >= 3) assert_int_equal(n_refused, 0);
    session_close(&s);
  }
  /* More at once than the key may still carry: refused whole, possible after the run. */
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  s.pump.conn->write.limit = 4;
  uint8_t *text = calloc(1, 5 * SL_RECORD_TEXT_MAX);
  assert_int_equal(pump_send(&s.pump, text, 5 * SL_RECORD_TEXT_MAX), SL_E_SEQ);
  assert_int_equal(pump_send(&s.pump, text, 5 * SL_RECORD_TEXT_MAX), SL_OK);
  session_carry(&s);
  assert_int_equal(s.client.data.len, 5 * SL_RECORD_TEXT_MAX);
  assert_int_equal(s.client.n_key_updates, 1);
  free(text);
  session_close(&s);
}

/* The peer is asked, once a key, to replace the one we read with. */
static void test_read_limit(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  s.pump.conn->read.limit = 80;
  for (int i = 0; i < 75; i++) {
    SEALED(&s.client, 23, "text");
    session_carry(&s);
    assert_int_equal(s.client.n_update_requests, i >= 68);
  }
  client_say_key_update(&s.client, 0);
  session_carry(&s);
  session_works(&s, "read key replaced");
  s.pump.conn->read.limit = 8;
  for (int i = 0; i < 8; i++) SEALED(&s.client, 23, "text");
  session_carry(&s);
  session_refused(&s, SL_E_SEQ, SL_ALERT_INTERNAL_ERROR, "a peer that does not listen");
  session_close(&s);
}

/* ---- sends ------------------------------------------------------------------------------------------------------------ */

static void test_send_shapes(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  struct sl_conn *conn = s.pump.conn;
  uint8_t *text = malloc(60000), *wire = malloc(70000);
  for (size_t i = 0; i < 60000; i++) text[i] = (uint8_t)(i * 13 + (i >> 8));
  unsigned seed = 5;
  for (int round = 0; round < 60; round++) {
    struct iovec pieces[40];
    size_t total = 0, n = 0, wire_len;
    for (; n < 40; n++) {
      seed = seed * 1103515245u + 12345u;
      size_t len = (seed >> 16) % (round < 30 ? 3000 : 100);
      if (seed % 5 == 0) len = 0;
      if (total + len > 60000) break;
      pieces[n] = (struct iovec){text + total, len};
      total += len;
    }
    /* Neighbouring pieces are neighbours in memory too: swapping two shows the order is the list's. */
    struct iovec first = pieces[0];
    pieces[0] = pieces[1];
    pieces[1] = first;
    size_t cap = sl_conn_wire_bound(conn, total);
    assert_int_equal(sl_conn_send(conn, &s.pump.batch, pieces, n, wire, cap > 0 ? cap - 1 : 0, &wire_len),
                     total ? SL_E_SPACE : SL_OK);
    assert_int_equal(wire_len, 0);
    assert_int_equal(sl_conn_send(conn, &s.pump.batch, pieces, n, wire, cap, &wire_len), SL_OK);
    assert_int_equal(wire_len, cap);
    sl_batch_run(&s.pump.batch);
    sl_buffer_free(&s.client.data);
    client_take(&s.client, wire, wire_len);
    assert_int_equal(s.client.data.len, total);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
      if (pieces[i].iov_len > 0) assert_memory_equal(s.client.data.data + at, pieces[i].iov_base, pieces[i].iov_len);
      at += pieces[i].iov_len;
    }
  }
  /* In place. */
  size_t wire_len;
  memcpy(wire + 5, "in place", 8);
  struct iovec own = {wire + 5, 8};
  assert_int_equal(sl_conn_send(conn, &s.pump.batch, &own, 1, wire, 30, &wire_len), SL_OK);
  sl_batch_run(&s.pump.batch);
  sl_buffer_free(&s.client.data);
  client_take(&s.client, wire, wire_len);
  assert_memory_equal(s.client.data.data, "in place", 8);
  own.iov_base = wire + 6;
  uint64_t seq = conn->write.seq;
  assert_int_equal(sl_conn_send(conn, &s.pump.batch, &own, 1, wire, 30, &wire_len), SL_E_OVERLAP);
  own = (struct iovec){wire + 5, 20000};
  assert_int_equal(sl_conn_send(conn, &s.pump.batch, &own, 1, wire, 70000, &wire_len), SL_E_OVERLAP);
  own = (struct iovec){NULL, 1};
  assert_int_equal(sl_conn_send(conn, &s.pump.batch, &own, 1, wire, 70000, &wire_len), SL_E_ARG);
  own = (struct iovec){text, 17 * SL_RECORD_TEXT_MAX}; /* the batch has room for 16 */
  uint8_t *large = malloc(17 * SL_RECORD_WIRE_MAX);
  uint8_t *long_text = calloc(1, 17 * SL_RECORD_TEXT_MAX);
  own.iov_base = long_text;
  assert_int_equal(sl_conn_send(conn, &s.pump.batch, &own, 1, large, 17 * SL_RECORD_WIRE_MAX, &wire_len), SL_E_FULL);
  assert_int_equal(conn->write.seq, seq); /* nothing was taken */
  assert_int_equal(s.pump.batch.n_records, 0);
  free(large);
  free(long_text);
  session_works(&s, "after refused sends");
  free(text);
  free(wire);
  session_close(&s);
}

static void test_feed_arguments(void **state) {
  (void)state;
  struct session s;
  uint8_t wire[100] = {22, 3, 1, 0, 200}, plain[200];
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  struct sl_conn *conn = s.pump.conn;
  struct sl_batch *batch = &s.pump.batch;
  assert_int_equal(sl_conn_plain_bound(conn, 50), 50);
  assert_int_equal(sl_conn_feed(conn, batch, wire, 50, plain, 49), SL_E_SPACE);
  assert_int_equal(sl_conn_feed(conn, batch, NULL, 50, plain, 50), SL_E_ARG);
  assert_int_equal(sl_conn_feed(conn, batch, wire, 50, NULL, 50), SL_E_ARG);
  assert_int_equal(sl_conn_feed(conn, batch, wire, 50, wire + 10, 50), SL_E_OVERLAP);
  assert_int_equal(sl_conn_feed(conn, batch, NULL, 0, NULL, 0), SL_OK);
  assert_int_equal(sl_conn_feed(conn, batch, wire, 50, plain, 50), SL_OK);
  sl_batch_run(batch);
  assert_int_equal(sl_conn_plain_bound(conn, 50), 100);
  assert_int_equal(sl_conn_feed(conn, batch, wire, 50, plain, 99), SL_E_SPACE);
  assert_int_equal(pump_send(&s.pump, wire, 1), SL_E_STATE);
  session_close(&s);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* An announced length takes no memory; an idle connection has no heap but its names. */
static void test_memory(void **state) {
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_NEW, SIZE_MAX);
  assert_int_equal(pump_feed(&s.pump, (const uint8_t *)"\x16\x03\x01\x40\x00\x01\x02\x01\x44", 9), SL_OK);
  assert_true(s.pump.conn->kept.cap <= 64);
  assert_null(s.pump.conn->handshake);
  assert_int_equal(s.pump.conn->message.cap, 0);
  session_close(&s);
  session_open(&s, config, STAGE_OPEN, 1);
  session_works(&s, "idle");
  const struct sl_conn *conn = s.pump.conn;
  assert_null(conn->handshake);
  assert_null(conn->kept.data);
  assert_null(conn->message.data);
  assert_null(conn->output.data);
  assert_true(sizeof *conn <= SL_CONN_IDLE_MAX);
  print_message("an idle connection: %zu bytes, and %zu of names\n", sizeof *conn, strlen(conn->names) + 2);
  session_close(&s);
}

/* ---- signers that answer late -------------------------------------------------------------------------------------------- */

static struct {
  EVP_PKEY *key;
  struct sl_conn *conn;
  const uint8_t *tbs;
  size_t tbs_len;
  uint16_t scheme;
  sl_err answer;
} signer;

static void sign_now(const uint8_t *tbs, size_t tbs_len, uint8_t *sig, size_t *sig_len) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer.key), 1);
  assert_int_equal(EVP_DigestSign(ctx, sig, sig_len, tbs, tbs_len), 1);
  EVP_MD_CTX_free(ctx);
}

static sl_err sign(void *ctx, struct sl_conn *conn, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t *sig,
                   size_t sig_cap, size_t *sig_len) {
  assert_ptr_equal(ctx, &signer);
  signer.conn = conn;
  signer.tbs = tbs;
  signer.tbs_len = tbs_len;
  signer.scheme = scheme;
  if (signer.answer != SL_OK) return signer.answer;
  *sig_len = sig_cap;
  sign_now(tbs, tbs_len, sig, sig_len);
  return SL_OK;
}

static struct sl_config *signer_config(void) {
  struct sl_config *own;
  signer.key = make_key("ED25519");
  X509 *cert = make_cert(signer.key, &(struct cert_wishes){0});
  char *chain = pem_of_cert(cert);
  assert_int_equal(sl_config_new(&own), SL_OK);
  assert_int_equal(sl_config_add_cert_signer(own, chain, strlen(chain), sign, &signer), SL_OK);
  X509_free(cert);
  free(chain);
  return own;
}

static void test_signer(void **state) {
  (void)state;
  struct sl_config *own = signer_config();
  struct session s;
  uint8_t sig[64];
  size_t sig_len = sizeof sig;
  signer.answer = SL_OK;
  session_open(&s, own, STAGE_OPEN, SIZE_MAX);
  session_works(&s, "signed by the application");
  assert_int_equal(signer.scheme, SL_SCHEME_ED25519);
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, 64), SL_E_STATE);
  session_close(&s);

  signer.answer = SL_E_PENDING;
  session_open(&s, own, STAGE_NEW, 1);
  client_say_hello(&s.client);
  session_carry(&s);
  assert_int_equal(sl_conn_state(s.pump.conn), SL_CONN_HANDSHAKING);
  assert_false(s.client.got_flight);
  assert_non_null(s.client.suite); /* the ServerHello is on its way already */
  PLAIN(&s.client, 20, "\1");
  session_carry(&s);
  sign_now(signer.tbs, signer.tbs_len, sig, &sig_len);
  assert_ptr_equal(signer.conn, s.pump.conn);
  uint8_t too_long[SL_SIGNATURE_MAX + 1] = {0};
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, too_long, sizeof too_long), SL_E_LENGTH);
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, sig_len), SL_OK);
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, sig_len), SL_E_STATE);
  pump_run(&s.pump);
  session_carry(&s);
  assert_true(s.client.got_flight);
  client_say_finished(&s.client);
  session_carry(&s);
  session_works(&s, "signed late");
  session_close(&s);

  /* The signer fails, at once or later. */
  for (int late = 0; late < 3; late++) {
    signer.answer = late ? SL_E_PENDING : SL_E_FILE;
    session_open(&s, own, STAGE_NEW, SIZE_MAX);
    client_say_hello(&s.client);
    session_carry(&s);
    if (late) {
      assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, late == 1 ? NULL : sig, 0), SL_OK);
      pump_run(&s.pump);
      session_carry(&s);
    }
    session_refused(&s, late ? SL_E_SIGN : SL_E_FILE, SL_ALERT_INTERNAL_ERROR, "no signature");
    session_close(&s);
  }

  /* The connection fails, closes or goes away before the signer answers: what it reads stays where it is. */
  static void (*const acts[])(struct client * c) = {http,        forged,  plain_handshake,
                                                    sealed_data, alert_1, finished_wrong};
  static const sl_err reasons[] = {SL_E_RECORD_TYPE, SL_E_AUTH,   SL_E_RECORD_TYPE,
                                   SL_E_RECORD_TYPE, SL_E_DECODE, SL_E_MESSAGE};
  signer.answer = SL_E_PENDING;
  for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
    session_open(&s, own, STAGE_NEW, i % 2 ? 1 : SIZE_MAX);
    client_say_hello(&s.client);
    session_carry(&s);
    uint8_t copy[SL_SIGNED_TEXT_MAX];
    memcpy(copy, signer.tbs, signer.tbs_len);
    acts[i](&s.client);
    session_carry(&s);
    session_refused(&s, reasons[i], sl_err_alert(reasons[i]), "while the signer thinks");
    assert_memory_equal(copy, signer.tbs, signer.tbs_len);
    if (i % 2) assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, 64), SL_E_CLOSED);
    if (i % 2) assert_null(s.pump.conn->handshake);
    session_close(&s);
  }
  session_open(&s, own, STAGE_NEW, SIZE_MAX);
  client_say_hello(&s.client);
  session_carry(&s);
  assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
  pump_run(&s.pump);
  session_carry(&s);
  assert_true(s.client.got_close);
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, 64), SL_E_CLOSED);
  pump_run(&s.pump);
  assert_int_equal(s.pump.to_peer.len, 0);
  session_close(&s);
  /* Early data while the signer thinks. */
  session_open(&s, own, STAGE_NEW, SIZE_MAX);
  hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
  client_say_hello(&s.client);
  early_record(&s.client, 100);
  session_carry(&s);
  early_record(&s.client, 200);
  session_carry(&s);
  sig_len = sizeof sig;
  sign_now(signer.tbs, signer.tbs_len, sig, &sig_len);
  assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, sig, sig_len), SL_OK);
  pump_run(&s.pump);
  session_carry(&s);
  client_say_finished(&s.client);
  session_carry(&s);
  session_works(&s, "early data and a late signer");
  session_close(&s);
  sl_config_free(own);
  EVP_PKEY_free(signer.key);
}

/* ---- key log, randomness ------------------------------------------------------------------------------------------------- */

static char log_text[2000];

static void log_line(void *ctx, const char *line) {
  assert_ptr_equal(ctx, log_text);
  strcat(strcat(log_text, line), "\n");
}

static void hex_of(char *out, const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static void test_keylog(void **state) {
  (void)state;
  for (size_t suite = 0; suite < N_SUITES; suite++) {
    struct sl_config *own = session_config();
    sl_config_set_keylog(own, log_line, log_text);
    log_text[0] = 0;
    struct session s;
    session_open(&s, own, STAGE_NEW, SIZE_MAX);
    buffer_set(&s.client.hello.suites, suites[suite], 2);
    client_say_hello(&s.client);
    session_carry(&s);
    const struct {
      const char *label;
      const struct sl_secret *secret;
    } lines[] = {{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", &s.client.client_handshake},
                 {"SERVER_HANDSHAKE_TRAFFIC_SECRET", &s.client.server_handshake},
                 {"CLIENT_TRAFFIC_SECRET_0", &s.client.write_secret},
                 {"SERVER_TRAFFIC_SECRET_0", &s.client.read_secret},
                 {"EXPORTER_SECRET", &s.client.exporter}};
    char expected[sizeof log_text] = "", random[65], secret[97];
    hex_of(random, s.client.hello.random, 32);
    for (size_t i = 0; i < 5; i++) {
      hex_of(secret, lines[i].secret->bytes, sl_hash_len(s.client.suite->hash));
      sprintf(expected + strlen(expected), "%s %s %s\n", lines[i].label, random, secret);
    }
    assert_string_equal(log_text, expected);
    session_close(&s);
    sl_config_free(own);
  }
}

static unsigned random_calls_left;

static sl_err no_random(void *ctx, uint8_t *out, size_t len) {
  (void)ctx;
  if (random_calls_left == 0) return SL_E_RANDOM;
  random_calls_left--;
  memset(out, 7, len);
  return SL_OK;
}

static void test_no_random(void **state) {
  (void)state;
  for (unsigned calls = 0; calls < 2; calls++) {
    struct sl_config *own = session_config();
    sl_config_set_random(own, no_random, NULL);
    random_calls_left = calls;
    struct session s;
    session_open(&s, own, STAGE_NEW, SIZE_MAX);
    client_say_hello(&s.client);
    session_carry(&s);
    session_refused(&s, SL_E_RANDOM, SL_ALERT_INTERNAL_ERROR, "no random bytes");
    session_close(&s);
    sl_config_free(own);
  }
}

static void test_new(void **state) {
  (void)state;
  struct sl_config *empty;
  struct sl_conn *conn;
  assert_int_equal(sl_config_new(&empty), SL_OK);
  assert_int_equal(sl_conn_new(&conn, empty), SL_E_STATE);
  assert_null(conn);
  sl_conn_free(NULL);
  sl_config_free(empty);
}

static int setup(void **state) {
  (void)state;
  config = session_config();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sl_config_free(config);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_sentences),
      cmocka_unit_test(test_every_message),
      cmocka_unit_test(test_ccs_between),
      cmocka_unit_test(test_fragmented_finished),
      cmocka_unit_test(test_early_data_skipped),
      cmocka_unit_test(test_early_data_limits),
      cmocka_unit_test(test_alerts_received),
      cmocka_unit_test(test_data_around_close),
      cmocka_unit_test(test_close_first),
      cmocka_unit_test(test_close_early),
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_streams),
      cmocka_unit_test(test_nothing_behind_a_failure),
      cmocka_unit_test(test_nothing_left_behind),
      cmocka_unit_test(test_small_batch),
      cmocka_unit_test(test_many_connections),
      cmocka_unit_test(test_one_answer_to_many),
      cmocka_unit_test(test_idle_count),
      cmocka_unit_test(test_update_asked),
      cmocka_unit_test(test_write_limit),
      cmocka_unit_test(test_read_limit),
      cmocka_unit_test(test_send_shapes),
      cmocka_unit_test(test_feed_arguments),
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_signer),
      cmocka_unit_test(test_keylog),
      cmocka_unit_test(test_no_random),
      cmocka_unit_test(test_new),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
