/*
 * A whole builder in your process: make it of a configuration, start it, submit packages, follow what happens, take
 * proofs, stop it.
 *
 *     sync_node *node = NULL;
 *     sync_node_create(text, strlen(text), folder, NULL, NULL, &node, &error);
 *     sync_node_start(node, &error);
 *     sync_node_submit(node, &request, timeout, job, &error);
 *     sync_node_wait(node, job, SYNC_PHASE_COSIGNED, timeout, &status, &error);
 *     sync_node_copy_proof(node, job, &proof, &error);
 *     sync_node_destroy(node);
 *
 * Several nodes may live in one process. Each has a thread of its own, over TCP one more for its connections; builds
 * run in processes of their own. Functions that wait for what the group does take a timeout in nanoseconds: with 0 they
 * look and return, SYNC_FOREVER waits. The others ask the node at most, whose thread may be at its disk or at an answer
 * of a plugin. They block the caller's thread only, and no function of a plugin is ever called on it.
 *
 * Texts and paths are UTF-8; one that is not is refused with SYNC_ERROR_INVALID_ARGUMENT.
 *
 * After fork() a child may use verify.h and nothing of this header. The library stays in memory once it is loaded.
 */
#ifndef SYNC_NODE_H
#define SYNC_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "plugin.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYNC_FOREVER UINT64_MAX
/* The longest configuration. */
#define SYNC_CONFIGURATION_BYTES_MAX 1048576

/* ---- Bytes that a call gives ---- */

/* Immutable; owned by the caller. */
typedef struct sync_bytes sync_bytes;

/* Valid until the bytes are destroyed; a NUL stands behind the last. NULL for NULL. [any-thread] */
const uint8_t *sync_bytes_get_start(const sync_bytes *bytes);
/* Without that NUL; 0 for NULL. [any-thread] */
size_t sync_bytes_get_size(const sync_bytes *bytes);
/* Does nothing for NULL. [owner-thread] */
void sync_bytes_destroy(sync_bytes *bytes);

/* ---- Plugins that nodes can choose by name, beside those that are built in ---- */

typedef struct sync_registry sync_registry;

/* flags: 0. [any-thread] */
sync_status sync_registry_create(uint32_t flags, sync_registry **created, sync_error **error);

/* Adds a plugin of this process. The tables are copied, the texts too. user_data goes to create; destroy_user_data,
 * which may be NULL, is called with it exactly once, on a thread of the runtime's: when the registry and the nodes that
 * were made with it are gone, or when the plugin is refused. [owner-thread] */
sync_status sync_registry_add(
  sync_registry *registry, const sync_plugin *plugin, void *user_data, void (*destroy_user_data)(void *user_data),
  sync_error **error);

/* Adds the plugin that a shared object holds; it stays loaded. Its code runs in this process with all its rights: load
 * what you trust. path is absolute. [owner-thread] */
sync_status sync_registry_load(sync_registry *registry, const char *path, sync_error **error);

/* What the checks of a plugin want to be told. */
typedef struct sync_check_options {
  uint32_t struct_size; /* sizeof(sync_check_options) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  const sync_setting *settings; /* as a configuration has them in [settings.PLUGIN]; no name twice */
  size_t settings_count;        /* at most 1,000 */
  const char *toolchain; /* for a sandbox: absolute path of a tar with /bin/sh, bash, coreutils and busybox */
  const char *package;   /* for a source: one that it has, such as "pkg:cargo/itoa@1.0.1" */
  /* 1: for a sandbox also every attempt to leave it. They are compiled here, by cc, and made as whom this process runs
   * as; root sees the most, below a TMPDIR that others may enter. */
  int32_t with_escapes;
  int32_t reserved; /* 0 */
  /* Attempts that may succeed, by the word with which a report's WHAT WAS SEEN begins, and why that does no harm. */
  const sync_setting *allowed;
  size_t allowed_count; /* at most 1,000 */
} sync_check_options;

#define SYNC_CHECK_OPTIONS_INIT {sizeof(sync_check_options), SYNC_ABI_VERSION, NULL, 0, NULL, NULL, 0, 0, NULL, 0}

