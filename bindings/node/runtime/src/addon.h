/* What the files of the addon share. Only the package's own JavaScript calls it, so arguments are checked here for what
 * memory safety hangs on and no further.
 *
 * Each environment (the main thread, or a worker) has one channel. Threads of libsync's and of our own put messages
 * into it; the environment's thread takes them out, and hands each to one function of JavaScript. */
#ifndef ADDON_H
#define ADDON_H

#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <sync/node.h>
#include <time.h>

#define DIGEST_SIZE 32

/* Leaves the function when N-API refuses, with a JavaScript exception on its way. */
#define TRY(call)                               \
  do {                                          \
    if ((call) != napi_ok) return rethrow(env); \
  } while (0)

/* ---- Bytes on their way to lib/bytes.js: numbers of 8 bytes, little-endian, and texts behind their sizes ---- */

typedef struct {
  uint8_t *start;
  size_t size, capacity;
  bool has_failed; /* there is no memory: the rest does nothing */
} writer;

void put_raw(writer *to, const void *bytes, size_t size);
void put_number(writer *to, uint64_t number);
void put_bytes(writer *to, const void *bytes, size_t size);
/* NULL too, which is not "". */
void put_text(writer *to, const char *text);
void put_texts(writer *to, const char *const *texts, size_t count);

/* ---- The channel ---- */

/* What a message is about; lib/native.js has the same numbers. */
enum {
  MESSAGE_DONE = 1,  /* id: the operation; code: its status; number: the error's offset */
  MESSAGE_CALL = 2,  /* id: the plugin, for create, or the instance; code: a METHOD_; number: the call */
  MESSAGE_CLOSE = 3, /* id: the instance that has ended */
  MESSAGE_FORGET = 4, /* id: the plugin that nobody can choose any more */
  MESSAGE_LOG = 5,   /* id: whose; code: the level */
};

typedef struct operation operation;

typedef struct message {
  struct message *next;
  int32_t kind;
  uint32_t id;
  int32_t code;
  uint64_t number;
  writer data;
  operation *done;
} message;

typedef struct holder holder;

typedef struct channel {
  pthread_mutex_t lock; /* for what stands up to calls_capacity */
  uint32_t references;
  bool is_open;
  napi_threadsafe_function wake;
  message *first, **last;
  uint32_t lines; /* of logs, that wait */
  sync_call **calls; /* that JavaScript has got and has not answered */
  size_t calls_count, calls_capacity;
  /* Of the environment's thread alone. */
  napi_env env;
  napi_ref dispatch, make_error;
  holder *holders;
  operation *operations;
} channel;

/* The environment's; NULL, and an exception, where it is on its way out. */
channel *get_channel(napi_env env);
channel *keep_channel(channel *kept);
void drop_channel(channel *dropped);

/* Puts a message in, which it owns from now on. false when nobody takes it any more. [any thread] */
bool post(channel *to, message what);
/* The same for a call, which is then answered from JavaScript, or with an error when the environment ends. */
bool post_call(channel *to, message what, sync_call *call);
/* Whether the call is still to be answered. */
bool is_open_call(channel *in, sync_call *call);
/* After an answer was given, or refused since nobody waits for it. */
void forget_call(channel *in, sync_call *call);

/* channelOpen(dispatch, makeError), channelClose(), channelHold(boolean) */
napi_value channel_open(napi_env env, napi_callback_info call);
napi_value channel_close(napi_env env, napi_callback_info call);
napi_value channel_hold(napi_env env, napi_callback_info call);

/* ---- Objects of the library behind JavaScript objects ---- */

typedef enum { HOLDS_NODE, HOLDS_REGISTRY, HOLDS_EVENTS } holder_kind;

struct holder {
  holder_kind kind;
  void *object;
  channel *channel;
  uint32_t references; /* the JavaScript object, and operations */
  /* For a node: nobody may be in a call when it is destroyed. For a registry: checks that run. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  uint32_t users;
  bool is_ending;
  void *log;
  holder *previous, *next; /* in the channel's list */
};

/* Makes a JavaScript object that owns the library's, also when it fails. */
napi_value wrap(napi_env env, channel *to, holder_kind kind, void *object, void *log);
bool unwrap(napi_env env, napi_value value, holder_kind kind, holder **found);
holder *keep(holder *kept);
void drop(holder *dropped);
/* The library's object, until leave: a node is not freed meanwhile. NULL once that is ending. */
void *enter(holder *held);
void leave(holder *held);
/* Waits until nobody is in it, until that time of CLOCK_REALTIME at most. */
void wait_until_left(holder *held, const struct timespec *end);
/* Stops a node, waits until nobody is in a call with it, and destroys it. Who comes second waits too. */
void end_node(holder *node);

/* ---- Arguments and errors ---- */

napi_value rethrow(napi_env env);
/* Throws what lib/errors.js makes of it, and destroys the error. Returns NULL. */
napi_value throw_status(napi_env env, sync_status status, sync_error *error);
bool get_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments);
/* A copy that the caller frees; NULL for null and undefined. */
bool get_text(napi_env env, napi_value value, char **text);
bool get_bytes(napi_env env, napi_value value, const uint8_t **bytes, size_t *size);
bool get_uint64(napi_env env, napi_value value, uint64_t *number);
bool get_int32(napi_env env, napi_value value, int32_t *number);
bool get_uint32(napi_env env, napi_value value, uint32_t *number);
bool get_boolean(napi_env env, napi_value value, bool *is_true);

/* A thread of our own, detached, with every signal blocked: they are for the program's. */
bool start_thread(void *(*run)(void *), void *data);

/* ---- Operations: calls of the library that wait, each on a thread of its own ---- */

void forget_operation(operation *done);
void drop_operation(operation *dropped);
void cancel_operations(channel *in);
/* When the channel is closed and its nodes have ended: waits a while for checks, each of which clears a folder away. */
void end_operations(channel *in);
/* Writes the next event; SYNC_ERROR_TIMED_OUT when there is none in time. */
sync_status take_event(sync_events *events, uint64_t timeout_ns, writer *to, sync_error **error);

napi_value operation_start(napi_env env, napi_callback_info call);
napi_value operation_cancel(napi_env env, napi_callback_info call);
napi_value node_create(napi_env env, napi_callback_info call);
napi_value node_subscribe(napi_env env, napi_callback_info call);
napi_value events_try(napi_env env, napi_callback_info call);
napi_value events_close(napi_env env, napi_callback_info call);
napi_value registry_create(napi_env env, napi_callback_info call);
napi_value registry_add(napi_env env, napi_callback_info call);
napi_value registry_load(napi_env env, napi_callback_info call);

/* ---- Answers of plugins: each gives the status with which the library takes it ---- */

/* A new instance of a plugin: what the library calls its methods and destroy with. */
typedef struct {
  channel *channel;
  uint32_t id;
} reference;

reference *make_reference(channel *to, uint32_t id);
void free_reference(reference *freed);

napi_value call_is_cancelled(napi_env env, napi_callback_info call);
napi_value call_finish(napi_env env, napi_callback_info call);
napi_value call_fail(napi_env env, napi_callback_info call);
napi_value call_finish_instance(napi_env env, napi_callback_info call);
napi_value call_finish_bytes(napi_env env, napi_callback_info call);
napi_value call_finish_run(napi_env env, napi_callback_info call);
napi_value call_add_transcript(napi_env env, napi_callback_info call);
napi_value call_add_finding(napi_env env, napi_callback_info call);
napi_value call_add_text(napi_env env, napi_callback_info call);
napi_value call_add_record(napi_env env, napi_callback_info call);

#endif
