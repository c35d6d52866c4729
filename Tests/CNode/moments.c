/* Nodes that are ended at any moment, and while a method of a plugin does not come back: moments FOLDER LIVES SEED.
 *
 * FOLDER holds alder, birch, cedar and elm, a group, and yew, a builder alone, as Tests/CNode/make-folders makes
 * them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

#include "gate.h"
#include "plugins.h"
#include "tell.h"

static const char *root;

static sync_node *make(const char *name, const char *file, sync_registry *registry) {
  sync_error *error = NULL;
  sync_node *node = NULL;
  char folder[4096], path[4200];
  snprintf(folder, sizeof folder, "%s/%s", root, name);
  snprintf(path, sizeof path, "%s/%s", folder, file);
  file_bytes text = read_file(path);
  OK(sync_node_create(text.data, text.size, folder, registry, NULL, &node, &error));
  free(text.data);
  return node;
}

/* The usual plugins, but for those that are given. */
static sync_registry *registry_with(const sync_plugin *signer, const sync_plugin *storage, const sync_plugin *source,
                                    const sync_plugin *transport) {
  sync_error *error = NULL;
  sync_registry *registry = NULL;
  const sync_host *host = sync_get_host();
  OK(sync_registry_create(0, &registry, &error));
  OK(sync_registry_add(registry, signer ? signer : signer_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, storage ? storage : storage_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, source ? source : source_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, transport ? transport : unix_entry(host), NULL, NULL, &error));
  OK(sync_registry_add(registry, sandbox_entry(host), NULL, NULL, &error));
  return registry;
}

static sync_status submit(sync_node *node, const char *package, uint64_t rebuild, uint64_t timeout, uint8_t *job,
                          sync_error **error) {
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = package;
  request.rebuild = rebuild;
  return sync_node_submit(node, &request, timeout, job, error);
}

/* ---- At any moment ---- */

/* As the usual ones, but that each of their methods takes its time. */
static _Atomic unsigned slowness;
static const sync_signer_methods *quick_signer;
static const sync_storage_methods *quick_storage;

static void linger(void) { usleep(atomic_fetch_add(&slowness, 7919) * 2654435761u % 700); }

static int32_t slow_key(void *self, const sync_sign_request *request, sync_call *call) {
  linger();
  return quick_signer->public_key(self, request, call);
}
static int32_t slow_sign(void *self, const sync_sign_request *request, sync_call *call) {
  linger();
  return quick_signer->sign(self, request, call);
}
static int32_t slow_get(void *self, const sync_storage_request *request, sync_call *call) {
  linger();
  return quick_storage->get(self, request, call);
}
static int32_t slow_scan(void *self, const sync_storage_request *request, sync_call *call) {
  linger();
  return quick_storage->scan(self, request, call);
}
static int32_t slow_apply(void *self, const sync_apply_request *request, sync_call *call) {
  linger();
  return quick_storage->apply(self, request, call);
}

static sync_registry *slow_registry(void) {
  const sync_host *host = sync_get_host();
  sync_plugin signer = *signer_entry(host), storage = *storage_entry(host);
  static sync_signer_methods signer_methods;
  static sync_storage_methods storage_methods;
  quick_signer = signer.signer;
  quick_storage = storage.storage;
  signer_methods = (sync_signer_methods){sizeof signer_methods, SYNC_ABI_VERSION, slow_key, slow_sign};
  storage_methods =
    (sync_storage_methods){sizeof storage_methods, SYNC_ABI_VERSION, slow_get, slow_scan, slow_apply};
  signer.signer = &signer_methods;
  storage.storage = &storage_methods;
  return registry_with(&signer, &storage, NULL, NULL);
}

#define WORKS 200
/* What one life has come to, over all lives of yew: jobs that it was told to be cosigned stay so. */
static uint8_t proven[WORKS][32];
static int proven_count;

typedef struct {
  sync_node *node;
  int works;          /* submits, one package behind the other, until the node ends */
  uint64_t first;     /* of its jobs' numbers */
  sync_status started;
  double start_seconds;
  atomic_int has_started;
} life;

