/* stream.c - AEAD texts in pieces: what is left over between pieces. Whole blocks are a kernel's. */
#include "stream.h"
#include "bytes.h"

/* The longest text under one nonce: GCM's is SL_AEAD_TEXT_MAX, ChaCha20's counter has 32 bits and block 0 is taken. */
#define CHAPOLY_TEXT_MAX 274877906880ull        /* calc: (2**32 - 1) * 64  RFC 8439 2.8 */
#define AAD_MAX          2305843009213693951ull /* calc: 2**61 - 1  SP 800-38D 5.2.1.1 */

static bool is_gcm(const struct sl_aead_key *key) {
  return key->ops->aead != SL_CHACHA20_POLY1305;
}

bool sl_stream_can(const struct sl_aead_key *key) {
  return key->kernel != NULL && key->kernel->stream.start != NULL;
}

/* SP 800-38D 7.1: a nonce that is not 96 bits long is hashed to the first counter block, length behind it. */
static void hash_nonce(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce, size_t len) {
  uint8_t block[16] = {0};
  size_t n_rest = len % 16;
  if (len >= 16) s->ops->absorb(s, key, nonce, len / 16);
  if (n_rest > 0) {
    memcpy(block, nonce + len - n_rest, n_rest);
    s->ops->absorb(s, key, block, 1);
    memset(block, 0, sizeof block);
  }
  sl_store64_be(block + 8, 8 * (uint64_t)len);
  s->ops->absorb(s, key, block, 1);
  memcpy(block, s->hash, sizeof block);
  memset(s->hash, 0, sizeof s->hash);
  memcpy(s->nonce, block, sizeof s->nonce);
  s->counter = sl_load32_be(block + sizeof s->nonce);
}

sl_err sl_stream_start(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *nonce, size_t nonce_len) {
  if (key->ops == NULL || !sl_stream_can(key)) return SL_E_KEY;
  if (nonce_len == 0) return SL_E_ARG;
  if (nonce_len != SL_AEAD_NONCE_LEN && !is_gcm(key)) return SL_E_ARG;
  memset(s, 0, offsetof(struct sl_stream, block)); /* what follows is written before it is read */
  s->ops = &key->kernel->stream;
  if (nonce_len == SL_AEAD_NONCE_LEN) {
    memcpy(s->nonce, nonce, SL_AEAD_NONCE_LEN);
    s->counter = is_gcm(key) ? 1 : 0;
  } else {
    hash_nonce(s, key, nonce, nonce_len);
  }
  s->ops->start(s, key);
  return SL_OK;
}

/* Adds to what is hashed; in pieces that need not be whole blocks. */
static void absorb(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *data, size_t len) {
  if (s->n_block > 0) {
    size_t n = 16u - s->n_block < len ? 16u - s->n_block : len;
    memcpy(s->block + s->n_block, data, n);
    s->n_block = (uint8_t)(s->n_block + n);
    data += n;
    len -= n;
    if (s->n_block < 16) return;
    s->ops->absorb(s, key, s->block, 1);
    s->n_block = 0;
  }
  if (len >= 16) s->ops->absorb(s, key, data, len / 16);
  s->n_block = (uint8_t)(len % 16);
  if (s->n_block > 0) memcpy(s->block, data + len - s->n_block, s->n_block);
}

/* Zeros behind the block that is under way: the end of the AAD, and of the text. */
static void pad(struct sl_stream *s) {
  if (s->n_block > 0) memset(s->block + s->n_block, 0, 16u - s->n_block);
}

sl_err sl_stream_aad(struct sl_stream *s, const struct sl_aead_key *key, const uint8_t *aad, size_t len) {
  if (s->ops == NULL || s->text_len > 0) return SL_E_STATE;
  if (len > AAD_MAX - s->aad_len) return SL_E_LENGTH;
  s->aad_len += len;
  absorb(s, key, aad, len);
  return SL_OK;
}

/* A piece within one unit of key stream. */
static void text_in_unit(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                         size_t len, bool is_open) {
  const uint8_t *stream = s->unit + s->ops->unit_len - s->n_unit;
  uint8_t text[SL_STREAM_UNIT_MAX];
  memcpy(text, in, len);
  if (is_open) absorb(s, key, text, len);
  for (size_t i = 0; i < len; i++) text[i] ^= stream[i];
  if (!is_open) absorb(s, key, text, len);
  memcpy(out, text, len);
  sl_wipe(text, len);
  s->n_unit = (uint8_t)(s->n_unit - len);
}

/* ---- the room ------------------------------------------------------------------------------------------------ */

/* What a room is worth depends on how much is still to come, which nobody knows. A text in one piece or two costs what it did
 * without one. The powers of r that a kernel makes for each call are a quarter of its work for 1 KiB, and 4 % for 8. */
enum {
  ROOM_PIECES = 2, /* before a room is used: a text may come in two */
  ROOM_FIRST_LEN = 1024,
  ROOM_GROWS = 8,
  ROOM_PIECE_LEN = 4096, /* bytes; from here on a piece begins no room, but fills one that is not short beside it */
};
_Static_assert(ROOM_FIRST_LEN *ROOM_GROWS == SL_STREAM_ROOM_LEN, "a room grows to its full size");

