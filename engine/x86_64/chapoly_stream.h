/* chapoly_stream.h - ChaCha20-Poly1305 of texts in pieces (engine/stream.h) for x86; included behind chapoly_template.h, whose
 * passes and vectors of Poly1305 it uses.
 *
 * Between pieces the hash is a scalar struct sl_poly1305. A long piece takes it into lane 0 of its first vector, walks over
 * whole vectors as a solo does, and adds the lanes up in the end; what is under a vector is hashed in scalars, and so are
 * short pieces.
 *
 * Nothing is computed when a text starts: counter 0 says that the Poly1305 key is not there yet. The pass for the first
 * piece makes it, in the lane before the text's. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_STREAM_H

#include "engine/stream.h"

enum {
  LIMB_BITS = POLY_LIMBS == 3 ? 44 : 26,
  STREAM_VECTORS_LEN = 512, /* bytes: shorter pieces have their Poly1305 in scalars */
};
typedef unsigned __int128 chapoly_wide;

static struct sl_poly1305 *chapoly_poly_of(struct sl_stream *s) {
  return (struct sl_poly1305 *)s->hash;
}
_Static_assert(sizeof(struct sl_poly1305) <= sizeof((struct sl_stream *)0)->hash, "the hash must fit its place");

/* ---- Poly1305: scalar to lanes and back ---------------------------------------------------------------------- */

/* limbs of 44, 44, 42 bits to those of the vectors */
static inline void chapoly_split(uint64_t limb[POLY_LIMBS], const uint64_t h[3]) {
  uint64_t h1 = h[1] + (h[0] >> 44), h2 = h[2] + (h1 >> 44);
  chapoly_wide low =
      (chapoly_wide)(h[0] & SL_POLY1305_44) | (chapoly_wide)(h1 & SL_POLY1305_44) << 44 | (chapoly_wide)h2 << 88;
  const unsigned last = LIMB_BITS * (POLY_LIMBS - 1);
  for (unsigned i = 0; i + 1 < POLY_LIMBS; i++) {
    limb[i] = (uint64_t)(low >> (LIMB_BITS * i)) & ((UINT64_C(1) << LIMB_BITS) - 1);
  }
  limb[POLY_LIMBS - 1] = (uint64_t)(low >> last) | h2 >> 40 << (128 - last);
}

/* and back; limbs are under 2^60 */
static inline void chapoly_join(uint64_t h[3], const uint64_t limb[POLY_LIMBS]) {
  uint64_t part[5] = {0}; /* of 44 bits each, with room for sums */
  for (unsigned i = 0; i < POLY_LIMBS; i++) {
    chapoly_wide x = (chapoly_wide)limb[i] << (LIMB_BITS * i % 44);
    unsigned at = LIMB_BITS * i / 44;
    for (unsigned j = at; j < 5; j++, x >>= 44) part[j] += (uint64_t)x & SL_POLY1305_44;
  }
  for (unsigned j = 0; j < 4; j++) part[j + 1] += part[j] >> 44, part[j] &= SL_POLY1305_44;
  /* Parts 3 and 4 weigh 2^132, which is 20, and 2^176, which is 20 2^44; they are under 2^20. */
  h[0] = part[0] + 20 * part[3];
  h[1] = part[1] + 20 * part[4] + (h[0] >> 44), h[0] &= SL_POLY1305_44;
  h[2] = part[2] + (h[1] >> 44), h[1] &= SL_POLY1305_44;
  h[0] += 5 * (h[2] >> 42), h[2] &= SL_POLY1305_42;
  h[1] += h[0] >> 44, h[0] &= SL_POLY1305_44;
}

/* Powers of the stream's r for vectors, and its hash into the first of them, at p. */
static inline void chapoly_stream_begin(struct chapoly_work *w, const struct sl_poly1305 *poly, const uint8_t *p,
                                        bool is_long) {
  static const struct sl_aead_job no_aad;
  uint8_t r[32] = {0};
  sl_store64_le(r, poly->r[0] | poly->r[1] << 44);
  sl_store64_le(r + 8, poly->r[1] >> 20 | poly->r[2] << 24);
  chapoly_solo_key(w, &no_aad, r, is_long);
  sl_wipe(r, sizeof r);

  uint64_t limb[POLY_LIMBS];
  struct poly_value h;
  chapoly_split(limb, poly->h);
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES] = {limb[i]};
    h.limb[i] = q_to_run_order(q_load(lanes));
  }
  w->hash[0] = poly_add(h, poly_run_at(p));
}

