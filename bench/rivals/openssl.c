/* openssl.c - OpenSSL's EVP, used as its own libssl uses it for TLS 1.3 records: one context per key and direction that
 * lives as long as the key; per record the IV alone is set anew, then AAD, text, final, tag. The algorithms are
 * fetched once. Nothing faster is public. */
#include "../bench.h"
#include "rival.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct evp {
  size_t n_keys;
  EVP_CIPHER_CTX **keys;
  struct rival_texts texts;
};

static void version(char *out, size_t cap) {
  snprintf(out, cap, "%s", OpenSSL_version(OPENSSL_VERSION_STRING));
}

static EVP_CIPHER *fetch(enum sl_aead aead) {
  static const char *const names[SL_AEAD_END] = {
      [SL_AES_128_GCM] = "AES-128-GCM", [SL_AES_256_GCM] = "AES-256-GCM", [SL_CHACHA20_POLY1305] = "ChaCha20-Poly1305"};
  return EVP_CIPHER_fetch(NULL, names[aead], NULL);
}

static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  out[0] = (struct rival_way){.name = "evp", .is_default = true};
  EVP_CIPHER *cipher = fetch(aead);
  if (cipher == NULL) snprintf(out[0].reason, sizeof out[0].reason, "no provider of OpenSSL offers it");
  EVP_CIPHER_free(cipher);
  return 1;
}

static void release(void *state) {
  struct evp *e = state;
  if (e == NULL) return;
  for (size_t i = 0; i < e->n_keys; i++) EVP_CIPHER_CTX_free(e->keys[i]);
  free(e->keys);
  free(e);
}

static void *setup(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys) {
  (void)way;
  struct evp *e = bench_alloc(1, sizeof *e);
  e->keys = bench_alloc(n_keys, sizeof e->keys[0]);
  EVP_CIPHER *cipher = fetch(aead);
  bool ok = cipher != NULL;
  for (; e->n_keys < n_keys && ok; e->n_keys++) {
    EVP_CIPHER_CTX *ctx = e->keys[e->n_keys] = EVP_CIPHER_CTX_new();
    const uint8_t *secret = secrets + e->n_keys * sl_aead_secret_len(aead);
    ok = ctx != NULL && EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, !is_open) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, SL_AEAD_NONCE_LEN, NULL) == 1 &&
         EVP_CipherInit_ex(ctx, NULL, NULL, secret, NULL, !is_open) == 1;
  }
  EVP_CIPHER_free(cipher);
  if (ok) return e;
  release(e);
  return NULL;
}

static bool prepare(void *state, const struct rival_texts *texts) {
  ((struct evp *)state)->texts = *texts;
  return true;
}

static bool seal(void *state, const uint32_t *keys) {
  struct evp *e = state;
  int n, ok = 1;
  for (size_t i = 0; i < e->texts.n; i++) {
    EVP_CIPHER_CTX *ctx = e->keys[keys[i]];
    const struct rival_text *text = &e->texts.text[i];
    ok &= EVP_CipherInit_ex(ctx, NULL, NULL, NULL, text->nonce, -1);
    ok &= EVP_CipherUpdate(ctx, NULL, &n, text->aad, RIVAL_AAD_LEN);
    ok &= EVP_CipherUpdate(ctx, text->out, &n, text->in, (int)e->texts.len);
    ok &= EVP_CipherFinal_ex(ctx, text->out + e->texts.len, &n);
    ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SL_AEAD_TAG_LEN, text->tag);
  }
  return ok == 1;
}

static bool open(void *state, const uint32_t *keys, const uint8_t *tags) {
  struct evp *e = state;
  int n, ok = 1;
  for (size_t i = 0; i < e->texts.n; i++) {
    EVP_CIPHER_CTX *ctx = e->keys[keys[i]];
    const struct rival_text *text = &e->texts.text[i];
    ok &= EVP_CipherInit_ex(ctx, NULL, NULL, NULL, text->nonce, -1);
    ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SL_AEAD_TAG_LEN, (void *)(tags + i * SL_AEAD_TAG_LEN));
    ok &= EVP_CipherUpdate(ctx, NULL, &n, text->aad, RIVAL_AAD_LEN);
    ok &= EVP_CipherUpdate(ctx, text->out, &n, text->in, (int)e->texts.len);
    ok &= EVP_CipherFinal_ex(ctx, text->out + e->texts.len, &n);
  }
  return ok == 1;
}

const struct rival rival_openssl = {
    .name = "openssl",
    .version = version,
    .ways = ways,
    .setup = setup,
    .prepare = prepare,
    .seal = seal,
    .open = open,
    .release = release,
};
