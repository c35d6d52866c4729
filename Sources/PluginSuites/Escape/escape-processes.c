// Other processes, what /proc tells of them, and more of everything than a run was given.
#include "escape.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_PIDFD_OPEN = 434, CALL_PIDFD_GETFD = 438, CALL_CLOSE_RANGE = 436, CHUNK = 1 << 20, PATH_BYTES = 4096 };

static enum Result trace(const char *argument) {
  pid_t pid = *argument ? getppid() : victim();
  int status;
  if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0) return REFUSED;
  waitpid(pid, &status, __WALL);
  ptrace(PTRACE_DETACH, pid, NULL, NULL);
  return WORKED;
}

static enum Result read_memory(const char *argument) {
  (void)argument;
  char byte;
  struct iovec here = {&byte, 1}, there = {(void *)&is_outside, 1};
  // An address that the other one has not: permission was asked before.
  return got_past(process_vm_readv(victim(), &here, 1, &there, 1, 0), EFAULT);
}

static enum Result take_file(const char *argument) {
  (void)argument;
  int process = (int)syscall(CALL_PIDFD_OPEN, victim(), 0);
  return worked_if(process >= 0 && syscall(CALL_PIDFD_GETFD, process, 0, 0) >= 0);
}

static enum Result compare(const char *argument) {
  (void)argument;
  return worked_if(syscall(SYS_kcmp, getpid(), victim(), 1 /* their memories */, 0, 0) >= 0);
}

// Opens /proc/VICTIM/NAME for reading, or with a leading `+` for writing as well.
static enum Result open_other(const char *argument) {
  bool writes = argument[0] == '+';
  char path[PATH_BYTES], byte;
  snprintf(path, sizeof path, "/proc/%d/%s", victim(), argument + writes);
  int file = open(path, writes ? O_RDWR : O_RDONLY);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0) return REFUSED;
  return worked_if(writes || S_ISDIR(info.st_mode) || read(file, &byte, 1) == 1);
}

static enum Result enter_namespace(const char *argument) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", victim(), argument);
  int file = open(path, O_RDONLY);
  return worked_if(file >= 0 && setns(file, 0) == 0);
}

static enum Result enter_all(const char *argument) {
  (void)argument;
  int process = (int)syscall(CALL_PIDFD_OPEN, victim(), 0);
  return worked_if(process >= 0 && setns(process, CLONE_NEWUTS) == 0);
}

// Only opened: nothing is told to the host.
static enum Result open_for_writing(const char *argument) { return worked_if(open(argument, O_WRONLY) >= 0); }

static enum Result read_byte(const char *argument) {
  char byte;
  int file = open(argument, O_RDONLY | O_NONBLOCK);
  if (file < 0) return REFUSED;
  struct stat info;
  if (fstat(file, &info) == 0 && S_ISDIR(info.st_mode)) {
    // More than the two that an empty folder has.
    DIR *folder = fdopendir(file);
    int count = 0;
    while (folder && readdir(folder)) count++;
    errno = ENODATA;
    return worked_if(count > 2);
  }
  ssize_t count = read(file, &byte, 1);
  if (count == 0) errno = ENODATA;
  return worked_if(count == 1);
}

static enum Result is_there(const char *argument) {
  struct stat info;
  return worked_if(stat(argument, &info) == 0);
}

static bool holds(const char *path, const char *word) {
  static char text[1 << 16];
  int file = open(path, O_RDONLY);
  ssize_t count = file < 0 ? -1 : read(file, text, sizeof text);
  if (file >= 0) close(file);
  return count > 0 && memmem(text, (size_t)count, word, strlen(word));
}

// Whether a process has the word among its arguments. It is given backwards, so that this process has it not.
static enum Result find_process(const char *argument) {
  char word[256] = "", path[PATH_BYTES];
  size_t length = strlen(argument);
  for (size_t i = 0; i < length && length < sizeof word; i++) word[i] = argument[length - 1 - i];
  DIR *folder = opendir("/proc");
  struct dirent *entry;
  while (folder && (entry = readdir(folder))) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
    if (holds(path, word)) return WORKED;
  }
  errno = ESRCH;
  return REFUSED;
}

static enum Result signal_process(const char *argument) { return worked_if(kill(atoi(argument), SIGUSR1) == 0); }

int linger(void) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
  for (int i = 0; i < 600; i++) sleep(1);
  return 0;
}

// A grandchild in a session of its own, which nobody waits for and no signal reaches but the last one.
static enum Result stay(const char *argument) {
  int started[2];
  char byte;
  if (pipe(started) != 0) return REFUSED;
  if (fork() == 0) {
    setsid();
    prctl(PR_SET_PDEATHSIG, 0);
    fcntl(started[1], F_SETFD, FD_CLOEXEC);
    close(started[0]);
    if (fork() == 0) {
      setsid();
      int null = open("/dev/null", O_RDWR);
      for (int i = 0; i < 3; i++) dup2(null, i);
      syscall(CALL_CLOSE_RANGE, 3, ~0U, 4 /* when the program starts */);
      execl("/proc/self/exe", "lingerer", "linger", argument, NULL);
    }
    _exit(0);
  }
  close(started[1]);
  return worked_if(read(started[0], &byte, 1) == 0);
}