static void *live(void *argument) {
  life *self = argument;
  sync_error *error = NULL;
  double before = seconds_now();
  self->started = sync_node_start(self->node, &error);
  self->start_seconds = seconds_now() - before;
  CHECK(self->started == SYNC_OK || self->started == SYNC_ERROR_STATE);
  if (self->started != SYNC_OK && self->started != SYNC_ERROR_STATE) told("start", self->started, error);
  sync_error_destroy(error);
  atomic_store(&self->has_started, 1);
  for (uint64_t number = self->first; self->works && self->started == SYNC_OK; number++) {
    uint8_t job[32];
    error = NULL;
    sync_status status = submit(self->node, "pkg:echo/fine@1", number, SYNC_FOREVER, job, &error);
    if (status == SYNC_OK) {
      sync_error_destroy(error);
      error = NULL;
      status = sync_node_wait(self->node, job, SYNC_PHASE_COSIGNED, SYNC_FOREVER, NULL, &error);
    }
    if (status == SYNC_OK && proven_count < WORKS) memcpy(proven[proven_count++], job, 32);
    CHECK(status == SYNC_OK || status == SYNC_ERROR_STATE);
    if (status != SYNC_OK && status != SYNC_ERROR_STATE) told("a job", status, error);
    sync_error_destroy(error);
    if (status != SYNC_OK) break;
  }
  return NULL;
}

static void *stop_too(void *node) {
  sync_error *error = NULL;
  OK(sync_node_stop(node, SYNC_FOREVER, &error));
  return NULL;
}

/* The threads that are counted are started, or are gone, before and behind what is counted. */
static void check_moments(int lives, unsigned seed) {
  static const struct {
    const char *name, *file;
    int works;
  } kinds[] = {{"yew", "config.toml", 1}, {"alder", "config.toml", 0}, {"yew", "config.toml", 0},
               {"alder", "unix.toml", 0}};
  sync_error *error = NULL;
  /* Seconds that a start takes: of the last ones, and half a second at most. */
  double usual = 0.05;
  int descriptors = 0, threads = 0, cut = 0;
  for (int i = 0; i < lives; i++) {
    if (i == lives / 5) {
      threads = settled("/proc/self/task", 0);
      descriptors = count_folder("/proc/self/fd");
    }
    sync_registry *registry = slow_registry();
    life one = {make(kinds[i % 4].name, kinds[i % 4].file, registry), kinds[i % 4].works, (uint64_t)i * 1000 + 1,
                SYNC_OK, 0, 0};
    sync_registry_destroy(registry);
    sync_events *events = NULL;
    if (i % 3 == 0) OK(sync_node_subscribe(one.node, 4, &events, &error));
    pthread_t lives_in, stops_too;
    CHECK(pthread_create(&lives_in, NULL, live, &one) == 0);
    /* Within the start, or, of those that work, somewhere in the first jobs. */
    double span = one.works ? 4 * usual : 1.3 * usual;
    usleep((useconds_t)(span * 1e6 * rand_r(&seed) / RAND_MAX));
    double before = seconds_now();
    int is_twice = i % 5 == 1;
    if (is_twice) CHECK(pthread_create(&stops_too, NULL, stop_too, one.node) == 0);
    if (i % 5 == 2) {
      sync_status status = sync_node_stop(one.node, 0, &error);
      CHECK(status == SYNC_OK || status == SYNC_ERROR_TIMED_OUT);
      sync_error_destroy(error);
      error = NULL;
    }
    OK(sync_node_stop(one.node, SYNC_FOREVER, &error));
    CHECK(seconds_now() - before < 20);
    if (is_twice) pthread_join(stops_too, NULL);
    pthread_join(lives_in, NULL);
    if (one.started == SYNC_OK) usual += ((one.start_seconds < 0.5 ? one.start_seconds : 0.5) - usual) / 4;
    cut += one.started == SYNC_ERROR_STATE;
    /* Without a stop's error this one has none of its own. */
    sync_node_status status = SYNC_NODE_STATUS_INIT;
    OK(sync_node_get_status(one.node, &status, &error));
    CHECK(status.state == SYNC_NODE_STOPPED);
    sync_node_destroy(one.node);
    sync_events_destroy(events);
  }
  CHECK(becomes(&live_instances, 0));
  int threads_now = settled("/proc/self/task", threads);
  int descriptors_now = settled("/proc/self/fd", descriptors);
  printf("%d lives, of which %d ended in their start, that takes %.0f ms; %d jobs proven; descriptors %d, %d; "
         "threads %d, %d\n",
         lives, cut, usual * 1e3, proven_count, descriptors, descriptors_now, threads, threads_now);
  CHECK(threads_now <= threads);
  CHECK(descriptors_now <= descriptors);
  /* Moments of each kind have come. */
  CHECK(lives < 40 || (cut > 0 && cut < lives && proven_count > 0));

  /* Nothing is lost of what was told, and whatever was cut short goes on. */
  sync_registry *registry = slow_registry();
  sync_node *node = make("yew", "config.toml", registry);
  sync_registry_destroy(registry);
  OK(sync_node_start(node, &error));
  for (int i = 0; i < proven_count; i++)
    OK(sync_node_wait(node, proven[i], SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error));
  OK(sync_node_drain(node, 60 * SECOND, &error));
  sync_node_destroy(node);
  CHECK(becomes(&live_instances, 0));
}

