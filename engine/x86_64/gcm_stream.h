/* gcm_stream.h - AES-GCM of texts in pieces (engine/stream.h) for x86, one body for every vector width; included behind
 * gcm_template.h, whose GHASH it uses.
 *
 * A piece may begin at any counter, so counters are added here, not put together by exclusive or. Vectors are taken in groups
 * of V_GROUP, each block of a group multiplied by its own power of H:
 *
 *     acc' = (b_0 + acc) H^n + b_1 H^(n-1) + ... + b_(n-1) H        n = V_GROUP * V_LANES
 *
 * so the powers are loaded as the key has them, a group costs one reduction, and a shorter group at the end differs in where
 * its powers begin alone. Each group is hashed between the AES rounds of the next one. */
#ifndef SEALANE_ENGINE_X86_64_GCM_STREAM_H
#define SEALANE_ENGINE_X86_64_GCM_STREAM_H

#include "engine/stream.h"

enum { GROUP_BLOCKS = V_GROUP * V_LANES };
_Static_assert(V_GROUP *V_LANES <= N_POWERS, "a key has the powers of a group");

/* What lanes add to the counter of their vector, in host order: it is the fourth word of its block. */
static const uint32_t gcm_lane_numbers[4][4]
    __attribute__((aligned(64))) = {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 2}, {0, 0, 0, 3}};
_Static_assert(V_LANES <= 4, "every lane has its number");

/* A stream's place, in registers. */
struct gcm_stream {
  const uint8_t *rounds_begin, *rounds_last, *powers_end;
  bool is_256;
  __m128i counter; /* the next one, in host order */
  v acc;           /* in lane 0, zeros in the others */
};

INLINE struct gcm_stream gcm_stream_load(const struct sl_stream *s, const struct sl_aead_key *key) {
  unsigned rounds = key->ops->aead == SL_AES_256_GCM ? 14 : 10;
  return (struct gcm_stream){
      .rounds_begin = key->mem,
      .rounds_last = key->mem + 16 * rounds,
      .powers_end = gcm_powers_end(key, rounds),
      .is_256 = rounds == 14,
      .counter = block_load_all(s->nonce),
      .acc = gcm_reversed(v_low(block_load_all((const uint8_t *)s->hash))),
  };
}
_Static_assert(offsetof(struct sl_stream, counter) == offsetof(struct sl_stream, nonce) + SL_AEAD_NONCE_LEN,
               "nonce and counter are loaded as one block");

/* Stores are as wide as the loads of the next call, which need not wait for them then. */
INLINE void gcm_stream_save(struct sl_stream *s, const struct gcm_stream *g) {
  block_store_all((uint8_t *)s->hash, v_lane(gcm_reversed(g->acc), 0));
  block_store_all(s->nonce, g->counter);
}

static void gcm_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  struct gcm_stream g = gcm_stream_load(s, key);
  g.counter = _mm_set_epi32((int)s->counter, (int)sl_load32_le(s->nonce + 8), (int)sl_load32_le(s->nonce + 4),
                            (int)sl_load32_le(s->nonce)); /* it was stored in such pieces */
  __m128i x = _mm_xor_si128(gcm_counter_block(g.counter), block_load_all(g.rounds_begin));
  for (const uint8_t *k = g.rounds_begin + 16; k < g.rounds_last; k += 16) x = _mm_aesenc_si128(x, block_load_all(k));
  block_store_all((uint8_t *)&s->hash[2], _mm_aesenclast_si128(x, block_load_all(g.rounds_last)));
  block_store_all(s->nonce, _mm_add_epi32(g.counter, _mm_set_epi32(1, 0, 0, 0)));
}

/* ---- groups -------------------------------------------------------------------------------------------------- */

/* sum + the product of vector j of n_vecs, whose blocks are n_blocks in all. Vector 0 has acc added to it: let it come last. */
INLINE struct gcm_sum gcm_stream_product(const struct gcm_stream *g, struct gcm_sum sum, const v hash[], unsigned j,
                                         unsigned n_vecs, size_t n_blocks, bool first) {
  const uint8_t *own = g->powers_end - 16 * n_blocks + V_BYTES * j;
  bool is_whole = j + 1 < n_vecs || n_blocks == (size_t)n_vecs * V_LANES;
  v h = is_whole ? v_load(own) : v_load_lanes(own, n_blocks - V_LANES * j);
  return gcm_added(sum, gcm_product(j == 0 ? v_xor(hash[0], g->acc) : hash[j], h), first);
}

