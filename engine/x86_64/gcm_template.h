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
  GROUP_LEN = V_GROUP * V_BYTES,     /* bytes */
  LONG_LEN = V_GROUP_LONG * V_BYTES, /* bytes */
  LEAD_LEN = 2 * 16,                 /* bytes of positions before the text */
  N_POWERS = 16,                     /* in a key: H^16 ... H^1, H last */
  V_EXACT = N_POWERS / V_LANES,      /* vectors those reach */
  V_LAST = V_GROUP + 1,              /* vectors in the last group at most */
};

/* Loops over vectors and records are written out, so that their arrays live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#pragma clang diagnostic ignored                                                                                       \
    "-Wpass-failed" /* a loop of one turn is no loop: clang complains it cannot unroll it */
#elif defined(__OPTIMIZE__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL /* gcc -O0 with sanitizers warns that it ignores the other */
#endif
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
INLINE __m128i gcm_counter_block(__m128i counter) {
  return _mm_shuffle_epi8(counter, _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
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

/* s + p; p where s is still nothing. */
INLINE struct gcm_sum gcm_added(struct gcm_sum s, struct gcm_sum p, bool first) {
  if (first) return p;
  return (struct gcm_sum){v_xor(s.low, p.low), v_xor(s.mid, p.mid), v_xor(s.high, p.high)};
}

INLINE v gcm_reduced(struct gcm_sum s) {
  const v poly = v_all(_mm_set_epi64x(0, (long long)0xc200000000000000)); /* x^63 + x^62 + x^57: docs/gcm.md */
  v mid = v_xor3(s.mid, s.low, s.high);
  mid = v_xor3(mid, v_swap(s.low), v_clmul_ll(s.low, poly));
  return v_xor3(s.high, v_swap(mid), v_clmul_ll(mid, poly));
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* key->mem: round keys, then H^16 ... H^1, each over x (docs/gcm.md). Descending, so that the powers a short record
 * needs are the key's last lines and V_LANES of them are one load, at any count. */
INLINE const uint8_t *gcm_powers_end(const struct sl_aead_key *key, unsigned rounds) {
  return key->mem + 16 * (rounds + 1) + 16 * N_POWERS;
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

  /* H over x: shifted left by one, the bit that falls out folded back. */
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

/* ---- tags ---------------------------------------------------------------------------------------------------- */

/* A record whose text is done and whose tag is not. */
struct gcm_done {
  struct gcm_sum sum; /* lanes apart */
  __m128i mask, lengths;
  const uint8_t *h; /* over x, as in the key */
  struct sl_aead_job *job;
};
/* Those that wait until there is one for each lane. */
struct gcm_pending {
  struct gcm_done done[V_LANES];
  unsigned n;
};

/* One record a lane: GHASH = (sum + lengths) H, tag = GHASH + mask. Of V_LANES records n are real. */
INLINE void gcm_finish(const struct gcm_done done[], unsigned n, bool seal) {
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
    if (i >= n) break;
    __m128i tag = _mm_xor_si128(ghash[i], done[i].mask);
    if (seal) {
      block_store_all(done[i].job->tag, tag);
    } else {
      sl_aead_job_verdict(done[i].job, block_differs(tag, block_load_all(done[i].job->tag)));
    }
  }
}

/* ---- records side by side ------------------------------------------------------------------------------------ */

/* A record under way. Functions below take `side` of them, 1, 2 or 4, whose vectors are as many: their latencies hide each
 * other's. `side` and `n_vecs` are constants wherever these are called. */
struct gcm_record {
  struct sl_aead_job *job;
  const uint8_t *in;
  uint8_t *out;
  const uint8_t *rounds_begin, *rounds_last; /* round keys */
  const uint8_t *powers_end;
  size_t text_len; /* bytes, with the tail */
  bool is_256;
  __m128i counter; /* of the group's first position, in host order */
  v acc;           /* GHASH so far, lanes apart: to be added to the next vector */
};

/* What a long record's groups need, spread over all lanes beforehand: on Zen a load that spreads costs a vector pipe, a
 * plain one does not (docs/kernels.md). */
struct gcm_long {
  uint8_t rounds[15][V_BYTES];
  uint8_t power[V_GROUP_LONG][V_BYTES];  /* H^(V_LANES * (V_GROUP_LONG - j)) */
  uint8_t folded[V_GROUP_LONG][V_BYTES]; /* gcm_folded() of those */
} __attribute__((aligned(64)));

/* p + off without C's opinion on pointers outside an object: vectors with masks begin before the text. */
INLINE const uint8_t *gcm_at(const uint8_t *p, ptrdiff_t off) {
  return (const uint8_t *)((uintptr_t)p + (uintptr_t)off);
}
INLINE size_t gcm_clamp(ptrdiff_t off) {
  return off < 0 ? 0 : off > V_BYTES ? V_BYTES : (size_t)off;
}

/* How many vectors a job's positions fill. */
INLINE size_t gcm_n_vecs(const struct sl_aead_job *job) {
  size_t n_blocks = (job->len + job->tail_len + 15) / 16;
  return (n_blocks + LEAD_LEN / 16 + V_LANES - 1) / V_LANES;
}

/* GHASH of all AAD before its last two blocks. Long AAD is rare: one block at a time will do. */
static __attribute__((noinline)) void gcm_hash_ahead(v *acc, const struct sl_aead_job *job, const uint8_t *powers_end) {
  v h = v_load_lanes(powers_end - 16, 1);
  for (size_t left = job->aad_len, at = 0; left > LEAD_LEN; left -= 16, at += 16) {
    *acc = v_xor(*acc, gcm_reversed(v_load_span(job->aad + at, 0, 16)));
    *acc = gcm_reduced(gcm_product(*acc, h));
  }
}

INLINE struct gcm_record gcm_begin(struct sl_aead_job *job, unsigned rounds) {
  struct gcm_record r = {.job = job, .in = job->in, .out = job->out, .rounds_begin = job->key->mem};
  r.rounds_last = r.rounds_begin + 16 * rounds;
  r.powers_end = gcm_powers_end(job->key, rounds);
  r.text_len = job->len + job->tail_len;
  r.is_256 = rounds == 14;
  r.counter = _mm_and_si128(block_load_all(job->nonce), block_mask(SL_AEAD_NONCE_LEN)); /* 4 more bytes of the job */
  r.acc = v_zero();
  if (__builtin_expect(job->aad_len > LEAD_LEN, 0)) {
    v acc = v_zero();
    gcm_hash_ahead(&acc, job, r.powers_end);
    r.acc = acc;
  }
  return r;
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* AES's input for the group's vectors, round key 0 added; steps the counter by `step` vectors. At the record's head the
 * counter is 0 and needs no turning. */
INLINE void gcm_counters(struct gcm_record r[], unsigned side, v x[], unsigned n_vecs, unsigned step, bool head) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    __m128i key = block_load_all(r[i].rounds_begin), counter = r[i].counter;
    v base = v_all(_mm_xor_si128(head ? counter : gcm_counter_block(counter), key));
    r[i].counter = _mm_add_epi32(counter, _mm_set_epi32((int)(V_LANES * step), 0, 0, 0));
    UNROLL for (unsigned j = 0; j < n_vecs && j < step; j++) {
      x[i * n_vecs + j] = v_xor(base, v_load(gcm_positions[V_LANES * j]));
    }
    if (n_vecs > step) {
      base = v_all(_mm_xor_si128(gcm_counter_block(r[i].counter), key));
      x[i * n_vecs + step] = v_xor(base, v_load(gcm_positions[0]));
    }
  }
}

/* Round `round` of all vectors. */
INLINE void gcm_round(const struct gcm_record r[], unsigned side, v x[], unsigned n_vecs, unsigned round) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    v k = v_load_all(r[i].rounds_begin + 16 * round);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) x[i * n_vecs + j] = v_aesenc(x[i * n_vecs + j], k);
  }
}

