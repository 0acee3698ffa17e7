/* options.c - see options.h. Not getopt_long: its messages go straight to standard error, its abbreviations would become
 * promises. */
#include "options.h"
#include <errno.h>
#include <sealane/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: sealane-serve [OPTION]...\n"
    "\n"
    "Serves HTTPS (TLS 1.3, HTTP/1.1) from one io_uring loop per CPU. Without options it makes a certificate of its "
    "own,\n"
    "listens on 127.0.0.1:8443 and serves a page about the connection and the engine.\n"
    "\n"
    "  --listen ADDR:PORT       listen here; [ADDR]:PORT for IPv6, port 0 for any free one; repeatable\n"
    "                           (default 127.0.0.1:8443)\n"
    "  --cert FILE --key FILE   certificate chain (PEM, leaf first) and its private key; repeatable in pairs\n"
    "                           (default: a self-signed certificate for localhost, made at each start)\n"
    "  --root DIR               serve the files below DIR instead of the built-in page; folders by their index.html,\n"
    "                           never a listing, never names that start with a dot (but /.well-known/)\n"
    "  --threads N              loops (default: the CPUs this process may use)\n"
    "  --suites LIST            cipher suites in order of preference, separated by ':' or ','\n"
    "  --keylog FILE            append the secrets of every connection to FILE, for debugging (NSS key log format)\n"
    "  --max-connections N      connections at a time; more wait in the kernel or are closed (default 16384)\n"
    "  --handshake-timeout S    seconds a handshake may take (default 10)\n"
    "  --idle-timeout S         seconds a connection may wait for its next request (default 60)\n"
    "  --stall-timeout S        seconds a peer may take for one request, or for 64 KiB of a response (default 30)\n"
    "  --grace S                seconds that responses get to end after SIGTERM or SIGINT (default 30)\n"
    "  --verbose                print why connections fail, and figures at the end, to standard error\n"
    "  --help, --version        print this, or the version, and exit\n"
    "\n"
    "SIGTERM and SIGINT stop it gracefully: responses that have begun and requests that have arrived are finished; "
    "exit 0.\n"
    "A second signal, or the end of --grace, cuts what is left; exit 1, as for errors at start, which print one "
    "line.\n";

struct number {
  const char *name;
  size_t at; /* offset in struct options */
  uint64_t min, max, unit;
};

/* Flag, field, smallest, largest, what one counts in the field. */
static const struct number numbers[] = {
    {"--threads", offsetof(struct options, n_threads), 1, 1024, 1},
    {"--max-connections", offsetof(struct options, max_connections), 1, 10000000, 1},
    {"--handshake-timeout", offsetof(struct options, handshake_timeout_ms), 1, 86400, 1000},
    {"--idle-timeout", offsetof(struct options, idle_timeout_ms), 1, 86400, 1000},
    {"--stall-timeout", offsetof(struct options, stall_timeout_ms), 1, 86400, 1000},
    {"--grace", offsetof(struct options, grace_ms), 0, 86400, 1000},
};
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "numbers are stored alike");

struct string {
  const char *name;
  size_t at, n_at; /* offsets in struct options; n_at 0: may come only once */
};

static const struct string strings[] = {
    {"--listen", offsetof(struct options, listen), offsetof(struct options, n_listen)},
    {"--cert", offsetof(struct options, cert), offsetof(struct options, n_cert)},
    {"--key", offsetof(struct options, key), offsetof(struct options, n_key)},
    {"--root", offsetof(struct options, root), 0},
    {"--suites", offsetof(struct options, suites), 0},
    {"--keylog", offsetof(struct options, keylog), 0},
};

static bool read_number(struct options *options, const struct number *number, const char *value, char *why,
                        size_t why_cap) {
  char *end;
  errno = 0;
  unsigned long long n = strtoull(value, &end, 10);
  if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || n < number->min || n > number->max) {
    snprintf(why, why_cap, "%s: '%s' is not a number from %llu to %llu", number->name, value,
             (unsigned long long)number->min, (unsigned long long)number->max);
    return false;
  }
  *(uint64_t *)(void *)((char *)options + number->at) = n * number->unit;
  return true;
}

static bool read_string(struct options *options, const struct string *string, const char *value, char *why,
                        size_t why_cap) {
  const char **place = (const char **)(void *)((char *)options + string->at);
  size_t *n = string->n_at != 0 ? (size_t *)(void *)((char *)options + string->n_at) : NULL;
  if (value[0] == '\0') {
    snprintf(why, why_cap, "%s: the value is empty", string->name);
    return false;
  }
  if (n != NULL && *n == OPTIONS_LIST_MAX) {
    snprintf(why, why_cap, "%s: given more than %d times", string->name, OPTIONS_LIST_MAX);
    return false;
  }
  if (n == NULL && *place != NULL) {
    snprintf(why, why_cap, "%s: given twice", string->name);
    return false;
  }
  if (n != NULL) place += (*n)++;
  *place = value;
  return true;
}

/* Reads the flag at argv[*i], and its value, which follows it or an '='. */
static bool read_flag(struct options *options, int argc, char **argv, int *i, char *why, size_t why_cap) {
  const char *flag = argv[*i];
  size_t name_len = strcspn(flag, "=");
  const struct number *number = NULL;
  const struct string *string = NULL;
  for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
    if (strlen(numbers[k].name) == name_len && memcmp(numbers[k].name, flag, name_len) == 0) number = &numbers[k];
  }
  for (size_t k = 0; k < sizeof(strings) / sizeof(strings[0]); k++) {
    if (strlen(strings[k].name) == name_len && memcmp(strings[k].name, flag, name_len) == 0) string = &strings[k];
  }
  if (number == NULL && string == NULL) {
    snprintf(why, why_cap, flag[0] == '-' ? "%s: unknown flag (see --help)" : "'%s': unexpected argument (see --help)",
             flag);
    return false;
  }
  const char *value = flag[name_len] == '=' ? flag + name_len + 1 : NULL;
  if (value == NULL) {
    if (*i + 1 >= argc) {
      snprintf(why, why_cap, "%s: a value is missing (see --help)", flag);
      return false;
    }
    value = argv[++*i];
  }
  if (number != NULL) return read_number(options, number, value, why, why_cap);
  return read_string(options, string, value, why, why_cap);
}

enum options_result options_read(struct options *options, int argc, char **argv, char *why, size_t why_cap) {
  *options = (struct options){.max_connections = 16384,
                              .handshake_timeout_ms = 10000,
                              .idle_timeout_ms = 60000,
                              .stall_timeout_ms = 30000,
                              .grace_ms = 30000};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      fputs(help, stdout);
      return OPTIONS_DONE;
    }
    if (strcmp(argv[i], "--version") == 0) {
      puts("sealane-serve " SEALANE_VERSION);
      return OPTIONS_DONE;
    }
    if (strcmp(argv[i], "--verbose") == 0) {
      options->is_verbose = true;
    } else if (!read_flag(options, argc, argv, &i, why, why_cap)) {
      return OPTIONS_WRONG;
    }
  }
  if (options->n_cert != options->n_key) {
    bool is_key = options->n_cert < options->n_key;
    snprintf(why, why_cap, is_key ? "--key: '%s' has no --cert" : "--cert: '%s' has no --key",
             is_key ? options->key[options->n_cert] : options->cert[options->n_key]);
    return OPTIONS_WRONG;
  }
  if (options->n_listen == 0) options->listen[options->n_listen++] = "127.0.0.1:8443";
  return OPTIONS_RUN;
}
