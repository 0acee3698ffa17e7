/* made_certs.h - keys and certificates made by libcrypto while a test runs: nothing in the repository expires. */
#ifndef SEALANE_TESTS_MADE_CERTS_H
#define SEALANE_TESTS_MADE_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A new key: "EC:P-256" "EC:P-384" "EC:P-521" "EC:secp256k1", "RSA:2048", "RSA-PSS:2048", "RSA-PSS:2048:SHA384:SHA384:48"
 * (hash, hash of MGF1, least salt), "ED25519", "ED448", "X25519", "DSA:1024". Fails the test when libcrypto cannot. */
EVP_PKEY *make_key(const char *kind);

struct cert_wishes {
  const char *common_name; /* default "made for a test" */
  const char *names;       /* subjectAltName as libcrypto's configuration writes it: "DNS:a.example,DNS:*.b.example" */
  const char *key_usage;   /* "keyCertSign"; none by default */
  size_t padding;          /* bytes of an extension nobody knows, to make it long */
};
/* A certificate for a key, signed by an authority of the test's own. */
X509 *make_cert(EVP_PKEY *key, const struct cert_wishes *wishes);

/* PEM texts, each to be freed with free(). */
char *pem_of_cert(X509 *cert);
char *pem_of_key(EVP_PKEY *key);                                   /* PKCS#8 */
char *pem_of_key_encrypted(EVP_PKEY *key, const char *passphrase); /* PKCS#8 */
char *pem_of_key_old(EVP_PKEY *key, const char *passphrase);       /* "EC PRIVATE KEY"...; NULL: not encrypted */
char *pem_of_bytes(const char *label, const unsigned char *der, size_t len);
/* a, b, c ... one after the other, up to a NULL. */
char *concat(const char *first, ...) __attribute__((sentinel));

#endif
