/* kernels.c - the kernels of x86-64: within an algorithm the fastest first, the portable one last; then Intel IPsec-MB's. */
#include "engine/ipsec_mb/kernels.h"
#include "engine/portable/kernels.h"
#include "engine/x86_64/kernels.h"

const struct sl_kernel *const sl_kernel_list[] = {
    /* AES-GCM */
    &sl_kernel_gcm_vaes512,
    &sl_kernel_gcm_vaes256,
    &sl_kernel_gcm_aesni,
    &sl_kernel_gcm_portable,
    &sl_kernel_ipsec_mb_gcm,
    /* ChaCha20-Poly1305 */
    &sl_kernel_chapoly_avx512,
    &sl_kernel_chapoly_avx2,
    &sl_kernel_chapoly_sse,
    &sl_kernel_chapoly_portable,
    &sl_kernel_ipsec_mb_chapoly,
    /* SHA-2 */
    &sl_kernel_sha256_shani,
    &sl_kernel_sha256_portable,
    &sl_kernel_sha512_portable,
    /* X25519 */
    &sl_kernel_x25519_adx,
    &sl_kernel_x25519_portable,
    NULL,
};
