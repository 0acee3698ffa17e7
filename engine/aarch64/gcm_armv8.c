/* gcm_armv8.c - AES-GCM on AESE and PMULL: every 64-bit ARM with the cryptographic extensions. */
#include "engine/aarch64/block.h"

static inline v v_xor3(v a, v b, v c) {
  return v_xor(v_xor(a, b), c);
}

#include "engine/aarch64/gcm_jobs.h"
#include "engine/aarch64/gcm_stream.h"

#include "engine/gcm_table.h"

#include "engine/aarch64/kernels.h"

const struct sl_kernel sl_kernel_gcm_armv8 = {
    .name = "gcm_armv8",
    .algorithm = SL_ALG_AES_GCM,
    .needs = SL_CPU(NEON) | SL_CPU(ARM_AES) | SL_CPU(ARM_PMULL),
    .aead = GCM_KERNEL_OPS,
    .stream = GCM_STREAM_OPS,
};
