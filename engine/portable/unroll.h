/* unroll.h - SL_UNROLL before a loop of a few known turns: its index becomes constants and its arrays become registers,
 * also at -O2. Without it gcc keeps bit slices in memory and AES takes two to three times as long. */
#ifndef SEALANE_ENGINE_PORTABLE_UNROLL_H
#define SEALANE_ENGINE_PORTABLE_UNROLL_H

#define SL_UNROLL _Pragma("GCC unroll 16")

#endif
