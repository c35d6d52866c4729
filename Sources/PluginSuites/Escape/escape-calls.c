// System calls that must not do what they can do elsewhere.
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Numbers that are the same on every processor, and may be younger than the C library's headers.
enum {
  CALL_OPEN_TREE = 428, CALL_FSOPEN = 430, CALL_IO_URING_SETUP = 425, CALL_CLONE3 = 435, CALL_MOUNT_SETATTR = 442,
};

#define TRY(name, call) \
  static enum Result name(const char *argument) { \
    (void)argument; \
    return worked_if((call) >= 0); \
  }
#define TRY_APART(name, flags, call) \
  static enum Result name(const char *argument) { \
    (void)argument; \
    go_apart(flags); \
    return worked_if((call) >= 0); \
  }
// Permission is asked before the arguments are looked at, which are such that nothing happens.
#define TRY_PAST(name, error, call) \
  static enum Result name(const char *argument) { \
    (void)argument; \
    return got_past((call), error); \
  }

TRY_APART(mount_tmpfs, 0, mount("none", "/tmp", "tmpfs", 0, NULL))
TRY_APART(mount_bind, 0, mount("/etc", "/tmp", NULL, MS_BIND, NULL))
TRY_APART(remount_root, 0, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL))
TRY_APART(unmount_proc, 0, umount2("/proc", MNT_DETACH))
TRY(open_file_system, syscall(CALL_FSOPEN, "tmpfs", 0))
TRY(change_root, chroot("/tmp"))

// With all that is mounted below, or without: where another user's mounts cover something, only the first works.
static enum Result clone_tree(const char *argument) {
  (void)argument;
  go_apart(0);
  const int clone = 1, recursive = 0x8000;
  return worked_if(syscall(CALL_OPEN_TREE, AT_FDCWD, "/", clone | recursive) >= 0 ||
                   syscall(CALL_OPEN_TREE, AT_FDCWD, "/", clone) >= 0);
}

// Another view of the processes, without what lies over the first one.
static enum Result mount_proc(const char *argument) {
  (void)argument;
  go_apart(CLONE_NEWPID);
  int status;
  pid_t child = fork();
  if (child == 0) _exit(mount("none", "/tmp", "proc", 0, NULL) == 0 ? 0 : errno);
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return REFUSED;
  errno = WEXITSTATUS(status);
  return worked_if(WEXITSTATUS(status) == 0);
}

static enum Result uncover(const char *argument) {
  go_apart(0);
  if (is_outside && mount(argument, argument, NULL, MS_BIND, NULL) != 0) return REFUSED;
  return worked_if(umount2(argument, MNT_DETACH) == 0);
}

static enum Result make_root_writable(const char *argument) {
  (void)argument;
  go_apart(0);
  const uint64_t change[4] = {0, 1 /* clear: read-only */, 0, 0};
  return worked_if(syscall(CALL_MOUNT_SETATTR, AT_FDCWD, "/", 0, change, sizeof change) == 0);
}

static enum Result pivot(const char *argument) {
  (void)argument;
  go_apart(0);
  if (is_outside && mount("none", "/tmp", "tmpfs", 0, NULL) != 0) return REFUSED;
  if (chdir("/tmp") != 0) return REFUSED;
  return worked_if(syscall(SYS_pivot_root, ".", ".") == 0);
}

static enum Result unshare_one(const char *argument) { return worked_if(unshare(atoi(argument)) == 0); }

static enum Result clone_one(const char *argument) {
  long pid = syscall(SYS_clone, atoi(argument) | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return worked_if(pid > 0);
}

static enum Result clone3_one(const char *argument) {
  uint64_t arguments[11] = {(uint64_t)atoi(argument), 0, 0, 0, SIGCHLD};
  long pid = syscall(CALL_CLONE3, arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return worked_if(pid > 0);
}

// The shape of a device is a path of its own here; it is taken away again.
static enum Result make_device(mode_t kind, int major_number) {
  bool is_made = mknod("a-device", kind | 0600, makedev(major_number, 1)) == 0;
  int error = errno;
  if (is_made) unlink("a-device");
  errno = error;
  return worked_if(is_made);
}

static enum Result make_memory(const char *argument) {
  (void)argument;
  return make_device(S_IFCHR, 1);
}

static enum Result make_disk(const char *argument) {
  (void)argument;
  return make_device(S_IFBLK, 8);
}

TRY(add_key, syscall(SYS_add_key, "user", "synchronicity-escape", "x", 1, -2 /* the process's own keyring */))
TRY(join_keyring, syscall(SYS_keyctl, 1 /* a session of its own */, NULL))
TRY_PAST(ask_for_key, ENOKEY, syscall(SYS_request_key, "user", "synchronicity-none", NULL, 0))

static enum Result make_map(const char *argument) {
  (void)argument;
  const uint32_t attributes[32] = {2 /* array */, 4, 4, 1};
  return worked_if(syscall(SYS_bpf, 0 /* make a map */, attributes, sizeof attributes) >= 0);
}

static enum Result count_events(const char *argument) {
  (void)argument;
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes,
                                       .config = PERF_COUNT_SW_CPU_CLOCK};
  return worked_if(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0) >= 0);
}

TRY(take_page_faults, syscall(SYS_userfaultfd, atoi(argument)))

static enum Result make_ring(const char *argument) {
  (void)argument;
  uint32_t parameters[30] = {0};
  return worked_if(syscall(CALL_IO_URING_SETUP, 1, parameters) >= 0);
}

