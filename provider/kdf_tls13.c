/* kdf_tls13.c - TLS13-KDF as EVP sees it: TLS 1.3's key schedule (RFC 8446 7.1), a step a call. libssl makes a context for each
 * of a handshake's twenty steps, so what counts is what a call costs (docs/decisions/0030-digests-and-kdfs.md).
 *
 * It answers as OpenSSL's own does, call for call (tests/test_provider_kdf.c), but for digests: TLS 1.3 has SHA-256 and SHA-384,
 * and SHA-512 comes with them; others are refused. */
#include "bytes.h"
#include "hkdf.h"
#include "params.h"
#include "provider.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <strings.h>

enum {
  OWN_LEN = 64,     /* longer inputs than TLS has take memory of their own */
  VECTOR_MAX = 255, /* of HkdfLabel  RFC 8446 7.1 */
  BLOCKS_MAX = 255, /* RFC 5869 2.3 */
  KEEPS_DATA = 306,
  SAYS_MORE = 306,   /* versions of OpenSSL from which its own does */
  HEADS_LEN = 2 + 2, /* of HkdfLabel: output length, and the lengths of two vectors */
};

/* Bytes that were given; NULL when none were. */
struct input {
  uint8_t *p;
  size_t len;
  uint8_t own[OWN_LEN];
};

struct kdf {
  const struct prov *prov;
  enum sl_hash hash;
  int mode;
  struct input key, salt, prefix, label, data;
};

/* ---- inputs -------------------------------------------------------------------------------------------------- */

static void input_drop(const struct prov *prov, struct input *in) {
  if (in->p == in->own) {
    sl_wipe(in->own, in->len);
  } else {
    prov_wipe_free(prov, in->p, in->len);
  }
  in->p = NULL;
  in->len = 0;
}

static bool input_set(const struct prov *prov, struct input *in, const uint8_t *data, size_t len) {
  uint8_t *p = len <= OWN_LEN ? in->own : prov_alloc(prov, len);
  if (p == NULL) return false;
  input_drop(prov, in);
  memcpy(p, data, len);
  in->p = p;
  in->len = len;
  return true;
}

static bool input_copy(const struct prov *prov, struct input *to, const struct input *from) {
  return from->p == NULL || input_set(prov, to, from->p, from->len);
}

static void *kdf_new(void *prov) {
  struct kdf *kdf = prov_alloc(prov, sizeof *kdf);
  if (kdf != NULL) kdf->prov = prov;
  return kdf;
}

static void kdf_reset(void *ctx) {
  struct kdf *kdf = ctx;
  struct input *inputs[] = {&kdf->key, &kdf->salt, &kdf->prefix, &kdf->label, &kdf->data};
  for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) input_drop(kdf->prov, inputs[i]);
  kdf->hash = SL_HASH_NONE;
  kdf->mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
}

static void kdf_free(void *ctx) {
  struct kdf *kdf = ctx;
  if (kdf == NULL) return;
  kdf_reset(kdf);
  prov_wipe_free(kdf->prov, kdf, sizeof *kdf);
}

static void *kdf_dup(void *ctx) {
  const struct kdf *kdf = ctx;
  struct kdf *copy = kdf_new((void *)(uintptr_t)kdf->prov);
  if (copy == NULL) return NULL;
  copy->hash = kdf->hash;
  copy->mode = kdf->mode;
  if (input_copy(kdf->prov, &copy->key, &kdf->key) && input_copy(kdf->prov, &copy->salt, &kdf->salt) &&
      input_copy(kdf->prov, &copy->prefix, &kdf->prefix) && input_copy(kdf->prov, &copy->label, &kdf->label) &&
      input_copy(kdf->prov, &copy->data, &kdf->data)) {
    return copy;
  }
  kdf_free(copy);
  return NULL;
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

static int set_digest(struct kdf *kdf, const OSSL_PARAM *p) {
  static const struct {
    const char *name;
    enum sl_hash hash;
  } names[] = {
      {"SHA256", SL_SHA256}, {"SHA2-256", SL_SHA256}, {"SHA-256", SL_SHA256}, {"2.16.840.1.101.3.4.2.1", SL_SHA256},
      {"SHA384", SL_SHA384}, {"SHA2-384", SL_SHA384}, {"SHA-384", SL_SHA384}, {"2.16.840.1.101.3.4.2.2", SL_SHA384},
      {"SHA512", SL_SHA512}, {"SHA2-512", SL_SHA512}, {"SHA-512", SL_SHA512}, {"2.16.840.1.101.3.4.2.3", SL_SHA512},
  };
  if (p->data_type != OSSL_PARAM_UTF8_STRING || p->data == NULL) return prov_fail(kdf->prov, PROV_E_PARAMETER);
  kdf->hash = SL_HASH_NONE;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcasecmp(p->data, names[i].name) != 0) continue;
    kdf->hash = names[i].hash;
    return 1;
  }
  return prov_fail_because(kdf->prov, PROV_E_DIGEST, "%s", (const char *)p->data);
}