/* ---- Nodes that do not come to be, several at once ---- */

static int stores_ended;

static int32_t get_nothing(void *self, const sync_storage_request *request, sync_call *call) {
  (void)self;
  (void)request;
  sync_call_fail(call, SYNC_PLUGIN_IO, "the platter has come off");
  return SYNC_PLUGIN_OK;
}
static const sync_plugin *real_storage;
static void end_slowly(void *self) {
  usleep(100000);
  real_storage->destroy(self);
  __atomic_add_fetch(&stores_ended, 1, __ATOMIC_SEQ_CST);
}

static void *fail_to_start(void *name) {
  sync_error *error = NULL;
  sync_plugin plugin = *real_storage;
  sync_storage_methods methods = *real_storage->storage;
  methods.get = get_nothing;
  plugin.storage = &methods;
  plugin.destroy = end_slowly;
  sync_registry *registry = registry_with(NULL, &plugin, NULL, NULL);
  sync_node *node = make(name, "config.toml", registry);
  sync_registry_destroy(registry);
  REFUSED(sync_node_start(node, &error), SYNC_ERROR_IO, "the platter has come off");
  /* It has ended by then, and so has its storage. */
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  OK(sync_node_get_status(node, &status, &error));
  CHECK(status.state == SYNC_NODE_STOPPED);
  sync_node_destroy(node);
  return NULL;
}

/* More than the runtime has threads on most machines: what each waits for must not need one of those. */
static void check_failures(void) {
  static char *const names[] = {"alder", "birch", "cedar", "elm", "yew"};
  pthread_t threads[5];
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 5; i++) CHECK(pthread_create(&threads[i], NULL, fail_to_start, names[i]) == 0);
    for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
  }
  CHECK(stores_ended == 20);
  CHECK(becomes(&live_instances, 0));
}

/* ---- Destroyed while others wait for it ---- */

typedef struct {
  sync_node *node;
  sync_events *events;
  sync_status waited, taken;
} watch;

static void *wait_for_job(void *argument) {
  watch *self = argument;
  static const uint8_t nothing[32] = {7};
  self->waited = sync_node_wait(self->node, nothing, SYNC_PHASE_COSIGNED, SYNC_FOREVER, NULL, NULL);
  return NULL;
}

static void *wait_for_event(void *argument) {
  watch *self = argument;
  do {
    sync_event event = {sizeof event, SYNC_ABI_VERSION, 0, 0, 0, {0}, {0}};
    self->taken = sync_events_next(self->events, SYNC_FOREVER, &event, NULL);
  } while (self->taken == SYNC_OK);
  return NULL;
}

