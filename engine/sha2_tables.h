/* sha2_tables.h - the round constants of SHA-2 (FIPS 180-4 4.2.2, 4.2.3), shared by its kernels. */
#ifndef SEALANE_ENGINE_SHA2_TABLES_H
#define SEALANE_ENGINE_SHA2_TABLES_H

#include <stdint.h>

extern const uint32_t sl_sha256_k[64];
extern const uint64_t sl_sha512_k[80];

#endif
