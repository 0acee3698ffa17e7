/* gcm_table.h - what a kernel's table needs, once gcm_jobs() is there. */
#ifndef SEALANE_ENGINE_X86_64_GCM_TABLE_H
#define SEALANE_ENGINE_X86_64_GCM_TABLE_H

/* Runs jobs of one key size in one direction: gcm_narrow.h, gcm_wide.h. */
static void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal);

static void gcm_128_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 10);
}
static void gcm_128_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 10, true);
}
static void gcm_128_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 10, false);
}
static void gcm_256_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 14);
}
static void gcm_256_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 14, true);
}
static void gcm_256_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_jobs(jobs, n, 14, false);
}

#define GCM_KEY_LEN(rounds) (16 + 16 * (rounds + 1) + 16 * N_POWERS)
#define GCM_KERNEL_OPS                                                                                                 \
  {                                                                                                                    \
    {SL_AES_128_GCM, 16, GCM_KEY_LEN(10), gcm_128_expand, gcm_128_seal, gcm_128_open},                                 \
        {SL_AES_256_GCM, 32, GCM_KEY_LEN(14), gcm_256_expand, gcm_256_seal, gcm_256_open},                             \
  }
_Static_assert(GCM_KEY_LEN(10) == 448 && GCM_KEY_LEN(14) <= SL_AEAD_KEY_MEM, "a key fits its memory");

#endif
