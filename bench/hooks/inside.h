/* inside.h - what the bench wants to know and the public headers do not show: a kernel without the API round it, how
 * much of a key it uses, how much code it is.
 *
 * hooks/ is the one place of the bench that sees the engine's inside, and links to it: the static library carries the
 * hidden symbols. Nothing here is for programs. */
#ifndef SEALANE_BENCH_HOOKS_INSIDE_H
#define SEALANE_BENCH_HOOKS_INSIDE_H

#include <sealane/aead.h>
#include <stdbool.h>

/* The kernel's own functions on n >= 1 jobs whose keys are of one kernel and suite: no checks, no grouping. Opened jobs come with
 * err SL_OK. */
void hook_kernel_seal(struct sl_aead_job *const *jobs, size_t n);
void hook_kernel_open(struct sl_aead_job *const *jobs, size_t n);
/* Expands a secret again, by the kernel of a key that is set up. */
void hook_kernel_expand(struct sl_aead_key *key, const uint8_t *secret);
/* A comparison as it must not be, which `timing` has to find: it stops at the first byte that differs. */
bool hook_leaky_differs(const uint8_t *a, const uint8_t *b, size_t len);
/* Bytes of a struct sl_aead_key its kernel uses; 0 for an empty key. */
size_t hook_key_len(const struct sl_aead_key *key);

/* Bytes of code and constants that this program has from <kernel>.c, by its own symbol table; 0 when there is none (it
 * was stripped), or no such file in it. */
size_t hook_kernel_code_len(const char *kernel);

#endif
