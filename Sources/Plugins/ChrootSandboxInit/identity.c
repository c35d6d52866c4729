// Who the run is outside. A run always sees itself as 1000:1000, and root's (or the ordinary user's) files as its own.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t count = write(file, text, strlen(text));
  int error = errno;
  close(file);
  errno = error;
  return count == (ssize_t)strlen(text) ? 0 : -1;
}

int write_maps(pid_t pid, uid_t inside, uid_t outside_uid, gid_t outside_gid, bool deny_groups) {
  char path[64], map[64];
  if (deny_groups) {
    snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
    if (write_file(path, "deny") != 0) return -1;
  }
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  snprintf(map, sizeof map, "%u %u 1", inside, outside_uid);
  if (write_file(path, map) != 0) return -1;
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  snprintf(map, sizeof map, "%u %u 1", inside, outside_gid);
  return write_file(path, map);
}

static int hold(void *nothing) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (!nothing) pause();
  return 0;
}

// A user namespace without processes, for mounts that show root's files as the run's own.
static int namespace_for_idmap(void) {
  // The holder shares the launcher's memory, which saves copying it; it touches nothing there.
  static char stack[16384] __attribute__((aligned(16)));
  pid_t holder = clone(hold, stack + sizeof stack, CLONE_NEWUSER | CLONE_VM | SIGCHLD, NULL);
  if (holder < 0) return -1;
  int namespace = -1;
  if (write_maps(holder, 0, OUTSIDE_ID, OUTSIDE_ID, false) == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", holder);
    namespace = open(path, O_RDONLY | O_CLOEXEC);
  }
  // Not waited for: it goes with the launcher, and waiting costs a turn of the scheduler.
  kill(holder, SIGKILL);
  return namespace;
}

struct Identity identity(void) {
  if (geteuid() != 0)
    return (struct Identity){.is_root = false, .worker_namespace = false, .outside = INSIDE_ID, .idmap = -1};
  // Where root may not make user namespaces, the worker is the host's uid 1000 itself: the same to see from inside.
  int idmap = namespace_for_idmap();
  bool possible = idmap >= 0;
  return (struct Identity){
      .is_root = true, .worker_namespace = possible, .outside = possible ? OUTSIDE_ID : INSIDE_ID, .idmap = idmap};
}
