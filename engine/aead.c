/* aead.c - N AEAD jobs, one call: arguments are checked here, once, and kernels get jobs that are sound, grouped. */
#include "aead_jobs.h"
#include "kernel.h"

/* How many jobs are checked, grouped and run at a time: their pointers take 1 KiB of stack, and lanes fill well before. */
enum { JOBS_AT_ONCE = 128 };

/* Whether a[0..a_len) and b[0..b_len) share a byte. The lengths have been found sound: nothing wraps. */
static bool overlaps(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
  return a_len > 0 && b_len > 0 && (uintptr_t)a < (uintptr_t)b + b_len && (uintptr_t)b < (uintptr_t)a + a_len;
}

sl_err sl_aead_job_check(const struct sl_aead_job *job, bool is_open) {
  if (job->tail_len > 1 || job->tag == NULL) return SL_E_ARG;
  if (job->key == NULL || job->key->ops == NULL) return SL_E_KEY;
  if (job->len > SL_AEAD_TEXT_MAX - job->tail_len) return SL_E_LENGTH;

  /* The tail is a byte of the ciphertext's buffer alone. */
  size_t in_len = is_open ? job->len + job->tail_len : job->len;
  size_t out_len = is_open ? job->len : job->len + job->tail_len;
  if (in_len > 0 && job->in == NULL) return SL_E_ARG;
  if (out_len > 0 && job->out == NULL) return SL_E_ARG;
  if (job->aad_len > 0 && job->aad == NULL) return SL_E_ARG;

  /* Nothing that is written may overlap anything else, but for the same text in place. */
  if (job->out != job->in && overlaps(job->out, out_len, job->in, in_len)) return SL_E_OVERLAP;
  if (overlaps(job->out, out_len, job->aad, job->aad_len)) return SL_E_OVERLAP;
  if (overlaps(job->out, out_len, job->tag, SL_AEAD_TAG_LEN)) return SL_E_OVERLAP;
  if (is_open) return SL_OK;
  if (overlaps(job->tag, SL_AEAD_TAG_LEN, job->in, in_len)) return SL_E_OVERLAP;
  if (overlaps(job->tag, SL_AEAD_TAG_LEN, job->aad, job->aad_len)) return SL_E_OVERLAP;
  return SL_OK;
}

/* Each turn takes the jobs of one ops out of what is left: linear, since a program uses few ops, and no more than the
 * kernel list has, however many keys there are. */
void sl_aead_jobs_run(struct sl_aead_job **jobs, size_t n, bool is_open) {
  while (n > 0) {
    const struct sl_aead_ops *ops = jobs[0]->key->ops;
    size_t n_group = 1;
    for (size_t i = 1; i < n; i++) {
      if (jobs[i]->key->ops != ops) continue;
      struct sl_aead_job *job = jobs[i];
      jobs[i] = jobs[n_group];
      jobs[n_group++] = job;
    }
    if (is_open) {
      ops->open(jobs, n_group);
    } else {
      ops->seal(jobs, n_group);
      for (size_t i = 0; i < n_group; i++) jobs[i]->err = SL_OK;
    }
    jobs += n_group;
    n -= n_group;
  }
}

static size_t run(struct sl_aead_job *jobs, size_t n_jobs, bool is_open) {
  struct sl_aead_job *sound[JOBS_AT_ONCE];
  size_t n_failed = 0;
  for (size_t done = 0; done < n_jobs;) {
    size_t n_sound = 0, first = done;
    for (; done < n_jobs && done - first < JOBS_AT_ONCE; done++) {
      jobs[done].err = sl_aead_job_check(&jobs[done], is_open);
      if (jobs[done].err != SL_OK) continue;
      sl_aead_key_prefetch(jobs[done].key);
      sound[n_sound++] = &jobs[done];
    }
    sl_aead_jobs_run(sound, n_sound, is_open);
    for (size_t i = first; i < done; i++) n_failed += jobs[i].err != SL_OK;
  }
  return n_failed;
}

size_t sl_aead_seal(struct sl_aead_job *jobs, size_t n_jobs) {
  return run(jobs, n_jobs, false);
}

size_t sl_aead_open(struct sl_aead_job *jobs, size_t n_jobs) {
  return run(jobs, n_jobs, true);
}
