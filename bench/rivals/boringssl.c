/* boringssl.c - BoringSSL's EVP_AEAD, as Debian's android-libboringssl has it: one context per key, one call per record.
 *
 * It is loaded at run time, into a name space of its own: its functions are called as OpenSSL's, which this program links.
 * What it is called by is stated here rather than in its headers, which cannot stand beside OpenSSL's either. */
#define _GNU_SOURCE
#include "../bench.h"
#include "rival.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where Debian puts it, by architecture. */
static const char *const paths[] = {"/usr/lib/x86_64-linux-gnu/android/libcrypto.so.0",
                                    "/usr/lib/aarch64-linux-gnu/android/libcrypto.so.0"};

#if defined(__SANITIZE_ADDRESS__)
enum { IS_SANITIZED = true };
#elif defined(__has_feature)
enum { IS_SANITIZED = __has_feature(address_sanitizer) };
#else
enum { IS_SANITIZED = false };
#endif

/* openssl/aead.h of BoringSSL. */
static struct {
  void *(*ctx_new)(const void *aead, const uint8_t *key, size_t key_len, size_t tag_len);
  void (*ctx_free)(void *ctx);
  int (*seal)(const void *ctx, uint8_t *out, size_t *out_len, size_t out_cap, const uint8_t *nonce, size_t nonce_len,
              const uint8_t *in, size_t in_len, const uint8_t *aad, size_t aad_len);
  int (*open)(const void *ctx, uint8_t *out, const uint8_t *nonce, size_t nonce_len, const uint8_t *in, size_t in_len,
              const uint8_t *tag, size_t tag_len, const uint8_t *aad, size_t aad_len);
  const void *(*aeads[SL_AEAD_END])(void);
} api;

/* What is missing, or NULL when everything is there. */
static const char *load(void) {
  static const char *why = "";
  if (why == NULL || *why != '\0') return why;
  if (IS_SANITIZED) return why = "AddressSanitizer forbids a name space of its own";
  void *library = NULL;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0] && library == NULL; i++)
    library = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == NULL) return why = "android-libboringssl is not installed";
  const struct {
    const char *name;
    void *out;
  } symbols[] = {
      {"EVP_AEAD_CTX_new", &api.ctx_new},
      {"EVP_AEAD_CTX_free", &api.ctx_free},
      {"EVP_AEAD_CTX_seal", &api.seal},
      {"EVP_AEAD_CTX_open_gather", &api.open},
      {"EVP_aead_aes_128_gcm", &api.aeads[SL_AES_128_GCM]},
      {"EVP_aead_aes_256_gcm", &api.aeads[SL_AES_256_GCM]},
      {"EVP_aead_chacha20_poly1305", &api.aeads[SL_CHACHA20_POLY1305]},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (symbol == NULL) return why = "android-libboringssl lacks a function of its EVP_AEAD";
    memcpy(symbols[i].out, &symbol, sizeof symbol);
  }
  return why = NULL;
}

struct boring {
  size_t n_keys;
  void **keys;
  struct rival_texts texts;
};

/* The library does not know its own; Debian's is of Android 13. */
static void version(char *out, size_t cap) {
  snprintf(out, cap, "%s", load() == NULL ? "as Debian has it" : "n/a");
}

static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  (void)aead;
  const char *why = load();
  out[0] = (struct rival_way){.name = "evp_aead", .is_default = true};
  if (why != NULL) snprintf(out[0].reason, sizeof out[0].reason, "%s", why);
  return 1;
}

static void release(void *state) {
  struct boring *b = state;
  if (b == NULL) return;
  for (size_t i = 0; i < b->n_keys; i++) api.ctx_free(b->keys[i]);
  free(b->keys);
  free(b);
}

static void *setup(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys) {
  (void)way;
  (void)is_open;
  size_t secret_len = sl_aead_secret_len(aead);
  struct boring *b = bench_alloc(1, sizeof *b);
  b->keys = bench_alloc(n_keys, sizeof b->keys[0]);
  for (; b->n_keys < n_keys; b->n_keys++) {
    void *ctx = api.ctx_new(api.aeads[aead](), secrets + b->n_keys * secret_len, secret_len, SL_AEAD_TAG_LEN);
    if (ctx == NULL) break;
    b->keys[b->n_keys] = ctx;
  }
  if (b->n_keys == n_keys) return b;
  release(b);
  return NULL;
}

static bool prepare(void *state, const struct rival_texts *texts) {
  ((struct boring *)state)->texts = *texts;
  return true;
}

static bool seal(void *state, const uint32_t *keys) {
  struct boring *b = state;
  size_t len = b->texts.len, cap = len + SL_AEAD_TAG_LEN, out_len; /* the tag follows the text, where it belongs */
  int ok = 1;
  for (size_t i = 0; i < b->texts.n; i++) {
    const struct rival_text *text = &b->texts.text[i];
    ok &= api.seal(b->keys[keys[i]], text->out, &out_len, cap, text->nonce, SL_AEAD_NONCE_LEN, text->in, len, text->aad,
                   RIVAL_AAD_LEN);
  }
  return ok == 1;
}

static bool open(void *state, const uint32_t *keys, const uint8_t *tags) {
  struct boring *b = state;
  int ok = 1;
  for (size_t i = 0; i < b->texts.n; i++) {
    const struct rival_text *text = &b->texts.text[i];
    ok &= api.open(b->keys[keys[i]], text->out, text->nonce, SL_AEAD_NONCE_LEN, text->in, b->texts.len,
                   tags + i * SL_AEAD_TAG_LEN, SL_AEAD_TAG_LEN, text->aad, RIVAL_AAD_LEN);
  }
  return ok == 1;
}

const struct rival rival_boringssl = {
    .name = "boringssl",
    .version = version,
    .ways = ways,
    .setup = setup,
    .prepare = prepare,
    .seal = seal,
    .open = open,
    .release = release,
};
