/* Four builders in one process, with plugins of all five kinds of this program's: group FOLDER CYCLES [lives].
 *
 * FOLDER holds alder, birch, cedar and elm, each with a config.toml, the same with other transports, and policy, and
 * yew, a builder alone, as scripts/check-node makes them; elm's sandbox is hostile. */
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

#include "plugins.h"
#include "tell.h"

#define NODES 4

static const char *const names[NODES] = {"alder", "birch", "cedar", "elm"};
static sync_node *nodes[NODES];
static int destroyed, destroyed_twin;

static void count_destroyed(void *user_data) { __atomic_add_fetch((int *)user_data, 1, __ATOMIC_SEQ_CST); }

static sync_registry *make_registry(void) {
  sync_error *error = NULL;
  sync_registry *registry = NULL;
  const sync_host *host = sync_get_host();
  CHECK(host != NULL && host->abi_version == SYNC_ABI_VERSION && host->struct_size == sizeof(sync_host));
  OK(sync_registry_create(0, &registry, &error));
  OK(sync_registry_add(registry, signer_entry(host), &destroyed, count_destroyed, &error));
  OK(sync_registry_add(registry, sandbox_entry(host), &destroyed, count_destroyed, &error));
  OK(sync_registry_add(registry, source_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, storage_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, liar_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, mute_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, unix_entry(host), NULL, NULL, &error));
  return registry;
}

/* The configuration that nodes are made of. */
static const char *file_name = "config.toml";

static sync_status make_node(const char *folder, const char *extra, sync_registry *registry, sync_node **node,
                             sync_error **error) {
  char path[4096], text[65536];
  snprintf(path, sizeof path, "%s/%s", folder, file_name);
  file_bytes file = read_file(path);
  int size = snprintf(text, sizeof text, "%.*s%s", (int)file.size, (const char *)file.data, extra);
  free(file.data);
  return sync_node_create((const uint8_t *)text, (size_t)size, folder, registry, NULL, node, error);
}

/* ---- What is refused before anything runs ---- */

