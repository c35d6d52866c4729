/*
 * Plugins: what a sandbox, a signer, a source, a storage or a transport for nodes is, in C.
 *
 * A program registers one in its own process (node.h: sync_registry_add), or ships it as a shared object that any node
 * loads (sync_plugin_entry, below). A configuration then chooses it by its name: sandbox = "my-sandbox".
 *
 * Every method has one form, and tells its answer in one way:
 *
 *     int32_t (*method)(void *self, const sync_..._request *request, sync_call *call);
 *
 *   - It runs on a thread of the runtime's own that may block: [call-thread]. Calls overlap, of one instance too.
 *   - The answer is given with one of the sync_call_ functions that end a call, once, from any thread, before or after
 *     the method returns. A second answer, or one that comes too late, gets SYNC_ERROR_STATE and does nothing.
 *   - The method returns SYNC_PLUGIN_OK when the call is answered or will be. Another number fails the call with it.
 *   - The request, and all that it points to, is there until the method returns. Copy what is needed later.
 *   - Each call has a deadline, which is told beside the method. Behind it the call fails without the plugin, and
 *     counts as abandoned until it is answered after all. A plugin with SYNC_CALLS_ABANDONED_MAX of these is called no
 *     more.
 *   - Call threads block all signals, and so does a process that is started on one, unless its mask is set anew.
 *   - A call may be cancelled: sync_call_is_cancelled, and a descriptor to poll. Ten seconds later it is abandoned;
 *     until then it is answered as ever, and what is added to the answer is taken.
 *   - What it answers is checked like anything that comes from outside: signatures are verified, trees are hashed,
 *     specs are parsed. What is refused, or failed, costs the one call; but a node that gets no signature for its vote
 *     or its part in a job, or no record into its journal or out of it, ends with SYNC_EVENT_FAULT.
 *
 * No lock is held while a method runs, and any function of this interface may be called from it, but for starting and
 * ending nodes; and from signers and storages, for which the node waits, no sync_node_ function of that node. A plugin
 * that crashes takes the process with it: whom you do not trust in your process, run as a command (sandbox = "exec").
 */
#ifndef SYNC_PLUGIN_H
#define SYNC_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What calls get beside the numbers of version.h. */

/* Not in this state, or not on this thread. */
#define SYNC_ERROR_STATE 106
/* Time is up; what was asked for may happen all the same. */
#define SYNC_ERROR_TIMED_OUT 107

/* From 200: what a node or a plugin could not do. 200 and the SYNC_PLUGIN_ number below, or, up to 299, a number
 * of a source's: why a package cannot be prepared. */
#define SYNC_ERROR_UNAVAILABLE 201
#define SYNC_ERROR_NOT_FOUND 202
#define SYNC_ERROR_CHECKSUM_MISMATCH 203
#define SYNC_ERROR_INVALID 204
#define SYNC_ERROR_IO 205
#define SYNC_ERROR_CANCELLED 206

/* How a method fails. The numbers never change; unknown ones count as SYNC_PLUGIN_IO. */
#define SYNC_PLUGIN_OK 0
/* The host lacks something: a program, a permission, a kernel feature, a device. */
#define SYNC_PLUGIN_UNAVAILABLE 1
/* There is no such package, toolchain or record. */
#define SYNC_PLUGIN_NOT_FOUND 2
/* Bytes do not have the digest that was asked for. */
#define SYNC_PLUGIN_CHECKSUM_MISMATCH 3
/* The request is malformed or out of bounds. */
#define SYNC_PLUGIN_INVALID 4
/* Reading or writing failed. */
#define SYNC_PLUGIN_IO 5
/* The call was cancelled. */
#define SYNC_PLUGIN_CANCELLED 6

/* Calls that one instance may leave unanswered behind their deadlines. */
#define SYNC_CALLS_ABANDONED_MAX 16
/* Calls of one instance that run at once; further ones wait. Of a transport: one for each peer, and two. */
#define SYNC_CALLS_RUNNING_MAX 64
/* The most that one answer of bytes may have. */
#define SYNC_ANSWER_BYTES_MAX 67108864
/* Findings of a probe, and texts of one call. */
#define SYNC_ANSWER_ITEMS_MAX 1024

