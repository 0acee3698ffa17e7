/* inside.c - what the public headers do not show. */
#include "inside.h"
#include "kernel.h"
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void hook_kernel_seal(struct sl_aead_job *const *jobs, size_t n) {
  jobs[0]->key->ops->seal(jobs, n);
}

void hook_kernel_open(struct sl_aead_job *const *jobs, size_t n) {
  jobs[0]->key->ops->open(jobs, n);
}

void hook_kernel_expand(struct sl_aead_key *key, const uint8_t *secret) {
  key->ops->expand(key, secret);
}

bool hook_leaky_differs(const uint8_t *a, const uint8_t *b, size_t len) {
  const volatile uint8_t *x = a, *y = b;
  for (size_t i = 0; i < len; i++) {
    if (x[i] != y[i]) return true;
  }
  return false;
}

size_t hook_key_len(const struct sl_aead_key *key) {
  return key->ops != NULL ? key->ops->key_len : 0;
}

/* ---- code ----------------------------------------------------------------------------------------------------------
 * A symbol table lists the local symbols of each source file behind a symbol with the file's name. A kernel is one file
 * (engine/kernel.h), and all it has is local but its table. */

static size_t code_in_section(const uint8_t *elf, size_t elf_len, const Elf64_Shdr *symbols, const char *file) {
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)elf;
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(elf + header->e_shoff);
  if (symbols->sh_link >= header->e_shnum) return 0;
  const Elf64_Shdr *names = &sections[symbols->sh_link];
  if (symbols->sh_offset + symbols->sh_size > elf_len || names->sh_offset + names->sh_size > elf_len) return 0;
  const Elf64_Sym *symbol = (const Elf64_Sym *)(elf + symbols->sh_offset);
  size_t n = symbols->sh_size / sizeof *symbol, len = 0;
  bool inside = false;
  for (size_t i = 0; i < n; i++) {
    if (symbol[i].st_name >= names->sh_size) continue;
    unsigned type = ELF64_ST_TYPE(symbol[i].st_info);
    if (type == STT_FILE) inside = strcmp((const char *)elf + names->sh_offset + symbol[i].st_name, file) == 0;
    if (inside && (type == STT_FUNC || type == STT_OBJECT)) len += symbol[i].st_size;
  }
  return len;
}

static size_t code_in_elf(const uint8_t *elf, size_t elf_len, const char *file) {
  const Elf64_Ehdr *header = (const Elf64_Ehdr *)elf;
  if (elf_len < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return 0;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr)) return 0;
  if (header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr) > elf_len) return 0;
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(elf + header->e_shoff);
  for (size_t i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type == SHT_SYMTAB) return code_in_section(elf, elf_len, &sections[i], file);
  }
  return 0;
}

size_t hook_kernel_code_len(const char *kernel) {
  char file[64];
  struct stat status;
  size_t len = 0;
  snprintf(file, sizeof file, "%s.c", kernel);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) status.st_size = 0;
  void *elf = status.st_size > 0 ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  if (elf != MAP_FAILED) {
    len = code_in_elf(elf, (size_t)status.st_size, file);
    munmap(elf, (size_t)status.st_size);
  }
  if (fd >= 0) close(fd);
  return len;
}
