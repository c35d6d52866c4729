/* What libsync calls: one set of functions for the plugins of every registry, and the log of every node.
 *
 * Each packs what it is asked into one array of bytes and hands it to Host.java, which finds the Java object by its
 * number and answers the call. The threads are libsync's own: a thread is attached to the JVM, as a daemon, when it
 * comes for the first time, and detached when it ends. Nothing of Java's is held here but the class Host. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "node.h"

static JavaVM *vm;
static jclass host;
static jmethodID serve_method, destroy_method, forget_method, log_method;
static pthread_key_t attached;
/* Once the JVM's end has begun and the nodes are ended or given up. */
static atomic_int has_ended;

static void detach(void *given) {
  (void)given;
  (*vm)->DetachCurrentThread(vm);
}

int bridge_load(JavaVM *loaded, JNIEnv *env) {
  vm = loaded;
  jclass found = (*env)->FindClass(env, "synchronicity/node/Host");
  if (found == NULL) return 0;
  /* This holds the class, its loader, and with it this library, for ever: threads may be in it. */
  host = (*env)->NewGlobalRef(env, found);
  (*env)->DeleteLocalRef(env, found);
  if (host == NULL) return 0;
  serve_method = (*env)->GetStaticMethodID(env, host, "serve", "(IJJ[B)V");
  if (serve_method != NULL) destroy_method = (*env)->GetStaticMethodID(env, host, "destroy", "(J)V");
  if (destroy_method != NULL) forget_method = (*env)->GetStaticMethodID(env, host, "forget", "(J)V");
  if (forget_method != NULL) log_method = (*env)->GetStaticMethodID(env, host, "log", "(JI[B)V");
  return log_method != NULL && pthread_key_create(&attached, detach) == 0;
}

JNIEXPORT void JNICALL NATIVE(end)(JNIEnv *env, jclass native) {
  (void)env;
  (void)native;
  atomic_store(&has_ended, 1);
}

/* What a call of Java needs on this thread. */
typedef struct {
  JNIEnv *env;
  sigset_t mask;
} entry;

/* Attaches the thread, and lets signals through, which the runtime's threads block: a process that is started here
 * would inherit that. Returns false where Java cannot be called: behind its end, or without memory. */
static int enter(entry *made) {
  if (atomic_load(&has_ended)) return 0;
  made->env = NULL;
  if ((*vm)->GetEnv(vm, (void **)&made->env, JNI_VERSION_10) != JNI_OK) {
    JavaVMAttachArgs arguments = {JNI_VERSION_10, "synchronicity", NULL};
    if ((*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&made->env, &arguments) != JNI_OK) return 0;
    if (pthread_setspecific(attached, vm) != 0) {
      (*vm)->DetachCurrentThread(vm);
      return 0;
    }
  }
  if ((*made->env)->PushLocalFrame(made->env, 8) != 0) {
    (*made->env)->ExceptionClear(made->env);
    return 0;
  }
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &made->mask);
  return 1;
}

/* Returns false if an exception came as far as this, which Host.java lets none: there was no memory, or no stack. */
static int leave(entry *made) {
  const int is_clean = !(*made->env)->ExceptionCheck(made->env);
  (*made->env)->ExceptionClear(made->env);
  (*made->env)->PopLocalFrame(made->env, NULL);
  pthread_sigmask(SIG_SETMASK, &made->mask, NULL);
  return is_clean;
}

/* Frees the request, and answers the call one way or another. */
static int32_t serve(jint method, const void *owner, sync_call *call, answer *request) {
  entry made;
  if (!enter(&made)) {
    free(request->data);
    sync_call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "Java cannot be called: it is ending, or has no memory");
    return SYNC_PLUGIN_OK;
  }
  jbyteArray bytes = give(made.env, request);
  if (bytes != NULL) {
    (*made.env)->CallStaticVoidMethod(made.env, host, serve_method, method, (jlong)(intptr_t)owner,
                                      (jlong)(intptr_t)call, bytes);
  }
  if (!leave(&made)) sync_call_fail(call, SYNC_PLUGIN_IO, "Java has no memory or no stack for the call");
  return SYNC_PLUGIN_OK;
}

