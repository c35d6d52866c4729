/*
 * Checks, offline, that independent builders rebuilt an artifact: from a proof file (.tlog-proof), a trust policy and
 * the artifact's digest, and from nothing else.
 *
 * Nothing here opens a file or a socket, reads a clock, starts a thread, takes a lock or keeps anything between calls.
 * Every function may be called after fork(). One call is all it takes: sync_verify. Who checks many proofs parses the
 * policy once; who wants to show what a proof says opens it.
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

/* The most that is taken; what is larger is refused with SYNC_ERROR_TOO_LARGE before it is read any further. */
#define SYNC_POLICY_BYTES_MAX 1048576
#define SYNC_PROOF_BYTES_MAX 1048576
/* Hand-overs that one policy may be followed through. */
#define SYNC_HANDOVERS_MAX 1024
/* Members of one group: builders in one piece of evidence. */
#define SYNC_BUILDERS_MAX 100
/* Signature lines on one checkpoint. */
#define SYNC_SIGNATURES_MAX 100
/* Artifacts that one piece of evidence may name. */
#define SYNC_ARTIFACTS_MAX 1000
/* Sources that one build spec may name. */
#define SYNC_SOURCES_MAX 1000

/* The value of a verification that did not succeed. */
#define SYNC_VERDICT_NONE 0
/* As many builders as the log's group asks for revealed the same artifacts. */
#define SYNC_VERDICT_REPRODUCED 1
/* Builders revealed different outcomes, and none has enough builders behind it. Only unverified proofs show it. */
#define SYNC_VERDICT_DIVERGED 2
/* As many builders as the group asks for revealed the same failure. Only unverified proofs show it. */
#define SYNC_VERDICT_FAILED 3
/* Too few builders revealed anything. Only unverified proofs show it. */
#define SYNC_VERDICT_INCONCLUSIVE 4

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
  /* Bit i % 8 of byte i / 8 is set if sync_proof_get_builder's builder i is one of the reproducers. */
  uint8_t reproducer_bits[16];
  /* The same for sync_proof_get_signature's signature i and the cosigners. */
  uint8_t cosigner_bits[16];
} sync_verification;

#ifdef __cplusplus
#define SYNC_VERIFICATION_INIT \
  sync_verification { sizeof(sync_verification), SYNC_ABI_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, {0}, {0} }
#else
#define SYNC_VERIFICATION_INIT {sizeof(sync_verification), SYNC_ABI_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, {0}, {0}}
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
 * 100 on. flags and error mean the same in every function below.
 * [any-thread]
 */
sync_status sync_verify(const uint8_t *policy, size_t policy_size, const uint8_t *proof, size_t proof_size,
                        const uint8_t artifact_sha256[SYNC_SHA256_SIZE], uint32_t flags,
                        sync_verification *verification, sync_error **error);

/* A parsed trust policy, with those that took its place by hand-overs. Immutable: several threads may use one at
 * once. */
typedef struct sync_policy sync_policy;

/* Parses a policy. *created receives it, or NULL on failure; the caller destroys it. [any-thread] */
sync_status sync_policy_create(const uint8_t *policy, size_t policy_size, uint32_t flags, sync_policy **created,
                               sync_error **error);

/*
 * Goes on by a hand-over: a proof file, of at most SYNC_PROOF_BYTES_MAX, by which the builders of a policy hand over to
 * those of the next epoch. It is checked under the policy that the last one gave, and nothing else.
 *
 * *created receives a policy by which proofs of either epoch hold, or NULL on failure; the caller destroys it. policy
 * stays as it is. epoch is the one that policy is of, which the hand-over must end, else SYNC_ERROR_WRONG_EPOCH: 0 for
 * a group's first policy, and one more behind each hand-over. Take it from where the policy came from and never from
 * the hand-over: most builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to
 * members who have left, may hold as well. [any-thread]
 */
sync_status sync_policy_follow(const sync_policy *policy, uint64_t epoch, const uint8_t *handover,
                               size_t handover_size, uint32_t flags, sync_policy **created, sync_error **error);

/* sync_verify with a policy that is parsed already. [any-thread] */
sync_status sync_policy_verify(const sync_policy *policy, const uint8_t *proof, size_t proof_size,
                               const uint8_t artifact_sha256[SYNC_SHA256_SIZE], uint32_t flags,
                               sync_verification *verification, sync_error **error);

/* Frees the policy, which no call may be using; does nothing for NULL. [owner-thread] */
void sync_policy_destroy(sync_policy *policy);

/* A proof that is taken apart. Immutable: several threads may use one at once. */
typedef struct sync_proof sync_proof;

/* Takes a proof apart and believes none of it: what the getters below give is the file's own word until
 * sync_proof_verify has returned SYNC_OK. *created receives it, or NULL on failure; the caller destroys it.
 * [any-thread] */
