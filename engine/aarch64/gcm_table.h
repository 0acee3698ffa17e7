/* gcm_table.h - an AES-GCM kernel's way through its jobs, and what its table needs. */
#ifndef SEALANE_ENGINE_AARCH64_GCM_TABLE_H
#define SEALANE_ENGINE_AARCH64_GCM_TABLE_H

#include "engine/aarch64/gcm_pairs.h"
#include "engine/aarch64/gcm_single.h"
#include "engine/aarch64/gcm_stream.h"

/* Jobs of one key size in one direction. */
INLINE void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_run run;
  struct gcm_hidden hidden;
  gcm_run_begin(&run, gcm_key_mem(jobs[0]->key, rounds));
  for (size_t i = 0; i < n;) {
    size_t n_blocks = n - i > 1 ? gcm_pair_blocks(jobs[i], jobs[i + 1]) : 0;
    if (n_blocks > 0) {
      gcm_pairs[n_blocks](jobs + i, rounds, &hidden, seal);
      i += 2;
    } else {
      gcm_single_job(jobs[i++], rounds, &run, seal);
    }
  }
  gcm_run_end(&run, seal);
  sl_wipe(&run, sizeof run);
  sl_wipe(&hidden, sizeof hidden);
}

static void gcm_128_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 10);
}
static void gcm_128_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 10, true);
}
static void gcm_128_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 10, false);
}
static void gcm_256_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 14);
}
static void gcm_256_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 14, true);
}
static void gcm_256_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 14, false);
}

#define GCM_KEY_LEN(rounds) (16 + PAIR_LEN * N_PAIRS + 16 * (rounds + 1))
#define GCM_KERNEL_OPS                                                                                                 \
  {                                                                                                                    \
    {SL_AES_128_GCM, 16, GCM_KEY_LEN(10), gcm_128_expand, gcm_128_seal, gcm_128_open},                                 \
        {SL_AES_256_GCM, 32, GCM_KEY_LEN(14), gcm_256_expand, gcm_256_seal, gcm_256_open},                             \
  }
_Static_assert(GCM_KEY_LEN(14) <= SL_AEAD_KEY_MEM, "a key fits its memory");

#endif
