/* made_certs.c - see made_certs.h. Everything a test asks of it succeeds or fails the test. */
#include "made_certs.h"
#include "unit.h"

#include <openssl/dsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *generate(EVP_PKEY_CTX *ctx) {
  EVP_PKEY *key = NULL;
  assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
  EVP_PKEY_CTX_free(ctx);
  return key;
}

static EVP_PKEY *make_rsa_pss(const char *options) {
  char hash[16], mgf1[16];
  int bits, salt;
  int n = sscanf(options, "%d:%15[^:]:%15[^:]:%d", &bits, hash, mgf1, &salt);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
  assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
  assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) > 0);
  if (n == 4) {
    assert_true(EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(ctx, hash, NULL) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(ctx, mgf1) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, salt) > 0);
  }
  return generate(ctx);
}

static EVP_PKEY *make_dsa(int bits) {
  EVP_PKEY *params = NULL;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
  assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
  assert_true(EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, bits) > 0);
  assert_int_equal(EVP_PKEY_paramgen(ctx, &params), 1);
  EVP_PKEY_CTX_free(ctx);
  ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
  EVP_PKEY_free(params);
  assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
  return generate(ctx);
}

EVP_PKEY *make_key(const char *kind) {
  EVP_PKEY *key;
  if (strncmp(kind, "RSA-PSS:", 8) == 0) return make_rsa_pss(kind + 8);
  if (strncmp(kind, "DSA:", 4) == 0) return make_dsa(atoi(kind + 4));
  if (strncmp(kind, "RSA:", 4) == 0)
    key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 4));
  else if (strncmp(kind, "EC:", 3) == 0)
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind + 3);
  else
    key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
  if (key == NULL) fail_msg("libcrypto makes no key of kind %s", kind);
  return key;
}

static void add_extension(X509 *cert, int nid, const char *value) {
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  assert_non_null(extension);
  assert_int_equal(X509_add_ext(cert, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

static void add_padding(X509 *cert, size_t len) {
  ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
  ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
  unsigned char *zeros = calloc(1, len);
  assert_int_equal(ASN1_OCTET_STRING_set(bytes, zeros, (int)len), 1);
  X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, id, 0, bytes);
  assert_int_equal(X509_add_ext(cert, extension, -1), 1);
  X509_EXTENSION_free(extension);
  ASN1_OBJECT_free(id);
  ASN1_OCTET_STRING_free(bytes);
  free(zeros);
}

X509 *make_cert(EVP_PKEY *key, const struct cert_wishes *wishes) {
  static EVP_PKEY *authority;
  static long serial;
  static const struct cert_wishes no_wishes;
  if (authority == NULL) authority = make_key("EC:P-256");
  if (wishes == NULL) wishes = &no_wishes;
  const char *common_name = wishes->common_name ? wishes->common_name : "made for a test";
  X509 *cert = X509_new();
  X509_NAME *name = X509_NAME_new(); /* a certificate's own cannot be changed, from OpenSSL 4 on */
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
  assert_int_equal(X509_set_subject_name(cert, name), 1);
  assert_int_equal(X509_set_issuer_name(cert, name), 1);
  X509_NAME_free(name);
  assert_int_equal(X509_set_pubkey(cert, key), 1);
  if (wishes->names) add_extension(cert, NID_subject_alt_name, wishes->names);
  if (wishes->key_usage) add_extension(cert, NID_key_usage, wishes->key_usage);
  if (wishes->padding > 0) add_padding(cert, wishes->padding);
  assert_true(X509_sign(cert, authority, EVP_sha256()) > 0);
  return cert;
}

static char *text_of(BIO *bio) {
  char *data;
  long len = BIO_get_mem_data(bio, &data);
  char *text = malloc((size_t)len + 1);
  memcpy(text, data, (size_t)len);
  text[len] = 0;
  BIO_free(bio);
  return text;
}

char *pem_of_cert(X509 *cert) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
  return text_of(bio);
}

char *pem_of_key(EVP_PKEY *key) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
  return text_of(bio);
}

char *pem_of_key_encrypted(EVP_PKEY *key, const char *passphrase) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(
      PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), passphrase, (int)strlen(passphrase), NULL, NULL), 1);
  return text_of(bio);
}

char *pem_of_key_old(EVP_PKEY *key, const char *passphrase) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                                        (const unsigned char *)passphrase,
                                                        passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                   1);
  return text_of(bio);
}

char *pem_of_bytes(const char *label, const unsigned char *der, size_t len) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_true(PEM_write_bio(bio, label, "", der, (long)len) > 0);
  return text_of(bio);
}

char *concat(const char *first, ...) {
  va_list args;
  size_t len = 0;
  char *all = calloc(1, 1);
  va_start(args, first);
  for (const char *part = first; part != NULL; part = va_arg(args, const char *)) {
    size_t n = strlen(part);
    all = realloc(all, len + n + 1);
    memcpy(all + len, part, n + 1);
    len += n;
  }
  va_end(args);
  return all;
}
