/* usage: vectors FOLDER
 * Runs Tests/Vectors through the library: each proof by each way to verify it, what accepted proofs say, proofs inside
 * files, hand-overs, artifacts' digests. Prints each difference. */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sync.h>

#include "check.h"

static const char *folder;
static int differences;

#define DIFFERS(name, ...) \
  do { \
    differences++; \
    fprintf(stderr, "%s: ", name); \
    fprintf(stderr, __VA_ARGS__); \
    fputc('\n', stderr); \
  } while (0)

static file_bytes read_below(const char *path) {
  char full[4096];
  snprintf(full, sizeof full, "%s/%s", folder, path);
  file_bytes file = read_file(full);
  file.data[file.size] = 0; /* read_file leaves room for it */
  return file;
}

/* Cuts the line at `text` into its fields, in place. Returns the next line, or NULL behind the last one. */
static char *next_line(char *text, char *fields[], size_t wanted, size_t *count) {
  char *end = strchr(text, '\n');
  if (end == NULL) return NULL;
  *end = 0;
  *count = 0;
  for (char *field = text; field != NULL && *count < wanted;) {
    char *tab = strchr(field, '\t');
    if (tab != NULL) *tab++ = 0;
    fields[(*count)++] = field;
    field = tab;
  }
  return end + 1;
}

static int digest_from_hex(const char *hex, uint8_t digest[SYNC_SHA256_SIZE]) {
  if (strlen(hex) != 2 * SYNC_SHA256_SIZE) return 0;
  for (size_t i = 0; i < SYNC_SHA256_SIZE; i++) {
    unsigned byte;
    if (sscanf(hex + 2 * i, "%2x", &byte) != 1) return 0;
    digest[i] = (uint8_t)byte;
  }
  return 1;
}

/* What one way of verifying came to. */
typedef struct {
  sync_status status;
  int64_t offset;
  char message[256];
  sync_verification shown;
} answer;

static const sync_verification nothing_shown = SYNC_VERIFICATION_INIT;

static void take_error(answer *to, sync_error *error) {
  to->offset = sync_error_get_offset(error);
  snprintf(to->message, sizeof to->message, "%s", sync_error_get_message(error));
  if (sync_error_get_code(error) != to->status) to->status = -1;
  sync_error_destroy(error);
}

static uint32_t bits(const uint8_t field[16]) {
  uint32_t count = 0;
  for (size_t i = 0; i < 128; i++) count += (uint32_t)(field[i / 8] >> i % 8) & 1;
  return count;
}

/* The bits name builders behind the first outcome and timed signatures, and the artifact is one that is listed. */
static void check_shown(const char *name, const sync_proof *proof, const sync_verification *shown,
                        const uint8_t artifact[SYNC_SHA256_SIZE]) {
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  if (sync_proof_get_info(proof, &info, NULL) != SYNC_OK) DIFFERS(name, "no info");
  if (shown->verdict != SYNC_VERDICT_REPRODUCED || shown->verdict != info.verdict) DIFFERS(name, "verdict");
  if (shown->leaf_index != info.leaf_index || shown->tree_size != info.tree_size || shown->height != info.height ||
      shown->time_milliseconds != info.time_milliseconds || shown->builders != info.builder_count) {
    DIFFERS(name, "what was verified is not what the proof says");
  }
  if (bits(shown->reproducer_bits) != shown->reproducers || shown->reproducers > info.agreeing) {
    DIFFERS(name, "%u reproducers, %u bits", shown->reproducers, bits(shown->reproducer_bits));
  }
  if (bits(shown->cosigner_bits) != shown->cosigners) {
    DIFFERS(name, "%u cosigners, %u bits", shown->cosigners, bits(shown->cosigner_bits));
  }
  for (uint32_t i = 0; i < 128; i++) {
    if (shown->reproducer_bits[i / 8] >> i % 8 & 1) {
      sync_builder_info builder = {.struct_size = sizeof builder, .abi_version = SYNC_ABI_VERSION};
      if (sync_proof_get_builder(proof, i, &builder, NULL) != SYNC_OK || builder.state != SYNC_BUILDER_REVEALED ||
          builder.outcome != 0) {
        DIFFERS(name, "reproducer %u is none", i);
      }
    }
    if (shown->cosigner_bits[i / 8] >> i % 8 & 1) {
      sync_signature_info signature = {.struct_size = sizeof signature, .abi_version = SYNC_ABI_VERSION};
      if (sync_proof_get_signature(proof, i, &signature, NULL) != SYNC_OK || !signature.is_timed) {
        DIFFERS(name, "cosigner %u is none", i);
      }
    }
  }
  int listed = 0;
  for (uint32_t i = 0; i < info.artifact_count; i++) {
    sync_artifact_info one = {.struct_size = sizeof one, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_artifact(proof, i, &one, NULL) != SYNC_OK) DIFFERS(name, "no artifact %u", i);
    listed |= memcmp(one.sha256, artifact, SYNC_SHA256_SIZE) == 0;
  }
  if (!listed) DIFFERS(name, "the artifact is not listed");
}

