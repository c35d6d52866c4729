/* The hasher; and hashing a file away from the JavaScript thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

/* What a hasher holds, as the garbage collector is told. */
#define HASHER_BYTES 256
/* Read at once: small enough to be still in the processor's cache when it is hashed. */
#define PIECE_BYTES 262144

napi_value hasher_create(napi_env env, napi_callback_info call) {
  (void)call;
  sync_hasher *hasher = NULL;
  sync_error *error = NULL;
  sync_status status = sync_hasher_create(0, &hasher, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  return wrap(env, BOX_HASHER, hasher, HASHER_BYTES);
}

/* A hasher belongs to one thread at a time: while a work has it, users is 2. */
static bool get_idle_hasher(napi_env env, napi_value value, box **hasher) {
  if (!unwrap(env, value, BOX_HASHER, hasher)) return false;
  if ((*hasher)->users == 1) return true;
  napi_throw_error(env, NULL, "the hasher is reading a file");
  return false;
}

napi_value hasher_update(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  box *hasher;
  byte_view piece;
  if (!get_arguments(env, call, 2, arguments) || !get_idle_hasher(env, arguments[0], &hasher) ||
      !get_bytes(env, arguments[1], &piece)) {
    return NULL;
  }
  sync_error *error = NULL;
  sync_status status = sync_hasher_update(hasher->object, piece.data, piece.size, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  return NULL;
}

napi_value hasher_finish(napi_env env, napi_callback_info call) {
  napi_value argument, buffer, made;
  box *hasher;
  void *digest;
  if (!get_arguments(env, call, 1, &argument) || !get_idle_hasher(env, argument, &hasher)) return NULL;
  TRY(napi_create_arraybuffer(env, SYNC_SHA256_SIZE, &digest, &buffer));
  TRY(napi_create_typedarray(env, napi_uint8_array, SYNC_SHA256_SIZE, buffer, 0, &made));
  sync_error *error = NULL;
  sync_status status = sync_hasher_finish(hasher->object, digest, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  return made;
}

/* A stretch of a file on its way into a hasher. */
typedef struct {
  box *hasher;
  int file; /* a duplicate: whoever closes the original does not pull it away */
  uint64_t offset;
  uint64_t wanted;
  uint64_t done;
  int failure; /* errno, 0 if none */
  sync_status status;
  sync_error *error;
  napi_async_work work;
  napi_deferred deferred;
} stretch;

/* On a thread of the pool: no N-API here. */
static void read_stretch(napi_env env, void *data) {
  (void)env;
  stretch *reading = data;
  void *piece = malloc(PIECE_BYTES);
  if (piece == NULL) reading->failure = ENOMEM;
  while (reading->failure == 0 && reading->status == SYNC_OK && reading->done < reading->wanted) {
    const uint64_t left = reading->wanted - reading->done;
    const size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    const ssize_t got = pread(reading->file, piece, size, (off_t)(reading->offset + reading->done));
    if (got == 0) break;
    if (got < 0) {
      if (errno != EINTR) reading->failure = errno;
      continue;
    }
    reading->status = sync_hasher_update(reading->hasher->object, piece, (size_t)got, &reading->error);
    reading->done += (uint64_t)got;
  }
  free(piece);
}

static void destroy_stretch(napi_env env, stretch *reading) {
  sync_error_destroy(reading->error);
  if (reading->work != NULL) napi_delete_async_work(env, reading->work);
  if (reading->file >= 0) close(reading->file);
  release(env, reading->hasher);
  free(reading);
}

/* Back on the JavaScript thread. When the environment is on its way out, the promise is nobody's any more. */
static void settle_stretch(napi_env env, napi_status status, void *data) {
  stretch *reading = data;
  napi_value result;
  if (status == napi_ok && reading->status != SYNC_OK) {
    sync_error *error = reading->error;
    reading->error = NULL;
    if (make_error(env, reading->status, error, &result) == napi_ok) {
      napi_reject_deferred(env, reading->deferred, result);
    }
  } else if (status == napi_ok) {
    const double value = reading->failure != 0 ? -(double)reading->failure : (double)reading->done;
    if (napi_create_double(env, value, &result) == napi_ok) napi_resolve_deferred(env, reading->deferred, result);
  }
  destroy_stretch(env, reading);
}

/* hasherUpdateFromFile(hasher, file descriptor, offset, size): a promise of how many bytes were there, or of a
 * negative errno. */
napi_value hasher_update_from_file(napi_env env, napi_callback_info call) {
  napi_value arguments[4], name, promise;
  box *hasher;
  int32_t file;
  uint64_t offset, wanted;
  if (!get_arguments(env, call, 4, arguments) || !get_idle_hasher(env, arguments[0], &hasher)) return NULL;
  TRY(napi_get_value_int32(env, arguments[1], &file));
  if (!get_uint64(env, arguments[2], &offset) || !get_uint64(env, arguments[3], &wanted)) return NULL;

  stretch *reading = malloc(sizeof *reading);
  if (reading == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  *reading = (stretch){.hasher = hasher, .file = fcntl(file, F_DUPFD_CLOEXEC, 0), .offset = offset, .wanted = wanted};
  hasher->users++;
  if (reading->file < 0) {
    napi_throw_error(env, NULL, strerror(errno));
    destroy_stretch(env, reading);
    return NULL;
  }
  if (napi_create_string_latin1(env, "synchronicity:hash", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, read_stretch, settle_stretch, reading, &reading->work) != napi_ok ||
      napi_create_promise(env, &reading->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, reading->work) != napi_ok) {
    rethrow(env);
    destroy_stretch(env, reading);
    return NULL;
  }
  return promise;
}