TRY(watch_files, syscall(SYS_fanotify_init, atoi(argument), O_RDONLY))
TRY_PAST(load_kernel, EINVAL, syscall(SYS_kexec_load, 0, 0, NULL, ~0UL))
TRY_PAST(unload_module, ENOENT, syscall(SYS_delete_module, "synchronicity-none", 0))
TRY_PAST(restart, EINVAL, syscall(SYS_reboot, 0, 0, 0, NULL))
TRY_PAST(swap, ENOENT, syscall(SYS_swapon, "/synchronicity/none", 0))
TRY_PAST(account, ENOENT, syscall(SYS_acct, "/synchronicity/none"))
TRY(read_kernel_log, syscall(SYS_syslog, 10 /* its size */, NULL, 0))

static enum Result load_module(const char *argument) {
  (void)argument;
  long result = syscall(SYS_init_module, "", 0, "");
  return worked_if(result >= 0 || errno == ENOEXEC || errno == EFAULT || errno == EINVAL);
}

static enum Result touch_port(const char *argument) {
  (void)argument;
#ifdef SYS_ioperm
  return worked_if(syscall(SYS_ioperm, 0x80, 1, 1) == 0);
#else
  errno = ENOSYS;
  return REFUSED;
#endif
}

// A file's name in a file system is known to who has another of its files.
static enum Result open_by_handle(const char *argument) {
  struct {
    struct file_handle head;
    unsigned char room[128];
  } handle = {.head = {.handle_bytes = 128}};
  int mount_number;
  if (name_to_handle_at(AT_FDCWD, argument, &handle.head, &mount_number, 0) != 0) return REFUSED;
  int folder = open(argument, O_RDONLY);
  return worked_if(open_by_handle_at(folder, &handle.head, O_RDONLY) >= 0);
}

// Clocks are set to what they say, so that the host loses nothing where it works.
static enum Result set_clock(const char *argument) {
  (void)argument;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return worked_if(clock_settime(CLOCK_REALTIME, &time) == 0);
}

static enum Result set_time_of_day(const char *argument) {
  (void)argument;
  struct timeval time;
  gettimeofday(&time, NULL);
  return worked_if(settimeofday(&time, NULL) == 0);
}

static enum Result shift_clock(const char *argument) {
  struct timex change = {.modes = ADJ_SETOFFSET};
  return worked_if((*argument ? clock_adjtime(CLOCK_REALTIME, &change) : adjtimex(&change)) >= 0);
}

TRY(fix_addresses, personality(ADDR_NO_RANDOMIZE))
TRY_APART(rename_host, CLONE_NEWUTS, sethostname("escape", 6))
TRY(become_root, setresuid(0, 0, 0))
TRY(join_group, setgroups(1, (const gid_t[]){0}))
TRY(hurry, setpriority(PRIO_PROCESS, 0, -5))

static enum Result gain_capability(const char *argument) {
  (void)argument;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct wanted[2] = {{.effective = 1 << CAP_SYS_ADMIN, .permitted = 1 << CAP_SYS_ADMIN}};
  return worked_if(syscall(SYS_capset, &header, wanted) == 0);
}

// Input for whoever types at the terminal. Without a sandbox, at a terminal of its own.
static enum Result type_ahead(const char *argument) {
  (void)argument;
  int terminal = 0;
  if (is_outside) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return REFUSED;
    terminal = open(ptsname(master), O_RDWR);
    if (terminal < 0 || (ioctl(terminal, TIOCSCTTY, 0) != 0 && errno != EPERM)) return REFUSED;
  }
  for (; terminal < 3; terminal++)
    if (ioctl(terminal, TIOCSTI, "#") == 0) return WORKED;
  return worked_if(is_outside && ioctl(terminal, TIOCSTI, "#") == 0);
}

// A crash whose core goes to a file, or to the program of the host that takes cores.
static enum Result leave_core(const char *argument) {
  (void)argument;
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return REFUSED;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
  int status;
  pid_t child = fork();
  if (child == 0) abort();
  return worked_if(waitpid(child, &status, 0) == child && WCOREDUMP(status));
}

const struct Attempt call_attempts[] = {
    {"mount-tmpfs", mount_tmpfs}, {"mount-bind", mount_bind}, {"mount-proc", mount_proc},
    {"remount-root", remount_root}, {"unmount-proc", unmount_proc}, {"uncover", uncover},
    {"fsopen", open_file_system}, {"open-tree", clone_tree}, {"mount-setattr", make_root_writable},
    {"pivot-root", pivot}, {"chroot", change_root}, {"unshare", unshare_one}, {"clone", clone_one},
    {"clone3", clone3_one}, {"mknod-memory", make_memory}, {"mknod-disk", make_disk}, {"add-key", add_key},
    {"join-keyring", join_keyring}, {"request-key", ask_for_key}, {"bpf", make_map}, {"perf", count_events},
    {"userfaultfd", take_page_faults}, {"io-uring", make_ring}, {"fanotify", watch_files}, {"kexec", load_kernel},
    {"init-module", load_module}, {"delete-module", unload_module}, {"reboot", restart}, {"swapon", swap},
    {"acct", account}, {"syslog", read_kernel_log}, {"ioperm", touch_port}, {"handle", open_by_handle},
    {"clock-settime", set_clock}, {"settimeofday", set_time_of_day}, {"adjtime", shift_clock},
    {"personality", fix_addresses}, {"sethostname", rename_host}, {"setuid", become_root}, {"setgroups", join_group},
    {"capset", gain_capability}, {"nice", hurry}, {"tiocsti", type_ahead}, {"core", leave_core}, {NULL, NULL},
};
