/* usage: objects POLICY PROOF SHA256-HEX [ROUNDS]
 * Policies, proofs and hashers as objects: calls right and wrong, what they write and what not, owners, threads and
 * fork. Compiled with FORGET it leaves one object, and with RACE two threads share what they must not, for the leak
 * check and the thread sanitizer to show that they see it. */
#include <pthread.h>
#include <string.h>
#include <sync.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static file_bytes policy_file, proof_file;
static uint8_t artifact[SYNC_SHA256_SIZE];
static const uint8_t junk[] = "not a policy, not a proof\n";
static int rounds = 25;

/* The call has the status, and overwrites what `error` held with an error that says why, or with NULL. */
#define REFUSED(wanted, error, call) \
  do { \
    sync_error *error = (sync_error *)(uintptr_t)1; \
    const sync_status status_ = (call); \
    if (status_ != (wanted)) fprintf(stderr, "status %d instead of %d\n", status_, (wanted)); \
    CHECK(status_ == (wanted)); \
    CHECK(sync_error_get_code(error) == status_); \
    CHECK((error == NULL) == (status_ == SYNC_OK)); \
    if (status_ != SYNC_OK) CHECK(strlen(sync_error_get_message(error)) > 10); \
    if (status_ >= 100) CHECK(sync_error_get_offset(error) == -1); \
    sync_error_destroy(error); \
  } while (0)

static sync_policy *make_policy(void) {
  sync_policy *policy = NULL;
  sync_error *error = NULL;
  if (sync_policy_create(policy_file.data, policy_file.size, 0, &policy, &error) != SYNC_OK) {
    fprintf(stderr, "the policy is refused: %s\n", sync_error_get_message(error));
    exit(1);
  }
  CHECK(policy != NULL && error == NULL);
  return policy;
}

static sync_proof *make_proof(void) {
  sync_proof *proof = NULL;
  sync_error *error = NULL;
  if (sync_proof_create(proof_file.data, proof_file.size, 0, &proof, &error) != SYNC_OK) {
    fprintf(stderr, "the proof is refused: %s\n", sync_error_get_message(error));
    exit(1);
  }
  CHECK(proof != NULL && error == NULL);
  return proof;
}

/* Calls that make no object leave NULL where it would have gone. */
static void wrong_creations(void) {
  sync_policy *policy = (sync_policy *)(uintptr_t)1;
  sync_proof *proof = (sync_proof *)(uintptr_t)1;
  sync_hasher *hasher = (sync_hasher *)(uintptr_t)1;
  const uint8_t *some = policy_file.data;

  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_create(some, policy_file.size, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_create(NULL, 1, 0, &policy, &e));
  CHECK(policy == NULL);
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_create(NULL, SIZE_MAX, 0, &policy, &e));
  policy = (sync_policy *)(uintptr_t)1;
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_policy_create(some, policy_file.size, 1, &policy, &e));
  CHECK(policy == NULL);
  policy = (sync_policy *)(uintptr_t)1;
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_policy_create(some, SYNC_POLICY_BYTES_MAX + 1, 0, &policy, &e));
  CHECK(policy == NULL);
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_policy_create(some, SIZE_MAX, 0, &policy, &e));
  REFUSED(SYNC_ERROR_MALFORMED, e, sync_policy_create(junk, sizeof junk - 1, 0, &policy, &e));
  REFUSED(SYNC_ERROR_INVALID_POLICY, e, sync_policy_create(NULL, 0, 0, &policy, &e));
  CHECK(policy == NULL && sync_policy_create(junk, 1, 0, &policy, NULL) == SYNC_ERROR_MALFORMED);

  some = proof_file.data;
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_proof_create(some, proof_file.size, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_proof_create(NULL, 1, 0, &proof, &e));
  CHECK(proof == NULL);
  proof = (sync_proof *)(uintptr_t)1;
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_proof_create(some, proof_file.size, 1, &proof, &e));
  CHECK(proof == NULL);
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_proof_create(some, SYNC_PROOF_BYTES_MAX + 1, 0, &proof, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_proof_create(some, SIZE_MAX / 2, 0, &proof, &e));
  proof = (sync_proof *)(uintptr_t)1;
  REFUSED(SYNC_ERROR_MALFORMED, e, sync_proof_create(some, proof_file.size - 1, 0, &proof, &e));
  CHECK(proof == NULL);
  REFUSED(SYNC_ERROR_UNSUPPORTED_VERSION, e, sync_proof_create(junk, sizeof junk - 1, 0, &proof, &e));
  REFUSED(SYNC_ERROR_MALFORMED, e, sync_proof_create(NULL, 0, 0, &proof, &e));
  CHECK(proof == NULL && sync_proof_create(NULL, 0, 0, &proof, NULL) == SYNC_ERROR_MALFORMED);

  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_create(0, NULL, &e));
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_hasher_create(UINT32_MAX, &hasher, &e));
  CHECK(hasher == NULL);

  sync_policy_destroy(NULL);
  sync_proof_destroy(NULL);
  sync_hasher_destroy(NULL);
}