static int set_properties(struct kdf *kdf, const OSSL_PARAM *p) {
  return p->data_type == OSSL_PARAM_UTF8_STRING ? 1 : prov_fail(kdf->prov, PROV_E_PARAMETER);
}

static const char *const mode_names[] = {
    [EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND] = "EXTRACT_AND_EXPAND",
    [EVP_KDF_HKDF_MODE_EXTRACT_ONLY] = "EXTRACT_ONLY",
    [EVP_KDF_HKDF_MODE_EXPAND_ONLY] = "EXPAND_ONLY",
};
enum { N_MODES = sizeof mode_names / sizeof mode_names[0] };

static int set_mode(struct kdf *kdf, const OSSL_PARAM *p) {
  uint64_t mode = N_MODES;
  if (p->data_type == OSSL_PARAM_UTF8_STRING) {
    for (mode = 0; mode < N_MODES && strcasecmp(p->data, mode_names[mode]) != 0;) mode++;
  } else if (!param_get_number(p, &mode)) {
    mode = N_MODES;
  }
  if (mode >= N_MODES) return prov_fail(kdf->prov, PROV_E_MODE);
  kdf->mode = (int)mode;
  return 1;
}

static int set_input(struct kdf *kdf, struct input *in, const OSSL_PARAM *p) {
  input_drop(kdf->prov, in); /* also when the new one will not do */
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == NULL) return prov_fail(kdf->prov, PROV_E_PARAMETER);
  return input_set(kdf->prov, in, p->data, p->data_size);
}
static int set_key(struct kdf *kdf, const OSSL_PARAM *p) {
  return set_input(kdf, &kdf->key, p);
}
static int set_salt(struct kdf *kdf, const OSSL_PARAM *p) {
  return set_input(kdf, &kdf->salt, p);
}
static int set_prefix(struct kdf *kdf, const OSSL_PARAM *p) {
  return set_input(kdf, &kdf->prefix, p);
}
static int set_label(struct kdf *kdf, const OSSL_PARAM *p) {
  return set_input(kdf, &kdf->label, p);
}
struct setter {
  const char *name;
  int (*set)(struct kdf *kdf, const OSSL_PARAM *p);
};

static int set_each(struct kdf *kdf, const OSSL_PARAM params[], const struct setter *setters, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const OSSL_PARAM *p = param_find_const(params, setters[i].name);
    if (p != NULL && !setters[i].set(kdf, p)) return 0;
  }
  return 1;
}

/* What is not given stays as it was; but for data, which is of one step, in all that is older than OpenSSL 3.6. */
static int kdf_set_params(void *ctx, const OSSL_PARAM params[]) {
  static const struct setter common[] = {
      {OSSL_KDF_PARAM_PROPERTIES, set_properties},
      {OSSL_KDF_PARAM_DIGEST, set_digest},
      {OSSL_KDF_PARAM_MODE, set_mode},
      {OSSL_KDF_PARAM_KEY, set_key},
      {OSSL_KDF_PARAM_SALT, set_salt},
  };
  static const struct setter labels[] = {{OSSL_KDF_PARAM_PREFIX, set_prefix}, {OSSL_KDF_PARAM_LABEL, set_label}};
  struct kdf *kdf = ctx;
  if (params == NULL) return 1;
  if (!set_each(kdf, params, common, sizeof common / sizeof common[0])) return 0;
  if (kdf->mode == EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND) return prov_fail(kdf->prov, PROV_E_MODE);
  if (!set_each(kdf, params, labels, sizeof labels / sizeof labels[0])) return 0;
  const OSSL_PARAM *data = param_find_const(params, OSSL_KDF_PARAM_DATA);
  if (data != NULL) return set_input(kdf, &kdf->data, data);
  if (kdf->prov->core_version < KEEPS_DATA) input_drop(kdf->prov, &kdf->data);
  return 1;
}

