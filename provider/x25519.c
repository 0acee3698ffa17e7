/* x25519.c - X25519 (RFC 7748) as EVP sees it: keys that are made, imported, exported, compared, and the key exchange. */
#include "x25519.h"
#include "bytes.h"
#include "hkdf.h"
#include "params.h"
#include "provider.h"

#include <openssl/core_names.h>
#include <stdatomic.h>
#include <strings.h>

enum {
  KEY_LEN = SL_X25519_LEN,
  KEY_BITS = 253,
  SECURITY_BITS = 128,
};

/* NIST's, for keys that quantum computers do not find; 0 is none. OpenSSL has it from 3.6 on. */
#define PARAM_SECURITY_CATEGORY "security-category"

/* Held by EVP_PKEYs and by exchanges under way. Whoever has the only hold may change it. */
struct key {
  const struct prov *prov;
  atomic_uint n_holds;
  bool has_public, has_private;
  uint8_t public[KEY_LEN], private[KEY_LEN];
};

static void *key_new(void *prov) {
  struct key *key = prov_alloc(prov, sizeof *key);
  if (key == NULL) return NULL;
  key->prov = prov;
  atomic_init(&key->n_holds, 1);
  return key;
}

static void key_free(void *data) {
  struct key *key = data;
  if (key == NULL || atomic_fetch_sub(&key->n_holds, 1) > 1) return;
  prov_wipe_free(key->prov, key, sizeof *key);
}

static struct key *key_hold(struct key *key) {
  if (key != NULL) atomic_fetch_add(&key->n_holds, 1);
  return key;
}

static void *key_dup(const void *data, int selection) {
  const struct key *key = data;
  struct key *copy = key_new((void *)(uintptr_t)key->prov);
  if (copy == NULL) return NULL;
  if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && key->has_public) {
    copy->has_public = true;
    memcpy(copy->public, key->public, KEY_LEN);
  }
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->has_private) {
    copy->has_private = true;
    memcpy(copy->private, key->private, KEY_LEN);
  }
  return copy;
}

/* The public key of the private one. */
static bool key_make_public(struct key *key) {
  sl_err err = sl_x25519_public(key->public, key->private);
  key->has_public = err == SL_OK;
  if (err != SL_OK) prov_fail_because(key->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  return key->has_public;
}

/* ---- questions ----------------------------------------------------------------------------------------------- */

static int key_has(const void *data, int selection) {
  const struct key *key = data;
  if (key == NULL) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && !key->has_public) return 0;
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->has_private;
}

/* Public keys decide where both are there. */
static int key_match(const void *data, const void *other_data, int selection) {
  const struct key *key = data, *other = other_data;
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 1;
  if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && key->has_public && other->has_public) {
    return memcmp(key->public, other->public, KEY_LEN) == 0;
  }
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->has_private && other->has_private) {
    uint32_t differs = sl_differ(key->private, other->private, KEY_LEN);
    sl_declassify(&differs, sizeof differs); /* what was asked for */
    return differs == 0;
  }
  return 0;
}

static int key_validate(const void *data, int selection, int check_type) {
  const struct key *key = data;
  (void)check_type;
  if (!key_has(key, selection & OSSL_KEYMGMT_SELECT_KEYPAIR)) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != OSSL_KEYMGMT_SELECT_KEYPAIR) return 1;
  uint8_t public[KEY_LEN];
  sl_err err = sl_x25519_public(public, key->private);
  if (err != SL_OK) return prov_fail_because(key->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  return memcmp(public, key->public, KEY_LEN) == 0;
}

static int key_get_params(void *data, OSSL_PARAM params[]) {
  const struct key *key = data;
  const struct {
    const char *name;
    uint64_t value;
  } numbers[] = {{OSSL_PKEY_PARAM_BITS, KEY_BITS},
                 {OSSL_PKEY_PARAM_SECURITY_BITS, SECURITY_BITS},
                 {OSSL_PKEY_PARAM_MAX_SIZE, KEY_LEN},
                 {PARAM_SECURITY_CATEGORY, 0}};
  const struct {
    const char *name;
    bool is_there;
    const uint8_t *bytes;
  } keys[] = {{OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, key->has_public, key->public},
              {OSSL_PKEY_PARAM_PUB_KEY, key->has_public, key->public},
              {OSSL_PKEY_PARAM_PRIV_KEY, key->has_private, key->private}};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    OSSL_PARAM *p = param_find(params, numbers[i].name);
    if (p != NULL && !param_set_number(p, numbers[i].value)) return prov_fail(key->prov, PROV_E_PARAMETER);
  }
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    OSSL_PARAM *p = param_find(params, keys[i].name);
    if (p == NULL) continue;
    if (keys[i].is_there && !param_set_octets(p, keys[i].bytes, KEY_LEN)) return prov_fail(key->prov, PROV_E_PARAMETER);
  }
  return 1;
}