/* Runs the conformance suite of a plugin that was added to the registry, by calling it as a node does: for its author,
 * from a test in the language in which it is written. It takes seconds, for a sandbox minutes, and works in a folder of
 * its own below TMPDIR, which is gone behind it; a transport gets free ports of 127.0.0.1.
 *
 * SYNC_OK means that the checks were made. has_passed gets 1 when each was passed, else 0; report, which may be NULL, a
 * line of text for each, "pass: NAME" or "FAIL: NAME: WHAT WAS SEEN", and a last one with their number. options may be
 * NULL where nothing is wanted of them. SYNC_ERROR_NOT_FOUND when no plugin of that name was added, SYNC_ERROR_INVALID
 * when plugins of two kinds were, or an option is missing that the kind wants. SYNC_ERROR_STATE on a thread that runs a
 * plugin's method. [any-thread, also while plugins are added; the registry stays until it returns] */
sync_status sync_registry_check(
  const sync_registry *registry, const char *name, const sync_check_options *options, int32_t *has_passed,
  sync_bytes **report, sync_error **error);

/* Does nothing for NULL. Nodes that were made with it keep what they need. [owner-thread] */
void sync_registry_destroy(sync_registry *registry);

/* ---- A node's life ---- */

typedef struct sync_node sync_node;

#define SYNC_LOG_DEBUG 1
#define SYNC_LOG_INFO 2
#define SYNC_LOG_NOTICE 3
#define SYNC_LOG_WARNING 4
#define SYNC_LOG_ERROR 5
#define SYNC_LOG_CRITICAL 6

typedef struct sync_node_options {
  uint32_t struct_size; /* sizeof(sync_node_options) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  /* Gets the node's log, line by line, on a thread of its own, until sync_node_destroy returns. NULL: no log. Of more
   * than 4,096 lines that wait, the newest are dropped. */
  void (*log)(void *user_data, int32_t level, const char *line);
  void *log_user_data;
  /* 1, for one start: the data folder was put back from an older copy, or is new although this builder has signed
   * before. Else 0. */
  int32_t is_restored;
  int32_t reserved; /* 0 */
  /* May be NULL. Called with log_user_data exactly once, on a thread of the runtime's, behind the last line: before
   * sync_node_destroy returns, or sync_node_create if it makes no node. Of a struct that is refused for its size or
   * version nothing is called. What is said of the log's function holds for this one: it ends no node. */
  void (*destroy_log_user_data)(void *user_data);
} sync_node_options;

#define SYNC_NODE_OPTIONS_INIT {sizeof(sync_node_options), SYNC_ABI_VERSION, NULL, NULL, 0, 0, NULL}

/* Reads a configuration, as `synchronicity node run` takes it, and the group file that it names. Nothing else is
 * touched; SYNC_ERROR_INVALID for what is wrong in either, SYNC_ERROR_IO for a file that cannot be read. The gateway is
 * not served: that is the program's. folder is what relative paths are relative to, and absolute itself where they lead
 * to plugins; registry and options may be NULL. [any-thread] */
sync_status sync_node_create(
  const uint8_t *configuration, size_t configuration_size, const char *folder, const sync_registry *registry,
  const sync_node_options *options, sync_node **created, sync_error **error);

/* One of a plugin's own settings, as [settings.PLUGIN] of a configuration has them. */
typedef struct sync_plugin_setting {
  const char *plugin;
  const char *name;
  const char *value;
} sync_plugin_setting;

/* A configuration, field by field. Each is the setting of its name; errors name that. NULL and 0 are what a text has
 * that does not say it; name and listen_transport are wanted. Paths are relative to the folder, lists have at most
 * 1,000 members. */
