/* What the parts of fuzz.c have in common. */
#ifndef FUZZ_H
#define FUZZ_H

#include <sync.h>
#include <sync/node.h>
#include <sync/plugin.h>

#include "../CABI/check.h"

/* A random number below the bound. [any-thread], as what follows */
uint64_t below(uint64_t bound);
/* A word that is there for ever. */
const char *word(void);
/* A text of several words; the caller's to free. */
char *sentence(void);
/* Destroys the error; whatever is refused has one that says why. */
void want_sentence(sync_status status, sync_error *error);
/* One thing that a plugin may say of a call, of its own or of any. */
void say_any(sync_call *call);
/* With the plugins of this program. */
sync_registry *make_registry(void);

#define TRY(call) \
  do { \
    sync_error *error = NULL; \
    sync_status status_of_call = (call); \
    want_sentence(status_of_call, error); \
  } while (0)

/* Each gives how many checks of its file have failed. */
int fuzz_fields(const char *folder, unsigned count);
int fuzz_checks(unsigned count);
int fuzz_tables(unsigned count);
int fuzz_noisy(const char *folder_of_one, const char *folder_of_four, unsigned lives);
int fuzz_observers(const char *folder, file_bytes configuration, unsigned lives);

#endif
