/* What the library calls of a plugin: each method writes its request down, puts it into the channel, and returns. The
 * answer comes from JavaScript, or from the channel when that ends. */
#include <stdlib.h>

#include "addon.h"

/* lib/plugins.js has the same numbers. */
enum {
  METHOD_CREATE = 1,
  METHOD_PROBE = 2,
  METHOD_PREPARE = 3,
  METHOD_HAS_TOOLCHAIN = 4,
  METHOD_RUN = 5,
  METHOD_REMOVE_LEFTOVERS = 6,
  METHOD_PUBLIC_KEY = 7,
  METHOD_SIGN = 8,
  METHOD_RESOLVE = 9,
  METHOD_FETCH = 10,
  METHOD_GET = 11,
  METHOD_SCAN = 12,
  METHOD_APPLY = 13,
};

reference *make_reference(channel *to, uint32_t id) {
  reference *made = malloc(sizeof *made);
  if (made == NULL) return NULL;
  *made = (reference){keep_channel(to), id};
  return made;
}

void free_reference(reference *freed) {
  if (freed == NULL) return;
  drop_channel(freed->channel);
  free(freed);
}

static int32_t ask(void *owner, int32_t method, writer request, sync_call *call) {
  const reference *to = owner;
  message made = {
      .kind = MESSAGE_CALL, .id = to->id, .code = method, .number = (uint64_t)(uintptr_t)call, .data = request};
  if (!post_call(to->channel, made, call)) {
    sync_call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "The JavaScript of this plugin has ended");
  }
  return SYNC_PLUGIN_OK;
}

/* A request with fewer fields than this header's. */
#define EXPECT_WHOLE(request, call)                                                                            \
  do {                                                                                                         \
    if ((request)->struct_size < sizeof *(request)) {                                                          \
      sync_call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "libsync is older than the addon, which wants its header's"); \
      return SYNC_PLUGIN_OK;                                                                                   \
    }                                                                                                          \
  } while (0)

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_text(&to, request->node);
  put_text(&to, request->state_directory);
  put_number(&to, request->settings_count);
  for (size_t i = 0; i < request->settings_count; i++) {
    put_text(&to, request->settings[i].name);
    put_text(&to, request->settings[i].value);
  }
  return ask(user_data, METHOD_CREATE, to, call);
}

static void destroy(void *self) {
  reference *ended = self;
  post(ended->channel, (message){.kind = MESSAGE_CLOSE, .id = ended->id});
  free_reference(ended);
}

static void forget(void *user_data) {
  reference *forgotten = user_data;
  post(forgotten->channel, (message){.kind = MESSAGE_FORGET, .id = forgotten->id});
  free_reference(forgotten);
}

/* ---- Sandbox ---- */

static int32_t probe(void *self, const sync_plain_request *request, sync_call *call) {
  (void)request;
  return ask(self, METHOD_PROBE, (writer){0}, call);
}

static int32_t ask_toolchain(void *self, int32_t method, const sync_toolchain_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_text(&to, request->toolchain);
  put_text(&to, request->archive);
  return ask(self, method, to, call);
}

static int32_t prepare(void *self, const sync_toolchain_request *request, sync_call *call) {
  return ask_toolchain(self, METHOD_PREPARE, request, call);
}

static int32_t has_toolchain(void *self, const sync_toolchain_request *request, sync_call *call) {
  return ask_toolchain(self, METHOD_HAS_TOOLCHAIN, request, call);
}

static int32_t run(void *self, const sync_run_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_text(&to, request->run_id);
  put_text(&to, request->toolchain);
  put_texts(&to, request->command, request->command_count);
  put_texts(&to, request->environment, request->environment_count);
  put_text(&to, request->working_directory);
  put_number(&to, request->mounts_count);
  for (size_t i = 0; i < request->mounts_count; i++) {
    put_text(&to, request->mounts[i].host_path);
    put_text(&to, request->mounts[i].inside_path);
    put_number(&to, request->mounts[i].is_writable != 0);
  }
  put_text(&to, request->host_name);
  put_text(&to, request->scratch_directory);
  put_number(&to, request->wall_seconds);
  put_number(&to, request->cpu_seconds);
  put_number(&to, request->memory_bytes);
  put_number(&to, request->processes);
  put_number(&to, request->disk_bytes);
  put_number(&to, request->transcript_bytes);
  return ask(self, METHOD_RUN, to, call);
}

static int32_t remove_leftovers(void *self, const sync_plain_request *request, sync_call *call) {
  (void)request;
  return ask(self, METHOD_REMOVE_LEFTOVERS, (writer){0}, call);
}

/* ---- Signer ---- */

