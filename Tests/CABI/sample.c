/* usage: sample POLICY PROOF SHA256-HEX
 * A proof that holds is accepted, and each change to it, to its policy or to the artifact is refused. */
#include <string.h>
#include <sync.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static file_bytes policy, proof;
static uint8_t artifact[SYNC_SHA256_SIZE];

static sync_status verify(sync_verification *result) {
  sync_error *error = NULL;
  sync_status status = sync_verify(policy.data, policy.size, proof.data, proof.size, artifact, 0, result, &error);
  CHECK(sync_error_get_code(error) == status);
  CHECK((error == NULL) == (status == SYNC_OK));
  if (status >= 100) fprintf(stderr, "a wrong call: %s\n", sync_error_get_message(error));
  CHECK(status < 100);
  sync_error_destroy(error);
  return status;
}

static void accepted(void) {
  sync_verification result = SYNC_VERIFICATION_INIT;
  sync_error *error = NULL;
  sync_status status = sync_verify(policy.data, policy.size, proof.data, proof.size, artifact, 0, &result, &error);
  if (status != SYNC_OK) fprintf(stderr, "status %d: %s\n", status, sync_error_get_message(error));
  CHECK(status == SYNC_OK);
  CHECK(error == NULL);
  sync_error_destroy(error);
  CHECK(result.struct_size == sizeof result);
  CHECK(result.abi_version == SYNC_ABI_VERSION);
  CHECK(result.verdict == SYNC_VERDICT_REPRODUCED);
  CHECK(result.cosigners > 0);
  CHECK(result.reproducers > 0);
  CHECK(result.builders >= result.reproducers);
  CHECK(result.tree_size > result.leaf_index);
  CHECK(result.time_milliseconds > 0);
  printf("sample: %u cosigners, %u reproducers of %u builders, leaf %llu of %llu\n", result.cosigners,
         result.reproducers, result.builders, (unsigned long long)result.leaf_index,
         (unsigned long long)result.tree_size);
  CHECK(verify(NULL) == SYNC_OK);
}

/* Every byte of the leaf, one flipped bit at a time. */
static void changed_leaf(void) {
  static const char label[] = "\nextra ";
  size_t start = 0;
  while (start + sizeof label < proof.size && memcmp(proof.data + start, label, sizeof label - 1) != 0) start++;
  start += sizeof label - 1;
  CHECK(start < proof.size);
  const uint8_t *end = memchr(proof.data + start, '\n', proof.size - start);
  CHECK(end != NULL);
  for (size_t i = start; end != NULL && proof.data + i < end; i++) {
    proof.data[i] ^= 1;
    CHECK(verify(NULL) != SYNC_OK);
    proof.data[i] ^= 1;
  }
  CHECK(verify(NULL) == SYNC_OK);
}

static void truncated(void) {
  const size_t size = proof.size;
  for (size_t i = 0; i < 64 && i < size; i++) {
    proof.size = i * size / 64;
    CHECK(verify(NULL) != SYNC_OK);
  }
  proof.size = size;
}

static void other_artifact(void) {
  for (size_t i = 0; i < sizeof artifact; i++) {
    artifact[i] ^= 0x80;
    CHECK(verify(NULL) == SYNC_ERROR_ARTIFACT_MISMATCH);
    artifact[i] ^= 0x80;
  }
}

static void other_policy(void) {
  const size_t size = policy.size;
  policy.size = 0;
  CHECK(verify(NULL) != SYNC_OK);
  policy.size = size / 2;
  CHECK(verify(NULL) != SYNC_OK);
  policy.size = size;
}

static void after_fork(void) {
  pid_t child = fork();
  if (child == 0) _exit(verify(NULL) == SYNC_OK ? 0 : 1);
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
  if (argc != 4 || strlen(argv[3]) < 2 * sizeof artifact) return 2;
  policy = read_file(argv[1]);
  proof = read_file(argv[2]);
  for (size_t i = 0; i < sizeof artifact; i++) {
    unsigned byte = 0;
    if (sscanf(argv[3] + 2 * i, "%2x", &byte) != 1) return 2;
    artifact[i] = (uint8_t)byte;
  }
  accepted();
  changed_leaf();
  truncated();
  other_artifact();
  other_policy();
  after_fork();
  free(policy.data);
  free(proof.data);
  return finish("sample");
}
