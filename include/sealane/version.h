/* version.h - the version, once: the build reads it from here. */
#ifndef SEALANE_VERSION_H
#define SEALANE_VERSION_H

#define SEALANE_VERSION "0.1.0"

#endif