/* One call of a method. Not a pointer to anything: a number that is never used again, so that an answer that comes late
 * does no harm. */
typedef struct sync_call sync_call;

/* 1 once nobody waits for the answer: the call was cancelled, abandoned or answered; else 0. [any-thread] */
int32_t sync_call_is_cancelled(sync_call *call);

/* A descriptor that becomes readable when the call is cancelled or abandoned, or -1 when it is over already. Do not
 * read from it or close it. It stays until the plugin has answered, also behind a deadline, and is gone then: poll
 * it on the thread that answers. [any-thread] */
int32_t sync_call_get_cancel_descriptor(sync_call *call);

/* Ends a call that has no more to say than that it was done. [any-thread] */
sync_status sync_call_finish(sync_call *call);

/* Ends a call that failed; what was added before is forgotten. code is a SYNC_PLUGIN_ number but SYNC_PLUGIN_OK;
 * message is one sentence of UTF-8, of which 1,000 bytes are kept, or NULL. [any-thread] */
sync_status sync_call_fail(sync_call *call, int32_t code, const char *message);

/* Ends create with the new instance, which may be NULL. With SYNC_ERROR_STATE nobody wants it any more: free it.
 * [any-thread] */
sync_status sync_call_finish_instance(sync_call *call, void *self);

/* Ends a call whose answer is bytes; they are copied. [any-thread] */
sync_status sync_call_finish_bytes(sync_call *call, const void *bytes, size_t size);

/* How a run ended. */
#define SYNC_RUN_EXITED 0
#define SYNC_RUN_SIGNALLED 1
#define SYNC_RUN_WALL_TIME_EXCEEDED 2
#define SYNC_RUN_CPU_TIME_EXCEEDED 3
#define SYNC_RUN_MEMORY_EXCEEDED 4
#define SYNC_RUN_PROCESSES_EXCEEDED 5
#define SYNC_RUN_DISK_EXCEEDED 6
#define SYNC_RUN_TRANSCRIPT_EXCEEDED 7

typedef struct sync_run_result {
  uint32_t struct_size; /* sizeof(sync_run_result) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  int32_t ending;       /* a SYNC_RUN_ number */
  int32_t status;       /* exit status 0...255, or the signal's number 1...64; else 0 */
  uint64_t wall_nanoseconds;
  uint64_t cpu_nanoseconds;   /* of the whole tree; 0 where it is not known */
  uint64_t memory_peak_bytes; /* 0 where it is not known */
} sync_run_result;

/* Ends a run. What the program printed was added before, with sync_call_add_transcript. [any-thread] */
sync_status sync_call_finish_run(sync_call *call, const sync_run_result *result);

/* Standard output and error of the program that runs, in the order in which they came. SYNC_ERROR_TOO_LARGE when the
 * run's transcript_bytes are passed: what fits is kept, and the run is to end with SYNC_RUN_TRANSCRIPT_EXCEEDED.
 * [any-thread, one at a time for each call] */
sync_status sync_call_add_transcript(sync_call *call, const void *bytes, size_t size);

typedef struct sync_finding {
  uint32_t struct_size; /* sizeof(sync_finding) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  int32_t is_met;       /* 0 or 1 */
  int32_t is_weaker;    /* 1: met, but by less than a better host gives; detail says what */
  const char *name;     /* what is checked, such as "user namespaces" */
  const char *detail;   /* what was found; when not met, what is wanted */
  const char *mend;     /* one line that would mend it, or NULL */
} sync_finding;

/* One checked requirement, while probe runs. [any-thread] */
sync_status sync_call_add_finding(sync_call *call, const sync_finding *finding);

/* One line of text that belongs to the answer, for methods that say so. [any-thread] */
sync_status sync_call_add_text(sync_call *call, const char *text);

/* One key with its value, while scan runs. SYNC_ERROR_TOO_LARGE when the answer is full: then finish with those that
 * were taken, and the rest is asked for. [any-thread, one at a time for each call] */
