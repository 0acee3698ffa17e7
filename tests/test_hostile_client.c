/* test_hostile_client.c - what a hostile or careless client can say with all the right keys, and what it gets for it; and that
 * nothing depends on how its bytes arrive, how large the batch is and who else is in it. */
#include "session.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_config *config;
static const size_t feed_lens[] = {SIZE_MAX, 1, 7};
enum { N_FEED_LENS = 3 };

#define PLAIN(c, type, bytes)  client_plain(c, type, bytes, sizeof(bytes) - 1)
#define SEALED(c, type, bytes) client_sealed(c, type, bytes, sizeof(bytes) - 1, 0)
#define ACT(name)              static void name(struct session *s)

static void append(struct sl_buffer *buffer, const void *data, size_t len) {
  assert_int_equal(sl_buffer_append(buffer, data, len), SL_OK);
}

/* The client's writing key becomes that of `secret`. */
static void write_with(struct client *c, const struct sl_secret *secret) {
  assert_int_equal(sl_secret_record_key(c->suite->hash, c->suite->aead, secret, &c->write), SL_OK);
}

/* ---- right keys, wrong use ----------------------------------------------------------------------------------------- */

/* The Finished itself is right, its keys are a step ahead. */
ACT(finished_with_traffic_keys) {
  uint8_t message[4 + SL_HASH_LEN_MAX];
  size_t len = client_finished(&s->client, message);
  write_with(&s->client, &s->client.write_secret);
  client_sealed(&s->client, 22, message, len, 0);
}
ACT(data_before_finished) {
  write_with(&s->client, &s->client.write_secret);
  SEALED(&s->client, 23, "data");
}
ACT(keys_of_the_server) {
  write_with(&s->client, &s->client.server_handshake);
  client_say_finished(&s->client);
}
/* What the server said comes back to it, record for record. */
ACT(flight_reflected) {
  struct sl_reader said = {s->transmitted.data, s->transmitted.data + s->transmitted.len};
  const uint8_t *header, *body;
  while (sl_read_bytes(&said, 5, &header) && sl_read_bytes(&said, sl_load16_be(header + 3), &body))
    if (header[0] == 23) append(&s->client.wire, header, 5u + sl_load16_be(header + 3));
  assert_true(s->client.wire.len > 0);
}
ACT(server_hello_reflected) {
  append(&s->client.wire, s->transmitted.data, s->transmitted.len);
}
/* The server's verify_data as the client's. */
ACT(finished_of_the_server) {
  const struct sl_buffer *said = &s->client.said;
  size_t len = 4 + sl_hash_len(s->client.suite->hash);
  client_sealed(&s->client, 22, said->data + said->len - len, len, 0);
}
ACT(finished_of_zeros) {
  uint8_t message[4 + SL_HASH_LEN_MAX] = {SL_MSG_FINISHED, 0, 0, (uint8_t)sl_hash_len(s->client.suite->hash)};
  client_sealed(&s->client, 22, message, 4u + message[3], 0);
}
ACT(finished_twice) {
  uint8_t message[4 + SL_HASH_LEN_MAX];
  size_t len = client_finished(&s->client, message);
  client_say_finished(&s->client);
  client_sealed(&s->client, 22, message, len, 0);
}
ACT(finished_record_twice) {
  client_say_finished(&s->client);
  struct sl_buffer *wire = &s->client.wire;
  size_t len = wire->len;
  assert_int_equal(sl_buffer_reserve(wire, len), SL_OK);
  append(wire, wire->data, len);
}
ACT(finished_then_ccs) {
  client_say_finished(&s->client);
  PLAIN(&s->client, 20, "\1");
}
ACT(finished_then_plain_alert) {
  client_say_finished(&s->client);
  PLAIN(&s->client, 21, "\2\x28");
}
ACT(finished_then_old_keys) {
  client_say_finished(&s->client);
  write_with(&s->client, &s->client.client_handshake);
  s->client.write.seq = 1;
  SEALED(&s->client, 23, "data");
}
/* Its last bytes in the next record, with the keys that are right only once it is over. */
ACT(finished_across_keys) {
  uint8_t message[4 + SL_HASH_LEN_MAX];
  size_t len = client_finished(&s->client, message);
  client_sealed(&s->client, 22, message, len - 1, 0);
  write_with(&s->client, &s->client.write_secret);
  client_sealed(&s->client, 22, message + len - 1, 1, 0);
}
ACT(finished_and_update) {
  uint8_t message[4 + SL_HASH_LEN_MAX + 5];
  size_t len = client_finished(&s->client, message);
  memcpy(message + len, "\x18\0\0\1\0", 5);
  client_sealed(&s->client, 22, message, len + 5, 0);
}
ACT(certificate_unasked) {
  SEALED(&s->client, 22, "\x0b\0\0\4\0\0\0\0");
}
ACT(end_of_early_data) {
  SEALED(&s->client, 22, "\5\0\0\0");
}
ACT(second_hello_sealed) {
  struct sl_buffer message = {0};
  client_write_hello(&s->client, &message);
  client_sealed(&s->client, 22, message.data, message.len, 0);
  sl_buffer_free(&message);
}
ACT(second_hello_plain) {
  client_say_hello(&s->client);
}
ACT(cancelled_and_closed) {
  SEALED(&s->client, 21, "\1\x5a"), SEALED(&s->client, 21, "\1\0");
}
ACT(record_twice) {
  SEALED(&s->client, 23, "data");
  size_t len = s->client.wire.len;
  assert_int_equal(sl_buffer_reserve(&s->client.wire, len), SL_OK);
  append(&s->client.wire, s->client.wire.data, len);
}
ACT(records_swapped) {
  SEALED(&s->client, 23, "one!");
  uint8_t one[26];
  assert_int_equal(s->client.wire.len, sizeof one);
  memcpy(one, s->client.wire.data, sizeof one);
  SEALED(&s->client, 23, "two!");
  memmove(s->client.wire.data, s->client.wire.data + sizeof one, sizeof one);
  memcpy(s->client.wire.data + sizeof one, one, sizeof one);
}
ACT(record_missing) {
  SEALED(&s->client, 23, "one");
  sl_buffer_free(&s->client.wire);
  SEALED(&s->client, 23, "two");
}
ACT(update_across_keys) {
  SEALED(&s->client, 22, "\x18\0\0\1");
  client_rotate(&s->client);
  SEALED(&s->client, 22, "\0");
}
ACT(update_skipped_a_key) {
  client_say_key_update(&s->client, 0);
  client_rotate(&s->client);
  SEALED(&s->client, 23, "data");
}
ACT(update_then_old_keys) {
  struct sl_record_key old = s->client.write;
  client_say_key_update(&s->client, 0);
  s->client.write = old;
  s->client.write.seq++;
  SEALED(&s->client, 23, "data");
}
ACT(update_in_clear) {
  PLAIN(&s->client, 22, "\x18\0\0\1\0");
}
/* The outer type is part of what is authenticated, and the outer type alone says what is protected. */
ACT(outer_handshake) {
  SEALED(&s->client, 22, "\x18\0\0\1\0");
  s->client.wire.data[0] = 22;
}
ACT(outer_alert) {
  SEALED(&s->client, 21, "\1\0");
  s->client.wire.data[0] = 21;
}
ACT(outer_ccs) {
  SEALED(&s->client, 20, "\1");
  s->client.wire.data[0] = 20;
}
ACT(length_one_less) {
  SEALED(&s->client, 23, "data"), SEALED(&s->client, 23, "data");
  s->client.wire.data[4]--;
}
ACT(length_one_more) {
  SEALED(&s->client, 23, "data"), SEALED(&s->client, 23, "data");
  s->client.wire.data[4]++;
}
ACT(updates_and_empty_records) {
  for (unsigned i = 0; i <= SL_IDLE_RECORDS_MAX / 2; i++) {
    client_say_key_update(&s->client, i % 2);
    client_sealed(&s->client, 23, "", 0, i * 100);
  }
}

