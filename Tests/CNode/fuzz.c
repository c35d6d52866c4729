/* Random words at everything that crosses the interface: fuzz FOLDER COUNT SEED.
 *
 * FOLDER holds alder and fir, each with a config.toml, and plugins, as scripts/check-node makes them. Whatever comes is
 * answered with a status and a sentence; nothing crashes, hangs, or reads what is not its own (the program is compiled
 * with address checks). The same seed gives the same words, where threads do not draw them in another order. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "plugins.h"

static uint64_t state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* SplitMix64. */
uint64_t below(uint64_t bound) {
  pthread_mutex_lock(&lock);
  uint64_t z = state += 0x9E3779B97F4A7C15;
  pthread_mutex_unlock(&lock);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return (z ^ (z >> 31)) % bound;
}

static const char *const words[] = {
  "", "pkg:echo/fine@1", "pkg:echo/fine", "pkg:echo/../x@1", "pkg:echo/%2e%2e@1", "pkg:cargo/itoa@1.0.1", "pkg:", "@",
  "/", "\xff\xfe", "\xc3", "a\nb", "\x1b[31m", "release", "dev", "x86_64-unknown-linux-gnu", "--", "-", ".", "..",
  "0000000000000000000000000000000000000000000000000000000000000007", "000000000000000000000000000000000000", "x",
  "\"", "'''", "\n[", "\n[[", "\n", "[", "]", "=", "{}", "1e999", "-9223372036854775809", "true", "nan", "\\u0000",
  "\\U00110000", "#",
};
#define WORDS (sizeof words / sizeof words[0])

const char *word(void) { return words[below(WORDS)]; }

char *sentence(void) {
  char *text = calloc(1, 65536);
  for (uint64_t i = below(6); i > 0; i--) strcat(text, word());
  if (below(50) == 0) memset(text, 'x', 60000);
  return text;
}

void want_sentence(sync_status status, sync_error *error) {
  CHECK(status == SYNC_OK || strlen(sync_error_get_message(error)) > 0);
  CHECK((status == SYNC_OK) == (error == NULL));
  sync_error_destroy(error);
}

/* ---- A source whose answers are as random ---- */

static const sync_host *host;
static unsigned answers;

static void noise(void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)below(256);
}

void say_any(sync_call *call) {
  uint8_t bytes[512];
  size_t size = below(sizeof bytes);
  noise(bytes, sizeof bytes);
  char *text = sentence();
  sync_finding finding = {below(4) ? sizeof finding : below(80), below(4) ? SYNC_ABI_VERSION : 2, (int32_t)below(3),
                          (int32_t)below(3), below(5) ? text : NULL, below(5) ? word() : NULL, below(2) ? text : NULL};
  sync_run_result result;
  noise(&result, sizeof result);
  if (below(4) != 0) result.struct_size = sizeof result, result.abi_version = SYNC_ABI_VERSION;
  if (below(4) != 0) {
    static const int32_t statuses[] = {0, 1, 2, 9, 64, 65, 127, 255, 256, -1, INT32_MAX, INT32_MIN};
    static const uint64_t numbers[] = {0, 1, 1000, 1ull << 32, 1ull << 63, UINT64_MAX};
    result.ending = (int32_t)below(10) - 1;
    result.status = statuses[below(sizeof statuses / sizeof statuses[0])];
    result.wall_nanoseconds = numbers[below(6)];
    result.cpu_nanoseconds = numbers[below(6)];
    result.memory_peak_bytes = numbers[below(6)];
  }
  switch (below(13)) {
  case 0: host->call_finish(call); break;
  case 1: host->call_fail(call, (int32_t)below(400) - 20, below(4) ? text : NULL); break;
  case 2: host->call_finish_bytes(call, below(9) ? bytes : NULL, below(9) ? size : (size_t)-1); break;
  case 3: host->call_finish_run(call, below(9) ? &result : NULL); break;
  case 4: host->call_add_finding(call, below(9) ? &finding : NULL); break;
  case 5: host->call_add_text(call, below(9) ? text : NULL); break;
  case 6: host->call_add_transcript(call, below(9) ? bytes : NULL, size); break;
  case 7: host->call_add_record(call, bytes, below(3000) % 512, below(9) ? bytes : NULL, size); break;
  case 8: CHECK(host->call_is_cancelled((sync_call *)(uintptr_t)(below(1u << 31) << 20)) == 1); break;
  case 9: CHECK(host->call_get_cancel_descriptor(NULL) == -1); break;
  case 10: host->link_receive((sync_link *)call, text, bytes, size); break;
  case 11: host->call_finish_instance(call, below(2) ? NULL : &answers); break;
  default: CHECK(host->link_sign((sync_link *)call, bytes, size, bytes) != SYNC_OK); break;
  }
  free(text);
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data, (void)request;
  host->call_finish_instance(call, NULL);
  return SYNC_PLUGIN_OK;
}

