/* gcm_template.h - AES-GCM (SP 800-38D) for x86, one body for every vector width. A variant includes its vec*.h, then
 * this, then makes its table. The algebra is in docs/gcm.md; values have the same names there.
 *
 * A record is laid on a line of 16-byte positions:
 *
 *     position    0     1     2 ............ n+1     and then: lengths
 *     counter     0     1     2 ............ n+1
 *     AES out     -     mask  key stream             mask = E(J0), which hides the tag
 *     GHASH in    AAD   AAD   ciphertext             AAD of at most 16 bytes lies at 1, longer at 0 and 1;
 *                                                    what comes before its last two blocks is hashed ahead
 *
 * so one vector of positions serves both AES and GHASH, AAD and mask ride in vectors that are computed anyway, and
 * position p's counter is p. Vectors are taken in groups of V_GROUP:
 *
 *     long record     first group | group | ... | last group: 2..V_GROUP+1 vectors, the end of the text in its last
 *     short record    only group: 1..V_GROUP+1 vectors, with both ends
 *
 * Each group is hashed between the AES rounds of the next one. In a full group lanes stay apart and vector j is multiplied
 * by H^(V_LANES * (V_GROUP - j)) in all of them; in the last group each position p gets its own power, H^(n+2-p), and the
 * lanes are added (that takes a full vector in the last group: the lanes of the sum so far lie on its positions). That sum, the step with the lengths and the tag are done for V_LANES records together (gcm_finish). */
#ifndef SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H
#define SEALANE_ENGINE_X86_64_GCM_TEMPLATE_H

#include "engine/aead_jobs.h"
#include "engine/kernel.h"

enum {
  V_GROUP = 8,                   /* vectors: aesenc takes 4 cycles and two start in each (Zen 3 to 5) */
  GROUP_LEN = V_GROUP * V_BYTES, /* bytes */
  LEAD_LEN = 2 * 16,             /* bytes of positions before the text */
  N_POWERS = 16,                 /* in a key: H^16 ... H^1, H last */
  V_EXACT = N_POWERS / V_LANES,  /* vectors those reach */
  V_LAST = V_GROUP + 1,          /* vectors in the last group at most */
};

#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

/* ---- constants ----------------------------------------------------------------------------------------------- */

/* What distinguishes the counter blocks of a group. Groups begin at multiples of 8, 16 or 32 positions, so the
 * big-endian sum of a group's first counter and these is an exclusive or. */
#define POSITION(p)                                                                                                    \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, p }
#define POSITIONS_4(p) POSITION(p), POSITION(p + 1), POSITION(p + 2), POSITION(p + 3)
static const uint8_t gcm_positions[32][16] __attribute__((aligned(64))) = {
    POSITIONS_4(0),  POSITIONS_4(4),  POSITIONS_4(8),  POSITIONS_4(12),
    POSITIONS_4(16), POSITIONS_4(20), POSITIONS_4(24), POSITIONS_4(28),
};
_Static_assert(V_GROUP *V_LANES <= 32, "a group's positions are in the table");

