/* gcm_stream_ends.h - what of AES-GCM's texts in pieces (engine/stream.h) is less than a block, or begins and ends them: the same
 * on every architecture. A gcm_stream.h includes this behind its blocks of 16 bytes and
 *
 *     gcm_stream_block()    the key stream at the stream's counter, which steps on
 *     gcm_stream_absorb()   whole blocks to the hash */
#ifndef SEALANE_ENGINE_GCM_STREAM_ENDS_H
#define SEALANE_ENGINE_GCM_STREAM_ENDS_H

static void gcm_stream_start(struct sl_stream *s, const struct sl_aead_key *key) {
  block_store_all((uint8_t *)&s->hash[2], gcm_stream_block(s, key));
}

/* Less than a block. */
PART void gcm_stream_over(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *out, const uint8_t *in,
                          size_t len, bool seal) {
  block key_stream = gcm_stream_block(s, key), data = block_load(in, len), done = block_xor(data, key_stream);
  block_store(out, len, done);
  block_store_all(s->block, seal ? done : data);
  block_store_all(s->unit, key_stream);
  s->n_block = (uint8_t)len;
  s->n_unit = (uint8_t)(16 - len);
}

static void gcm_stream_tag(struct sl_stream *s, const struct sl_aead_key *key, uint8_t *tag) {
  uint8_t lengths[16];
  if (s->n_block > 0) gcm_stream_absorb(s, key, s->block, 1);
  sl_store64_be(lengths, 8 * s->aad_len);
  sl_store64_be(lengths + 8, 8 * s->text_len);
  gcm_stream_absorb(s, key, lengths, 1);
  block mask = block_load_all((const uint8_t *)&s->hash[2]);
  block_store_all(tag, block_xor(block_load_all((const uint8_t *)s->hash), mask));
}

#endif
