/* list.h - circular doubly linked lists through links inside the objects: any object leaves its list in constant time. */
#ifndef SEALANE_SERVE_LIST_H
#define SEALANE_SERVE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head, or a place in one. A link in no list points to itself. */
struct link {
  struct link *prev, *next;
};

#define LIST_ENTRY(link_ptr, type, member) ((type *)(void *)((char *)(link_ptr)-offsetof(type, member)))

static inline void list_init(struct link *link) {
  link->prev = link->next = link;
}

static inline bool list_is_empty(const struct link *head) {
  return head->next == head;
}

static inline void list_append(struct link *head, struct link *link) {
  link->prev = head->prev;
  link->next = head;
  head->prev->next = link;
  head->prev = link;
}

/* Idempotent. */
static inline void list_remove(struct link *link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
  list_init(link);
}

/* Moves everything of `from` to the empty list `to`. */
static inline void list_take_all(struct link *to, struct link *from) {
  if (list_is_empty(from)) {
    list_init(to);
    return;
  }
  *to = *from;
  to->next->prev = to;
  to->prev->next = to;
  list_init(from);
}

#endif