/* GHASH takes blocks as polynomials with the first bit as the lowest power: bytes reversed, and bits as they are. */
INLINE v gcm_reversed(v x) {
  return v_shuffle(x, v_all(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}
/* A counter block from nonce words and a counter in host order. */
INLINE v gcm_counter_block(v counter) {
  return v_shuffle(counter, v_all(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
}

/* ---- GHASH --------------------------------------------------------------------------------------------------- */

/* A sum of products not yet reduced: low + mid x^64 + high x^128, where Karatsuba's mid still holds low and high. */
struct gcm_sum {
  v low, mid, high;
};

/* Both halves added, in both halves. */
INLINE v gcm_folded(v x) {
  return v_xor(x, v_swap(x));
}

/* s + a*g + b*h; g_folded = gcm_folded(g). */
INLINE struct gcm_sum gcm_add_products(struct gcm_sum s, v a, v g, v g_folded, v b, v h, v h_folded) {
  s.low = v_xor3(s.low, v_clmul_ll(a, g), v_clmul_ll(b, h));
  s.high = v_xor3(s.high, v_clmul_hh(a, g), v_clmul_hh(b, h));
  s.mid = v_xor3(s.mid, v_clmul_ll(gcm_folded(a), g_folded), v_clmul_ll(gcm_folded(b), h_folded));
  return s;
}

INLINE struct gcm_sum gcm_product(v a, v h) {
  return (struct gcm_sum){v_clmul_ll(a, h), v_clmul_ll(gcm_folded(a), gcm_folded(h)), v_clmul_hh(a, h)};
}

INLINE v gcm_reduced(struct gcm_sum s) {
  const v poly = v_all(_mm_set_epi64x(0, (long long)0xc200000000000000)); /* x^63 + x^62 + x^57: docs/gcm.md */
  v mid = v_xor3(s.mid, s.low, s.high);
  mid = v_xor3(mid, v_swap(s.low), v_clmul_ll(s.low, poly));
  return v_xor3(s.high, v_swap(mid), v_clmul_ll(mid, poly));
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* key->mem: round keys, then H^16 ... H^1, each times x (docs/gcm.md). Descending, so that the powers a short record
 * needs are the key's last lines and V_LANES of them are one load, at any count. */
INLINE const uint8_t *gcm_powers_end(const struct sl_aead_key *key, unsigned rounds) {
  return key->mem + 16 * (rounds + 1) + 16 * N_POWERS;
}

/* The powers for V_LANES positions of which the first has `count` to the end, itself included; zero past the end. */
INLINE v gcm_powers(const uint8_t *powers_end, size_t count) {
  const uint8_t *p = powers_end - 16 * count;
  return count >= V_LANES ? v_load(p) : v_load_span(p, 0, 16 * count);
}

static inline __m128i gcm_key_mix(__m128i k) {
  k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
  return _mm_xor_si128(k, _mm_slli_si128(k, 8));
}

/* FIPS 197 5.2. SubWord(RotWord(w)) + Rcon is aesenclast of a block with w rotated in all four columns (ShiftRows then
 * changes nothing): faster than aeskeygenassist, which wants its constant as an immediate besides. */
static void gcm_expand_rounds(uint8_t *out, const uint8_t *secret, unsigned rounds) {
  const __m128i rotated_last = _mm_set1_epi32(0x0c0f0e0d), last = _mm_set1_epi32(0x0f0e0d0c);
  __m128i rcon = _mm_set1_epi32(1), a = block_load_all(secret), b = a;
  block_store_all(out, a);
  if (rounds == 10) {
    for (unsigned r = 1; r <= 10; r++) {
      a = _mm_xor_si128(gcm_key_mix(a), _mm_aesenclast_si128(_mm_shuffle_epi8(a, rotated_last), rcon));
      block_store_all(out + 16 * r, a);
      rcon = r == 8 ? _mm_set1_epi32(0x1b) : _mm_slli_epi32(rcon, 1);
    }
    return;
  }
  b = block_load_all(secret + 16);
  block_store_all(out + 16, b);
  for (unsigned r = 2;; r += 2) {
    a = _mm_xor_si128(gcm_key_mix(a), _mm_aesenclast_si128(_mm_shuffle_epi8(b, rotated_last), rcon));
    block_store_all(out + 16 * r, a);
    if (r == 14) return;
    b = _mm_xor_si128(gcm_key_mix(b), _mm_aesenclast_si128(_mm_shuffle_epi8(a, last), _mm_setzero_si128()));
    block_store_all(out + 16 * (r + 1), b);
    rcon = _mm_slli_epi32(rcon, 1);
  }
}

static void gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds) {
  uint8_t *powers_end = key->mem + 16 * (rounds + 1) + 16 * N_POWERS;
  gcm_expand_rounds(key->mem, secret, rounds);

  __m128i h = block_load_all(key->mem);
  for (unsigned r = 1; r < rounds; r++) h = _mm_aesenc_si128(h, block_load_all(key->mem + 16 * r));
  h = _mm_aesenclast_si128(h, block_load_all(key->mem + 16 * rounds));

  /* H times x: shifted left by one, the bit that falls out folded back. */
  uint8_t bytes[16];
  block_store_all(bytes, h);
  uint64_t high = sl_load64_be(bytes), low = sl_load64_be(bytes + 8), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  block_store_all(powers_end - 16, _mm_set_epi64x((long long)high, (long long)low));
  for (unsigned i = 2; i <= N_POWERS; i++) {
    v a = v_load_all(powers_end - 16 * (i / 2)), b = v_load_all(powers_end - 16 * (i - i / 2));
    block_store_all(powers_end - 16 * i, v_lane(gcm_reduced(gcm_product(a, b)), 0));
  }
  sl_wipe(bytes, sizeof bytes);
}

/* The powers full groups are multiplied by, and their folded forms: made for a record that has such groups. */
struct gcm_group_powers {
  uint8_t power[V_GROUP][16];  /* H^(V_LANES * (V_GROUP - j)) */
  uint8_t folded[V_GROUP][16]; /* gcm_folded() of those */
} __attribute__((aligned(64)));

static inline void gcm_group_powers_make(struct gcm_group_powers *p, const uint8_t *powers_end) {
  for (unsigned j = 0; j < V_GROUP; j++) {
    unsigned exponent = V_LANES * (V_GROUP - j);
    if (exponent > N_POWERS) continue;
    block_store_all(p->power[j], block_load_all(powers_end - 16 * exponent));
  }
  /* Exponents past the key's: four lanes make H^20 ... H^32 at once. */
  if (V_LANES * V_GROUP > N_POWERS) {
    v upper = gcm_reduced(gcm_product(v_load(p->power[V_GROUP / 2]), v_load_all(p->power[V_GROUP / 2])));
    v_store(p->power[0], upper);
  }
  for (unsigned j = 0; j < V_GROUP; j += V_LANES) v_store(p->folded[j], gcm_folded(v_load(p->power[j])));
}
_Static_assert(V_LANES *V_GROUP <= N_POWERS || (V_LANES == 4 && V_GROUP == 8), "one product makes the missing powers");

/* ---- tags ---------------------------------------------------------------------------------------------------- */

/* Records whose text is done and whose tag is not. */
struct gcm_pending {
  v low[V_LANES], mid[V_LANES], high[V_LANES];
  __m128i mask[V_LANES], lengths[V_LANES];
  const uint8_t *powers_end[V_LANES];
  struct sl_aead_job *job[V_LANES];
  unsigned n;
};

/* One record a lane: GHASH = (sum + lengths) H, tag = GHASH + mask. */
INLINE void gcm_finish(struct gcm_pending *pending, bool seal) {
  const uint8_t *h[V_LANES];
  for (unsigned i = pending->n; i < V_LANES; i++) { /* lanes without a record repeat the first */
    pending->low[i] = pending->mid[i] = pending->high[i] = v_zero();
    pending->lengths[i] = pending->lengths[0];
    pending->powers_end[i] = pending->powers_end[0];
  }
  UNROLL for (unsigned i = 0; i < V_LANES; i++) h[i] = pending->powers_end[i] - 16;
  struct gcm_sum s = {v_sum_lanes(pending->low), v_sum_lanes(pending->mid), v_sum_lanes(pending->high)};
  uint8_t ghash[V_BYTES] __attribute__((aligned(64)));
  v y = v_xor(gcm_reduced(s), v_load((const uint8_t *)pending->lengths));
  v_store(ghash, gcm_reversed(gcm_reduced(gcm_product(y, v_gather(h)))));
  for (unsigned i = 0; i < pending->n; i++) {
    __m128i tag = _mm_xor_si128(block_load_all(ghash + 16 * i), pending->mask[i]);
    if (seal) {
      block_store_all(pending->job[i]->tag, tag);
    } else {
      sl_aead_job_verdict(pending->job[i], block_differs(tag, block_load_all(pending->job[i]->tag)));
    }
  }
  pending->n = 0;
}

/* ---- one record ---------------------------------------------------------------------------------------------- */

struct gcm_record {
  struct sl_aead_job *job;
  struct gcm_pending *pending;
  const uint8_t *rounds_begin, *rounds_last; /* round keys */
  const uint8_t *powers_end;
  size_t text_len;    /* bytes, with the tail */
  size_t n_positions; /* n + 2 */
  v counter;          /* of the group's first position, in host order */
  v acc;              /* GHASH so far, lanes apart: to be added to the next vector */
};

/* p + off without C's opinion on pointers outside an object: vectors with masks begin before the text. */
INLINE const uint8_t *gcm_at(const uint8_t *p, ptrdiff_t off) {
  return (const uint8_t *)((uintptr_t)p + (uintptr_t)off);
}
INLINE size_t gcm_clamp(ptrdiff_t off) {
  return off < 0 ? 0 : off > V_BYTES ? V_BYTES : (size_t)off;
}

/* AES's input for the group's vectors, round key 0 added; steps the counter to the next group. */
INLINE void gcm_counters(struct gcm_record *r, v x[], unsigned n_vecs) {
  v base = v_xor(gcm_counter_block(r->counter), v_load_all(r->rounds_begin));
  r->counter = v_add32(r->counter, v_all(_mm_set_epi32(V_LANES * V_GROUP, 0, 0, 0)));
  UNROLL for (unsigned j = 0; j < n_vecs && j < V_GROUP; j++) x[j] = v_xor(base, v_load(gcm_positions[V_LANES * j]));
  if (n_vecs > V_GROUP) {
    base = v_xor(gcm_counter_block(r->counter), v_load_all(r->rounds_begin));
    x[V_GROUP] = v_xor(base, v_load(gcm_positions[0]));
  }
}

INLINE void gcm_round(v x[], unsigned n_vecs, const uint8_t *round_key) {
  v k = v_load_all(round_key);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) x[j] = v_aesenc(x[j], k);
}

INLINE struct gcm_sum gcm_add_pair(struct gcm_sum s, const struct gcm_group_powers *p, v a, unsigned i, v b,
                                   unsigned j) {
  return gcm_add_products(s, a, v_load_all(p->power[i]), v_load_all(p->folded[i]), b, v_load_all(p->power[j]),
                          v_load_all(p->folded[j]));
}

/* All rounds but the last on x, and between them, where there is a full group to hash, that group. Its first vector comes
 * last, because acc, the end of the chain through all groups, is added to it. */
INLINE void gcm_rounds(struct gcm_record *r, v x[], unsigned n_vecs, const v *hash, const struct gcm_group_powers *p) {
  const uint8_t *k = r->rounds_begin;
  __asm__("" : "+r"(k)); /* round keys are cheaper loaded for each group than spilled round a loop */
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  gcm_round(x, n_vecs, k + 16);
  if (hash) s = gcm_add_pair(s, p, hash[1], 1, hash[2], 2);
  gcm_round(x, n_vecs, k + 32);
  gcm_round(x, n_vecs, k + 48);
  if (hash) s = gcm_add_pair(s, p, hash[3], 3, hash[4], 4);
  gcm_round(x, n_vecs, k + 64);
  gcm_round(x, n_vecs, k + 80);
  if (hash) s = gcm_add_pair(s, p, hash[5], 5, hash[6], 6);
  gcm_round(x, n_vecs, k + 96);
  gcm_round(x, n_vecs, k + 112);
  if (hash) s = gcm_add_pair(s, p, v_xor(hash[0], r->acc), 0, hash[7], 7);
  gcm_round(x, n_vecs, k + 128);
  gcm_round(x, n_vecs, k + 144);
  if (r->rounds_last != r->rounds_begin + 160) {
    gcm_round(x, n_vecs, k + 160);
    gcm_round(x, n_vecs, k + 176);
    gcm_round(x, n_vecs, k + 192);
    gcm_round(x, n_vecs, k + 208);
  }
  if (hash) r->acc = gcm_reduced(s);
}

/* One vector inside the text: encrypts or decrypts it and returns what GHASH takes. */
INLINE v gcm_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool seal) {
  v data = v_load(r->job->in + off);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store(r->job->out + off, done);
  return gcm_reversed(seal ? done : data);
}

/* One vector of the record's head (AAD, mask, first text), its tail (last text, tail byte) or both. `off` is its
 * place in the text, negative before it. */
INLINE v gcm_edge_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool head, bool tail, bool seal) {
  struct sl_aead_job *job = r->job;
  size_t from = head ? gcm_clamp(-off) : 0;
  size_t to_plain = tail ? gcm_clamp((ptrdiff_t)job->len - off) : V_BYTES;
  size_t to_text = tail ? gcm_clamp((ptrdiff_t)r->text_len - off) : V_BYTES;
  v data = v_load_span(gcm_at(job->in, off), from, seal ? to_plain : to_text);
  if (seal && to_text > to_plain) data = v_put_byte(data, to_plain, job->tail);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store_span((uint8_t *)gcm_at(job->out, off), from, seal ? to_text : to_plain, done);
  if (!seal && to_text > to_plain) job->tail = v_byte(done, to_plain);

  v hash = seal ? v_keep_span(done, from, to_text) : data;
  if (head) {
    /* The AAD's last two blocks, or one, end where the text begins. */
    size_t aad_len = job->aad_len, ahead = aad_len > LEAD_LEN ? (aad_len + 15) / 16 * 16 - LEAD_LEN : 0;
    size_t begin = aad_len > 16 ? 0 : 16;
    ptrdiff_t aad_off = off + LEAD_LEN - (ptrdiff_t)begin;
    size_t aad_from = gcm_clamp(-aad_off), aad_to = gcm_clamp((ptrdiff_t)(aad_len - ahead) - aad_off);
    hash = v_xor(hash, v_load_span(gcm_at(job->aad, (ptrdiff_t)ahead + aad_off), aad_from, aad_to));
    if (off <= -16 && off + V_BYTES > -16) r->pending->mask[r->pending->n] = v_lane(done, V_LANES > 1);
  }
  return gcm_reversed(hash);
}

/* A full group, with or without the record's head. `hash` holds the group to hash on entry, this one on return; opening
 * takes its own on the way. */
INLINE void gcm_full_group(struct gcm_record *r, ptrdiff_t off, v hash[], const struct gcm_group_powers *p, bool head,
                           bool seal) {
  v x[V_GROUP];
  gcm_counters(r, x, V_GROUP);
  gcm_rounds(r, x, V_GROUP, head ? NULL : hash, p);
  v last_key = v_load_all(r->rounds_last);
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
    ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
    hash[j] = head && j * V_BYTES < LEAD_LEN ? gcm_edge_vec(r, x[j], last_key, at, head, false, seal)
                                             : gcm_vec(r, x[j], last_key, at, seal);
  }
}

