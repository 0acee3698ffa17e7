/* scheme_names.c - names of TLS signature schemes (IANA "TLS SignatureScheme"; RFC 8446 4.2.3), for logs and failure
 * sentences: what clients offer is mostly what we cannot sign with, and an operator wants to read it. */
#include "credential.h"

static const struct {
  uint16_t scheme;
  const char *name;
} names[] = {
    /* RFC 8446 */
    {SL_SCHEME_ECDSA_SECP256R1_SHA256, "ecdsa_secp256r1_sha256"},
    {SL_SCHEME_ECDSA_SECP384R1_SHA384, "ecdsa_secp384r1_sha384"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {SL_SCHEME_RSA_PSS_RSAE_SHA256, "rsa_pss_rsae_sha256"},
    {SL_SCHEME_RSA_PSS_RSAE_SHA384, "rsa_pss_rsae_sha384"},
    {SL_SCHEME_RSA_PSS_RSAE_SHA512, "rsa_pss_rsae_sha512"},
    {SL_SCHEME_ED25519, "ed25519"},
    {0x0808, "ed448"},
    {SL_SCHEME_RSA_PSS_PSS_SHA256, "rsa_pss_pss_sha256"},
    {SL_SCHEME_RSA_PSS_PSS_SHA384, "rsa_pss_pss_sha384"},
    {SL_SCHEME_RSA_PSS_PSS_SHA512, "rsa_pss_pss_sha512"},
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0201, "rsa_pkcs1_sha1"},
    {0x0203, "ecdsa_sha1"},
    /* TLS 1.2's pairs of hash and signature (RFC 5246 7.4.1.4.1), which older clients still list */
    {0x0202, "dsa_sha1"},
    {0x0301, "rsa_pkcs1_sha224"},
    {0x0302, "dsa_sha224"},
    {0x0303, "ecdsa_sha224"},
    {0x0402, "dsa_sha256"},
    {0x0502, "dsa_sha384"},
    {0x0602, "dsa_sha512"},
    /* RFC 8998; RFC 8734; draft-ietf-tls-tls13-pkcs1 */
    {0x0708, "sm2sig_sm3"},
    {0x081a, "ecdsa_brainpoolP256r1tls13_sha256"},
    {0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
    {0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
    {0x0420, "rsa_pkcs1_sha256_legacy"},
    {0x0520, "rsa_pkcs1_sha384_legacy"},
    {0x0620, "rsa_pkcs1_sha512_legacy"},
    /* RFC 9367 */
    {0x0709, "gostr34102012_256a"},
    {0x070a, "gostr34102012_256b"},
    {0x070b, "gostr34102012_256c"},
    {0x070c, "gostr34102012_256d"},
    {0x070d, "gostr34102012_512a"},
    {0x070e, "gostr34102012_512b"},
    {0x070f, "gostr34102012_512c"},
    /* ML-DSA, as registered for draft-ietf-tls-mldsa */
    {0x0904, "mldsa44"},
    {0x0905, "mldsa65"},
    {0x0906, "mldsa87"},
};

const char *sl_signature_scheme_name(uint16_t scheme) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].scheme == scheme) return names[i].name;
  /* RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa */
  if ((scheme & 0x0f0f) == 0x0a0a && scheme >> 8 == (scheme & 0xff)) return "GREASE";
  return "unknown";
}
