/* kernels.c - the kernels of 64-bit ARM: within an algorithm the fastest first, the portable one last. */
#include "engine/aarch64/kernels.h"
#include "engine/portable/kernels.h"

const struct sl_kernel *const sl_kernel_list[] = {
    /* AES-GCM */
    &sl_kernel_gcm_armv8_sha3,
    &sl_kernel_gcm_armv8,
    &sl_kernel_gcm_portable,
    /* ChaCha20-Poly1305 */
    &sl_kernel_chapoly_neon,
    &sl_kernel_chapoly_portable,
    /* SHA-2 */
    &sl_kernel_sha256_armv8,
    &sl_kernel_sha256_portable,
    &sl_kernel_sha512_armv8,
    &sl_kernel_sha512_portable,
    /* X25519 */
    &sl_kernel_x25519_portable,
    NULL,
};