sync_status sync_call_add_record(
  sync_call *call, const void *key, size_t key_size, const void *value, size_t value_size);

/* ---- Creating ---- */

typedef struct sync_setting {
  const char *name;
  const char *value;
} sync_setting;

typedef struct sync_create_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *node;               /* the builder's name in its group */
  /* Absolute, and there: what the plugin keeps between starts goes in. This node's alone, but the instances of two
   * epochs of the node, or of a check, may share it. */
  const char *state_directory;
  /* [settings.NAME] of the configuration, in the order of the names; with the host's own, such as patience-seconds. */
  const sync_setting *settings;
  size_t settings_count;
} sync_create_request;

/* For methods that are asked nothing. */
typedef struct sync_plain_request {
  uint32_t struct_size;
  uint32_t abi_version;
} sync_plain_request;

/* ---- Sandbox: runs one program alone, without network or sight of the host, bounded in everything ----
 *
 * docs/EXEC_SANDBOX.md says what a program is to see inside, which findings a probe gives, and which ending is told
 * when several are true: it is the same for every sandbox. The host has checked the request: names, paths, that mounts
 * are there. The scratch directory is there, and empty again afterwards. A plugin changes neither the process's signals
 * nor its umask or working folder. */

typedef struct sync_toolchain_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *toolchain; /* SHA-256 of the archive, 64 hexadecimal digits */
  const char *archive;   /* absolute path of a tar file for prepare; "" for has_toolchain */
} sync_toolchain_request;

/* Never grows: it stands in an array. */
typedef struct sync_mount {
  const char *host_path;
  const char *inside_path;
  int32_t is_writable;
  int32_t reserved;
} sync_mount;

typedef struct sync_run_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *run_id;             /* 1 to 100 letters, digits, '-', '_', '.'; unique on this host */
  const char *toolchain;          /* one that was prepared; its tree is the root */
  const char *const *command;     /* absolute path inside, then the arguments; a NULL behind the last */
  size_t command_count;
  const char *const *environment; /* "NAME=value", the whole of it; a NULL behind the last */
  size_t environment_count;
  const char *working_directory;
  const sync_mount *mounts;
  size_t mounts_count;
  const char *host_name;          /* fixed inside */
  const char *scratch_directory;  /* a folder of the host for this run's private files */
  uint64_t wall_seconds;          /* the bounds, all at least 1 */
  uint64_t cpu_seconds;
  uint64_t memory_bytes;
  uint64_t processes;
  uint64_t disk_bytes;
  uint64_t transcript_bytes;
} sync_run_request;

typedef struct sync_sandbox_methods {
  uint32_t struct_size; /* sizeof(sync_sandbox_methods) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  /* Checks what the host can do, without changing it: sync_call_add_finding for each, then sync_call_finish. 60 s. */
  int32_t (*probe)(void *self, const sync_plain_request *request, sync_call *call);
  /* Unpacks the archive, once, after checking its SHA-256; sync_call_finish. An hour. */
  int32_t (*prepare)(void *self, const sync_toolchain_request *request, sync_call *call);
  /* sync_call_finish when it is prepared, SYNC_PLUGIN_NOT_FOUND when not. 60 s. */
  int32_t (*has_toolchain)(void *self, const sync_toolchain_request *request, sync_call *call);
  /* Runs to the end; a program that fails is a result, and only a fault of the sandbox fails the call. When
   * cancelled, kills the whole tree. A fault is tried again while there is time. sync_call_finish_run. wall_seconds
   * and patience-seconds (a setting, 300 unless given). */
  int32_t (*run)(void *self, const sync_run_request *request, sync_call *call);
  /* At each start of a node, before its first run; other nodes of the host may run builds. Clears away what a killed
   * run has left: sync_call_add_text for each, then sync_call_finish. NULL where nothing can be left. Ten minutes. */
  int32_t (*remove_leftovers)(void *self, const sync_plain_request *request, sync_call *call);
} sync_sandbox_methods;

/* ---- Signer: keeps private keys and signs with them (Ed25519, RFC 8032) ---- */

