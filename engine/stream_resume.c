/* stream_resume.c - AES-GCM: from a text that was done whole to the stream it would have been (stream.h). The tag tells the hash
 * before the last blocks went in, to whoever has the hash key: GHASH multiplies by H for each block (SP 800-38D 6.4), and the
 * field GF(2^128) divides.
 *
 * It is slow, bit by bit in constant time: for texts that go on against expectation. */
#include "bytes.h"
#include "stream.h"

/* A block as SP 800-38D 6.3 reads it: bit 0 is the first byte's highest, here of hi. */
struct element {
  uint64_t hi, lo;
};

static struct element load(const uint8_t *p) {
  return (struct element){sl_load64_be(p), sl_load64_be(p + 8)};
}

static struct element sum(struct element a, struct element b) {
  return (struct element){a.hi ^ b.hi, a.lo ^ b.lo};
}

/* acc += b for each bit of `bits`, from the highest on; b steps on with each. */
static void add_products(struct element *acc, struct element *b, uint64_t bits) {
  for (unsigned i = 0; i < 64; i++, bits <<= 1) {
    uint64_t is_set = 0 - (bits >> 63), is_over = 0 - (b->lo & 1);
    acc->hi ^= b->hi & is_set;
    acc->lo ^= b->lo & is_set;
    b->lo = b->lo >> 1 | b->hi << 63;
    b->hi = b->hi >> 1 ^ (is_over & UINT64_C(0xe1) << 56); /* x^128 = x^7 + x^2 + x + 1 */
  }
}

static struct element product(struct element a, struct element b) {
  struct element acc = {0, 0};
  add_products(&acc, &b, a.hi);
  add_products(&acc, &b, a.lo);
  return acc;
}

/* Zeros between the bits, and behind the last. */
static uint64_t spread(uint64_t x) {
  x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
  x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
  x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  x = (x | x << 2) & UINT64_C(0x3333333333333333);
  return ((x | x << 1) & UINT64_C(0x5555555555555555)) << 1;
}

/* A square is the bits spread; what is over is folded in by x^128 = x^7 + x^2 + x + 1, and so is what that gives over. */
static struct element square(struct element a) {
  struct element over = {spread(a.lo >> 32), spread(a.lo & UINT32_MAX)};
  struct element acc = {spread(a.hi >> 32) ^ over.hi, spread(a.hi & UINT32_MAX) ^ over.lo};
  static const unsigned shifts[] = {1, 2, 7};
  uint64_t again = 0;
  for (size_t i = 0; i < 3; i++) {
    unsigned n = shifts[i];
    acc.hi ^= over.hi >> n;
    acc.lo ^= over.lo >> n | over.hi << (64 - n);
    again ^= over.lo << (64 - n);
  }
  acc.hi ^= again ^ again >> 1 ^ again >> 2 ^ again >> 7;
  return acc;
}

/* a to the power 2^n. */
static struct element squared(struct element a, unsigned n) {
  for (; n > 0; n--) a = square(a);
  return a;
}

/* a to the power 2^128 - 2, which is 1 / a. `power` is a to the power 2^n - 1, for n = 1, 3, 7 ... 127. */
static struct element inverse(struct element a) {
  struct element power = a;
  for (unsigned n = 1; n < 127; n = 2 * n + 1) {
    power = product(squared(power, n), power);
    power = product(squared(power, 1), a);
  }
  return squared(power, 1);
}

/* The block cipher on nonce and counter. */
static void encrypt(const struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce, uint32_t counter,
                    uint8_t out[static 16]) {
  struct sl_stream at = {.ops = s->ops, .counter = counter};
  memcpy(at.nonce, nonce, sizeof at.nonce);
  s->ops->start(&at, key);
  memcpy(out, &at.hash[2], 16);
  sl_wipe(at.hash, sizeof at.hash);
}

sl_err sl_stream_resume(struct sl_stream *s, const struct sl_aead_key *key,
                        const uint8_t nonce[static SL_AEAD_NONCE_LEN], uint64_t aad_len, uint64_t text_len,
                        const uint8_t *last, const uint8_t tag[static SL_AEAD_TAG_LEN]) {
  static const uint8_t zeros[16];
  uint8_t block[16];
  if (key->ops == NULL || key->ops->aead == SL_CHACHA20_POLY1305) return SL_E_KEY;
  sl_err err = sl_stream_start(s, key, nonce, SL_AEAD_NONCE_LEN);
  if (err != SL_OK) return err;
  s->aad_len = aad_len;
  s->text_len = text_len;
  s->counter += (uint32_t)(text_len / 16);

  encrypt(s, key, zeros, 0, block); /* H  SP 800-38D 7.1 */
  struct element divisor = inverse(load(block)), lengths = {8 * aad_len, 8 * text_len};
  struct element hash = sum(load(tag), load((const uint8_t *)&s->hash[2]));
  hash = sum(product(hash, divisor), lengths);
  size_t n_last = text_len % 16;
  if (n_last > 0) {
    memset(s->block, 0, sizeof s->block);
    memcpy(s->block, last, n_last);
    hash = sum(product(hash, divisor), load(s->block));
    encrypt(s, key, nonce, s->counter++, s->unit);
    s->n_block = (uint8_t)n_last;
    s->n_unit = (uint8_t)(16 - n_last);
  }
  sl_store64_be(block, hash.hi);
  sl_store64_be(block + 8, hash.lo);
  memcpy(s->hash, block, sizeof block);
  sl_wipe(block, sizeof block);
  sl_wipe(&divisor, sizeof divisor);
  return SL_OK;
}
