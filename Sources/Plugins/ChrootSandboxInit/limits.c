// How long what watches a limit may rest. A look takes some 50 us of a core that a build wants: at a fixed pace of 5 ms
// and 20 ms the looks took 2 % of it.
#include "launcher.h"

#include <unistd.h>

static uint64_t cores = 1;

void count_cores(void) {
  long found = sysconf(_SC_NPROCESSORS_ONLN);
  if (found > 0) cores = (uint64_t)found;
}

uint64_t rest_for_bytes(uint64_t bytes) { return bytes / (8 * cores); }

uint64_t rest_for_files(uint64_t files) {
  return (files > UINT64_MAX / 1000 ? UINT64_MAX : files * 1000) / cores;
}

uint64_t rest_for_processor(uint64_t nanoseconds) { return nanoseconds / cores; }

uint64_t rest_between(uint64_t least, uint64_t wanted, uint64_t most) {
  return wanted < least ? least : wanted > most ? most : wanted;
}
