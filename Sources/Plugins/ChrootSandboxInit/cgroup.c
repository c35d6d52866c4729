// One cgroup a run, in each hierarchy that can enforce something: version 2 or the controllers of version 1, whatever
// the host has mounted. What cannot be written is left to init's sampling, and the probe says so.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct Hierarchy {
  const char *controller;
  char own[PATH_BYTES];   // the launcher's path in it
  char base[PATH_BYTES];  // the launcher's own cgroup
  char top[PATH_BYTES];   // where the hierarchy is mounted
  int version;            // 0: not mounted
};

enum Kind { MEMORY, PIDS, CPU, SECOND, HIERARCHIES };

static bool has_word(const char *list, const char *word, char separator) {
  size_t length = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += length) {
    bool starts = at == list || at[-1] == separator;
    bool ends = at[length] == 0 || at[length] == separator || at[length] == '\n';
    if (starts && ends) return true;
  }
  return false;
}

// The launcher's path in each hierarchy; version 2 has an empty list of controllers.
static void read_own_paths(struct Hierarchy *all) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  char line[PATH_BYTES];
  while (file && fgets(line, sizeof line, file)) {
    char *list = strchr(line, ':');
    char *where = list ? strchr(list + 1, ':') : NULL;
    if (!where) continue;
    *where++ = 0;
    list++;
    where[strcspn(where, "\n")] = 0;
    for (int i = 0; i < HIERARCHIES; i++) {
      bool is_it = i == SECOND ? list[0] == 0 : has_word(list, all[i].controller, ',');
      if (is_it && !all[i].own[0]) snprintf(all[i].own, PATH_BYTES, "%s", where);
    }
  }
  if (file) fclose(file);
}

static void take_mount(struct Hierarchy *hierarchy, bool is_second, const char *root, const char *point) {
  // A mount shows the hierarchy from `root` on; containers see their own cgroup as that root.
  size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
  const char *below = strncmp(hierarchy->own, root, skip) == 0 ? hierarchy->own + skip : "";
  if (snprintf(hierarchy->top, PATH_BYTES, "%s", point) >= PATH_BYTES) return;
  if (snprintf(hierarchy->base, PATH_BYTES, "%s%s", point, strcmp(below, "/") ? below : "") >= PATH_BYTES) return;
  if (access(hierarchy->base, F_OK) != 0) memcpy(hierarchy->base, hierarchy->top, PATH_BYTES);
  hierarchy->version = is_second ? 2 : 1;
}

static struct Hierarchy all[HIERARCHIES] = {
    {.controller = "memory"}, {.controller = "pids"}, {.controller = "cpuacct"}, {.controller = ""}};

// All of them in one reading: on a host with many containers the list of mounts is long.
static const struct Hierarchy *hierarchies(void) {
  static bool is_read;
  if (is_read) return all;
  is_read = true;
  if (!all[SECOND].own[0]) read_own_paths(all);
  FILE *file = fopen("/proc/self/mountinfo", "re");
  static char line[2 * PATH_BYTES], root[PATH_BYTES], point[PATH_BYTES], options[PATH_BYTES];
  char type[64];
  while (file && fgets(line, sizeof line, file)) {
    char *rest = strstr(line, " - cgroup");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2) continue;
    if (sscanf(rest, " - %63s %*s %4095s", type, options) != 2) continue;
    for (int i = 0; i < HIERARCHIES; i++) {
      if (all[i].version || !all[i].own[0]) continue;
      bool is_it = i == SECOND ? strcmp(type, "cgroup2") == 0
                               : strcmp(type, "cgroup") == 0 && has_word(options, all[i].controller, ',');
      if (is_it) take_mount(&all[i], i == SECOND, root, point);
    }
  }
  if (file) fclose(file);
  return all;
}

static bool read_text(const char *directory, const char *name, char *text, size_t bytes) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t count = read(file, text, bytes - 1);
  close(file);
  if (count < 0) return false;
  text[count] = 0;
  return true;
}