/* The log's checkpoints. */
#define SYNC_KEY_LOG 0
/* Cosignatures on checkpoints. */
#define SYNC_KEY_COSIGNER 1
/* Submissions, commitments, reveals, abstentions, hand-overs. */
#define SYNC_KEY_BUILDER 2
/* Votes and timeouts. */
#define SYNC_KEY_CONSENSUS 3
/* The connections between nodes. */
#define SYNC_KEY_TRANSPORT 4

typedef struct sync_sign_request {
  uint32_t struct_size;
  uint32_t abi_version;
  int32_t role;           /* a SYNC_KEY_ number */
  int32_t reserved;
  const uint8_t *message; /* NULL for public_key */
  size_t message_size;
} sync_sign_request;

typedef struct sync_signer_methods {
  uint32_t struct_size; /* sizeof(sync_signer_methods) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  /* sync_call_finish_bytes with the 32 bytes of the role's public key. Asked once for each role. 10 s. */
  int32_t (*public_key)(void *self, const sync_sign_request *request, sync_call *call);
  /* sync_call_finish_bytes with the 64 bytes of the signature of exactly this message. The node waits for it, and does
   * not cancel it. 10 s. */
  int32_t (*sign)(void *self, const sync_sign_request *request, sync_call *call);
} sync_signer_methods;

/* ---- Source: finds packages and fetches their sources ---- */

typedef struct sync_resolve_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *package;              /* such as "pkg:cargo/itoa@1.0.1" */
  const char *const *features;      /* a NULL behind the last */
  size_t features_count;
  const char *const *programs;      /* these alone; a NULL behind the last */
  size_t programs_count;
  int32_t library;                  /* the library, with the named programs */
  int32_t without_default_features;
  const char *profile;              /* NULL: the package's choice */
  const char *target;               /* NULL: the toolchain's own host */
  const char *toolchain;            /* its SHA-256, 64 hexadecimal digits; the spec's */
  uint64_t rebuild;                 /* the spec's */
  const char *const *normalise;     /* names, sorted, of what the recipe shall hold still; a NULL behind the last */
  size_t normalise_count;
  const char *scratch_directory;    /* a folder for this call */
} sync_resolve_request;

typedef struct sync_fetch_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *purl;
  const char *origin;
  const char *tree_sha256; /* the tree's digest, 64 hexadecimal digits */
  const char *directory;   /* absolute path; does not exist yet */
} sync_fetch_request;

typedef struct sync_source_methods {
  uint32_t struct_size; /* sizeof(sync_source_methods) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  const char *type;        /* of the packages that it serves, such as "cargo" */
  const char *origin_type; /* of the purl in its sources' origins, such as "generic" */
  /* Pins every input of a package: sync_call_finish_bytes with a build spec, as docs/FORMATS.md has it. An hour. */
  int32_t (*resolve)(void *self, const sync_resolve_request *request, sync_call *call);
  /* Puts a source's tree into the directory; its digest is checked by the node. sync_call_finish. An hour. */
  int32_t (*fetch)(void *self, const sync_fetch_request *request, sync_call *call);
} sync_source_methods;

/* ---- Storage: one ordered map from byte strings to byte strings, on a disk ---- */

typedef struct sync_storage_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const uint8_t *key;    /* 1 to 1,024 bytes; for scan, the keys' prefix, which may be empty */
  size_t key_size;
  const uint8_t *start;  /* for scan: the lowest key that is wanted */
  size_t start_size;
  uint64_t limit;        /* for scan: the most records */
} sync_storage_request;

/* Never grows: it stands in an array. */
typedef struct sync_change {
  const uint8_t *key;
  size_t key_size;
  const uint8_t *value; /* NULL deletes the key; a value of no bytes is not NULL */
  size_t value_size;    /* at most 64 MiB */
} sync_change;

typedef struct sync_apply_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const sync_change *changes; /* in the order given: of two with one key the later counts; NULL where there is none */
  size_t changes_count;
  /* 1: survives a power cut once the call is answered; also without a change. What survives one, with 1 or with 0, does
   * so with all that was applied before it. */
  int32_t durable;
  int32_t reserved;
} sync_apply_request;