/* The product of a full group's vector j, and the sum it goes to. Vector 0 comes last, because acc, the end of the chain
 * through all groups, is added to it. */
INLINE void gcm_hash_vec(const struct gcm_record r[], unsigned side, struct gcm_sum s[], const v hash[], unsigned j) {
  UNROLL for (unsigned i = 0; i < side; i++) {
    v a = hash[i * V_GROUP + j];
    if (j == 0) a = v_xor(a, r[i].acc);
    struct gcm_sum p = gcm_product(a, v_load_all(r[i].powers_end - 16 * V_LANES * (V_GROUP - j)));
    s[i] = gcm_added(s[i], p, false);
  }
}

/* All rounds but the last on x, and between them, where there is a full group to hash, that group. */
INLINE void gcm_rounds(struct gcm_record r[], unsigned side, v x[], unsigned n_vecs, const v *hash) {
  struct gcm_sum s[V_SIDE_MAX];
  /* Keeps the compiler from loading round keys ahead of time, only to spill them. */
  UNROLL for (unsigned i = 0; i < side; i++) __asm__("" : "+r"(r[i].rounds_begin));
  UNROLL for (unsigned i = 0; i < side; i++) s[i] = (struct gcm_sum){v_zero(), v_zero(), v_zero()};
  gcm_round(r, side, x, n_vecs, 1);
  if (hash && V_GROUP > 4) gcm_hash_vec(r, side, s, hash, V_GROUP - 4);
  gcm_round(r, side, x, n_vecs, 2);
  if (hash) gcm_hash_vec(r, side, s, hash, V_GROUP - 3);
  gcm_round(r, side, x, n_vecs, 3);
  if (hash && V_GROUP > 4) gcm_hash_vec(r, side, s, hash, V_GROUP - 5);
  gcm_round(r, side, x, n_vecs, 4);
  if (hash) gcm_hash_vec(r, side, s, hash, V_GROUP - 2);
  gcm_round(r, side, x, n_vecs, 5);
  if (hash && V_GROUP > 4) gcm_hash_vec(r, side, s, hash, V_GROUP - 6);
  gcm_round(r, side, x, n_vecs, 6);
  if (hash) gcm_hash_vec(r, side, s, hash, V_GROUP - 1);
  gcm_round(r, side, x, n_vecs, 7);
  if (hash && V_GROUP > 4) gcm_hash_vec(r, side, s, hash, V_GROUP - 7);
  gcm_round(r, side, x, n_vecs, 8);
  if (hash) gcm_hash_vec(r, side, s, hash, 0);
  gcm_round(r, side, x, n_vecs, 9);
  if (r[0].is_256) {
    gcm_round(r, side, x, n_vecs, 10);
    gcm_round(r, side, x, n_vecs, 11);
    gcm_round(r, side, x, n_vecs, 12);
    gcm_round(r, side, x, n_vecs, 13);
  }
  if (!hash) return;
  UNROLL for (unsigned i = 0; i < side; i++) r[i].acc = gcm_reduced(s[i]);
}
_Static_assert(V_GROUP == 4 || V_GROUP == 8, "gcm_rounds() has a place for each vector of a group");
_Static_assert(V_GROUP *V_LANES <= N_POWERS, "a key holds the powers of a group");

