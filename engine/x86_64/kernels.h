/* kernels.h - the kernels of this directory, for the list in kernels.c. */
#ifndef SEALANE_ENGINE_X86_64_KERNELS_H
#define SEALANE_ENGINE_X86_64_KERNELS_H

#include "engine/kernel.h"

extern const struct sl_kernel sl_kernel_chapoly_avx2;
extern const struct sl_kernel sl_kernel_chapoly_avx512;
extern const struct sl_kernel sl_kernel_chapoly_sse;
extern const struct sl_kernel sl_kernel_gcm_aesni;
extern const struct sl_kernel sl_kernel_gcm_vaes256;
extern const struct sl_kernel sl_kernel_gcm_vaes512;
extern const struct sl_kernel sl_kernel_sha256_shani;
extern const struct sl_kernel sl_kernel_x25519_adx;

#endif
