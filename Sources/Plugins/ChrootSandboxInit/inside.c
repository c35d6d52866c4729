// Process 1 of the run: sets up, starts the worker, reaps, samples, and at the end brings the writable mounts home.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/sched.h>
#include <time.h>
#include <unistd.h>

enum {
  TICK_NANOSECONDS = 5000000,
  SAMPLE_NANOSECONDS = 50000000,
  REST_NANOSECONDS = 200000000,
  FULL_BLOCKS = 16
};

static int status_pipe = -1;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void send_message(struct Message *message) {
  message->at_nanoseconds = now();
  while (write(status_pipe, message, sizeof *message) < 0 && errno == EINTR) {}
}

void init_fault(int code, const char *format, ...) {
  struct Message message = {.kind = MESSAGE_FAULT, .value = code};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message.text, sizeof message.text, format, arguments);
  va_end(arguments);
  send_message(&message);
  _exit(1);
}

// What needs neither ids nor cgroups, done while the launcher makes them.
static void begin(const struct Settings *s) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "sandbox-init");
  // Every process may read another one's arguments, and the first of ours is a path of the host.
  memset(program_path, 0, strlen(program_path));
  if (geteuid() != 0 && unshare(CLONE_NEWNET) != 0)
    init_fault(FAULT_UNAVAILABLE, "Cannot make a network namespace: %s; raise the sysctl user.max_net_namespaces",
               strerror(errno));
  if (sethostname(s->host_name, strlen(s->host_name)) != 0 || setdomainname("(none)", 6) != 0)
    init_fault(FAULT_INVALID, "Cannot set the host name '%s': %s", s->host_name, strerror(errno));
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) init_fault(FAULT_UNAVAILABLE, "Cannot open /dev/null");
  close(null);
  setsid();
  umask(0);
}

static void settle(int channel, struct Orders *orders) {
  // The launcher keeps its end open: a hang-up means that it was gone before its death could be a signal.
  struct pollfd other_end = {.fd = channel};
  if (!receive_orders(channel, orders) || poll(&other_end, 1, 0) != 0) _exit(1);
  for (int i = 0; i < 3; i++) {
    if (orders->doors[i] < 0) continue;
    if (write(orders->doors[i], "0", 1) != 1)
      init_fault(FAULT_UNAVAILABLE, "Cannot enter a cgroup: %s", strerror(errno));
    close(orders->doors[i]);
  }
  // Not earlier: the launcher may write the maps of a dumpable process only.
  prctl(PR_SET_DUMPABLE, 0);
  // Only now, so that the run's own cgroup is the root that it sees.
  if (unshare(CLONE_NEWCGROUP) != 0) init_fault(FAULT_UNAVAILABLE, "No cgroup namespace: %s", strerror(errno));
}

static void enter_network(int channel) {
  struct Orders orders;
  if (!receive_orders(channel, &orders)) _exit(1);
  if (setns(orders.network, CLONE_NEWNET) != 0)
    init_fault(FAULT_IO, "Cannot enter the network namespace: %s", strerror(errno));
  close(orders.network);
}

static pid_t start_worker(struct Settings *s, struct Identity identity, struct Sampled sampled) {
  int mapped[2];
  if (pipe2(mapped, O_CLOEXEC) != 0) init_fault(FAULT_IO, "No pipe: %s", strerror(errno));
  struct clone_args arguments = {.flags = identity.worker_namespace ? CLONE_NEWUSER : 0, .exit_signal = SIGCHLD};
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) init_fault(FAULT_IO, "Cannot start a process: %s", strerror(errno));
  if (pid == 0) {
    close(mapped[1]);
    worker(s, identity, sampled, mapped[0]);
  }
  close(mapped[0]);
  if (identity.worker_namespace && write_maps(pid, INSIDE_ID, OUTSIDE_ID, OUTSIDE_ID, false) != 0)
    init_fault(FAULT_IO, "Cannot map the user's ids: %s", strerror(errno));
  struct Message started = {.kind = MESSAGE_STARTED};
  send_message(&started);
  if (write(mapped[1], "m", 1) != 1) init_fault(FAULT_IO, "The worker is gone before it began");
  close(mapped[1]);
  return pid;
}