/* One vector inside the text: encrypts or decrypts it and returns what GHASH takes. */
INLINE v gcm_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool seal) {
  v data = v_load(r->in + off);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store(r->out + off, done);
  return gcm_reversed(seal ? done : data);
}

/* Adds what the vector at `off` has of the last two blocks of an AAD of more than 16 bytes. */
static __attribute__((noinline)) void gcm_add_aad(v *hash, const struct sl_aead_job *job, ptrdiff_t off) {
  ptrdiff_t ahead = job->aad_len > LEAD_LEN ? (ptrdiff_t)(job->aad_len + 15) / 16 * 16 - LEAD_LEN : 0;
  ptrdiff_t aad_off = off + LEAD_LEN + ahead;
  *hash = v_xor(*hash, v_load_span(gcm_at(job->aad, aad_off), 0, gcm_clamp((ptrdiff_t)job->aad_len - aad_off)));
}

/* One vector of the record's head (AAD, mask, first text), its tail (last text, tail byte) or both. `off` is its place in
 * the text, negative before it; `mask` gets E(J0) when it is here. */
INLINE v gcm_edge_vec(const struct gcm_record *r, v x, v last_key, ptrdiff_t off, bool head, bool tail, __m128i *mask,
                      bool seal) {
  struct sl_aead_job *job = r->job;
  size_t from = head ? gcm_clamp(-off) : 0;
  size_t to_text = tail ? (size_t)((ptrdiff_t)r->text_len - off) : V_BYTES; /* the text ends in this vector */
  size_t to_plain = tail ? to_text - job->tail_len : V_BYTES;
  v data = v_load_span(gcm_at(r->in, off), from, seal ? to_plain : to_text);
  if (seal && to_text > to_plain) data = v_put_byte(data, to_plain, job->tail);
  v done = v_aesenclast(x, v_xor(data, last_key));
  v_store_span((uint8_t *)gcm_at(r->out, off), from, seal ? to_text : to_plain, done);
  if (!seal && to_text > to_plain) job->tail = v_byte(done, to_plain);

  v hash = seal ? v_keep_span(done, from, to_text) : data;
  if (head) {
    if (__builtin_expect(job->aad_len <= 16, 1)) {
      if (off <= -16 && off + V_BYTES > -16) {
        size_t place = (size_t)(-16 - off);
        hash = v_xor(hash, v_load_span(gcm_at(job->aad, -(ptrdiff_t)place), place, place + job->aad_len));
      }
    } else {
      gcm_add_aad(&hash, job, off);
    }
    if (off <= -16 && off + V_BYTES > -16) *mask = v_lane(done, V_LANES > 1);
  }
  return gcm_reversed(hash);
}