static int write_text(const char *directory, const char *name, const char *text) {
  char path[PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return write_file(path, text);
}

static int write_number(const char *directory, const char *name, uint64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  return write_text(directory, name, text);
}

// A line "KEY NUMBER" of a file such as memory.events.
static bool read_field(const char *directory, const char *name, const char *key, uint64_t *number) {
  static char text[1 << 16];
  if (!directory[0] || !read_text(directory, name, text, sizeof text)) return false;
  size_t length = strlen(key);
  for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    if (strncmp(line, key, length) != 0 || (length && line[length] != ' ')) continue;
    *number = strtoull(line + length, NULL, 10);
    return true;
  }
  return false;
}

static bool make_child(const char *base, const char *run, char *child) {
  if (snprintf(child, PATH_BYTES, "%s/synchronicity-%s", base, run) >= PATH_BYTES) return false;
  if (mkdir(child, 0755) == 0) return true;
  // The run's lock is held, so a folder of its name is a dead run's.
  if (errno == EEXIST && rmdir(child) == 0 && mkdir(child, 0755) == 0) return true;
  child[0] = 0;
  return false;
}

static bool enables(const char *base) {
  char text[1024];
  if (!read_text(base, "cgroup.subtree_control", text, sizeof text)) return false;
  if (has_word(text, "memory", ' ') && has_word(text, "pids", ' ')) return true;
  return write_text(base, "cgroup.subtree_control", "+memory +pids") == 0;
}

// Version 2 allows controllers only below cgroups without processes: the launcher's own cgroup, else its parent (as
// with systemd's DelegateSubgroup), else the top.
static bool make_v2(const char *run, char *child) {
  const struct Hierarchy *found = &hierarchies()[SECOND];
  if (!found->version) return false;
  char parent[PATH_BYTES];
  memcpy(parent, found->base, PATH_BYTES);
  char *slash = strrchr(parent, '/');
  if (slash && strlen(parent) > strlen(found->top)) *slash = 0;
  const char *candidates[] = {found->base, parent, found->top};
  for (int i = 0; i < 3; i++)
    if (enables(candidates[i]) && make_child(candidates[i], run, child)) return true;
  return false;
}

// Files of the run live in memory and are charged to it, so the kernel's bound is both limits together; what processes
// have for themselves is compared with the memory limit alone, at each tick.
static void bound_memory(struct Groups *groups, const struct Settings *s) {
  uint64_t hard = s->memory_bytes + s->disk_bytes;
  bool is_first = groups->memory_version == 1;
  const char *name = is_first ? "memory.limit_in_bytes" : "memory.max";
  if (write_number(groups->memory, name, hard) != 0) groups->memory_version = 0;
  if (is_first) write_number(groups->memory, "memory.memsw.limit_in_bytes", hard);
  else write_number(groups->memory, "memory.swap.max", 0);
}

static void bound_processes(struct Groups *groups, const struct Settings *s) {
  // One more for init.
  if (write_number(groups->pids, "pids.max", s->processes + 1) != 0) groups->pids_version = 0;
}

static char *path_of(struct Groups *groups, int kind) {
  return kind == MEMORY ? groups->memory : kind == PIDS ? groups->pids : groups->cpu;
}

static int *version_of(struct Groups *groups, int kind) {
  return kind == MEMORY ? &groups->memory_version : kind == PIDS ? &groups->pids_version : &groups->cpu_version;
}

