// OpenSSL's names for SHA-256, over libsodium's: WebAssembly has no instructions for SHA-256 that OpenSSL's code could
// use, and libsodium is in the module anyway.
#include <crypto_hash_sha256.h>
#include <stddef.h>

typedef crypto_hash_sha256_state SHA256_CTX;

static inline int SHA256_Init(SHA256_CTX *context) { return crypto_hash_sha256_init(context) == 0; }

static inline int SHA256_Update(SHA256_CTX *context, const void *bytes, size_t size) {
  return crypto_hash_sha256_update(context, (const unsigned char *)bytes, size) == 0;
}

static inline int SHA256_Final(unsigned char *digest, SHA256_CTX *context) {
  return crypto_hash_sha256_final(context, digest) == 0;
}