/* A full group, with or without the record's head. `hash` holds the group before it on entry and this one on return. */
INLINE void gcm_full_group(struct gcm_record r[], unsigned side, ptrdiff_t off, v hash[], __m128i mask[], bool head,
                           bool seal) {
  v x[V_SIDE_MAX * V_GROUP];
  gcm_counters(r, side, x, V_GROUP, V_GROUP, head);
  gcm_rounds(r, side, x, V_GROUP, head ? NULL : hash);
  UNROLL for (unsigned i = 0; i < side; i++) {
    v last_key = v_load_all(r[i].rounds_last);
    UNROLL for (unsigned j = 0; j < V_GROUP; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      unsigned k = i * V_GROUP + j;
      hash[k] = head && j * V_BYTES < LEAD_LEN ? gcm_edge_vec(&r[i], x[k], last_key, at, true, false, &mask[i], seal)
                                               : gcm_vec(&r[i], x[k], last_key, at, seal);
    }
  }
}

/* The products of the last group's positions with their own powers, lanes apart. */
INLINE struct gcm_sum gcm_hash_last(const struct gcm_record *r, v hash[], unsigned n_vecs, size_t n_positions) {
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  const unsigned n_ahead = n_vecs > V_EXACT ? n_vecs - V_EXACT : 0; /* vectors beyond the key's powers */
  const uint8_t *own = r->powers_end - 16 * n_positions;
  hash[0] = v_xor(hash[0], r->acc);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    v h = j < n_ahead      ? v_load_all(r->powers_end - 16 * V_LANES * (n_ahead - j))
          : j + 1 < n_vecs ? v_load(own + V_BYTES * j)
                           : v_load_lanes(own + V_BYTES * j, n_positions - V_LANES * j);
    s = gcm_added(s, gcm_product(hash[j], h), j == 0 || j == n_ahead);
    if (j + 1 == n_ahead) hash[j + 1] = v_xor(hash[j + 1], gcm_reduced(s));
  }
  return s;
}
_Static_assert(V_LAST <= 2 * V_EXACT, "one step of reduction in the last group");