static void check_destroyed(void) {
  sync_error *error = NULL;
  for (int is_started = 0; is_started < 2; is_started++) {
    sync_registry *registry = slow_registry();
    watch self = {make("yew", "config.toml", registry), NULL, SYNC_OK, SYNC_OK};
    sync_registry_destroy(registry);
    OK(sync_node_subscribe(self.node, 16, &self.events, &error));
    pthread_t waits, takes;
    CHECK(pthread_create(&takes, NULL, wait_for_event, &self) == 0);
    if (is_started) {
      OK(sync_node_start(self.node, &error));
      CHECK(pthread_create(&waits, NULL, wait_for_job, &self) == 0);
    }
    /* Until both are in their calls. */
    sleep(3);
    sync_node_destroy(self.node);
    if (is_started) {
      pthread_join(waits, NULL);
      CHECK(self.waited == SYNC_ERROR_STATE);
    }
    pthread_join(takes, NULL);
    CHECK(self.taken == SYNC_ERROR_STATE);
    sync_events_destroy(self.events);
  }
  CHECK(becomes(&live_instances, 0));
}

/* ---- Behind a shut gate ---- */

typedef struct {
  sync_node *node;
  sync_status status;
} asked;

static void *ask(void *argument) {
  asked *self = argument;
  sync_error *error = NULL;
  uint8_t job[32];
  self->status = submit(self->node, "pkg:echo/fine@1", 0, SYNC_FOREVER, job, &error);
  sync_error_destroy(error);
  return NULL;
}

/* A node that waits for a method of its signer or storage is held up by it, and ends all the same. */
static void check_shut(const char *name, sync_registry *registry, gate *shut, const int *ended, double most) {
  sync_error *error = NULL;
  sync_node *node = make(name, "config.toml", registry);
  sync_registry_destroy(registry);
  OK(sync_node_start(node, &error));
  set(shut, 1);
  asked one = {node, SYNC_OK};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, ask, &one) == 0);
  for (int i = 0; i < 1000 && waiting(shut) == 0; i++) usleep(10000);
  CHECK(waiting(shut) > 0);
  double before = seconds_now();
  REFUSED(sync_node_stop(node, SECOND, &error), SYNC_ERROR_TIMED_OUT, "goes on ending");
  sync_status stopped = sync_node_stop(node, SYNC_FOREVER, &error);
  double took = seconds_now() - before;
  printf("%s: ended %.0f s behind a method that does not come back, with %d: %s\n", name, took, (int)stopped,
         sync_error_get_message(error));
  CHECK(stopped == SYNC_OK || (stopped == SYNC_ERROR_IO && strstr(sync_error_get_message(error), "gave no answer")));
  CHECK(took < most);
  sync_error_destroy(error);
  error = NULL;
  pthread_join(thread, NULL);
  CHECK(one.status != SYNC_OK);
  sync_node_destroy(node);
  /* The instance ends with its method, and not before. */
  CHECK(__atomic_load_n(ended, __ATOMIC_SEQ_CST) == 0);
  set(shut, 0);
  CHECK(becomes(ended, 1));
}

static gate signer_gate = GATE, storage_gate = GATE;
static int signers_ended, storages_ended;
static const sync_plugin *real_signer;

/* What the node itself waits for; the handshakes of its connections go on. */
static int32_t gated_sign(void *self, const sync_sign_request *request, sync_call *call) {
  if (request->role == SYNC_KEY_BUILDER) pass(&signer_gate);
  return real_signer->signer->sign(self, request, call);
}
static void end_signer(void *self) {
  real_signer->destroy(self);
  __atomic_add_fetch(&signers_ended, 1, __ATOMIC_SEQ_CST);
}
static int32_t gated_apply(void *self, const sync_apply_request *request, sync_call *call) {
  pass(&storage_gate);
  return real_storage->storage->apply(self, request, call);
}
static void end_storage(void *self) {
  real_storage->destroy(self);
  __atomic_add_fetch(&storages_ended, 1, __ATOMIC_SEQ_CST);
}

static void *check_signer(void *argument) {
  (void)argument;
  sync_plugin plugin = *real_signer;
  sync_signer_methods methods = *real_signer->signer;
  methods.sign = gated_sign;
  plugin.signer = &methods;
  plugin.destroy = end_signer;
  check_shut("alder", registry_with(&plugin, NULL, NULL, NULL), &signer_gate, &signers_ended, 45);
  return NULL;
}

static void *check_storage(void *argument) {
  (void)argument;
  sync_plugin plugin = *real_storage;
  sync_storage_methods methods = *real_storage->storage;
  methods.apply = gated_apply;
  plugin.storage = &methods;
  plugin.destroy = end_storage;
  check_shut("birch", registry_with(NULL, &plugin, NULL, NULL), &storage_gate, &storages_ended, 90);
  return NULL;
}

