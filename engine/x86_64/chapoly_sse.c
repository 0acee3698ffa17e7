/* chapoly_sse.c - ChaCha20-Poly1305 four blocks a pass: SSE4.1. */
#include "engine/x86_64/chapoly_vec128.h"

#include "engine/x86_64/chapoly_narrow.h"

#include "engine/chapoly_kernel.h"

#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_chapoly_sse = {
    .name = "chapoly_sse",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41),
    .aead = CHAPOLY_KERNEL_OPS,
    .stream = CHAPOLY_STREAM_OPS,
};
