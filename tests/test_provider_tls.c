/* test_provider_tls.c - libssl on the provider talks to libssl without it: what libssl asks of a cipher over a connection's life.
 *
 *   test_provider_tls            some hundred connections
 *   test_provider_tls CONNECTIONS
 *
 * TLS 1.2, TLS 1.3 and DTLS 1.2, each suite, the provider in the client, in the server, in both. One end is always of OpenSSL
 * alone, or checked by the other: what one end wrote, the other must read, whatever the sizes of fragments, padding,
 * key updates and renegotiations on the way; and a record that was changed must never be read. */
#include "made_certs.h"
#include "unit.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT, SERVER, ENDS };
enum { TEXT_MAX = 40000, DATAGRAM_TEXT_MAX = 1200, FRAGMENT_MIN = 512, ITEMS_MAX = 4096, STEPS = 40 };

static unsigned long n_connections = 300;

/* ---- random numbers, the same in every run ----------------------------------------------------------------------- */

static uint64_t random_state = 1;

static unsigned below(unsigned limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)((random_state >> 33) % limit);
}

static void fill(uint8_t *p, size_t len) {
  for (size_t i = 0; i < len; i++) p[i] = (uint8_t)below(256);
}

/* ---- a wire that keeps what was written in pieces, one of which can be changed on the way ------------------------- */

struct wire {
  struct item {
    uint8_t *data;
    size_t len;
  } items[ITEMS_MAX];
  size_t first, n;
  bool is_datagram, has_explicit_nonces;
  uint8_t last_nonce[8];
};

static void wire_clear(struct wire *w) {
  for (; w->n > 0; w->n--) free(w->items[w->first++ % ITEMS_MAX].data);
}

static int wire_write(BIO *bio, const char *data, int len) {
  struct wire *w = ((struct wire **)BIO_get_data(bio))[1];
  if (w->n == ITEMS_MAX) fail_msg("the wire is full");
  struct item *item = &w->items[(w->first + w->n++) % ITEMS_MAX];
  item->len = (size_t)len;
  item->data = malloc(item->len + 1);
  assert_non_null(item->data);
  memcpy(item->data, data, item->len);
  enum { TEXT = 23 };
  if (w->has_explicit_nonces && data[0] == TEXT) {
    const char *nonce = data + (w->is_datagram ? 13 : 5);
    if (memcmp(nonce, w->last_nonce, sizeof w->last_nonce) == 0) fail_msg("a nonce comes twice");
    memcpy(w->last_nonce, nonce, sizeof w->last_nonce);
  }
  return len;
}

