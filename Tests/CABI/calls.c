/* What a C caller may do wrong: each wrong call has its own status, writes only what it may, and leaks nothing. */
#include <pthread.h>
#include <string.h>
#include <sync.h>

#include "check.h"

static const uint8_t digest[SYNC_SHA256_SIZE] = {1};
static const uint8_t junk[] = "not a policy, not a proof\n";
#define JUNK junk, sizeof junk - 1

/* Input that is refused by whichever rule looks first, rather than a wrong call. */
#define INPUT_REFUSED (-1)

static int matches(sync_status status, sync_status wanted) {
  return wanted == INPUT_REFUSED ? status > SYNC_OK && status < SYNC_ERROR_NULL_ARGUMENT : status == wanted;
}

static void versions(void) {
  char header[32];
  snprintf(header, sizeof header, "%d.%d.%d", SYNC_VERSION_MAJOR, SYNC_VERSION_MINOR, SYNC_VERSION_PATCH);
  CHECK(strcmp(sync_get_version(), header) == 0);
  CHECK(sync_get_abi_version() == SYNC_ABI_VERSION);
}

static void null_error_object(void) {
  CHECK(sync_error_get_code(NULL) == SYNC_OK);
  CHECK(strcmp(sync_error_get_message(NULL), "") == 0);
  CHECK(sync_error_get_offset(NULL) == -1);
  sync_error_destroy(NULL);
}

/* One wrong call: the status, the same in the error object, with a sentence; and the struct all zero. */
static void refused(sync_status wanted, const uint8_t *policy, size_t policy_size, const uint8_t *proof,
                    size_t proof_size, const uint8_t *artifact, uint32_t flags) {
  sync_verification before = SYNC_VERIFICATION_INIT;
  sync_verification result;
  sync_error *error = NULL;
  memset(&result, 0xa5, sizeof result);
  result.struct_size = sizeof result;
  result.abi_version = SYNC_ABI_VERSION;

  sync_status status = sync_verify(policy, policy_size, proof, proof_size, artifact, flags, &result, &error);
  if (!matches(status, wanted)) {
    fprintf(stderr, "status %d instead of %d: %s\n", status, wanted, sync_error_get_message(error));
  }
  CHECK(matches(status, wanted));
  CHECK(sync_error_get_code(error) == status);
  CHECK(strlen(sync_error_get_message(error)) > 10);
  CHECK(sync_error_get_offset(error) >= -1);
  CHECK(memcmp(&result, &before, sizeof result) == 0);
  sync_error_destroy(error);

  CHECK(sync_verify(policy, policy_size, proof, proof_size, artifact, flags, NULL, NULL) == status);
}

static void wrong_arguments(void) {
  refused(SYNC_ERROR_NULL_ARGUMENT, NULL, 4, JUNK, digest, 0);
  refused(SYNC_ERROR_NULL_ARGUMENT, JUNK, NULL, 4, digest, 0);
  refused(SYNC_ERROR_NULL_ARGUMENT, JUNK, JUNK, NULL, 0);
  refused(SYNC_ERROR_NULL_ARGUMENT, NULL, SIZE_MAX, JUNK, digest, 0);
  refused(SYNC_ERROR_UNKNOWN_FLAG, JUNK, JUNK, digest, 1);
  refused(SYNC_ERROR_UNKNOWN_FLAG, JUNK, JUNK, digest, UINT32_C(1) << 31);
  refused(SYNC_ERROR_TOO_LARGE, junk, SIZE_MAX, JUNK, digest, 0);
  /* The policy is refused first, whatever the proof is. */
  refused(SYNC_ERROR_MALFORMED, JUNK, junk, SIZE_MAX / 2, digest, 0);
  refused(INPUT_REFUSED, NULL, 0, NULL, 0, digest, 0);
  refused(INPUT_REFUSED, JUNK, JUNK, digest, 0);
}

/* A struct of a size, with guard bytes behind it. */
static void struct_size(uint32_t size, uint32_t version, sync_status wanted) {
  const size_t room = (size < 8 ? 8 : size) + 64;
  uint8_t *block = malloc(room);
  uint8_t *before = malloc(room);
  sync_error *error = NULL;
  if (block == NULL || before == NULL) exit(3);
  memset(block, 0xa5, room);
  memcpy(block, &size, sizeof size);
  memcpy(block + 4, &version, sizeof version);
  memcpy(before, block, room);

  sync_status status = sync_verify(JUNK, JUNK, digest, 0, (sync_verification *)(void *)block, &error);
  CHECK(matches(status, wanted));
  CHECK(sync_error_get_code(error) == status);
  sync_error_destroy(error);
  if (wanted == INPUT_REFUSED) {
    /* Behind the fields that the library knows, the caller's bytes stay. */
    CHECK(memcmp(block, before, 8) == 0);
    const size_t known = size < sizeof(sync_verification) ? size : sizeof(sync_verification);
    for (size_t i = 8; i < known; i++) CHECK(block[i] == 0);
    CHECK(memcmp(block + known, before + known, room - known) == 0);
  } else {
    CHECK(memcmp(block, before, room) == 0);
  }
  free(block);
  free(before);
}

static void struct_sizes(void) {
  const uint32_t whole = sizeof(sync_verification), first = offsetof(sync_verification, reproducer_bits);
  struct_size(whole, SYNC_ABI_VERSION, INPUT_REFUSED);
  struct_size(whole + 40, SYNC_ABI_VERSION, INPUT_REFUSED);
  struct_size(whole - 1, SYNC_ABI_VERSION, INPUT_REFUSED);
  struct_size(first, SYNC_ABI_VERSION, INPUT_REFUSED);
  struct_size(first - 1, SYNC_ABI_VERSION, SYNC_ERROR_STRUCT_SIZE);
  struct_size(8, SYNC_ABI_VERSION, SYNC_ERROR_STRUCT_SIZE);
  struct_size(0, SYNC_ABI_VERSION, SYNC_ERROR_STRUCT_SIZE);
  struct_size(whole, 0, SYNC_ERROR_ABI_VERSION);
  struct_size(whole, SYNC_ABI_VERSION + 1, SYNC_ERROR_ABI_VERSION);
  struct_size(whole, UINT32_MAX, SYNC_ERROR_ABI_VERSION);
}

static void stale_error_is_overwritten(void) {
  sync_error *error = (sync_error *)(uintptr_t)1;
  CHECK(matches(sync_verify(JUNK, JUNK, digest, 0, NULL, &error), INPUT_REFUSED));
  CHECK(error != (sync_error *)(uintptr_t)1);
  sync_error_destroy(error);
}

static void *many_calls(void *unused) {
  (void)unused;
  intptr_t wrong = 0;
  for (int i = 0; i < 200; i++) {
    sync_error *error = NULL;
    sync_status status = sync_verify(JUNK, JUNK, digest, 0, NULL, &error);
    wrong += !matches(status, INPUT_REFUSED) || sync_error_get_code(error) != status;
    sync_error_destroy(error);
  }
  return (void *)wrong;
}

static void threads(void) {
  pthread_t thread[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&thread[i], NULL, many_calls, NULL) == 0);
  for (int i = 0; i < 4; i++) {
    void *wrong = NULL;
    CHECK(pthread_join(thread[i], &wrong) == 0);
    CHECK(wrong == NULL);
  }
}

int main(void) {
  versions();
  null_error_object();
  wrong_arguments();
  struct_sizes();
  stale_error_is_overwritten();
  threads();
  return finish("calls");
}