static void check_refusals(const char *folder) {
  sync_error *error = NULL;
  sync_registry *registry = NULL, *mine = make_registry();
  const sync_host *host = sync_get_host();
  int before = destroyed;
  REFUSED(sync_registry_create(1, &registry, &error), SYNC_ERROR_UNKNOWN_FLAG, "flags");
  REFUSED(sync_registry_create(0, NULL, &error), SYNC_ERROR_NULL_ARGUMENT, "created");
  /* It is the second of a name that is refused, and the first that stays. */
  REFUSED(sync_registry_add(mine, signer_entry(host), &destroyed_twin, count_destroyed, &error), SYNC_ERROR_INVALID,
          "already");
  CHECK(becomes(&destroyed_twin, 1) && destroyed == before);
  REFUSED(sync_registry_add(mine, NULL, &destroyed, count_destroyed, &error), SYNC_ERROR_INVALID, "no plugin");
  CHECK(becomes(&destroyed, before + 1));
  REFUSED(sync_registry_add(NULL, signer_entry(host), &destroyed, count_destroyed, &error), SYNC_ERROR_NULL_ARGUMENT,
          "registry");
  CHECK(becomes(&destroyed, before + 2));
  const sync_plugin *good = signer_entry(host);
  struct {
    const char *name, *part;
    sync_plugin plugin;
  } rows[] = {
    {"another ABI", "abi_version is 2", *good},
    {"too small", "struct_size", *good},
    {"no name", "NULL", *good},
    {"name", "lower-case", *good},
    {"version", "version", *good},
    {"create", "create", *good},
    {"no kind", "0 of them", *good},
    {"two kinds", "2 of them", *good},
    {"methods' ABI", "sync_signer_methods.abi_version is 9", *good},
    {"methods' size", "sync_signer_methods.struct_size is 8", *good},
    {"no method", "NULL", *good},
    {"no method of a transport", "transport", *mute_entry(host)},
  };
  sync_signer_methods other_version = *good->signer, small = *good->signer, empty = *good->signer;
  other_version.abi_version = 9;
  small.struct_size = 8;
  empty.sign = NULL;
  rows[0].plugin.abi_version = 2;
  rows[1].plugin.struct_size = 16;
  rows[2].plugin.name = NULL;
  rows[3].plugin.name = "No Name";
  rows[4].plugin.version = "";
  rows[5].plugin.create = NULL;
  rows[6].plugin.signer = NULL;
  rows[7].plugin.sandbox = sandbox_entry(host)->sandbox;
  rows[8].plugin.signer = &other_version;
  rows[9].plugin.signer = &small;
  rows[10].plugin.signer = &empty;
  sync_transport_methods half = *mute_entry(host)->transport;
  half.stop = NULL;
  rows[11].plugin.transport = &half;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    is_refused(rows[i].name, sync_registry_add(mine, &rows[i].plugin, NULL, NULL, &error), SYNC_ERROR_INVALID,
            rows[i].part, &error);
  /* A plugin of before there were transports: what is behind its end is not read. */
  sync_plugin old = *good;
  old.name = "older";
  old.struct_size = offsetof(sync_plugin, transport);
  old.transport = (const sync_transport_methods *)16;
  OK(sync_registry_add(mine, &old, NULL, NULL, &error));
  REFUSED(sync_registry_load(mine, "relative.so", &error), SYNC_ERROR_INVALID, "absolute");
  REFUSED(sync_registry_load(mine, "/no/such.so", &error), SYNC_ERROR_INVALID, "/no/such.so");

  sync_node *node = NULL;
  const uint8_t *text = (const uint8_t *)"name = 1";
  REFUSED(sync_node_create(text, 8, folder, NULL, NULL, &node, &error), SYNC_ERROR_INVALID, "name");
  REFUSED(sync_node_create(text, 8, NULL, NULL, NULL, &node, &error), SYNC_ERROR_NULL_ARGUMENT, "folder");
  REFUSED(sync_node_create(NULL, 8, folder, NULL, NULL, &node, &error), SYNC_ERROR_NULL_ARGUMENT, "configuration");
  REFUSED(sync_node_create(text, (size_t)-1, folder, NULL, NULL, &node, &error), SYNC_ERROR_TOO_LARGE, "size");
  REFUSED(sync_node_create(text, 8, folder, NULL, NULL, NULL, &error), SYNC_ERROR_NULL_ARGUMENT, "created");
  /* Names that no registry knows, and none at all. */
  REFUSED(make_node(folder, "[settings.test-ehco]\nhostile = true\n", mine, &node, &error), SYNC_ERROR_INVALID,
          "settings.test-ehco");
  REFUSED(make_node(folder, "", NULL, &node, &error), SYNC_ERROR_INVALID, "test-");
  sync_node_options options = SYNC_NODE_OPTIONS_INIT;
  options.abi_version = 7;
  REFUSED(sync_node_create(text, 8, folder, mine, &options, &node, &error), SYNC_ERROR_ABI_VERSION, "abi_version");
  CHECK(node == NULL);

  OK(make_node(folder, "", mine, &node, &error));
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  OK(sync_node_get_status(node, &status, &error));
  CHECK(status.state == SYNC_NODE_CREATED && status.replicas == 0);
  uint8_t job[32] = {0};
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  REFUSED(sync_node_submit(node, &request, SECOND, job, &error), SYNC_ERROR_STATE, "start");
  REFUSED(sync_node_wait(node, job, SYNC_PHASE_COMMIT, SECOND, NULL, &error), SYNC_ERROR_STATE, "start");
  REFUSED(sync_node_drain(node, 0, &error), SYNC_ERROR_STATE, "start");
  sync_events *events = NULL;
  REFUSED(sync_node_subscribe(node, 0, &events, &error), SYNC_ERROR_OUT_OF_RANGE, "capacity");
  OK(sync_node_subscribe(node, 1, &events, &error));
  sync_event event = {sizeof event, SYNC_ABI_VERSION, 0, 0, 0, {0}, {0}};
  REFUSED(sync_events_next(events, 1000000, &event, &error), SYNC_ERROR_TIMED_OUT, "No event");
  OK(sync_node_stop(node, SYNC_FOREVER, &error));
  REFUSED(sync_events_next(events, SYNC_FOREVER, &event, &error), SYNC_ERROR_STATE, "ended");
  REFUSED(sync_node_start(node, &error), SYNC_ERROR_STATE, "once");
  sync_node_destroy(node);
  sync_events_destroy(events);
  sync_node_destroy(NULL);
  sync_events_destroy(NULL);
  sync_registry_destroy(NULL);
  sync_bytes_destroy(NULL);
  CHECK(sync_bytes_get_size(NULL) == 0 && sync_bytes_get_start(NULL) == NULL);

  /* Keys that are not the group's; a signer that lies; a start that fails leaves nothing behind. */
  OK(make_node(folder, "[settings.test-keys]\nwrong = true\n", mine, &node, &error));
  REFUSED(sync_node_start(node, &error), SYNC_ERROR_IO, "does not verify");
  OK(sync_node_get_status(node, &status, &error));
  CHECK(status.state == SYNC_NODE_STOPPED);
  sync_node_destroy(node);
  sync_registry_destroy(mine);
  /* Two plugins with user data in this registry, and two that were refused, beside the twin. */
  CHECK(becomes(&destroyed, before + 4));
  CHECK(becomes(&live_instances, 0));
}

