/* validity.h - whether clients will take a certificate today. */
#ifndef SEALANE_SERVE_VALIDITY_H
#define SEALANE_SERVE_VALIDITY_H

#include <stdbool.h>
#include <stddef.h>

/* Looks at the dates of the first certificate of a PEM file. returns: false with a sentence when it has expired or is not
 * valid yet; true, too, for a file without one */
bool validity_check(const char *path, char *why, size_t why_cap);

#endif
