/* A node that cannot go on: fault FOLDER. Its disk fails, which the program learns from an event and from
 * whoever waits; the node ends by itself, and starts again where the disk is whole.
 *
 * FOLDER holds fir, a group of one, and plugins, with test-echo and test-words, as scripts/check-node makes them. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <string.h>

#include <sync.h>
#include <sync/node.h>

#include "plugins.h"
#include "tell.h"

static atomic_int is_broken;
static const sync_storage_methods *whole;

static int32_t apply(void *self, const sync_apply_request *request, sync_call *call) {
  if (!atomic_load(&is_broken)) return whole->apply(self, request, call);
  sync_get_host()->call_fail(call, SYNC_PLUGIN_IO, "the platter has come off");
  return SYNC_PLUGIN_OK;
}

static char configuration[65536];

/* The folder's own, with a storage that this program brings. */
static size_t read_configuration(const char *folder) {
  char path[4200], line[1024];
  snprintf(path, sizeof path, "%s/config.toml", folder);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, "storage = ", 10) == 0) continue;
    strncat(configuration, line, sizeof configuration - strlen(configuration) - 1);
    if (strcmp(line, "[plugins]\n") == 0)
      strncat(configuration, "storage = \"platter\"\n", sizeof configuration - strlen(configuration) - 1);
  }
  fclose(file);
  return strlen(configuration);
}

int main(int count, char **words) {
  if (count != 2) return 2;
  char folder[4100];
  snprintf(folder, sizeof folder, "%s/fir", words[1]);
  size_t size = read_configuration(folder);
  CHECK(size > 0 && strstr(configuration, "platter") != NULL);

  sync_plugin plugin = *storage_entry(sync_get_host());
  sync_storage_methods methods = *plugin.storage;
  whole = storage_entry(sync_get_host())->storage;
  methods.apply = apply;
  plugin.name = "platter";
  plugin.storage = &methods;
  sync_error *error = NULL;
  sync_registry *registry = NULL;
  OK(sync_registry_create(0, &registry, &error));
  OK(sync_registry_add(registry, &plugin, NULL, NULL, &error));
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  for (int life = 0; life < 3; life++) {
    sync_node *node = NULL;
    sync_events *events = NULL;
    uint8_t job[32];
    OK(sync_node_create((const uint8_t *)configuration, size, folder, registry, NULL, &node, &error));
    OK(sync_node_subscribe(node, 256, &events, &error));
    OK(sync_node_start(node, &error));
    OK(sync_node_submit(node, &request, 60 * SECOND, job, &error));
    OK(sync_node_wait(node, job, SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error));
    request.rebuild++;
    if (life < 2) {
      atomic_store(&is_broken, 1);
      /* It is the journal that everything waits for. */
      sync_status status = sync_node_submit(node, &request, 60 * SECOND, job, &error);
      if (status == SYNC_OK) status = sync_node_wait(node, job, SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error);
      CHECK(status != SYNC_OK && status != SYNC_ERROR_TIMED_OUT);
      sync_error_destroy(error);
      error = NULL;
      sync_event event = {.struct_size = sizeof event, .abi_version = SYNC_ABI_VERSION};
      int faults = 0;
      while ((status = sync_events_next(events, 60 * SECOND, &event, &error)) == SYNC_OK) {
        if (event.kind != SYNC_EVENT_FAULT) continue;
        faults++;
        CHECK(strstr(event.text, "the platter has come off") != NULL);
      }
      /* Behind it the node has ended, and nothing comes any more. */
      CHECK(status == SYNC_ERROR_STATE && faults == 1);
      sync_error_destroy(error);
      error = NULL;
      CHECK(sync_node_submit(node, &request, SECOND, job, &error) == SYNC_ERROR_STATE);
      sync_error_destroy(error);
      error = NULL;
      request.rebuild++;
    }
    sync_events_destroy(events);
    sync_node_destroy(node);
    atomic_store(&is_broken, 0);
  }
  sync_registry_destroy(registry);
  printf("%d checks, %d failed\n", checks, failures);
  return failures != 0;
}
