/* kernels.h - the kernels of this directory, for the list in kernels.c. */
#ifndef SEALANE_ENGINE_AARCH64_KERNELS_H
#define SEALANE_ENGINE_AARCH64_KERNELS_H

#include "engine/kernel.h"

extern const struct sl_kernel sl_kernel_chapoly_neon;
extern const struct sl_kernel sl_kernel_gcm_armv8;
extern const struct sl_kernel sl_kernel_gcm_armv8_sha3;
extern const struct sl_kernel sl_kernel_sha256_armv8;
extern const struct sl_kernel sl_kernel_sha512_armv8;

#endif
