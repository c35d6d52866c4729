// What the writable mounts hold, in one file, for a way home that knows no pipes, modes or names beyond UTF-8.
//
//   "SYNCPK01", the folders in their order, "Z"
//   a folder    its entries in the file system's order, then "E"
//   an entry    a kind, u16 mode, u16 bytes of the name, the name; then
//     "F"       u64 size; pieces of u64 offset, u64 count and as many bytes, where it has no hole; a piece of count 0
//     "D"       a folder
//     "L"       u64 bytes of the target, the target
//     "P"       nothing: a pipe, or what came home as one
//
// Integers are little-endian. The folders were filled by `harvest`: modes are at most 0777, the owner can read.
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FILE *pack;

static void put(const void *bytes, size_t count) {
  if (fwrite(bytes, 1, count, pack) != count) fault(FAULT_IO, "Cannot write what the run left: %s", strerror(errno));
}

static void put_number(uint64_t number, int count) {
  unsigned char bytes[8];
  for (int i = 0; i < count; i++) bytes[i] = (unsigned char)(number >> (8 * i));
  put(bytes, (size_t)count);
}

static void put_entry(char kind, const char *name, mode_t mode) {
  put(&kind, 1);
  put_number(mode & 0777, 2);
  put_number(strlen(name), 2);
  put(name, strlen(name));
}

static _Noreturn void cannot_read(const char *name) {
  fault(FAULT_IO, "Cannot read %s, which the run left: %s", name, strerror(errno));
}

static void put_piece(int file, const char *name, off_t from, off_t to) {
  static char buffer[1 << 17];
  put_number((uint64_t)from, 8);
  put_number((uint64_t)(to - from), 8);
  while (from < to) {
    size_t wanted = (size_t)(to - from) < sizeof buffer ? (size_t)(to - from) : sizeof buffer;
    ssize_t count = pread(file, buffer, wanted, from);
    if (count <= 0) cannot_read(name);
    put(buffer, (size_t)count);
    from += count;
  }
}

static void put_file(int folder, const char *name, off_t size) {
  int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) cannot_read(name);
  put_number((uint64_t)size, 8);
  for (off_t at = 0; at < size;) {
    off_t data = lseek(file, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    off_t hole = data < 0 ? -1 : lseek(file, data, SEEK_HOLE);
    if (hole < 0) cannot_read(name);
    put_piece(file, name, data, hole);
    at = hole;
  }
  put_number((uint64_t)size, 8);
  put_number(0, 8);
  close(file);
}

static void put_link(int folder, const char *name) {
  char target[PATH_MAX];
  ssize_t count = readlinkat(folder, name, target, sizeof target);
  if (count < 0) cannot_read(name);
  put_number((uint64_t)count, 8);
  put(target, (size_t)count);
}

static void put_folder(int folder, const char *name) {
  DIR *entries = folder < 0 ? NULL : fdopendir(folder);
  if (!entries) cannot_read(name);
  struct dirent *entry;
  while ((entry = readdir(entries))) {
    struct stat info;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) cannot_read(entry->d_name);
    switch (info.st_mode & S_IFMT) {
      case S_IFREG:
        put_entry('F', entry->d_name, info.st_mode);
        put_file(folder, entry->d_name, info.st_size);
        break;
      case S_IFDIR:
        put_entry('D', entry->d_name, info.st_mode);
        put_folder(openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), entry->d_name);
        break;
      case S_IFLNK:
        put_entry('L', entry->d_name, 0777);
        put_link(folder, entry->d_name);
        break;
      default: put_entry('P', entry->d_name, info.st_mode);
    }
  }
  closedir(entries);
  put("E", 1);
}

void pack_writable(const struct Settings *s, const char *path) {
  pack = fopen(path, "wxe");
  if (!pack) fault(FAULT_IO, "Cannot write %s: %s", path, strerror(errno));
  put("SYNCPK01", 8);
  for (size_t i = 0; i < s->mount_count; i++)
    if (s->mounts[i].writable)
      put_folder(open(s->mounts[i].host, O_RDONLY | O_DIRECTORY | O_CLOEXEC), s->mounts[i].inside);
  put("Z", 1);
  if (fclose(pack) != 0) fault(FAULT_IO, "Cannot write %s: %s", path, strerror(errno));
}
