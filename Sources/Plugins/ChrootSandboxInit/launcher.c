// Starts init in new namespaces, watches clock, processor time and memory, passes the transcript on, and reports.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65536 };
#define TICK_NANOSECONDS (20ULL * 1000000)
#define REST_NANOSECONDS (200ULL * 1000000)
// Setting up and bringing files home have no limit of the spec's; a hanging disk shall not hang the node.
#define GRACE_NANOSECONDS (120ULL * 1000000000)

static volatile sig_atomic_t is_interrupted;
static void interrupt(int number) {
  (void)number;
  is_interrupted = 1;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

char *program_path;

// What `fault` must undo.
static struct Groups groups;
static bool has_worker_namespace;
static const char *locked_state, *locked_run;

static void undo(void) {
  groups_remove(&groups);
  if (locked_run) unlock_run(locked_state, locked_run);
}

void fault(int code, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  text[strcspn(text, "\n")] = 0;
  dprintf(STDERR_FILENO, "fault %d %s\n", code, text);
  undo();
  exit(1);
}

struct Run {
  const struct Settings *settings;
  pid_t pid;
  int process, status, transcript;  // init's pidfd, its messages, what the worker prints
  uint64_t started, ended, deadline, next_tick;
  bool is_running, has_started, has_ended, is_cancelled, is_finished;
  enum Strike strike;
  struct Message end;
  struct Outside outside;
  uint64_t forwarded;
  size_t pending, pending_from;
  char buffer[CHUNK_BYTES];
};

static void receive(struct Run *run);

static void kill_run(struct Run *run) { syscall(SYS_pidfd_send_signal, run->process, SIGKILL, NULL, 0); }

static void strike(struct Run *run, enum Strike why) {
  if (run->strike != STRIKE_NONE || run->has_ended) return;
  run->strike = why;
  kill_run(run);
}

static const char *clone_advice(int error) {
  if (geteuid() == 0) return "root without CAP_SYS_ADMIN cannot; grant it or run as an ordinary user";
  if (error == ENOSPC || error == EUSERS) return "raise the sysctl user.max_user_namespaces";
  return "ordinary users may not make user namespaces here: see the sysctls kernel.unprivileged_userns_clone, "
         "kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces, or run as root";
}

// Init is born in the version 2 cgroup; its network namespace it makes itself, while the launcher does the rest.
static pid_t clone_init(struct Settings *s, int *process, int transcript[2], int status[2], int channel[2]) {
  bool is_root = geteuid() == 0;
  struct clone_args arguments = {
      .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | (is_root ? 0 : CLONE_NEWUSER) |
               (groups.folder >= 0 ? CLONE_INTO_CGROUP : 0),
      .pidfd = (uint64_t)(uintptr_t)process,
      .exit_signal = SIGCHLD,
      .cgroup = groups.folder >= 0 ? (uint64_t)groups.folder : 0};
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) {
    int error = errno;
    fault(FAULT_UNAVAILABLE, "Cannot make namespaces: %s; %s", strerror(error), clone_advice(error));
  }
  if (pid != 0) return pid;
  dup2(transcript[1], STDOUT_FILENO);
  dup2(transcript[1], STDERR_FILENO);
  close(transcript[0]), close(transcript[1]), close(status[0]), close(channel[0]);
  init(s, status[1], channel[1]);
}

