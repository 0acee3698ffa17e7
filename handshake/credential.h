/* credential.h - a certificate chain and the key that signs for it. What libcrypto does for the handshake (PEM, X.509, private
 * keys) is behind this header and in one file, credential_libcrypto.c. */
#ifndef SEALANE_HANDSHAKE_CREDENTIAL_H
#define SEALANE_HANDSHAKE_CREDENTIAL_H

#include <sealane/tls.h>

/* TLS SignatureScheme code points (RFC 8446 4.2.3) this side can sign with. */
enum sl_signature_scheme {
  SL_SCHEME_ECDSA_SECP256R1_SHA256 = 0x0403,
  SL_SCHEME_ECDSA_SECP384R1_SHA384 = 0x0503,
  SL_SCHEME_RSA_PSS_RSAE_SHA256 = 0x0804,
  SL_SCHEME_RSA_PSS_RSAE_SHA384 = 0x0805,
  SL_SCHEME_RSA_PSS_RSAE_SHA512 = 0x0806,
  SL_SCHEME_ED25519 = 0x0807,
  SL_SCHEME_RSA_PSS_PSS_SHA256 = 0x0809,
  SL_SCHEME_RSA_PSS_PSS_SHA384 = 0x080a,
  SL_SCHEME_RSA_PSS_PSS_SHA512 = 0x080b
};

#define SL_CREDENTIAL_SCHEMES_MAX 3u
/* The longest signature any of these schemes makes: RSA of 16,384 bits, libcrypto's own bound. */
#define SL_SIGNATURE_MAX 2048u /* calc: 16384 / 8 */
/* The longest encoded chain: what OpenSSL's and BoringSSL's clients accept at most unless told otherwise. */
#define SL_CREDENTIAL_LIST_MAX 102400u /* calc: 100 * 1024 */
/* The largest chain or key file that is read: a hundred times a usual one, and room for comments. */
#define SL_PEM_FILE_MAX 1048576u /* calc: 2**20 */

/* PEM text and what sentences call it: its path, or "the certificate chain". */
struct sl_pem {
  const char *name;
  const char *text;
  size_t len;
};

struct sl_credential {
  struct sl_credential *next;
  uint8_t *list; /* certificate_list of RFC 8446 4.4.2, ready encoded: each entry u24 length, DER, u16 0 */
  size_t list_len;
  uint16_t schemes[SL_CREDENTIAL_SCHEMES_MAX]; /* this key's, in our order of preference */
  size_t n_schemes;
  void *leaf;                               /* X509 *, for names */
  void *private_key;                        /* EVP_PKEY *; NULL when sign_fn signs */
  void *signers[SL_CREDENTIAL_SCHEMES_MAX]; /* EVP_MD_CTX *, ready to sign with schemes[i]: copied, never used up */
  sl_sign_fn *sign_fn;
  void *sign_ctx;
};

/* Parses a chain and its key, or with key == NULL a chain that `sign` signs for, into a new credential. `why` gets the
 * sentence of a failure. The texts stay the caller's, to wipe.
 * errors: SL_E_PEM, SL_E_CERT_KEY, SL_E_CERT_MISMATCH, SL_E_LENGTH chain over SL_CREDENTIAL_LIST_MAX, SL_E_MEMORY */
SL_MUST_USE sl_err sl_credential_new(struct sl_credential **out, const struct sl_pem *chain, const struct sl_pem *key,
                                     sl_sign_fn *sign, void *sign_ctx, char *why, size_t why_cap);
/* Erases and frees one credential. NULL is allowed. */
void sl_credential_free(struct sl_credential *credential);
/* Does the leaf certify this DNS name (RFC 6125: subjectAltName, one leftmost wildcard label)? */
bool sl_credential_names(const struct sl_credential *credential, const char *server_name);
/* Signs; as sl_sign_fn, SL_E_PENDING included. Thread-safe: a config's credentials are shared by all threads.
 * errors: SL_E_ARG a scheme that is not the credential's; SL_E_SPACE; SL_E_LENGTH a signer that claims more than
 *         sig_cap; SL_E_KEY libcrypto could not sign; the signer's own */
SL_MUST_USE sl_err sl_credential_sign(const struct sl_credential *credential, struct sl_conn *conn, uint16_t scheme,
                                      const uint8_t *tbs, size_t tbs_len, uint8_t *sig, size_t sig_cap,
                                      size_t *sig_len);
/* "ecdsa_secp256r1_sha256" ... for any code point; "unknown" for those no RFC here names. */
const char *sl_signature_scheme_name(uint16_t scheme);

#endif