static void wrong_verifications(const sync_policy *policy, const sync_proof *proof) {
  const uint8_t *bytes = proof_file.data;
  const size_t size = proof_file.size;
  const uint8_t other[SYNC_SHA256_SIZE] = {1};
  const file_bytes p = policy_file;
  REFUSED(SYNC_OK, e, sync_verify(p.data, p.size, bytes, size, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_verify(p.data, p.size, bytes, SIZE_MAX, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_verify(p.data, p.size, bytes, (size_t)1 << 30, artifact, 0, NULL, &e));
  REFUSED(SYNC_OK, e, sync_policy_verify(policy, bytes, size, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_verify(NULL, bytes, size, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_verify(policy, NULL, size, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_policy_verify(policy, bytes, size, NULL, 0, NULL, &e));
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_policy_verify(policy, bytes, size, artifact, 2, NULL, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_policy_verify(policy, bytes, SIZE_MAX, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_MALFORMED, e, sync_policy_verify(policy, NULL, 0, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_ARTIFACT_MISMATCH, e, sync_policy_verify(policy, bytes, size, other, 0, NULL, &e));
  REFUSED(SYNC_OK, e, sync_proof_verify(proof, policy, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_proof_verify(NULL, policy, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_proof_verify(proof, NULL, artifact, 0, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_proof_verify(proof, policy, NULL, 0, NULL, &e));
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_proof_verify(proof, policy, artifact, 2, NULL, &e));
  REFUSED(SYNC_ERROR_ARTIFACT_MISMATCH, e, sync_proof_verify(proof, policy, other, 0, NULL, &e));
}

/* Every call that fills an open struct, in one shape. */
typedef sync_status filler(const void *object, uint32_t index, void *open, sync_error **error);

static sync_status fill_info(const void *object, uint32_t index, void *open, sync_error **error) {
  (void)index;
  return sync_proof_get_info(object, open, error);
}
static sync_status fill_builder(const void *object, uint32_t index, void *open, sync_error **error) {
  return sync_proof_get_builder(object, index, open, error);
}
static sync_status fill_artifact(const void *object, uint32_t index, void *open, sync_error **error) {
  return sync_proof_get_artifact(object, index, open, error);
}
static sync_status fill_source(const void *object, uint32_t index, void *open, sync_error **error) {
  return sync_proof_get_source(object, index, open, error);
}
static sync_status fill_signature(const void *object, uint32_t index, void *open, sync_error **error) {
  return sync_proof_get_signature(object, index, open, error);
}
/* In place of the object: the first byte of a file that carries no proof. */
static sync_status fill_embedded(const void *object, uint32_t index, void *open, sync_error **error) {
  (void)index;
  return sync_embedded_find(object, 1, object, 1, 1, 0, open, error);
}
static const sync_policy *shared_policy;
static sync_status fill_verification(const void *object, uint32_t index, void *open, sync_error **error) {
  (void)index;
  return sync_proof_verify(object, shared_policy, artifact, 0, open, error);
}

/* One call with a struct of `size` bytes, of which `known` may be written, and with guard bytes behind them: the
 * library carries no sanitizer's code, so a byte too many would go unseen. */
static void fill_block(filler *fill, const void *object, uint32_t index, uint32_t size, uint32_t version, size_t known,
                       sync_status wanted) {
  const size_t room = (size < 8 ? 8 : size) + 64;
  uint8_t *block = malloc(room), *before = malloc(room);
  if (block == NULL || before == NULL) exit(3);
  memset(block, 0xa5, room);
  memcpy(block, &size, sizeof size);
  memcpy(block + 4, &version, sizeof version);
  memcpy(before, block, room);
  REFUSED(wanted, e, fill(object, index, block, &e));
  CHECK(memcmp(block, before, 8) == 0);
  if (wanted == SYNC_ERROR_STRUCT_SIZE || wanted == SYNC_ERROR_ABI_VERSION) {
    CHECK(memcmp(block, before, room) == 0);
  } else {
    const size_t written = size < known ? size : known;
    CHECK(memcmp(block + written, before + written, room - written) == 0);
    size_t zeros = 0;
    for (size_t i = 8; i < written; i++) zeros += block[i] == 0;
    CHECK(wanted == SYNC_OK ? zeros < written - 8 : zeros == written - 8);
  }
  free(block);
  free(before);
}

static void open_structs(const sync_proof *proof) {
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  CHECK(sync_proof_get_info(proof, &info, NULL) == SYNC_OK);
  const struct {
    filler *fill;
    const void *object;
    uint32_t size, first_size, count;
    sync_status without_object;
  } rows[] = {
      {fill_info, proof, sizeof info, sizeof info, 0, SYNC_ERROR_NULL_ARGUMENT},
      {fill_builder, proof, sizeof(sync_builder_info), sizeof(sync_builder_info), info.builder_count, 0},
      {fill_artifact, proof, sizeof(sync_artifact_info), sizeof(sync_artifact_info), info.artifact_count, 0},
      {fill_source, proof, sizeof(sync_source_info), sizeof(sync_source_info), info.source_count, 0},
      {fill_signature, proof, sizeof(sync_signature_info), sizeof(sync_signature_info), info.signature_count, 0},
      {fill_embedded, junk, sizeof(sync_embedded), sizeof(sync_embedded), 0, 0},
      {fill_verification, proof, sizeof(sync_verification), 56, 0, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    filler *fill = rows[i].fill;
    const void *object = rows[i].object;
    const uint32_t whole = rows[i].size, first = rows[i].first_size;
    fill_block(fill, object, 0, whole, SYNC_ABI_VERSION, whole, SYNC_OK);
    fill_block(fill, object, 0, whole + 40, SYNC_ABI_VERSION, whole, SYNC_OK);
    fill_block(fill, object, 0, first, SYNC_ABI_VERSION, whole, SYNC_OK);
    fill_block(fill, object, 0, first - 1, SYNC_ABI_VERSION, whole, SYNC_ERROR_STRUCT_SIZE);
    fill_block(fill, object, 0, 8, SYNC_ABI_VERSION, whole, SYNC_ERROR_STRUCT_SIZE);
    fill_block(fill, object, 0, 0, SYNC_ABI_VERSION, whole, SYNC_ERROR_STRUCT_SIZE);
    fill_block(fill, object, 0, whole, 0, whole, SYNC_ERROR_ABI_VERSION);
    fill_block(fill, object, 0, whole, SYNC_ABI_VERSION + 1, whole, SYNC_ERROR_ABI_VERSION);
    fill_block(fill, object, 0, whole, UINT32_MAX, whole, SYNC_ERROR_ABI_VERSION);
    fill_block(fill, NULL, 0, whole, SYNC_ABI_VERSION, whole, SYNC_ERROR_NULL_ARGUMENT);
    if (fill != fill_verification) REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, fill(object, 0, NULL, &e));
    CHECK(fill(object, 0, NULL, NULL) == (fill == fill_verification ? SYNC_OK : SYNC_ERROR_NULL_ARGUMENT));
    if (rows[i].count > 0) {
      fill_block(fill, object, rows[i].count - 1, whole, SYNC_ABI_VERSION, whole, SYNC_OK);
      fill_block(fill, object, rows[i].count, whole, SYNC_ABI_VERSION, whole, SYNC_ERROR_OUT_OF_RANGE);
      fill_block(fill, object, UINT32_MAX, whole, SYNC_ABI_VERSION, whole, SYNC_ERROR_OUT_OF_RANGE);
      fill_block(fill, object, UINT32_C(1) << 31, whole, SYNC_ABI_VERSION, whole, SYNC_ERROR_OUT_OF_RANGE);
    }
  }
}

/* Reads every string to its end; the same pointers at each call. Returns how many bytes there are. */
static size_t read_all(const sync_proof *proof) {
  size_t bytes = 0;
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  sync_proof_info again = info;
  if (sync_proof_get_info(proof, &info, NULL) != SYNC_OK || sync_proof_get_info(proof, &again, NULL) != SYNC_OK ||
      memcmp(&info, &again, sizeof info) != 0) {
    return 0;
  }
  bytes += strlen(info.log_origin) + strlen(info.package) + strlen(info.package_name) + strlen(info.package_version) +
           strlen(info.submitter);
  for (uint32_t i = 0; i < info.builder_count; i++) {
    sync_builder_info one = {.struct_size = sizeof one, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_builder(proof, i, &one, NULL) != SYNC_OK) return 0;
    bytes += strlen(one.name) + strlen(one.sandbox) + strlen(one.processor) + strlen(one.kernel);
  }
  for (uint32_t i = 0; i < info.artifact_count; i++) {
    sync_artifact_info one = {.struct_size = sizeof one, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_artifact(proof, i, &one, NULL) != SYNC_OK) return 0;
    bytes += strlen(one.path);
  }
  for (uint32_t i = 0; i < info.source_count; i++) {
    sync_source_info one = {.struct_size = sizeof one, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_source(proof, i, &one, NULL) != SYNC_OK) return 0;
    bytes += strlen(one.package) + strlen(one.origin);
  }
  for (uint32_t i = 0; i < info.signature_count; i++) {
    sync_signature_info one = {.struct_size = sizeof one, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_signature(proof, i, &one, NULL) != SYNC_OK) return 0;
    bytes += strlen(one.name);
  }
  return bytes;
}

/* The objects keep nothing of the caller's bytes. */
static void own_copies(void) {
  file_bytes policy_copy = {malloc(policy_file.size), policy_file.size};
  file_bytes proof_copy = {malloc(proof_file.size), proof_file.size};
  sync_policy *policy = NULL;
  sync_proof *proof = NULL;
  if (policy_copy.data == NULL || proof_copy.data == NULL) exit(3);
  memcpy(policy_copy.data, policy_file.data, policy_file.size);
  memcpy(proof_copy.data, proof_file.data, proof_file.size);
  CHECK(sync_policy_create(policy_copy.data, policy_copy.size, 0, &policy, NULL) == SYNC_OK);
  CHECK(sync_proof_create(proof_copy.data, proof_copy.size, 0, &proof, NULL) == SYNC_OK);
  memset(policy_copy.data, 0, policy_copy.size);
  memset(proof_copy.data, 0, proof_copy.size);
  free(policy_copy.data);
  free(proof_copy.data);
  CHECK(read_all(proof) > 0);
  CHECK(sync_proof_verify(proof, policy, artifact, 0, NULL, NULL) == SYNC_OK);
  /* The policy goes first: neither needs the other. */
  sync_policy_destroy(policy);
  CHECK(read_all(proof) > 0);
  sync_proof_destroy(proof);
}

static int is_digest(const uint8_t digest[SYNC_SHA256_SIZE], const char *hex) {
  char text[2 * SYNC_SHA256_SIZE + 1];
  for (size_t i = 0; i < SYNC_SHA256_SIZE; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
  return strcmp(text, hex) == 0;
}

static void hashing(void) {
  static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  uint8_t digest[SYNC_SHA256_SIZE], million[1000];
  sync_hasher *hasher = NULL, *other = NULL;
  memset(million, 'a', sizeof million);
  REFUSED(SYNC_OK, e, sync_hasher_create(0, &hasher, &e));
  REFUSED(SYNC_OK, e, sync_hasher_create(0, &other, &e));

  REFUSED(SYNC_OK, e, sync_hasher_finish(hasher, digest, &e));
  CHECK(is_digest(digest, empty));
  REFUSED(SYNC_OK, e, sync_hasher_update(hasher, "a", 1, &e));
  REFUSED(SYNC_OK, e, sync_hasher_update(hasher, NULL, 0, &e));
  REFUSED(SYNC_OK, e, sync_hasher_update(other, "x", 1, &e));
  /* Wrong calls leave what was hashed so far as it was. */
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_update(hasher, NULL, 1, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_update(hasher, NULL, SIZE_MAX, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_update(NULL, "b", 1, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_hasher_update(hasher, "b", SIZE_MAX, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_finish(hasher, NULL, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_hasher_finish(NULL, digest, &e));
  CHECK(sync_hasher_update(hasher, NULL, 1, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  REFUSED(SYNC_OK, e, sync_hasher_update(hasher, "bc", 2, &e));
  REFUSED(SYNC_OK, e, sync_hasher_finish(hasher, digest, &e));
  CHECK(is_digest(digest, abc));
  for (int i = 0; i < 1000; i++) CHECK(sync_hasher_update(hasher, million, sizeof million, NULL) == SYNC_OK);
  REFUSED(SYNC_OK, e, sync_hasher_finish(hasher, digest, &e));
  CHECK(is_digest(digest, million_a));
  REFUSED(SYNC_OK, e, sync_hasher_finish(hasher, digest, &e));
  CHECK(is_digest(digest, empty));
  sync_hasher_destroy(hasher);
  sync_hasher_destroy(other);
}

static void embedded(void) {
  static const uint8_t bytes[SYNC_EMBEDDED_TAIL_SIZE];
  const size_t head = SYNC_EMBEDDED_HEAD_SIZE, tail = SYNC_EMBEDDED_TAIL_SIZE;
  sync_embedded found = {.struct_size = sizeof found, .abi_version = SYNC_ABI_VERSION};
  const sync_embedded nothing = found;

  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head - 1, bytes, 100, 100, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head + 1, bytes, 100, 100, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head, bytes, 99, 100, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head, bytes, 101, 100, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head, bytes, tail, 100, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, SIZE_MAX, bytes, 4, 4, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, 4, bytes, SIZE_MAX, 4, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, head, bytes, head, UINT64_MAX, 0, &found, &e));
  REFUSED(SYNC_ERROR_INVALID_ARGUMENT, e, sync_embedded_find(bytes, 1, bytes, 1, 0, 0, &found, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_embedded_find(NULL, 4, bytes, 4, 4, 0, &found, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_embedded_find(bytes, 4, NULL, 4, 4, 0, &found, &e));
  REFUSED(SYNC_ERROR_UNKNOWN_FLAG, e, sync_embedded_find(bytes, 4, bytes, 4, 4, 1, &found, &e));
  REFUSED(SYNC_ERROR_NULL_ARGUMENT, e, sync_embedded_find(bytes, 4, bytes, 4, 4, 0, NULL, &e));
  REFUSED(SYNC_ERROR_TOO_LARGE, e, sync_embedded_find(bytes, head, bytes, tail, UINT64_MAX, 0, &found, &e));
  CHECK(memcmp(&found, &nothing, sizeof found) == 0);

  REFUSED(SYNC_OK, e, sync_embedded_find(NULL, 0, NULL, 0, 0, 0, &found, &e));
  CHECK(memcmp(&found, &nothing, sizeof found) == 0);
  REFUSED(SYNC_OK, e, sync_embedded_find(bytes, head, bytes, tail, UINT64_C(1) << 40, 0, &found, &e));
  CHECK(found.form == SYNC_EMBEDDED_NONE && found.content_size == UINT64_C(1) << 40 && found.proof_size == 0);

  /* 8 bytes of content that begin as an ELF file does, a proof of one byte, its length, the magic. */
  static const uint8_t file[] = "\177ELFent\n?\0\0\0\0\0\0\0\1\0sync-proof/v1\n";
  REFUSED(SYNC_OK, e, sync_embedded_find(file, 8, file, sizeof file, sizeof file, 0, &found, &e));
  CHECK(found.form == SYNC_EMBEDDED_TRAILER && found.content_size == 8);
  CHECK(found.proof_offset == 8 && found.proof_size == 1);
  /* The same, cut before the length begins. */
  REFUSED(SYNC_ERROR_MALFORMED, e,
          sync_embedded_find(file + 10, 8, file + 10, sizeof file - 10, sizeof file - 10, 0, &found, &e));
  CHECK(memcmp(&found, &nothing, sizeof found) == 0);
}

/* Whatever is made is freed, also by calls that fail half-way: the leak check counts. */
static void many_objects(void) {
  for (int i = 0; i < rounds; i++) {
    sync_policy *policy = NULL;
    sync_proof *proof = NULL;
    sync_hasher *hasher = NULL;
    sync_policy_destroy(make_policy());
    sync_proof_destroy(make_proof());
    const size_t policy_cut = policy_file.size * (size_t)i / (size_t)rounds;
    const size_t proof_cut = proof_file.size * (size_t)i / (size_t)rounds;
    REFUSED(sync_policy_create(policy_file.data, policy_cut, 0, &policy, NULL), e,
            sync_policy_create(policy_file.data, policy_cut, 0, &policy, &e));
    REFUSED(sync_proof_create(proof_file.data, proof_cut, 0, &proof, NULL), e,
            sync_proof_create(proof_file.data, proof_cut, 0, &proof, &e));
    CHECK(policy == NULL && proof == NULL);
    CHECK(sync_hasher_create(0, &hasher, NULL) == SYNC_OK);
    CHECK(sync_hasher_update(hasher, junk, sizeof junk, NULL) == SYNC_OK);
    sync_hasher_destroy(hasher);
  }
}

typedef struct {
  const sync_policy *policy;
  const sync_proof *proof;
  size_t bytes;
} shared;

static int use(const shared *objects) {
  int wrong = 0;
  sync_verification one = SYNC_VERIFICATION_INIT, other = SYNC_VERIFICATION_INIT;
  const uint8_t no_artifact[SYNC_SHA256_SIZE] = {1};
  sync_error *error = NULL;
  wrong += sync_proof_verify(objects->proof, objects->policy, artifact, 0, &one, NULL) != SYNC_OK;
  wrong += sync_policy_verify(objects->policy, proof_file.data, proof_file.size, artifact, 0, &other, NULL) != SYNC_OK;
  wrong += memcmp(&one, &other, sizeof one) != 0;
  wrong += read_all(objects->proof) != objects->bytes;
  wrong += sync_proof_verify(objects->proof, objects->policy, no_artifact, 0, &one, &error) !=
           SYNC_ERROR_ARTIFACT_MISMATCH;
  wrong += sync_error_get_code(error) != SYNC_ERROR_ARTIFACT_MISMATCH;
  sync_error_destroy(error);
  return wrong;
}

static void *use_often(void *objects) {
  intptr_t wrong = 0;
  for (int i = 0; i < rounds; i++) wrong += use(objects);
  return (void *)wrong;
}

static void threads(shared *objects) {
  pthread_t thread[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&thread[i], NULL, use_often, objects) == 0);
  for (int i = 0; i < 4; i++) {
    void *wrong = NULL;
    CHECK(pthread_join(thread[i], &wrong) == 0);
    CHECK(wrong == NULL);
  }
}

#ifdef RACE
static void *hash_often(void *hasher) {
  for (int i = 0; i < 1000; i++) sync_hasher_update(hasher, junk, sizeof junk, NULL);
  return NULL;
}

static void race(void) {
  pthread_t thread[2];
  sync_hasher *hasher = NULL;
  CHECK(sync_hasher_create(0, &hasher, NULL) == SYNC_OK);
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&thread[i], NULL, hash_often, hasher) == 0);
  for (int i = 0; i < 2; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  sync_hasher_destroy(hasher);
}
#endif

static void after_fork(shared *objects) {
  pid_t child = fork();
  if (child == 0) _exit(use(objects) == 0 ? 0 : 1);
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(use(objects) == 0);
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5 || strlen(argv[3]) < 2 * sizeof artifact) return 2;
  if (argc == 5) rounds = (int)strtol(argv[4], NULL, 10);
  policy_file = read_file(argv[1]);
  proof_file = read_file(argv[2]);
  for (size_t i = 0; i < sizeof artifact; i++) {
    unsigned byte = 0;
    if (sscanf(argv[3] + 2 * i, "%2x", &byte) != 1) return 2;
    artifact[i] = (uint8_t)byte;
  }
  sync_policy *policy = make_policy();
  sync_proof *proof = make_proof();
  shared_policy = policy;
  shared objects = {policy, proof, read_all(proof)};
  CHECK(objects.bytes > 0);
  wrong_creations();
  wrong_verifications(policy, proof);
  open_structs(proof);
  own_copies();
  hashing();
  embedded();
  many_objects();
  threads(&objects);
  after_fork(&objects);
#ifdef RACE
  race();
#endif
#ifdef FORGET
  proof = NULL;
  objects.proof = NULL;
#endif
  sync_proof_destroy(proof);
  sync_policy_destroy(policy);
  free(policy_file.data);
  free(proof_file.data);
  return finish("objects");
}
