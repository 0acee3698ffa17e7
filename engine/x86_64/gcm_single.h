/* gcm_single.h - records through gcm_template.h one at a time, and pieces of streams, where vectors have no masks. A record's ends go
 * through memory, vector by vector, in loops of which there is one copy; what runs long is gcm_long_part(). */
#ifndef SEALANE_ENGINE_X86_64_GCM_SINGLE_H
#define SEALANE_ENGINE_X86_64_GCM_SINGLE_H

#include "engine/x86_64/gcm_record.h"

enum {
  LONG_LAST = V_GROUP + 1, /* vectors in a long record's last group at most */
  /* And in a record that is one group: as many as the key's powers reach, where more do not go faster as a long one. */
  GROUP_LAST = V_LANES == 1 ? 3 * V_GROUP + 1 : 2 * V_EXACT + 1,
};

/* The vectors of a record's head or last group: AES, then GHASH's input. */
typedef uint8_t gcm_group[GROUP_LAST][V_BYTES] __attribute__((aligned(64)));

/* A record of more than GROUP_LAST vectors up to its last group, which has 2 at least. Takes what is done off *n_vecs and
 * returns where it stopped in the text. */
PART ptrdiff_t gcm_long_part(struct gcm_record *out, unsigned rounds, uint8_t group[][V_BYTES], size_t *n_vecs,
                             ptrdiff_t off, bool seal);

/* sl_wipe() of vectors, of a number known here: a string instruction takes longer to start than these stores. */
INLINE void gcm_wipe(uint8_t vecs[][V_BYTES], unsigned n) {
  UNROLL for (unsigned j = 0; j < n; j++) v_store(vecs[j], v_zero());
  sl_wipe(vecs, 0);
}

INLINE void gcm_key_stream_of(struct gcm_record *r, unsigned rounds, uint8_t group[][V_BYTES], unsigned n_vecs) {
  v x[LONG_LAST];
  gcm_counters(r, x, n_vecs);
  gcm_rounds(r, rounds, x, n_vecs);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) v_store(group[j], x[j]);
}

/* All rounds of AES but the last for n_vecs vectors, or up to two more, which the group has room for. */
PART void gcm_key_stream(struct gcm_record *r, unsigned rounds, uint8_t group[][V_BYTES], size_t n_vecs) {
  for (;; n_vecs -= V_GROUP, group += V_GROUP) {
    uint32_t next = r->counter + V_GROUP * V_LANES;
    if (n_vecs <= 3) {
      gcm_key_stream_of(r, rounds, group, 3);
    } else if (n_vecs <= 5) {
      gcm_key_stream_of(r, rounds, group, 5);
    } else if (n_vecs <= 7) {
      gcm_key_stream_of(r, rounds, group, 7);
    } else {
      gcm_key_stream_of(r, rounds, group, LONG_LAST);
    }
    if (n_vecs <= LONG_LAST) return;
    r->counter = next; /* not that of a vector too many */
  }
}
_Static_assert(LONG_LAST == 9, "gcm_key_stream() has every count");

/* The text of the vectors that gcm_key_stream() began; the group then holds what GHASH takes. */
PART void gcm_text(struct gcm_record *r, unsigned rounds, uint8_t group[][V_BYTES], size_t n_vecs, ptrdiff_t off,
                   bool seal) {
  const uint8_t *last_key = r->key + 16 * rounds;
  ptrdiff_t inside = (ptrdiff_t)(r->text_len - r->job->tail_len) - V_BYTES;
  size_t aad = (size_t)(r->aad_off - off) / V_BYTES, j = 0;
  for (; j < n_vecs && off <= -V_BYTES; j++, off += V_BYTES) { /* before the text: mask and AAD */
    if (off > -16 - V_BYTES) r->mask = v_lane(v_aesenclast(v_load(group[j]), v_load_all(last_key)), V_LANES > 1);
    v_store(group[j], v_zero());
  }
  while (j < n_vecs) {
    const uint8_t *in = r->in;
    uint8_t *out = r->out;
    for (; j < n_vecs && off >= 0 && off <= inside; j++, off += V_BYTES) {
      v data = v_load(in + off), done = v_aesenclast(v_load(group[j]), v_xor(data, v_load_all(last_key)));
      v_store(out + off, done);
      v_store(group[j], gcm_reversed(v_select(seal, done, data)));
    }
    if (j == n_vecs) break;
    v x = v_load(group[j]);
    v_store(group[j], gcm_edge_vec(r, x, v_load_all(last_key), off, off<0, off> inside ? MAY_END : INSIDE, seal));
    j++;
    off += V_BYTES;
  }
  if (aad < n_vecs) v_store(group[aad], v_xor(v_load(group[aad]), r->aad));
}

