/* Keys made from the node's name and the role: for tests alone, since anybody can make them. Compiled with
 * READS_BEHIND, FORGETS or LATER_ABI it is wrong, so that what should find that out can show that it does. */
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins.h"

#ifndef SIGNER_ENTRY
#define SIGNER_ENTRY signer_entry
#endif

static const sync_host *host;

typedef struct {
  unsigned char public_keys[5][crypto_sign_PUBLICKEYBYTES];
  unsigned char secret_keys[5][crypto_sign_SECRETKEYBYTES];
  int is_wrong; /* signs something else than it is asked to */
} keys;

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  keys *self = calloc(1, sizeof *self);
  if (self == NULL || sodium_init() < 0) return SYNC_PLUGIN_UNAVAILABLE;
  for (int role = 0; role < 5; role++) {
    unsigned char seed[crypto_sign_SEEDBYTES];
    char text[128];
    int size = snprintf(text, sizeof text, "test key %s %d", request->node, role);
    crypto_hash_sha256(seed, (const unsigned char *)text, (unsigned long long)size);
    crypto_sign_seed_keypair(self->public_keys[role], self->secret_keys[role], seed);
  }
  for (size_t i = 0; i < request->settings_count; i++)
    if (strcmp(request->settings[i].name, "wrong") == 0) self->is_wrong = 1;
  host->call_finish_instance(call, self);
  return SYNC_PLUGIN_OK;
}

static void destroy(void *self) {
#ifdef FORGETS
  self = NULL;
#endif
  free(self);
}

static int32_t public_key(void *self, const sync_sign_request *request, sync_call *call) {
  host->call_finish_bytes(call, ((keys *)self)->public_keys[request->role], crypto_sign_PUBLICKEYBYTES);
  return SYNC_PLUGIN_OK;
}

static int32_t sign(void *self, const sync_sign_request *request, sync_call *call) {
  unsigned char signature[crypto_sign_BYTES];
  keys *all = self;
#ifdef READS_BEHIND
  all += request->role == 4;
#endif
  crypto_sign_detached(
    signature, NULL, request->message, request->message_size, all->secret_keys[request->role]);
  if (all->is_wrong) signature[5] ^= 1;
  host->call_finish_bytes(call, signature, sizeof signature);
  return SYNC_PLUGIN_OK;
}

const sync_plugin *SIGNER_ENTRY(const sync_host *table) {
  static const sync_signer_methods methods = {sizeof methods, SYNC_ABI_VERSION, public_key, sign};
  static const sync_plugin plugin = {
#ifdef LATER_ABI
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION + 1, .name = "test-keys", .version = "1",
#else
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-keys", .version = "1",
#endif
    .create = create, .destroy = destroy, .signer = &methods};
  if (table->abi_version != SYNC_ABI_VERSION) return NULL;
  host = table;
  return &plugin;
}
