/*
 * The one C function that Embedded Swift wants and that a C library may not have: glibc has arc4random_buf only from
 * 2.36 on. Swift seeds the hashes of its dictionaries with it, and nothing else here is random.
 */
#include <stddef.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void arc4random_buf(void *buffer, size_t size);

__attribute__((visibility("hidden"))) void arc4random_buf(void *buffer, size_t size) {
  unsigned char *at = buffer;
  while (size > 0) {
    ssize_t got = getrandom(at, size, 0);
    if (got > 0) {
      at += (size_t)got;
      size -= (size_t)got;
    }
    /* Else a signal came in before the kernel's pool was ready: asking again is all there is to do. */
  }
}