// Whether the disk is full; else how long it cannot be.
static bool is_full(int disk, uint64_t *rest) {
  struct statfs info;
  *rest = REST_NANOSECONDS;
  if (fstatfs(disk, &info) != 0) return false;
  if (info.f_bavail < FULL_BLOCKS || info.f_ffree < FULL_BLOCKS) return true;
  uint64_t bytes = rest_for_bytes((uint64_t)info.f_bavail * (uint64_t)info.f_bsize);
  uint64_t files = rest_for_files(info.f_ffree);
  *rest = bytes < files ? bytes : files;
  return false;
}

static void watch(const struct Settings *s, struct Sampled sampled, unsigned just_ended, struct Message *end) {
  struct Usage usage;
  sample(&usage);
  end->cpu_nanoseconds = usage.cpu_nanoseconds;
  if (usage.memory_bytes > end->memory_bytes) end->memory_bytes = usage.memory_bytes;
  if (sampled.processes && usage.processes + just_ended >= s->processes) end->processes_full = 1;
  enum Strike strike = STRIKE_NONE;
  if (sampled.cpu && usage.cpu_nanoseconds / 1000000000 >= s->cpu_seconds) strike = STRIKE_CPU;
  if (sampled.memory && usage.memory_bytes > s->memory_bytes) strike = STRIKE_MEMORY;
  if (strike == STRIKE_NONE) return;
  struct Message message = *end;
  message.kind = MESSAGE_STRUCK;
  message.value = (int32_t)strike;
  send_message(&message);
  _exit(0);
}

// Reaps until the worker has ended; what it left running is killed and reaped as well.
static int supervise(pid_t pid, const struct Settings *s, struct Sampled sampled, int disk, struct Message *end) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  bool samples = sampled.cpu || sampled.memory || sampled.processes;
  int result = -1;
  uint64_t next_sample = 0, next_look = 0, rest;
  while (result < 0) {
    uint64_t time = now();
    if (time >= next_look) {
      if (is_full(disk, &rest)) end->disk_full = 1;
      next_look = time + rest_between(TICK_NANOSECONDS, rest, REST_NANOSECONDS);
    }
    if (samples && time >= next_sample) {
      watch(s, sampled, 0, end);
      next_sample = time + SAMPLE_NANOSECONDS;
    }
    uint64_t next = samples && next_sample < next_look ? next_sample : next_look;
    struct timespec wait = {.tv_nsec = (long)(next - time)};
    sigtimedwait(&child, NULL, &wait);
    int status;
    pid_t ended;
    // A process that could write no more may be the one that has ended.
    if (is_full(disk, &rest)) end->disk_full = 1;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
      if (ended == pid) result = status;
  }
  // A shell that is refused a child ends at once: what it has left running, and itself, are the limit.
  if (samples) watch(s, sampled, 1, end);
  return result;
}

static void bring_home(const struct Settings *s, const int *insides, struct Message *end) {
  uint64_t budget = s->disk_bytes;
  for (size_t i = 0; i < s->mount_count; i++) {
    const struct Mount *m = &s->mounts[i];
    if (!m->writable) continue;
    if (!is_empty(m->tree) && remove_contents(m->tree, 0) != 0)
      init_fault(FAULT_IO, "Cannot empty %s: %s", m->host, strerror(errno));
    errno = 0;
    if (harvest(insides[i], m->tree, &budget, 0)) continue;
    if (errno == ENOSPC || errno == EIO || errno == EDQUOT)
      init_fault(FAULT_IO, "Cannot copy what the run wrote to %s: %s", m->host, strerror(errno));
    end->harvest_overflow = 1;
    remove_contents(m->tree, 0);
  }
}

void init(struct Settings *s, int status, int channel) {
  status_pipe = status;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  begin(s);
  struct Orders orders;
  settle(channel, &orders);
  static int insides[MOUNTS_MAX];
  int disk = make_root(s, orders.identity, insides);
  if (orders.identity.is_root) enter_network(channel);
  close(channel);
  pid_t pid = start_worker(s, orders.identity, orders.sampled);
  struct Message end = {0};
  int result = supervise(pid, s, orders.sampled, disk, &end);
  end.kind = MESSAGE_WORKER_ENDED;
  end.value = result;
  send_message(&end);
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
  bring_home(s, insides, &end);
  end.kind = MESSAGE_FINISHED;
  send_message(&end);
  _exit(0);
}
