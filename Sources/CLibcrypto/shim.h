// OpenSSL's message digests, which use the processor's SHA instructions: four times as fast as libsodium's.
//
// SyncProof takes SHA256_Init, SHA256_Update and SHA256_Final: five object files of libcrypto.a, and no allocation.
// OpenSSL 3 prefers that programs fetch their digests by name and calls these deprecated; they are as fast as ever
// and none of their results differ, so the advice is switched off here. SyncRuntime takes the EVP functions.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
