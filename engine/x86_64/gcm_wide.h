/* gcm_wide.h - AES-GCM where vectors hold four blocks, masks cut them, and there are 32 registers: four records of about 64 bytes
 * one a lane (gcm_lanes.h), all others one after the other, those of about 256 bytes in step with each other (gcm_solo.h). */
#ifndef SEALANE_ENGINE_X86_64_GCM_WIDE_H
#define SEALANE_ENGINE_X86_64_GCM_WIDE_H

#include "engine/x86_64/gcm_lanes.h"
#include "engine/x86_64/gcm_solo.h"

PART void gcm_batch(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  for (size_t i = 0; i < n;) {
    size_t n_now = gcm_lanes(jobs + i, n - i, rounds, seal);
    if (n_now == 0) n_now = gcm_fives(jobs + i, n - i, rounds, seal);
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
