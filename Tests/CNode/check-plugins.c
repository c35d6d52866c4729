/* The conformance suites through the C interface: check-plugins FOLDER [SANDBOX TOOLCHAIN WORD…]
 *
 * FOLDER holds sockets, as scripts/check-node makes it. SANDBOX is the shared object of a sandbox, which is checked
 * with all attempts to leave it, of which those of the words may succeed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

#include "../CABI/check.h"
#include "plugins.h"

static const sync_host *host;
static sync_registry *registry;

/* ---- Plugins that are wrong ---- */

/* One key for two roles. */
static int32_t same_key(void *self, const sync_sign_request *request, sync_call *call) {
  sync_sign_request other = *request;
  if (other.role == SYNC_KEY_COSIGNER) other.role = SYNC_KEY_LOG;
  return signer_entry(host)->signer->public_key(self, &other, call);
}

/* Makes no instance. */
static int32_t makes_none(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data, (void)request;
  host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "there is none to be had");
  return SYNC_PLUGIN_OK;
}

/* Says what it is asked in several lines, with what a terminal obeys. */
static int32_t says_much(void *self, const sync_sign_request *request, sync_call *call) {
  (void)self, (void)request;
  host->call_fail(call, SYNC_PLUGIN_IO, "one\npass: another\r\033[2J\xc2\x85 three");
  return SYNC_PLUGIN_OK;
}

static sync_status asked;
static int32_t asks(void *user_data, const sync_create_request *request, sync_call *call) {
  int32_t has_passed = 7;
  asked = sync_registry_check(registry, "test-keys", NULL, &has_passed, NULL, NULL);
  CHECK(has_passed == 0);
  return signer_entry(host)->create(user_data, request, call);
}

static void add_all(void) {
  static sync_signer_methods twins, loud;
  sync_plugin twin = *signer_entry(host), talker = twin, asker = twin;
  sync_plugin empty = *source_entry(host), sandbox_too = *sandbox_entry(host);
  twins = loud = *twin.signer;
  twins.public_key = same_key;
  loud.sign = says_much;
  twin.signer = &twins, twin.name = "twins";
  talker.signer = &loud, talker.name = "loud";
  asker.create = asks, asker.name = "asks";
  empty.create = makes_none, empty.name = "empty";
  const sync_plugin *const all[] = {
    signer_entry(host), sandbox_entry(host), source_entry(host), storage_entry(host), unix_entry(host), &twin, &talker,
    &asker, &empty};
  CHECK(sync_registry_create(0, &registry, NULL) == SYNC_OK);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    CHECK(sync_registry_add(registry, all[i], NULL, NULL, NULL) == SYNC_OK);
  sandbox_too.name = "twins";
  CHECK(sync_registry_add(registry, &sandbox_too, NULL, NULL, NULL) == SYNC_OK);
}

/* ---- Suites ---- */

/* Whether the suite was run and found what was wanted; with a piece of the report. Returns the report's lines. */
static size_t suite(const char *name, const sync_check_options *options, int32_t wanted, const char *part) {
  sync_error *error = NULL;
  sync_bytes *report = NULL;
  int32_t has_passed = 7;
  sync_status status = sync_registry_check(registry, name, options, &has_passed, &report, &error);
  const char *text = (const char *)sync_bytes_get_start(report);
  int is_right = status == SYNC_OK && has_passed == wanted && text != NULL && strstr(text, part) != NULL;
  CHECK(is_right);
  if (!is_right)
    fprintf(stderr, "%s: status %d, passed %d: %s\n%s\n", name, (int)status, (int)has_passed,
            sync_error_get_message(error), text == NULL ? "no report" : text);
  size_t lines = 0, fails = 0;
  for (const char *line = text; line != NULL && *line != 0; lines++) {
    const char *end = strchr(line, '\n');
    CHECK(end != NULL);
    fails += strncmp(line, "FAIL: ", 6) == 0;
    CHECK(strncmp(line, "FAIL: ", 6) == 0 || strncmp(line, "pass: ", 6) == 0 || (end != NULL && end[1] == 0));
    for (const char *at = line; end != NULL && at < end; at++) CHECK((unsigned char)*at >= 0x20);
    line = end == NULL ? NULL : end + 1;
  }
  CHECK((fails == 0) == (wanted == 1));
  sync_bytes_destroy(report);
  sync_error_destroy(error);
  return lines;
}

