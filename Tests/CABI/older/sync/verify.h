/*
 * Checks, offline, that independent builders rebuilt an artifact: from a proof file (.tlog-proof), a trust policy and
 * the artifact's digest, and from nothing else.
 *
 * Verifying opens no file and no socket, reads no clock, starts no thread and keeps nothing between calls. It may be
 * called from several threads at once and after fork().
 */
#ifndef SYNC_VERIFY_H
#define SYNC_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a SHA-256 digest. */
#define SYNC_SHA256_SIZE 32

/* The value of a verification that did not succeed. */
#define SYNC_VERDICT_NONE 0
/* As many builders as the log's group asks for revealed the same artifacts. */
#define SYNC_VERDICT_REPRODUCED 1

/* What a proof showed. Set struct_size and abi_version before the call (SYNC_VERIFICATION_INIT does); the rest is
 * written by it: all zero when the proof was refused. */
typedef struct sync_verification {
  uint32_t struct_size;       /* in: sizeof(sync_verification) */
  uint32_t abi_version;       /* in: SYNC_ABI_VERSION */
  int32_t verdict;            /* a SYNC_VERDICT_ number */
  uint32_t cosigners;         /* witnesses of the policy whose cosignatures on the checkpoint count */
  uint32_t reproducers;       /* builders of the policy that signed for this very artifact */
  uint32_t builders;          /* members that the evidence accounts for, present or absent */
  uint64_t leaf_index;        /* zero-based number of the evidence in the log */
  uint64_t tree_size;         /* leaves in the log at the checkpoint; more than leaf_index */
  uint64_t height;            /* height of the decided block that gave the verdict */
  uint64_t time_milliseconds; /* that block's decided time, since 1970-01-01 UTC */
} sync_verification;

#ifdef __cplusplus
#define SYNC_VERIFICATION_INIT \
  sync_verification { sizeof(sync_verification), SYNC_ABI_VERSION, 0, 0, 0, 0, 0, 0, 0, 0 }
#else
#define SYNC_VERIFICATION_INIT {sizeof(sync_verification), SYNC_ABI_VERSION, 0, 0, 0, 0, 0, 0, 0, 0}
#endif

/*
 * Checks a proof against a policy and an artifact.
 *
 * policy, proof    their bytes, as in the files; may be NULL when the size is 0
 * artifact_sha256  SYNC_SHA256_SIZE bytes
 * flags            0: no flag is defined yet, and an unknown one is refused
 * verification     receives what was shown; may be NULL
 * error            receives, on failure, an error that the caller destroys, and NULL on success; may be NULL.
 *                  What it pointed to before is overwritten, not destroyed.
 *
 * Returns SYNC_OK only if the proof holds. Every other status is a refusal: of the input below 100, of the call from
 * 100 on.
 * [any-thread]
 */
sync_status sync_verify(const uint8_t *policy, size_t policy_size, const uint8_t *proof, size_t proof_size,
                        const uint8_t artifact_sha256[SYNC_SHA256_SIZE], uint32_t flags,
                        sync_verification *verification, sync_error **error);

#ifdef __cplusplus
}
#endif

#endif