static answer one_call(file_bytes policy, file_bytes proof, const uint8_t *artifact) {
  answer got = {.shown = SYNC_VERIFICATION_INIT};
  sync_error *error = NULL;
  got.status = sync_verify(policy.data, policy.size, proof.data, proof.size, artifact, 0, &got.shown, &error);
  take_error(&got, error);
  return got;
}

static answer with_policy(file_bytes policy, file_bytes proof, const uint8_t *artifact) {
  answer got = {.shown = SYNC_VERIFICATION_INIT};
  sync_policy *parsed = NULL;
  sync_error *error = NULL;
  got.status = sync_policy_create(policy.data, policy.size, 0, &parsed, &error);
  if (got.status == SYNC_OK) {
    got.status = sync_policy_verify(parsed, proof.data, proof.size, artifact, 0, &got.shown, &error);
  } else if (parsed != NULL) {
    got.status = -1;
  }
  take_error(&got, error);
  sync_policy_destroy(parsed);
  return got;
}

static answer with_both(const char *name, file_bytes policy, file_bytes proof, const uint8_t *artifact) {
  answer got = {.shown = SYNC_VERIFICATION_INIT};
  sync_policy *parsed = NULL;
  sync_proof *opened = NULL;
  sync_error *error = NULL;
  got.status = sync_policy_create(policy.data, policy.size, 0, &parsed, &error);
  if (got.status == SYNC_OK) {
    got.status = sync_proof_create(proof.data, proof.size, 0, &opened, &error);
    if (got.status != SYNC_OK && opened != NULL) got.status = -1;
  }
  if (opened != NULL) {
    got.status = sync_proof_verify(opened, parsed, artifact, 0, &got.shown, &error);
    if (got.status == SYNC_OK) check_shown(name, opened, &got.shown, artifact);
  }
  take_error(&got, error);
  sync_proof_destroy(opened);
  sync_policy_destroy(parsed);
  return got;
}

static void run_case(const char *name, const char *policy_path, const char *proof_path, const char *sha256,
                     sync_status wanted) {
  uint8_t artifact[SYNC_SHA256_SIZE];
  if (!digest_from_hex(sha256, artifact)) {
    DIFFERS(name, "`%s` is no digest", sha256);
    return;
  }
  file_bytes policy = read_below(policy_path);
  file_bytes proof = read_below(proof_path);
  const answer answers[] = {one_call(policy, proof, artifact), with_policy(policy, proof, artifact),
                            with_both(name, policy, proof, artifact)};
  static const char *const ways[] = {"sync_verify", "sync_policy_verify", "sync_proof_verify"};
  for (size_t i = 0; i < 3; i++) {
    const answer *got = &answers[i];
    if (got->status != wanted) {
      DIFFERS(name, "%s gives %d, not %d: %s", ways[i], got->status, wanted, got->message);
      continue;
    }
    if (got->offset != answers[0].offset) {
      DIFFERS(name, "%s stops at %" PRId64 ", sync_verify at %" PRId64, ways[i], got->offset, answers[0].offset);
    }
    if (memcmp(&got->shown, &answers[0].shown, sizeof got->shown) != 0) DIFFERS(name, "%s shows else", ways[i]);
    if (wanted == SYNC_OK) continue;
    const int64_t longest = (int64_t)(policy.size > proof.size ? policy.size : proof.size);
    if (got->offset < -1 || got->offset > longest) DIFFERS(name, "%s stops at %" PRId64, ways[i], got->offset);
    if (strlen(got->message) < 10) DIFFERS(name, "%s says `%s`", ways[i], got->message);
    if (memcmp(&got->shown, &nothing_shown, sizeof nothing_shown) != 0) DIFFERS(name, "%s shows something", ways[i]);
  }
  free(policy.data);
  free(proof.data);
}

