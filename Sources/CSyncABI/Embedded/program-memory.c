/*
 * Memory of the small program, and what object files that were made for glibc name and musl does not have. Linked with
 * --wrap=posix_memalign and --wrap=free.
 *
 * A verification asks for some hundred pieces and a few dozen KiB in all. musl's malloc asks the kernel for pages for
 * each size of piece, which costs more than two signatures; so the first pieces lie one behind the other in an array
 * and are not used twice. What does not fit there comes from musl.
 *
 * Threads: one. No piece of the array is given back, so a piece that is used after it was freed is never another's.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);
void __explicit_bzero_chk(void *bytes, size_t size, size_t room);

static _Alignas(16) unsigned char first[256 * 1024];
static size_t used;

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
  const size_t rest = sizeof first - used;
  if (alignment > _Alignof(max_align_t) || size >= rest) return __real_posix_memalign(memory, alignment, size);
  /* The array's size and what is used are multiples of 16: a piece that fits does so rounded up. */
  *memory = first + used;
  used += (size + 15) & ~(size_t)15;
  return 0;
}

void __wrap_free(void *memory) {
  const uintptr_t at = (uintptr_t)memory, start = (uintptr_t)first;
  if (at - start >= sizeof first) __real_free(memory);
}

/* libsodium clears secrets with it, which verifying has none of. */
void __explicit_bzero_chk(void *bytes, size_t size, size_t room) {
  if (size > room) abort();
  explicit_bzero(bytes, size);
}
