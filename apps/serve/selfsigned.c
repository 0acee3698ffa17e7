/* selfsigned.c - see selfsigned.h. X.509 is libcrypto's. */
#include "selfsigned.h"
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static bool add_extension(X509 *cert, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  bool is_added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

/* 126 random bits: unguessable, positive, and within the 20 octets of RFC 5280 4.1.2.2. */
static bool set_serial(X509 *cert) {
  BIGNUM *serial = BN_new();
  bool is_set = serial != NULL && BN_rand(serial, 126, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;
  BN_free(serial);
  return is_set;
}

/* A name of its own, and copied: from OpenSSL 4 on, a certificate's cannot be changed where it is. */
static bool set_names(X509 *cert) {
  X509_NAME *name = X509_NAME_new();
  bool is_set =
      name != NULL &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
      X509_set_subject_name(cert, name) == 1 && X509_set_issuer_name(cert, name) == 1;
  X509_NAME_free(name);
  return is_set;
}

static X509 *make_cert(EVP_PKEY *key) {
  enum { DAY_S = 86400 };
  X509 *cert = X509_new();
  if (cert == NULL) return NULL;
  /* Valid from yesterday: the client's clock may be behind. */
  if (X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
      X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) == NULL ||
      X509_gmtime_adj(X509_getm_notAfter(cert), 90L * DAY_S) == NULL || !set_names(cert) ||
      X509_set_pubkey(cert, key) != 1 || !add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(cert, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(cert, NID_ext_key_usage, "serverAuth") ||
      !add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") ||
      !add_extension(cert, NID_subject_key_identifier, "hash") || X509_sign(cert, key, EVP_sha256()) == 0) {
    X509_free(cert);
    return NULL;
  }
  return cert;
}

sl_err selfsigned_add(struct sl_config *config) {
  sl_err err = SL_E_MEMORY;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = key != NULL ? make_cert(key) : NULL;
  BIO *cert_pem = BIO_new(BIO_s_mem());
  BIO *key_pem = BIO_new(BIO_s_secmem()); /* erased when freed, like everything of this kind */
  if (key == NULL) err = SL_E_RANDOM;
  if (cert != NULL && cert_pem != NULL && key_pem != NULL && PEM_write_bio_X509(cert_pem, cert) == 1 &&
      PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
    char *chain, *secret;
    long chain_len = BIO_get_mem_data(cert_pem, &chain);
    long secret_len = BIO_get_mem_data(key_pem, &secret);
    err = sl_config_add_cert_pem(config, chain, (size_t)chain_len, secret, (size_t)secret_len);
  }
  BIO_free(key_pem);
  BIO_free(cert_pem);
  X509_free(cert);
  EVP_PKEY_free(key);
  return err;
}
