/*
 * libsync's whole C interface. Each header can be included alone.
 *
 * libsyncverify carries sync/version.h and sync/verify.h, and needs nothing but libc.
 */
#ifndef SYNC_H
#define SYNC_H

#include "sync/verify.h"
#include "sync/version.h"

#endif