// The launcher itself has no use for a network.
static void send_network(int channel) {
  if (unshare(CLONE_NEWNET) != 0)
    fault(FAULT_UNAVAILABLE, "Cannot make a network namespace: %s; raise the sysctl user.max_net_namespaces",
          strerror(errno));
  struct Orders orders = {
      .identity.idmap = -1, .doors = {-1, -1, -1}, .network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (orders.network < 0) fault(FAULT_IO, "Cannot open the network namespace: %s", strerror(errno));
  if (!send_orders(channel, &orders)) {}  // an init that has failed says so in the loop
  close(orders.network);
}

static void start(struct Run *run, struct Settings *s) {
  // Inside, the run's own files could give another number.
  count_cores();
  groups_make_second(&groups, s);
  int transcript[2], status[2], channel[2];
  if (pipe2(transcript, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0 ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
    fault(FAULT_IO, "No pipe: %s", strerror(errno));
  int process = -1;
  pid_t pid = clone_init(s, &process, transcript, status, channel);
  close(transcript[1]), close(status[1]), close(channel[1]);
  run->pid = pid, run->process = process, run->status = status[0], run->transcript = transcript[0];
  run->is_running = true;
  run->deadline = now() + GRACE_NANOSECONDS;
  struct Orders orders = {.identity = identity(), .network = -1};
  has_worker_namespace = orders.identity.worker_namespace;
  if (!orders.identity.is_root && write_maps(pid, INSIDE_ID, geteuid(), getegid(), true) != 0) {
    int error = errno;
    kill_run(run);
    waitpid(pid, NULL, 0);
    // An init that has failed is the reason.
    receive(run);
    if (run->end.kind == MESSAGE_FAULT) fault(run->end.value, "%s", run->end.text);
    fault(FAULT_UNAVAILABLE, "Cannot map the user's ids: %s", strerror(error));
  }
  // A run may open its own output by name, as in `tee /dev/stderr`; the pipe must belong to it.
  if (fchown(run->transcript, orders.identity.outside, orders.identity.outside) != 0 && orders.identity.is_root)
    fault(FAULT_IO, "Cannot give the transcript's pipe to the run: %s", strerror(errno));
  groups_make_first(&groups, s, orders.doors);
  orders.sampled = (struct Sampled){
      .cpu = !groups.cpu_version, .memory = !groups.memory_version, .processes = !groups.pids_version};
  if (!send_orders(channel[0], &orders)) {}  // an init that has failed says so in the loop
  if (orders.identity.idmap >= 0) close(orders.identity.idmap);
  for (int i = 0; i < 3; i++)
    if (orders.doors[i] >= 0) close(orders.doors[i]);
  if (orders.identity.is_root) send_network(channel[0]);
  // The channel stays open: by its hang-up init would learn that the launcher is gone.
}

static void receive(struct Run *run) {
  struct Message message;
  ssize_t count = read(run->status, &message, sizeof message);
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
    close(run->status);
    run->status = -1;
    return;
  }
  if (count != sizeof message) return;
  switch (message.kind) {
    case MESSAGE_FAULT:
      // The first one names the cause.
      if (run->end.kind != MESSAGE_FAULT) run->end = message;
      kill_run(run);
      return;
    case MESSAGE_STARTED:
      run->has_started = true;
      run->started = message.at_nanoseconds;
      run->next_tick = run->started + TICK_NANOSECONDS;
      run->deadline = run->started + run->settings->wall_seconds * 1000000000;
      return;
    case MESSAGE_STRUCK:
      if (run->strike == STRIKE_NONE) run->strike = (enum Strike)message.value;
      break;
    case MESSAGE_WORKER_ENDED:
      run->has_ended = true;
      run->deadline = now() + GRACE_NANOSECONDS;
      break;
    case MESSAGE_FINISHED: run->is_finished = true; break;
    default: return;
  }
  if (!run->ended) run->ended = message.at_nanoseconds;
  if (run->end.kind != MESSAGE_FAULT) run->end = message;
}

// Takes from the run what its limit allows; the rest is read and dropped, so that nobody blocks on a full pipe.
static void take_transcript(struct Run *run) {
  char dropped[4096];
  uint64_t room = run->settings->transcript_bytes - run->forwarded;
  bool keeps = room > 0;
  ssize_t count = keeps ? read(run->transcript, run->buffer, sizeof run->buffer)
                        : read(run->transcript, dropped, sizeof dropped);
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
    close(run->transcript);
    run->transcript = -1;
    return;
  }
  if (count <= 0) return;
  size_t kept = keeps ? ((uint64_t)count < room ? (size_t)count : (size_t)room) : 0;
  run->pending = kept, run->pending_from = 0;
  run->forwarded += kept;
  if (kept < (size_t)count) {
    // Even a worker that has just ended has said too much.
    if (run->strike == STRIKE_NONE) run->strike = STRIKE_TRANSCRIPT;
    if (!run->has_ended) kill_run(run);
  }
}

static void pass_transcript(struct Run *run) {
  ssize_t count = write(STDOUT_FILENO, run->buffer + run->pending_from, run->pending);
  if (count > 0) {
    run->pending_from += (size_t)count, run->pending -= (size_t)count;
  } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
    run->is_cancelled = true;
    run->pending = 0;
    kill_run(run);
  }
}

