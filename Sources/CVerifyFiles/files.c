#include "CVerifyFiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A terminal that is opened must not become the program's own, and a pipe without a writer must not hold it up. */
#define OPENING (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

int vf_here(void) { return AT_FDCWD; }

static int open_at(int folder, const char *path, int flags) {
  int file;
  do file = openat(folder, path, flags);
  while (file < 0 && errno == EINTR);
  return file < 0 ? -errno : file;
}

int vf_open(const char *path) { return open_at(AT_FDCWD, path, OPENING); }

int vf_open_below(int folder, const char *name) { return open_at(folder, name, OPENING | O_NOFOLLOW); }

int vf_open_folder_below(int folder, const char *name) {
  return open_at(folder, name, OPENING | O_NOFOLLOW | O_DIRECTORY);
}

static int fill(const struct stat *from, struct vf_info *info) {
  switch (from->st_mode & S_IFMT) {
  case S_IFREG: info->kind = VF_REGULAR; break;
  case S_IFDIR: info->kind = VF_FOLDER; break;
  case S_IFLNK: info->kind = VF_LINK; break;
  case S_IFIFO: info->kind = VF_PIPE; break;
  case S_IFSOCK: info->kind = VF_SOCKET; break;
  default: info->kind = VF_DEVICE;
  }
  info->mode = from->st_mode & 07777;
  info->size = (uint64_t)from->st_size;
  info->device = (uint64_t)from->st_dev;
  info->inode = (uint64_t)from->st_ino;
  info->modified_seconds = from->st_mtim.tv_sec;
  info->modified_nanoseconds = from->st_mtim.tv_nsec;
  info->changed_seconds = from->st_ctim.tv_sec;
  info->changed_nanoseconds = from->st_ctim.tv_nsec;
  return 0;
}

int vf_get_info(int file, struct vf_info *info) {
  struct stat found;
  return fstat(file, &found) < 0 ? -errno : fill(&found, info);
}

int vf_get_info_below(int folder, const char *name, struct vf_info *info) {
  struct stat found;
  return fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : fill(&found, info);
}

ptrdiff_t vf_read(int file, void *bytes, size_t size) {
  for (;;) {
    ssize_t got = read(file, bytes, size);
    if (got >= 0) return got;
    if (errno == EAGAIN) {
      /* Standard input may have been made non-blocking by whoever shares it. */
      struct pollfd request = {.fd = file, .events = POLLIN};
      poll(&request, 1, -1);
    } else if (errno != EINTR) {
      return -errno;
    }
  }
}

ptrdiff_t vf_read_at(int file, void *bytes, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t got = pread(file, (char *)bytes + done, size - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ptrdiff_t)done;
}

int vf_wait(int file, int seconds) {
  struct pollfd request = {.fd = file, .events = POLLIN};
  int ready;
  do ready = poll(&request, 1, seconds * 1000);
  while (ready < 0 && errno == EINTR);
  if (ready > 0 && fcntl(file, F_SETFL, 0) < 0) return -errno;
  return ready < 0 ? -errno : ready > 0;
}

int64_t vf_now(void) {
  struct timespec now;
  return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? now.tv_sec : 0;
}

int vf_write(int file, const void *bytes, size_t size) {
  const char *at = bytes;
  while (size > 0) {
    ssize_t put = write(file, at, size);
    if (put >= 0) {
      at += put;
      size -= (size_t)put;
    } else if (errno == EAGAIN) {
      struct pollfd request = {.fd = file, .events = POLLOUT};
      poll(&request, 1, -1);
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

void vf_close(int file) { close(file); }

struct vf_names *vf_names_open(int folder) { return (struct vf_names *)fdopendir(folder); }

const char *vf_names_next(struct vf_names *names, int *error) {
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir((DIR *)names);
    *error = -errno;
    if (!entry) return NULL;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry->d_name;
  }
}

void vf_names_close(struct vf_names *names) { closedir((DIR *)names); }

const char *vf_reason(int error) {
  const int code = error < 0 ? -error : error;
  /* Where C libraries use different words for what a file can be refused for, these are said by all programs. */
  switch (code) {
  case EBUSY: return "Device or resource busy";
  case EDQUOT: return "Disk quota exceeded";
  case EIO: return "Input/output error";
  case ELOOP: return "Too many levels of symbolic links";
  case EMFILE: return "Too many open files";
  case ENAMETOOLONG: return "File name too long";
  case ENFILE: return "Too many open files in system";
  case ENOMEM: return "Cannot allocate memory";
  case EOPNOTSUPP: return "Operation not supported";
  case EOVERFLOW: return "Value too large for defined data type";
  case ESTALE: return "Stale file handle";
  case ETIMEDOUT: return "Connection timed out";
  case EUCLEAN: return "Structure needs cleaning";
  default: return strerror(code);
  }
}

int vf_is_missing(int error) { return error == -ENOENT || error == -ENOTDIR; }

int vf_is_broken_pipe(int error) { return error == -EPIPE; }

void vf_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }
