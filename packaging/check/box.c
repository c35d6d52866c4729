/* A sandbox that only answers a probe, for scripts/check-debs: as a shared object, found by its name. */
#include <sync/plugin.h>

static const sync_host *host;

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data, (void)request;
  host->call_finish_instance(call, NULL);
  return SYNC_PLUGIN_OK;
}

static int32_t probe(void *self, const sync_plain_request *request, sync_call *call) {
  (void)self, (void)request;
  const sync_finding finding = {sizeof finding, SYNC_ABI_VERSION, 1, 0, "walls", "four of them", NULL};
  host->call_add_finding(call, &finding);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t refuse(void *self, const sync_toolchain_request *request, sync_call *call) {
  (void)self, (void)request, (void)call;
  return SYNC_PLUGIN_UNAVAILABLE;
}

static int32_t run(void *self, const sync_run_request *request, sync_call *call) {
  (void)self, (void)request, (void)call;
  return SYNC_PLUGIN_UNAVAILABLE;
}

const sync_plugin *sync_plugin_entry(const sync_host *table);
const sync_plugin *sync_plugin_entry(const sync_host *table) {
  static const sync_sandbox_methods methods = {sizeof methods, SYNC_ABI_VERSION, probe, refuse, refuse, run, NULL};
  static const sync_plugin plugin = {sizeof plugin, SYNC_ABI_VERSION, "box", "1", create, NULL, &methods, NULL, NULL,
                                     NULL, NULL};
  host = table;
  return &plugin;
}