/* The products of the last group's positions with their own powers, lanes apart. */
INLINE struct gcm_sum gcm_hash_last(struct gcm_record *r, v hash[], unsigned n_vecs, size_t n_positions) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  const unsigned n_ahead = n_vecs > V_EXACT ? n_vecs - V_EXACT : 0; /* vectors beyond the key's powers */
  hash[0] = v_xor(hash[0], r->acc);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    const unsigned to_step = j < n_ahead ? (n_ahead - j - 1) % V_EXACT + 1 : 0; /* vectors to the next reduction */
    v h = to_step > 0 ? v_load_all(r->powers_end - 16 * V_LANES * to_step)
                      : (j + 1 < n_vecs ? v_load(r->powers_end - 16 * (n_positions - V_LANES * j))
                                        : gcm_powers(r->powers_end, n_positions - V_LANES * j));
    struct gcm_sum product = gcm_product(hash[j], h);
    s.low = v_xor(s.low, product.low);
    s.mid = v_xor(s.mid, product.mid);
    s.high = v_xor(s.high, product.high);
    if (to_step == 1) {
      hash[j + 1] = v_xor(hash[j + 1], gcm_reduced(s));
      s = (struct gcm_sum){v_zero(), v_zero(), v_zero()};
    }
  }
  return s;
}