typedef struct sync_node_configuration {
  uint32_t struct_size; /* sizeof(sync_node_configuration) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  const char *name;     /* this builder's in the group file */
  const char *group;    /* path of the group file */
  const char *seed;     /* path of the file from which the keys derive, for the signer "seed" */
  const char *data;     /* path of a folder: journal, artifacts, sources, transcripts, reports */
  const char *cache;    /* path of a folder that nodes of one host may share */
  const char *listen_transport; /* HOST:PORT */
  /* Names of plugins, of the registry or built in. */
  const char *plugins_sandbox;
  const char *plugins_signer;
  const char *plugins_storage;
  const char *plugins_transport;
  const char *const *plugins_source; /* in the order of preference */
  size_t plugins_source_count;
  /* Shared objects that hold plugins, and folders in which NAME.so is looked for. */
  const char *const *plugins_libraries;
  size_t plugins_libraries_count;
  const char *const *plugins_folders;
  size_t plugins_folders_count;
  /* For plugins that are not built in. */
  const sync_plugin_setting *settings;
  size_t settings_count;
  /* Of the plugins that are built in. */
  const char *plugins_docker_socket;
  const char *plugins_exec_command;
  const char *const *plugins_exec_arguments;
  size_t plugins_exec_arguments_count;
  const char *const *plugins_exec_environment;
  size_t plugins_exec_environment_count;
  const char *plugins_source_directory;
  const char *plugins_registry;
  const char *plugins_pypi_index;
  int32_t plugins_registry_allow_http; /* 1: yes */
  int32_t plugins_exec_patience_seconds;
  /* SHA-256 of toolchains' tars, 64 hexadecimal digits: of all packages, and of those of some types instead. */
  const char *toolchain_digest;
  const char *toolchain_cargo;
  const char *toolchain_deb;
  const char *toolchain_generic;
  const char *toolchain_pypi;
  const char *const *toolchain_directories;
  size_t toolchain_directories_count;
  uint64_t build_memory; /* bytes */
  int32_t build_cores;
  int32_t build_concurrent;
  uint64_t retention_artifacts; /* bytes */
  uint64_t retention_sources;   /* bytes */
  const char *retention_proven;
  int32_t retention_diverged_days;
  int32_t retention_diverged_megabytes;
  int32_t retention_report_days;
  int32_t retention_report_megabytes;
  int32_t retention_transcript_days;
  int32_t retention_transcript_megabytes;
  const char *divergence_compare;
  const char *divergence_toolchain;
  int32_t divergence_seconds;
  int32_t divergence_memory_megabytes;
  const char *log_level;
  int32_t consensus_timeout_base_milliseconds;
  int32_t reserved;
} sync_node_configuration;

#define SYNC_NODE_CONFIGURATION_INIT \
  {sizeof(sync_node_configuration), SYNC_ABI_VERSION, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
   NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, 0, 0, NULL, \
   NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0, NULL, 0, 0}

/* sync_node_create of a configuration that is no text. Nothing of it is used behind the call. [any-thread] */
sync_status sync_node_create_of_struct(
  const sync_node_configuration *configuration, const char *folder, const sync_registry *registry,
  const sync_node_options *options, sync_node **created, sync_error **error);

/* Opens keys, journal and plugins, listens, and begins to take part; returns when it does. SYNC_ERROR_STATE when it
 * was started before: a node is started once. From then on the process ignores SIGPIPE. [any-thread] */
sync_status sync_node_start(sync_node *node, sync_error **error);

/* Ends the node: builds are killed and begin anew at the next start; nothing is lost. Returns when all is closed, or
 * with SYNC_ERROR_TIMED_OUT, and then goes on ending. In every state: a node that was not started has ended then, and
 * one that has ended stays so. The error is the one with which the node ended by itself or did not start, if so.
 * SYNC_ERROR_STATE on a thread that runs a plugin's method or the log's function. [any-thread] */
sync_status sync_node_stop(sync_node *node, uint64_t timeout_ns, sync_error **error);

/* Stops the node, waits for that, and frees it. Does nothing for NULL. Not while another thread is in a call with it,
 * but for sync_node_wait and sync_events_next, which return SYNC_ERROR_STATE. Never from a method of a plugin or the
 * log's function. A plugin's method that does not return within twenty seconds of being cancelled outlives it; those of
 * a signer and of a storage are not cancelled, and are waited for as long as they have, 10 and 60 s each.
 * [owner-thread] */
void sync_node_destroy(sync_node *node);

/* ---- Jobs ---- */

