/* text.h - the text of a job in pieces: gathers in[] and the tail byte into a buffer and puts results back.
 *
 * The portable kernels do all their work in a small buffer of their own. So nothing outside a job's bounds is ever
 * touched, in place and apart are the same, and the tail byte (aead.h) is a matter of these two functions alone. */
#ifndef SEALANE_ENGINE_PORTABLE_TEXT_H
#define SEALANE_ENGINE_PORTABLE_TEXT_H

#include "engine/bytes.h"
#include <sealane/aead.h>

static inline size_t sl_text_len(const struct sl_aead_job *job) {
  return job->len + job->tail_len;
}

/* How many bytes of the piece of n bytes at `off` are in the job's buffers; the rest, one at most, is the tail. */
static inline size_t sl_text_body_len(const struct sl_aead_job *job, size_t off, size_t n) {
  return n < job->len - off ? n : job->len - off;
}

/* buf[0..n) = text[off..off+n), where n is what is left of the text but at most cap, a multiple of 16; zeros up to the next
 * multiple of 16. Returns n. */
static inline size_t sl_text_load(uint8_t *buf, size_t cap, const struct sl_aead_job *job, size_t off, bool is_open) {
  size_t n = sl_text_len(job) - off < cap ? sl_text_len(job) - off : cap;
  size_t n_body = is_open ? n : sl_text_body_len(job, off, n); /* a ciphertext has no tail of its own */
  if (n_body > 0) memcpy(buf, job->in + off, n_body);
  if (n_body < n) buf[n_body] = job->tail;
  memset(buf + n, 0, -n % 16);
  return n;
}

/* buf[0..n) ^= stream[0..n), up to the next multiple of 16: both have that much room. */
static inline void sl_text_xor(uint8_t *buf, const uint8_t *stream, size_t n) {
  for (size_t i = 0; i < n; i += 16) {
    sl_store64_le(buf + i, sl_load64_le(buf + i) ^ sl_load64_le(stream + i));
    sl_store64_le(buf + i + 8, sl_load64_le(buf + i + 8) ^ sl_load64_le(stream + i + 8));
  }
}

/* The result for text[off..off+n). */
static inline void sl_text_store(struct sl_aead_job *job, size_t off, const uint8_t *buf, size_t n, bool is_open) {
  size_t n_body = is_open ? sl_text_body_len(job, off, n) : n;
  if (n_body > 0) memcpy(job->out + off, buf, n_body);
  if (n_body < n) job->tail = buf[n_body];
}

#endif
