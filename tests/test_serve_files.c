/* test_serve_files.c - request targets to files: nothing outside the root, nothing but regular files, nothing hidden. */
#define _GNU_SOURCE
#include "apps/serve/files.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void targets_become_paths(void **state) {
  (void)state;
  static const struct {
    const char *target, *name;
    unsigned status;
    bool is_folder;
  } rows[] = {
      {"/", "", 0, true},
      {"/a", "a", 0, false},
      {"/a/", "a", 0, true},
      {"/a/b.c", "a/b.c", 0, false},
      {"//a///b", "a/b", 0, false},
      {"/./a/./b", "a/b", 0, false},
      {"/a/.", "a", 0, true},
      {"/a/b/..", "a", 0, true},
      {"/a/../b", "b", 0, false},
      {"/a/b/../../c/", "c", 0, true},
      {"/a/..", "", 0, true},
      {"/%61%2Fb", "a/b", 0, false},
      {"/%2e/a", "a", 0, false},
      {"/a%20b", "a b", 0, false},
      {"/%2561", "%61", 0, false}, /* decoded once */
      {"/%252e%252e/x", "%2e%2e/x", 0, false},
      {"/a\\..\\b", "a\\..\\b", 0, false}, /* a backslash is a byte of a name */
      {"/\xc0\xae\xc0\xae/x", "\xc0\xae\xc0\xae/x", 0, false},
      {"/.well-known/acme-challenge/x", ".well-known/acme-challenge/x", 0, false},
      {"/..", "", 400, false},
      {"/../x", "", 400, false},
      {"/a/../../x", "", 400, false},
      {"/%2e%2e/x", "", 400, false},
      {"/%2e%2E%2fx", "", 400, false},
      {"/a/%2e%2e/%2e%2e/x", "", 400, false},
      {"/%", "", 400, false},
      {"/%2", "", 400, false},
      {"/%zz", "", 400, false},
      {"/%00", "", 400, false},
      {"/a%00.html", "", 400, false},
      {"", "", 400, false},
      {"a", "", 400, false},
      {"*", "", 400, false},
      {"/.git", "", 404, false},
      {"/.git/config", "", 404, false},
      {"/a/.env", "", 404, false},
      {"/%2eenv", "", 404, false},
      {"/...", "", 404, false},
      {"/.../x", "", 404, false},
      {"/a/.well-known/x", "", 404, false},
      {"/.well-known-not/x", "", 404, false},
      {"/.well-known/.x", "", 404, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct file_path path;
    char *target = strdup(rows[i].target); /* bounds a sanitizer can see */
    assert_non_null(target);
    unsigned status = file_path_init(&path, target, strlen(target));
    if (status != rows[i].status) fail_msg("%s: status %u", rows[i].target, status);
    if (status == 0) {
      assert_string_equal(path.name, rows[i].name);
      assert_int_equal(path.len, strlen(rows[i].name));
      assert_int_equal(path.is_folder, rows[i].is_folder);
    }
    free(target);
  }
}

static void long_targets_are_names_nobody_has(void **state) {
  (void)state;
  struct file_path path;
  static char target[2 * PATH_MAX];
  memset(target, 'a', sizeof(target));
  target[0] = '/';
  assert_int_equal(file_path_init(&path, target, PATH_MAX - 1), 0);
  assert_int_equal(path.len, PATH_MAX - 2);
  assert_int_equal(file_path_init(&path, target, PATH_MAX), 404);
  assert_int_equal(file_path_init(&path, target, sizeof(target)), 404);
}

/* Every string of a few critical pieces: whatever it is, a path that comes out has no "..", no "." and no empty segment. */
static void no_combination_climbs(void **state) {
  (void)state;
  static const char *const pieces[] = {"/", ".", "..", "a", "%2e", "%2f", "%25", "\\"};
  enum { N = sizeof(pieces) / sizeof(pieces[0]), DEPTH = 6 };
  size_t n = 1, n_paths = 0;
  for (size_t i = 0; i < DEPTH; i++) n *= N;
  for (size_t code = 0; code < n; code++) {
    char target[64] = "/";
    size_t rest = code;
    for (size_t i = 0; i < DEPTH; i++, rest /= N) strcat(target, pieces[rest % N]);
    struct file_path path;
    if (file_path_init(&path, target, strlen(target)) != 0) continue;
    n_paths++;
    char framed[PATH_MAX + 2];
    snprintf(framed, sizeof(framed), "/%s/", path.name);
    if (path.len > 0 && (strstr(framed, "/../") || strstr(framed, "/./") || strstr(framed, "//"))) {
      fail_msg("%s became %s", target, path.name);
    }
  }
  assert_true(n_paths > 1000);
}

struct tree {
  char folder[64];
  int root_fd;
};

static void at(const struct tree *tree, char out[static 256], const char *name) {
  snprintf(out, 256, "%s/%s", tree->folder, name);
}

