/* gcm_record.h - a record of narrow vectors (gcm_template.h): its positions, rounds and ends, and the tags of V_LANES records. */
#ifndef SEALANE_ENGINE_X86_64_GCM_RECORD_H
#define SEALANE_ENGINE_X86_64_GCM_RECORD_H

#include "engine/x86_64/gcm_template.h"

/* A record under way. `n_vecs` below is a constant wherever those functions are called. */
struct gcm_record {
  struct sl_aead_job *job;
  const uint8_t *in;
  uint8_t *out;
  const uint8_t *key;         /* gcm_key_mem() */
  size_t text_len;            /* bytes, with the tail */
  uint8_t base[16];           /* nonce and zeros, round key 0 added */
  uint32_t counter, key_word; /* of the group's first position, in host order; the last word of round key 0 */
  __m128i mask;               /* E(J0) */
  v aad;                      /* what GHASH takes at position 1 */
  ptrdiff_t aad_off;          /* of the vector it is in: gcm_single.h */
  v acc;                      /* GHASH so far, lanes apart: to be added to the next vector */
};

INLINE size_t gcm_clamp(ptrdiff_t off) {
  return off < 0 ? 0 : off > V_BYTES ? V_BYTES : (size_t)off;
}

/* How many vectors a job's positions fill. */
INLINE size_t gcm_n_vecs(const struct sl_aead_job *job) {
  size_t n_blocks = (job->len + job->tail_len + 15) / 16;
  return (n_blocks + LEAD_LEN / 16 + V_LANES - 1) / V_LANES;
}

/* What GHASH takes at position 1: the AAD's last block, and before it all others, a block at a time: AAD of more than one
 * block is rare. */
PART v gcm_aad_long(const struct sl_aead_job *job, const uint8_t *key) {
  v h = v_low(block_load_all(key - 16)), acc = v_zero();
  uint8_t vec[V_BYTES] = {0};
  const uint8_t *at = job->aad;
  size_t left = job->aad_len;
  for (; left > 16; left -= 16, at += 16) {
    acc = v_xor(acc, gcm_reversed(v_load_span(at, 0, 16)));
    acc = gcm_reduced(gcm_product(acc, h));
  }
  acc = v_xor(acc, gcm_reversed(v_load_span(at, 0, left)));
  block_store_all(vec + 16 * (V_LANES > 1), v_lane(acc, 0));
  return v_load(vec);
}

/* The same, where it belongs in its vector. A function with vectors in flight would have to save them all round a call: this
 * comes first. */
INLINE v gcm_aad(const struct sl_aead_job *job, const uint8_t *key) {
  if (__builtin_expect(job->aad_len > 16, 0)) return gcm_aad_long(job, key);
  size_t place = V_LANES > 1 ? 16 : 0;
  return gcm_reversed(v_load_span(gcm_at(job->aad, -(ptrdiff_t)place), place, place + job->aad_len));
}

INLINE void gcm_set_nonce(struct gcm_record *r, __m128i nonce) {
  block_store_all(r->base, _mm_xor_si128(nonce, block_load_all(r->key)));
  __asm__("" : "+m"(r->base)); /* to spread it from memory costs no vector port, from a register it does */
  r->key_word = sl_load32_le(r->key + 12);
}

INLINE void gcm_begin(struct gcm_record *r, struct sl_aead_job *job, unsigned rounds) {
  r->job = job;
  r->in = job->in;
  r->out = job->out;
  r->key = gcm_key_mem(job->key, rounds);
  r->text_len = job->len + job->tail_len;
  gcm_set_nonce(r, block_load_nonce(job->nonce));
  r->counter = 0;
  r->aad = gcm_aad(job, r->key);
  r->acc = v_zero();
}

/* Erases what was written to memory: the nonce is public, so base tells round key 0, which is AES-128's key; and with the mask
 * a tag tells H. Not by address, or compilers would keep all of a record in memory. */
INLINE void gcm_forget(struct gcm_record *r) {
  block_store_all(r->base, _mm_setzero_si128());
  r->key_word = 0;
  r->mask = _mm_setzero_si128();
  __asm__ volatile("" : "+m"(r->base), "+m"(r->key_word), "+m"(r->mask));
}

/* A group's first counter block in all lanes, round key 0 added, where lanes and vectors add their numbers. */
INLINE v gcm_counter(const struct gcm_record *r) {
  return v_set_word3(v_load_all(r->base), __builtin_bswap32(r->counter) ^ r->key_word);
}

/* AES's input for the next n_vecs vectors, round key 0 added. */
INLINE void gcm_counters(struct gcm_record *r, v x[], unsigned n_vecs) {
  v base = v_zero();
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    if (j % V_ALIGN == 0) {
      base = gcm_counter(r);
      r->counter += V_LANES * V_ALIGN;
    }
    x[j] = v_xor(base, v_load(gcm_positions[V_LANES * (j % V_ALIGN)]));
  }
}

