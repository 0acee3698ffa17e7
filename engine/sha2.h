/* sha2.h - SHA-256, SHA-384 and SHA-512 (FIPS 180-4), streaming, copyable in any state: a transcript is one of these. */
#ifndef SEALANE_ENGINE_SHA2_H
#define SEALANE_ENGINE_SHA2_H

#include <sealane/error.h>
#include <stddef.h>
#include <stdint.h>

enum sl_hash { SL_HASH_NONE, SL_SHA256, SL_SHA384, SL_SHA512, SL_HASH_END };

#define SL_HASH_LEN_MAX   64u
#define SL_HASH_BLOCK_MAX 128u

struct sl_sha2_ops;

/* A hash under way. All-zero is a valid empty object; a plain copy of the struct forks the hash. */
struct sl_hash_ctx {
  const struct sl_sha2_ops *ops;
  enum sl_hash hash;
  uint32_t n_buffered; /* bytes in block */
  uint64_t total_len;  /* bytes absorbed; SHA-2's own limit of 2^61 is out of reach */
  union {
    uint32_t w32[8];
    uint64_t w64[8];
  } state;
  uint8_t block[SL_HASH_BLOCK_MAX];
};

/* 32, 48, 64; 0 otherwise. */
size_t sl_hash_len(enum sl_hash hash);
/* 64, 128, 128; 0 otherwise. */
size_t sl_hash_block_len(enum sl_hash hash);

/* errors: SL_E_ARG unknown hash; SL_E_KERNEL, SL_E_SELFTEST from the selection */
SL_MUST_USE sl_err sl_hash_init(struct sl_hash_ctx *ctx, enum sl_hash hash);
/* Absorbs data[0..len); NULL with 0 is allowed. On an empty object it does nothing. */
void sl_hash_update(struct sl_hash_ctx *ctx, const uint8_t *data, size_t len);
/* Writes sl_hash_len() bytes and wipes ctx. `out` may be inside data absorbed before. */
void sl_hash_final(struct sl_hash_ctx *ctx, uint8_t *out);
/* The hash of everything so far, without ending it. */
void sl_hash_peek(const struct sl_hash_ctx *ctx, uint8_t *out);
/* One shot. */
SL_MUST_USE sl_err sl_hash_once(enum sl_hash hash, const uint8_t *data, size_t len, uint8_t *out);

#endif