#define TYPE     SL_E_RECORD_TYPE, SL_ALERT_UNEXPECTED_MESSAGE
#define MESSAGE  SL_E_MESSAGE, SL_ALERT_UNEXPECTED_MESSAGE
#define MAC      SL_E_AUTH, SL_ALERT_BAD_RECORD_MAC
#define FINISHED SL_E_FINISHED, SL_ALERT_DECRYPT_ERROR
#define IDLE     SL_E_IDLE_RECORDS, SL_ALERT_UNEXPECTED_MESSAGE

static const struct {
  enum session_stage stage;
  const char *name;
  void (*act)(struct session *s);
  sl_err reason;
  enum sl_alert alert;
} refused[] = {
#define ROW(stage, act, ...)                                                                                           \
  { STAGE_##stage, #stage " " #act, act, __VA_ARGS__ }
    ROW(RETRY, server_hello_reflected, MESSAGE),
    ROW(FLIGHT, finished_with_traffic_keys, MAC),
    ROW(FLIGHT, data_before_finished, MAC),
    ROW(FLIGHT, keys_of_the_server, MAC),
    ROW(FLIGHT, flight_reflected, MAC),
    ROW(FLIGHT, server_hello_reflected, TYPE),
    ROW(FLIGHT, finished_of_the_server, FINISHED),
    ROW(FLIGHT, finished_of_zeros, FINISHED),
    ROW(FLIGHT, finished_twice, MESSAGE),
    ROW(FLIGHT, finished_record_twice, MAC),
    ROW(FLIGHT, finished_then_ccs, TYPE),
    ROW(FLIGHT, finished_then_plain_alert, TYPE),
    ROW(FLIGHT, finished_then_old_keys, MAC),
    ROW(FLIGHT, finished_across_keys, MAC),
    ROW(FLIGHT, finished_and_update, MESSAGE),
    ROW(FLIGHT, certificate_unasked, MESSAGE),
    ROW(FLIGHT, end_of_early_data, MESSAGE),
    ROW(FLIGHT, second_hello_sealed, MESSAGE),
    ROW(FLIGHT, second_hello_plain, TYPE),
    ROW(FLIGHT, cancelled_and_closed, SL_E_PEER_ALERT, SL_ALERT_CLOSE_NOTIFY),
    ROW(FLIGHT, outer_handshake, TYPE),
    ROW(FLIGHT, outer_ccs, TYPE),
    ROW(OPEN, finished_of_zeros, MESSAGE),
    ROW(OPEN, certificate_unasked, MESSAGE),
    ROW(OPEN, second_hello_sealed, MESSAGE),
    ROW(OPEN, second_hello_plain, TYPE),
    ROW(OPEN, flight_reflected, MAC),
    ROW(OPEN, record_twice, MAC),
    ROW(OPEN, records_swapped, MAC),
    ROW(OPEN, record_missing, MAC),
    ROW(OPEN, update_across_keys, MAC),
    ROW(OPEN, update_skipped_a_key, MAC),
    ROW(OPEN, update_then_old_keys, MAC),
    ROW(OPEN, update_in_clear, TYPE),
    ROW(OPEN, outer_handshake, TYPE),
    ROW(OPEN, outer_alert, TYPE),
    ROW(OPEN, outer_ccs, TYPE),
    ROW(OPEN, length_one_less, MAC),
    ROW(OPEN, length_one_more, MAC),
    ROW(OPEN, updates_and_empty_records, IDLE),
#undef ROW
};

static void test_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    for (size_t f = 0; f < N_FEED_LENS; f++) {
      struct session s;
      session_open(&s, config, refused[i].stage, feed_lens[f]);
      refused[i].act(&s);
      session_carry(&s);
      session_refused(&s, refused[i].reason, refused[i].alert, refused[i].name);
      session_close(&s);
    }
}

