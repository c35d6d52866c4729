/* Starting programs, copying and removing folders, the system call filter. See sandbox-bwrap.c. */
#include "sandbox-bwrap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int fail(fault *fault, int32_t code, const char *format, ...) {
  if (fault->code != SYNC_PLUGIN_OK) return -1;
  fault->code = code;
  va_list values;
  va_start(values, format);
  vsnprintf(fault->message, sizeof fault->message, format, values);
  va_end(values);
  return -1;
}

int format(char *text, size_t size, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, size, format, values);
  va_end(values);
  return length >= 0 && (size_t)length < size ? 0 : -1;
}

void list_add(list *list, const char *format, ...) {
  if (list->count + 2 > list->capacity) {
    size_t capacity = list->capacity * 2 + 64;
    char **items = realloc(list->items, capacity * sizeof *items);
    if (items == NULL) {
      list->is_short_of_memory = 1;
      return;
    }
    list->items = items;
    list->capacity = capacity;
  }
  va_list values;
  va_start(values, format);
  char *item = NULL;
  if (vasprintf(&item, format, values) < 0) list->is_short_of_memory = 1;
  else list->items[list->count++] = item;
  va_end(values);
  list->items[list->count] = NULL;
}

void list_free(list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->items[i]);
  free(list->items);
  memset(list, 0, sizeof *list);
}

int64_t monotonic_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void pause_milliseconds(int milliseconds) { poll(NULL, 0, milliseconds); }

void close_descriptor(int *descriptor) {
  if (*descriptor >= 0) close(*descriptor);
  *descriptor = -1;
}

int find_program(const char *name, char *path, size_t size) {
  const char *folders = getenv("PATH");
  if (folders == NULL || *folders == 0) folders = "/usr/local/bin:/usr/bin:/bin";
  while (*folders) {
    int length = (int)strcspn(folders, ":");
    struct stat info;
    if (*folders == '/' && format(path, size, "%.*s/%s", length, folders, name) == 0 && stat(path, &info) == 0 &&
        S_ISREG(info.st_mode) && access(path, X_OK) == 0)
      return 0;
    folders += length;
    if (*folders == ':') folders++;
  }
  return -1;
}

/* ---- Starting ---- */

/* From here to become, only what is safe between fork and exec in a process with threads. */

static void give_up(int errors, const char *sentence) {
  ssize_t written = write(errors, sentence, strlen(sentence));
  (void)written;
  _exit(126);
}

static void limit(__rlimit_resource_t resource, rlim_t value) {
  struct rlimit bound;
  if (getrlimit(resource, &bound) != 0) give_up(2, "A bound of the process cannot be read.\n");
  if (bound.rlim_max != RLIM_INFINITY && bound.rlim_max < value) value = bound.rlim_max;
  bound.rlim_cur = bound.rlim_max = value;
  if (setrlimit(resource, &bound) != 0) give_up(2, "A bound of the process cannot be set.\n");
}

static void become(const child *child, const int descriptors[5], pid_t parent) {
  struct sigaction standard;
  memset(&standard, 0, sizeof standard);
  standard.sa_handler = SIG_DFL;
  for (int i = 1; i <= 64; i++) sigaction(i, &standard, NULL);
  /* These may have any number, so they come before 0 to 4 are given away. */
  for (size_t i = 0; i < child->groups_count; i++)
    if (write(child->groups[i], "0", 1) != 1) give_up(descriptors[2], "The run's cgroup cannot be entered.\n");
  if (child->directory >= 0 && fchdir(child->directory) != 0)
    give_up(descriptors[2], "The folder cannot be entered.\n");
  for (int i = 0; i < 5; i++)
    if (descriptors[i] >= 0 && dup2(descriptors[i], i) < 0) _exit(126);
  int last = descriptors[4] >= 0 ? 5 : descriptors[3] >= 0 ? 4 : 3;
  if (syscall(SYS_close_range, last, ~0U, 0) != 0) give_up(2, "Descriptors cannot be closed.\n");
  if (child->groups_count > 0) {
    /* When the host is short of memory, the run goes first. */
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "1000", 4) != 4) give_up(2, "The run's score cannot be set.\n");
    close(file);
    setpriority(PRIO_PROCESS, 0, 10);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 4096);
    limit(RLIMIT_STACK, 8 << 20);
    limit(RLIMIT_MEMLOCK, 64 << 10);
  }
  if (child->cpu_seconds > 0) limit(RLIMIT_CPU, child->cpu_seconds);
  if (child->file_bytes > 0) limit(RLIMIT_FSIZE, child->file_bytes);
  umask(022);
  /* The calls themselves: the C library's would look for this process's other threads. */
  if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, OUTSIDE_ID, OUTSIDE_ID, OUTSIDE_ID) != 0 ||
      syscall(SYS_setresuid, OUTSIDE_ID, OUTSIDE_ID, OUTSIDE_ID) != 0)
    give_up(2, "The rights of root cannot be given up.\n");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent) _exit(126);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  static char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
  execve(child->path, child->arguments, environment);
  give_up(2, "The program cannot be executed.\n");
}

