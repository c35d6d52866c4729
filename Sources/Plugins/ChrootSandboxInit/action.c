// A run on a machine that has nothing of Synchronicity's but this program: the action of a remote execution engine.
//
// The folder in which it is started is everything:
//   settings     as they come on standard input else, with paths that begin at this folder
//   toolchain/, what is mounted
//   state/, left/, answer/    made here; answer/ goes home: report and transcript, as on standard error and output
//                             else, and outputs, what the writable mounts hold (pack.c)
//
// Nobody holds a lifeline: who ends the action ends this program, and with it the run.
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0755, FOLDERS_MAX = 256 };

static char folder[PATH_BYTES];

char *action_path(const char *value) {
  char *path;
  if (asprintf(&path, "%s%s", folder, value) < 0) fault(FAULT_IO, "No memory for a path");
  if (strlen(path) >= PATH_BYTES) fault(FAULT_INVALID, "%s is longer than %d bytes", path, PATH_BYTES - 1);
  return path;
}

static char *made(const char *name) {
  char *path = action_path(name);
  // An engine may have made the folder of an output already.
  if (mkdir(path, 0755) != 0 && errno != EEXIST) fault(FAULT_IO, "Cannot make %s: %s", path, strerror(errno));
  return path;
}

static void redirect(const char *name, int to) {
  char *path = action_path(name);
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0 || dup2(file, to) < 0) fault(FAULT_IO, "Cannot write %s: %s", path, strerror(errno));
  // An engine may start it with a stream closed, whose number this is then.
  if (file != to) close(file);
  free(path);
}

// The engine's own copy is not ours to change: what comes home lies in a folder of this run's.
static void give_home(struct Mount *mount, size_t index, uint64_t bytes_max) {
  char name[32];
  snprintf(name, sizeof name, "/left/%zu", index);
  const char *from = mount->host;
  mount->host = made(name);
  int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int target = open(mount->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (source < 0 || target < 0) fault(FAULT_IO, "Cannot open %s: %s", from, strerror(errno));
  errno = 0;
  if (!harvest(source, target, &bytes_max, 0))
    fault(errno ? FAULT_IO : FAULT_INVALID, "What %s holds cannot be copied: %s", mount->inside,
          errno ? strerror(errno) : "it is more than the disk limit");
  close(source), close(target);
}

// A file of the copy, with the mode that it has everywhere else.
static void settle_file(int folder, const char *name) {
  struct stat info;
  if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return;
  if (fchmodat(folder, name, info.st_mode & 0111 ? 0755 : 0644, 0) != 0)
    fault(FAULT_IO, "Cannot change the mode of %s: %s", name, strerror(errno));
}

static void settle_files(int parent, const char *name, int depth) {
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *entries = folder < 0 || depth > FOLDERS_MAX ? NULL : fdopendir(folder);
  if (!entries) fault(FAULT_IO, "Cannot open %s: %s", name, strerror(errno));
  struct dirent *entry;
  while ((entry = readdir(entries))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    struct stat info;
    if (fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(info.st_mode)) settle_files(folder, entry->d_name, depth + 1);
    else settle_file(folder, entry->d_name);
  }
  closedir(entries);
}

// Engines keep no modes of folders, and some give them away to everybody; builds copy what they see.
static void close_folders(int parent, const char *name, int depth) {
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *entries = folder < 0 || depth > FOLDERS_MAX ? NULL : fdopendir(folder);
  if (!entries) {
    if (folder >= 0) close(folder);
    return;
  }
  struct stat info;
  // Where it is not ours to change, the engine has its own idea.
  if (fstat(folder, &info) == 0 && (info.st_mode & 07777) != FOLDER_MODE && fchmod(folder, FOLDER_MODE) != 0) {}
  struct dirent *entry;
  while ((entry = readdir(entries))) {
    bool is_folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
    if (is_folder && strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
      close_folders(folder, entry->d_name, depth + 1);
  }
  closedir(entries);
}

char *action_begin(bool is_probe) {
  if (!getcwd(folder, sizeof folder)) fault(FAULT_IO, "This program does not know where it was started");
  if (!strcmp(folder, "/")) folder[0] = 0;
  free(made("/answer"));
  // The report first: what goes wrong from now on is told in it.
  redirect("/answer/report", STDERR_FILENO);
  redirect("/answer/transcript", STDOUT_FILENO);
  char *state = made("/state");
  free(made("/state/runs")), free(made("/state/mountpoint")), free(made("/left"));
  if (is_probe) return state;
  char *settings = action_path("/settings");
  int file = open(settings, O_RDONLY | O_CLOEXEC);
  if (file < 0 || dup2(file, STDIN_FILENO) < 0) fault(FAULT_IO, "Cannot read %s: %s", settings, strerror(errno));
  if (file != STDIN_FILENO) close(file);
  free(settings);
  return state;
}

void action_prepare(struct Settings *s) {
  s->is_action = true;
  close_folders(AT_FDCWD, s->toolchain, 0);
  char *settings = action_path("/settings");
  struct stat info;
  // Some engines give files that nobody may write: a build's copies of them would be such files too. Theirs are not
  // ours to change, they may be links into a store.
  bool has_usual_modes = stat(settings, &info) == 0 && (info.st_mode & 07777) == 0644;
  free(settings);
  for (size_t i = 0; i < s->mount_count; i++) {
    struct Mount *m = &s->mounts[i];
    close_folders(AT_FDCWD, m->host, 0);
    bool is_folder = stat(m->host, &info) == 0 && S_ISDIR(info.st_mode);
    if (!m->writable && (has_usual_modes || !is_folder)) continue;
    give_home(m, i, m->writable ? s->disk_bytes : UINT64_MAX);
    if (!has_usual_modes) settle_files(AT_FDCWD, m->host, 0);
  }
}

void action_end(const struct Settings *s) {
  char *path = action_path("/answer/outputs");
  pack_writable(s, path);
  free(path);
  dprintf(STDERR_FILENO, "packed\n");
}
