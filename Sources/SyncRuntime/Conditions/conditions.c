// Stands between programs and what differs from host to host, and holds it still or changes it. Loaded before libc.
//
// A build that asks for normalisations compiles the sections that it needs (from `//: NAMES` to the next one), and
// `check` compiles all of them with settings.c behind. Comments and indentation stay here: what travels in a recipe has
// no room for them.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#define REAL(f) ({ static __typeof__(&f) real; real ? real : (real = (__typeof__(&f))dlsym(RTLD_NEXT, #f)); })

//: clock
// The clock on the wall, in seconds; 0 is the real one. What would wait for ever with a clock that stands still, as
// sleeping and monotonic time do, goes on.
static long long clock_at = CLOCK, clock_ahead;
int clock_gettime(clockid_t id, struct timespec *t) {
  int result = REAL(clock_gettime)(id, t);
  if (result || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE && id != CLOCK_TAI)) return result;
  if (clock_at) t->tv_sec = clock_at, t->tv_nsec = 0;
  t->tv_sec += clock_ahead;
  return 0;
}
time_t time(time_t *to) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return to ? *to = t.tv_sec : t.tv_sec;
}
int gettimeofday(struct timeval *restrict to, void *restrict zone) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  to->tv_sec = t.tv_sec, to->tv_usec = t.tv_nsec / 1000;
  return (void)zone, 0;
}
int timespec_get(struct timespec *t, int base) { return clock_gettime(CLOCK_REALTIME, t) ? 0 : base; }

//: random
// Random bytes by a seed; 0 is the kernel's. Each thread has a stream of its own, so that the order in which threads
// ask does not matter.
static unsigned long long seed = RANDOM;
static __thread unsigned long long drawn;
static ssize_t fill(void *to, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned long long z = seed + ++drawn * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u, z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    ((unsigned char *)to)[i] = (unsigned char)(z >> 56);
  }
  return (ssize_t)n;
}
ssize_t getrandom(void *to, size_t n, unsigned flags) { return seed ? fill(to, n) : REAL(getrandom)(to, n, flags); }
int getentropy(void *to, size_t n) { return seed ? fill(to, n), 0 : REAL(getentropy)(to, n); }
void arc4random_buf(void *to, size_t n) { seed ? (void)fill(to, n) : REAL(arc4random_buf)(to, n); }
unsigned arc4random(void) {
  unsigned n;
  return arc4random_buf(&n, sizeof n), n;
}
unsigned arc4random_uniform(unsigned end) { return (unsigned)((unsigned long long)arc4random() * end >> 32); }
ssize_t read(int file, void *to, size_t n) {
  struct stat s;
  if (seed && !fstat(file, &s) && S_ISCHR(s.st_mode) && major(s.st_rdev) == 1 && (minor(s.st_rdev) | 1) == 9)
    return fill(to, n);
  return REAL(read)(file, to, n);
}
static ssize_t pour(void *cookie, char *to, size_t n) { return (void)cookie, fill(to, n); }
static FILE *poured(const char *path, const char *mode) {
  if (!seed || (strcmp(path, "/dev/urandom") && strcmp(path, "/dev/random"))) return NULL;
  return fopencookie(NULL, mode, (cookie_io_functions_t){.read = pour});
}

//: clock random
// Programs that call the kernel through libc's own door.
long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_getrandom) return getrandom((void *)a[0], (size_t)a[1], (unsigned)a[2]);
  if (number == SYS_clock_gettime) return clock_gettime((clockid_t)a[0], (void *)a[1]);
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