/* ---- A group ---- */

static sync_status submit(int who, const char *package, uint8_t *job, sync_error **error) {
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = package;
  return sync_node_submit(nodes[who], &request, 60 * SECOND, job, error);
}

static void check_proof(const char *folder, int who, const uint8_t *job, const char *word) {
  sync_error *error = NULL;
  char path[4096], text[128];
  snprintf(path, sizeof path, "%s/policy", folder);
  int size = snprintf(text, sizeof text, "made by the recipe %s\n", word);
  file_bytes policy = read_file(path);
  uint8_t sha256[32];
  sync_hasher *hasher = NULL;
  OK(sync_hasher_create(0, &hasher, &error));
  OK(sync_hasher_update(hasher, text, (size_t)size, &error));
  OK(sync_hasher_finish(hasher, sha256, &error));
  sync_hasher_destroy(hasher);
  sync_bytes *proof = NULL, *artifact = NULL;
  OK(sync_node_copy_proof(nodes[who], job, &proof, &error));
  sync_verification verification = SYNC_VERIFICATION_INIT;
  OK(sync_verify(policy.data, policy.size, sync_bytes_get_start(proof), sync_bytes_get_size(proof), sha256, 0,
                 &verification, &error));
  CHECK(verification.reproducers >= 3 && verification.verdict == SYNC_VERDICT_REPRODUCED);
  OK(sync_node_copy_artifact_path(nodes[who], sha256, &artifact, &error));
  if (artifact != NULL) {
    file_bytes bytes = read_file((const char *)sync_bytes_get_start(artifact));
    CHECK(bytes.size == (size_t)size && memcmp(bytes.data, text, bytes.size) == 0);
    free(bytes.data);
  }
  sync_bytes_destroy(proof);
  sync_bytes_destroy(artifact);
  proof = NULL;
  sha256[0] ^= 1;
  REFUSED(sync_node_copy_artifact_path(nodes[who], sha256, &artifact, &error), SYNC_ERROR_NOT_FOUND, "no such");
  REFUSED(sync_node_copy_proof(nodes[who], sha256, &proof, &error), SYNC_ERROR_NOT_FOUND, "no proof");
  free(policy.data);
}

static void check_events(sync_events *events, const uint8_t *job) {
  sync_error *error = NULL;
  int seen[16] = {0};
  uint64_t index = UINT64_MAX;
  for (int i = 0; i < 1000; i++) {
    sync_event event = {sizeof event, SYNC_ABI_VERSION, 0, 0, 0, {0}, {0}};
    if (say("next", sync_events_next(events, 20 * SECOND, &event, &error), &error) != SYNC_OK) break;
    if (event.kind == SYNC_EVENT_COSIGNED && event.number > index) {
      seen[SYNC_EVENT_COSIGNED]++;
      break;
    }
    if (memcmp(event.job, job, 32) != 0 || event.kind > 15) continue;
    seen[event.kind]++;
    if (event.kind == SYNC_EVENT_ORDERED) CHECK(strcmp(event.text, "pkg:echo/fine@1") == 0);
    if (event.kind == SYNC_EVENT_COMMITTED) CHECK(seen[SYNC_EVENT_ORDERED] == 1 && strlen(event.text) >= 3);
    if (event.kind == SYNC_EVENT_REVEALED) CHECK(seen[SYNC_EVENT_REVEALING] == 1);
    if (event.kind == SYNC_EVENT_VERDICT) CHECK(event.number == SYNC_VERDICT_REPRODUCED);
    if (event.kind == SYNC_EVENT_LOGGED) index = event.number;
  }
  CHECK(seen[SYNC_EVENT_ORDERED] == 1 && seen[SYNC_EVENT_COMMITTED] == 4 && seen[SYNC_EVENT_REVEALED] >= 3);
  CHECK(seen[SYNC_EVENT_VERDICT] == 1 && seen[SYNC_EVENT_LOGGED] == 1 && seen[SYNC_EVENT_COSIGNED] == 1);
}

