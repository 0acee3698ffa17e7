/* test_wiped.c - secrets end where their use does: whatever the library gives back to the heap is looked through for every
 * secret of the connection, and what it keeps for those whose time is over. Linked with --wrap. */
#define _GNU_SOURCE /* memmem */
#include "made_certs.h"
#include "session.h"
#include "unit.h"
#include <engine/hkdf.h>
#include <engine/x25519.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
void __real_free(void *p);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);
void __wrap_free(void *p);

/* ---- what the library allocates ----------------------------------------------------------------------------------- */

enum { LIVE_MAX = 100, GRAVES_LEN = 1 << 22 };

static bool inside; /* the library */
static struct {
  uint8_t *at;
  size_t len;
} live[LIVE_MAX];
static uint8_t *graves; /* the content of blocks as they were freed, one behind the other */
static size_t graves_len;

static void *note(void *p, size_t len) {
  if (!inside || p == NULL) return p;
  for (size_t i = 0; i < LIVE_MAX; i++)
    if (live[i].at == NULL) {
      live[i].at = p;
      live[i].len = len;
      return p;
    }
  abort();
}

void *__wrap_malloc(size_t len) {
  return note(__real_malloc(len), len);
}
void *__wrap_calloc(size_t n, size_t len) {
  return note(__real_calloc(n, len), n * len);
}
void *__wrap_aligned_alloc(size_t align, size_t len) {
  return note(__real_aligned_alloc(align, len), len);
}
void __wrap_free(void *p) {
  for (size_t i = 0; i < LIVE_MAX && p != NULL; i++) {
    if (live[i].at != p) continue;
    if (live[i].len > GRAVES_LEN - graves_len) abort();
    memcpy(graves + graves_len, p, live[i].len);
    graves_len += live[i].len;
    live[i].at = NULL;
  }
  __real_free(p);
}

static void hook(bool enters) {
  inside = enters;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------- */

enum stage { HANDSHAKE, TRAFFIC, N_STAGES }; /* what a secret is for */

static struct secret {
  const char *name;
  enum stage stage;
  size_t len;
  uint8_t bytes[SL_SECRET_MAX];
} secrets[80];
static size_t n_secrets;

static uint8_t given[32]; /* the first random bytes the server asked for: its ephemeral scalar */
static unsigned n_given;

static void add(const char *name, enum stage stage, const uint8_t *bytes, size_t len) {
  assert_true(n_secrets < sizeof secrets / sizeof secrets[0]);
  struct secret *s = &secrets[n_secrets++];
  *s = (struct secret){.name = name, .stage = stage, .len = len};
  memcpy(s->bytes, bytes, len);
}

/* A traffic secret and all that is expanded from it. */
static void add_traffic(const struct client *c, const char *name, enum stage stage, const struct sl_secret *secret) {
  uint8_t out[SL_SECRET_MAX];
  size_t hash_len = sl_hash_len(c->suite->hash), key_len = sl_aead_secret_len(c->suite->aead);
  const struct {
    const char *label;
    size_t len;
  } expanded[] = {{"key", key_len}, {"iv", SL_AEAD_NONCE_LEN}, {"finished", hash_len}};
  add(name, stage, secret->bytes, hash_len);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(
        sl_hkdf_expand_label(c->suite->hash, secret->bytes, expanded[i].label, NULL, 0, out, expanded[i].len), SL_OK);
    add(name, stage, out, expanded[i].len);
  }
}

/* Everything a handshake whose flight was heard has made. */
static void add_handshake(const struct client *c) {
  struct sl_key_schedule schedule;
  struct sl_secret unused[2];
  const uint8_t no_hash[SL_HASH_LEN_MAX] = {0};
  uint8_t shared[32];
  size_t hash_len = sl_hash_len(c->suite->hash);
  assert_true(n_given >= 1);
  add("the ephemeral scalar", HANDSHAKE, given, 32);
  uint8_t share[SL_SHARE_MAX];
  assert_int_equal(c->group->exchange(share, shared, given, c->share), SL_OK);
  add("the shared secret", HANDSHAKE, shared, 32);
  assert_int_equal(sl_schedule_early(&schedule, c->suite->hash, NULL, 0), SL_OK);
  assert_int_equal(sl_schedule_handshake(&schedule, shared, 32, no_hash, &unused[0], &unused[1]), SL_OK);
  add("the Handshake Secret", HANDSHAKE, schedule.secret.bytes, hash_len);
  assert_int_equal(sl_derive_secret(c->suite->hash, &schedule.secret, "derived", NULL, &unused[0]), SL_OK);
  add("what it is derived to", HANDSHAKE, unused[0].bytes, hash_len);
  assert_int_equal(sl_schedule_master(&schedule), SL_OK);
  add("the Master Secret", HANDSHAKE, schedule.secret.bytes, hash_len);
  if (c->got_flight) add("the exporter secret", HANDSHAKE, c->exporter.bytes, hash_len);
  add_traffic(c, "the client's handshake traffic secret", HANDSHAKE, &c->client_handshake);
  add_traffic(c, "the server's handshake traffic secret", HANDSHAKE, &c->server_handshake);
}

