// Process 1 of a Docker sandbox's container, as the bytes of an executable file.
#ifndef SYNC_DOCKER_INIT_H
#define SYNC_DOCKER_INIT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The file's bytes, which live as long as the program; `*count` is how many. NULL on a processor without one.
///
/// The program is called as `PATH NAME=VALUE… "" PROGRAM ARGUMENT…`. It removes PATH, hides itself from the build,
/// runs PROGRAM with output and errors joined in its output, tells the end on its errors as `end ` and the wait status
/// in four hexadecimal digits, reaps whatever ends, and stays until it is killed.
const void *synchronicity_docker_init(size_t *count);

/// Where in those bytes the bounds lie that the program sets before anything else, and of how many bytes they are: for
/// each the resource's number, the soft and the hard bound, as little-endian numbers of 8 bytes. To be written before
/// the file is; one that is above the bound that the program is started with is left as it is.
size_t synchronicity_docker_init_bounds_at(size_t *count);

#ifdef __cplusplus
}
#endif

#endif
