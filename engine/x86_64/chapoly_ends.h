/* chapoly_ends.h - the ends of texts for the widths without masks: 16 bytes at a time, from block.h. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_ENDS_H

#include "engine/x86_64/block.h"
#include "engine/x86_64/chapoly_macros.h"

/* The first n <= 16 bytes of p, zeros behind; nothing else is read. */
SHARED __m128i b_load(const uint8_t *p, size_t n) {
  return block_load(p, n);
}

/* How many of the `len` bytes lie in the 16 from `at`. */
static inline size_t b_part(size_t len, size_t at) {
  if (len <= at) return 0;
  return len - at < 16 ? len - at : 16;
}

/* The block where the text ends: len < 64 bytes in memory, and behind them the tail when there is one. */
SHARED void row_seal_end(uint8_t *out, const uint8_t *in, size_t len, size_t tail_len, uint8_t tail,
                         const uint8_t *stream) {
  for (size_t at = 0; at < len + tail_len; at += 16) {
    __m128i x = block_load(in + at, b_part(len, at));
    if (tail_len > 0 && len - at < 16) x = block_put_byte(x, len - at, tail);
    block_store(out + at, b_part(len + tail_len, at), _mm_xor_si128(x, block_load_all(stream + at)));
  }
}
/* Returns the byte behind the len that were written; 0 when there is no tail. */
SHARED uint8_t row_open_end(uint8_t *out, const uint8_t *in, size_t len, size_t tail_len, const uint8_t *stream) {
  uint8_t tail = 0;
  for (size_t at = 0; at < len + tail_len; at += 16) {
    __m128i x = _mm_xor_si128(block_load(in + at, b_part(len + tail_len, at)), block_load_all(stream + at));
    block_store(out + at, b_part(len, at), x);
    if (len - at < 16) tail = block_byte(x, len - at);
  }
  return tail;
}

#endif