void groups_make_second(struct Groups *groups, const struct Settings *s) {
  *groups = (struct Groups){.folder = -1};
  // A controller that has a version 1 hierarchy is not to be had from version 2; the mounts are then read later, while
  // init is at work.
  read_own_paths(all);
  if (all[MEMORY].own[0] && all[PIDS].own[0] && all[CPU].own[0]) return;
  hierarchies();
  if (!make_v2(s->run, groups->second)) return;
  for (int i = 0; i < SECOND; i++)
    if (!all[i].version) memcpy(path_of(groups, i), groups->second, PATH_BYTES), *version_of(groups, i) = 2;
  if (groups->memory_version) bound_memory(groups, s);
  if (groups->pids_version) bound_processes(groups, s);
  groups->folder = open(groups->second, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// A task that moves itself alone through a door is spared the grace period of some 10 ms that the kernel waits for when
// one process moves another.
void groups_make_first(struct Groups *groups, const struct Settings *s, int *doors) {
  hierarchies();
  for (int i = 0; i < SECOND; i++) {
    doors[i] = -1;
    if (all[i].version != 1 || !make_child(all[i].base, s->run, path_of(groups, i))) continue;
    char door[PATH_BYTES + 8];
    snprintf(door, sizeof door, "%s/tasks", path_of(groups, i));
    doors[i] = open(door, O_WRONLY | O_CLOEXEC);
    if (doors[i] < 0) continue;
    *version_of(groups, i) = 1;
    if (i == MEMORY) bound_memory(groups, s);
    if (i == PIDS) bound_processes(groups, s);
  }
}

bool groups_cpu(const struct Groups *groups, uint64_t *nanoseconds) {
  if (groups->cpu_version == 1) return read_field(groups->cpu, "cpuacct.usage", "", nanoseconds);
  if (groups->cpu_version != 2 || !read_field(groups->cpu, "cpu.stat", "usage_usec", nanoseconds)) return false;
  *nanoseconds *= 1000;
  return true;
}

bool groups_anonymous(const struct Groups *groups, uint64_t *bytes) {
  if (!groups->memory_version) return false;
  return read_field(groups->memory, "memory.stat", groups->memory_version == 1 ? "rss" : "anon", bytes);
}

bool groups_peak(const struct Groups *groups, uint64_t *bytes) {
  if (!groups->memory_version) return false;
  const char *name = groups->memory_version == 1 ? "memory.max_usage_in_bytes" : "memory.peak";
  return read_field(groups->memory, name, "", bytes);
}

uint64_t groups_kills(const struct Groups *groups) {
  uint64_t count = 0;
  const char *name = groups->memory_version == 1 ? "memory.oom_control" : "memory.events";
  if (groups->memory_version) read_field(groups->memory, name, "oom_kill", &count);
  return count;
}

uint64_t groups_refusals(const struct Groups *groups) {
  uint64_t count = 0;
  if (groups->pids_version) read_field(groups->pids, "pids.events", "max", &count);
  return count;
}

// What the kernel did to somebody for a limit that is none of ours: of the host, or of a container around the launcher.
struct Outside groups_outside(void) {
  struct Outside outside = {0};
  hierarchies();
  read_field("/proc", "vmstat", "oom_kill", &outside.kills);
  for (int i = PIDS; i <= SECOND; i += SECOND - PIDS) {
    uint64_t count = 0;
    if (all[i].version && read_field(all[i].base, "pids.events", "max", &count)) outside.refusals += count;
  }
  return outside;
}

static void remove_group(const char *path) {
  write_text(path, "cgroup.kill", "1");
  // The last process may still be on its way out.
  for (int i = 0; i < 2000 && rmdir(path) != 0 && errno == EBUSY; i++)
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

void groups_remove(struct Groups *groups) {
  char *paths[] = {groups->memory, groups->pids, groups->cpu};
  for (int i = 0; i < 3; i++) {
    if (!paths[i][0]) continue;
    bool seen = false;
    for (int j = 0; j < i; j++) seen = seen || !strcmp(paths[i], paths[j]);
    if (!seen) remove_group(paths[i]);
  }
}

void groups_remove_leftovers(const char *run) {
  hierarchies();
  for (int i = 0; i < HIERARCHIES; i++) {
    const struct Hierarchy *found = &all[i];
    if (!found->version) continue;
    char parent[PATH_BYTES], path[PATH_BYTES + 256];
    memcpy(parent, found->base, PATH_BYTES);
    char *slash = strrchr(parent, '/');
    if (slash && strlen(parent) > strlen(found->top)) *slash = 0;
    const char *places[] = {found->base, parent, found->top};
    for (int j = 0; j < 3; j++) {
      snprintf(path, sizeof path, "%s/synchronicity-%s", places[j], run);
      if (access(path, F_OK) == 0) remove_group(path);
    }
  }
}