typedef struct sync_submit_request {
  uint32_t struct_size; /* sizeof(sync_submit_request) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  const char *package;         /* such as "pkg:cargo/itoa@1.0.1" */
  const char *const *features; /* beside the default ones; may be NULL */
  size_t features_count;
  const char *profile;         /* NULL: release */
  const char *target;          /* NULL: the toolchain's own host */
  const char *toolchain;       /* 64 hexadecimal digits; NULL: the configuration's */
  uint64_t rebuild;            /* a number that was not used before asks for a fresh rebuild */
  int32_t without_default_features;
  int32_t priority;            /* -100 to 100, in this node's own queue */
} sync_submit_request;

#define SYNC_SUBMIT_REQUEST_INIT \
  {sizeof(sync_submit_request), SYNC_ABI_VERSION, NULL, NULL, 0, NULL, NULL, NULL, 0, 0, 0}

/* Pins a package's inputs, signs the job and hands it to the group; job gets its 32 bytes. The same spec is the same
 * job. With SYNC_ERROR_TIMED_OUT it may be submitted all the same. SYNC_ERROR_STATE when the node ends meanwhile.
 * [any-thread] */
sync_status sync_node_submit(
  sync_node *node, const sync_submit_request *request, uint64_t timeout_ns, uint8_t *job, sync_error **error);

/* How far a job has come, in this order. */
#define SYNC_PHASE_UNKNOWN 0
/* Ordered: builders rebuild and commit. */
#define SYNC_PHASE_COMMIT 1
/* Builders open their commitments. */
#define SYNC_PHASE_REVEAL 2
/* The verdict stands, and its evidence is in the log. */
#define SYNC_PHASE_LOGGED 3
/* A quorum has cosigned the log with it: the proof can be had. */
#define SYNC_PHASE_COSIGNED 4

typedef struct sync_job_status {
  uint32_t struct_size; /* sizeof(sync_job_status) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  int32_t phase;        /* a SYNC_PHASE_ number */
  int32_t verdict;      /* a SYNC_VERDICT_ number of verify.h, 0 while there is none */
  uint32_t agreeing;    /* builders that agree on the outcome that gave the verdict */
  uint32_t committed;   /* builders that have committed to an outcome */
  uint64_t leaf_index;  /* the evidence's, from SYNC_PHASE_LOGGED on */
} sync_job_status;

#define SYNC_JOB_STATUS_INIT {sizeof(sync_job_status), SYNC_ABI_VERSION, 0, 0, 0, 0, 0}

/* [any-thread] */
sync_status sync_node_get_job(sync_node *node, const uint8_t *job, sync_job_status *status, sync_error **error);

/* Waits until the job has come as far as phase; status, which may be NULL, tells how far it has. SYNC_ERROR_TIMED_OUT
 * when time is up, SYNC_ERROR_STATE when the node ends. [any-thread] */
sync_status sync_node_wait(
  sync_node *node, const uint8_t *job, int32_t phase, uint64_t timeout_ns, sync_job_status *status,
  sync_error **error);

/* The static proof file of a job that is SYNC_PHASE_COSIGNED, else SYNC_ERROR_NOT_FOUND. [any-thread] */
sync_status sync_node_copy_proof(sync_node *node, const uint8_t *job, sync_bytes **created, sync_error **error);

/* The path of a local file that holds the artifact, as text, else SYNC_ERROR_NOT_FOUND. [any-thread] */
sync_status sync_node_copy_artifact_path(
  sync_node *node, const uint8_t *artifact_sha256, sync_bytes **created, sync_error **error);

/* ---- The node at a glance ---- */

#define SYNC_NODE_CREATED 0
#define SYNC_NODE_RUNNING 1
#define SYNC_NODE_STOPPING 2
#define SYNC_NODE_STOPPED 3

typedef struct sync_node_status {
  uint32_t struct_size; /* sizeof(sync_node_status) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  int32_t state;        /* a SYNC_NODE_ number; where it is not SYNC_NODE_RUNNING, the rest is zero */
  int32_t is_observing; /* 1: signs nothing, since its journal may be older than what it has signed */
  uint64_t epoch;
  uint64_t view;
  uint64_t height;      /* of the last decided block */
  uint64_t log_size;
  uint64_t checkpoint_size; /* of the newest checkpoint that a quorum has cosigned */
  uint32_t open_jobs;
  uint32_t connected_peers;
  uint32_t replicas;
  uint32_t quorum;
} sync_node_status;

