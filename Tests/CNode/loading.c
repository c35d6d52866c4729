/* A program that opens libsync as it runs: loading LIBRARY FOLDER.
 *
 * It is not linked with it. FOLDER holds fir, a group of one with one.policy, as scripts/check-node makes them. Loading
 * changes nothing about signals; a child that is forked beside a node that runs can verify its proofs; the library
 * stays when it is closed, and can be opened again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

#include "../CABI/check.h"

#define SECOND 1000000000ULL

/* What is needed of the library, by its own names. */
#define FUNCTIONS(each) \
  each(sync_error_get_message) each(sync_error_destroy) each(sync_bytes_get_start) each(sync_bytes_get_size) \
  each(sync_bytes_destroy) each(sync_hasher_create) each(sync_hasher_update) each(sync_hasher_finish) \
  each(sync_hasher_destroy) each(sync_verify) each(sync_node_create) each(sync_node_start) each(sync_node_submit) \
  each(sync_node_wait) each(sync_node_copy_proof) each(sync_node_get_status) each(sync_node_destroy)
#define MEMBER(name) __typeof__(name) *name;
static struct {
  FUNCTIONS(MEMBER)
} library;

static void *open_library(const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(3);
  }
#define FIND(name) CHECK((library.name = (__typeof__(name) *)dlsym(handle, #name)) != NULL);
  FUNCTIONS(FIND)
  return handle;
}

#define OK(call) \
  do { \
    sync_error *error = NULL; \
    sync_status status_of_call = (call); \
    CHECK(status_of_call == SYNC_OK); \
    if (status_of_call != SYNC_OK) fprintf(stderr, #call ": %s\n", library.sync_error_get_message(error)); \
    library.sync_error_destroy(error); \
  } while (0)

/* The signals that the kernel tells in the file; bit n - 1 is signal n. 0 when there is no such thread any more. */
static int read_signals(const char *path, const char *field, uint64_t *signals) {
  char line[256];
  unsigned long long set = 0;
  int is_there = 0;
  FILE *file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, field, strlen(field)) == 0) is_there = sscanf(line + strlen(field), ": %llx", &set) == 1;
  if (file != NULL) fclose(file);
  *signals = set;
  return is_there;
}

static uint64_t own_signals(const char *field) {
  uint64_t set = 0;
  CHECK(read_signals("/proc/thread-self/status", field, &set));
  return set;
}

#define BIT(number) (1ull << ((number) - 1))
/* Those that glibc keeps for itself: it catches 33 as soon as a second thread is made, and lets nobody block either. */
#define OF_GLIBC (BIT(32) | BIT(33))
/* What Swift's threads do not block: what one brings upon itself, and a profiler's clock. */
#define OF_THE_THREAD \
  (BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGSEGV) | BIT(SIGPIPE) | BIT(SIGPROF) | BIT(SIGSYS))
#define ALL (~(OF_GLIBC | BIT(SIGKILL) | BIT(SIGSTOP)))

static uint64_t caught(void) { return own_signals("SigCgt") & ~OF_GLIBC; }
static uint64_t ignored(void) { return own_signals("SigIgn"); }

static int is_mapped(const char *path) {
  char real[4096], line[8192];
  CHECK(realpath(path, real) != NULL);
  int found = 0;
  FILE *file = fopen("/proc/self/maps", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) found |= strstr(line, real) != NULL;
  if (file != NULL) fclose(file);
  return found;
}

static sync_node *start_node(const char *folder, file_bytes configuration) {
  sync_node *node = NULL;
  OK(library.sync_node_create(configuration.data, configuration.size, folder, NULL, NULL, &node, &error));
  OK(library.sync_node_start(node, &error));
  return node;
}

static sync_bytes *rebuild(sync_node *node) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  request.rebuild = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
  uint8_t job[32];
  sync_job_status status = SYNC_JOB_STATUS_INIT;
  sync_bytes *proof = NULL;
  OK(library.sync_node_submit(node, &request, 60 * SECOND, job, &error));
  OK(library.sync_node_wait(node, job, SYNC_PHASE_COSIGNED, 60 * SECOND, &status, &error));
  CHECK(status.verdict == SYNC_VERDICT_REPRODUCED);
  OK(library.sync_node_copy_proof(node, job, &proof, &error));
  return proof;
}