/* ---- hellos that are refused ----------------------------------------------------------------------------------------- */

#define SET(type, bytes)    hello_set(hello, type, bytes, sizeof(bytes) - 1)
#define FIELD(field, bytes) buffer_set(&hello->field, bytes, sizeof(bytes) - 1)
#define CHANGE(name)        static void name(struct hello *hello)
#define A_PSK                                                                                                          \
  "\0\7\0\1x\0\0\0\0\0\x21\x20"                                                                                        \
  "01234567890123456789012345678901"

/* A client that only resumes, without key exchange: we have no tickets, and it brings nothing else. */
CHANGE(psk_alone) {
  hello_remove(hello, SL_EXT_SUPPORTED_GROUPS), hello_remove(hello, SL_EXT_KEY_SHARE);
  hello_remove(hello, SL_EXT_SIGNATURE_ALGORITHMS);
  SET(SL_EXT_PSK_KEY_EXCHANGE_MODES, "\1\0"), SET(SL_EXT_PRE_SHARED_KEY, A_PSK);
}
CHANGE(psk_with_groups) {
  hello_remove(hello, SL_EXT_KEY_SHARE);
  SET(SL_EXT_PRE_SHARED_KEY, A_PSK);
}
CHANGE(draft_28) {
  SET(SL_EXT_SUPPORTED_VERSIONS, "\4\x7f\x1c\3\3");
}
CHANGE(fallback_scsv) {
  hello_remove(hello, SL_EXT_SUPPORTED_VERSIONS);
  FIELD(suites, "\xc0\x2f\x56\x00");
}
CHANGE(tls11_alone) {
  hello_remove(hello, SL_EXT_SUPPORTED_VERSIONS);
  hello->legacy_version = 0x0302;
}
/* TLS 1.3 by its old field alone is TLS 1.2. */
CHANGE(tls13_by_field) {
  hello_remove(hello, SL_EXT_SUPPORTED_VERSIONS);
  hello->legacy_version = 0x0304;
}
CHANGE(tls13_in_a_long_list) {
  hello_remove(hello, SL_EXT_SUPPORTED_VERSIONS);
  uint8_t body[255] = {254};
  for (size_t i = 1; i < sizeof body; i += 2) sl_store16_be(body + i, 0x0303);
  hello_set(hello, SL_EXT_SUPPORTED_VERSIONS, body, sizeof body);
}
CHANGE(early_data_twice) {
  hello_add(hello, SL_EXT_EARLY_DATA, "", 0), hello_add(hello, SL_EXT_EARLY_DATA, "", 0);
}
CHANGE(share_twice) {
  struct sl_buffer *body = NULL;
  for (size_t i = 0; i < hello->n_extensions; i++)
    if (hello->extensions[i].type == SL_EXT_KEY_SHARE) body = &hello->extensions[i].body;
  assert_non_null(body);
  uint8_t twice[2 + 36 + 36] = {0, 72};
  memcpy(twice + 2, body->data + 2, 36);
  memcpy(twice + 38, body->data + 2, 36);
  buffer_set(body, twice, sizeof twice);
}

