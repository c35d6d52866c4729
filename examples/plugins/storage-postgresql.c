/*
 * A storage in a PostgreSQL database: one table with a row for each key.
 *
 *     gcc -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -I include -I "$(pg_config --includedir)" \
 *       -o storage-postgresql.so examples/plugins/storage-postgresql.c -lpq
 *
 * Debian: libpq-dev to build it, libpq5 to run it. The client library is of version 14 or later, the server of 11 or
 * later. start-postgresql.sh makes a server to try it with.
 *
 *     [settings.postgresql]
 *     connection = "host=db.example user=sync dbname=sync passfile=/etc/synchronicity/pgpass"   as libpq has it
 *     schema = "sync_builder_a"   optional: made if it is not there
 *
 * Passwords belong in a passfile; a connection with a password in it is refused, as configurations get about.
 *
 * Without a schema it is named after the state directory, so that nodes of one host have stores of their own. Nodes of
 * several hosts that share a database, and may have equal state directories, each want a schema in the settings.
 *
 * One instance at a time owns a store, by an advisory lock that ends with the server's session. So the connection is
 * not to go through a pooler that hands sessions around. After a host has died its lock stays until the server notices
 * that (tcp_keepalives_idle); after a process has died it is free at once.
 *
 * Nothing here ever connects again. A lost connection has lost the lock, so that another node may have the store; and
 * batches that were not durable may be gone although the node has seen them applied. The calls fail, the node ends,
 * and its next start reads what is there.
 *
 * Sources: PostgreSQL 15 manual, 34.5 (pipeline mode), 30.4 (asynchronous commit), 9.27.10 (advisory locks).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include <sync/plugin.h>

/* The longest name of a schema that the server does not cut. */
#define SCHEMA_BYTES_MAX 63
/* What one statement of a batch carries, unless one value alone is larger. The server's bound is 1 GiB. */
#define STATEMENT_BYTES_MAX (16 << 20)
/* The server's number for the type bytea. */
#define BYTEA_OID 17

static const sync_host *host;

struct store {
  pthread_mutex_t lock; /* calls come one at a time; this holds should they not */
  PGconn *connection;   /* NULL once a batch has failed */
};

static const char lost[] = "The connection to the store is gone; restart the node, which then reads what is there";

