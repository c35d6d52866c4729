// Landlock, where the kernel has it: a second wall behind the read-only mounts. A run writes beneath its writable
// folders and nowhere else, and from version 6 on reaches no abstract socket and signals no process outside.
//
// Version 1 is left unused: it refuses every move of a file from one folder to another, which builds do.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Spelled out, since the kernel's headers of an older system lack the later ones.
enum {
  VERSION_MOVES = 2,
  VERSION_TRUNCATE = 3,
  VERSION_DEVICES = 5,
  VERSION_SCOPES = 6,
  CALL_CREATE = 444,
  CALL_ADD = 445,
  CALL_RESTRICT = 446,
  ASK_VERSION = 1,
  RULE_BENEATH = 1,
};
enum {
  WRITE_FILE = 1 << 1,
  REMOVE_FOLDER = 1 << 4,
  REMOVE_FILE = 1 << 5,
  MAKE_CHARACTER_DEVICE = 1 << 6,
  MAKE_FOLDER = 1 << 7,
  MAKE_FILE = 1 << 8,
  MAKE_SOCKET = 1 << 9,
  MAKE_FIFO = 1 << 10,
  MAKE_BLOCK_DEVICE = 1 << 11,
  MAKE_LINK = 1 << 12,
  MOVE = 1 << 13,
  TRUNCATE = 1 << 14,
  CONTROL_DEVICE = 1 << 15,
  SCOPE_ABSTRACT_SOCKETS = 1 << 0,
  SCOPE_SIGNALS = 1 << 1,
};

struct Ruleset {
  uint64_t files, network, scopes;
};

struct BeneathRule {
  uint64_t allowed;
  int32_t folder;
} __attribute__((packed));

int landlock_version(void) {
  long version = syscall(CALL_CREATE, NULL, 0, ASK_VERSION);
  return version < 0 ? 0 : (int)version;
}

bool landlock_is_used(int version) { return version >= VERSION_MOVES; }
bool landlock_has_scopes(int version) { return version >= VERSION_SCOPES; }

static int allow(int ruleset, const char *path, uint64_t rights) {
  int folder = open(path, O_PATH | O_CLOEXEC);
  if (folder < 0) return -1;
  struct BeneathRule rule = {.allowed = rights, .folder = folder};
  int result = (int)syscall(CALL_ADD, ruleset, RULE_BENEATH, &rule, 0);
  int error = errno;
  close(folder);
  errno = error;
  return result;
}

int landlock_restrict(const struct Settings *s) {
  int version = landlock_version();
  if (!landlock_is_used(version)) return 0;
  uint64_t change = WRITE_FILE | (version >= VERSION_TRUNCATE ? TRUNCATE : 0);
  uint64_t control = version >= VERSION_DEVICES ? CONTROL_DEVICE : 0;
  uint64_t folder = change | REMOVE_FOLDER | REMOVE_FILE | MAKE_FOLDER | MAKE_FILE | MAKE_SOCKET | MAKE_FIFO |
                    MAKE_LINK | MOVE;
  struct Ruleset rules = {
      .files = folder | MAKE_CHARACTER_DEVICE | MAKE_BLOCK_DEVICE | control,
      .scopes = version >= VERSION_SCOPES ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0};
  int ruleset = (int)syscall(CALL_CREATE, &rules, sizeof rules, 0);
  if (ruleset < 0) return -1;
  bool done = allow(ruleset, "/tmp", folder) == 0 && allow(ruleset, "/dev/shm", folder) == 0 &&
              allow(ruleset, "/dev", change | control) == 0 &&
              // A process's own files there; what is the host's is covered.
              allow(ruleset, "/proc", change) == 0;
  if (done && s->has_own_directory) done = allow(ruleset, s->directory, folder) == 0;
  for (size_t i = 0; done && i < s->mount_count; i++)
    if (s->mounts[i].writable) done = allow(ruleset, s->mounts[i].inside, folder) == 0;
  done = done && syscall(CALL_RESTRICT, ruleset, 0) == 0;
  int error = errno;
  close(ruleset);
  errno = error;
  return done ? 0 : -1;
}
