/* fuzz_aead.c - every AEAD kernel against the portable one, in the lengths, key mixes and places the input asks for.
 *
 * Each job lives in memory of exactly its size, so that AddressSanitizer sees a kernel that reaches past it. */
#include "fuzz.h"
#include "kernel.h"
#include <sealane/aead.h>
#include <stdlib.h>
#include <string.h>

enum { N_JOBS_MAX = 9, N_KEYS = 3, LEN_MAX = 2100 };

static struct sl_aead_key keys[SL_AEAD_END][N_KEYS], portable_keys[SL_AEAD_END][N_KEYS];

static void claim(bool holds) {
  if (!holds) abort();
}

static const char *portable_name(enum sl_aead aead) {
  return aead == SL_CHACHA20_POLY1305 ? "chapoly_portable" : "gcm_portable";
}

/* The input as a stream of small numbers; zeros after its end. */
struct source {
  const uint8_t *p;
  size_t len;
};

static size_t below(struct source *source, size_t bound) {
  size_t n = 0;
  for (int i = 0; i < 2 && source->len > 0; i++, source->p++, source->len--) n = n << 8 | *source->p;
  return n % bound;
}

static uint8_t *pattern(size_t len, size_t seed) {
  uint8_t *p = malloc(len);
  claim(p != NULL || len == 0);
  for (size_t i = 0; i < len; i++) p[i] = (uint8_t)(seed + i * 7 + (i >> 8));
  return p;
}

static uint8_t *copy(const uint8_t *from, size_t len) {
  uint8_t *p = malloc(len);
  claim(p != NULL || len == 0);
  if (len > 0) memcpy(p, from, len);
  return p;
}

/* Seals one batch of jobs with `kernel` and, one by one, with the portable kernel; then opens it, one tag spoilt. */
static void compare(const struct sl_kernel *kernel, enum sl_aead aead, struct source source) {
  struct sl_aead_job jobs[N_JOBS_MAX] = {0};
  uint8_t *aads[N_JOBS_MAX], *texts[N_JOBS_MAX], *outs[N_JOBS_MAX], *tags[N_JOBS_MAX];
  size_t n = 1 + below(&source, N_JOBS_MAX), key_of[N_JOBS_MAX];
  for (size_t i = 0; i < N_KEYS; i++) {
    uint8_t secret[32];
    for (size_t j = 0; j < sizeof secret; j++) secret[j] = (uint8_t)(i * 31 + j);
    size_t secret_len = sl_aead_secret_len(aead);
    claim(sl_aead_key_init_kernel(&keys[aead][i], aead, secret, secret_len, kernel->name) == SL_OK);
    claim(sl_aead_key_init_kernel(&portable_keys[aead][i], aead, secret, secret_len, portable_name(aead)) == SL_OK);
  }
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = &jobs[i];
    job->len = below(&source, LEN_MAX);
    job->aad_len = (uint32_t)below(&source, 70);
    job->tail_len = (uint8_t)below(&source, 2);
    job->tail = (uint8_t)below(&source, 256);
    job->nonce[11] = (uint8_t)i;
    key_of[i] = below(&source, N_KEYS);
    aads[i] = pattern(job->aad_len, i);
    texts[i] = pattern(job->len, i + 100);
    tags[i] = pattern(SL_AEAD_TAG_LEN, 0);
    bool in_place = job->tail_len == 0 && below(&source, 2) == 1;
    outs[i] = in_place ? copy(texts[i], job->len) : malloc(job->len + job->tail_len);
    job->key = &keys[aead][key_of[i]];
    job->aad = aads[i];
    job->in = in_place ? outs[i] : texts[i];
    job->out = outs[i];
    job->tag = tags[i];
  }
  claim(sl_aead_seal(jobs, n) == 0);

  size_t spoilt = below(&source, n);
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job job = jobs[i];
    uint8_t tag[SL_AEAD_TAG_LEN], *out = malloc(job.len + job.tail_len);
    job.key = &portable_keys[aead][key_of[i]];
    job.in = texts[i];
    job.out = out;
    job.tag = tag;
    claim(sl_aead_seal(&job, 1) == 0);
    claim(memcmp(tag, tags[i], sizeof tag) == 0);
    claim(job.len + job.tail_len == 0 || memcmp(out, outs[i], job.len + job.tail_len) == 0);
    free(out);
    jobs[i].in = outs[i];
    jobs[i].out = malloc(job.len);
  }
  tags[spoilt][below(&source, SL_AEAD_TAG_LEN)] ^= (uint8_t)(1u << below(&source, 8));
  claim(sl_aead_open(jobs, n) == 1);
  for (size_t i = 0; i < n; i++) {
    claim(jobs[i].err == (i == spoilt ? SL_E_AUTH : SL_OK));
    for (size_t j = 0; j < jobs[i].len; j++) claim(jobs[i].out[j] == (i == spoilt ? 0 : texts[i][j]));
    free(jobs[i].out);
    free(aads[i]);
    free(texts[i]);
    free(outs[i]);
    free(tags[i]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  const struct source source = {data, len};
  for (const struct sl_kernel *const *k = sl_kernel_list; *k != NULL; k++) {
    if (sl_kernel_named((*k)->name) == NULL) continue;
    if ((*k)->algorithm == SL_ALG_AES_GCM) {
      compare(*k, SL_AES_128_GCM, source);
      compare(*k, SL_AES_256_GCM, source);
    } else if ((*k)->algorithm == SL_ALG_CHACHA20_POLY1305) {
      compare(*k, SL_CHACHA20_POLY1305, source);
    }
  }
  return 0;
}
