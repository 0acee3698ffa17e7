/* chapoly_kernel.h - the functions of a kernel that is a width of chapoly_units.h, its chapoly_width. */
#ifndef SEALANE_ENGINE_CHAPOLY_KERNEL_H
#define SEALANE_ENGINE_CHAPOLY_KERNEL_H

#include "engine/stream_through.h"

static void chapoly_seal(struct sl_aead_job *const *jobs, size_t n) {
  sl_units_jobs(&chapoly_width, jobs, n, true);
}
static void chapoly_open(struct sl_aead_job *const *jobs, size_t n) {
  sl_units_jobs(&chapoly_width, jobs, n, false);
}
static void chapoly_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  sl_units_absorb(&chapoly_width, s, key, blocks, n);
}
static void chapoly_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                          size_t len, bool is_open) {
  sl_units_crypt(&chapoly_width, s, key, out, in, len, is_open);
}
static void chapoly_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  sl_units_tag(&chapoly_width, s, key, tag);
}

#define CHAPOLY_KERNEL_OPS                                                                                             \
  { {SL_CHACHA20_POLY1305, 32, 16 + 32, sl_units_expand, chapoly_seal, chapoly_open}, }
#define CHAPOLY_STREAM_OPS                                                                                             \
  { UNIT_LEN, sl_units_start, chapoly_absorb, chapoly_crypt, chapoly_tag, stream_through }

#endif
