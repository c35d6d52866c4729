/* A sandbox for nodes that runs builds in bubblewrap. Configured by sandbox = "bwrap".
 *
 *   cc -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -I include -o sandbox-bwrap.so \
 *     examples/plugins/sandbox-bwrap*.c -lcrypto
 *
 * A run has namespaces of its own for everything, no network, no capability and no way to new ones, and an overlay over
 * the toolchain as its root, read-only once its mount points are made. All that it writes (/tmp, /dev/shm, the working
 * folder, the writable mounts) lies on one tmpfs whose size is the disk limit. Memory, processes and CPU time are held
 * by cgroups of version 1 or 2.
 *
 * It wants root, Linux 5.9, bubblewrap 0.8, GNU tar and cgroups that can be written; ordinary users take the command
 * sync-exec-bwrap (sandbox = "exec"), which does the same. The setting "bwrap" is the path of bubblewrap.
 *
 * Each run has a thread of its own, because a thread can have a mount namespace of its own, which goes when it ends.
 * In the state directory lie
 *
 *   toolchains/DIGEST            an unpacked toolchain
 *   toolchains/DIGEST.part-...   one that is being unpacked, locked by who does it
 *   runs/RUN-ID                  a note with the paths of a run's cgroups, locked while the run lives
 */
#include "sandbox-bwrap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES 65536

const sync_host *host;

static atomic_uint counter;

int32_t tell(sync_call *call, const fault *fault) {
  host->call_fail(call, fault->code, fault->message);
  return SYNC_PLUGIN_OK;
}

/* ---- Creating ---- */

static int make_folder(const sandbox *self, const char *name, mode_t mode, fault *fault) {
  char path[TEXT_MAX];
  if (format(path, sizeof path, "%s/%s", self->directory, name) != 0)
    return fail(fault, SYNC_PLUGIN_INVALID, "The path of the state directory is too long");
  if (mkdir(path, mode) != 0 && errno != EEXIST)
    return fail(fault, SYNC_PLUGIN_IO, "%s cannot be made: %s", path, strerror(errno));
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return folder >= 0 ? folder : fail(fault, SYNC_PLUGIN_IO, "%s cannot be opened: %s", path, strerror(errno));
}

static void destroy(void *instance) {
  sandbox *self = instance;
  close_descriptor(&self->toolchains);
  close_descriptor(&self->runs);
  free(self);
}