static void refused(const char *what, const char *name, const sync_check_options *options, sync_status wanted,
                    const char *part) {
  sync_error *error = NULL;
  sync_bytes *report = (sync_bytes *)&error;
  int32_t has_passed = 7;
  sync_status status = sync_registry_check(registry, name, options, &has_passed, &report, &error);
  int is_right =
    status == wanted && report == NULL && has_passed == 0 && strstr(sync_error_get_message(error), part) != NULL;
  CHECK(is_right);
  if (!is_right) fprintf(stderr, "%s: %d: %s\n", what, (int)status, sync_error_get_message(error));
  sync_error_destroy(error);
}

static void refusals(void) {
  const sync_check_options good = SYNC_CHECK_OPTIONS_INIT;
  const sync_setting twice[] = {{"wrong", "1"}, {"wrong", "2"}}, half[] = {{"wrong", NULL}}, word = {"bpf", "no harm"};
  int32_t has_passed = 7;
  CHECK(sync_registry_check(NULL, "test-keys", NULL, &has_passed, NULL, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  CHECK(sync_registry_check(registry, "test-keys", NULL, NULL, NULL, NULL) == SYNC_ERROR_NULL_ARGUMENT);
  refused("no name", NULL, &good, SYNC_ERROR_NULL_ARGUMENT, "name");
  refused("nobody's", "nobody", &good, SYNC_ERROR_NOT_FOUND, "No plugin named 'nobody'");
  refused("built in", "sqlite", &good, SYNC_ERROR_NOT_FOUND, "No plugin named 'sqlite' was added");
  refused("two kinds", "twins", &good, SYNC_ERROR_INVALID, "a signer and a sandbox here");
  sync_check_options options = good;
  options.struct_size = sizeof options - 1;
  refused("small", "test-keys", &options, SYNC_ERROR_STRUCT_SIZE, "options.struct_size");
  options = good, options.abi_version = 2;
  refused("another ABI", "test-keys", &options, SYNC_ERROR_ABI_VERSION, "options.abi_version");
  options = good, options.reserved = 1;
  refused("reserved", "test-keys", &options, SYNC_ERROR_INVALID_ARGUMENT, "reserved 1");
  options = good, options.with_escapes = 2;
  refused("a flag", "test-keys", &options, SYNC_ERROR_INVALID_ARGUMENT, "options.with_escapes is 2");
  options = good, options.settings_count = 1;
  refused("no settings", "test-keys", &options, SYNC_ERROR_NULL_ARGUMENT, "options.settings is NULL");
  options.settings = twice, options.settings_count = SIZE_MAX;
  refused("too many", "test-keys", &options, SYNC_ERROR_TOO_LARGE, "options.settings has 18446744073709551615");
  options.settings_count = 2;
  refused("twice", "test-keys", &options, SYNC_ERROR_INVALID_ARGUMENT, "has wrong twice");
  options.settings = half, options.settings_count = 1;
  refused("no value", "test-keys", &options, SYNC_ERROR_NULL_ARGUMENT, "A member of options.settings");
  options = good, options.allowed = &word, options.allowed_count = 1;
  refused("allowed, but not tried", "test-echo", &options, SYNC_ERROR_INVALID_ARGUMENT, "options.allowed");
  refused("no toolchain", "test-echo", &good, SYNC_ERROR_INVALID, "toolchain");
  options = good, options.toolchain = "/no/such.tar";
  refused("no such toolchain", "test-echo", &options, SYNC_ERROR_NOT_FOUND, "/no/such.tar");
  options.toolchain = "/";
  refused("a folder as toolchain", "test-echo", &options, SYNC_ERROR_INVALID, "regular file");
  options.toolchain = "/\xff.tar";
  refused("no UTF-8", "test-echo", &options, SYNC_ERROR_INVALID_ARGUMENT, "options.toolchain is not UTF-8");
  options.toolchain = "relative.tar";
  refused("a relative toolchain", "test-echo", &options, SYNC_ERROR_INVALID, "absolute");
  refused("no package", "test-words", &good, SYNC_ERROR_INVALID, "package");
  options = good, options.package = "echo";
  refused("no purl", "test-words", &options, SYNC_ERROR_INVALID, "purl with a version");
}

static void *check_keys(void *unused) {
  (void)unused;
  suite("test-keys", NULL, 1, "test-keys 1, a signer: 6 of 6 checks passed\n");
  return NULL;
}

/* Folders of checks that are left where temporary files go. */
static size_t left(const char *folder) {
  DIR *open = opendir(folder);
  size_t count = 0;
  for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) count += entry->d_name[0] != '.';
  if (open != NULL) closedir(open);
  return count;
}

int main(int count, char **arguments) {
  if (count != 2 && count < 4) {
    fprintf(stderr, "usage: check-plugins FOLDER [SANDBOX TOOLCHAIN WORD...]\n");
    return 2;
  }
  char temporary[4096], sockets[4096];
  snprintf(temporary, sizeof temporary, "%s/checks", arguments[1]);
  snprintf(sockets, sizeof sockets, "%s/sockets", arguments[1]);
  /* Where others may enter, as one of the attempts to leave a sandbox wants. */
  CHECK(mkdir(temporary, 0755) == 0 && setenv("TMPDIR", temporary, 1) == 0);
  host = sync_get_host();
  add_all();
  refusals();

  pthread_t threads[3];
  for (size_t i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, check_keys, NULL) == 0);
  for (size_t i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  sync_check_options options = SYNC_CHECK_OPTIONS_INIT;
  options.package = "pkg:echo/fine@1";
  suite("test-words", &options, 1, "test-words 1, a source: ");
  suite("test-map", NULL, 1, "test-map 1, a storage: ");
  const sync_setting folder = {"folder", sockets}, wrong = {"wrong", "1"};
  options = (sync_check_options)SYNC_CHECK_OPTIONS_INIT;
  options.settings = &folder, options.settings_count = 1;
  suite("unix", &options, 1, "a transport: ");
  options.settings = &wrong;
  suite("test-keys", &options, 0, "does not verify");
  options = (sync_check_options)SYNC_CHECK_OPTIONS_INIT;
  options.package = "pkg:echo/fine@1";
  suite("empty", &options, 0, "FAIL: an instance is made: ");
  suite("loud", NULL, 0, "one pass: another  [2J  three");
  /* What a plugin asks from within its method is refused, and the check of it goes on. */
  suite("asks", NULL, 1, "asks 1, a signer: 6 of 6 checks passed\n");
  CHECK(asked == SYNC_ERROR_STATE);
  int32_t has_passed = 0;
  CHECK(sync_registry_check(registry, "test-map", NULL, &has_passed, NULL, NULL) == SYNC_OK && has_passed == 1);
  sync_registry_destroy(registry);

  CHECK(sync_registry_create(0, &registry, NULL) == SYNC_OK);
  sync_plugin twin = *signer_entry(host);
  sync_signer_methods methods = *twin.signer;
  methods.public_key = same_key;
  twin.signer = &methods, twin.name = "twins";
  CHECK(sync_registry_add(registry, &twin, NULL, NULL, NULL) == SYNC_OK);
  suite("twins", NULL, 0, "FAIL: each role has a key of its own: the cosigner key is another role's too\n");
  if (count > 3) {
    sync_error *error = NULL;
    CHECK(sync_registry_load(registry, arguments[2], &error) == SYNC_OK);
    if (error != NULL) fprintf(stderr, "%s\n", sync_error_get_message(error));
    sync_setting *allowed = calloc((size_t)count, sizeof *allowed);
    options = (sync_check_options)SYNC_CHECK_OPTIONS_INIT;
    options.toolchain = arguments[3], options.with_escapes = 1, options.allowed = allowed;
    for (int i = 4; i < count; i++) allowed[options.allowed_count++] = (sync_setting){arguments[i], "of no harm"};
    CHECK(suite("bwrap", &options, 1, "a sandbox: ") > 150);
    free(allowed);
  }
  CHECK(left(temporary) == 0);
  /* Nobody is to make what TMPDIR names. */
  CHECK(rmdir(temporary) == 0);
  refused("no TMPDIR", "twins", NULL, SYNC_ERROR_IO, "TMPDIR");
  CHECK(access(temporary, F_OK) != 0);
  sync_registry_destroy(registry);
  return finish("check-plugins");
}
