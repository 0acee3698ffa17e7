/* provider.c - the OpenSSL provider `sealane`: what it offers here, and the services its algorithms use.
 *
 * An algorithm is offered when its kernel is faster than what OpenSSL brings along: that is every kernel that is not
 * portable C. Portable ones are offered only when SEALANE_KERNELS names them, which is how tests reach them. */
#define _GNU_SOURCE
#include "provider.h"
#include "bytes.h"
#include "kernel.h"
#include "params.h"
#include "skey.h"

#include <openssl/core_names.h>
#include <sealane/cpu.h>
#include <sealane/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Only the core's side of the table is declared by core_dispatch.h. */
OSSL_provider_init_fn OSSL_provider_init __attribute__((visibility("default")));

/* ---- services ------------------------------------------------------------------------------------------------ */

int prov_fail_at(const struct prov *prov, enum prov_reason reason, const char *file, int line, const char *function,
                 const char *format, ...) {
  va_list args;
  prov->new_error(prov->handle);
  prov->set_error_debug(prov->handle, file, line, function);
  va_start(args, format);
  prov->vset_error(prov->handle, reason, format, args);
  va_end(args);
  return 0;
}

/* The core's allocator knows 16 bytes at most: what it gave stands in front of what is handed out. */
enum { LINE = 64 };

void *prov_alloc(const struct prov *prov, size_t size) {
  uint8_t *raw = prov->zalloc(size + LINE, __FILE__, __LINE__);
  if (raw == NULL) {
    prov_fail(prov, PROV_E_MEMORY);
    return NULL;
  }
  size_t skipped = LINE - (uintptr_t)raw % LINE; /* at least one byte, to note how many */
  raw[skipped - 1] = (uint8_t)skipped;
  return raw + skipped;
}

void prov_wipe_free(const struct prov *prov, void *p, size_t size) {
  if (p == NULL) return;
  uint8_t *at = p;
  prov->clear_free(at - at[-1], size + LINE, __FILE__, __LINE__);
}

bool prov_random(const struct prov *prov, uint8_t *p, size_t len) {
  while (len > 0) {
    ssize_t n = getrandom(p, len, 0);
    if (n < 0) {
      prov_fail(prov, PROV_E_RANDOM);
      return false;
    }
    p += n;
    len -= (size_t)n;
  }
  return true;
}

/* ---- what is offered ----------------------------------------------------------------------------------------- */

struct offer {
  enum { CIPHER, KEYMGMT, KEYEXCH, KDF, SKEYMGMT, N_OPERATIONS } operation;
  const char *names, *description;
  const OSSL_DISPATCH *functions;
  enum sl_algorithm algorithm;
};

static const struct offer offers[] = {
    {CIPHER, "AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "Sealane AES-128-GCM", prov_aes_128_gcm,
     SL_ALG_AES_GCM},
    {CIPHER, "AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", "Sealane AES-256-GCM", prov_aes_256_gcm,
     SL_ALG_AES_GCM},
    {CIPHER, "ChaCha20-Poly1305", "Sealane ChaCha20-Poly1305", prov_chacha20_poly1305, SL_ALG_CHACHA20_POLY1305},
    {KEYMGMT, "X25519:1.3.101.110", "Sealane X25519", prov_x25519_keymgmt, SL_ALG_X25519},
    {KEYEXCH, "X25519:1.3.101.110", "Sealane X25519", prov_x25519_keyexch, SL_ALG_X25519},
    {KDF, "TLS13-KDF", "Sealane TLS13-KDF", prov_tls13_kdf, SL_ALG_SHA256},
    /* Opaque keys have OpenSSL's name for AES's, and the names of the ciphers, which OpenSSL's own keys do not: asked for by those,
     * it gives its generic ones. */
    {SKEYMGMT, "AES:2.16.840.1.101.3.4.1", "Sealane AES keys", prov_aes_skeymgmt, SL_ALG_AES_GCM},
    {SKEYMGMT, "AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "Sealane AES keys", prov_aes_skeymgmt,
     SL_ALG_AES_GCM},
    {SKEYMGMT, "AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", "Sealane AES keys", prov_aes_skeymgmt,
     SL_ALG_AES_GCM},
    {SKEYMGMT, "ChaCha20-Poly1305", "Sealane ChaCha20-Poly1305 keys", prov_chacha20_poly1305_skeymgmt,
     SL_ALG_CHACHA20_POLY1305},
};
enum { N_OFFERS = sizeof offers / sizeof offers[0] };

#define PROPERTIES "provider=sealane"

/* Whether SEALANE_KERNELS names a kernel. */
static bool is_forced(const struct sl_kernel *kernel) {
  const char *names = secure_getenv("SEALANE_KERNELS");
  return names != NULL && strstr(names, kernel->name) != NULL;
}

