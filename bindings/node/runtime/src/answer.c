/* What JavaScript tells the library of a call. Each gives the status with which that is taken: SYNC_ERROR_STATE for a
 * call that is answered, or for whose answer nobody waits. */
#include <stdlib.h>

#include "addon.h"

static napi_value give(napi_env env, sync_status status) {
  napi_value made;
  TRY(napi_create_int32(env, status, &made));
  return made;
}

/* The first argument of each. The channel may be closed: then no call is open. */
static bool get_call(napi_env env, napi_value value, channel **in, sync_call **call) {
  uint64_t number;
  if (!get_uint64(env, value, &number)) return false;
  if (napi_get_instance_data(env, (void **)in) != napi_ok || *in == NULL) {
    rethrow(env);
    return false;
  }
  *call = (sync_call *)(uintptr_t)number;
  return true;
}

static napi_value ended(napi_env env, channel *in, sync_call *call, sync_status status) {
  /* One that was refused for what it says can be answered otherwise. */
  if (status == SYNC_OK || status == SYNC_ERROR_STATE) forget_call(in, call);
  return give(env, status);
}

napi_value call_is_cancelled(napi_env env, napi_callback_info info) {
  napi_value argument, made;
  channel *in;
  sync_call *call;
  if (!get_arguments(env, info, 1, &argument) || !get_call(env, argument, &in, &call)) return NULL;
  TRY(napi_get_boolean(env, !is_open_call(in, call) || sync_call_is_cancelled(call) != 0, &made));
  return made;
}

napi_value call_finish(napi_env env, napi_callback_info info) {
  napi_value argument;
  channel *in;
  sync_call *call;
  if (!get_arguments(env, info, 1, &argument) || !get_call(env, argument, &in, &call)) return NULL;
  return ended(env, in, call, is_open_call(in, call) ? sync_call_finish(call) : SYNC_ERROR_STATE);
}

napi_value call_fail(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  channel *in;
  sync_call *call;
  int32_t code;
  char *text;
  if (!get_arguments(env, info, 3, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_int32(env, arguments[1], &code) || !get_text(env, arguments[2], &text)) {
    return NULL;
  }
  const sync_status status = is_open_call(in, call) ? sync_call_fail(call, code, text) : SYNC_ERROR_STATE;
  free(text);
  return ended(env, in, call, status);
}

napi_value call_finish_instance(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  channel *in;
  sync_call *call;
  uint32_t id;
  if (!get_arguments(env, info, 2, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_uint32(env, arguments[1], &id)) {
    return NULL;
  }
  if (!is_open_call(in, call)) return give(env, SYNC_ERROR_STATE);
  reference *made = make_reference(in, id);
  if (made == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  const sync_status status = sync_call_finish_instance(call, made);
  if (status != SYNC_OK) free_reference(made);
  return ended(env, in, call, status);
}

napi_value call_finish_bytes(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  channel *in;
  sync_call *call;
  const uint8_t *bytes;
  size_t size;
  if (!get_arguments(env, info, 2, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_bytes(env, arguments[1], &bytes, &size)) {
    return NULL;
  }
  return ended(env, in, call, is_open_call(in, call) ? sync_call_finish_bytes(call, bytes, size) : SYNC_ERROR_STATE);
}

/* callFinishRun(call, ending, status, wall, cpu, memory) */
napi_value call_finish_run(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  channel *in;
  sync_call *call;
  sync_run_result result = {.struct_size = sizeof result, .abi_version = SYNC_ABI_VERSION};
  if (!get_arguments(env, info, 6, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_int32(env, arguments[1], &result.ending) || !get_int32(env, arguments[2], &result.status) ||
      !get_uint64(env, arguments[3], &result.wall_nanoseconds) ||
      !get_uint64(env, arguments[4], &result.cpu_nanoseconds) ||
      !get_uint64(env, arguments[5], &result.memory_peak_bytes)) {
    return NULL;
  }
  return ended(env, in, call, is_open_call(in, call) ? sync_call_finish_run(call, &result) : SYNC_ERROR_STATE);
}

napi_value call_add_transcript(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  channel *in;
  sync_call *call;
  const uint8_t *bytes;
  size_t size;
  if (!get_arguments(env, info, 2, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_bytes(env, arguments[1], &bytes, &size)) {
    return NULL;
  }
  return give(env, is_open_call(in, call) ? sync_call_add_transcript(call, bytes, size) : SYNC_ERROR_STATE);
}

/* callAddFinding(call, isMet, isWeaker, name, detail, mend or undefined) */
napi_value call_add_finding(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  channel *in;
  sync_call *call;
  bool is_met, is_weaker;
  char *texts[3] = {NULL};
  if (!get_arguments(env, info, 6, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_boolean(env, arguments[1], &is_met) || !get_boolean(env, arguments[2], &is_weaker)) {
    return NULL;
  }
  bool is_read = true;
  for (int i = 0; i < 3 && is_read; i++) is_read = get_text(env, arguments[3 + i], &texts[i]);
  const sync_finding finding = {
      sizeof finding, SYNC_ABI_VERSION, is_met, is_weaker, texts[0], texts[1], texts[2]};
  sync_status status = SYNC_ERROR_STATE;
  if (is_read && is_open_call(in, call)) status = sync_call_add_finding(call, &finding);
  for (int i = 0; i < 3; i++) free(texts[i]);
  return is_read ? give(env, status) : NULL;
}

napi_value call_add_text(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  channel *in;
  sync_call *call;
  char *text;
  if (!get_arguments(env, info, 2, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_text(env, arguments[1], &text)) {
    return NULL;
  }
  const sync_status status = is_open_call(in, call) ? sync_call_add_text(call, text) : SYNC_ERROR_STATE;
  free(text);
  return give(env, status);
}

napi_value call_add_record(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  channel *in;
  sync_call *call;
  const uint8_t *key, *value;
  size_t key_size, value_size;
  if (!get_arguments(env, info, 3, arguments) || !get_call(env, arguments[0], &in, &call) ||
      !get_bytes(env, arguments[1], &key, &key_size) || !get_bytes(env, arguments[2], &value, &value_size)) {
    return NULL;
  }
  return give(
      env, is_open_call(in, call) ? sync_call_add_record(call, key, key_size, value, value_size) : SYNC_ERROR_STATE);
}
