/* direct.c - Sealane's chosen kernel, called as sl_aead_seal() calls it but by nobody: what the API itself costs. Not a
 * rival, but measured like one, and beside ours in every cell. */
#include "../bench.h"
#include "../hooks/inside.h"
#include "rival.h"
#include <sealane/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct direct {
  size_t n_keys;
  struct sl_aead_key *keys;
  size_t n_jobs;
  struct sl_aead_job *jobs;
  struct sl_aead_job **job_list; /* kernels take pointers */
};

static void version(char *out, size_t cap) {
  snprintf(out, cap, "%s", SEALANE_VERSION);
}

/* The chosen kernel, under its own name. */
static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  struct rival_way all[RIVAL_WAYS_MAX];
  size_t n = rival_sealane.ways(aead, all);
  out[0] = (struct rival_way){.name = "none", .reason = "no kernel of this suite was chosen"};
  for (size_t i = 0; i < n; i++) {
    if (all[i].is_default) out[0] = all[i];
  }
  return 1;
}

static void release(void *state) {
  struct direct *d = state;
  if (d == NULL) return;
  for (size_t i = 0; i < d->n_keys; i++) sl_aead_key_wipe(&d->keys[i]);
  free(d->keys);
  free(d->jobs);
  free(d->job_list);
  free(d);
}

static void *setup(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys) {
  (void)is_open;
  struct direct *d = bench_alloc(1, sizeof *d);
  d->keys = bench_alloc(n_keys, sizeof d->keys[0]);
  d->n_keys = n_keys;
  size_t secret_len = sl_aead_secret_len(aead);
  for (size_t i = 0; i < n_keys; i++) {
    if (sl_aead_key_init_kernel(&d->keys[i], aead, secrets + i * secret_len, secret_len, way) == SL_OK) continue;
    release(d);
    return NULL;
  }
  return d;
}

static bool prepare(void *state, const struct rival_texts *texts) {
  struct direct *d = state;
  free(d->jobs);
  free(d->job_list);
  d->n_jobs = texts->n;
  d->jobs = bench_alloc(texts->n, sizeof d->jobs[0]);
  d->job_list = bench_alloc(texts->n, sizeof d->job_list[0]);
  for (size_t i = 0; i < texts->n; i++) {
    const struct rival_text *text = &texts->text[i];
    struct sl_aead_job *job = d->job_list[i] = &d->jobs[i];
    *job = (struct sl_aead_job){.aad = text->aad,
                                .aad_len = RIVAL_AAD_LEN,
                                .in = text->in,
                                .out = text->out,
                                .tag = text->tag,
                                .len = texts->len};
    memcpy(job->nonce, text->nonce, sizeof job->nonce);
  }
  return true;
}

static bool seal(void *state, const uint32_t *keys) {
  struct direct *d = state;
  for (size_t i = 0; i < d->n_jobs; i++) d->jobs[i].key = &d->keys[keys[i]];
  hook_kernel_seal(d->job_list, d->n_jobs);
  return true;
}

static bool open(void *state, const uint32_t *keys, const uint8_t *tags) {
  struct direct *d = state;
  for (size_t i = 0; i < d->n_jobs; i++) {
    d->jobs[i].key = &d->keys[keys[i]];
    d->jobs[i].tag = (uint8_t *)(uintptr_t)(tags + i * SL_AEAD_TAG_LEN); /* an open only reads it */
  }
  hook_kernel_open(d->job_list, d->n_jobs);
  bool ok = true;
  for (size_t i = 0; i < d->n_jobs; i++) ok &= d->jobs[i].err == SL_OK;
  return ok;
}

const struct rival rival_direct = {
    .name = "direct",
    .version = version,
    .ways = ways,
    .setup = setup,
    .prepare = prepare,
    .seal = seal,
    .open = open,
    .release = release,
};
