/* short FOLDER: a structure that says that it is larger than the memory it lies in, which scripts/check-addresses wants
 * to be noticed: what libsync reads of it is read by instrumented Swift. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sync.h>
#include <sync/node.h>

int main(int count, char **words) {
  if (count != 2) return 2;
  sync_node_options whole = SYNC_NODE_OPTIONS_INIT;
  size_t size = sizeof whole - sizeof(void *);
  sync_node_options *options = malloc(size);
  if (!options) return 3;
  memcpy(options, &whole, size);
  sync_node *node = NULL;
  sync_error *error = NULL;
  const uint8_t text[] = "";
  sync_status status = sync_node_create(text, 0, words[1], NULL, options, &node, &error);
  printf("status %d, and nothing noticed\n", status);
  sync_error_destroy(error);
  free(options);
  return 0;
}
