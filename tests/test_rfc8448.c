/* test_rfc8448.c - the traces of RFC 8448, each step done by this library and compared byte for byte: key exchange, key
 * schedule, Finished, record protection; and the ClientHellos of three of them answered by a connection. */
#include "pump.h"
#include "unit.h"
#include "vectors.h"
#include <engine/hkdf.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_LEN = 32 }; /* every trace uses TLS_AES_128_GCM_SHA256 */

static const char *const traces[] = {
    "rfc8448/simple_1rtt.txt",           "rfc8448/resumed_0rtt.txt",       "rfc8448/hello_retry_request.txt",
    "rfc8448/client_authentication.txt", "rfc8448/compatibility_mode.txt",
};

/* The traffic secrets of a trace, in the order each side uses them. */
enum secret_row { CLIENT_EARLY, CLIENT_HANDSHAKE_ROW, CLIENT_DATA, SERVER_HANDSHAKE_ROW, SERVER_DATA, N_SECRETS };
static const char *const secret_labels[N_SECRETS] = {"c e traffic", "c hs traffic", "c ap traffic", "s hs traffic",
                                                     "s ap traffic"};

struct trace {
  struct vectors v;
  struct sl_buffer transcript;
  struct sl_key_schedule schedule;
  struct sl_secret
      spine[3]; /* early, handshake and master secret: the client's steps come after the server's next stage */
  size_t n_spine;
  struct sl_secret secrets[N_SECRETS];
  struct sl_secret exporter, resumption;
  struct sl_record_key write[N_SECRETS], read[N_SECRETS];
  bool has_secret[N_SECRETS];
  int writing[2];                      /* the row each side used last: client, server */
  const struct sl_group_params *group; /* of the key pairs last made */
  uint8_t private[2][SL_EXCHANGE_SECRET_LEN], public[2][SL_SHARE_MAX];
  size_t n_compared; /* values */
};

static void expect(struct trace *t, const char *name, const uint8_t *ours, size_t our_len) {
  size_t len;
  const uint8_t *value = vectors_bytes(&t->v, name, &len);
  if (len != our_len || (len > 0 && memcmp(ours, value, len) != 0))
    fail_msg("%s: %s differs in \"%s\"", vectors_where(&t->v), name, vectors_word(&t->v, "step"));
  t->n_compared++;
}

/* A value of a fixed length. */
static const uint8_t *value_of(struct trace *t, const char *name, size_t len) {
  size_t found;
  const uint8_t *value = vectors_bytes(&t->v, name, &found);
  if (found != len) fail_msg("%s: %s has %zu bytes, not %zu", vectors_where(&t->v), name, found, len);
  return value;
}

static void transcript_hash(const struct trace *t, uint8_t *hash) {
  assert_int_equal(sl_hash_once(SL_SHA256, t->transcript.data, t->transcript.len, hash), SL_OK);
}

