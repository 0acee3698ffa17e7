/* chapoly_neon.c - ChaCha20-Poly1305 eight blocks a pass: NEON. */
#include "engine/aarch64/chapoly_chacha.h"

#include "engine/chapoly_units.h"

#include "engine/aarch64/kernels.h"

const struct sl_kernel sl_kernel_chapoly_neon = {
    .name = "chapoly_neon",
    .algorithm = SL_ALG_CHACHA20_POLY1305,
    .needs = SL_CPU(NEON),
    .aead = CHAPOLY_KERNEL_OPS,
    .stream = CHAPOLY_STREAM_OPS,
};
