/* ipsec_mb_gcm.c - AES-GCM by Intel IPsec-MB, its functions for AVX2: one record after the other, as the library does it.
 *
 * They take an expanded key, work on a context on our stack and need no manager, so nothing has to be set up and threads
 * share nothing but the library's record of the last error. Their keys, round keys and eight powers of H, are 368 bytes and
 * fit into ours; those of its functions for AVX-512, with 48 powers, do not (docs/decisions/0020-ipsec-mb-kernels.md). */
#include "engine/aead_jobs.h"
#include "engine/ipsec_mb/kernels.h"
#include <intel-ipsec-mb.h>

#define MB_KEY_LEN                                                                                                     \
  (offsetof(struct gcm_key_data, ghash_keys) + sizeof((struct gcm_key_data *)NULL)->ghash_keys.avx2_avx512)
_Static_assert(MB_KEY_LEN <= sizeof((struct sl_aead_key *)NULL)->memory,
               "the functions for AVX2 use no more than this");

/* What the library has for one key size and direction: a whole record at once, and the same in steps. */
struct calls {
  aes_gcm_enc_dec_t whole;
  aes_gcm_init_t init;
  aes_gcm_enc_dec_update_t update;
  aes_gcm_enc_dec_finalize_t finalize;
};
static const struct calls seal_128 = {aes_gcm_enc_128_avx_gen4, aes_gcm_init_128_avx_gen4,
                                      aes_gcm_enc_128_update_avx_gen4, aes_gcm_enc_128_finalize_avx_gen4};
static const struct calls seal_256 = {aes_gcm_enc_256_avx_gen4, aes_gcm_init_256_avx_gen4,
                                      aes_gcm_enc_256_update_avx_gen4, aes_gcm_enc_256_finalize_avx_gen4};
static const struct calls open_128 = {aes_gcm_dec_128_avx_gen4, aes_gcm_init_128_avx_gen4,
                                      aes_gcm_dec_128_update_avx_gen4, aes_gcm_dec_128_finalize_avx_gen4};
static const struct calls open_256 = {aes_gcm_dec_256_avx_gen4, aes_gcm_init_256_avx_gen4,
                                      aes_gcm_dec_256_update_avx_gen4, aes_gcm_dec_256_finalize_avx_gen4};

static void expand_128(struct sl_aead_key *key, const uint8_t *secret) {
  aes_gcm_pre_128_avx_gen4(secret, (struct gcm_key_data *)sl_key_mem(key, MB_KEY_LEN));
}

static void expand_256(struct sl_aead_key *key, const uint8_t *secret) {
  aes_gcm_pre_256_avx_gen4(secret, (struct gcm_key_data *)sl_key_mem(key, MB_KEY_LEN));
}

/* One record. tail_in and tail_out are the places of the byte behind the text; equal pointers are fine, as for the text. */
static void run_one(const struct calls *calls, const struct sl_aead_job *job, uint8_t *tail_out, const uint8_t *tail_in,
                    uint8_t *tag) {
  const struct gcm_key_data *key = (const struct gcm_key_data *)sl_key_mem(job->key, MB_KEY_LEN);
  struct gcm_context_data ctx;
  if (job->tail_len == 0) {
    calls->whole(key, &ctx, job->out, job->in, job->len, job->nonce, job->aad, job->aad_len, tag, SL_AEAD_TAG_LEN);
  } else {
    calls->init(key, &ctx, job->nonce, job->aad, job->aad_len);
    if (job->len > 0) calls->update(key, &ctx, job->out, job->in, job->len);
    calls->update(key, &ctx, tail_out, tail_in, 1);
    calls->finalize(key, &ctx, tag, SL_AEAD_TAG_LEN);
  }
  sl_wipe(&ctx, sizeof ctx);
}

static void seal(const struct calls *calls, struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct sl_aead_job *job = jobs[i];
    run_one(calls, job, job->tail_len > 0 ? job->out + job->len : NULL, &job->tail, job->tag);
  }
}

static void open(const struct calls *calls, struct sl_aead_job *const *jobs, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct sl_aead_job *job = jobs[i];
    uint8_t tag[SL_AEAD_TAG_LEN];
    run_one(calls, job, &job->tail, job->tail_len > 0 ? job->in + job->len : NULL, tag);
    if (!sl_aead_job_verdict(job, sl_differ(tag, job->tag, sizeof tag))) sl_aead_job_failed(job, tag);
  }
}

static void seal_jobs_128(struct sl_aead_job *const *jobs, size_t n) {
  seal(&seal_128, jobs, n);
}
static void seal_jobs_256(struct sl_aead_job *const *jobs, size_t n) {
  seal(&seal_256, jobs, n);
}
static void open_jobs_128(struct sl_aead_job *const *jobs, size_t n) {
  open(&open_128, jobs, n);
}
static void open_jobs_256(struct sl_aead_job *const *jobs, size_t n) {
  open(&open_256, jobs, n);
}

enum { KEY_LEN = 16 + MB_KEY_LEN };

const struct sl_kernel sl_kernel_ipsec_mb_gcm = {
    .name = "ipsec_mb_gcm",
    .algorithm = SL_ALG_AES_GCM,
    .needs = IPSEC_MB_NEEDS,
    .aead = {{SL_AES_128_GCM, 16, KEY_LEN, expand_128, seal_jobs_128, open_jobs_128},
             {SL_AES_256_GCM, 32, KEY_LEN, expand_256, seal_jobs_256, open_jobs_256}},
};
