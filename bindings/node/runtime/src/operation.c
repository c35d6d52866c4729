/* Calls of the library that wait, each on a thread of its own, so that libuv's pool is left to others. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addon.h"

/* lib/native.js has the same numbers. */
enum {
  OPERATION_START = 1,
  OPERATION_STOP = 2,
  OPERATION_DESTROY = 3,
  OPERATION_SUBMIT = 4,
  OPERATION_JOB = 5,
  OPERATION_WAIT = 6,
  OPERATION_PROOF = 7,
  OPERATION_ARTIFACT_PATH = 8,
  OPERATION_STATUS = 9,
  OPERATION_STATUS_JSON = 10,
  OPERATION_DRAIN = 11,
  OPERATION_NEXT_EVENT = 12,
  OPERATION_END = 13, /* waits until the node has ended, by whatever */
  OPERATION_CHECK = 14, /* of a registry: the conformance suite of a plugin */
};

/* One call of the library waits so long at most: then it is seen whether it was cancelled. */
#define SLICE_NS 250000000ULL
#define FEATURES_MAX 4096
/* So long the environment's end waits for checks. Those of plugins in JavaScript need a moment: every call fails. */
#define CHECKS_PATIENCE_SECONDS 10

struct operation {
  uint32_t references; /* the channel's list, and the thread */
  int32_t kind;
  uint32_t id;
  holder *on;
  uint64_t timeout_ns;
  int32_t phase;
  uint8_t *argument; /* a digest, or a request as lib/bytes.js writes it */
  size_t argument_size;
  bool is_cancelled;
  bool is_listed; /* in the channel's list; of the environment's thread alone */
  operation *previous, *next;
};

void drop_operation(operation *dropped) {
  if (__atomic_sub_fetch(&dropped->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  drop(dropped->on);
  free(dropped->argument);
  free(dropped);
}

/* On the environment's thread. Does nothing the second time, as when one is handed over behind the channel's end. */
void forget_operation(operation *done) {
  if (!done->is_listed) return;
  done->is_listed = false;
  channel *in = done->on->channel;
  if (done->previous != NULL) done->previous->next = done->next;
  if (done->next != NULL) done->next->previous = done->previous;
  if (in->operations == done) in->operations = done->next;
  drop_operation(done);
}

static void cancel(operation *cancelled) { __atomic_store_n(&cancelled->is_cancelled, true, __ATOMIC_RELEASE); }

void cancel_operations(channel *in) {
  for (operation *each = in->operations; each != NULL; each = each->next) cancel(each);
}

void end_operations(channel *in) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += CHECKS_PATIENCE_SECONDS;
  for (operation *each = in->operations; each != NULL; each = each->next) {
    if (each->kind == OPERATION_CHECK) wait_until_left(each->on, &end);
  }
  /* Nobody hears of them any more: what is left of each is its thread's. */
  while (in->operations != NULL) forget_operation(in->operations);
}

bool start_thread(void *(*run)(void *), void *data) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool has_started = pthread_create(&thread, &attributes, run, data) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return has_started;
}

/* ---- Reading a request ---- */

typedef struct {
  const uint8_t *at, *end;
  bool has_failed;
} reader;

static uint64_t take_number(reader *from) {
  uint64_t number = 0;
  if (from->has_failed || from->end - from->at < 8) {
    from->has_failed = true;
    return 0;
  }
  for (int i = 0; i < 8; i++) number |= (uint64_t)from->at[i] << 8 * i;
  from->at += 8;
  return number;
}

/* Ends with a NUL, which its size counts. */
static const char *take_text(reader *from) {
  const uint64_t size = take_number(from);
  if (from->has_failed || size == UINT64_MAX) return NULL;
  if (size == 0 || size > (uint64_t)(from->end - from->at) || from->at[size - 1] != 0) {
    from->has_failed = true;
    return NULL;
  }
  const char *text = (const char *)from->at;
  from->at += size;
  return text;
}

