/* key.c - AEAD keys: a secret expanded by one kernel, which the key remembers, so that no later call asks about the CPU. */
#include "bytes.h"
#include "kernel.h"

/* A row per enum sl_aead. */
static const struct {
  const char *name;
  size_t secret_len; /* bytes */
  enum sl_algorithm algorithm;
} aeads[SL_AEAD_END] = {
    [SL_AEAD_NONE] = {"none", 0, SL_ALG_END},
    [SL_AES_128_GCM] = {"aes-128-gcm", 16, SL_ALG_AES_GCM},
    [SL_AES_256_GCM] = {"aes-256-gcm", 32, SL_ALG_AES_GCM},
    [SL_CHACHA20_POLY1305] = {"chacha20-poly1305", 32, SL_ALG_CHACHA20_POLY1305},
};

size_t sl_aead_secret_len(enum sl_aead aead) {
  return (unsigned)aead < SL_AEAD_END ? aeads[aead].secret_len : 0;
}

const char *sl_aead_name(enum sl_aead aead) {
  return (unsigned)aead < SL_AEAD_END ? aeads[aead].name : aeads[SL_AEAD_NONE].name;
}

static sl_err check(const struct sl_aead_key *key, enum sl_aead aead, const uint8_t *secret, size_t secret_len) {
  if (key == NULL || secret == NULL) return SL_E_ARG;
  if (secret_len == 0 || secret_len != sl_aead_secret_len(aead)) return SL_E_ARG;
  return SL_OK;
}

/* errors: SL_E_KERNEL the kernel does not serve this AEAD */
static sl_err expand(struct sl_aead_key *key, const struct sl_kernel *kernel, enum sl_aead aead,
                     const uint8_t *secret) {
  for (size_t i = 0; i < sizeof kernel->aead / sizeof kernel->aead[0]; i++) {
    const struct sl_aead_ops *ops = &kernel->aead[i];
    if (ops->aead != aead) continue;
    key->ops = ops;
    key->kernel = kernel;
    ops->expand(key, secret);
    return SL_OK;
  }
  return SL_E_KERNEL;
}

sl_err sl_aead_key_init(struct sl_aead_key *key, enum sl_aead aead, const uint8_t *secret, size_t secret_len) {
  sl_aead_key_wipe(key);
  sl_err err = check(key, aead, secret, secret_len);
  if (err != SL_OK) return err;
  const struct sl_kernel *kernel;
  err = sl_kernel_chosen(aeads[aead].algorithm, &kernel);
  if (err != SL_OK) return err;
  return expand(key, kernel, aead, secret);
}

sl_err sl_aead_key_init_kernel(struct sl_aead_key *key, enum sl_aead aead, const uint8_t *secret, size_t secret_len,
                               const char *name) {
  sl_aead_key_wipe(key);
  sl_err err = check(key, aead, secret, secret_len);
  if (err != SL_OK) return err;
  if (name == NULL) return SL_E_ARG;
  const struct sl_kernel *kernel = sl_kernel_named(name);
  if (kernel == NULL || kernel->algorithm != aeads[aead].algorithm) return SL_E_KERNEL;
  return expand(key, kernel, aead, secret);
}

void sl_aead_key_wipe(struct sl_aead_key *key) {
  if (key != NULL) sl_wipe(key, sizeof *key);
}

enum sl_aead sl_aead_key_aead(const struct sl_aead_key *key) {
  return key != NULL && key->ops != NULL ? key->ops->aead : SL_AEAD_NONE;
}

const char *sl_aead_key_kernel(const struct sl_aead_key *key) {
  return key != NULL && key->kernel != NULL ? key->kernel->name : "none";
}
