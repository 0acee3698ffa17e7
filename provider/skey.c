/* skey.c - see skey.h. */
#include "skey.h"
#include "params.h"

enum {
  FUNC_SKEYMGMT_FREE = 1,
  FUNC_SKEYMGMT_IMPORT = 2,
  FUNC_SKEYMGMT_EXPORT = 3,
  FUNC_SKEYMGMT_GENERATE = 4,
  FUNC_SKEYMGMT_IMP_SETTABLE_PARAMS = 6,
  FUNC_SKEYMGMT_GEN_SETTABLE_PARAMS = 7,
  SELECT_SECRET_KEY = 2,
  SECRET_MAX = 32, /* bytes */
};
#define PARAM_RAW_BYTES  "raw-bytes"
#define PARAM_KEY_LENGTH "key-length"

struct skey {
  const struct prov *prov;
  enum skey_type type;
  size_t len;
  uint8_t secret[SECRET_MAX];
};

/* AES has keys of 24 bytes too. They can be held, as OpenSSL's own can, and no cipher here takes them. */
static bool may_be_len(enum skey_type type, uint64_t len) {
  return len == SECRET_MAX || (type == SKEY_AES && (len == 16 || len == 24));
}

bool skey_secret(const struct prov *prov, const void *skey, enum skey_type type, const uint8_t **secret, size_t *len) {
  const struct skey *key = skey;
  *secret = key != NULL ? key->secret : NULL;
  *len = key != NULL ? key->len : 0;
  return key == NULL || key->type == type || prov_fail(prov, PROV_E_KEY);
}

static void skey_free(void *data) {
  struct skey *key = data;
  if (key != NULL) prov_wipe_free(key->prov, key, sizeof *key);
}

static struct skey *skey_new(const struct prov *prov, enum skey_type type, uint64_t len) {
  if (!may_be_len(type, len)) {
    prov_fail(prov, PROV_E_KEY_LENGTH);
    return NULL;
  }
  struct skey *key = prov_alloc(prov, sizeof *key);
  if (key == NULL) return NULL;
  key->prov = prov;
  key->type = type;
  key->len = (size_t)len;
  return key;
}

static void *import(const struct prov *prov, enum skey_type type, int selection, const OSSL_PARAM params[]) {
  const OSSL_PARAM *p = param_find_const(params, PARAM_RAW_BYTES);
  if ((selection & SELECT_SECRET_KEY) == 0 || p == NULL || p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) {
    prov_fail(prov, PROV_E_PARAMETER);
    return NULL;
  }
  struct skey *key = skey_new(prov, type, p->data_size);
  if (key != NULL) memcpy(key->secret, p->data, key->len);
  return key;
}
static void *aes_import(void *prov, int selection, const OSSL_PARAM params[]) {
  return import(prov, SKEY_AES, selection, params);
}
static void *chapoly_import(void *prov, int selection, const OSSL_PARAM params[]) {
  return import(prov, SKEY_CHACHA20_POLY1305, selection, params);
}

static int skey_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg) {
  struct skey *key = data;
  if (key == NULL || (selection & SELECT_SECRET_KEY) == 0) return 0;
  const OSSL_PARAM params[] = {
      {PARAM_RAW_BYTES, OSSL_PARAM_OCTET_STRING, key->secret, key->len, 0},
      {NULL, 0, NULL, 0, 0},
  };
  return callback(params, arg);
}

/* As long as is said, else of the longest kind. */
static void *generate(const struct prov *prov, enum skey_type type, const OSSL_PARAM params[]) {
  const OSSL_PARAM *p = param_find_const(params, PARAM_KEY_LENGTH);
  uint64_t len = SECRET_MAX;
  if (p != NULL && !param_get_number(p, &len)) {
    prov_fail(prov, PROV_E_PARAMETER);
    return NULL;
  }
  struct skey *key = skey_new(prov, type, len);
  if (key == NULL || prov_random(prov, key->secret, key->len)) return key;
  skey_free(key);
  return NULL;
}
static void *aes_generate(void *prov, const OSSL_PARAM params[]) {
  return generate(prov, SKEY_AES, params);
}
static void *chapoly_generate(void *prov, const OSSL_PARAM params[]) {
  return generate(prov, SKEY_CHACHA20_POLY1305, params);
}

static const OSSL_PARAM *import_params(void *prov) {
  static const OSSL_PARAM list[] = {{PARAM_RAW_BYTES, OSSL_PARAM_OCTET_STRING, NULL, 0, 0}, {NULL, 0, NULL, 0, 0}};
  (void)prov;
  return list;
}
static const OSSL_PARAM *generate_params(void *prov) {
  static const OSSL_PARAM list[] = {{PARAM_KEY_LENGTH, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
                                    {NULL, 0, NULL, 0, 0}};
  (void)prov;
  return list;
}

#define FUNCTION(f) ((void (*)(void))(f))
#define SKEYMGMT(name, of)                                                                                             \
  const OSSL_DISPATCH name[] = {                                                                                       \
      {FUNC_SKEYMGMT_FREE, FUNCTION(skey_free)},                                                                       \
      {FUNC_SKEYMGMT_IMPORT, FUNCTION(of##_import)},                                                                   \
      {FUNC_SKEYMGMT_EXPORT, FUNCTION(skey_export)},                                                                   \
      {FUNC_SKEYMGMT_GENERATE, FUNCTION(of##_generate)},                                                               \
      {FUNC_SKEYMGMT_IMP_SETTABLE_PARAMS, FUNCTION(import_params)},                                                    \
      {FUNC_SKEYMGMT_GEN_SETTABLE_PARAMS, FUNCTION(generate_params)},                                                  \
      {0, NULL},                                                                                                       \
  };
SKEYMGMT(prov_aes_skeymgmt, aes)
SKEYMGMT(prov_chacha20_poly1305_skeymgmt, chapoly)