static const struct secret *find_in(const uint8_t *at, size_t len, unsigned stages, size_t min_len) {
  for (size_t i = 0; i < n_secrets; i++) {
    const struct secret *s = &secrets[i];
    if ((stages >> s->stage & 1) && s->len >= min_len && memmem(at, len, s->bytes, s->len)) return s;
  }
  return NULL;
}

enum { OF_HANDSHAKE = 1 << HANDSHAKE, OF_TRAFFIC = 1 << TRAFFIC };

/* No secret was ever given back, none of these stages is kept. A batch keeps the nonces of its last records, the first of
 * which are IVs, until it ends: these are no keys. */
static void check(const char *what, unsigned ended) {
  const struct secret *found = find_in(graves, graves_len, OF_HANDSHAKE | OF_TRAFFIC, 1);
  if (found) fail_msg("%s: %s (or its %zu bytes of key) is in freed memory", what, found->name, found->len);
  for (size_t i = 0; i < LIVE_MAX; i++) {
    found = live[i].at ? find_in(live[i].at, live[i].len, ended, SL_AEAD_NONCE_LEN + 1) : NULL;
    if (found) fail_msg("%s: %s (or its %zu bytes of key) is kept", what, found->name, found->len);
  }
}

/* Is there any of these at all? Shows that the search finds. */
static bool is_any_kept(unsigned stages) {
  for (size_t i = 0; i < LIVE_MAX; i++)
    if (live[i].at && find_in(live[i].at, live[i].len, stages, SL_AEAD_NONCE_LEN + 1)) return true;
  return false;
}

static sl_err give(void *ctx, uint8_t *out, size_t len) {
  (void)ctx;
  for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(n_given * 101 + i * 37 + 11);
  if (n_given++ == 0) memcpy(given, out, len < sizeof given ? len : sizeof given);
  return SL_OK;
}

static void begin(struct session *s, struct sl_config *config, const char *suite, bool has_share) {
  n_secrets = graves_len = n_given = 0;
  memset(live, 0, sizeof live);
  inside = true;
  pump_open(&s->pump, config, 16);
  inside = false;
  client_open(&s->client, has_share);
  s->feed_len = SIZE_MAX;
  buffer_set(&s->client.hello.suites, suite, 2);
}

static void end(struct session *s, const char *what) {
  check(what, 0);
  session_close(s);
  check(what, OF_HANDSHAKE | OF_TRAFFIC);
}

/* ---- the stories ----------------------------------------------------------------------------------------------------- */

static const char *const suites[] = {"\x13\x01", "\x13\x02", "\x13\x03"};

static void test_life(void **state) {
  (void)state;
  struct sl_config *config = pump_config("ED25519");
  sl_config_set_random(config, give, NULL);
  for (size_t suite = 0; suite < 3; suite++)
    for (int retries = 0; retries < 2; retries++)
      for (size_t feed_len = 1; feed_len < 3000; feed_len += 2222) {
        struct session s = {0};
        begin(&s, config, suites[suite], !retries);
        s.feed_len = feed_len;
        client_say_hello(&s.client);
        session_carry(&s);
        if (retries) {
          client_add_share(&s.client);
          client_say_hello(&s.client);
          session_carry(&s);
        }
        assert_true(s.client.got_flight);
        add_handshake(&s.client);
        assert_true(is_any_kept(OF_HANDSHAKE));
        client_say_finished(&s.client);
        session_carry(&s);
        session_works(&s, "a handshake");
        add_traffic(&s.client, "the client's first traffic secret", TRAFFIC, &s.client.write_secret);
        add_traffic(&s.client, "the server's first traffic secret", TRAFFIC, &s.client.read_secret);
        check("after a handshake", OF_HANDSHAKE);
        assert_true(is_any_kept(OF_TRAFFIC));
        client_say_key_update(&s.client, 1);
        session_carry(&s);
        session_works(&s, "updated keys");
        check("after a key update", OF_HANDSHAKE | OF_TRAFFIC);
        add_traffic(&s.client, "the client's second traffic secret", TRAFFIC, &s.client.write_secret);
        add_traffic(&s.client, "the server's second traffic secret", TRAFFIC, &s.client.read_secret);
        assert_true(is_any_kept(OF_TRAFFIC));
        end(&s, "a whole life");
      }
  sl_config_free(config);
}