/* ---- A transport whose sends are never answered ---- */

#define PEERS 3
static char peers[PEERS][64];
static atomic_int sends[PEERS];
static sync_call *_Atomic unanswered[PEERS];

static int32_t listen_on(void *self, const sync_listen_request *request, sync_call *call) {
  (void)self;
  CHECK(request->peers_count == PEERS);
  for (size_t i = 0; i < PEERS; i++) {
    snprintf(peers[i], sizeof peers[i], "%s", request->peers[i].name);
    CHECK(sync_link_connected(request->link, request->peers[i].name) == SYNC_OK);
  }
  sync_call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t keep(void *self, const sync_send_request *request, sync_call *call) {
  (void)self;
  for (int i = 0; i < PEERS; i++)
    if (strcmp(request->peer, peers[i]) == 0) {
      atomic_fetch_add(&sends[i], 1);
      atomic_store(&unanswered[i], call);
    }
  return SYNC_PLUGIN_OK;
}

static int32_t hush(void *self, const sync_plain_request *request, sync_call *call) {
  (void)self;
  (void)request;
  for (int i = 0; i < PEERS; i++) sync_call_finish(atomic_load(&unanswered[i]));
  sync_call_finish(call);
  return SYNC_PLUGIN_OK;
}

static void *check_transport(void *argument) {
  (void)argument;
  sync_error *error = NULL;
  sync_plugin plugin = *mute_entry(sync_get_host());
  sync_transport_methods methods = {sizeof methods, SYNC_ABI_VERSION, listen_on, keep, hush};
  plugin.transport = &methods;
  sync_registry *registry = registry_with(NULL, NULL, NULL, &plugin);
  sync_node *node = make("cedar", "mute.toml", registry);
  sync_registry_destroy(registry);
  OK(sync_node_start(node, &error));
  uint8_t job[32];
  /* What nobody else has heard of is told again and again. */
  OK(submit(node, "pkg:echo/fine@1", 0, 10 * SECOND, job, &error));
  /* Behind the minute that a send has, too, none goes to a peer that has not answered for the one before. */
  sleep(66);
  for (int i = 0; i < PEERS; i++) CHECK(atomic_load(&sends[i]) == 1);
  /* Late, and heard all the same: the next one comes. */
  CHECK(sync_call_finish(atomic_load(&unanswered[1])) == SYNC_ERROR_STATE);
  for (int i = 0; i < 2000 && atomic_load(&sends[1]) < 2; i++) usleep(10000);
  CHECK(atomic_load(&sends[0]) == 1 && atomic_load(&sends[1]) == 2 && atomic_load(&sends[2]) == 1);
  OK(sync_node_stop(node, SYNC_FOREVER, &error));
  sync_node_destroy(node);
  return NULL;
}

/* ---- A transport that does not come to listen ---- */

static atomic_int starts_begun;

static int32_t hesitate(void *self, const sync_listen_request *request, sync_call *call) {
  (void)self;
  (void)request;
  (void)call;
  atomic_fetch_add(&starts_begun, 1);
  return SYNC_PLUGIN_OK;
}

static void *check_hesitating(void *argument) {
  (void)argument;
  sync_error *error = NULL;
  sync_plugin plugin = *mute_entry(sync_get_host());
  sync_transport_methods methods = {sizeof methods, SYNC_ABI_VERSION, hesitate, keep, hush};
  plugin.transport = &methods;
  sync_registry *registry = registry_with(NULL, NULL, NULL, &plugin);
  life one = {make("yew", "mute.toml", registry), 0, 0, SYNC_OK, 0, 0};
  sync_registry_destroy(registry);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, live, &one) == 0);
  for (int i = 0; i < 1000 && atomic_load(&starts_begun) == 0; i++) usleep(10000);
  CHECK(atomic_load(&starts_begun) == 1);
  double before = seconds_now();
  OK(sync_node_stop(one.node, SYNC_FOREVER, &error));
  /* It has ten seconds to say that it has heard of it. */
  CHECK(seconds_now() - before < 30);
  pthread_join(thread, NULL);
  CHECK(one.started == SYNC_ERROR_STATE);
  sync_node_destroy(one.node);
  return NULL;
}

