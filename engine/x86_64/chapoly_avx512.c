/* chapoly_avx512.c - ChaCha20-Poly1305 thirty-two blocks a pass: AVX-512 with IFMA and VBMI2 (Ice Lake, Zen 4 and later). */
#include "engine/x86_64/chapoly_vec512.h"

#include "engine/x86_64/chapoly_chacha.h"
#include "engine/x86_64/chapoly_poly52.h"
#include "engine/x86_64/chapoly_two_states.h"

#include "engine/x86_64/chapoly_template.h"

#include "engine/x86_64/kernels.h"

const struct sl_kernel sl_kernel_chapoly_avx512 = {
    .name = "chapoly_avx512",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(SSSE3) | SL_CPU(SSE41) | SL_CPU(BMI2) | SL_CPU(AVX) | SL_CPU(AVX2) | SL_CPU(AVX512F) |
             SL_CPU(AVX512BW) | SL_CPU(AVX512DQ) | SL_CPU(AVX512VL) | SL_CPU(AVX512IFMA) | SL_CPU(AVX512VBMI2) |
             SL_CPU(WIDE512),
    .aead = CHAPOLY_KERNEL_OPS,
    .stream = CHAPOLY_STREAM_OPS,
};
