/* skey.h - opaque keys: the symmetric keys that OpenSSL has from 3.5 on as objects of a provider (EVP_SKEY), for
 * EVP_CipherInit_SKEY(). A cipher takes those of its own provider alone, so without these nobody who has such a key could use it
 * with the ciphers here.
 *
 * An older libcrypto does not ask for the operation, and passes over the entries of a cipher's table: that is the whole check. */
#ifndef SEALANE_PROVIDER_SKEY_H
#define SEALANE_PROVIDER_SKEY_H

#include "provider.h"

/* What the headers of 3.0 do not have. */
enum {
  OP_SKEYMGMT = 15,
  FUNC_ENCRYPT_SKEY_INIT = 19,
  FUNC_DECRYPT_SKEY_INIT = 20,
};

enum skey_type { SKEY_AES, SKEY_CHACHA20_POLY1305 };

/* The secret of an opaque key, which a cipher of this type may use; NULL has none. Returns false after an error was added. */
bool skey_secret(const struct prov *prov, const void *skey, enum skey_type type, const uint8_t **secret, size_t *len);

/* The tables of the operation; the context of one key is a struct skey. */
extern const OSSL_DISPATCH prov_aes_skeymgmt[], prov_chacha20_poly1305_skeymgmt[];

#endif
