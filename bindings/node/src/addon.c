/* The module: its functions, its errors, and how arguments come in. */
#include "addon.h"

#include <stdlib.h>

/* What one environment (the main thread or a worker) keeps. */
typedef struct {
  napi_ref make_error; /* lib/errors.js: (status, message, offset or undefined) to an Error */
} instance;

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

napi_status make_error(napi_env env, sync_status status, sync_error *error, napi_value *made) {
  napi_value arguments[3], factory, undefined;
  instance *data = NULL;
  napi_status result = napi_get_instance_data(env, (void **)&data);
  if (result == napi_ok) result = napi_create_int32(env, status, &arguments[0]);
  if (result == napi_ok) {
    result = napi_create_string_utf8(env, sync_error_get_message(error), NAPI_AUTO_LENGTH, &arguments[1]);
  }
  if (result == napi_ok) result = napi_get_undefined(env, &undefined);
  if (result == napi_ok) {
    int64_t offset = sync_error_get_offset(error);
    arguments[2] = undefined;
    if (offset >= 0) result = napi_create_int64(env, offset, &arguments[2]);
  }
  sync_error_destroy(error);
  if (result == napi_ok) result = napi_get_reference_value(env, data->make_error, &factory);
  if (result == napi_ok) result = napi_call_function(env, undefined, factory, 3, arguments, made);
  return result;
}

napi_value throw_error(napi_env env, sync_status status, sync_error *error) {
  napi_value made;
  TRY(make_error(env, status, error, &made));
  napi_throw(env, made);
  return NULL;
}

bool get_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments) {
  size_t given = count;
  if (napi_get_cb_info(env, call, &given, arguments, NULL, NULL) == napi_ok) return true;
  rethrow(env);
  return false;
}

bool get_bytes(napi_env env, napi_value value, byte_view *bytes) {
  bool is_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is_array) == napi_ok && is_array &&
      napi_get_typedarray_info(env, value, &type, &bytes->size, &data, NULL, NULL) == napi_ok &&
      type == napi_uint8_array) {
    bytes->data = data;
    return true;
  }
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a Uint8Array is wanted");
  return false;
}

bool get_digest(napi_env env, napi_value value, byte_view *bytes) {
  if (!get_bytes(env, value, bytes)) return false;
  if (bytes->size == SYNC_SHA256_SIZE) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a SHA-256 digest of 32 bytes is wanted");
  return false;
}

bool get_uint64(napi_env env, napi_value value, uint64_t *number) {
  bool is_lossless = false;
  if (napi_get_value_bigint_uint64(env, value, number, &is_lossless) == napi_ok && is_lossless) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a bigint from 0 to 2^64 - 1 is wanted");
  return false;
}

/* setErrorFactory(function): comes once, before any other call. */
static napi_value set_error_factory(napi_env env, napi_callback_info call) {
  napi_value factory;
  instance *data = NULL;
  if (!get_arguments(env, call, 1, &factory)) return NULL;
  TRY(napi_get_instance_data(env, (void **)&data));
  if (data->make_error != NULL) {
    TRY(napi_delete_reference(env, data->make_error));
    data->make_error = NULL;
  }
  TRY(napi_create_reference(env, factory, 1, &data->make_error));
  return NULL;
}

static napi_value version(napi_env env, napi_callback_info call) {
  (void)call;
  napi_value text;
  TRY(napi_create_string_utf8(env, sync_get_version(), NAPI_AUTO_LENGTH, &text));
  return text;
}

/* What the garbage collector was told of in all, for the tests. */
static napi_value accounted_bytes(napi_env env, napi_callback_info call) {
  (void)call;
  int64_t total;
  napi_value number;
  TRY(napi_adjust_external_memory(env, 0, &total));
  TRY(napi_create_int64(env, total, &number));
  return number;
}

static void destroy_instance(napi_env env, void *data, void *hint) {
  (void)env; /* its references go with it */
  (void)hint;
  free(data);
}

#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      FUNCTION("setErrorFactory", set_error_factory),
      FUNCTION("version", version),
      FUNCTION("accountedBytes", accounted_bytes),
      FUNCTION("policyCreate", policy_create),
      FUNCTION("policyFollow", policy_follow),
      FUNCTION("policyVerify", policy_verify),
      FUNCTION("proofCreate", proof_create),
      FUNCTION("proofDescribe", proof_describe),
      FUNCTION("hasherCreate", hasher_create),
      FUNCTION("hasherUpdate", hasher_update),
      FUNCTION("hasherUpdateFromFile", hasher_update_from_file),
      FUNCTION("hasherFinish", hasher_finish),
      FUNCTION("embeddedFind", embedded_find),
  };
  if (sync_get_abi_version() != SYNC_ABI_VERSION) {
    napi_throw_error(env, NULL, "the addon was linked with a libsyncverify of another ABI version than its header's");
    return NULL;
  }
  instance *data = calloc(1, sizeof *data);
  if (data == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (napi_set_instance_data(env, data, destroy_instance, NULL) != napi_ok) {
    free(data);
    return rethrow(env);
  }
  TRY(napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions));
  return exports;
}