static const OSSL_PARAM *key_gettable_params(void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_PKEY_PARAM_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {PARAM_SECURITY_CATEGORY, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)prov;
  return list;
}

/* ---- public keys of peers ------------------------------------------------------------------------------------ */

/* Properties say where to fetch other algorithms, of which X25519 uses none: any text will do. */
static bool properties_are_text(const OSSL_PARAM params[]) {
  const OSSL_PARAM *p = param_find_const(params, OSSL_PKEY_PARAM_PROPERTIES);
  return p == NULL || p->data_type == OSSL_PARAM_UTF8_STRING;
}

static int key_set_params(void *data, const OSSL_PARAM params[]) {
  struct key *key = data;
  if (!properties_are_text(params)) return prov_fail(key->prov, PROV_E_PARAMETER);
  const OSSL_PARAM *p = param_find_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
  if (p == NULL) return 1;
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL || p->data_size != KEY_LEN) {
    return prov_fail(key->prov, PROV_E_KEY_LENGTH);
  }
  memcpy(key->public, p->data, KEY_LEN);
  key->has_public = true;
  sl_wipe(key->private, sizeof key->private); /* it belonged to another */
  key->has_private = false;
  return 1;
}

static const OSSL_PARAM *key_settable_params(void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_PKEY_PARAM_PROPERTIES, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)prov;
  return list;
}

/* ---- from and to other providers ----------------------------------------------------------------------------- */

static bool is_key_param(const OSSL_PARAM *p) {
  return p->data_type == OSSL_PARAM_OCTET_STRING && p->data != NULL && p->data_size == KEY_LEN;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[]) {
  struct key *key = data;
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 0;
  bool wants_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
  const OSSL_PARAM *public = param_find_const(params, OSSL_PKEY_PARAM_PUB_KEY);
  const OSSL_PARAM *private = wants_private ? param_find_const(params, OSSL_PKEY_PARAM_PRIV_KEY) : NULL;
  if (public == NULL && private == NULL) return prov_fail(key->prov, PROV_E_KEY);
  if (public != NULL && !is_key_param(public)) return prov_fail(key->prov, PROV_E_KEY_LENGTH);
  if (private != NULL && !is_key_param(private)) return prov_fail(key->prov, PROV_E_KEY_LENGTH);
  if (private != NULL) {
    memcpy(key->private, private->data, KEY_LEN);
    sl_secret(key->private, KEY_LEN);
    key->has_private = true;
  }
  if (public == NULL) return key_make_public(key);
  memcpy(key->public, public->data, KEY_LEN);
  key->has_public = true;
  return 1;
}

static int key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg) {
  struct key *key = data;
  OSSL_PARAM params[3], *end = params;
  if (key == NULL) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return 0;
  if (key->has_public) *end++ = (OSSL_PARAM){OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, key->public, KEY_LEN, 0};
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->has_private) {
    *end++ = (OSSL_PARAM){OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PARAM_OCTET_STRING, key->private, KEY_LEN, 0};
  }
  *end = (OSSL_PARAM){NULL, 0, NULL, 0, 0};
  return callback(params, arg);
}

