/* gcm_armv8_sha3.c - AES-GCM on AESE and PMULL, with the three-input exclusive or that came with SHA-3. */
#include "engine/aarch64/block.h"

static inline v v_xor3(v a, v b, v c) {
  return veor3q_u8(a, b, c);
}

#include "engine/aarch64/gcm_jobs.h"
#include "engine/aarch64/gcm_stream.h"

#include "engine/gcm_table.h"

#include "engine/aarch64/kernels.h"

const struct sl_kernel sl_kernel_gcm_armv8_sha3 = {
    .name = "gcm_armv8_sha3",
    .algorithm = SL_ALG_AES_GCM,
    .needs = SL_CPU(NEON) | SL_CPU(ARM_AES) | SL_CPU(ARM_PMULL) | SL_CPU(ARM_EOR3),
    .aead = GCM_KERNEL_OPS,
    .stream = GCM_STREAM_OPS,
};
