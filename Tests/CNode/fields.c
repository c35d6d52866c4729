/* A node whose configuration is a struct, and whose events go to a function: fields FOLDER PORT.
 *
 * FOLDER holds fir, a group of one, and plugins, with test-echo and test-words, as scripts/check-node makes them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

#include "tell.h"

static char folder[4096], listen_at[64];

static const char *const plugin_folders[] = {"../plugins"};
static const char *const sources[] = {"test-words"};

static sync_node_configuration usual(void) {
  sync_node_configuration fields = SYNC_NODE_CONFIGURATION_INIT;
  fields.name = "fir";
  fields.group = "group.txt";
  fields.listen_transport = listen_at;
  fields.plugins_sandbox = "test-echo";
  fields.plugins_source = sources;
  fields.plugins_source_count = 1;
  fields.plugins_folders = plugin_folders;
  fields.plugins_folders_count = 1;
  fields.toolchain_digest = "0000000000000000000000000000000000000000000000000000000000000007";
  fields.consensus_timeout_base_milliseconds = 300;
  return fields;
}

/* What one wrong field gives, by name. */
static void wrong(const char *name, const sync_node_configuration *fields, sync_status wanted, const char *part) {
  sync_error *error = NULL;
  sync_node *node = NULL;
  sync_status status = sync_node_create_of_struct(fields, folder, NULL, NULL, &node, &error);
  int is_right = status == wanted && node == NULL && strstr(sync_error_get_message(error), part) != NULL;
  CHECK(is_right);
  if (!is_right) fprintf(stderr, "%s: %d: %s\n", name, (int)status, sync_error_get_message(error));
  sync_error_destroy(error);
  sync_node_destroy(node);
}

