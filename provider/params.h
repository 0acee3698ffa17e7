/* params.h - OSSL_PARAM without libcrypto: the few kinds that the provider's algorithms have. Setters return false when the
 * value does not fit; a parameter without memory only learns the size it needs. */
#ifndef SEALANE_PROVIDER_PARAMS_H
#define SEALANE_PROVIDER_PARAMS_H

#include <openssl/core.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Names differ early: a call of strcmp() costs more than it, and records pay for several. */
static inline bool param_is(const OSSL_PARAM *p, const char *name) {
  const char *key = p->key;
  while (*key != '\0' && *key == *name) key++, name++;
  return *key == *name;
}
/* The parameter of this name; NULL when there is none. */
static inline OSSL_PARAM *param_find(OSSL_PARAM *params, const char *key) {
  for (; params != NULL && params->key != NULL; params++) {
    if (param_is(params, key)) return params;
  }
  return NULL;
}
static inline const OSSL_PARAM *param_find_const(const OSSL_PARAM *params, const char *key) {
  return param_find((OSSL_PARAM *)(uintptr_t)params, key);
}

/* Numbers are of 1 to 8 bytes, in the machine's order, which is little-endian. */
static inline bool param_set_number(OSSL_PARAM *p, uint64_t value) {
  if (p->data_type != OSSL_PARAM_INTEGER && p->data_type != OSSL_PARAM_UNSIGNED_INTEGER) return false;
  p->return_size = sizeof value;
  if (p->data == NULL) return true;
  if (p->data_size == 0 || p->data_size > sizeof value) return false;
  unsigned value_bits = 8 * (unsigned)p->data_size - (p->data_type == OSSL_PARAM_INTEGER);
  if (value_bits < 64 && value >> value_bits != 0) return false;
  memcpy(p->data, &value, p->data_size);
  p->return_size = p->data_size;
  return true;
}
static inline bool param_get_number(const OSSL_PARAM *p, uint64_t *value) {
  if (p->data_type != OSSL_PARAM_INTEGER && p->data_type != OSSL_PARAM_UNSIGNED_INTEGER) return false;
  if (p->data == NULL || p->data_size == 0 || p->data_size > sizeof *value) return false;
  uint64_t v = 0;
  memcpy(&v, p->data, p->data_size);
  bool is_negative = p->data_type == OSSL_PARAM_INTEGER && v >> (8 * p->data_size - 1) != 0;
  if (is_negative) return false;
  *value = v;
  return true;
}

static inline bool param_set_octets(OSSL_PARAM *p, const uint8_t *data, size_t len) {
  p->return_size = len;
  if (p->data == NULL) return true;
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data_size < len) return false;
  memcpy(p->data, data, len);
  return true;
}
static inline bool param_set_utf8(OSSL_PARAM *p, const char *text) {
  size_t len = strlen(text);
  p->return_size = len;
  if (p->data == NULL) return true;
  if (p->data_type != OSSL_PARAM_UTF8_STRING || p->data_size < len) return false;
  memcpy(p->data, text, p->data_size > len ? len + 1 : len);
  return true;
}
/* The text must outlive the parameter. */
static inline bool param_set_utf8_ptr(OSSL_PARAM *p, const char *text) {
  if (p->data_type != OSSL_PARAM_UTF8_PTR) return false;
  p->return_size = strlen(text);
  if (p->data != NULL) *(const char **)p->data = text;
  return true;
}

#endif
