/* gcm_template.h - AES-GCM (SP 800-38D) on the cryptographic extensions of 64-bit ARM. A variant says how it adds three vectors
 * (v_xor3), includes this and gcm_single.h, gcm_pairs.h, gcm_stream.h, then makes its table. The algebra is in docs/gcm.md;
 * values have the same names there. A vector is a block, so that a record has a position for everything:
 *
 *     position    1     2 ............ n+1   n+2
 *     counter     1     2 ............ n+1
 *     AES out     mask  key stream           -           mask = E(J0), which hides the tag
 *     GHASH in    AAD   ciphertext           lengths     the last block of the AAD; those before it are hashed ahead
 *
 * Position p is multiplied by H^(n+3-p), and one reduction makes the tag. Records of up to PAIR_BLOCKS go two at a time
 * (gcm_pairs.h), longer ones and pieces of streams by groups of GROUP positions, which begin at multiples of it (gcm_single.h).
 *
 * AESE adds a round key first and AESMC belongs behind it: side by side the two are one operation to the cores this is for. GHASH
 * takes blocks with their bytes reversed. One instruction reverses the bytes of either half, and that is enough: blocks and powers
 * have their halves exchanged, the upper one first, and it is PMULL that makes `high` and PMULL2 that makes `low`. */
#ifndef SEALANE_ENGINE_AARCH64_GCM_TEMPLATE_H
#define SEALANE_ENGINE_AARCH64_GCM_TEMPLATE_H

#include "engine/aarch64/block.h"
#include "engine/aead_jobs.h"
#include "engine/kernel.h"
#include "engine/portable/unroll.h"

#define INLINE static inline __attribute__((always_inline))
#define PART   static __attribute__((noinline)) /* a function of its own, once */

enum {
  GROUP = 8,         /* positions taken together in long records */
  PAIR_BLOCKS = 6,   /* of text in a record that goes beside another */
  N_PAIRS = 5,       /* of powers in a key: H^10 H^9 ... H^2 H^1 */
  PAIR_LEN = 3 * 16, /* bytes of one: two powers, then what Karatsuba takes of both */
  POWERS_LEN = N_PAIRS * PAIR_LEN,
};
_Static_assert(2 * N_PAIRS >= GROUP + 1 && 2 * N_PAIRS >= PAIR_BLOCKS + 2, "a key has all powers of a last group");

/* ---- AES ----------------------------------------------------------------------------------------------------- */

/* A round: adds k, then SubBytes, ShiftRows, MixColumns. */
INLINE v v_aes(v x, v k) {
  return vaesmcq_u8(vaeseq_u8(x, k));
}
/* The last round, but for the last key. */
INLINE v v_aes_last(v x, v k) {
  return vaeseq_u8(x, k);
}

/* What distinguishes the counter blocks of a group. It begins at a multiple of 8, so their big-endian sum with its first
 * counter is an exclusive or. What is behind such a multiple is nobody's. */
#define POSITION(p)                                                                                                    \
  { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, p }
#define POSITIONS_4(p) POSITION(p), POSITION(p + 1), POSITION(p + 2), POSITION(p + 3)
static const uint8_t gcm_positions[2 * GROUP][16] __attribute__((aligned(64))) = {
    POSITIONS_4(0),
    POSITIONS_4(4),
    POSITIONS_4(8),
    POSITIONS_4(12),
};

/* The nonce with a counter behind it: the first of a group. */
INLINE v gcm_counter(v nonce, uint32_t counter) {
  return v_set_word3(nonce, __builtin_bswap32(counter));
}

/* AES's input for n positions of a group, from its position `from` on. */
INLINE void gcm_counters(v x[], unsigned n, v first, size_t from) {
  const uint8_t *position = gcm_positions[from];
  __asm__("" : "+r"(position)); /* one address, not one for each */
  SL_UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_xor(first, block_load_all(position + 16 * j));
}

/* One round of n vectors. */
INLINE void gcm_round(v k, v x[], unsigned n) {
  SL_UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_aes(x[j], k);
}
/* The last thing a loop does to n vectors: gcc 12 takes what goes round a loop and what leaves it for two variables, and moves the
 * one to the other each time. */
INLINE void gcm_settle(v x[], unsigned n) {
  SL_UNROLL for (unsigned j = 0; j < n; j++) __asm__("" : "+w"(x[j]));
}
INLINE void gcm_round_last(v k, v x[], unsigned n) {
  SL_UNROLL for (unsigned j = 0; j < n; j++) x[j] = v_aes_last(x[j], k);
}

/* ---- GHASH --------------------------------------------------------------------------------------------------- */

/* Half times half: the lower of either register, the upper of either. */
INLINE v v_clmul_ll(v a, v b) {
  poly64_t x = vgetq_lane_p64(vreinterpretq_p64_u8(a), 0), y = vgetq_lane_p64(vreinterpretq_p64_u8(b), 0);
  return vreinterpretq_u8_p128(vmull_p64(x, y));
}
INLINE v v_clmul_hh(v a, v b) {
  return vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(a), vreinterpretq_p64_u8(b)));
}

