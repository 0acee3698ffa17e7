/* groups.c - the table of groups.h. */
#include "groups.h"
#include <engine/x25519.h>

static bool any_is_secret(const uint8_t secret[SL_EXCHANGE_SECRET_LEN]) {
  (void)secret;
  return true;
}

static sl_err x25519_exchange(uint8_t *share, uint8_t shared[SL_EXCHANGE_SHARED_LEN],
                              const uint8_t secret[SL_EXCHANGE_SECRET_LEN], const uint8_t *peer_share) {
  sl_err err = sl_x25519_public(share, secret);
  return err ? err : sl_x25519_shared(shared, secret, peer_share);
}

static const struct sl_group_params groups[] = {
    {SL_GROUP_X25519, SL_X25519_LEN, "x25519", any_is_secret, x25519_exchange},
    {SL_GROUP_SECP256R1, SL_SHARE_MAX, "secp256r1", sl_secp256r1_is_secret, sl_secp256r1_exchange},
};
enum { N_GROUPS = sizeof groups / sizeof groups[0] };
_Static_assert(N_GROUPS <= 4, "a connection keeps its row in two bits");

const struct sl_group_params *sl_group_at(size_t i) {
  return i < N_GROUPS ? &groups[i] : NULL;
}

const struct sl_group_params *sl_group_params(uint16_t group) {
  for (size_t i = 0; i < N_GROUPS; i++)
    if (groups[i].group == group) return &groups[i];
  return NULL;
}
