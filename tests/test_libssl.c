/* test_libssl.c - OpenSSL's libssl as the client of our server, both in this process, their wire in memory. */
#include "made_certs.h"
#include "pump.h"
#include "unit.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct pair {
  struct pump server;
  SSL_CTX *ctx;
  SSL *client;
  BIO *in, *out;   /* the client's */
  size_t feed_len; /* bytes at most in one feed */
};

static void pair_open(struct pair *pair, struct sl_config *config, const char *suites, const char *groups) {
  *pair = (struct pair){.feed_len = SIZE_MAX};
  pump_open(&pair->server, config, 64);
  pair->ctx = SSL_CTX_new(TLS_client_method());
  assert_non_null(pair->ctx);
  if (suites) assert_int_equal(SSL_CTX_set_ciphersuites(pair->ctx, suites), 1);
  if (groups) assert_int_equal(SSL_CTX_set1_groups_list(pair->ctx, groups), 1);
  pair->client = SSL_new(pair->ctx);
  pair->in = BIO_new(BIO_s_mem());
  pair->out = BIO_new(BIO_s_mem());
  SSL_set_bio(pair->client, pair->in, pair->out);
  SSL_set_connect_state(pair->client);
  assert_int_equal(SSL_set_tlsext_host_name(pair->client, "localhost"), 1);
}

static void pair_close(struct pair *pair) {
  SSL_free(pair->client);
  SSL_CTX_free(pair->ctx);
  pump_close(&pair->server);
}

/* Carries everything both ways once; false when nothing moved. */
static bool carry(struct pair *pair) {
  bool moved = false;
  char *data;
  long len = BIO_get_mem_data(pair->out, &data);
  for (long at = 0; at < len;) {
    size_t n = (size_t)(len - at) < pair->feed_len ? (size_t)(len - at) : pair->feed_len;
    (void)pump_feed(&pair->server, (uint8_t *)data + at, n);
    at += (long)n;
    moved = true;
  }
  (void)BIO_reset(pair->out);
  struct sl_buffer *to_client = &pair->server.to_peer;
  if (to_client->len > 0) {
    assert_int_equal(BIO_write(pair->in, to_client->data, (int)to_client->len), to_client->len);
    sl_buffer_consume(to_client, to_client->len);
    moved = true;
  }
  return moved;
}

static void shake_hands(struct pair *pair) {
  for (int i = 0; i < 20 && SSL_do_handshake(pair->client) != 1; i++) {
    if (SSL_get_error(pair->client, -1) != SSL_ERROR_WANT_READ) {
      ERR_print_errors_fp(stderr);
      fail_msg("the client failed; the server says: %s", sl_conn_failure(pair->server.conn)->text);
    }
    if (!carry(pair)) fail_msg("stuck; the server says: %s", sl_conn_failure(pair->server.conn)->text);
  }
  while (carry(pair)) continue;
  if (sl_conn_state(pair->server.conn) != SL_CONN_OPEN)
    fail_msg("the server is not open: %s", sl_conn_failure(pair->server.conn)->text);
}

static void fill(uint8_t *data, size_t len, unsigned seed) {
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1103515245u + 12345u;
    data[i] = (uint8_t)(seed >> 16);
  }
}

/* len bytes each way arrive as they were. */
static void exchange(struct pair *pair, size_t len) {
  uint8_t *data = malloc(len + 1), *back = malloc(len + 1);
  fill(data, len, (unsigned)len);
  for (size_t at = 0; at < len;) {
    size_t n = 0;
    if (SSL_write_ex(pair->client, data + at, len - at, &n) != 1) fail_msg("SSL_write");
    at += n;
  }
  while (carry(pair)) continue;
  assert_int_equal(pair->server.received.len, len);
  if (len > 0) assert_memory_equal(pair->server.received.data, data, len);
  sl_buffer_free(&pair->server.received);
  fill(data, len, (unsigned)len + 1);
  assert_int_equal(pump_send(&pair->server, data, len), SL_OK);
  carry(pair);
  for (size_t at = 0; at < len;) {
    size_t n = 0;
    if (SSL_read_ex(pair->client, back + at, len - at, &n) != 1) {
      ERR_print_errors_fp(stderr);
      fail_msg("SSL_read after %zu of %zu bytes", at, len);
    }
    at += n;
  }
  if (len > 0) assert_memory_equal(back, data, len);
  free(data);
  free(back);
}