/* Always 0, for "return refuse(...)". */
__attribute__((format(printf, 3, 4))) static int refuse(sync_call *call, int32_t code, const char *format, ...) {
  char text[1000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  host->call_fail(call, code, text);
  return 0;
}

/* With the first line of libpq's or the server's own words. Always 0. */
static int refuse_said(sync_call *call, int32_t code, const char *what, const char *said) {
  if (said == NULL || *said == 0) said = "no reason is given";
  return refuse(call, code, "PostgreSQL failed to %s: %.*s", what, (int)strcspn(said, "\n"), said);
}

/* Whether a statement did its work; if not the call fails. result is kept then, else freed. */
static int is_done(PGconn *connection, PGresult *result, sync_call *call, const char *what) {
  ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return 1;
  refuse_said(call, SYNC_PLUGIN_IO, what, result == NULL ? PQerrorMessage(connection) : PQresultErrorMessage(result));
  PQclear(result);
  return 0;
}

/* Runs a statement whose answer is of no interest. */
static int run(PGconn *connection, sync_call *call, const char *what, const char *statement) {
  PGresult *result = PQexec(connection, statement);
  if (!is_done(connection, result, call, what)) return 0;
  PQclear(result);
  return 1;
}

/* Runs a statement with one text for $1 and copies the one text that it answers, "" for none, to found. */
static int ask(
  PGconn *connection, sync_call *call, const char *what, const char *statement, const char *text, char *found,
  size_t size) {
  PGresult *result = PQexecParams(connection, statement, 1, NULL, &text, NULL, NULL, 0);
  if (!is_done(connection, result, call, what)) return 0;
  snprintf(found, size, "%s", PQntuples(result) == 0 ? "" : PQgetvalue(result, 0, 0));
  PQclear(result);
  return 1;
}

/* The numbers of 64 bits, and the bytes, that a prepared statement gets, all in binary form. */
struct parameters {
  int count;
  const char *values[3];
  int lengths[3];
  int formats[3];
};

static void add_parameter(struct parameters *parameters, const void *bytes, size_t size) {
  /* NULL would be no value at all. */
  parameters->values[parameters->count] = bytes == NULL ? "" : bytes;
  parameters->lengths[parameters->count] = (int)size;
  parameters->formats[parameters->count] = 1;
  parameters->count++;
}

static int send_prepared(PGconn *connection, const char *name, const struct parameters *parameters) {
  return PQsendQueryPrepared(
    connection, name, parameters->count, parameters->values, parameters->lengths, parameters->formats, 1);
}

/* ---- Reading ---- */

static int32_t get(void *self, const sync_storage_request *request, sync_call *call) {
  struct store *store = self;
  struct parameters parameters = {0};
  add_parameter(&parameters, request->key, request->key_size);
  pthread_mutex_lock(&store->lock);
  PGresult *result = NULL;
  if (store->connection == NULL) {
    refuse(call, SYNC_PLUGIN_IO, "%s", lost);
  } else {
    result = PQexecPrepared(
      store->connection, "get", parameters.count, parameters.values, parameters.lengths, parameters.formats, 1);
    if (!is_done(store->connection, result, call, "read a record")) result = NULL;
  }
  pthread_mutex_unlock(&store->lock);
  if (result == NULL) return SYNC_PLUGIN_OK;
  if (PQntuples(result) == 0) {
    host->call_fail(call, SYNC_PLUGIN_NOT_FOUND, "There is no record with this key");
  } else {
    host->call_finish_bytes(call, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
  }
  PQclear(result);
  return SYNC_PLUGIN_OK;
}

/* The lowest key above all that begin with the prefix: 1 with its size, or 0 when there is none. */
static int prefix_end(const uint8_t *prefix, size_t prefix_size, uint8_t *end, size_t *size) {
  while (prefix_size > 0 && prefix[prefix_size - 1] == 0xFF) prefix_size--;
  if (prefix_size == 0) return 0;
  memcpy(end, prefix, prefix_size);
  end[prefix_size - 1]++;
  *size = prefix_size;
  return 1;
}

static int compare_bytes(const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size) {
  size_t shorter = left_size < right_size ? left_size : right_size;
  int order = shorter == 0 ? 0 : memcmp(left, right, shorter);
  if (order != 0) return order;
  return left_size < right_size ? -1 : left_size > right_size;
}

/* Hands on each row as it comes, so that no more than one is held here. What comes after a failure is dropped, and what
 * comes once the answer is full: the next scan begins behind the last row that was taken. */
static void scan_rows(PGconn *connection, sync_call *call) {
  int is_failed = 0, is_full = 0;
  for (PGresult *result; (result = PQgetResult(connection)) != NULL; PQclear(result)) {
    ExecStatusType status = PQresultStatus(result);
    if (is_failed || is_full || status == PGRES_TUPLES_OK) continue;
    if (status != PGRES_SINGLE_TUPLE) {
      refuse_said(call, SYNC_PLUGIN_IO, "read records", PQresultErrorMessage(result));
      is_failed = 1;
      continue;
    }
    sync_status added = host->call_add_record(
      call, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), PQgetvalue(result, 0, 1),
      (size_t)PQgetlength(result, 0, 1));
    if (added == SYNC_OK) continue;
    is_full = added == SYNC_ERROR_TOO_LARGE;
    if (!is_full) {
      refuse(call, SYNC_PLUGIN_IO, "A record was not taken (status %d)", added);
      is_failed = 1;
    }
    char ignored[256];
    PGcancel *cancel = PQgetCancel(connection);
    if (cancel != NULL) PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
  }
  if (!is_failed) host->call_finish(call);
}

static int32_t scan(void *self, const sync_storage_request *request, sync_call *call) {
  struct store *store = self;
  uint8_t *end = malloc(request->key_size + 1);
  if (end == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  size_t end_size = 0;
  struct parameters parameters = {0};
  if (compare_bytes(request->start, request->start_size, request->key, request->key_size) > 0) {
    add_parameter(&parameters, request->start, request->start_size);
  } else {
    add_parameter(&parameters, request->key, request->key_size);
  }
  uint64_t limit = htobe64(request->limit < INT64_MAX ? request->limit : INT64_MAX);
  add_parameter(&parameters, &limit, sizeof limit);
  const char *name = "scan_to_end";
  if (prefix_end(request->key, request->key_size, end, &end_size)) {
    add_parameter(&parameters, end, end_size);
    name = "scan";
  }
  pthread_mutex_lock(&store->lock);
  if (store->connection == NULL) {
    refuse(call, SYNC_PLUGIN_IO, "%s", lost);
  } else if (!send_prepared(store->connection, name, &parameters)) {
    refuse_said(call, SYNC_PLUGIN_IO, "read records", PQerrorMessage(store->connection));
  } else {
    PQsetSingleRowMode(store->connection);
    scan_rows(store->connection, call);
  }
  pthread_mutex_unlock(&store->lock);
  free(end);
  return SYNC_PLUGIN_OK;
}

/* ---- Writing ---- */

/* A batch as it is sent: of each key the last change alone, so that the order counts no more. */
struct batch {
  const sync_change **deletes;
  size_t deletes_count;
  const sync_change **puts;
  size_t puts_count;
};

static int compare_changes(const void *left, const void *right) {
  const sync_change *a = *(const sync_change *const *)left, *b = *(const sync_change *const *)right;
  int order = compare_bytes(a->key, a->key_size, b->key, b->key_size);
  if (order != 0) return order;
  return a < b ? -1 : a > b; /* they stand in one array */
}

/* 1 with the batch, whose lists are freed by free_batch. */
static int sort_changes(const sync_apply_request *request, struct batch *batch) {
  size_t count = request->changes_count;
  const sync_change **sorted = calloc(count + 1, sizeof *sorted);
  *batch = (struct batch){calloc(count + 1, sizeof *sorted), 0, calloc(count + 1, sizeof *sorted), 0};
  int is_made = sorted != NULL && batch->deletes != NULL && batch->puts != NULL;
  for (size_t i = 0; is_made && i < count; i++) sorted[i] = &request->changes[i];
  if (is_made) qsort(sorted, count, sizeof *sorted, compare_changes);
  for (size_t i = 0; is_made && i < count; i++) {
    const sync_change *change = sorted[i], *next = sorted[i + 1];
    if (next != NULL && compare_bytes(change->key, change->key_size, next->key, next->key_size) == 0) continue;
    if (change->value == NULL) batch->deletes[batch->deletes_count++] = change;
    else batch->puts[batch->puts_count++] = change;
  }
  free(sorted);
  return is_made;
}

static void free_batch(struct batch *batch) {
  free(batch->deletes);
  free(batch->puts);
}

static char *put_number(char *to, size_t number) {
  uint32_t bytes = htonl((uint32_t)number);
  memcpy(to, &bytes, sizeof bytes);
  return to + sizeof bytes;
}

/* A bytea[] in the server's binary form: dimensions, whether there are NULLs, the type; length and lowest index of the
 * dimension; then each element behind its size. The caller frees it. */
static char *make_array(const sync_change *const *changes, size_t count, int is_of_values, size_t *size) {
  *size = 5 * sizeof(uint32_t);
  for (size_t i = 0; i < count; i++) {
    *size += sizeof(uint32_t) + (is_of_values ? changes[i]->value_size : changes[i]->key_size);
  }
  char *array = malloc(*size);
  if (array == NULL) return NULL;
  char *end = put_number(put_number(put_number(array, 1), 0), BYTEA_OID);
  end = put_number(put_number(end, count), 1);
  for (size_t i = 0; i < count; i++) {
    size_t element_size = is_of_values ? changes[i]->value_size : changes[i]->key_size;
    end = put_number(end, element_size);
    if (element_size > 0) memcpy(end, is_of_values ? changes[i]->value : changes[i]->key, element_size);
    end += element_size;
  }
  return array;
}

/* Sends one statement for these changes. */
static int send_statement(PGconn *connection, const sync_change *const *changes, size_t count, int is_of_puts) {
  struct parameters parameters = {0};
  size_t keys_size = 0, values_size = 0;
  char *keys = make_array(changes, count, 0, &keys_size);
  char *values = is_of_puts ? make_array(changes, count, 1, &values_size) : NULL;
  int is_sent = 0;
  if (keys != NULL && (values != NULL || !is_of_puts)) {
    add_parameter(&parameters, keys, keys_size);
    if (is_of_puts) add_parameter(&parameters, values, values_size);
    is_sent = send_prepared(connection, is_of_puts ? "put" : "delete", &parameters);
  }
  free(keys);
  free(values);
  return is_sent;
}

/* Sends statements for the changes, and counts them. */
static int send_changes(
  PGconn *connection, const sync_change *const *changes, size_t count, int is_of_puts, size_t *statements) {
  for (size_t start = 0, end = 0; start < count; start = end) {
    size_t size = 0;
    while (end < count) {
      size += 2 * sizeof(uint32_t) + changes[end]->key_size + changes[end]->value_size;
      if (end > start && size > STATEMENT_BYTES_MAX) break;
      end++;
    }
    if (!send_statement(connection, changes + start, end - start, is_of_puts)) return 0;
    ++*statements;
  }
  return 1;
}

/* Sends the transaction without waiting for an answer in between. */
static int send_batch(PGconn *connection, const struct batch *batch, int is_durable, size_t *statements) {
  const struct parameters none = {0};
  *statements = 3;
  return PQenterPipelineMode(connection) && send_prepared(connection, "begin", &none) &&
         send_prepared(connection, is_durable ? "durable" : "not_durable", &none) &&
         send_changes(connection, batch->deletes, batch->deletes_count, 0, statements) &&
         send_changes(connection, batch->puts, batch->puts_count, 1, statements) &&
         send_prepared(connection, "commit", &none) && PQpipelineSync(connection);
}

/* Reads the answers to as many statements; the last is that of the commit. */
static int is_committed(PGconn *connection, size_t statements, sync_call *call) {
  int is_committed = 0;
  for (size_t i = 0; i < statements; i++) {
    PGresult *result = PQgetResult(connection);
    if (!is_done(connection, result, call, "apply a batch")) return 0;
    is_committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    PQclear(PQgetResult(connection)); /* NULL ends each statement's results */
  }
  if (!is_committed) return refuse_said(call, SYNC_PLUGIN_IO, "apply a batch", "it was rolled back");
  PGresult *end = PQgetResult(connection);
  int is_at_end = PQresultStatus(end) == PGRES_PIPELINE_SYNC;
  PQclear(end);
  if (is_at_end && PQexitPipelineMode(connection)) return 1;
  return refuse_said(call, SYNC_PLUGIN_IO, "end a batch", PQerrorMessage(connection));
}

/* Whether the batch was applied is not known after each failure, and the transaction may still be open. So the
 * connection is given up: the server rolls back what it has not committed, and the node reads the rest anew. */
static int32_t apply(void *self, const sync_apply_request *request, sync_call *call) {
  struct store *store = self;
  struct batch batch;
  size_t statements = 0;
  int is_applied = 0;
  int is_sorted = sort_changes(request, &batch);
  pthread_mutex_lock(&store->lock);
  if (store->connection == NULL) {
    refuse(call, SYNC_PLUGIN_IO, "%s", lost);
  } else if (!is_sorted) {
    refuse(call, SYNC_PLUGIN_IO, "There is no memory for a batch of %zu changes", request->changes_count);
  } else if (!send_batch(store->connection, &batch, request->durable != 0, &statements)) {
    refuse_said(call, SYNC_PLUGIN_IO, "send a batch", PQerrorMessage(store->connection));
  } else {
    is_applied = is_committed(store->connection, statements, call);
  }
  if (!is_applied) {
    PQfinish(store->connection);
    store->connection = NULL;
  }
  pthread_mutex_unlock(&store->lock);
  free_batch(&batch);
  if (is_applied) host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

/* ---- Creating ---- */

static void ignore_notice(void *user_data, const PGresult *notice) {
  (void)user_data;
  (void)notice;
}

/* Whether libpq understands the text, and it holds no password. */
static int check_connection(const char *text, sync_call *call) {
  char *said = NULL;
  PQconninfoOption *options = PQconninfoParse(text, &said);
  if (options == NULL) {
    refuse_said(call, SYNC_PLUGIN_INVALID, "read the setting connection", said);
    PQfreemem(said);
    return 0;
  }
  int has_password = 0;
  for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
    if (strcmp(option->keyword, "password") == 0 && option->val != NULL) has_password = 1;
  }
  PQconninfoFree(options);
  if (!has_password) return 1;
  return refuse(
    call, SYNC_PLUGIN_INVALID, "The setting connection has a password; put it in a file and name that: passfile=PATH");
}

static int connect_to(struct store *store, const char *text, sync_call *call) {
  /* What stands before dbname, which is the whole text, is for where that says nothing. */
  const char *const names[] = {"fallback_application_name", "connect_timeout", "dbname", NULL};
  const char *const values[] = {"synchronicity", "30", text, NULL};
  store->connection = PQconnectdbParams(names, values, 1);
  if (PQstatus(store->connection) != CONNECTION_OK) {
    return refuse_said(call, SYNC_PLUGIN_UNAVAILABLE, "connect", PQerrorMessage(store->connection));
  }
  PQsetNoticeReceiver(store->connection, ignore_notice, NULL);
  /* Nothing ends this session but its owner, each scan reads along the index, and each commit that is to be durable is.
   * Not every server has all of these. */
  static const char set[] =
    "SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES ('idle_session_timeout', '0'),"
    " ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('lock_timeout', '5s'),"
    " ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'), ('jit', 'off'),"
    " ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),"
    " ('enable_sort', 'off')) AS wanted (name, value) USING (name)";
  char fsync[8];
  if (!run(store->connection, call, "set up the session", set)) return 0;
  if (!ask(store->connection, call, "set up the session", "SELECT current_setting($1)", "fsync", fsync, sizeof fsync)) {
    return 0;
  }
  if (strcmp(fsync, "on") == 0) return 1;
  return refuse(call, SYNC_PLUGIN_UNAVAILABLE, "The server runs with fsync = off, so that nothing on it is durable");
}

/* Waits for the lock for lock_timeout: the server may not have noticed yet that its last owner has ended. */
static int lock_schema(struct store *store, const char *schema, sync_call *call) {
  static const char statement[] = "SELECT pg_advisory_lock(hashtextextended('synchronicity ' || $1, 0))";
  PGresult *result = PQexecParams(store->connection, statement, 1, NULL, &schema, NULL, NULL, 0);
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state != NULL && strcmp(state, "55P03") == 0) { /* lock_not_available */
    PQclear(result);
    return refuse(
      call, SYNC_PLUGIN_UNAVAILABLE, "The store in the schema %s is in use by another node or instance; end that first",
      schema);
  }
  if (!is_done(store->connection, result, call, "lock the store")) return 0;
  PQclear(result);
  return run(store->connection, call, "lock the store", "SET lock_timeout = 0");
}

/* Makes the schema and the table where they are not there. */
static int make_table(struct store *store, const char *schema, sync_call *call) {
  PGconn *connection = store->connection;
  char found[8], statement[3 * SCHEMA_BYTES_MAX];
  static const char search[] = "SELECT 'yes' FROM pg_namespace WHERE nspname = $1";
  if (!ask(connection, call, "look for the schema", search, schema, found, sizeof found)) return 0;
  char *quoted = PQescapeIdentifier(connection, schema, strlen(schema));
  if (quoted == NULL) return refuse_said(call, SYNC_PLUGIN_INVALID, "quote the schema", PQerrorMessage(connection));
  int is_made = 1;
  if (*found == 0) {
    snprintf(statement, sizeof statement, "CREATE SCHEMA %s", quoted);
    is_made = run(connection, call, "make the schema", statement);
  }
  snprintf(statement, sizeof statement, "SET search_path = %s", quoted);
  PQfreemem(quoted);
  return is_made && run(connection, call, "enter the schema", statement) &&
         run(
           connection, call, "make the table",
           "CREATE TABLE IF NOT EXISTS records (key bytea PRIMARY KEY, value bytea NOT NULL)");
}

/* A commit waits for the log's disk when its transaction has written to the log, so a durable one always does: it may
 * follow others that were not, and have no change of its own. The log is in order: what is before it is durable too. */
static int prepare(struct store *store, sync_call *call) {
  static const char *const statements[][2] = {
    {"get", "SELECT value FROM records WHERE key = $1::bytea"},
    {"scan", "SELECT key, value FROM records WHERE key >= $1::bytea AND key < $3::bytea ORDER BY key LIMIT $2::bigint"},
    {"scan_to_end", "SELECT key, value FROM records WHERE key >= $1::bytea ORDER BY key LIMIT $2::bigint"},
    {"delete", "DELETE FROM records WHERE key = ANY ($1::bytea[])"},
    {"put",
     "INSERT INTO records SELECT * FROM unnest($1::bytea[], $2::bytea[])"
     " ON CONFLICT (key) DO UPDATE SET value = excluded.value"},
    {"begin", "BEGIN"},
    {"durable",
     "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'synchronicity', '')"},
    {"not_durable", "SET LOCAL synchronous_commit = off"},
    {"commit", "COMMIT"},
  };
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    PGresult *result = PQprepare(store->connection, statements[i][0], statements[i][1], 0, NULL);
    if (!is_done(store->connection, result, call, "prepare a statement")) return 0;
    PQclear(result);
  }
  return 1;
}