static void put_optional(answer *to, const char *text) {
  put_int32(to, text != NULL);
  if (text != NULL) put_text(to, text);
}

static void put_texts(answer *to, const char *const *texts, size_t count) {
  put_uint32(to, (uint32_t)count);
  for (size_t i = 0; i < count; i++) put_text(to, texts[i]);
}

static void put_bytes(answer *to, const void *bytes, size_t size) {
  put_uint32(to, (uint32_t)size);
  put(to, bytes, size);
}

static void put_create(answer *to, const sync_create_request *request) {
  put_text(to, request->node);
  put_text(to, request->state_directory);
  put_uint32(to, (uint32_t)request->settings_count);
  for (size_t i = 0; i < request->settings_count; i++) {
    put_text(to, request->settings[i].name);
    put_text(to, request->settings[i].value);
  }
}

static void put_plain(answer *to, const sync_plain_request *request) {
  (void)to;
  (void)request;
}

static void put_toolchain(answer *to, const sync_toolchain_request *request) {
  put_text(to, request->toolchain);
  put_text(to, request->archive);
}

static void put_run(answer *to, const sync_run_request *request) {
  put_text(to, request->run_id);
  put_text(to, request->toolchain);
  put_texts(to, request->command, request->command_count);
  put_texts(to, request->environment, request->environment_count);
  put_text(to, request->working_directory);
  put_uint32(to, (uint32_t)request->mounts_count);
  for (size_t i = 0; i < request->mounts_count; i++) {
    put_text(to, request->mounts[i].host_path);
    put_text(to, request->mounts[i].inside_path);
    put_int32(to, request->mounts[i].is_writable);
  }
  put_text(to, request->host_name);
  put_text(to, request->scratch_directory);
  put_uint64(to, request->wall_seconds);
  put_uint64(to, request->cpu_seconds);
  put_uint64(to, request->memory_bytes);
  put_uint64(to, request->processes);
  put_uint64(to, request->disk_bytes);
  put_uint64(to, request->transcript_bytes);
}

static void put_sign(answer *to, const sync_sign_request *request) {
  put_int32(to, request->role);
  put_bytes(to, request->message, request->message_size);
}

static void put_resolve(answer *to, const sync_resolve_request *request) {
  put_text(to, request->package);
  put_texts(to, request->features, request->features_count);
  put_texts(to, request->programs, request->programs_count);
  put_int32(to, request->library);
  put_int32(to, request->without_default_features);
  put_optional(to, request->profile);
  put_optional(to, request->target);
  put_text(to, request->toolchain);
  put_uint64(to, request->rebuild);
  put_texts(to, request->normalise, request->normalise_count);
  put_text(to, request->scratch_directory);
}

static void put_fetch(answer *to, const sync_fetch_request *request) {
  put_text(to, request->purl);
  put_text(to, request->origin);
  put_text(to, request->tree_sha256);
  put_text(to, request->directory);
}

static void put_storage(answer *to, const sync_storage_request *request) {
  put_bytes(to, request->key, request->key_size);
  put_bytes(to, request->start, request->start_size);
  put_uint64(to, request->limit);
}

static void put_apply(answer *to, const sync_apply_request *request) {
  put_uint32(to, (uint32_t)request->changes_count);
  for (size_t i = 0; i < request->changes_count; i++) {
    const sync_change *change = &request->changes[i];
    put_bytes(to, change->key, change->key_size);
    put_int32(to, change->value != NULL);
    if (change->value != NULL) put_bytes(to, change->value, change->value_size);
  }
  put_int32(to, request->durable);
}

