/* gcm_jobs.h - an AES-GCM kernel's way through its jobs. */
#ifndef SEALANE_ENGINE_AARCH64_GCM_JOBS_H
#define SEALANE_ENGINE_AARCH64_GCM_JOBS_H

#include "engine/aarch64/gcm_pairs.h"
#include "engine/aarch64/gcm_single.h"

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

#endif
