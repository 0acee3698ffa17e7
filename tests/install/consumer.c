/* consumer.c - what a stranger writes first: one text sealed, opened again, and refused after a change. C and C++. */
#include <sealane/sealane.h>
#include <stdio.h>
#include <string.h>

static int report(const char *what, sl_err err) {
  fprintf(stderr, "consumer: %s: %s\n", what, sl_err_text(err));
  return 1;
}

int main(void) {
  const uint8_t secret[16] = {1, 2, 3};
  const uint8_t text[] = "one record among many";
  uint8_t sealed[sizeof text], opened[sizeof text], tag[SL_AEAD_TAG_LEN];
  struct sl_aead_key key;
  struct sl_aead_job job;

  sl_err err = sl_aead_key_init(&key, SL_AES_128_GCM, secret, sizeof secret);
  if (err != SL_OK) return report("key", err);
  memset(&job, 0, sizeof job);
  job.key = &key;
  job.in = text;
  job.out = sealed;
  job.tag = tag;
  job.len = sizeof text;
  if (sl_aead_seal(&job, 1) != 0) return report("seal", job.err);
  job.in = sealed;
  job.out = opened;
  if (sl_aead_open(&job, 1) != 0) return report("open", job.err);
  if (memcmp(text, opened, sizeof text) != 0) return report("the text came back changed", SL_E_AUTH);
  tag[0] ^= 1;
  if (sl_aead_open(&job, 1) != 1 || job.err != SL_E_AUTH) return report("a changed tag was accepted", job.err);
  printf("Sealane %s, kernel %s\n", SEALANE_VERSION, sl_aead_key_kernel(&key));
  sl_aead_key_wipe(&key);
  return 0;
}