pid_t start(const child *child, fault *fault) {
  /* Above the numbers that they shall have, so that none is overwritten before it is copied. */
  int descriptors[5], is_ready = 1;
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < 5; i++) {
    int source = child->descriptors[i] >= 0 ? child->descriptors[i] : i < 3 ? nothing : -1;
    descriptors[i] = source >= 0 ? fcntl(source, F_DUPFD_CLOEXEC, 10) : -1;
    if (descriptors[i] < 0 && (i < 3 || source >= 0)) is_ready = 0;
  }
  pid_t pid = -1, parent = getpid();
  if (is_ready) {
    /* Call threads block all signals, so no handler of the host runs in the child. */
    pid = fork();
    if (pid == 0) become(child, descriptors, parent);
  }
  if (pid < 0) fail(fault, SYNC_PLUGIN_UNAVAILABLE, "%s cannot be started: %s", child->path, strerror(errno));
  for (int i = 0; i < 5; i++) close_descriptor(&descriptors[i]);
  close_descriptor(&nothing);
  return pid;
}

int reap(pid_t pid, int kill_first) {
  int status = 0;
  if (kill_first) kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) break;
  return status;
}

int capture(const char *path, char *const *arguments, sync_call *call, char *text, size_t size) {
  int ends[2];
  fault ignored = {0, ""};
  *text = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const child child = {.path = path, .arguments = arguments, .descriptors = {-1, ends[1], ends[1], -1, -1},
                       .directory = -1};
  pid_t pid = start(&child, &ignored);
  close(ends[1]);
  size_t count = 0;
  int64_t end = monotonic_nanoseconds() + INT64_C(10000000000);
  int is_open = pid > 0;
  while (is_open && monotonic_nanoseconds() < end && !host->call_is_cancelled(call)) {
    struct pollfd ready = {ends[0], POLLIN, 0};
    char piece[512];
    if (poll(&ready, 1, TICK_MILLISECONDS) <= 0) continue;
    ssize_t got = read(ends[0], piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) is_open = 0;
    for (ssize_t i = 0; i < got && count + 1 < size; i++) text[count++] = piece[i];
  }
  close(ends[0]);
  text[count] = 0;
  text[strcspn(text, "\n")] = 0;
  return pid > 0 ? reap(pid, is_open) : -1;
}

/* ---- Folders ---- */

