/* kernels.h - Intel IPsec-MB's AEADs as kernels, for the list of x86_64/kernels.c: a second oracle in tests, and a row beside
 * ours in the bench. They stand behind the portable kernels, which run everywhere: nobody gets them but by name.
 *
 * The build decides what is behind the two names: the library's (ipsec_mb_gcm.c, ipsec_mb_chapoly.c) or, without it, kernels
 * that say so (none.c). docs/decisions/0020-ipsec-mb-kernels.md has the reasons for the rest. */
#ifndef SEALANE_ENGINE_IPSEC_MB_KERNELS_H
#define SEALANE_ENGINE_IPSEC_MB_KERNELS_H

#include "engine/kernel.h"

/* What the library's functions for AVX2 execute. They are named, not left to the library's own look at the CPU, which
 * does not ask SEALANE_CPU_OFF. */
#define IPSEC_MB_NEEDS (SL_CPU(AVX2) | SL_CPU(BMI2) | SL_CPU(AES) | SL_CPU(PCLMUL))

extern const struct sl_kernel sl_kernel_ipsec_mb_chapoly;
extern const struct sl_kernel sl_kernel_ipsec_mb_gcm;

#endif
