/* gcm_expand.c - AES-GCM keys for x86 (FIPS 197 5.2, SP 800-38D 6.3): round keys and powers of H, the same for every vector width. */
#include "engine/x86_64/vec128.h"

#include "engine/x86_64/gcm_template.h"

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

void sl_gcm_expand(struct sl_aead_key *key, const uint8_t *secret, unsigned rounds) {
  uint8_t *mem = sl_key_mem(key, 16 * ((size_t)rounds + 1));
  gcm_expand_rounds(mem, secret, rounds);

  __m128i h = block_load_all(mem);
  for (unsigned r = 1; r < rounds; r++) h = _mm_aesenc_si128(h, block_load_all(mem + 16 * r));
  h = _mm_aesenclast_si128(h, block_load_all(mem + 16 * rounds));

  /* H over x: shifted left by one, the bit that falls out folded back. */
  uint8_t bytes[16];
  block_store_all(bytes, h);
  uint64_t high = sl_load64_be(bytes), low = sl_load64_be(bytes + 8), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  block_store_all(mem - 16, _mm_set_epi64x((long long)high, (long long)low));
  for (unsigned i = 2; i <= N_POWERS; i++) {
    v a = v_load_all(mem - 16 * (i / 2)), b = v_load_all(mem - 16 * (i - i / 2));
    block_store_all(mem - 16 * i, v_lane(gcm_reduced(gcm_product(a, b)), 0));
  }
  sl_wipe(bytes, sizeof bytes);
}