static int is_self_or_parent(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static int open_folder(int parent, const char *name) {
  return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Removes all that is in the open folder, and closes it. */
static int empty(int folder) {
  DIR *entries = folder < 0 ? NULL : fdopendir(folder);
  if (entries == NULL) {
    close_descriptor(&folder);
    return -1;
  }
  int result = 0;
  struct dirent *entry;
  while ((entry = readdir(entries)) != NULL)
    if (!is_self_or_parent(entry->d_name) && remove_tree(folder, entry->d_name) != 0) result = -1;
  closedir(entries);
  return result;
}

int empty_folder(int folder) { return empty(open_folder(folder, ".")); }

int remove_tree(int parent, const char *name) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  int folder = open_folder(parent, name);
  if (folder < 0) return -1;
  int result = empty(folder);
  return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? result : -1;
}

static int copy_file(copy *copy, int from, int to, const char *name, const struct stat *info) {
  /* The whole length counts, holes and all: whoever reads it back has a bound. */
  uint64_t left = (uint64_t)info->st_size;
  if (left > copy->budget) return 1;
  copy->budget -= left;
  int reader = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  int writer = reader < 0 ? -1 : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int result = writer < 0 ? -1 : 0;
  while (result == 0 && left > 0) {
    ssize_t got = read(reader, copy->buffer, left < COPY_BYTES ? left : COPY_BYTES);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      result = (int)got;
      break;
    }
    for (ssize_t done = 0; result == 0 && done < got;) {
      ssize_t written = write(writer, copy->buffer + done, (size_t)(got - done));
      if (written >= 0) done += written;
      else if (errno != EINTR) result = -1;
    }
    left -= (uint64_t)got;
  }
  if (result == 0 && fchmod(writer, (info->st_mode & 0777) | S_IRUSR) != 0) result = -1;
  int number = errno;
  if (reader >= 0) close(reader);
  if (writer >= 0) close(writer);
  errno = number;
  return result;
}

static int copy_link(int from, int to, const char *name) {
  char target[4097];
  ssize_t length = readlinkat(from, name, target, sizeof target - 1);
  if (length < 0) return -1;
  target[length] = 0;
  return symlinkat(target, to, name);
}

/* Folders deeper than any artifact's path can be stay behind. */
#define DEPTH_MAX 130
/* Below this depth one run copies at a time: each level takes two of the host's descriptors. */
#define DEPTH_SHARED 16
static pthread_mutex_t deep = PTHREAD_MUTEX_INITIALIZER;

static int copy_entries(copy *copy, int from, int to, int depth);

static int copy_below(copy *copy, int from, int to, const char *name, mode_t mode, int depth) {
  if (mkdirat(to, name, 0700) != 0) return -1;
  int source = open_folder(from, name);
  int target = source < 0 ? -1 : open_folder(to, name);
  if (depth == DEPTH_SHARED) pthread_mutex_lock(&deep);
  int result = copy_entries(copy, source, target, depth);
  if (depth == DEPTH_SHARED) pthread_mutex_unlock(&deep);
  if (result == 0 && fchmod(target, (mode & 0777) | S_IRWXU) != 0) result = -1;
  int number = errno;
  close_descriptor(&target);
  errno = number;
  return result;
}

static int copy_entry(copy *copy, int from, int to, const char *name, int depth) {
  struct stat info;
  if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  int result;
  if (S_ISLNK(info.st_mode)) result = copy_link(from, to, name);
  else if (S_ISREG(info.st_mode)) result = copy_file(copy, from, to, name, &info);
  else if (!S_ISDIR(info.st_mode)) result = mkfifoat(to, name, 0600);
  else if (depth >= DEPTH_MAX) return 0;
  else result = copy_below(copy, from, to, name, info.st_mode, depth + 1);
  if (result == 0 && copy->owner >= 0)
    result = fchownat(to, name, (uid_t)copy->owner, (gid_t)copy->owner, AT_SYMLINK_NOFOLLOW);
  return result;
}

/* Closes what it copies from. */
static int copy_entries(copy *copy, int from, int to, int depth) {
  DIR *entries = from < 0 || to < 0 ? NULL : fdopendir(from);
  if (entries == NULL) {
    int number = errno;
    close_descriptor(&from);
    errno = number;
    return -1;
  }
  int result = 0;
  struct dirent *entry;
  while (result == 0 && (errno = 0, entry = readdir(entries)) != NULL)
    if (!is_self_or_parent(entry->d_name)) result = copy_entry(copy, from, to, entry->d_name, depth);
  if (result == 0 && errno != 0) result = -1;
  int number = errno;
  closedir(entries);
  errno = number;
  return result;
}

int copy_folder(copy *copy, int from, int to) { return copy_entries(copy, open_folder(from, "."), to, 0); }