/* The group with the end of the record: n_vecs vectors, the last with the end of the text. */
INLINE void gcm_last_group(struct gcm_record r[], unsigned side, ptrdiff_t off, v hash[], __m128i mask[],
                           unsigned n_vecs, bool head, bool seal, struct gcm_done done[]) {
  v x[V_SIDE_MAX * V_LAST], own[V_LAST];
  gcm_counters(r, side, x, n_vecs, V_GROUP, head);
  gcm_rounds(r, side, x, n_vecs, head ? NULL : hash);
  UNROLL for (unsigned i = 0; i < side; i++) {
    v last_key = v_load_all(r[i].rounds_last);
    UNROLL for (unsigned j = 0; j < n_vecs; j++) {
      ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
      bool is_head = head && j * V_BYTES < LEAD_LEN, is_tail = j + 1 == n_vecs;
      v y = x[i * n_vecs + j];
      own[j] = is_head || is_tail ? gcm_edge_vec(&r[i], y, last_key, at, is_head, is_tail, &mask[i], seal)
                                  : gcm_vec(&r[i], y, last_key, at, seal);
    }
    done[i].sum = gcm_hash_last(&r[i], own, n_vecs, (r[i].text_len + 15 - (size_t)off) / 16);
  }
}

/* ---- long records -------------------------------------------------------------------------------------------- */

static inline void gcm_long_make(struct gcm_long *l, const struct gcm_record *r) {
  unsigned rounds = (unsigned)(r->rounds_last - r->rounds_begin) / 16;
  for (unsigned i = 0; i <= rounds; i++) v_store(l->rounds[i], v_load_all(r->rounds_begin + 16 * i));
  v most = v_load_all(r->powers_end - 16 * N_POWERS);
  UNROLL for (unsigned j = V_GROUP_LONG; j-- > 0;) {
    unsigned exponent = V_LANES * (V_GROUP_LONG - j);
    v h = exponent <= N_POWERS ? v_load_all(r->powers_end - 16 * exponent)
                               : gcm_reduced(gcm_product(v_load_all(r->powers_end - 16 * (exponent - N_POWERS)), most));
    v_store(l->power[j], h);
    v_store(l->folded[j], gcm_folded(h));
  }
}
_Static_assert(V_LANES *V_GROUP_LONG <= 2 * N_POWERS, "one product makes a power the key does not hold");

INLINE void gcm_long_round(const struct gcm_long *l, v x[], unsigned round) {
  v k = v_load(l->rounds[round]);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) x[j] = v_aesenc(x[j], k);
}
INLINE struct gcm_sum gcm_long_pair(const struct gcm_long *l, struct gcm_sum s, v a, unsigned i, v b, unsigned j) {
  return gcm_add_products(s, a, v_load(l->power[i]), v_load(l->folded[i]), b, v_load(l->power[j]),
                          v_load(l->folded[j]));
}

