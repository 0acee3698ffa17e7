/* gcm_vaes256.c - AES-GCM two blocks a vector: VAES and VPCLMULQDQ without AVX-512 (Zen 3, Alder Lake, Sierra Forest). */
#include "engine/x86_64/vec256.h"

#include "engine/x86_64/gcm_narrow.h"

#include "engine/x86_64/gcm_stream.h"

#include "engine/gcm_table.h"
#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_gcm_vaes256 = {
    .name = "gcm_vaes256",
    .algorithm = SL_ALG_AES_GCM,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(AES) | SL_CPU(PCLMUL) | SL_CPU(AVX) | SL_CPU(AVX2) | SL_CPU(VAES) |
             SL_CPU(VPCLMUL),
    .aead = GCM_KERNEL_OPS,
    .stream = GCM_STREAM_OPS,
};
