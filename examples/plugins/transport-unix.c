/* A transport for nodes of one host: Unix sockets in a folder that is theirs alone.
 *
 *     cc -std=gnu11 -O2 -shared -fPIC -o unix.so transport-unix.c -lsodium
 *
 *     [plugins]
 *     transport = "unix"
 *     [settings.unix]
 *     folder = "/run/synchronicity"    # there already, of the user that runs the nodes, and writable by no other
 *
 * A member's address in the group file, HOST:PORT, names its socket in the folder; no port of the host is used.
 *
 * Every node dials every peer, and sends over the connection that it dialled. The acceptor begins with 32 random bytes;
 * the dialler answers with 32 of its own, its name, and its signature of both, of the group and of both names; the
 * acceptor answers with its own signature of these. Then come messages, each behind its length of four bytes, the
 * highest first. Nothing is encrypted, and what is sent behind the signatures is the kernel's to keep apart: hence the
 * folder's owner and mode. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sync/plugin.h>

#define NAME_MAX_BYTES 255
#define HANDSHAKE_SECONDS 5
/* Connections that have not said who they are, or are being replaced. */
#define STRANGERS_MAX 64

static const sync_host *host;

struct transport;

/* A peer, under the transport's lock but where something else is said. */
typedef struct {
  struct transport *transport;
  char *name;
  struct sockaddr_un place;
  uint8_t key[crypto_sign_PUBLICKEYBYTES];
  int dialled;             /* one that is in its handshake, so that stop can end it, or -1 */
  int outbound;            /* the connection that this node dialled, or -1 */
  int inbound;             /* the newest that the peer dialled, or -1 */
  pthread_mutex_t sending; /* held while outbound is written or given up */
  pthread_mutex_t telling; /* held while the host is told of what the peer does */
} peer;

typedef struct transport {
  char *folder;
  sync_link *link;
  char *name;
  uint8_t group[32];
  peer *peers;
  size_t count;
  int lock_file, listener;
  struct sockaddr_un place;
  pthread_mutex_t lock;
  pthread_cond_t changed; /* a thread has ended, or all are to */
  size_t threads, strangers;
  int accepted[STRANGERS_MAX]; /* connections in their handshake, so that stop can end them; or -1 */
  int is_stopping;
} transport;

static int32_t failed(sync_call *call, int32_t code, const char *format, const char *detail) {
  char message[512];
  snprintf(message, sizeof message, format, detail);
  host->call_fail(call, code, message);
  return SYNC_PLUGIN_OK;
}

/* ---- Bytes ---- */

/* Reads exactly so many bytes; 0 when the connection ends first. */
static int read_all(int fd, void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t got = recv(fd, (char *)bytes + done, size - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    done += (size_t)got;
  }
  return 1;
}

/* Writes all; 0 when the connection ends first, or the call that wants it is cancelled. */
static int write_all(int fd, const void *bytes, size_t size, sync_call *call) {
  for (size_t done = 0; done < size;) {
    ssize_t put = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL | (call == NULL ? 0 : MSG_DONTWAIT));
    if (put >= 0) {
      done += (size_t)put;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || call == NULL) return 0;
    struct pollfd waits[2] = {{.fd = fd, .events = POLLOUT}, {.fd = -1, .events = POLLIN}};
    waits[1].fd = host->call_get_cancel_descriptor(call);
    if (waits[1].fd < 0) return 0;
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return 0;
    if (waits[1].revents != 0) return 0;
  }
  return 1;
}

static void put_length(uint8_t header[4], size_t length) {
  for (int i = 0; i < 4; i++) header[i] = (uint8_t)(length >> (24 - 8 * i));
}

/* ---- Who is there ---- */

/* What both sides sign, for one connection and one direction. */
typedef struct {
  uint8_t bytes[64 + 32 + 2 * (1 + NAME_MAX_BYTES) + 64];
  size_t size;
} statement;

static void add(statement *to, const void *bytes, size_t size) {
  memcpy(to->bytes + to->size, bytes, size);
  to->size += size;
}

static void add_name(statement *to, const char *name) {
  uint8_t length = (uint8_t)strlen(name);
  add(to, &length, 1);
  add(to, name, length);
}

