/* ct_hash.c - constant time of HMAC, HKDF and X25519: keys, messages, scalars and points are marked secret, and whatever
 * branches or addresses on them is valgrind's to report. Every kernel this CPU can run. */
#include "bytes.h"
#include "hkdf.h"
#include "kernel.h"
#include "x25519.h"
#include <stdio.h>

static unsigned sum; /* of what came out: printed, so that nothing is left out */

static void take(uint8_t *out, size_t len) {
  sl_declassify(out, len); /* the end of the experiment */
  for (size_t i = 0; i < len; i++) sum += out[i];
}

/* Keys shorter and longer than a block, messages of one block and of several. */
static bool check_hashes(enum sl_hash hash) {
  uint8_t key[200], data[400], out[300];
  const size_t hash_len = sl_hash_len(hash);
  bool ok = true;
  for (size_t key_len = 0; key_len <= sizeof key; key_len += 50) {
    memset(key, 1, sizeof key);
    memset(data, 2, sizeof data);
    sl_secret(key, sizeof key);
    sl_secret(data, sizeof data);
    ok &= sl_hmac_once(hash, key, key_len, data, sizeof data, out) == SL_OK;
    take(out, hash_len);
    ok &= sl_hkdf_extract(hash, key, key_len, data, 48, out) == SL_OK;
    ok &= sl_hkdf_expand(hash, out, hash_len, data, 30, out, sizeof out) == SL_OK;
    ok &= sl_hkdf_expand_label(hash, out, "c hs traffic", data, hash_len, out, hash_len) == SL_OK;
    take(out, sizeof out);
  }
  return ok;
}

static void check_compress(const struct sl_kernel *kernel) {
  uint64_t state[8] = {1};
  uint8_t blocks[3 * 128] = {2};
  sl_secret(state, sizeof state);
  sl_secret(blocks, sizeof blocks);
  kernel->sha2.compress(state, blocks, 3);
  take((uint8_t *)state, sizeof state);
}

static void check_ladder(const struct sl_kernel *kernel) {
  uint8_t scalars[2][32] = {{0x55, 3}, {0xaa, 4}}, points[2][32] = {{9}, {1, 2, 3}}, outs[2][32];
  const struct sl_x25519_job jobs[2] = {{outs[0], scalars[0], points[0]}, {outs[1], scalars[1], points[1]}};
  sl_secret(scalars, sizeof scalars);
  sl_secret(points, sizeof points);
  kernel->x25519.run(jobs, 2);
  take(outs[0], sizeof outs);
}

/* Through the front end: its verdict about zero is public, the rest is not. */
static bool check_exchange(void) {
  uint8_t scalar[32] = {7}, public[32], shared[32], zeros[32] = {0};
  bool ok;
  sl_secret(scalar, sizeof scalar);
  ok = sl_x25519_public(public, scalar) == SL_OK;
  ok &= sl_x25519_shared(shared, scalar, public) == SL_OK;
  take(shared, sizeof shared);
  sl_secret(zeros, sizeof zeros);
  ok &= sl_x25519_shared(shared, scalar, zeros) == SL_E_KEY_SHARE;
  take(shared, sizeof shared);
  return ok;
}

int main(void) {
  bool ok = check_exchange();
  for (enum sl_hash hash = SL_SHA256; hash <= SL_SHA512; hash++) ok &= check_hashes(hash);
  for (size_t i = 0; sl_kernel_list[i] != NULL; i++) {
    const struct sl_kernel *kernel = sl_kernel_list[i];
    const bool is_ladder = kernel->algorithm == SL_ALG_X25519;
    if (!is_ladder && kernel->algorithm != SL_ALG_SHA256 && kernel->algorithm != SL_ALG_SHA512) continue;
    if (sl_kernel_named(kernel->name) == NULL) {
      printf("n/a %s: this CPU, or valgrind's idea of it, cannot run it\n", kernel->name);
      continue;
    }
    printf("%s\n", kernel->name);
    if (is_ladder)
      check_ladder(kernel);
    else
      check_compress(kernel);
  }
  printf("%s, sum %u\n", ok ? "ok" : "an operation failed", sum);
  return ok ? 0 : 1;
}