/* ---- The system call filter: what a build never needs, and whose kernel code has opened walls before ---- */

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifdef MACHINE
static const uint16_t denied[] = {
  SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig,
  SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_ptrace, SYS_process_vm_readv,
  SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key,
  SYS_request_key, SYS_keyctl, SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module,
  SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_name_to_handle_at,
  SYS_open_by_handle_at, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_settimeofday,
  SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_vhangup, SYS_fanotify_init, SYS_lookup_dcookie,
};
#define DENIED_COUNT (sizeof denied / sizeof *denied)

/* Families such as vsock do not live in the network namespace: unix, inet, inet6 and netlink are all that there is. */
static const uint8_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
/* CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. */
#define NEW_NAMESPACES 0x7E020000

int open_filter(void) {
  struct sock_filter code[2 * DENIED_COUNT + 40];
  size_t count = 0;
#define ADD(...) (code[count++] = (struct sock_filter)__VA_ARGS__)
#define LOAD(offset) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset)))
#define TEST(kind, value, yes, no) ADD(BPF_JUMP(BPF_JMP | (kind) | BPF_K, (value), (yes), (no)))
#define LEAVE(value) ADD(BPF_STMT(BPF_RET | BPF_K, (value)))
  LOAD(offsetof(struct seccomp_data, arch));
  TEST(BPF_JEQ, MACHINE, 1, 0);
  LEAVE(SECCOMP_RET_KILL_PROCESS);
  LOAD(offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  TEST(BPF_JGE, 0x40000000, 0, 1); /* the x32 numbers */
  LEAVE(SECCOMP_RET_ERRNO | ENOSYS);
#endif
  for (size_t i = 0; i < DENIED_COUNT; i++) {
    TEST(BPF_JEQ, denied[i], 0, 1);
    LEAVE(SECCOMP_RET_ERRNO | EPERM);
  }
  /* clone3 hides its flags in memory, where a filter cannot look; libraries fall back to clone. */
  TEST(BPF_JEQ, SYS_clone3, 0, 1);
  LEAVE(SECCOMP_RET_ERRNO | ENOSYS);
  TEST(BPF_JEQ, SYS_clone, 0, 4);
  LOAD(offsetof(struct seccomp_data, args));
  TEST(BPF_JSET, NEW_NAMESPACES, 0, 1);
  LEAVE(SECCOMP_RET_ERRNO | EPERM);
  LEAVE(SECCOMP_RET_ALLOW);
  TEST(BPF_JEQ, SYS_socket, 0, 2 * sizeof families + 2);
  LOAD(offsetof(struct seccomp_data, args));
  for (size_t i = 0; i < sizeof families; i++) {
    TEST(BPF_JEQ, families[i], 0, 1);
    LEAVE(SECCOMP_RET_ALLOW);
  }
  LEAVE(SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  LEAVE(SECCOMP_RET_ALLOW);
  int file = memfd_create("filter", MFD_CLOEXEC);
  ssize_t size = (ssize_t)(count * sizeof *code);
  if (file >= 0 && (write(file, code, (size_t)size) != size || lseek(file, 0, SEEK_SET) != 0)) close_descriptor(&file);
  return file;
}
#else
int open_filter(void) { return -1; }
#endif

/* ---- Last words ---- */

void last_words_add(last_words *words, const char *bytes, size_t size) {
  size_t most = sizeof words->bytes - 1;
  if (size > most) bytes += size - most, size = most;
  size_t kept = words->count + size > most ? most - size : words->count;
  memmove(words->bytes, words->bytes + words->count - kept, kept);
  memcpy(words->bytes + kept, bytes, size);
  words->count = kept + size;
}

const char *last_words_text(last_words *words) {
  while (words->count > 0 && strchr(" \n", words->bytes[words->count - 1]) != NULL) words->count--;
  words->bytes[words->count] = 0;
  for (size_t i = 0; i < words->count; i++)
    if (words->bytes[i] < ' ' || words->bytes[i] > '~') words->bytes[i] = words->bytes[i] == '\n' ? ' ' : '?';
  return words->count > 0 ? words->bytes : "it said nothing";
}
