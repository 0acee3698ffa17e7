/* test_portable.c - the parts the portable kernels are made of, against their definitions: the S-box by search, carry-less
 * products bit by bit, AES, ChaCha20 and Poly1305 by published cases and libcrypto. Built twice: with the compiler's 128-bit
 * integers and without. */
#include "unit.h"

#include "engine/portable/aes.h"
#include "engine/portable/chacha20.h"
#include "engine/portable/ghash.h"
#include "engine/portable/poly1305.h"
#include "engine/portable/wide.h"
#include "primitives.h"
#include "vectors.h"
#include <openssl/evp.h>
#include <stdlib.h>

/* Numbers whose carries and corners differ: none, all, single bits, and any. */
static uint64_t corner(unsigned i) {
  switch (i) {
  case 0:
    return 0;
  case 1:
    return UINT64_MAX;
  case 2:
    return UINT64_C(0x1111111111111111);
  case 3:
    return UINT64_C(0xf0f0f0f0f0f0f0f0);
  case 4:
    return UINT64_C(0xffffffff00000000);
  default:
    return i < 69 ? UINT64_C(1) << (i - 5) : number(i, UINT64_MAX);
  }
}

enum { N_CORNERS = 120 };

/* ---- AES ----------------------------------------------------------------------------------------------------- */

/* FIPS 197 4.2 */
static unsigned gf256_mul(unsigned a, unsigned b) {
  unsigned product = 0;
  for (; b != 0; b >>= 1) {
    if ((b & 1) != 0) product ^= a;
    a = (a << 1) ^ (a >> 7) * 0x11b;
  }
  return product;
}

/* FIPS 197 5.1.1: the inverse, by trying all, then the affine map. */
static uint8_t sbox(unsigned x) {
  unsigned inverse = 0;
  for (unsigned y = 1; x != 0 && y < 256; y++) {
    if (gf256_mul(x, y) == 1) inverse = y;
  }
  unsigned out = 0x63;
  for (unsigned turn = 0; turn < 5; turn++) out ^= (inverse << turn | inverse >> (8 - turn)) & 0xff;
  return (uint8_t)out;
}

static void aes_sbox(void **state) {
  (void)state;
  for (unsigned first = 0; first < 256; first += 64) {
    uint8_t blocks[SL_AES_BLOCKS_LEN];
    struct sl_aes_slices q;
    for (unsigned i = 0; i < 64; i++) blocks[i] = (uint8_t)(first + i);
    sl_aes_load(&q, blocks);
    sl_aes_sub_bytes(&q);
    sl_aes_store(blocks, &q);
    for (unsigned i = 0; i < 64; i++) assert_int_equal(blocks[i], sbox(first + i));
  }
}

/* A byte in each place alone comes back from the slices where it was, and stands where aes.h says. */
static void aes_slices(void **state) {
  (void)state;
  for (unsigned place = 0; place < 64; place++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      uint8_t in[SL_AES_BLOCKS_LEN] = {0}, out[SL_AES_BLOCKS_LEN];
      struct sl_aes_slices q;
      in[place] = (uint8_t)(1u << bit);
      sl_aes_load(&q, in);
      unsigned block = place / 16, column = place % 16 / 4, row = place % 4;
      for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(q.s[i], i == bit ? UINT64_C(1) << (16 * row + 4 * column + block) : 0);
      }
      sl_aes_store(out, &q);
      assert_memory_equal(in, out, sizeof in);
    }
  }
}

/* FIPS 197 appendix C.1 and C.3, in each of the four places. */
static void aes_fips197(void **state) {
  (void)state;
  static const uint8_t cipher128[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
                                        0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
  static const uint8_t cipher256[16] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf,
                                        0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
  uint8_t secret[32];
  for (unsigned i = 0; i < 32; i++) secret[i] = (uint8_t)i;
  for (unsigned secret_len = 16; secret_len <= 32; secret_len += 16) {
    struct sl_aes_key key;
    sl_aes_expand(&key, secret, secret_len);
    for (unsigned block = 0; block < 4; block++) {
      uint8_t blocks[SL_AES_BLOCKS_LEN] = {0};
      for (unsigned i = 0; i < 16; i++) blocks[16 * block + i] = (uint8_t)(0x11 * i);
      sl_aes_encrypt4(&key, blocks);
      assert_memory_equal(blocks + 16 * block, secret_len == 16 ? cipher128 : cipher256, 16);
    }
  }
}

static void aes_libcrypto(void **state) {
  (void)state;
  for (unsigned i = 0; i < 400; i++) {
    uint8_t secret[32], blocks[SL_AES_BLOCKS_LEN], want[SL_AES_BLOCKS_LEN];
    struct sl_aes_key key;
    int n;
    fill(secret, sizeof secret, i);
    fill(blocks, sizeof blocks, 1000 + i);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(ctx, i % 2 == 0 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), NULL, secret, NULL),
                     1);
    assert_int_equal(EVP_EncryptUpdate(ctx, want, &n, blocks, sizeof blocks), 1);
    EVP_CIPHER_CTX_free(ctx);
    sl_aes_expand(&key, secret, i % 2 == 0 ? 16 : 32);
    sl_aes_encrypt4(&key, blocks);
    assert_memory_equal(blocks, want, sizeof want);
  }
}

