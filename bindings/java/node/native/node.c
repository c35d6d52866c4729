/* The native methods of synchronicity.node.Native about nodes, events and registries.
 *
 * Each copies what it is given, asks the library, and gives back a number or one array of bytes that Reader.java reads.
 * Handles are the library's own pointers; NodeHandle.java and Handle.java say when they may be used. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>

#include "node.h"

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *loaded, void *reserved) {
  (void)reserved;
  JNIEnv *env = NULL;
  if (sync_get_abi_version() != SYNC_ABI_VERSION) return JNI_ERR;
  if ((*loaded)->GetEnv(loaded, (void **)&env, JNI_VERSION_10) != JNI_OK) return JNI_ERR;
  return bridge_load(loaded, env) ? JNI_VERSION_10 : JNI_ERR;
}

JNIEXPORT jbyteArray JNICALL NATIVE(version)(JNIEnv *env, jclass native) {
  (void)native;
  answer made = {0};
  put(&made, sync_get_version(), strlen(sync_get_version()));
  return give(env, &made);
}

/* Throws unless the status is 0. Returns whether it is. */
static int succeeds(JNIEnv *env, jclass native, sync_status status, sync_error *error) {
  if (status == SYNC_OK) return 1;
  refuse(env, native, status, error);
  return 0;
}

static jbyteArray give_bytes(JNIEnv *env, sync_bytes *bytes) {
  answer made = {0};
  put(&made, sync_bytes_get_start(bytes), sync_bytes_get_size(bytes));
  sync_bytes_destroy(bytes);
  return give(env, &made);
}

/* A job or a digest. Returns false, with an exception pending, where it has too few bytes. */
static int copy_digest(JNIEnv *env, jbyteArray array, uint8_t digest[SYNC_SHA256_SIZE]) {
  (*env)->GetByteArrayRegion(env, array, 0, SYNC_SHA256_SIZE, (jbyte *)digest);
  return !(*env)->ExceptionCheck(env);
}

/* The text that begins there, and where the next one begins. */
static const char *next_text(const char **at) {
  const char *text = *at;
  *at = text + strlen(text) + 1;
  return text;
}

static const char *next_optional(const char **at, jint present, jint bit) {
  const char *text = next_text(at);
  return (present & bit) != 0 ? text : NULL;
}

/* ---- Registries ---- */

JNIEXPORT jlong JNICALL NATIVE(createRegistry)(JNIEnv *env, jclass native) {
  sync_registry *registry = NULL;
  sync_error *error = NULL;
  sync_status status = sync_registry_create(0, &registry, &error);
  return succeeds(env, native, status, error) ? (jlong)(intptr_t)registry : 0;
}

JNIEXPORT void JNICALL NATIVE(loadPlugin)(JNIEnv *env, jclass native, jlong registry, jbyteArray array) {
  byte_copy path;
  if (!copy_bytes(env, array, SIZE_MAX, &path)) return;
  sync_error *error = NULL;
  sync_status status = sync_registry_load(FROM_HANDLE(sync_registry, registry), (const char *)path.data, &error);
  free(path.data);
  succeeds(env, native, status, error);
}

/* The texts end with a NUL each: the plugin's name, the two optional ones of the options', the names and values of the
 * settings and of what is allowed. */
