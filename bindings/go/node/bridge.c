#include "_cgo_export.h"
#include "bridge.h"

// Package synchronicity has it too, unless it is built with the tag: two libraries in one program would mix.
int a_program_with_both_packages_is_built_with_the_tag_syncverify_libsync;

// Every method hands its call to Go, which answers it before this returns.
#define METHOD(name, number, request_type) \
  static int32_t name(void *self, const request_type *request, sync_call *call) { \
    if (request->struct_size < sizeof *request) { \
      sync_call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "libsync is older than this package: install a newer one"); \
      return SYNC_PLUGIN_OK; \
    } \
    syncGoMethod(number, (uintptr_t)self, (void *)request, (uintptr_t)call); \
    return SYNC_PLUGIN_OK; \
  }

METHOD(create, BRIDGE_CREATE, sync_create_request)
METHOD(probe, BRIDGE_PROBE, sync_plain_request)
METHOD(prepare, BRIDGE_PREPARE, sync_toolchain_request)
METHOD(has_toolchain, BRIDGE_HAS_TOOLCHAIN, sync_toolchain_request)
METHOD(run, BRIDGE_RUN, sync_run_request)
METHOD(remove_leftovers, BRIDGE_REMOVE_LEFTOVERS, sync_plain_request)
METHOD(public_key, BRIDGE_PUBLIC_KEY, sync_sign_request)
METHOD(sign, BRIDGE_SIGN, sync_sign_request)
METHOD(resolve, BRIDGE_RESOLVE, sync_resolve_request)
METHOD(fetch, BRIDGE_FETCH, sync_fetch_request)
METHOD(get, BRIDGE_GET, sync_storage_request)
METHOD(scan, BRIDGE_SCAN, sync_storage_request)
METHOD(apply, BRIDGE_APPLY, sync_apply_request)

static void destroy(void *self) { syncGoDestroy((uintptr_t)self); }

static void forget(void *user_data) { syncGoForget((uintptr_t)user_data); }

sync_status bridge_registry_add(
  sync_registry *registry, int kind, const char *name, const char *version, const char *type, const char *origin_type,
  uintptr_t user_data, sync_error **error) {
  static const sync_sandbox_methods sandbox = {
    sizeof sandbox, SYNC_ABI_VERSION, probe, prepare, has_toolchain, run, remove_leftovers};
  static const sync_signer_methods signer = {sizeof signer, SYNC_ABI_VERSION, public_key, sign};
  static const sync_storage_methods storage = {sizeof storage, SYNC_ABI_VERSION, get, scan, apply};
  const sync_source_methods source = {sizeof source, SYNC_ABI_VERSION, type, origin_type, resolve, fetch};
  const sync_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_version = SYNC_ABI_VERSION,
    .name = name,
    .version = version,
    .create = create,
    .destroy = destroy,
    .sandbox = kind == BRIDGE_SANDBOX ? &sandbox : NULL,
    .signer = kind == BRIDGE_SIGNER ? &signer : NULL,
    .source = kind == BRIDGE_SOURCE ? &source : NULL,
    .storage = kind == BRIDGE_STORAGE ? &storage : NULL,
  };
  return sync_registry_add(registry, &plugin, (void *)user_data, forget, error);
}

static __thread int is_in_log;

int bridge_is_in_log(void) { return is_in_log; }

static void log_line(void *user_data, int32_t level, const char *line) {
  is_in_log = 1;
  syncGoLog((uintptr_t)user_data, level, (char *)line);
  is_in_log = 0;
}

sync_status bridge_node_create(
  const char *configuration, size_t size, const char *folder, const sync_registry *registry, uintptr_t log,
  int32_t is_restored, sync_node **created, sync_error **error) {
  sync_node_options options = SYNC_NODE_OPTIONS_INIT;
  if (log != 0) {
    options.log = log_line;
    options.log_user_data = (void *)log;
  }
  options.is_restored = is_restored;
  return sync_node_create((const uint8_t *)configuration, size, folder, registry, &options, created, error);
}