/* The sum's lanes added, in lane 0. */
INLINE v gcm_stream_reduced(struct gcm_sum sum) {
  v lanes[V_LANES] = {gcm_reduced(sum)};
  UNROLL for (unsigned i = 1; i < V_LANES; i++) lanes[i] = v_zero();
  return v_sum_lanes(lanes);
}

/* Hashes n_vecs vectors of n_blocks blocks in all. */
INLINE void gcm_stream_hash(struct gcm_stream *g, const v hash[], unsigned n_vecs, size_t n_blocks) {
  struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = n_vecs; j-- > 0;) {
    sum = gcm_stream_product(g, sum, hash, j, n_vecs, n_blocks, j + 1 == n_vecs);
  }
  g->acc = gcm_stream_reduced(sum);
}

/* A text's last vector has n bytes, not whole blocks: what is over of the ciphertext, and of the key stream. */
INLINE void gcm_stream_over(struct sl_stream *s, v cipher, v key_stream, size_t n) {
  uint8_t bytes[V_BYTES];
  size_t n_block = n % 16;
  v_store(bytes, cipher);
  block_store_all(s->block, block_load_all(bytes + n - n_block));
  v_store(bytes, key_stream);
  block_store_all(s->unit, block_load_all(bytes + n - n_block));
  sl_wipe(bytes, sizeof bytes);
  s->n_block = (uint8_t)n_block;
  s->n_unit = (uint8_t)(16 - n_block);
}

INLINE void gcm_stream_round(const struct gcm_stream *g, v x[], unsigned n_vecs, unsigned round) {
  v k = v_load_all(g->rounds_begin + 16 * round);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) x[j] = v_aesenc(x[j], k);
}

/* Seals or opens n_vecs vectors, and hashes, where there is one, the full group before them in `hash`, which gets theirs. They
 * have `len` bytes in all; where the last block is not whole, `s` gets what is over, and `hash` nothing of it. n_vecs and
 * `has_before` are constants wherever this is called, len of full groups too. */
INLINE void gcm_stream_group(struct gcm_stream *g, struct sl_stream *s, uint8_t *out, const uint8_t *in,
                             v hash[V_GROUP], bool has_before, unsigned n_vecs, size_t len, bool seal) {
  v x[V_GROUP], counters = v_add32(v_all(g->counter), v_load((const uint8_t *)gcm_lane_numbers));
  v first_key = v_load_all(g->rounds_begin);
  const v turned = v_all(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    x[j] = v_xor(v_shuffle(counters, turned), first_key);
    counters = v_add32(counters, v_all(_mm_set_epi32(V_LANES, 0, 0, 0)));
  }
  g->counter = _mm_add_epi32(g->counter, _mm_set_epi32((int)((len + 15) / 16), 0, 0, 0));
  __asm__("" : "+r"(g->rounds_begin)); /* keeps the compiler from loading round keys ahead, only to spill them */

  UNROLL for (unsigned round = 1; round <= 9; round++) {
    gcm_stream_round(g, x, n_vecs, round);
    if (has_before && round <= V_GROUP) {
      sum = gcm_stream_product(g, sum, hash, V_GROUP - round, V_GROUP, GROUP_BLOCKS, round == 1);
    }
  }
  if (g->is_256) {
    UNROLL for (unsigned round = 10; round <= 13; round++) gcm_stream_round(g, x, n_vecs, round);
  }
  if (has_before) g->acc = gcm_stream_reduced(sum);

  v last_key = v_load_all(g->rounds_last);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    size_t at = (size_t)j * V_BYTES, n = len - at;
    bool is_whole = j + 1 < n_vecs || len == (size_t)n_vecs * V_BYTES;
    v data = is_whole ? v_load(in + at) : v_load_span(in + at, 0, n);
    v done = v_aesenclast(x[j], v_xor(data, last_key));
    if (is_whole) {
      v_store(out + at, done);
    } else {
      v_store_span(out + at, 0, n, done);
      v cipher = seal ? done : data;
      if (n % 16 > 0) gcm_stream_over(s, cipher, v_aesenclast(x[j], last_key), n);
      data = done = v_take_span(v_zero(), cipher, 0, n & ~(size_t)15);
    }
    hash[j] = gcm_reversed(seal ? done : data);
  }
}
_Static_assert(V_GROUP <= 9, "every vector of a group is hashed in some round");