static int32_t ask_signer(void *self, int32_t method, const sync_sign_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_number(&to, (uint64_t)request->role);
  put_bytes(&to, request->message, request->message_size);
  return ask(self, method, to, call);
}

static int32_t public_key(void *self, const sync_sign_request *request, sync_call *call) {
  return ask_signer(self, METHOD_PUBLIC_KEY, request, call);
}

static int32_t sign(void *self, const sync_sign_request *request, sync_call *call) {
  return ask_signer(self, METHOD_SIGN, request, call);
}

/* ---- Source ---- */

static int32_t resolve(void *self, const sync_resolve_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_text(&to, request->package);
  put_texts(&to, request->features, request->features_count);
  put_texts(&to, request->programs, request->programs_count);
  put_number(&to, request->library != 0);
  put_number(&to, request->without_default_features != 0);
  put_text(&to, request->profile);
  put_text(&to, request->target);
  put_text(&to, request->toolchain);
  put_number(&to, request->rebuild);
  put_texts(&to, request->normalise, request->normalise_count);
  put_text(&to, request->scratch_directory);
  return ask(self, METHOD_RESOLVE, to, call);
}

static int32_t fetch(void *self, const sync_fetch_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_text(&to, request->purl);
  put_text(&to, request->origin);
  put_text(&to, request->tree_sha256);
  put_text(&to, request->directory);
  return ask(self, METHOD_FETCH, to, call);
}

/* ---- Storage ---- */

static int32_t ask_storage(void *self, int32_t method, const sync_storage_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_bytes(&to, request->key, request->key_size);
  put_bytes(&to, request->start, request->start_size);
  put_number(&to, request->limit);
  return ask(self, method, to, call);
}

static int32_t get(void *self, const sync_storage_request *request, sync_call *call) {
  return ask_storage(self, METHOD_GET, request, call);
}

static int32_t scan(void *self, const sync_storage_request *request, sync_call *call) {
  return ask_storage(self, METHOD_SCAN, request, call);
}

static int32_t apply(void *self, const sync_apply_request *request, sync_call *call) {
  writer to = {0};
  EXPECT_WHOLE(request, call);
  put_number(&to, request->changes_count);
  for (size_t i = 0; i < request->changes_count; i++) {
    const sync_change *change = &request->changes[i];
    put_bytes(&to, change->key, change->key_size);
    put_number(&to, change->value != NULL);
    if (change->value != NULL) put_bytes(&to, change->value, change->value_size);
  }
  put_number(&to, request->durable != 0);
  return ask(self, METHOD_APPLY, to, call);
}

/* registryAdd(registry, number, kind, name, version, type, origin type); the types are a source's. From here on the
 * library gives the number back in MESSAGE_FORGET, whatever comes. */
napi_value registry_add(napi_env env, napi_callback_info call) {
  static const sync_sandbox_methods sandbox = {
      sizeof sandbox, SYNC_ABI_VERSION, probe, prepare, has_toolchain, run, remove_leftovers};
  static const sync_signer_methods signer = {sizeof signer, SYNC_ABI_VERSION, public_key, sign};
  static const sync_storage_methods storage = {sizeof storage, SYNC_ABI_VERSION, get, scan, apply};
  napi_value arguments[7];
  holder *held;
  uint32_t id;
  char *texts[5] = {NULL};
  channel *in = get_channel(env);
  if (in == NULL || !get_arguments(env, call, 7, arguments) || !unwrap(env, arguments[0], HOLDS_REGISTRY, &held) ||
      !get_uint32(env, arguments[1], &id)) {
    return NULL;
  }
  bool is_read = true;
  for (int i = 0; i < 5 && is_read; i++) is_read = get_text(env, arguments[2 + i], &texts[i]);
  reference *owner = is_read ? make_reference(in, id) : NULL;
  sync_error *error = NULL;
  sync_status status = SYNC_OK;
  if (owner != NULL) {
    const sync_source_methods source = {sizeof source, SYNC_ABI_VERSION, texts[3], texts[4], resolve, fetch};
    const char kind = texts[0] == NULL ? 0 : texts[0][0] == 's' ? texts[0][1] : 0;
    const sync_plugin plugin = {
        .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = texts[1], .version = texts[2],
        .create = create, .destroy = destroy,
        .sandbox = kind == 'a' ? &sandbox : NULL, .signer = kind == 'i' ? &signer : NULL,
        .source = kind == 'o' ? &source : NULL, .storage = kind == 't' ? &storage : NULL};
    status = sync_registry_add(held->object, &plugin, owner, forget, &error);
  }
  for (int i = 0; i < 5; i++) free(texts[i]);
  if (is_read && owner == NULL) napi_throw_error(env, NULL, "out of memory");
  return status == SYNC_OK ? NULL : throw_status(env, status, error);
}
