/* record.h - TLS 1.3 records (RFC 8446 section 5): one call turns plaintext into a whole record on the wire.
 *
 * sl_record_seal() and sl_record_open() only describe the work and fix its sequence number; the cryptography happens
 * in sl_batch_run() (batch.h), or in sl_record_run() for programs that want one record at a time. Nonces come from
 * sequence numbers, in one function; no caller ever sees one. */
#ifndef SEALANE_RECORD_H
#define SEALANE_RECORD_H

#include <sealane/aead.h>
#include <stdbool.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_RECORD_HEADER_LEN   5u
#define SL_RECORD_TEXT_MAX     16384u /* calc: 2**14  RFC 8446 5.1: content bytes of one record */
#define SL_RECORD_FRAGMENT_MAX 16640u /* calc: 2**14 + 256  RFC 8446 5.2: encrypted record without its header */
#define SL_RECORD_WIRE_MAX     16645u /* calc: 2**14 + 256 + 5 */
#define SL_RECORD_OVERHEAD     22u    /* calc: 5 + 1 + 16  header, inner type, tag */

/* Records one AES-GCM key may seal, RFC 8446 5.5; ChaCha20-Poly1305 is bounded by the sequence number alone. */
#define SL_RECORD_LIMIT_GCM 23726566u /* calc: floor(2**24.5) */

enum sl_content_type {
  SL_CONTENT_CHANGE_CIPHER_SPEC = 20,
  SL_CONTENT_ALERT = 21,
  SL_CONTENT_HANDSHAKE = 22,
  SL_CONTENT_APPLICATION_DATA = 23
};

/* One direction of one connection: a key, its IV and the next sequence number. All-zero is a valid empty object. `aead` is
 * set up and wiped with the rest, never by itself. */
struct sl_record_key {
  struct sl_aead_key aead;
  uint64_t seq;   /* of the next record */
  uint64_t limit; /* records this key may carry */
  uint8_t iv[SL_AEAD_NONCE_LEN];
  uint8_t n_lines; /* private: of `aead`, what a short record reads */
};

/* errors: as sl_aead_key_init(); on error the key is empty. seq starts at 0. */
SL_API SL_MUST_USE sl_err sl_record_key_init(struct sl_record_key *key, enum sl_aead aead, const uint8_t *secret,
                                             size_t secret_len, const uint8_t iv[SL_AEAD_NONCE_LEN]);
/* Erases the key; idempotent. No record that uses it may be waiting in a batch. */
SL_API void sl_record_key_wipe(struct sl_record_key *key);

/* Asks for the line of memory that describing a record with this key reads. With thousands of connections it has left the
 * nearer caches, and each sl_record_seal() or sl_record_open() would wait for its own; a loop that knows whose turn is next
 * asks some eight records ahead. Costs next to nothing where it was there already, changes nothing, reads nothing. */
__attribute__((always_inline)) static inline void sl_record_key_prefetch(const struct sl_record_key *key) {
  __builtin_prefetch(&key->seq);
}

struct sl_task;

/* One record on its way through a batch. The caller owns it; it and the buffers it names stay put until the batch has
 * run. Only the fields under "results" are for reading. */
struct sl_record {
  struct sl_aead_job job;
  /* results */
  sl_err err;       /* SL_E_PENDING until the batch has run */
  uint8_t type;     /* open: the inner content type */
  bool is_open;     /* which of the two this is */
  size_t wire_len;  /* seal: bytes of the whole record at `wire`; open: bytes of wire it took, header included */
  size_t plain_len; /* open: content bytes at `plain`, padding and type removed */
  /* private to the batch */
  struct sl_record *next;
  struct sl_task *owner;
  bool is_lent;
};

/* Wire bytes of a record that carries text_len content bytes and pad_len zeros. */
#define SL_RECORD_WIRE_LEN(text_len, pad_len) ((text_len) + (pad_len) + SL_RECORD_OVERHEAD)

/* Describes one seal: header, text gathered from `text`, inner type, padding and tag will stand at wire[0..wire_len).
 * text:    n_text pieces, at most SL_RECORD_TEXT_MAX bytes together with pad_len; n_text may be 0. One piece is read
 *          where it stands; several, or padding, are first copied to wire. In place is allowed when the one
 *          piece starts at wire + 5
 * order:   the sequence number is taken now: per key, wire order is the order of these calls
 * errors:  SL_E_ARG, SL_E_KEY, SL_E_LENGTH, SL_E_SPACE wire_cap is under SL_RECORD_WIRE_LEN, SL_E_OVERLAP;
 *          SL_E_SEQ the key has reached its limit. On error nothing is taken and err is set to the same value */
SL_API SL_MUST_USE sl_err sl_record_seal(struct sl_record *record, struct sl_record_key *key, uint8_t type,
                                         const struct iovec *text, size_t n_text, size_t pad_len, uint8_t *wire,
                                         size_t wire_cap);

/* Describes one open of the whole record at wire[0..wire_len), as sized by its header. `wire` is only read unless
 * plain == wire + 5 (in place). `plain` needs room for wire_len - SL_RECORD_OVERHEAD bytes.
 * errors: SL_E_ARG wire_len is not what the header says; SL_E_LENGTH the fragment is over SL_RECORD_FRAGMENT_MAX or too
 *         short to hold a type and a tag; SL_E_KEY, SL_E_SPACE, SL_E_SEQ, SL_E_OVERLAP
 * after:  the run sets err: SL_E_AUTH bad record (plain is zeroed), SL_E_NO_CONTENT_TYPE nothing but padding inside,
 *         SL_E_LENGTH content and padding over SL_RECORD_TEXT_MAX */
SL_API SL_MUST_USE sl_err sl_record_open(struct sl_record *record, struct sl_record_key *key, const uint8_t *wire,
                                         size_t wire_len, uint8_t *plain, size_t plain_cap);

/* Does one record's work at once, without a batch. Returns record->err. */
SL_API SL_MUST_USE sl_err sl_record_run(struct sl_record *record);

#ifdef __cplusplus
}
#endif
#endif
