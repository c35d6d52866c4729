/* Making nodes, subscriptions and registries. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* On the log's own thread. */
static void log_line(void *user_data, int32_t level, const char *line) {
  const reference *to = user_data;
  message made = {.kind = MESSAGE_LOG, .id = to->id, .code = level};
  put_raw(&made.data, line, strlen(line));
  post(to->channel, made);
}

/* nodeCreate(configuration, folder, registry or undefined, number of the log or 0, isRestored): a node */
napi_value node_create(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  const uint8_t *text;
  size_t size;
  uint32_t log_id;
  bool is_restored;
  napi_valuetype type;
  holder *registry = NULL;
  channel *in = get_channel(env);
  if (in == NULL || !get_arguments(env, call, 5, arguments) || !get_bytes(env, arguments[0], &text, &size) ||
      !get_uint32(env, arguments[3], &log_id) || !get_boolean(env, arguments[4], &is_restored)) {
    return NULL;
  }
  TRY(napi_typeof(env, arguments[2], &type));
  if (type != napi_undefined && !unwrap(env, arguments[2], HOLDS_REGISTRY, &registry)) return NULL;
  char *folder;
  if (!get_text(env, arguments[1], &folder)) return NULL;

  sync_node_options options = SYNC_NODE_OPTIONS_INIT;
  options.is_restored = is_restored;
  reference *log = log_id == 0 ? NULL : make_reference(in, log_id);
  if (log != NULL) {
    options.log = log_line;
    options.log_user_data = log;
  }
  sync_node *node = NULL;
  sync_error *error = NULL;
  const sync_status status = sync_node_create(
      text, size, folder, registry == NULL ? NULL : registry->object, &options, &node, &error);
  free(folder);
  if (status == SYNC_OK) return wrap(env, in, HOLDS_NODE, node, log);
  free_reference(log);
  return throw_status(env, status, error);
}

/* nodeSubscribe(node, capacity): events */
napi_value node_subscribe(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  uint32_t capacity;
  holder *held;
  channel *in = get_channel(env);
  if (in == NULL || !get_arguments(env, call, 2, arguments) || !unwrap(env, arguments[0], HOLDS_NODE, &held) ||
      !get_uint32(env, arguments[1], &capacity)) {
    return NULL;
  }
  sync_node *node = enter(held);
  if (node == NULL) return throw_status(env, SYNC_ERROR_STATE, NULL);
  sync_events *events = NULL;
  sync_error *error = NULL;
  const sync_status status = sync_node_subscribe(node, capacity, &events, &error);
  leave(held);
  if (status != SYNC_OK) return throw_status(env, status, error);
  return wrap(env, in, HOLDS_EVENTS, events, NULL);
}

/* eventsTry(events): the bytes of an event that waits; undefined when none does, null when none will come. */
napi_value events_try(napi_env env, napi_callback_info call) {
  napi_value argument, made;
  holder *held;
  writer event = {0};
  if (!get_arguments(env, call, 1, &argument) || !unwrap(env, argument, HOLDS_EVENTS, &held)) return NULL;
  const sync_status status = take_event(held->object, 0, &event, NULL);
  if (status == SYNC_OK && !event.has_failed) {
    const napi_status copied = napi_create_buffer_copy(env, event.size, event.start, NULL, &made);
    free(event.start);
    TRY(copied);
    return made;
  }
  free(event.start);
  if (status == SYNC_ERROR_TIMED_OUT) return NULL;
  TRY(napi_get_null(env, &made));
  return made;
}

/* eventsClose(events): who waits for one hears of it at once. */
napi_value events_close(napi_env env, napi_callback_info call) {
  napi_value argument;
  holder *held;
  if (!get_arguments(env, call, 1, &argument) || !unwrap(env, argument, HOLDS_EVENTS, &held)) return NULL;
  sync_events_close(held->object);
  return NULL;
}

/* registryCreate(): a registry */
napi_value registry_create(napi_env env, napi_callback_info call) {
  (void)call;
  channel *in = get_channel(env);
  if (in == NULL) return NULL;
  sync_registry *registry = NULL;
  sync_error *error = NULL;
  const sync_status status = sync_registry_create(0, &registry, &error);
  if (status != SYNC_OK) return throw_status(env, status, error);
  return wrap(env, in, HOLDS_REGISTRY, registry, NULL);
}

/* registryLoad(registry, path) */
napi_value registry_load(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  holder *held;
  char *path;
  if (!get_arguments(env, call, 2, arguments) || !unwrap(env, arguments[0], HOLDS_REGISTRY, &held) ||
      !get_text(env, arguments[1], &path)) {
    return NULL;
  }
  sync_error *error = NULL;
  const sync_status status = sync_registry_load(held->object, path, &error);
  free(path);
  return status == SYNC_OK ? NULL : throw_status(env, status, error);
}