#define VERSION   SL_E_VERSION, SL_ALERT_PROTOCOL_VERSION
#define PARAMETER SL_E_PARAMETER, SL_ALERT_ILLEGAL_PARAMETER
#define MISSING   SL_E_EXTENSION, SL_ALERT_MISSING_EXTENSION

static const struct {
  const char *name;
  void (*change)(struct hello *hello);
  sl_err reason;
  enum sl_alert alert;
} hellos[] = {
#define ROW(change, ...)                                                                                               \
  { #change, change, __VA_ARGS__ }
    ROW(psk_alone, MISSING),
    ROW(psk_with_groups, MISSING),
    ROW(draft_28, VERSION),
    ROW(fallback_scsv, VERSION),
    ROW(tls11_alone, VERSION),
    ROW(tls13_by_field, VERSION),
    ROW(tls13_in_a_long_list, VERSION),
    ROW(early_data_twice, PARAMETER),
    ROW(share_twice, PARAMETER),
#undef ROW
};

static void test_hellos(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++)
    for (size_t f = 0; f < N_FEED_LENS; f++) {
      struct session s;
      session_open(&s, config, STAGE_NEW, feed_lens[f]);
      hellos[i].change(&s.client.hello);
      client_say_hello(&s.client);
      session_carry(&s);
      session_refused(&s, hellos[i].reason, hellos[i].alert, hellos[i].name);
      session_close(&s);
    }
}

/* Early data may come until the second ClientHello, not after it (4.2.10). */
static void test_early_data_after_second_hello(void **state) {
  (void)state;
  for (size_t f = 0; f < N_FEED_LENS; f++) {
    struct session s;
    session_open(&s, config, STAGE_NEW, feed_lens[f]);
    hello_set(&s.client.hello, SL_EXT_EARLY_DATA, "", 0);
    hello_set(&s.client.hello, SL_EXT_KEY_SHARE, "\0\0", 2);
    client_say_hello(&s.client);
    PLAIN(&s.client, 23, "early data, which is passed over");
    session_carry(&s);
    assert_true(s.client.was_retried);
    hello_remove(&s.client.hello, SL_EXT_EARLY_DATA);
    client_add_share(&s.client);
    client_say_hello(&s.client);
    PLAIN(&s.client, 23, "early data, which comes too late");
    session_carry(&s);
    session_refused(&s, MAC, "early data after the second hello");
    session_close(&s);
  }
}

