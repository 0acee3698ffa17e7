/* gcm_stream.h - AES-GCM of texts in pieces (engine/stream.h) for x86, at every width. Whole blocks of a piece go the way of records
 * (gcm_piece()), with the hash so far added to the first; what is less than a block at a piece's end is done on its own. */
#ifndef SEALANE_ENGINE_X86_64_GCM_STREAM_H
#define SEALANE_ENGINE_X86_64_GCM_STREAM_H

#include "engine/stream.h"
#include "engine/x86_64/gcm_template.h"

INLINE unsigned gcm_stream_rounds(const struct sl_aead_key *key) {
  return key->ops->aead == SL_AES_256_GCM ? 14 : 10;
}

/* The key stream at the stream's counter, which steps on. */
PART __m128i gcm_stream_block(struct sl_stream *s, const struct sl_aead_key *key) {
  const unsigned rounds = gcm_stream_rounds(key);
  const uint8_t *k = gcm_key_mem(key, rounds), *last = k + 16 * rounds;
  __m128i x = _mm_set_epi32((int)__builtin_bswap32(s->counter), (int)sl_load32_le(s->nonce + 8),
                            (int)sl_load32_le(s->nonce + 4), (int)sl_load32_le(s->nonce));
  x = _mm_xor_si128(x, block_load_all(k));
  for (k += 16; k < last; k += 16) x = _mm_aesenc_si128(x, block_load_all(k));
  s->counter++;
  return _mm_aesenclast_si128(x, block_load_all(last));
}

/* AAD is short, or in large pieces rare: a block at a time. */
static void gcm_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  const v h = v_low(block_load_all(gcm_key_mem(key, gcm_stream_rounds(key)) - 16));
  v acc = gcm_reversed(v_low(block_load_all((const uint8_t *)s->hash)));
  for (; n > 0; n--, blocks += 16) {
    acc = gcm_reduced(gcm_product(v_xor(acc, gcm_reversed(v_low(block_load_all(blocks)))), h));
  }
  block_store_all((uint8_t *)s->hash, v_lane(gcm_reversed(acc), 0));
}

/* Whole blocks, len > 0 bytes. */
PART void gcm_stream_blocks(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                            size_t len, bool seal) {
  struct sl_aead_job piece = {.key = key, .in = in, .out = out, .len = len};
  __m128i hash = block_load_all((const uint8_t *)s->hash);
  hash = gcm_piece(&piece, gcm_stream_rounds(key), s->counter, block_load_nonce(s->nonce), hash, seal);
  block_store_all((uint8_t *)s->hash, hash);
  s->counter += (uint32_t)(len / 16);
}

typedef __m128i block;
static inline block block_xor(block a, block b) {
  return _mm_xor_si128(a, b);
}

#include "engine/gcm_stream_ends.h"

#endif