/* ---- products ------------------------------------------------------------------------------------------------ */

static void wide_product(void **state) {
  (void)state;
  for (unsigned i = 0; i < N_CORNERS; i++) {
    for (unsigned j = 0; j < N_CORNERS; j++) {
      uint64_t a = corner(i), b = corner(j), hi = 0, lo = 0;
      for (unsigned bit = 0; bit < 64; bit++) {
        if ((b >> bit & 1) == 0) continue;
        uint64_t before = lo;
        lo += a << bit;
        hi += (bit > 0 ? a >> (64 - bit) : 0) + (lo < before);
      }
      sl_wide p = sl_wide_mul(a, b);
      assert_true(sl_wide_hi(p) == hi && sl_wide_lo(p) == lo);
      assert_true(sl_wide_shift(p, 44) == (hi << 20 | lo >> 44));
      sl_wide sum = sl_wide_add(p, sl_wide_from(b));
      assert_true(sl_wide_lo(sum) == lo + b && sl_wide_hi(sum) == hi + (lo + b < b));
    }
  }
}

static void carryless_product(void **state) {
  (void)state;
  for (unsigned i = 0; i < N_CORNERS; i++) {
    for (unsigned j = 0; j < N_CORNERS; j++) {
      uint64_t a = corner(i), b = corner(j), hi = 0, lo = 0;
      for (unsigned bit = 0; bit < 64; bit++) {
        if ((b >> bit & 1) == 0) continue;
        lo ^= a << bit;
        hi ^= bit > 0 ? a >> (64 - bit) : 0;
      }
      struct sl_gf128 p = sl_clmul64(a, b);
      assert_true(p.hi == hi && p.lo == lo);
    }
  }
}

/* SP 800-38D 6.3, algorithm 1, as it stands there. */
static struct sl_gf128 gf128_mul_by_bits(struct sl_gf128 x, struct sl_gf128 y) {
  struct sl_gf128 z = {0, 0}, v = y;
  for (unsigned i = 0; i < 128; i++) {
    uint64_t bit = i < 64 ? x.hi >> (63 - i) & 1 : x.lo >> (127 - i) & 1;
    if (bit != 0) z = (struct sl_gf128){z.hi ^ v.hi, z.lo ^ v.lo};
    uint64_t lsb = v.lo & 1;
    v = (struct sl_gf128){v.hi >> 1, v.lo >> 1 | v.hi << 63};
    if (lsb != 0) v.hi ^= UINT64_C(0xe100000000000000);
  }
  return z;
}

static void ghash_product(void **state) {
  (void)state;
  for (unsigned i = 0; i < N_CORNERS; i++) {
    for (unsigned j = 0; j < N_CORNERS; j++) {
      struct sl_gf128 a = {corner(i), corner(N_CORNERS - 1 - i)}, b = {corner(j), corner((7 * j + 3) % N_CORNERS)};
      struct sl_gf128 want = gf128_mul_by_bits(a, b), got = sl_gf128_mul(a, sl_gf128_div_x(b));
      assert_true(got.hi == want.hi && got.lo == want.lo);
    }
  }
}

/* ---- ChaCha20 ------------------------------------------------------------------------------------------------ */

static void chacha20_rfc8439(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "chacha20_rfc8439.txt"); vectors_next(&v);) {
    size_t key_len, nonce_len, len, cipher_len;
    const uint8_t *key = vectors_bytes(&v, "key", &key_len), *nonce = vectors_bytes(&v, "nonce", &nonce_len);
    const uint8_t *text = vectors_bytes(&v, "text", &len), *cipher = vectors_bytes(&v, "cipher", &cipher_len);
    uint64_t counter = vectors_number(&v, "counter");
    assert_true(key_len == 32 && nonce_len == 12 && len == cipher_len);
    uint8_t stream[SL_CHACHA20_STREAM_LEN];
    for (size_t off = 0; off < len; off += sizeof stream) {
      sl_chacha20_blocks4(stream, key, nonce, (uint32_t)(counter + off / 64));
      for (size_t i = 0; i < sizeof stream && off + i < len; i++) {
        assert_int_equal(text[off + i] ^ stream[i], cipher[off + i]);
      }
    }
  }
  vectors_close(&v);
}

