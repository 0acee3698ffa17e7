/* pairs.c - connections of libssl in memory. */
#include "pairs.h"
#include "bench.h"
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDSHAKE_WIRE_CAP = 1 << 16 };

void pairs_die(const char *what) {
  char why[256];
  ERR_error_string_n(ERR_get_error(), why, sizeof why);
  bench_die("%s: %s", what, why);
}

/* ---- the wire as a BIO ------------------------------------------------------------------------------------------- */

static int wire_write(BIO *bio, const char *data, int len) {
  struct wire *w = BIO_get_data(bio);
  if (len < 0 || (size_t)len > w->cap - w->end) return -1;
  memcpy(w->data + w->end, data, (size_t)len);
  w->end += (size_t)len;
  return len;
}

static int wire_read(BIO *bio, char *data, int len) {
  struct wire *w = BIO_get_data(bio);
  size_t left = w->end - w->begin;
  BIO_clear_retry_flags(bio);
  if (left == 0 || len <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t n = (size_t)len < left ? (size_t)len : left;
  memcpy(data, w->data + w->begin, n);
  w->begin += n;
  if (w->begin == w->end) w->begin = w->end = 0;
  return (int)n;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO *wire_bio(struct wire *w) {
  static BIO_METHOD *method;
  if (method == NULL) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory");
    if (method == NULL || !BIO_meth_set_write(method, wire_write) || !BIO_meth_set_read(method, wire_read) ||
        !BIO_meth_set_ctrl(method, wire_ctrl))
      pairs_die("BIO_meth_new");
  }
  BIO *bio = BIO_new(method);
  if (bio == NULL) pairs_die("BIO_new");
  BIO_set_data(bio, w);
  BIO_set_init(bio, 1);
  return bio;
}

/* ---- identity ------------------------------------------------------------------------------------------------------ */

static char *bio_text(BIO *bio) {
  char *data;
  long len = BIO_get_mem_data(bio, &data);
  char *text = bench_alloc((size_t)len + 1, 1);
  memcpy(text, data, (size_t)len);
  BIO_free(bio);
  return text;
}

static X509 *make_cert(EVP_PKEY *key) {
  X509 *cert = X509_new();
  X509_NAME *name = X509_NAME_new();
  bool ok = cert != NULL && name != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
            ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
            X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600) != NULL &&
            X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
            X509_set_subject_name(cert, name) == 1 && X509_set_issuer_name(cert, name) == 1 &&
            X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0;
  if (!ok) pairs_die("cannot make a certificate");
  X509_NAME_free(name);
  return cert;
}

/* The line is "SERVER_TRAFFIC_SECRET_0 <client random> <secret>", in hexadecimal digits. */
static void keep_secret(const SSL *ssl, const char *line) {
  struct pair *pair = SSL_get_app_data(ssl);
  if (pair == NULL || strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) != 0) return;
  const char *hex = strrchr(line, ' ') + 1;
  pair->secret_len = 0;
  for (unsigned byte; pair->secret_len < sizeof pair->secret && sscanf(hex, "%2x", &byte) == 1; hex += 2)
    pair->secret[pair->secret_len++] = (uint8_t)byte;
}

static SSL_CTX *make_ctx(const SSL_METHOD *method, const char *suite) {
  SSL_CTX *ctx = SSL_CTX_new(method);
  if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(ctx, suite) != 1 || SSL_CTX_set1_groups_list(ctx, "X25519") != 1)
    pairs_die("cannot make an SSL_CTX");
  /* What comes after the handshake is data: no tickets, no cache; and a record is read in one piece. */
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(ctx, 1);
  return ctx;
}

void identity_make(struct identity *id, enum sl_aead aead) {
  static const char *const suites[SL_AEAD_END] = {[SL_AES_128_GCM] = "TLS_AES_128_GCM_SHA256",
                                                  [SL_AES_256_GCM] = "TLS_AES_256_GCM_SHA384",
                                                  [SL_CHACHA20_POLY1305] = "TLS_CHACHA20_POLY1305_SHA256"};
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  if (key == NULL) pairs_die("cannot make a P-256 key");
  X509 *cert = make_cert(key);
  BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
  if (cert_bio == NULL || key_bio == NULL || PEM_write_bio_X509(cert_bio, cert) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1)
    pairs_die("cannot write PEM");
  *id = (struct identity){.server = make_ctx(TLS_server_method(), suites[aead]),
                          .client = make_ctx(TLS_client_method(), suites[aead]),
                          .cert_pem = bio_text(cert_bio),
                          .key_pem = bio_text(key_bio)};
  if (SSL_CTX_use_certificate(id->server, cert) != 1 || SSL_CTX_use_PrivateKey(id->server, key) != 1)
    pairs_die("cannot use the certificate");
  SSL_CTX_set_keylog_callback(id->server, keep_secret);
  X509_free(cert);
  EVP_PKEY_free(key);
}