static statement state(const transport *self, const char *role, const char *dialler, const char *acceptor,
                       const uint8_t theirs[32], const uint8_t ours[32]) {
  statement made = {.size = 0};
  char label[64] = {0};
  snprintf(label, sizeof label, "synchronicity unix transport 1, %s", role);
  add(&made, label, sizeof label);
  add(&made, self->group, sizeof self->group);
  add_name(&made, dialler);
  add_name(&made, acceptor);
  add(&made, theirs, 32);
  add(&made, ours, 32);
  return made;
}

static int has_signed(const peer *other, const statement *what, const uint8_t signature[64]) {
  return crypto_sign_verify_detached(signature, what->bytes, what->size, other->key) == 0;
}

static void bound_time(int fd, int seconds) {
  struct timeval limit = {.tv_sec = seconds};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* The dialler's half; 1 when the peer has shown that it is the one. */
static int greet(const transport *self, const peer *other, int fd) {
  uint8_t theirs[32], own[32], signature[64], length = (uint8_t)strlen(self->name);
  if (!read_all(fd, theirs, sizeof theirs)) return 0;
  randombytes_buf(own, sizeof own);
  statement mine = state(self, "dialler", self->name, other->name, theirs, own);
  if (host->link_sign(self->link, mine.bytes, mine.size, signature) != SYNC_OK) return 0;
  if (!write_all(fd, own, sizeof own, NULL) || !write_all(fd, &length, 1, NULL) ||
      !write_all(fd, self->name, length, NULL) || !write_all(fd, signature, sizeof signature, NULL))
    return 0;
  statement wanted = state(self, "acceptor", self->name, other->name, theirs, own);
  return read_all(fd, signature, sizeof signature) && has_signed(other, &wanted, signature);
}

/* The acceptor's half; the peer that has shown who it is, or NULL. */
static peer *welcome(const transport *self, int fd) {
  uint8_t own[32], theirs[32], signature[64], length;
  char name[NAME_MAX_BYTES + 1] = {0};
  peer *other = NULL;
  randombytes_buf(own, sizeof own);
  if (!write_all(fd, own, sizeof own, NULL) || !read_all(fd, theirs, sizeof theirs) || !read_all(fd, &length, 1) ||
      !read_all(fd, name, length) || !read_all(fd, signature, sizeof signature))
    return NULL;
  for (size_t i = 0; i < self->count; i++)
    if (strlen(self->peers[i].name) == length && memcmp(self->peers[i].name, name, length) == 0)
      other = &self->peers[i];
  if (other == NULL) return NULL;
  statement wanted = state(self, "dialler", other->name, self->name, own, theirs);
  if (!has_signed(other, &wanted, signature)) return NULL;
  statement mine = state(self, "acceptor", other->name, self->name, own, theirs);
  if (host->link_sign(self->link, mine.bytes, mine.size, signature) != SYNC_OK) return NULL;
  return write_all(fd, signature, sizeof signature, NULL) ? other : NULL;
}

/* ---- Threads ---- */

static void thread_ends(transport *self) {
  pthread_mutex_lock(&self->lock);
  self->threads--;
  pthread_cond_broadcast(&self->changed);
  pthread_mutex_unlock(&self->lock);
}

/* Under the lock. */
static int begin_thread(transport *self, void *(*body)(void *), void *argument) {
  pthread_t thread;
  if (self->is_stopping || pthread_create(&thread, NULL, body, argument) != 0) return 0;
  pthread_detach(thread);
  self->threads++;
  return 1;
}

/* What a connection that was accepted brings, until it ends or the peer has a newer one. */
static void read_messages(transport *self, peer *other, int fd) {
  uint8_t header[4], *bytes = NULL;
  while (read_all(fd, header, sizeof header)) {
    size_t size = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    if (size > SYNC_MESSAGE_BYTES_MAX) break;
    free(bytes);
    bytes = malloc(size + 1);
    if (bytes == NULL || !read_all(fd, bytes, size)) break;
    pthread_mutex_lock(&other->telling);
    pthread_mutex_lock(&self->lock);
    int is_newest = other->inbound == fd;
    pthread_mutex_unlock(&self->lock);
    int is_heard = is_newest && host->link_receive(self->link, other->name, bytes, size) == SYNC_OK;
    pthread_mutex_unlock(&other->telling);
    if (!is_heard) break;
  }
  free(bytes);
}

typedef struct {
  transport *self;
  int fd;
  size_t place; /* in accepted */
} stranger;

static void *serve(void *argument) {
  stranger given = *(stranger *)argument;
  transport *self = given.self;
  free(argument);
  bound_time(given.fd, HANDSHAKE_SECONDS);
  peer *other = welcome(self, given.fd);
  bound_time(given.fd, 0);
  pthread_mutex_lock(&self->lock);
  self->accepted[given.place] = -1;
  self->strangers--;
  if (self->is_stopping) other = NULL;
  if (other != NULL) {
    if (other->inbound >= 0) shutdown(other->inbound, SHUT_RDWR);
    other->inbound = given.fd;
  }
  pthread_mutex_unlock(&self->lock);
  if (other != NULL) read_messages(self, other, given.fd);
  pthread_mutex_lock(&self->lock);
  if (other != NULL && other->inbound == given.fd) other->inbound = -1;
  close(given.fd);
  pthread_mutex_unlock(&self->lock);
  thread_ends(self);
  return NULL;
}

/* Under the lock: 0 when there is no room for one more. */
static int take_in(transport *self, int fd) {
  stranger *given = self->strangers < STRANGERS_MAX ? malloc(sizeof *given) : NULL;
  if (given == NULL) return 0;
  *given = (stranger){.self = self, .fd = fd, .place = 0};
  while (self->accepted[given->place] >= 0) given->place++;
  /* The thread's from its beginning on. */
  size_t place = given->place;
  if (!begin_thread(self, serve, given)) {
    free(given);
    return 0;
  }
  self->accepted[place] = fd;
  self->strangers++;
  return 1;
}

static void *accept_peers(void *argument) {
  transport *self = argument;
  for (;;) {
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    int error = errno;
    pthread_mutex_lock(&self->lock);
    int is_over = self->is_stopping;
    if (fd >= 0 && (is_over || !take_in(self, fd))) close(fd);
    pthread_mutex_unlock(&self->lock);
    if (is_over) break;
    /* Out of descriptors or memory: it may pass. */
    if (fd < 0 && error != EINTR && error != ECONNABORTED) usleep(50000);
  }
  thread_ends(self);
  return NULL;
}

/* Waits so long, or until all is to end; 1 then. */
static int pauses(transport *self, long milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += milliseconds * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&self->lock);
  while (!self->is_stopping && pthread_cond_timedwait(&self->changed, &self->lock, &until) == 0) continue;
  int is_over = self->is_stopping;
  pthread_mutex_unlock(&self->lock);
  return is_over;
}

