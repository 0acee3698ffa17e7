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
      .acc = gcm_reversed(v_load_lanes((const uint8_t *)s->hash, 1)),
  };
}
_Static_assert(offsetof(struct sl_stream, counter) == offsetof(struct sl_stream, nonce) + SL_AEAD_NONCE_LEN,
               "nonce and counter are loaded as one block");

INLINE void gcm_stream_save(struct sl_stream *s, const struct gcm_stream *g) {
  block_store_all((uint8_t *)s->hash, v_lane(gcm_reversed(g->acc), 0));
  s->counter = (uint32_t)_mm_extract_epi32(g->counter, 3);
}

/* ---- single blocks ------------------------------------------------------------------------------------------- */

/* Encrypts the next counter block. */
INLINE __m128i gcm_stream_block(struct gcm_stream *g) {
  __m128i x = _mm_xor_si128(gcm_counter_block(g->counter), block_load_all(g->rounds_begin));
  for (const uint8_t *k = g->rounds_begin + 16; k < g->rounds_last; k += 16) x = _mm_aesenc_si128(x, block_load_all(k));
  g->counter = _mm_add_epi32(g->counter, _mm_set_epi32(1, 0, 0, 0));
  return _mm_aesenclast_si128(x, block_load_all(g->rounds_last));
}

static void gcm_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  struct gcm_stream g = gcm_stream_load(s, key);
  block_store_all((uint8_t *)&s->hash[2], gcm_stream_block(&g));
  s->counter++;
}

static void gcm_stream_key_stream(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *unit) {
  struct gcm_stream g = gcm_stream_load(s, key);
  block_store_all(unit, gcm_stream_block(&g));
  s->counter++;
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

INLINE void gcm_stream_round(const struct gcm_stream *g, v x[], unsigned n_vecs, unsigned round) {
  v k = v_load_all(g->rounds_begin + 16 * round);
  UNROLL for (unsigned j = 0; j < n_vecs; j++) x[j] = v_aesenc(x[j], k);
}

/* Seals or opens n_vecs vectors of n_blocks blocks in all, and hashes, where there is one, the full group before them in
 * `hash`, which gets theirs. n_vecs and `has_before` are constants wherever this is called, n_blocks of full groups too. */
INLINE void gcm_stream_group(struct gcm_stream *g, uint8_t *out, const uint8_t *in, v hash[V_GROUP], bool has_before,
                             unsigned n_vecs, size_t n_blocks, bool seal) {
  v x[V_GROUP], counters = v_add32(v_all(g->counter), v_load((const uint8_t *)gcm_lane_numbers));
  v first_key = v_load_all(g->rounds_begin);
  const v turned = v_all(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  struct gcm_sum sum = {v_zero(), v_zero(), v_zero()};
  UNROLL for (unsigned j = 0; j < n_vecs; j++) {
    x[j] = v_xor(v_shuffle(counters, turned), first_key);
    counters = v_add32(counters, v_all(_mm_set_epi32(V_LANES, 0, 0, 0)));
  }
  g->counter = _mm_add_epi32(g->counter, _mm_set_epi32((int)n_blocks, 0, 0, 0));
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
    size_t at = (size_t)j * V_BYTES, n_lanes = n_blocks - V_LANES * j;
    bool is_whole = j + 1 < n_vecs || n_blocks == (size_t)n_vecs * V_LANES;
    v data = is_whole ? v_load(in + at) : v_load_lanes(in + at, n_lanes);
    v done = v_aesenclast(x[j], v_xor(data, last_key));
    if (is_whole) {
      v_store(out + at, done);
    } else {
      v_store_span(out + at, 0, 16 * n_lanes, done);
      if (seal) done = v_keep_span(done, 0, 16 * n_lanes);
    }
    hash[j] = gcm_reversed(seal ? done : data);
  }
}
_Static_assert(V_GROUP <= 9, "every vector of a group is hashed in some round");

/* The last group of a piece: any number of blocks under GROUP_BLOCKS, and each number of vectors has its code. */
INLINE void gcm_stream_rest(struct gcm_stream *g, uint8_t *out, const uint8_t *in, v hash[V_GROUP], bool has_before,
                            size_t n_blocks, bool seal) {
  switch ((n_blocks + V_LANES - 1) / V_LANES) {
  case 0:
    if (has_before) gcm_stream_hash(g, hash, V_GROUP, GROUP_BLOCKS);
    break;
#define REST(n)                                                                                                        \
  case n:                                                                                                              \
    if (n > V_GROUP) break;                                                                                            \
    gcm_stream_group(g, out, in, hash, has_before, n, n_blocks, seal);                                                 \
    gcm_stream_hash(g, hash, n, n_blocks);                                                                             \
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

INLINE void gcm_stream_blocks(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                              size_t n, bool seal) {
  struct gcm_stream g = gcm_stream_load(s, key);
  v hash[V_GROUP];
  if (n < GROUP_BLOCKS) {
    gcm_stream_rest(&g, out, in, hash, false, n, seal);
  } else {
    gcm_stream_group(&g, out, in, hash, false, V_GROUP, GROUP_BLOCKS, seal);
    while (n -= GROUP_BLOCKS, in += 16 * GROUP_BLOCKS, out += 16 * GROUP_BLOCKS, n >= GROUP_BLOCKS) {
      gcm_stream_group(&g, out, in, hash, true, V_GROUP, GROUP_BLOCKS, seal);
    }
    gcm_stream_rest(&g, out, in, hash, true, n, seal);
  }
  gcm_stream_save(s, &g);
}

static __attribute__((noinline)) void gcm_stream_seal(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out,
                                                      const uint8_t *in, size_t n) {
  gcm_stream_blocks(s, key, out, in, n, true);
}
static __attribute__((noinline)) void gcm_stream_open(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out,
                                                      const uint8_t *in, size_t n) {
  gcm_stream_blocks(s, key, out, in, n, false);
}
static void gcm_stream_crypt(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                             size_t n, bool is_open) {
  if (is_open) {
    gcm_stream_open(s, key, out, in, n);
  } else {
    gcm_stream_seal(s, key, out, in, n);
  }
}

/* AAD is short, or in large pieces rare: groups of as many blocks as one vector has. */
INLINE void gcm_stream_hash_blocks(struct gcm_stream *g, const uint8_t *blocks, size_t n) {
  for (; n >= V_LANES; n -= V_LANES, blocks += V_BYTES) {
    v hash = gcm_reversed(v_load(blocks));
    gcm_stream_hash(g, &hash, 1, V_LANES);
  }
  if (n > 0) {
    v hash = gcm_reversed(v_load_lanes(blocks, n));
    gcm_stream_hash(g, &hash, 1, n);
  }
}

static void gcm_stream_absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n) {
  struct gcm_stream g = gcm_stream_load(s, key);
  gcm_stream_hash_blocks(&g, blocks, n);
  gcm_stream_save(s, &g);
}

static void gcm_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  struct gcm_stream g = gcm_stream_load(s, key);
  v lengths = v_all(_mm_set_epi64x((long long)(8 * s->aad_len), (long long)(8 * s->text_len)));
  v ghash = gcm_reversed(gcm_reduced(gcm_product(v_xor(g.acc, lengths), v_load_all(g.powers_end - 16))));
  block_store_all(tag, _mm_xor_si128(v_lane(ghash, 0), block_load_all((const uint8_t *)&s->hash[2])));
}

#define GCM_STREAM_OPS                                                                                                 \
  { 16, gcm_stream_start, gcm_stream_absorb, gcm_stream_crypt, gcm_stream_key_stream, gcm_stream_tag }

#endif
