// Attempts to leave a sandbox, each of them harmless where it works.
#ifndef SYNCHRONICITY_ESCAPE_H
#define SYNCHRONICITY_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum Result { REFUSED, WORKED };

struct Attempt {
  const char *name;
  enum Result (*make)(const char *argument);
};

// Shown to work without a sandbox: what would change the host is done in namespaces of its own, or staged.
extern bool is_outside;

// Where something of process 1 is tried inside, a child of its own stands in for it outside.
pid_t victim(void);
void go_apart(int flags);
// `count` is what a call gave back, or -1 with errno.
enum Result worked_if(bool condition);
// As `worked_if(result >= 0)`, or when the call got past the question of permission to the error that it must end with.
enum Result got_past(long result, int error);

extern const struct Attempt call_attempts[], process_attempts[], reach_attempts[];
int serve(const char *path, const char *abstract);
int linger(void);

#endif