/* A connection on which the peer has shown who it is, or -1. */
static int dial(transport *self, peer *other) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  bound_time(fd, HANDSHAKE_SECONDS);
  pthread_mutex_lock(&self->lock);
  int is_wanted = !self->is_stopping;
  if (is_wanted) other->dialled = fd;
  pthread_mutex_unlock(&self->lock);
  int is_met = is_wanted && connect(fd, (struct sockaddr *)&other->place, sizeof other->place) == 0 &&
               greet(self, other, fd);
  pthread_mutex_lock(&self->lock);
  other->dialled = -1;
  pthread_mutex_unlock(&self->lock);
  if (!is_met) {
    close(fd);
    return -1;
  }
  bound_time(fd, 0);
  return fd;
}

static void tell(transport *self, peer *other, sync_status (*what)(sync_link *, const char *)) {
  pthread_mutex_lock(&other->telling);
  what(self->link, other->name);
  pthread_mutex_unlock(&other->telling);
}

static void *keep_connected(void *argument) {
  peer *other = argument;
  transport *self = other->transport;
  long pause = 20;
  do {
    int fd = dial(self, other);
    if (fd < 0) {
      pause = pause < 640 ? pause * 2 : 1000;
      continue;
    }
    pause = 20;
    pthread_mutex_lock(&self->lock);
    if (!self->is_stopping) other->outbound = fd;
    int is_over = self->is_stopping;
    pthread_mutex_unlock(&self->lock);
    if (!is_over) {
      tell(self, other, host->link_connected);
      /* The acceptor has nothing to say any more: this ends with the connection. */
      char nothing;
      while (recv(fd, &nothing, 1, 0) < 0 && errno == EINTR) continue;
      tell(self, other, host->link_disconnected);
    }
    /* Whoever writes to it ends, and then nobody has it. */
    shutdown(fd, SHUT_RDWR);
    pthread_mutex_lock(&other->sending);
    pthread_mutex_lock(&self->lock);
    other->outbound = -1;
    pthread_mutex_unlock(&self->lock);
    close(fd);
    pthread_mutex_unlock(&other->sending);
  } while (!pauses(self, pause));
  thread_ends(self);
  return NULL;
}