/* Lane i lacks r^(Q_LANES - i); the sum of all is the stream's hash. */
static inline void chapoly_stream_end(struct chapoly_work *w, struct sl_poly1305 *poly) {
  struct poly_value powers;
  uint64_t limb[POLY_LIMBS];
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) powers.limb[i] = q_to_run_order(q_load(w->powers[i] + Q_LANES));
  struct poly_factor f = poly_factor(powers);
  struct poly_value h = poly_mul(w->hash[0], &f);
  UNROLL for (unsigned i = 0; i < POLY_LIMBS; i++) {
    uint64_t lanes[Q_LANES], sum = 0;
    q_store(lanes, h.limb[i]);
    UNROLL for (unsigned j = 0; j < Q_LANES; j++) sum += lanes[j];
    limb[i] = sum;
  }
  chapoly_join(poly->h, limb);
}

static inline void chapoly_stream_hash(struct sl_poly1305 *poly, const uint8_t *blocks, size_t n) {
  for (size_t i = 0; i < n; i++) sl_poly1305_block(poly, blocks + 16 * i, 1);
}

/* Whole blocks, and what is over to s->block. */
static inline void chapoly_stream_hash_end(struct sl_stream *s, const uint8_t *p, size_t len) {
  chapoly_stream_hash(chapoly_poly_of(s), p, len / 16);
  s->n_block = (uint8_t)(len % 16);
  if (s->n_block > 0) memcpy(s->block, p + len - s->n_block, s->n_block);
}

/* ---- ChaCha20 ------------------------------------------------------------------------------------------------ */

/* The Poly1305 key, out of a pass whose first lane is block 0 and still words; and the block that waits for it. */
static inline void chapoly_stream_key(struct sl_stream *s, const struct chapoly_work *w) {
  uint8_t key[32];
  for (unsigned i = 0; i < 8; i++) memcpy(key + 4 * i, (const uint8_t *)w->stream + i * sizeof(v), 4);
  sl_poly1305_init(chapoly_poly_of(s), key);
  sl_wipe(key, sizeof key);
}

/* out = in ^ the blocks of a pass from lane `lane` on: n bytes, which may end in a block. */
INLINE void chapoly_stream_xor(struct sl_stream *s, struct chapoly_work *w, uint8_t *out, const uint8_t *in, size_t n,
                               size_t lane) {
  for (size_t state = 0, done = 0; done < n; state++) {
    v *x = (v *)w->stream + 16 * state;
    size_t first = state == 0 ? lane : 0, whole = 64 * (W_LANES - first);
    if (first == 0 && n - done >= whole) {
      chacha_xor(out + done, in + done, x);
      done += whole;
      continue;
    }
    chacha_to_bytes(x);
    for (size_t i = first; i < W_LANES && done < n; i++) {
      const uint8_t *stream = w->stream[state * W_LANES + i];
      size_t n_now = n - done < 64 ? n - done : 64;
      if (n_now == 64) {
        row_xor(out + done, in + done, stream);
      } else {
        row_seal_end(out + done, in + done, n_now, 0, 0, stream);
        memcpy(s->unit, stream, 64);
        s->n_unit = (uint8_t)(64 - n_now);
      }
      done += n_now;
    }
  }
}