static const OSSL_PARAM *key_types(int selection) {
  static const OSSL_PARAM both[] = {
      {OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? both : NULL;
}

/* ---- making keys --------------------------------------------------------------------------------------------- */

struct gen {
  const struct prov *prov;
  int selection;
  bool is_derived;       /* from seed; else made at random */
  uint8_t seed[KEY_LEN]; /* extracted from what was given */
};

/* What OpenSSL 3.2 and later derive keys from for HPKE; 3.0's headers do not know the name. */
#define PARAM_DHKEM_IKM "dhkem-ikm"

/* RFC 9180 7.1.3, DeriveKeyPair() of DHKEM(X25519, HKDF-SHA256): labels are those of its section 4. */
#define DHKEM_SUITE "KEM\x00\x20" /* 0x0020  RFC 9180 7.1 */
static const uint8_t dhkem_extract_label[] = "HPKE-v1" DHKEM_SUITE "dkp_prk";
static const uint8_t dhkem_expand_label[] = "\x00\x20" /* 32 bytes */ "HPKE-v1" DHKEM_SUITE "sk";

static int gen_set_ikm(struct gen *gen, const OSSL_PARAM *p) {
  if (p->data == NULL || p->data_size == 0) return 1;
  if (p->data_type != OSSL_PARAM_OCTET_STRING) return prov_fail(gen->prov, PROV_E_PARAMETER);
  if (p->data_size < KEY_LEN) return prov_fail(gen->prov, PROV_E_KEY_LENGTH);
  struct sl_hmac_ctx extract;
  sl_err err = sl_hmac_init(&extract, SL_SHA256, NULL, 0);
  if (err != SL_OK) return prov_fail_because(gen->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  sl_hmac_update(&extract, dhkem_extract_label, sizeof dhkem_extract_label - 1);
  sl_hmac_update(&extract, p->data, p->data_size);
  sl_hmac_final(&extract, gen->seed);
  sl_wipe(&extract, sizeof extract);
  gen->is_derived = true;
  return 1;
}

static int gen_set_params(void *data, const OSSL_PARAM params[]) {
  struct gen *gen = data;
  if (!properties_are_text(params)) return prov_fail(gen->prov, PROV_E_PARAMETER);
  const OSSL_PARAM *p = param_find_const(params, PARAM_DHKEM_IKM);
  if (p != NULL && !gen_set_ikm(gen, p)) return 0;
  p = param_find_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
  if (p == NULL) return 1;
  bool is_text = p->data_type == OSSL_PARAM_UTF8_STRING && p->data != NULL;
  return is_text && strcasecmp(p->data, "x25519") == 0 ? 1 : prov_fail(gen->prov, PROV_E_PARAMETER);
}

static const OSSL_PARAM *gen_settable_params(void *gen, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_PKEY_PARAM_PROPERTIES, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {PARAM_DHKEM_IKM, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)gen, (void)prov;
  return list;
}

static void gen_cleanup(void *data) {
  struct gen *gen = data;
  if (gen != NULL) prov_wipe_free(gen->prov, gen, sizeof *gen);
}

static void *gen_init(void *prov, int selection, const OSSL_PARAM params[]) {
  struct gen *gen = prov_alloc(prov, sizeof *gen);
  if (gen == NULL) return NULL;
  gen->prov = prov;
  gen->selection = selection;
  if (gen_set_params(gen, params)) return gen;
  gen_cleanup(gen);
  return NULL;
}

static bool make_private(const struct gen *gen, uint8_t private[KEY_LEN]) {
  if (gen->is_derived) {
    sl_err err = sl_hkdf_expand(SL_SHA256, gen->seed, KEY_LEN, dhkem_expand_label, sizeof dhkem_expand_label - 1,
                                private, KEY_LEN);
    if (err != SL_OK) return prov_fail_because(gen->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
  } else if (!prov_random(gen->prov, private, KEY_LEN)) {
    return false;
  }
  sl_secret(private, KEY_LEN);
  private[0] &= 248; /* RFC 7748 5: as it is used, so that exports of it are what others expect */
  private[KEY_LEN - 1] = (private[KEY_LEN - 1] & 127) | 64;
  return true;
}

/* Without a key pair asked for: what a peer's public key is put into. */
static void *gen_key(void *data, OSSL_CALLBACK *progress, void *arg) {
  const struct gen *gen = data;
  (void)progress, (void)arg;
  struct key *key = key_new((void *)(uintptr_t)gen->prov);
  if (key == NULL || (gen->selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0) return key;
  if (!make_private(gen, key->private)) goto failed;
  key->has_private = true;
  if (key_make_public(key)) return key;
failed:
  key_free(key);
  return NULL;
}

#define FUNCTION(f) ((void (*)(void))(f))

const OSSL_DISPATCH prov_x25519_keymgmt[] = {
    {OSSL_FUNC_KEYMGMT_NEW, FUNCTION(key_new)},
    {OSSL_FUNC_KEYMGMT_FREE, FUNCTION(key_free)},
    {OSSL_FUNC_KEYMGMT_DUP, FUNCTION(key_dup)},
    {OSSL_FUNC_KEYMGMT_GET_PARAMS, FUNCTION(key_get_params)},
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FUNCTION(key_gettable_params)},
    {OSSL_FUNC_KEYMGMT_SET_PARAMS, FUNCTION(key_set_params)},
    {OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, FUNCTION(key_settable_params)},
    {OSSL_FUNC_KEYMGMT_HAS, FUNCTION(key_has)},
    {OSSL_FUNC_KEYMGMT_MATCH, FUNCTION(key_match)},
    {OSSL_FUNC_KEYMGMT_VALIDATE, FUNCTION(key_validate)},
    {OSSL_FUNC_KEYMGMT_IMPORT, FUNCTION(key_import)},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FUNCTION(key_types)},
    {OSSL_FUNC_KEYMGMT_EXPORT, FUNCTION(key_export)},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FUNCTION(key_types)},
    {OSSL_FUNC_KEYMGMT_GEN_INIT, FUNCTION(gen_init)},
    {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, FUNCTION(gen_set_params)},
    {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, FUNCTION(gen_settable_params)},
    {OSSL_FUNC_KEYMGMT_GEN, FUNCTION(gen_key)},
    {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, FUNCTION(gen_cleanup)},
    {0, NULL},
};

/* ---- the exchange -------------------------------------------------------------------------------------------- */

struct exchange {
  const struct prov *prov;
  struct key *own, *peer;
};

static void *exchange_new(void *prov) {
  struct exchange *x = prov_alloc(prov, sizeof *x);
  if (x != NULL) x->prov = prov;
  return x;
}

static void exchange_free(void *ctx) {
  struct exchange *x = ctx;
  if (x == NULL) return;
  key_free(x->own);
  key_free(x->peer);
  prov_wipe_free(x->prov, x, sizeof *x);
}

static void *exchange_dup(void *ctx) {
  const struct exchange *x = ctx;
  struct exchange *copy = prov_alloc(x->prov, sizeof *copy);
  if (copy != NULL) *copy = (struct exchange){x->prov, key_hold(x->own), key_hold(x->peer)};
  return copy;
}

static int exchange_init(void *ctx, void *key, const OSSL_PARAM params[]) {
  struct exchange *x = ctx;
  (void)params;
  if (key == NULL) return prov_fail(x->prov, PROV_E_KEY);
  key_hold(key);
  key_free(x->own);
  key_free(x->peer);
  x->own = key;
  x->peer = NULL;
  return 1;
}

static int exchange_set_peer(void *ctx, void *key) {
  struct exchange *x = ctx;
  if (key == NULL) return prov_fail(x->prov, PROV_E_KEY);
  key_hold(key);
  key_free(x->peer);
  x->peer = key;
  return 1;
}

static int exchange_derive(void *ctx, unsigned char *secret, size_t *len, size_t cap) {
  struct exchange *x = ctx;
  if (x->own == NULL || !x->own->has_private || x->peer == NULL || !x->peer->has_public) {
    return prov_fail(x->prov, PROV_E_KEY);
  }
  *len = KEY_LEN;
  if (secret == NULL) return 1;
  if (cap < KEY_LEN) return prov_fail(x->prov, PROV_E_SPACE);
  sl_err err = sl_x25519_shared(secret, x->own->private, x->peer->public);
  if (err == SL_E_KEY_SHARE) return prov_fail(x->prov, PROV_E_PEER);
  return err == SL_OK ? 1 : prov_fail_because(x->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
}

const OSSL_DISPATCH prov_x25519_keyexch[] = {
    {OSSL_FUNC_KEYEXCH_NEWCTX, FUNCTION(exchange_new)},
    {OSSL_FUNC_KEYEXCH_FREECTX, FUNCTION(exchange_free)},
    {OSSL_FUNC_KEYEXCH_DUPCTX, FUNCTION(exchange_dup)},
    {OSSL_FUNC_KEYEXCH_INIT, FUNCTION(exchange_init)},
    {OSSL_FUNC_KEYEXCH_SET_PEER, FUNCTION(exchange_set_peer)},
    {OSSL_FUNC_KEYEXCH_DERIVE, FUNCTION(exchange_derive)},
    {0, NULL},
};
