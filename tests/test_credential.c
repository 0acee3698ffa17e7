/* test_credential.c - chains and keys: every kind that is served, with libcrypto verifying what was signed; every kind
 * and every text that is refused, with the sentence an operator reads. */
#define _GNU_SOURCE /* memmem */

#include "made_certs.h"
#include "unit.h"
#include <engine/bytes.h>
#include <handshake/credential.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- loading ------------------------------------------------------------------------------------------------- */

static char why[256];

static sl_err load(struct sl_credential **out, const char *chain, const char *key) {
  const struct sl_pem chain_pem = {"chain.pem", chain, strlen(chain)};
  const struct sl_pem key_pem = {"key.pem", key, strlen(key)};
  why[0] = 0;
  return sl_credential_new(out, &chain_pem, &key_pem, NULL, NULL, why, sizeof why);
}

static void refuse(const char *chain, const char *key, sl_err err, const char *sentence) {
  struct sl_credential *c = (struct sl_credential *)(uintptr_t)1;
  assert_string_equal(sl_err_name(load(&c, chain, key)), sl_err_name(err));
  assert_null(c);
  if (strstr(why, sentence) == NULL) fail_msg("\"%s\" should say \"%s\"", why, sentence);
  assert_int_equal(ERR_peek_error(), 0); /* nothing of it stays in the application's queue */
}

static struct sl_credential *accept_texts(const char *chain, const char *key) {
  struct sl_credential *c;
  sl_err err = load(&c, chain, key);
  if (err != SL_OK) fail_msg("%s: %s", sl_err_name(err), why);
  assert_string_equal(why, "");
  assert_int_equal(ERR_peek_error(), 0);
  return c;
}

/* A key, its certificate and both as PEM. */
struct pair {
  EVP_PKEY *key;
  X509 *cert;
  char *key_pem, *cert_pem;
};

static struct pair pair_new(const char *kind, const struct cert_wishes *wishes) {
  EVP_PKEY *key = make_key(kind);
  X509 *cert = make_cert(key, wishes);
  /* X25519 and friends are keys as well, so every kind has both texts */
  return (struct pair){key, cert, pem_of_key(key), pem_of_cert(cert)};
}

static void pair_free(struct pair *p) {
  EVP_PKEY_free(p->key);
  X509_free(p->cert);
  free(p->key_pem);
  free(p->cert_pem);
}

/* ---- signing ------------------------------------------------------------------------------------------------- */

static const struct {
  uint16_t scheme;
  const char *digest;
  int salt_len; /* -1: no PSS */
} verify_rules[] = {
    {SL_SCHEME_ECDSA_SECP256R1_SHA256, "SHA256", -1}, {SL_SCHEME_ECDSA_SECP384R1_SHA384, "SHA384", -1},
    {SL_SCHEME_RSA_PSS_RSAE_SHA256, "SHA256", 32},    {SL_SCHEME_RSA_PSS_RSAE_SHA384, "SHA384", 48},
    {SL_SCHEME_RSA_PSS_RSAE_SHA512, "SHA512", 64},    {SL_SCHEME_ED25519, NULL, -1},
    {SL_SCHEME_RSA_PSS_PSS_SHA256, "SHA256", 32},     {SL_SCHEME_RSA_PSS_PSS_SHA384, "SHA384", 48},
    {SL_SCHEME_RSA_PSS_PSS_SHA512, "SHA512", 64},
};

/* What a peer does, with the salt length given as a number: a verifier that demands just that one. */
static bool verifies(X509 *cert, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, const uint8_t *sig,
                     size_t sig_len) {
  size_t i = 0;
  while (verify_rules[i].scheme != scheme) assert_true(++i < sizeof verify_rules / sizeof verify_rules[0]);
  EVP_PKEY_CTX *options;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(
      EVP_DigestVerifyInit_ex(ctx, &options, verify_rules[i].digest, NULL, NULL, X509_get0_pubkey(cert), NULL), 1);
  if (verify_rules[i].salt_len >= 0) {
    assert_true(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md_name(options, verify_rules[i].digest, NULL) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, verify_rules[i].salt_len) > 0);
  }
  bool ok = EVP_DigestVerify(ctx, sig, sig_len, tbs, tbs_len) == 1;
  EVP_MD_CTX_free(ctx);
  ERR_clear_error();
  return ok;
}

/* The longest content of a CertificateVerify: 64 spaces, the context string, a zero and a SHA-384 hash. */
#define TBS_LEN 146