static enum Result fork_many(const char *argument) {
  int wanted = atoi(argument), count = 0;
  static pid_t children[100000];
  while (count < wanted && count < 100000 && (children[count] = fork()) > 0) count++;
  int error = errno;
  if (count < wanted && children[count] == 0) for (;;) pause();
  for (int i = 0; i < count; i++) kill(children[i], SIGKILL);
  errno = error;
  return worked_if(count == wanted);
}

// As many as there can be, by every one of them, without a pause.
static enum Result fork_without_end(const char *argument) {
  (void)argument;
  if (is_outside) _exit(3);
  for (;;) fork();
}

static bool fill(char *bytes, size_t megabytes) {
  if (bytes == MAP_FAILED) return false;
  for (size_t at = 0; at < megabytes * CHUNK; at += 4096) bytes[at] = 1;
  return true;
}

static enum Result take_memory(const char *argument) {
  size_t count = (size_t)atoi(argument);
  return worked_if(fill(mmap(NULL, count * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), count));
}

static enum Result take_file_memory(const char *argument) {
  size_t count = (size_t)atoi(argument);
  int file = memfd_create("escape", 0);
  if (file < 0 || ftruncate(file, (off_t)(count * CHUNK)) != 0) return REFUSED;
  return worked_if(fill(mmap(NULL, count * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), count));
}

static enum Result take_shared_memory(const char *argument) {
  size_t count = (size_t)atoi(argument);
  int segment = shmget(IPC_PRIVATE, count * CHUNK, IPC_CREAT | 0600);
  char *bytes = segment < 0 ? MAP_FAILED : shmat(segment, NULL, 0);
  if (segment >= 0) shmctl(segment, IPC_RMID, NULL);
  return worked_if(bytes != (char *)-1 && fill(bytes, count));
}

// FOLDER:COUNT
static int folder_and_count(const char *argument) {
  char folder[PATH_BYTES];
  snprintf(folder, sizeof folder, "%s", argument);
  char *colon = strrchr(folder, ':');
  if (!colon) _exit(3);
  *colon = 0;
  if (chdir(folder) != 0) _exit(3);
  return atoi(colon + 1);
}

static enum Result fill_disk(const char *argument) {
  int wanted = folder_and_count(argument), count = 0;
  static char bytes[CHUNK];
  int file = open("a-long-file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  while (file >= 0 && count < wanted && write(file, bytes, CHUNK) == CHUNK) count++;
  int error = errno;
  if (is_outside) unlink("a-long-file");
  errno = error;
  return worked_if(count == wanted);
}

static enum Result fill_inodes(const char *argument) {
  int wanted = folder_and_count(argument), count = 0, file = -1;
  char name[32];
  if (mkdir("many", 0700) != 0 || chdir("many") != 0) return REFUSED;
  for (; count < wanted; count++) {
    snprintf(name, sizeof name, "%d", count);
    if ((file = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0) break;
    close(file);
  }
  int error = errno;
  for (int i = 0; is_outside && i < count; i++) {
    snprintf(name, sizeof name, "%d", i);
    unlink(name);
  }
  if (is_outside && chdir("..") == 0) rmdir("many");
  errno = error;
  return worked_if(count == wanted);
}

// Folders in folders, each with a name of 200 bytes, further than any path reaches.
static enum Result dig(const char *argument) {
  int wanted = folder_and_count(argument), count = 0;
  char name[201];
  memset(name, 'd', 200), name[200] = 0;
  while (count < wanted && mkdir(name, 0755) == 0 && chdir(name) == 0) count++;
  return worked_if(count == wanted);
}

static enum Result open_many(const char *argument) {
  int wanted = atoi(argument), count = 0;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  while (count < wanted && open("/dev/null", O_RDONLY) >= 0) count++;
  return worked_if(count == wanted);
}

const struct Attempt process_attempts[] = {
    {"ptrace", trace}, {"process-vm-readv", read_memory}, {"pidfd-getfd", take_file}, {"kcmp", compare},
    {"proc-of-init", open_other}, {"setns", enter_namespace}, {"setns-pidfd", enter_all}, {"write", open_for_writing},
    {"read", read_byte}, {"exists", is_there}, {"find-process", find_process}, {"signal", signal_process},
    {"stay", stay}, {"forks", fork_many}, {"fork-bomb", fork_without_end}, {"memory", take_memory},
    {"memfd", take_file_memory}, {"shared-memory", take_shared_memory}, {"disk", fill_disk}, {"inodes", fill_inodes},
    {"deep", dig}, {"open-files", open_many}, {NULL, NULL},
};