static int side_of(const struct trace *t) {
  return strcmp(vectors_word(&t->v, "who"), "server") == 0;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* A pair's public key is a share, which is made together with a secret: of whatever point, so of the trace's own. */
static void make_pair(struct trace *t, uint16_t number) {
  const struct sl_group_params *group = sl_group_params(number);
  uint8_t share[SL_SHARE_MAX], unused[SL_EXCHANGE_SHARED_LEN];
  int side = side_of(t);
  assert_non_null(group);
  t->group = group;
  memcpy(t->private[side], value_of(t, "private_key", SL_EXCHANGE_SECRET_LEN), SL_EXCHANGE_SECRET_LEN);
  memcpy(t->public[side], value_of(t, "public_key", group->share_len), group -> share_len);
  assert_true(group->is_secret(t->private[side]));
  assert_int_equal(group->exchange(share, unused, t->private[side], t -> public[side]), SL_OK);
  expect(t, "public_key", share, group->share_len);
}

static void do_x25519_pair(struct trace *t, const char *what) {
  (void)what;
  make_pair(t, SL_GROUP_X25519);
}

static void do_secp256r1_pair(struct trace *t, const char *what) {
  (void)what;
  make_pair(t, SL_GROUP_SECP256R1);
}

static const uint8_t retry_random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                       0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                       0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static void do_message(struct trace *t, const char *what) {
  static const char *const names[] = {"clienthello",        "serverhello",    "encryptedextensions",
                                      "certificaterequest", "certificate",    "certificateverify",
                                      "finished",           "endofearlydata", "newsessionticket"};
  (void)what;
  size_t i = 0, len;
  while (!vectors_has(&t->v, names[i])) assert_true(++i < sizeof names / sizeof names[0]);
  const uint8_t *message = vectors_bytes(&t->v, names[i], &len);
  /* 4.4.1: a HelloRetryRequest turns the ClientHello before it into its hash */
  if (message[0] == SL_MSG_SERVER_HELLO && memcmp(message + 6, retry_random, 32) == 0) {
    uint8_t start[4 + HASH_LEN] = {SL_MSG_MESSAGE_HASH, 0, 0, HASH_LEN};
    transcript_hash(t, start + 4);
    sl_buffer_free(&t->transcript);
    assert_int_equal(sl_buffer_append(&t->transcript, start, sizeof start), SL_OK);
  }
  assert_int_equal(sl_buffer_append(&t->transcript, message, len), SL_OK);
}

/* The schedule came to a new stage, whose secret the trace says. */
static void keep_stage(struct trace *t) {
  expect(t, "secret", t->schedule.secret.bytes, HASH_LEN);
  assert_true(t->n_spine < 3);
  t->spine[t->n_spine++] = t->schedule.secret;
}

/* The stage a step derives from. */
static const struct sl_secret *stage_of(struct trace *t) {
  const uint8_t *prk = value_of(t, "prk", HASH_LEN);
  for (size_t i = 0; i < t->n_spine; i++)
    if (memcmp(t->spine[i].bytes, prk, HASH_LEN) == 0) return &t->spine[i];
  fail_msg("%s: no stage has this secret", vectors_where(&t->v));
  return NULL;
}

static void do_extract_early(struct trace *t, const char *what) {
  static const uint8_t zeros[HASH_LEN];
  (void)what;
  const uint8_t *psk = value_of(t, "ikm", HASH_LEN);
  bool has_psk = memcmp(psk, zeros, HASH_LEN) != 0;
  assert_int_equal(sl_schedule_early(&t->schedule, SL_SHA256, has_psk ? psk : NULL, has_psk ? HASH_LEN : 0), SL_OK);
  keep_stage(t);
}

static void do_derived(struct trace *t, const char *what) {
  struct sl_secret derived;
  (void)what;
  assert_int_equal(sl_derive_secret(SL_SHA256, stage_of(t), "derived", NULL, &derived), SL_OK);
  expect(t, "expanded", derived.bytes, HASH_LEN);
}

static void do_extract_handshake(struct trace *t, const char *what) {
  uint8_t hash[HASH_LEN], shared[SL_EXCHANGE_SHARED_LEN], share[SL_SHARE_MAX];
  (void)what;
  for (int side = 0; side < 2; side++) {
    assert_int_equal(t->group->exchange(share, shared, t->private[side], t -> public[!side]), SL_OK);
    expect(t, "ikm", shared, sizeof shared);
  }
  transcript_hash(t, hash);
  assert_int_equal(sl_schedule_handshake(&t->schedule, value_of(t, "ikm", 32), 32, hash,
                                         &t->secrets[CLIENT_HANDSHAKE_ROW], &t->secrets[SERVER_HANDSHAKE_ROW]),
                   SL_OK);
  t->has_secret[CLIENT_HANDSHAKE_ROW] = t->has_secret[SERVER_HANDSHAKE_ROW] = true;
  keep_stage(t);
}

static void do_extract_master(struct trace *t, const char *what) {
  (void)what;
  assert_int_equal(sl_schedule_master(&t->schedule), SL_OK);
  keep_stage(t);
}

/* Derive-Secret from the stage the schedule is in; secrets its stages gave too must be the same. */
static void do_derive(struct trace *t, const char *what) {
  char label[32];
  uint8_t hash[HASH_LEN];
  struct sl_secret secret;
  assert_int_equal(sscanf(what, " \"tls13 %31[^\"]\"", label), 1);
  transcript_hash(t, hash);
  expect(t, "hash", hash, HASH_LEN);
  assert_int_equal(sl_derive_secret(SL_SHA256, stage_of(t), label, hash, &secret), SL_OK);
  expect(t, "expanded", secret.bytes, HASH_LEN);
  if (strcmp(label, "c ap traffic") == 0) { /* the first of three the traffic stage gives */
    assert_int_equal(
        sl_schedule_traffic(&t->schedule, hash, &t->secrets[CLIENT_DATA], &t->secrets[SERVER_DATA], &t->exporter),
        SL_OK);
    t->has_secret[CLIENT_DATA] = t->has_secret[SERVER_DATA] = true;
  }
  if (strcmp(label, "c e traffic") == 0) {
    t->secrets[CLIENT_EARLY] = secret;
    t->has_secret[CLIENT_EARLY] = true;
  }
  if (strcmp(label, "res master") == 0) t->resumption = secret;
  if (strcmp(label, "exp master") == 0) assert_memory_equal(secret.bytes, t->exporter.bytes, HASH_LEN);
  for (size_t i = 0; i < N_SECRETS; i++)
    if (strcmp(label, secret_labels[i]) == 0) {
      assert_true(t->has_secret[i]);
      assert_memory_equal(secret.bytes, t->secrets[i].bytes, HASH_LEN);
    }
}

static void do_keys(struct trace *t, const char *what) {
  (void)what;
  const uint8_t *prk = value_of(t, "prk", HASH_LEN);
  size_t i = 0;
  while (!t->has_secret[i] || memcmp(t->secrets[i].bytes, prk, HASH_LEN) != 0) assert_true(++i < N_SECRETS);
  uint8_t key[16];
  assert_int_equal(sl_hkdf_expand_label(SL_SHA256, t->secrets[i].bytes, "key", NULL, 0, key, sizeof key), SL_OK);
  expect(t, "key_expanded", key, sizeof key);
  if (t->write[i].aead.ops != NULL) return; /* the other side's view of the same */
  assert_int_equal(sl_secret_record_key(SL_SHA256, SL_AES_128_GCM, &t->secrets[i], &t->write[i]), SL_OK);
  assert_int_equal(sl_secret_record_key(SL_SHA256, SL_AES_128_GCM, &t->secrets[i], &t->read[i]), SL_OK);
  expect(t, "iv_expanded", t->write[i].iv, sizeof t->write[i].iv);
}

static void do_finished(struct trace *t, const char *what) {
  struct sl_secret base = {0};
  uint8_t hash[HASH_LEN], verify_data[HASH_LEN];
  (void)what;
  memcpy(base.bytes, value_of(t, "prk", HASH_LEN), HASH_LEN);
  transcript_hash(t, hash);
  assert_memory_equal(base.bytes, t->secrets[side_of(t) ? SERVER_HANDSHAKE_ROW : CLIENT_HANDSHAKE_ROW].bytes, HASH_LEN);
  assert_int_equal(sl_secret_finished(SL_SHA256, &base, hash, verify_data), SL_OK);
  expect(t, "finished", verify_data, HASH_LEN);
}

static void do_binder(struct trace *t, const char *what) {
  struct sl_secret binder_key;
  uint8_t hash[HASH_LEN], binder[HASH_LEN];
  (void)what;
  assert_int_equal(sl_derive_secret(SL_SHA256, &t->schedule.secret, "res binder", NULL, &binder_key), SL_OK);
  expect(t, "prk", binder_key.bytes, HASH_LEN);
  transcript_hash(t, hash); /* the ClientHello up to its binders is all there is */
  expect(t, "clienthello_prefix", t->transcript.data, t->transcript.len);
  expect(t, "binder_hash", hash, HASH_LEN);
  assert_int_equal(sl_secret_finished(SL_SHA256, &binder_key, hash, binder), SL_OK);
  expect(t, "finished", binder, HASH_LEN);
}

static void do_resumption(struct trace *t, const char *what) {
  uint8_t psk[HASH_LEN];
  size_t nonce_len;
  (void)what;
  expect(t, "prk", t->resumption.bytes, HASH_LEN);
  const uint8_t *nonce = vectors_bytes(&t->v, "hash", &nonce_len);
  assert_int_equal(
      sl_hkdf_expand_label(SL_SHA256, t->resumption.bytes, "resumption", nonce, nonce_len, psk, sizeof psk), SL_OK);
  expect(t, "expanded", psk, sizeof psk);
}

/* Seals the payload with the keys of one row; true when that is the trace's record. Opens it again then. */
static bool sealed_alike(struct trace *t, int row, uint8_t type, const uint8_t *payload, size_t payload_len,
                         const uint8_t *complete, size_t complete_len) {
  struct sl_record_key attempt = t->write[row];
  struct sl_record record = {0};
  struct iovec text = {(void *)(uintptr_t)payload, payload_len};
  uint8_t *wire = malloc(complete_len), *plain = malloc(complete_len);
  assert_int_equal(sl_record_seal(&record, &attempt, type, &text, 1, 0, wire, complete_len), SL_OK);
  assert_int_equal(sl_record_run(&record), SL_OK);
  assert_int_equal(record.wire_len, complete_len);
  bool is_same = memcmp(wire, complete, complete_len) == 0;
  if (is_same) {
    t->write[row].seq = attempt.seq;
    assert_int_equal(sl_record_open(&record, &t->read[row], complete, complete_len, plain, complete_len), SL_OK);
    assert_int_equal(sl_record_run(&record), SL_OK);
    assert_int_equal(record.type, type);
    assert_int_equal(record.plain_len, payload_len);
    assert_memory_equal(plain, payload, payload_len);
  }
  sl_record_key_wipe(&attempt);
  free(wire);
  free(plain);
  return is_same;
}

static void do_send(struct trace *t, const char *what) {
  static const struct {
    const char *name;
    uint8_t type;
  } types[] = {{" handshake", 22}, {" application_data", 23}, {" alert", 21}, {" change_cipher_spec", 20}};
  static const int first_row[] = {CLIENT_EARLY, SERVER_HANDSHAKE_ROW}, end_row[] = {CLIENT_DATA + 1, N_SECRETS};
  size_t payload_len, complete_len, i = 0;
  const uint8_t *payload = vectors_bytes(&t->v, "payload", &payload_len);
  const uint8_t *complete = vectors_bytes(&t->v, "complete_record", &complete_len);
  while (strncmp(what, types[i].name, strlen(types[i].name)) != 0) assert_true(++i < 4);
  t->n_compared++;
  if (complete[0] != SL_CONTENT_APPLICATION_DATA) { /* unprotected */
    assert_int_equal(complete[0], types[i].type);
    assert_int_equal(complete_len, payload_len + 5);
    assert_memory_equal(complete + 5, payload, payload_len);
    /* A ClientHello with binders was constructed without them. */
    size_t prefix = t->transcript.len;
    if (payload[0] == SL_MSG_CLIENT_HELLO && prefix < payload_len && prefix > 400 &&
        memcmp(t->transcript.data, payload, prefix) == 0)
      assert_int_equal(sl_buffer_append(&t->transcript, payload + prefix, payload_len - prefix), SL_OK);
    return;
  }
  int side = side_of(t);
  for (int row = t->writing[side] > first_row[side] ? t->writing[side] : first_row[side]; row < end_row[side]; row++) {
    if (t->write[row].aead.ops == NULL) continue;
    if (!sealed_alike(t, row, types[i].type, payload, payload_len, complete, complete_len)) continue;
    t->writing[side] = row;
    return;
  }
  fail_msg("%s: no key makes this record", vectors_where(&t->v));
}

/* By the words a step begins with; the first that fits. */
static const struct {
  const char *words;
  void (*run)(struct trace *t, const char *what);
} steps[] = {
    {"create an ephemeral x25519 key pair", do_x25519_pair},
    {"create an ephemeral P-256 key pair", do_secp256r1_pair},
    {"construct ", do_message},
    {"extract secret \"early\"", do_extract_early},
    {"extract secret \"handshake\"", do_extract_handshake},
    {"extract secret \"master\"", do_extract_master},
    {"derive secret for ", do_derived},
    {"derive secret", do_derive},
    {"derive read traffic keys", do_keys},
    {"derive write traffic keys", do_keys},
    {"calculate finished", do_finished},
    {"calculate PSK binder", do_binder},
    {"generate resumption secret", do_resumption},
    {"send", do_send},
};

static void test_traces(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
    struct trace *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    assert_non_null(t);
    memset(t, 0, sizeof *t);
    size_t n_steps = 0;
    for (vectors_open(&t->v, traces[i]); vectors_next(&t->v); n_steps++) {
      const char *step = vectors_word(&t->v, "step");
      size_t k = 0;
      while (strncmp(step, steps[k].words, strlen(steps[k].words)) != 0)
        if (++k == sizeof steps / sizeof steps[0]) fail_msg("%s: what is \"%s\"?", vectors_where(&t->v), step);
      size_t n_before = t->n_compared;
      steps[k].run(t, step + strlen(steps[k].words));
      bool has_result = steps[k].run != do_message; /* this is an input */
      assert_int_equal(t->n_compared > n_before, has_result);
    }
    vectors_close(&t->v);
    print_message("  %zu values compared\n", t->n_compared);
    assert_true(n_steps > 30);
    assert_int_equal(t->n_spine, 3);
    /* Both sides came to use their application data keys. */
    assert_int_equal(t->writing[0], CLIENT_DATA);
    assert_int_equal(t->writing[1], SERVER_DATA);
    sl_buffer_free(&t->transcript);
    free(t);
  }
}

