/*
 * The few things that checking an artifact wants of the operating system, for Swift with and without a runtime: opening
 * without waiting and without following links, reading, what a file is, the names in a folder.
 *
 * A result below 0 is -errno. A call that a signal interrupts is made again.
 */
#ifndef CVERIFYFILES_H
#define CVERIFYFILES_H

#include <stddef.h>
#include <stdint.h>

#define VF_REGULAR 0
#define VF_FOLDER 1
#define VF_LINK 2
#define VF_PIPE 3
#define VF_DEVICE 4
#define VF_SOCKET 5

/* What can be known of a file without reading it; two equal values mean that it has not changed between them. */
struct vf_info {
  int32_t kind; /* a VF_ number */
  uint32_t mode; /* the permission bits, at most 07777 */
  uint64_t size;
  uint64_t device;
  uint64_t inode;
  int64_t modified_seconds;
  int64_t modified_nanoseconds;
  int64_t changed_seconds;
  int64_t changed_nanoseconds;
};

/* A folder to begin at: the working one. */
int vf_here(void);

/* Opens for reading, without waiting for whoever writes into a pipe; below the folder, without following a link that
 * the last name may be. */
int vf_open(const char *path);
int vf_open_below(int folder, const char *name);
int vf_open_folder_below(int folder, const char *name);

int vf_get_info(int file, struct vf_info *info);
int vf_get_info_below(int folder, const char *name, struct vf_info *info);

/* Fewer bytes than asked for, 0 at the end; the second from an offset, as many as there are. */
ptrdiff_t vf_read(int file, void *bytes, size_t size);
ptrdiff_t vf_read_at(int file, void *bytes, size_t size, uint64_t offset);

/* Waits until there is something to read, at most so long: 1, or 0 if nothing came. Reads wait from then on. */
int vf_wait(int file, int seconds);

/* Seconds of a clock that nobody sets. */
int64_t vf_now(void);

/* Writes everything: 0. */
int vf_write(int file, const void *bytes, size_t size);

void vf_close(int file);

/* The names in a folder, in no order, "." and ".." left out. Takes over the descriptor, if it succeeds. */
struct vf_names;
struct vf_names *vf_names_open(int folder);
/* The next name, valid until the next call, or NULL at the end and where *error is below 0. */
const char *vf_names_next(struct vf_names *names, int *error);
void vf_names_close(struct vf_names *names);

/* A sentence's part about -errno; lives as long as the program, or until the next call. */
const char *vf_reason(int error);
int vf_is_missing(int error);
int vf_is_broken_pipe(int error);

/* Lets a write into a pipe that nobody reads fail, where it would end the program. */
void vf_ignore_broken_pipes(void);

#endif
