/* embed FOLDER PACKAGE: runs the builder in FOLDER, has PACKAGE rebuilt, and writes its proof to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sync.h>
#include <sync/node.h>

#define SECOND 1000000000ULL

static void check(sync_status status, sync_error *error) {
  if (status == SYNC_OK) return;
  fprintf(stderr, "embed: %s\n", sync_error_get_message(error));
  exit(1);
}

int main(int count, char **arguments) {
  char path[4096], text[65536];
  if (count != 3) return 2;
  /* As `synchronicity init` writes it; its paths are relative to the folder. */
  snprintf(path, sizeof path, "%s/config.toml", arguments[1]);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 3;
  size_t size = fread(text, 1, sizeof text, file);
  fclose(file);

  sync_error *error = NULL;
  sync_node *node = NULL;
  check(sync_node_create((const uint8_t *)text, size, arguments[1], NULL, NULL, &node, &error), error);
  check(sync_node_start(node, &error), error);

  uint8_t job[32];
  sync_submit_request request = SYNC_SUBMIT_REQUEST_INIT;
  request.package = arguments[2];
  check(sync_node_submit(node, &request, 600 * SECOND, job, &error), error);

  sync_job_status status = SYNC_JOB_STATUS_INIT;
  check(sync_node_wait(node, job, SYNC_PHASE_COSIGNED, SYNC_FOREVER, &status, &error), error);
  sync_bytes *proof = NULL;
  check(sync_node_copy_proof(node, job, &proof, &error), error);
  fwrite(sync_bytes_get_start(proof), 1, sync_bytes_get_size(proof), stdout);
  sync_bytes_destroy(proof);

  sync_node_destroy(node);
  return status.verdict == SYNC_VERDICT_REPRODUCED ? 0 : 1;
}
