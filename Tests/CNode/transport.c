/* A transport without a wire, for tests: it tries all that a plugin may say wrongly, and blocks where it may. */
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins.h"

static const sync_host *host;
sync_link *last_link;
atomic_int link_faults, sends_begun, sends_cancelled;

static void want(const char *what, sync_status got, sync_status wanted) {
  if (got == wanted) return;
  fprintf(stderr, "transport: %s: %d where %d is wanted\n", what, (int)got, (int)wanted);
  atomic_fetch_add(&link_faults, 1);
}
#define WANT(call, wanted) want(#call, host->call, (wanted))

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  (void)request;
  atomic_fetch_add((atomic_int *)&live_instances, 1);
  host->call_finish_instance(call, NULL);
  return SYNC_PLUGIN_OK;
}

static void destroy(void *self) {
  (void)self;
  atomic_fetch_sub((atomic_int *)&live_instances, 1);
}

static int32_t start(void *self, const sync_listen_request *request, sync_call *call) {
  (void)self;
  static uint8_t bytes[SYNC_MESSAGE_BYTES_MAX + 1];
  uint8_t signature[64];
  sync_link *link = last_link = request->link;
  if (request->struct_size != sizeof *request || request->peers_count == 0) return SYNC_PLUGIN_INVALID;
  const char *peer = request->peers[0].name;
  WANT(link_connected(link, "nobody"), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_connected(link, request->name), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_connected(link, NULL), SYNC_ERROR_NULL_ARGUMENT);
  WANT(link_connected(NULL, peer), SYNC_ERROR_STATE);
  WANT(link_connected((sync_link *)request, peer), SYNC_ERROR_STATE);
  WANT(link_disconnected(link, peer), SYNC_ERROR_STATE);
  WANT(link_receive(link, "nobody", bytes, 1), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_receive(link, peer, NULL, 1), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_receive(link, peer, bytes, (size_t)-1), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_receive(link, peer, bytes, sizeof bytes), SYNC_ERROR_TOO_LARGE);
  WANT(link_receive(link, peer, NULL, 0), SYNC_OK);
  WANT(link_connected(link, peer), SYNC_OK);
  WANT(link_connected(link, peer), SYNC_ERROR_STATE);
  WANT(link_sign(link, bytes, 65537, signature), SYNC_ERROR_TOO_LARGE);
  WANT(link_sign(link, bytes, 4, NULL), SYNC_ERROR_NULL_ARGUMENT);
  WANT(link_sign(link, NULL, 4, signature), SYNC_ERROR_INVALID_ARGUMENT);
  WANT(link_sign(NULL, bytes, 4, signature), SYNC_ERROR_STATE);
  WANT(link_sign(link, bytes, 65536, signature), SYNC_OK);
  if (crypto_sign_verify_detached(signature, bytes, 65536, request->key) != 0) atomic_fetch_add(&link_faults, 1);
  /* What no honest peer sends, of each room and length. */
  unsigned seed = 1;
  for (int i = 0; i < 2000; i++) {
    size_t size = (size_t)(i % 300);
    for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)rand_r(&seed);
    if (size > 0) bytes[0] = (uint8_t)(i % 8);
    WANT(link_receive(link, peer, bytes, size), SYNC_OK);
  }
  WANT(link_receive(link, peer, bytes, SYNC_MESSAGE_BYTES_MAX), SYNC_OK);
  WANT(call_finish_bytes(call, bytes, 3), SYNC_ERROR_INVALID_ARGUMENT);
  return SYNC_PLUGIN_OK;
}

static int32_t begin(void *self, const sync_listen_request *request, sync_call *call) {
  (void)self;
  last_link = request->link;
  for (size_t i = 0; i < request->peers_count; i++)
    WANT(link_connected(request->link, request->peers[i].name), SYNC_OK);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* Blocks until nobody waits for it. */
static int32_t take(void *self, const sync_send_request *request, sync_call *call) {
  (void)self;
  if (request->messages_count == 0 || request->messages[0].bytes == NULL) atomic_fetch_add(&link_faults, 1);
  atomic_fetch_add(&sends_begun, 1);
  struct pollfd cancelled = {.fd = host->call_get_cancel_descriptor(call), .events = POLLIN};
  while (!host->call_is_cancelled(call)) poll(&cancelled, 1, -1);
  atomic_fetch_add(&sends_cancelled, 1);
  return SYNC_PLUGIN_CANCELLED;
}

static int32_t stop(void *self, const sync_plain_request *request, sync_call *call) {
  (void)self;
  (void)request;
  WANT(link_receive(last_link, "birch", "x", 1), SYNC_OK);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* `test-liar` fails its start, behind all that it may say; `test-mute` sends nothing. */
const sync_plugin *liar_entry(const sync_host *table) {
  static const sync_transport_methods methods = {sizeof methods, SYNC_ABI_VERSION, start, take, stop};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-liar", .version = "1",
    .create = create, .destroy = destroy, .transport = &methods};
  host = table;
  return &plugin;
}

const sync_plugin *mute_entry(const sync_host *table) {
  static const sync_transport_methods methods = {sizeof methods, SYNC_ABI_VERSION, begin, take, stop};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-mute", .version = "1",
    .create = create, .destroy = destroy, .transport = &methods};
  host = table;
  return &plugin;
}