JNIEXPORT jbyteArray JNICALL NATIVE(check)(JNIEnv *env, jclass native, jlong registry, jbyteArray array, jint settings,
                                           jint allowed, jint present, jboolean with_escapes) {
  byte_copy texts;
  if (!copy_bytes(env, array, SIZE_MAX, &texts)) return NULL;
  const size_t count = (size_t)settings + (size_t)allowed;
  sync_setting *pairs = calloc(count + 1, sizeof *pairs);
  if (pairs == NULL) {
    free(texts.data);
    throw_out_of_memory(env);
    return NULL;
  }
  const char *at = (const char *)texts.data;
  const char *name = next_text(&at);
  sync_check_options options = SYNC_CHECK_OPTIONS_INIT;
  options.toolchain = next_optional(&at, present, synchronicity_node_Native_HAS_TOOLCHAIN);
  options.package = next_optional(&at, present, synchronicity_node_Native_HAS_PACKAGE);
  for (size_t i = 0; i < count; i++) {
    pairs[i].name = next_text(&at);
    pairs[i].value = next_text(&at);
  }
  options.settings = pairs;
  options.settings_count = (size_t)settings;
  options.with_escapes = with_escapes != 0;
  options.allowed = pairs + settings;
  options.allowed_count = (size_t)allowed;
  int32_t has_passed = 0;
  sync_bytes *report = NULL;
  sync_error *error = NULL;
  sync_status status =
      sync_registry_check(FROM_HANDLE(sync_registry, registry), name, &options, &has_passed, &report, &error);
  free(pairs);
  free(texts.data);
  if (!succeeds(env, native, status, error)) return NULL;
  answer made = {0};
  put_int32(&made, has_passed);
  put_uint32(&made, (uint32_t)sync_bytes_get_size(report));
  put(&made, sync_bytes_get_start(report), sync_bytes_get_size(report));
  sync_bytes_destroy(report);
  return give(env, &made);
}

JNIEXPORT void JNICALL NATIVE(destroyRegistry)(JNIEnv *env, jclass native, jlong registry) {
  (void)env;
  (void)native;
  sync_registry_destroy(FROM_HANDLE(sync_registry, registry));
}

/* ---- A node's life ---- */

JNIEXPORT jlong JNICALL NATIVE(createNode)(JNIEnv *env, jclass native, jbyteArray text, jbyteArray folder,
                                           jlong registry, jlong log, jboolean is_restored) {
  byte_copy configuration, path;
  /* One byte too many is enough to be refused. */
  if (!copy_bytes(env, text, SYNC_CONFIGURATION_BYTES_MAX + 1, &configuration)) return 0;
  if (!copy_bytes(env, folder, SIZE_MAX, &path)) {
    free(configuration.data);
    return 0;
  }
  sync_node_options options = SYNC_NODE_OPTIONS_INIT;
  if (log != 0) {
    options.log = bridge_log;
    options.log_user_data = (void *)(intptr_t)log;
  }
  options.is_restored = is_restored != 0;
  sync_node *node = NULL;
  sync_error *error = NULL;
  sync_status status =
      sync_node_create(configuration.data, configuration.size, (const char *)path.data,
                       FROM_HANDLE(sync_registry, registry), &options, &node, &error);
  free(configuration.data);
  free(path.data);
  return succeeds(env, native, status, error) ? (jlong)(intptr_t)node : 0;
}

JNIEXPORT void JNICALL NATIVE(start)(JNIEnv *env, jclass native, jlong node) {
  sync_error *error = NULL;
  struct sigaction before, behind;
  const int is_known = sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler != SIG_DFL;
  sync_status status = sync_node_start(FROM_HANDLE(sync_node, node), &error);
  /* The network library inside ignores SIGPIPE, which every process that Java starts would inherit. The JVM's own
   * handler, which does nothing either, is put back. */
  if (is_known && sigaction(SIGPIPE, NULL, &behind) == 0 && behind.sa_handler == SIG_IGN) {
    sigaction(SIGPIPE, &before, NULL);
  }
  succeeds(env, native, status, error);
}

/* In all that wait, -1 is SYNC_FOREVER. */
JNIEXPORT void JNICALL NATIVE(stop)(JNIEnv *env, jclass native, jlong node, jlong timeout) {
  sync_error *error = NULL;
  sync_status status = sync_node_stop(FROM_HANDLE(sync_node, node), (uint64_t)timeout, &error);
  succeeds(env, native, status, error);
}

