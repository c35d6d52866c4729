/* Random words as fields of configurations and options, and functions that get events and end what there is at any
 * moment: parts of fuzz.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

/* ---- Configurations of fields ---- */

#define AT(field) offsetof(sync_node_configuration, field)
#define ROWS(rows) (sizeof(rows) / sizeof(rows)[0])

static const size_t texts[] = {
  AT(name), AT(group), AT(seed), AT(data), AT(cache), AT(listen_transport), AT(plugins_sandbox), AT(plugins_signer),
  AT(plugins_storage), AT(plugins_transport), AT(plugins_docker_socket), AT(plugins_exec_command),
  AT(plugins_source_directory), AT(plugins_registry), AT(plugins_pypi_index), AT(toolchain_digest), AT(toolchain_cargo),
  AT(toolchain_deb), AT(toolchain_generic), AT(toolchain_pypi), AT(retention_proven), AT(divergence_compare),
  AT(divergence_toolchain), AT(log_level),
};
static const size_t numbers[] = {
  AT(plugins_registry_allow_http), AT(plugins_exec_patience_seconds), AT(build_cores), AT(build_concurrent),
  AT(retention_diverged_days), AT(retention_diverged_megabytes), AT(retention_report_days),
  AT(retention_report_megabytes), AT(retention_transcript_days), AT(retention_transcript_megabytes),
  AT(divergence_seconds), AT(divergence_memory_megabytes), AT(consensus_timeout_base_milliseconds),
};
static const size_t large_numbers[] = {AT(build_memory), AT(retention_artifacts), AT(retention_sources)};
/* Of texts; a list is a start with a count behind it. */
static const size_t lists[] = {
  AT(plugins_source), AT(plugins_libraries), AT(plugins_folders), AT(plugins_exec_arguments),
  AT(plugins_exec_environment), AT(toolchain_directories),
};
#define MEMBERS 4
/* What a configuration holds, and where it lies while the call lasts: each in memory of its own size. */
typedef struct {
  char *taken[64];
  size_t count;
} pieces;

static char *piece(pieces *of, char *text, size_t size) {
  char *exact = malloc(size);
  memcpy(exact, text, size);
  of->taken[of->count++] = exact;
  return exact;
}

/* A text that is nobody's, one that is good somewhere, or none. */
static const char *text_of(pieces *of) {
  static const char *const likely[] = {
    "alder", "birch", "../group.txt", "127.0.0.1:1", "127.0.0.1:65536", "[::1]:1", "test-echo", "test-keys", "noise",
    "test-words", "test-map", "tcp", "info", "debug", "keep", "always", "first", "http://127.0.0.1:1/", "WORD=x",
    "../plugins"};
  uint64_t which = below(8);
  if (which == 0) return NULL;
  if (which < 4) return likely[below(ROWS(likely))];
  char *text = sentence(), *exact = piece(of, text, strlen(text) + 1);
  free(text);
  return exact;
}

static void put_list(sync_node_configuration *fields, size_t at, pieces *of) {
  const char *members[MEMBERS];
  size_t count = below(MEMBERS + 1);
  for (size_t i = 0; i < count; i++) members[i] = text_of(of);
  const void *start = piece(of, (char *)members, count * sizeof members[0]);
  /* More than there are is what must be refused before it is read. */
  if (below(8) == 0) count = below(2) ? 1001 + below(1000) : SIZE_MAX - below(1000);
  if (below(8) == 0) start = NULL;
  memcpy((char *)fields + at, &start, sizeof start);
  memcpy((char *)fields + at + sizeof start, &count, sizeof count);
}

static void put_settings(sync_node_configuration *fields, pieces *of) {
  sync_plugin_setting settings[MEMBERS];
  fields->settings_count = below(MEMBERS + 1);
  for (size_t i = 0; i < fields->settings_count; i++)
    settings[i] = (sync_plugin_setting){below(2) ? "test-echo" : text_of(of), text_of(of), text_of(of)};
  fields->settings =
    (const sync_plugin_setting *)piece(of, (char *)settings, fields->settings_count * sizeof settings[0]);
  if (below(8) == 0) fields->settings_count = below(2) ? 1001 : SIZE_MAX / sizeof settings[0] + below(9);
  if (below(8) == 0) fields->settings = NULL;
}

