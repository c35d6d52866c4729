// What stands between package node and libsync: calls and user data are numbers in Go, and never pointers.
#ifndef SYNC_GO_BRIDGE_H
#define SYNC_GO_BRIDGE_H

#include <stdint.h>
#include <stdlib.h>

#include <sync/node.h>

// The methods of plugins, as syncGoMethod gets them.
enum {
  BRIDGE_CREATE,
  BRIDGE_PROBE,
  BRIDGE_PREPARE,
  BRIDGE_HAS_TOOLCHAIN,
  BRIDGE_RUN,
  BRIDGE_REMOVE_LEFTOVERS,
  BRIDGE_PUBLIC_KEY,
  BRIDGE_SIGN,
  BRIDGE_RESOLVE,
  BRIDGE_FETCH,
  BRIDGE_GET,
  BRIDGE_SCAN,
  BRIDGE_APPLY,
};

// The kinds of plugins.
enum { BRIDGE_SANDBOX, BRIDGE_SIGNER, BRIDGE_SOURCE, BRIDGE_STORAGE };

// type and origin_type are of sources alone. user_data is a handle, given to syncGoForget once, whatever happens.
sync_status bridge_registry_add(
  sync_registry *registry, int kind, const char *name, const char *version, const char *type, const char *origin_type,
  uintptr_t user_data, sync_error **error);

// log is a handle for syncGoLog, or 0.
sync_status bridge_node_create(
  const char *configuration, size_t size, const char *folder, const sync_registry *registry, uintptr_t log,
  int32_t is_restored, sync_node **created, sync_error **error);

// Whether this thread is in the function that gets a node's log.
int bridge_is_in_log(void);

static inline int32_t bridge_is_cancelled(uintptr_t call) { return sync_call_is_cancelled((sync_call *)call); }

static inline int32_t bridge_cancel_descriptor(uintptr_t call) {
  return sync_call_get_cancel_descriptor((sync_call *)call);
}

static inline sync_status bridge_finish(uintptr_t call) { return sync_call_finish((sync_call *)call); }

static inline sync_status bridge_fail(uintptr_t call, int32_t code, const char *message) {
  return sync_call_fail((sync_call *)call, code, message);
}

static inline sync_status bridge_finish_instance(uintptr_t call, uintptr_t self) {
  return sync_call_finish_instance((sync_call *)call, (void *)self);
}

static inline sync_status bridge_finish_bytes(uintptr_t call, const void *bytes, size_t size) {
  return sync_call_finish_bytes((sync_call *)call, bytes, size);
}

static inline sync_status bridge_finish_run(
  uintptr_t call, int32_t ending, int32_t status, uint64_t wall, uint64_t cpu, uint64_t memory) {
  sync_run_result result = {sizeof result, SYNC_ABI_VERSION, ending, status, wall, cpu, memory};
  return sync_call_finish_run((sync_call *)call, &result);
}

static inline sync_status bridge_add_transcript(uintptr_t call, const void *bytes, size_t size) {
  return sync_call_add_transcript((sync_call *)call, bytes, size);
}

static inline sync_status bridge_add_finding(
  uintptr_t call, int32_t is_met, int32_t is_weaker, const char *name, const char *detail, const char *mend) {
  sync_finding finding = {sizeof finding, SYNC_ABI_VERSION, is_met, is_weaker, name, detail, mend};
  return sync_call_add_finding((sync_call *)call, &finding);
}

static inline sync_status bridge_add_text(uintptr_t call, const char *text) {
  return sync_call_add_text((sync_call *)call, text);
}

static inline sync_status bridge_add_record(
  uintptr_t call, const void *key, size_t key_size, const void *value, size_t value_size) {
  return sync_call_add_record((sync_call *)call, key, key_size, value, value_size);
}

#endif
