/* What the files of the bwrap plugin share. See sandbox-bwrap.c. */
#ifndef SANDBOX_BWRAP_H
#define SANDBOX_BWRAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sync/plugin.h"

#pragma GCC visibility push(hidden)

#define TICK_MILLISECONDS 20
/* Who the build is from outside: nobody else's number. Inside it is 1000. */
#define OUTSIDE_ID 1398362881
#define TEXT_MAX 4400

/* ---- sandbox-bwrap-tools.c ---- */

/* Why something failed, as the host is told. */
typedef struct {
  int32_t code;
  char message[700];
} fault;

/* Keeps the sentence, unless there is one already, and gives -1. */
int fail(fault *fault, int32_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* snprintf that gives -1 when the text does not fit. */
int format(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Strings for execve: grows by itself, and ends with a NULL. */
typedef struct {
  char **items;
  size_t count, capacity;
  int is_short_of_memory;
} list;

void list_add(list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void list_free(list *list);

int64_t monotonic_nanoseconds(void);
void pause_milliseconds(int milliseconds);
void close_descriptor(int *descriptor);

/* Looks a program up in PATH. 0, or -1 when there is none. */
int find_program(const char *name, char *path, size_t size);

/* A program to start. A descriptor of -1 is /dev/null, or nothing for those above 2. */
typedef struct {
  const char *path;
  char *const *arguments;
  int descriptors[5];
  int directory;         /* to start in, or -1 */
  const int *groups;     /* open cgroup.procs files to enter */
  size_t groups_count;
  uint64_t cpu_seconds;  /* bounds of each process; 0 where there is none */
  uint64_t file_bytes;
} child;

/* Starts it as OUTSIDE_ID. Its process number, or -1. It dies with the thread that calls this. */
pid_t start(const child *child, fault *fault);

/* Waits for the child's end, killing it first when asked. Gives the status of wait. */
int reap(pid_t pid, int kill_first);

/* Runs a program and keeps the beginning of what it prints. The status of wait, or -1. */
int capture(const char *path, char *const *arguments, sync_call *call, char *text, size_t size);

/* Removes a file or a whole folder; what is not there is no failure. */
int remove_tree(int parent, const char *name);
/* Removes all that is in a folder. */
int empty_folder(int folder);

/* Copies folders. What arrives is harmless: no link is followed, and devices and sockets arrive as FIFOs. */
typedef struct {
  uint64_t budget; /* bytes that may still come */
  int owner;       /* of what arrives; -1: this process's */
  char *buffer;    /* of COPY_BYTES */
} copy;

#define COPY_BYTES 131072

/* 0; 1 when the budget does not suffice; -1 with errno. */
int copy_folder(copy *copy, int from, int to);

/* A file with a system call filter, as bubblewrap takes it; -1 on a processor that it does not know. */
int open_filter(void);

/* Last words of a program, made fit for a sentence. */
typedef struct {
  char bytes[300];
  size_t count;
} last_words;

void last_words_add(last_words *words, const char *bytes, size_t size);
const char *last_words_text(last_words *words);

/* ---- sandbox-bwrap-cgroups.c ---- */

enum { MEMORY, PIDS, CPU, CONTROLLERS };
#define GROUPS_MAX 4

/* A group for one run in each hierarchy that is needed. */
typedef struct {
  char folders[GROUPS_MAX][TEXT_MAX];
  int entrances[GROUPS_MAX]; /* open cgroup.procs files */
  size_t count;
  int place[CONTROLLERS];    /* which folder has it */
  int version[CONTROLLERS];  /* 1 or 2; 0: none */
} groups;

/* Makes the groups of a run and sets their bounds. Their paths are written to the note first, so that they are found
 * after a crash. */
int groups_make(groups *groups, const char *run_id, int note, uint64_t memory_bytes, uint64_t disk_bytes,
                uint64_t processes, fault *fault);

/* Kills what is in the groups. The number of processes that were found. */
size_t groups_kill(const groups *groups);

/* Removes the groups after killing what is in them. 0, or -1 when something would not die. */
int groups_remove(groups *groups);

/* Removes one group by its path, which must be that of a run of this name. 1 when there was one, 0 when not, -1 when it
 * would not go. */
int group_remove_leftover(const char *folder, const char *run_id);

uint64_t groups_cpu_nanoseconds(const groups *groups);
uint64_t groups_memory_bytes(const groups *groups);
uint64_t groups_memory_peak_bytes(const groups *groups);
uint64_t groups_memory_kills(const groups *groups);
uint64_t groups_refusals(const groups *groups);

/* ---- sandbox-bwrap-run.c ---- */

typedef struct {
  char directory[PATH_MAX]; /* the state directory */
  char bwrap[PATH_MAX];     /* "": it was not found */
  int toolchains, runs;     /* the folders in it */
} sandbox;

int32_t run_method(void *instance, const sync_run_request *request, sync_call *call);

/* ---- sandbox-bwrap.c ---- */

/* The table of the host's functions. */
extern const sync_host *host;

/* Ends a call that failed. */
int32_t tell(sync_call *call, const fault *fault);

int is_prepared(const sandbox *self, const char *digest);

/* Makes and locks a run's note. Its descriptor, or -1. */
int make_note(const sandbox *self, const char *run_id, fault *fault);

#pragma GCC visibility pop

#endif
