/* Bytes on their way to JavaScript. */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

void put_raw(writer *to, const void *bytes, size_t size) {
  if (to->has_failed || size == 0) return;
  if (size > to->capacity - to->size) {
    size_t capacity = to->capacity * 2 > to->size + size ? to->capacity * 2 : to->size + size + 256;
    uint8_t *grown = realloc(to->start, capacity);
    if (grown == NULL) {
      to->has_failed = true;
      return;
    }
    to->start = grown;
    to->capacity = capacity;
  }
  memcpy(to->start + to->size, bytes, size);
  to->size += size;
}

void put_number(writer *to, uint64_t number) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> 8 * i);
  put_raw(to, bytes, sizeof bytes);
}

void put_bytes(writer *to, const void *bytes, size_t size) {
  put_number(to, size);
  put_raw(to, bytes, size);
}

void put_text(writer *to, const char *text) {
  if (text == NULL) {
    put_number(to, UINT64_MAX);
  } else {
    put_bytes(to, text, strlen(text));
  }
}

void put_texts(writer *to, const char *const *texts, size_t count) {
  put_number(to, count);
  for (size_t i = 0; i < count; i++) put_text(to, texts[i]);
}
