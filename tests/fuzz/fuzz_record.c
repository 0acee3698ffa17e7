/* fuzz_record.c - records from a peer who has the key, and from one who has not.
 *
 * The input is first the inside of a record (text, type, padding: all a peer with the key may choose), then a wire
 * record as it stands, which must never open. */
#include "bytes.h"
#include "fuzz.h"
#include <sealane/record.h>
#include <stdlib.h>
#include <string.h>

static void claim(bool holds) {
  if (!holds) abort();
}

static void make_key(struct sl_record_key *key) {
  static const uint8_t secret[16] = {1}, iv[SL_AEAD_NONCE_LEN] = {2};
  claim(sl_record_key_init(key, SL_AES_128_GCM, secret, sizeof secret, iv) == SL_OK);
}

/* What lies inside is the peer's: the last byte that is not zero is the type, zeros behind it are padding. */
static void from_a_friend(const uint8_t *inside, size_t len) {
  struct sl_record_key key;
  struct sl_record record;
  make_key(&key);
  if (len == 0 || len > SL_RECORD_FRAGMENT_MAX - SL_AEAD_TAG_LEN) return;
  size_t wire_len = SL_RECORD_HEADER_LEN + len + SL_AEAD_TAG_LEN;
  uint8_t *wire = malloc(wire_len), *plain = malloc(len);
  claim(wire != NULL && plain != NULL);
  wire[0] = SL_CONTENT_APPLICATION_DATA;
  sl_store16_be(wire + 1, 0x0303);
  sl_store16_be(wire + 3, (uint16_t)(len + SL_AEAD_TAG_LEN));
  struct sl_aead_job job = {.key = &key.aead,
                            .aad = wire,
                            .aad_len = SL_RECORD_HEADER_LEN,
                            .in = inside,
                            .out = wire + SL_RECORD_HEADER_LEN,
                            .tag = wire + SL_RECORD_HEADER_LEN + len,
                            .len = len};
  memcpy(job.nonce, key.iv, sizeof job.nonce); /* record 0 */
  claim(sl_aead_seal(&job, 1) == 0);

  size_t end = len;
  while (end > 0 && inside[end - 1] == 0) end--;
  sl_err want = end == 0 ? SL_E_NO_CONTENT_TYPE : end - 1 > SL_RECORD_TEXT_MAX ? SL_E_LENGTH : SL_OK;
  sl_err err = sl_record_open(&record, &key, wire, wire_len, plain, len);
  if (err == SL_OK) err = sl_record_run(&record);
  claim(err == want);
  if (err == SL_OK) {
    claim(record.plain_len == end - 1 && record.type == inside[end - 1] && record.wire_len == wire_len);
    claim(end == 1 || memcmp(plain, inside, end - 1) == 0);
  }
  free(wire);
  free(plain);
}

static void from_a_stranger(const uint8_t *data, size_t len) {
  struct sl_record_key key;
  struct sl_record record;
  make_key(&key);
  uint8_t *plain = malloc(len + 1);
  claim(plain != NULL);
  sl_err err = sl_record_open(&record, &key, data, len, plain, len);
  if (err == SL_OK) err = sl_record_run(&record);
  claim(err != SL_OK);
  free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  from_a_friend(data, len);
  from_a_stranger(data, len);
  return 0;
}
