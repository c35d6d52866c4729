/* Plugins whose tables are random, and such that say more than they should: two parts of fuzz.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "plugins.h"

static const sync_host *host;

/* ---- Tables ---- */

#define KINDS 5

/* Where a kind's table stands in a plugin, and the table of one that is good. */
typedef struct {
  size_t at, size, first_method, methods;
  const void *table;
} kind;

static void find_kinds(kind kinds[KINDS]) {
#define KIND(name, first, last, entry) \
  (kind) { \
    offsetof(sync_plugin, name), sizeof(sync_##name##_methods), offsetof(sync_##name##_methods, first), \
      (offsetof(sync_##name##_methods, last) - offsetof(sync_##name##_methods, first)) / sizeof(void *) + 1, \
      entry(host)->name \
  }
  kinds[0] = KIND(sandbox, probe, remove_leftovers, sandbox_entry);
  kinds[1] = KIND(signer, public_key, sign, signer_entry);
  kinds[2] = KIND(source, type, fetch, source_entry);
  kinds[3] = KIND(storage, get, apply, storage_entry);
  kinds[4] = KIND(transport, start, stop, liar_entry);
}

/* The first bytes of it, in memory that ends with them; behind those that there are, noise of a later version. */
static void *first_bytes(const void *from, size_t size, size_t wanted) {
  uint8_t *bytes = malloc(wanted > 0 ? wanted : 1);
  memcpy(bytes, from, wanted < size ? wanted : size);
  for (size_t i = size; i < wanted; i++) bytes[i] = (uint8_t)below(256);
  return bytes;
}

/* A table of a kind: of any size that it says, with methods or names that are not there. */
static void *any_table(const kind *of) {
  char table[sizeof(sync_sandbox_methods) + sizeof(sync_source_methods)];
  memcpy(table, of->table, of->size);
  const char *text = below(2) ? word() : "echo";
  /* A source has two names before its methods. */
  if (of->at == offsetof(sync_plugin, source) && below(3) == 0)
    memcpy(table + of->first_method + sizeof text * below(2), &text, sizeof text);
  if (below(6) == 0) memset(table + of->first_method + sizeof(void *) * below(of->methods), 0, sizeof(void *));
  size_t size = below(4) ? of->size : below(3) ? below(of->size + 1) : of->size + below(64);
  uint32_t numbers[2] = {(uint32_t)size, below(12) ? SYNC_ABI_VERSION : (uint32_t)below(4)};
  memcpy(table, numbers, sizeof numbers);
  return first_bytes(table, of->size, size < sizeof numbers ? sizeof numbers : size);
}

int fuzz_tables(unsigned count) {
  host = sync_get_host();
  kind kinds[KINDS];
  find_kinds(kinds);
  /* A plugin of any size from the first release's on; of a field that is there by half nothing is taken. */
  for (size_t size = offsetof(sync_plugin, transport); size <= sizeof(sync_plugin) + 9; size++) {
    sync_plugin plugin = *signer_entry(host);
    plugin.name = "fresh-one";
    plugin.struct_size = (uint32_t)size;
    memset(&plugin.transport, size < sizeof plugin ? 0x5a : 0, sizeof plugin.transport);
    sync_plugin *exact = first_bytes(&plugin, sizeof plugin, size);
    sync_registry *registry = make_registry();
    CHECK(sync_registry_add(registry, exact, NULL, NULL, NULL) == SYNC_OK);
    sync_registry_destroy(registry);
    free(exact);
  }
  unsigned taken[KINDS] = {0}, refused[KINDS] = {0};
  for (unsigned i = 0; i < count; i++) {
    sync_registry *registry = make_registry();
    size_t which = below(KINDS);
    sync_plugin plugin = {.struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "fresh-one",
                          .version = "1", .create = signer_entry(host)->create};
    char *name = sentence();
    void *tables[KINDS] = {NULL};
    for (size_t k = 0; k < KINDS; k++) {
      if (k == which ? below(16) == 0 : below(64) != 0) continue;
      tables[k] = any_table(&kinds[k]);
      memcpy((char *)&plugin + kinds[k].at, &tables[k], sizeof tables[k]);
    }
    if (below(8) == 0) plugin.abi_version = (uint32_t)below(4);
    if (below(8) == 0) plugin.name = below(9) ? name : NULL;
    if (below(8) == 0) plugin.version = below(9) ? name : NULL;
    if (below(12) == 0) plugin.create = NULL;
    size_t size = below(6) ? sizeof plugin : below(4) * below(sizeof plugin) / 2;
    plugin.struct_size = (uint32_t)size;
    sync_plugin *exact = first_bytes(&plugin, sizeof plugin, size < 8 ? 8 : size);
    sync_error *error = NULL;
    sync_status status = sync_registry_add(registry, below(64) ? exact : NULL, NULL, NULL, &error);
    (status == SYNC_OK ? taken : refused)[which]++;
    want_sentence(status, error);
    static const char *const files[] = {"/etc/passwd", "/proc/self/exe", "/dev/null", "/", "/proc/self/mem"};
    TRY(sync_registry_load(registry, below(2) ? name : files[below(sizeof files / sizeof files[0])], &error));
    sync_registry_destroy(registry);
    free(exact);
    for (size_t k = 0; k < KINDS; k++) free(tables[k]);
    free(name);
  }
  for (size_t k = 0; k < KINDS; k++) {
    printf("tables of kind %zu: %u were taken, %u refused\n", k, taken[k], refused[k]);
    CHECK(taken[k] > 0 && refused[k] > 0);
  }
  return failures;
}

/* ---- Plugins that are right, but for what they say before and behind it ---- */

/* What they do otherwise. */
static struct {
  const sync_sandbox_methods *sandbox;
  const sync_signer_methods *signer;
  const sync_source_methods *source;
  const sync_storage_methods *storage;
} right;
/* One call of so many is disturbed. */
static _Atomic uint64_t rarity;
static atomic_int disturbed;

static void disturb(sync_call *call) {
  if (below(rarity) != 0) return;
  disturbed++;
  for (uint64_t i = 1 + below(3); i > 0; i--) say_any(call);
}

#define METHOD(kind, method, request_type) \
  static int32_t kind##_##method(void *self, const request_type *request, sync_call *call) { \
    disturb(call); \
    int32_t code = right.kind->method(self, request, call); \
    disturb(call); \
    return code; \
  }

METHOD(sandbox, probe, sync_plain_request)
METHOD(sandbox, prepare, sync_toolchain_request)
METHOD(sandbox, has_toolchain, sync_toolchain_request)
METHOD(signer, public_key, sync_sign_request)
METHOD(signer, sign, sync_sign_request)
METHOD(source, resolve, sync_resolve_request)
METHOD(source, fetch, sync_fetch_request)
METHOD(storage, get, sync_storage_request)
METHOD(storage, scan, sync_storage_request)
METHOD(storage, apply, sync_apply_request)

/* Often, as what a run ends with has the most that can be wrong. */
static int32_t sandbox_run(void *self, const sync_run_request *request, sync_call *call) {
  for (uint64_t i = below(3); i > 0; i--, disturbed++) say_any(call);
  return right.sandbox->run(self, request, call);
}

static int32_t remove_leftovers(void *self, const sync_plain_request *request, sync_call *call) {
  (void)self, (void)request;
  for (uint64_t i = below(4); i > 0; i--) say_any(call);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* ---- A transport that says everything, and gives back what it was told to send ---- */

#define PEERS_MAX 8
typedef struct {
  sync_link *link;
  char peers[PEERS_MAX][64];
  size_t count;
  pthread_t thread;
  int has_thread;
  atomic_int is_over;
  pthread_mutex_t lock;
  uint8_t *kept;
  size_t kept_size;
} wire;

static atomic_int received, sent;

static int32_t make_wire(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data, (void)request;
  wire *self = calloc(1, sizeof *self);
  pthread_mutex_init(&self->lock, NULL);
  if (host->call_finish_instance(call, self) != SYNC_OK) free(self);
  return SYNC_PLUGIN_OK;
}

static void end_chatter(wire *self) {
  self->is_over = 1;
  if (self->has_thread) pthread_join(self->thread, NULL);
  self->has_thread = 0;
}

static void end_wire(void *instance) {
  wire *self = instance;
  end_chatter(self);
  free(self->kept);
  pthread_mutex_destroy(&self->lock);
  free(self);
}

/* A message of this node, as if a peer had sent it, with some bytes changed; or noise. */
static void give_back(wire *self, const char *peer) {
  pthread_mutex_lock(&self->lock);
  size_t size = below(4) && self->kept_size > 0 ? self->kept_size : below(400);
  uint8_t *bytes = malloc(size + 1);
  for (size_t i = 0; i < size; i++)
    bytes[i] = size == self->kept_size && self->kept != NULL ? self->kept[i] : (uint8_t)below(256);
  pthread_mutex_unlock(&self->lock);
  for (uint64_t i = below(4); i > 0 && size > 0; i--) bytes[below(size)] ^= (uint8_t)(1u << below(8));
  if (size > 0 && below(6) == 0) size = below(size);
  if (host->link_receive(self->link, peer, bytes, size) == SYNC_OK) received++;
  free(bytes);
}

static void *chatter(void *instance) {
  wire *self = instance;
  while (!self->is_over) {
    char other[64] = "nobody";
    char *text = sentence();
    snprintf(other, sizeof other, "%.60s", text);
    const char *peer = below(8) && self->count > 0 ? self->peers[below(self->count)] : below(9) ? other : NULL;
    uint8_t signature[64];
    switch (below(8)) {
    case 0: host->link_connected(self->link, peer); break;
    case 1: host->link_disconnected(self->link, peer); break;
    case 2: host->link_sign(self->link, below(9) ? text : NULL, below(70000) % 65536 % (strlen(text) + 1),
                            below(9) ? signature : NULL); break;
    case 3: host->link_receive((sync_link *)(uintptr_t)below(1u << 30), peer, text, strlen(text)); break;
    case 4: usleep((useconds_t)below(2000)); break;
    default: give_back(self, peer);
    }
    free(text);
  }
  return NULL;
}

static int32_t start_wire(void *instance, const sync_listen_request *request, sync_call *call) {
  wire *self = instance;
  for (size_t i = 0; i < request->peers_count && i < PEERS_MAX; i++, self->count++)
    snprintf(self->peers[i], sizeof self->peers[i], "%s", request->peers[i].name);
  self->link = request->link;
  disturb(call);
  /* Where something else was said, nothing may be left, as the start may have failed by it. */
  if (host->call_is_cancelled(call)) return SYNC_PLUGIN_OK;
  self->has_thread = pthread_create(&self->thread, NULL, chatter, self) == 0;
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t send_wire(void *instance, const sync_send_request *request, sync_call *call) {
  wire *self = instance;
  const sync_message *message = &request->messages[below(request->messages_count)];
  pthread_mutex_lock(&self->lock);
  free(self->kept);
  self->kept = malloc(message->size + 1);
  memcpy(self->kept, message->bytes, message->size);
  self->kept_size = message->size;
  pthread_mutex_unlock(&self->lock);
  sent++;
  disturb(call);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t stop_wire(void *instance, const sync_plain_request *request, sync_call *call) {
  (void)request;
  wire *self = instance;
  end_chatter(self);
  disturb(call);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* ---- Nodes with one of them ---- */

static const sync_plugin *disturbed_plugin(size_t which) {
  static sync_sandbox_methods sandbox = {
    sizeof sandbox, SYNC_ABI_VERSION, sandbox_probe, sandbox_prepare, sandbox_has_toolchain, sandbox_run,
    remove_leftovers};
  static sync_signer_methods signer = {sizeof signer, SYNC_ABI_VERSION, signer_public_key, signer_sign};
  static sync_source_methods source = {
    sizeof source, SYNC_ABI_VERSION, "echo", "echo", source_resolve, source_fetch};
  static sync_storage_methods storage = {
    sizeof storage, SYNC_ABI_VERSION, storage_get, storage_scan, storage_apply};
  static sync_transport_methods transport = {sizeof transport, SYNC_ABI_VERSION, start_wire, send_wire, stop_wire};
  static sync_plugin plugins[KINDS];
  plugins[0] = *sandbox_entry(host), plugins[0].sandbox = &sandbox;
  plugins[1] = *signer_entry(host), plugins[1].signer = &signer;
  plugins[2] = *source_entry(host), plugins[2].source = &source;
  plugins[3] = *storage_entry(host), plugins[3].storage = &storage;
  plugins[4] = (sync_plugin){.struct_size = sizeof plugins[4], .abi_version = SYNC_ABI_VERSION, .version = "1",
                             .create = make_wire, .destroy = end_wire, .transport = &transport};
  plugins[which].name = "noisy";
  return &plugins[which];
}

typedef struct {
  unsigned created, started, cosigned, submitted;
} tally;

static void live(const char *folder, file_bytes good, size_t which, int is_alone, unsigned number, tally *of) {
  static const char *const chosen[KINDS] = {"test-echo", "test-keys", "test-words", "test-map", "transport"};
  char *text = calloc(1, good.size + 200);
  memcpy(text, good.data, good.size);
  char quoted[32];
  snprintf(quoted, sizeof quoted, "\"%s\"", chosen[which]);
  char *place = strstr(text, quoted);
  /* Not the name in a section of its settings. */
  if (place != NULL) {
    memset(place, ' ', strlen(quoted));
    memcpy(place, "\"noisy\"", strlen("\"noisy\""));
  } else {
    char *section = strstr(text, "[plugins]\n");
    CHECK(section != NULL && which == 4);
    if (section == NULL) return free(text);
    section += strlen("[plugins]\n");
    static const char line[] = "transport = \"noisy\"\n";
    memmove(section + strlen(line), section, strlen(section) + 1);
    memcpy(section, line, strlen(line));
  }
  sync_registry *registry = make_registry();
  CHECK(sync_registry_add(registry, disturbed_plugin(which), NULL, NULL, NULL) == SYNC_OK);
  rarity = (uint64_t[]){4, 20, 200, 2000}[number % 4];
  sync_node *node = NULL;
  sync_error *error = NULL;
  sync_status status = sync_node_create((const uint8_t *)text, strlen(text), folder, registry, NULL, &node, &error);
  if (which == 0 || which == 2 || which == 4) CHECK(status == SYNC_OK);
  if (status != SYNC_OK && which != 1 && which != 3) fprintf(stderr, "%s\n", sync_error_get_message(error));
  want_sentence(status, error);
  sync_registry_destroy(registry);
  free(text);
  if (status != SYNC_OK) return;
  of->created++;
  error = NULL;
  status = sync_node_start(node, &error);
  int is_started = status == SYNC_OK;
  want_sentence(status, error);
  of->started += (unsigned)is_started;
  /* Where one is enough, and next to nothing is disturbed, jobs do come to their end. */
  uint64_t patience = !is_alone ? 20000000 : number % 4 == 3 ? 10000000000 : 300000000;
  for (uint64_t i = 2 + below(4); i > 0 && is_started; i--) {
    sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
    request.package = "pkg:echo/fine@1";
    request.rebuild = below(UINT64_MAX);
    uint8_t job[32];
    error = NULL;
    status = sync_node_submit(node, &request, 2000000000, job, &error);
    int is_submitted = status == SYNC_OK;
    want_sentence(status, error);
    if (!is_submitted) continue;
    of->submitted++;
    error = NULL;
    status = sync_node_wait(node, job, SYNC_PHASE_COSIGNED, patience, NULL, &error);
    of->cosigned += status == SYNC_OK;
    want_sentence(status, error);
  }
  sync_node_status now = SYNC_NODE_STATUS_INIT;
  CHECK(sync_node_get_status(node, &now, NULL) == SYNC_OK);
  /* What runs builds, finds packages or carries messages costs what it spoils, and never the node. */
  if (is_started && which != 1 && which != 3) CHECK(now.state == SYNC_NODE_RUNNING);
  sync_node_destroy(node);
}

int fuzz_noisy(const char *folder_of_one, const char *folder_of_four, unsigned lives) {
  host = sync_get_host();
  right.sandbox = sandbox_entry(host)->sandbox;
  right.signer = signer_entry(host)->signer;
  right.source = source_entry(host)->source;
  right.storage = storage_entry(host)->storage;
  char path[4096];
  tally all[KINDS] = {{0}};
  for (size_t which = 0; which < KINDS; which++) {
    /* Keys and a journal of the program's own has a member of the four; builds happen where one is enough. */
    int is_alone = which == 0 || which == 2;
    const char *folder = is_alone ? folder_of_one : folder_of_four;
    snprintf(path, sizeof path, "%s/config.toml", folder);
    file_bytes good = read_file(path);
    unsigned life = 0;
    while (life < lives) live(folder, good, which, is_alone, life++, &all[which]);
    /* Two runs of three are spoiled, and a node tries again behind pauses: a life may end before a job of it does. */
    for (; is_alone && all[which].cosigned == 0 && life < lives + 5; life++)
      live(folder, good, which, is_alone, 3, &all[which]);
    free(good.data);
    static const char *const names[KINDS] = {"sandboxes", "signers", "sources", "storages", "transports"};
    printf("noisy %s: %u lives, %u created, %u started, %u jobs, %u cosigned\n", names[which], life,
           all[which].created, all[which].started, all[which].submitted, all[which].cosigned);
    fflush(stdout);
  }
  printf("noise in %d calls, %d messages given back, %d sent\n", disturbed, received, sent);
  CHECK(disturbed > 0 && received > 0 && sent > 0);
  CHECK(all[0].cosigned > 0 && all[2].cosigned > 0);
  CHECK(all[1].created > 0 && all[3].created > 0 && all[4].started > 0);
  return failures;
}
