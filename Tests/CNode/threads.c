/* A program that has as many threads as it may: threads FOLDER. For a while no thread can be made; what waits for one
 * goes on behind that, and nothing is lost. Linked with -rdynamic, so that the library finds this pthread_create.
 *
 * FOLDER holds fir, a group of one, and plugins, with test-echo and test-words, as scripts/check-node makes them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <sync.h>
#include <sync/node.h>

#include "tell.h"

static atomic_int left, refused;

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *with) {
  if (atomic_load(&left) > 0) {
    atomic_fetch_sub(&left, 1);
    atomic_fetch_add(&refused, 1);
    return EAGAIN;
  }
  create *real;
  *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, run, with);
}

int main(int count, char **words) {
  if (count != 2) return 2;
  char folder[4100], path[4200];
  static char configuration[65536];
  snprintf(folder, sizeof folder, "%s/fir", words[1]);
  snprintf(path, sizeof path, "%s/config.toml", folder);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 2;
  size_t size = fread(configuration, 1, sizeof configuration - 1, file);
  fclose(file);

  sync_error *error = NULL;
  sync_node *node = NULL;
  OK(sync_node_create((const uint8_t *)configuration, size, folder, NULL, NULL, &node, &error));
  OK(sync_node_start(node, &error));
  /* Its plugins have been called by now and have threads; a build wants more. */
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = "pkg:echo/fine@1";
  uint8_t job[32];
  request.rebuild = 1000;
  atomic_store(&left, 10);
  OK(sync_node_submit(node, &request, 60 * SECOND, job, &error));
  OK(sync_node_wait(node, job, SYNC_PHASE_COSIGNED, 60 * SECOND, NULL, &error));
  CHECK(atomic_load(&refused) == 10);
  /* To stop may want threads, too, or find enough of them. */
  atomic_store(&left, 5);
  OK(sync_node_stop(node, 60 * SECOND, &error));
  sync_node_destroy(node);
  printf("%d checks, %d failed, %d threads refused\n", checks, failures, atomic_load(&refused));
  return failures != 0;
}
