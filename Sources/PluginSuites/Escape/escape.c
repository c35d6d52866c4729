// Runs attempts, each in a process of its own, and prints a line for each: its words, then `worked` or
// `refused REASON`.
//
//   escape ATTEMPT[:ARGUMENT]…             inside a sandbox
//   escape --outside ATTEMPT[:ARGUMENT]…   without one, to show that each can work
//   escape serve PATH NAME                 listens in every family until its standard input ends
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 20, AM_ROOT = 42, CALL_CLOSE_RANGE = 436 };

bool is_outside;

enum Result worked_if(bool condition) { return condition ? WORKED : REFUSED; }

enum Result got_past(long result, int error) { return worked_if(result >= 0 || errno == error); }

pid_t victim(void) {
  if (!is_outside) return 1;
  int ready[2];
  char byte;
  if (pipe(ready) != 0) _exit(3);
  pid_t child = fork();
  if (child == 0) {
    alarm(SECONDS_MAX);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The end of this file tells that the parent's death will be a signal; of the others only the first stays open.
    syscall(CALL_CLOSE_RANGE, 1, ~0U, 0);
    for (;;) pause();
  }
  close(ready[1]);
  if (child > 0 && read(ready[0], &byte, 1) != 0) _exit(3);
  close(ready[0]);
  return child;
}

static void write_text(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  if (file < 0 || write(file, text, strlen(text)) < 0) _exit(3);
  close(file);
}

void go_apart(int flags) {
  if (!is_outside) return;
  bool is_root = geteuid() == 0;
  char map[64];
  snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
  if (unshare(flags | CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0) _exit(3);
  if (!is_root) write_text("/proc/self/uid_map", map);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(3);
}

static const struct Attempt *find(const char *word, size_t length) {
  const struct Attempt *const tables[] = {call_attempts, process_attempts, reach_attempts};
  for (int i = 0; i < 3; i++)
    for (const struct Attempt *attempt = tables[i]; attempt->name; attempt++)
      if (strlen(attempt->name) == length && !strncmp(attempt->name, word, length)) return attempt;
  return NULL;
}

static void run(const char *word) {
  const char *colon = strchr(word, ':');
  const struct Attempt *attempt = find(word, colon ? (size_t)(colon - word) : strlen(word));
  if (!attempt) {
    printf("%s unknown\n", word);
    return;
  }
  int report[2], said[2] = {REFUSED, 0}, status;
  if (pipe2(report, O_CLOEXEC) != 0) exit(2);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    alarm(SECONDS_MAX);
    errno = 0;
    said[0] = attempt->make(colon ? colon + 1 : "");
    said[1] = errno;
    _exit(write(report[1], said, sizeof said) == sizeof said ? 0 : 1);
  }
  close(report[1]);
  bool is_told = child > 0 && read(report[0], said, sizeof said) == sizeof said;
  close(report[0]);
  if (child < 0 || waitpid(child, &status, 0) != child) exit(2);
  if (is_told && said[0] == WORKED) printf("%s worked\n", word);
  else if (is_told) printf("%s refused %s\n", word, strerrorname_np(said[1]) ? strerrorname_np(said[1]) : "?");
  else if (WIFSIGNALED(status)) printf("%s refused by signal %d\n", word, WTERMSIG(status));
  else printf("%s unprepared\n", word);
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  // Whoever starts this may have signals blocked, the alarms that end an attempt among them.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (count == 2 && !strcmp(words[1], "--am-i-root")) return geteuid() == 0 ? AM_ROOT : 0;
  if (count == 3 && !strcmp(words[1], "linger")) return linger();
  if (count == 4 && !strcmp(words[1], "serve")) return serve(words[2], words[3]);
  int first = 1;
  if (count > 1 && !strcmp(words[1], "--outside")) is_outside = true, first = 2;
  for (int i = first; i < count; i++) run(words[i]);
  return 0;
}
