/* The limits that cgroups hold, in version 1 and version 2. See sandbox-bwrap.c. */
#include "sandbox-bwrap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "synchronicity-bwrap-"

static const char *const names[CONTROLLERS] = {"memory", "pids", "cpuacct"};

/* Whether a list with commas has the word. */
static int has_word(const char *words, const char *word) {
  size_t length = strlen(word);
  for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
    if ((at == words || at[-1] == ',') && (at[length] == 0 || at[length] == ',' || at[length] == '\n')) return 1;
  return 0;
}

static int is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int write_text(const char *folder, const char *name, const char *text) {
  char path[TEXT_MAX];
  if (format(path, sizeof path, "%s/%s", folder, name) != 0) return -1;
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t written = write(file, text, strlen(text));
  close(file);
  return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* Where the hierarchy with these controllers ("" in version 2) is mounted, and this process's own group in it. */
static int find_mount(const char *controllers, const char *own, char *top, char *base) {
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL) return -1;
  char *line = NULL, root[TEXT_MAX], kind[64], options[512];
  size_t size = 0;
  int is_found = 0;
  while (!is_found && getline(&line, &size, mounts) > 0) {
    char *right = strstr(line, " - ");
    if (right == NULL || strlen(line) >= TEXT_MAX) continue;
    if (sscanf(line, "%*s %*s %*s %s %s", root, top) != 2) continue;
    if (sscanf(right, " - %63s %*s %511s", kind, options) != 2) continue;
    if (strcmp(kind, *controllers ? "cgroup" : "cgroup2") != 0) continue;
    is_found = 1;
    char words[256], *rest = words;
    if (format(words, sizeof words, "%s", controllers) != 0) is_found = 0;
    for (char *word; is_found && *controllers && (word = strsep(&rest, ",")) != NULL;)
      if (!has_word(options, word)) is_found = 0;
  }
  free(line);
  fclose(mounts);
  if (!is_found) return -1;
  /* A container sees its own group as the root of the hierarchy. */
  size_t length = strlen(root);
  if (strcmp(root, "/") != 0 && strncmp(own, root, length) == 0) own += length;
  if (format(base, TEXT_MAX, "%s%s", top, strcmp(own, "/") == 0 ? "" : own) != 0 || !is_folder(base)) strcpy(base, top);
  return 0;
}

static int make_folder(groups *groups, const char *parent, const char *run_id, int note, fault *fault) {
  if (groups->count == GROUPS_MAX) return -1;
  char *folder = groups->folders[groups->count];
  char line[TEXT_MAX];
  if (format(folder, TEXT_MAX, "%s/" PREFIX "%s", parent, run_id) != 0) return -1;
  if (format(line, sizeof line, "%s\n", folder) != 0) return -1;
  if (note >= 0 && write(note, line, strlen(line)) != (ssize_t)strlen(line))
    return fail(fault, SYNC_PLUGIN_IO, "The note of the run cannot be written: %s", strerror(errno));
  if (mkdir(folder, 0755) != 0) {
    if (errno == EEXIST)
      return fail(fault, SYNC_PLUGIN_IO, "The cgroup %s is there already; a run of that name was not cleaned", folder);
    return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "The cgroup %s cannot be made: %s", folder, strerror(errno));
  }
  int index = (int)groups->count++;
  if (format(line, sizeof line, "%s/cgroup.procs", folder) != 0) return -1;
  groups->entrances[index] = open(line, O_WRONLY | O_CLOEXEC);
  if (groups->entrances[index] < 0)
    return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "The cgroup %s cannot be entered: %s", folder, strerror(errno));
  return index;
}

/* Whether groups below this one get the missing controllers. Version 2 wants that said. */
static int enables(const char *parent, const groups *groups) {
  char path[TEXT_MAX], text[512], wanted[64] = "";
  if (format(path, sizeof path, "%s/cgroup.subtree_control", parent) != 0) return 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size < 0) return 0;
  text[size] = 0;
  for (char *at = text; *at; at++)
    if (*at == ' ' || *at == '\n') *at = ',';
  for (int i = MEMORY; i <= PIDS; i++) {
    if (groups->version[i] != 0 || has_word(text, names[i])) continue;
    strcat(strcat(wanted, *wanted ? " +" : "+"), names[i]);
  }
  return *wanted == 0 || write_text(parent, "cgroup.subtree_control", wanted) == 0;
}