#define SYNC_NODE_STATUS_INIT {sizeof(sync_node_status), SYNC_ABI_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* [any-thread] */
sync_status sync_node_get_status(sync_node *node, sync_node_status *status, sync_error **error);

/* The same and more, as the gateway's /v1/status gives it: one JSON object. [any-thread] */
sync_status sync_node_copy_status_json(sync_node *node, sync_bytes **created, sync_error **error);

/* Waits until the node has no open job; SYNC_ERROR_TIMED_OUT when time is up. Whoever wants it to stay so submits no
 * more: other members may. [any-thread] */
sync_status sync_node_drain(sync_node *node, uint64_t timeout_ns, sync_error **error);

/* ---- Events ---- */

#define SYNC_EVENT_ORDERED 1
#define SYNC_EVENT_COMMITTED 2
#define SYNC_EVENT_ABSTAINED 3
#define SYNC_EVENT_REVEALING 4
#define SYNC_EVENT_REVEALED 5
/* number is the verdict, a SYNC_VERDICT_ number of verify.h. */
#define SYNC_EVENT_VERDICT 6
/* number is the leaf's index. */
#define SYNC_EVENT_LOGGED 7
/* number is the tree's size: what has an index below can be proven. */
#define SYNC_EVENT_COSIGNED 8
/* text is the member, in whose name statements contradict each other. */
#define SYNC_EVENT_MISBEHAVIOUR 9
/* number is the epoch that is over. */
#define SYNC_EVENT_EPOCH_ENDED 10
/* The node ends by itself; text says why. */
#define SYNC_EVENT_FAULT 11

typedef struct sync_event {
  uint32_t struct_size; /* sizeof(sync_event) */
  uint32_t abi_version; /* SYNC_ABI_VERSION */
  int32_t kind;         /* a SYNC_EVENT_ number; new ones may appear */
  uint32_t dropped;     /* events that were dropped just before this one, since nobody took them */
  uint64_t number;
  uint8_t job[32];      /* zero where the event is about none */
  char text[256];       /* the builder, package or member, or why; cut to fit, ended by a NUL */
} sync_event;

/* One subscription: a queue of the events since it was made. */
typedef struct sync_events sync_events;

/* capacity: events that wait at most, 1 to 65,536; of more, the newest are dropped and counted. Of any state of the
 * node. [any-thread] */
sync_status sync_node_subscribe(sync_node *node, uint32_t capacity, sync_events **created, sync_error **error);

/* The same, but each event goes to a function instead: one at a time, in their order, on one thread of its own that is
 * neither the node's nor the runtime's. So it may take its time and call whatever is here, stop and destroy too; what
 * comes meanwhile waits, as many as capacity. Where it uses the node, end its events before another thread destroys
 * that. The event is the runtime's until the function returns; its struct_size
 * says how much of it there is. Behind the last event, when the node has ended, or the subscription, the function is
 * called exactly once with NULL, and then never again: there user_data can go. Where this fails nothing is called.
 * [any-thread] */
sync_status sync_node_observe(
  sync_node *node, uint32_t capacity, void (*observe)(void *user_data, const sync_event *event), void *user_data,
  sync_events **created, sync_error **error);

/* Takes the oldest event. SYNC_ERROR_TIMED_OUT when none came, SYNC_ERROR_STATE when the node has ended and none is
 * left, or a function gets them. [any-thread] */
sync_status sync_events_next(sync_events *events, uint64_t timeout_ns, sync_event *event, sync_error **error);

/* Ends the subscription: what waits in it can still be taken, or still goes to the function, and whoever waits for more
 * gets SYNC_ERROR_STATE. Does nothing for NULL. [any-thread] */
void sync_events_close(sync_events *events);

/* Before or after the node's destroy, and not while a thread is in sync_events_next. Of events that go to a function,
 * those that wait are dropped, and it returns behind the last call; called from the function itself, it returns at
 * once, and the call with NULL follows. Does nothing for NULL. [owner-thread] */
void sync_events_destroy(sync_events *events);

#ifdef __cplusplus
}
#endif

#endif