static int32_t resolve(void *self, const sync_resolve_request *request, sync_call *call) {
  (void)self;
  __atomic_add_fetch(&answers, 1, __ATOMIC_SEQ_CST);
  for (uint64_t i = below(6); i > 0; i--) say_any(call);
  /* A spec that is nearly one. */
  char spec[1024];
  int size = snprintf(spec, sizeof spec,
                      "synchronicity-spec/v1\npackage %s\nrebuild %llu\ntoolchain %s\ntarget none\nprofile release\n"
                      "source %s %s - %064d\nlock -\nwall-seconds 2\ncpu-seconds 2\nmemory-bytes 1048576\n"
                      "processes 8\ndisk-bytes 1048576\ntranscript-bytes 65536\nrecipe ZmluZQ==\nartifact out\n",
                      request->package, (unsigned long long)request->rebuild, request->toolchain, request->package,
                      request->package, 1);
  if (size > 0 && (size_t)size < sizeof spec) {
    for (uint64_t i = below(4); i > 0; i--) spec[below((uint64_t)size)] = (char)below(256);
    host->call_finish_bytes(call, spec, (size_t)size);
  }
  host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "nothing");
  for (uint64_t i = below(3); i > 0; i--) say_any(call);
  return (int32_t)below(3) - 1;
}

static int32_t fetch(void *self, const sync_fetch_request *request, sync_call *call) {
  (void)self, (void)request;
  for (uint64_t i = below(6); i > 0; i--) say_any(call);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static const sync_source_methods methods = {sizeof methods, SYNC_ABI_VERSION, "noise", "noise", resolve, fetch};
static const sync_plugin noise_plugin = {.struct_size = sizeof noise_plugin, .abi_version = SYNC_ABI_VERSION,
                                         .name = "noise", .version = "1", .create = create, .source = &methods};

/* ---- What a program may give ---- */

/* What once ended the process in the TOML library, its kin, and what looks like it and is right. */
static void check_headers(const char *folder, file_bytes good) {
  static const struct {
    const char *text;
    int is_fine;
  } rows[] = {
    {"[!]", 0}, {"[", 0}, {"[[", 0}, {"[\n]", 0}, {"[[[x]]]", 0}, {"[ [x]]", 0}, {"[#", 0}, {"[=]", 0}, {"[.x]", 0},
    {"[x.!]", 0}, {"[\t!]", 0}, {"  [!]", 0}, {"\xc2\xa0[!]", 0}, {"\xef\xbb\xbf[!]", 0}, {"\r[!]", 0},
    {"x = [\n[1],\n]\n[!]", 0},
    {"x = \"\\\"\"\n[!]", 0}, {"x = '\\'\n[!]", 0}, {"x = \"\"\"\"\"\"\n[!]", 0}, {"x = '''''''\n[!]", 0},
    {"[\"x\"]", 0}, {"[]", 0}, {"[[]]", 0}, {"[settings.test-echo]\nnote = '''\n[!\n'''\n", 1},
    {"[settings.test-echo]\nnote = \"\"\"\n[!\\\"\"\"\"\n", 1}, {"[settings.test-echo] # [!]\n# [!\nnote = '[!'\n", 1},
  };
  sync_registry *registry = make_registry();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    size_t size = good.size + strlen(rows[i].text);
    char *text = malloc(size);
    memcpy(text, good.data, good.size);
    memcpy(text + good.size, rows[i].text, size - good.size);
    sync_node *node = NULL;
    sync_error *error = NULL;
    sync_status status = sync_node_create((const uint8_t *)text, size, folder, registry, NULL, &node, &error);
    CHECK(status == (rows[i].is_fine ? SYNC_OK : SYNC_ERROR_INVALID));
    if ((status == SYNC_OK) != rows[i].is_fine)
      fprintf(stderr, "row %zu: %d %s\n", i, (int)status, sync_error_get_message(error));
    want_sentence(status, error);
    sync_node_destroy(node);
    free(text);
  }
  sync_registry_destroy(registry);
}