static sync_status submit(sync_node *node, operation *under, writer *result, sync_error **error) {
  reader from = {under->argument, under->argument + under->argument_size, false};
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  const char *features[FEATURES_MAX];
  uint8_t job[DIGEST_SIZE];
  request.rebuild = take_number(&from);
  request.without_default_features = (int32_t)take_number(&from);
  request.priority = (int32_t)(int64_t)take_number(&from);
  request.package = take_text(&from);
  request.profile = take_text(&from);
  request.target = take_text(&from);
  request.toolchain = take_text(&from);
  const uint64_t count = take_number(&from);
  if (count > FEATURES_MAX) return SYNC_ERROR_TOO_LARGE;
  for (uint64_t i = 0; i < count; i++) features[i] = take_text(&from);
  if (from.has_failed) return SYNC_ERROR_INVALID_ARGUMENT;
  request.features = features;
  request.features_count = (size_t)count;
  const sync_status status = sync_node_submit(node, &request, under->timeout_ns, job, error);
  if (status == SYNC_OK) put_raw(result, job, sizeof job);
  return status;
}

/* Names and values, which the caller frees. NULL where there are none, or it has failed. */
static sync_setting *take_settings(reader *from, size_t *count) {
  const uint64_t found = take_number(from);
  /* Each takes more than that, so no count makes this large. */
  if (found > (uint64_t)(from->end - from->at) / sizeof(sync_setting)) from->has_failed = true;
  sync_setting *settings = from->has_failed || found == 0 ? NULL : calloc((size_t)found, sizeof *settings);
  *count = settings == NULL ? 0 : (size_t)found;
  if (found > 0 && settings == NULL) from->has_failed = true;
  for (size_t i = 0; i < *count; i++) {
    settings[i].name = take_text(from);
    settings[i].value = take_text(from);
  }
  return settings;
}

static sync_status check(const sync_registry *registry, operation *under, writer *result, sync_error **error) {
  reader from = {under->argument, under->argument + under->argument_size, false};
  sync_check_options options = SYNC_CHECK_OPTIONS_INIT;
  options.with_escapes = (int32_t)take_number(&from);
  const char *name = take_text(&from);
  options.toolchain = take_text(&from);
  options.package = take_text(&from);
  sync_setting *settings = take_settings(&from, &options.settings_count);
  sync_setting *allowed = take_settings(&from, &options.allowed_count);
  options.settings = settings;
  options.allowed = allowed;
  int32_t has_passed = 0;
  sync_bytes *report = NULL;
  sync_status status = SYNC_ERROR_INVALID_ARGUMENT;
  if (!from.has_failed) status = sync_registry_check(registry, name, &options, &has_passed, &report, error);
  free(settings);
  free(allowed);
  if (status == SYNC_OK) {
    put_number(result, (uint64_t)has_passed);
    put_bytes(result, sync_bytes_get_start(report), sync_bytes_get_size(report));
  }
  sync_bytes_destroy(report);
  return status;
}

/* ---- What each gives ---- */

static void put_job(writer *to, const sync_job_status *status) {
  put_number(to, (uint64_t)status->phase);
  put_number(to, (uint64_t)status->verdict);
  put_number(to, status->agreeing);
  put_number(to, status->committed);
  put_number(to, status->leaf_index);
}

static void put_status(writer *to, const sync_node_status *status) {
  put_number(to, (uint64_t)status->state);
  put_number(to, (uint64_t)status->is_observing);
  put_number(to, status->epoch);
  put_number(to, status->view);
  put_number(to, status->height);
  put_number(to, status->log_size);
  put_number(to, status->checkpoint_size);
  put_number(to, status->open_jobs);
  put_number(to, status->connected_peers);
  put_number(to, status->replicas);
  put_number(to, status->quorum);
}

static sync_status give(writer *to, sync_status status, sync_bytes *bytes) {
  if (status == SYNC_OK) put_raw(to, sync_bytes_get_start(bytes), sync_bytes_get_size(bytes));
  sync_bytes_destroy(bytes);
  return status;
}

