/* usage: loop POLICY PROOF SHA256-HEX ROUNDS: prints the nanoseconds of one verification, the least of 25 series.
 * With WORK defined, of that verification's signature checks and hashes alone, by libsodium and OpenSSL directly. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WORK
#include <openssl/sha.h>
#include <sodium.h>
#else
#include <sync.h>
#endif

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#ifdef WORK
static const struct { char kind; size_t size; } work[] = {
#include "work.h"
};
static unsigned char message[65536], key[32], secret[64], signatures[sizeof work / sizeof *work][64];

static void prepare(char **arguments) {
  (void)arguments;
  crypto_sign_keypair(key, secret);
  for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
    crypto_sign_detached(signatures[i], NULL, message, work[i].size, secret);
  }
}

static int once(void) {
  unsigned char digest[32];
  int wrong = 0;
  for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
    if (work[i].kind == 's') {
      wrong |= crypto_sign_verify_detached(signatures[i], message, work[i].size, key);
    } else {
      SHA256_CTX context;
      SHA256_Init(&context);
      SHA256_Update(&context, message, work[i].size);
      SHA256_Final(digest, &context);
    }
  }
  return wrong;
}
#else
static sync_policy *policy;
static uint8_t proof[SYNC_PROOF_BYTES_MAX], artifact[SYNC_SHA256_SIZE];
static size_t proof_size;

static size_t read_file(const char *path, uint8_t *into) {
  FILE *file = fopen(path, "rb");
  size_t size = file == NULL ? 0 : fread(into, 1, SYNC_PROOF_BYTES_MAX, file);
  if (file != NULL) fclose(file);
  return size;
}

static void prepare(char **arguments) {
  size_t size = read_file(arguments[1], proof);
  if (sync_policy_create(proof, size, 0, &policy, NULL) != SYNC_OK) exit(2);
  proof_size = read_file(arguments[2], proof);
  for (size_t i = 0; i < sizeof artifact; i++) {
    unsigned byte = 0;
    if (sscanf(arguments[3] + 2 * i, "%2x", &byte) != 1) exit(2);
    artifact[i] = (uint8_t)byte;
  }
}

static int once(void) { return sync_policy_verify(policy, proof, proof_size, artifact, 0, NULL, NULL) != SYNC_OK; }
#endif

int main(int count, char **arguments) {
  if (count != 5) return 2;
  prepare(arguments);
  const int rounds = atoi(arguments[4]);
  double least = 1e18;
  for (int series = 0; series < 25; series++) {
    const double start = now();
    for (int i = 0; i < rounds; i++) {
      if (once()) return 1;
    }
    const double each = (now() - start) / rounds;
    if (each < least) least = each;
  }
  printf("%.0f\n", least);
  return 0;
}
