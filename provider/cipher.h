/* cipher.h - what AES-GCM and ChaCha20-Poly1305 share under EVP: the key, the text under way, the tag. */
#ifndef SEALANE_PROVIDER_CIPHER_H
#define SEALANE_PROVIDER_CIPHER_H

#include "provider.h"
#include "stream.h"
#include <openssl/core_names.h>
#include <string.h>

enum {
  TAG_LEN = SL_AEAD_TAG_LEN,
  IV_DEFAULT_LEN = 12,
  IV_MAX = 128,     /* bytes; OpenSSL's limit */
  TLS_AAD_LEN = 13, /* sequence number, type, version, length  RFC 5246 6.2.3.3 */
};

/* How far a text is. libssl gives a record in five calls: IV, AAD, text, end, tag. What can wait for the text does, and a
 * text is done with all that in one pass, as if no more of it would come. When more does come, it becomes a stream: by the
 * tag it had so far where that is enough, with AES-GCM; else it is begun again with the ciphertext that was kept, and that is
 * why it must be short. */
enum text_state {
  TEXT_NONE,
  TEXT_WAITS,  /* begun: nonce and AAD are kept */
  TEXT_WHOLE,  /* done: whole_tag and the ciphertext are kept, or its last block */
  TEXT_STREAM, /* in pieces */
};
enum { KEPT_LEN = 256, KEPT_AAD_LEN = 32 };

/* One text under the key of a context. */
struct text {
  struct sl_stream stream;     /* started while a text is under way */
  struct sl_stream_room *room; /* NULL until a text comes in short pieces */
  enum text_state state;
  uint8_t tag[TAG_LEN];                           /* expected when opening, made when sealing */
  uint8_t nonce[16] __attribute__((aligned(16))); /* 12 bytes and zeros, as the end of a job has them */
  uint8_t whole_tag[TAG_LEN];                     /* the right one, of what has been done */
  uint8_t aad_len;                                /* bytes kept */
  uint8_t aad[KEPT_AAD_LEN];
  bool expects_more; /* a text that was done in one pass was gone on with */
  bool is_by_tag;    /* the text that is done is gone on with by its tag; its last block of ciphertext is kept */
  size_t whole_len;  /* bytes of the text that is done */
  uint16_t kept_cap; /* bytes at `kept`: a longer text is a stream from the start, unless it may go on by its tag */
  uint8_t *kept;
};

/* Constant properties of a cipher. */
struct cipher_kind {
  enum sl_aead aead;
  unsigned mode; /* EVP_CIPH_*_MODE */
  /* By measurement, in bytes: in a pipeline, a text of no more goes with the others, and is copied for it. A stream takes up with
   * that there. Texts that are not copied have no such bound. */
  uint16_t side_by_side_len;
};

struct pipes;

/* The beginning of every cipher's context. `key` comes first: it wants a cache line. */
struct cipher {
  struct sl_aead_key key;
  struct text text;
  const struct prov *prov;
  const struct cipher_kind *kind;
  bool is_open;
  size_t n_pipes;               /* 0: there is one text, `text` */
  struct pipes *pipes;          /* pipeline.c's; NULL until there are any */
  size_t tls_pad;               /* bytes that the last tlsaad said a record grows by */
  uint8_t tls_aad[TLS_AAD_LEN]; /* of the next record */
  uint8_t kept[KEPT_LEN];       /* text's */
};

/* A context of `size` bytes that begins with a struct cipher; NULL after an error was added. */
void *cipher_new(const struct prov *prov, const struct cipher_kind *kind, size_t size);
void *cipher_dup(const struct cipher *c, size_t size);
void cipher_free(struct cipher *c, size_t size);

size_t cipher_key_len(const struct cipher *c);
/* Expands the key, and gives up the text. Returns 0 after an error was added, as all of these do. */
int cipher_set_key(struct cipher *c, const uint8_t *secret, size_t len);
/* A TLS record in one pass: 13 bytes of AAD, tag behind the text, in place or apart. */
int cipher_record(struct cipher *c, const uint8_t *nonce, uint8_t *out, const uint8_t *in, size_t len);

/* Begins a text. */
int text_begin(const struct cipher *c, struct text *t, const uint8_t *nonce, size_t nonce_len);
/* Gives up the text that is under way. */
void text_drop(struct text *t);
/* One more piece of the text that is under way: AAD when out is NULL. */
int text_piece(const struct cipher *c, struct text *t, uint8_t *out, const uint8_t *in, size_t len);
/* text_piece() in parts, for more than one text in a call. Whether a piece may be done as a job: then text_job() fills one in,
 * and text_job_done() is told when it is done. Whether its tag was right is for text_end() to say. */
bool text_may_be_job(const struct cipher *c, const struct text *t, const uint8_t *out, const uint8_t *in, size_t len);
/* Bytes that a job of this length wants at t->kept. */
size_t text_job_keeps(const struct cipher *c, size_t len);
void text_job(const struct cipher *c, struct text *t, struct sl_aead_job *job, uint8_t *out, const uint8_t *in,
              size_t len);
void text_job_done(const struct cipher *c, struct text *t, const struct sl_aead_job *job);
/* Ends the text: makes the tag, or compares its first tag_len bytes. A wrong tag adds no error, nor does it in cipher_record():
 * libssl adds its own, and programs look at the first there is. */
int text_end(const struct cipher *c, struct text *t, size_t tag_len);
/* t is a copy: gives it a room of its own. Returns false after an error was added. */
bool text_copy_room(const struct cipher *c, struct text *t);

/* What EVP_CIPHER_get_params() asks for. */
int cipher_get_params(OSSL_PARAM params[], const struct cipher_kind *kind);
const OSSL_PARAM *cipher_gettable_params(void *prov);

/* Most are of one length, and a call of memcpy() costs more than they do. */
static inline void copy_iv(uint8_t *to, const uint8_t *from, size_t len) {
  if (len == IV_DEFAULT_LEN)
    memcpy(to, from, IV_DEFAULT_LEN);
  else
    memcpy(to, from, len);
}
static inline void copy_tag(uint8_t *to, const uint8_t *from, size_t len) {
  if (len == TAG_LEN)
    memcpy(to, from, TAG_LEN);
  else
    memcpy(to, from, len);
}

/* ossl_dispatch entries */
#define FUNCTION(f) ((void (*)(void))(f))

#endif