static void check_fields(void) {
#define AT(field) offsetof(sync_node_configuration, field)
  static const struct {
    size_t at;
    const char *key;
  } texts[] = {
    {AT(name), "name must"}, {AT(group), "group must"}, {AT(seed), "seed must"}, {AT(data), "data must"},
    {AT(cache), "cache must"}, {AT(listen_transport), "listen.transport must"},
    {AT(plugins_sandbox), "plugins.sandbox must"}, {AT(plugins_signer), "plugins.signer must"},
    {AT(plugins_storage), "plugins.storage must"}, {AT(plugins_transport), "plugins.transport must"},
    {AT(plugins_docker_socket), "plugins.docker-socket must"}, {AT(plugins_exec_command), "plugins.exec-command must"},
    {AT(plugins_source_directory), "plugins.source-directory must"}, {AT(plugins_registry), "plugins.registry must"},
    {AT(plugins_pypi_index), "plugins.pypi-index must"}, {AT(toolchain_digest), "toolchain.digest must"},
    {AT(toolchain_cargo), "toolchain.cargo must"}, {AT(toolchain_deb), "toolchain.deb must"},
    {AT(toolchain_generic), "toolchain.generic must"}, {AT(toolchain_pypi), "toolchain.pypi must"},
    {AT(retention_proven), "retention.proven must"}, {AT(divergence_compare), "divergence.compare must"},
    {AT(divergence_toolchain), "divergence.toolchain must"}, {AT(log_level), "log.level must"},
  }, numbers[] = {
    {AT(plugins_exec_patience_seconds), "plugins.exec-patience-seconds must"}, {AT(build_cores), "build.cores must"},
    {AT(build_concurrent), "build.concurrent must"}, {AT(retention_diverged_days), "retention.diverged-days must"},
    {AT(retention_diverged_megabytes), "retention.diverged-megabytes must"},
    {AT(retention_report_days), "retention.report-days must"},
    {AT(retention_report_megabytes), "retention.report-megabytes must"},
    {AT(retention_transcript_days), "retention.transcript-days must"},
    {AT(retention_transcript_megabytes), "retention.transcript-megabytes must"},
    {AT(divergence_seconds), "divergence.seconds must"},
    {AT(divergence_memory_megabytes), "divergence.memory-megabytes must"},
    {AT(consensus_timeout_base_milliseconds), "consensus.timeout-base-milliseconds must"},
    {AT(plugins_registry_allow_http), "plugins.registry-allow-http is"},
  }, lists[] = {
    {AT(plugins_source), "plugins.source"}, {AT(plugins_libraries), "plugins.libraries"},
    {AT(plugins_folders), "plugins.folders"}, {AT(plugins_exec_arguments), "plugins.exec-arguments"},
    {AT(plugins_exec_environment), "plugins.exec-environment"}, {AT(toolchain_directories), "toolchain.directories"},
    {AT(settings), "settings"},
  };
#define ROWS(rows) (sizeof(rows) / sizeof(rows)[0])
  for (size_t i = 0; i < ROWS(texts); i++) {
    sync_node_configuration fields = usual();
    const char *empty = "";
    memcpy((char *)&fields + texts[i].at, &empty, sizeof empty);
    wrong(texts[i].key, &fields, SYNC_ERROR_INVALID, texts[i].key);
  }
  for (size_t i = 0; i < ROWS(numbers); i++) {
    sync_node_configuration fields = usual();
    memcpy((char *)&fields + numbers[i].at, &(int32_t){-1}, sizeof(int32_t));
    wrong(numbers[i].key, &fields, SYNC_ERROR_INVALID, numbers[i].key);
  }
  /* A list is a start with a count behind it. */
  static const char *const holes[] = {NULL};
  static const sync_plugin_setting no_value[] = {{"test-echo", "slow", NULL}};
  for (size_t i = 0; i < ROWS(lists); i++) {
    sync_node_configuration fields = usual();
    char *count = (char *)&fields + lists[i].at + sizeof(void *);
    const void *start = lists[i].at == AT(settings) ? (const void *)no_value : (const void *)holes;
    memcpy((char *)&fields + lists[i].at, &start, sizeof start);
    memcpy(count, &(size_t){1}, sizeof(size_t));
    wrong(lists[i].key, &fields, SYNC_ERROR_NULL_ARGUMENT, lists[i].key);
    memcpy(count, &(size_t){SIZE_MAX}, sizeof(size_t));
    wrong(lists[i].key, &fields, SYNC_ERROR_TOO_LARGE, lists[i].key);
    start = NULL;
    memcpy((char *)&fields + lists[i].at, &start, sizeof start);
    memcpy(count, &(size_t){1}, sizeof(size_t));
    wrong(lists[i].key, &fields, SYNC_ERROR_NULL_ARGUMENT, lists[i].key);
  }
  sync_node_configuration fields = usual();
  fields.build_memory = 1;
  wrong("build_memory", &fields, SYNC_ERROR_INVALID, "build.memory must");
  fields = usual();
  static const sync_plugin_setting unknown[] = {{"test-ehco", "slow", "true"}};
  static const sync_plugin_setting twice[] = {{"test-echo", "slow", "true"}, {"test-echo", "slow", "false"}};
  fields.settings = unknown;
  fields.settings_count = 1;
  wrong("settings for nobody", &fields, SYNC_ERROR_INVALID, "settings.test-ehco");
  fields.settings = twice;
  fields.settings_count = 2;
  wrong("settings twice", &fields, SYNC_ERROR_INVALID, "settings.test-echo.slow is given twice");
  fields = usual();
  fields.name = NULL;
  wrong("no name", &fields, SYNC_ERROR_INVALID, "name is missing");
  fields = usual();
  fields.listen_transport = NULL;
  wrong("listens nowhere", &fields, SYNC_ERROR_INVALID, "listen.transport is missing");
  /* Neither can add a setting that is none of its own. */
  fields = usual();
  fields.plugins_sandbox = "chroot\"\nsigner = \"seed";
  wrong("quotes", &fields, SYNC_ERROR_INVALID, "plugins.sandbox is");
  fields = usual();
  fields.reserved = 1;
  wrong("reserved", &fields, SYNC_ERROR_UNKNOWN_FLAG, "reserved");
  fields = usual();
  fields.struct_size = 8;
  wrong("small", &fields, SYNC_ERROR_STRUCT_SIZE, "struct_size");
  fields = usual();
  fields.abi_version = 2;
  wrong("foreign", &fields, SYNC_ERROR_ABI_VERSION, "abi_version");
  wrong("none", NULL, SYNC_ERROR_NULL_ARGUMENT, "configuration");
}

/* ---- Events that go to a function ---- */

typedef struct {
  sync_node *node;
  _Atomic int events, ends, wrong, order;
  _Atomic int64_t thread;
  uint8_t kinds[4096];
  /* What the function is to do with its first event. */
  enum { NOTHING, STOPS, DESTROYS_EVENTS, SLEEPS, CLOSES, HOLDS } act;
  sync_events *handle;
  sync_status stopped;
} listener;

static void observe(void *user_data, const sync_event *event) {
  listener *self = user_data;
  if (self->ends > 0) self->wrong++;
  int64_t me = gettid();
  if (self->thread != 0 && self->thread != me) self->wrong++;
  if (me == getpid()) self->wrong++;
  self->thread = me;
  if (event == NULL) {
    self->ends++;
    return;
  }
  if (event->struct_size < sizeof *event || event->abi_version != SYNC_ABI_VERSION) self->wrong++;
  int number = self->events++;
  if (number < 4096) self->kinds[number] = (uint8_t)event->kind;
  if (self->act == SLEEPS) usleep(50000);
  if (self->act == HOLDS) sleep(2);
  if (number > 0) return;
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  if (sync_node_get_status(self->node, &status, NULL) != SYNC_OK) self->wrong++;
  if (self->act == STOPS) self->stopped = sync_node_stop(self->node, SYNC_FOREVER, NULL);
  if (self->act == DESTROYS_EVENTS) sync_events_destroy(self->handle);
  if (self->act == CLOSES) sync_events_close(self->handle);
}

