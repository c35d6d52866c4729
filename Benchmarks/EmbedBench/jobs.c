/* Runs the nodes of some folders in one process: jobs RUN JOBS PEERS FOLDER...
 *
 * With JOBS the first node is given so many rebuilds of one package, eight at once, as soon as it has PEERS; the jobs
 * that were cosigned in a second are printed, and the milliseconds of the middle one; FOLDER/proof is the proof of one
 * more. RUN makes them new ones. Without, the nodes run until the input ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sync/node.h>

enum { NODES_MAX = 16, CONFIGURATION_BYTES = 65536, AT_ONCE = 8, JOBS_MAX = 10000 };
#define SECOND 1000000000ULL

static sync_node *nodes[NODES_MAX];
static unsigned long run, jobs, taken;
static double times[JOBS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void need(sync_status status, const sync_error *error) {
  if (status == SYNC_OK) return;
  fprintf(stderr, "jobs: %s\n", sync_error_get_message(error));
  exit(3);
}

static void one_job(unsigned long number, uint8_t *job) {
  sync_error *error = NULL;
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  request.rebuild = run * 1000000 + number;
  double start = now();
  need(sync_node_submit(nodes[0], &request, 60 * SECOND, job, &error), error);
  need(sync_node_wait(nodes[0], job, SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error), error);
  times[number] = now() - start;
}

static void *some_jobs(void *unused) {
  for (;;) {
    pthread_mutex_lock(&lock);
    unsigned long number = taken++;
    pthread_mutex_unlock(&lock);
    uint8_t job[32];
    if (number >= jobs) return unused;
    one_job(number, job);
  }
}

static double all_jobs(void) {
  pthread_t threads[AT_ONCE];
  double start = now();
  for (int i = 0; i < AT_ONCE; i++)
    if (pthread_create(&threads[i], NULL, some_jobs, NULL) != 0) exit(3);
  for (int i = 0; i < AT_ONCE; i++) pthread_join(threads[i], NULL);
  return now() - start;
}

static void write_proof(const char *folder, const uint8_t *job) {
  char path[4096];
  sync_bytes *proof = NULL;
  sync_error *error = NULL;
  need(sync_node_copy_proof(nodes[0], job, &proof, &error), error);
  snprintf(path, sizeof path, "%s/proof", folder);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(sync_bytes_get_start(proof), sync_bytes_get_size(proof), 1, file) != 1) exit(3);
  if (fclose(file) != 0) exit(3);
  sync_bytes_destroy(proof);
}

static int ascending(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

int main(int count, char **arguments) {
  int folders = count - 4;
  if (folders < 1 || folders > NODES_MAX) return 2;
  run = strtoul(arguments[1], NULL, 10), jobs = strtoul(arguments[2], NULL, 10);
  if (jobs > JOBS_MAX - 1) return 2;
  static char text[CONFIGURATION_BYTES];
  sync_error *error = NULL;
  for (int i = 0; i < folders; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/config.toml", arguments[4 + i]);
    FILE *file = fopen(path, "rb");
    if (file == NULL) return 3;
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    need(sync_node_create((const uint8_t *)text, size, arguments[4 + i], NULL, NULL, &nodes[i], &error), error);
  }
  for (int i = 0; i < folders; i++) need(sync_node_start(nodes[i], &error), error);
  if (jobs > 0) {
    sync_node_status status = SYNC_NODE_STATUS_INIT;
    for (int i = 0; i < 1200 && status.connected_peers < (uint32_t)atoi(arguments[3]); i++) {
      usleep(50000);
      need(sync_node_get_status(nodes[0], &status, &error), error);
    }
    /* The first one connects what is not connected yet. */
    uint8_t job[32];
    one_job(jobs, job);
    write_proof(arguments[4], job);
    double took = all_jobs();
    qsort(times, jobs, sizeof times[0], ascending);
    printf("%.2f %.1f\n", (double)jobs / took * 1e3, times[jobs / 2]);
  } else {
    while (getchar() != EOF) {}
  }
  for (int i = 0; i < folders; i++) sync_node_destroy(nodes[i]);
  return 0;
}
