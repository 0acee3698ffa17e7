/* test_poly1305.c - Poly1305 of every ChaCha20-Poly1305 kernel under keys of any kind: a text in pieces (engine/kernel.h) begins with a
 * hash whose r and s are put there, and goes through blocks by themselves, and through those that are hashed beside the
 * rounds. */
#include "poly1305_edges.h"

#include "each_kernel.h"
#include "engine/poly64.h"
#include "engine/portable/poly1305.h"
#include "engine/stream.h"
#include <stdlib.h>

enum { N_ROUNDS = 3000, BEFORE_MAX = 4, TEXT_MAX = 5120 };

static unsigned n_rounds = N_ROUNDS;

/* The hash as a kernel keeps it between the pieces of a text, nothing hashed yet. */
static void put_hash(struct sl_stream *s, const struct sl_kernel *kernel, const uint8_t key[32]) {
  static const char *const in_words[] = {"chapoly_sse", "chapoly_avx2", "chapoly_neon"};
  struct {
    struct poly64 poly;
    uint64_t s[2];
  } words;
  struct sl_poly1305 limbs;
  for (size_t i = 0; i < sizeof in_words / sizeof in_words[0]; i++) {
    if (strcmp(kernel->name, in_words[i]) != 0) continue;
    poly64_init(&words.poly, key);
    words.s[0] = sl_load64_le(key + 16), words.s[1] = sl_load64_le(key + 24);
    memcpy(s->hash, &words, sizeof words);
    return;
  }
  sl_poly1305_init(&limbs, key);
  memcpy(s->hash, &limbs, sizeof limbs);
}

static void check(const struct sl_aead_key *key, uint64_t *seed) {
  static uint8_t text[16 * BEFORE_MAX + TEXT_MAX + 16], out[TEXT_MAX];
  const struct sl_stream_ops *ops = &key->kernel->stream;
  uint8_t poly_key[32], want[16], got[16];
  size_t n_before = any(seed) % (BEFORE_MAX + 1), max = any(seed) % 4 ? 1024 : TEXT_MAX;
  size_t len = 16 + 16 * (any(seed) % (max / 16)), all = 16 * n_before + len;
  struct sl_stream s = {.ops = ops, .has_hash = true, .counter = 1, .text_len = len};
  make_key(poly_key, seed);
  make_text(text, all, seed);
  sl_store64_le(text + all, 0);
  sl_store64_le(text + all + 8, len);

  put_hash(&s, key->kernel, poly_key);
  if (n_before > 0) ops->absorb(&s, key, text, n_before);
  ops->crypt(&s, key, out, text + 16 * n_before, len, true); /* what is opened is what is hashed */
  ops->tag(&s, key, got);
  libcrypto_tag(want, poly_key, text, all + 16);
  if (memcmp(got, want, 16) != 0)
    fail_msg("%s: %zu blocks and %zu bytes have another tag", key->kernel->name, n_before, len);
}

static void test_edges(void **state) {
  (void)state;
  size_t place = 0;
  uint64_t seed = 0;
  static const uint8_t secret[32] = {1};
  say_what_cannot_run(SL_ALG_CHACHA20_POLY1305);
  for (const struct sl_kernel *kernel; (kernel = next_kernel(SL_ALG_CHACHA20_POLY1305, &place)) != NULL;) {
    struct sl_aead_key key;
    if (kernel->stream.start == NULL) continue; /* a kernel of another library */
    assert_int_equal(sl_aead_key_init_kernel(&key, SL_CHACHA20_POLY1305, secret, sizeof secret, kernel->name), SL_OK);
    for (unsigned round = 0; round < n_rounds; round++) check(&key, &seed);
    sl_aead_key_wipe(&key);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_edges)};
  if (argc > 1) n_rounds = (unsigned)strtoul(argv[1], NULL, 10);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
