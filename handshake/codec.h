/* codec.h - the TLS presentation language (RFC 8446 section 3): numbers and length-prefixed vectors, bounds checked here and
 * nowhere else. Readers point into the message; writers append to a buffer and remember their first failure. */
#ifndef SEALANE_HANDSHAKE_CODEC_H
#define SEALANE_HANDSHAKE_CODEC_H

#include "buffer.h"
#include <engine/bytes.h>

/* The bytes not read yet. All-zero reads as an absent or empty field. */
struct sl_reader {
  const uint8_t *at, *end;
};

static inline size_t sl_reader_len(const struct sl_reader *r) {
  return (size_t)(r->end - r->at);
}

/* Each sl_read_* takes what it names off the front, or returns false and takes nothing. */
static inline bool sl_read_bytes(struct sl_reader *r, size_t n, const uint8_t **out) {
  if (n > sl_reader_len(r)) return false;
  *out = r->at;
  if (n > 0) r->at += n; /* an empty reader may be of null pointers, to which not even 0 is added */
  return true;
}

static inline bool sl_read_uint(struct sl_reader *r, unsigned n_bytes, uint32_t *out) {
  const uint8_t *p;
  if (!sl_read_bytes(r, n_bytes, &p)) return false;
  *out = 0;
  for (unsigned i = 0; i < n_bytes; i++) *out = *out << 8 | p[i];
  return true;
}

static inline bool sl_read_u8(struct sl_reader *r, uint8_t *out) {
  uint32_t v;
  if (!sl_read_uint(r, 1, &v)) return false;
  *out = (uint8_t)v;
  return true;
}

static inline bool sl_read_u16(struct sl_reader *r, uint16_t *out) {
  uint32_t v;
  if (!sl_read_uint(r, 2, &v)) return false;
  *out = (uint16_t)v;
  return true;
}

/* A vector whose length stands before it in len_bytes bytes. */
static inline bool sl_read_vector(struct sl_reader *r, unsigned len_bytes, struct sl_reader *out) {
  struct sl_reader rest = *r;
  uint32_t len;
  const uint8_t *p;
  if (!sl_read_uint(&rest, len_bytes, &len) || !sl_read_bytes(&rest, len, &p)) return false;
  *r = rest;
  *out = (struct sl_reader){p, p + len};
  return true;
}

/* The same where the vector is all there is: nothing may follow it. */
static inline bool sl_read_only_vector(struct sl_reader *r, unsigned len_bytes, struct sl_reader *out) {
  return sl_read_vector(r, len_bytes, out) && sl_reader_len(r) == 0;
}

struct sl_writer {
  struct sl_buffer *out;
  sl_err err; /* the first failure; what is written after it is dropped */
};

static inline void sl_write_bytes(struct sl_writer *w, const uint8_t *data, size_t len) {
  if (w->err == SL_OK) w->err = sl_buffer_append(w->out, data, len);
}

static inline void sl_write_uint(struct sl_writer *w, unsigned n_bytes, uint32_t value) {
  uint8_t be[4];
  sl_store32_be(be, value);
  sl_write_bytes(w, be + 4 - n_bytes, n_bytes);
}

static inline void sl_write_u8(struct sl_writer *w, uint8_t value) {
  sl_write_uint(w, 1, value);
}

static inline void sl_write_u16(struct sl_writer *w, uint16_t value) {
  sl_write_uint(w, 2, value);
}

/* Begins a vector: leaves room for its length and returns where its content starts, for sl_write_end(). */
static inline size_t sl_write_begin(struct sl_writer *w, unsigned len_bytes) {
  sl_write_uint(w, len_bytes, 0);
  return w->out->len;
}

/* Ends the vector that began at `start`: fills in its length. */
static inline void sl_write_end(struct sl_writer *w, unsigned len_bytes, size_t start) {
  if (w->err) return;
  size_t len = w->out->len - start;
  if (len >> (8 * len_bytes) != 0) {
    w->err = SL_E_LENGTH;
    return;
  }
  uint8_t be[4];
  sl_store32_be(be, (uint32_t)len);
  memcpy(w->out->data + start - len_bytes, be + 4 - len_bytes, len_bytes);
}

#endif
