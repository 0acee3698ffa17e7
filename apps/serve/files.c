/* files.c - see files.h. */
#define _GNU_SOURCE
#include "files.h"
#include "mime.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Decodes percent escapes, once. returns: the length, -1 for a broken escape or a NUL */
static ssize_t decode(char *out, const char *in, size_t len) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    char c = in[i];
    if (c == '%') {
      if (len - i < 3 || hex_value(in[i + 1]) < 0 || hex_value(in[i + 2]) < 0) return -1;
      c = (char)(hex_value(in[i + 1]) << 4 | hex_value(in[i + 2]));
      i += 2;
    }
    if (c == '\0') return -1;
    out[n++] = c;
  }
  return (ssize_t)n;
}

/* Takes the last segment off. returns: false when there is none */
static bool pop_segment(struct file_path *path) {
  if (path->len == 0) return false;
  while (path->len > 0 && path->name[path->len - 1] != '/') path->len--;
  if (path->len > 0) path->len--; /* the slash before it */
  return true;
}

/* Adds a segment as the file system will see it. returns: 0, 400, 404 */
static unsigned add_segment(struct file_path *path, const char *segment, size_t len, bool is_last) {
  if (len == 0 || (len == 1 && segment[0] == '.')) {
    if (is_last) path->is_folder = true;
    return 0;
  }
  if (len == 2 && memcmp(segment, "..", 2) == 0) {
    if (is_last) path->is_folder = true;
    return pop_segment(path) ? 0 : 400;
  }
  bool is_well_known = path->len == 0 && len == 11 && memcmp(segment, ".well-known", 11) == 0;
  if (segment[0] == '.' && !is_well_known) return 404;
  if (path->len > 0) path->name[path->len++] = '/';
  memcpy(path->name + path->len, segment, len);
  path->len += len;
  return 0;
}

unsigned file_path_init(struct file_path *path, const char *target, size_t target_len) {
  char decoded[PATH_MAX];
  path->len = 0;
  path->is_folder = false;
  if (target_len >= sizeof(decoded)) return 404; /* no file has so long a name, and its decoded form would not fit */
  ssize_t decoded_len = decode(decoded, target, target_len);
  if (decoded_len < 0 || decoded_len == 0 || decoded[0] != '/') return 400;
  const char *at = decoded + 1, *end = decoded + decoded_len;
  for (;;) {
    const char *slash = memchr(at, '/', (size_t)(end - at));
    const char *segment_end = slash != NULL ? slash : end;
    unsigned status = add_segment(path, at, (size_t)(segment_end - at), slash == NULL);
    if (status != 0) return status;
    if (slash == NULL) break;
    at = slash + 1;
  }
  path->name[path->len] = '\0';
  return 0;
}

/* The one way a name becomes a file: the kernel refuses whatever would leave the root, links and races included. */
static int open_beneath(int root_fd, const char *name) {
  /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  for (int n_tries = 0;; n_tries++) {
    int fd = (int)syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
    /* EAGAIN: something was renamed while the kernel looked, so that it cannot vouch for the result. */
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || n_tries == 8) return fd;
  }
}

int files_open_root(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int probe = open_beneath(fd, "."); /* sandboxes may refuse openat2; better told at the start than per request */
  if (probe < 0) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  close(probe);
  return fd;
}

static unsigned status_of_errno(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR:
  case ELOOP:
  case EXDEV: /* leads out of the root */
  case ENAMETOOLONG:
  case ENXIO: /* a socket, a FIFO, a device that is not there */
  case ENODEV:
    return 404;
  case EACCES:
  case EPERM:
    return 403;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case EAGAIN:
    return 503;
  default:
    return 500;
  }
}

unsigned files_open(int root_fd, const struct file_path *path, struct file *file) {
  int fd = open_beneath(root_fd, path->len > 0 ? path->name : ".");
  if (fd < 0) return status_of_errno(errno);
  const char *name = path->name;
  char index[PATH_MAX + sizeof("/index.html")];
  struct stat stat;
  if (fstat(fd, &stat) != 0) goto refuse_500;
  if (S_ISDIR(stat.st_mode)) {
    close(fd);
    if (!path->is_folder) return 301;
    snprintf(index, sizeof(index), "%s%sindex.html", path->name, path->len > 0 ? "/" : "");
    name = index;
    fd = open_beneath(root_fd, name);
    if (fd < 0) return status_of_errno(errno);
    if (fstat(fd, &stat) != 0) goto refuse_500;
  } else if (path->is_folder) {
    close(fd);
    return 404;
  }
  if (!S_ISREG(stat.st_mode)) {
    close(fd);
    return 404;
  }
  *file = (struct file){.fd = fd, .len = (uint64_t)stat.st_size, .type = mime_of_path(name)};
  file->validators.modified_s = (int64_t)stat.st_mtim.tv_sec;
  /* The inode tells a file from the one that replaced it by rename within a clock tick. */
  snprintf(file->validators.etag, sizeof(file->validators.etag), "\"%llx-%llx-%llx\"",
           (unsigned long long)stat.st_mtim.tv_sec * 1000000000ull + (unsigned long long)stat.st_mtim.tv_nsec,
           (unsigned long long)stat.st_size, (unsigned long long)stat.st_ino);
  return 200;

refuse_500:
  close(fd);
  return 500;
}