/* ---- A source that leaves every call unanswered ---- */

static sync_call *_Atomic owed[SYNC_CALLS_ABANDONED_MAX];
static int owed_count, owed_kept;
static const sync_plugin *real_source;

static int32_t owe(void *self, const sync_resolve_request *request, sync_call *call) {
  if (strcmp(request->package, "pkg:echo/silent@1") != 0) return real_source->source->resolve(self, request, call);
  int place = __atomic_fetch_add(&owed_count, 1, __ATOMIC_SEQ_CST);
  if (place < SYNC_CALLS_ABANDONED_MAX) {
    atomic_store(&owed[place], call);
    __atomic_add_fetch(&owed_kept, 1, __ATOMIC_SEQ_CST);
  }
  return SYNC_PLUGIN_OK;
}

static void *check_source(void *argument) {
  (void)argument;
  sync_error *error = NULL;
  uint8_t job[32];
  sync_plugin plugin = *real_source;
  sync_source_methods methods = *real_source->source;
  methods.resolve = owe;
  plugin.source = &methods;
  sync_registry *registry = registry_with(NULL, NULL, &plugin, NULL);
  sync_node *node = make("elm", "config.toml", registry);
  sync_registry_destroy(registry);
  OK(sync_node_start(node, &error));
  for (int i = 0; i < SYNC_CALLS_ABANDONED_MAX; i++) {
    /* They may still be answered for ten seconds, and are not held against it until then. */
    if (i == SYNC_CALLS_ABANDONED_MAX - 1) OK(submit(node, "pkg:echo/fine@1", 0, 10 * SECOND, job, &error));
    REFUSED(submit(node, "pkg:echo/silent@1", (uint64_t)i, SECOND / 2, job, &error), SYNC_ERROR_TIMED_OUT, "Time");
  }
  CHECK(becomes(&owed_kept, SYNC_CALLS_ABANDONED_MAX));
  sync_status status = SYNC_OK;
  /* Meanwhile the node may say that it has no place for one more. */
  for (int i = 0; i < 300 && strstr(sync_error_get_message(error), "unanswered") == NULL; i++) {
    usleep(100000);
    sync_error_destroy(error);
    error = NULL;
    status = submit(node, "pkg:echo/fine@1", 0, 10 * SECOND, job, &error);
  }
  is_refused("one behind the last", status, SYNC_ERROR_UNAVAILABLE, "left 16 calls unanswered", &error);
  /* Who answers one after all is called again. */
  CHECK(sync_call_fail(atomic_load(&owed[5]), SYNC_PLUGIN_IO, "at last") == SYNC_ERROR_STATE);
  OK(submit(node, "pkg:echo/fine@1", 0, 10 * SECOND, job, &error));
  REFUSED(submit(node, "pkg:echo/silent@1", 99, SECOND / 2, job, &error), SYNC_ERROR_TIMED_OUT, "Time");
  OK(sync_node_stop(node, SYNC_FOREVER, &error));
  sync_node_destroy(node);
  for (int i = 0; i < SYNC_CALLS_ABANDONED_MAX; i++) sync_call_fail(atomic_load(&owed[i]), SYNC_PLUGIN_CANCELLED, NULL);
  return NULL;
}

int main(int count, char **words) {
  if (count != 4) {
    fprintf(stderr, "usage: moments FOLDER LIVES SEED\n");
    return 2;
  }
  root = words[1];
  printf("moments: seed %s\n", words[3]);
  const sync_host *host = sync_get_host();
  real_signer = signer_entry(host);
  real_storage = storage_entry(host);
  real_source = source_entry(host);
  check_moments(atoi(words[2]), (unsigned)atoi(words[3]));
  check_failures();
  check_destroyed();
  /* All wait, most of a minute, and none for another. */
  void *(*const checks_of[])(void *) = {check_signer, check_storage, check_transport, check_source, check_hesitating};
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) CHECK(pthread_create(&threads[i], NULL, checks_of[i], NULL) == 0);
  for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
  CHECK(becomes(&live_instances, 0));
  return finish("moments");
}
