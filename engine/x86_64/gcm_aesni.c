/* gcm_aesni.c - AES-GCM one block a vector: every x86-64 with AES and PCLMULQDQ. */
#include "engine/x86_64/vec128.h"

#include "engine/x86_64/gcm_narrow.h"

#include "engine/x86_64/gcm_stream.h"

#include "engine/gcm_table.h"
#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_gcm_aesni = {
    .name = "gcm_aesni",
    .algorithm = SL_ALG_AES_GCM,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(AES) | SL_CPU(PCLMUL),
    .aead = GCM_KERNEL_OPS,
    .stream = GCM_STREAM_OPS,
};
