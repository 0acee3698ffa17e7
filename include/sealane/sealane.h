/* sealane.h - all of Sealane: read cpu.h, aead.h, record.h, batch.h, tls.h, in this order. */
#ifndef SEALANE_SEALANE_H
#define SEALANE_SEALANE_H

#include <sealane/aead.h>
#include <sealane/batch.h>
#include <sealane/cpu.h>
#include <sealane/error.h>
#include <sealane/record.h>
#include <sealane/tls.h>
#include <sealane/version.h>

#endif