static void tick(struct Run *run) {
  uint64_t time = now(), value;
  if (run->is_running && time >= run->deadline) {
    if (run->has_started) strike(run, STRIKE_WALL);
    if (!run->has_started || run->has_ended) {
      run->end.kind = MESSAGE_FAULT, run->end.value = FAULT_IO;
      snprintf(run->end.text, sizeof run->end.text, "Setting up or bringing files home took longer than two minutes");
      kill_run(run);
    }
  }
  if (!run->has_started || run->has_ended || time < run->next_tick) return;
  run->next_tick = time + TICK_NANOSECONDS;
  const struct Settings *s = run->settings;
  uint64_t rest = REST_NANOSECONDS, limit = s->cpu_seconds * 1000000000;
  if (groups_cpu(&groups, &value)) {
    if (value >= limit) return strike(run, STRIKE_CPU);
    rest = rest_between(0, rest_for_processor(limit - value), rest);
  }
  if (groups_kills(&groups)) return strike(run, STRIKE_MEMORY);
  if (groups_anonymous(&groups, &value)) {
    if (value > s->memory_bytes) return strike(run, STRIKE_MEMORY);
    rest = rest_between(0, rest_for_bytes(s->memory_bytes - value), rest);
  }
  run->next_tick = time + rest_between(TICK_NANOSECONDS, rest, REST_NANOSECONDS);
}

// Milliseconds to the next thing that has its time, rounded up. What is past was seen to: init may take long to go.
static int patience(const struct Run *run) {
  uint64_t time = now(), next = time + REST_NANOSECONDS;
  if (run->has_started && !run->has_ended && run->next_tick < next) next = run->next_tick;
  if (run->deadline < next) next = run->deadline;
  if (!run->is_running || next <= time) next = time + TICK_NANOSECONDS;
  return (int)((next - time + 999999) / 1000000);
}

static void read_lifeline(struct Run *run) {
  char byte;
  ssize_t count = read(STDIN_FILENO, &byte, 1);
  if (count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN))) return;
  run->is_cancelled = true;
  kill_run(run);
}

static void watch(struct Run *run) {
  while (run->is_running || run->status >= 0 || run->transcript >= 0 || run->pending) {
    if (is_interrupted && !run->is_cancelled) run->is_cancelled = true, kill_run(run);
    // Nobody reads any more: the rest of the transcript is of no use.
    if (run->is_cancelled && !run->is_running) return;
    bool has_lifeline = !run->is_cancelled && !run->settings->trial && !run->settings->is_action;
    struct pollfd files[] = {
        {.fd = has_lifeline ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = run->status, .events = POLLIN},
        {.fd = run->pending ? -1 : run->transcript, .events = POLLIN},
        {.fd = run->pending ? STDOUT_FILENO : -1, .events = POLLOUT},
        {.fd = run->is_running ? run->process : -1, .events = POLLIN},
    };
    if (poll(files, 5, patience(run)) < 0 && errno != EINTR) fault(FAULT_IO, "poll: %s", strerror(errno));
    if (files[0].revents) read_lifeline(run);
    if (files[1].revents) receive(run);
    if (files[2].revents) take_transcript(run);
    if (files[3].revents) pass_transcript(run);
    if (files[4].revents && waitpid(run->pid, NULL, WNOHANG) == run->pid) {
      run->is_running = false;
      if (!run->ended) run->ended = now();
    }
    tick(run);
  }
}

