/* Follows the words of a recipe, and isolates nothing. A hostile instance does what they say ill:
 *
 *   fine       writes the artifact, whoever runs it
 *   twice      answers twice, then from another thread once more
 *   fails      fails the call
 *   number     returns a number that nobody knows, and no answer
 *   kind       answers with bytes
 *   ending     ends in a way that there is not
 *   version    ends with a result of another ABI
 *   printing   prints more than it may
 *   silent     returns and never answers
 *   blocked    does not return before it is cancelled, and answers then
 *   reenter    calls the program's function from the method
 *   late       answers from another thread, behind its return
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins.h"

#ifndef SANDBOX_ENTRY
#define SANDBOX_ENTRY sandbox_entry
void (*sandbox_reenter)(void);
int live_instances;
#endif

static const sync_host *host;

typedef struct {
  int is_hostile;
} sandbox;

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  sandbox *self = calloc(1, sizeof *self);
  if (self == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  for (size_t i = 0; i < request->settings_count; i++)
    if (strcmp(request->settings[i].name, "hostile") == 0) self->is_hostile = 1;
#ifndef SHARED
  __atomic_add_fetch(&live_instances, 1, __ATOMIC_SEQ_CST);
#endif
  host->call_finish_instance(call, self);
  return SYNC_PLUGIN_OK;
}

static void destroy(void *self) {
  free(self);
#ifndef SHARED
  __atomic_sub_fetch(&live_instances, 1, __ATOMIC_SEQ_CST);
#endif
}

static int32_t probe(void *self, const sync_plain_request *request, sync_call *call) {
  (void)self, (void)request;
  const sync_finding finding = {sizeof finding, SYNC_ABI_VERSION, 1, 0, "isolation", "none is wanted in a test", NULL};
  host->call_add_finding(call, &finding);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t prepare(void *self, const sync_toolchain_request *request, sync_call *call) {
  (void)self, (void)request;
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static void finish(sync_call *call, int32_t ending) {
  const sync_run_result result = {sizeof result, SYNC_ABI_VERSION, ending, 0, 1000, 0, 0};
  host->call_finish_run(call, &result);
}

static void *later(void *call) {
  usleep(50000);
  finish(call, SYNC_RUN_EXITED);
  return NULL;
}

static void start_later(sync_call *call) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, later, call) == 0) pthread_detach(thread);
}

static int write_artifact(const sync_run_request *request, char *word, size_t size) {
  const char *recipe = NULL, *output = NULL;
  for (size_t i = 0; i < request->mounts_count; i++) {
    if (strcmp(request->mounts[i].inside_path, "/input/recipe.sh") == 0) recipe = request->mounts[i].host_path;
    if (strcmp(request->mounts[i].inside_path, "/output") == 0) output = request->mounts[i].host_path;
  }
  if (recipe == NULL || output == NULL) return -1;
  FILE *file = fopen(recipe, "r");
  if (file == NULL) return -1;
  if (fgets(word, (int)size, file) == NULL) word[0] = 0;
  fclose(file);
  word[strcspn(word, "\n")] = 0;
  char path[4096];
  snprintf(path, sizeof path, "%s/out", output);
  file = fopen(path, "w");
  if (file == NULL) return -1;
  fprintf(file, "made by the recipe %s\n", word);
  return fclose(file);
}

static int32_t run(void *self, const sync_run_request *request, sync_call *call) {
  char word[64];
  if (write_artifact(request, word, sizeof word) != 0) {
    host->call_fail(call, SYNC_PLUGIN_IO, "The recipe or the output folder cannot be used");
    return SYNC_PLUGIN_OK;
  }
  host->call_add_transcript(call, "running\n", 8);
  if (!((sandbox *)self)->is_hostile || strcmp(word, "fine") == 0) {
    finish(call, SYNC_RUN_EXITED);
  } else if (strcmp(word, "twice") == 0) {
    finish(call, SYNC_RUN_EXITED);
    finish(call, SYNC_RUN_SIGNALLED);
    if (host->call_finish(call) != SYNC_ERROR_STATE) abort();
    start_later(call);
  } else if (strcmp(word, "fails") == 0) {
    host->call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "This sandbox\nwill not");
  } else if (strcmp(word, "number") == 0) {
    return 4711;
  } else if (strcmp(word, "kind") == 0) {
    if (host->call_finish_bytes(call, "bytes", 5) != SYNC_ERROR_INVALID_ARGUMENT) abort();
    if (host->call_finish(call) != SYNC_ERROR_STATE) abort();
  } else if (strcmp(word, "ending") == 0) {
    finish(call, 99);
  } else if (strcmp(word, "version") == 0) {
    const sync_run_result result = {sizeof result, SYNC_ABI_VERSION + 1, 0, 0, 0, 0, 0};
    host->call_finish_run(call, &result);
  } else if (strcmp(word, "printing") == 0) {
    char page[4096];
    memset(page, 'x', sizeof page);
    int refused = 0;
    for (uint64_t sent = 0; sent < 2 * request->transcript_bytes; sent += sizeof page)
      refused |= host->call_add_transcript(call, page, sizeof page) == SYNC_ERROR_TOO_LARGE;
    if (!refused) abort();
    finish(call, SYNC_RUN_TRANSCRIPT_EXCEEDED);
  } else if (strcmp(word, "silent") == 0) {
    return SYNC_PLUGIN_OK;
  } else if (strcmp(word, "blocked") == 0) {
    struct pollfd cancelled = {host->call_get_cancel_descriptor(call), POLLIN, 0};
    while (!host->call_is_cancelled(call)) poll(&cancelled, 1, -1);
    host->call_fail(call, SYNC_PLUGIN_CANCELLED, NULL);
#ifndef SHARED
  } else if (strcmp(word, "reenter") == 0) {
    if (sandbox_reenter != NULL) sandbox_reenter();
    finish(call, SYNC_RUN_EXITED);
#endif
  } else {
    start_later(call);
  }
  return SYNC_PLUGIN_OK;
}

const sync_plugin *SANDBOX_ENTRY(const sync_host *table) {
  static const sync_sandbox_methods methods = {sizeof methods, SYNC_ABI_VERSION, probe, prepare, prepare, run, NULL};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-echo", .version = "1",
    .create = create, .destroy = destroy, .sandbox = &methods};
  if (table->abi_version != SYNC_ABI_VERSION) return NULL;
  host = table;
  return &plugin;
}
