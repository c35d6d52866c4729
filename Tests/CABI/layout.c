/* Prints the size and the offsets of every open struct; compared with layout.txt, which only ever grows at its end. */
#include <stddef.h>
#include <stdio.h>
#include <sync.h>

#define SIZE(type) printf("%s size %zu\n", #type, sizeof(type))
#define FIELD(type, field) \
  printf("%s.%s at %zu size %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field))

int main(void) {
  SIZE(sync_status);
  SIZE(sync_verification);
  FIELD(sync_verification, struct_size);
  FIELD(sync_verification, abi_version);
  FIELD(sync_verification, verdict);
  FIELD(sync_verification, cosigners);
  FIELD(sync_verification, reproducers);
  FIELD(sync_verification, builders);
  FIELD(sync_verification, leaf_index);
  FIELD(sync_verification, tree_size);
  FIELD(sync_verification, height);
  FIELD(sync_verification, time_milliseconds);
  return 0;
}
