/* provider_pair.c - see provider_pair.h. */
#include "provider_pair.h"

OSSL_LIB_CTX *contexts[BOTH];
const char *const cipher_names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
_Static_assert(sizeof cipher_names / sizeof cipher_names[0] == N_CIPHERS, "all are counted");

static OSSL_PROVIDER *providers[BOTH];

OSSL_LIB_CTX *context_with(const char *provider, OSSL_PROVIDER **loaded) {
  OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
  assert_non_null(ctx);
  assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, SEALANE_MODULES), 1);
  OSSL_PROVIDER *p = OSSL_PROVIDER_load(ctx, provider);
  if (p == NULL) {
    ERR_print_errors_fp(stderr);
    fail_msg("provider %s cannot be loaded", provider);
  }
  if (loaded != NULL) *loaded = p;
  return ctx;
}

int pair_set_up(void **state) {
  (void)state;
  contexts[OURS] = context_with("sealane", &providers[OURS]);
  contexts[THEIRS] = context_with("default", &providers[THEIRS]);
  return 0;
}

int pair_tear_down(void **state) {
  (void)state;
  for (int w = 0; w < BOTH; w++) {
    assert_int_equal(OSSL_PROVIDER_unload(providers[w]), 1);
    OSSL_LIB_CTX_free(contexts[w]);
  }
  return 0;
}

void force_what_there_is(void) {
  char forced[200] = "";
  if (getenv("SEALANE_KERNELS") != NULL) return;
  for (enum sl_algorithm a = 0; a < SL_ALG_END; a++) {
    const struct sl_kernel *kernel;
    if (sl_kernel_chosen(a, &kernel) != SL_OK) continue;
    size_t n = strlen(forced);
    snprintf(forced + n, sizeof forced - n, "%s%s", n > 0 ? "," : "", kernel->name);
  }
  setenv("SEALANE_KERNELS", forced, 1);
}

EVP_CIPHER *fetch_cipher(int whose, const char *name) {
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(contexts[whose], name, NULL);
  ERR_clear_error();
  if (cipher == NULL) printf("  n/a %s: not offered with these kernels\n", name);
  return cipher;
}

EVP_CIPHER *first_cipher(void) {
  for (size_t i = 0; i < N_CIPHERS; i++) {
    EVP_CIPHER *cipher = fetch_cipher(OURS, cipher_names[i]);
    if (cipher != NULL) return cipher;
  }
  return NULL;
}

bool has_x25519(void) {
  EVP_KEYMGMT *offered = EVP_KEYMGMT_fetch(contexts[OURS], "X25519", NULL);
  ERR_clear_error();
  if (offered == NULL) printf("  n/a X25519: not offered with these kernels\n");
  EVP_KEYMGMT_free(offered);
  return offered != NULL;
}

bool is_openssl_from(unsigned major, unsigned minor) {
  unsigned has = OPENSSL_version_major();
  return has > major || (has == major && OPENSSL_version_minor() >= minor);
}

void assert_reason(int ret, const char *reason) {
  assert_int_equal(ret, 0);
  const char *text = ERR_reason_error_string(ERR_peek_error());
  assert_non_null(text);
  assert_string_equal(text, reason);
  ERR_clear_error();
}

void returns_agree(const char *what, int ours, int theirs) {
  if (ours != theirs) fail_msg("%s: returns %d, OpenSSL's %d", what, ours, theirs);
}

static bool is_named(const char *names, const char *name) {
  size_t n = strlen(name);
  for (const char *at = names; at != NULL && (at = strstr(at, name)) != NULL; at += n) {
    if ((at == names || at[-1] == ',') && (at[n] == '\0' || at[n] == ',')) return true;
  }
  return false;
}

/* A name may be there twice, with two types. */
static bool has_like(const OSSL_PARAM *list, const OSSL_PARAM *p) {
  for (; list->key != NULL; list++) {
    if (strcmp(list->key, p->key) == 0 && list->data_type == p->data_type && list->data_size == p->data_size)
      return true;
  }
  return false;
}

void lists_agree(const char *what, const OSSL_PARAM *ours, const OSSL_PARAM *theirs, const char *ours_alone) {
  static const OSSL_PARAM none[] = {{NULL, 0, NULL, 0, 0}};
  if (ours == NULL) ours = none;
  if (theirs == NULL) theirs = none;
  for (const OSSL_PARAM *p = ours; p->key != NULL; p++) {
    if (!has_like(theirs, p) && !is_named(ours_alone, p->key)) fail_msg("%s: OpenSSL's has no such %s", what, p->key);
  }
  for (const OSSL_PARAM *p = theirs; p->key != NULL; p++) {
    if (!has_like(ours, p)) fail_msg("%s: has no %s such as OpenSSL's has", what, p->key);
  }
}
