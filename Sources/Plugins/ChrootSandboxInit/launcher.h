// The sandbox's launcher: one C program that sets up a run, watches it and reports how it ended.
//
// Three processes a run:
//   launcher   in the host's namespaces; owns cgroups, clock and transcript          (launcher.c, cgroup.c)
//   init       process 1 of the run's namespaces; mounts, reaps, brings /output home
//                                                                  (inside.c, root.c, covers.c, harvest.c)
//   worker     the program of the request: no capability, no new privilege, restricted, filtered
//                                                                  (worker.c, landlock.c, filter.c)
//
// The launcher makes ids and cgroups while init begins, and then, if it is root, the network namespace while init
// mounts; both reach init as orders (orders.c). An ordinary user's init makes its network itself: it must own it.
//
// Each watches the one above: the launcher dies with its standard input, init with the launcher (parent-death
// signal), and the kernel ends every process of the run with init.
//
// Standard input carries the settings and then stays open as the lifeline; standard output carries the transcript;
// standard error carries the report, in lines:
//   fault CODE SENTENCE          the sandbox failed; CODE is a PluginError.Code
//   end exited STATUS | signalled NUMBER | wall | cpu | memory | processes | disk | transcript
//   wall NANOSECONDS, cpu NANOSECONDS, memory BYTES
//
// As the action of a remote engine it reads and writes files instead (action.c).
#ifndef SYNCHRONICITY_LAUNCHER_H
#define SYNCHRONICITY_LAUNCHER_H

#include "filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/mount.h>

enum {
  MOUNTS_MAX = 4096,
  ARGUMENTS_MAX = 4096,
  PATH_BYTES = 4096,
  SETTINGS_BYTES_MAX = 4 << 20,
  // The ids that a run sees, and the niceness that leaves the consensus its processor.
  INSIDE_ID = 1000,
  NICENESS = 10,
  // Folders of a writable mount that are deeper, or whose path is longer, stay behind: an artifact's path has at most
  // 255 bytes, and what comes to the host must be in reach of its system calls, which take 4096.
  DEPTH_MAX = 130,
  HARVEST_PATH_BYTES_MAX = 1024,
};

// A host id that no account and no subordinate range of a usual host has: what ids 1000 inside are outside when the
// launcher runs as root.
#define OUTSIDE_ID ((uid_t)1398362881)

enum FaultCode {  // PluginError.Code
  FAULT_UNAVAILABLE = 1,
  FAULT_INVALID = 4,
  FAULT_IO = 5,
  FAULT_CANCELLED = 6,
};

struct Mount {
  const char *host;
  const char *inside;
  bool writable;
  int tree;  // detached clone of a read-only mount, or the host folder of a writable one
};

struct Settings {
  const char *run;
  const char *state;      // folder: runs/, mountpoint/
  const char *toolchain;  // unpacked root
  const char *host_name;
  const char *directory;
  char *arguments[ARGUMENTS_MAX + 1];
  char *environment[ARGUMENTS_MAX + 1];
  struct Mount *mounts;
  size_t argument_count, environment_count, mount_count;
  bool has_own_directory;  // the working directory is a private folder, since the toolchain has none of that name
  uint64_t wall_seconds, cpu_seconds, memory_bytes, processes, disk_bytes, transcript_bytes;
  bool trial;  // a probe: everything is set up, nothing is executed
  bool is_action;  // of a remote engine: there is no lifeline
};

// What a cgroup cannot enforce on this host, init samples.
struct Sampled {
  bool cpu, memory, processes;
};

// Ids as seen from the outside, and how the run gets to them.
struct Identity {
  bool is_root;          // the launcher is root: init keeps the host's user namespace
  bool worker_namespace; // the worker gets a user namespace of its own
  uid_t outside;         // owner of private files, as init names it
  int idmap;             // user namespace that maps root's files to `outside`, or -1
};

enum MessageKind { MESSAGE_FAULT = 1, MESSAGE_STARTED, MESSAGE_WORKER_ENDED, MESSAGE_STRUCK, MESSAGE_FINISHED };
enum Strike { STRIKE_NONE, STRIKE_WALL, STRIKE_CPU, STRIKE_MEMORY, STRIKE_TRANSCRIPT };