static void put_any(sync_node_configuration *fields, pieces *of) {
  static const int32_t likely[] = {-1, 0, 1, 2, 10, 1000, 100000, INT32_MAX, INT32_MIN};
  static const uint64_t large[] = {0, 1, 4096, 1u << 26, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX};
  char *base = (char *)fields;
  const char *text;
  int32_t number;
  uint64_t large_number;
  switch (below(8)) {
  case 0: put_list(fields, lists[below(ROWS(lists))], of); break;
  case 1: put_settings(fields, of); break;
  case 2:
    large_number = below(3) ? large[below(ROWS(large))] : below(UINT64_MAX);
    memcpy(base + large_numbers[below(ROWS(large_numbers))], &large_number, sizeof large_number);
    break;
  case 3:
  case 4:
    number = below(3) ? likely[below(ROWS(likely))] : (int32_t)below(UINT32_MAX);
    memcpy(base + numbers[below(ROWS(numbers))], &number, sizeof number);
    break;
  default:
    text = text_of(of);
    memcpy(base + texts[below(ROWS(texts))], &text, sizeof text);
  }
}

int fuzz_fields(const char *folder, unsigned count) {
  sync_registry *registry = make_registry();
  unsigned taken = 0;
  for (unsigned i = 0; i < count; i++) {
    static const char *const sources[] = {"test-words"};
    sync_node_configuration fields = SYNC_NODE_CONFIGURATION_INIT;
    pieces of = {.count = 0};
    fields.name = "alder", fields.group = "../group.txt", fields.listen_transport = "127.0.0.1:1";
    fields.plugins_sandbox = "test-echo", fields.plugins_signer = "test-keys", fields.plugins_storage = "test-map";
    fields.plugins_source = sources, fields.plugins_source_count = 1;
    for (uint64_t changes = below(4); changes > 0; changes--) put_any(&fields, &of);
    /* Now and then all of it. */
    if (below(100) == 0)
      for (size_t k = 0; k < ROWS(texts); k++) memcpy((char *)&fields + texts[k], &(const char *){text_of(&of)}, 8);
    if (below(16) == 0) fields.struct_size = below(2) ? (uint32_t)below(sizeof fields + 1) : UINT32_MAX;
    if (below(16) == 0) fields.abi_version = (uint32_t)below(4);
    if (below(32) == 0) fields.reserved = (int32_t)below(3) - 1;
    sync_node_configuration *exact = malloc(sizeof fields);
    memcpy(exact, &fields, sizeof fields);
    sync_node *node = NULL;
    sync_error *error = NULL;
    sync_status status = sync_node_create_of_struct(below(64) ? exact : NULL, below(32) ? folder : NULL,
                                                    below(9) ? registry : NULL, NULL, &node, &error);
    CHECK((status == SYNC_OK) == (node != NULL));
    want_sentence(status, error);
    taken += status == SYNC_OK;
    free(exact);
    for (size_t k = 0; k < of.count; k++) free(of.taken[k]);
    sync_node_destroy(node);
  }
  sync_registry_destroy(registry);
  printf("fields: %u, of which %u were taken\n", count, taken);
  CHECK(taken > 0 && taken < count);
  return failures;
}

/* ---- Options of a conformance suite ---- */

static void put_pairs(const sync_setting **start, size_t *size, pieces *of) {
  sync_setting pairs[MEMBERS];
  *size = below(MEMBERS + 1);
  for (size_t i = 0; i < *size; i++) pairs[i] = (sync_setting){text_of(of), text_of(of)};
  *start = (const sync_setting *)piece(of, (char *)pairs, *size * sizeof pairs[0]);
  if (below(8) == 0) *size = below(2) ? 1001 : SIZE_MAX / sizeof pairs[0] + below(9);
  if (below(8) == 0) *start = NULL;
}

