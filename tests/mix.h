/* mix.h - what the tests of random mixes share: seeds that a failure names, keys with their oracles, lengths.
 *
 * A test goes through batches; a batch is made from its seed alone. `test_mixes` takes a few, `test_mixes full` many,
 * `test_mixes SEED` the one that failed. */
#ifndef SEALANE_TESTS_MIX_H
#define SEALANE_TESTS_MIX_H

#include "each_kernel.h"
#include "unit.h"
#include <sealane/record.h>

enum { MIX_N_MAX = 300, MIX_N_KEYS = 24, MIX_LEN_MAX = SL_RECORD_FRAGMENT_MAX };

/* ---- seeds --------------------------------------------------------------------------------------------------- */

static uint64_t mix_first = 1, mix_n = 0; /* the seeds of this run; 0: as many as the test thinks right */
static bool mix_is_full;

static inline void mix_arguments(int argc, char **argv) {
  if (argc < 2) return;
  mix_is_full = strcmp(argv[1], "full") == 0;
  if (mix_is_full) return;
  mix_first = strtoull(argv[1], NULL, 0);
  mix_n = 1;
}

/* How many batches: n of them, 20 times as many in full. */
static inline uint64_t mix_batches(uint64_t n) {
  return mix_n > 0 ? mix_n : mix_is_full ? 20 * n : n;
}

/* ---- kernels, keys, oracles ---------------------------------------------------------------------------------- */

static struct aead_kernel mix_kernels[AEAD_KERNELS_MAX], mix_chosen[SL_AEAD_END];
static size_t mix_n_kernels, mix_n_chosen;

static inline const char *mix_second_oracle_of(enum sl_aead aead) {
  return aead == SL_CHACHA20_POLY1305 ? "ipsec_mb_chapoly" : "ipsec_mb_gcm";
}

/* Finds the kernels; says n/a for the second oracle, when a kernel of that name cannot run here. */
static inline int mix_setup(void **state) {
  (void)state;
  mix_n_kernels = each_aead_kernel(mix_kernels);
  for (size_t i = 0; i < mix_n_kernels; i++) {
    const struct sl_kernel *chosen;
    assert_int_equal(sl_kernel_chosen(mix_kernels[i].kernel->algorithm, &chosen), SL_OK);
    if (mix_kernels[i].kernel == chosen) mix_chosen[mix_n_chosen++] = mix_kernels[i];
  }
  for (enum sl_aead aead = SL_AES_128_GCM; aead < SL_AEAD_END; aead++) {
    if (sl_kernel_named(mix_second_oracle_of(aead)) == NULL)
      printf("  n/a second oracle of %s: %s cannot run here\n", sl_aead_name(aead), mix_second_oracle_of(aead));
  }
  return 0;
}

struct mix_key {
  struct sl_aead_key key;       /* of the kernel under test */
  struct sl_aead_key oracle[2]; /* portable, IPsec-MB; empty where that cannot run */
};

/* A key of one of kernels[0..n). */
static inline void mix_key_init(struct mix_key *k, const struct aead_kernel *kernels, size_t n, uint64_t *seed) {
  const struct aead_kernel *from = &kernels[random_below(seed, n)];
  const char *const names[2] = {oracle_of(from->aead), mix_second_oracle_of(from->aead)};
  size_t secret_len = sl_aead_secret_len(from->aead);
  uint8_t secret[32];
  fill_random(secret, sizeof secret, random_below(seed, UINT64_MAX));
  assert_int_equal(sl_aead_key_init_kernel(&k->key, from->aead, secret, secret_len, from->kernel->name), SL_OK);
  assert_int_equal(sl_aead_key_init_kernel(&k->oracle[0], from->aead, secret, secret_len, names[0]), SL_OK);
  sl_err err = sl_aead_key_init_kernel(&k->oracle[1], from->aead, secret, secret_len, names[1]);
  assert_true(err == SL_OK || sl_kernel_named(names[1]) == NULL);
}

/* The kernels a batch takes its keys from: all of them, those that are chosen, or one. */
static inline size_t mix_pool(const struct aead_kernel **pool, uint64_t *seed) {
  switch (random_below(seed, 3)) {
  case 0:
    *pool = mix_kernels;
    return mix_n_kernels;
  case 1:
    *pool = mix_chosen;
    return mix_n_chosen;
  default:
    *pool = &mix_kernels[random_below(seed, mix_n_kernels)];
    return 1;
  }
}

/* What the oracles, which must agree, make of text[0..len): cipher[0..len) and a tag. False when they do not agree. */
static inline bool mix_oracle_seal(const struct mix_key *k, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
                                   const uint8_t *text, size_t len, uint8_t *cipher, uint8_t *tag) {
  static uint8_t again[MIX_LEN_MAX + 1];
  uint8_t tag_again[SL_AEAD_TAG_LEN];
  struct sl_aead_job job = {.key = &k->oracle[0],
                            .aad = aad,
                            .in = text,
                            .out = cipher,
                            .tag = tag,
                            .len = len,
                            .aad_len = (uint32_t)aad_len};
  memcpy(job.nonce, nonce, sizeof job.nonce);
  if (sl_aead_seal(&job, 1) != 0) return false;
  if (sl_aead_key_aead(&k->oracle[1]) == SL_AEAD_NONE) return true;
  job.key = &k->oracle[1];
  job.out = again;
  job.tag = tag_again;
  if (sl_aead_seal(&job, 1) != 0) return false;
  return memcmp(again, cipher, len) == 0 && memcmp(tag_again, tag, sizeof tag_again) == 0;
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

/* One batch in four is small, where kernels go other ways than they do with full lanes. */
static inline size_t mix_size(uint64_t *seed) {
  return 1 + random_below(seed, random_below(seed, 4) == 0 ? 20 : MIX_N_MAX);
}

/* Short ones mostly, and lengths near those where kernels change their way. */
static inline size_t mix_len(uint64_t *seed, size_t max) {
  size_t len = 0;
  switch (random_below(seed, 8)) {
  case 0:
    len = random_below(seed, 17);
    break;
  case 1:
  case 2:
    len = random_below(seed, 130);
    break;
  case 3:
    len = 64 * random_below(seed, 12) + random_below(seed, 5);
    break;
  case 4:
    len = random_below(seed, 700);
    break;
  case 5:
    len = 512 * random_below(seed, 4) + random_below(seed, 33);
    break;
  case 6:
    len = random_below(seed, 2) == 0 ? 64 : 256;
    break;
  default:
    len = random_below(seed, random_below(seed, 12) == 0 ? MIX_LEN_MAX + 1 : 2000);
    break;
  }
  return len < max ? len : max;
}

#endif