#define METHOD(name, number, kind) \
  static int32_t name(void *self, const sync_##kind##_request *request, sync_call *call) { \
    if (request->struct_size < sizeof *request) { \
      sync_call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "libsync is older than this jar: install a newer one"); \
      return SYNC_PLUGIN_OK; \
    } \
    answer packed = {0}; \
    put_##kind(&packed, request); \
    return serve(synchronicity_node_Native_##number, self, call, &packed); \
  }

METHOD(create, CREATE, create)
METHOD(probe, PROBE, plain)
METHOD(prepare, PREPARE, toolchain)
METHOD(has_toolchain, HAS_PREPARED, toolchain)
METHOD(run, RUN, run)
METHOD(remove_leftovers, REMOVE_LEFTOVERS, plain)
METHOD(public_key, PUBLIC_KEY, sign)
METHOD(sign, SIGN, sign)
METHOD(resolve, RESOLVE, resolve)
METHOD(fetch, FETCH, fetch)
METHOD(get, GET, storage)
METHOD(scan, SCAN, storage)
METHOD(apply, APPLY, apply)

static void call_with_number(jmethodID method, const void *number) {
  entry made;
  if (!enter(&made)) return;
  (*made.env)->CallStaticVoidMethod(made.env, host, method, (jlong)(intptr_t)number);
  leave(&made);
}

static void destroy(void *self) { call_with_number(destroy_method, self); }

static void forget(void *user_data) { call_with_number(forget_method, user_data); }

void bridge_log(void *user_data, int32_t level, const char *line) {
  entry made;
  if (!enter(&made)) return;
  answer packed = {0};
  put(&packed, line, strlen(line));
  jbyteArray bytes = give(made.env, &packed);
  if (bytes != NULL) {
    (*made.env)->CallStaticVoidMethod(made.env, host, log_method, (jlong)(intptr_t)user_data, (jint)level, bytes);
  }
  leave(&made);
}

/* The texts end with a NUL each: name, version, and of a source its two types. Behind this the library gives the number
 * back, whatever comes. */
JNIEXPORT void JNICALL NATIVE(addPlugin)(JNIEnv *env, jclass native, jlong registry, jint kind, jbyteArray array,
                                         jlong number) {
  static const sync_sandbox_methods sandbox = {
      sizeof sandbox, SYNC_ABI_VERSION, probe, prepare, has_toolchain, run, remove_leftovers};
  static const sync_signer_methods signer = {sizeof signer, SYNC_ABI_VERSION, public_key, sign};
  static const sync_storage_methods storage = {sizeof storage, SYNC_ABI_VERSION, get, scan, apply};
  byte_copy texts;
  if (!copy_bytes(env, array, SIZE_MAX, &texts)) return;
  const char *name = (const char *)texts.data, *version = name + strlen(name) + 1;
  sync_source_methods source = {sizeof source, SYNC_ABI_VERSION, NULL, NULL, resolve, fetch};
  if (kind == synchronicity_node_Native_SOURCE) {
    source.type = version + strlen(version) + 1;
    source.origin_type = source.type + strlen(source.type) + 1;
  }
  const sync_plugin plugin = {
      .struct_size = sizeof plugin,
      .abi_version = SYNC_ABI_VERSION,
      .name = name,
      .version = version,
      .create = create,
      .destroy = destroy,
      .sandbox = kind == synchronicity_node_Native_SANDBOX ? &sandbox : NULL,
      .signer = kind == synchronicity_node_Native_SIGNER ? &signer : NULL,
      .source = kind == synchronicity_node_Native_SOURCE ? &source : NULL,
      .storage = kind == synchronicity_node_Native_STORAGE ? &storage : NULL,
  };
  sync_error *error = NULL;
  sync_status status = sync_registry_add(FROM_HANDLE(sync_registry, registry), &plugin, (void *)(intptr_t)number,
                                         forget, &error);
  free(texts.data);
  if (status != SYNC_OK) refuse(env, native, status, error);
}