/* The group with the end of the record: n_vecs vectors, the last with the end of the text. */
INLINE void gcm_last_group(struct gcm_record *r, ptrdiff_t off, v hash[], const struct gcm_group_powers *p,
                           unsigned n_vecs, bool head, bool seal) {
  v x[V_LAST];
  gcm_counters(r, x, n_vecs);
  gcm_rounds(r, x, n_vecs, head ? NULL : hash, p);
  v last_key = v_load_all(r->rounds_last);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
    bool is_head = head && j * V_BYTES < LEAD_LEN, is_tail = j + 1 == n_vecs;
    hash[j] = is_head || is_tail ? gcm_edge_vec(r, x[j], last_key, at, is_head, is_tail, seal)
                                 : gcm_vec(r, x[j], last_key, at, seal);
  }
  struct gcm_sum s = gcm_hash_last(r, hash, n_vecs, r->n_positions - (size_t)(off + LEAD_LEN) / 16);
  struct gcm_pending *pending = r->pending;
  unsigned i = pending->n++;
  pending->low[i] = s.low;
  pending->mid[i] = s.mid;
  pending->high[i] = s.high;
  pending->job[i] = r->job;
  pending->powers_end[i] = r->powers_end;
  pending->lengths[i] =
      _mm_set_epi64x((long long)(8 * (uint64_t)r->job->aad_len), (long long)(8 * (uint64_t)r->text_len));
}

