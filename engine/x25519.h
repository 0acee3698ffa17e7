/* x25519.h - Diffie-Hellman on Curve25519 (RFC 7748 section 5 and 6.1), constant time. */
#ifndef SEALANE_ENGINE_X25519_H
#define SEALANE_ENGINE_X25519_H

#include <sealane/error.h>
#include <stddef.h>
#include <stdint.h>

#define SL_X25519_LEN 32u

/* out = scalar * the base point: a public key. errors: SL_E_KERNEL, SL_E_SELFTEST from the selection */
SL_MUST_USE sl_err sl_x25519_public(uint8_t out[32], const uint8_t scalar[32]);
/* out = scalar * point: the shared secret. out may alias point.
 * errors: SL_E_KEY_SHARE the result is all zeros (a point of small order; RFC 7748 6.1, RFC 8446 7.4.2): out is zeroed */
SL_MUST_USE sl_err sl_x25519_shared(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);

#endif