/* gcm_full_group() for one record, V_GROUP_LONG vectors and what gcm_long_make() made. */
INLINE void gcm_long_group(struct gcm_record *r, const struct gcm_long *l, ptrdiff_t off, v hash[], __m128i *mask,
                           bool head, bool seal) {
  v x[V_GROUP_LONG];
  struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
  __asm__("" : "+r"(l)); /* keeps the compiler from loading round keys once and spilling them round the loop */
  gcm_counters(r, 1, x, V_GROUP_LONG, V_GROUP_LONG, head);
  gcm_long_round(l, x, 1);
  if (!head) s = gcm_long_pair(l, s, hash[1], 1, hash[2], 2);
  gcm_long_round(l, x, 2);
  gcm_long_round(l, x, 3);
  if (!head) s = gcm_long_pair(l, s, hash[3], 3, hash[4], 4);
  gcm_long_round(l, x, 4);
  gcm_long_round(l, x, 5);
  if (!head) s = gcm_long_pair(l, s, hash[5], 5, hash[6], 6);
  gcm_long_round(l, x, 6);
  gcm_long_round(l, x, 7);
  if (!head) s = gcm_long_pair(l, s, v_xor(hash[0], r->acc), 0, hash[7], 7);
  gcm_long_round(l, x, 8);
  gcm_long_round(l, x, 9);
  if (r->is_256) {
    gcm_long_round(l, x, 10);
    gcm_long_round(l, x, 11);
    gcm_long_round(l, x, 12);
    gcm_long_round(l, x, 13);
  }
  if (!head) r->acc = gcm_reduced(s);
  v last_key = v_load_all(r->rounds_last);
  UNROLL for (unsigned j = 0; j < V_GROUP_LONG; j++) {
    ptrdiff_t at = off + (ptrdiff_t)(j * V_BYTES);
    hash[j] = head && j * V_BYTES < LEAD_LEN ? gcm_edge_vec(r, x[j], last_key, at, true, false, mask, seal)
                                             : gcm_vec(r, x[j], last_key, at, seal);
  }
}

/* Runs the head of a long record and its long groups, until 2 .. V_GROUP_LONG+1 vectors are left, and leaves things as
 * gcm_full_group() does. Returns where it stopped in the text. */
INLINE ptrdiff_t gcm_long_part(struct gcm_record *r, size_t *n_vecs, v hash[], __m128i *mask, bool seal) {
  struct gcm_long l;
  v long_hash[V_GROUP_LONG];
  ptrdiff_t off = -LEAD_LEN;
  gcm_long_make(&l, r);
  gcm_long_group(r, &l, off, long_hash, mask, true, seal);
  for (*n_vecs -= V_GROUP_LONG, off += LONG_LEN; *n_vecs >= V_GROUP_LONG + 2;
       *n_vecs -= V_GROUP_LONG, off += LONG_LEN) {
    gcm_long_group(r, &l, off, long_hash, mask, false, seal);
  }
  /* The last V_GROUP vectors are left to the next group; those before them are hashed here. */
  if (V_GROUP_LONG > V_GROUP) {
    struct gcm_sum s = {v_zero(), v_zero(), v_zero()};
    s = gcm_long_pair(&l, s, long_hash[1], 5, long_hash[2], 6);
    s = gcm_long_pair(&l, s, v_xor(long_hash[0], r->acc), 4, long_hash[3], 7);
    r->acc = gcm_reduced(s);
  }
  UNROLL for (unsigned j = 0; j < V_GROUP; j++) hash[j] = long_hash[V_GROUP_LONG - V_GROUP + j];
  sl_wipe(&l, sizeof l);
  return off;
}

/* ---- the kernel's functions ---------------------------------------------------------------------------------- */

/* Any number of vectors in the last group: each has its own code, so that nothing in it asks how many there are. */
INLINE void gcm_last_group_any(struct gcm_record r[], unsigned side, ptrdiff_t off, v hash[], __m128i mask[],
                               size_t n_vecs, bool head, bool seal, struct gcm_done done[]) {
  switch (n_vecs) {
#define LAST_GROUP(n)                                                                                                  \
  case n:                                                                                                              \
    if (n <= V_LAST && (head || n > 1)) gcm_last_group(r, side, off, hash, mask, n, head, seal, done);                 \
    break;
    LAST_GROUP(1)
    LAST_GROUP(2)
    LAST_GROUP(3)
    LAST_GROUP(4)
    LAST_GROUP(5)
    LAST_GROUP(6)
    LAST_GROUP(7)
    LAST_GROUP(8)
    LAST_GROUP(9)
#undef LAST_GROUP
  }
}
_Static_assert(V_LAST <= 9, "every number of vectors has its case");