/* The kernel that serves an algorithm, when it is worth offering; else NULL, and why not. */
static const struct sl_kernel *worthy(enum sl_algorithm algorithm, const char **why_not) {
  const struct sl_kernel *kernel = NULL;
  *why_not = "its kernels cannot be used";
  if (sl_kernel_chosen(algorithm, &kernel) != SL_OK) return NULL;
  bool is_aead = algorithm == SL_ALG_AES_GCM || algorithm == SL_ALG_CHACHA20_POLY1305;
  *why_not = "its kernel cannot do texts in pieces";
  if (is_aead && kernel->stream.start == NULL) return NULL;
  *why_not = "this CPU has only its portable kernel, which is no faster than OpenSSL's own code";
  if (kernel->needs == 0 && !is_forced(kernel)) return NULL;
  *why_not = "";
  return kernel;
}

static bool make_lists(struct prov *prov) {
  OSSL_ALGORITHM **lists[N_OPERATIONS] = {&prov->ciphers, &prov->keymgmts, &prov->keyexchs, &prov->kdfs,
                                          &prov->skeymgmts};
  for (size_t i = 0; i < N_OPERATIONS; i++) {
    *lists[i] = prov->zalloc((N_OFFERS + 1) * sizeof **lists[i], __FILE__, __LINE__);
    if (*lists[i] == NULL) return false;
    OSSL_ALGORITHM *end = *lists[i];
    for (size_t j = 0; j < N_OFFERS; j++) {
      const char *why_not;
      if (offers[j].operation != i || worthy(offers[j].algorithm, &why_not) == NULL) continue;
      *end++ = (OSSL_ALGORITHM){offers[j].names, PROPERTIES, offers[j].functions, offers[j].description};
    }
  }
  return true;
}

static const OSSL_ALGORITHM *query_operation(void *ctx, int operation, int *no_cache) {
  const struct prov *prov = ctx;
  *no_cache = 0;
  switch (operation) {
  case OSSL_OP_CIPHER:
    return prov->ciphers;
  case OSSL_OP_KEYMGMT:
    return prov->keymgmts;
  case OSSL_OP_KEYEXCH:
    return prov->keyexchs;
  case OSSL_OP_KDF:
    return prov->kdfs;
  case OP_SKEYMGMT:
    return prov->skeymgmts;
  default:
    return NULL;
  }
}

/* ---- parameters ---------------------------------------------------------------------------------------------- */

/* For the doctor: which kernel serves an algorithm, or why it is not offered. */
#define PARAM_KERNEL "sealane-kernel-" /* and the names of enum sl_algorithm: sealane-kernel-aes-gcm ... */

static const OSSL_PARAM gettable[] = {
    {OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {OSSL_PROV_PARAM_BUILDINFO, OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, sizeof(int), 0},
    {PARAM_KERNEL "aes-gcm", OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {PARAM_KERNEL "chacha20-poly1305", OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {PARAM_KERNEL "sha256", OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {PARAM_KERNEL "x25519", OSSL_PARAM_UTF8_PTR, NULL, 0, 0},
    {NULL, 0, NULL, 0, 0},
};

static const OSSL_PARAM *gettable_params(void *ctx) {
  (void)ctx;
  return gettable;
}

static int get_params(void *ctx, OSSL_PARAM params[]) {
  const struct prov *prov = ctx;
  for (OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++) {
    bool is_set = true;
    if (strcmp(p->key, OSSL_PROV_PARAM_NAME) == 0) is_set = param_set_utf8_ptr(p, "Sealane provider");
    if (strcmp(p->key, OSSL_PROV_PARAM_VERSION) == 0) is_set = param_set_utf8_ptr(p, SEALANE_VERSION);
    if (strcmp(p->key, OSSL_PROV_PARAM_BUILDINFO) == 0) is_set = param_set_utf8_ptr(p, SEALANE_VERSION);
    if (strcmp(p->key, OSSL_PROV_PARAM_STATUS) == 0) is_set = param_set_number(p, 1);
    if (strncmp(p->key, PARAM_KERNEL, strlen(PARAM_KERNEL)) == 0) {
      for (enum sl_algorithm a = 0; a < SL_ALG_END; a++) {
        if (strcmp(p->key + strlen(PARAM_KERNEL), sl_algorithm_name(a)) != 0) continue;
        const char *why_not;
        const struct sl_kernel *kernel = worthy(a, &why_not);
        is_set = param_set_utf8_ptr(p, kernel != NULL ? kernel->name : why_not);
      }
    }
    if (!is_set) return prov_fail(prov, PROV_E_PARAMETER);
  }
  return 1;
}

/* ---- TLS groups ---------------------------------------------------------------------------------------------- */

/* libssl uses a group when the provider that names it is the one that it fetches the group's keys from: without this, X25519
 * would be missing from TLS as soon as its keys are ours. */
static int get_capabilities(void *ctx, const char *capability, OSSL_CALLBACK *callback, void *arg) {
  static unsigned id = 29 /* RFC 8446 4.2.7 */, security_bits = 128;
  static int tls_min = 0x0301, tls_max = 0, dtls_min = 0xfeff, dtls_max = 0; /* 0: no limit */
  static const OSSL_PARAM x25519[] = {
      {OSSL_CAPABILITY_TLS_GROUP_NAME, OSSL_PARAM_UTF8_STRING, "x25519", sizeof "x25519", 0},
      {OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, OSSL_PARAM_UTF8_STRING, "X25519", sizeof "X25519", 0},
      {OSSL_CAPABILITY_TLS_GROUP_ALG, OSSL_PARAM_UTF8_STRING, "X25519", sizeof "X25519", 0},
      {OSSL_CAPABILITY_TLS_GROUP_ID, OSSL_PARAM_UNSIGNED_INTEGER, &id, sizeof id, 0},
      {OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, OSSL_PARAM_UNSIGNED_INTEGER, &security_bits, sizeof security_bits, 0},
      {OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, OSSL_PARAM_INTEGER, &tls_min, sizeof tls_min, 0},
      {OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, OSSL_PARAM_INTEGER, &tls_max, sizeof tls_max, 0},
      {OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, OSSL_PARAM_INTEGER, &dtls_min, sizeof dtls_min, 0},
      {OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, OSSL_PARAM_INTEGER, &dtls_max, sizeof dtls_max, 0},
      {NULL, 0, NULL, 0, 0},
  };
  const struct prov *prov = ctx;
  if (strcmp(capability, "TLS-GROUP") != 0) return 0;
  return prov->keymgmts[0].algorithm_names == NULL || callback(x25519, arg);
}

static const OSSL_ITEM *get_reason_strings(void *ctx) {
  static const OSSL_ITEM reasons[] = {
#define REASON(name, text) {name, (void *)(uintptr_t)text},
      PROV_REASONS(REASON)
#undef REASON
          {0, NULL},
  };
  (void)ctx;
  return reasons;
}

/* ---- coming and going ---------------------------------------------------------------------------------------- */

static void teardown(void *ctx) {
  struct prov *prov = ctx;
  prov->free(prov->ciphers, __FILE__, __LINE__);
  prov->free(prov->keymgmts, __FILE__, __LINE__);
  prov->free(prov->keyexchs, __FILE__, __LINE__);
  prov->free(prov->kdfs, __FILE__, __LINE__);
  prov->free(prov->skeymgmts, __FILE__, __LINE__);
  prov->free(prov, __FILE__, __LINE__);
}

#define FUNCTION(f) ((void (*)(void))(f))

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_TEARDOWN, FUNCTION(teardown)},
    {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, FUNCTION(gettable_params)},
    {OSSL_FUNC_PROVIDER_GET_PARAMS, FUNCTION(get_params)},
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, FUNCTION(query_operation)},
    {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, FUNCTION(get_reason_strings)},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, FUNCTION(get_capabilities)},
    {0, NULL},
};