/* ---- through a connection ------------------------------------------------------------------------------------------ */

/* What the server side of a trace begins with. */
struct opening {
  uint8_t randoms[2][32]; /* in the order a connection asks: x25519 key, ServerHello.random */
  size_t n_given;
  struct sl_buffer hello_record, answer; /* wire */
  char expected[2][100], logged[2][100]; /* handshake secrets, in hexadecimal: client, server */
};

static sl_err give_random(void *ctx, uint8_t *out, size_t len) {
  struct opening *o = ctx;
  assert_true(o->n_given < 2);
  assert_int_equal(len, 32);
  memcpy(out, o->randoms[o->n_given++], 32);
  return SL_OK;
}

static void log_line(void *ctx, const char *line) {
  struct opening *o = ctx;
  int side = strncmp(line, "CLIENT_HANDSHAKE", 16) == 0 ? 0 : strncmp(line, "SERVER_HANDSHAKE", 16) == 0 ? 1 : -1;
  if (side >= 0) snprintf(o->logged[side], sizeof o->logged[side], "%s", strrchr(line, ' ') + 1);
}

static void read_opening(struct opening *o, const char *name) {
  struct vectors v;
  *o = (struct opening){0};
  for (vectors_open(&v, name); vectors_next(&v);) {
    const char *step = vectors_word(&v, "step");
    bool is_server = strcmp(vectors_word(&v, "who"), "server") == 0;
    size_t len;
    if (is_server && strcmp(step, "create an ephemeral x25519 key pair") == 0)
      memcpy(o->randoms[0], vectors_bytes(&v, "private_key", &len), 32);
    if (vectors_has(&v, "serverhello")) memcpy(o->randoms[1], vectors_bytes(&v, "serverhello", &len) + 6, 32);
    if (strcmp(step, "derive secret \"tls13 c hs traffic\"") == 0)
      snprintf(o->expected[0], sizeof o->expected[0], "%s", vectors_word(&v, "expanded"));
    if (strcmp(step, "derive secret \"tls13 s hs traffic\"") == 0)
      snprintf(o->expected[1], sizeof o->expected[1], "%s", vectors_word(&v, "expanded"));
    if (!vectors_has(&v, "complete_record")) continue;
    const uint8_t *record = vectors_bytes(&v, "complete_record", &len);
    if (record[0] == SL_CONTENT_APPLICATION_DATA || (!is_server && o->answer.len > 0)) continue;
    assert_int_equal(sl_buffer_append(is_server ? &o->answer : &o->hello_record, record, len), SL_OK);
  }
  vectors_close(&v);
}

