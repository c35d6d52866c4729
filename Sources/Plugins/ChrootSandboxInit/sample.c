// What the run's processes use, read from its own /proc: for hosts whose cgroups cannot be written.
//
// Weaker than a cgroup in three named ways: a peak between two samples is missed; memory shared after a fork counts
// for each process; time of a child whose parent ignores SIGCHLD is lost once it has ended.
#include "launcher.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_process(const char *name, const char *file, char *text, size_t bytes) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/%s", name, file);
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  ssize_t count = read(descriptor, text, bytes - 1);
  close(descriptor);
  if (count <= 0) return false;
  text[count] = 0;
  return true;
}

void sample(struct Usage *usage) {
  memset(usage, 0, sizeof *usage);
  DIR *directory = opendir("/proc");
  if (!directory) return;
  uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    char text[1024];
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    if (!read_process(entry->d_name, "stat", text, sizeof text)) continue;
    // The name in parentheses may hold anything; the fields after it are counted from its last parenthesis.
    char *rest = strrchr(text, ')');
    unsigned long long own_user, own_system, waited_user, waited_system;
    long threads;
    if (!rest || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %ld",
                        &own_user, &own_system, &waited_user, &waited_system, &threads) != 5)
      continue;
    usage->cpu_nanoseconds += (own_user + own_system + waited_user + waited_system) * tick;
    if (!strcmp(entry->d_name, "1")) continue;
    usage->processes += (uint64_t)threads;
    unsigned long long resident, shared;
    if (read_process(entry->d_name, "statm", text, sizeof text) &&
        sscanf(text, "%*u %llu %llu", &resident, &shared) == 2)
      usage->memory_bytes += (resident - shared) * page;
  }
  closedir(directory);
}