static void make_file(const struct tree *tree, const char *name, const char *content) {
  char path[256];
  at(tree, path, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(content, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void make_folder(const struct tree *tree, const char *name) {
  char path[256];
  at(tree, path, name);
  assert_int_equal(mkdir(path, 0755), 0);
}

static void make_link(const struct tree *tree, const char *name, const char *target) {
  char path[256];
  at(tree, path, name);
  assert_int_equal(symlink(target, path), 0);
}

static int make_tree(void **state) {
  static struct tree tree;
  char path[256];
  strcpy(tree.folder, "/tmp/sealane-files.XXXXXX");
  if (mkdtemp(tree.folder) == NULL) return -1;
  make_folder(&tree, "root");
  make_file(&tree, "secret", "secret");
  make_file(&tree, "root/file.txt", "hello");
  make_folder(&tree, "root/folder");
  make_file(&tree, "root/folder/index.html", "index");
  make_folder(&tree, "root/bare");
  make_folder(&tree, "root/index-is-folder");
  make_folder(&tree, "root/index-is-folder/index.html");
  make_folder(&tree, "root/linked-index");
  make_link(&tree, "root/linked-index/index.html", "../file.txt");
  make_link(&tree, "root/inside", "folder/../file.txt");
  make_link(&tree, "root/outside", "../secret");
  make_link(&tree, "root/absolute", "/etc/hostname");
  make_link(&tree, "root/round-trip", "../root/file.txt");
  make_link(&tree, "root/up", "..");
  make_link(&tree, "root/loop", "loop");
  make_link(&tree, "root/magic", "/proc/self/root");
  at(&tree, path, "root/pipe");
  assert_int_equal(mkfifo(path, 0644), 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  snprintf(name.sun_path, sizeof(name.sun_path), "%s/root/socket", tree.folder);
  assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
  close(fd);
  at(&tree, path, "root");
  tree.root_fd = files_open_root(path);
  assert_true(tree.root_fd >= 0);
  *state = &tree;
  return 0;
}

static int remove_tree(void **state) {
  struct tree *tree = *state;
  char command[128];
  close(tree->root_fd);
  snprintf(command, sizeof(command), "rm -rf '%s'", tree->folder);
  return system(command);
}

static void only_regular_files_beneath_the_root_open(void **state) {
  struct tree *tree = *state;
  static const struct {
    const char *target;
    unsigned status;
    const char *content;
  } rows[] = {
      {"/file.txt", 200, "hello"},
      {"/folder/index.html", 200, "index"},
      {"/folder/", 200, "index"},
      {"/folder/../file.txt", 200, "hello"},
      {"/inside", 200, "hello"},
      {"/linked-index/", 200, "hello"}, /* leaves the folder, not the root */
      {"/folder", 301, NULL},
      {"/bare", 301, NULL},
      {"/", 404, NULL},
      {"/bare/", 404, NULL},
      {"/index-is-folder/", 404, NULL},
      {"/file.txt/", 404, NULL},
      {"/file.txt/x", 404, NULL},
      {"/absent", 404, NULL},
      {"/outside", 404, NULL},
      {"/absolute", 404, NULL},
      {"/round-trip", 404, NULL}, /* its way leads through the parent */
      {"/up/secret", 404, NULL},
      {"/up/root/file.txt", 404, NULL},
      {"/loop", 404, NULL},
      {"/magic/etc/hostname", 404, NULL},
      {"/pipe", 404, NULL},
      {"/socket", 404, NULL},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct file_path path;
    struct file file;
    char content[16] = {0};
    assert_int_equal(file_path_init(&path, rows[i].target, strlen(rows[i].target)), 0);
    unsigned status = files_open(tree->root_fd, &path, &file);
    if (status != rows[i].status) fail_msg("%s: %u", rows[i].target, status);
    if (status != 200) continue;
    assert_int_equal(file.len, strlen(rows[i].content));
    assert_int_equal(read(file.fd, content, sizeof(content) - 1), file.len);
    assert_string_equal(content, rows[i].content);
    assert_true(file.validators.etag[0] == '"' && strlen(file.validators.etag) > 2);
    close(file.fd);
  }
}

static void etags_follow_the_file(void **state) {
  struct tree *tree = *state;
  struct file_path path;
  struct file before, after;
  char old_name[256], new_name[256];
  assert_int_equal(file_path_init(&path, "/changing", 9), 0);
  make_file(tree, "root/changing", "one");
  assert_int_equal(files_open(tree->root_fd, &path, &before), 200);
  /* Replaced by another of the same length and time: the inode tells. */
  make_file(tree, "root/new", "two");
  struct stat stat;
  assert_int_equal(fstat(before.fd, &stat), 0);
  at(tree, new_name, "root/new");
  at(tree, old_name, "root/changing");
  struct timespec times[2] = {stat.st_mtim, stat.st_mtim};
  assert_int_equal(utimensat(AT_FDCWD, new_name, times, 0), 0);
  assert_int_equal(rename(new_name, old_name), 0);
  assert_int_equal(files_open(tree->root_fd, &path, &after), 200);
  assert_true(before.validators.modified_s == after.validators.modified_s && before.len == after.len);
  assert_string_not_equal(before.validators.etag, after.validators.etag);
  close(before.fd);
  close(after.fd);
}

static void roots_must_be_folders(void **state) {
  struct tree *tree = *state;
  char path[256];
  at(tree, path, "secret");
  assert_int_equal(files_open_root(path), -1);
  at(tree, path, "absent");
  assert_int_equal(files_open_root(path), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(targets_become_paths),  cmocka_unit_test(long_targets_are_names_nobody_has),
      cmocka_unit_test(no_combination_climbs), cmocka_unit_test(only_regular_files_beneath_the_root_open),
      cmocka_unit_test(etags_follow_the_file), cmocka_unit_test(roots_must_be_folders),
  };
  return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