/* The round whose key lies at `at`. */
INLINE void gcm_round(const struct gcm_record *r, v x[], unsigned n_vecs, size_t at) {
  v k = v_load_all(r->key + at);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) x[j] = v_aesenc(x[j], k);
}

/* All rounds but the last on x. 9 rounds or 13: the first, and four at a time. */
INLINE void gcm_rounds(const struct gcm_record *r, unsigned rounds, v x[], unsigned n_vecs) {
  size_t at = 2 * 16, end = 16 * (size_t)rounds;
  gcm_round(r, x, n_vecs, 16);
  ROLLED for (; at < end; at += 4 * 16) {
    UNROLL for (unsigned k = 0; k < 4; k++) gcm_round(r, x, n_vecs, at + 16 * k);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) v_settle(&x[j]);
  }
}

/* One vector inside the text: encrypts or decrypts it and returns what GHASH takes. */
INLINE v gcm_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool seal) {
  v data = v_load(r->in + off);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store(r->out + off, done);
  return gcm_reversed(v_select(seal, done, data));
}

/* Where a record's text ends, seen from a vector: behind it; in it; anywhere. */
enum gcm_tail { INSIDE, ENDS, MAY_END };

/* How much of a vector at `off` lies before `end`. */
INLINE size_t gcm_span(ptrdiff_t end, ptrdiff_t off, enum gcm_tail tail) {
  ptrdiff_t len = end - off;
  if (tail == INSIDE) return V_BYTES;
  return tail == MAY_END ? gcm_clamp(len) : (size_t)len;
}

/* One vector of the record's head (mask, first text), its tail (last text, tail byte) or both. `off` is its place in the
 * text, negative before it. */
V_EDGE v gcm_edge_vec(struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool head, enum gcm_tail tail, bool seal) {
  struct sl_aead_job *job = r->job;
  size_t from = head ? gcm_clamp(-off) : 0;
  size_t to_text = gcm_span((ptrdiff_t)r->text_len, off, tail);
  size_t to_plain = gcm_span((ptrdiff_t)(r->text_len - job->tail_len), off, tail);
  v data = v_load_span(gcm_at(r->in, off), from, seal ? to_plain : to_text);
  if (seal && tail && to_text > to_plain) data = v_put_byte(data, to_plain, job->tail);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store_span((uint8_t *)gcm_at(r->out, off), from, seal ? to_text : to_plain, done);
  if (!seal && tail && to_text > to_plain) job->tail = v_byte(done, to_plain);
  if (head && off <= -16 && off + V_BYTES > -16) r->mask = v_lane(done, V_LANES > 1);
  return gcm_reversed(v_take_span(data, done, from, seal ? to_text : 0));
}

/* ---- tags ---------------------------------------------------------------------------------------------------- */

/* A record whose text is done and whose tag is not. */
struct gcm_done {
  struct gcm_sum sum; /* lanes apart */
  __m128i mask, lengths;
  const uint8_t *h; /* over x, as in the key */
  struct sl_aead_job *job;
};

INLINE void gcm_done_with(struct gcm_done *done, const struct gcm_record *r) {
  done->mask = r->mask;
  done->lengths = _mm_set_epi64x((long long)(8 * (uint64_t)r->job->aad_len), (long long)(8 * (uint64_t)r->text_len));
  done->h = r->key - 16;
  done->job = r->job;
}

/* One record a lane: GHASH = (sum + lengths) H, tag = GHASH + mask. Of V_LANES records n are real. */
PART void gcm_finish(const struct gcm_done done[], unsigned n, bool seal) {
  v low[V_LANES], mid[V_LANES], high[V_LANES];
  const uint8_t *h[V_LANES], *lengths[V_LANES];
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    const struct gcm_done *d = &done[i < n ? i : 0];
    low[i] = d->sum.low;
    mid[i] = d->sum.mid;
    high[i] = d->sum.high;
    h[i] = d->h;
    lengths[i] = (const uint8_t *)&d->lengths;
  }
  struct gcm_sum s = {v_sum_lanes(low), v_sum_lanes(mid), v_sum_lanes(high)};
  v y = v_xor(gcm_reduced(s), v_gather(lengths));
  y = gcm_reversed(gcm_reduced(gcm_product(y, v_gather(h))));
  __m128i ghash[V_LANES];
  v_scatter(ghash, y);
  UNROLL for (unsigned i = 0; i < V_LANES; i++) {
    if (i < n) gcm_put_tag(done[i].job, ghash[i], done[i].mask, seal);
  }
}

#endif