static const OSSL_PARAM *kdf_settable_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_KDF_PARAM_MODE, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_MODE, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_KDF_PARAM_PROPERTIES, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_SALT, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_PREFIX, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_LABEL, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_DATA, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

static bool get_mode(const struct kdf *kdf, OSSL_PARAM *p) {
  if (p->data_type == OSSL_PARAM_UTF8_STRING) return param_set_utf8(p, mode_names[kdf->mode]);
  return param_set_number(p, (uint64_t)kdf->mode);
}

static bool get_salt(const struct kdf *kdf, OSSL_PARAM *p) {
  if (kdf->salt.len > 0) return param_set_octets(p, kdf->salt.p, kdf->salt.len);
  p->return_size = 0;
  return true;
}

/* What OpenSSL's own says from 3.6 on. */
static int get_what_was_set(const struct kdf *kdf, OSSL_PARAM params[]) {
  static const char *const hash_names[] = {
      [SL_SHA256] = "SHA2-256", [SL_SHA384] = "SHA2-384", [SL_SHA512] = "SHA2-512"};
  OSSL_PARAM *p = param_find(params, OSSL_KDF_PARAM_DIGEST);
  if (p != NULL && kdf->hash == SL_HASH_NONE) return prov_fail(kdf->prov, PROV_E_DIGEST);
  bool ok = p == NULL || param_set_utf8(p, hash_names[kdf->hash]);
  p = param_find(params, OSSL_KDF_PARAM_MODE);
  ok = ok && (p == NULL || get_mode(kdf, p));
  p = param_find(params, OSSL_KDF_PARAM_SALT);
  ok = ok && (p == NULL || get_salt(kdf, p));
  return ok ? 1 : prov_fail(kdf->prov, PROV_E_PARAMETER);
}

/* The size of what a step gives, where it has one: SIZE_MAX is any. HKDF's info is a name that this has, and no more. */
static int kdf_get_params(void *ctx, OSSL_PARAM params[]) {
  struct kdf *kdf = ctx;
  OSSL_PARAM *p = param_find(params, OSSL_KDF_PARAM_INFO);
  if (p != NULL) p->return_size = 0;
  bool says_more = kdf->prov->core_version >= SAYS_MORE;
  if (says_more && !get_what_was_set(kdf, params)) return 0;
  p = param_find(params, OSSL_KDF_PARAM_SIZE);
  if (p == NULL) return says_more ? 1 : -2;
  bool is_any = kdf->mode != EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
  if (!is_any && kdf->hash == SL_HASH_NONE) return prov_fail(kdf->prov, PROV_E_DIGEST);
  return param_set_number(p, is_any ? SIZE_MAX : sl_hash_len(kdf->hash)) ? 1 : prov_fail(kdf->prov, PROV_E_PARAMETER);
}