/* The products of the last group's positions with their own powers, lanes apart. */
PART struct gcm_sum gcm_hash_last(const struct gcm_record *r, uint8_t group[][V_BYTES], size_t n_vecs, ptrdiff_t off) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  v acc = r->acc;
  size_t n_positions = (r->text_len + 15 - (size_t)off) / 16;
  const uint8_t *own = r->key - 16 * n_positions;
  size_t j = 0;
  if (n_vecs >
      V_EXACT) { /* those the key has no powers for: as in a full group, H^V_LANES for the last of them and so on */
    size_t n_ahead = n_vecs - V_EXACT;
    v most = v_load_all(r->key - 16 * N_POWERS), h = v_load_all(r->key - V_BYTES);
    if (n_ahead > V_EXACT) h = gcm_reduced(gcm_product(most, h));
    ROLLED for (; j < n_ahead; j++) {
      if (n_ahead - j <= V_EXACT) h = v_load_all(r->key - V_BYTES * (n_ahead - j));
      s = gcm_add_product(s, v_xor(v_load(group[j]), acc), h, false);
      acc = v_zero();
    }
    acc = gcm_reduced(s);
    s = (struct gcm_sum){v_zero(), v_zero(), v_zero()};
  }
  ROLLED for (; j < n_vecs; j++) {
    s = gcm_add_product(s, v_xor(v_load(group[j]), acc), v_load(own + V_BYTES * j), false);
    acc = v_zero();
  }
  return s;
}

_Static_assert((int)GROUP_LAST <= 2 * (int)V_EXACT + 1, "one power at most is missing");

/* Seals or opens r's text, whose first position is at `off`, and hashes it. */
INLINE struct gcm_sum gcm_single(struct gcm_record *r, unsigned rounds, uint8_t group[][V_BYTES], ptrdiff_t off,
                                 bool seal) {
  size_t n_vecs = ((size_t)((ptrdiff_t)r->text_len - off) + V_BYTES - 1) / V_BYTES;
  if (n_vecs > GROUP_LAST) off = gcm_long_part(r, rounds, group, &n_vecs, off, seal);
  gcm_key_stream(r, rounds, group, n_vecs);
  gcm_text(r, rounds, group, n_vecs, off, seal);
  return gcm_hash_last(r, group, n_vecs, off);
}

/* One job, but for its tag. `group` is the caller's to wipe. */
PART void gcm_single_job(struct sl_aead_job *job, unsigned rounds, uint8_t group[][V_BYTES], bool seal,
                         struct gcm_done *done) {
  struct gcm_record r;
  gcm_begin(&r, job, rounds);
  r.aad_off = V_LANES > 1 ? -LEAD_LEN : -16;
  struct gcm_sum sum = gcm_single(&r, rounds, group, -LEAD_LEN, seal);
  done->sum.low = sum.low; /* one by one, in whole vectors, which gcc does not copy a struct by */
  done->sum.mid = sum.mid;
  done->sum.high = sum.high;
  gcm_done_with(done, &r);
  gcm_forget(&r);
}

/* A block in the given lane, zeros in the others. */
INLINE v gcm_in_lane(__m128i block, size_t lane) {
  uint8_t vec[V_BYTES] = {0};
  block_store_all(vec + 16 * lane, block);
  return v_load(vec);
}

/* Whole blocks of a piece of a stream (gcm_stream.h), len > 0 bytes: takes and returns the hash as SP 800-38D writes it. Positions
 * begin at the last multiple of an aligned group. */
PART __m128i gcm_piece(struct sl_aead_job *piece, unsigned rounds, uint32_t counter, __m128i nonce, __m128i hash,
                       bool seal) {
  struct gcm_record r = {
      .job = piece, .in = piece->in, .out = piece->out, .key = gcm_key_mem(piece->key, rounds), .text_len = piece->len};
  gcm_group group;
  size_t lead = counter % (V_ALIGN * V_LANES);
  ptrdiff_t off = -16 * (ptrdiff_t)lead;
  gcm_set_nonce(&r, nonce);
  r.counter = counter - (uint32_t)lead;
  r.aad = gcm_in_lane(v_lane(gcm_reversed(v_low(hash)), 0), lead % V_LANES);
  r.aad_off = off + V_BYTES * (ptrdiff_t)(lead / V_LANES);
  r.acc = v_zero();
  v sum[V_LANES] = {gcm_reduced(gcm_single(&r, rounds, group, off, seal))};
  UNROLL for (unsigned i = 1; i < V_LANES; i++) sum[i] = v_zero();
  gcm_wipe(group, GROUP_LAST);
  gcm_forget(&r);
  return v_lane(gcm_reversed(v_sum_lanes(sum)), 0);
}

#endif