// From the launcher to init, once ids and cgroups are ready, and again with the network. Descriptors travel beside it.
struct Orders {
  struct Identity identity;
  struct Sampled sampled;
  int doors[3];  // version 1 cgroups: files that move who writes "0" to them, or -1
  int network;   // the namespace to enter, or -1
};

// From init to the launcher; shorter than PIPE_BUF, so each arrives whole.
struct Message {
  int32_t kind;
  int32_t value;  // fault code, wait status or strike
  uint64_t at_nanoseconds;  // CLOCK_MONOTONIC
  uint64_t cpu_nanoseconds, memory_bytes;
  uint8_t disk_full, processes_full, harvest_overflow, sampled;
  char text[512];
};

// launcher.c
extern char *program_path;  // the memory in which the kernel shows it
_Noreturn void fault(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// limits.c
// Nanoseconds in which the processes of this host hardly use so much up: at 8 bytes a nanosecond and core, and a file a
// microsecond. What watches a limit may rest that long; the kernel's own bounds hold meanwhile.
void count_cores(void);
uint64_t rest_for_bytes(uint64_t bytes);
uint64_t rest_for_files(uint64_t files);
uint64_t rest_for_processor(uint64_t nanoseconds);
uint64_t rest_between(uint64_t least, uint64_t wanted, uint64_t most);

// orders.c
bool send_orders(int channel, const struct Orders *orders);
bool receive_orders(int channel, struct Orders *orders);

// settings.c
void read_settings(struct Settings *settings);

// action.c
// Returns the state folder; for a probe it reads no settings.
char *action_begin(bool is_probe);
void action_prepare(struct Settings *settings);
void action_end(const struct Settings *settings);
// The path on this host of one that begins at the action's folder; as it is, when there is none.
char *action_path(const char *value);

// pack.c
void pack_writable(const struct Settings *settings, const char *path);

// identity.c
struct Identity identity(void);
int write_file(const char *path, const char *text);
int write_maps(pid_t pid, uid_t inside, uid_t outside_uid, gid_t outside_gid, bool deny_groups);

// cgroup.c
struct Groups {
  char memory[PATH_BYTES], pids[PATH_BYTES], cpu[PATH_BYTES];  // empty when not enforceable
  int memory_version, pids_version, cpu_version;
  char second[PATH_BYTES];  // the version 2 cgroup, or empty
  int folder;               // of it, for clone3, or -1
};
// Version 2 comes before init, which is born in it; version 1 beside it, and init moves itself.
void groups_make_second(struct Groups *groups, const struct Settings *settings);
void groups_make_first(struct Groups *groups, const struct Settings *settings, int *doors);
bool groups_cpu(const struct Groups *groups, uint64_t *nanoseconds);
bool groups_anonymous(const struct Groups *groups, uint64_t *bytes);
bool groups_peak(const struct Groups *groups, uint64_t *bytes);
uint64_t groups_kills(const struct Groups *groups);
uint64_t groups_refusals(const struct Groups *groups);
struct Outside {
  uint64_t kills, refusals;
};
struct Outside groups_outside(void);
void groups_remove(struct Groups *groups);
void groups_remove_leftovers(const char *run);

// inside.c, process 1
_Noreturn void init(struct Settings *settings, int status, int channel);
_Noreturn void init_fault(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// root.c
// Fills `writable[i]` for each writable mount with a descriptor of its folder inside; returns one of the disk.
int make_root(struct Settings *settings, struct Identity identity, int *writable);

enum { READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
int clone_tree(const char *path);
int set_attributes(int tree, uint64_t attributes, int idmap);
int attach_open(int tree, const char *at);
int attach(int tree, const char *at);  // closes the tree

// covers.c
void cover_processes(int file, int folder);

// harvest.c
bool harvest(int from, int to, uint64_t *budget, uid_t owner);
int remove_contents(int directory, int depth);
bool is_empty(int directory);

// worker.c
_Noreturn void worker(struct Settings *settings, struct Identity identity, struct Sampled sampled, int mapped);

// landlock.c
int landlock_version(void);
bool landlock_is_used(int version);
bool landlock_has_scopes(int version);
int landlock_restrict(const struct Settings *settings);

// leftovers.c
int lock_run(const char *state, const char *run);
void unlock_run(const char *state, const char *run);
int clean(const char *state);

// sample.c
struct Usage {
  uint64_t cpu_nanoseconds, memory_bytes, processes;
};
void sample(struct Usage *usage);

#endif
