/* libcrypto_aead.h - sealing with OpenSSL's libcrypto: a second oracle, which shares nothing with ours. */
#ifndef SEALANE_TESTS_LIBCRYPTO_AEAD_H
#define SEALANE_TESTS_LIBCRYPTO_AEAD_H

#include <openssl/evp.h>
#include <sealane/aead.h>
#include <stdbool.h>

/* out[0..text_len), tag. */
static inline bool libcrypto_seal(enum sl_aead aead, const uint8_t *secret, const uint8_t *nonce, const uint8_t *aad,
                                  size_t aad_len, const uint8_t *text, size_t text_len, uint8_t *out, uint8_t *tag) {
  const EVP_CIPHER *ciphers[SL_AEAD_END] = {
      [SL_AES_128_GCM] = EVP_aes_128_gcm(),
      [SL_AES_256_GCM] = EVP_aes_256_gcm(),
      [SL_CHACHA20_POLY1305] = EVP_chacha20_poly1305(),
  };
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int n = 0;
  bool good = ctx != NULL && EVP_EncryptInit_ex(ctx, ciphers[aead], NULL, secret, nonce) == 1;
  if (good && aad_len > 0) good = EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1;
  if (good && text_len > 0) good = EVP_EncryptUpdate(ctx, out, &n, text, (int)text_len) == 1;
  uint8_t nothing[16];
  good = good && EVP_EncryptFinal_ex(ctx, nothing, &n) == 1;
  good = good && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SL_AEAD_TAG_LEN, tag) == 1;
  EVP_CIPHER_CTX_free(ctx);
  return good;
}

#endif