/* A sum of products not yet reduced: low + mid x^64 + high x^128, where Karatsuba's mid still holds low and high. */
struct gcm_sum {
  v low, mid, high;
};

INLINE struct gcm_sum gcm_no_sum(void) {
  return (struct gcm_sum){v_zero(), v_zero(), v_zero()};
}

/* s + b H^i, i odd, where `pair` has H^(i+1) and H^i. */
INLINE struct gcm_sum gcm_add_one(struct gcm_sum s, v b, const uint8_t *pair) {
  v h = block_load_all(pair + 16), folded = block_load_all(pair + 32);
  return (struct gcm_sum){v_xor(s.low, v_clmul_hh(b, h)), v_xor(s.mid, v_clmul_hh(v_xor(b, v_swap(b)), folded)),
                          v_xor(s.high, v_clmul_ll(b, h))};
}

/* s + a H^(i+1) + b H^i; `first`: there is no sum yet. Folding both at once takes three operations instead of four. */
INLINE struct gcm_sum gcm_add_two(struct gcm_sum s, v a, v b, const uint8_t *pair, bool first) {
  v g = block_load_all(pair), h = block_load_all(pair + 16), folded = block_load_all(pair + 32);
  v ab = v_xor(v_lows(a, b), v_highs(a, b));
  v low = v_clmul_hh(a, g), mid = v_clmul_ll(ab, folded), high = v_clmul_ll(a, g);
  if (first) {
    return (struct gcm_sum){v_xor(low, v_clmul_hh(b, h)), v_xor(mid, v_clmul_hh(ab, folded)),
                            v_xor(high, v_clmul_ll(b, h))};
  }
  return (struct gcm_sum){v_xor3(s.low, low, v_clmul_hh(b, h)), v_xor3(s.mid, mid, v_clmul_hh(ab, folded)),
                          v_xor3(s.high, high, v_clmul_ll(b, h))};
}

/* The sum modulo p, halves exchanged as blocks have them. */
INLINE v gcm_reduced(struct gcm_sum s) {
  const v poly = block_of(0xc200000000000000, 0); /* x^63 + x^62 + x^57: docs/gcm.md */
  v mid = v_xor(s.mid, v_xor3(s.low, s.high, v_swap(s.low)));
  mid = v_xor(mid, v_clmul_ll(s.low, poly));
  return v_xor3(mid, v_swap(s.high), v_swap(v_clmul_ll(mid, poly)));
}

/* blocks[0] H^n + ... + blocks[n-1] H, with acc added to the first; 1 <= n <= 2 * N_PAIRS. They are as they come. */
PART v gcm_hash(v acc, const uint8_t (*blocks)[16], size_t n, const uint8_t *key) {
  struct gcm_sum s = gcm_no_sum();
  const uint8_t *pair = key - PAIR_LEN * ((n + 1) / 2);
  if (n % 2 == 1) {
    s = gcm_add_one(s, v_xor(v_turn(block_load_all(blocks[0])), acc), pair);
    acc = v_zero();
    blocks++;
    pair += PAIR_LEN;
  }
  for (; pair < key; pair += PAIR_LEN, blocks += 2) {
    v a = v_xor(v_turn(block_load_all(blocks[0])), acc);
    s = gcm_add_two(s, a, v_turn(block_load_all(blocks[1])), pair, false);
    acc = v_zero();
  }
  return gcm_reduced(s);
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* The end of a key's memory: N_PAIRS of powers, each over x (docs/gcm.md), descending to H^2 and H; then round keys; one pointer to where these
 * meet serves both, and pair i, which has H^2i, is at - PAIR_LEN * i. */
INLINE const uint8_t *gcm_key_mem(const struct sl_aead_key *key, unsigned rounds) {
  return sl_key_mem(key, 16 * ((size_t)rounds + 1));
}

/* x shifted up by 4 n bytes. */
#define KEY_SHIFT(x, n) vextq_u8(v_zero(), x, 16 - 4 * (n))

INLINE v gcm_key_mix(v k) {
  k = v_xor(k, KEY_SHIFT(k, 1));
  return v_xor(k, KEY_SHIFT(k, 2));
}

/* SubWord(w) in all four columns, w the last word of k: AESE of a block whose columns are alike, where ShiftRows changes
 * nothing. */
INLINE uint32x4_t gcm_sub_word(v k) {
  v columns = vreinterpretq_u8_u32(vdupq_laneq_u32(vreinterpretq_u32_u8(k), 3));
  return vreinterpretq_u32_u8(vaeseq_u8(columns, v_zero()));
}
INLINE v gcm_sub_rotated(v k, uint8_t rcon) {
  uint32x4_t sub = gcm_sub_word(k);
  sub = vsriq_n_u32(vshlq_n_u32(sub, 24), sub, 8);
  return vreinterpretq_u8_u32(veorq_u32(sub, vdupq_n_u32(rcon)));
}

/* FIPS 197 5.2. */
static void gcm_expand_rounds(uint8_t *out, const uint8_t *secret, unsigned rounds) {
  v a = block_load_all(secret);
  uint8_t rcon = 1;
  block_store_all(out, a);
  if (rounds == 10) {
    for (unsigned r = 1; r <= 10; r++) {
      a = v_xor(gcm_key_mix(a), gcm_sub_rotated(a, rcon));
      block_store_all(out + 16 * r, a);
      rcon = r == 8 ? 0x1b : (uint8_t)(rcon << 1);
    }
    return;
  }
  v b = block_load_all(secret + 16);
  block_store_all(out + 16, b);
  for (unsigned r = 2;; r += 2) {
    a = v_xor(gcm_key_mix(a), gcm_sub_rotated(b, rcon));
    block_store_all(out + 16 * r, a);
    if (r == 14) return;
    b = v_xor(gcm_key_mix(b), vreinterpretq_u8_u32(gcm_sub_word(a)));
    block_store_all(out + 16 * (r + 1), b);
    rcon = (uint8_t)(rcon << 1);
  }
}

/* E(x), for what is not worth more. */
INLINE v gcm_encrypt(v x, const uint8_t *round_keys, unsigned rounds) {
  for (unsigned r = 0; r + 1 < rounds; r++) x = v_aes(x, block_load_all(round_keys + 16 * r));
  x = v_aes_last(x, block_load_all(round_keys + 16 * (rounds - 1)));
  return v_xor(x, block_load_all(round_keys + 16 * rounds));
}

/* a h, both with their halves exchanged. */
INLINE v gcm_product(v a, v h) {
  v mid = v_clmul_ll(v_xor(a, v_swap(a)), v_xor(h, v_swap(h)));
  return gcm_reduced((struct gcm_sum){v_clmul_hh(a, h), mid, v_clmul_ll(a, h)});
}

static void gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds) {
  uint8_t *mem = sl_key_mem(key, 16 * ((size_t)rounds + 1));
  gcm_expand_rounds(mem, secret, rounds);
  v h = v_turn(gcm_encrypt(v_zero(), mem, rounds));

  /* H over x: shifted left by one, the bit that falls out folded back. */
  uint64_t high = block_low(h), low = block_high(h), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  h = block_of(high, low);

  v odd = h;
  for (unsigned i = 1;; i++) {
    uint8_t *pair = mem - PAIR_LEN * i;
    v even = gcm_product(odd, h);
    block_store_all(pair, even);
    block_store_all(pair + 16, odd);
    block_store_all(pair + 32, v_xor(v_lows(even, odd), v_highs(even, odd)));
    if (i == N_PAIRS) return;
    odd = gcm_product(even, h);
  }
}