static sync_status reentered[3];

static void reenter(void) {
  sync_error *error = NULL;
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  /* Asking is allowed, ending is not. */
  reentered[0] = sync_node_get_status(nodes[3], &status, &error);
  reentered[1] = sync_node_stop(nodes[3], SYNC_FOREVER, &error);
  sync_error_destroy(error);
  error = NULL;
  reentered[2] = sync_node_drain(nodes[3], 0, &error);
  sync_error_destroy(error);
}

typedef struct {
  int who;
  uint8_t job[32];
  sync_status status;
} waiting;

static void *wait_for_ever(void *argument) {
  waiting *self = argument;
  self->status = sync_node_wait(nodes[self->who], self->job, SYNC_PHASE_COSIGNED, SYNC_FOREVER, NULL, NULL);
  return NULL;
}

static void check_group(const char *folder) {
  sync_error *error = NULL;
  sync_registry *registry = make_registry();
  int before = destroyed;
  for (int i = 0; i < NODES; i++) {
    char place[4096];
    snprintf(place, sizeof place, "%s/%s", folder, names[i]);
    OK(make_node(place, i == 3 ? "[settings.test-echo]\nhostile = true\npatience-seconds = 1\n" : "", registry,
                 &nodes[i], &error));
  }
  /* Nodes keep what they need of it. */
  sync_registry_destroy(registry);
  sync_events *events = NULL, *small = NULL;
  OK(sync_node_subscribe(nodes[1], 1024, &events, &error));
  OK(sync_node_subscribe(nodes[1], 2, &small, &error));
  for (int i = 0; i < NODES; i++) OK(sync_node_start(nodes[i], &error));
  REFUSED(sync_node_start(nodes[0], &error), SYNC_ERROR_STATE, "once");
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  for (int i = 0; i < 400 && status.connected_peers < 3; i++) {
    usleep(50000);
    OK(sync_node_get_status(nodes[0], &status, &error));
  }
  CHECK(status.connected_peers == 3 && status.replicas == 4 && status.quorum == 3);
  CHECK(status.state == SYNC_NODE_RUNNING && status.is_observing == 0);

  uint8_t job[32], same[32], unknown[32] = {1};
  sync_job_status done = SYNC_JOB_STATUS_INIT;
  OK(submit(0, "pkg:echo/fine@1", job, &error));
  OK(sync_node_wait(nodes[1], job, SYNC_PHASE_COSIGNED, 60 * SECOND, &done, &error));
  CHECK(done.phase == SYNC_PHASE_COSIGNED && done.verdict == SYNC_VERDICT_REPRODUCED && done.agreeing == 4);
  OK(submit(2, "pkg:echo/fine@1", same, &error));
  CHECK(memcmp(job, same, 32) == 0);
  check_proof(folder, 1, job, "fine");
  check_events(events, job);
  sync_event event = {sizeof event, SYNC_ABI_VERSION, 0, 0, 0, {0}, {0}};
  OK(sync_events_next(small, 0, &event, &error));
  OK(sync_events_next(small, 0, &event, &error));
  REFUSED(sync_events_next(small, 0, &event, &error), SYNC_ERROR_TIMED_OUT, "No event");
  sync_events_destroy(small);
  REFUSED(sync_node_wait(nodes[1], unknown, SYNC_PHASE_COMMIT, SECOND / 10, &done, &error), SYNC_ERROR_TIMED_OUT,
          "Time");
  CHECK(done.phase == SYNC_PHASE_UNKNOWN);
  REFUSED(sync_node_wait(nodes[1], job, 9, 0, NULL, &error), SYNC_ERROR_INVALID_ARGUMENT, "phase");
  OK(sync_node_wait(nodes[1], job, SYNC_PHASE_LOGGED, 0, NULL, &error));
  sync_bytes *json = NULL;
  OK(sync_node_copy_status_json(nodes[0], &json, &error));
  CHECK(strstr((const char *)sync_bytes_get_start(json), "\"name\":\"alder\"") != NULL);
  sync_bytes_destroy(json);

  /* What a source gives is checked where it is submitted. */
  REFUSED(submit(0, "pkg:echo/1@2", unknown, &error), SYNC_ERROR_NOT_FOUND, "alone");
  REFUSED(submit(0, "pkg:echo/nospec@1", unknown, &error), SYNC_ERROR_IO, "refused");
  REFUSED(submit(0, "pkg:echo/foreign@1", unknown, &error), SYNC_ERROR_IO, "asked for");
  REFUSED(submit(0, "pkg:cargo/x@1", unknown, &error), SYNC_ERROR_INVALID, "pkg:echo");
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  REFUSED(sync_node_submit(nodes[0], &request, SECOND, unknown, &error), SYNC_ERROR_NULL_ARGUMENT, "package");
  request.package = "pkg:echo/fine@1";
  request.features_count = (size_t)-1;
  REFUSED(sync_node_submit(nodes[0], &request, SECOND, unknown, &error), SYNC_ERROR_TOO_LARGE, "features_count");
  request.features_count = 1;
  REFUSED(sync_node_submit(nodes[0], &request, SECOND, unknown, &error), SYNC_ERROR_NULL_ARGUMENT, "features");
  request.features_count = 0;
  request.priority = 101;
  REFUSED(sync_node_submit(nodes[0], &request, SECOND, unknown, &error), SYNC_ERROR_INVALID, "riority");
  request.struct_size = 8;
  REFUSED(sync_node_submit(nodes[0], &request, SECOND, unknown, &error), SYNC_ERROR_STRUCT_SIZE, "struct_size");

  /* One hostile sandbox of four: each of its jobs is agreed on by the others, and the node goes on. */
  static const char *const words[] = {"twice", "fails", "number", "kind", "ending", "version", "printing", "wordy",
                                      "silent", "blocked", "reenter", "late"};
  uint8_t jobs[sizeof words / sizeof words[0]][32];
  sandbox_reenter = reenter;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    char package[64];
    snprintf(package, sizeof package, "pkg:echo/%s@1", words[i]);
    OK(submit((int)i % 3, package, jobs[i], &error));
  }
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    OK(sync_node_wait(nodes[0], jobs[i], SYNC_PHASE_COSIGNED, 120 * SECOND, &done, &error));
    CHECK(done.verdict == SYNC_VERDICT_REPRODUCED && done.agreeing >= 3);
    /* What the hostile one ends in another way is not what the others have. */
    if (strcmp(words[i], "printing") == 0 || strcmp(words[i], "wordy") == 0) CHECK(done.agreeing == 3);
    if (done.verdict != SYNC_VERDICT_REPRODUCED) fprintf(stderr, "%s: verdict %d\n", words[i], (int)done.verdict);
    check_proof(folder, 0, jobs[i], words[i]);
  }
  CHECK(reentered[0] == SYNC_OK && reentered[1] == SYNC_ERROR_STATE);
  CHECK(reentered[2] == SYNC_ERROR_TIMED_OUT);
  OK(sync_node_get_status(nodes[3], &status, &error));
  CHECK(status.state == SYNC_NODE_RUNNING);
  OK(sync_node_drain(nodes[0], 60 * SECOND, &error));

  /* One waits for what never comes, while its node ends. */
  waiting waits = {1, {7}, SYNC_OK};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_for_ever, &waits) == 0);
  usleep(100000);
  for (int i = 0; i < NODES; i++) OK(sync_node_stop(nodes[i], SYNC_FOREVER, &error));
  pthread_join(thread, NULL);
  CHECK(waits.status == SYNC_ERROR_STATE);
  OK(sync_node_stop(nodes[0], 0, &error));
  REFUSED(submit(0, "pkg:echo/fine@1", job, &error), SYNC_ERROR_STATE, "does not run");
  sync_events_destroy(events);
  for (int i = 0; i < NODES; i++) sync_node_destroy(nodes[i]);
  CHECK(becomes(&destroyed, before + 2));
  /* A call that was never answered does not keep the instance; the method has returned. */
  CHECK(becomes(&live_instances, 0));
}

