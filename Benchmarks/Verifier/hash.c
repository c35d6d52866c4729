/* usage: hash FILE: its SHA-256 by libsyncverify's hasher, in pieces as they are read. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sync.h>
#include <unistd.h>

int main(int count, char **arguments) {
  static uint8_t piece[1 << 18];
  uint8_t digest[SYNC_SHA256_SIZE];
  sync_hasher *hasher = NULL;
  const int file = count == 2 ? open(arguments[1], O_RDONLY) : -1;
  if (file < 0 || sync_hasher_create(0, &hasher, NULL) != SYNC_OK) return 2;
  ssize_t got;
  while ((got = read(file, piece, sizeof piece)) > 0) {
    if (sync_hasher_update(hasher, piece, (size_t)got, NULL) != SYNC_OK) return 1;
  }
  if (got < 0 || sync_hasher_finish(hasher, digest, NULL) != SYNC_OK) return 1;
  sync_hasher_destroy(hasher);
  for (int i = 0; i < SYNC_SHA256_SIZE; i++) printf("%02x", digest[i]);
  puts("");
  return 0;
}
