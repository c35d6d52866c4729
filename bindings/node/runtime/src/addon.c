/* The module: its functions, its errors, and how arguments come in. */
#include "addon.h"

#include <stdlib.h>

napi_value rethrow(napi_env env) {
  bool is_pending = false;
  const napi_extended_error_info *info = NULL;
  /* The message first: the next call overwrites it. */
  napi_get_last_error_info(env, &info);
  const char *message = info != NULL && info->error_message != NULL ? info->error_message : "N-API failed";
  napi_is_exception_pending(env, &is_pending);
  if (!is_pending) napi_throw_error(env, NULL, message);
  return NULL;
}

static napi_status make_error(napi_env env, sync_status status, const sync_error *error, napi_value *made) {
  napi_value arguments[3], factory, undefined;
  channel *in = NULL;
  napi_status result = napi_get_instance_data(env, (void **)&in);
  if (result == napi_ok) result = napi_create_int32(env, status, &arguments[0]);
  if (result == napi_ok) {
    result = napi_create_string_utf8(env, sync_error_get_message(error), NAPI_AUTO_LENGTH, &arguments[1]);
  }
  if (result == napi_ok) result = napi_create_int64(env, sync_error_get_offset(error), &arguments[2]);
  if (result == napi_ok) result = napi_get_undefined(env, &undefined);
  if (result == napi_ok) result = napi_get_reference_value(env, in->make_error, &factory);
  if (result == napi_ok) result = napi_call_function(env, undefined, factory, 3, arguments, made);
  return result;
}

napi_value throw_status(napi_env env, sync_status status, sync_error *error) {
  napi_value made;
  const napi_status result = make_error(env, status, error, &made);
  sync_error_destroy(error);
  TRY(result);
  napi_throw(env, made);
  return NULL;
}

bool get_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments) {
  size_t given = count;
  if (napi_get_cb_info(env, call, &given, arguments, NULL, NULL) == napi_ok) return true;
  rethrow(env);
  return false;
}

bool get_text(napi_env env, napi_value value, char **text) {
  napi_valuetype type;
  size_t size;
  *text = NULL;
  if (napi_typeof(env, value, &type) == napi_ok && (type == napi_undefined || type == napi_null)) return true;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a string is wanted");
    return false;
  }
  *text = malloc(size + 1);
  if (*text != NULL && napi_get_value_string_utf8(env, value, *text, size + 1, &size) == napi_ok) return true;
  free(*text);
  *text = NULL;
  napi_throw_error(env, NULL, "out of memory");
  return false;
}

bool get_bytes(napi_env env, napi_value value, const uint8_t **bytes, size_t *size) {
  bool is_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is_array) == napi_ok && is_array &&
      napi_get_typedarray_info(env, value, &type, size, &data, NULL, NULL) == napi_ok && type == napi_uint8_array) {
    /* Of no bytes, but not absent. */
    *bytes = data == NULL ? (const uint8_t *)"" : data;
    return true;
  }
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a Uint8Array is wanted");
  return false;
}

bool get_uint64(napi_env env, napi_value value, uint64_t *number) {
  bool is_lossless = false;
  if (napi_get_value_bigint_uint64(env, value, number, &is_lossless) == napi_ok && is_lossless) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a bigint from 0 to 2^64 - 1 is wanted");
  return false;
}

bool get_int32(napi_env env, napi_value value, int32_t *number) {
  if (napi_get_value_int32(env, value, number) == napi_ok) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a number is wanted");
  return false;
}

bool get_uint32(napi_env env, napi_value value, uint32_t *number) {
  if (napi_get_value_uint32(env, value, number) == napi_ok) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a number is wanted");
  return false;
}

bool get_boolean(napi_env env, napi_value value, bool *is_true) {
  if (napi_get_value_bool(env, value, is_true) == napi_ok) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "true or false is wanted");
  return false;
}

static napi_value version(napi_env env, napi_callback_info call) {
  (void)call;
  napi_value text;
  TRY(napi_create_string_utf8(env, sync_get_version(), NAPI_AUTO_LENGTH, &text));
  return text;
}

#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      FUNCTION("version", version),
      FUNCTION("channelOpen", channel_open),
      FUNCTION("channelClose", channel_close),
      FUNCTION("channelHold", channel_hold),
      FUNCTION("operationStart", operation_start),
      FUNCTION("operationCancel", operation_cancel),
      FUNCTION("nodeCreate", node_create),
      FUNCTION("nodeSubscribe", node_subscribe),
      FUNCTION("eventsTry", events_try),
      FUNCTION("eventsClose", events_close),
      FUNCTION("registryCreate", registry_create),
      FUNCTION("registryAdd", registry_add),
      FUNCTION("registryLoad", registry_load),
      FUNCTION("callIsCancelled", call_is_cancelled),
      FUNCTION("callFinish", call_finish),
      FUNCTION("callFail", call_fail),
      FUNCTION("callFinishInstance", call_finish_instance),
      FUNCTION("callFinishBytes", call_finish_bytes),
      FUNCTION("callFinishRun", call_finish_run),
      FUNCTION("callAddTranscript", call_add_transcript),
      FUNCTION("callAddFinding", call_add_finding),
      FUNCTION("callAddText", call_add_text),
      FUNCTION("callAddRecord", call_add_record),
  };
  if (sync_get_abi_version() != SYNC_ABI_VERSION) {
    napi_throw_error(env, NULL, "the libsync that was found has another ABI version than the addon's header");
    return NULL;
  }
  TRY(napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions));
  return exports;
}
