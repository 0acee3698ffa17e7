/* chapoly_macros.h - what the parts of chapoly_template.h share. */
#ifndef SEALANE_ENGINE_X86_64_CHAPOLY_MACROS_H
#define SEALANE_ENGINE_X86_64_CHAPOLY_MACROS_H

#define UNROLL _Pragma("GCC unroll 16")
#define ROLLED _Pragma("GCC unroll 1")
#define INLINE static inline __attribute__((always_inline))
/* One copy, for all that call it: where a call is little against the work, or the work is seldom. */
#define SHARED static __attribute__((noinline))

#endif
