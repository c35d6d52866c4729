/* For runs under ThreadSanitizer: Swift's Mutex waits in a part of Swift's runtime that is not instrumented. Without
 * these two, whoever got it by waiting would seem never to have got it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

void __tsan_acquire(void *address);
void __tsan_release(void *address);

__attribute__((swiftcall)) void lock_slow(uint32_t own, __attribute__((swift_context)) void *self) __asm__(LOCK);
__attribute__((swiftcall)) void unlock_slow(__attribute__((swift_context)) void *self) __asm__(UNLOCK);

typedef __attribute__((swiftcall)) void (*lock_function)(uint32_t own, __attribute__((swift_context)) void *self);
typedef __attribute__((swiftcall)) void (*unlock_function)(__attribute__((swift_context)) void *self);

__attribute__((swiftcall)) void lock_slow(uint32_t own, __attribute__((swift_context)) void *self) {
  ((lock_function)dlsym(RTLD_NEXT, LOCK))(own, self);
  __tsan_acquire(self);
}

__attribute__((swiftcall)) void unlock_slow(__attribute__((swift_context)) void *self) {
  __tsan_release(self);
  ((unlock_function)dlsym(RTLD_NEXT, UNLOCK))(self);
}
