/* gcm_wide.h - AES-GCM where vectors hold four blocks, masks cut them, and there are 32 registers: four records of about 64 bytes
 * one a lane (gcm_lanes.h), all others one after the other (gcm_solo.h), those of about 256 bytes and longer ones (gcm_long.h) in
 * step with each other. */
#ifndef SEALANE_ENGINE_X86_64_GCM_WIDE_H
#define SEALANE_ENGINE_X86_64_GCM_WIDE_H

#include "engine/x86_64/gcm_lanes.h"
#include "engine/x86_64/gcm_long.h"

/* Apart, for its address: where one is taken there is a frame, and short records would wait for it. */
PART void gcm_long_one(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  (seal ? gcm_long_seal : gcm_long_open)(&job, 1, rounds, aad, NULL);
}

/* The ways of a record, by its vectors. */
INLINE void gcm_solo_with(struct sl_aead_job *job, unsigned rounds, v aad, bool seal) {
  size_t len = LEAD_LEN + job->len + job->tail_len;
  if (len <= V_BYTES) {
    (seal ? gcm_short_1_seal : gcm_short_1_open)(job, rounds, aad);
  } else if (len <= 2 * V_BYTES) {
    (seal ? gcm_short_2_seal : gcm_short_2_open)(job, rounds, aad);
  } else if (len <= 3 * V_BYTES) {
    gcm_short_3(job, rounds, aad, seal);
  } else if (len <= 4 * V_BYTES) {
    gcm_short_4(job, rounds, aad, seal);
  } else if (len <= FIVE_LEN_MAX) {
    gcm_five(job, rounds, aad, seal);
  } else {
    gcm_long_one(job, rounds, aad, seal);
  }
}
PART void gcm_solo_much_aad(struct sl_aead_job *job, unsigned rounds, bool seal) {
  gcm_solo_with(job, rounds, gcm_solo_aad_long(job, rounds), seal);
}

/* One job, from its arguments to its tag. */
INLINE void gcm_solo_job(struct sl_aead_job *job, unsigned rounds, bool seal) {
  if (__builtin_expect(job->aad_len > 16, 0)) {
    gcm_solo_much_aad(job, rounds, seal);
  } else {
    gcm_solo_with(job, rounds, gcm_solo_aad(job), seal);
  }
}

PART void gcm_batch(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  for (size_t i = 0; i < n;) {
    size_t n_now = gcm_lanes(jobs + i, n - i, rounds, seal);
    if (n_now == 0) n_now = gcm_fives(jobs + i, n - i, rounds, seal);
    if (n_now == 0) n_now = gcm_longs(jobs + i, n - i, rounds, seal);
    i += n_now;
    if (n_now == 0) gcm_solo_job(jobs[i++], rounds, seal);
  }
}

static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  if (n == 1) {
    gcm_solo_job(jobs[0], rounds, seal);
  } else {
    gcm_batch(jobs, n, rounds, seal);
  }
}

#endif
