// libsodium's public header, for SyncProof (verifying) and SodiumSigner (signing).
#include <sodium.h>