sync_registry *make_registry(void) {
  sync_registry *registry = NULL;
  CHECK(sync_registry_create(0, &registry, NULL) == SYNC_OK);
  const sync_plugin *const plugins[] = {
    signer_entry(host), sandbox_entry(host), source_entry(host), storage_entry(host), &noise_plugin};
  for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++)
    CHECK(sync_registry_add(registry, plugins[i], NULL, NULL, NULL) == SYNC_OK);
  return registry;
}

/* Bytes that are gone, twice there, changed, or words. */
static size_t mutate(char *text, size_t size, size_t room) {
  for (uint64_t i = 1 + below(3); i > 0 && size > 4; i--) {
    size_t at = below(size), length = 1 + below(size - at < 40 ? size - at : 40);
    const char *put = word();
    switch (below(4)) {
    case 0: text[at] = (char)below(256); break;
    case 1:
      memmove(text + at, text + at + length, size - at - length);
      size -= length;
      break;
    case 2:
      if (size + length > room) break;
      memmove(text + at + length, text + at, size - at);
      size += length;
      break;
    default:
      if (size + strlen(put) > room) break;
      memmove(text + at + strlen(put), text + at, size - at);
      memcpy(text + at, put, strlen(put));
      size += strlen(put);
    }
  }
  return size;
}

/* A text for the folder of a node: of words, as long as a path may be and longer, or none at all. */
static char *any_folder(void) {
  if (below(3) != 0) return sentence();
  size_t size = below(3) == 0 ? 0 : below(3) == 0 ? 200000 : 4090 + below(12);
  char *text = malloc(size + 1);
  for (size_t i = 0; i < size; i++) text[i] = i % 200 == 0 ? '/' : (char)(1 + below(255));
  text[size] = 0;
  return text;
}

/* A status of any size, in memory that ends with it; what is not the library's to write stays. */
static void ask_status(sync_node *node) {
  uint32_t head[2] = {sizeof(sync_node_status), SYNC_ABI_VERSION};
  if (below(3) == 0) head[0] = (uint32_t)below(2 * sizeof(sync_node_status));
  if (below(8) == 0) head[0] = (uint32_t)below(UINT32_MAX);
  if (below(8) == 0) head[1] = (uint32_t)below(4);
  size_t size = head[0] < 2 * sizeof(sync_node_status) ? head[0] : sizeof(sync_node_status);
  if (size < sizeof head) size = sizeof head;
  uint8_t *exact = malloc(size);
  noise(exact, size);
  memcpy(exact, head, sizeof head);
  uint8_t behind = size > sizeof(sync_node_status) ? exact[size - 1] : 0;
  sync_error *error = NULL;
  sync_status status = sync_node_get_status(node, below(50) ? (sync_node_status *)(void *)exact : NULL, &error);
  if (status == SYNC_OK) CHECK(head[0] >= sizeof(sync_node_status) && head[1] == SYNC_ABI_VERSION);
  if (size > sizeof(sync_node_status)) CHECK(exact[size - 1] == behind);
  want_sentence(status, error);
  free(exact);
}

