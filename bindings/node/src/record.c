/* Plain JavaScript objects, property by property. */
#include "addon.h"

record begin(napi_env env) {
  record made = {env, NULL, napi_ok};
  made.status = napi_create_object(env, &made.object);
  return made;
}

void set_value(record *to, const char *name, napi_value value) {
  if (to->status == napi_ok) to->status = napi_set_named_property(to->env, to->object, name, value);
}

/* The scope lets the value go at once: a proof may name a thousand artifacts. */
#define SET(to, name, create)                                       \
  do {                                                              \
    napi_handle_scope scope;                                        \
    napi_value value = NULL;                                        \
    if ((to)->status != napi_ok) return;                            \
    (to)->status = napi_open_handle_scope((to)->env, &scope);       \
    if ((to)->status != napi_ok) return;                            \
    (to)->status = create;                                          \
    set_value(to, name, value);                                     \
    napi_close_handle_scope((to)->env, scope);                      \
  } while (0)

void set_text(record *to, const char *name, const char *text) {
  SET(to, name, napi_create_string_utf8(to->env, text, NAPI_AUTO_LENGTH, &value));
}

void set_int32(record *to, const char *name, int32_t number) {
  SET(to, name, napi_create_int32(to->env, number, &value));
}

void set_uint32(record *to, const char *name, uint32_t number) {
  SET(to, name, napi_create_uint32(to->env, number, &value));
}

void set_uint64(record *to, const char *name, uint64_t number) {
  SET(to, name, napi_create_bigint_uint64(to->env, number, &value));
}

void set_boolean(record *to, const char *name, bool is_true) {
  SET(to, name, napi_get_boolean(to->env, is_true, &value));
}

void set_sha256(record *to, const char *name, const uint8_t sha256[SYNC_SHA256_SIZE]) {
  char digits[2 * SYNC_SHA256_SIZE];
  for (size_t i = 0; i < sizeof digits; i++) {
    digits[i] = "0123456789abcdef"[i % 2 == 0 ? sha256[i / 2] >> 4 : sha256[i / 2] & 15];
  }
  SET(to, name, napi_create_string_latin1(to->env, digits, sizeof digits, &value));
}

static napi_status create_bit_numbers(napi_env env, const uint8_t bits[16], napi_value *made) {
  uint32_t count = 0;
  napi_status status = napi_create_array(env, made);
  for (uint32_t i = 0; i < 128 && status == napi_ok; i++) {
    if ((bits[i / 8] >> (i % 8) & 1) == 0) continue;
    napi_value number;
    status = napi_create_uint32(env, i, &number);
    if (status == napi_ok) status = napi_set_element(env, *made, count++, number);
  }
  return status;
}

void set_bits(record *to, const char *name, const uint8_t bits[16]) {
  SET(to, name, create_bit_numbers(to->env, bits, &value));
}

napi_value finish(record *made) { return made->status == napi_ok ? made->object : rethrow(made->env); }
