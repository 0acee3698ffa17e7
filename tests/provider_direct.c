/* provider_direct.c - see provider_direct.h. */
#include "provider_direct.h"
#include "provider_pair.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *direct_ctx;
int direct_last_reason, direct_n_alive;
unsigned direct_n_allocs, direct_fail_at;
const char *direct_version;

static void *module;
static const OSSL_DISPATCH *provider;

static void new_error(const OSSL_CORE_HANDLE *handle) {
  (void)handle;
}
static void set_error_debug(const OSSL_CORE_HANDLE *handle, const char *file, int line, const char *function) {
  (void)handle, (void)file, (void)line, (void)function;
}
static void vset_error(const OSSL_CORE_HANDLE *handle, uint32_t reason, const char *format, va_list args) {
  (void)handle, (void)format, (void)args;
  direct_last_reason = (int)reason;
}
static void *zalloc(size_t len, const char *file, int line) {
  (void)file, (void)line;
  if (++direct_n_allocs == direct_fail_at) return NULL;
  direct_n_alive++;
  return calloc(1, len);
}
static void release(void *p, const char *file, int line) {
  (void)file, (void)line;
  direct_n_alive -= p != NULL;
  free(p);
}
static void clear_release(void *p, size_t len, const char *file, int line) {
  if (p != NULL) memset(p, 0xee, len);
  release(p, file, line);
}

static int get_params(const OSSL_CORE_HANDLE *handle, OSSL_PARAM params[]) {
  (void)handle;
  for (OSSL_PARAM *p = params; p->key != NULL; p++) {
    if (strcmp(p->key, OSSL_PROV_PARAM_CORE_VERSION) == 0 && direct_version != NULL)
      *(const char **)p->data = direct_version;
  }
  return 1;
}

void (*direct_entry(const OSSL_DISPATCH *table, int id))(void) {
  for (; table != NULL && table->function_id != 0; table++) {
    if (table->function_id == id) return table->function;
  }
  return NULL;
}

void direct_load(void) {
  static const OSSL_DISPATCH core[] = {
      {OSSL_FUNC_CORE_NEW_ERROR, (void (*)(void))new_error},
      {OSSL_FUNC_CORE_SET_ERROR_DEBUG, (void (*)(void))set_error_debug},
      {OSSL_FUNC_CORE_VSET_ERROR, (void (*)(void))vset_error},
      {OSSL_FUNC_CORE_GET_PARAMS, (void (*)(void))get_params},
      {OSSL_FUNC_CRYPTO_ZALLOC, (void (*)(void))zalloc},
      {OSSL_FUNC_CRYPTO_FREE, (void (*)(void))release},
      {OSSL_FUNC_CRYPTO_CLEAR_FREE, (void (*)(void))clear_release},
      {0, NULL},
  };
  OSSL_provider_init_fn *init;
  module = dlopen(SEALANE_MODULES "/sealane.so", RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) fail_msg("%s", dlerror());
  void *symbol = dlsym(module, "OSSL_provider_init");
  assert_non_null(symbol);
  memcpy(&init, &symbol, sizeof init);
  assert_int_equal(init(NULL, core, &provider, &direct_ctx), 1);
}

void direct_unload(void) {
  OSSL_FUNC_provider_teardown_fn *teardown =
      (OSSL_FUNC_provider_teardown_fn *)direct_entry(provider, OSSL_FUNC_PROVIDER_TEARDOWN);
  teardown(direct_ctx);
  assert_int_equal(direct_n_alive, 0);
  assert_int_equal(dlclose(module), 0);
}

static bool is_named(const char *names, const char *name) {
  size_t n = strlen(name);
  for (const char *at = names;; at++) {
    if (strncasecmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == ':')) return true;
    at = strchr(at, ':');
    if (at == NULL) return false;
  }
}

const OSSL_DISPATCH *direct_algorithm(int operation, const char *name) {
  OSSL_FUNC_provider_query_operation_fn *query =
      (OSSL_FUNC_provider_query_operation_fn *)direct_entry(provider, OSSL_FUNC_PROVIDER_QUERY_OPERATION);
  int no_cache;
  const OSSL_ALGORITHM *a = query(direct_ctx, operation, &no_cache);
  for (; a != NULL && a->algorithm_names != NULL; a++) {
    if (is_named(a->algorithm_names, name)) return a->implementation;
  }
  return NULL;
}

const char *direct_reason(void) {
  OSSL_FUNC_provider_get_reason_strings_fn *get =
      (OSSL_FUNC_provider_get_reason_strings_fn *)direct_entry(provider, OSSL_FUNC_PROVIDER_GET_REASON_STRINGS);
  for (const OSSL_ITEM *item = get(direct_ctx); item->id != 0; item++) {
    if ((int)item->id == direct_last_reason) return item->ptr;
  }
  return "";
}

int direct_set_up(void **state) {
  direct_load();
  return pair_set_up(state);
}
int direct_tear_down(void **state) {
  direct_unload();
  return pair_tear_down(state);
}
