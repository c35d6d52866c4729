/* One run: what it has in sight, how it is watched, and how its end is told. See sandbox-bwrap.c. */
#include "sandbox-bwrap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FULL_BLOCKS 16 /* a disk with fewer free blocks or inodes counts as full */
#define SECOND INT64_C(1000000000)

/* ---- The disk with its root and its folders, in the mount namespace of the run's thread ---- */

typedef struct {
  const sandbox *self;
  const sync_run_request *request;
  sync_call *call;
  fault fault;
  groups groups;
  list arguments;          /* bubblewrap's */
  char place[TEXT_MAX];    /* where the disk is mounted; "": it is not */
  int disk;
  int *homes;              /* for each mount, the host's folder when it is writable, else -1 */
  char *buffer;
  int transcript, status;  /* the ends to read of */
  pid_t pid;               /* bubblewrap's; 0: not started, or reaped */
  int strike;              /* the limit that killed it, or -1 */
  int was_full, is_cancelled;
  char told[1024];         /* what bubblewrap tells on the status descriptor */
  sync_run_result result;
} run;

static int fail_io(run *r, const char *what) {
  return fail(&r->fault, SYNC_PLUGIN_IO, "%s: %s", what, strerror(errno));
}

static int mount_at(run *r, const char *source, const char *target, const char *kind, unsigned long flags,
                    const char *options) {
  if (mount(source, target, kind, flags, options) == 0) return 0;
  return fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "%s cannot be mounted on %s: %s", source, target, strerror(errno));
}

/* A folder on the disk that belongs to the build. */
static int make_own(run *r, const char *name, mode_t mode) {
  if (mkdirat(r->disk, name, 0700) != 0 || fchmodat(r->disk, name, mode, 0) != 0 ||
      fchownat(r->disk, name, OUTSIDE_ID, OUTSIDE_ID, 0) != 0)
    return fail_io(r, "A folder of the run's disk cannot be made");
  return 0;
}

