/* usage: processes ROUNDS PROGRAM [ARGUMENT…] [-- PROGRAM [ARGUMENT…]]…
 * Runs each command to its end, in turns, and prints for each a line with its median time on the clock and its median
 * processor time, in microseconds. Every run must succeed. What the commands print is dropped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;
enum { commands_max = 8, rounds_max = 10000 };

static double wall[commands_max][rounds_max], processor[commands_max][rounds_max];

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *times, int count) {
  qsort(times, (size_t)count, sizeof *times, compare);
  return times[count / 2];
}

static double microseconds(struct timeval time) { return (double)time.tv_sec * 1e6 + (double)time.tv_usec; }

static void run(char **command, const posix_spawn_file_actions_t *actions, double *clock, double *used) {
  struct timespec start, end;
  struct rusage usage;
  pid_t child;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &start);
  int error = posix_spawnp(&child, command[0], actions, NULL, command, environ);
  if (error != 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
    fprintf(stderr, "processes: %s: %s\n", command[0], error != 0 ? strerror(error) : "failed");
    exit(1);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  *clock = (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
  *used = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

int main(int argc, char **argv) {
  int rounds = argc > 2 ? atoi(argv[1]) : 0, count = 0;
  if (rounds < 1 || rounds > rounds_max) return 2;
  char **commands[commands_max];
  commands[count++] = argv + 2;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--") != 0) continue;
    if (count == commands_max || i + 1 == argc) return 2;
    argv[i] = NULL;
    commands[count++] = argv + i + 1;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (int round = -1; round < rounds; round++) {
    for (int i = 0; i < count; i++) {
      /* The first round warms the caches up. */
      int at = round < 0 ? 0 : round;
      run(commands[i], &actions, &wall[i][at], &processor[i][at]);
    }
  }
  for (int i = 0; i < count; i++) printf("%.1f %.1f\n", median(wall[i], rounds), median(processor[i], rounds));
  posix_spawn_file_actions_destroy(&actions);
  return 0;
}