static void give(groups *groups, int controller, int place, int version) {
  groups->place[controller] = place;
  groups->version[controller] = version;
}

static int make_second(groups *groups, const char *top, const char *base, const char *run_id, int note, fault *fault) {
  /* Controllers are to be had only below groups without processes: this one, else its parent, else the top. */
  char above[TEXT_MAX];
  strcpy(above, base);
  char *slash = strrchr(above, '/');
  if (strcmp(base, top) != 0 && slash != NULL) *slash = 0;
  const char *parents[3] = {base, above, top};
  for (int i = 0; i < 3; i++) {
    if (!enables(parents[i], groups)) continue;
    int place = make_folder(groups, parents[i], run_id, note, fault);
    if (place < 0) return -1;
    for (int j = 0; j < CONTROLLERS; j++)
      if (groups->version[j] == 0) give(groups, j, place, 2);
    return 0;
  }
  return 0;
}

static int bound(groups *groups, int controller, const char *first, const char *second, uint64_t value) {
  char text[32];
  format(text, sizeof text, "%llu", (unsigned long long)value);
  const char *name = groups->version[controller] == 1 ? first : second;
  return write_text(groups->folders[groups->place[controller]], name, text);
}

static int make_all(groups *groups, const char *run_id, int note, fault *fault) {
  FILE *own = fopen("/proc/self/cgroup", "re");
  if (own == NULL) return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "The kernel has no cgroups: %s", strerror(errno));
  char *line = NULL, top[TEXT_MAX], base[TEXT_MAX], second[TEXT_MAX] = "";
  size_t size = 0;
  int result = 0;
  while (result == 0 && getline(&line, &size, own) > 0) {
    line[strcspn(line, "\n")] = 0;
    char *path = line;
    strsep(&path, ":");
    char *controllers = strsep(&path, ":");
    if (path == NULL) continue;
    int is_wanted = 0;
    for (int i = 0; i < CONTROLLERS; i++) is_wanted |= has_word(controllers, names[i]);
    if (*controllers == 0) format(second, sizeof second, "%s", path);
    if (!is_wanted || find_mount(controllers, path, top, base) != 0) continue;
    int place = make_folder(groups, base, run_id, note, fault);
    if (place < 0) result = -1;
    for (int i = 0; place >= 0 && i < CONTROLLERS; i++)
      if (has_word(controllers, names[i])) give(groups, i, place, 1);
  }
  free(line);
  fclose(own);
  int is_whole = groups->version[MEMORY] && groups->version[PIDS] && groups->version[CPU];
  if (result == 0 && !is_whole && *second && find_mount("", second, top, base) == 0)
    result = make_second(groups, top, base, run_id, note, fault);
  return result;
}

