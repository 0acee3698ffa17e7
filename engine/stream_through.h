/* stream_through.h - the body of sl_stream_ops.through, for a kernel's file to include: with the vectors it is compiled for. */
#ifndef SEALANE_ENGINE_STREAM_THROUGH_H
#define SEALANE_ENGINE_STREAM_THROUGH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __AVX512F__
typedef uint64_t stream_chunk __attribute__((vector_size(64)));
#elif defined __AVX2__
typedef uint64_t stream_chunk __attribute__((vector_size(32)));
#else
typedef uint64_t stream_chunk __attribute__((vector_size(16)));
#endif

static inline stream_chunk stream_chunk_load(const uint8_t *p) {
  stream_chunk x;
  memcpy(&x, p, sizeof x);
  return x;
}
static inline void stream_chunk_store(uint8_t *p, stream_chunk x) {
  memcpy(p, &x, sizeof x);
}

static void stream_through(uint8_t *out, const uint8_t *in, const uint8_t *ahead, uint8_t *text, size_t len,
                           bool is_open) {
  size_t n_whole = len & ~(sizeof(stream_chunk) - 1);
  uint64_t which = 0 - (uint64_t)is_open; /* one loop for both: the direction is not worth two */
  for (size_t i = 0; i < n_whole; i += sizeof(stream_chunk)) {
    stream_chunk given = stream_chunk_load(in + i), other = stream_chunk_load(ahead + i) ^ stream_chunk_load(text + i);
    stream_chunk_store(out + i, given ^ other);
    stream_chunk_store(text + i, given ^ (other & ~which));
  }
  for (size_t i = n_whole; i < len; i++) {
    uint8_t given = in[i], other = ahead[i] ^ text[i];
    out[i] = given ^ other;
    text[i] = given ^ (other & (uint8_t)~which);
  }
}

#endif
