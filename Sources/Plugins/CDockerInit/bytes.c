#include "CDockerInit.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
extern const unsigned char synchronicity_docker_init_begin[], synchronicity_docker_init_end[];
extern const unsigned char synchronicity_docker_init_bounds[], synchronicity_docker_init_bounds_end[];

const void *synchronicity_docker_init(size_t *count) {
  *count = (size_t)(synchronicity_docker_init_end - synchronicity_docker_init_begin);
  return synchronicity_docker_init_begin;
}

size_t synchronicity_docker_init_bounds_at(size_t *count) {
  *count = (size_t)(synchronicity_docker_init_bounds_end - synchronicity_docker_init_bounds);
  return (size_t)(synchronicity_docker_init_bounds - synchronicity_docker_init_begin);
}
#else
const void *synchronicity_docker_init(size_t *count) {
  *count = 0;
  return NULL;
}

size_t synchronicity_docker_init_bounds_at(size_t *count) {
  *count = 0;
  return 0;
}
#endif