int fuzz_checks(unsigned count) {
  sync_registry *registry = make_registry();
  unsigned made = 0;
  for (unsigned i = 0; i < count; i++) {
    static const char *const names[] = {"test-keys", "test-words", "test-echo", "tcp", "noise"};
    sync_check_options options = SYNC_CHECK_OPTIONS_INIT;
    pieces of = {.count = 0};
    if (below(2)) put_pairs(&options.settings, &options.settings_count, &of);
    if (below(4) == 0) put_pairs(&options.allowed, &options.allowed_count, &of);
    if (below(2)) options.toolchain = text_of(&of);
    if (below(2)) options.package = text_of(&of);
    if (below(4) == 0) options.with_escapes = (int32_t)below(4) - 1;
    if (below(16) == 0) options.reserved = (int32_t)below(3) - 1;
    if (below(16) == 0) options.struct_size = below(2) ? (uint32_t)below(sizeof options + 1) : UINT32_MAX;
    if (below(16) == 0) options.abi_version = (uint32_t)below(4);
    /* A suite that runs takes a second. */
    int is_good = i % 400 == 0;
    if (is_good) options = (sync_check_options)SYNC_CHECK_OPTIONS_INIT;
    const char *name = is_good ? "test-keys" : below(3) ? names[1 + below(ROWS(names) - 1)] : text_of(&of);
    if (!is_good && name != NULL && strcmp(name, "test-keys") == 0) name = NULL;
    sync_check_options *exact = malloc(sizeof options);
    memcpy(exact, &options, sizeof options);
    sync_bytes *report = NULL;
    sync_error *error = NULL;
    int32_t has_passed = 7;
    sync_status status = sync_registry_check(below(64) || is_good ? registry : NULL, name, below(9) ? exact : NULL,
                                             &has_passed, below(9) ? &report : NULL, &error);
    CHECK(has_passed == 0 || (has_passed == 1 && status == SYNC_OK));
    CHECK(status == SYNC_OK || report == NULL);
    CHECK(!is_good || has_passed == 1);
    want_sentence(status, error);
    made += status == SYNC_OK;
    sync_bytes_destroy(report);
    free(exact);
    for (size_t k = 0; k < of.count; k++) free(of.taken[k]);
  }
  sync_registry_destroy(registry);
  printf("checks: %u, of which %u were made\n", count, made);
  CHECK(made > 0 && made < count);
  return failures;
}

/* ---- Functions that get events ---- */

#define LISTENERS 16
/* What is known of a listener, also when it is over. */
typedef struct {
  _Atomic int events, ends, wrong;
  _Atomic int64_t thread;
  int is_taken;
  /* Either main's to end, or the function's: NULL until it is told, OVER when it is done with it. */
  int ends_itself;
  sync_events *mine;
  _Atomic(sync_events *) its;
} listener;
static char over;
#define OVER ((sync_events *)(void *)&over)
/* What its function gets: freed at the last call, so that one behind it is found. */
typedef struct {
  listener *of;
  int acts_at;
  enum { DESTROYS, CLOSES, SLEEPS, ASKS, STOPS, ENDS_NODE } act;
} ear;

static listener listeners[LISTENERS];
/* Held while a function is in a call with the node, which main takes away before it ends it. */
static pthread_mutex_t using = PTHREAD_MUTEX_INITIALIZER;
static sync_node *shared;
/* A node that is whichever function's to end that comes first. */
static _Atomic(sync_node *) doomed;
static _Atomic int heard, ended_inside;

static void use(int stops) {
  pthread_mutex_lock(&using);
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  if (shared != NULL && !stops) TRY(sync_node_get_status(shared, &status, &error));
  if (shared != NULL && stops) TRY(sync_node_stop(shared, below(2) ? SYNC_FOREVER : 0, &error));
  pthread_mutex_unlock(&using);
}

static void hear(void *user_data, const sync_event *event) {
  ear *self = user_data;
  listener *of = self->of;
  if (of->ends > 0 || (of->thread != 0 && of->thread != gettid())) of->wrong++;
  of->thread = gettid();
  if (event == NULL) {
    sync_events *events = of->ends_itself ? atomic_exchange(&of->its, OVER) : NULL;
    if (events != OVER) sync_events_destroy(events);
    free(self);
    of->ends++;
    return;
  }
  if (event->struct_size < sizeof *event || event->abi_version != SYNC_ABI_VERSION) of->wrong++;
  heard++;
  sync_node *node = self->act == ENDS_NODE ? atomic_exchange(&doomed, NULL) : NULL;
  if (node != NULL) {
    sync_node_destroy(node);
    ended_inside++;
  }
  if (of->events++ != self->acts_at) return;
  sync_events *events = of->ends_itself ? of->its : NULL;
  if (self->act == SLEEPS) usleep((useconds_t)below(20000));
  if (self->act == ASKS || self->act == STOPS) use(self->act == STOPS);
  if (self->act == CLOSES) sync_events_close(events);
  if (self->act != DESTROYS || events == NULL) return;
  of->its = OVER;
  sync_events_destroy(events);
}