/* ---- Methods ---- */

static int32_t start(void *instance, const sync_listen_request *request, sync_call *call);
static int32_t take(void *instance, const sync_send_request *request, sync_call *call);
static int32_t stop(void *instance, const sync_plain_request *request, sync_call *call);

static void destroy(void *instance) {
  transport *self = instance;
  for (size_t i = 0; i < self->count; i++) {
    pthread_mutex_destroy(&self->peers[i].sending);
    pthread_mutex_destroy(&self->peers[i].telling);
    free(self->peers[i].name);
  }
  pthread_cond_destroy(&self->changed);
  pthread_mutex_destroy(&self->lock);
  free(self->peers);
  free(self->name);
  free(self->folder);
  free(self);
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  const char *folder = NULL;
  struct stat status;
  for (size_t i = 0; i < request->settings_count; i++) {
    if (strcmp(request->settings[i].name, "folder") != 0)
      return failed(call, SYNC_PLUGIN_INVALID, "There is no setting %s; there is folder", request->settings[i].name);
    folder = request->settings[i].value;
  }
  if (folder == NULL || folder[0] != '/')
    return failed(call, SYNC_PLUGIN_INVALID, "settings.unix.folder must be an absolute path; it is '%s'",
                  folder == NULL ? "" : folder);
  if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode))
    return failed(call, SYNC_PLUGIN_UNAVAILABLE, "%s is no folder; make it, with mode 0700", folder);
  if (status.st_uid != geteuid() || (status.st_mode & 022) != 0)
    return failed(call, SYNC_PLUGIN_UNAVAILABLE,
                  "Others own or may write to %s: the node's own user must own it, with mode 0700", folder);
  if (sodium_init() < 0) return failed(call, SYNC_PLUGIN_UNAVAILABLE, "libsodium does not start%s", "");
  transport *self = calloc(1, sizeof *self);
  if (self == NULL || (self->folder = strdup(folder)) == NULL) {
    free(self);
    return SYNC_PLUGIN_UNAVAILABLE;
  }
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&self->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&self->lock, NULL);
  self->lock_file = self->listener = -1;
  for (size_t i = 0; i < STRANGERS_MAX; i++) self->accepted[i] = -1;
  if (host->call_finish_instance(call, self) != SYNC_OK) destroy(self);
  return SYNC_PLUGIN_OK;
}

/* Where a member with this address listens; 0 when the path cannot be. */
static int place(const transport *self, const char *address, struct sockaddr_un *into) {
  into->sun_family = AF_UNIX;
  int size = snprintf(into->sun_path, sizeof into->sun_path, "%s/%s", self->folder, address);
  /* Room for the name of the lock file as well. */
  return strchr(address, '/') == NULL && size > 0 && (size_t)size < sizeof into->sun_path - 5;
}

/* The listening socket. Who holds the lock file may take away what a killed run has left; it goes with the process. */
static int listens(transport *self) {
  char lock[sizeof self->place.sun_path + 5];
  snprintf(lock, sizeof lock, "%s.lock", self->place.sun_path);
  self->lock_file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->lock_file < 0 || flock(self->lock_file, LOCK_EX | LOCK_NB) != 0) return 0;
  self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (self->listener < 0 || (unlink(self->place.sun_path) != 0 && errno != ENOENT)) return 0;
  return bind(self->listener, (struct sockaddr *)&self->place, sizeof self->place) == 0 &&
         listen(self->listener, STRANGERS_MAX) == 0;
}

/* Ends all threads and connections, and frees the place. */
static void end(transport *self) {
  pthread_mutex_lock(&self->lock);
  self->is_stopping = 1;
  pthread_cond_broadcast(&self->changed);
  if (self->listener >= 0) shutdown(self->listener, SHUT_RDWR);
  for (size_t i = 0; i < STRANGERS_MAX; i++)
    if (self->accepted[i] >= 0) shutdown(self->accepted[i], SHUT_RDWR);
  for (size_t i = 0; i < self->count; i++) {
    const int open[] = {self->peers[i].dialled, self->peers[i].outbound, self->peers[i].inbound};
    for (size_t k = 0; k < 3; k++)
      if (open[k] >= 0) shutdown(open[k], SHUT_RDWR);
  }
  while (self->threads > 0) pthread_cond_wait(&self->changed, &self->lock);
  pthread_mutex_unlock(&self->lock);
  if (self->listener >= 0) {
    unlink(self->place.sun_path);
    close(self->listener);
  }
  if (self->lock_file >= 0) close(self->lock_file);
  self->listener = self->lock_file = -1;
}