static const OSSL_PARAM *kdf_gettable_params(void *ctx, void *prov) {
  static const OSSL_PARAM list[] = {
      {OSSL_KDF_PARAM_SIZE, OSSL_PARAM_UNSIGNED_INTEGER, NULL, sizeof(size_t), 0},
      {OSSL_KDF_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_MODE, OSSL_PARAM_UTF8_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_MODE, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
      {OSSL_KDF_PARAM_SALT, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {OSSL_KDF_PARAM_INFO, OSSL_PARAM_OCTET_STRING, NULL, 0, 0},
      {NULL, 0, NULL, 0, 0},
  };
  (void)ctx, (void)prov;
  return list;
}

/* ---- steps --------------------------------------------------------------------------------------------------- */

/* out = HKDF-Expand-Label(secret, prefix and label, data, out_len)  RFC 8446 7.1 */
static int expand_label(const struct kdf *kdf, const uint8_t *secret, size_t secret_len, const uint8_t *data,
                        size_t data_len, uint8_t *out, size_t out_len) {
  uint8_t info[HEADS_LEN + 2 * VECTOR_MAX], *end = info;
  size_t label_len = kdf->prefix.len + kdf->label.len;
  bool is_short = out_len <= BLOCKS_MAX * sl_hash_len(kdf->hash);
  if (label_len > VECTOR_MAX || data_len > VECTOR_MAX || !is_short) return prov_fail(kdf->prov, PROV_E_KDF_LENGTH);
  sl_store16_be(end, (uint16_t)out_len);
  end += 2;
  *end++ = (uint8_t)label_len;
  if (kdf->prefix.len > 0) memcpy(end, kdf->prefix.p, kdf->prefix.len);
  end += kdf->prefix.len;
  if (kdf->label.len > 0) memcpy(end, kdf->label.p, kdf->label.len);
  end += kdf->label.len;
  *end++ = (uint8_t)data_len;
  if (data_len > 0) memcpy(end, data, data_len);
  end += data_len;
  sl_err err = sl_hkdf_expand(kdf->hash, secret, secret_len, info, (size_t)(end - info), out, out_len);
  return err == SL_OK ? 1 : prov_fail_because(kdf->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
}

/* The next secret of the schedule: Extract of the new input under what Derive-Secret() makes of the last secret, which is
 * `salt`. A missing input is zeros; the first secret has no last one. */
static int next_secret(const struct kdf *kdf, uint8_t *out, size_t out_len) {
  static const uint8_t zeros[SL_HASH_LEN_MAX];
  size_t hash_len = sl_hash_len(kdf->hash);
  uint8_t salt[SL_HASH_LEN_MAX], empty[SL_HASH_LEN_MAX];
  size_t salt_len = 0;
  if (out_len != hash_len) return prov_fail(kdf->prov, PROV_E_KDF_LENGTH);
  if (kdf->salt.p != NULL) {
    sl_err err = sl_hash_once(kdf->hash, NULL, 0, empty);
    if (err != SL_OK) return prov_fail_because(kdf->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
    if (!expand_label(kdf, kdf->salt.p, kdf->salt.len, empty, hash_len, salt, hash_len)) return 0;
    salt_len = hash_len;
  }
  bool has_key = kdf->key.p != NULL;
  sl_err err =
      sl_hkdf_extract(kdf->hash, salt, salt_len, has_key ? kdf->key.p : zeros, has_key ? kdf->key.len : hash_len, out);
  sl_wipe(salt, salt_len);
  return err == SL_OK ? 1 : prov_fail_because(kdf->prov, PROV_E_KERNELS, "%s", sl_err_text(err));
}

static int kdf_derive(void *ctx, unsigned char *out, size_t out_len, const OSSL_PARAM params[]) {
  struct kdf *kdf = ctx;
  if (!kdf_set_params(kdf, params)) return 0;
  if (kdf->hash == SL_HASH_NONE) return prov_fail(kdf->prov, PROV_E_DIGEST);
  if (kdf->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) return next_secret(kdf, out, out_len);
  if (kdf->mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY) return prov_fail(kdf->prov, PROV_E_MODE);
  if (kdf->key.p == NULL) return prov_fail(kdf->prov, PROV_E_NO_KEY);
  if (out == NULL) return prov_fail(kdf->prov, PROV_E_SPACE);
  return expand_label(kdf, kdf->key.p, kdf->key.len, kdf->data.p, kdf->data.len, out, out_len);
}

#define FUNCTION(f) ((void (*)(void))(f))

const OSSL_DISPATCH prov_tls13_kdf[] = {
    {OSSL_FUNC_KDF_NEWCTX, FUNCTION(kdf_new)},
    {OSSL_FUNC_KDF_DUPCTX, FUNCTION(kdf_dup)},
    {OSSL_FUNC_KDF_FREECTX, FUNCTION(kdf_free)},
    {OSSL_FUNC_KDF_RESET, FUNCTION(kdf_reset)},
    {OSSL_FUNC_KDF_DERIVE, FUNCTION(kdf_derive)},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, FUNCTION(kdf_settable_params)},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, FUNCTION(kdf_set_params)},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, FUNCTION(kdf_gettable_params)},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, FUNCTION(kdf_get_params)},
    {0, NULL},
};
