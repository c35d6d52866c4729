/* Writes down what one process does to the files of one folder, for the tests that cut the power.
 *
 * Preloaded. SYNC_DISK_FOLDER names the folder, SYNC_DISK_LOG the file that is written, of records
 *
 *     what   u8       'w' write, 's' sync, 't' truncate, 'u' unlink, 'o' open
 *     file   u8       numbered by the first open of each name, from 0; the folder's own name is "."
 *     zero   u16
 *     count  u32      bytes that follow: what was written, the name of what was opened
 *     offset u64      of the write; the length behind a truncation
 *
 * with integers of this machine. A record is written once the call has done what it says. A file of the folder that is
 * renamed, mapped for writing, allocated or written in parts would go unseen: such calls end the process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES = 64, DESCRIPTORS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[4096];
static size_t folder_length;
static int log_descriptor = -1;
static char *names[FILES];
static int names_count;
/* The file of each descriptor, and one more: 0 is none. */
static unsigned char files[DESCRIPTORS];

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void refuse(const char *what) {
  fprintf(stderr, "disk: %s is not written down\n", what);
  _exit(70);
}

__attribute__((constructor)) static void begin(void) {
  const char *place = getenv("SYNC_DISK_FOLDER"), *path = getenv("SYNC_DISK_LOG");
  if (!place || !path || strlen(place) >= sizeof folder) refuse("a run without SYNC_DISK_FOLDER and SYNC_DISK_LOG");
  strcpy(folder, place);
  folder_length = strlen(folder);
  log_descriptor = NEXT(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (log_descriptor < 0) refuse("a log that cannot be made");
  unsetenv("LD_PRELOAD");
}

static void all(const void *bytes, size_t count) {
  const char *at = bytes;
  while (count > 0) {
    ssize_t done = NEXT(write)(log_descriptor, at, count);
    if (done <= 0) refuse("what the log has no room for");
    at += done;
    count -= (size_t)done;
  }
}

static void record(char what, int file, uint64_t offset, const void *bytes, size_t count) {
  struct {
    uint8_t what, file;
    uint16_t zero;
    uint32_t count;
    uint64_t offset;
  } head = {(uint8_t)what, (uint8_t)file, 0, (uint32_t)count, offset};
  int saved = errno;
  pthread_mutex_lock(&lock);
  all(&head, sizeof head);
  all(bytes, count);
  pthread_mutex_unlock(&lock);
  errno = saved;
}

/* The number of the file of that name in the folder, or -1. */
static int number(const char *path) {
  if (log_descriptor < 0 || strncmp(path, folder, folder_length) != 0) return -1;
  if (path[folder_length] != '/' && path[folder_length] != 0) return -1;
  const char *name = path[folder_length] && path[folder_length + 1] ? path + folder_length + 1 : ".";
  pthread_mutex_lock(&lock);
  int file = 0;
  while (file < names_count && strcmp(names[file], name) != 0) file++;
  if (file == names_count) {
    if (names_count == FILES) refuse("one more file");
    names[names_count++] = strdup(name);
  }
  pthread_mutex_unlock(&lock);
  return file;
}

static int opened(const char *path, int descriptor, int flags) {
  if (descriptor < 0) return descriptor;
  if (descriptor >= DESCRIPTORS) refuse("one more descriptor");
  int file = number(path);
  files[descriptor] = (unsigned char)(file + 1);
  if (file < 0) return descriptor;
  record('o', file, 0, names[file], strlen(names[file]));
  if (flags & O_TRUNC) record('t', file, 0, "", 0);
  return descriptor;
}

static int of(int descriptor) { return descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor] - 1 : -1; }

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list more; \
    va_start(more, flags); \
    mode = va_arg(more, mode_t); \
    va_end(more); \
  }