/* With protocols configured: the common one, or none and the right alert; a client without ALPN is served all the same. */
static void test_alpn(void **state) {
  static const struct {
    const char *offer; /* NULL: no extension */
    size_t offer_len;
    const char *chosen; /* NULL: refused */
  } rows[] = {
      {NULL, 0, ""},
      {"\0\x0c\2h2\x08http/1.1", 14, "http/1.1"},
      {"\0\3\2h2", 5, NULL},
      {"\0\x09\x08HTTP/1.1", 11, NULL}, /* names are compared byte for byte (RFC 7301 3.2) */
      {"\0\x08\7http/1.", 10, NULL},
      {"\0\x0a\x09http/1.10", 12, NULL},
      {"\0\4\3a\0b", 6, NULL},
  };
  static const char *const ours[] = {"http/1.1"};
  (void)state;
  struct sl_config *own = session_config();
  assert_int_equal(sl_config_set_alpn(own, ours, 1), SL_OK);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct session s;
    struct sl_negotiated info;
    session_open(&s, own, STAGE_NEW, SIZE_MAX);
    if (rows[i].offer)
      hello_set(&s.client.hello, SL_EXT_ALPN, rows[i].offer, rows[i].offer_len);
    else
      hello_remove(&s.client.hello, SL_EXT_ALPN);
    client_say_hello(&s.client);
    session_carry(&s);
    if (rows[i].chosen == NULL) {
      session_refused(&s, SL_E_NO_ALPN, SL_ALERT_NO_APPLICATION_PROTOCOL, "no common protocol");
      assert_int_equal(sl_conn_failure(s.pump.conn)->extension, SL_EXT_ALPN);
    } else {
      client_say_finished(&s.client);
      session_carry(&s);
      session_works(&s, "ALPN");
      sl_conn_info(s.pump.conn, &info);
      assert_string_equal(info.alpn, rows[i].chosen);
    }
    session_close(&s);
  }
  sl_config_free(own);
}

/* ---- nothing depends on how it arrives ------------------------------------------------------------------------------- */

static uint32_t dice_state;

static uint32_t dice(uint32_t n) {
  dice_state = dice_state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(dice_state >> 8) * n >> 24);
}

static sl_err same_random(void *ctx, uint8_t *out, size_t len) {
  (void)ctx;
  for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(i * 7 + 5);
  return SL_OK;
}

enum { N_PHASES = 3 }; /* first hello; second hello, if asked for; all the rest */

/* What the client of story `number` says in a phase, given what it heard before: always the same. */
static void say(struct client *c, unsigned number, unsigned phase) {
  static const char *const suites[] = {"\x13\x01", "\x13\x02", "\x13\x03"};
  dice_state = number * 7919 + phase;
  bool is_retried = number % 2 != 0, has_early_data = number % 3 == 0;
  switch (phase) {
  case 0:
    buffer_set(&c->hello.suites, suites[number % 3], 2);
    if (has_early_data) hello_set(&c->hello, SL_EXT_EARLY_DATA, "", 0);
    if (is_retried) hello_set(&c->hello, SL_EXT_KEY_SHARE, "\0\0", 2);
    client_say_hello(c);
    if (dice(2)) PLAIN(c, 20, "\1");
    for (uint32_t i = has_early_data ? 1 + dice(4) : 0; i > 0; i--) {
      uint8_t junk[600] = {0};
      client_plain(c, 23, junk, dice(sizeof junk));
    }
    return;
  case 1:
    if (!is_retried) return;
    if (has_early_data) hello_remove(&c->hello, SL_EXT_EARLY_DATA);
    client_add_share(c);
    client_say_hello(c);
    if (dice(2)) PLAIN(c, 20, "\1");
    return;
  }
  client_say_finished(c);
  uint8_t text[3000];
  for (uint32_t i = 10 + dice(40); i > 0; i--) {
    size_t len = dice(4) ? dice(200) : dice(sizeof text);
    memset(text, (int)(i + 'A'), len);
    client_sealed(c, 23, text, len, dice(3) ? 0 : dice(300));
    if (dice(6) == 0) client_say_key_update(c, 0);
    if (dice(9) == 0) {
      for (unsigned b = 0; b < 5; b++) client_sealed(c, 22, &"\x18\0\0\1\0"[b], 1, dice(9));
      client_rotate(c);
    }
  }
  switch (number / 3 % 6) { /* how it ends */
  case 0:
    return;
  case 1:
    SEALED(c, 21, "\1\0"), SEALED(c, 23, "not read any more");
    return;
  case 2:
    SEALED(c, 23, "changed");
    c->wire.data[c->wire.len - 1] ^= 1;
    SEALED(c, 23, "not read any more");
    return;
  case 3:
    SEALED(c, 22, "\x18\0\0\1\2"), SEALED(c, 23, "not read any more");
    return;
  case 4:
    SEALED(c, 21, "\2\x28"), SEALED(c, 23, "not read any more");
    return;
  case 5:
    append(&c->wire, "\x17\x03\x03\xff\xff and no more", 17);
    return;
  }
}

