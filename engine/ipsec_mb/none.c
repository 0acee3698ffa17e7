/* none.c - stands in for the kernels of Intel IPsec-MB where the build has no such library: their rows say so. */
#include "engine/ipsec_mb/kernels.h"

static const char *start(void) {
  return "built without intel-ipsec-mb";
}

const struct sl_kernel sl_kernel_ipsec_mb_gcm = {
    .name = "ipsec_mb_gcm", .algorithm = SL_ALG_AES_GCM, .needs = IPSEC_MB_NEEDS, .start = start};
const struct sl_kernel sl_kernel_ipsec_mb_chapoly = {
    .name = "ipsec_mb_chapoly", .algorithm = SL_ALG_CHACHA20_POLY1305, .needs = IPSEC_MB_NEEDS, .start = start};