static int set_up(sandbox *self, const sync_create_request *request, fault *fault) {
  if (realpath(request->state_directory, self->directory) == NULL)
    return fail(fault, SYNC_PLUGIN_IO, "The state directory cannot be used: %s", strerror(errno));
  for (size_t i = 0; i < request->settings_count; i++) {
    const sync_setting *setting = &request->settings[i];
    if (strcmp(setting->name, "patience-seconds") == 0) continue; /* the host's own */
    if (strcmp(setting->name, "bwrap") != 0)
      return fail(fault, SYNC_PLUGIN_INVALID, "There is no setting %s: bwrap is the only one", setting->name);
    if (setting->value[0] != '/' || format(self->bwrap, sizeof self->bwrap, "%s", setting->value) != 0)
      return fail(fault, SYNC_PLUGIN_INVALID, "The setting bwrap must be an absolute path");
  }
  if (self->bwrap[0] == 0 && find_program("bwrap", self->bwrap, sizeof self->bwrap) != 0) self->bwrap[0] = 0;
  self->toolchains = make_folder(self, "toolchains", 0755, fault);
  if (self->toolchains >= 0) self->runs = make_folder(self, "runs", 0700, fault);
  return self->runs >= 0 ? 0 : -1;
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  fault fault = {0, ""};
  sandbox *self = calloc(1, sizeof *self);
  if (self == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  self->toolchains = self->runs = -1;
  if (set_up(self, request, &fault) != 0) {
    destroy(self);
    return tell(call, &fault);
  }
  /* When nobody takes it, nobody ends it. */
  if (host->call_finish_instance(call, self) != SYNC_OK) destroy(self);
  return SYNC_PLUGIN_OK;
}

/* ---- Locked things of the state directory ---- */

/* Whether the open file is the one of that name; another call may have removed it before it was locked. */
static int is_same(int file, int folder, const char *name) {
  struct stat mine, named;
  return fstat(file, &mine) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

int make_note(const sandbox *self, const char *run_id, fault *fault) {
  for (int i = 0; i < 10; i++) {
    int note = openat(self->runs, run_id, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600);
    if (note < 0 && errno == EEXIST && i == 9)
      return fail(fault, SYNC_PLUGIN_IO, "The run %s is going on, or has left something that was not cleared", run_id);
    if (note < 0 && errno != EEXIST)
      return fail(fault, SYNC_PLUGIN_IO, "The note of the run cannot be made: %s", strerror(errno));
    if (note >= 0 && flock(note, LOCK_EX | LOCK_NB) == 0 && is_same(note, self->runs, run_id)) return note;
    close_descriptor(&note);
    pause_milliseconds(TICK_MILLISECONDS); /* remove_leftovers may be looking at it */
  }
  return fail(fault, SYNC_PLUGIN_IO, "The note of the run cannot be locked");
}

/* Makes and locks a folder to unpack in. Its descriptor, or -1. */
static int make_part(const sandbox *self, const char *digest, char *name, size_t size, fault *fault) {
  for (int i = 0; i < 10; i++) {
    format(name, size, "%s.part-%d-%u", digest, (int)getpid(), atomic_fetch_add(&counter, 1));
    if (mkdirat(self->toolchains, name, 0755) != 0 && errno == EEXIST) continue;
    int part = openat(self->toolchains, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (part >= 0 && flock(part, LOCK_EX | LOCK_NB) == 0 && is_same(part, self->toolchains, name)) {
      if (fchmod(part, 0755) == 0 && fchown(part, OUTSIDE_ID, OUTSIDE_ID) == 0) return part;
      unlinkat(self->toolchains, name, AT_REMOVEDIR);
    }
    close_descriptor(&part);
  }
  return fail(fault, SYNC_PLUGIN_IO, "A folder for the toolchain cannot be made: %s", strerror(errno));
}

/* ---- Toolchains ---- */

static int is_digest(const char *text) { return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64; }

int is_prepared(const sandbox *self, const char *digest) {
  struct stat info;
  return is_digest(digest) && fstatat(self->toolchains, digest, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(info.st_mode);
}

/* The archive on its way to tar. */
typedef struct {
  sync_call *call;
  int archive, feed, said; /* feed: tar's standard input; said: its standard error */
  last_words words;
  EVP_MD_CTX *hash;
  char *piece;
} transfer;

/* Waits for one of the two, keeps what tar says, and gives -1 when the call was cancelled. */
static int await_tar(transfer *t) {
  char text[512];
  struct pollfd ready[3] = {
    {t->feed, POLLOUT, 0}, {t->said, POLLIN, 0}, {host->call_get_cancel_descriptor(t->call), POLLIN, 0}};
  poll(ready, 3, 1000);
  if (host->call_is_cancelled(t->call)) return -1;
  if (ready[1].revents == 0) return 0;
  ssize_t got = read(t->said, text, sizeof text);
  if (got > 0) last_words_add(&t->words, text, (size_t)got);
  else if (got == 0 || (errno != EAGAIN && errno != EINTR)) close_descriptor(&t->said);
  return 0;
}

/* Hashes the very bytes that tar is fed. */
static int feed(transfer *t, fault *fault) {
  for (;;) {
    ssize_t size = read(t->archive, t->piece, PIECE_BYTES);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(fault, SYNC_PLUGIN_IO, "The archive cannot be read: %s", strerror(errno));
    if (host->call_is_cancelled(t->call)) return fail(fault, SYNC_PLUGIN_CANCELLED, "The call was cancelled");
    if (size == 0) break;
    if (EVP_DigestUpdate(t->hash, t->piece, (size_t)size) != 1)
      return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "SHA-256 cannot be computed");
    for (ssize_t done = 0; done < size && t->feed >= 0;) {
      ssize_t sent = send(t->feed, t->piece + done, (size_t)(size - done), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) done += sent;
      else if (errno != EAGAIN && errno != EINTR) close_descriptor(&t->feed); /* tar has read enough, or failed */
      else if (await_tar(t) != 0) return fail(fault, SYNC_PLUGIN_CANCELLED, "The call was cancelled");
    }
  }
  close_descriptor(&t->feed);
  while (t->said >= 0)
    if (await_tar(t) != 0) return fail(fault, SYNC_PLUGIN_CANCELLED, "The call was cancelled");
  return 0;
}

static int unpack_with(transfer *t, int part, const sync_toolchain_request *request, fault *fault) {
  int input[2] = {-1, -1}, errors[2] = {-1, -1};
  char tar[PATH_MAX];
  /* Device nodes are not used: a run has a /dev of its own. */
  char *const arguments[] = {"tar", "--extract", "--file=-", "--no-same-owner", "--no-same-permissions",
                             "--exclude=./dev/*", "--warning=no-timestamp", NULL};
  if (find_program("tar", tar, sizeof tar) != 0) return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "There is no GNU tar");
  t->archive = open(request->archive, O_RDONLY | O_CLOEXEC);
  if (t->archive < 0)
    return fail(fault, SYNC_PLUGIN_IO, "%s cannot be opened: %s", request->archive, strerror(errno));
  t->piece = malloc(PIECE_BYTES);
  t->hash = EVP_MD_CTX_new();
  if (t->piece == NULL || t->hash == NULL || EVP_DigestInit_ex(t->hash, EVP_sha256(), NULL) != 1)
    return fail(fault, SYNC_PLUGIN_UNAVAILABLE, "There is no memory for the archive");
  /* A socket, because writing to it gives no SIGPIPE. */
  pid_t pid = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) != 0 || pipe2(errors, O_CLOEXEC | O_NONBLOCK) != 0) {
    fail(fault, SYNC_PLUGIN_UNAVAILABLE, "There is no descriptor to spare: %s", strerror(errno));
  } else {
    const child child = {.path = tar, .arguments = arguments, .descriptors = {input[0], -1, errors[1], -1, -1},
                         .directory = part};
    pid = start(&child, fault);
  }
  close_descriptor(&input[0]);
  close_descriptor(&errors[1]);
  t->feed = input[1];
  t->said = errors[0];
  if (pid < 0) return -1;
  int result = feed(t, fault);
  int status = reap(pid, result != 0);
  if (result != 0) return -1;
  unsigned char digest[EVP_MAX_MD_SIZE];
  char text[2 * sizeof digest + 1] = "";
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(t->hash, digest, &size) != 1) size = 0;
  for (unsigned int i = 0; i < size; i++) format(text + 2 * i, 3, "%02x", digest[i]);
  if (strcmp(text, request->toolchain) != 0)
    return fail(fault, SYNC_PLUGIN_CHECKSUM_MISMATCH, "%s has SHA-256 %s", request->archive, text);
  if (status != 0) return fail(fault, SYNC_PLUGIN_IO, "tar cannot unpack it: %s", last_words_text(&t->words));
  struct stat info;
  if (fstatat(part, "usr/bin/env", &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(fault, SYNC_PLUGIN_INVALID, "The toolchain has no /usr/bin/env, which starts the command of a run");
  return 0;
}

static int unpack(const sandbox *self, const sync_toolchain_request *request, sync_call *call, fault *fault) {
  char name[128];
  int part = make_part(self, request->toolchain, name, sizeof name, fault);
  if (part < 0) return -1;
  transfer t = {.call = call, .archive = -1, .feed = -1, .said = -1};
  int result = unpack_with(&t, part, request, fault);
  close_descriptor(&t.archive);
  close_descriptor(&t.feed);
  close_descriptor(&t.said);
  EVP_MD_CTX_free(t.hash);
  free(t.piece);
  /* After a power cut the folder must not be there without its bytes. */
  if (result == 0 && syncfs(part) != 0)
    result = fail(fault, SYNC_PLUGIN_IO, "The toolchain cannot be written: %s", strerror(errno));
  if (result == 0 && renameat(self->toolchains, name, self->toolchains, request->toolchain) != 0 &&
      errno != EEXIST && errno != ENOTEMPTY) /* another call was faster */
    result = fail(fault, SYNC_PLUGIN_IO, "The toolchain cannot be put in its place: %s", strerror(errno));
  remove_tree(self->toolchains, name);
  fsync(self->toolchains);
  close(part);
  return result;
}

static int32_t prepare(void *instance, const sync_toolchain_request *request, sync_call *call) {
  const sandbox *self = instance;
  fault fault = {0, ""};
  if (!is_digest(request->toolchain)) fail(&fault, SYNC_PLUGIN_INVALID, "The toolchain's digest is malformed");
  else if (!is_prepared(self, request->toolchain)) unpack(self, request, call, &fault);
  if (fault.code != SYNC_PLUGIN_OK) return tell(call, &fault);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t has_toolchain(void *instance, const sync_toolchain_request *request, sync_call *call) {
  if (is_prepared(instance, request->toolchain)) host->call_finish(call);
  else host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "The toolchain is not prepared");
  return SYNC_PLUGIN_OK;
}

/* ---- Leftovers ---- */

/* Locks what nobody has locked. Its descriptor, or -1. */
static int lock_leftover(int folder, const char *name) {
  int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file >= 0 && (flock(file, LOCK_EX | LOCK_NB) != 0 || !is_same(file, folder, name))) close_descriptor(&file);
  return file;
}

