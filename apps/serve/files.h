/* files.h - from a request target to an open regular file beneath one folder.
 *
 * What is served: regular files, and index.html for a folder whose target ends with '/'. Never: other kinds of files,
 * listings of folders, anything a ".." or a symbolic link reaches outside the root (the kernel sees to that, with
 * openat2), and names that start with a dot, because those hold what was not meant for others (.git, .env); the one
 * exception is /.well-known/ (RFC 8615). Symbolic links that stay beneath the root are followed. */
#ifndef SEALANE_SERVE_FILES_H
#define SEALANE_SERVE_FILES_H

#include "fields.h"
#include <limits.h>

/* A path below the root: percent-decoded once, "." and ".." and empty segments resolved, no leading '/'. */
struct file_path {
  char name[PATH_MAX]; /* "" is the root itself */
  size_t len;
  bool is_folder; /* the target ended with '/', or with a segment that means a folder */
};

/* returns: 0, or the HTTP status that refuses it: 400 a broken escape, a NUL, or climbing above the root; 404 a name that is
 * never served */
unsigned file_path_init(struct file_path *path, const char *target, size_t target_len);

struct file {
  int fd;
  uint64_t len;
  struct validators validators;
  const char *type;
};

/* Opens the folder to serve. returns: its fd, or -1 and errno */
int files_open_root(const char *folder);
/* Opens the file a path means; blocks for as long as the file system's name lookup does.
 * returns: 200 and *file, whose fd is the caller's; 301 a folder without its slash; or 403, 404, 500, 503 */
unsigned files_open(int root_fd, const struct file_path *path, struct file *file);

#endif