JNIEXPORT void JNICALL NATIVE(destroyNode)(JNIEnv *env, jclass native, jlong node) {
  (void)env;
  (void)native;
  sync_node_destroy(FROM_HANDLE(sync_node, node));
}

JNIEXPORT void JNICALL NATIVE(drain)(JNIEnv *env, jclass native, jlong node, jlong timeout) {
  sync_error *error = NULL;
  sync_status status = sync_node_drain(FROM_HANDLE(sync_node, node), (uint64_t)timeout, &error);
  succeeds(env, native, status, error);
}

JNIEXPORT jbyteArray JNICALL NATIVE(nodeStatus)(JNIEnv *env, jclass native, jlong node) {
  sync_node_status found = SYNC_NODE_STATUS_INIT;
  sync_error *error = NULL;
  sync_status status = sync_node_get_status(FROM_HANDLE(sync_node, node), &found, &error);
  if (!succeeds(env, native, status, error)) return NULL;
  answer made = {0};
  put_int32(&made, found.state);
  put_int32(&made, found.is_observing);
  put_uint64(&made, found.epoch);
  put_uint64(&made, found.view);
  put_uint64(&made, found.height);
  put_uint64(&made, found.log_size);
  put_uint64(&made, found.checkpoint_size);
  put_uint32(&made, found.open_jobs);
  put_uint32(&made, found.connected_peers);
  put_uint32(&made, found.replicas);
  put_uint32(&made, found.quorum);
  return give(env, &made);
}

JNIEXPORT jbyteArray JNICALL NATIVE(statusJson)(JNIEnv *env, jclass native, jlong node) {
  sync_bytes *bytes = NULL;
  sync_error *error = NULL;
  sync_status status = sync_node_copy_status_json(FROM_HANDLE(sync_node, node), &bytes, &error);
  return succeeds(env, native, status, error) ? give_bytes(env, bytes) : NULL;
}

/* ---- Jobs ---- */

/* The texts end with a NUL each: the package, the three optional ones of the request's, the features. */
JNIEXPORT jbyteArray JNICALL NATIVE(submit)(JNIEnv *env, jclass native, jlong node, jbyteArray array, jint features,
                                            jint present, jlong rebuild, jboolean without_default_features,
                                            jint priority, jlong timeout) {
  byte_copy texts;
  if (!copy_bytes(env, array, SIZE_MAX, &texts)) return NULL;
  const char **names = calloc((size_t)features + 1, sizeof *names);
  if (names == NULL) {
    free(texts.data);
    throw_out_of_memory(env);
    return NULL;
  }
  const char *at = (const char *)texts.data;
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = next_text(&at);
  request.profile = next_optional(&at, present, synchronicity_node_Native_HAS_PROFILE);
  request.target = next_optional(&at, present, synchronicity_node_Native_HAS_TARGET);
  request.toolchain = next_optional(&at, present, synchronicity_node_Native_HAS_TOOLCHAIN);
  for (jint i = 0; i < features; i++) names[i] = next_text(&at);
  request.features = names;
  request.features_count = (size_t)features;
  request.rebuild = (uint64_t)rebuild;
  request.without_default_features = without_default_features != 0;
  request.priority = priority;
  uint8_t job[SYNC_SHA256_SIZE];
  sync_error *error = NULL;
  sync_status status = sync_node_submit(FROM_HANDLE(sync_node, node), &request, (uint64_t)timeout, job, &error);
  free(names);
  free(texts.data);
  if (!succeeds(env, native, status, error)) return NULL;
  answer made = {0};
  put_sha256(&made, job);
  return give(env, &made);
}

static jbyteArray give_job(JNIEnv *env, const sync_job_status *found) {
  answer made = {0};
  put_int32(&made, found->phase);
  put_int32(&made, found->verdict);
  put_uint32(&made, found->agreeing);
  put_uint32(&made, found->committed);
  put_uint64(&made, found->leaf_index);
  return give(env, &made);
}