static int32_t start(void *instance, const sync_listen_request *request, sync_call *call) {
  transport *self = instance;
  self->link = request->link;
  memcpy(self->group, request->group, sizeof self->group);
  self->name = strdup(request->name);
  self->peers = calloc(request->peers_count + 1, sizeof *self->peers);
  if (self->name == NULL || self->peers == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  if (!place(self, request->listen, &self->place))
    return failed(call, SYNC_PLUGIN_INVALID, "The folder and %s make too long a path for a socket", request->listen);
  for (size_t i = 0; i < request->peers_count; i++) {
    peer *other = &self->peers[i];
    if (!place(self, request->peers[i].address, &other->place))
      return failed(call, SYNC_PLUGIN_INVALID, "The folder and %s make too long a path for a socket",
                    request->peers[i].address);
    other->name = strdup(request->peers[i].name);
    if (other->name == NULL) return SYNC_PLUGIN_UNAVAILABLE;
    other->transport = self;
    other->dialled = other->outbound = other->inbound = -1;
    memcpy(other->key, request->peers[i].key, sizeof other->key);
    pthread_mutex_init(&other->sending, NULL);
    pthread_mutex_init(&other->telling, NULL);
    self->count++;
  }
  if (!listens(self)) {
    int is_taken = errno == EWOULDBLOCK;
    const char *why = strerror(errno);
    end(self);
    return is_taken ? failed(call, SYNC_PLUGIN_UNAVAILABLE, "Another node listens on %s", self->place.sun_path)
                    : failed(call, SYNC_PLUGIN_UNAVAILABLE, "Cannot listen: %s", why);
  }
  pthread_mutex_lock(&self->lock);
  int is_whole = begin_thread(self, accept_peers, self);
  for (size_t i = 0; is_whole && i < self->count; i++) is_whole = begin_thread(self, keep_connected, &self->peers[i]);
  pthread_mutex_unlock(&self->lock);
  if (!is_whole) {
    end(self);
    return failed(call, SYNC_PLUGIN_UNAVAILABLE, "A thread cannot be made%s", "");
  }
  /* Who was not waited for any more is not stopped. */
  if (host->call_finish(call) != SYNC_OK) end(self);
  return SYNC_PLUGIN_OK;
}

static int32_t take(void *instance, const sync_send_request *request, sync_call *call) {
  transport *self = instance;
  peer *other = NULL;
  for (size_t i = 0; i < self->count; i++)
    if (strcmp(self->peers[i].name, request->peer) == 0) other = &self->peers[i];
  if (other == NULL) return SYNC_PLUGIN_INVALID;
  pthread_mutex_lock(&other->sending);
  pthread_mutex_lock(&self->lock);
  int fd = other->outbound;
  pthread_mutex_unlock(&self->lock);
  int is_sent = fd >= 0;
  for (size_t i = 0; is_sent && i < request->messages_count; i++) {
    uint8_t header[4];
    put_length(header, request->messages[i].size);
    is_sent = write_all(fd, header, sizeof header, call) &&
              write_all(fd, request->messages[i].bytes, request->messages[i].size, call);
  }
  /* Half a message makes the rest worthless. */
  if (!is_sent && fd >= 0) shutdown(fd, SHUT_RDWR);
  pthread_mutex_unlock(&other->sending);
  if (!is_sent) return SYNC_PLUGIN_IO;
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static int32_t stop(void *instance, const sync_plain_request *request, sync_call *call) {
  (void)request;
  end(instance);
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

#ifndef TRANSPORT_ENTRY
#define TRANSPORT_ENTRY sync_plugin_entry
#endif
const sync_plugin *TRANSPORT_ENTRY(const sync_host *table);

const sync_plugin *TRANSPORT_ENTRY(const sync_host *table) {
  static const sync_transport_methods methods = {sizeof methods, SYNC_ABI_VERSION, start, take, stop};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "unix", .version = "1",
    .create = create, .destroy = destroy, .transport = &methods};
  /* A host of before transports has a shorter table. */
  if (table->abi_version != SYNC_ABI_VERSION || table->struct_size < sizeof *table) return NULL;
  host = table;
  return &plugin;
}