static int wire_read(BIO *bio, char *out, int cap) {
  struct wire *w = ((struct wire **)BIO_get_data(bio))[0];
  BIO_clear_retry_flags(bio);
  if (w->n == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  struct item *item = &w->items[w->first % ITEMS_MAX];
  size_t len = item->len < (size_t)cap ? item->len : (size_t)cap;
  memcpy(out, item->data, len);
  if (len < item->len && !w->is_datagram) {
    memmove(item->data, item->data + len, item->len -= len);
  } else {
    free(item->data);
    w->first++;
    w->n--;
  }
  return (int)len;
}

static long wire_ctrl(BIO *bio, int command, long number, void *p) {
  (void)bio, (void)number, (void)p;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

static BIO_METHOD *wire_method;

/* ---- two ends -------------------------------------------------------------------------------------------------- */

struct kind {
  const char *name, *suite;
  int version;
  bool is_datagram;
};

static const struct kind kinds[] = {
    {"TLS 1.3", "TLS_AES_128_GCM_SHA256", TLS1_3_VERSION, false},
    {"TLS 1.3", "TLS_AES_256_GCM_SHA384", TLS1_3_VERSION, false},
    {"TLS 1.3", "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, false},
    {"TLS 1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION, false},
    {"TLS 1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION, false},
    {"TLS 1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, false},
    {"DTLS 1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", DTLS1_2_VERSION, true},
    {"DTLS 1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", DTLS1_2_VERSION, true},
    {"DTLS 1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", DTLS1_2_VERSION, true},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static struct library {
  OSSL_LIB_CTX *ctx;
  OSSL_PROVIDER *standard, *sealane;
  const char *properties;
} libraries[2]; /* without the provider, and with it preferred */

static char *pem_cert, *pem_key;

struct pair {
  const struct kind *kind;
  bool is_ours[ENDS];
  SSL_CTX *ctx[ENDS];
  SSL *ssl[ENDS];
  struct wire *wires[ENDS];      /* to the client, to the server */
  struct wire *ends[ENDS][ENDS]; /* of each end: read from, write to */
  char what[100];
};

static void must(const struct pair *p, bool claim, const char *why) {
  if (claim) return;
  ERR_print_errors_fp(stderr);
  fail_msg("%s: %s", p->what, why);
}

static SSL_CTX *make_ctx(struct pair *p, int end) {
  const struct library *library = &libraries[p->is_ours[end]];
  const SSL_METHOD *method = p->kind->is_datagram ? DTLS_method() : TLS_method();
  SSL_CTX *ctx = SSL_CTX_new_ex(library->ctx, library->properties, method);
  must(p, ctx != NULL, "no SSL_CTX");
  must(p, SSL_CTX_set_min_proto_version(ctx, p->kind->version) && SSL_CTX_set_max_proto_version(ctx, p->kind->version),
       "version");
  bool is_13 = p->kind->version == TLS1_3_VERSION;
  must(p, is_13 ? SSL_CTX_set_ciphersuites(ctx, p->kind->suite) : SSL_CTX_set_cipher_list(ctx, p->kind->suite),
       "suite");
  SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_NO_QUERY_MTU | SSL_OP_NO_ANTI_REPLAY);
  if (end == CLIENT) return ctx;
  BIO *cert = BIO_new_mem_buf(pem_cert, -1), *key = BIO_new_mem_buf(pem_key, -1);
  X509 *x509 = PEM_read_bio_X509(cert, NULL, NULL, NULL);
  EVP_PKEY *pkey = PEM_read_bio_PrivateKey_ex(key, NULL, NULL, NULL, library->ctx, library->properties);
  must(p, SSL_CTX_use_certificate(ctx, x509) == 1 && SSL_CTX_use_PrivateKey(ctx, pkey) == 1, "certificate");
  X509_free(x509);
  EVP_PKEY_free(pkey);
  BIO_free(cert);
  BIO_free(key);
  return ctx;
}

static void make_ssl(struct pair *p, int end) {
  SSL *ssl = p->ssl[end] = SSL_new(p->ctx[end]);
  BIO *bio = BIO_new(wire_method);
  p->ends[end][0] = p->wires[end];
  p->ends[end][1] = p->wires[!end];
  BIO_set_data(bio, p->ends[end]);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (p->kind->is_datagram) {
    SSL_set_mtu(ssl, 1500);
  } else if (below(2)) { /* later, the buffer for it might have been made */
    SSL_set_max_send_fragment(ssl, FRAGMENT_MIN + below(SSL3_RT_MAX_PLAIN_LENGTH - FRAGMENT_MIN + 1));
  }
  if (end == CLIENT) {
    SSL_set_connect_state(ssl);
  } else {
    SSL_set_accept_state(ssl);
  }
}

static void close_ssl(struct pair *p) {
  for (int end = 0; end < ENDS; end++) {
    SSL_free(p->ssl[end]);
    wire_clear(p->wires[end]);
  }
}

/* The two SSL_CTX of a pair, and a wire each way. */
static struct pair open_pair(size_t kind, unsigned who) {
  struct pair p = {.kind = &kinds[kind], .is_ours = {(who & 1) != 0, (who & 2) != 0}};
  snprintf(p.what, sizeof p.what, "%s, %s, client %s, server %s", p.kind->name, p.kind->suite,
           p.is_ours[CLIENT] ? "ours" : "theirs", p.is_ours[SERVER] ? "ours" : "theirs");
  for (int end = 0; end < ENDS; end++) {
    p.wires[end] = calloc(1, sizeof *p.wires[end]);
    assert_non_null(p.wires[end]);
    p.wires[end]->is_datagram = p.kind->is_datagram;
    p.wires[end]->has_explicit_nonces = strstr(p.kind->suite, "-GCM-") != NULL;
    p.ctx[end] = make_ctx(&p, end);
  }
  return p;
}

static void close_pair(struct pair *p) {
  for (int end = 0; end < ENDS; end++) {
    SSL_CTX_free(p->ctx[end]);
    free(p->wires[end]);
  }
}

static void shake_hands(struct pair *p) {
  bool done[ENDS] = {false, false};
  for (int i = 0; i < 40 && !(done[CLIENT] && done[SERVER]); i++) {
    int end = i % 2, result = SSL_do_handshake(p->ssl[end]);
    done[end] = result == 1;
    must(p, result == 1 || SSL_get_error(p->ssl[end], result) == SSL_ERROR_WANT_READ, "the handshake failed");
  }
  must(p, done[CLIENT] && done[SERVER], "the handshake is stuck");
}

/* Lets an end process what is not text: tickets, key updates, a handshake. */
static void poke(struct pair *p, int end) {
  uint8_t byte;
  size_t n;
  int result = SSL_read_ex(p->ssl[end], &byte, 1, &n);
  must(p, result == 0 && SSL_get_error(p->ssl[end], result) == SSL_ERROR_WANT_READ,
       "text that nobody sent, or an error");
}

/* len bytes from one end to the other, read in pieces of other sizes. */
static void send_text(struct pair *p, int from, size_t len) {
  static uint8_t text[TEXT_MAX], got[TEXT_MAX];
  fill(text, len);
  size_t n = 0;
  must(p, SSL_write_ex(p->ssl[from], text, len, &n) == 1 && n == len, "SSL_write");
  for (size_t at = 0; at < len; at += n) {
    size_t cap = 1 + below(TEXT_MAX);
    if (cap > len - at || p->kind->is_datagram) cap = len - at;
    must(p, SSL_read_ex(p->ssl[!from], got + at, cap, &n) == 1, "SSL_read");
  }
  must(p, memcmp(text, got, len) == 0, "the text arrived changed");
}

/* ---- what happens on a connection ------------------------------------------------------------------------------ */

/* TLS 1.3: new keys in one direction, or in both. */
static void update_keys(struct pair *p) {
  int end = (int)below(ENDS);
  must(p, SSL_key_update(p->ssl[end], below(2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1,
       "SSL_key_update");
  must(p, SSL_do_handshake(p->ssl[end]) == 1, "the key update");
  poke(p, !end);
}

/* (D)TLS 1.2: a handshake within the connection, whole or abbreviated. */
static void renegotiate(struct pair *p) {
  SSL *client = p->ssl[CLIENT], *server = p->ssl[SERVER];
  must(p, (below(2) ? SSL_renegotiate : SSL_renegotiate_abbreviated)(client) == 1, "SSL_renegotiate");
  int result = 0;
  for (int i = 0; i < 20 && (result != 1 || SSL_in_init(server) || SSL_renegotiate_pending(client)); i++) {
    result = SSL_do_handshake(client);
    must(p, result == 1 || SSL_get_error(client, result) == SSL_ERROR_WANT_READ, "the client's renegotiation");
    poke(p, SERVER);
  }
  must(p, result == 1 && !SSL_in_init(server), "the renegotiation is stuck");
  poke(p, CLIENT);
}

static size_t pad(SSL *ssl, int type, size_t len, void *arg) {
  (void)ssl, (void)type, (void)arg;
  return len < SSL3_RT_MAX_PLAIN_LENGTH && below(2) ? below((unsigned)(SSL3_RT_MAX_PLAIN_LENGTH - len)) : 0;
}

/* Modes and sizes that may change while a connection lives. */
static void change_settings(struct pair *p) {
  SSL *ssl = p->ssl[below(ENDS)];
  switch (below(4)) {
  case 0:
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    break;
  case 1:
    SSL_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    break;
  case 2:
    if (p->kind->version == TLS1_3_VERSION) SSL_set_record_padding_callback(ssl, pad);
    break;
  case 3:
    if (p->kind->version == TLS1_3_VERSION) SSL_set_block_padding(ssl, 1u << below(12));
    break;
  }
}

/* Whether the error is among those that are reported, which differ from version to version. */
static bool reported(int reason) {
  bool found = false;
  for (unsigned long error; (error = ERR_get_error()) != 0;) {
    found = found || (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reason);
  }
  return found;
}

/* A record that was changed on the way. TLS ends with the right error and no text; DTLS drops it and goes on. */
static void change_a_record(struct pair *p) {
  int from = (int)below(ENDS);
  SSL *reader = p->ssl[!from];
  uint8_t text[FRAGMENT_MIN], got[FRAGMENT_MIN]; /* one record, whatever the sender's limit */
  size_t len = 1 + below(sizeof text), n = 0, head = p->kind->is_datagram ? 13 : 5;
  fill(text, len);
  memset(got, 0xa5, sizeof got);
  must(p, SSL_write_ex(p->ssl[from], text, len, &n) == 1, "SSL_write");
  struct wire *w = p->wires[!from];
  struct item *item = &w->items[(w->first + w->n - 1) % ITEMS_MAX];
  size_t at = head + below((unsigned)(item->len - head));
  item->data[at] ^= (uint8_t)(1u << below(8));
  int result = SSL_read_ex(reader, got, sizeof got, &n);
  must(p, result == 0, "a record that was changed on the way was read");
  for (size_t i = 0; i < sizeof got; i++) must(p, got[i] == 0xa5, "text of a changed record came out");
  if (p->kind->is_datagram) {
    must(p, SSL_get_error(reader, result) == SSL_ERROR_WANT_READ, "a changed datagram is not dropped");
    ERR_clear_error();
    send_text(p, from, len);
    send_text(p, !from, len);
    return;
  }
  must(p, SSL_get_error(reader, result) == SSL_ERROR_SSL, "not an error");
  must(p, reported(SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC), "another error");
  result = SSL_read_ex(p->ssl[from], got, sizeof got, &n);
  must(p, result == 0 && reported(SSL_R_SSLV3_ALERT_BAD_RECORD_MAC), "another alert");
}

/* Both say that they are done, with text still on the way. */
static void shut_down(struct pair *p) {
  uint8_t byte = 1;
  size_t n;
  must(p, SSL_write_ex(p->ssl[CLIENT], &byte, 1, &n) == 1, "SSL_write");
  must(p, SSL_shutdown(p->ssl[CLIENT]) == 0, "the client's SSL_shutdown");
  must(p, SSL_read_ex(p->ssl[SERVER], &byte, 1, &n) == 1, "the last text");
  int result = SSL_read_ex(p->ssl[SERVER], &byte, 1, &n);
  must(p, result == 0 && SSL_get_error(p->ssl[SERVER], result) == SSL_ERROR_ZERO_RETURN, "no close_notify");
  must(p, SSL_shutdown(p->ssl[SERVER]) == 1, "the server's SSL_shutdown");
  must(p, SSL_shutdown(p->ssl[CLIENT]) == 1, "the client's second SSL_shutdown");
}

static void live(struct pair *p) {
  for (int step = 0; step < STEPS; step++) {
    unsigned dice = below(10);
    if (dice == 0 && p->kind->version == TLS1_3_VERSION) {
      update_keys(p);
    } else if (dice == 0 && step % 4 == 0) {
      renegotiate(p);
    } else if (dice == 1) {
      change_settings(p);
    } else {
      unsigned limit = p->kind->is_datagram ? DATAGRAM_TEXT_MAX : below(3) == 0 ? TEXT_MAX : 300;
      send_text(p, (int)below(ENDS), 1 + below(limit));
    }
  }
  uint8_t exported[ENDS][32];
  for (int end = 0; end < ENDS; end++) {
    must(p, SSL_export_keying_material(p->ssl[end], exported[end], 32, "test", 4, NULL, 0, 0) == 1, "exporter");
  }
  must(p, memcmp(exported[CLIENT], exported[SERVER], 32) == 0, "the two ends export different keys");
}

/* A libcrypto may have been built without DTLS. */
static bool is_built(const struct kind *kind) {
  SSL_CTX *ctx = SSL_CTX_new(kind->is_datagram ? DTLS_method() : TLS_method());
  bool is_there = ctx != NULL && SSL_CTX_set_min_proto_version(ctx, kind->version) == 1;
  SSL_CTX_free(ctx);
  ERR_clear_error();
  if (!is_there) printf("  n/a %s, %s: this libssl has been built without\n", kind->name, kind->suite);
  return is_there;
}

static void test_lives(void **state) {
  (void)state;
  bool has_kind[N_KINDS];
  for (size_t kind = 0; kind < N_KINDS; kind++) has_kind[kind] = is_built(&kinds[kind]);
  for (unsigned long i = 0; i < n_connections; i++) {
    if (!has_kind[i % N_KINDS]) continue;
    random_state = i;
    struct pair p = open_pair(i % N_KINDS, 1 + (unsigned)(i / N_KINDS) % 3);
    for (int end = 0; end < ENDS; end++) make_ssl(&p, end);
    shake_hands(&p);
    live(&p);
    if (below(2)) {
      shut_down(&p);
    } else {
      change_a_record(&p);
    }
    close_ssl(&p);
    close_pair(&p);
  }
}

/* ---- early data ------------------------------------------------------------------------------------------------ */

/* TLS 1.3: text with the ClientHello. Taken, or refused: then the server tries its key on each record of it in vain. */
static void try_early_data(struct pair *p, bool is_taken) {
  static uint8_t text[TEXT_MAX], got[TEXT_MAX];
  size_t len = 1 + below(16000), n = 0, n_got = 0;
  fill(text, len);
  SSL_CTX_set_max_early_data(p->ctx[SERVER], 16384);
  SSL_CTX_set_session_cache_mode(p->ctx[CLIENT], SSL_SESS_CACHE_CLIENT);
  for (int end = 0; end < ENDS; end++) make_ssl(p, end);
  shake_hands(p);
  poke(p, CLIENT); /* tickets */
  SSL_SESSION *session = SSL_get1_session(p->ssl[CLIENT]);
  must(p, session != NULL && SSL_SESSION_get_max_early_data(session) == 16384, "no session for early data");
  for (int end = 0; end < ENDS; end++) SSL_shutdown(p->ssl[end]);
  close_ssl(p);

  for (int end = 0; end < ENDS; end++) make_ssl(p, end);
  if (!is_taken) SSL_set_max_early_data(p->ssl[SERVER], 0);
  if (!is_taken) SSL_set_recv_max_early_data(p->ssl[SERVER], 16384);
  must(p, SSL_set_session(p->ssl[CLIENT], session) == 1, "SSL_set_session");
  SSL_SESSION_free(session);
  for (size_t at = 0; at < len; at += n) {
    size_t piece = len - at < 5000 ? len - at : 5000;
    must(p, SSL_write_early_data(p->ssl[CLIENT], text + at, piece, &n) == 1, "SSL_write_early_data");
  }
  if (is_taken) {
    while (n_got < len) {
      must(p, SSL_read_early_data(p->ssl[SERVER], got + n_got, sizeof got - n_got, &n) == SSL_READ_EARLY_DATA_SUCCESS,
           "SSL_read_early_data");
      n_got += n;
    }
    must(p, memcmp(text, got, len) == 0, "early data arrived changed");
  }
  shake_hands(p);
  int wanted = is_taken ? SSL_EARLY_DATA_ACCEPTED : SSL_EARLY_DATA_REJECTED;
  must(p, SSL_get_early_data_status(p->ssl[CLIENT]) == wanted, "early data is not what the client says");
  must(p, SSL_session_reused(p->ssl[CLIENT]) == 1, "not resumed");
  for (int i = 0; i < 4; i++) send_text(p, i % 2, 1 + below(TEXT_MAX));
  change_a_record(p);
  close_ssl(p);
}

static void test_early_data(void **state) {
  (void)state;
  for (size_t kind = 0; kind < N_KINDS; kind++) {
    for (unsigned who = 1; kinds[kind].version == TLS1_3_VERSION && who <= 3; who++) {
      for (int is_taken = 0; is_taken < 2; is_taken++) {
        random_state = kind;
        struct pair p = open_pair(kind, who);
        try_early_data(&p, is_taken == 1);
        close_pair(&p);
      }
    }
  }
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static int set_up(void **state) {
  (void)state;
  for (int ours = 0; ours < 2; ours++) {
    struct library *library = &libraries[ours];
    library->ctx = OSSL_LIB_CTX_new();
    assert_int_equal(OSSL_PROVIDER_set_default_search_path(library->ctx, SEALANE_MODULES), 1);
    library->standard = OSSL_PROVIDER_load(library->ctx, "default");
    library->sealane = ours ? OSSL_PROVIDER_load(library->ctx, "sealane") : NULL;
    library->properties = ours ? "?provider=sealane" : "";
    if (library->standard == NULL || (ours && library->sealane == NULL)) {
      ERR_print_errors_fp(stderr);
      fail_msg("a provider cannot be loaded");
    }
  }
  wire_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "a wire");
  BIO_meth_set_write(wire_method, wire_write);
  BIO_meth_set_read(wire_method, wire_read);
  BIO_meth_set_ctrl(wire_method, wire_ctrl);
  EVP_PKEY *key = make_key("EC:P-256");
  struct cert_wishes wishes = {.names = "DNS:localhost"};
  X509 *cert = make_cert(key, &wishes);
  pem_cert = pem_of_cert(cert);
  pem_key = pem_of_key(key);
  X509_free(cert);
  EVP_PKEY_free(key);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  BIO_meth_free(wire_method);
  free(pem_cert);
  free(pem_key);
  for (int ours = 0; ours < 2; ours++) {
    if (libraries[ours].sealane != NULL) assert_int_equal(OSSL_PROVIDER_unload(libraries[ours].sealane), 1);
    assert_int_equal(OSSL_PROVIDER_unload(libraries[ours].standard), 1);
    OSSL_LIB_CTX_free(libraries[ours].ctx);
  }
  return 0;
}

/* What the provider offers here is taken, and from it. */
static void test_is_chosen(void **state) {
  (void)state;
  static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    EVP_CIPHER *demanded = EVP_CIPHER_fetch(libraries[1].ctx, names[i], "provider=sealane");
    EVP_CIPHER *preferred = EVP_CIPHER_fetch(libraries[1].ctx, names[i], libraries[1].properties);
    ERR_clear_error();
    assert_non_null(preferred);
    const char *provider = OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(preferred));
    assert_string_equal(provider, demanded != NULL ? "sealane" : "default");
    if (demanded == NULL) printf("  n/a %s: not offered with these kernels\n", names[i]);
    EVP_CIPHER_free(demanded);
    EVP_CIPHER_free(preferred);
  }
}

int main(int argc, char *argv[]) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_is_chosen),
      cmocka_unit_test(test_lives),
      cmocka_unit_test(test_early_data),
  };
  if (argc > 1) n_connections = strtoul(argv[1], NULL, 10);
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
