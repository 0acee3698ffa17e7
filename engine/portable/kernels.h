/* kernels.h - the portable kernels, which end every architecture's list. */
#ifndef SEALANE_ENGINE_PORTABLE_KERNELS_H
#define SEALANE_ENGINE_PORTABLE_KERNELS_H

#include "engine/kernel.h"

extern const struct sl_kernel sl_kernel_chapoly_portable;
extern const struct sl_kernel sl_kernel_gcm_portable;
extern const struct sl_kernel sl_kernel_sha256_portable;
extern const struct sl_kernel sl_kernel_sha512_portable;
extern const struct sl_kernel sl_kernel_x25519_portable;

#endif
