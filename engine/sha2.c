/* sha2.c - SHA-256, SHA-384 and SHA-512 (FIPS 180-4): padding and buffering. The compression is a kernel's.
 *
 * Lengths are public, bytes are not: which blocks are compressed depends on lengths alone. */
#include "sha2.h"
#include "bytes.h"
#include "kernel.h"

/* What the three hashes differ in. SHA-384 is SHA-512 from another start, cut short. */
struct variant {
  enum sl_algorithm algorithm;
  uint8_t hash_len, block_len;
  union {
    uint32_t w32[8];
    uint64_t w64[8];
  } start;
};

/* Starts: the first 32 or 64 bits of the fractional parts of the square roots of primes, the first eight for SHA-256 and
 * SHA-512, the next eight for SHA-384 (FIPS 180-4 5.3). */
static const struct variant variants[SL_HASH_END] = {
    [SL_SHA256] = {SL_ALG_SHA256,
                   32,
                   64,
                   {.w32 = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                            0x5be0cd19}}},
    [SL_SHA384] = {SL_ALG_SHA512,
                   48,
                   128,
                   {.w64 = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
                            0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4}}},
    [SL_SHA512] = {SL_ALG_SHA512,
                   64,
                   128,
                   {.w64 = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                            0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}}},
};

static const struct variant *variant_of(enum sl_hash hash) {
  return (unsigned)hash < SL_HASH_END ? &variants[hash] : &variants[SL_HASH_NONE];
}

size_t sl_hash_len(enum sl_hash hash) {
  return variant_of(hash)->hash_len;
}

size_t sl_hash_block_len(enum sl_hash hash) {
  return variant_of(hash)->block_len;
}

sl_err sl_hash_init(struct sl_hash_ctx *ctx, enum sl_hash hash) {
  const struct variant *v = variant_of(hash);
  const struct sl_kernel *kernel;
  sl_err err;

  *ctx = (struct sl_hash_ctx){0};
  if (v->hash_len == 0) return SL_E_ARG;
  err = sl_kernel_chosen(v->algorithm, &kernel);
  if (err != SL_OK) return err;
  ctx->ops = &kernel->sha2;
  ctx->hash = hash;
  memcpy(&ctx->state, &v->start, sizeof ctx->state);
  return SL_OK;
}

void sl_hash_update(struct sl_hash_ctx *ctx, const uint8_t *data, size_t len) {
  const size_t block_len = sl_hash_block_len(ctx->hash);

  if (len == 0 || block_len == 0) return;
  ctx->total_len += len;

  if (ctx->n_buffered > 0) {
    size_t room = block_len - ctx->n_buffered;
    size_t n = len < room ? len : room;
    memcpy(ctx->block + ctx->n_buffered, data, n);
    ctx->n_buffered += (uint32_t)n;
    data += n;
    len -= n;
    if (ctx->n_buffered < block_len) return;
    ctx->ops->compress(&ctx->state, ctx->block, 1);
    ctx->n_buffered = 0;
  }

  size_t n_blocks = len / block_len;
  if (n_blocks > 0) {
    ctx->ops->compress(&ctx->state, data, n_blocks);
    data += n_blocks * block_len;
    len -= n_blocks * block_len;
  }
  if (len > 0) {
    memcpy(ctx->block, data, len);
    ctx->n_buffered = (uint32_t)len;
  }
}

/* Padding (FIPS 180-4 5.1): a one bit, zeros up to the last 8 or 16 bytes of a block, the length in bits. The length
 * field's upper half of SHA-512 stays zero but for the three bits that turning bytes into bits pushes there. */
void sl_hash_final(struct sl_hash_ctx *ctx, uint8_t *out) {
  const struct variant *v = variant_of(ctx->hash);
  const size_t block_len = v->block_len, length_len = block_len / 8;

  if (block_len > 0) {
    size_t n = ctx->n_buffered;
    ctx->block[n++] = 0x80;
    if (n > block_len - length_len) {
      memset(ctx->block + n, 0, block_len - n);
      ctx->ops->compress(&ctx->state, ctx->block, 1);
      n = 0;
    }
    memset(ctx->block + n, 0, block_len - n);
    if (length_len == 16) sl_store64_be(ctx->block + block_len - 16, ctx->total_len >> 61);
    sl_store64_be(ctx->block + block_len - 8, ctx->total_len << 3);
    ctx->ops->compress(&ctx->state, ctx->block, 1);

    if (v->algorithm == SL_ALG_SHA256)
      for (size_t i = 0; i < v->hash_len / 4u; i++) sl_store32_be(out + 4 * i, ctx->state.w32[i]);
    else
      for (size_t i = 0; i < v->hash_len / 8u; i++) sl_store64_be(out + 8 * i, ctx->state.w64[i]);
  }
  sl_wipe(ctx, sizeof *ctx);
}

void sl_hash_peek(const struct sl_hash_ctx *ctx, uint8_t *out) {
  struct sl_hash_ctx fork = *ctx;
  sl_hash_final(&fork, out);
}

sl_err sl_hash_once(enum sl_hash hash, const uint8_t *data, size_t len, uint8_t *out) {
  struct sl_hash_ctx ctx;
  sl_err err = sl_hash_init(&ctx, hash);
  if (err != SL_OK) return err;
  sl_hash_update(&ctx, data, len);
  sl_hash_final(&ctx, out);
  return SL_OK;
}