/* ---- records ------------------------------------------------------------------------------------------------- */

INLINE size_t gcm_text_len(const struct sl_aead_job *job) {
  return job->len + job->tail_len;
}
INLINE size_t gcm_n_blocks(size_t len) {
  return (len + 15) / 16;
}

/* The nonce and zeros: what is read behind it is the job's, too. */
INLINE v gcm_nonce(const struct sl_aead_job *job) {
  return v_set_word3(block_load_all(job->nonce), 0);
}
_Static_assert(offsetof(struct sl_aead_job, nonce) + 16 <= sizeof(struct sl_aead_job), "a nonce is read as one block");

/* The lengths in bits, as GHASH takes them. */
INLINE v gcm_lengths(uint64_t aad_len, uint64_t text_len) {
  return block_of(8 * aad_len, 8 * text_len);
}

/* One block inside the text: encrypts or decrypts it and returns the ciphertext. */
INLINE v gcm_block(uint8_t *out, const uint8_t *in, v x, v last_key, bool seal) {
  v data = block_load_all(in), done = v_xor3(x, last_key, data);
  block_store_all(out, done);
  return seal ? done : data;
}

/* The block at `off` where the text is cut or has its tail byte. What AES has made for it and the last key come by memory: a
 * caller that had either in a vector would leave a copy on the stack. */
PART v gcm_block_end(struct sl_aead_job *job, const uint8_t x[16], const uint8_t last_key[16], size_t off, bool seal) {
  size_t to_plain = job->len - off, to_text = to_plain + job->tail_len;
  v data = block_load(job->in + off, seal ? to_plain : to_text);
  if (seal && job->tail_len) data = block_put_byte(data, to_plain, job->tail);
  v done = v_xor3(block_load_all(x), block_load_all(last_key), data);
  block_store(job->out + off, seal ? to_text : to_plain, done);
  if (!seal && job->tail_len) job->tail = block_byte(done, to_plain);
  return seal ? block_keep(done, to_text) : data;
}

PART __attribute__((cold)) void gcm_failed(struct sl_aead_job *job, v tag) {
  uint8_t bytes[SL_AEAD_TAG_LEN];
  block_store_all(bytes, tag);
  sl_aead_job_failed(job, bytes);
}
INLINE void gcm_put_tag(struct sl_aead_job *job, v ghash, v mask, bool seal) {
  v tag = v_xor(v_turn(ghash), mask);
  if (seal) {
    block_store_all(job->tag, tag);
  } else if (!sl_aead_job_verdict(job, block_differs(tag, block_load_all(job->tag)))) {
    gcm_failed(job, tag);
  }
}

#endif
