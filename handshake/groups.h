/* groups.h - the groups keys are exchanged in (RFC 8446 4.2.7, 4.2.8, 7.4), as a table: x25519, which is ours, and secp256r1,
 * which every TLS 1.3 peer must have (9.1) and which is libcrypto's. */
#ifndef SEALANE_HANDSHAKE_GROUPS_H
#define SEALANE_HANDSHAKE_GROUPS_H

#include <sealane/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_group { SL_GROUP_SECP256R1 = 0x0017, SL_GROUP_X25519 = 0x001d };

#define SL_EXCHANGE_SECRET_LEN 32u /* a private key, of any group here: 32 bytes */
#define SL_EXCHANGE_SHARED_LEN 32u /* and what comes of it: one coordinate */
#define SL_SHARE_MAX           65u /* calc: 1 + 2 * 32  an uncompressed point of secp256r1 */

struct sl_group_params {
  uint16_t group;
  uint16_t share_len; /* bytes of a KeyShareEntry's key_exchange, ours and the peer's */
  const char *name;
  /* Whether 32 random bytes are a private key. One in 2^32 is not for secp256r1: draw again. */
  bool (*is_secret)(const uint8_t secret[SL_EXCHANGE_SECRET_LEN]);
  /* Makes our share[0..share_len) and the shared secret.
   * errors: SL_E_KEY_SHARE the peer's share is no point of the group, or one whose secret is known to all: `shared` is
   *         zeroed; SL_E_MEMORY
   * time:   independent of secret and shared */
  sl_err (*exchange)(uint8_t *share, uint8_t shared[SL_EXCHANGE_SHARED_LEN],
                     const uint8_t secret[SL_EXCHANGE_SECRET_LEN], const uint8_t *peer_share);
};

/* The groups of this side in its order of preference; NULL from the end on. */
const struct sl_group_params *sl_group_at(size_t i);
/* NULL for a group that is not ours. */
const struct sl_group_params *sl_group_params(uint16_t group);

/* secp256r1_libcrypto.c: the rows' functions for secp256r1. */
bool sl_secp256r1_is_secret(const uint8_t secret[SL_EXCHANGE_SECRET_LEN]);
SL_MUST_USE sl_err sl_secp256r1_exchange(uint8_t *share, uint8_t shared[SL_EXCHANGE_SHARED_LEN],
                                         const uint8_t secret[SL_EXCHANGE_SECRET_LEN], const uint8_t *peer_share);

#endif