/* The last group of any number of vectors: each has its own code, so that nothing in it asks how many there are. */
INLINE void gcm_last_group_any(struct gcm_record *r, ptrdiff_t off, v hash[], const struct gcm_group_powers *p,
                               size_t n_vecs, bool head, bool seal) {
  switch (n_vecs) {
  case 1:
    if (head) gcm_last_group(r, off, hash, p, 1, head, seal);
    break;
  case 2:
    gcm_last_group(r, off, hash, p, 2, head, seal);
    break;
  case 3:
    gcm_last_group(r, off, hash, p, 3, head, seal);
    break;
  case 4:
    gcm_last_group(r, off, hash, p, 4, head, seal);
    break;
  case 5:
    gcm_last_group(r, off, hash, p, 5, head, seal);
    break;
  case 6:
    gcm_last_group(r, off, hash, p, 6, head, seal);
    break;
  case 7:
    gcm_last_group(r, off, hash, p, 7, head, seal);
    break;
  case 8:
    gcm_last_group(r, off, hash, p, 8, head, seal);
    break;
  case 9:
    gcm_last_group(r, off, hash, p, 9, head, seal);
    break;
  }
}

/* GHASH of all AAD before its last two blocks. Long AAD is rare: one block at a time will do. */
static v gcm_hash_ahead(const struct sl_aead_job *job, const uint8_t *powers_end) {
  v acc = v_zero(), h = gcm_powers(powers_end, 1);
  for (size_t left = job->aad_len, at = 0; left > LEAD_LEN; left -= 16, at += 16) {
    acc = v_xor(acc, gcm_reversed(v_load_span(job->aad + at, 0, 16)));
    acc = gcm_reduced(gcm_product(acc, h));
  }
  return acc;
}

