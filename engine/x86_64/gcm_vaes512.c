/* gcm_vaes512.c - AES-GCM four blocks a vector: VAES, VPCLMULQDQ and AVX-512 (Ice Lake, Zen 4 and later). */
#include "engine/x86_64/vec512.h"

#include "engine/x86_64/gcm_wide.h"

#include "engine/x86_64/gcm_stream.h"

#include "engine/gcm_table.h"
#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_gcm_vaes512 = {
    .name = "gcm_vaes512",
    .algorithm = SL_ALG_AES_GCM,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(AES) | SL_CPU(PCLMUL) | SL_CPU(BMI2) | SL_CPU(AVX) | SL_CPU(AVX2) |
             SL_CPU(VAES) | SL_CPU(VPCLMUL) | SL_CPU(AVX512F) | SL_CPU(AVX512BW) | SL_CPU(AVX512DQ) | SL_CPU(AVX512VL) |
             SL_CPU(WIDE512),
    .aead = GCM_KERNEL_OPS,
    .stream = GCM_STREAM_OPS,
};
