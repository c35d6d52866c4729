/* Counted checks that go on after a failure, so that one run shows what is wrong; the first 20 are told. On any
 * thread. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int checks, failures;

#define CHECK(condition) \
  do { \
    __atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED); \
    if (!(condition)) { \
      if (__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) <= 20) \
        fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
    } \
  } while (0)

typedef struct {
  uint8_t *data;
  size_t size;
} file_bytes;

static inline file_bytes read_file(const char *path) {
  file_bytes out = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || ftell(file) < 0) {
    perror(path);
    exit(3);
  }
  out.size = (size_t)ftell(file);
  out.data = malloc(out.size + 1);
  rewind(file);
  if (out.data == NULL || fread(out.data, 1, out.size, file) != out.size) {
    perror(path);
    exit(3);
  }
  fclose(file);
  return out;
}

static inline int finish(const char *name) {
  printf("%s: %d checks, %d failed\n", name, checks, failures);
  return failures == 0 ? 0 : 1;
}

#endif
