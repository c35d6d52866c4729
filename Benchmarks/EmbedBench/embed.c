/* What libsync costs the process that holds it: loading it, a node that has nothing to do, a call.
 *   embed LIBSYNC FOLDER */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sync/node.h>

#define IDLE_SECONDS 10
/* What fails the program: as wanted, and of the processor what one wake-up a second may take at the most. */
#define RESIDENT_MAX 40.0
#define WAKE_UPS_MAX 1.5
#define PROCESSOR_MAX 0.5
#define CALLS 20000

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double processor(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Megabytes of VmRSS, or of its part that is no file's. */
static double resident(const char *field) {
  char line[256];
  double kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, field, strlen(field)) == 0) kilobytes = atof(line + strlen(field) + 1);
  if (file != NULL) fclose(file);
  return kilobytes / 1024;
}

#define TASKS_MAX 256
typedef struct {
  long task, waits;
} task_waits;

/* How often each thread but this one, which sleeps, went to wait for something. */
static size_t look(task_waits *into) {
  char path[300], line[256];
  size_t found = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *task; tasks != NULL && found < TASKS_MAX && (task = readdir(tasks)) != NULL;) {
    if (task->d_name[0] == '.' || atol(task->d_name) == (long)getpid()) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
    FILE *file = fopen(path, "r");
    into[found] = (task_waits){.task = atol(task->d_name)};
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
      if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0) into[found].waits = atol(line + 24);
    if (file != NULL) fclose(file);
    found++;
  }
  if (tasks != NULL) closedir(tasks);
  return found;
}

/* Those of the threads that are there now, since they were looked at. */
static long waits_since(const task_waits *before, size_t count) {
  static task_waits after[TASKS_MAX];
  long sum = 0;
  for (size_t i = look(after); i > 0; i--) {
    sum += after[i - 1].waits;
    for (size_t k = 0; k < count; k++)
      if (before[k].task == after[i - 1].task) sum -= before[k].waits;
  }
  return sum;
}

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (found == NULL) exit(3);
  return found;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  struct stat info;
  char path[4096], text[65536];
  double before = resident("VmRSS:"), begun = now();
  void *library = dlopen(arguments[1], RTLD_NOW);
  double loaded = now();
  if (library == NULL || stat(arguments[1], &info) != 0) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  sync_status (*create)(const uint8_t *, size_t, const char *, const sync_registry *, const sync_node_options *,
                        sync_node **, sync_error **) = symbol(library, "sync_node_create");
  sync_status (*start)(sync_node *, sync_error **) = symbol(library, "sync_node_start");
  sync_status (*get_status)(sync_node *, sync_node_status *, sync_error **) = symbol(library, "sync_node_get_status");
  void (*destroy)(sync_node *) = symbol(library, "sync_node_destroy");
  const char *(*message)(const sync_error *) = symbol(library, "sync_error_get_message");
  printf("libsync.so.1       %7.1f MB\n", (double)info.st_size / (1 << 20));
  printf("loading it         %7.2f ms\n", (loaded - begun) * 1e3);
  printf("memory with it     %7.1f MB, %.1f before\n", resident("VmRSS:"), before);

  snprintf(path, sizeof path, "%s/config.toml", arguments[2]);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 3;
  size_t size = fread(text, 1, sizeof text, file);
  fclose(file);
  sync_node *node = NULL;
  sync_error *error = NULL;
  begun = now();
  if (create((const uint8_t *)text, size, arguments[2], NULL, NULL, &node, &error) != 0 || start(node, &error) != 0) {
    fprintf(stderr, "%s\n", message(error));
    return 3;
  }
  printf("a node's start     %7.2f ms\n", (now() - begun) * 1e3);
  /* Until the threads that Dispatch made for the start have ended. */
  sleep(7);
  double used = processor();
  static task_waits before_idle[TASKS_MAX];
  size_t tasks = look(before_idle);
  sleep(IDLE_SECONDS);
  used = (processor() - used) * 1e3 / IDLE_SECONDS;
  double wakeups = (double)waits_since(before_idle, tasks) / IDLE_SECONDS, memory = resident("VmRSS:");
  printf("an idle node       %7.1f MB resident, %.1f of them its own (bound %.0f)\n", memory, resident("RssAnon:"),
         RESIDENT_MAX);
  /* Swift's Dispatch looks at its worker threads once a second, whatever they do: nothing else may wake up. */
  printf("                   %7.1f wake-ups a second (bound %.1f: one is Dispatch's own)\n", wakeups, WAKE_UPS_MAX);
  printf("                   %7.3f ms of processor a second (bound %.1f)\n", used, PROCESSOR_MAX);
  int is_idle = memory <= RESIDENT_MAX && wakeups <= WAKE_UPS_MAX && used <= PROCESSOR_MAX;
  if (!is_idle) fprintf(stderr, "embed: an idle node takes more than it may\n");

  sync_node_status status = SYNC_NODE_STATUS_INIT;
  begun = now();
  for (int i = 0; i < CALLS; i++)
    if (get_status(node, &status, NULL) != 0) return 3;
  printf("a status           %7.2f us\n", (now() - begun) * 1e6 / CALLS);
  destroy(node);
  return is_idle ? 0 : 1;
}