/* ---- A method that does not hear that its node ends ---- */

static void *submit_deaf(void *argument) {
  uint8_t job[32];
  sync_error *error = NULL;
  *(sync_status *)argument = submit(0, "pkg:echo/deaf@1", job, &error);
  sync_error_destroy(error);
  return NULL;
}

static void check_deaf(const char *folder) {
  sync_error *error = NULL;
  char place[4096];
  snprintf(place, sizeof place, "%s/alder", folder);
  sync_registry *registry = make_registry();
  OK(make_node(place, "", registry, &nodes[0], &error));
  sync_registry_destroy(registry);
  OK(sync_node_start(nodes[0], &error));
  sync_status submitted = SYNC_OK;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, submit_deaf, &submitted) == 0);
  usleep(500000);
  OK(sync_node_stop(nodes[0], SYNC_FOREVER, &error));
  pthread_join(thread, NULL);
  CHECK(submitted == SYNC_ERROR_STATE);
  sync_node_destroy(nodes[0]);
  /* The source's instance ends with its method and not before; the sandbox's has ended. */
  CHECK(__atomic_load_n(&live_instances, __ATOMIC_SEQ_CST) == 1);
  CHECK(becomes(&live_instances, 0));
}

/* ---- A node that is stopped while its plugins are made ---- */