static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                     "TLS_CHACHA20_POLY1305_SHA256"};
static const char *const key_kinds[] = {"EC:P-256", "EC:P-384", "RSA:2048", "RSA-PSS:2048", "ED25519"};
static const size_t lens[] = {0, 1, 100, 16383, 16384, 16385, 100000};

/* Every suite with every kind of key, data of lengths around the record's. */
static void test_suites_and_keys(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof key_kinds / sizeof key_kinds[0]; k++) {
    struct sl_config *config = pump_config(key_kinds[k]);
    for (size_t s = 0; s < 3; s++) {
      struct pair pair;
      struct sl_negotiated info;
      pair_open(&pair, config, suites[s], NULL);
      shake_hands(&pair);
      sl_conn_info(pair.server.conn, &info);
      assert_string_equal(info.suite, suites[s]);
      assert_string_equal(info.group, "x25519");
      assert_string_equal(info.server_name, "localhost");
      assert_string_equal(SSL_get_cipher_name(pair.client), suites[s]);
      for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) exchange(&pair, lens[i]);
      pair_close(&pair);
    }
    sl_config_free(config);
  }
}

/* Shares: of a group we do not have, of one we like less, of secp256r1 alone. */
static const struct {
  const char *groups, *chosen;
  bool is_retried;
} choices[] = {
    {"P-384:X25519", "x25519", true},
    {"P-256:X25519", "x25519", true},
    {"P-384:P-256", "secp256r1", true},
    {"P-256", "secp256r1", false},
};

static void test_groups(void **state) {
  (void)state;
  struct sl_config *config = pump_config(NULL);
  for (size_t c = 0; c < sizeof choices / sizeof choices[0]; c++)
    for (size_t s = 0; s < 3; s++) {
      struct pair pair;
      struct sl_negotiated info;
      pair_open(&pair, config, suites[s], choices[c].groups);
      shake_hands(&pair);
      sl_conn_info(pair.server.conn, &info);
      assert_int_equal(info.retried, choices[c].is_retried);
      assert_string_equal(info.group, choices[c].chosen);
      exchange(&pair, 50000);
      pair_close(&pair);
    }
  sl_config_free(config);
}

static void test_no_common_group(void **state) {
  (void)state;
  struct sl_config *config = pump_config(NULL);
  struct pair pair;
  pair_open(&pair, config, NULL, "X448:P-384");
  assert_int_equal(SSL_do_handshake(pair.client), -1);
  carry(&pair);
  const struct sl_failure *failure = sl_conn_failure(pair.server.conn);
  assert_int_equal(failure->reason, SL_E_NO_GROUP);
  assert_string_equal(failure->text, "no common group: client x448, secp384r1, server x25519, secp256r1");
  assert_int_equal(SSL_do_handshake(pair.client), -1);
  assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_AD_REASON_OFFSET + SL_ALERT_HANDSHAKE_FAILURE);
  ERR_clear_error();
  pair_close(&pair);
  sl_config_free(config);
}

/* The wire cut into feeds of every small size, a few large ones. */
static void test_cut_feeds(void **state) {
  static const size_t sizes[] = {1, 2, 3, 5, 7, 22, 100, 1000, 16406, 20000};
  (void)state;
  struct sl_config *config = pump_config(NULL);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct pair pair;
    pair_open(&pair, config, NULL, i % 2 ? "P-256:X25519" : NULL);
    pair.feed_len = sizes[i];
    shake_hands(&pair);
    exchange(&pair, 70000);
    pair_close(&pair);
  }
  sl_config_free(config);
}