// An action may run within bounds of its engine's. What those did to it is not how the build ends.
static bool is_disturbed(const struct Run *run) {
  struct Outside now = groups_outside();
  bool by_memory = !groups.memory_version && now.kills > run->outside.kills;
  return by_memory || (!groups.pids_version && now.refusals > run->outside.refusals);
}

// The precedence is documented at ChrootSandbox: a strike of the launcher's own, then the kernel's memory limit and
// the processor's, then success; a failed run is put down to a limit that it is known to have met; else it speaks for
// itself.
static void report(struct Run *run, uint64_t cpu) {
  static const char *const strikes[] = {"", "wall", "cpu", "memory", "transcript"};
  const struct Message *end = &run->end;
  int status = end->value;
  bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (run->is_cancelled) fault(FAULT_CANCELLED, "The run was cancelled");
  if (end->kind == MESSAGE_FAULT) fault(end->value, "%s", end->text);
  if (run->strike != STRIKE_NONE) dprintf(STDERR_FILENO, "end %s\n", strikes[run->strike]);
  else if (groups_kills(&groups)) dprintf(STDERR_FILENO, "end memory\n");
  else if (!run->is_finished) fault(FAULT_IO, "The sandbox's init was killed from outside");
  else if (cpu / 1000000000 >= run->settings->cpu_seconds) dprintf(STDERR_FILENO, "end cpu\n");
  else if (end->harvest_overflow) dprintf(STDERR_FILENO, "end disk\n");
  else if (succeeded) dprintf(STDERR_FILENO, "end exited 0\n");
  else if (run->settings->is_action && is_disturbed(run))
    fault(FAULT_UNAVAILABLE, "The worker ran out of memory or of processes by a limit that is not the run's");
  else if (end->processes_full || groups_refusals(&groups)) dprintf(STDERR_FILENO, "end processes\n");
  else if (end->disk_full) dprintf(STDERR_FILENO, "end disk\n");
  else if (WIFSIGNALED(status)) dprintf(STDERR_FILENO, "end signalled %d\n", WTERMSIG(status));
  else dprintf(STDERR_FILENO, "end exited %d\n", WEXITSTATUS(status));
}

static void launch(struct Settings *s) {
  static struct Run run;
  run.settings = s, run.status = run.transcript = run.process = -1;
  if (lock_run(s->state, s->run) < 0)
    fault(errno == EWOULDBLOCK ? FAULT_INVALID : FAULT_IO, "Cannot lock %s/runs/%s: %s", s->state, s->run,
          errno == EWOULDBLOCK ? "a run of that name is going on" : strerror(errno));
  locked_state = s->state, locked_run = s->run;
  fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
  if (s->is_action) run.outside = groups_outside();
  start(&run, s);
  watch(&run);
  uint64_t cpu = run.end.cpu_nanoseconds, memory = run.end.memory_bytes;
  bool has_cpu = groups_cpu(&groups, &cpu) || cpu, has_memory = groups_peak(&groups, &memory) || memory;
  report(&run, cpu);
  dprintf(STDERR_FILENO, "wall %llu\n", (unsigned long long)(run.has_started ? run.ended - run.started : 0));
  if (has_cpu) dprintf(STDERR_FILENO, "cpu %llu\n", (unsigned long long)cpu);
  if (has_memory) dprintf(STDERR_FILENO, "memory %llu\n", (unsigned long long)memory);
  undo();
}

static void print_finding(const char *name, bool is_weaker, const char *detail, const char *mend) {
  printf("%s\t%s\t%s\t%s\n", name, is_weaker ? "weaker" : "met", detail, is_weaker ? mend : "");
}

