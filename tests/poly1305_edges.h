/* poly1305_edges.h - keys and texts of Poly1305 (RFC 8439 2.5) that no ChaCha20 key is likely to make, and their tags by libcrypto. */
#ifndef SEALANE_TESTS_POLY1305_EDGES_H
#define SEALANE_TESTS_POLY1305_EDGES_H

#include "primitives.h"
#include <openssl/evp.h>
#include <string.h>

static inline uint64_t any(uint64_t *seed) {
  return number((*seed)++, UINT64_MAX);
}

/* A key whose r is nothing, one bit, all bits there can be, or any. */
static inline void make_key(uint8_t key[32], uint64_t *seed) {
  uint64_t what = any(seed) % 6;
  fill(key, 32, any(seed));
  if (what == 0) memset(key, 0xff, 32);
  if (what == 1 || what == 2) memset(key, 0, 16);
  if (what == 1) key[any(seed) % 16] = (uint8_t)(1 << any(seed) % 8);
  if (what == 2) key[0] = 1;
}

/* A text of ones, of nothing, of either, of anything. With r = 1 and four blocks, three of ones and one that is nearly, its hash is
 * next to 2 p. */
static inline void make_text(uint8_t *text, size_t len, uint64_t *seed) {
  uint64_t what = any(seed) % 5;
  if (what < 3) memset(text, what == 0 ? 0 : 0xff, len);
  if (what == 2) text[len - 16] = (uint8_t)(0xff - any(seed) % 16);
  for (size_t off = 0; what == 3 && off < len; off += 16) memset(text + off, any(seed) % 2 ? 0xff : 0, 16);
  if (what == 4) fill(text, len, any(seed));
}

static inline void libcrypto_tag(uint8_t tag[16], const uint8_t key[32], const uint8_t *text, size_t len) {
  static EVP_MAC *mac;
  static EVP_MAC_CTX *ctx;
  size_t n = 0;
  if (mac == NULL) mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
  if (ctx == NULL) ctx = EVP_MAC_CTX_new(mac);
  assert_int_equal(EVP_MAC_init(ctx, key, 32, NULL), 1);
  assert_int_equal(EVP_MAC_update(ctx, text, len), 1);
  assert_int_equal(EVP_MAC_final(ctx, tag, &n, 16), 1);
  assert_int_equal(n, 16);
}

#endif
