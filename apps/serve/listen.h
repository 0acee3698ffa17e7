/* listen.h - addresses and listening sockets: one socket per thread and address, all on the same port (SO_REUSEPORT), so
 * that the kernel spreads connections over the threads and they share no queue. */
#ifndef SEALANE_SERVE_LISTEN_H
#define SEALANE_SERVE_LISTEN_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  };
  socklen_t len;
};

#define ADDRESS_TEXT_CAP 64u

/* Opens fds[0..n_fds) on "ADDR:PORT" or "[ADDR]:PORT"; *bound is the address with its port, also when that was 0.
 * returns: 0, or -1 with a line in why and nothing left open */
int listen_open(const char *where, int *fds, size_t n_fds, struct address *bound, char *why, size_t why_cap);
/* "127.0.0.1:8443", "[::1]:8443". */
void address_write(const struct address *address, char out[static ADDRESS_TEXT_CAP]);

#endif