/* `side` records of n_vecs vectors each; `is_short`: at most V_LAST. */
INLINE void gcm_records(struct sl_aead_job *const jobs[], unsigned side, size_t n_vecs, bool is_short, unsigned rounds,
                        bool seal, struct gcm_done done[]) {
  struct gcm_record r[V_SIDE_MAX];
  __m128i mask[V_SIDE_MAX];
  v hash[V_SIDE_MAX * V_GROUP];
  ptrdiff_t off = -LEAD_LEN;
  UNROLL for (unsigned i = 0; i < side; i++) r[i] = gcm_begin(jobs[i], rounds);
  if (is_short) {
    gcm_last_group_any(r, side, off, hash, mask, n_vecs, true, seal, done);
  } else {
    if (side == 1 && n_vecs >= V_LONG_MIN) {
      off = gcm_long_part(&r[0], &n_vecs, hash, mask, seal);
    } else {
      gcm_full_group(r, side, off, hash, mask, true, seal);
      n_vecs -= V_GROUP;
      off += GROUP_LEN;
    }
    for (; n_vecs > V_LAST; n_vecs -= V_GROUP, off += GROUP_LEN) gcm_full_group(r, side, off, hash, mask, false, seal);
    gcm_last_group_any(r, side, off, hash, mask, n_vecs, false, seal, done);
  }
  UNROLL for (unsigned i = 0; i < side; i++) {
    done[i].mask = mask[i];
    done[i].lengths =
        _mm_set_epi64x((long long)(8 * (uint64_t)r[i].job->aad_len), (long long)(8 * (uint64_t)r[i].text_len));
    done[i].h = r[i].powers_end - 16;
    done[i].job = r[i].job;
  }
}

INLINE void gcm_jobs(struct sl_aead_job *const *jobs, size_t n, unsigned rounds, bool seal) {
  struct gcm_pending pending;
  pending.n = 0;
  for (size_t i = 0; i < n;) {
    size_t n_vecs = gcm_n_vecs(jobs[i]), side = 1;
    bool is_short = n_vecs <= V_LAST;
    size_t side_max = is_short ? V_SIDE_SHORT : n_vecs < V_LONG_MIN ? V_SIDE_MID : 1;
    while (side < side_max && i + side < n && gcm_n_vecs(jobs[i + side]) == n_vecs) side++;
    if (V_SIDE_SHORT > 1 && side == V_SIDE_SHORT && is_short) {
      struct gcm_done done[V_LANES];
      gcm_records(jobs + i, V_SIDE_SHORT, n_vecs, true, rounds, seal, done);
      gcm_finish(done, V_LANES, seal);
      i += V_SIDE_SHORT;
      continue;
    }
    if (V_SIDE_MID > 1 && side == V_SIDE_MID && !is_short) {
      if (pending.n + V_SIDE_MID > V_LANES) {
        gcm_finish(pending.done, pending.n, seal);
        pending.n = 0;
      }
      gcm_records(jobs + i, V_SIDE_MID, n_vecs, false, rounds, seal, &pending.done[pending.n]);
    } else {
      side = 1;
      if (is_short) {
        gcm_records(jobs + i, 1, n_vecs, true, rounds, seal, &pending.done[pending.n]);
      } else {
        gcm_records(jobs + i, 1, n_vecs, false, rounds, seal, &pending.done[pending.n]);
      }
    }
    i += side;
    pending.n += (unsigned)side;
    if (pending.n == V_LANES) {
      gcm_finish(pending.done, V_LANES, seal);
      pending.n = 0;
    }
  }
  if (pending.n > 0) gcm_finish(pending.done, pending.n, seal);
  sl_wipe(&pending, sizeof pending);
}
_Static_assert(V_SIDE_SHORT == 1 || V_SIDE_SHORT == V_LANES, "short records side by side are finished at once");

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
