/* port_loops.h - loops that keep the execution ports busy with the instructions kernels live on, and with nothing else.
 *
 * Each is a few lines of assembly on registers: no memory, no chain of dependencies, so what limits it is how many of
 * its instructions the ports take per cycle. Two sorts:
 *
 *   an instruction    as many independent ones as it takes to hide its latency
 *   a mix             what an algorithm needs at least for some bytes of text, in the proportions it needs it; on CPUs
 *                     where AES and carry-less products share ports, and on those where they do not, that is the limit
 *
 * <arch>/port_loops.c has the list of an architecture; bench/README.md says what the mixes are made of. */
#ifndef SEALANE_BENCH_PORT_LOOPS_H
#define SEALANE_BENCH_PORT_LOOPS_H

#include <sealane/aead.h>
#include <stddef.h>

enum port_role {
  PORT_INSTRUCTION,
  PORT_TEXT, /* all the work for `n_per_run` bytes of text with `aead` */
  PORT_ONCE  /* per n_per_run bytes, what comes on top once a record: GHASH of a block; a block of key stream */
};

struct port_loop {
  const char *name;
  unsigned bits;         /* width of the vectors */
  const char *needs;     /* CPU features as sl_cpu_describe() names them, spaces between; "" for none */
  void (*run)(size_t n); /* n >= 1 times */
  unsigned n_per_run;    /* instructions, or bytes */
  enum port_role role;
  enum sl_aead aead; /* PORT_TEXT, PORT_ONCE */
};

extern const struct port_loop port_loops[];
extern const size_t n_port_loops;

#endif