INLINE void gcm_record(struct sl_aead_job *job, unsigned rounds, bool seal, struct gcm_pending *pending) {
  struct gcm_record r = {.job = job, .pending = pending, .rounds_begin = job->key->mem};
  r.rounds_last = r.rounds_begin + 16 * rounds;
  r.powers_end = gcm_powers_end(job->key, rounds);
  r.text_len = job->len + job->tail_len;
  r.n_positions = (r.text_len + 15) / 16 + 2;
  r.counter = v_all(_mm_insert_epi32(block_load_all(job->nonce), 0, 3)); /* the last 4 bytes read are the job's, too */
  r.acc = __builtin_expect(job->aad_len > LEAD_LEN, 0) ? gcm_hash_ahead(job, r.powers_end) : v_zero();

  v hash[V_LAST];
  ptrdiff_t off = -LEAD_LEN;
  size_t n_vecs = (r.n_positions + V_LANES - 1) / V_LANES;
  if (n_vecs <= V_LAST) {
    gcm_last_group_any(&r, off, hash, NULL, n_vecs, true, seal);
    return;
  }
  struct gcm_group_powers powers;
  gcm_group_powers_make(&powers, r.powers_end);
  gcm_full_group(&r, off, hash, &powers, true, seal);
  for (n_vecs -= V_GROUP, off += GROUP_LEN; n_vecs > V_LAST; n_vecs -= V_GROUP, off += GROUP_LEN) {
    gcm_full_group(&r, off, hash, &powers, false, seal);
  }
  gcm_last_group_any(&r, off, hash, &powers, n_vecs, false, seal);
  sl_wipe(&powers, sizeof powers);
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* ---- the kernel's functions ---------------------------------------------------------------------------------- */

INLINE void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_pending pending;
  pending.n = 0;
  for (size_t i = 0; i < n; i++) {
    gcm_record(jobs[i], rounds, seal, &pending);
    if (pending.n == V_LANES) gcm_finish(&pending, seal);
  }
  if (pending.n > 0) gcm_finish(&pending, seal);
  sl_wipe(&pending, sizeof pending);
}

