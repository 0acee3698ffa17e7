/* kernel.h - the contract between the engine and the kernels of each instruction set.
 *
 * A kernel is a constant table: one way to run one algorithm on one instruction set. engine/<arch>/kernels.c lists those
 * of an architecture, fastest first within an algorithm; select.c takes the first that the CPU can run and that passes
 * its known-answer test; tests and bench walk the same list. Adding a kernel is one file and one line in that list.
 *
 * What every kernel promises:
 *   - it reads and writes nothing outside the bounds its job states, not even with vector loads;
 *   - no branch and no address depends on key, text or tag bytes (lengths, pointers and key identity are public);
 *   - it never checks arguments: the engine did. */
#ifndef SEALANE_ENGINE_KERNEL_H
#define SEALANE_ENGINE_KERNEL_H

#include <sealane/aead.h>
#include <sealane/cpu.h>
#include <stdbool.h>

/* ---- CPU features that kernels ask for ----------------------------------------------------------------------- */

/* X(constant, name as in /proc/cpuinfo). The bit of a feature is its place in this list. */
#define SL_CPU_FEATURES(X)                                                                                             \
  X(SSSE3, "ssse3")                                                                                                    \
  X(SSE41, "sse4_1")                                                                                                   \
  X(AES, "aes")                                                                                                        \
  X(PCLMUL, "pclmulqdq")                                                                                               \
  X(SHANI, "sha_ni")                                                                                                   \
  X(BMI2, "bmi2")                                                                                                      \
  X(ADX, "adx")                                                                                                        \
  X(AVX, "avx")                                                                                                        \
  X(AVX2, "avx2")                                                                                                      \
  X(VAES, "vaes")                                                                                                      \
  X(VPCLMUL, "vpclmulqdq")                                                                                             \
  X(AVX512F, "avx512f")                                                                                                \
  X(AVX512BW, "avx512bw")                                                                                              \
  X(AVX512DQ, "avx512dq")                                                                                              \
  X(AVX512VL, "avx512vl")                                                                                              \
  X(AVX512IFMA, "avx512ifma")                                                                                          \
  X(AVX512VBMI, "avx512_vbmi")                                                                                         \
  X(AVX512VBMI2, "avx512_vbmi2")                                                                                       \
  X(NEON, "asimd")                                                                                                     \
  X(ARM_AES, "aes_arm")                                                                                                \
  X(ARM_PMULL, "pmull")                                                                                                \
  X(ARM_SHA2, "sha2")                                                                                                  \
  X(ARM_SHA512, "sha512")                                                                                              \
  X(ARM_EOR3, "sha3")                                                                                                  \
  X(WIDE512, "fast_512bit") /* not a CPUID bit: 512-bit vectors do not slow this model down (x86_64/cpu.c) */

enum sl_cpu_feature {
#define SL_CPU_ENUM(name, text) SL_CPU_BIT_##name,
  SL_CPU_FEATURES(SL_CPU_ENUM)
#undef SL_CPU_ENUM
      SL_CPU_BIT_END
};
#define SL_CPU(name) (UINT64_C(1) << SL_CPU_BIT_##name)

/* engine/<arch>/cpu.c: the features this CPU has and the operating system lets programs use. */
uint64_t sl_cpu_detect(void);
/* engine/<arch>/cpu.c: the model's name, NUL-terminated, truncated to cap. */
void sl_cpu_model(char *out, size_t cap);

/* ---- AEAD ---------------------------------------------------------------------------------------------------- */

struct sl_kernel;

/* Where a kernel that needs `len` bytes of a key's memory keeps them: at its end, where the pointers follow that every job
 * needs, too. With thousands of connections each line of a key is a cache miss. The layout is the kernel's own business; the
 * end is 16 bytes before a 64-byte boundary. expand() writes there, others read. */
static inline uint8_t *sl_key_mem(const struct sl_aead_key *key, size_t len) {
  return (uint8_t *)(uintptr_t)key->memory + sizeof key->memory - len;
}

/* All that a key of ChaCha20-Poly1305 has, with every kernel. */
static inline uint8_t *sl_chapoly_secret(const struct sl_aead_key *key) {
  return sl_key_mem(key, 32);
}

struct sl_aead_ops {
  enum sl_aead aead;
  uint16_t secret_len; /* bytes */
  uint16_t key_len;    /* bytes of struct sl_aead_key this algorithm uses, the last ones */
  void (*expand)(struct sl_aead_key *key, const uint8_t *secret);
  /* n >= 1 jobs whose keys all have these ops. Any mix of keys and lengths. A kernel is free in which order it does
   * them and how many at once. seal neither reads job->err nor writes it. open writes SL_OK or SL_E_AUTH; what becomes of
   * a job whose tag is wrong, err says beforehand (sl_aead_job_failed() of aead_jobs.h does it):
   *   SL_OK         its outputs are zeroed: all that comes by aead.h, record.h and batch.h; a verdict that is there already
   *                 does the same, so that a job that stands twice in a call leaves nothing either
   *   SL_E_PENDING  its outputs stay, and `tag` gets what would have been right: for texts in pieces, whose callers learn at
   *                 the end of the text, by then on their own account, that it was not authentic */
  void (*seal)(struct sl_aead_job *const *jobs, size_t n);
  void (*open)(struct sl_aead_job *const *jobs, size_t n);
};

