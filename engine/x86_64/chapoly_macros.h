/* chapoly_macros.h - what the parts of chapoly_template.h share. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_MACROS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_MACROS_H

#ifdef __clang__
#if __has_feature(address_sanitizer) /* compiling would take a minute */
#define UNROLL
#else
#define UNROLL                                                                                                         \
  _Pragma("clang loop unroll(full)") /* with a count, it has given up on keeping arrays in registers by then */
#endif
#define ROLLED _Pragma("clang loop unroll(disable)")
#pragma clang diagnostic ignored                                                                                       \
    "-Wpass-failed" /* a loop of one turn is no loop: clang complains it cannot unroll it */
#else
#define UNROLL _Pragma("GCC unroll 16")
#define ROLLED _Pragma("GCC unroll 1")
#endif
#define INLINE static inline __attribute__((always_inline))
/* One copy, for all that call it: where a call is little against the work, or the work is seldom. */
#define SHARED static __attribute__((noinline))

#endif
