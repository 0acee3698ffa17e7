/* x25519.c - Diffie-Hellman on Curve25519 (RFC 7748 6.1): the check of the result. The ladder is a kernel's. */
#include "x25519.h"
#include "bytes.h"
#include "kernel.h"

/* The u-coordinate of the base point (RFC 7748 4.1). */
static const uint8_t base_point[SL_X25519_LEN] = {9};

static sl_err multiply(uint8_t *out, const uint8_t *scalar, const uint8_t *point) {
  const struct sl_x25519_job job = {out, scalar, point};
  const struct sl_kernel *kernel;
  sl_err err = sl_kernel_chosen(SL_ALG_X25519, &kernel);
  if (err != SL_OK) return err;
  kernel->x25519.run(&job, 1);
  return SL_OK;
}

sl_err sl_x25519_public(uint8_t out[32], const uint8_t scalar[32]) {
  return multiply(out, scalar, base_point);
}

sl_err sl_x25519_shared(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]) {
  static const uint8_t zeros[SL_X25519_LEN];
  uint32_t differs;
  sl_err err = multiply(out, scalar, point);
  if (err != SL_OK) return err;

  /* A clamped scalar is a multiple of the cofactor, so every point of small order gives zero, whatever the scalar: the
   * verdict tells about the peer's point only, and the handshake fails visibly. */
  differs = sl_differ(out, zeros, sizeof zeros);
  sl_declassify(&differs, sizeof differs);
  return differs != 0 ? SL_OK : SL_E_KEY_SHARE;
}