/* What belongs to a node's log: lines come until it is let go of, which happens once or never. */
typedef struct {
  int lines_wrong, ended;
} log_data;

static void take_line(void *user_data, int32_t level, const char *line) {
  log_data *self = user_data;
  if (self->ended != 0 || level < SYNC_LOG_DEBUG || level > SYNC_LOG_CRITICAL || line[0] == 0) self->lines_wrong++;
}
static void end_log(void *user_data) { ((log_data *)user_data)->ended++; }

static void fuzz_configurations(const char *folder, file_bytes good, unsigned count) {
  sync_registry *registry = make_registry();
  unsigned taken = 0;
  for (unsigned i = 0; i < count; i++) {
    char *text = malloc(good.size + 4096);
    memcpy(text, good.data, good.size);
    /* The first is as it was, so that one at least is taken. */
    size_t size = i == 0 ? good.size : mutate(text, good.size, good.size + 4096);
    /* So that a byte behind the end is nobody's. */
    char *exact = realloc(text, size);
    sync_node_options options = SYNC_NODE_OPTIONS_INIT;
    int is_registered = i == 0 || below(9);
    if (i > 0 && below(8) == 0) options.struct_size = (uint32_t)below(200);
    if (i > 0 && below(16) == 0) options.abi_version = (uint32_t)below(4);
    if (i > 0 && below(8) == 0) options.is_restored = (int32_t)below(5) - 2;
    if (i > 0 && below(16) == 0) options.reserved = (int32_t)below(3) - 1;
    log_data log = {0, 0};
    options.log = below(2) ? take_line : NULL;
    options.log_user_data = &log;
    options.destroy_log_user_data = below(2) ? end_log : NULL;
    const sync_node_options *given = below(4) ? &options : NULL;
    sync_node *node = NULL;
    sync_error *error = NULL;
    char *elsewhere = i > 0 && below(4) == 0 ? any_folder() : NULL;
    sync_status status =
      sync_node_create((const uint8_t *)exact, size, elsewhere != NULL ? elsewhere : folder,
                       is_registered ? registry : NULL, given, &node, &error);
    CHECK((status == SYNC_OK) == (node != NULL));
    want_sentence(status, error);
    taken += status == SYNC_OK;
    sync_node_destroy(node);
    int is_read = given != NULL && options.struct_size >= sizeof options && status != SYNC_ERROR_STRUCT_SIZE &&
                  status != SYNC_ERROR_ABI_VERSION;
    CHECK(log.ended == (is_read && options.destroy_log_user_data != NULL) && log.lines_wrong == 0);
    free(elsewhere);
    free(exact);
  }
  sync_registry_destroy(registry);
  printf("configurations: %u, of which %u were taken\n", count, taken);
  CHECK(taken > 0 && taken < count);
}

