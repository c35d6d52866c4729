/* A group of builders in one process: group PROOFS PACKAGE… -- FOLDER…
 *
 * Each FOLDER holds a builder as `synchronicity init` and `group join` make it; make-group.sh makes four of them. The
 * first has each PACKAGE rebuilt by all, and PROOFS/NUMBER.tlog-proof is the proof of the package at that place. What
 * happens at each builder is told on standard error, with the first digits of the job. Exit code 0: all were
 * reproduced; 1: one was not, or something failed; 2: wrong usage.
 *
 *   cc -o group group.c $(pkg-config --cflags --libs libsync) -pthread */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sync.h>
#include <sync/node.h>

enum { BUILDERS_MAX = 16, PACKAGES_MAX = 256, CONFIGURATION_BYTES_MAX = 1 << 20, EVENTS_WAITING = 1024 };
#define SECOND 1000000000ULL
/* So long a builder waits for the others before the first package, and a package to be taken. */
#define PATIENCE (60 * SECOND)

typedef struct {
  const char *folder;
  sync_node *node;
  sync_events *events;
  sem_t has_told_all;
} builder;

static builder builders[BUILDERS_MAX];
static size_t builders_count;
/* Lines of several builders do not run into each other. */
static pthread_mutex_t lines = PTHREAD_MUTEX_INITIALIZER;

/* A pointer to the error, since C may look at it before it makes the call. */
static void check(const char *whose, sync_status status, sync_error **error) {
  if (status == SYNC_OK) return;
  fprintf(stderr, "%s: %s\n", whose, sync_error_get_message(*error));
  exit(1);
}

/* Called on a thread of the builder's own, with NULL behind its last event. */
static void tell(void *user_data, const sync_event *event) {
  static const char *const words[] = {
    [SYNC_EVENT_ORDERED] = "ordered", [SYNC_EVENT_COMMITTED] = "committed", [SYNC_EVENT_ABSTAINED] = "abstained",
    [SYNC_EVENT_REVEALING] = "revealing", [SYNC_EVENT_REVEALED] = "revealed", [SYNC_EVENT_VERDICT] = "verdict",
    [SYNC_EVENT_LOGGED] = "logged", [SYNC_EVENT_COSIGNED] = "cosigned", [SYNC_EVENT_MISBEHAVIOUR] = "misbehaviour",
    [SYNC_EVENT_EPOCH_ENDED] = "epoch ended", [SYNC_EVENT_FAULT] = "fault"};
  builder *self = user_data;
  if (event == NULL) {
    sem_post(&self->has_told_all);
    return;
  }
  /* Kinds of later versions have no word here. */
  if (event->kind < 1 || (size_t)event->kind >= sizeof words / sizeof words[0]) return;
  static const uint8_t none[sizeof event->job];
  char job[16] = "";
  if (memcmp(event->job, none, sizeof none) != 0)
    snprintf(job, sizeof job, "%02x%02x%02x%02x ", event->job[0], event->job[1], event->job[2], event->job[3]);
  pthread_mutex_lock(&lines);
  fprintf(stderr, "%s: %s%s %s\n", self->folder, job, words[event->kind], event->text);
  if (event->dropped > 0) fprintf(stderr, "%s: %u events before it were lost\n", self->folder, event->dropped);
  pthread_mutex_unlock(&lines);
}

static void create(builder *self) {
  char path[4096];
  static char text[CONFIGURATION_BYTES_MAX];
  snprintf(path, sizeof path, "%s/config.toml", self->folder);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  size_t size = fread(text, 1, sizeof text, file);
  fclose(file);
  sem_init(&self->has_told_all, 0, 0);
  sync_error *error = NULL;
  check(self->folder, sync_node_create((const uint8_t *)text, size, self->folder, NULL, NULL, &self->node, &error),
        &error);
  check(self->folder, sync_node_observe(self->node, EVENTS_WAITING, tell, self, &self->events, &error), &error);
}

/* Until each builder is connected with all others, as far as that is still to be expected. */
static void wait_for_peers(void) {
  for (size_t i = 0; i < builders_count; i++) {
    sync_node_status status = SYNC_NODE_STATUS_INIT;
    sync_error *error = NULL;
    for (uint64_t waited = 0; waited < PATIENCE; waited += SECOND / 20) {
      check(builders[i].folder, sync_node_get_status(builders[i].node, &status, &error), &error);
      if (status.connected_peers + 1 >= status.replicas) break;
      usleep(50000);
    }
  }
}

static void write_proof(const char *folder, size_t number, const uint8_t *job) {
  char path[4096];
  sync_bytes *proof = NULL;
  sync_error *error = NULL;
  check("the proof", sync_node_copy_proof(builders[0].node, job, &proof, &error), &error);
  snprintf(path, sizeof path, "%s/%zu.tlog-proof", folder, number);
  FILE *file = fopen(path, "wb");
  size_t size = sync_bytes_get_size(proof);
  if (file == NULL || fwrite(sync_bytes_get_start(proof), 1, size, file) != size || fclose(file) != 0) {
    perror(path);
    exit(1);
  }
  sync_bytes_destroy(proof);
}

/* All are given at once, and are rebuilt side by side as far as cores and memory go. */
static int rebuild(const char *proofs, char **packages, size_t count) {
  static uint8_t jobs[PACKAGES_MAX][32];
  int are_reproduced = 1;
  sync_error *error = NULL;
  for (size_t i = 0; i < count; i++) {
    sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
    request.package = packages[i];
    check(packages[i], sync_node_submit(builders[0].node, &request, PATIENCE, jobs[i], &error), &error);
  }
  for (size_t i = 0; i < count; i++) {
    sync_job_status status = SYNC_JOB_STATUS_INIT;
    check(packages[i],
          sync_node_wait(builders[0].node, jobs[i], SYNC_PHASE_COSIGNED, SYNC_FOREVER, &status, &error), &error);
    int is_reproduced = status.verdict == SYNC_VERDICT_REPRODUCED;
    write_proof(proofs, i + 1, jobs[i]);
    printf("%s: %s, %u builders agree, leaf %llu\n", packages[i], is_reproduced ? "reproduced" : "not reproduced",
           status.agreeing, (unsigned long long)status.leaf_index);
    are_reproduced &= is_reproduced;
  }
  return are_reproduced;
}

int main(int count, char **arguments) {
  int middle = 2;
  while (middle < count && strcmp(arguments[middle], "--") != 0) middle++;
  size_t packages = middle > 2 ? (size_t)middle - 2 : 0;
  builders_count = count > middle + 1 ? (size_t)(count - middle - 1) : 0;
  if (packages < 1 || packages > PACKAGES_MAX || builders_count < 1 || builders_count > BUILDERS_MAX) {
    fprintf(stderr, "usage: group PROOFS PACKAGE... -- FOLDER...\n");
    return 2;
  }
  sync_error *error = NULL;
  for (size_t i = 0; i < builders_count; i++) {
    builders[i].folder = arguments[middle + 1 + (int)i];
    create(&builders[i]);
  }
  for (size_t i = 0; i < builders_count; i++)
    check(builders[i].folder, sync_node_start(builders[i].node, &error), &error);
  wait_for_peers();
  int are_reproduced = rebuild(arguments[1], arguments + 2, packages);
  /* Each ends its connections and its journal. What it has told until then is heard, and then that this is all. */
  for (size_t i = 0; i < builders_count; i++) sync_node_destroy(builders[i].node);
  for (size_t i = 0; i < builders_count; i++) {
    sem_wait(&builders[i].has_told_all);
    sync_events_destroy(builders[i].events);
  }
  return are_reproduced ? 0 : 1;
}