/* The node waits for each of these, one at a time, a minute at most, and cancels none: behind that it ends with an
 * error, and signs nothing that is not stored. A method that comes back then may still write: nothing is to be started
 * over the same store before the instance was ended by destroy, or its process. */
typedef struct sync_storage_methods {
  uint32_t struct_size; /* sizeof(sync_storage_methods) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  /* sync_call_finish_bytes with the value, or SYNC_PLUGIN_NOT_FOUND. */
  int32_t (*get)(void *self, const sync_storage_request *request, sync_call *call);
  /* sync_call_add_record for each key that begins with the prefix and is not below start, ascending; then
   * sync_call_finish. */
  int32_t (*scan)(void *self, const sync_storage_request *request, sync_call *call);
  /* All changes or none; sync_call_finish. */
  int32_t (*apply)(void *self, const sync_apply_request *request, sync_call *call);
} sync_storage_methods;

/* ---- Transport: authenticated, ordered, bounded messages between the members of a group ----
 *
 * The host keeps what waits for each peer, at most 16 MiB, of which the oldest gives way, and hands it over while the
 * peer is connected. A message may be lost with its connection; none may be changed, come twice, come in another order
 * than it was sent in on one connection, or be said to be of another peer than the one whose key is in the request. */

/* The longest message. */
#define SYNC_MESSAGE_BYTES_MAX 4194304

/* Where an instance tells what comes in, from start until stop is answered. Not a pointer to anything: a number that is
 * never used again, so that what comes late does no harm, and gets SYNC_ERROR_STATE. */
typedef struct sync_link sync_link;

/* A connection to the peer stands, over which what is sent from now on reaches it. What was sent before may be lost.
 * SYNC_ERROR_STATE when it is connected already, SYNC_ERROR_INVALID_ARGUMENT when the group has no such peer.
 * [any-thread, one at a time for each peer] */
sync_status sync_link_connected(sync_link *link, const char *peer);

/* It stands no more: nothing is handed over for this peer until it is connected again. SYNC_ERROR_STATE when it is not
 * connected. [any-thread, one at a time for each peer] */
sync_status sync_link_disconnected(sync_link *link, const char *peer);

/* A whole message of the peer, 0 to SYNC_MESSAGE_BYTES_MAX bytes, which are copied; it may come before the peer is
 * connected, over a connection that the peer has made. [any-thread, one at a time for each peer] */
sync_status sync_link_receive(sync_link *link, const char *peer, const void *bytes, size_t size);

/* Signs up to 65,536 bytes with the node's transport key, whose public half the peers have: begin them with words of
 * the plugin's own, and hold what both sides chose, so that nothing else can be made of the signature.
 * [any-thread that may block] */
sync_status sync_link_sign(sync_link *link, const void *message, size_t size, uint8_t signature[64]);

/* Never grows: it stands in an array. */
typedef struct sync_peer {
  const char *name;
  const char *address; /* HOST:PORT, as the group file has it; what it means is the transport's */
  const uint8_t *key;  /* 32 bytes: the peer's transport key (Ed25519) */
} sync_peer;

typedef struct sync_listen_request {
  uint32_t struct_size;
  uint32_t abi_version;
  sync_link *link;
  const char *name;       /* this node's */
  const char *listen;     /* listen.transport of its configuration, HOST:PORT */
  const uint8_t *group;   /* 32 bytes of the group, in all its epochs; both sides of a connection hold the same */
  const uint8_t *key;     /* 32 bytes: this node's transport key */
  const sync_peer *peers; /* all but this node, in the group's order; NULL where there is none */
  size_t peers_count;
} sync_listen_request;

/* Never grows: it stands in an array. */
typedef struct sync_message {
  const uint8_t *bytes; /* never NULL */
  size_t size;
} sync_message;

typedef struct sync_send_request {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *peer;
  const sync_message *messages; /* in their order */
  size_t messages_count;        /* 1 or more, together at most 1 MiB or one message */
} sync_send_request;

