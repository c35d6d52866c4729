/* The native methods of synchronicity.verify.Native.
 *
 * Each copies what it is given, asks the library, and gives back one array of bytes that Answer.java reads: no string
 * crosses as JNI's modified UTF-8, and no Java object is built here. Once an exception is pending nothing else is
 * called. Handles are the library's own pointers; Handle.java says when they may be used. The last ones are about
 * files, and ask the system. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "synchronicity_verify_Native.h"

#define NATIVE(name) Java_synchronicity_verify_Native_##name

static int copy_digest(JNIEnv *env, jbyteArray array, uint8_t digest[SYNC_SHA256_SIZE]) {
  (*env)->GetByteArrayRegion(env, array, 0, SYNC_SHA256_SIZE, (jbyte *)digest);
  return !(*env)->ExceptionCheck(env);
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  (void)vm;
  (void)reserved;
  return sync_get_abi_version() == SYNC_ABI_VERSION ? JNI_VERSION_10 : JNI_ERR;
}

JNIEXPORT jbyteArray JNICALL NATIVE(version)(JNIEnv *env, jclass native) {
  (void)native;
  answer made = {0};
  put(&made, sync_get_version(), strlen(sync_get_version()));
  return give(env, &made);
}

JNIEXPORT jlong JNICALL NATIVE(createPolicy)(JNIEnv *env, jclass native, jbyteArray array) {
  byte_copy text;
  if (!copy_bytes(env, array, SYNC_POLICY_BYTES_MAX + 1, &text)) return 0;
  sync_policy *policy = NULL;
  sync_error *error = NULL;
  sync_status status = sync_policy_create(text.data, text.size, 0, &policy, &error);
  free(text.data);
  if (status != SYNC_OK) refuse(env, native, status, error);
  return (jlong)(intptr_t)policy;
}

JNIEXPORT jlong JNICALL NATIVE(followPolicy)(JNIEnv *env, jclass native, jlong policy, jlong epoch,
                                             jbyteArray array) {
  byte_copy text;
  if (!copy_bytes(env, array, SYNC_PROOF_BYTES_MAX + 1, &text)) return 0;
  sync_policy *followed = NULL;
  sync_error *error = NULL;
  sync_status status = sync_policy_follow(FROM_HANDLE(sync_policy, policy), (uint64_t)epoch, text.data, text.size, 0,
                                          &followed, &error);
  free(text.data);
  if (status != SYNC_OK) refuse(env, native, status, error);
  return (jlong)(intptr_t)followed;
}

JNIEXPORT void JNICALL NATIVE(destroyPolicy)(JNIEnv *env, jclass native, jlong policy) {
  (void)env;
  (void)native;
  sync_policy_destroy(FROM_HANDLE(sync_policy, policy));
}

static jbyteArray give_verification(JNIEnv *env, const sync_verification *shown) {
  answer made = {0};
  put_int32(&made, shown->verdict);
  put_uint32(&made, shown->cosigners);
  put_uint32(&made, shown->reproducers);
  put_uint32(&made, shown->builders);
  put_uint64(&made, shown->leaf_index);
  put_uint64(&made, shown->tree_size);
  put_uint64(&made, shown->height);
  put_uint64(&made, shown->time_milliseconds);
  put(&made, shown->reproducer_bits, sizeof shown->reproducer_bits);
  put(&made, shown->cosigner_bits, sizeof shown->cosigner_bits);
  return give(env, &made);
}

JNIEXPORT jbyteArray JNICALL NATIVE(verify)(JNIEnv *env, jclass native, jlong policy, jbyteArray array,
                                            jbyteArray digest) {
  byte_copy text;
  uint8_t sha256[SYNC_SHA256_SIZE];
  if (!copy_digest(env, digest, sha256) || !copy_bytes(env, array, SYNC_PROOF_BYTES_MAX + 1, &text)) return NULL;
  sync_verification shown = SYNC_VERIFICATION_INIT;
  sync_error *error = NULL;
  sync_status status =
      sync_policy_verify(FROM_HANDLE(sync_policy, policy), text.data, text.size, sha256, 0, &shown, &error);
  free(text.data);
  if (status == SYNC_OK) return give_verification(env, &shown);
  refuse(env, native, status, error);
  return NULL;
}

JNIEXPORT jbyteArray JNICALL NATIVE(verifyParsed)(JNIEnv *env, jclass native, jlong policy, jlong proof,
                                                  jbyteArray digest) {
  uint8_t sha256[SYNC_SHA256_SIZE];
  if (!copy_digest(env, digest, sha256)) return NULL;
  sync_verification shown = SYNC_VERIFICATION_INIT;
  sync_error *error = NULL;
  sync_status status = sync_proof_verify(FROM_HANDLE(sync_proof, proof), FROM_HANDLE(sync_policy, policy), sha256, 0,
                                         &shown, &error);
  if (status == SYNC_OK) return give_verification(env, &shown);
  refuse(env, native, status, error);
  return NULL;
}

JNIEXPORT jlong JNICALL NATIVE(createProof)(JNIEnv *env, jclass native, jbyteArray array) {
  byte_copy text;
  if (!copy_bytes(env, array, SYNC_PROOF_BYTES_MAX + 1, &text)) return 0;
  sync_proof *proof = NULL;
  sync_error *error = NULL;
  sync_status status = sync_proof_create(text.data, text.size, 0, &proof, &error);
  free(text.data);
  if (status != SYNC_OK) refuse(env, native, status, error);
  return (jlong)(intptr_t)proof;
}

JNIEXPORT void JNICALL NATIVE(destroyProof)(JNIEnv *env, jclass native, jlong proof) {
  (void)env;
  (void)native;
  sync_proof_destroy(FROM_HANDLE(sync_proof, proof));
}

static sync_status put_builders(answer *to, const sync_proof *proof, uint32_t count, sync_error **error) {
  sync_status status = SYNC_OK;
  put_uint32(to, count);
  for (uint32_t i = 0; i < count && status == SYNC_OK; i++) {
    sync_builder_info builder = {.struct_size = sizeof builder, .abi_version = SYNC_ABI_VERSION};
    status = sync_proof_get_builder(proof, i, &builder, error);
    if (status != SYNC_OK) break;
    put_int32(to, builder.state);
    put_uint32(to, builder.outcome);
    put_sha256(to, builder.outcome_sha256);
    put_text(to, builder.name);
    put_text(to, builder.sandbox);
    put_text(to, builder.processor);
    put_text(to, builder.kernel);
  }
  return status;
}

static sync_status put_artifacts(answer *to, const sync_proof *proof, uint32_t count, sync_error **error) {
  sync_status status = SYNC_OK;
  put_uint32(to, count);
  for (uint32_t i = 0; i < count && status == SYNC_OK; i++) {
    sync_artifact_info artifact = {.struct_size = sizeof artifact, .abi_version = SYNC_ABI_VERSION};
    status = sync_proof_get_artifact(proof, i, &artifact, error);
    if (status != SYNC_OK) break;
    put_text(to, artifact.path);
    put_uint64(to, artifact.size);
    put_uint32(to, artifact.mode);
    put_sha256(to, artifact.sha256);
  }
  return status;
}

static sync_status put_sources(answer *to, const sync_proof *proof, uint32_t count, sync_error **error) {
  sync_status status = SYNC_OK;
  put_uint32(to, count);
  for (uint32_t i = 0; i < count && status == SYNC_OK; i++) {
    sync_source_info source = {.struct_size = sizeof source, .abi_version = SYNC_ABI_VERSION};
    status = sync_proof_get_source(proof, i, &source, error);
    if (status != SYNC_OK) break;
    put_text(to, source.package);
    put_text(to, source.origin);
    put_sha256(to, source.tree_sha256);
    put_sha256(to, source.claimed_sha256);
    put_uint32(to, source.has_claim);
  }
  return status;
}

static sync_status put_signatures(answer *to, const sync_proof *proof, uint32_t count, sync_error **error) {
  sync_status status = SYNC_OK;
  put_uint32(to, count);
  for (uint32_t i = 0; i < count && status == SYNC_OK; i++) {
    sync_signature_info signature = {.struct_size = sizeof signature, .abi_version = SYNC_ABI_VERSION};
    status = sync_proof_get_signature(proof, i, &signature, error);
    if (status != SYNC_OK) break;
    put_text(to, signature.name);
    put_uint32(to, signature.key_id);
    put_uint32(to, signature.is_timed);
    put_uint64(to, signature.time_seconds);
  }
  return status;
}

static void put_info(answer *to, const sync_proof_info *info) {
  put_text(to, info->log_origin);
  put_text(to, info->package);
  put_text(to, info->package_name);
  put_text(to, info->package_version);
  put_text(to, info->submitter);
  put_sha256(to, info->job_id);
  put_sha256(to, info->source_sha256);
  put_sha256(to, info->toolchain_sha256);
  put_uint64(to, info->leaf_index);
  put_uint64(to, info->tree_size);
  put_uint64(to, info->epoch);
  put_uint64(to, info->height);
  put_uint64(to, info->time_milliseconds);
  put_int32(to, info->verdict);
  put_uint32(to, info->agreeing);
  put_uint32(to, info->reproducers);
  put_uint32(to, info->outcome_count);
}

JNIEXPORT jbyteArray JNICALL NATIVE(describe)(JNIEnv *env, jclass native, jlong handle) {
  const sync_proof *proof = FROM_HANDLE(sync_proof, handle);
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  answer made = {0};
  sync_status status = sync_proof_get_info(proof, &info, &error);
  if (status == SYNC_OK) put_info(&made, &info);
  if (status == SYNC_OK) status = put_builders(&made, proof, info.builder_count, &error);
  if (status == SYNC_OK) status = put_artifacts(&made, proof, info.artifact_count, &error);
  if (status == SYNC_OK) status = put_sources(&made, proof, info.source_count, &error);
  if (status == SYNC_OK) status = put_signatures(&made, proof, info.signature_count, &error);
  if (status == SYNC_OK) return give(env, &made);
  free(made.data);
  refuse(env, native, status, error);
  return NULL;
}

JNIEXPORT jlong JNICALL NATIVE(createHasher)(JNIEnv *env, jclass native) {
  sync_hasher *hasher = NULL;
  sync_error *error = NULL;
  sync_status status = sync_hasher_create(0, &hasher, &error);
  if (status != SYNC_OK) refuse(env, native, status, error);
  return (jlong)(intptr_t)hasher;
}

JNIEXPORT void JNICALL NATIVE(update)(JNIEnv *env, jclass native, jlong hasher, jbyteArray array, jint offset,
                                      jint size) {
  /* On the stack, which even a small thread has room for. */
  uint8_t piece[16384];
  while (size > 0) {
    const jint taken = size < (jint)sizeof piece ? size : (jint)sizeof piece;
    (*env)->GetByteArrayRegion(env, array, offset, taken, (jbyte *)piece);
    if ((*env)->ExceptionCheck(env)) return;
    sync_error *error = NULL;
    sync_status status = sync_hasher_update(FROM_HANDLE(sync_hasher, hasher), piece, (size_t)taken, &error);
    if (status != SYNC_OK) {
      refuse(env, native, status, error);
      return;
    }
    offset += taken;
    size -= taken;
  }
}

