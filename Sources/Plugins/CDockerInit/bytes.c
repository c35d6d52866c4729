#include "CDockerInit.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
extern const unsigned char sync_docker_init_begin[], sync_docker_init_end[], sync_docker_init_bounds[],
  sync_docker_init_bounds_end[];

const void *sync_docker_init(size_t *count) {
  *count = (size_t)(sync_docker_init_end - sync_docker_init_begin);
  return sync_docker_init_begin;
}

size_t sync_docker_init_bounds_at(size_t *count) {
  *count = (size_t)(sync_docker_init_bounds_end - sync_docker_init_bounds);
  return (size_t)(sync_docker_init_bounds - sync_docker_init_begin);
}
#else
const void *sync_docker_init(size_t *count) {
  *count = 0;
  return NULL;
}

size_t sync_docker_init_bounds_at(size_t *count) {
  *count = 0;
  return 0;
}
#endif