int open(const char *path, int flags, ...) {
  MODE(flags)
  return opened(path, NEXT(open)(path, flags, mode), flags);
}
int open64(const char *path, int flags, ...) {
  MODE(flags)
  return opened(path, NEXT(open64)(path, flags, mode), flags);
}
int openat(int at, const char *path, int flags, ...) {
  MODE(flags)
  return opened(path, NEXT(openat)(at, path, flags, mode), flags);
}
int openat64(int at, const char *path, int flags, ...) {
  MODE(flags)
  return opened(path, NEXT(openat64)(at, path, flags, mode), flags);
}
int close(int descriptor) {
  if (of(descriptor) >= 0) files[descriptor] = 0;
  return NEXT(close)(descriptor);
}

static ssize_t written(int descriptor, ssize_t count, const void *bytes, off_t offset) {
  if (count > 0 && of(descriptor) >= 0) record('w', of(descriptor), (uint64_t)offset, bytes, (size_t)count);
  return count;
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return written(descriptor, NEXT(pwrite)(descriptor, bytes, count, offset), bytes, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return written(descriptor, NEXT(pwrite64)(descriptor, bytes, count, offset), bytes, offset);
}
ssize_t write(int descriptor, const void *bytes, size_t count) {
  ssize_t done = NEXT(write)(descriptor, bytes, count);
  if (done <= 0 || of(descriptor) < 0) return done;
  return written(descriptor, done, bytes, lseek(descriptor, 0, SEEK_CUR) - done);
}
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (of(descriptor) >= 0) refuse("writev");
  return NEXT(writev)(descriptor, parts, count);
}

static int truncated(int descriptor, int status, off_t length) {
  if (status == 0 && of(descriptor) >= 0) record('t', of(descriptor), (uint64_t)length, "", 0);
  return status;
}
int ftruncate(int descriptor, off_t length) {
  return truncated(descriptor, NEXT(ftruncate)(descriptor, length), length);
}
int ftruncate64(int descriptor, off64_t length) {
  return truncated(descriptor, NEXT(ftruncate64)(descriptor, length), length);
}

static int synced(int descriptor, int status) {
  if (status == 0 && of(descriptor) >= 0) record('s', of(descriptor), 0, "", 0);
  return status;
}
int fsync(int descriptor) { return synced(descriptor, NEXT(fsync)(descriptor)); }
int fdatasync(int descriptor) { return synced(descriptor, NEXT(fdatasync)(descriptor)); }

int unlink(const char *path) {
  int status = NEXT(unlink)(path), file = status == 0 ? number(path) : -1;
  if (file >= 0) record('u', file, 0, "", 0);
  return status;
}
int rename(const char *from, const char *to) {
  if (number(from) >= 0 || number(to) >= 0) refuse("rename");
  return NEXT(rename)(from, to);
}
int posix_fallocate(int descriptor, off_t offset, off_t count) {
  if (of(descriptor) >= 0) refuse("posix_fallocate");
  return NEXT(posix_fallocate)(descriptor, offset, count);
}
int posix_fallocate64(int descriptor, off64_t offset, off64_t count) {
  if (of(descriptor) >= 0) refuse("posix_fallocate64");
  return NEXT(posix_fallocate64)(descriptor, offset, count);
}
int fallocate(int descriptor, int mode, off_t offset, off_t count) {
  if (of(descriptor) >= 0) refuse("fallocate");
  return NEXT(fallocate)(descriptor, mode, offset, count);
}
int unlinkat(int at, const char *path, int flags) {
  if (number(path) >= 0) refuse("unlinkat");
  return NEXT(unlinkat)(at, path, flags);
}
void *mmap64(void *at, size_t count, int protection, int flags, int descriptor, off64_t offset) {
  if (descriptor >= 0 && of(descriptor) >= 0 && (protection & PROT_WRITE)) refuse("mmap64");
  return NEXT(mmap64)(at, count, protection, flags, descriptor, offset);
}
void *mmap(void *at, size_t count, int protection, int flags, int descriptor, off_t offset) {
  if (descriptor >= 0 && of(descriptor) >= 0 && (protection & PROT_WRITE)) refuse("mmap");
  return NEXT(mmap)(at, count, protection, flags, descriptor, offset);
}
