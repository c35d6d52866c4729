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
  char base[PATH_BYTES];  // the launcher's own cgroup
  char top[PATH_BYTES];   // where the hierarchy is mounted
  int version;            // 0: not mounted
};

static bool has_word(const char *list, const char *word, char separator) {
  size_t length = strlen(word);
  for (const char *at = list; (at = strstr(at, word)); at += length) {
    bool starts = at == list || at[-1] == separator;
    bool ends = at[length] == 0 || at[length] == separator || at[length] == '\n';
    if (starts && ends) return true;
  }
  return false;
}

// The launcher's path in the hierarchy whose controller list has `controller` (version 2: an empty list).
static bool own_path(const char *controller, char *path) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  char line[PATH_BYTES];
  bool found = false;
  while (file && !found && fgets(line, sizeof line, file)) {
    char *list = strchr(line, ':');
    char *where = list ? strchr(list + 1, ':') : NULL;
    if (!where) continue;
    *where++ = 0;
    list++;
    where[strcspn(where, "\n")] = 0;
    found = controller[0] ? has_word(list, controller, ',') : list[0] == 0;
    if (found) snprintf(path, PATH_BYTES, "%s", where);
  }
  if (file) fclose(file);
  return found;
}

static struct Hierarchy find(const char *controller) {
  struct Hierarchy found = {.version = 0};
  bool wants_v2 = controller[0] == 0;
  char own[PATH_BYTES];
  if (!own_path(controller, own)) return found;
  FILE *file = fopen("/proc/self/mountinfo", "re");
  char line[2 * PATH_BYTES], root[PATH_BYTES], point[PATH_BYTES], type[64], options[PATH_BYTES];
  while (file && !found.version && fgets(line, sizeof line, file)) {
    char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2) continue;
    if (sscanf(rest, " - %63s %*s %4095s", type, options) != 2) continue;
    if (wants_v2 ? strcmp(type, "cgroup2") != 0 : strcmp(type, "cgroup") || !has_word(options, controller, ','))
      continue;
    // A mount shows the hierarchy from `root` on; containers see their own cgroup as that root.
    size_t skip = strcmp(root, "/") == 0 ? 0 : strlen(root);
    const char *below = strncmp(own, root, skip) == 0 ? own + skip : "";
    if (snprintf(found.top, PATH_BYTES, "%s", point) >= PATH_BYTES) continue;
    if (snprintf(found.base, PATH_BYTES, "%s%s", point, strcmp(below, "/") ? below : "") >= PATH_BYTES) continue;
    if (access(found.base, F_OK) != 0) memcpy(found.base, found.top, PATH_BYTES);
    found.version = wants_v2 ? 2 : 1;
  }
  if (file) fclose(file);
  return found;
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
  char text[8192];
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
  struct Hierarchy found = find("");
  if (!found.version) return false;
  char parent[PATH_BYTES];
  memcpy(parent, found.base, PATH_BYTES);
  char *slash = strrchr(parent, '/');
  if (slash && strlen(parent) > strlen(found.top)) *slash = 0;
  const char *candidates[] = {found.base, parent, found.top};
  for (int i = 0; i < 3; i++)
    if (enables(candidates[i]) && make_child(candidates[i], run, child)) return true;
  return false;
}

void groups_make(struct Groups *groups, const struct Settings *s) {
  *groups = (struct Groups){.folder = -1, .doors = {-1, -1, -1}};
  char second[PATH_BYTES] = "";
  bool tried = false;
  struct { const char *name; char *path; int *version; } wanted[] = {
      {"memory", groups->memory, &groups->memory_version},
      {"pids", groups->pids, &groups->pids_version},
      {"cpuacct", groups->cpu, &groups->cpu_version}};
  for (int i = 0; i < 3; i++) {
    struct Hierarchy found = find(wanted[i].name);
    if (found.version == 1) {
      if (make_child(found.base, s->run, wanted[i].path)) *wanted[i].version = 1;
    } else {
      if (!tried) tried = true, make_v2(s->run, second);
      if (second[0]) memcpy(wanted[i].path, second, PATH_BYTES), *wanted[i].version = 2;
    }
  }
  // Files of the run live in memory and are charged to it, so the kernel's bound is both limits together; what
  // processes have for themselves is compared with the memory limit alone, at each tick.
  uint64_t hard = s->memory_bytes + s->disk_bytes;
  if (groups->memory_version == 1) {
    if (write_number(groups->memory, "memory.limit_in_bytes", hard) != 0) groups->memory_version = 0;
    write_number(groups->memory, "memory.memsw.limit_in_bytes", hard);
  } else if (groups->memory_version == 2) {
    if (write_number(groups->memory, "memory.max", hard) != 0) groups->memory_version = 0;
    write_number(groups->memory, "memory.swap.max", 0);
  }
  if (second[0]) groups->folder = open(second, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 3; i++) {
    char door[PATH_BYTES + 8];
    snprintf(door, sizeof door, "%s/tasks", wanted[i].path);
    if (*wanted[i].version == 1) groups->doors[i] = open(door, O_WRONLY | O_CLOEXEC);
  }
  // One more for init.
  if (groups->pids_version && write_number(groups->pids, "pids.max", s->processes + 1) != 0) groups->pids_version = 0;
}

// Moves the caller into the version 1 cgroups. A task that moves itself alone is spared the grace period of some 10 ms
// that the kernel waits for when one process moves another.
int groups_enter(const struct Groups *groups) {
  for (int i = 0; i < 3; i++) {
    bool is_wanted = (i == 0 ? groups->memory_version : i == 1 ? groups->pids_version : groups->cpu_version) == 1;
    if (is_wanted && write(groups->doors[i], "0", 1) != 1) return -1;
    if (groups->doors[i] >= 0) close(groups->doors[i]);
  }
  return 0;
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
  const char *controllers[] = {"memory", "pids", "cpuacct", ""};
  for (int i = 0; i < 4; i++) {
    struct Hierarchy found = find(controllers[i]);
    if (!found.version) continue;
    char parent[PATH_BYTES], path[PATH_BYTES + 256];
    memcpy(parent, found.base, PATH_BYTES);
    char *slash = strrchr(parent, '/');
    if (slash && strlen(parent) > strlen(found.top)) *slash = 0;
    const char *places[] = {found.base, parent, found.top};
    for (int j = 0; j < 3; j++) {
      snprintf(path, sizeof path, "%s/synchronicity-%s", places[j], run);
      if (access(path, F_OK) == 0) remove_group(path);
    }
  }
}
