/*
 * Swift asks for all its memory by this, at an alignment that malloc has anyway; glibc's own looks for a place twice as
 * large first.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

__attribute__((visibility("hidden"))) int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
  void *found = alignment <= 2 * sizeof(void *) ? malloc(size) : memalign(alignment, size);
  if (found == NULL) return ENOMEM;
  *memory = found;
  return 0;
}