/* Keys replaced from either side, with and without asking for an answer, many times, data between. */
static void test_key_updates(void **state) {
  (void)state;
  struct sl_config *config = pump_config(NULL);
  for (size_t s = 0; s < 3; s++) {
    struct pair pair;
    pair_open(&pair, config, suites[s], NULL);
    shake_hands(&pair);
    for (int i = 0; i < 40; i++) {
      assert_int_equal(SSL_key_update(pair.client, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
      exchange(&pair, 1000);
      assert_int_equal(pair.server.conn->read.seq, 1);
      if (i % 2) assert_int_equal(pair.server.conn->write.seq, 1); /* answered before the data */
      assert_int_equal(sl_conn_key_update(pair.server.conn, &pair.server.batch, i % 3 == 0), SL_OK);
      pump_run(&pair.server);
      assert_int_equal(pair.server.conn->write.seq, 0);
      exchange(&pair, 30000);
    }
    pair_close(&pair);
  }
  sl_config_free(config);
}

/* close_notify from the client, then ours; data in between still flows. */
static void test_close(void **state) {
  (void)state;
  struct sl_config *config = pump_config(NULL);
  struct pair pair;
  pair_open(&pair, config, NULL, NULL);
  shake_hands(&pair);
  exchange(&pair, 10);
  assert_int_equal(SSL_shutdown(pair.client), 0);
  carry(&pair);
  assert_int_equal(sl_conn_state(pair.server.conn), SL_CONN_PEER_CLOSED);
  assert_int_equal(sl_conn_feed_end(pair.server.conn), SL_OK);
  assert_int_equal(pump_send(&pair.server, (const uint8_t *)"late", 4), SL_OK);
  assert_int_equal(sl_conn_close(pair.server.conn, &pair.server.batch), SL_OK);
  assert_int_equal(sl_conn_close(pair.server.conn, &pair.server.batch), SL_OK);
  pump_run(&pair.server);
  assert_int_equal(sl_conn_state(pair.server.conn), SL_CONN_CLOSED);
  assert_int_equal(pump_send(&pair.server, (const uint8_t *)"late", 4), SL_E_CLOSED);
  carry(&pair);
  char late[10];
  assert_int_equal(SSL_read(pair.client, late, sizeof late), 4);
  assert_int_equal(SSL_read(pair.client, late, sizeof late), 0);
  assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
  pair_close(&pair);
  sl_config_free(config);
}

static void test_alpn(void **state) {
  static const char *const ours[] = {"h2", "http/1.1"};
  static const uint8_t theirs[] = "\x08http/1.1\x02h2", others[] = "\x03"
                                                                   "foo";
  (void)state;
  struct sl_config *config = pump_config(NULL);
  assert_int_equal(sl_config_set_alpn(config, ours, 2), SL_OK);
  struct pair pair;
  struct sl_negotiated info;
  pair_open(&pair, config, NULL, NULL);
  assert_int_equal(SSL_set_alpn_protos(pair.client, theirs, sizeof theirs - 1), 0);
  shake_hands(&pair);
  sl_conn_info(pair.server.conn, &info);
  assert_string_equal(info.alpn, "h2");
  const uint8_t *chosen;
  unsigned len;
  SSL_get0_alpn_selected(pair.client, &chosen, &len);
  assert_int_equal(len, 2);
  assert_memory_equal(chosen, "h2", 2);
  pair_close(&pair);
  pair_open(&pair, config, NULL, NULL);
  assert_int_equal(SSL_set_alpn_protos(pair.client, others, sizeof others - 1), 0);
  assert_int_equal(SSL_do_handshake(pair.client), -1);
  carry(&pair);
  assert_int_equal(sl_conn_failure(pair.server.conn)->reason, SL_E_NO_ALPN);
  assert_int_equal(sl_conn_failure(pair.server.conn)->alert, SL_ALERT_NO_APPLICATION_PROTOCOL);
  pair_close(&pair);
  sl_config_free(config);
}

static void test_old_client(void **state) {
  (void)state;
  struct sl_config *config = pump_config(NULL);
  struct pair pair;
  pair_open(&pair, config, NULL, NULL);
  SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
  assert_int_equal(SSL_do_handshake(pair.client), -1);
  carry(&pair);
  assert_int_equal(sl_conn_failure(pair.server.conn)->reason, SL_E_VERSION);
  assert_string_equal(sl_conn_failure(pair.server.conn)->text,
                      "client offers at most TLS 1.2, this server accepts TLS 1.3");
  assert_int_equal(SSL_do_handshake(pair.client), -1);
  assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_AD_REASON_OFFSET + SL_ALERT_PROTOCOL_VERSION);
  ERR_clear_error();
  pair_close(&pair);
  sl_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_suites_and_keys),
      cmocka_unit_test(test_groups),
      cmocka_unit_test(test_no_common_group),
      cmocka_unit_test(test_cut_feeds),
      cmocka_unit_test(test_key_updates),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_alpn),
      cmocka_unit_test(test_old_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
