// A run's file in STATE/runs is locked as long as its launcher or its init lives: an unlocked one is a crashed run's.
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int lock_run(const char *state, const char *run) {
  char path[PATH_BYTES + 256];
  snprintf(path, sizeof path, "%s/runs/%s", state, run);
  for (;;) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return -1;
    struct stat info;
    if (flock(file, LOCK_EX | LOCK_NB) == 0 && fstat(file, &info) == 0) {
      if (info.st_nlink > 0) return file;
      close(file);  // removed by a cleaner between open and lock
      continue;
    }
    int error = errno;
    close(file);
    errno = error;
    return -1;
  }
}

void unlock_run(const char *state, const char *run) {
  char path[PATH_BYTES + 256];
  snprintf(path, sizeof path, "%s/runs/%s", state, run);
  unlink(path);
}

int clean(const char *state) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/runs", state);
  DIR *directory = opendir(path);
  if (!directory) return errno == ENOENT ? 0 : 1;
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    if (entry->d_name[0] == '.') continue;
    int lock = lock_run(state, entry->d_name);
    if (lock < 0) continue;
    groups_remove_leftovers(entry->d_name);
    unlock_run(state, entry->d_name);
    close(lock);
    printf("%s\n", entry->d_name);
  }
  closedir(directory);
  return 0;
}
