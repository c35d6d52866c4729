/* node FOLDER: makes the builder of FOLDER, as `synchronicity init` and `group join` have prepared it, has it take part
 * in its group of one, and ends it. */
#include <stdio.h>
#include <string.h>

#include <sync.h>
#include <sync/node.h>

#define SECOND 1000000000ULL

static int refused(const char *what, sync_error *error) {
  fprintf(stderr, "%s: %s\n", what, sync_error_get_message(error));
  sync_error_destroy(error);
  return 1;
}

int main(int count, char **arguments) {
  char path[4096], text[65536];
  if (count != 2) return 2;
  snprintf(path, sizeof path, "%s/config.toml", arguments[1]);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 3;
  size_t size = fread(text, 1, sizeof text, file);
  fclose(file);

  sync_error *error = NULL;
  sync_node *node = NULL;
  if (sync_node_create((const uint8_t *)text, size, arguments[1], NULL, NULL, &node, &error) != SYNC_OK)
    return refused("create", error);
  if (sync_node_start(node, &error) != SYNC_OK) {
    sync_node_destroy(node);
    return refused("start", error);
  }
  sync_node_status status = SYNC_NODE_STATUS_INIT;
  if (sync_node_get_status(node, &status, &error) != SYNC_OK) return refused("status", error);
  if (status.state != SYNC_NODE_RUNNING || status.replicas != 1 || status.quorum != 1) {
    fprintf(stderr, "status: state %d, %u replicas, quorum %u; wanted %d, 1, 1\n", (int)status.state, status.replicas,
            status.quorum, SYNC_NODE_RUNNING);
    return 1;
  }
  if (sync_node_stop(node, 20 * SECOND, &error) != SYNC_OK) return refused("stop", error);
  sync_node_destroy(node);
  puts("a node of a group of one has run");
  return 0;
}
