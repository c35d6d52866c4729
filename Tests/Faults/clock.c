/* Moves what one process takes for the wall clock, for scripts/test-faults: no Linux namespace has a CLOCK_REALTIME.
 *
 * Preloaded. SYNC_CLOCK_FILE names a file of eight bytes, a signed number of milliseconds that is added; it is mapped,
 * so a change is seen at once, as a jump. Absolute deadlines of waits are moved back before the C library sees them.
 * Programs that the process starts get the true clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *offset_ms;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SYNC_CLOCK_FILE");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) {
    fputs("clock: SYNC_CLOCK_FILE names no file that can be mapped\n", stderr);
    _exit(3);
  }
  close(file);
  offset_ms = page;
  unsetenv("LD_PRELOAD");
  unsetenv("SYNC_CLOCK_FILE");
}

static struct timespec moved(struct timespec at, int64_t milliseconds) {
  int64_t nanoseconds = at.tv_nsec + milliseconds % 1000 * 1000000;
  at.tv_sec += milliseconds / 1000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
  at.tv_nsec = nanoseconds + (nanoseconds < 0 ? 1000000000 : nanoseconds >= 1000000000 ? -1000000000 : 0);
  return at;
}

static int64_t offset(void) { return offset_ms ? *offset_ms : 0; }

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = next(clock, at);
  if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *at = moved(*at, offset());
  return status;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
  if (base != TIME_UTC) return 0;
  clock_gettime(CLOCK_REALTIME, at);
  return base;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  static int (*next)(sem_t *, const struct timespec *);
  if (!next) next = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec true_until = moved(*until, -offset());
  return next(semaphore, &true_until);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  /* The oldest version, which dlsym may give, has another pthread_cond_t. */
  if (!next)
    next = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
        RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  /* glibc keeps the condition's clock there: set for CLOCK_MONOTONIC, which does not move. */
  int is_monotonic = (condition->__data.__wrefs & 2) != 0;
  struct timespec true_until = is_monotonic ? *until : moved(*until, -offset());
  return next(condition, mutex, &true_until);
}
