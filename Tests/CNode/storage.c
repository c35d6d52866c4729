/* A map in memory, by the folder that it is given; it is lost with the process. Reopening finds the same map. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "plugins.h"

#ifndef STORAGE_ENTRY
#define STORAGE_ENTRY storage_entry
#endif

static const sync_host *host;

typedef struct record {
  uint8_t *key, *value;
  size_t key_size, value_size;
} record;

typedef struct store {
  struct store *next;
  char *place;
  record *records; /* ascending */
  size_t count, room;
  int is_open;
} store;

static store *stores;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* Index of the first key that is not below. */
static size_t find(const store *self, const uint8_t *key, size_t size) {
  size_t low = 0, high = self->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const record *at = &self->records[middle];
    if (compare(at->key, at->key_size, key, size) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int32_t create(void *user_data, const sync_create_request *request, sync_call *call) {
  (void)user_data;
  pthread_mutex_lock(&lock);
  store *self = stores;
  while (self != NULL && strcmp(self->place, request->state_directory) != 0) self = self->next;
  if (self == NULL) {
    self = calloc(1, sizeof *self);
    self->place = strdup(request->state_directory);
    self->next = stores;
    stores = self;
  }
  int is_taken = self->is_open;
  self->is_open = 1;
  pthread_mutex_unlock(&lock);
  if (is_taken) host->call_fail(call, SYNC_PLUGIN_UNAVAILABLE, "The map is open already");
  else host->call_finish_instance(call, self);
  return SYNC_PLUGIN_OK;
}

static void destroy(void *self) {
  pthread_mutex_lock(&lock);
  ((store *)self)->is_open = 0;
  pthread_mutex_unlock(&lock);
}

static int is_at(const store *self, size_t place, const uint8_t *key, size_t size) {
  return place < self->count &&
    compare(self->records[place].key, self->records[place].key_size, key, size) == 0;
}

#ifndef SHARED
void storage_forget(void) {
  pthread_mutex_lock(&lock);
  while (stores != NULL) {
    store *self = stores;
    if (self->is_open) abort();
    stores = self->next;
    for (size_t i = 0; i < self->count; i++) {
      free(self->records[i].key);
      free(self->records[i].value);
    }
    free(self->records);
    free(self->place);
    free(self);
  }
  pthread_mutex_unlock(&lock);
}
#endif

static int32_t get(void *instance, const sync_storage_request *request, sync_call *call) {
  const store *self = instance;
  size_t place = find(self, request->key, request->key_size);
  if (!is_at(self, place, request->key, request->key_size)) return SYNC_PLUGIN_NOT_FOUND;
  host->call_finish_bytes(call, self->records[place].value, self->records[place].value_size);
  return SYNC_PLUGIN_OK;
}

static int32_t scan(void *instance, const sync_storage_request *request, sync_call *call) {
  const store *self = instance;
  int is_above = compare(request->start, request->start_size, request->key, request->key_size) > 0;
  size_t place = is_above ? find(self, request->start, request->start_size)
                          : find(self, request->key, request->key_size);
  for (uint64_t given = 0; place < self->count && given < request->limit; place++, given++) {
    const record *at = &self->records[place];
    if (at->key_size < request->key_size || memcmp(at->key, request->key, request->key_size) != 0) break;
    host->call_add_record(call, at->key, at->key_size, at->value, at->value_size);
  }
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

static uint8_t *copy(const uint8_t *bytes, size_t size) {
  uint8_t *block = malloc(size + 1);
  if (block == NULL) abort();
  if (size > 0) memcpy(block, bytes, size);
  return block;
}

static int32_t apply(void *instance, const sync_apply_request *request, sync_call *call) {
  store *self = instance;
  for (size_t i = 0; i < request->changes_count; i++) {
    const sync_change *change = &request->changes[i];
    size_t place = find(self, change->key, change->key_size);
    int is_there = is_at(self, place, change->key, change->key_size);
    if (is_there) {
      free(self->records[place].value);
      if (change->value == NULL) {
        free(self->records[place].key);
        memmove(&self->records[place], &self->records[place + 1], (self->count - place - 1) * sizeof(record));
        self->count--;
      }
    }
    if (change->value == NULL) continue;
    if (!is_there) {
      if (self->count == self->room) {
        self->room = self->room == 0 ? 64 : 2 * self->room;
        self->records = realloc(self->records, self->room * sizeof(record));
        if (self->records == NULL) abort();
      }
      memmove(&self->records[place + 1], &self->records[place], (self->count - place) * sizeof(record));
      self->records[place].key = copy(change->key, change->key_size);
      self->records[place].key_size = change->key_size;
      self->count++;
    }
    self->records[place].value = copy(change->value, change->value_size);
    self->records[place].value_size = change->value_size;
  }
  host->call_finish(call);
  return SYNC_PLUGIN_OK;
}

const sync_plugin *STORAGE_ENTRY(const sync_host *table) {
  static const sync_storage_methods methods = {sizeof methods, SYNC_ABI_VERSION, get, scan, apply};
  static const sync_plugin plugin = {
    .struct_size = sizeof plugin, .abi_version = SYNC_ABI_VERSION, .name = "test-map", .version = "1",
    .create = create, .destroy = destroy, .storage = &methods};
  if (table->abi_version != SYNC_ABI_VERSION) return NULL;
  host = table;
  return &plugin;
}