static int remove_run(const sandbox *self, sync_call *call, const char *run_id, fault *fault) {
  int note = lock_leftover(self->runs, run_id);
  FILE *lines = note < 0 ? NULL : fdopen(note, "r");
  if (lines == NULL) return close_descriptor(&note), 0;
  char *line = NULL, text[TEXT_MAX];
  size_t size = 0;
  int result = 0;
  while (getline(&line, &size, lines) > 0) {
    line[strcspn(line, "\n")] = 0;
    int removed = group_remove_leftover(line, run_id);
    if (removed < 0) result = fail(fault, SYNC_PLUGIN_IO, "The cgroup %s cannot be removed", line);
    else if (removed > 0 && format(text, sizeof text, "the cgroup %s", line) == 0) host->call_add_text(call, text);
  }
  free(line);
  if (result == 0) unlinkat(self->runs, run_id, 0);
  fclose(lines);
  return result;
}

static int remove_part(const sandbox *self, sync_call *call, const char *name, fault *fault) {
  char text[TEXT_MAX];
  if (strstr(name, ".part-") == NULL) return 0;
  int part = lock_leftover(self->toolchains, name);
  if (part < 0) return 0;
  int result = remove_tree(self->toolchains, name);
  close(part);
  if (result != 0) return fail(fault, SYNC_PLUGIN_IO, "The folder %s cannot be removed: %s", name, strerror(errno));
  if (format(text, sizeof text, "the folder of a toolchain that was not unpacked, %s", name) == 0)
    host->call_add_text(call, text);
  return 0;
}

