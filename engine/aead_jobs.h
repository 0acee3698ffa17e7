/* aead_jobs.h - how jobs reach kernels: checked once, grouped by kernel, run. */
#ifndef SEALANE_ENGINE_AEAD_JOBS_H
#define SEALANE_ENGINE_AEAD_JOBS_H

#include "bytes.h"
#include "portable/unroll.h"
#include <sealane/aead.h>

/* Checks one job's arguments, for sealing or opening: SL_OK, or the error of sl_aead_seal(). */
SL_MUST_USE sl_err sl_aead_job_check(const struct sl_aead_job *job, bool is_open);

/* Lines of a key that a short record needs, the last ones: two pointers, round keys and eight powers of H, or the secret. */
enum {
  SL_KEY_LINES_AES_128_GCM = (16 + 16 * 11 + 16 * 8) / 64,
  SL_KEY_LINES_AES_256_GCM = (16 + 16 * 15 + 16 * 8) / 64,
  SL_KEY_LINES_CHACHA20_POLY1305 = 1
};
static inline uint8_t sl_aead_key_lines(enum sl_aead aead) {
  if (aead == SL_AES_128_GCM) return SL_KEY_LINES_AES_128_GCM;
  return aead == SL_AES_256_GCM ? SL_KEY_LINES_AES_256_GCM : SL_KEY_LINES_CHACHA20_POLY1305;
}

/* gcc 12 takes calls of a function that does nothing but this for calls without effect, and drops them. */
#define SL_PREFETCH static inline __attribute__((always_inline))

/* Ask for lines of a key that a run will read, while there is still other work to do: with thousands of connections most keys
 * have left the nearer caches, and a kernel that met its misses one by one would spend its time there. Each line takes its
 * time on the way, so no more than a short record needs. The last, with ops, which the engine looks at first, is apart, and
 * of a key that may be NULL. */
SL_PREFETCH void sl_aead_key_prefetch_ops(const struct sl_aead_key *key) {
  __builtin_prefetch((const void *)((uintptr_t)key + offsetof(struct sl_aead_key, ops)));
}
SL_PREFETCH void sl_aead_key_prefetch_rest(const struct sl_aead_key *key, unsigned n_lines) {
  const uint8_t *end = (const uint8_t *)(key + 1);
  if (n_lines < SL_KEY_LINES_AES_128_GCM) return;
  SL_UNROLL for (size_t i = 2; i <= SL_KEY_LINES_AES_128_GCM; i++) __builtin_prefetch(end - 64 * i);
  if (n_lines > SL_KEY_LINES_AES_128_GCM) __builtin_prefetch(end - 64 * SL_KEY_LINES_AES_256_GCM);
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