/* One of the connections of a batch. */
struct peer {
  struct sl_conn *conn;
  struct client client;
  unsigned number;
  struct sl_buffer received, transmitted;
  uint8_t *plain;
  size_t at; /* bytes of this phase's wire that were fed */
};

/* Runs the stories [first, first + n) side by side, each cut at random in pieces of up to max_cut bytes. */
static void run_stories(struct peer *peers, struct sl_config *own, unsigned first, size_t n, size_t n_records,
                        size_t max_cut) {
  struct sl_batch batch;
  size_t mem_len = sl_batch_mem_len(n_records);
  void *mem = aligned_alloc(64, (mem_len + 63) / 64 * 64);
  assert_non_null(mem);
  assert_int_equal(sl_batch_init(&batch, n_records, mem, mem_len), SL_OK);
  for (size_t i = 0; i < n; i++) {
    peers[i] = (struct peer){.number = first + (unsigned)i};
    assert_int_equal(sl_conn_new(&peers[i].conn, own), SL_OK);
    client_open(&peers[i].client, true);
  }
  for (unsigned phase = 0; phase < N_PHASES; phase++) {
    for (size_t i = 0; i < n; i++) {
      say(&peers[i].client, peers[i].number, phase);
      peers[i].at = 0;
    }
    dice_state = (uint32_t)(first + n_records * 31 + max_cut);
    for (bool is_more = true; is_more;) {
      is_more = false;
      for (size_t i = 0; i < n; i++) {
        struct peer *p = &peers[i];
        struct sl_buffer *wire = &p->client.wire;
        size_t rest = wire->len - p->at, len = max_cut == SIZE_MAX ? rest : 1 + dice((uint32_t)max_cut);
        if (len > rest) len = rest;
        size_t cap = sl_conn_plain_bound(p->conn, len);
        p->plain = malloc(cap + 1);
        assert_non_null(p->plain);
        sl_err err = sl_conn_feed(p->conn, &batch, wire->data + p->at, len, p->plain, cap);
        assert_true(err == SL_OK || err == SL_E_CLOSED);
        p->at += len;
        is_more |= p->at < wire->len;
      }
      sl_batch_run(&batch);
      for (size_t i = 0; i < n; i++) {
        struct peer *p = &peers[i];
        uint8_t out[100];
        append(&p->received, p->plain, sl_conn_plain_len(p->conn));
        free(p->plain);
        for (size_t k; (k = sl_conn_take_output(p->conn, out, sizeof out)) > 0;) {
          append(&p->transmitted, out, k);
          client_take(&p->client, out, k);
        }
      }
    }
    for (size_t i = 0; i < n; i++) sl_buffer_free(&peers[i].client.wire);
  }
  size_t n_lendable = 0;
  for (const struct sl_record *r = batch.lendable; r != NULL; r = r->next) n_lendable++;
  assert_int_equal(n_lendable, n_records);
  sl_batch_wipe(&batch);
  free(mem);
}

static void end_peer(struct peer *p) {
  sl_conn_free(p->conn);
  client_close(&p->client);
  sl_buffer_free(&p->received);
  sl_buffer_free(&p->transmitted);
}

