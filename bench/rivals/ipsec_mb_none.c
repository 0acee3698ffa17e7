/* ipsec_mb_none.c - stands in for ipsec_mb.c where the library was not there at build time: its rows say so. */
#include "rival.h"
#include <stdio.h>

static void version(char *out, size_t cap) {
  snprintf(out, cap, "n/a");
}

static size_t ways(enum sl_aead aead, struct rival_way out[RIVAL_WAYS_MAX]) {
  (void)aead;
  out[0] = (struct rival_way){.name = "direct", .reason = "built without intel-ipsec-mb", .is_default = true};
  return 1;
}

const struct rival rival_ipsec_mb = {.name = "ipsec-mb", .version = version, .ways = ways};
