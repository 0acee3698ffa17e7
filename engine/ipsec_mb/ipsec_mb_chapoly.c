/* ipsec_mb_chapoly.c - ChaCha20-Poly1305 by Intel IPsec-MB, its functions for AVX2: one record after the other.
 *
 * A manager is the only way to these functions, but they do not need it: they work on a context on our stack and a secret
 * that nothing expands. start() therefore takes them out of a manager that it then gives back. */
#include "engine/aead_jobs.h"
#include "engine/ipsec_mb/kernels.h"
#include <intel-ipsec-mb.h>

enum { SECRET_LEN = 32 };

/* Written by start(), before there can be a key. */
static struct {
  chacha_poly_init_t init;
  chacha_poly_enc_dec_update_t seal, open;
  chacha_poly_finalize_t finalize;
} calls;

static const char *start(void) {
  IMB_MGR *manager = alloc_mb_mgr(0);
  if (manager == NULL) return "intel-ipsec-mb has no memory for a manager";
  init_mb_mgr_avx2(manager);
  bool can = imb_get_errno(manager) == 0;
  if (can) {
    calls.init = manager->chacha20_poly1305_init;
    calls.seal = manager->chacha20_poly1305_enc_update;
    calls.open = manager->chacha20_poly1305_dec_update;
    calls.finalize = manager->chacha20_poly1305_finalize;
  }
  free_mb_mgr(manager);
  return can ? NULL : "intel-ipsec-mb cannot start";
}

static void expand(struct sl_aead_key *key, const uint8_t *secret) {
  memcpy(sl_key_mem(key, SECRET_LEN), secret, SECRET_LEN);
}

/* One record. tail_in and tail_out are the places of the byte behind the text; equal pointers are fine, as for the text. */
static void run_one(chacha_poly_enc_dec_update_t update, const struct sl_aead_job *job, uint8_t *tail_out,
                    const uint8_t *tail_in, uint8_t *tag) {
  struct chacha20_poly1305_context_data ctx;
  calls.init(sl_key_mem(job->key, SECRET_LEN), &ctx, job->nonce, job->aad, job->aad_len);
  if (job->len > 0) update(sl_key_mem(job->key, SECRET_LEN), &ctx, job->out, job->in, job->len);
  if (job->tail_len > 0) update(sl_key_mem(job->key, SECRET_LEN), &ctx, tail_out, tail_in, 1);
  calls.finalize(&ctx, tag, SL_AEAD_TAG_LEN);
  sl_wipe(&ctx, sizeof ctx);
}

static void seal(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = jobs[i];
    run_one(calls.seal, job, job->tail_len > 0 ? job->out + job->len : NULL, &job->tail, job->tag);
  }
}

static void open(struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = jobs[i];
    uint8_t tag[SL_AEAD_TAG_LEN];
    run_one(calls.open, job, &job->tail, job->tail_len > 0 ? job->in + job->len : NULL, tag);
    if (!sl_aead_job_verdict(job, sl_differ(tag, job->tag, sizeof tag))) sl_aead_job_failed(job, tag);
  }
}

enum { KEY_LEN = 16 + SECRET_LEN };

const struct sl_kernel sl_kernel_ipsec_mb_chapoly = {
    .name = "ipsec_mb_chapoly",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = IPSEC_MB_NEEDS,
    .start = start,
    .aead = {{SL_CHACHA20_POLY1305, SECRET_LEN, KEY_LEN, expand, seal, open}},
};
