/*
 * The verifier's C interface, which libsync and libsyncverify both carry; libsyncverify needs nothing but libc. Each
 * header can be included alone.
 *
 * libsync runs nodes and plugins as well: include sync/node.h, or sync/plugin.h for a plugin alone.
 */
#ifndef SYNC_H
#define SYNC_H

#include "sync/verify.h"
#include "sync/version.h"

#endif
