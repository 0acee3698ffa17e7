/* aead_jobs.h - how jobs reach kernels: checked once, grouped by kernel, run. */
#ifndef SEALANE_ENGINE_AEAD_JOBS_H
#define SEALANE_ENGINE_AEAD_JOBS_H

#include "bytes.h"
#include "portable/unroll.h"
#include <sealane/aead.h>

/* Checks one job's arguments, for sealing or opening: SL_OK, or the error of sl_aead_seal(). */
SL_MUST_USE sl_err sl_aead_job_check(const struct sl_aead_job *job, bool is_open);

/* Ask for the lines of a key that a run will read, while there is still other work to do: with thousands of connections
 * most keys have left the nearer caches, and a kernel that met its misses one by one would spend its time there. Each line
 * takes its time on the way, so no more than a short record needs: the last SL_AEAD_KEY_LINES. The one with ops, which the
 * engine looks at first, is apart, and of a key that may be NULL. */
#define SL_AEAD_KEY_LINES 5u
static inline void sl_aead_key_prefetch_ops(const struct sl_aead_key *key) {
  __builtin_prefetch((const void *)((uintptr_t)key + offsetof(struct sl_aead_key, ops)));
}
static inline void sl_aead_key_prefetch(const struct sl_aead_key *key) {
  SL_UNROLL for (size_t i = 2; i <= SL_AEAD_KEY_LINES; i++) __builtin_prefetch((const uint8_t *)(key + 1) - 64 * i);
}

/* Runs jobs that passed the check, in any mix of keys: groups them by ops and calls each kernel once per group.
 * Opened jobs come with err SL_OK and get their verdict there; sealing cannot fail, and leaves it. `jobs` is reordered. */
void sl_aead_jobs_run(struct sl_aead_job **jobs, size_t n, bool is_open);

/* A kernel's verdict on one opened job: `differs` is sl_differ()'s answer about the tag. When it returns false,
 * sl_aead_job_failed() is next. The verdict is public: a connection that got a bad record fails visibly (RFC 8446 5.2). */
SL_MUST_USE static inline bool sl_aead_job_verdict(struct sl_aead_job *job, uint32_t differs) {
  sl_declassify(&differs, sizeof differs);
  if (__builtin_expect(differs != 0, false)) return false;
  job->err = SL_OK;
  return true;
}

/* The end of a job that failed, whose tag ought to have been `tag`: zeroes the outputs, or leaves them and hands the tag over,
 * as err wants it (kernel.h). Wipes `tag`: with a text that was not authentic, it would be a forgery. */
__attribute__((cold)) void sl_aead_job_failed(struct sl_aead_job *job, uint8_t tag[static SL_AEAD_TAG_LEN]);

#endif
