// OpenSSL's message digests: artifacts are hashed with its SHA-NI code, four times as fast as libsodium's.
#include <openssl/evp.h>