/* 0 when the proof is one of what the recipe fine makes, and of nothing else. */
static int verify(file_bytes policy, const sync_bytes *proof) {
  static const char artifact[] = "made by the recipe fine\n";
  uint8_t digest[SYNC_SHA256_SIZE];
  sync_hasher *hasher = NULL;
  if (library.sync_hasher_create(0, &hasher, NULL) != SYNC_OK) return 1;
  if (library.sync_hasher_update(hasher, artifact, sizeof artifact - 1, NULL) != SYNC_OK) return 2;
  if (library.sync_hasher_finish(hasher, digest, NULL) != SYNC_OK) return 3;
  library.sync_hasher_destroy(hasher);
  const uint8_t *start = library.sync_bytes_get_start(proof);
  size_t size = library.sync_bytes_get_size(proof);
  sync_verification shown = SYNC_VERIFICATION_INIT;
  sync_error *error = NULL;
  if (library.sync_verify(policy.data, policy.size, start, size, digest, 0, &shown, &error) != SYNC_OK) return 4;
  if (shown.verdict != SYNC_VERDICT_REPRODUCED || error != NULL) return 5;
  digest[0] ^= 1;
  if (library.sync_verify(policy.data, policy.size, start, size, digest, 0, &shown, &error) == SYNC_OK) return 6;
  if (strlen(library.sync_error_get_message(error)) == 0) return 7;
  library.sync_error_destroy(error);
  return 0;
}

static int status_of_child(file_bytes policy, const sync_bytes *proof) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(verify(policy, proof));
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  return status;
}

/* No thread of the library's takes a signal that is meant for the program; how many block all of them, as those do that
 * run plugins. */
static int count_deaf(int *others) {
  int deaf = 0;
  *others = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
    if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
    char path[512];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
    uint64_t blocked = 0;
    if (!read_signals(path, "SigBlk", &blocked)) continue;
    CHECK((blocked & ALL) == ALL || (blocked & ALL) == (ALL & ~OF_THE_THREAD));
    *((blocked & ALL) == ALL ? &deaf : others) += 1;
  }
  if (tasks != NULL) closedir(tasks);
  return deaf;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: loading LIBRARY FOLDER\n");
    return 2;
  }
  const char *path = arguments[1];
  char folder[4096], place[4200];
  snprintf(place, sizeof place, "%s/one.policy", arguments[2]);
  file_bytes policy = read_file(place);
  snprintf(folder, sizeof folder, "%s/fir", arguments[2]);
  snprintf(place, sizeof place, "%s/config.toml", folder);
  file_bytes configuration = read_file(place);

  CHECK(!is_mapped(path) && dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL);
  uint64_t caught_before = caught(), ignored_before = ignored();
  CHECK((ignored_before & BIT(SIGPIPE)) == 0);
  void *handle = open_library(path);
  CHECK(is_mapped(path));
  CHECK(caught() == caught_before && ignored() == ignored_before);
  int others = 0;
  CHECK(count_deaf(&others) == 0 && others == 0);

  /* A node catches nothing and ignores SIGPIPE alone; the program's own mask stays. */
  uint64_t blocked = own_signals("SigBlk");
  sync_node *node = start_node(folder, configuration);
  CHECK(caught() == caught_before && ignored() == (ignored_before | BIT(SIGPIPE)));
  sync_bytes *proof = rebuild(node);
  CHECK(count_deaf(&others) > 0 && others > 0);
  CHECK(own_signals("SigBlk") == blocked);

  /* A child verifies, while the parent's node goes on. */
  CHECK(verify(policy, proof) == 0);
  CHECK(status_of_child(policy, proof) == 0);
  sync_bytes *second = rebuild(node);
  CHECK(status_of_child(policy, second) == 0);
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  OK(library.sync_node_get_status(node, &status, &error));
  CHECK(status.state == SYNC_NODE_RUNNING && status.open_jobs == 0);
  library.sync_bytes_destroy(proof);
  library.sync_bytes_destroy(second);
  library.sync_node_destroy(node);

  /* Closing it does nothing: it stays, and serves again. */
  CHECK(dlclose(handle) == 0);
  CHECK(is_mapped(path));
  memset(&library, 0, sizeof library);
  handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
  CHECK(handle != NULL);
  if (handle != NULL) CHECK(dlclose(handle) == 0);
  handle = open_library(path);
  node = start_node(folder, configuration);
  proof = rebuild(node);
  CHECK(status_of_child(policy, proof) == 0);
  library.sync_bytes_destroy(proof);
  library.sync_node_destroy(node);
  CHECK(caught() == caught_before && ignored() == (ignored_before | BIT(SIGPIPE)));
  CHECK(dlclose(handle) == 0 && is_mapped(path));
  free(policy.data);
  free(configuration.data);
  return finish("loading");
}