static size_t run_cases(void) {
  file_bytes file = read_below("cases.tsv");
  char *fields[6], *line = (char *)file.data;
  size_t count = 0, cases = 0;
  while ((line = next_line(line, fields, 6, &count)) != NULL) {
    if (fields[0][0] == '#') continue;
    if (count != 6) {
      DIFFERS("cases.tsv", "the line of `%s` has %zu fields", fields[0], count);
      continue;
    }
    run_case(fields[0], fields[1], fields[2], fields[3], (sync_status)strtol(fields[4], NULL, 10));
    cases++;
  }
  free(file.data);
  return cases;
}

/* A text that grows. */
typedef struct {
  char *data;
  size_t size, room;
} listing;

static void say(listing *out, const char *key, const char *value) {
  const size_t more = strlen(key) + strlen(value) + 2;
  if (out->size + more + 1 > out->room) {
    out->room = 2 * (out->size + more + 1);
    char *grown = realloc(out->data, out->room);
    if (grown == NULL) exit(3);
    out->data = grown;
  }
  snprintf(out->data + out->size, more + 1, "%s\t%s\n", key, value);
  out->size += more;
}

static void say_number(listing *out, const char *key, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  say(out, key, text);
}

static void say_digest(listing *out, const char *key, const uint8_t digest[SYNC_SHA256_SIZE]) {
  char text[2 * SYNC_SHA256_SIZE + 1];
  for (size_t i = 0; i < SYNC_SHA256_SIZE; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
  say(out, key, text);
}

/* `builder.3.name`, until the next call. */
static const char *keyed(const char *kind, uint32_t number, const char *field) {
  static char key[64];
  snprintf(key, sizeof key, "%s.%u.%s", kind, number, field);
  return key;
}

static int describe_info(const sync_proof *proof, sync_proof_info *info, listing *out) {
  if (sync_proof_get_info(proof, info, NULL) != SYNC_OK) return 0;
  say(out, "log_origin", info->log_origin);
  say(out, "package", info->package);
  say(out, "package_name", info->package_name);
  say(out, "package_version", info->package_version);
  say(out, "submitter", info->submitter);
  say_digest(out, "job_id", info->job_id);
  say_digest(out, "source_sha256", info->source_sha256);
  say_digest(out, "toolchain_sha256", info->toolchain_sha256);
  say_number(out, "leaf_index", info->leaf_index);
  say_number(out, "tree_size", info->tree_size);
  say_number(out, "epoch", info->epoch);
  say_number(out, "height", info->height);
  say_number(out, "time_milliseconds", info->time_milliseconds);
  say_number(out, "verdict", (uint64_t)info->verdict);
  say_number(out, "agreeing", info->agreeing);
  say_number(out, "reproducers", info->reproducers);
  say_number(out, "builder_count", info->builder_count);
  say_number(out, "artifact_count", info->artifact_count);
  say_number(out, "source_count", info->source_count);
  say_number(out, "signature_count", info->signature_count);
  say_number(out, "outcome_count", info->outcome_count);
  return 1;
}

static int describe(const sync_proof *proof, listing *out) {
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  if (!describe_info(proof, &info, out)) return 0;
  for (uint32_t i = 0; i < info.builder_count; i++) {
    sync_builder_info builder = {.struct_size = sizeof builder, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_builder(proof, i, &builder, NULL) != SYNC_OK) return 0;
    say_number(out, keyed("builder", i, "state"), (uint64_t)builder.state);
    say_number(out, keyed("builder", i, "outcome"), builder.outcome);
    say(out, keyed("builder", i, "name"), builder.name);
    say(out, keyed("builder", i, "sandbox"), builder.sandbox);
    say(out, keyed("builder", i, "processor"), builder.processor);
    say(out, keyed("builder", i, "kernel"), builder.kernel);
    say_digest(out, keyed("builder", i, "outcome_sha256"), builder.outcome_sha256);
  }
  for (uint32_t i = 0; i < info.artifact_count; i++) {
    sync_artifact_info artifact = {.struct_size = sizeof artifact, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_artifact(proof, i, &artifact, NULL) != SYNC_OK) return 0;
    say(out, keyed("artifact", i, "path"), artifact.path);
    say_number(out, keyed("artifact", i, "size"), artifact.size);
    say_number(out, keyed("artifact", i, "mode"), artifact.mode);
    say_digest(out, keyed("artifact", i, "sha256"), artifact.sha256);
  }
  for (uint32_t i = 0; i < info.source_count; i++) {
    sync_source_info source = {.struct_size = sizeof source, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_source(proof, i, &source, NULL) != SYNC_OK) return 0;
    say(out, keyed("source", i, "package"), source.package);
    say(out, keyed("source", i, "origin"), source.origin);
    say_digest(out, keyed("source", i, "tree_sha256"), source.tree_sha256);
    say_digest(out, keyed("source", i, "claimed_sha256"), source.claimed_sha256);
    say_number(out, keyed("source", i, "has_claim"), source.has_claim);
  }
  for (uint32_t i = 0; i < info.signature_count; i++) {
    sync_signature_info signature = {.struct_size = sizeof signature, .abi_version = SYNC_ABI_VERSION};
    if (sync_proof_get_signature(proof, i, &signature, NULL) != SYNC_OK) return 0;
    char key_id[9];
    snprintf(key_id, sizeof key_id, "%08" PRIx32, signature.key_id);
    say(out, keyed("signature", i, "name"), signature.name);
    say(out, keyed("signature", i, "key_id"), key_id);
    say_number(out, keyed("signature", i, "is_timed"), signature.is_timed);
    say_number(out, keyed("signature", i, "time_seconds"), signature.time_seconds);
  }
  return 1;
}

/* The first line in which the two differ. */
static void compare_listing(const char *name, char *wanted, char *got) {
  char *one[1] = {NULL}, *other[1] = {NULL};
  size_t count;
  if (strcmp(wanted, got) == 0) return;
  do {
    wanted = next_line(wanted, one, 1, &count);
    got = next_line(got, other, 1, &count);
  } while (wanted != NULL && got != NULL && strcmp(one[0], other[0]) == 0 &&
           strcmp(one[0] + strlen(one[0]) + 1, other[0] + strlen(other[0]) + 1) == 0);
  if (wanted == NULL || got == NULL) {
    DIFFERS(name, "the description ends early or late");
  } else {
    DIFFERS(name, "wanted `%s` `%s`, got `%s` `%s`", one[0], one[0] + strlen(one[0]) + 1, other[0],
            other[0] + strlen(other[0]) + 1);
  }
}

static size_t run_described(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/described", folder);
  DIR *listed = opendir(path);
  if (listed == NULL) {
    perror(path);
    exit(3);
  }
  size_t described = 0;
  for (const struct dirent *entry; (entry = readdir(listed)) != NULL;) {
    const char *name = entry->d_name;
    const size_t length = strlen(name);
    if (length < 5 || strcmp(name + length - 4, ".txt") != 0) continue;
    snprintf(path, sizeof path, "described/%s", name);
    file_bytes wanted = read_below(path);
    snprintf(path, sizeof path, "proofs/%.*s.tlog-proof", (int)(length - 4), name);
    file_bytes bytes = read_below(path);
    sync_proof *proof = NULL;
    listing got = {NULL, 0, 0};
    if (sync_proof_create(bytes.data, bytes.size, 0, &proof, NULL) != SYNC_OK || !describe(proof, &got)) {
      DIFFERS(name, "cannot be opened or described");
    } else {
      compare_listing(name, (char *)wanted.data, got.data);
    }
    sync_proof_destroy(proof);
    free(got.data);
    free(bytes.data);
    free(wanted.data);
    described++;
  }
  closedir(listed);
  return described;
}

static void run_embedded_file(const char *fields[7]) {
  const char *name = fields[0];
  file_bytes file = read_below(fields[1]);
  const size_t head = file.size < SYNC_EMBEDDED_HEAD_SIZE ? file.size : SYNC_EMBEDDED_HEAD_SIZE;
  const size_t tail = file.size < SYNC_EMBEDDED_TAIL_SIZE ? file.size : SYNC_EMBEDDED_TAIL_SIZE;
  sync_embedded found = {.struct_size = sizeof found, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  const sync_status status = sync_embedded_find(file.data, head, file.data + (file.size - tail), tail, file.size, 0,
                                                &found, &error);
  const sync_status wanted = (sync_status)strtol(fields[6], NULL, 10);
  if (status != wanted) {
    DIFFERS(name, "sync_embedded_find gives %d, not %d: %s", status, wanted, sync_error_get_message(error));
  }
  if (sync_error_get_code(error) != status) DIFFERS(name, "the error has another code");
  sync_error_destroy(error);
  if (found.form != (int32_t)strtol(fields[2], NULL, 10) || found.content_size != strtoull(fields[3], NULL, 10) ||
      found.proof_offset != strtoull(fields[4], NULL, 10) || found.proof_size != strtoull(fields[5], NULL, 10) ||
      found.reserved != 0) {
    DIFFERS(name, "form %d, content %" PRIu64 ", proof %" PRIu64 " at %" PRIu64, found.form, found.content_size,
            found.proof_size, found.proof_offset);
  } else if (status == SYNC_OK && found.form != SYNC_EMBEDDED_NONE) {
    sync_proof *proof = NULL;
    if (sync_proof_create(file.data + found.proof_offset, (size_t)found.proof_size, 0, &proof, NULL) != SYNC_OK) {
      DIFFERS(name, "what is embedded is no proof");
    }
    sync_proof_destroy(proof);
  }
  free(file.data);
}

static size_t run_embedded(void) {
  file_bytes file = read_below("embedded.tsv");
  char *fields[7], *line = (char *)file.data;
  size_t count = 0, files = 0;
  while ((line = next_line(line, fields, 7, &count)) != NULL) {
    if (fields[0][0] == '#') continue;
    if (count != 7) {
      DIFFERS("embedded.tsv", "the line of `%s` has %zu fields", fields[0], count);
      continue;
    }
    run_embedded_file((const char **)fields);
    files++;
  }
  free(file.data);
  return files;
}

/* Follows the hand-overs at the paths, which spaces divide. *policy becomes what they lead to, and those before it are
 * freed; where one is refused it stays the last that was accepted. */
static answer follow_all(const char *name, sync_policy **policy, uint64_t epoch, char *paths) {
  answer got = {.shown = SYNC_VERIFICATION_INIT};
  for (char *path = paths; path != NULL && got.status == SYNC_OK; epoch++) {
    char *space = strchr(path, ' ');
    if (space != NULL) *space++ = 0;
    file_bytes handover = read_below(path);
    sync_policy *next = NULL;
    sync_error *error = NULL;
    got.status = sync_policy_follow(*policy, epoch, handover.data, handover.size, 0, &next, &error);
    if ((got.status == SYNC_OK) != (next != NULL)) DIFFERS(name, "status %d, and a policy or none", got.status);
    take_error(&got, error);
    if (got.offset < -1 || got.offset > (int64_t)handover.size) DIFFERS(name, "stops at %" PRId64, got.offset);
    free(handover.data);
    if (next != NULL) {
      sync_policy_destroy(*policy);
      *policy = next;
    }
    path = space;
  }
  return got;
}

/* By a parsed policy, both ways. */
static answer verify_by(const char *name, const sync_policy *policy, file_bytes proof, const uint8_t *artifact) {
  answer got = {.shown = SYNC_VERIFICATION_INIT}, opened = got;
  sync_proof *parsed = NULL;
  sync_error *error = NULL;
  got.status = sync_policy_verify(policy, proof.data, proof.size, artifact, 0, &got.shown, &error);
  take_error(&got, error);
  error = NULL;
  opened.status = sync_proof_create(proof.data, proof.size, 0, &parsed, &error);
  if (opened.status == SYNC_OK) {
    opened.status = sync_proof_verify(parsed, policy, artifact, 0, &opened.shown, &error);
    if (opened.status == SYNC_OK) check_shown(name, parsed, &opened.shown, artifact);
  }
  take_error(&opened, error);
  sync_proof_destroy(parsed);
  if (opened.status != got.status || memcmp(&opened.shown, &got.shown, sizeof got.shown) != 0) {
    DIFFERS(name, "sync_proof_verify gives %d, sync_policy_verify %d, or they show else", opened.status, got.status);
  }
  return got;
}

/* name, policy, epoch, handovers, proof, sha256hex, status, why */
static void run_handover(char *fields[8]) {
  const char *name = fields[0];
  const int is_followed = strcmp(fields[3], "-") != 0, is_verified = strcmp(fields[4], "-") != 0;
  const sync_status wanted = (sync_status)strtol(fields[6], NULL, 10);
  uint8_t artifact[SYNC_SHA256_SIZE] = {0};
  if (is_verified && !digest_from_hex(fields[5], artifact)) DIFFERS(name, "`%s` is no digest", fields[5]);
  file_bytes bytes = read_below(fields[1]);
  sync_policy *policy = NULL;
  if (sync_policy_create(bytes.data, bytes.size, 0, &policy, NULL) != SYNC_OK) DIFFERS(name, "no policy");
  free(bytes.data);
  answer got = {.shown = SYNC_VERIFICATION_INIT};
  if (is_followed) got = follow_all(name, &policy, strtoull(fields[2], NULL, 10), fields[3]);
  if (is_verified && got.status == SYNC_OK) {
    bytes = read_below(fields[4]);
    got = verify_by(name, policy, bytes, artifact);
    free(bytes.data);
  }
  sync_policy_destroy(policy);
  if (got.status != wanted) DIFFERS(name, "status %d, not %d: %s", got.status, wanted, got.message);
  if (wanted != SYNC_OK && strlen(got.message) < 10) DIFFERS(name, "says `%s`", got.message);
  if (wanted != SYNC_OK && memcmp(&got.shown, &nothing_shown, sizeof nothing_shown) != 0) {
    DIFFERS(name, "shows something");
  }
}

static size_t run_handovers(void) {
  file_bytes file = read_below("handovers.tsv");
  char *fields[8], *line = (char *)file.data;
  size_t count = 0, rows = 0;
  while ((line = next_line(line, fields, 8, &count)) != NULL) {
    if (fields[0][0] == '#') continue;
    if (count != 8) {
      DIFFERS("handovers.tsv", "the line of `%s` has %zu fields", fields[0], count);
      continue;
    }
    run_handover(fields);
    rows++;
  }
  free(file.data);
  return rows;
}

/* The files in artifacts/ are named after their digests. */
static void run_hasher(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/artifacts", folder);
  DIR *listed = opendir(path);
  if (listed == NULL) return;
  sync_hasher *hasher = NULL;
  if (sync_hasher_create(0, &hasher, NULL) != SYNC_OK) exit(3);
  for (const struct dirent *entry; (entry = readdir(listed)) != NULL;) {
    uint8_t wanted[SYNC_SHA256_SIZE], got[SYNC_SHA256_SIZE];
    if (!digest_from_hex(entry->d_name, wanted)) continue;
    snprintf(path, sizeof path, "artifacts/%s", entry->d_name);
    file_bytes file = read_below(path);
    for (size_t at = 0, piece = 1; at < file.size; at += piece, piece = piece * 2 + 1) {
      if (piece > file.size - at) piece = file.size - at;
      if (sync_hasher_update(hasher, file.data + at, piece, NULL) != SYNC_OK) DIFFERS(entry->d_name, "update");
    }
    if (sync_hasher_finish(hasher, got, NULL) != SYNC_OK || memcmp(got, wanted, sizeof got) != 0) {
      DIFFERS(entry->d_name, "the hasher gives another digest");
    }
    free(file.data);
  }
  sync_hasher_destroy(hasher);
  closedir(listed);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  folder = argv[1];
  const size_t cases = run_cases(), described = run_described(), embedded = run_embedded();
  const size_t handovers = run_handovers();
  run_hasher();
  printf("vectors: %zu cases, %zu described, %zu embedded, %zu rows of hand-overs", cases, described, embedded,
         handovers);
  if (differences > 0) printf("; %d differences", differences);
  putchar('\n');
  return differences == 0 && cases > 0 && described > 0 && embedded > 0 && handovers > 0 ? 0 : 1;
}
