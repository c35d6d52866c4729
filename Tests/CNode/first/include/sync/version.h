/*
 * Versions and status numbers: what every other header builds on.
 *
 * Rules that hold for all of include/:
 *   - A function that can fail returns a sync_status; 0 is success. Out-parameters stand last, then a sync_error **,
 *     which may be NULL.
 *   - An open struct begins with struct_size and abi_version, which the caller sets. Fields are only ever appended,
 *     zero is each field's default, and no byte past the caller's struct_size is read or written.
 *   - "create", "open" and "copy" give what the caller destroys; "get" gives what is borrowed, for as long as is said.
 *   - Each declaration carries a thread tag: [any-thread] may be called from any thread at any time, also from several
 *     at once; [owner-thread] from one thread at a time for each object.
 */
#ifndef SYNC_VERSION_H
#define SYNC_VERSION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNC_VERSION_MAJOR 0
#define SYNC_VERSION_MINOR 1
#define SYNC_VERSION_PATCH 0

/* Changes only when a program that was built against an older header could no longer work. */
#define SYNC_ABI_VERSION 1

/* The library's own version, "major.minor.patch". Never NULL; valid for as long as the library is loaded.
 * [any-thread] */
const char *sync_get_version(void);

/* The library's own SYNC_ABI_VERSION, to compare with the header's after loading it by path. [any-thread] */
uint32_t sync_get_abi_version(void);

/* 0, or why not. A number never changes its meaning and is never used again; new ones may appear, so treat an unknown
 * one as a refusal. */
typedef int32_t sync_status;

#define SYNC_OK 0
/* The bytes are not in the format: truncated, not canonical, trailing, out of bounds. */
#define SYNC_ERROR_MALFORMED 1
/* A named limit was passed (size, count). */
#define SYNC_ERROR_TOO_LARGE 2
/* The format's first line names a version that this library does not know. */
#define SYNC_ERROR_UNSUPPORTED_VERSION 3
/* A Merkle path does not lead to the root. */
#define SYNC_ERROR_INCLUSION_MISMATCH 4
/* A consistency path does not lead from the old root to the new one. */
#define SYNC_ERROR_CONSISTENCY_MISMATCH 5
/* No log of the policy signed the checkpoint. */
#define SYNC_ERROR_UNTRUSTED_LOG 6
/* A signature by a known key does not verify. */
#define SYNC_ERROR_INVALID_SIGNATURE 7
/* Too few cosignatures for the policy's quorum. */
#define SYNC_ERROR_QUORUM_MISSED 8
/* Too few builders of the policy revealed the artifact, or approved the hand-over. */
#define SYNC_ERROR_REPRODUCERS_MISSED 9
/* The artifact's digest is not among the artifacts on which the builders agreed. */
#define SYNC_ERROR_ARTIFACT_MISMATCH 10
/* The evidence's verdict is not the one that its own lines give. */
#define SYNC_ERROR_VERDICT_MISMATCH 11
/* A verifier key is not in the vkey form, of a type that is not verified here, or its key ID is not its own. */
#define SYNC_ERROR_INVALID_KEY 12
/* A trust policy is well-formed but does not hold together: a name twice, an unknown name, no quorum. */
#define SYNC_ERROR_INVALID_POLICY 13
/* The evidence names another group than the log that holds it. */
#define SYNC_ERROR_GROUP_MISMATCH 14
/* The proof carries no leaf, or one that is not evidence. */
#define SYNC_ERROR_NOT_EVIDENCE 15
/* The evidence's verdict is sound but is not "reproduced". */
#define SYNC_ERROR_NOT_REPRODUCED 16
/* A reveal by a builder that the policy knows is not signed by that builder. */
#define SYNC_ERROR_INVALID_REVEAL 17
/* A build spec is well-formed but out of a bound or out of order. */
#define SYNC_ERROR_INVALID_SPEC 18
/* The proof carries no leaf, or one that is no hand-over. */
#define SYNC_ERROR_NOT_HANDOVER 19
/* A hand-over is another epoch's than the one that comes next. */
#define SYNC_ERROR_WRONG_EPOCH 20

/* From 100: the call itself was wrong, whatever the bytes say. */

/* NULL where an object or bytes are wanted. */
#define SYNC_ERROR_NULL_ARGUMENT 100
/* A flag that this library does not know. */
#define SYNC_ERROR_UNKNOWN_FLAG 101
/* A struct_size that is smaller than the struct's first published form. */
#define SYNC_ERROR_STRUCT_SIZE 102
/* An abi_version that is not this library's. */
#define SYNC_ERROR_ABI_VERSION 103
/* An index at or above the count that belongs to it. */
#define SYNC_ERROR_OUT_OF_RANGE 104
/* Sizes that do not fit together. */
#define SYNC_ERROR_INVALID_ARGUMENT 105
/* More numbers, from 106 on, are libsync's: plugin.h. */

/* Why a call failed. Immutable; owned by the caller. */
typedef struct sync_error sync_error;

/* The status that the call returned; SYNC_OK for NULL. [any-thread] */
sync_status sync_error_get_code(const sync_error *error);

/* One sentence of UTF-8 for people: what was got, what was wanted. Ends with a NUL; valid until the error is
 * destroyed; "" for NULL. Programs compare the code instead. [any-thread] */
const char *sync_error_get_message(const sync_error *error);

/* The byte offset into the input at which reading stopped, or -1 where none applies and for NULL. [any-thread] */
int64_t sync_error_get_offset(const sync_error *error);

/* Frees the error; does nothing for NULL. [owner-thread] */
void sync_error_destroy(sync_error *error);

#ifdef __cplusplus
}
#endif

#endif