static void remove_all(const sandbox *self, sync_call *call, int folder,
                       int (*remove)(const sandbox *, sync_call *, const char *, fault *), fault *fault) {
  int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = own < 0 ? NULL : fdopendir(own);
  if (entries == NULL) {
    fail(fault, SYNC_PLUGIN_IO, "The state directory cannot be read: %s", strerror(errno));
    close_descriptor(&own);
    return;
  }
  struct dirent *entry;
  while ((entry = readdir(entries)) != NULL && !host->call_is_cancelled(call))
    if (entry->d_name[0] != '.') remove(self, call, entry->d_name, fault);
  closedir(entries);
}

static int32_t remove_leftovers(void *instance, const sync_plain_request *request, sync_call *call) {
  (void)request;
  const sandbox *self = instance;
  fault fault = {0, ""};
  remove_all(self, call, self->runs, remove_run, &fault);
  remove_all(self, call, self->toolchains, remove_part, &fault);
  if (fault.code != SYNC_PLUGIN_OK) return tell(call, &fault);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* ---- What the host can do ---- */

static void found(sync_call *call, const char *name, int is_met, const char *detail, const char *mend) {
  const sync_finding finding = {sizeof finding, SYNC_ABI_VERSION, is_met, 0, name, detail, is_met ? NULL : mend};
  host->call_add_finding(call, &finding);
}

static void probe_groups(const sandbox *self, sync_call *call) {
  static const char *const limits[CONTROLLERS] = {"memory limit", "processes limit", "cpu time limit"};
  char run_id[64], text[64];
  fault fault = {0, ""};
  groups groups = {.count = 0};
  format(run_id, sizeof run_id, "probe-%d-%u", (int)getpid(), atomic_fetch_add(&counter, 1));
  int note = make_note(self, run_id, &fault);
  int is_held = note >= 0 && groups_make(&groups, run_id, note, 1 << 26, 1 << 20, 8, &fault) == 0;
  for (int i = 0; i < CONTROLLERS; i++) {
    format(text, sizeof text, "cgroup version %d", groups.version[i]);
    found(call, limits[i], is_held, is_held ? text : fault.message, "give the node cgroups that it can write");
  }
  if (note < 0) return;
  if (groups_remove(&groups) == 0) unlinkat(self->runs, run_id, 0);
  close(note);
}

static int32_t probe(void *instance, const sync_plain_request *request, sync_call *call) {
  (void)request;
  const sandbox *self = instance;
  char said[300] = "is missing", path[PATH_MAX];
  char *const asked[] = {"bwrap", "--version", NULL};
  char *const trial[] = {
    "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000", "--cap-drop",
    "ALL", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--", "true", NULL};
  int is_root = geteuid() == 0, major = 0, minor = 0;
  found(call, "root", is_root, is_root ? "the node runs as root" : "only root can start runs",
        "use sandbox = \"exec\" with sync-exec-bwrap");
  if (is_root && self->bwrap[0] != 0) capture(self->bwrap, asked, call, said, sizeof said);
  sscanf(said, "bubblewrap %d.%d", &major, &minor);
  int is_new = major > 0 || minor >= 8;
  found(call, "bubblewrap", is_new, said, "apt-get install bubblewrap, version 0.8 or later");
  int has_tar = find_program("tar", path, sizeof path) == 0;
  found(call, "tar", has_tar, has_tar ? path : "is missing", "apt-get install tar");
  strcpy(said, "not tried");
  int is_made = is_root && is_new && capture(self->bwrap, trial, call, said, sizeof said) == 0;
  found(call, "namespaces", is_made, is_made ? "made: mount, PID, network, IPC, UTS, cgroup, user" : said,
        "allow user namespaces");
  found(call, "network", is_made, is_made ? "none but the run's own loopback" : said, "allow user namespaces");
  int filter = open_filter();
  found(call, "privileges", is_made,
        filter >= 0 ? "no capability, no new user namespace, no new privilege; a system call filter"
                    : "no capability, no new user namespace, no new privilege; no system call filter here",
        "allow user namespaces");
  close_descriptor(&filter);
  found(call, "wall time limit", 1, "watched every 20 ms", NULL);
  found(call, "transcript limit", 1, "counted by the host", NULL);
  found(call, "disk limit", is_root, "one tmpfs for all that a run writes", "run the node as root");
  probe_groups(self, call);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

__attribute__((visibility("default"))) const sync_plugin *sync_plugin_entry(const sync_host *table);

const sync_plugin *sync_plugin_entry(const sync_host *table) {
  static const sync_sandbox_methods methods = {
    .struct_size = sizeof methods, .abi_version = SYNC_ABI_VERSION, .probe = probe, .prepare = prepare,
    .has_toolchain = has_toolchain, .run = run_method, .remove_leftovers = remove_leftovers};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "bwrap", .version = "1",
    .create = create, .destroy = destroy, .sandbox = &methods};
  if (table->abi_version != SYNC_ABI_VERSION || table->struct_size < sizeof *table) return NULL;
  host = table;
  return &plugin;
}