/* Block n is the same in whichever of the four places it is made, also where the counter passes 2^32. */
static void chacha20_places(void **state) {
  (void)state;
  static const uint32_t counters[] = {0, 1, 5, 0xfffffffc, 0xfffffffe, 0xffffffff};
  uint8_t key[32], nonce[12], a[SL_CHACHA20_STREAM_LEN], b[SL_CHACHA20_STREAM_LEN];
  fill(key, sizeof key, 1);
  fill(nonce, sizeof nonce, 2);
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
    sl_chacha20_blocks4(a, key, nonce, counters[i]);
    for (uint32_t place = 1; place < 4; place++) {
      sl_chacha20_blocks4(b, key, nonce, counters[i] + place);
      assert_memory_equal(a + 64 * place, b, 64);
    }
  }
}

/* ---- Poly1305 ------------------------------------------------------------------------------------------------ */

/* A whole message, the last block filled up as RFC 8439 2.5.1 says. */
static void poly1305(uint8_t tag[16], const uint8_t key[32], const uint8_t *msg, size_t len) {
  struct sl_poly1305 poly;
  sl_poly1305_init(&poly, key);
  for (; len >= 16; len -= 16, msg += 16) sl_poly1305_block(&poly, msg, 1);
  if (len > 0) {
    uint8_t block[16] = {0};
    memcpy(block, msg, len);
    block[len] = 1;
    sl_poly1305_block(&poly, block, 0);
  }
  sl_poly1305_final(&poly, tag);
}

static void poly1305_rfc8439(void **state) {
  (void)state;
  struct vectors v;
  for (vectors_open(&v, "poly1305_rfc8439.txt"); vectors_next(&v);) {
    size_t key_len, len, tag_len;
    const uint8_t *key = vectors_bytes(&v, "key", &key_len), *msg = vectors_bytes(&v, "msg", &len);
    const uint8_t *want = vectors_bytes(&v, "tag", &tag_len);
    uint8_t tag[16];
    assert_true(key_len == 32 && tag_len == 16);
    poly1305(tag, key, msg, len);
    assert_memory_equal(tag, want, 16);
  }
  vectors_close(&v);
}

static void poly1305_by_libcrypto(uint8_t tag[16], const uint8_t key[32], const uint8_t *msg, size_t len) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
  EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
  size_t tag_len;
  assert_int_equal(EVP_MAC_init(ctx, key, 32, NULL), 1);
  assert_int_equal(EVP_MAC_update(ctx, msg, len), 1);
  assert_int_equal(EVP_MAC_final(ctx, tag, &tag_len, 16), 1);
  EVP_MAC_CTX_free(ctx);
  EVP_MAC_free(mac);
}

/* Keys and messages of extreme bytes drive the limbs to their bounds; the sums wrap round p and 2^128. */
static void poly1305_extremes(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x00, 0x01, 0xfb, 0xff};
  uint8_t key[32], msg[16 * 40], tag[16], want[16];
  for (unsigned i = 0; i < 4 * 4 * 5; i++) {
    memset(key, bytes[i % 4], 16);
    memset(key + 16, bytes[i / 4 % 4], 16);
    if (i / 16 < 4) memset(msg, bytes[i / 16], sizeof msg);
    if (i / 16 == 4) fill(msg, sizeof msg, i);
    for (size_t len = 0; len <= sizeof msg; len += len < 64 ? 1 : 16) {
      poly1305(tag, key, msg, len);
      poly1305_by_libcrypto(want, key, msg, len);
      assert_memory_equal(tag, want, 16);
    }
  }
  for (unsigned i = 0; i < 2000; i++) {
    size_t len = number(i, sizeof msg + 1);
    fill(key, sizeof key, i);
    fill(msg, sizeof msg, 5000 + i);
    poly1305(tag, key, msg, len);
    poly1305_by_libcrypto(want, key, msg, len);
    assert_memory_equal(tag, want, 16);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(aes_sbox),         cmocka_unit_test(aes_slices),        cmocka_unit_test(aes_fips197),
      cmocka_unit_test(aes_libcrypto),    cmocka_unit_test(wide_product),      cmocka_unit_test(carryless_product),
      cmocka_unit_test(ghash_product),    cmocka_unit_test(chacha20_rfc8439),  cmocka_unit_test(chacha20_places),
      cmocka_unit_test(poly1305_rfc8439), cmocka_unit_test(poly1305_extremes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