//: kernel
// What the kernel and the processor say of themselves, as one text; NULL is the truth.
static const char *kernel = KERNEL;
int uname(struct utsname *name) {
  int result = REAL(uname)(name);
  if (!result && kernel) strcpy(name->release, kernel), strcpy(name->version, "#1");
  return result;
}
static int told(const char *path) {
  char text[256] = "";
  if (!kernel || strncmp(path, "/proc/", 6)) return -1;
  if (!strcmp(path + 6, "version")) snprintf(text, sizeof text, "Linux version %s\n", kernel);
  if (!strcmp(path + 6, "sys/kernel/osrelease")) snprintf(text, sizeof text, "%s\n", kernel);
  if (!strcmp(path + 6, "sys/kernel/version")) strcpy(text, "#1\n");
  if (!strcmp(path + 6, "cpuinfo"))
    snprintf(text, sizeof text, "processor\t: 0\nmodel name\t: %s\nflags\t\t:\n\n", kernel);
  int file = *text ? memfd_create("told", MFD_CLOEXEC) : -1;
  if (file >= 0 && (write(file, text, strlen(text)) < 0 || lseek(file, 0, SEEK_SET))) return close(file), -1;
  return file;
}
#define OPEN(name, parameters, arguments)                               \
  int name parameters {                                                 \
    va_list list;                                                       \
    va_start(list, flags);                                              \
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, int) : 0; \
    va_end(list);                                                       \
    int file = told(path);                                              \
    return file >= 0 ? file : REAL(name) arguments;                     \
  }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

//: kernel random
#ifndef KERNEL
#define told(path) -1
#endif
#ifndef RANDOM
#define poured(path, mode) NULL
#endif
#define FOPEN(name)                                                    \
  FILE *name(const char *restrict path, const char *restrict mode) {  \
    FILE *stream = poured(path, mode);                                 \
    int file = stream ? -1 : told(path);                               \
    if (file >= 0) stream = fdopen(file, mode);                        \
    return stream ? stream : REAL(name)(path, mode);                   \
  }
FOPEN(fopen)
FOPEN(fopen64)

//: readdir
// The names in a folder: all are read when the first is asked for, then given in order.
enum { AS_IT_IS, SORTED, TURNED };
static int order = READDIR;
struct listing {
  DIR *folder;
  struct dirent **names;
  long count, at;
  struct listing *next;
};
static struct listing *listings;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int by_name(const void *a, const void *b) {
  return strcmp((*(struct dirent **)a)->d_name, (*(struct dirent **)b)->d_name);
}
static void arrange(struct listing *l) {
  char link[32], path[8] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd(l->folder));
  if (order == SORTED) qsort(l->names, (size_t)l->count, sizeof *l->names, by_name);
  // What is copied out of /input in another order would, turned once more, be read in the old one.
  if (order != TURNED || (readlink(link, path, 7) > 0 && !strncmp(path, "/input", 6))) return;
  for (long i = 0, j = l->count - 1; i < j; i++, j--) {
    struct dirent *name = l->names[i];
    l->names[i] = l->names[j], l->names[j] = name;
  }
}
static struct listing *find(DIR *folder, int ends) {
  pthread_mutex_lock(&lock);
  struct listing **at = &listings, *l;
  while (*at && (*at)->folder != folder) at = &(*at)->next;
  if ((l = *at) && ends) *at = l->next;
  if (!l && !ends && (l = calloc(1, sizeof *l))) l->folder = folder, l->next = listings, listings = l;
  pthread_mutex_unlock(&lock);
  return l;
}
struct dirent *readdir(DIR *folder) {
  struct listing *l = order ? find(folder, 0) : NULL;
  if (!l) return REAL(readdir)(folder);
  if (!l->names) {
    int before = errno;
    errno = 0;
    for (struct dirent *e; (e = REAL(readdir)(folder)); l->count++) {
      if (l->count % 64 == 0) l->names = realloc(l->names, (size_t)(l->count + 64) * sizeof *l->names);
      struct dirent *copy = l->names ? malloc(e->d_reclen) : NULL;
      if (!copy) abort();
      l->names[l->count] = memcpy(copy, e, e->d_reclen);
    }
    if (errno) return NULL;
    errno = before;
    arrange(l);
  }
  return l->at < l->count ? l->names[l->at++] : NULL;
}
struct dirent64 *readdir64(DIR *folder) { return (struct dirent64 *)readdir(folder); }
static void forget(DIR *folder) {
  struct listing *l = order ? find(folder, 1) : NULL;
  for (long i = 0; l && i < l->count; i++) free(l->names[i]);
  if (l) free(l->names), free(l);
}
int closedir(DIR *folder) { return forget(folder), REAL(closedir)(folder); }
void rewinddir(DIR *folder) { forget(folder), REAL(rewinddir)(folder); }