JNIEXPORT jbyteArray JNICALL NATIVE(jobStatus)(JNIEnv *env, jclass native, jlong node, jbyteArray array) {
  uint8_t job[SYNC_SHA256_SIZE];
  if (!copy_digest(env, array, job)) return NULL;
  sync_job_status found = SYNC_JOB_STATUS_INIT;
  sync_error *error = NULL;
  sync_status status = sync_node_get_job(FROM_HANDLE(sync_node, node), job, &found, &error);
  return succeeds(env, native, status, error) ? give_job(env, &found) : NULL;
}

JNIEXPORT jbyteArray JNICALL NATIVE(waitFor)(JNIEnv *env, jclass native, jlong node, jbyteArray array, jint phase,
                                             jlong timeout) {
  uint8_t job[SYNC_SHA256_SIZE];
  if (!copy_digest(env, array, job)) return NULL;
  sync_job_status found = SYNC_JOB_STATUS_INIT;
  sync_error *error = NULL;
  sync_status status =
      sync_node_wait(FROM_HANDLE(sync_node, node), job, phase, (uint64_t)timeout, &found, &error);
  return succeeds(env, native, status, error) ? give_job(env, &found) : NULL;
}

JNIEXPORT jbyteArray JNICALL NATIVE(proof)(JNIEnv *env, jclass native, jlong node, jbyteArray array) {
  uint8_t job[SYNC_SHA256_SIZE];
  if (!copy_digest(env, array, job)) return NULL;
  sync_bytes *bytes = NULL;
  sync_error *error = NULL;
  sync_status status = sync_node_copy_proof(FROM_HANDLE(sync_node, node), job, &bytes, &error);
  return succeeds(env, native, status, error) ? give_bytes(env, bytes) : NULL;
}

JNIEXPORT jbyteArray JNICALL NATIVE(artifactPath)(JNIEnv *env, jclass native, jlong node, jbyteArray array) {
  uint8_t artifact[SYNC_SHA256_SIZE];
  if (!copy_digest(env, array, artifact)) return NULL;
  sync_bytes *bytes = NULL;
  sync_error *error = NULL;
  sync_status status = sync_node_copy_artifact_path(FROM_HANDLE(sync_node, node), artifact, &bytes, &error);
  return succeeds(env, native, status, error) ? give_bytes(env, bytes) : NULL;
}

/* ---- Events ---- */

JNIEXPORT jlong JNICALL NATIVE(subscribe)(JNIEnv *env, jclass native, jlong node, jint capacity) {
  sync_events *events = NULL;
  sync_error *error = NULL;
  sync_status status = sync_node_subscribe(FROM_HANDLE(sync_node, node), (uint32_t)capacity, &events, &error);
  return succeeds(env, native, status, error) ? (jlong)(intptr_t)events : 0;
}

JNIEXPORT jbyteArray JNICALL NATIVE(nextEvent)(JNIEnv *env, jclass native, jlong events, jlong timeout) {
  sync_event event = {.struct_size = sizeof event, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_events_next(FROM_HANDLE(sync_events, events), (uint64_t)timeout, &event, &error);
  if (!succeeds(env, native, status, error)) return NULL;
  answer made = {0};
  put_int32(&made, event.kind);
  put_uint32(&made, event.dropped);
  put_uint64(&made, event.number);
  put_sha256(&made, event.job);
  put_text(&made, event.text);
  return give(env, &made);
}

JNIEXPORT void JNICALL NATIVE(closeEvents)(JNIEnv *env, jclass native, jlong events) {
  (void)env;
  (void)native;
  sync_events_close(FROM_HANDLE(sync_events, events));
}

JNIEXPORT void JNICALL NATIVE(destroyEvents)(JNIEnv *env, jclass native, jlong events) {
  (void)env;
  (void)native;
  sync_events_destroy(FROM_HANDLE(sync_events, events));
}