INLINE void chapoly_stream_text(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                size_t len, bool seal) {
  struct chapoly_work w;
  struct sl_aead_job job = {.key = key};
  const uint8_t *cipher = seal ? out : in;
  size_t lane = s->counter == 0, n_blocks = lane + (len + 63) / 64; /* lane: where the text begins in the pass */
  bool is_first = s->counter == 0, in_vectors = len >= STREAM_VECTORS_LEN;
  size_t n_steps = in_vectors ? len / STEP_LEN : 0, pos = 0, rest = len - STEP_LEN * n_steps;
  bool is_long = n_steps >= SOLO_LONG_STEPS;
  uint8_t last[STREAM_VECTORS_LEN]; /* opening: the ciphertext that no vector takes, before it goes */
  w.used = (n_blocks > W_LANES ? USED_STATES : 0) | (in_vectors ? USED_SOLO : 0) | (is_long ? USED_MERGED : 0);
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  chapoly_solo_start(&w, &job, n_blocks > W_LANES ? W_STATES : 1, s->counter);
  if (!seal) memcpy(last, in + len - rest, rest);
  s->n_unit = 0;
  s->counter += (uint32_t)n_blocks;

  for (size_t done = 0, n_now; done < len; done += n_now, lane = 0) {
    size_t n_states = lane + (len - done + 63) / 64 <= W_LANES ? 1 : W_STATES, cap = 64 * (n_states * W_LANES - lane);
    n_now = len - done < cap ? len - done : cap;
    chacha_pass(&w, n_states, PASS_BLOCKS);
    if (done == 0) {
      if (is_first) chapoly_stream_key(s, &w);
      if (s->n_block > 0) chapoly_stream_hash(chapoly_poly_of(s), s->block, 1);
      s->n_block = 0;
    }
    if (seal) chapoly_stream_xor(s, &w, out + done, in + done, n_now, lane);
    /* Vectors of ciphertext as far as there is some, or before it goes. */
    size_t end = done + n_now, to = seal ? end / STEP_LEN : (end + STEP_LEN - 1) / STEP_LEN;
    if (to > n_steps) to = n_steps;
    if (pos == 0 && to > 0) {
      chapoly_stream_begin(&w, chapoly_poly_of(s), cipher, is_long);
      pos = 1;
    }
    chapoly_solo_steps(&w, cipher + STEP_LEN * pos, to - pos, is_long);
    pos = to;
    if (!seal) chapoly_stream_xor(s, &w, out + done, in + done, n_now, lane);
  }
  if (n_steps > 0) chapoly_stream_end(&w, chapoly_poly_of(s));
  chapoly_stream_hash_end(s, seal ? out + len - rest : last, rest);
  chapoly_work_wipe(&w);
}

static __attribute__((noinline)) void chapoly_stream_seal(struct sl_stream *s, const struct sl_aead_key *key,
                                                          uint8_t *out, const uint8_t *in, size_t len) {
  chapoly_stream_text(s, key, out, in, len, true);
}
static __attribute__((noinline)) void chapoly_stream_open(struct sl_stream *s, const struct sl_aead_key *key,
                                                          uint8_t *out, const uint8_t *in, size_t len) {
  chapoly_stream_text(s, key, out, in, len, false);
}

/* ---- the kernel's functions ---------------------------------------------------------------------------------- */

static void chapoly_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  (void)s, (void)key;
}

/* For what comes before a text, or without one. */
static void chapoly_stream_need_key(struct sl_stream *s, const struct sl_aead_key *key) {
  struct chapoly_work w;
  struct sl_aead_job job = {.key = key};
  if (s->counter > 0) return;
  w.used = 0;
  memcpy(job.nonce, s->nonce, sizeof job.nonce);
  chapoly_solo_start(&w, &job, 1, 0);
  chacha_pass(&w, 1, 0);
  chapoly_stream_key(s, &w);
  s->counter = 1;
  chapoly_work_wipe(&w);
}

static void chapoly_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  chapoly_stream_need_key(s, key);
  chapoly_stream_hash(chapoly_poly_of(s), blocks, n);
}

static void chapoly_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                                 size_t len, bool is_open) {
  if (is_open) {
    chapoly_stream_open(s, key, out, in, len);
  } else {
    chapoly_stream_seal(s, key, out, in, len);
  }
}

static void chapoly_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16]; /* in bytes */
  chapoly_stream_need_key(s, key);
  if (s->n_block > 0) chapoly_stream_hash(chapoly_poly_of(s), s->block, 1);
  sl_store64_le(lengths, s->aad_len);
  sl_store64_le(lengths + 8, s->text_len);
  chapoly_stream_hash(chapoly_poly_of(s), lengths, 1);
  sl_poly1305_final(chapoly_poly_of(s), tag);
}

#define CHAPOLY_STREAM_OPS                                                                                             \
  { 64, chapoly_stream_start, chapoly_stream_absorb, chapoly_stream_crypt, chapoly_stream_tag }

#endif