/* The server's certificate of the traces is RSA with 1024 bits, which no configuration accepts: with another one the answer
 * is the trace's up to the ServerHello (and change_cipher_spec), and so are the handshake secrets. */
static void test_connections(void **state) {
  static const size_t answered[] = {0, 3, 4};
  (void)state;
  for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++) {
    struct opening o;
    struct pump p;
    read_opening(&o, traces[answered[i]]);
    struct sl_config *config = pump_config("RSA:2048");
    sl_config_set_random(config, give_random, &o);
    sl_config_set_keylog(config, log_line, &o);
    pump_open(&p, config, 16);
    assert_int_equal(pump_feed(&p, o.hello_record.data, o.hello_record.len), SL_OK);
    assert_int_equal(sl_conn_failure(p.conn)->reason, SL_OK);
    assert_int_equal(o.n_given, 2);
    assert_true(p.to_peer.len > o.answer.len);
    assert_memory_equal(p.to_peer.data, o.answer.data, o.answer.len);
    assert_int_equal(p.to_peer.data[o.answer.len], SL_CONTENT_APPLICATION_DATA);
    for (int side = 0; side < 2; side++) assert_string_equal(o.logged[side], o.expected[side]);
    pump_close(&p);
    sl_config_free(config);
    sl_buffer_free(&o.hello_record);
    sl_buffer_free(&o.answer);
  }
  print_message(
      "  n/a: section 4 wants a PSK; section 5 a server that asks for secp256r1 where it has a share of x25519\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_traces), cmocka_unit_test(test_connections)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
