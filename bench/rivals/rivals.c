/* rivals.c - the list: adding a rival is one file and one line here. */
#include "rival.h"

const struct rival *const rival_list[] = {&rival_openssl, &rival_boringssl, &rival_ipsec_mb, &rival_direct, NULL};