sync_status take_event(sync_events *events, uint64_t timeout_ns, writer *to, sync_error **error) {
  sync_event event = {.struct_size = sizeof event, .abi_version = SYNC_ABI_VERSION};
  const sync_status status = sync_events_next(events, timeout_ns, &event, error);
  if (status != SYNC_OK) return status;
  put_number(to, (uint64_t)event.kind);
  put_number(to, event.dropped);
  put_number(to, event.number);
  put_raw(to, event.job, sizeof event.job);
  put_text(to, event.text);
  return status;
}

static sync_status wait_for_end(sync_node *node, sync_error **error) {
  sync_events *events = NULL;
  sync_event event = {.struct_size = sizeof event, .abi_version = SYNC_ABI_VERSION};
  sync_status status = sync_node_subscribe(node, 1, &events, error);
  if (status != SYNC_OK) return status;
  do status = sync_events_next(events, SYNC_FOREVER, &event, NULL);
  while (status == SYNC_OK);
  sync_events_destroy(events);
  return SYNC_OK;
}

/* One call, which waits so long at most. */
static sync_status wait_once(
    operation *under, sync_node *node, uint64_t timeout_ns, writer *result, sync_error **error) {
  sync_job_status job = SYNC_JOB_STATUS_INIT;
  sync_status status;
  switch (under->kind) {
    case OPERATION_STOP: return sync_node_stop(node, timeout_ns, error);
    case OPERATION_DRAIN: return sync_node_drain(node, timeout_ns, error);
    default:
      status = sync_node_wait(node, under->argument, under->phase, timeout_ns, &job, error);
      if (status == SYNC_OK) put_job(result, &job);
      return status;
  }
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

/* Waits in slices, between which it is seen whether the operation was cancelled. */
static sync_status wait_long(operation *under, sync_node *node, writer *result, sync_error **error) {
  const uint64_t begun = now();
  for (;;) {
    const uint64_t passed = now() - begun;
    const bool is_forever = under->timeout_ns == SYNC_FOREVER;
    const uint64_t left = is_forever ? SLICE_NS : under->timeout_ns > passed ? under->timeout_ns - passed : 0;
    const bool is_last = !is_forever && left <= SLICE_NS;
    const sync_status status = wait_once(under, node, is_last ? left : SLICE_NS, result, error);
    if (status != SYNC_ERROR_TIMED_OUT || is_last) return status;
    if (error != NULL) {
      sync_error_destroy(*error);
      *error = NULL;
    }
    if (__atomic_load_n(&under->is_cancelled, __ATOMIC_ACQUIRE)) return SYNC_ERROR_CANCELLED;
  }
}

static sync_status perform(operation *under, sync_node *node, writer *result, sync_error **error) {
  sync_job_status job = SYNC_JOB_STATUS_INIT;
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  sync_bytes *bytes = NULL;
  sync_status code;
  switch (under->kind) {
    case OPERATION_START: return sync_node_start(node, error);
    /* Closing the events, which who waits no more does, wakes it. */
    case OPERATION_NEXT_EVENT: return take_event(under->on->object, under->timeout_ns, result, error);
    case OPERATION_END: return wait_for_end(node, error);
    case OPERATION_CHECK: return check(under->on->object, under, result, error);
    case OPERATION_SUBMIT: return submit(node, under, result, error);
    case OPERATION_JOB:
      code = sync_node_get_job(node, under->argument, &job, error);
      if (code == SYNC_OK) put_job(result, &job);
      return code;
    case OPERATION_PROOF:
      code = sync_node_copy_proof(node, under->argument, &bytes, error);
      return give(result, code, bytes);
    case OPERATION_ARTIFACT_PATH:
      code = sync_node_copy_artifact_path(node, under->argument, &bytes, error);
      return give(result, code, bytes);
    case OPERATION_STATUS:
      code = sync_node_get_status(node, &status, error);
      if (code == SYNC_OK) put_status(result, &status);
      return code;
    case OPERATION_STATUS_JSON:
      code = sync_node_copy_status_json(node, &bytes, error);
      return give(result, code, bytes);
    default: return wait_long(under, node, result, error);
  }
}

static void *run(void *data) {
  operation *under = data;
  channel *to = keep_channel(under->on->channel);
  message done = {.kind = MESSAGE_DONE, .id = under->id, .done = under};
  sync_error *error = NULL;
  if (under->kind == OPERATION_DESTROY) {
    end_node(under->on);
  } else if (under->on->kind != HOLDS_NODE) {
    done.code = perform(under, NULL, &done.data, &error);
    if (under->kind == OPERATION_CHECK) leave(under->on);
  } else {
    sync_node *node = enter(under->on);
    done.code = node == NULL ? SYNC_ERROR_STATE : perform(under, node, &done.data, &error);
    if (node != NULL) leave(under->on);
  }
  if (done.data.has_failed) {
    free(done.data.start);
    done.data = (writer){0};
    done.code = SYNC_ERROR_TOO_LARGE;
  }
  if (done.code != SYNC_OK) {
    const int64_t offset = sync_error_get_offset(error);
    done.data.size = 0;
    done.number = (uint64_t)offset;
    if (error != NULL) put_text(&done.data, sync_error_get_message(error));
    sync_error_destroy(error);
  }
  post(to, done);
  drop_channel(to);
  return NULL;
}

static bool needs_digest(int32_t kind) {
  return kind == OPERATION_JOB || kind == OPERATION_WAIT || kind == OPERATION_PROOF ||
         kind == OPERATION_ARTIFACT_PATH;
}

static holder_kind wanted_kind(int32_t kind) {
  switch (kind) {
    case OPERATION_NEXT_EVENT: return HOLDS_EVENTS;
    case OPERATION_CHECK: return HOLDS_REGISTRY;
    default: return HOLDS_NODE;
  }
}

/* operationStart(kind, id, object, timeout in nanoseconds, argument, phase): a MESSAGE_DONE with this id follows. */
napi_value operation_start(napi_env env, napi_callback_info call) {
  napi_value arguments[6];
  int32_t kind, phase;
  uint32_t id;
  holder *on;
  uint64_t timeout_ns;
  const uint8_t *argument;
  size_t size;
  channel *in = get_channel(env);
  if (in == NULL || !get_arguments(env, call, 6, arguments) || !get_int32(env, arguments[0], &kind) ||
      !get_uint32(env, arguments[1], &id) ||
      !unwrap(env, arguments[2], wanted_kind(kind), &on) || !get_uint64(env, arguments[3], &timeout_ns) ||
      !get_bytes(env, arguments[4], &argument, &size) || !get_int32(env, arguments[5], &phase)) {
    return NULL;
  }
  if (kind < OPERATION_START || kind > OPERATION_CHECK || (needs_digest(kind) && size != DIGEST_SIZE)) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a known operation with its argument is wanted");
    return NULL;
  }
  operation *made = calloc(1, sizeof *made);
  uint8_t *copy = malloc(size + 1);
  if (made == NULL || copy == NULL) {
    free(made);
    free(copy);
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (size > 0) memcpy(copy, argument, size);
  *made = (operation){
      .references = 2, .kind = kind, .id = id, .on = keep(on), .timeout_ns = timeout_ns, .phase = phase,
      .argument = copy, .argument_size = size, .is_listed = true, .next = in->operations};
  if (made->next != NULL) made->next->previous = made;
  in->operations = made;
  /* From here on, so that one whose thread has not begun is waited for too. */
  if (kind == OPERATION_CHECK) enter(on);
  if (start_thread(run, made)) return NULL;
  if (kind == OPERATION_CHECK) leave(on);
  forget_operation(made);
  drop_operation(made);
  napi_throw_error(env, NULL, "no thread can be started: there are too many");
  return NULL;
}

/* operationCancel(id): one that waits ends soon, with SYNC_ERROR_CANCELLED. */
napi_value operation_cancel(napi_env env, napi_callback_info call) {
  napi_value argument;
  uint32_t id;
  channel *in = get_channel(env);
  if (in == NULL || !get_arguments(env, call, 1, &argument) || !get_uint32(env, argument, &id)) return NULL;
  for (operation *each = in->operations; each != NULL; each = each->next) {
    if (each->id == id) cancel(each);
  }
  return NULL;
}
