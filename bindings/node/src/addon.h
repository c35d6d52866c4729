/* What the files of the addon share. Only lib/native.js calls it, so arguments are checked here for what memory safety
 * hangs on and no further. Nothing is kept outside an environment's own data: each worker thread has its own. */
#ifndef ADDON_H
#define ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <sync/verify.h>

/* Leaves the function when N-API refuses, with a JavaScript exception on its way. */
#define TRY(call)                        \
  do {                                   \
    if ((call) != napi_ok) return rethrow(env); \
  } while (0)

/* Throws what N-API says of its last failure, unless an exception is pending already. Returns NULL. */
napi_value rethrow(napi_env env);

/* Throws a SyncError, or what is wrong with the call, and destroys the error. Returns NULL. */
napi_value throw_error(napi_env env, sync_status status, sync_error *error);

/* Makes what throw_error throws. Destroys the error. */
napi_status make_error(napi_env env, sync_status status, sync_error *error, napi_value *made);

/* The arguments of a call; those that are missing are undefined. Throws and returns false when N-API refuses. */
bool get_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments);

typedef struct {
  const uint8_t *data;
  size_t size;
} byte_view;

/* Views a Uint8Array, for as long as no JavaScript runs. Throws and returns false for anything else. */
bool get_bytes(napi_env env, napi_value value, byte_view *bytes);

/* The same for exactly SYNC_SHA256_SIZE bytes. */
bool get_digest(napi_env env, napi_value value, byte_view *bytes);

/* A whole number that is given as a bigint. Throws and returns false for anything else. */
bool get_uint64(napi_env env, napi_value value, uint64_t *number);

/* One of the library's objects behind a JavaScript object. */
typedef enum { BOX_POLICY, BOX_PROOF, BOX_HASHER } box_kind;

typedef struct {
  box_kind kind;
  void *object;
  int64_t accounted; /* bytes that the garbage collector was told of */
  uint32_t users;    /* the JavaScript object and every work under way; counted on the JavaScript thread alone */
} box;

/* Wraps object, which it owns from now on, also when it fails. bytes is about what it holds in memory. */
napi_value wrap(napi_env env, box_kind kind, void *object, size_t bytes);

/* What a wrapped object holds. Throws and returns false if it is no such object. */
bool unwrap(napi_env env, napi_value value, box_kind kind, box **found);

/* The same without an exception. */
bool is_wrapped(napi_env env, napi_value value, box_kind kind);

/* Forgets one user of a box, and frees it after the last. */
void release(napi_env env, box *held);

/* Properties are set one by one; after a failure the rest do nothing, and finish throws. */
typedef struct {
  napi_env env;
  napi_value object;
  napi_status status;
} record;

record begin(napi_env env);
void set_value(record *to, const char *name, napi_value value);
void set_text(record *to, const char *name, const char *text);
void set_int32(record *to, const char *name, int32_t number);
void set_uint32(record *to, const char *name, uint32_t number);
void set_uint64(record *to, const char *name, uint64_t number);
void set_boolean(record *to, const char *name, bool is_true);
/* Lower-case hexadecimal digits: a string cannot be changed, as a typed array can. */
void set_sha256(record *to, const char *name, const uint8_t sha256[SYNC_SHA256_SIZE]);
/* The numbers of the bits that are set. */
void set_bits(record *to, const char *name, const uint8_t bits[16]);
napi_value finish(record *made);

/* What lib/native.js calls. */
napi_value policy_create(napi_env env, napi_callback_info call);
napi_value policy_follow(napi_env env, napi_callback_info call);
napi_value policy_verify(napi_env env, napi_callback_info call);
napi_value proof_create(napi_env env, napi_callback_info call);
napi_value proof_describe(napi_env env, napi_callback_info call);
napi_value hasher_create(napi_env env, napi_callback_info call);
napi_value hasher_update(napi_env env, napi_callback_info call);
napi_value hasher_update_from_file(napi_env env, napi_callback_info call);
napi_value hasher_finish(napi_env env, napi_callback_info call);
napi_value embedded_find(napi_env env, napi_callback_info call);

#endif
