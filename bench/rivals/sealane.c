/* sealane.c - Sealane, measured as its rivals are. Its ways are its kernels. */
#include "../bench.h"
#include "rival.h"
#include <sealane/cpu.h>
#include <sealane/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ours {
  size_t n_keys;
  struct sl_aead_key *keys;
  size_t n_jobs;
  struct sl_aead_job *jobs;
};

static void version(char *out, size_t cap) {
  snprintf(out, cap, "%s", SEALANE_VERSION);
}

/* sl_kernels_list() speaks of algorithms; AES-GCM is one for both key sizes. */
static const char *algorithm_of(enum sl_aead aead) {
  return aead == SL_CHACHA20_POLY1305 ? "chacha20-poly1305" : "aes-gcm";
}

static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  size_t n_all = sl_kernels_list(NULL, 0), n = 0;
  struct sl_kernel_info *all = bench_alloc(n_all, sizeof all[0]);
  n_all = sl_kernels_list(all, n_all);
  for (size_t i = 0; i < n_all && n < RIVAL_WAYS_MAX; i++) {
    if (strcmp(all[i].algorithm, algorithm_of(aead)) != 0) continue;
    out[n] = (struct rival_way){.is_default = all[i].chosen};
    snprintf(out[n].name, sizeof out[n].name, "%s", all[i].name);
    if (!all[i].available) snprintf(out[n].reason, sizeof out[n].reason, "%s", all[i].reason);
    n++;
  }
  free(all);
  return n;
}

static void release(void *state) {
  struct ours *o = state;
  if (o == NULL) return;
  for (size_t i = 0; i < o->n_keys; i++) sl_aead_key_wipe(&o->keys[i]);
  free(o->keys);
  free(o->jobs);
  free(o);
}

static void *setup(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys) {
  (void)is_open;
  struct ours *o = bench_alloc(1, sizeof *o);
  o->keys = bench_alloc(n_keys, sizeof o->keys[0]);
  o->n_keys = n_keys;
  size_t secret_len = sl_aead_secret_len(aead);
  for (size_t i = 0; i < n_keys; i++) {
    if (sl_aead_key_init_kernel(&o->keys[i], aead, secrets + i * secret_len, secret_len, way) == SL_OK) continue;
    release(o);
    return NULL;
  }
  return o;
}

static bool prepare(void *state, const struct rival_texts *texts) {
  struct ours *o = state;
  free(o->jobs);
  o->n_jobs = texts->n;
  o->jobs = bench_alloc(texts->n, sizeof o->jobs[0]);
  for (size_t i = 0; i < texts->n; i++) {
    const struct rival_text *text = &texts->text[i];
    struct sl_aead_job *job = &o->jobs[i];
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
  struct ours *o = state;
  for (size_t i = 0; i < o->n_jobs; i++) o->jobs[i].key = &o->keys[keys[i]];
  return sl_aead_seal(o->jobs, o->n_jobs) == 0;
}

static bool open(void *state, const uint32_t *keys, const uint8_t *tags) {
  struct ours *o = state;
  for (size_t i = 0; i < o->n_jobs; i++) {
    o->jobs[i].key = &o->keys[keys[i]];
    o->jobs[i].tag = (uint8_t *)tags + i * SL_AEAD_TAG_LEN; /* an open only reads it */
  }
  return sl_aead_open(o->jobs, o->n_jobs) == 0;
}

const struct rival rival_sealane = {
    .name = "sealane",
    .version = version,
    .ways = ways,
    .setup = setup,
    .prepare = prepare,
    .seal = seal,
    .open = open,
    .release = release,
};
