/* The one way from other threads into an environment, and what becomes of it when the environment ends. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* Lines of logs that wait for JavaScript at most; of more, the newest are dropped. */
#define LINES_MAX 4096

channel *keep_channel(channel *kept) {
  __atomic_add_fetch(&kept->references, 1, __ATOMIC_RELAXED);
  return kept;
}

void drop_channel(channel *dropped) {
  if (__atomic_sub_fetch(&dropped->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  pthread_mutex_destroy(&dropped->lock);
  free(dropped->calls);
  free(dropped);
}

static void free_message(message *freed) {
  free(freed->data.start);
  if (freed->done != NULL) drop_operation(freed->done);
  free(freed);
}

/* With the lock. */
static bool remember_call(channel *to, sync_call *call) {
  if (to->calls_count == to->calls_capacity) {
    const size_t capacity = to->calls_capacity * 2 + 16;
    sync_call **grown = realloc(to->calls, capacity * sizeof *grown);
    if (grown == NULL) return false;
    to->calls = grown;
    to->calls_capacity = capacity;
  }
  to->calls[to->calls_count++] = call;
  return true;
}

static bool put(channel *to, message what, sync_call *call) {
  message *waiting = malloc(sizeof *waiting);
  bool is_taken = false;
  if (waiting == NULL || what.data.has_failed) {
    free(waiting);
    free(what.data.start);
    if (what.done != NULL) drop_operation(what.done);
    return false;
  }
  *waiting = what;
  waiting->next = NULL;
  pthread_mutex_lock(&to->lock);
  if (to->is_open && !(what.kind == MESSAGE_LOG && to->lines >= LINES_MAX) &&
      (call == NULL || remember_call(to, call))) {
    const bool was_empty = to->first == NULL;
    if (what.kind == MESSAGE_LOG) to->lines++;
    *to->last = waiting;
    to->last = &waiting->next;
    /* Under the lock, behind which closing waits: the function is there. */
    if (was_empty) napi_call_threadsafe_function(to->wake, NULL, napi_tsfn_nonblocking);
    is_taken = true;
  }
  pthread_mutex_unlock(&to->lock);
  if (!is_taken) free_message(waiting);
  return is_taken;
}

bool post(channel *to, message what) { return put(to, what, NULL); }

bool post_call(channel *to, message what, sync_call *call) { return put(to, what, call); }

/* With the lock. */
static size_t place_of(channel *in, sync_call *call) {
  size_t place = 0;
  while (place < in->calls_count && in->calls[place] != call) place++;
  return place;
}

bool is_open_call(channel *in, sync_call *call) {
  pthread_mutex_lock(&in->lock);
  const bool is_open = place_of(in, call) < in->calls_count;
  pthread_mutex_unlock(&in->lock);
  return is_open;
}

void forget_call(channel *in, sync_call *call) {
  pthread_mutex_lock(&in->lock);
  const size_t place = place_of(in, call);
  if (place < in->calls_count) in->calls[place] = in->calls[--in->calls_count];
  pthread_mutex_unlock(&in->lock);
}

static void hand_over(napi_env env, channel *from, message *taken) {
  napi_value arguments[5], dispatch, undefined, ignored, thrown;
  napi_handle_scope scope;
  if (taken->kind == MESSAGE_DONE) forget_operation(taken->done);
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_undefined(env, &undefined) == napi_ok &&
      napi_get_reference_value(env, from->dispatch, &dispatch) == napi_ok &&
      napi_create_int32(env, taken->kind, &arguments[0]) == napi_ok &&
      napi_create_uint32(env, taken->id, &arguments[1]) == napi_ok &&
      napi_create_int32(env, taken->code, &arguments[2]) == napi_ok &&
      napi_create_bigint_uint64(env, taken->number, &arguments[3]) == napi_ok &&
      napi_create_buffer_copy(env, taken->data.size, taken->data.start, NULL, &arguments[4]) == napi_ok &&
      napi_call_function(env, undefined, dispatch, 5, arguments, &ignored) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
    napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
}

/* On the environment's thread. */
static void drain(napi_env env, napi_value function, void *context, void *data) {
  (void)function, (void)data;
  channel *from = context;
  if (env == NULL) return;
  pthread_mutex_lock(&from->lock);
  message *taken = from->first;
  from->first = NULL;
  from->last = &from->first;
  from->lines = 0;
  pthread_mutex_unlock(&from->lock);
  while (taken != NULL) {
    message *next = taken->next;
    hand_over(env, from, taken);
    free_message(taken);
    taken = next;
  }
}

/* From here on nothing comes in: what waits for an answer gets an error, and every node is ended, and every check.
 * JavaScript is called no more, so this waits for none of it. */
static void close_channel(void *data) {
  channel *closed = data;
  pthread_mutex_lock(&closed->lock);
  const bool was_open = closed->is_open;
  closed->is_open = false;
  message *left = closed->first;
  closed->first = NULL;
  closed->last = &closed->first;
  sync_call **calls = closed->calls;
  const size_t count = closed->calls_count;
  closed->calls = NULL;
  closed->calls_count = closed->calls_capacity = 0;
  pthread_mutex_unlock(&closed->lock);
  if (!was_open) return;

  for (size_t i = 0; i < count; i++) {
    sync_call_fail(calls[i], SYNC_PLUGIN_UNAVAILABLE, "The JavaScript of this plugin has ended");
  }
  free(calls);
  while (left != NULL) {
    message *next = left->next;
    if (left->kind == MESSAGE_DONE) forget_operation(left->done);
    free_message(left);
    left = next;
  }
  cancel_operations(closed);
  /* All begin to end before the first is waited for. */
  for (holder *held = closed->holders; held != NULL; held = held->next) {
    if (held->kind == HOLDS_EVENTS) sync_events_close(held->object);
    if (held->kind != HOLDS_NODE) continue;
    sync_node *node = enter(held);
    if (node == NULL) continue;
    sync_node_stop(node, 0, NULL);
    leave(held);
  }
  for (holder *held = closed->holders; held != NULL; held = held->next) {
    if (held->kind == HOLDS_NODE) end_node(held);
  }
  end_operations(closed);
}

static void drop_instance(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  drop_channel(data);
}

/* channelOpen(dispatch, makeError): comes once, before any other call. */
napi_value channel_open(napi_env env, napi_callback_info call) {
  napi_value arguments[2], name;
  if (!get_arguments(env, call, 2, arguments)) return NULL;
  channel *opened = calloc(1, sizeof *opened);
  if (opened == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&opened->lock, NULL);
  opened->references = 1;
  opened->env = env;
  opened->last = &opened->first;
  if (napi_set_instance_data(env, opened, drop_instance, NULL) != napi_ok) {
    drop_channel(opened);
    return rethrow(env);
  }
  TRY(napi_create_reference(env, arguments[0], 1, &opened->dispatch));
  TRY(napi_create_reference(env, arguments[1], 1, &opened->make_error));
  TRY(napi_create_string_latin1(env, "synchronicity", NAPI_AUTO_LENGTH, &name));
  TRY(napi_create_threadsafe_function(
      env, NULL, NULL, name, 0, 1, NULL, NULL, opened, drain, &opened->wake));
  TRY(napi_unref_threadsafe_function(env, opened->wake));
  /* Hooks run in reverse order: ours before the function's own. */
  TRY(napi_add_env_cleanup_hook(env, close_channel, opened));
  opened->is_open = true;
  return NULL;
}

channel *get_channel(napi_env env) {
  channel *found = NULL;
  if (napi_get_instance_data(env, (void **)&found) != napi_ok || found == NULL) {
    rethrow(env);
    return NULL;
  }
  /* Only this thread closes it. */
  if (found->is_open) return found;
  napi_throw_error(env, NULL, "the environment is ending: no node can be used in it any more");
  return NULL;
}

/* channelClose(): where the process exits, which runs no hook. */
napi_value channel_close(napi_env env, napi_callback_info call) {
  (void)call;
  channel *closed = NULL;
  TRY(napi_get_instance_data(env, (void **)&closed));
  if (closed != NULL) close_channel(closed);
  return NULL;
}

/* channelHold(boolean): whether the event loop goes on for the channel alone. */
napi_value channel_hold(napi_env env, napi_callback_info call) {
  napi_value argument;
  bool is_held;
  channel *held = NULL;
  if (!get_arguments(env, call, 1, &argument) || !get_boolean(env, argument, &is_held)) return NULL;
  TRY(napi_get_instance_data(env, (void **)&held));
  if (held == NULL || !held->is_open) return NULL;
  TRY(is_held ? napi_ref_threadsafe_function(env, held->wake) : napi_unref_threadsafe_function(env, held->wake));
  return NULL;
}