sync_status sync_proof_create(const uint8_t *proof, size_t proof_size, uint32_t flags, sync_proof **created,
                              sync_error **error);

/* sync_verify with a policy and a proof that are parsed already. [any-thread] */
sync_status sync_proof_verify(const sync_proof *proof, const sync_policy *policy,
                              const uint8_t artifact_sha256[SYNC_SHA256_SIZE], uint32_t flags,
                              sync_verification *verification, sync_error **error);

/* Frees the proof, which no call may be using, and every string that its getters gave; does nothing for NULL.
 * [owner-thread] */
void sync_proof_destroy(sync_proof *proof);

/* In the structs below, set struct_size and abi_version before the call; strings are UTF-8 with a NUL behind them,
 * hold no other NUL, are never NULL after success, and belong to the proof. */

/* What the proof says as a whole. */
typedef struct sync_proof_info {
  uint32_t struct_size;               /* in: sizeof(sync_proof_info) */
  uint32_t abi_version;               /* in: SYNC_ABI_VERSION */
  const char *log_origin;             /* the log's name, which is its group's */
  const char *package;                /* the package URL, such as pkg:cargo/itoa@1.0.4 */
  const char *package_name;           /* itoa: what stands between the type and the version, as it stands there */
  const char *package_version;        /* 1.0.4; "" where the URL has none */
  const char *submitter;              /* the member that asked for the rebuild */
  uint8_t job_id[SYNC_SHA256_SIZE];           /* digest of the build spec */
  uint8_t source_sha256[SYNC_SHA256_SIZE];    /* tree digest of the package's own source; zero where there is none */
  uint8_t toolchain_sha256[SYNC_SHA256_SIZE]; /* digest of the toolchain */
  uint64_t leaf_index;                /* as in sync_verification */
  uint64_t tree_size;                 /* as in sync_verification */
  uint64_t epoch;                     /* the group's membership in force */
  uint64_t height;                    /* as in sync_verification */
  uint64_t time_milliseconds;         /* as in sync_verification */
  int32_t verdict;                    /* a SYNC_VERDICT_ number, never SYNC_VERDICT_NONE */
  uint32_t agreeing;                  /* builders behind the first outcome */
  uint32_t reproducers;               /* how many the group asks for */
  uint32_t builder_count;             /* for sync_proof_get_builder */
  uint32_t artifact_count;            /* for sync_proof_get_artifact */
  uint32_t source_count;              /* for sync_proof_get_source */
  uint32_t signature_count;           /* for sync_proof_get_signature */
  uint32_t outcome_count;             /* distinct outcomes that were revealed */
} sync_proof_info;

/* Fills info. [any-thread] */
sync_status sync_proof_get_info(const sync_proof *proof, sync_proof_info *info, sync_error **error);

/* The builder revealed an outcome. */
#define SYNC_BUILDER_REVEALED 1
/* It committed to nothing before the deadline. */
#define SYNC_BUILDER_NO_COMMITMENT 2
/* It committed and never opened its commitment. */
#define SYNC_BUILDER_NO_REVEAL 3
/* What it revealed was not what it had committed to. */
#define SYNC_BUILDER_WRONG_OPENING 4
/* Its sandbox failed, by its own word. */
#define SYNC_BUILDER_SANDBOX_FAULT 5

/* What the proof says of one builder. */
typedef struct sync_builder_info {
  uint32_t struct_size;  /* in: sizeof(sync_builder_info) */
  uint32_t abi_version;  /* in: SYNC_ABI_VERSION */
  int32_t state;         /* a SYNC_BUILDER_ number */
  uint32_t outcome;      /* which outcome it revealed, 0 being the one with most builders; 0 unless it revealed */
  const char *name;      /* its name in the group */
  const char *sandbox;   /* what it says of its sandbox; "" unless it revealed, as for the next two */
  const char *processor; /* of its processor */
  const char *kernel;    /* of its kernel */
  uint8_t outcome_sha256[SYNC_SHA256_SIZE]; /* digest of that outcome; zero unless it revealed */
} sync_builder_info;

/* Fills builder; index is below builder_count, and the builders are sorted by name. [any-thread] */
sync_status sync_proof_get_builder(const sync_proof *proof, uint32_t index, sync_builder_info *builder,
                                   sync_error **error);

/* One artifact on which the builders agree. */
typedef struct sync_artifact_info {
  uint32_t struct_size; /* in: sizeof(sync_artifact_info) */
  uint32_t abi_version; /* in: SYNC_ABI_VERSION */
  const char *path;     /* below the build's output folder */
  uint64_t size;        /* bytes */
  uint32_t mode;        /* permission bits, such as 0644 */
  uint32_t reserved;    /* 0 */
  uint8_t sha256[SYNC_SHA256_SIZE];
} sync_artifact_info;

/* Fills artifact; index is below artifact_count (0 unless the verdict is SYNC_VERDICT_REPRODUCED), and the artifacts
 * are sorted by path. [any-thread] */