static void *start_slowly(void *status) {
  sync_error *error = NULL;
  *(sync_status *)status = sync_node_start(nodes[0], &error);
  CHECK(strstr(sync_error_get_message(error), "stopped while it started") != NULL);
  sync_error_destroy(error);
  return NULL;
}

static void check_slow(const char *folder) {
  sync_error *error = NULL;
  char place[4096];
  snprintf(place, sizeof place, "%s/alder", folder);
  sync_registry *registry = make_registry();
  OK(make_node(place, "[settings.test-echo]\nslow = true\n", registry, &nodes[0], &error));
  sync_registry_destroy(registry);
  sync_status started = SYNC_OK;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, start_slowly, &started) == 0);
  usleep(300000);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  OK(sync_node_stop(nodes[0], SYNC_FOREVER, &error));
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(after.tv_sec - before.tv_sec <= 4);
  pthread_join(thread, NULL);
  CHECK(started == SYNC_ERROR_STATE);
  sync_node_destroy(nodes[0]);
  CHECK(becomes(&live_instances, 0));
}

/* ---- Transports that do ill ---- */

static void check_transports(const char *folder) {
  sync_error *error = NULL;
  char place[4096];
  snprintf(place, sizeof place, "%s/alder", folder);
  sync_registry *registry = make_registry();
  file_name = "liar.toml";
  OK(make_node(place, "", registry, &nodes[0], &error));
  REFUSED(sync_node_start(nodes[0], &error), SYNC_ERROR_IO, "answer of another kind");
  CHECK(sync_get_host()->link_receive(last_link, "birch", "x", 1) == SYNC_ERROR_STATE);
  CHECK(sends_begun == 0);
  sync_node_destroy(nodes[0]);

  /* Its sends hold up neither the node nor its end. */
  file_name = "mute.toml";
  OK(make_node(place, "", registry, &nodes[0], &error));
  OK(sync_node_start(nodes[0], &error));
  uint8_t job[32];
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  OK(sync_node_submit(nodes[0], &request, SECOND, job, &error));
  for (int i = 0; i < 1000 && sends_begun == 0; i++) usleep(10000);
  CHECK(sends_begun > 0 && sends_cancelled == 0);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  OK(sync_node_stop(nodes[0], SYNC_FOREVER, &error));
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(after.tv_sec - before.tv_sec <= 4);
  CHECK(sends_cancelled == sends_begun);
  CHECK(sync_get_host()->link_receive(last_link, "birch", "x", 1) == SYNC_ERROR_STATE);
  uint8_t signature[64];
  CHECK(sync_get_host()->link_sign(last_link, "x", 1, signature) == SYNC_ERROR_STATE);
  sync_node_destroy(nodes[0]);

  /* One that was never started is ended too. */
  OK(make_node(place, "", registry, &nodes[0], &error));
  sync_node_destroy(nodes[0]);
  sync_registry_destroy(registry);
  CHECK(link_faults == 0);
  CHECK(becomes(&live_instances, 0));
  file_name = "config.toml";
}