/* Returns NULL with an exception pending. */
static uint8_t *direct_bytes(JNIEnv *env, jobject buffer) {
  uint8_t *bytes = (*env)->GetDirectBufferAddress(env, buffer);
  if (bytes == NULL) {
    throw_named(env, "java/lang/UnsupportedOperationException", "this machine gives no access to direct buffers");
  }
  return bytes;
}

JNIEXPORT void JNICALL NATIVE(updateDirect)(JNIEnv *env, jclass native, jlong hasher, jobject buffer, jint offset,
                                            jint size) {
  if (size == 0) return;
  const uint8_t *bytes = direct_bytes(env, buffer);
  if (bytes == NULL) return;
  sync_error *error = NULL;
  sync_status status = sync_hasher_update(FROM_HANDLE(sync_hasher, hasher), bytes + offset, (size_t)size, &error);
  if (status != SYNC_OK) refuse(env, native, status, error);
}

JNIEXPORT jbyteArray JNICALL NATIVE(finish)(JNIEnv *env, jclass native, jlong hasher) {
  uint8_t sha256[SYNC_SHA256_SIZE];
  sync_error *error = NULL;
  sync_status status = sync_hasher_finish(FROM_HANDLE(sync_hasher, hasher), sha256, &error);
  if (status != SYNC_OK) {
    refuse(env, native, status, error);
    return NULL;
  }
  answer made = {0};
  put_sha256(&made, sha256);
  return give(env, &made);
}