static int take_writable(run *r, size_t index, const char *name) {
  const char *source = r->request->mounts[index].host_path;
  if (make_own(r, name, 0755) != 0) return -1;
  int home = r->homes[index] = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int target = home < 0 ? -1 : openat(r->disk, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  copy copy = {r->request->disk_bytes, OUTSIDE_ID, r->buffer};
  int result = target < 0 ? -1 : copy_folder(&copy, home, target);
  int number = errno;
  if (target >= 0) close(target);
  if (result == 0) return 0;
  if (result == 1 || number == ENOSPC)
    return fail(&r->fault, SYNC_PLUGIN_INVALID, "What %s holds is more than the disk limit", source);
  return fail(&r->fault, SYNC_PLUGIN_IO, "%s cannot be given to the run: %s", source, strerror(number));
}

static int take_readable(run *r, size_t index, const char *name) {
  const char *source = r->request->mounts[index].host_path;
  char target[TEXT_MAX];
  struct stat info;
  if (stat(source, &info) != 0)
    return fail(&r->fault, SYNC_PLUGIN_INVALID, "%s cannot be looked at: %s", source, strerror(errno));
  mode_t wanted = S_ISDIR(info.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
  if ((info.st_mode & wanted) != wanted)
    return fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "A build's user may not read %s; run the node with umask 022",
                source);
  int file = -1;
  if (S_ISDIR(info.st_mode) ? mkdirat(r->disk, name, 0755) != 0
                            : (file = openat(r->disk, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
    return fail_io(r, "A mount point of the run's disk cannot be made");
  close_descriptor(&file);
  if (format(target, sizeof target, "%s/%s", r->place, name) != 0) return -1;
  return mount_at(r, source, target, NULL, MS_BIND | MS_REC, NULL);
}

static int make_disk(run *r) {
  const sync_run_request *request = r->request;
  char options[128], name[32];
  /* The thread leaves the others' folder and umask as well. */
  if (unshare(CLONE_NEWNS | CLONE_FS) != 0)
    return fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "A mount namespace cannot be made: %s", strerror(errno));
  umask(022);
  if (mount_at(r, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return -1;
  /* An inode for each 4 KiB: many empty files meet the limit as well. */
  format(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=0755", (unsigned long long)request->disk_bytes,
         (unsigned long long)request->disk_bytes / 4096 + 1024);
  if (mount_at(r, "tmpfs", request->scratch_directory, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) return -1;
  if (format(r->place, sizeof r->place, "%s", request->scratch_directory) != 0) return -1;
  r->disk = open(r->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (r->disk < 0) return fail_io(r, "The run's disk cannot be opened");
  for (size_t i = 0; i < request->mounts_count; i++) {
    format(name, sizeof name, "%zu", i);
    if ((request->mounts[i].is_writable ? take_writable : take_readable)(r, i, name) != 0) return -1;
  }
  return 0;
}

static int make_root(run *r) {
  static const char *const own[] = {"lower", "upper", "work", "root", "directory"};
  static const char *const places[] = {"/mnt", "/media", "/srv", "/home", "/boot", "/opt"};
  char toolchain[TEXT_MAX], program[PATH_MAX];
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (make_own(r, own[i], 0755) != 0) return -1;
  if (make_own(r, "tmp", 01777) != 0 || make_own(r, "shm", 01777) != 0) return -1;
  /* Relative names keep the host's paths out of the run's /proc/self/mountinfo. */
  if (format(toolchain, sizeof toolchain, "%s/toolchains/%s", r->self->directory, r->request->toolchain) != 0)
    return -1;
  if (fchdir(r->disk) != 0) return fail_io(r, "The run's disk cannot be entered");
  const char *layers = "lowerdir=lower,upperdir=upper,workdir=work";
  if (mount_at(r, toolchain, "lower", NULL, MS_BIND, NULL) != 0 ||
      mount_at(r, "overlay", "root", "overlay", MS_NOSUID | MS_NODEV, layers) != 0 || chdir("/") != 0)
    return -1;
  /* Bubblewrap, which is nobody by then, must be able to walk there: out of the node's private folders, over one that
   * nothing more is needed of. */
  if (realpath(r->self->bwrap, program) == NULL) return fail_io(r, "bwrap cannot be found");
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    size_t length = strlen(places[i]);
    struct stat info;
    if (lstat(places[i], &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    if (strncmp(program, places[i], length) == 0 && program[length] == '/') continue;
    if (mount_at(r, r->place, places[i], NULL, MS_MOVE, NULL) != 0) return -1;
    return format(r->place, sizeof r->place, "%s", places[i]);
  }
  return fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "There is no folder to mount the run's disk on: make /mnt");
}

static int is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  while (length > 0 && folder[length - 1] == '/') length--;
  return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/* Whether the toolchain or a mount has the working directory; a link on the way is the toolchain's own business. */
static int has_directory(const run *r) {
  const sync_run_request *request = r->request;
  const char *path = request->working_directory;
  char place[TEXT_MAX];
  struct stat info;
  if (is_below(path, "/tmp") || is_below(path, "/dev/shm")) return 1;
  for (size_t i = 0; i < request->mounts_count; i++)
    if (is_below(path, request->mounts[i].inside_path)) return 1;
  for (size_t length = 1; length <= strlen(path); length++) {
    if (path[length] != '/' && path[length] != 0) continue;
    if (format(place, sizeof place, "root%.*s", (int)length, path) != 0) return 0;
    if (fstatat(r->disk, place, &info, AT_SYMLINK_NOFOLLOW) != 0) return 0;
    if (S_ISLNK(info.st_mode)) return 1;
    if (!S_ISDIR(info.st_mode)) return 0;
  }
  return 1;
}

static void add(list *arguments, const char *const *words) {
  while (*words != NULL) list_add(arguments, "%s", *words++);
}

#define ADD(...) add(arguments, (const char *const[]){__VA_ARGS__, NULL})

static void add_mount(run *r, const char *kind, const char *name, const char *inside) {
  list_add(&r->arguments, "%s", kind);
  list_add(&r->arguments, "%s/%s", r->place, name);
  list_add(&r->arguments, "%s", inside);
}

static void make_arguments(run *r, int has_filter) {
  static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
  const sync_run_request *request = r->request;
  list *arguments = &r->arguments;
  ADD("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000", "--cap-drop",
      "ALL", "--die-with-parent", "--new-session", "--json-status-fd", "3", "--hostname", request->host_name);
  add_mount(r, "--bind", "root", "/");
  ADD("--proc", "/proc", "--size", "65536", "--tmpfs", "/dev");
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) ADD("--dev-bind", devices[i], devices[i]);
  ADD("--symlink", "/proc/self/fd", "/dev/fd", "--symlink", "/proc/self/fd/0", "/dev/stdin");
  ADD("--symlink", "/proc/self/fd/1", "/dev/stdout", "--symlink", "/proc/self/fd/2", "/dev/stderr");
  add_mount(r, "--bind", "shm", "/dev/shm");
  ADD("--remount-ro", "/dev");
  add_mount(r, "--bind", "tmp", "/tmp");
  for (size_t i = 0; i < request->mounts_count; i++) {
    const char *inside = request->mounts[i].inside_path;
    char name[32];
    /* Made by itself, bubblewrap would make them for the user alone. */
    for (const char *slash = strchr(inside + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
      ADD("--dir");
      list_add(arguments, "%.*s", (int)(slash - inside), inside);
    }
    format(name, sizeof name, "%zu", i);
    add_mount(r, request->mounts[i].is_writable ? "--bind" : "--ro-bind", name, inside);
  }
  if (!has_directory(r)) add_mount(r, "--bind", "directory", request->working_directory);
  ADD("--chdir", request->working_directory, "--remount-ro", "/");
  if (has_filter) ADD("--seccomp", "4");
  /* Ends with 127 when there is no such command, with 126 when it cannot be executed. */
  ADD("--", "/usr/bin/env", "-i", "--");
  for (size_t i = 0; i < request->environment_count; i++) ADD(request->environment[i]);
  for (size_t i = 0; i < request->command_count; i++) ADD(request->command[i]);
}

static int is_full(const run *r) {
  struct statvfs info;
  return fstatvfs(r->disk, &info) == 0 && (info.f_bavail < FULL_BLOCKS || info.f_favail < FULL_BLOCKS);
}

/* Gives the host's folders what the run has left in them. 1 when it is more than the disk limit. */
static int bring_home(run *r) {
  copy copy = {r->request->disk_bytes, -1, r->buffer};
  for (size_t i = 0; i < r->request->mounts_count; i++) {
    if (r->homes[i] < 0) continue;
    char name[32];
    format(name, sizeof name, "%zu", i);
    int source = openat(r->disk, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result = source < 0 || empty_folder(r->homes[i]) != 0 ? -1 : copy_folder(&copy, source, r->homes[i]);
    int number = errno;
    if (source >= 0) close(source);
    errno = number;
    if (result < 0) return fail_io(r, "What the run has left cannot be copied to the host");
    if (result > 0) return 1;
  }
  return 0;
}

/* ---- One run ---- */

static int launch(run *r) {
  int transcript[2] = {-1, -1}, status[2] = {-1, -1};
  if (pipe2(transcript, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0)
    fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "There is no descriptor to spare: %s", strerror(errno));
  r->transcript = transcript[0];
  r->status = status[0];
  int filter = open_filter();
  make_arguments(r, filter >= 0);
  if (r->arguments.is_short_of_memory) fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "There is no memory for the run");
  if (r->fault.code == SYNC_PLUGIN_OK) {
    const child child = {
      .path = r->self->bwrap, .arguments = r->arguments.items,
      .descriptors = {-1, transcript[1], transcript[1], status[1], filter}, .directory = -1,
      .groups = r->groups.entrances, .groups_count = r->groups.count,
      /* Above the limits, so that the tree's CPU time and a full disk are met first; a file of holes meets this. */
      .cpu_seconds = r->request->cpu_seconds + 2, .file_bytes = r->request->disk_bytes + (1 << 20)};
    r->pid = start(&child, &r->fault);
    fcntl(r->transcript, F_SETFL, O_NONBLOCK);
    fcntl(r->status, F_SETFL, O_NONBLOCK);
  }
  close_descriptor(&transcript[1]);
  close_descriptor(&status[1]);
  close_descriptor(&filter);
  return r->pid > 0 ? 0 : -1;
}

static void kill_all(run *r) {
  if (r->pid > 0) kill(r->pid, SIGKILL); /* --die-with-parent: process 1 follows, and all with it */
  groups_kill(&r->groups);
}

static void strike(run *r, int ending) {
  if (r->strike >= 0 || r->is_cancelled) return;
  r->strike = ending;
  kill_all(r);
}

/* Passes on what was printed; what is beyond the limit is read and dropped, so that nobody blocks on a full pipe.
 * 0 once there is nothing more. */
static int take(run *r, last_words *words) {
  char piece[16384];
  ssize_t size = read(r->transcript, piece, sizeof piece);
  if (size < 0 && errno == EINTR) return 1;
  if (size <= 0) return 0;
  last_words_add(words, piece, (size_t)size);
  if (!r->is_cancelled && r->strike != SYNC_RUN_TRANSCRIPT_EXCEEDED &&
      host->call_add_transcript(r->call, piece, (size_t)size) == SYNC_ERROR_TOO_LARGE)
    strike(r, SYNC_RUN_TRANSCRIPT_EXCEEDED);
  return 1;
}

static void tick(run *r, int64_t begin) {
  const sync_run_request *request = r->request;
  if (r->strike >= 0 || r->is_cancelled) return;
  r->was_full |= is_full(r);
  if ((uint64_t)(monotonic_nanoseconds() - begin) / SECOND >= request->wall_seconds)
    strike(r, SYNC_RUN_WALL_TIME_EXCEEDED);
  else if (groups_cpu_nanoseconds(&r->groups) / SECOND >= request->cpu_seconds) strike(r, SYNC_RUN_CPU_TIME_EXCEEDED);
  else if (groups_memory_kills(&r->groups) > 0 || groups_memory_bytes(&r->groups) > request->memory_bytes)
    strike(r, SYNC_RUN_MEMORY_EXCEEDED);
}

/* A number of what bubblewrap tells; -1 when it did not come to tell it. */
static int told(const run *r, const char *key) {
  const char *found = strstr(r->told, key);
  return found == NULL ? -1 : atoi(found + strlen(key));
}

/* Where this process adopts orphans, as process 1 of a container does, bubblewrap's process 1 is its to wait for. */
static void reap_orphan(const run *r) {
  int adopts = getpid() == 1, pid = told(r, "\"child-pid\":");
  if (!adopts && prctl(PR_GET_CHILD_SUBREAPER, &adopts, 0, 0, 0) != 0) adopts = 0;
  if (adopts && pid > 1) reap(pid, 0);
}

/* Stays until no process of the run is left. */
static int watch(run *r, int64_t begin, last_words *words) {
  int ended = (int)syscall(SYS_pidfd_open, r->pid, 0); /* closed on exec */
  if (ended < 0) return fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "The kernel has no pidfd: %s", strerror(errno));
  int64_t next = begin;
  for (int is_open = 1, lives = 1; lives;) {
    struct pollfd ready[3] = {
      {ended, POLLIN, 0}, {is_open ? r->transcript : -1, POLLIN, 0},
      {r->is_cancelled ? -1 : host->call_get_cancel_descriptor(r->call), POLLIN, 0}};
    poll(ready, 3, TICK_MILLISECONDS);
    if (!r->is_cancelled && host->call_is_cancelled(r->call)) {
      r->is_cancelled = 1;
      kill_all(r);
    }
    if (ready[1].revents != 0 && !take(r, words)) is_open = 0;
    if (ready[0].revents != 0) lives = 0;
    if (lives && monotonic_nanoseconds() >= next) {
      tick(r, begin);
      next = monotonic_nanoseconds() + TICK_MILLISECONDS * INT64_C(1000000);
    }
  }
  close(ended);
  reap(r->pid, 0);
  r->pid = 0;
  r->result.wall_nanoseconds = (uint64_t)(monotonic_nanoseconds() - begin);
  /* Bubblewrap's process 1, and what the command has left running, end a little later. */
  for (int i = 0; groups_kill(&r->groups) > 0; i++) {
    if (i == 500) return fail(&r->fault, SYNC_PLUGIN_IO, "A process of the run cannot be killed");
    pause_milliseconds(i < 10 ? 1 : TICK_MILLISECONDS);
  }
  ssize_t size = read(r->status, r->told, sizeof r->told - 1);
  r->told[size > 0 ? size : 0] = 0;
  reap_orphan(r);
  while (take(r, words)) continue;
  r->was_full |= is_full(r);
  return 0;
}

/* The order is that of the other sandboxes: docs/EXEC_SANDBOX.md. */
static int judge(run *r, last_words *words) {
  sync_run_result *result = &r->result;
  if (r->is_cancelled) return fail(&r->fault, SYNC_PLUGIN_CANCELLED, "The run was cancelled");
  result->cpu_nanoseconds = groups_cpu_nanoseconds(&r->groups);
  result->memory_peak_bytes = groups_memory_peak_bytes(&r->groups);
  int code = told(r, "\"exit-code\":");
  if (r->strike >= 0) return result->ending = r->strike, 0;
  if (groups_memory_kills(&r->groups) > 0) return result->ending = SYNC_RUN_MEMORY_EXCEEDED, 0;
  if (result->cpu_nanoseconds / SECOND >= r->request->cpu_seconds)
    return result->ending = SYNC_RUN_CPU_TIME_EXCEEDED, 0;
  if (code < 0)
    return fail(&r->fault, SYNC_PLUGIN_IO, "bwrap ended before the command began: %s", last_words_text(words));
  int home = bring_home(r);
  if (home < 0) return -1;
  if (home > 0) return result->ending = SYNC_RUN_DISK_EXCEEDED, 0;
  if (code != 0 && groups_refusals(&r->groups) > 0) return result->ending = SYNC_RUN_PROCESSES_EXCEEDED, 0;
  if (code != 0 && r->was_full) return result->ending = SYNC_RUN_DISK_EXCEEDED, 0;
  /* A signal's death is told as a shell tells it: bubblewrap does not say more. */
  result->ending = SYNC_RUN_EXITED;
  result->status = code & 0xFF;
  return 0;
}

static void *perform(void *context) {
  run *r = context;
  last_words words = {.count = 0};
  if (host->call_is_cancelled(r->call)) {
    fail(&r->fault, SYNC_PLUGIN_CANCELLED, "The run was cancelled before it began");
    return NULL;
  }
  if (make_disk(r) == 0 && make_root(r) == 0) {
    int64_t begin = monotonic_nanoseconds();
    if (launch(r) == 0 && watch(r, begin, &words) == 0) judge(r, &words);
  } else {
    fail(&r->fault, SYNC_PLUGIN_IO, "The run's disk cannot be made");
  }
  if (r->pid > 0) {
    kill_all(r);
    reap(r->pid, 1);
  }
  close_descriptor(&r->disk);
  /* It would go with the namespace, which outlives this thread by a moment. */
  if (r->place[0] != 0) umount2(r->place, MNT_DETACH);
  return NULL;
}

static void perform_alone(run *r) {
  pthread_t thread;
  int number = pthread_create(&thread, NULL, perform, r);
  if (number != 0) fail(&r->fault, SYNC_PLUGIN_UNAVAILABLE, "The run's thread cannot be made: %s", strerror(number));
  else pthread_join(thread, NULL);
}

static int check(const sandbox *self, const sync_run_request *request, fault *fault) {
  if (!is_prepared(self, request->toolchain))
    return fail(fault, SYNC_PLUGIN_NOT_FOUND, "The toolchain %s is not prepared", request->toolchain);
  if (strchr(request->run_id, '/') != NULL || request->run_id[0] == '.' || request->run_id[0] == 0 ||
      strlen(request->run_id) > 100)
    return fail(fault, SYNC_PLUGIN_INVALID, "The run's name is malformed");
  if (request->command_count == 0 || strchr(request->command[0], '=') != NULL)
    return fail(fault, SYNC_PLUGIN_INVALID, "A command without a path, or with '=' in it, cannot be started");
  if (geteuid() != 0) return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "Only root can start runs; use sandbox = \"exec\"");
  if (self->bwrap[0] == 0 || access(self->bwrap, X_OK) != 0)
    return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "There is no bubblewrap: install it, or set bwrap to its path");
  return 0;
}

int32_t run_method(void *instance, const sync_run_request *request, sync_call *call) {
  const sandbox *self = instance;
  run r = {.self = self, .request = request, .call = call, .disk = -1, .transcript = -1, .status = -1, .strike = -1,
           .result = {.struct_size = sizeof r.result, .abi_version = SYNC_ABI_VERSION}};
  int note = check(self, request, &r.fault) == 0 ? make_note(self, request->run_id, &r.fault) : -1;
  if (note < 0) return tell(call, &r.fault);
  r.buffer = malloc(COPY_BYTES);
  r.homes = malloc((request->mounts_count + 1) * sizeof *r.homes);
  for (size_t i = 0; r.homes != NULL && i < request->mounts_count; i++) r.homes[i] = -1;
  if (r.buffer == NULL || r.homes == NULL)
    fail(&r.fault, SYNC_PLUGIN_UNAVAILABLE, "There is no memory for the run");
  else if (groups_make(&r.groups, request->run_id, note, request->memory_bytes, request->disk_bytes,
                       request->processes, &r.fault) == 0)
    perform_alone(&r);
  for (size_t i = 0; r.homes != NULL && i < request->mounts_count; i++) close_descriptor(&r.homes[i]);
  close_descriptor(&r.transcript);
  close_descriptor(&r.status);
  list_free(&r.arguments);
  free(r.homes);
  free(r.buffer);
  /* Else the note stays, for remove_leftovers. */
  if (groups_remove(&r.groups) == 0) unlinkat(self->runs, request->run_id, 0);
  close(note);
  if (r.fault.code != SYNC_PLUGIN_OK) return tell(call, &r.fault);
  host->call_finish_run(call, &r.result);
  return SYNC_PLUGIN_OK;
}
