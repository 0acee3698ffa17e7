/* port_loops.c - no loops: which instructions a compiler makes of portable code is its own affair, so there is no limit
 * to hold a kernel against. Rows that want one say n/a. */
#include "../port_loops.h"

const struct port_loop port_loops[1];
const size_t n_port_loops = 0;