typedef struct sync_transport_methods {
  uint32_t struct_size; /* sizeof(sync_transport_methods) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  /* Listens, and begins to connect to every peer, again and again where it must; sync_call_finish once it listens, or
   * SYNC_PLUGIN_UNAVAILABLE when the place is taken. Once for an instance. When it fails nothing is left, and stop is
   * not called; nor is it where the answer comes too late and gets SYNC_ERROR_STATE: then end what was begun. 60 s. */
  int32_t (*start)(void *self, const sync_listen_request *request, sync_call *call);
  /* Takes messages to a connected peer, once start is answered: one call at a time for each peer, those of several
   * overlap. sync_call_finish when the next may come: a transport whose peer is slow blocks, or answers later. A
   * failure loses the messages. Cancelled before stop. 60 s; behind that the peer gets nothing until the call is
   * answered after all. */
  int32_t (*send)(void *self, const sync_send_request *request, sync_call *call);
  /* Ends every connection and frees the place; sync_call_finish. Not called where start was not. 10 s. */
  int32_t (*stop)(void *self, const sync_plain_request *request, sync_call *call);
} sync_transport_methods;

/* ---- The plugin itself ---- */

typedef struct sync_plugin {
  uint32_t struct_size; /* sizeof(sync_plugin) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  const char *name;     /* by which configurations choose it: 1 to 64 lower-case letters, digits, hyphens */
  const char *version;  /* of the plugin, for people and for statements: 1 to 64 printable characters */
  /* Makes an instance for one node, or for one epoch of it: sync_call_finish_instance. 60 s. */
  int32_t (*create)(void *user_data, const sync_create_request *request, sync_call *call);
  /* Ends an instance, once, after its last method has returned. NULL where there is nothing to do. [call-thread] */
  void (*destroy)(void *self);
  /* Exactly one of these is not NULL. */
  const sync_sandbox_methods *sandbox;
  const sync_signer_methods *signer;
  const sync_source_methods *source;
  const sync_storage_methods *storage;
  const sync_transport_methods *transport; /* not there in a struct of fewer bytes: NULL */
} sync_plugin;

/* The functions above as a table, so that a shared object has no undefined symbol of ours. */
typedef struct sync_host {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *version;
  int32_t (*call_is_cancelled)(sync_call *call);
  int32_t (*call_get_cancel_descriptor)(sync_call *call);
  sync_status (*call_finish)(sync_call *call);
  sync_status (*call_fail)(sync_call *call, int32_t code, const char *message);
  sync_status (*call_finish_instance)(sync_call *call, void *self);
  sync_status (*call_finish_bytes)(sync_call *call, const void *bytes, size_t size);
  sync_status (*call_finish_run)(sync_call *call, const sync_run_result *result);
  sync_status (*call_add_transcript)(sync_call *call, const void *bytes, size_t size);
  sync_status (*call_add_finding)(sync_call *call, const sync_finding *finding);
  sync_status (*call_add_text)(sync_call *call, const char *text);
  sync_status (*call_add_record)(
    sync_call *call, const void *key, size_t key_size, const void *value, size_t value_size);
  sync_status (*link_connected)(sync_link *link, const char *peer);
  sync_status (*link_disconnected)(sync_link *link, const char *peer);
  sync_status (*link_receive)(sync_link *link, const char *peer, const void *bytes, size_t size);
  sync_status (*link_sign)(sync_link *link, const void *message, size_t size, uint8_t signature[64]);
} sync_host;

/* The table, for plugins that are compiled into the program: entry(sync_get_host()) gives theirs. Valid for as long as
 * the library is loaded. [any-thread] */
const sync_host *sync_get_host(void);

/* What a shared object exports, under this name: looks at host->abi_version, keeps the table, which stays, and gives
 * its own, which stays too; NULL when it cannot work with this host. Called once for each time that it is loaded, on
 * the thread that loads it. */
#define SYNC_PLUGIN_ENTRY "sync_plugin_entry"
typedef const sync_plugin *(*sync_plugin_entry_function)(const sync_host *host);

#ifdef __cplusplus
}
#endif

#endif