int groups_make(groups *groups, const char *run_id, int note, uint64_t memory_bytes, uint64_t disk_bytes,
                uint64_t processes, fault *fault) {
  memset(groups, 0, sizeof *groups);
  for (int i = 0; i < GROUPS_MAX; i++) groups->entrances[i] = -1;
  if (make_all(groups, run_id, note, fault) != 0) {
    fail(fault, SYNC_PLUGIN_UNAVAILABLE, "The cgroups of the run have too long a path");
    groups_remove(groups);
    return -1;
  }
  /* The run's files live in memory and are charged to it, so the kernel's bound is both limits together; what the
   * processes have for themselves is compared with the memory limit alone, at each tick. */
  uint64_t both = memory_bytes + disk_bytes;
  int is_held = groups->version[MEMORY] && groups->version[PIDS] && groups->version[CPU];
  if (is_held && bound(groups, MEMORY, "memory.limit_in_bytes", "memory.max", both) != 0) is_held = 0;
  /* Two more: bubblewrap's own, outside and inside. */
  if (is_held && bound(groups, PIDS, "pids.max", "pids.max", processes + 2) != 0) is_held = 0;
  /* Kernels that do not count swap have no such file, and kernels without swap need none. */
  if (is_held)
    bound(groups, MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", groups->version[MEMORY] == 1 ? both : 0);
  if (is_held) return 0;
  fail(fault, SYNC_PLUGIN_UNAVAILABLE, "No cgroup that can be written holds memory (%s), processes (%s), CPU time (%s)",
       groups->version[MEMORY] ? "found" : "missing", groups->version[PIDS] ? "found" : "missing",
       groups->version[CPU] ? "found" : "missing");
  groups_remove(groups);
  return -1;
}

static size_t kill_group(const char *folder) {
  char path[TEXT_MAX];
  if (format(path, sizeof path, "%s/cgroup.procs", folder) != 0) return 0;
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  size_t count = 0;
  int pid;
  while (fscanf(file, "%d", &pid) == 1) {
    count++;
    /* 0 is a process of another namespace than this one's. */
    if (pid > 1 && pid != getpid()) kill(pid, SIGKILL);
  }
  fclose(file);
  return count;
}

size_t groups_kill(const groups *groups) {
  size_t count = 0;
  for (size_t i = 0; i < groups->count; i++) count += kill_group(groups->folders[i]);
  return count;
}

/* 1 when it is gone, 0 when it was not there, -1 when it stays. */
static int remove_group(const char *folder) {
  for (int i = 0; i < 400; i++) {
    if (rmdir(folder) == 0) return 1;
    if (errno == ENOENT) return 0;
    kill_group(folder);
    pause_milliseconds(TICK_MILLISECONDS);
  }
  return -1;
}

int groups_remove(groups *groups) {
  int result = 0;
  for (size_t i = 0; i < groups->count; i++) {
    close_descriptor(&groups->entrances[i]);
    if (remove_group(groups->folders[i]) < 0) result = -1;
  }
  groups->count = 0;
  return result;
}

int group_remove_leftover(const char *folder, const char *run_id) {
  char name[256];
  const char *slash = strrchr(folder, '/');
  if (folder[0] != '/' || format(name, sizeof name, "/" PREFIX "%s", run_id) != 0 || strcmp(slash, name) != 0) return 0;
  return remove_group(folder);
}

/* A number of a file: of the line that begins with the key, or of the first line where there is no key. */
static uint64_t number(const groups *groups, int controller, const char *name, const char *key) {
  char path[TEXT_MAX], line[256];
  if (format(path, sizeof path, "%s/%s", groups->folders[groups->place[controller]], name) != 0) return 0;
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  unsigned long long value = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    size_t length = key == NULL ? 0 : strlen(key);
    if (length > 0 && (strncmp(line, key, length) != 0 || line[length] != ' ')) continue;
    value = strtoull(line + length, NULL, 10);
    break;
  }
  fclose(file);
  return value;
}

uint64_t groups_cpu_nanoseconds(const groups *groups) {
  if (groups->version[CPU] == 1) return number(groups, CPU, "cpuacct.usage", NULL);
  return number(groups, CPU, "cpu.stat", "usage_usec") * 1000;
}

uint64_t groups_memory_bytes(const groups *groups) {
  return number(groups, MEMORY, "memory.stat", groups->version[MEMORY] == 1 ? "rss" : "anon");
}

uint64_t groups_memory_peak_bytes(const groups *groups) {
  return number(groups, MEMORY, groups->version[MEMORY] == 1 ? "memory.max_usage_in_bytes" : "memory.peak", NULL);
}

uint64_t groups_memory_kills(const groups *groups) {
  return number(groups, MEMORY, groups->version[MEMORY] == 1 ? "memory.oom_control" : "memory.events", "oom_kill");
}

uint64_t groups_refusals(const groups *groups) { return number(groups, PIDS, "pids.events", "max"); }
