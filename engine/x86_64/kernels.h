/* kernels.h - the kernels of this directory. */
#ifndef SEALANE_ENGINE_X86_64_KERNELS_H
#define SEALANE_ENGINE_X86_64_KERNELS_H

#include "../kernel.h"

extern const struct sl_kernel sl_kernel_gcm_aesni;
extern const struct sl_kernel sl_kernel_gcm_vaes256;
extern const struct sl_kernel sl_kernel_gcm_vaes512;

#endif