static void listen_to(sync_node *node, listener *of) {
  /* The last of them stays to the end, and may end the node. */
  int is_last = of == &listeners[LISTENERS - 1];
  of->ends_itself = below(2) == 0;
  ear *self = malloc(sizeof *self);
  *self = (ear){of, (int)below(12), below(150) ? (int)below(STOPS) : STOPS};
  if (is_last) self->act = ENDS_NODE;
  uint32_t capacity = (uint32_t)(below(4) ? 1 + below(64) : below(2) ? below(70000) : below(UINT32_MAX));
  if (is_last) capacity = 1 + (uint32_t)below(64);
  void (*function)(void *, const sync_event *) = is_last || below(16) ? hear : NULL;
  int is_right = function != NULL && capacity >= 1 && capacity <= 65536;
  sync_error *error = NULL;
  sync_events *events = NULL, *none = NULL;
  sync_status status = sync_node_observe(node, capacity, function, self, &events, &error);
  CHECK((status == SYNC_OK) == is_right && (events != NULL) == is_right);
  want_sentence(status, error);
  of->is_taken = is_right;
  if (!is_right) free(self);
  if (!of->ends_itself) of->mine = events;
  /* The end may have been heard before. */
  if (of->ends_itself && is_right && !atomic_compare_exchange_strong(&of->its, &none, events))
    sync_events_destroy(events);
}

/* Ends a node here, or in a function that gets its events; perhaps with a stop before. */
static void end_node(sync_node *node, int is_first) {
  pthread_mutex_lock(&using);
  shared = NULL;
  pthread_mutex_unlock(&using);
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  if (!is_first && below(3) == 0) TRY(sync_node_stop(node, below(2) ? SYNC_FOREVER : 0, &error));
  CHECK(sync_node_get_status(node, &status, NULL) == SYNC_OK);
  int before = ended_inside;
  if ((is_first || below(3) != 0) && status.state == SYNC_NODE_RUNNING) {
    sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
    request.package = "pkg:echo/fine@1";
    request.rebuild = below(UINT64_MAX);
    uint8_t job[32];
    TRY(sync_node_submit(node, &request, 0, job, &error));
    doomed = node;
    for (int i = 0; i < 1000 && doomed != NULL; i++) usleep(10000);
    node = atomic_exchange(&doomed, NULL);
    while (node == NULL && ended_inside == before) usleep(10000);
  }
  sync_node_destroy(node);
}

int fuzz_observers(const char *folder, file_bytes good, unsigned lives) {
  unsigned taken = 0;
  for (unsigned life = 0; life < lives; life++) {
    sync_node *node = NULL;
    CHECK(sync_node_create(good.data, good.size, folder, NULL, NULL, &node, NULL) == SYNC_OK);
    memset((void *)listeners, 0, sizeof listeners);
    shared = node;
    size_t made = 0, start = below(8);
    for (size_t step = 0; made < LISTENERS; step++) {
      if (step == start) CHECK(sync_node_start(node, NULL) == SYNC_OK);
      listener *any = &listeners[below(LISTENERS)];
      sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
      request.package = "pkg:echo/fine@1";
      request.rebuild = below(UINT64_MAX);
      uint8_t job[32];
      switch (below(6)) {
      case 0: sync_events_close(any->mine); break;
      case 1:
        sync_events_destroy(any->mine);
        CHECK(any->mine == NULL || any->ends == 1);
        any->mine = NULL;
        break;
      case 2: TRY(sync_node_submit(node, &request, below(50000000), job, &error)); break;
      case 3: usleep((useconds_t)below(60000)); break;
      default: listen_to(node, &listeners[made++]);
      }
    }
    int is_before = below(2) == 0;
    usleep((useconds_t)below(300000));
    if (!is_before) end_node(node, life == 0);
    for (size_t i = 0; i < LISTENERS - 1; i++) sync_events_destroy(listeners[i].mine);
    if (is_before) end_node(node, life == 0);
    sync_events_destroy(listeners[LISTENERS - 1].mine);
    for (size_t i = 0; i < LISTENERS; i++) {
      for (int k = 0; k < 1000 && listeners[i].ends < listeners[i].is_taken; k++) usleep(10000);
      CHECK(listeners[i].ends == listeners[i].is_taken && listeners[i].wrong == 0);
      taken += (unsigned)listeners[i].is_taken;
    }
  }
  printf("observers: %u, of which %u were taken; %d events, %d nodes ended by one\n", lives * LISTENERS, taken, heard,
         ended_inside);
  CHECK(taken > 0 && taken < lives * LISTENERS && heard > 0);
  return failures;
}
