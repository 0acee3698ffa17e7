/* aead.c - N AEAD jobs, one call: arguments are checked here, once, and kernels get jobs that are sound, grouped. */
#include "aead_jobs.h"
#include "kernel.h"

/* How many jobs are checked, sorted and run at a time: their pointers take 1 KiB of stack, and lanes fill well before. */
enum { JOBS_AT_ONCE = 128 };
/* A check waits for its key's ops, unless they were asked for so many jobs before. */
enum { JOBS_AHEAD = 8 };

/* Written out for each direction, which then is no question. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

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
  if (job->out != job->in && sl_overlap(job->out, out_len, job->in, in_len)) return SL_E_OVERLAP;
  if (sl_overlap(job->out, out_len, job->aad, job->aad_len)) return SL_E_OVERLAP;
  if (sl_overlap(job->out, out_len, job->tag, SL_AEAD_TAG_LEN)) return SL_E_OVERLAP;
  if (is_open) return SL_OK;
  if (sl_overlap(job->tag, SL_AEAD_TAG_LEN, job->in, in_len)) return SL_E_OVERLAP;
  if (sl_overlap(job->tag, SL_AEAD_TAG_LEN, job->aad, job->aad_len)) return SL_E_OVERLAP;
  return SL_OK;
}

/* What a job's lengths and its key's ops say. Jobs of one call mostly share it, and then it is looked at once. */
struct shape {
  const struct sl_aead_ops *ops;
  size_t len, text_len; /* bytes; with the tail */
  uint32_t aad_len;
  uint8_t tail_len;
  /* What reaches() wants of what is read, seen from what is written at `out`, which is one piece with a tag behind it. */
  size_t in_last, in_reach, aad_last, aad_reach, tag_reach;
};

static ALWAYS_INLINE struct shape shape_of(const struct sl_aead_job *job, bool is_open) {
  struct shape s = {.ops = job->key->ops,
                    .len = job->len,
                    .text_len = job->len + job->tail_len,
                    .aad_len = job->aad_len,
                    .tail_len = job->tail_len};
  size_t out_len = is_open ? s.len : s.text_len + SL_AEAD_TAG_LEN;
  s.in_last = (is_open ? s.text_len : s.len) - 1;
  s.in_reach = s.in_last + out_len;
  s.aad_last = (size_t)s.aad_len - 1;
  s.aad_reach = s.aad_last + out_len;
  s.tag_reach = SL_AEAD_TAG_LEN - 1 + out_len;
  return s;
}

/* Whether lengths are as almost always: within all limits, and there is text, and AAD. */
static ALWAYS_INLINE bool is_plain_shape(const struct shape *s) {
  return s->ops != NULL && s->tail_len <= 1 && s->len > 0 && s->len >> 35 == 0 && s->aad_len > 0;
}

static ALWAYS_INLINE bool has_shape(const struct sl_aead_job *job, const struct shape *s) {
  return job->key->ops == s->ops && job->len == s->len && job->aad_len == s->aad_len && job->tail_len == s->tail_len;
}

/* Whether two ranges that are not empty overlap, by one comparison: the last byte of `from`, seen from the first of `out`, lies
 * in front of where both end to end would reach. */
static ALWAYS_INLINE bool reaches(uintptr_t from, size_t last, uintptr_t out, size_t reach) {
  return from + last - out < reach;
}

/* Whether the buffers of a job with a plain shape are sound as almost all are: no pointer is missing, and a tag to be written
 * follows the ciphertext, so that the two are one piece with half as much to overlap with. "No" only means that
 * sl_aead_job_check() must look. At 64 bytes each instruction here shows; pointers are loaded when they are looked at, or gcc
 * makes one question of several by instructions that branches do without. */
static ALWAYS_INLINE bool is_plainly_sound(const struct sl_aead_job *job, const struct shape *s, bool is_open) {
  uintptr_t in = (uintptr_t)job->in;
  if (in == 0) return false;
  uintptr_t out = (uintptr_t)job->out;
  if (out == 0) return false;
  if (in != out && reaches(in, s->in_last, out, s->in_reach)) return false;
  uintptr_t aad = (uintptr_t)job->aad;
  if (aad == 0) return false;
  if (reaches(aad, s->aad_last, out, s->aad_reach)) return false;
  uintptr_t tag = (uintptr_t)job->tag;
  if (!is_open) return tag == out + s->text_len;
  return tag != 0 && !reaches(tag, SL_AEAD_TAG_LEN - 1, out, s->tag_reach);
}

