// Copies between a folder of the run and a folder of the host, while no process of the run lives.
//
// What arrives is harmless whatever the run left: no link is followed; set-user-ID and the like are dropped; the owner
// can always read; hard links become files of their own; holes stay holes; FIFOs, sockets and devices arrive as FIFOs,
// so that a collector sees that something odd is there. Each file counts its whole length, holes and all, against the
// budget: a host that reads it back has a bound.
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEP_OWNER = 0 };

static bool copy_range(int from, int to, off_t at, off_t end) {
  static char buffer[1 << 17];
  while (at < end) {
    size_t wanted = (size_t)(end - at) < sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    ssize_t count = pread(from, buffer, wanted, at);
    if (count == 0) return true;
    if (count < 0) return false;
    for (ssize_t done = 0; done < count;) {
      ssize_t written = pwrite(to, buffer + done, (size_t)(count - done), at + done);
      if (written <= 0) return false;
      done += written;
    }
    at += count;
  }
  return true;
}

static bool copy_bytes(int from, int to, off_t size) {
  if (ftruncate(to, size) != 0) return false;
  for (off_t at = 0; at < size;) {
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0) return errno == ENXIO;
    off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0 || !copy_range(from, to, data, hole)) return false;
    at = hole;
  }
  return true;
}

static bool copy_file(int from, const char *name, int to, const struct stat *info, uint64_t *budget, uid_t owner) {
  uint64_t size = (uint64_t)info->st_size;
  if (size > *budget) return false;
  *budget -= size;
  int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool done = source >= 0 && target >= 0 && copy_bytes(source, target, info->st_size) &&
              (owner == KEEP_OWNER || fchown(target, owner, owner) == 0) &&
              fchmod(target, (info->st_mode & 0777) | S_IRUSR) == 0;
  if (source >= 0) close(source);
  if (target >= 0) close(target);
  return done;
}

static bool copy_link(int from, const char *name, int to, uid_t owner) {
  char target[PATH_MAX];
  ssize_t count = readlinkat(from, name, target, sizeof target - 1);
  if (count < 0) return false;
  target[count] = 0;
  return symlinkat(target, to, name) == 0 &&
         (owner == KEEP_OWNER || fchownat(to, name, owner, owner, AT_SYMLINK_NOFOLLOW) == 0);
}

// Where a folder lies below the writable mount.
struct Place {
  int depth;
  size_t path_bytes;
};

static bool copy_folder(int from, int to, uint64_t *budget, uid_t owner, struct Place place);

static bool copy_subfolder(int from, const char *name, int to, const struct stat *info, uint64_t *budget, uid_t owner,
                           struct Place place) {
  struct Place below = {place.depth + 1, place.path_bytes + strlen(name) + 1};
  if (below.depth > DEPTH_MAX || below.path_bytes > HARVEST_PATH_BYTES_MAX) return true;
  // The run may have taken its own right to read; outside the owner is the same, so it is given back.
  if ((info->st_mode & S_IRWXU) != S_IRWXU && fchmodat(from, name, S_IRWXU, 0) != 0) return false;
  int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0 || mkdirat(to, name, 0700) != 0) return false;
  int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool done = target >= 0 && copy_folder(source, target, budget, owner, below) &&
              (owner == KEEP_OWNER || fchown(target, owner, owner) == 0) &&
              fchmod(target, (info->st_mode & 0777) | S_IRWXU) == 0;
  close(source);
  if (target >= 0) close(target);
  return done;
}

static bool copy_entry(int from, const char *name, int to, uint64_t *budget, uid_t owner, struct Place place) {
  struct stat info;
  if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  switch (info.st_mode & S_IFMT) {
    case S_IFREG:
      if (!(info.st_mode & S_IRUSR) && fchmodat(from, name, (info.st_mode & 0777) | S_IRUSR, 0) != 0) return false;
      return copy_file(from, name, to, &info, budget, owner);
    case S_IFDIR: return copy_subfolder(from, name, to, &info, budget, owner, place);
    case S_IFLNK: return copy_link(from, name, to, owner);
    default: return mkfifoat(to, name, 0600) == 0;
  }
}

static bool is_dot(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

static bool copy_folder(int from, int to, uint64_t *budget, uid_t owner, struct Place place) {
  DIR *directory = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return false;
  bool done = true;
  struct dirent *entry;
  while (done && (entry = readdir(directory)))
    if (!is_dot(entry->d_name)) done = copy_entry(from, entry->d_name, to, budget, owner, place);
  closedir(directory);
  return done;
}

bool harvest(int from, int to, uint64_t *budget, uid_t owner) {
  return copy_folder(from, to, budget, owner, (struct Place){0, 0});
}

bool is_empty(int directory) {
  DIR *open_directory = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open_directory) return true;
  bool empty = true;
  struct dirent *entry;
  while (empty && (entry = readdir(open_directory))) empty = is_dot(entry->d_name);
  closedir(open_directory);
  return empty;
}

int remove_contents(int directory, int depth) {
  DIR *entries = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!entries) return -1;
  struct dirent *entry;
  int result = 0;
  while (result == 0 && (entry = readdir(entries))) {
    if (is_dot(entry->d_name)) continue;
    if (unlinkat(directory, entry->d_name, 0) == 0) continue;
    int below = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    result = below < 0 || depth > DEPTH_MAX ? -1 : remove_contents(below, depth + 1);
    if (below >= 0) close(below);
    if (result == 0) result = unlinkat(directory, entry->d_name, AT_REMOVEDIR);
  }
  closedir(entries);
  return result;
}
