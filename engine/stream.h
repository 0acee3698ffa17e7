/* stream.h - one AEAD text that arrives in pieces of any length: AES-GCM (NIST SP 800-38D) with nonces of any length, and
 * ChaCha20-Poly1305 (RFC 8439). For callers that cannot wait for the whole text, such as OpenSSL's EVP_CipherUpdate().
 *
 * Everything else wants the jobs of aead.h: a stream hands out plaintext before anyone has looked at the tag, and works
 * on one text at a time. A kernel does whole blocks (struct sl_stream_ops); what is left of a piece waits here. */
#ifndef SEALANE_ENGINE_STREAM_H
#define SEALANE_ENGINE_STREAM_H

#include "kernel.h"
#include <sealane/aead.h>

#define SL_STREAM_UNIT_MAX 64u
#define SL_STREAM_ROOM_LEN 8192u

/* Where short pieces wait for each other, so that a kernel is called for 1 KiB, and as the text goes on for SL_STREAM_ROOM_LEN
 * at a time: it makes key stream ahead of the text, and hashes what has come of it. Opening does both: what comes out, `ahead`,
 * is `text`, the ciphertext before, under the key stream of what follows; so that key stream is the two's difference. */
struct sl_stream_room {
  uint8_t ahead[SL_STREAM_ROOM_LEN], text[SL_STREAM_ROOM_LEN];
} __attribute__((aligned(64)));

/* A text under way, without pointers into itself, its key or its room: a plain copy forks it, with a copy of the room when
 * room_len is not 0. All-zero is a valid empty object. */
struct sl_stream {
  const struct sl_stream_ops *ops;
  uint64_t aad_len, text_len; /* bytes so far */
  /* The kernel's: where the key stream is, and the hash (kernel.h). */
  uint8_t nonce[SL_AEAD_NONCE_LEN] __attribute__((aligned(16)));
  uint32_t counter;
  uint64_t hash[8];
  bool has_hash;    /* false in kernels that make it late, as long as they have not */
  uint8_t n_powers; /* how many there are; what that counts is the kernel's */
  /* The room. While it is used, block and unit are empty. */
  uint16_t room_len; /* bytes of it that are used */
  uint16_t n_ahead;  /* bytes of key stream, the last ones of these; new ciphertext before */
  uint8_t n_pieces;  /* of text; stops where they are many */
  /* What is left of the last piece. */
  uint8_t n_block;                  /* bytes in block, 0..15 */
  uint8_t n_unit;                   /* unused bytes of key stream, the last ones of unit */
  uint8_t block[16];                /* AAD or ciphertext not yet hashed */
  uint8_t unit[SL_STREAM_UNIT_MAX]; /* key stream */
  uint64_t powers[48];              /* what the kernel wants to have for the next piece, of Poly1305's r */
};

/* Whether the kernel of a key can do texts in pieces. */
bool sl_stream_can(const struct sl_aead_key *key);
/* Begins a text. The key is given to each call again, and must be the same.
 * errors: SL_E_KEY empty, or !sl_stream_can(); SL_E_ARG nonce_len is 0, or not 12 with ChaCha20-Poly1305 */
SL_MUST_USE sl_err sl_stream_start(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce,
                                   size_t nonce_len);
/* Makes s what it would be if a text that was done whole had come as its first piece: more can follow. AES-GCM alone. It
 * takes some 20 us.
 * last:   the text_len % 16 bytes at the end of the ciphertext
 * tag:    the text's so far
 * errors: SL_E_KEY empty, or not AES-GCM's */
SL_MUST_USE sl_err sl_stream_resume(struct sl_stream *s, const struct sl_aead_key *key,
                                    const uint8_t nonce[static SL_AEAD_NONCE_LEN], uint64_t aad_len, uint64_t text_len,
                                    const uint8_t *last, const uint8_t tag[static SL_AEAD_TAG_LEN]);
/* Adds aad[0..len).
 * errors: SL_E_STATE not started, or the text has begun; SL_E_LENGTH over SP 800-38D's 2^61 - 1 bytes */
SL_MUST_USE sl_err sl_stream_aad(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *aad, size_t len);
/* Whether a piece of len bytes would make use of a room, now or later. */
bool sl_stream_wants_room(const struct sl_stream *s, size_t len);
/* Seals or opens len more bytes; out == in is allowed. All pieces of a text go in one direction.
 * room:   NULL, or the same memory for all pieces of a text: faster when they are short and the algorithm is
 *         ChaCha20-Poly1305, whose kernels make much key stream at once
 * errors: SL_E_STATE not started; SL_E_LENGTH the text would be over what one nonce may carry: nothing has changed */
SL_MUST_USE sl_err sl_stream_text(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room,
                                  uint8_t *out, const uint8_t *in, size_t len, bool is_open);
/* Ends a started text: writes the tag it has, and wipes s and the room. Comparing is the caller's (sl_differ()). */
void sl_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room,
                   uint8_t tag[static SL_AEAD_TAG_LEN]);
/* Gives a text up: wipes s and the room. Idempotent. */
void sl_stream_wipe(struct sl_stream *s, struct sl_stream_room *room);

#endif
