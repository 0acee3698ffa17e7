/* listen.c - see listen.h. */
#define _GNU_SOURCE
#include "listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

static int parse_port(const char *text, unsigned *port) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > 65535) return -1;
  *port = (unsigned)value;
  return 0;
}

static int parse(const char *where, struct address *address) {
  char host[INET6_ADDRSTRLEN + 1];
  const char *colon = strrchr(where, ':');
  unsigned port;
  if (colon == NULL || parse_port(colon + 1, &port) != 0) return -1;
  size_t host_len = (size_t)(colon - where);
  bool is_bracketed = host_len >= 2 && where[0] == '[' && colon[-1] == ']';
  if (is_bracketed) {
    where++;
    host_len -= 2;
  }
  if (host_len == 0 || host_len >= sizeof(host)) return -1;
  memcpy(host, where, host_len);
  host[host_len] = '\0';
  memset(address, 0, sizeof(*address));
  if (is_bracketed) {
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons((uint16_t)port);
    address->len = sizeof(address->in6);
    return inet_pton(AF_INET6, host, &address->in6.sin6_addr) == 1 ? 0 : -1;
  }
  address->in.sin_family = AF_INET;
  address->in.sin_port = htons((uint16_t)port);
  address->len = sizeof(address->in);
  return inet_pton(AF_INET, host, &address->in.sin_addr) == 1 ? 0 : -1;
}

static int set_flag(int fd, int level, int name) {
  int on = 1;
  return setsockopt(fd, level, name, &on, sizeof(on));
}

/* The first socket of an address binds without SO_REUSEPORT, which finds out whether anyone else has the port; the
 * option is set after that, and lets the others join. */
static int open_one(struct address *address, bool is_first) {
  int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  socklen_t len = address->len;
  if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) != 0 ||
      (address->any.sa_family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0) ||
      set_flag(fd, IPPROTO_TCP, TCP_NODELAY) != 0 || /* inherited by accepted sockets; we send whole buffers */
      (!is_first && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) != 0) || bind(fd, &address->any, address->len) != 0 ||
      (is_first && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) != 0) || getsockname(fd, &address->any, &len) != 0 ||
      listen(fd, BACKLOG) != 0) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

int listen_open(const char *where, int *fds, size_t n_fds, struct address *bound, char *why, size_t why_cap) {
  if (parse(where, bound) != 0) {
    snprintf(why, why_cap, "--listen: '%s' is not ADDRESS:PORT with a numeric address ([ADDRESS]:PORT for IPv6)",
             where);
    return -1;
  }
  for (size_t i = 0; i < n_fds; i++) {
    fds[i] = open_one(bound, i == 0);
    if (fds[i] >= 0) continue;
    snprintf(why, why_cap, "--listen: %s: %s", where,
             errno == EADDRINUSE ? "the port is in use by another program" : strerror(errno));
    while (i > 0) close(fds[--i]);
    return -1;
  }
  return 0;
}

void address_write(const struct address *address, char out[static ADDRESS_TEXT_CAP]) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address->any.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof(host));
    snprintf(out, ADDRESS_TEXT_CAP, "[%s]:%u", host, (unsigned)ntohs(address->in6.sin6_port));
    return;
  }
  if (address->any.sa_family == AF_INET) inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
  snprintf(out, ADDRESS_TEXT_CAP, "%s:%u", host, (unsigned)ntohs(address->in.sin_port));
}