/* After FNV-1a with 64 bits. */
static const char *derive_schema(const char *directory, char *schema) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *directory != 0; directory++) hash = (hash ^ (uint8_t)*directory) * 0x100000001b3;
  snprintf(schema, SCHEMA_BYTES_MAX + 1, "sync_%016" PRIx64, hash);
  return schema;
}

static int set_up(struct store *store, const sync_create_request *request, sync_call *call) {
  const char *connection = NULL, *schema = NULL;
  char derived[SCHEMA_BYTES_MAX + 1];
  for (size_t i = 0; i < request->settings_count; i++) {
    const sync_setting *setting = &request->settings[i];
    if (strcmp(setting->name, "connection") == 0) connection = setting->value;
    else if (strcmp(setting->name, "schema") == 0) schema = setting->value;
    else {
      return refuse(
        call, SYNC_PLUGIN_INVALID, "The setting '%s' is not known; connection and schema are", setting->name);
    }
  }
  if (connection == NULL) return refuse(call, SYNC_PLUGIN_INVALID, "The setting 'connection' is missing");
  if (schema != NULL && (*schema == 0 || strlen(schema) > SCHEMA_BYTES_MAX)) {
    return refuse(call, SYNC_PLUGIN_INVALID, "The setting 'schema' is a name of 1 to %d bytes", SCHEMA_BYTES_MAX);
  }
  if (!check_connection(connection, call) || !connect_to(store, connection, call)) return 0;
  if (schema == NULL) schema = derive_schema(request->state_directory, derived);
  return lock_schema(store, schema, call) && make_table(store, schema, call) && prepare(store, call);
}