/* Texts in pieces (stream.h). A kernel keeps its place in these fields of struct sl_stream:
 *   AES-GCM            nonce and counter: the next counter block; hash[0..1]: GHASH so far, its 16 bytes as SP 800-38D
 *                      writes them; hash[2..3]: E(first counter block)
 *   ChaCha20-Poly1305  nonce and counter: the next block of key stream; hash: struct sl_poly1305 (portable/poly1305.h). A
 *                      kernel may leave both for later in start(), and notes in has_hash that they are there; powers and
 *                      n_powers as it wants them, 0 at the start
 *   both               block, unit: what is over at the end of a piece
 * stream.c has checked everything. All-zero: the kernel has no such thing, and its algorithm is not offered to callers that
 * need it. */
struct sl_stream;
struct sl_stream_ops {
  uint8_t unit_len; /* bytes of key stream one counter makes: 16, 64 */
  /* From the first counter block on: what hides the tag, or the Poly1305 key; counter steps on, the hash is empty. */
  void (*start)(struct sl_stream *s, const struct sl_aead_key *key);
  /* Hashes n >= 1 blocks of 16 bytes. */
  void (*absorb)(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *blocks, size_t n);
  /* Seals or opens len >= 1 bytes from a unit's beginning on, and hashes the whole blocks of ciphertext among them; counter
   * steps on for each unit begun. Before that it hashes s->block when n_block is not 0: then it is the end of the AAD,
   * filled up with zeros. Where len is no multiple of unit_len, unit and n_unit get the key stream that is over; where it is
   * none of 16, block and n_block the ciphertext that is. out == in is allowed. */
  void (*crypt)(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in, size_t len,
                bool is_open);
  /* Hashes s->block, filled up with zeros, when n_block is not 0, aad_len and text_len, and writes the tag, 16 bytes. */
  void (*tag)(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag);
  /* A piece in a room (struct sl_stream_room), len >= 0: out = in ^ ahead ^ text, and text becomes the ciphertext, which is out or,
   * opening, in. out == in is allowed (stream_through.h). NULL: this algorithm has no use for a room. */
  void (*through)(uint8_t *out, const uint8_t *in, const uint8_t *ahead, uint8_t *text, size_t len, bool is_open);
};

/* ---- the slow-path primitives -------------------------------------------------------------------------------- */

/* SHA-256 and SHA-512 compression: state (host byte order words) absorbs n_blocks of 64 or 128 bytes. */
struct sl_sha2_ops {
  void (*compress)(void *state, const uint8_t *blocks, size_t n_blocks);
};

/* One scalar multiplication on Curve25519 (RFC 7748): out = scalar * point, u-coordinates, 32 bytes little-endian.
 * The kernel clamps the scalar and ignores the point's top bit. out may alias point. */
struct sl_x25519_job {
  uint8_t *out;
  const uint8_t *scalar;
  const uint8_t *point;
};
struct sl_x25519_ops {
  void (*run)(const struct sl_x25519_job *jobs, size_t n);
};

/* ---- kernels ------------------------------------------------------------------------------------------------- */

enum sl_algorithm { SL_ALG_AES_GCM, SL_ALG_CHACHA20_POLY1305, SL_ALG_SHA256, SL_ALG_SHA512, SL_ALG_X25519, SL_ALG_END };

struct sl_kernel {
  const char *name; /* algo_isa: the file's, the symbol's (sl_kernel_<name>), the test's and the bench row's name */
  enum sl_algorithm algorithm;
  uint64_t needs; /* SL_CPU() bits */
  /* For kernels that are another library's: called before the known-answer test, under the selection's lock; sets up what
   * the kernel calls. Returns NULL, or why the kernel cannot be had. Such a kernel is had by name alone: it sleeps until it is
   * named, forced or listed. NULL when there is nothing to set up. */
  const char *(*start)(void);
  /* One of these, by algorithm. */
  struct sl_aead_ops aead[2];  /* AES-GCM: 128, 256; ChaCha20-Poly1305: [0] */
  struct sl_stream_ops stream; /* beside aead; one for all of them */
  struct sl_sha2_ops sha2;
  struct sl_x25519_ops x25519;
};

/* engine/<arch>/kernels.c: NULL-terminated; within an algorithm the fastest first and a portable one last. Behind that, where
 * no choice gets to, may stand kernels that are had by name alone. */
extern const struct sl_kernel *const sl_kernel_list[];

/* select.c: the kernel chosen for an algorithm. Makes the selection at first use, once, for all threads.
 * errors: SL_E_KERNEL, SL_E_SELFTEST with *out == NULL */
SL_MUST_USE sl_err sl_kernel_chosen(enum sl_algorithm algorithm, const struct sl_kernel **out);
/* select.c: the kernel of this name if it exists and can run here (its known-answer test passes), else NULL. */
const struct sl_kernel *sl_kernel_named(const char *name);
/* "aes-gcm" ... */
const char *sl_algorithm_name(enum sl_algorithm algorithm);

#endif
