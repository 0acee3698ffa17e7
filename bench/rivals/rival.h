/* rival.h - what a library must offer to be measured: one small file, one struct of functions.
 *
 * Sealane itself is measured through the same struct (sealane.c), on the same memory, by the same loop.
 *
 * A rival may know several ways to do the same work (IPsec-MB: direct calls, jobs, bursts). Each is measured, and the row
 * of the rival is its fastest, by name. Sealane's ways are its kernels, and each has a row. */
#ifndef SEALANE_BENCH_RIVALS_RIVAL_H
#define SEALANE_BENCH_RIVALS_RIVAL_H

#include <sealane/aead.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIVAL_AAD_LEN = 5, RIVAL_NAME_CAP = 32, RIVAL_REASON_CAP = 128, RIVAL_WAYS_MAX = 32 };

/* One way of a rival to do one algorithm. */
struct rival_way {
  char name[RIVAL_NAME_CAP];
  char reason[RIVAL_REASON_CAP]; /* why it cannot run here; "" when it can */
  bool is_default;               /* the rival would choose it by itself, or is to be measured with every other such */
};

/* The texts of one batch: what to read, where to write. They stay in place from prepare() to release(). */
struct rival_text {
  const uint8_t *in;
  uint8_t *out;
  uint8_t *tag;         /* where a seal puts it: behind the text, as in a TLS record */
  const uint8_t *aad;   /* RIVAL_AAD_LEN bytes */
  const uint8_t *nonce; /* SL_AEAD_NONCE_LEN bytes */
};
struct rival_texts {
  size_t n;   /* texts of a batch */
  size_t len; /* of each, in bytes */
  const struct rival_text *text;
};

struct rival {
  const char *name; /* as in --rivals and in the JSON */

  /* "3.0.11", NUL-terminated, at most cap bytes. */
  void (*version)(char *out, size_t cap);

  /* Fills at most RIVAL_WAYS_MAX ways to run `aead`, usable or not; returns how many, at least one unless the rival
   * is Sealane and has no kernel for it. */
  size_t (*ways)(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]);

  /* Expands n_keys secrets, one behind the other in `secrets`. NULL on failure. */
  void *(*setup)(enum sl_aead aead, const char *way, bool is_open, const uint8_t *secrets, size_t n_keys);
  /* Takes the texts of the calls to come, in place of any before. False on failure. */
  bool (*prepare)(void *state, const struct rival_texts *texts);
  /* The timed calls: do every text of the batch once, text i with key keys[i]. False when anything failed.
   * seal: the tags go to text[i].tag; open: they stand at tags[16 * i], and a wrong one is a failure. */
  bool (*seal)(void *state, const uint32_t *keys);
  bool (*open)(void *state, const uint32_t *keys, const uint8_t *tags);
  /* Frees what setup() made; NULL is allowed. */
  void (*release)(void *state);
};

extern const struct rival rival_sealane, rival_direct, rival_openssl, rival_boringssl, rival_ipsec_mb;

/* rivals.c: all but Sealane, NULL-terminated. */
extern const struct rival *const rival_list[];

#endif
