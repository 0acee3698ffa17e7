/* cpu.h - what this machine can do, and which kernels that allows.
 *
 * A kernel is one way to run one algorithm on one instruction set. The first use of an algorithm chooses the fastest
 * kernel the CPU can run, after a known-answer test; from then on the choice never changes. It can be overruled before
 * that, by name, through sl_kernels_force() or the environment:
 *   SEALANE_KERNELS=gcm_aesni,chapoly_portable   these kernels for the algorithms they serve, the default for others
 *   SEALANE_CPU_OFF=avx512f,vaes                 behave as a CPU without these features
 * A name that does not exist or cannot run here makes every key set-up of the library fail with SL_E_KERNEL: a
 * forced choice is never quietly replaced. */
#ifndef SEALANE_CPU_H
#define SEALANE_CPU_H

#include <sealane/error.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_kernel_info {
  const char *name;      /* "gcm_vaes512" */
  const char *algorithm; /* "aes-gcm", "chacha20-poly1305", "sha256", "sha512", "x25519" */
  bool available;        /* this CPU can run it, nothing disables it, and its known-answer test passed */
  bool chosen;           /* new keys of its algorithm use it */
  char reason[96];       /* why it is not available ("CPU lacks vaes"); "" when it is */
};

/* Lists every kernel compiled in, fastest first within an algorithm, and settles the selection if nothing has yet.
 * returns: how many there are; fills at most `cap` entries of `out` (which may be NULL when cap is 0). */
SL_API size_t sl_kernels_list(struct sl_kernel_info *out, size_t cap);

/* Forces kernels by name, comma-separated, in place of SEALANE_KERNELS.
 * errors: SL_E_KERNEL a name is unknown or cannot run here (nothing changes); SL_E_STATE the selection has been made */
SL_API SL_MUST_USE sl_err sl_kernels_force(const char *names);

/* Settles the selection now and says whether it is sound; programs call it at start-up so that a bad
 * SEALANE_KERNELS stops them with a message instead of failing their first connection.
 * errors: SL_E_KERNEL, SL_E_SELFTEST; `why` (may be NULL) gets a sentence of at most why_cap bytes with its NUL */
SL_API SL_MUST_USE sl_err sl_kernels_check(char *why, size_t why_cap);

/* Writes the CPU's model name and the features kernels ask for, as "name (feature feature ...)", NUL-terminated,
 * truncated to cap. */
SL_API void sl_cpu_describe(char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
