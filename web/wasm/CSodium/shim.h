// The part of libsodium's public header that SyncProof calls. The whole header would want the generated version.h of
// a configured libsodium, and functions that are not compiled in here.
#include <crypto_sign.h>