static void sign_and_verify(const struct sl_credential *c, X509 *cert, uint16_t scheme) {
  uint8_t tbs[TBS_LEN], sig[SL_SIGNATURE_MAX + 1];
  size_t sig_len;
  for (size_t i = 0; i < sizeof tbs; i++) tbs[i] = (uint8_t)(i * 7 + scheme);
  memset(sig, 0xa5, sizeof sig);
  assert_int_equal(sl_credential_sign(c, NULL, scheme, tbs, sizeof tbs, sig, SL_SIGNATURE_MAX, &sig_len), SL_OK);
  assert_in_range(sig_len, 1, SL_SIGNATURE_MAX);
  assert_int_equal(sig[SL_SIGNATURE_MAX], 0xa5);
  assert_true(verifies(cert, scheme, tbs, sizeof tbs, sig, sig_len));
  tbs[0] ^= 1;
  assert_false(verifies(cert, scheme, tbs, sizeof tbs, sig, sig_len));
}

/* Every kind that is served, and exactly the schemes it offers, in order. */
static const struct {
  const char *kind;
  uint16_t schemes[SL_CREDENTIAL_SCHEMES_MAX];
} served[] = {
    {"EC:P-256", {0x0403}},
    {"EC:P-384", {0x0503}},
    {"ED25519", {0x0807}},
    {"RSA:2048", {0x0804, 0x0805, 0x0806}},
    {"RSA:2049", {0x0804, 0x0805, 0x0806}},
    {"RSA:3072", {0x0804, 0x0805, 0x0806}},
    {"RSA-PSS:2048", {0x0809, 0x080a, 0x080b}},
    /* restricted keys: RFC 4055 3.1's parameters bind the signer */
    {"RSA-PSS:2048:SHA256:SHA256:32", {0x0809}},
    {"RSA-PSS:2048:SHA256:SHA256:20", {0x0809}},
    {"RSA-PSS:2048:SHA384:SHA384:48", {0x080a}},
    {"RSA-PSS:2048:SHA512:SHA512:64", {0x080b}},
};

static void every_served_kind_signs(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof served / sizeof served[0]; i++) {
    struct pair p = pair_new(served[i].kind, NULL);
    struct sl_credential *c = accept_texts(p.cert_pem, p.key_pem);
    size_t n = 0;
    for (; n < SL_CREDENTIAL_SCHEMES_MAX && served[i].schemes[n] != 0; n++) {
      assert_true(n < c->n_schemes);
      assert_int_equal(c->schemes[n], served[i].schemes[n]);
      sign_and_verify(c, p.cert, c->schemes[n]);
    }
    assert_int_equal(c->n_schemes, n);
    sl_credential_free(c);
    pair_free(&p);
  }
}

static void other_schemes_and_small_buffers_are_errors(void **state) {
  (void)state;
  struct pair p = pair_new("RSA:2048", NULL);
  struct sl_credential *c = accept_texts(p.cert_pem, p.key_pem);
  uint8_t sig[256];
  size_t sig_len = 99;
  assert_int_equal(sl_credential_sign(c, NULL, 0x0403, sig, 1, sig, sizeof sig, &sig_len), SL_E_ARG);
  assert_int_equal(sig_len, 0);
  assert_int_equal(sl_credential_sign(c, NULL, 0, sig, 1, sig, sizeof sig, &sig_len), SL_E_ARG);
  assert_int_equal(sl_credential_sign(c, NULL, 0x0804, sig, 1, sig, 255, &sig_len), SL_E_SPACE);
  assert_int_equal(sig_len, 0);
  assert_int_equal(sl_credential_sign(c, NULL, 0x0804, sig, 1, sig, 256, &sig_len), SL_OK);
  assert_int_equal(sig_len, 256);
  sl_credential_free(c);
  pair_free(&p);
}

struct signer_thread {
  const struct sl_credential *c;
  X509 *cert;
  int n_bad;
};

static void *sign_many(void *arg) {
  struct signer_thread *t = arg;
  uint8_t tbs[TBS_LEN] = {0}, sig[SL_SIGNATURE_MAX];
  for (int i = 0; i < 60; i++) {
    size_t sig_len;
    uint16_t scheme = t->c->schemes[(size_t)i % t->c->n_schemes];
    tbs[0] = (uint8_t)i;
    if (sl_credential_sign(t->c, NULL, scheme, tbs, sizeof tbs, sig, sizeof sig, &sig_len) != SL_OK ||
        !verifies(t->cert, scheme, tbs, sizeof tbs, sig, sig_len) || !sl_credential_names(t->c, "one.example"))
      t->n_bad++;
  }
  return NULL;
}

