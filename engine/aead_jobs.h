/* aead_jobs.h - how jobs reach kernels: checked once, grouped by kernel, run. */
#ifndef SEALANE_ENGINE_AEAD_JOBS_H
#define SEALANE_ENGINE_AEAD_JOBS_H

#include "bytes.h"
#include "portable/unroll.h"
#include <sealane/aead.h>

/* Checks one job's arguments, for sealing or opening: SL_OK, or the error of sl_aead_seal(). */
SL_MUST_USE sl_err sl_aead_job_check(const struct sl_aead_job *job, bool is_open);

/* Asks for the lines of a key that a run will read, while there is still other work to do: with thousands of connections
 * most keys have left the nearer caches, and a kernel that met its misses one by one would spend its time there. Each line
 * takes its time on the way, so no more than a short record needs: the last SL_AEAD_KEY_LINES, but for the one with ops,
 * which callers have looked at. */
#define SL_AEAD_KEY_LINES 5u
static inline void sl_aead_key_prefetch(const struct sl_aead_key *key) {
  SL_UNROLL for (size_t i = 2; i <= SL_AEAD_KEY_LINES; i++) __builtin_prefetch((const uint8_t *)(key + 1) - 64 * i);
}

/* Runs jobs that passed the check, in any mix of keys: groups them by ops and calls each kernel once per group.
 * Opened jobs get their verdict in err; sealing cannot fail, and leaves it. `jobs` is reordered. */
void sl_aead_jobs_run(struct sl_aead_job **jobs, size_t n, bool is_open);

/* A kernel's verdict on one opened job: `differs` is sl_differ()'s answer about the tag. Zeroes the outputs of a job that
 * failed. The verdict is public: a connection that got a bad record fails visibly (RFC 8446 5.2). */
static inline void sl_aead_job_verdict(struct sl_aead_job *job, uint32_t differs) {
  sl_declassify(&differs, sizeof differs);
  job->err = SL_OK;
  if (differs == 0) return;
  job->err = SL_E_AUTH;
  sl_wipe(job->out, job->len);
  job->tail = 0;
}

#endif