/* The last group of a piece, under GROUP_LEN bytes: each number of vectors has its code. */
INLINE void gcm_stream_rest(struct gcm_stream *g, struct sl_stream *s, uint8_t *out, const uint8_t *in, v hash[V_GROUP],
                            bool has_before, size_t len, bool seal) {
  size_t n_blocks = len / 16;
  switch ((len + V_BYTES - 1) / V_BYTES) {
  case 0:
    if (has_before) gcm_stream_hash(g, hash, V_GROUP, GROUP_BLOCKS);
    break;
#define REST(n)                                                                                                        \
  case n:                                                                                                              \
    if (n > V_GROUP) break;                                                                                            \
    gcm_stream_group(g, s, out, in, hash, has_before, n, len, seal);                                                   \
    if (n_blocks > V_LANES * (n - 1)) {                                                                                \
      gcm_stream_hash(g, hash, n, n_blocks);                                                                           \
    } else if (n > 1) {                                                                                                \
      gcm_stream_hash(g, hash, n - 1, n_blocks);                                                                       \
    }                                                                                                                  \
    break;
    REST(1)
    REST(2)
    REST(3)
    REST(4)
    REST(5)
    REST(6)
    REST(7)
    REST(8)
#undef REST
  }
}
_Static_assert(V_GROUP <= 8, "every number of vectors has its case");

INLINE void gcm_stream_text(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                            size_t len, bool seal) {
  struct gcm_stream g = gcm_stream_load(s, key);
  v hash[V_GROUP];
  if (s->n_block > 0) {
    hash[0] = gcm_reversed(v_low(block_load_all(s->block)));
    gcm_stream_hash(&g, hash, 1, 1);
  }
  s->n_block = s->n_unit = 0;
  if (len < GROUP_LEN) {
    gcm_stream_rest(&g, s, out, in, hash, false, len, seal);
  } else {
    gcm_stream_group(&g, s, out, in, hash, false, V_GROUP, GROUP_LEN, seal);
    while (len -= GROUP_LEN, in += GROUP_LEN, out += GROUP_LEN, len >= GROUP_LEN) {
      gcm_stream_group(&g, s, out, in, hash, true, V_GROUP, GROUP_LEN, seal);
    }
    gcm_stream_rest(&g, s, out, in, hash, true, len, seal);
  }
  gcm_stream_save(s, &g);
}

static __attribute__((noinline)) void gcm_stream_seal(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out,
                                                      const uint8_t *in, size_t len) {
  gcm_stream_text(s, key, out, in, len, true);
}
static __attribute__((noinline)) void gcm_stream_open(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out,
                                                      const uint8_t *in, size_t len) {
  gcm_stream_text(s, key, out, in, len, false);
}
static void gcm_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                             size_t len, bool is_open) {
  if (is_open) {
    gcm_stream_open(s, key, out, in, len);
  } else {
    gcm_stream_seal(s, key, out, in, len);
  }
}

/* AAD is short, or in large pieces rare: groups of as many blocks as one vector has. */
static void gcm_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  struct gcm_stream g = gcm_stream_load(s, key);
  for (; n >= V_LANES; n -= V_LANES, blocks += V_BYTES) {
    v hash = gcm_reversed(v_load(blocks));
    gcm_stream_hash(&g, &hash, 1, V_LANES);
  }
  if (n > 0) {
    v hash = gcm_reversed(v_load_lanes(blocks, n));
    gcm_stream_hash(&g, &hash, 1, n);
  }
  gcm_stream_save(s, &g);
}

/* (acc + lengths) H, or with a last block (acc + block) H^2 + lengths H, and the mask. */
static void gcm_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  struct gcm_stream g = gcm_stream_load(s, key);
  v lengths = v_low(_mm_set_epi64x((long long)(8 * s->aad_len), (long long)(8 * s->text_len)));
  v h = v_load_all(g.powers_end - 16);
  struct gcm_sum sum;
  if (s->n_block > 0) {
    v block = v_xor(g.acc, gcm_reversed(v_low(block_load_all(s->block))));
    sum = gcm_added(gcm_product(block, v_load_all(g.powers_end - 32)), gcm_product(lengths, h), false);
  } else {
    sum = gcm_product(v_xor(g.acc, lengths), h);
  }
  __m128i ghash = v_lane(gcm_reversed(gcm_reduced(sum)), 0);
  block_store_all(tag, _mm_xor_si128(ghash, block_load_all((const uint8_t *)&s->hash[2])));
}

#define GCM_STREAM_OPS                                                                                                 \
  { 16, gcm_stream_start, gcm_stream_absorb, gcm_stream_crypt, gcm_stream_tag }

#endif
