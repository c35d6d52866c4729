/* What crosses between Java and C, for the libraries of both jars: arrays of bytes, and exceptions.
 *
 * Once an exception is pending, nothing else of JNI's is called but what frees. */
#ifndef SYNCHRONICITY_BYTES_H
#define SYNCHRONICITY_BYTES_H

#include <jni.h>
#include <stdlib.h>
#include <string.h>
#include <sync/verify.h>

#define FROM_HANDLE(type, handle) ((type *)(intptr_t)(handle))

static inline void throw_named(JNIEnv *env, const char *name, const char *message) {
  jclass found = (*env)->FindClass(env, name);
  if (found == NULL) return;
  (*env)->ThrowNew(env, found, message);
  (*env)->DeleteLocalRef(env, found);
}

static inline void throw_out_of_memory(JNIEnv *env) {
  throw_named(env, "java/lang/OutOfMemoryError", "outside the heap");
}

/* Throws what the status and its error say, through refuse of the class Native, and destroys the error. */
static inline void refuse(JNIEnv *env, jclass native, sync_status status, sync_error *error) {
  const char *message = sync_error_get_message(error);
  const jsize size = (jsize)strlen(message);
  jmethodID method = (*env)->GetStaticMethodID(env, native, "refuse", "(I[BJ)V");
  jbyteArray bytes = method != NULL ? (*env)->NewByteArray(env, size) : NULL;
  if (bytes != NULL) {
    (*env)->SetByteArrayRegion(env, bytes, 0, size, (const jbyte *)message);
    if (!(*env)->ExceptionCheck(env)) {
      (*env)->CallStaticVoidMethod(env, native, method, (jint)status, bytes, (jlong)sync_error_get_offset(error));
    }
    (*env)->DeleteLocalRef(env, bytes);
  }
  sync_error_destroy(error);
}

typedef struct {
  uint8_t *data;
  size_t size;
} byte_copy;

/* Copies an array, or as much of it as size_max says, and puts a NUL behind it. Returns false, with an exception
 * pending, if it cannot. */
static inline int copy_bytes(JNIEnv *env, jbyteArray array, size_t size_max, byte_copy *copy) {
  copy->data = NULL;
  if (array == NULL) {
    throw_named(env, "java/lang/NullPointerException", "bytes are wanted");
    return 0;
  }
  copy->size = (size_t)(*env)->GetArrayLength(env, array);
  if (copy->size > size_max) copy->size = size_max;
  copy->data = malloc(copy->size + 1);
  if (copy->data == NULL) {
    throw_out_of_memory(env);
    return 0;
  }
  copy->data[copy->size] = '\0';
  (*env)->GetByteArrayRegion(env, array, 0, (jsize)copy->size, (jbyte *)copy->data);
  if (!(*env)->ExceptionCheck(env)) return 1;
  free(copy->data);
  return 0;
}

/* What Answer.java, or Reader.java, reads. After a failed allocation nothing more is written, and data is NULL. */
typedef struct {
  uint8_t *data;
  size_t size;
  size_t capacity;
  int has_failed;
} answer;

static inline void put(answer *to, const void *bytes, size_t size) {
  if (to->has_failed) return;
  if (size > to->capacity - to->size) {
    const size_t capacity = 2 * to->capacity + size + 256;
    uint8_t *data = realloc(to->data, capacity);
    if (data == NULL) {
      free(to->data);
      *to = (answer){.has_failed = 1};
      return;
    }
    to->data = data;
    to->capacity = capacity;
  }
  if (size > 0) memcpy(to->data + to->size, bytes, size);
  to->size += size;
}

static inline void put_int32(answer *to, int32_t number) { put(to, &number, sizeof number); }
static inline void put_uint32(answer *to, uint32_t number) { put(to, &number, sizeof number); }
static inline void put_uint64(answer *to, uint64_t number) { put(to, &number, sizeof number); }
static inline void put_sha256(answer *to, const uint8_t digest[SYNC_SHA256_SIZE]) { put(to, digest, SYNC_SHA256_SIZE); }

static inline void put_text(answer *to, const char *text) {
  const size_t size = strlen(text);
  put_uint32(to, (uint32_t)size);
  put(to, text, size);
}

/* Frees the answer. Returns its array, or NULL with an exception pending. */
static inline jbyteArray give(JNIEnv *env, answer *from) {
  jbyteArray array = NULL;
  if (from->has_failed || from->size > INT32_MAX) {
    throw_out_of_memory(env);
  } else {
    array = (*env)->NewByteArray(env, (jsize)from->size);
    if (array != NULL) (*env)->SetByteArrayRegion(env, array, 0, (jsize)from->size, (const jbyte *)from->data);
  }
  free(from->data);
  return array;
}

#endif