/* One code for both key sizes: the four more rounds of AES-256 are one branch, the same one each time. */
static __attribute__((noinline)) void gcm_seal(struct sl_aead_job *const *jobs, size_t n, unsigned rounds) {
  gcm_jobs(jobs, n, rounds, true);
}
static __attribute__((noinline)) void gcm_open(struct sl_aead_job *const *jobs, size_t n, unsigned rounds) {
  gcm_jobs(jobs, n, rounds, false);
}

static void gcm_128_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 10);
}
static void gcm_128_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_seal(jobs, n, 10);
}
static void gcm_128_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_open(jobs, n, 10);
}
static void gcm_256_expand(struct sl_aead_key *key, const uint8_t *secret) {
  gcm_expand(key, secret, 14);
}
static void gcm_256_seal(struct sl_aead_job *const *jobs, size_t n) {
  gcm_seal(jobs, n, 14);
}
static void gcm_256_open(struct sl_aead_job *const *jobs, size_t n) {
  gcm_open(jobs, n, 14);
}

#define GCM_KEY_LEN(rounds) (16 + 16 * (rounds + 1) + 16 * N_POWERS)
#define GCM_KERNEL_OPS                                                                                                 \
  {                                                                                                                    \
    {SL_AES_128_GCM, 16, GCM_KEY_LEN(10), gcm_128_expand, gcm_128_seal, gcm_128_open},                                 \
        {SL_AES_256_GCM, 32, GCM_KEY_LEN(14), gcm_256_expand, gcm_256_seal, gcm_256_open},                             \
  }
_Static_assert(GCM_KEY_LEN(10) == 448 && GCM_KEY_LEN(14) <= SL_AEAD_KEY_MEM, "a key fits its memory");

#endif