static int comes_to(_Atomic int *number, int wanted) {
  for (int i = 0; i < 1000 && *number != wanted; i++) usleep(10000);
  return *number == wanted;
}

static void submit(sync_node *node, uint64_t rebuild, int32_t phase) {
  sync_error *error = NULL;
  uint8_t job[32];
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  request.rebuild = rebuild;
  sync_status status = sync_node_submit(node, &request, 60 * SECOND, job, &error);
  /* Where it is not waited for, an event of it ends the node, and the call may still be on its way. */
  CHECK(status == SYNC_OK || (phase == 0 && status == SYNC_ERROR_STATE));
  say("submit", status, &error);
  if (phase != 0) OK(sync_node_wait(node, job, phase, 60 * SECOND, NULL, &error));
}

static void check_observers(void) {
  sync_error *error = NULL;
  sync_node *node = NULL;
  sync_node_configuration fields = usual();
  OK(sync_node_create_of_struct(&fields, folder, NULL, NULL, &node, &error));
  memset(&fields, 0xff, sizeof fields);
  sync_events *events = NULL;
  listener all = {.node = node}, held = {.node = node, .act = HOLDS}, small = {.node = node, .act = SLEEPS};
  listener once = {.node = node, .act = DESTROYS_EVENTS}, closed = {.node = node, .act = CLOSES};
  listener late = {.node = node}, stops = {.node = node, .act = STOPS};
  CHECK(sync_node_observe(node, 0, observe, &all, &events, NULL) == SYNC_ERROR_OUT_OF_RANGE);
  CHECK(sync_node_observe(node, 1, NULL, &all, &events, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  CHECK(sync_node_observe(NULL, 1, observe, &all, &events, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  CHECK(sync_node_observe(node, 1, observe, &all, NULL, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  CHECK(events == NULL && all.ends == 0);
  OK(sync_node_subscribe(node, 4096, &events, &error));
  OK(sync_node_observe(node, 4096, observe, &all, &all.handle, &error));
  OK(sync_node_observe(node, 1, observe, &small, &small.handle, &error));
  OK(sync_node_observe(node, 4096, observe, &once, &once.handle, &error));
  OK(sync_node_observe(node, 4096, observe, &closed, &closed.handle, &error));
  OK(sync_node_start(node, &error));
  sync_event event = {sizeof event, SYNC_ABI_VERSION, 0, 0, 0, {0}, {0}};
  CHECK(sync_events_next(all.handle, 0, &event, NULL) == SYNC_ERROR_STATE);
  for (uint64_t i = 1; i <= 3; i++) submit(node, i, SYNC_PHASE_COSIGNED);
  /* The one that ended itself got one event, and the end. */
  CHECK(comes_to(&once.ends, 1) && once.events == 1 && once.wrong == 0);
  CHECK(comes_to(&closed.ends, 1) && closed.events >= 1 && closed.wrong == 0);
  sync_events_destroy(closed.handle);
  /* One that takes its time stops nobody; destroying it waits for its call, and drops what waits. */
  OK(sync_node_observe(node, 4096, observe, &held, &held.handle, &error));
  int before = all.events;
  submit(node, 5, SYNC_PHASE_COSIGNED);
  CHECK(held.events == 1 && held.ends == 0);
  sync_events_destroy(held.handle);
  CHECK(held.events == 1 && held.ends == 1 && held.wrong == 0 && all.events >= before + 5);
  OK(sync_node_observe(node, 4096, observe, &stops, &stops.handle, &error));
  submit(node, 4, 0);
  /* The node was stopped by an event of its own, and each who listens has heard the end. */
  CHECK(comes_to(&stops.ends, 1) && stops.stopped == SYNC_OK && stops.wrong == 0);
  CHECK(comes_to(&all.ends, 1) && all.wrong == 0);
  CHECK(comes_to(&small.ends, 1) && small.wrong == 0 && small.events < all.events);
  OK(sync_node_observe(node, 4096, observe, &late, &late.handle, &error));
  CHECK(comes_to(&late.ends, 1) && late.events == 0);
  sync_node_destroy(node);
  /* What a function got is what is taken otherwise. */
  int number = 0;
  for (; sync_events_next(events, 0, &event, NULL) == SYNC_OK; number++)
    CHECK(number < all.events && all.kinds[number] == event.kind);
  CHECK(number == all.events && number > 10);
  sync_events_destroy(events);
  sync_events_destroy(all.handle);
  sync_events_destroy(small.handle);
  sync_events_destroy(stops.handle);
  sync_events_destroy(late.handle);
  CHECK(all.ends == 1 && small.ends == 1 && stops.ends == 1 && late.ends == 1);
}

/* ---- The log and its end ---- */

typedef struct log_end {
  _Atomic int lines, started, destroyed, late;
} log_end;

static void hear_line(void *user_data, int32_t level, const char *line) {
  log_end *mine = user_data;
  if (mine->destroyed > 0) mine->late++;
  if (level >= SYNC_LOG_DEBUG && level <= SYNC_LOG_CRITICAL && strlen(line) > 0) mine->lines++;
  if (strstr(line, "Started") != NULL) mine->started++;
}

static void let_go(void *user_data) { ((log_end *)user_data)->destroyed++; }

static void check_log(void) {
  sync_error *error = NULL;
  sync_node *node = NULL;
  sync_node_configuration good = usual(), bad = usual();
  bad.name = NULL;
  log_end refused = {0}, invalid = {0}, unstarted = {0}, silent = {0}, whole = {0}, old = {0}, cut = {0};
  sync_node_options options = SYNC_NODE_OPTIONS_INIT;
  options.log = hear_line;
  options.destroy_log_user_data = let_go;
  /* No node is made: it is let go of all the same, once. */
  options.log_user_data = &refused;
  CHECK(sync_node_create_of_struct(&bad, folder, NULL, &options, &node, NULL) == SYNC_ERROR_INVALID && node == NULL);
  CHECK(refused.destroyed == 1 && refused.lines == 0);
  options.log_user_data = &invalid;
  options.is_restored = 2;
  CHECK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, NULL) == SYNC_ERROR_INVALID_ARGUMENT);
  CHECK(invalid.destroyed == 1);
  options.is_restored = 0;
  /* What is refused before the configuration is read as one is no exception. */
  log_end early[4] = {{0}};
  good.reserved = 1;
  options.log_user_data = &early[0];
  CHECK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, NULL) != SYNC_OK);
  good.reserved = 0;
  options.log_user_data = &early[1];
  CHECK(sync_node_create_of_struct(NULL, folder, NULL, &options, &node, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  options.log_user_data = &early[2];
  CHECK(sync_node_create_of_struct(&good, folder, NULL, &options, NULL, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  options.log_user_data = &early[3];
  CHECK(sync_node_create(NULL, 1, folder, NULL, &options, &node, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  for (int i = 0; i < 4; i++) CHECK(early[i].destroyed == 1 && early[i].lines == 0);
  /* One that is never started, and one without a function. */
  options.log_user_data = &unstarted;
  OK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, &error));
  CHECK(unstarted.destroyed == 0);
  sync_node_destroy(node);
  CHECK(unstarted.destroyed == 1);
  options.log = NULL;
  options.log_user_data = &silent;
  OK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, &error));
  sync_node_destroy(node);
  CHECK(silent.destroyed == 1 && silent.lines == 0);
  options.log = hear_line;
  /* A whole life. */
  options.log_user_data = &whole;
  OK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, &error));
  OK(sync_node_start(node, &error));
  OK(sync_node_stop(node, SYNC_FOREVER, &error));
  CHECK(whole.destroyed == 0);
  sync_node_destroy(node);
  CHECK(whole.destroyed == 1 && whole.started == 1 && whole.lines > 1 && whole.late == 0);
  /* A program of before the last field, and one whose size ends within it: nothing of it is read. */
  static const uint32_t sizes[] = {offsetof(sync_node_options, destroy_log_user_data),
                                   offsetof(sync_node_options, destroy_log_user_data) + 4};
  log_end *const ends[] = {&old, &cut};
  for (int i = 0; i < 2; i++) {
    options.struct_size = sizes[i];
    options.log_user_data = ends[i];
    OK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, &error));
    sync_node_destroy(node);
    CHECK(ends[i]->destroyed == 0);
  }
  options.struct_size = sizes[0] - 1;
  CHECK(sync_node_create_of_struct(&good, folder, NULL, &options, &node, NULL) == SYNC_ERROR_STRUCT_SIZE);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: fields FOLDER PORT\n");
    return 2;
  }
  snprintf(folder, sizeof folder, "%s/fir", arguments[1]);
  snprintf(listen_at, sizeof listen_at, "127.0.0.1:%s", arguments[2]);
  check_fields();
  check_log();
  check_observers();
  return finish("fields");
}
