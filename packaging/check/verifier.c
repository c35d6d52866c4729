/* verifier POLICY PROOF SHA256-HEX: 0 when the proof holds, 1 when it does not. */
#include <stdio.h>
#include <string.h>

#include <sync.h>

static uint8_t policy[65536], proof[1 << 20];

static size_t read_file(const char *path, uint8_t *bytes, size_t room) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  size_t size = fread(bytes, 1, room, file);
  fclose(file);
  return size;
}

int main(int count, char **arguments) {
  uint8_t digest[SYNC_SHA256_SIZE];
  if (count != 4 || strlen(arguments[3]) != 2 * sizeof digest) return 2;
  for (size_t i = 0; i < sizeof digest; i++) {
    unsigned byte;
    if (sscanf(arguments[3] + 2 * i, "%2x", &byte) != 1) return 2;
    digest[i] = (uint8_t)byte;
  }
  size_t policy_size = read_file(arguments[1], policy, sizeof policy);
  size_t proof_size = read_file(arguments[2], proof, sizeof proof);
  sync_error *error = NULL;
  if (sync_verify(policy, policy_size, proof, proof_size, digest, 0, NULL, &error) == SYNC_OK) return 0;
  fprintf(stderr, "%s\n", sync_error_get_message(error));
  sync_error_destroy(error);
  return 1;
}
