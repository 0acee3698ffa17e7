/* ct_control.c - a program that branches on a secret and uses one as an address: ./dev ct must catch it at both, or its
 * silence about the others means nothing. */
#include "bytes.h"
#include <stdio.h>

/* volatile: the compiler may not turn the branch into a conditional move, nor the look-up into arithmetic. */
static volatile unsigned seen;
static volatile uint8_t table[256];

int main(void) {
  uint8_t secret[2] = {1, 2};
  sl_secret(secret, sizeof secret);
  if (secret[0] & 1) seen++;
  seen += table[secret[1]];
  sl_declassify(secret, sizeof secret); /* the end of the experiment */
  printf("secret %u\n", secret[0]);
  return 0;
}