void identity_free(struct identity *id) {
  SSL_CTX_free(id->server);
  SSL_CTX_free(id->client);
  free(id->cert_pem);
  free(id->key_pem);
}

/* ---- connections -------------------------------------------------------------------------------------------------- */

SSL *pairs_new_ssl(const struct identity *id, bool is_server, struct wire *in, struct wire *out) {
  SSL *ssl = SSL_new(is_server ? id->server : id->client);
  if (ssl == NULL) pairs_die("SSL_new");
  SSL_set_bio(ssl, wire_bio(in), wire_bio(out));
  if (is_server)
    SSL_set_accept_state(ssl);
  else
    SSL_set_connect_state(ssl);
  return ssl;
}

bool pairs_step(SSL *ssl, const char *who) {
  int done = SSL_do_handshake(ssl);
  if (done == 1) return true;
  if (SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ) pairs_die(who);
  return false;
}

static void shake_hands(struct pairs *p, const struct identity *id, struct pair *pair, uint64_t mode) {
  pair->client = pairs_new_ssl(id, false, &p->to_client, &p->to_server);
  pair->server = pairs_new_ssl(id, true, &p->to_server, &p->to_client);
  SSL_set_app_data(pair->server, pair);
  SSL_set_mode(pair->client, mode);
  SSL_set_mode(pair->server, mode);
  bool client_done = false, server_done = false;
  for (int i = 0; i < 10 && !(client_done && server_done); i++) {
    client_done = pairs_step(pair->client, "a handshake of libssl's client");
    server_done = pairs_step(pair->server, "a handshake of libssl's server");
  }
  if (!client_done || !server_done || pair->secret_len == 0) bench_die("a handshake of libssl does not end");
  /* Buffers of the handshake that nobody will use again would count as cold memory. */
  (void)SSL_free_buffers(pair->client);
  (void)SSL_free_buffers(pair->server);
}

void pairs_init(struct pairs *p, const struct identity *id, enum sl_aead aead, size_t n, uint64_t mode,
                void (*progress)(void *ctx, size_t n_done), void *ctx) {
  *p = (struct pairs){.aead = aead, .n = n, .pair = bench_alloc(n, sizeof p->pair[0])};
  p->memory = bench_alloc(2, HANDSHAKE_WIRE_CAP);
  p->to_server = (struct wire){.data = p->memory, .cap = HANDSHAKE_WIRE_CAP};
  p->to_client = (struct wire){.data = p->memory + HANDSHAKE_WIRE_CAP, .cap = HANDSHAKE_WIRE_CAP};
  for (size_t i = 0; i < n; i++) {
    if (i % 64 == 0) progress(ctx, i);
    shake_hands(p, id, &p->pair[i], mode);
  }
}

void pairs_free(struct pairs *p) {
  for (size_t i = 0; i < p->n; i++) {
    SSL_free(p->pair[i].server);
    SSL_free(p->pair[i].client);
  }
  free(p->pair);
  free(p->memory);
  *p = (struct pairs){0};
}

/* HKDF-Expand-Label(secret, label, "", len): RFC 8446 7.1. */
static void expand_label(const struct pair *pair, const char *hash, const char *label, uint8_t *out, size_t len) {
  uint8_t info[32];
  size_t label_len = strlen(label);
  info[0] = 0;
  info[1] = (uint8_t)len;
  info[2] = (uint8_t)(6 + label_len);
  memcpy(info + 3, "tls13 ", 6);
  memcpy(info + 9, label, label_len);
  info[9 + label_len] = 0;
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)hash, 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)pair->secret, pair->secret_len),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, 10 + label_len), OSSL_PARAM_construct_end()};
  if (ctx == NULL || EVP_KDF_derive(ctx, out, len, params) != 1) pairs_die("HKDF");
  EVP_KDF_CTX_free(ctx);
  EVP_KDF_free(kdf);
}

void pairs_record_key(const struct pairs *p, size_t i, struct sl_record_key *key) {
  const char *hash = p->aead == SL_AES_256_GCM ? "SHA384" : "SHA256";
  uint8_t secret[32], iv[SL_AEAD_NONCE_LEN];
  size_t len = sl_aead_secret_len(p->aead);
  expand_label(&p->pair[i], hash, "key", secret, len);
  expand_label(&p->pair[i], hash, "iv", iv, sizeof iv);
  sl_err err = sl_record_key_init(key, p->aead, secret, len, iv);
  if (err != SL_OK) bench_die("sealane: cannot set up a record key: %s", sl_err_text(err));
}
