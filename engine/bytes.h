/* bytes.h - ranges, loads and stores that do not care about alignment, and the three helpers for secrets.
 *
 * Secrets are marked, compared and erased here and nowhere else. Marking tells valgrind that bytes are secret, so that a
 * branch or an address that depends on them is an error in ./dev ct; it costs nothing elsewhere. */
#ifndef SEALANE_ENGINE_BYTES_H
#define SEALANE_ENGINE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether a[0..a_len) and b[0..b_len) share a byte: the last one of b, seen from the first one of a, is less far than the two
 * are long end to end. Neither range wraps. */
static inline bool sl_overlap(const void *a, size_t a_len, const void *b, size_t b_len) {
  return a_len > 0 && b_len > 0 && (uintptr_t)b + (b_len - 1) - (uintptr_t)a < a_len + b_len - 1;
}

static inline uint16_t sl_load16_be(const uint8_t *p) {
  return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t sl_load24_be(const uint8_t *p) {
  return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}
static inline uint32_t sl_load32_be(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
static inline uint64_t sl_load64_be(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}
static inline uint32_t sl_load32_le(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}
static inline uint64_t sl_load64_le(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return v;
}
static inline void sl_store16_be(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void sl_store24_be(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 16);
  p[1] = (uint8_t)(v >> 8);
  p[2] = (uint8_t)v;
}
static inline void sl_store32_be(uint8_t *p, uint32_t v) {
  v = __builtin_bswap32(v);
  memcpy(p, &v, 4);
}
static inline void sl_store64_be(uint8_t *p, uint64_t v) {
  v = __builtin_bswap64(v);
  memcpy(p, &v, 8);
}
static inline void sl_store32_le(uint8_t *p, uint32_t v) {
  memcpy(p, &v, 4);
}
static inline void sl_store64_le(uint8_t *p, uint64_t v) {
  memcpy(p, &v, 8);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Sealane runs on little-endian machines");

/* Erases len bytes in a way the compiler keeps. */
static inline void sl_wipe(void *p, size_t len) {
  if (len > 0) memset(p, 0, len);
  __asm__ volatile("" : : "r"(p) : "memory");
}

/* Compares len bytes in time that depends on len alone; returns 0 when equal and 1 when they differ. The answer itself
 * is still marked secret: branch on it after sl_declassify(). */
static inline uint32_t sl_differ(const uint8_t *a, const uint8_t *b, size_t len) {
  uint64_t acc = 0;
  size_t i = 0;
  for (; len - i >= 8; i += 8) {
    acc |= sl_load64_le(a + i) ^ sl_load64_le(b + i);
    __asm__("" : "+r"(acc)); /* keeps the compiler from leaving early */
  }
  for (; i < len; i++) {
    acc |= (uint64_t)(a[i] ^ b[i]);
    __asm__("" : "+r"(acc));
  }
  return (uint32_t)((acc | (0 - acc)) >> 63);
}

#if defined(SEALANE_CT_CHECK)
#include <valgrind/memcheck.h>
static inline void sl_secret(const void *p, size_t len) {
  (void)VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}
static inline void sl_declassify(const void *p, size_t len) {
  (void)VALGRIND_MAKE_MEM_DEFINED(p, len);
}
#else
/* Marks p[0..len) as secret. */
static inline void sl_secret(const void *p, size_t len) {
  (void)p;
  (void)len;
}
/* Takes the mark away; every call says why in a comment. */
static inline void sl_declassify(const void *p, size_t len) {
  (void)p;
  (void)len;
}
#endif

#endif
