/* The library's objects behind JavaScript objects: wrapped, told apart, and freed when nobody holds them. */
#include <stdlib.h>

#include "addon.h"

/* Random numbers, one pair for each kind: another module's objects never carry them. */
static const napi_type_tag tags[] = {
    [BOX_POLICY] = {0x7d2c6b1f0a934e58, 0x9b41f03c5de7a826},
    [BOX_PROOF] = {0x31f8a4d96c0e4b72, 0xa6d50e917b3c482f},
    [BOX_HASHER] = {0xc59e07b2481d4fa3, 0x82ef6a3d1094b75c},
};

static void destroy(box_kind kind, void *object) {
  switch (kind) {
    case BOX_POLICY: sync_policy_destroy(object); break;
    case BOX_PROOF: sync_proof_destroy(object); break;
    case BOX_HASHER: sync_hasher_destroy(object); break;
  }
}

void release(napi_env env, box *held) {
  if (--held->users > 0) return;
  int64_t total;
  napi_adjust_external_memory(env, -held->accounted, &total);
  destroy(held->kind, held->object);
  free(held);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  release(env, data);
}

napi_value wrap(napi_env env, box_kind kind, void *object, size_t bytes) {
  napi_value made;
  int64_t total;
  box *held = malloc(sizeof *held);
  if (held == NULL) {
    destroy(kind, object);
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  *held = (box){kind, object, 0, 1};
  if (napi_create_object(env, &made) != napi_ok || napi_type_tag_object(env, made, &tags[kind]) != napi_ok ||
      napi_wrap(env, made, held, finalize, NULL, NULL) != napi_ok) {
    rethrow(env);
    release(env, held);
    return NULL;
  }
  if (napi_adjust_external_memory(env, (int64_t)bytes, &total) == napi_ok) held->accounted = (int64_t)bytes;
  return made;
}

bool is_wrapped(napi_env env, napi_value value, box_kind kind) {
  napi_valuetype type;
  bool is_tagged = false;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_object &&
         napi_check_object_type_tag(env, value, &tags[kind], &is_tagged) == napi_ok && is_tagged;
}

bool unwrap(napi_env env, napi_value value, box_kind kind, box **found) {
  if (is_wrapped(env, value, kind) && napi_unwrap(env, value, (void **)found) == napi_ok) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "an object of another kind is wanted");
  return false;
}