/* A connection that fails lets go of everything at once. */
static void test_failures(void **state) {
  (void)state;
  struct sl_config *config = pump_config("ED25519");
  sl_config_set_random(config, give, NULL);
  for (size_t suite = 0; suite < 3; suite++)
    for (int is_open = 0; is_open < 2; is_open++)
      for (int is_alert = 0; is_alert < 2; is_alert++) {
        struct session s = {0};
        begin(&s, config, suites[suite], true);
        client_say_hello(&s.client);
        session_carry(&s);
        add_handshake(&s.client);
        add_traffic(&s.client, "the client's first traffic secret", TRAFFIC, &s.client.write_secret);
        add_traffic(&s.client, "the server's first traffic secret", TRAFFIC, &s.client.read_secret);
        if (is_open) client_say_finished(&s.client);
        session_carry(&s);
        assert_true(is_any_kept(OF_TRAFFIC));
        client_sealed(&s.client, SL_CONTENT_ALERT, "\2\x28", 2, 0);
        if (!is_alert) s.client.wire.data[7] ^= 1;
        session_carry(&s);
        session_refused(&s, is_alert ? SL_E_PEER_ALERT : SL_E_AUTH, is_alert ? 0x28 : SL_ALERT_BAD_RECORD_MAC, "fails");
        check("after a failure", OF_HANDSHAKE | OF_TRAFFIC);
        end(&s, "a failure");
      }
  /* A share that gives no secret: the scalar ends, too. */
  struct session s = {0};
  uint8_t zero_share[38] = {0, 36, 0, SL_GROUP_X25519, 0, 32};
  begin(&s, config, suites[0], true);
  hello_set(&s.client.hello, SL_EXT_KEY_SHARE, zero_share, sizeof zero_share);
  client_say_hello(&s.client);
  session_carry(&s);
  session_refused(&s, SL_E_KEY_SHARE, SL_ALERT_ILLEGAL_PARAMETER, "a share of zeros");
  add("the ephemeral scalar", HANDSHAKE, given, 32);
  check("after a share of zeros", OF_HANDSHAKE);
  end(&s, "a share of zeros");
  sl_config_free(config);
}

static sl_err sign_later(void *ctx, struct sl_conn *conn, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                         uint8_t *sig, size_t sig_cap, size_t *sig_len) {
  (void)ctx, (void)conn, (void)scheme, (void)tbs, (void)tbs_len, (void)sig, (void)sig_cap, (void)sig_len;
  return SL_E_PENDING;
}

/* The text to be signed outlives a connection that ends before its signer answers; its secrets do not. */
static void test_signer_away(void **state) {
  (void)state;
  EVP_PKEY *key = make_key("ED25519");
  X509 *cert = make_cert(key, &(struct cert_wishes){0});
  char *chain = pem_of_cert(cert);
  struct sl_config *config;
  assert_int_equal(sl_config_new(&config), SL_OK);
  assert_int_equal(sl_config_add_cert_signer(config, chain, strlen(chain), sign_later, NULL), SL_OK);
  sl_config_set_random(config, give, NULL);
  for (int closes = 0; closes < 2; closes++) {
    struct session s = {0};
    begin(&s, config, suites[0], true);
    client_say_hello(&s.client);
    session_carry(&s);
    add_handshake(&s.client);
    assert_true(is_any_kept(OF_HANDSHAKE));
    if (closes) {
      assert_int_equal(sl_conn_close(s.pump.conn, &s.pump.batch), SL_OK);
      pump_run(&s.pump);
    } else {
      client_plain(&s.client, SL_CONTENT_ALERT, "\2\x28", 2);
      session_carry(&s);
    }
    check("while the signer thinks", OF_HANDSHAKE);
    assert_int_equal(sl_conn_sign_complete(s.pump.conn, &s.pump.batch, NULL, 0), SL_E_CLOSED);
    end(&s, "a signer that is late");
  }
  sl_config_free(config);
  X509_free(cert);
  EVP_PKEY_free(key);
  free(chain);
}

static int setup(void **state) {
  (void)state;
  graves = __real_malloc(GRAVES_LEN);
  pump_hook = hook;
  return graves == NULL;
}

static int teardown(void **state) {
  (void)state;
  __real_free(graves);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_life),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_signer_away),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