sync_status sync_proof_get_artifact(const sync_proof *proof, uint32_t index, sync_artifact_info *artifact,
                                    sync_error **error);

/* One source that the build was given. */
typedef struct sync_source_info {
  uint32_t struct_size; /* in: sizeof(sync_source_info) */
  uint32_t abi_version; /* in: SYNC_ABI_VERSION */
  const char *package;  /* its package URL */
  const char *origin;   /* where it came from, by the submitter's word */
  uint8_t tree_sha256[SYNC_SHA256_SIZE];    /* digest of the tree that was built */
  uint8_t claimed_sha256[SYNC_SHA256_SIZE]; /* the packager's checksum of its archive; zero where there is none */
  uint32_t has_claim;   /* 1 if claimed_sha256 counts, else 0 */
  uint32_t reserved;    /* 0 */
} sync_source_info;

/* Fills source; index is below source_count, in the spec's order. [any-thread] */
sync_status sync_proof_get_source(const sync_proof *proof, uint32_t index, sync_source_info *source,
                                  sync_error **error);

/* One signature line of the checkpoint, whoever made it. */
typedef struct sync_signature_info {
  uint32_t struct_size;  /* in: sizeof(sync_signature_info) */
  uint32_t abi_version;  /* in: SYNC_ABI_VERSION */
  const char *name;      /* the key's name */
  uint32_t key_id;       /* the key's ID, its four bytes read big-endian */
  uint32_t is_timed;     /* 1 if it has the size of a timestamped cosignature, else 0 */
  uint64_t time_seconds; /* when it says that it was made, since 1970-01-01 UTC; 0 unless timed */
} sync_signature_info;

/* Fills signature; index is below signature_count, in the order of the lines. [any-thread] */
sync_status sync_proof_get_signature(const sync_proof *proof, uint32_t index, sync_signature_info *signature,
                                     sync_error **error);

/* SHA-256 of bytes that come in pieces: what the functions above want to know of an artifact. */
typedef struct sync_hasher sync_hasher;

/* *created receives a hasher that has seen nothing; the caller destroys it. [any-thread] */
sync_status sync_hasher_create(uint32_t flags, sync_hasher **created, sync_error **error);

/* Takes the next piece; bytes may be NULL when size is 0. [owner-thread] */
sync_status sync_hasher_update(sync_hasher *hasher, const void *bytes, size_t size, sync_error **error);

/* Writes the digest of all pieces; the hasher is then as new. [owner-thread] */
sync_status sync_hasher_finish(sync_hasher *hasher, uint8_t sha256[SYNC_SHA256_SIZE], sync_error **error);

/* Frees the hasher; does nothing for NULL. [owner-thread] */
void sync_hasher_destroy(sync_hasher *hasher);

/* No proof is embedded. */
#define SYNC_EMBEDDED_NONE 0
/* Behind the end of an ELF file: proof, length, magic. Other files than ELF and ar carry none. */
#define SYNC_EMBEDDED_TRAILER 1
/* The same inside a last member of an ar archive, such as an .rlib. */
#define SYNC_EMBEDDED_ARCHIVE_MEMBER 2

/* How much of a file's start and of its end sync_embedded_find wants to see; the whole where the file is smaller. */
#define SYNC_EMBEDDED_HEAD_SIZE 8
#define SYNC_EMBEDDED_TAIL_SIZE 1048704

/* Where in a file its proof is. The artifact that the proof is about is the file's first content_size bytes. */
typedef struct sync_embedded {
  uint32_t struct_size;  /* in: sizeof(sync_embedded) */
  uint32_t abi_version;  /* in: SYNC_ABI_VERSION */
  int32_t form;          /* a SYNC_EMBEDDED_ number */
  uint32_t reserved;     /* 0 */
  uint64_t content_size; /* bytes of the artifact; the file's size where nothing is embedded */
  uint64_t proof_offset; /* from the file's start; 0 where nothing is embedded, as for the next */
  uint64_t proof_size;
} sync_embedded;

/*
 * Looks for a proof inside an artifact's file, from the file's ends alone.
 *
 * head       the first SYNC_EMBEDDED_HEAD_SIZE bytes of the file, or all of it
 * tail       the last SYNC_EMBEDDED_TAIL_SIZE bytes, or all of it
 * file_size  bytes of the file; head_size and tail_size must be what follows from it
 *
 * A file without a proof is SYNC_OK with SYNC_EMBEDDED_NONE; one that ends like a proof but holds none is
 * SYNC_ERROR_MALFORMED. [any-thread]
 */
sync_status sync_embedded_find(const uint8_t *head, size_t head_size, const uint8_t *tail, size_t tail_size,
                               uint64_t file_size, uint32_t flags, sync_embedded *found, sync_error **error);

#ifdef __cplusplus
}
#endif

#endif
