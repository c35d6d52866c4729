// The worker: gives everything away, then becomes the program.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Two seconds in all.
enum { BUSY_TRIES = 200, BUSY_NANOSECONDS = 10000000 };

enum { OPEN_FILES = 4096, STACK_BYTES = 8 << 20, LOCKED_BYTES = 64 << 10, CAPABILITY_MAX = 63 };

// Exit statuses of a shell: 126 when the program cannot be executed, 127 when there is none.
enum { STATUS_CANNOT_EXECUTE = 126, STATUS_NOT_FOUND = 127, STATUS_SET_UP = 125 };

static _Noreturn void give_up(const char *what) {
  init_fault(FAULT_IO, "Cannot %s: %s", what, strerror(errno));
}

// The same bound on every host, as far as the host's own hard limit allows.
static void bound(int resource, rlim_t wanted) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) give_up("read a resource limit");
  rlim_t value = now.rlim_max != RLIM_INFINITY && now.rlim_max < wanted ? now.rlim_max : wanted;
  struct rlimit limit = {value, value};
  if (setrlimit(resource, &limit) != 0) give_up("set a resource limit");
}

static void bound_resources(const struct Settings *s, struct Sampled sampled) {
  // Zero would keep a crash from a file, but not from the program that the host's core pattern may name, which runs as
  // root outside: one byte is the kernel's sign that there is to be no core at all.
  bound(RLIMIT_CORE, 1);
  bound(RLIMIT_NOFILE, OPEN_FILES);
  bound(RLIMIT_STACK, STACK_BYTES);
  bound(RLIMIT_MEMLOCK, LOCKED_BYTES);
  // Above the disk limit, so that a long file meets the full disk (ENOSPC), and a hole of a file meets this.
  bound(RLIMIT_FSIZE, s->disk_bytes + (1 << 20));
  // Coarser than the sum over the tree, which the launcher or init watches.
  bound(RLIMIT_CPU, s->cpu_seconds + 2);
  if (sampled.processes) bound(RLIMIT_NPROC, s->processes + 1);
  // Twice, since it counts what is reserved; the sampled bound is what was asked for.
  if (sampled.memory) bound(RLIMIT_DATA, 2 * s->memory_bytes);
}

static void reset_signals(void) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_user(struct Identity identity) {
  for (int i = 0; i <= CAPABILITY_MAX; i++)
    if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EINVAL) give_up("drop a bounding capability");
  if (identity.is_root) {
    if (setgroups(0, NULL) != 0 || setresgid(INSIDE_ID, INSIDE_ID, INSIDE_ID) != 0 ||
        setresuid(INSIDE_ID, INSIDE_ID, INSIDE_ID) != 0)
      give_up("become user 1000");
  }
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || syscall(SYS_capset, &header, none) != 0)
    give_up("drop the capabilities");
}

// A program that any process has open for writing cannot be executed (ETXTBSY). The host may have just written it, and
// a process that it started meanwhile shares the open file until that one executes something: no fault of the run's.
static void execute(const struct Settings *s) {
  for (int tries = 0; tries < BUSY_TRIES; tries++) {
    execve(s->arguments[0], s->arguments, s->environment);
    if (errno != ETXTBSY) return;
    nanosleep(&(struct timespec){.tv_nsec = BUSY_NANOSECONDS}, NULL);
  }
  errno = ETXTBSY;
}

void worker(struct Settings *s, struct Identity identity, struct Sampled sampled, int mapped) {
  char byte;
  if (read(mapped, &byte, 1) != 1) _exit(STATUS_SET_UP);
  setsid();
  // Where memory ends, the run's processes go before its init. /proc/self belongs to the process only if dumpable.
  prctl(PR_SET_DUMPABLE, 1);
  if (write_file("/proc/self/oom_score_adj", "1000") != 0) give_up("offer the run to the out-of-memory killer");
  // A kernel that groups processes by session compares the groups' niceness, and not the processes'. At most ten such
  // changes a second are taken from an ordinary user; one that is refused leaves the run as urgent as the others.
  char niceness[8];
  snprintf(niceness, sizeof niceness, "%d", NICENESS);
  if (write_file("/proc/self/autogroup", niceness) != 0) {}
  bound_resources(s, sampled);
  become_user(identity);
  reset_signals();
  umask(022);
  if (chdir(s->directory) != 0) init_fault(FAULT_INVALID, "Cannot enter %s inside: %s", s->directory, strerror(errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("refuse new privileges");
  if (landlock_restrict(s) != 0) give_up("restrict the run by Landlock");
  if (install_filter() != 0) give_up("install the system call filter");
  if (s->trial) _exit(0);
  if (syscall(SYS_close_range, 3, ~0U, 0) != 0) _exit(STATUS_SET_UP);
  // The build alone is niced: on a busy host its setting up would otherwise wait for a turn at every step.
  errno = 0;
  if (nice(NICENESS) == -1 && errno) _exit(STATUS_SET_UP);
  execute(s);
  int error = errno;
  dprintf(STDERR_FILENO, "synchronicity: cannot execute %s: %s\n", s->arguments[0], strerror(error));
  _exit(error == ENOENT || error == ENOTDIR ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE);
}
