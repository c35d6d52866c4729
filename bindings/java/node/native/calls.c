/* The native methods of synchronicity.node.Native that answer a call of a plugin's method. A call is a number that does
 * no harm when it comes late. Those that answer or add give the library's status. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "node.h"

#define CALL(number) FROM_HANDLE(sync_call, number)

JNIEXPORT jboolean JNICALL NATIVE(isCancelled)(JNIEnv *env, jclass native, jlong call) {
  (void)env;
  (void)native;
  return sync_call_is_cancelled(CALL(call)) != 0;
}

/* A descriptor of the caller's own, or -1. The library's is there until the call is answered, which Call.java does not
 * let happen meanwhile. */
JNIEXPORT jint JNICALL NATIVE(copyCancelDescriptor)(JNIEnv *env, jclass native, jlong call) {
  (void)env;
  (void)native;
  const int descriptor = sync_call_get_cancel_descriptor(CALL(call));
  return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

JNIEXPORT void JNICALL NATIVE(awaitReadable)(JNIEnv *env, jclass native, jint descriptor, jint milliseconds) {
  (void)env;
  (void)native;
  struct pollfd polled = {.fd = descriptor, .events = POLLIN};
  poll(&polled, 1, milliseconds);
}

JNIEXPORT void JNICALL NATIVE(closeDescriptor)(JNIEnv *env, jclass native, jint descriptor) {
  (void)env;
  (void)native;
  close(descriptor);
}

JNIEXPORT jint JNICALL NATIVE(finish)(JNIEnv *env, jclass native, jlong call) {
  (void)env;
  (void)native;
  return sync_call_finish(CALL(call));
}

JNIEXPORT jint JNICALL NATIVE(fail)(JNIEnv *env, jclass native, jlong call, jint code, jbyteArray array) {
  (void)native;
  byte_copy message;
  if (!copy_bytes(env, array, SIZE_MAX, &message)) return SYNC_ERROR_NULL_ARGUMENT;
  sync_status status = sync_call_fail(CALL(call), code, message.size > 0 ? (const char *)message.data : NULL);
  free(message.data);
  return status;
}

JNIEXPORT jint JNICALL NATIVE(finishInstance)(JNIEnv *env, jclass native, jlong call, jlong instance) {
  (void)env;
  (void)native;
  return sync_call_finish_instance(CALL(call), (void *)(intptr_t)instance);
}

JNIEXPORT jint JNICALL NATIVE(finishBytes)(JNIEnv *env, jclass native, jlong call, jbyteArray array) {
  (void)native;
  byte_copy bytes;
  if (!copy_bytes(env, array, SIZE_MAX, &bytes)) return SYNC_ERROR_NULL_ARGUMENT;
  sync_status status = sync_call_finish_bytes(CALL(call), bytes.data, bytes.size);
  free(bytes.data);
  return status;
}

JNIEXPORT jint JNICALL NATIVE(finishRun)(JNIEnv *env, jclass native, jlong call, jint ending, jint status, jlong wall,
                                         jlong cpu, jlong memory) {
  (void)env;
  (void)native;
  const sync_run_result result = {.struct_size = sizeof result,
                                  .abi_version = SYNC_ABI_VERSION,
                                  .ending = ending,
                                  .status = status,
                                  .wall_nanoseconds = (uint64_t)wall,
                                  .cpu_nanoseconds = (uint64_t)cpu,
                                  .memory_peak_bytes = (uint64_t)memory};
  return sync_call_finish_run(CALL(call), &result);
}

JNIEXPORT jint JNICALL NATIVE(addTranscript)(JNIEnv *env, jclass native, jlong call, jbyteArray array, jint offset,
                                             jint size) {
  (void)native;
  /* On the stack, which even a small thread has room for. */
  uint8_t piece[16384];
  while (size > 0) {
    const jint taken = size < (jint)sizeof piece ? size : (jint)sizeof piece;
    (*env)->GetByteArrayRegion(env, array, offset, taken, (jbyte *)piece);
    if ((*env)->ExceptionCheck(env)) return SYNC_ERROR_OUT_OF_RANGE;
    sync_status status = sync_call_add_transcript(CALL(call), piece, (size_t)taken);
    if (status != SYNC_OK) return status;
    offset += taken;
    size -= taken;
  }
  return SYNC_OK;
}

/* The texts end with a NUL each: name, detail, mend. */
JNIEXPORT jint JNICALL NATIVE(addFinding)(JNIEnv *env, jclass native, jlong call, jboolean is_met, jboolean is_weaker,
                                          jbyteArray array, jboolean has_mend) {
  (void)native;
  byte_copy texts;
  if (!copy_bytes(env, array, SIZE_MAX, &texts)) return SYNC_ERROR_NULL_ARGUMENT;
  const char *name = (const char *)texts.data, *detail = name + strlen(name) + 1;
  const sync_finding finding = {.struct_size = sizeof finding,
                                .abi_version = SYNC_ABI_VERSION,
                                .is_met = is_met != 0,
                                .is_weaker = is_weaker != 0,
                                .name = name,
                                .detail = detail,
                                .mend = has_mend ? detail + strlen(detail) + 1 : NULL};
  sync_status status = sync_call_add_finding(CALL(call), &finding);
  free(texts.data);
  return status;
}

JNIEXPORT jint JNICALL NATIVE(addText)(JNIEnv *env, jclass native, jlong call, jbyteArray array) {
  (void)native;
  byte_copy text;
  if (!copy_bytes(env, array, SIZE_MAX, &text)) return SYNC_ERROR_NULL_ARGUMENT;
  sync_status status = sync_call_add_text(CALL(call), (const char *)text.data);
  free(text.data);
  return status;
}

JNIEXPORT jint JNICALL NATIVE(addRecord)(JNIEnv *env, jclass native, jlong call, jbyteArray first, jbyteArray second) {
  (void)native;
  byte_copy key, value;
  if (!copy_bytes(env, first, SIZE_MAX, &key)) return SYNC_ERROR_NULL_ARGUMENT;
  if (!copy_bytes(env, second, SIZE_MAX, &value)) {
    free(key.data);
    return SYNC_ERROR_NULL_ARGUMENT;
  }
  sync_status status = sync_call_add_record(CALL(call), key.data, key.size, value.data, value.size);
  free(key.data);
  free(value.data);
  return status;
}
