/* The library's objects behind JavaScript objects: wrapped, told apart, and freed when nobody holds them. */
#include <stdlib.h>

#include "addon.h"

/* Random numbers, one pair for each kind: another module's objects never carry them. */
static const napi_type_tag tags[] = {
    [HOLDS_NODE] = {0x5b0f3ac96d81e274, 0xc2d7190e4f6a83b5},
    [HOLDS_REGISTRY] = {0xe83d51c7024fb96a, 0x17a6f4e08b5d2c93},
    [HOLDS_EVENTS] = {0x9246dbf8513ec07a, 0x6fc81d2be4a70935},
};

static void destroy(holder_kind kind, void *object) {
  switch (kind) {
    case HOLDS_NODE: sync_node_destroy(object); break;
    case HOLDS_REGISTRY: sync_registry_destroy(object); break;
    case HOLDS_EVENTS: sync_events_destroy(object); break;
  }
}

holder *keep(holder *kept) {
  __atomic_add_fetch(&kept->references, 1, __ATOMIC_RELAXED);
  return kept;
}

void drop(holder *dropped) {
  if (__atomic_sub_fetch(&dropped->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  destroy(dropped->kind, dropped->object);
  free_reference(dropped->log);
  pthread_cond_destroy(&dropped->changed);
  pthread_mutex_destroy(&dropped->lock);
  drop_channel(dropped->channel);
  free(dropped);
}

void *enter(holder *held) {
  void *found = NULL;
  pthread_mutex_lock(&held->lock);
  if (!held->is_ending) {
    held->users++;
    found = held->object;
  }
  pthread_mutex_unlock(&held->lock);
  return found;
}

void leave(holder *held) {
  pthread_mutex_lock(&held->lock);
  held->users--;
  pthread_cond_broadcast(&held->changed);
  pthread_mutex_unlock(&held->lock);
}

void wait_until_left(holder *held, const struct timespec *end) {
  pthread_mutex_lock(&held->lock);
  while (held->users > 0 && pthread_cond_timedwait(&held->changed, &held->lock, end) == 0) continue;
  pthread_mutex_unlock(&held->lock);
}

void end_node(holder *node) {
  pthread_mutex_lock(&node->lock);
  if (node->is_ending) {
    while (node->object != NULL) pthread_cond_wait(&node->changed, &node->lock);
    pthread_mutex_unlock(&node->lock);
    return;
  }
  node->is_ending = true;
  pthread_mutex_unlock(&node->lock);
  /* Who waits in a call gets an error of it. Why the node ended is what stop tells. */
  sync_node_stop(node->object, SYNC_FOREVER, NULL);
  pthread_mutex_lock(&node->lock);
  while (node->users > 0) pthread_cond_wait(&node->changed, &node->lock);
  pthread_mutex_unlock(&node->lock);
  sync_node_destroy(node->object);
  pthread_mutex_lock(&node->lock);
  node->object = NULL;
  pthread_cond_broadcast(&node->changed);
  pthread_mutex_unlock(&node->lock);
}

static void *end_on_thread(void *data) {
  end_node(data);
  drop(data);
  return NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  holder *held = data;
  if (held->previous != NULL) held->previous->next = held->next;
  if (held->next != NULL) held->next->previous = held->previous;
  if (held->channel->holders == held) held->channel->holders = held->next;
  /* A node takes a while, which the garbage collector does not have. */
  if (held->kind == HOLDS_NODE && held->object != NULL && start_thread(end_on_thread, held)) return;
  drop(held);
}

napi_value wrap(napi_env env, channel *to, holder_kind kind, void *object, void *log) {
  napi_value made;
  holder *held = calloc(1, sizeof *held);
  if (held == NULL) {
    destroy(kind, object);
    free_reference(log);
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  held->kind = kind;
  held->object = object;
  held->log = log;
  held->channel = keep_channel(to);
  held->references = 1;
  pthread_mutex_init(&held->lock, NULL);
  pthread_cond_init(&held->changed, NULL);
  if (napi_create_object(env, &made) != napi_ok || napi_type_tag_object(env, made, &tags[kind]) != napi_ok ||
      napi_wrap(env, made, held, finalize, NULL, NULL) != napi_ok) {
    rethrow(env);
    drop(held);
    return NULL;
  }
  held->next = to->holders;
  if (held->next != NULL) held->next->previous = held;
  to->holders = held;
  return made;
}

bool unwrap(napi_env env, napi_value value, holder_kind kind, holder **found) {
  napi_valuetype type;
  bool is_tagged = false;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_object &&
      napi_check_object_type_tag(env, value, &tags[kind], &is_tagged) == napi_ok && is_tagged &&
      napi_unwrap(env, value, (void **)found) == napi_ok) {
    return true;
  }
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "an object of another kind is wanted");
  return false;
}