JNIEXPORT void JNICALL NATIVE(destroyHasher)(JNIEnv *env, jclass native, jlong hasher) {
  (void)env;
  (void)native;
  sync_hasher_destroy(FROM_HANDLE(sync_hasher, hasher));
}

JNIEXPORT jbyteArray JNICALL NATIVE(findEmbedded)(JNIEnv *env, jclass native, jbyteArray first, jbyteArray last,
                                                  jlong file_size) {
  byte_copy head, tail;
  /* One byte too many is as wrong as a thousand. */
  if (!copy_bytes(env, first, SYNC_EMBEDDED_HEAD_SIZE + 1, &head)) return NULL;
  if (!copy_bytes(env, last, SYNC_EMBEDDED_TAIL_SIZE + 1, &tail)) {
    free(head.data);
    return NULL;
  }
  sync_embedded found = {.struct_size = sizeof found, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status =
      sync_embedded_find(head.data, head.size, tail.data, tail.size, (uint64_t)file_size, 0, &found, &error);
  free(head.data);
  free(tail.data);
  if (status != SYNC_OK) {
    refuse(env, native, status, error);
    return NULL;
  }
  answer made = {0};
  put_int32(&made, found.form);
  put_uint64(&made, found.content_size);
  put_uint64(&made, found.proof_offset);
  put_uint64(&made, found.proof_size);
  return give(env, &made);
}

#if ENOENT != synchronicity_verify_Native_NO_SUCH_FILE || EACCES != synchronicity_verify_Native_ACCESS_DENIED
#error "Native.java has other numbers"
#endif

/* Native.java says what each of these gives. */
static int fill_state(JNIEnv *env, const struct stat *from, jlongArray state) {
  const jlong numbers[synchronicity_verify_Native_FILE_STATE_SIZE] = {
      from->st_size, from->st_mtim.tv_sec, from->st_mtim.tv_nsec, from->st_ctim.tv_sec, from->st_ctim.tv_nsec};
  (*env)->SetLongArrayRegion(env, state, 0, synchronicity_verify_Native_FILE_STATE_SIZE, numbers);
  return !(*env)->ExceptionCheck(env);
}

JNIEXPORT jint JNICALL NATIVE(openFile)(JNIEnv *env, jclass native, jbyteArray array, jlongArray state) {
  (void)native;
  byte_copy name;
  if (!copy_bytes(env, array, SIZE_MAX, &name)) return -ENOMEM;
  int file;
  /* Without O_NONBLOCK, opening a pipe waits for its writer. */
  do {
    file = open((const char *)name.data, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  } while (file < 0 && errno == EINTR);
  free(name.data);
  if (file < 0) return -errno;
  struct stat status;
  jint result = file;
  if (fstat(file, &status) != 0) {
    result = -errno;
  } else if (!S_ISREG(status.st_mode)) {
    result = synchronicity_verify_Native_NOT_REGULAR;
  } else if (!fill_state(env, &status, state)) {
    result = -EINVAL;
  }
  if (result != file) close(file);
  return result;
}

JNIEXPORT jint JNICALL NATIVE(fileState)(JNIEnv *env, jclass native, jint file, jlongArray state) {
  (void)native;
  struct stat status;
  if (fstat(file, &status) != 0) return errno;
  fill_state(env, &status, state);
  return 0;
}

JNIEXPORT jint JNICALL NATIVE(readFile)(JNIEnv *env, jclass native, jint file, jobject buffer, jint position,
                                        jint size, jlong offset) {
  (void)native;
  uint8_t *bytes = direct_bytes(env, buffer);
  if (bytes == NULL) return 0;
  ssize_t count;
  do {
    count = pread(file, bytes + position, (size_t)size, (off_t)offset);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : (jint)count;
}

JNIEXPORT void JNICALL NATIVE(closeFile)(JNIEnv *env, jclass native, jint file) {
  (void)env;
  (void)native;
  close(file);
}

JNIEXPORT jbyteArray JNICALL NATIVE(describeError)(JNIEnv *env, jclass native, jint error) {
  (void)native;
  char sentence[256];
  if (strerror_r(error, sentence, sizeof sentence) != 0) sentence[0] = '\0';
  answer made = {0};
  put(&made, sentence, strlen(sentence));
  return give(env, &made);
}