/* The lock is free when this returns, and not only when the server notices the end of the session. */
static void destroy(void *self) {
  struct store *store = self;
  if (store == NULL) return;
  if (store->connection != NULL) PQclear(PQexec(store->connection, "SELECT pg_advisory_unlock_all()"));
  PQfinish(store->connection);
  pthread_mutex_destroy(&store->lock);
  free(store);
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  struct store *store = calloc(1, sizeof *store);
  if (store == NULL) return SYNC_PLUGIN_UNAVAILABLE;
  pthread_mutex_init(&store->lock, NULL);
  /* One that comes too late is not known to the node, which will never end it. */
  if (!set_up(store, request, call) || host->call_finish_instance(call, store) != SYNC_OK) destroy(store);
  return SYNC_PLUGIN_OK;
}

static const sync_storage_methods methods = {
  .struct_size = sizeof(sync_storage_methods),
  .abi_version = SYNC_ABI_VERSION,
  .get = get,
  .scan = scan,
  .apply = apply,
};

static const sync_plugin plugin = {
  .struct_size = sizeof(sync_plugin),
  .abi_version = SYNC_ABI_VERSION,
  .name = "postgresql",
  .version = "1.0.0",
  .create = create,
  .destroy = destroy,
  .storage = &methods,
};

__attribute__((visibility("default"))) const sync_plugin *sync_plugin_entry(const sync_host *given) {
  if (given->abi_version != SYNC_ABI_VERSION || given->struct_size < sizeof(sync_host)) return NULL;
  host = given;
  return &plugin;
}