static void threads_sign_at_once(void **state) {
  (void)state;
  static const char *const kinds[] = {"EC:P-256", "RSA:2048", "ED25519"};
  const struct cert_wishes wishes = {.names = "DNS:one.example"};
  for (size_t k = 0; k < 3; k++) {
    struct pair p = pair_new(kinds[k], &wishes);
    struct sl_credential *c = accept_texts(p.cert_pem, p.key_pem);
    struct signer_thread threads[8];
    pthread_t ids[8];
    for (size_t i = 0; i < 8; i++) {
      threads[i] = (struct signer_thread){c, p.cert, 0};
      assert_int_equal(pthread_create(&ids[i], NULL, sign_many, &threads[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
      assert_int_equal(pthread_join(ids[i], NULL), 0);
      assert_int_equal(threads[i].n_bad, 0);
    }
    sl_credential_free(c);
    pair_free(&p);
  }
}

/* ---- refused keys -------------------------------------------------------------------------------------------- */

static const struct {
  const char *kind, *sentence;
} refused[] = {
    {"EC:P-521", "its key is EC on secp521r1; served are EC P-256 and P-384, RSA of 2048 to 16384 bits and Ed25519"},
    {"EC:secp256k1", "its key is EC on secp256k1;"},
    {"RSA:1024", "its key is RSA of 1024 bits;"},
    {"RSA:2047", "its key is RSA of 2047 bits;"},
    {"RSA-PSS:1024", "its key is RSA-PSS of 1024 bits;"},
    {"ED448", "its key is ED448"},
    {"X25519", "its key is X25519"},
    {"DSA:1024", "its key is DSA of 1024 bits;"},
    /* hash and MGF1 differ, salt longer than the digest: no scheme of TLS 1.3 is like that */
    {"RSA-PSS:2048:SHA256:SHA1:32", "the RSA-PSS of 2048 bits key's own parameters allow none"},
    {"RSA-PSS:2048:SHA256:SHA256:33", "key's own parameters allow none"},
    {"RSA-PSS:2048:SHA224:SHA224:28", "key's own parameters allow none"},
};

static void other_kinds_are_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    struct pair p = pair_new(refused[i].kind, NULL);
    refuse(p.cert_pem, p.key_pem, SL_E_CERT_KEY, refused[i].sentence);
    assert_int_equal(strncmp(why, "chain.pem: ", 11), 0);
    pair_free(&p);
  }
}

static void key_usage_must_allow_signing(void **state) {
  (void)state;
  const struct cert_wishes forbids = {.key_usage = "keyEncipherment"};
  const struct cert_wishes allows = {.key_usage = "digitalSignature,keyEncipherment"};
  struct pair p = pair_new("RSA:2048", &forbids);
  refuse(p.cert_pem, p.key_pem, SL_E_CERT_KEY, "chain.pem: the certificate's key usage lacks digitalSignature");
  pair_free(&p);
  p = pair_new("RSA:2048", &allows);
  sl_credential_free(accept_texts(p.cert_pem, p.key_pem));
  pair_free(&p);
}

static void unknown_public_key_is_refused(void **state) {
  (void)state;
  struct pair p = pair_new("ED25519", NULL);
  uint8_t *der = NULL;
  int len = i2d_X509(p.cert, &der);
  /* id-Ed25519 is 1.3.101.112; .127 is nobody's. The first occurrence is in the public key: the authority signs ECDSA. */
  uint8_t *id = memmem(der, (size_t)len, "\x06\x03\x2b\x65\x70", 5);
  assert_non_null(id);
  id[4] = 0x7f;
  char *cert_pem = pem_of_bytes("CERTIFICATE", der, (size_t)len);
  refuse(cert_pem, p.key_pem, SL_E_CERT_KEY, "chain.pem: libcrypto cannot use the certificate's public key (");
  free(cert_pem);
  OPENSSL_free(der);
  pair_free(&p);
}

/* ---- the pair ------------------------------------------------------------------------------------------------ */

static void mismatched_keys_are_refused(void **state) {
  (void)state;
  static const char *const kinds[] = {"EC:P-256", "EC:P-384", "RSA:2048", "RSA-PSS:2048", "ED25519"};
  for (size_t i = 0; i < 5; i++) {
    struct pair a = pair_new(kinds[i], NULL), b = pair_new(kinds[i], NULL), other = pair_new(kinds[(i + 1) % 5], NULL);
    refuse(a.cert_pem, b.key_pem, SL_E_CERT_MISMATCH,
           "key.pem: the private key does not belong to the certificate in chain.pem");
    refuse(a.cert_pem, other.key_pem, SL_E_CERT_MISMATCH, "key.pem: the private key does not belong to");
    pair_free(&a);
    pair_free(&b);
    pair_free(&other);
  }
}

static void leaf_must_come_first(void **state) {
  (void)state;
  const struct cert_wishes ca = {.common_name = "authority", .key_usage = "keyCertSign"};
  struct pair leaf = pair_new("EC:P-256", NULL), issuer = pair_new("RSA:1024", &ca), root = pair_new("EC:P-521", &ca);
  char *right = concat(leaf.cert_pem, issuer.cert_pem, root.cert_pem, NULL);
  char *swapped = concat(issuer.cert_pem, leaf.cert_pem, root.cert_pem, NULL);
  char *last = concat(root.cert_pem, issuer.cert_pem, leaf.cert_pem, NULL);
  refuse(swapped, leaf.key_pem, SL_E_CERT_MISMATCH,
         "chain.pem: the private key in key.pem is that of certificate 2; the server's own must come first");
  refuse(last, leaf.key_pem, SL_E_CERT_MISMATCH, "is that of certificate 3;");
  struct sl_credential *c = accept_texts(right, leaf.key_pem); /* an issuer's key may be of any kind */
  sign_and_verify(c, leaf.cert, c->schemes[0]);
  sl_credential_free(c);
  free(right);
  free(swapped);
  free(last);
  pair_free(&leaf);
  pair_free(&issuer);
  pair_free(&root);
}

/* Public halves equal, private half damaged: ECPrivateKey of RFC 5915 begins 30 77 02 01 01 04 20 and then the number. */
static void damaged_private_half_is_refused(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  uint8_t *der = NULL;
  int len = i2d_PrivateKey(p.key, &der);
  assert_memory_equal(der + 2, "\x02\x01\x01\x04\x20", 5);
  der[7 + 31] ^= 1;
  char *key_pem = pem_of_bytes("EC PRIVATE KEY", der, (size_t)len);
  refuse(p.cert_pem, key_pem, SL_E_CERT_MISMATCH,
         "key.pem: the private key is damaged, the certificate in chain.pem does not verify its signatures");
  free(key_pem);
  OPENSSL_free(der);
  pair_free(&p);
}

/* ---- texts --------------------------------------------------------------------------------------------------- */

static void list_is_encoded_for_the_wire(void **state) {
  (void)state;
  struct pair a = pair_new("EC:P-256", NULL), b = pair_new("EC:P-256", NULL);
  char *chain = concat("Subject: leaf\n", a.cert_pem, "\nand its issuer:\n", b.cert_pem, "the end\n", NULL);
  struct sl_credential *c = accept_texts(chain, a.key_pem);
  size_t at = 0;
  X509 *const certs[] = {a.cert, b.cert};
  for (size_t i = 0; i < 2; i++) {
    uint8_t *der = NULL;
    size_t len = (size_t)i2d_X509(certs[i], &der);
    assert_true(at + 3 + len + 2 <= c->list_len);
    assert_int_equal(sl_load24_be(c->list + at), len);
    assert_memory_equal(c->list + at + 3, der, len);
    assert_int_equal(sl_load16_be(c->list + at + 3 + len), 0);
    at += 3 + len + 2;
    OPENSSL_free(der);
  }
  assert_int_equal(at, c->list_len);
  sl_credential_free(c);
  free(chain);
  pair_free(&a);
  pair_free(&b);
}

static char *with_crlf(const char *text) {
  char *out = calloc(2, strlen(text) + 1), *to = out;
  for (; *text != 0; text++) {
    if (*text == '\n') *to++ = '\r';
    *to++ = *text;
  }
  return out;
}

/* The shapes key and chain files have in the wild. */
static void usual_shapes_are_read(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL), issuer = pair_new("RSA:2048", NULL);
  /* what `openssl ecparam -genkey` puts before the key: the curve's identifier */
  char *params = pem_of_bytes("EC PARAMETERS", (const uint8_t *)"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
  char *old = pem_of_key_old(p.key, NULL);
  char *key_after_params = concat(params, old, NULL);
  char *one_file = concat(p.key_pem, p.cert_pem, issuer.cert_pem, NULL);
  char *chain_first = concat(p.cert_pem, issuer.cert_pem, "  some prose\n\n", p.key_pem, NULL);
  char *marked = concat("\xef\xbb\xbf", p.cert_pem, NULL), *marked_key = concat("\xef\xbb\xbf", p.key_pem, NULL);
  char *crlf = with_crlf(p.cert_pem), *crlf_key = with_crlf(p.key_pem);
  const struct {
    const char *chain, *key;
  } shapes[] = {
      {p.cert_pem, old},        {p.cert_pem, key_after_params}, {one_file, one_file}, {chain_first, chain_first},
      {chain_first, p.key_pem}, {marked, marked_key},           {crlf, crlf_key}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    struct sl_credential *c = accept_texts(shapes[i].chain, shapes[i].key);
    sign_and_verify(c, p.cert, SL_SCHEME_ECDSA_SECP256R1_SHA256);
    sl_credential_free(c);
  }
  char *rsa_old = pem_of_key_old(issuer.key, NULL);
  sl_credential_free(accept_texts(issuer.cert_pem, rsa_old));
  free(rsa_old);
  free(params);
  free(old);
  free(key_after_params);
  free(one_file);
  free(chain_first);
  free(marked);
  free(marked_key);
  free(crlf);
  free(crlf_key);
  pair_free(&p);
  pair_free(&issuer);
}

static void trusted_form_sends_the_certificate_alone(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  X509 *noted = X509_dup(p.cert);
  uint8_t *der = NULL, *plain = NULL;
  assert_int_equal(X509_alias_set1(noted, (const uint8_t *)"a note", -1), 1);
  size_t len = (size_t)i2d_X509_AUX(noted, &der), plain_len = (size_t)i2d_X509(p.cert, &plain);
  assert_true(len > plain_len);
  char *pem = pem_of_bytes("TRUSTED CERTIFICATE", der, len);
  struct sl_credential *c = accept_texts(pem, p.key_pem);
  assert_int_equal(c->list_len, 3 + plain_len + 2);
  assert_memory_equal(c->list + 3, plain, plain_len);
  sl_credential_free(c);
  free(pem);
  pem = pem_of_bytes("CERTIFICATE", der, len); /* in the plain form the same bytes are damage */
  refuse(pem, p.key_pem, SL_E_PEM, "chain.pem: certificate 1 is damaged (trailing bytes)");
  free(pem);
  OPENSSL_free(der);
  OPENSSL_free(plain);
  X509_free(noted);
  pair_free(&p);
}

static void encrypted_keys_are_refused_without_a_prompt(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  char *pkcs8 = pem_of_key_encrypted(p.key, "secret"), *old = pem_of_key_old(p.key, "secret");
  assert_non_null(strstr(old, "Proc-Type: 4,ENCRYPTED"));
  refuse(p.cert_pem, pkcs8, SL_E_PEM, "key.pem: the private key is encrypted; decrypt it first");
  refuse(p.cert_pem, old, SL_E_PEM, "key.pem: the private key is encrypted; decrypt it first");
  free(pkcs8);
  free(old);
  pair_free(&p);
}

static void refuse_bytes(const char *chain, size_t chain_len, const char *key, size_t key_len, const char *sentence) {
  struct sl_credential *c;
  const struct sl_pem chain_pem = {"chain.pem", chain, chain_len}, key_pem = {"key.pem", key, key_len};
  assert_int_equal(sl_credential_new(&c, &chain_pem, &key_pem, NULL, NULL, why, sizeof why), SL_E_PEM);
  assert_null(c);
  if (strstr(why, sentence) == NULL) fail_msg("\"%s\" should say \"%s\"", why, sentence);
}

static void texts_that_are_not_it(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  uint8_t *der = NULL, *key_der = NULL;
  size_t len = (size_t)i2d_X509(p.cert, &der), key_len = (size_t)i2d_PrivateKey(p.key, &key_der);
  size_t cert_pem_len = strlen(p.cert_pem);

  refuse("", p.key_pem, SL_E_PEM, "chain.pem: it is empty");
  refuse(p.cert_pem, "", SL_E_PEM, "key.pem: it is empty");
  refuse("0 is where it begins\n", p.key_pem, SL_E_PEM, "chain.pem: not PEM, no \"-----BEGIN\" line in it");
  refuse(p.cert_pem, "hello\n", SL_E_PEM, "key.pem: not PEM, no \"-----BEGIN\" line in it");
  refuse(p.key_pem, p.key_pem, SL_E_PEM, "chain.pem: no certificate in it, its first PEM block is \"PRIVATE KEY\"");
  refuse(p.cert_pem, p.cert_pem, SL_E_PEM, "key.pem: no private key in it, its first PEM block is \"CERTIFICATE\"");
  refuse_bytes((char *)der, len, p.key_pem, strlen(p.key_pem), "chain.pem: not PEM but DER");
  refuse_bytes(p.cert_pem, cert_pem_len, (char *)der, len, "key.pem: not PEM but DER");
  /* a P-256 key is short: one length byte under 0x80, so it looks like text that begins with "0w" */
  refuse_bytes(p.cert_pem, cert_pem_len, (char *)key_der, key_len, "key.pem: not PEM");
  refuse_bytes("\0\0\0\0", 4, p.key_pem, strlen(p.key_pem), "chain.pem: not PEM");

  /* damage: a character that is not base64, an END that never comes, DER cut short, DER of something else */
  char *damaged = strdup(p.cert_pem);
  damaged[60] = '!';
  refuse(damaged, p.key_pem, SL_E_PEM, "chain.pem: the PEM block after 0 certificates is damaged (");
  char *second = concat(p.cert_pem, damaged, NULL);
  refuse(second, p.key_pem, SL_E_PEM, "chain.pem: the PEM block after 1 certificates is damaged (");
  free(second);
  free(damaged);
  damaged = strdup(p.cert_pem);
  *strstr(damaged, "-----END") = 0;
  refuse(damaged, p.key_pem, SL_E_PEM, "chain.pem: the PEM block after 0 certificates is damaged (");
  free(damaged);
  damaged = strdup(p.key_pem);
  damaged[40] = '!';
  refuse(p.cert_pem, damaged, SL_E_PEM, "key.pem: a PEM block in it is damaged (");
  free(damaged);
  damaged = pem_of_bytes("CERTIFICATE", der, len - 1);
  refuse(damaged, p.key_pem, SL_E_PEM, "chain.pem: certificate 1 is damaged (");
  second = concat(p.cert_pem, damaged, NULL);
  refuse(second, p.key_pem, SL_E_PEM, "chain.pem: certificate 2 is damaged (");
  free(second);
  free(damaged);
  damaged = pem_of_bytes("PRIVATE KEY", der, len);
  refuse(p.cert_pem, damaged, SL_E_PEM,
         "key.pem: its \"PRIVATE KEY\" is damaged or of a kind libcrypto does not know (");
  free(damaged);
  damaged = pem_of_bytes("OPENSSH PRIVATE KEY", (const uint8_t *)"openssh-key-v1", 15);
  refuse(p.cert_pem, damaged, SL_E_PEM, "key.pem: its \"OPENSSH PRIVATE KEY\" is damaged or of a kind");
  free(damaged);

  OPENSSL_free(der);
  OPENSSL_free(key_der);
  pair_free(&p);
}

/* The text cut after every byte: refused until it is whole, and never read past its end (ASan watches). */
static void cut_texts_are_refused(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  size_t len = strlen(p.cert_pem), key_len = strlen(p.key_pem);
  struct sl_credential *c;
  const struct sl_pem whole = {"chain.pem", p.cert_pem, len}, whole_key = {"key.pem", p.key_pem, key_len};
  /* the last byte is the newline, which may be missing; nor does libcrypto insist on the last hyphens' */
  size_t end = (size_t)(strstr(p.cert_pem, "-----END") - p.cert_pem), n_accepted = 0;
  for (size_t n = 0; n < len; n++) {
    char *cut = malloc(n ? n : 1);
    memcpy(cut, p.cert_pem, n);
    const struct sl_pem part = {"chain.pem", cut, n};
    sl_err err = sl_credential_new(&c, &part, &whole_key, NULL, NULL, why, sizeof why);
    if (n <= end) assert_int_equal(err, SL_E_PEM);
    if (err == SL_OK) n_accepted++, sl_credential_free(c);
    free(cut);
  }
  assert_in_range(n_accepted, 1, strlen("-----END CERTIFICATE-----\n"));
  end = (size_t)(strstr(p.key_pem, "-----END") - p.key_pem);
  for (size_t n = 0; n <= end; n++) {
    char *cut = malloc(n ? n : 1);
    memcpy(cut, p.key_pem, n);
    const struct sl_pem part = {"key.pem", cut, n};
    assert_int_equal(sl_credential_new(&c, &whole, &part, NULL, NULL, why, sizeof why), SL_E_PEM);
    free(cut);
  }
  pair_free(&p);
}

static void chains_are_bounded(void **state) {
  (void)state;
  const struct cert_wishes big = {.padding = 49 * 1024};
  struct pair leaf = pair_new("EC:P-256", NULL), long_one = pair_new("EC:P-256", &big);
  char *fits = concat(leaf.cert_pem, long_one.cert_pem, long_one.cert_pem, NULL);
  char *over = concat(fits, long_one.cert_pem, NULL);
  struct sl_credential *c = accept_texts(fits, leaf.key_pem);
  assert_in_range(c->list_len, 98 * 1024, SL_CREDENTIAL_LIST_MAX);
  sl_credential_free(c);
  refuse(over, leaf.key_pem, SL_E_LENGTH, "chain.pem: the chain is longer than 102400 bytes, more than clients accept");
  free(fits);
  free(over);
  pair_free(&leaf);
  pair_free(&long_one);
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static void names_follow_rfc_6125(void **state) {
  (void)state;
  const struct cert_wishes wishes = {
      .common_name = "common.example",
      .names = "DNS:exact.example,DNS:*.wild.example,DNS:part*.example,DNS:xn--bcher-kva.example,IP:192.0.2.1"};
  static const struct {
    const char *name;
    bool named;
  } cases[] = {
      {"exact.example", true},
      {"EXACT.Example", true},
      {"xn--bcher-kva.example", true},
      {"one.wild.example", true},
      {"one.two.wild.example", false}, /* one label */
      {"wild.example", false},
      {".wild.example", false},
      {".example", false},
      {"partial.example", false}, /* a wildcard is a whole label */
      {"common.example", false},  /* the subject's name is no longer looked at */
      {"other.example", false},
      {"exact.example.", false}, /* RFC 6066 3: without the trailing dot */
      {"192.0.2.1", false},      /* nor addresses */
      {"", false},
  };
  struct pair p = pair_new("EC:P-256", &wishes), nameless = pair_new("EC:P-256", NULL);
  struct sl_credential *c = accept_texts(p.cert_pem, p.key_pem);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (sl_credential_names(c, cases[i].name) != cases[i].named) fail_msg("\"%s\"", cases[i].name);
  sl_credential_free(c);
  c = accept_texts(nameless.cert_pem, nameless.key_pem);
  assert_false(sl_credential_names(c, "exact.example"));
  assert_false(sl_credential_names(c, "made for a test"));
  assert_false(sl_credential_names(c, ""));
  sl_credential_free(c);
  pair_free(&p);
  pair_free(&nameless);
}

/* ---- an application's signer --------------------------------------------------------------------------------- */

struct signer {
  const struct sl_credential *behind; /* signs for it */
  sl_err answer;
  size_t claims; /* length to claim; 0: the truth */
  unsigned n_calls;
  struct sl_conn *conn;
};

static sl_err external_sign(void *ctx, struct sl_conn *conn, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                            uint8_t *sig, size_t sig_cap, size_t *sig_len) {
  struct signer *s = ctx;
  s->n_calls++;
  s->conn = conn;
  if (s->answer != SL_OK) return s->answer;
  sl_err err = sl_credential_sign(s->behind, NULL, scheme, tbs, tbs_len, sig, sig_cap, sig_len);
  if (s->claims > 0) *sig_len = s->claims;
  return err;
}

static void external_signer(void **state) {
  (void)state;
  static const char *const kinds[] = {"EC:P-256", "RSA:2048", "RSA-PSS:2048:SHA384:SHA384:48", "ED25519"};
  static const size_t n_schemes[] = {1, 3, 1, 1};
  for (size_t k = 0; k < 4; k++) {
    struct pair p = pair_new(kinds[k], NULL);
    struct signer signer = {.behind = accept_texts(p.cert_pem, p.key_pem)};
    const struct sl_pem chain = {"chain.pem", p.cert_pem, strlen(p.cert_pem)};
    struct sl_conn *conn = (struct sl_conn *)(uintptr_t)64; /* only passed on */
    struct sl_credential *c;
    uint8_t sig[SL_SIGNATURE_MAX];
    size_t sig_len;
    assert_int_equal(sl_credential_new(&c, &chain, NULL, external_sign, &signer, why, sizeof why), SL_OK);
    assert_int_equal(signer.n_calls, 0);
    assert_null(c->private_key);
    assert_int_equal(c->n_schemes, n_schemes[k]);
    for (size_t i = 0; i < c->n_schemes; i++) sign_and_verify(c, p.cert, c->schemes[i]);
    assert_int_equal(signer.n_calls, c->n_schemes);
    assert_int_equal(sl_credential_sign(c, conn, 0x0401, sig, 1, sig, sizeof sig, &sig_len), SL_E_ARG);
    assert_int_equal(signer.n_calls, c->n_schemes);
    signer.claims = sizeof sig + 1;
    assert_int_equal(sl_credential_sign(c, conn, c->schemes[0], sig, 1, sig, sizeof sig, &sig_len), SL_E_LENGTH);
    assert_int_equal(sig_len, 0);
    assert_ptr_equal(signer.conn, conn);
    signer.answer = SL_E_PENDING;
    assert_int_equal(sl_credential_sign(c, conn, c->schemes[0], sig, 1, sig, sizeof sig, &sig_len), SL_E_PENDING);
    signer.answer = SL_E_KEY;
    assert_int_equal(sl_credential_sign(c, conn, c->schemes[0], sig, 1, sig, sizeof sig, &sig_len), SL_E_KEY);
    assert_int_equal(sig_len, 0);
    sl_credential_free(c);
    sl_credential_free((struct sl_credential *)signer.behind);
    pair_free(&p);
  }
}

static void key_or_signer(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  const struct sl_pem chain = {"chain.pem", p.cert_pem, strlen(p.cert_pem)};
  const struct sl_pem key = {"key.pem", p.key_pem, strlen(p.key_pem)};
  struct sl_credential *c;
  assert_int_equal(sl_credential_new(&c, &chain, NULL, NULL, NULL, why, sizeof why), SL_E_ARG);
  assert_string_equal(why, "either a private key or a signer is needed");
  assert_int_equal(sl_credential_new(&c, &chain, &key, external_sign, NULL, why, sizeof why), SL_E_ARG);
  /* a sentence is cut, not overrun; and none may be wanted */
  char small[8] = "1234567";
  assert_int_equal(sl_credential_new(&c, &chain, NULL, NULL, NULL, small, 4), SL_E_ARG);
  assert_memory_equal(small,
                      "eit\0"
                      "567",
                      8);
  assert_int_equal(sl_credential_new(&c, &chain, NULL, NULL, NULL, NULL, 0), SL_E_ARG);
  sl_credential_free(NULL);
  pair_free(&p);
}

/* What the application left in libcrypto's error queue is there afterwards. */
static void error_queue_is_the_applications(void **state) {
  (void)state;
  struct pair p = pair_new("EC:P-256", NULL);
  struct sl_credential *c;
  ERR_raise(ERR_LIB_USER, 77);
  assert_int_equal(load(&c, p.cert_pem, "nothing"), SL_E_PEM);
  assert_int_equal(load(&c, p.cert_pem, p.key_pem), SL_OK);
  assert_false(sl_credential_names(c, "a.example"));
  assert_int_equal(ERR_GET_REASON(ERR_get_error()), 77);
  assert_int_equal(ERR_get_error(), 0);
  sl_credential_free(c);
  pair_free(&p);
}

static void scheme_names(void **state) {
  (void)state;
  static const struct {
    uint16_t scheme;
    const char *name;
  } cases[] = {
      {0x0403, "ecdsa_secp256r1_sha256"},
      {0x0503, "ecdsa_secp384r1_sha384"},
      {0x0603, "ecdsa_secp521r1_sha512"},
      {0x0804, "rsa_pss_rsae_sha256"},
      {0x0805, "rsa_pss_rsae_sha384"},
      {0x0806, "rsa_pss_rsae_sha512"},
      {0x0807, "ed25519"},
      {0x0808, "ed448"},
      {0x0809, "rsa_pss_pss_sha256"},
      {0x080a, "rsa_pss_pss_sha384"},
      {0x080b, "rsa_pss_pss_sha512"},
      {0x0401, "rsa_pkcs1_sha256"},
      {0x0501, "rsa_pkcs1_sha384"},
      {0x0601, "rsa_pkcs1_sha512"},
      {0x0201, "rsa_pkcs1_sha1"},
      {0x0203, "ecdsa_sha1"},
      {0x0708, "sm2sig_sm3"},
      {0x0905, "mldsa65"},
      {0x0a0a, "GREASE"},
      {0xfafa, "GREASE"},
      {0x0a1a, "unknown"},
      {0x0000, "unknown"},
      {0xffff, "unknown"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(sl_signature_scheme_name(cases[i].scheme), cases[i].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_served_kind_signs),
      cmocka_unit_test(other_schemes_and_small_buffers_are_errors),
      cmocka_unit_test(threads_sign_at_once),
      cmocka_unit_test(other_kinds_are_refused),
      cmocka_unit_test(key_usage_must_allow_signing),
      cmocka_unit_test(unknown_public_key_is_refused),
      cmocka_unit_test(mismatched_keys_are_refused),
      cmocka_unit_test(leaf_must_come_first),
      cmocka_unit_test(damaged_private_half_is_refused),
      cmocka_unit_test(list_is_encoded_for_the_wire),
      cmocka_unit_test(usual_shapes_are_read),
      cmocka_unit_test(trusted_form_sends_the_certificate_alone),
      cmocka_unit_test(encrypted_keys_are_refused_without_a_prompt),
      cmocka_unit_test(texts_that_are_not_it),
      cmocka_unit_test(cut_texts_are_refused),
      cmocka_unit_test(chains_are_bounded),
      cmocka_unit_test(names_follow_rfc_6125),
      cmocka_unit_test(external_signer),
      cmocka_unit_test(key_or_signer),
      cmocka_unit_test(error_queue_is_the_applications),
      cmocka_unit_test(scheme_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