/* What the core offers, by number. */
static struct prov from_core(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
  struct prov prov = {.handle = handle};
  for (; in->function_id != 0; in++) {
    switch (in->function_id) {
    case OSSL_FUNC_CORE_NEW_ERROR:
      prov.new_error = OSSL_FUNC_core_new_error(in);
      break;
    case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
      prov.set_error_debug = OSSL_FUNC_core_set_error_debug(in);
      break;
    case OSSL_FUNC_CORE_VSET_ERROR:
      prov.vset_error = OSSL_FUNC_core_vset_error(in);
      break;
    case OSSL_FUNC_CRYPTO_ZALLOC:
      prov.zalloc = OSSL_FUNC_CRYPTO_zalloc(in);
      break;
    case OSSL_FUNC_CRYPTO_FREE:
      prov.free = OSSL_FUNC_CRYPTO_free(in);
      break;
    case OSSL_FUNC_CRYPTO_CLEAR_FREE:
      prov.clear_free = OSSL_FUNC_CRYPTO_clear_free(in);
      break;
    default:
      break;
    }
  }
  return prov;
}

/* "3.0.19" */
static unsigned version_of(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in) {
  const char *text = NULL;
  unsigned major = 0, minor = 0;
  OSSL_PARAM params[] = {{OSSL_PROV_PARAM_CORE_VERSION, OSSL_PARAM_UTF8_PTR, &text, 0, 0}, {NULL, 0, NULL, 0, 0}};
  for (; in->function_id != 0; in++) {
    if (in->function_id == OSSL_FUNC_CORE_GET_PARAMS) OSSL_FUNC_core_get_params(in)(handle, params);
  }
  return text != NULL && sscanf(text, "%u.%u", &major, &minor) == 2 ? 100 * major + minor : 0;
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ctx) {
  struct prov core = from_core(handle, in);
  if (core.new_error == NULL || core.set_error_debug == NULL || core.vset_error == NULL) return 0;
  if (core.zalloc == NULL || core.free == NULL || core.clear_free == NULL) return prov_fail(&core, PROV_E_CORE);

  core.core_version = version_of(handle, in);
  char why[200];
  if (sl_kernels_check(why, sizeof why) != SL_OK) return prov_fail_because(&core, PROV_E_KERNELS, "%s", why);

  struct prov *prov = core.zalloc(sizeof *prov, __FILE__, __LINE__);
  if (prov == NULL) return prov_fail(&core, PROV_E_MEMORY);
  *prov = core;
  if (!make_lists(prov)) {
    teardown(prov);
    return prov_fail(&core, PROV_E_MEMORY);
  }
  *out = functions;
  *ctx = prov;
  return 1;
}