static void test_arrival(void **state) {
  enum { N_STORIES = 36 };
  static const size_t batch_sizes[] = {1, 2, 3, 64}, cuts[] = {SIZE_MAX, 3, 50, 700, 9000}, crowds[] = {1, 4, 9};
  (void)state;
  struct sl_config *own = session_config();
  sl_config_set_random(own, same_random, NULL);
  struct peer *alone = calloc(N_STORIES, sizeof *alone), *crowd = calloc(9, sizeof *crowd);
  assert_non_null(alone);
  assert_non_null(crowd);
  unsigned n_failed = 0, n_closed = 0;
  for (unsigned i = 0; i < N_STORIES; i++) {
    run_stories(&alone[i], own, i, 1, 64, SIZE_MAX);
    assert_true(alone[i].received.len > 500);
    n_failed += sl_conn_state(alone[i].conn) == SL_CONN_FAILED;
    n_closed += sl_conn_state(alone[i].conn) == SL_CONN_PEER_CLOSED;
  }
  assert_int_equal(n_failed, N_STORIES * 4 / 6);
  assert_int_equal(n_closed, N_STORIES / 6);
  for (size_t c = 0; c < sizeof crowds / sizeof crowds[0]; c++)
    for (size_t b = 0; b < 4; b++)
      for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++)
        for (unsigned first = (unsigned)(b + k) % 3 * 12; first + crowds[c] <= N_STORIES; first += 17) {
          run_stories(crowd, own, first, crowds[c], batch_sizes[b], cuts[k]);
          for (size_t i = 0; i < crowds[c]; i++) {
            const struct peer *one = &alone[first + i], *other = &crowd[i];
            const struct sl_failure *why = sl_conn_failure(one->conn), *other_why = sl_conn_failure(other->conn);
            if (sl_conn_state(one->conn) != sl_conn_state(other->conn) || strcmp(why->text, other_why->text) != 0 ||
                why->reason != other_why->reason || why->alert != other_why->alert)
              fail_msg("story %u: \"%s\", but \"%s\" of %zu, batch %zu, cut %zu", one->number, why->text,
                       other_why->text, crowds[c], batch_sizes[b], cuts[k]);
            assert_int_equal(one->received.len, other->received.len);
            assert_memory_equal(one->received.data, other->received.data, one->received.len);
            assert_int_equal(one->transmitted.len, other->transmitted.len);
            assert_memory_equal(one->transmitted.data, other->transmitted.data, one->transmitted.len);
          }
          for (size_t i = 0; i < crowds[c]; i++) end_peer(&crowd[i]);
        }
  for (unsigned i = 0; i < N_STORIES; i++) end_peer(&alone[i]);
  free(alone);
  free(crowd);
  sl_config_free(own);
}

/* A batch that is full of an application's own records when the bytes arrive. */
static void test_full_batch(void **state) {
  enum { CAP = 3 };
  (void)state;
  struct session s;
  session_open(&s, config, STAGE_OPEN, SIZE_MAX);
  struct sl_batch *batch = &s.pump.batch;
  sl_batch_wipe(batch);
  assert_int_equal(sl_batch_init(batch, CAP, s.pump.batch_mem, sl_batch_mem_len(CAP)), SL_OK);
  for (int round = 0; round < 3; round++) {
    struct sl_record own[CAP] = {0};
    struct sl_record_key key = {0};
    uint8_t wires[CAP][30], plain[1000];
    const uint8_t secret[16] = {0}, iv[12] = {0};
    assert_int_equal(sl_record_key_init(&key, SL_AES_128_GCM, secret, sizeof secret, iv), SL_OK);
    for (int i = 0; i < CAP - round; i++) {
      struct iovec text = {(void *)(uintptr_t) "text", 4};
      assert_int_equal(sl_record_seal(&own[i], &key, 23, &text, 1, 0, wires[i], sizeof wires[i]), SL_OK);
      assert_int_equal(sl_batch_add(batch, &own[i]), SL_OK);
    }
    for (int i = 0; i < 10; i++) SEALED(&s.client, 23, "data");
    client_say_key_update(&s.client, 1);
    SEALED(&s.client, 23, "data");
    struct sl_buffer *wire = &s.client.wire;
    assert_int_equal(sl_conn_feed(s.pump.conn, batch, wire->data, wire->len, plain, sizeof plain), SL_OK);
    uint8_t sent[100];
    size_t sent_len;
    struct iovec text = {(void *)(uintptr_t) "text", 4};
    assert_int_equal(sl_conn_send(s.pump.conn, batch, &text, 1, sent, sizeof sent, &sent_len), SL_E_FULL);
    pump_run(&s.pump);
    assert_int_equal(sl_conn_plain_len(s.pump.conn), 44);
    for (int i = 0; i < CAP - round; i++) assert_int_equal(own[i].err, SL_OK);
    sl_buffer_free(wire);
    session_works(&s, "a full batch");
  }
  session_close(&s);
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
      cmocka_unit_test(test_hellos),
      cmocka_unit_test(test_early_data_after_second_hello),
      cmocka_unit_test(test_alpn),
      cmocka_unit_test(test_arrival),
      cmocka_unit_test(test_full_batch),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