static void print_limit(const char *name, int version) {
  static const char *const bases[] = {
      "sampled every 50 ms, so that a short peak is missed, since no cgroup is writable here", "cgroup version 1",
      "cgroup version 2"};
  print_finding(name, version == 0, bases[version],
                "run the node as root, or in a cgroup of its own: Delegate=yes in its systemd unit");
}

// What was not possible at all has ended the trial with a fault.
static void print_findings(void) {
  print_finding("namespaces", false,
                geteuid() == 0 ? "made by root" : "made by an ordinary user, in a user namespace", "");
  if (geteuid() == 0)
    print_finding("user namespace", !has_worker_namespace,
                  has_worker_namespace ? "each run has one, and no user of the host in it"
                                       : "none for root, so that a run has the rights of the host's user 1000",
                  "sysctl -w user.max_user_namespaces=15000");
  print_limit("memory limit", groups.memory_version);
  print_limit("processes limit", groups.pids_version);
  print_limit("cpu limit", groups.cpu_version);
  print_finding("disk limit", false, "one tmpfs a run", "");
  print_finding("system call filter", false, "is installed", "");
  int version = landlock_version();
  char detail[128];
  if (landlock_is_used(version))
    snprintf(detail, sizeof detail, "version %d%s", version,
             landlock_has_scopes(version) ? "" : ", which knows no scopes for abstract sockets and signals");
  else
    snprintf(detail, sizeof detail, "the kernel has %s; read-only mounts alone keep a run from writing elsewhere",
             version ? "version 1, which no build could use" : "none");
  print_finding("Landlock", !landlock_has_scopes(version), detail,
                landlock_is_used(version) ? "boot Linux 6.12 or later"
                                          : "boot Linux 5.19 or later, with landlock among the words of lsm=");
}

// Sets up a run on a folder that takes the toolchain's place, executes nothing, and says what the limits rest on.
static int probe(char *state) {
  static char name[64], folder[PATH_BYTES];
  snprintf(folder, sizeof folder, "%s/runs", state);
  snprintf(name, sizeof name, "probe-%d-%llu", getpid(), (unsigned long long)now());
  static struct Settings s;
  s = (struct Settings){
      .run = name, .state = state, .toolchain = folder, .host_name = "builder", .directory = "/tmp",
      .argument_count = 1,
      .wall_seconds = 10, .cpu_seconds = 10, .memory_bytes = 64 << 20, .processes = 10, .disk_bytes = 1 << 20,
      .transcript_bytes = 4096, .trial = true};
  launch(&s);
  print_findings();
  return 0;
}

int main(int count, char **arguments) {
  if (count < 1) return 2;
  program_path = arguments[0];
  signal(SIGPIPE, SIG_IGN);
  // Whatever the node has open is none of a run's business.
  syscall(SYS_close_range, 3, ~0U, 0);
  struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGTERM, &action, NULL), sigaction(SIGINT, &action, NULL), sigaction(SIGHUP, &action, NULL);
  if (count == 2 && !strcmp(arguments[1], "run")) {
    static struct Settings s;
    read_settings(&s);
    launch(&s);
    return 0;
  }
  if (count == 2 && !strcmp(arguments[1], "action")) {
    static struct Settings s;
    free(action_begin(false));
    read_settings(&s);
    action_prepare(&s);
    launch(&s);
    action_end(&s);
    return 0;
  }
  if (count == 3 && !strcmp(arguments[1], "action") && !strcmp(arguments[2], "probe")) return probe(action_begin(true));
  if (count == 3 && !strcmp(arguments[1], "probe")) return probe(arguments[2]);
  if (count == 3 && !strcmp(arguments[1], "clean")) return clean(arguments[2]);
  if (count == 3 && !strcmp(arguments[1], "filter")) return print_filter(arguments[2]);
  fprintf(stderr, "synchronicity-sandbox-init is started by a node, with: run | probe STATE | clean STATE; by a remote "
                  "engine, with: action | action probe; or prints its system call filter, with: filter ARCHITECTURE\n");
  return 2;
}