/* sl_aead_job_check(), quickly. */
static ALWAYS_INLINE sl_err check(const struct sl_aead_job *job, bool is_open) {
  if (job->key == NULL) return sl_aead_job_check(job, is_open);
  const struct shape shape = shape_of(job, is_open);
  bool is_sound = is_plain_shape(&shape) && is_plainly_sound(job, &shape, is_open);
  return __builtin_expect(is_sound, true) ? SL_OK : sl_aead_job_check(job, is_open);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE void run_ops(const struct sl_aead_ops *ops, struct sl_aead_job *const *jobs, size_t n,
                                  bool is_open) {
  if (is_open) {
    ops->open(jobs, n);
  } else {
    ops->seal(jobs, n);
  }
}

/* The size class of a job: how many vectors of 64 bytes its text, the AAD's block and the mask of the tag fill, where
 * that matters. Kernels take records of a class side by side; the long ones, of the last class, they take one by one. */
enum { N_CLASSES = 64, CLASS_BITS = 6 };

static inline size_t classed_len(const struct sl_aead_job *job) {
  return job->len + job->tail_len + 2 * 16 + (1 << CLASS_BITS) - 1; /* two blocks more, up to whole vectors */
}
static inline uint8_t class_of(const struct sl_aead_job *job) {
  size_t n = classed_len(job) >> CLASS_BITS;
  return n < N_CLASSES - 1 ? (uint8_t)n : N_CLASSES - 1;
}

/* Orders n <= JOBS_AT_ONCE jobs by class; those of one class stay in order. */
static void sort_by_class(struct sl_aead_job **jobs, size_t n) {
  uint8_t classes[JOBS_AT_ONCE];
  for (size_t i = 0; i < n; i++) classes[i] = class_of(jobs[i]);
  uint8_t place[N_CLASSES] = {0}, sum = 0;
  struct sl_aead_job *sorted[JOBS_AT_ONCE];
  for (size_t i = 0; i < n; i++) place[classes[i]]++;
  for (size_t c = 0; c < N_CLASSES; c++) {
    uint8_t count = place[c];
    place[c] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++) sorted[place[classes[i]]++] = jobs[i];
  memcpy(jobs, sorted, n * sizeof jobs[0]);
}
_Static_assert(sizeof(size_t) == 8, "texts may have 36 bits of length");
_Static_assert(JOBS_AT_ONCE <= 255, "places fit a byte");

/* Each turn takes the jobs of one ops out of what is left: linear, since a program uses few ops, and no more than the
 * kernel list has, however many keys there are. */
static void run_sorted(struct sl_aead_job **jobs, size_t n, bool is_open) {
  while (n > 0) {
    const struct sl_aead_ops *ops = jobs[0]->key->ops;
    size_t n_group = 1;
    for (size_t i = 1; i < n; i++) {
      if (jobs[i]->key->ops != ops) continue;
      struct sl_aead_job *job = jobs[i];
      jobs[i] = jobs[n_group];
      jobs[n_group++] = job;
    }
    for (size_t i = 0, n_now; i < n_group; i += n_now) {
      n_now = n_group - i < JOBS_AT_ONCE ? n_group - i : JOBS_AT_ONCE;
      sort_by_class(jobs + i, n_now);
      run_ops(ops, jobs + i, n_now, is_open);
    }
    jobs += n_group;
    n -= n_group;
  }
}

/* Whether jobs differ in what makes a kernel take others side by side with them. */
static bool is_mixed(struct sl_aead_job *const *jobs, size_t n) {
  size_t differences = 0; /* in the upper bits of classed_len(), which are the class */
  for (size_t i = 1; i < n; i++) {
    differences |= ((uintptr_t)jobs[i]->key->ops ^ (uintptr_t)jobs[0]->key->ops) << CLASS_BITS;
    differences |= classed_len(jobs[i]) ^ classed_len(jobs[0]);
  }
  return differences >> CLASS_BITS != 0;
}

void sl_aead_jobs_run(struct sl_aead_job **jobs, size_t n, bool is_open) {
  const struct shape shape = shape_of(jobs[0], is_open);
  size_t n_alike = 1;
  while (n_alike < n && has_shape(jobs[n_alike], &shape)) n_alike++;
  if (n_alike < n && is_mixed(jobs, n)) {
    run_sorted(jobs, n, is_open);
  } else {
    run_ops(shape.ops, jobs, n, is_open);
  }
}

void sl_aead_job_failed(struct sl_aead_job *job, uint8_t tag[static SL_AEAD_TAG_LEN]) {
  if (job->err == SL_E_PENDING) {
    memcpy(job->tag, tag, SL_AEAD_TAG_LEN);
  } else {
    sl_wipe(job->out, job->len);
    job->tail = 0;
  }
  job->err = SL_E_AUTH;
  sl_wipe(tag, SL_AEAD_TAG_LEN);
}

/* take_alike() for jobs of a shape, whose keys have n_lines: written out for each number, which then is no question. */
static ALWAYS_INLINE size_t take_shape(struct sl_aead_job *jobs, size_t n, struct sl_aead_job **list, bool is_open,
                                       struct shape shape, unsigned n_lines) {
  __asm__("" : "+m"(shape)); /* operands in memory: there are more of them than registers */
  size_t i = 0;
  for (; i < n; i++, jobs++) {
    if (n - i > JOBS_AHEAD) sl_aead_key_prefetch_ops(jobs[JOBS_AHEAD].key);
    bool is_alike = jobs->key != NULL && has_shape(jobs, &shape) && is_plainly_sound(jobs, &shape, is_open);
    if (!__builtin_expect(is_alike, true)) break;
    sl_aead_key_prefetch_rest(jobs->key, n_lines);
    jobs->err = SL_OK;
    list[i] = jobs;
  }
  return i;
}

/* The first jobs as far as they have one shape and are plainly sound: puts them into list[] and returns how many. */
static ALWAYS_INLINE size_t take_alike(struct sl_aead_job *jobs, size_t n, struct sl_aead_job **list, bool is_open) {
  if (jobs->key == NULL) return 0;
  struct shape shape = shape_of(jobs, is_open);
  if (!is_plain_shape(&shape)) return 0;
  switch (shape.ops->aead) {
  case SL_AES_128_GCM:
    return take_shape(jobs, n, list, is_open, shape, SL_KEY_LINES_AES_128_GCM);
  case SL_AES_256_GCM:
    return take_shape(jobs, n, list, is_open, shape, SL_KEY_LINES_AES_256_GCM);
  default:
    return take_shape(jobs, n, list, is_open, shape, SL_KEY_LINES_CHACHA20_POLY1305);
  }
}

/* Puts those of n jobs that are sound into list[] and returns how many; the others get their err. */
static ALWAYS_INLINE size_t take_sound(struct sl_aead_job *jobs, size_t n, struct sl_aead_job **list, bool is_open) {
  size_t n_sound = 0;
  for (const struct sl_aead_job *end = jobs + n; jobs < end; jobs++) {
    jobs->err = check(jobs, is_open);
    if (jobs->err != SL_OK) continue;
    sl_aead_key_prefetch_rest(jobs->key, sl_aead_key_lines(jobs->key->ops->aead));
    list[n_sound++] = jobs;
  }
  return n_sound;
}

/* Almost always none, which is known sooner. */
static ALWAYS_INLINE size_t count_failed(struct sl_aead_job *const *jobs, size_t n) {
  unsigned any = SL_OK;
  size_t n_failed = 0;
  for (size_t i = 0; i < n; i++) any |= jobs[i]->err;
  for (size_t i = 0; i < n && any != SL_OK; i++) n_failed += jobs[i]->err != SL_OK;
  return n_failed;
}

static ALWAYS_INLINE size_t run(struct sl_aead_job *jobs, size_t n_jobs, bool is_open) {
  size_t n_failed = 0;
  for (size_t n; n_jobs > 0; n_jobs -= n, jobs += n) {
    struct sl_aead_job *sound[JOBS_AT_ONCE];
    n = n_jobs < JOBS_AT_ONCE ? n_jobs : JOBS_AT_ONCE;
    size_t n_sound = take_alike(jobs, n, sound, is_open);
    if (n_sound == n) {
      run_ops(jobs->key->ops, sound, n, is_open);
    } else {
      n_sound += take_sound(jobs + n_sound, n - n_sound, sound + n_sound, is_open);
      if (n_sound > 0) sl_aead_jobs_run(sound, n_sound, is_open);
    }
    n_failed += n - n_sound;
    if (is_open) n_failed += count_failed(sound, n_sound);
  }
  return n_failed;
}

/* One job, without what many need. */
static ALWAYS_INLINE size_t run_one(struct sl_aead_job *job, bool is_open) {
  job->err = check(job, is_open);
  if (job->err == SL_OK) run_ops(job->key->ops, &job, 1, is_open);
  return job->err != SL_OK;
}

size_t sl_aead_seal(struct sl_aead_job *jobs, size_t n_jobs) {
  return n_jobs == 1 ? run_one(jobs, false) : run(jobs, n_jobs, false);
}

size_t sl_aead_open(struct sl_aead_job *jobs, size_t n_jobs) {
  return n_jobs == 1 ? run_one(jobs, true) : run(jobs, n_jobs, true);
}
