/* gcm_table.h - the tables of an AES-GCM kernel, over what it has defined before it includes this: POWERS_LEN, bytes of powers of H
 * in a key; gcm_expand(); gcm_jobs(); gcm_stream_start(), _absorb(), _blocks(), _over() and _tag(). */
#ifndef SEALANE_ENGINE_GCM_TABLE_H
#define SEALANE_ENGINE_GCM_TABLE_H

#include "kernel.h"
#include "stream.h"

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

#define GCM_KEY_LEN(rounds) (POWERS_LEN + 16 * (rounds + 1) + 16) /* and two pointers */
#define GCM_KERNEL_OPS                                                                                                 \
  {                                                                                                                    \
    {SL_AES_128_GCM, 16, GCM_KEY_LEN(10), gcm_128_expand, gcm_128_seal, gcm_128_open},                                 \
        {SL_AES_256_GCM, 32, GCM_KEY_LEN(14), gcm_256_expand, gcm_256_seal, gcm_256_open},                             \
  }
_Static_assert(GCM_KEY_LEN(14) <= SL_AEAD_KEY_MEM, "a key fits its memory");

/* A piece: what is over goes by itself, and waits to be hashed. */
static void gcm_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                             size_t len, bool is_open) {
  size_t n_over = len % 16;
  if (s->n_block > 0) gcm_stream_absorb(s, key, s->block, 1);
  s->n_block = s->n_unit = 0;
  if (len > n_over) gcm_stream_blocks(s, key, out, in, len - n_over, !is_open);
  if (n_over > 0) gcm_stream_over(s, key, out + len - n_over, in + len - n_over, n_over, !is_open);
}

#define GCM_STREAM_OPS                                                                                                 \
  { 16, gcm_stream_start, gcm_stream_absorb, gcm_stream_crypt, gcm_stream_tag, NULL }

#endif
