/* aead.h - N jobs, N keys, one call: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439).
 *
 * YOU OWN THE NONCES. Sealing two texts with one key and one nonce gives both away. For TLS records use record.h,
 * which makes nonces from sequence numbers; this layer is for QUIC stacks, providers and tests. */
#ifndef SEALANE_AEAD_H
#define SEALANE_AEAD_H

#include <sealane/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_aead { SL_AEAD_NONE, SL_AES_128_GCM, SL_AES_256_GCM, SL_CHACHA20_POLY1305, SL_AEAD_END };

#define SL_AEAD_NONCE_LEN 12u
#define SL_AEAD_TAG_LEN   16u
#define SL_AEAD_KEY_MEM   512u
/* The longest text one job may carry, in bytes: GCM's 2^32 - 2 counter blocks, the stricter of the two algorithms. */
#define SL_AEAD_TEXT_MAX 68719476704ull /* calc: (2**32 - 2) * 16  SP 800-38D 5.2.1.1 */
#define SL_AEAD_AAD_MAX  4294967295ull  /* calc: 2**32 - 1  ours: fits the job's field; SP 800-38D allows 2^61 */

/* Length of the secret of an algorithm in bytes (16, 32, 32); 0 for SL_AEAD_NONE and values out of range. */
SL_API size_t sl_aead_secret_len(enum sl_aead aead);
/* "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"; "none" otherwise. */
SL_API const char *sl_aead_name(enum sl_aead aead);

struct sl_kernel;
struct sl_aead_ops;

/* An expanded key, bound to the kernel that expanded it. All-zero is a valid empty key. It holds no pointer into
 * itself: it may be moved with memcpy as long as both places are 64-byte aligned and the old one is wiped. */
struct sl_aead_key {
  uint8_t memory[SL_AEAD_KEY_MEM - 2 * sizeof(void *)];
  const struct sl_aead_ops *ops;
  const struct sl_kernel *kernel;
} __attribute__((aligned(64)));

/* Expands `secret` with the chosen kernel.
 * errors: SL_E_ARG secret_len is not sl_aead_secret_len(aead); SL_E_KERNEL, SL_E_SELFTEST from the selection;
 *         on error the key is empty
 * time:   independent of the secret */
SL_API SL_MUST_USE sl_err sl_aead_key_init(struct sl_aead_key *key, enum sl_aead aead, const uint8_t *secret,
                                           size_t secret_len);
/* The same with a kernel given by name, whatever was chosen: for tests and measurements.
 * errors: also SL_E_KERNEL: unknown name, kernel of another algorithm, or one this CPU cannot run */
SL_API SL_MUST_USE sl_err sl_aead_key_init_kernel(struct sl_aead_key *key, enum sl_aead aead, const uint8_t *secret,
                                                  size_t secret_len, const char *kernel);
/* Erases the key; idempotent. */
SL_API void sl_aead_key_wipe(struct sl_aead_key *key);
/* SL_AEAD_NONE and "none" for an empty key. */
SL_API enum sl_aead sl_aead_key_aead(const struct sl_aead_key *key);
SL_API const char *sl_aead_key_kernel(const struct sl_aead_key *key);

/* One seal or open.
 *
 * The text is `len` bytes at `in` plus, when tail_len is 1, one last byte that lives in `tail` on the plaintext side:
 * TLS 1.3 appends its content type that way, and it costs no copy. Sealing reads in[0..len) and tail and writes
 * out[0..len+tail_len) and tag[0..16). Opening reads in[0..len+tail_len) and tag[0..16) and writes out[0..len) and
 * tail. No byte outside these ranges is read or written, not even by vector loads.
 * out == in is allowed; tag may follow out directly; any other overlap of something written is SL_E_OVERLAP. Buffers of
 * different jobs must not overlap either where one is written; that is not checked. */
struct sl_aead_job {
  const struct sl_aead_key *key;
  const uint8_t *aad;
  const uint8_t *in;
  uint8_t *out;
  uint8_t *tag;
  size_t len;       /* bytes */
  uint32_t aad_len; /* bytes */
  uint8_t nonce[SL_AEAD_NONCE_LEN];
  uint8_t tail_len; /* 0 or 1 */
  uint8_t tail;
  sl_err err; /* the verdict, written by the call */
};

/* Seals, or opens, every job, side by side where the keys' kernels can.
 * out:     each job's err; the jobs are independent: one that fails leaves the others done
 * errors:  SL_E_ARG null pointer with a length, tail_len over 1; SL_E_KEY empty key; SL_E_LENGTH; SL_E_OVERLAP: the
 *          job's outputs are untouched. Open: SL_E_AUTH the tag does not match: out[0..len) and tail are zeroed
 * returns: how many jobs failed
 * time:    independent of key, text and tag bytes and of which job's tag was wrong; lengths and key identity are
 *          public */
SL_API SL_MUST_USE size_t sl_aead_seal(struct sl_aead_job *jobs, size_t n_jobs);
SL_API SL_MUST_USE size_t sl_aead_open(struct sl_aead_job *jobs, size_t n_jobs);

#ifdef __cplusplus
}
#endif
#endif