static void fuzz_calls(const char *folder, file_bytes good, unsigned count) {
  char text[65536];
  /* Its source is the one of noise. */
  int size = snprintf(text, sizeof text, "%.*s", (int)good.size, (const char *)good.data);
  char *source = strstr(text, "\"test-words\"");
  CHECK(source != NULL);
  if (source != NULL) memcpy(source, "\"noise\"     ", strlen("\"test-words\""));
  sync_registry *registry = make_registry();
  sync_node *node = NULL;
  sync_error *error = NULL;
  CHECK(sync_node_create((const uint8_t *)text, (size_t)size, folder, registry, NULL, &node, &error) == SYNC_OK);
  CHECK(sync_node_start(node, &error) == SYNC_OK);
  sync_registry_destroy(registry);
  for (unsigned i = 0; i < count; i++) {
    char *package = sentence(), noisy[64];
    snprintf(noisy, sizeof noisy, "pkg:noise/n%u@1", i);
    const char *features[4] = {word(), below(3) ? word() : NULL, word(), NULL};
    sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
    /* One in four comes to the source for certain. */
    int is_right = i % 4 == 0;
    request.package = noisy;
    if (!is_right) {
      if (below(9) == 0) request.struct_size = (uint32_t)below(200);
      if (below(9) == 0) request.abi_version = (uint32_t)below(4);
      request.package = below(9) ? (below(2) ? noisy : package) : NULL;
      if (below(3) == 0) request.features = features, request.features_count = below(4);
      if (below(20) == 0) request.features_count = (size_t)-1;
      if (below(5) == 0) request.profile = word();
      if (below(5) == 0) request.target = word();
      if (below(5) == 0) request.toolchain = word();
      request.rebuild = below(2) ? below(UINT64_MAX) : 0;
      if (below(5) == 0) request.without_default_features = (int32_t)below(5) - 2;
      request.priority = (int32_t)below(300) - 150;
    }
    uint8_t job[32];
    noise(job, sizeof job);
    uint64_t patience = is_right ? 300000000 : below(5) ? 100000000 : below(1000);
    TRY(sync_node_submit(node, &request, patience, job, &error));
    error = NULL;
    /* In memory that ends with it. */
    sync_job_status status = SYNC_JOB_STATUS_INIT;
    if (below(5) == 0) status.struct_size = (uint32_t)below(sizeof status + 1);
    size_t room = status.struct_size < 8 ? 8 : status.struct_size;
    sync_job_status *exact = memcpy(malloc(room), &status, room);
    TRY(sync_node_get_job(node, job, exact, &error));
    free(exact);
    TRY(sync_node_wait(node, job, (int32_t)below(9) - 2, below(2000000), NULL, &error));
    ask_status(node);
    sync_bytes *bytes = NULL;
    TRY(below(2) ? sync_node_copy_proof(node, job, &bytes, &error)
                           : sync_node_copy_artifact_path(node, job, &bytes, &error));
    sync_bytes_destroy(bytes);
    sync_events *events = NULL;
    TRY(sync_node_subscribe(node, (uint32_t)below(100000), &events, &error));
    sync_event event;
    noise(&event, sizeof event);
    if (below(4) != 0) event.struct_size = sizeof event, event.abi_version = SYNC_ABI_VERSION;
    if (events != NULL) TRY(sync_events_next(events, below(100000), &event, &error));
    sync_events_destroy(events);
    free(package);
  }
  CHECK(answers > count / 10);
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  CHECK(sync_node_get_status(node, &status, NULL) == SYNC_OK && status.state == SYNC_NODE_RUNNING);
  sync_node_destroy(node);
  printf("calls: %u rounds, %u answers of noise\n", count, answers);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: fuzz FOLDER COUNT SEED\n");
    return 2;
  }
  char place[4096];
  snprintf(place, sizeof place, "%s/alder/config.toml", arguments[1]);
  file_bytes good = read_file(place);
  snprintf(place, sizeof place, "%s/alder", arguments[1]);
  unsigned rounds = (unsigned)strtoul(arguments[2], NULL, 10);
  state = strtoull(arguments[3], NULL, 10);
  printf("seed %s\n", arguments[3]);
  fflush(stdout);
  host = sync_get_host();
  check_headers(place, good);
  fuzz_configurations(place, good, rounds);
  CHECK(fuzz_tables(400 + rounds / 4) == 0);
  fuzz_calls(place, good, rounds / 8 < 250 ? rounds / 8 : 250);
  CHECK(fuzz_fields(place, rounds) == 0);
  CHECK(fuzz_checks(rounds) == 0);
  free(good.data);
  snprintf(place, sizeof place, "%s/fir/config.toml", arguments[1]);
  good = read_file(place);
  snprintf(place, sizeof place, "%s/fir", arguments[1]);
  CHECK(fuzz_observers(place, good, 2 + rounds / 400) == 0);
  char four[4096];
  snprintf(four, sizeof four, "%s/alder", arguments[1]);
  CHECK(fuzz_noisy(place, four, 4 + rounds / 1000) == 0);
  free(good.data);
  return finish("fuzz");
}
