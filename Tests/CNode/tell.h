/* Calls that are checked, of which a failure tells what was said; each wants an `error` that is NULL. And how to wait
 * for what other threads do. */
#ifndef TELL_H
#define TELL_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sync.h>

#include "../CABI/check.h"

#define SECOND 1000000000ULL

static inline void told(const char *what, sync_status status, sync_error *error) {
  fprintf(stderr, "%s: %d: %s\n", what, (int)status, sync_error_get_message(error));
}

/* Says what was refused, so that a failure can be understood; gives the status. */
static inline sync_status say(const char *what, sync_status status, sync_error **error) {
  if (status != SYNC_OK) told(what, status, *error);
  sync_error_destroy(*error);
  *error = NULL;
  return status;
}

#define OK(call) CHECK(say(#call, (call), &error) == SYNC_OK)

static inline void is_refused(const char *what, sync_status got, sync_status wanted, const char *part,
                           sync_error **error) {
  CHECK(got == wanted);
  CHECK(strstr(sync_error_get_message(*error), part) != NULL);
  if (got != wanted || strstr(sync_error_get_message(*error), part) == NULL) told(what, got, *error);
  sync_error_destroy(*error);
  *error = NULL;
}

#define REFUSED(call, wanted, part) is_refused(#call, (call), (wanted), (part), &error)

/* Whether it is that number within five seconds. */
static inline int becomes(const int *number, int wanted) {
  for (int i = 0; i < 500 && __atomic_load_n(number, __ATOMIC_SEQ_CST) != wanted; i++) usleep(10000);
  return __atomic_load_n(number, __ATOMIC_SEQ_CST) == wanted;
}

static inline int count_folder(const char *path) {
  DIR *folder = opendir(path);
  int count = 0;
  while (folder != NULL && readdir(folder) != NULL) count++;
  if (folder != NULL) closedir(folder);
  return count;
}

/* What a folder of /proc has once it has no more than is wanted, or what it has after fifteen seconds. */
static inline int settled(const char *path, int wanted) {
  int count = count_folder(path);
  for (int i = 0; i < 300 && count > wanted; i++) {
    usleep(50000);
    count = count_folder(path);
  }
  return count;
}

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
