/* usage: caller POLICY PROOF SHA256-HEX
 * A program as it was compiled against the first published headers, which stand beside it and never change: with
 * today's library it gets what it got then, and not a byte behind its shorter struct is written. */
#include <string.h>
#include <sync/verify.h>

#include "../check.h"

#define FIRST_SIZE 56
#define GUARD 64

static file_bytes policy, proof;
static uint8_t artifact[SYNC_SHA256_SIZE];

/* Calls with a struct that ends where the block ends, for valgrind, or that has guard bytes behind it. */
static sync_status verify_into(uint8_t *block, size_t room, sync_verification *result) {
  sync_verification first = SYNC_VERIFICATION_INIT;
  memset(block, 0xa5, room);
  memcpy(block, &first, 8);
  sync_error *error = NULL;
  sync_status status = sync_verify(policy.data, policy.size, proof.data, proof.size, artifact, 0,
                                   (sync_verification *)(void *)block, &error);
  CHECK(sync_error_get_code(error) == status);
  sync_error_destroy(error);
  for (size_t i = FIRST_SIZE; i < room; i++) CHECK(block[i] == 0xa5);
  CHECK(memcmp(block, &first, 8) == 0);
  memcpy(result, block, sizeof *result);
  return status;
}

static void with_room(size_t room) {
  static const sync_verification nothing = SYNC_VERIFICATION_INIT;
  sync_verification result;
  uint8_t *block = malloc(room);
  if (block == NULL) exit(3);
  CHECK(verify_into(block, room, &result) == SYNC_OK);
  CHECK(result.verdict == SYNC_VERDICT_REPRODUCED);
  CHECK(result.cosigners > 0 && result.reproducers > 0 && result.builders >= result.reproducers);
  CHECK(result.tree_size > result.leaf_index && result.time_milliseconds > 0);
  artifact[0] ^= 1;
  CHECK(verify_into(block, room, &result) == SYNC_ERROR_ARTIFACT_MISMATCH);
  CHECK(memcmp(&result, &nothing, sizeof nothing) == 0);
  artifact[0] ^= 1;
  free(block);
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
  CHECK(sizeof(sync_verification) == FIRST_SIZE);
  CHECK(sync_get_abi_version() == SYNC_ABI_VERSION);
  with_room(FIRST_SIZE);
  with_room(FIRST_SIZE + GUARD);
  free(policy.data);
  free(proof.data);
  return finish("older");
}
