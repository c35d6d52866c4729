/* usage: handover FOLDER
 * Follows the hand-over in FOLDER (handover.policy, handover.tlog-proof) and verifies a proof from before it and one
 * from behind it (handover-before.tlog-proof, handover-behind.tlog-proof): calls right and wrong, and every byte
 * changed. */
#include <string.h>
#include <sync.h>

#include "check.h"

/* The hand-over's epoch, and what refused() says that the policy is of. */
#define EPOCH 1
static uint64_t said = EPOCH;
static const char *folder;
static file_bytes policy_file, handover, before, behind;
static const uint8_t artifact[SYNC_SHA256_SIZE] = {
    0xc4, 0x12, 0x70, 0xe6, 0x93, 0x4b, 0x11, 0x6c, 0x88, 0x45, 0x12, 0x9b, 0x87, 0x4a, 0x20, 0x3b,
    0xc3, 0xa0, 0x20, 0x91, 0x42, 0xe2, 0xf7, 0x7d, 0xb9, 0xf3, 0x31, 0x9d, 0x15, 0x09, 0xd1, 0x6a};

static file_bytes read_below(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return read_file(path);
}

/* Both ways to verify by a parsed policy, which must agree; 0xff... is no artifact of the proof. */
static sync_status verified(const sync_policy *policy, file_bytes proof) {
  static const uint8_t other[SYNC_SHA256_SIZE] = {0xff};
  sync_verification shown = SYNC_VERIFICATION_INIT;
  sync_proof *opened = NULL;
  const sync_status status = sync_policy_verify(policy, proof.data, proof.size, artifact, 0, &shown, NULL);
  CHECK((shown.verdict == SYNC_VERDICT_REPRODUCED) == (status == SYNC_OK));
  CHECK((shown.reproducers == 3 && shown.cosigners == 3) == (status == SYNC_OK));
  if (sync_proof_create(proof.data, proof.size, 0, &opened, NULL) == SYNC_OK) {
    CHECK(sync_proof_verify(opened, policy, artifact, 0, NULL, NULL) == status);
    CHECK(sync_proof_verify(opened, policy, other, 0, NULL, NULL) != SYNC_OK);
  }
  CHECK(sync_policy_verify(policy, proof.data, proof.size, other, 0, NULL, NULL) != SYNC_OK);
  sync_proof_destroy(opened);
  return status;
}

/* A refusal leaves NULL, and an error that says why. */
static void refused(sync_status wanted, const sync_policy *policy, const uint8_t *bytes, size_t size, uint32_t flags) {
  sync_policy *created = (sync_policy *)(uintptr_t)1;
  sync_error *error = (sync_error *)(uintptr_t)1;
  const sync_status status = sync_policy_follow(policy, said, bytes, size, flags, &created, &error);
  CHECK(status != SYNC_OK && (wanted == SYNC_OK || status == wanted));
  if (wanted != SYNC_OK && status != wanted) fprintf(stderr, "status %d instead of %d\n", status, wanted);
  CHECK(created == NULL && sync_error_get_code(error) == status && strlen(sync_error_get_message(error)) > 10);
  sync_error_destroy(error);
  CHECK(sync_policy_follow(policy, said, bytes, size, flags, NULL, NULL) != SYNC_OK);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: handover FOLDER\n");
    return 2;
  }
  folder = argv[1];
  policy_file = read_below("handover.policy");
  handover = read_below("handover.tlog-proof");
  before = read_below("handover-before.tlog-proof");
  behind = read_below("handover-behind.tlog-proof");

  sync_policy *first = NULL, *second = NULL, *third = NULL;
  sync_error *error = (sync_error *)(uintptr_t)1;
  CHECK(sync_policy_create(policy_file.data, policy_file.size, 0, &first, NULL) == SYNC_OK);
  CHECK(sync_policy_follow(first, EPOCH, handover.data, handover.size, 0, &second, &error) == SYNC_OK && error == NULL);
  if (first == NULL || second == NULL) return finish("handover");

  CHECK(verified(first, before) == SYNC_OK);
  CHECK(verified(first, behind) == SYNC_ERROR_UNTRUSTED_LOG);
  CHECK(verified(second, before) == SYNC_OK);
  CHECK(verified(second, behind) == SYNC_OK);
  /* A hand-over proves no artifact, evidence hands nothing over. */
  CHECK(verified(first, handover) == SYNC_ERROR_NOT_EVIDENCE);
  refused(SYNC_ERROR_NOT_HANDOVER, first, before.data, before.size, 0);
  /* What the policy is of is asked for first, then what the hand-over is of. */
  refused(SYNC_ERROR_WRONG_EPOCH, second, handover.data, handover.size, 0);
  for (said = 0; said <= 2; said += 2) refused(SYNC_ERROR_WRONG_EPOCH, first, handover.data, handover.size, 0);
  said = 2;
  refused(SYNC_ERROR_NOT_HANDOVER, second, behind.data, behind.size, 0);
  refused(SYNC_ERROR_WRONG_EPOCH, second, handover.data, handover.size, 0);
  said = EPOCH;

  refused(SYNC_ERROR_NULL_ARGUMENT, NULL, handover.data, handover.size, 0);
  refused(SYNC_ERROR_NULL_ARGUMENT, first, NULL, 1, 0);
  refused(SYNC_ERROR_UNKNOWN_FLAG, first, handover.data, handover.size, 1);
  refused(SYNC_ERROR_MALFORMED, first, NULL, 0, 0);
  refused(SYNC_ERROR_MALFORMED, first, handover.data, handover.size - 1, 0);
  refused(SYNC_ERROR_TOO_LARGE, first, handover.data, SYNC_PROOF_BYTES_MAX + 1, 0);
  refused(SYNC_ERROR_TOO_LARGE, first, handover.data, SIZE_MAX, 0);
  refused(SYNC_ERROR_UNSUPPORTED_VERSION, first, policy_file.data, policy_file.size, 0);
  CHECK(sync_policy_follow(first, EPOCH, handover.data, handover.size, 0, NULL, NULL) == SYNC_ERROR_NULL_ARGUMENT);

  for (size_t i = 0; i < handover.size; i++) {
    const uint8_t was = handover.data[i];
    handover.data[i] = (uint8_t)(was ^ (1u << (i % 8)));
    refused(SYNC_OK, first, handover.data, handover.size, 0);
    handover.data[i] = was;
  }

  /* Each policy is an object of its own: what was followed outlives what it came from. */
  CHECK(sync_policy_follow(first, EPOCH, handover.data, handover.size, 0, &third, NULL) == SYNC_OK && third != second);
  sync_policy_destroy(first);
  sync_policy_destroy(second);
  CHECK(verified(third, before) == SYNC_OK && verified(third, behind) == SYNC_OK);
  sync_policy_destroy(third);
  free(policy_file.data);
  free(handover.data);
  free(before.data);
  free(behind.data);
  return finish("handover");
}