/* ---- Many lives ---- */

/* Bytes that malloc has given and not got back, whatever the kernel still counts. */
static size_t in_use(void) { return mallinfo2().uordblks; }

/* Without what malloc keeps of freed memory for later. */
static size_t resident(void) {
  malloc_trim(0);
  size_t pages = 0, rest = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%zu %zu", &rest, &pages) != 2) pages = 0;
  if (file != NULL) fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* One that has done all that a node is for: a package that it has never seen, up to its proof. */
static void finish_job(sync_node *node) {
  sync_error *error = NULL;
  uint8_t job[32];
  sync_bytes *proof = NULL;
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  OK(sync_node_submit(node, &request, 60 * SECOND, job, &error));
  OK(sync_node_wait(node, job, SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error));
  OK(sync_node_copy_proof(node, job, &proof, &error));
  sync_bytes_destroy(proof);
}

/* Stopped or destroyed at each moment of a start, now and then without one, or behind a job. */
static void check_cycles(const char *folder, int cycles) {
  sync_error *error = NULL;
  char place[4096], alone[4096];
  snprintf(place, sizeof place, "%s/alder", folder);
  snprintf(alone, sizeof alone, "%s/yew", folder);
  size_t memory = 0, given = 0;
  int descriptors = 0, threads = 0;
  /* Threads that a life leaves idle for some seconds are at their most by then, and each way has been gone. */
  int first = cycles < 500 ? 100 : cycles / 5;
  if (cycles < 500) cycles += first;
  for (int i = 0; i < cycles; i++) {
    if (i == first) {
      threads = settled("/proc/self/task", 0);
      descriptors = count_folder("/proc/self/fd");
      memory = resident();
      given = in_use();
    }
    sync_registry *registry = make_registry();
    sync_node *node = NULL;
    int has_job = i % 10 == 5;
    if (has_job) storage_forget();
    file_name = i % 4 == 1 && !has_job ? "unix.toml" : "config.toml";
    OK(make_node(has_job ? alone : place, "", registry, &node, &error));
    sync_registry_destroy(registry);
    if (i % 10 != 9) OK(sync_node_start(node, &error));
    if (has_job) finish_job(node);
    if (i % 3 == 0) OK(sync_node_stop(node, SYNC_FOREVER, &error));
    sync_node_destroy(node);
  }
  int threads_now = settled("/proc/self/task", threads);
  int descriptors_now = settled("/proc/self/fd", descriptors);
  size_t memory_now = resident(), given_now = in_use();
  printf("%d lives: memory %zu KiB after %d, %zu at the end; of malloc's %zu, %zu; descriptors %d, %d; "
         "threads %d, %d\n",
         cycles, memory / 1024, first, memory_now / 1024, given / 1024, given_now / 1024, descriptors, descriptors_now,
         threads, threads_now);
  CHECK(threads_now <= threads);
  CHECK(descriptors_now <= descriptors);
  if (given_now == 0) {
    /* A sanitizer's malloc, which counts nothing and keeps what was freed. */
    CHECK(memory_now <= memory + memory / 4 + (4 << 20));
    return;
  }
  /* Nothing is left of a life: of 4,000, 0.004 KiB of malloc's and 1.2 KiB of memory each. */
  size_t lives = (size_t)(cycles - first);
  CHECK(given_now <= given + lives * 256 + (256 << 10));
  CHECK(memory_now <= memory + lives * 4 * 1024 + (2 << 20));
}

int main(int count, char **arguments) {
  int has_only_lives = count == 4 && strcmp(arguments[3], "lives") == 0;
  if (count != 3 && !has_only_lives) {
    fprintf(stderr, "usage: group FOLDER CYCLES [lives]\n");
    return 2;
  }
  if (!has_only_lives) {
    char place[4096];
    snprintf(place, sizeof place, "%s/alder", arguments[1]);
    check_refusals(place);
    file_name = "unix.toml";
    check_group(arguments[1]);
    file_name = "config.toml";
    check_slow(arguments[1]);
    check_transports(arguments[1]);
    check_deaf(arguments[1]);
  }
  check_cycles(arguments[1], atoi(arguments[2]));
  return finish("group");
}
