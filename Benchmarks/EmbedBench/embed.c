/* What libsync costs the process that holds it: loading it, a node that has nothing to do, a call.
 *   embed LIBSYNC FOLDER */
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
  sleep(2);
  double used = processor();
  sleep(IDLE_SECONDS);
  used = processor() - used;
  printf("an idle node       %7.1f MB resident, %.1f of them its own (wanted: 40)\n", resident("VmRSS:"),
         resident("RssAnon:"));
  printf("                   %7.3f ms of processor a second (wanted: 0)\n", used * 1e3 / IDLE_SECONDS);

  sync_node_status status = SYNC_NODE_STATUS_INIT;
  begun = now();
  for (int i = 0; i < CALLS; i++)
    if (get_status(node, &status, NULL) != 0) return 3;
  printf("a status           %7.2f us\n", (now() - begun) * 1e6 / CALLS);
  destroy(node);
  return 0;
}
