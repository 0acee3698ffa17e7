/* chapoly_avx2.c - ChaCha20-Poly1305 eight blocks a pass: AVX2 (Haswell, Zen and later). */
#include "engine/x86_64/chapoly_vec256.h"

#include "engine/x86_64/chapoly_narrow.h"

#include "engine/chapoly_kernel.h"

#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_chapoly_avx2 = {
    .name = "chapoly_avx2",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(AVX) | SL_CPU(AVX2),
    .aead = CHAPOLY_KERNEL_OPS,
    .stream = CHAPOLY_STREAM_OPS,
};