/* Key stream for bytes from..to of the room: there is no ciphertext to hash yet. */
static void room_make(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room, size_t from,
                      size_t to) {
  uint64_t hash[8];
  _Static_assert(sizeof hash == sizeof s->hash, "all of the hash is put aside");
  memcpy(hash, s->hash, sizeof hash);
  memset(room->text + from, 0, to - from);
  s->ops->crypt(s, key, room->ahead + from, room->text + from, to - from, false);
  memcpy(s->hash, hash, sizeof hash);
  sl_wipe(hash, sizeof hash);
  s->room_len = s->n_ahead = (uint16_t)to;
}

/* A room full of ciphertext is hashed, and gets the next key stream. */
static void room_turn(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room) {
  s->ops->crypt(s, key, room->ahead, room->text, s->room_len, true);
  s->n_ahead = s->room_len;
}

/* Without `ahead`, `text` is a ciphertext like any other. */
static void room_wipe(struct sl_stream *s, struct sl_stream_room *room) {
  if (s->room_len > 0) sl_wipe(room->ahead, s->room_len);
  s->room_len = s->n_ahead = 0;
}

/* For the kernel's own way with long pieces; the room's key stream is not begun. */
static void room_leave(struct sl_stream *s, struct sl_stream_room *room) {
  s->counter -= s->room_len / s->ops->unit_len;
  room_wipe(s, room);
}

/* The end of the text. */
static void room_hash(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room) {
  enum { BY_ABSORB = 256 }; /* bytes; of more, a kernel's pass is faster, though nobody wants its output */
  size_t len = s->room_len - s->n_ahead;
  if (len <= BY_ABSORB) {
    absorb(s, key, room->text, len);
  } else {
    s->ops->crypt(s, key, room->ahead, room->text, len, true);
  }
}

static void text_in_room(struct sl_stream *s, struct sl_stream_room *room, uint8_t *out, const uint8_t *in, size_t len,
                         bool is_open) {
  size_t at = (size_t)s->room_len - s->n_ahead;
  s->ops->through(out, in, room->ahead + at, room->text + at, len, is_open);
  s->n_ahead = (uint16_t)(s->n_ahead - len);
}

/* Returns how much of a piece went through the room; the rest is long. */
static size_t text_by_room(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room,
                           uint8_t *out, const uint8_t *in, size_t len, bool is_open) {
  size_t done = 0;
  while (done < len) {
    if (s->n_ahead == 0) {
      room_turn(s, key, room);
      size_t left = len - done;
      if (left >= ROOM_PIECE_LEN && left >= 2u * s->room_len) {
        room_leave(s, room);
        break;
      }
      size_t grown = ROOM_GROWS * (size_t)s->room_len;
      if (grown <= SL_STREAM_ROOM_LEN) room_make(s, key, room, s->room_len, grown);
    }
    size_t n = s->n_ahead < len - done ? s->n_ahead : len - done;
    text_in_room(s, room, out + done, in + done, n, is_open);
    done += n;
  }
  return done;
}

bool sl_stream_wants_room(const struct sl_stream *s, size_t len) {
  return s->ops->through != NULL && s->n_pieces == ROOM_PIECES && len > 0 && len < ROOM_PIECE_LEN;
}

/* ---- texts --------------------------------------------------------------------------------------------------- */

sl_err sl_stream_text(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room, uint8_t *out,
                      const uint8_t *in, size_t len, bool is_open) {
  if (s->ops == NULL) return SL_E_STATE;
  if (len > (is_gcm(key) ? SL_AEAD_TEXT_MAX : CHAPOLY_TEXT_MAX) - s->text_len) return SL_E_LENGTH;
  if (len == 0) return SL_OK;
  if (s->text_len == 0) pad(s);
  s->text_len += len;

  if (s->n_unit > 0) {
    size_t n = s->n_unit < len ? s->n_unit : len;
    text_in_unit(s, key, out, in, n, is_open);
    in += n;
    out += n;
    len -= n;
  }
  if (room != NULL && s->room_len == 0 && sl_stream_wants_room(s, len)) room_make(s, key, room, 0, ROOM_FIRST_LEN);
  if (s->n_pieces < ROOM_PIECES) s->n_pieces++;
  if (s->room_len > 0) {
    size_t n = text_by_room(s, key, room, out, in, len, is_open);
    in += n;
    out += n;
    len -= n;
  }
  if (len > 0) s->ops->crypt(s, key, out, in, len, is_open);
  return SL_OK;
}

void sl_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, struct sl_stream_room *room,
                   uint8_t tag[static SL_AEAD_TAG_LEN]) {
  if (s->room_len > 0) room_hash(s, key, room);
  pad(s);
  s->ops->tag(s, key, tag);
  sl_stream_wipe(s, room);
}

void sl_stream_wipe(struct sl_stream *s, struct sl_stream_room *room) {
  room_wipe(s, room);
  sl_wipe(s, sizeof *s);
}
