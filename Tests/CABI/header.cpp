// The header as C++ reads it: the linkage is C's, and the initializer is one of C++ too.
#include <sync.h>

#include <cstdint>
#include <type_traits>

static_assert(std::is_same<decltype(&sync_get_abi_version), std::uint32_t (*)()>::value, "no argument, not any");
static_assert(std::is_trivially_copyable<sync_verification>::value, "an open struct is plain bytes");

int main() {
  sync_verification result = SYNC_VERIFICATION_INIT;
  sync_error *error = nullptr;
  const std::uint8_t artifact[SYNC_SHA256_SIZE] = {};
  const sync_status status = sync_verify(nullptr, 0, nullptr, 0, artifact, 0, &result, &error);
  sync_error_destroy(error);
  const bool input_refused = status > SYNC_OK && status < SYNC_ERROR_NULL_ARGUMENT;
  return input_refused && result.struct_size == sizeof result ? 0 : 1;
}
