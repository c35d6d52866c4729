/*
 * What libsodium's object files name and verifying never calls. Its own definitions of these would bring along code
 * for key exchange, password hashing and stream ciphers, a third of the whole library.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

void sodium_misuse(void);
void randombytes_buf(void *buffer, size_t size);

/* libsodium calls it when a function is given arguments that no correct program gives; its default is to abort. */
__attribute__((visibility("hidden"), noreturn)) void sodium_misuse(void) { abort(); }

/* For memory guards, which nothing here asks for: whoever gets here must not go on with bytes that are not random. */
__attribute__((visibility("hidden"), noreturn)) void randombytes_buf(void *buffer, size_t size) {
  (void)buffer;
  (void)size;
  abort();
}

#ifdef __aarch64__
#include <sys/auxv.h>

/*
 * What OpenSSL's SHA-256 asks before it chooses its code. OpenSSL's own start-up function tries instructions under a
 * handler for SIGILL of its own; a library that is loaded into other people's programs leaves their signals alone, and
 * the kernel's word is enough. The bits are those of OpenSSL's arm_arch.h; without them the plain code runs.
 */
extern unsigned int OPENSSL_armcap_P;
__attribute__((visibility("hidden"))) unsigned int OPENSSL_armcap_P;

__attribute__((constructor)) static void ask_processor(void) {
  const unsigned neon = 1U << 0, sha256 = 1U << 4;
  const unsigned long known = getauxval(AT_HWCAP);
  OPENSSL_armcap_P = ((known & HWCAP_ASIMD) != 0 ? neon : 0) | ((known & HWCAP_SHA2) != 0 ? sha256 : 0);
}
#endif
