/* Policies, proofs, and where in a file a proof is. */
#include "addon.h"

/* A parsed object holds about its text again, taken apart: the garbage collector wants to know the order of size. */
#define PARSED_BYTES(size) (1024 + 3 * (size))

napi_value policy_create(napi_env env, napi_callback_info call) {
  napi_value argument;
  byte_view text;
  if (!get_arguments(env, call, 1, &argument) || !get_bytes(env, argument, &text)) return NULL;
  sync_policy *policy = NULL;
  sync_error *error = NULL;
  sync_status status = sync_policy_create(text.data, text.size, 0, &policy, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  return wrap(env, BOX_POLICY, policy, PARSED_BYTES(text.size));
}

/* policyFollow(policy, epoch, hand-over's bytes): another policy. */
napi_value policy_follow(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  box *held;
  uint64_t epoch;
  byte_view text;
  if (!get_arguments(env, call, 3, arguments) || !unwrap(env, arguments[0], BOX_POLICY, &held) ||
      !get_uint64(env, arguments[1], &epoch) || !get_bytes(env, arguments[2], &text)) {
    return NULL;
  }
  sync_policy *policy = NULL;
  sync_error *error = NULL;
  sync_status status = sync_policy_follow(held->object, epoch, text.data, text.size, 0, &policy, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  /* It holds the policies before it, too. */
  return wrap(env, BOX_POLICY, policy, (size_t)held->accounted + PARSED_BYTES(text.size));
}

napi_value proof_create(napi_env env, napi_callback_info call) {
  napi_value argument;
  byte_view text;
  if (!get_arguments(env, call, 1, &argument) || !get_bytes(env, argument, &text)) return NULL;
  sync_proof *proof = NULL;
  sync_error *error = NULL;
  sync_status status = sync_proof_create(text.data, text.size, 0, &proof, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  return wrap(env, BOX_PROOF, proof, PARSED_BYTES(text.size));
}

/* policyVerify(policy, proof or its bytes, digest): what was shown, or an exception. */
napi_value policy_verify(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  box *policy, *proof = NULL;
  byte_view text = {NULL, 0}, digest;
  if (!get_arguments(env, call, 3, arguments) || !unwrap(env, arguments[0], BOX_POLICY, &policy)) return NULL;
  const bool is_parsed = is_wrapped(env, arguments[1], BOX_PROOF);
  if (is_parsed ? !unwrap(env, arguments[1], BOX_PROOF, &proof) : !get_bytes(env, arguments[1], &text)) return NULL;
  if (!get_digest(env, arguments[2], &digest)) return NULL;

  sync_verification shown = SYNC_VERIFICATION_INIT;
  sync_error *error = NULL;
  sync_status status =
      is_parsed ? sync_proof_verify(proof->object, policy->object, digest.data, 0, &shown, &error)
                : sync_policy_verify(policy->object, text.data, text.size, digest.data, 0, &shown, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);

  record made = begin(env);
  set_int32(&made, "verdict", shown.verdict);
  set_uint32(&made, "cosigners", shown.cosigners);
  set_uint32(&made, "reproducers", shown.reproducers);
  set_uint32(&made, "builders", shown.builders);
  set_uint64(&made, "leafIndex", shown.leaf_index);
  set_uint64(&made, "treeSize", shown.tree_size);
  set_uint64(&made, "height", shown.height);
  set_uint64(&made, "timeMilliseconds", shown.time_milliseconds);
  set_bits(&made, "reproducerIndexes", shown.reproducer_bits);
  set_bits(&made, "cosignerIndexes", shown.cosigner_bits);
  return finish(&made);
}

/* Each of the four below makes the object of one index, or throws and returns NULL. */
typedef napi_value (*item_maker)(napi_env env, const sync_proof *proof, uint32_t index);

static napi_value make_builder(napi_env env, const sync_proof *proof, uint32_t index) {
  sync_builder_info builder = {.struct_size = sizeof builder, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_proof_get_builder(proof, index, &builder, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  record made = begin(env);
  set_text(&made, "name", builder.name);
  set_int32(&made, "state", builder.state);
  set_uint32(&made, "outcome", builder.outcome);
  set_sha256(&made, "outcomeSha256", builder.outcome_sha256);
  set_text(&made, "sandbox", builder.sandbox);
  set_text(&made, "processor", builder.processor);
  set_text(&made, "kernel", builder.kernel);
  return finish(&made);
}

static napi_value make_artifact(napi_env env, const sync_proof *proof, uint32_t index) {
  sync_artifact_info artifact = {.struct_size = sizeof artifact, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_proof_get_artifact(proof, index, &artifact, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  record made = begin(env);
  set_text(&made, "path", artifact.path);
  set_uint64(&made, "size", artifact.size);
  set_uint32(&made, "mode", artifact.mode);
  set_sha256(&made, "sha256", artifact.sha256);
  return finish(&made);
}

static napi_value make_source(napi_env env, const sync_proof *proof, uint32_t index) {
  sync_source_info source = {.struct_size = sizeof source, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_proof_get_source(proof, index, &source, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  record made = begin(env);
  set_text(&made, "package", source.package);
  set_text(&made, "origin", source.origin);
  set_sha256(&made, "treeSha256", source.tree_sha256);
  if (source.has_claim != 0) set_sha256(&made, "claimedSha256", source.claimed_sha256);
  return finish(&made);
}

static napi_value make_signature(napi_env env, const sync_proof *proof, uint32_t index) {
  sync_signature_info signature = {.struct_size = sizeof signature, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_proof_get_signature(proof, index, &signature, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  record made = begin(env);
  set_text(&made, "name", signature.name);
  set_uint32(&made, "keyId", signature.key_id);
  if (signature.is_timed != 0) set_uint64(&made, "timeSeconds", signature.time_seconds);
  return finish(&made);
}

/* Returns false, with an exception pending, if an item could not be made. */
static bool set_items(record *to, const char *name, const sync_proof *proof, uint32_t count, item_maker make) {
  napi_env env = to->env;
  napi_value items;
  if (to->status == napi_ok) to->status = napi_create_array_with_length(env, count, &items);
  for (uint32_t i = 0; i < count && to->status == napi_ok; i++) {
    napi_handle_scope scope;
    to->status = napi_open_handle_scope(env, &scope);
    if (to->status != napi_ok) break;
    napi_value item = make(env, proof, i);
    if (item != NULL) to->status = napi_set_element(env, items, i, item);
    napi_close_handle_scope(env, scope);
    if (item == NULL) return false;
  }
  if (to->status == napi_ok) set_value(to, name, items);
  return true;
}

napi_value proof_describe(napi_env env, napi_callback_info call) {
  napi_value argument;
  box *held;
  if (!get_arguments(env, call, 1, &argument) || !unwrap(env, argument, BOX_PROOF, &held)) return NULL;
  const sync_proof *proof = held->object;
  sync_proof_info info = {.struct_size = sizeof info, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_proof_get_info(proof, &info, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);

  record made = begin(env);
  set_text(&made, "logOrigin", info.log_origin);
  set_text(&made, "package", info.package);
  set_text(&made, "packageName", info.package_name);
  set_text(&made, "packageVersion", info.package_version);
  set_text(&made, "submitter", info.submitter);
  set_sha256(&made, "jobId", info.job_id);
  set_sha256(&made, "sourceSha256", info.source_sha256);
  set_sha256(&made, "toolchainSha256", info.toolchain_sha256);
  set_uint64(&made, "leafIndex", info.leaf_index);
  set_uint64(&made, "treeSize", info.tree_size);
  set_uint64(&made, "epoch", info.epoch);
  set_uint64(&made, "height", info.height);
  set_uint64(&made, "timeMilliseconds", info.time_milliseconds);
  set_int32(&made, "verdict", info.verdict);
  set_uint32(&made, "agreeing", info.agreeing);
  set_uint32(&made, "reproducers", info.reproducers);
  set_uint32(&made, "outcomeCount", info.outcome_count);
  if (!set_items(&made, "builders", proof, info.builder_count, make_builder)) return NULL;
  if (!set_items(&made, "artifacts", proof, info.artifact_count, make_artifact)) return NULL;
  if (!set_items(&made, "sources", proof, info.source_count, make_source)) return NULL;
  if (!set_items(&made, "signatures", proof, info.signature_count, make_signature)) return NULL;
  return finish(&made);
}

/* embeddedFind(head, tail, file size): where the proof is. */
napi_value embedded_find(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  byte_view head, tail;
  uint64_t size;
  if (!get_arguments(env, call, 3, arguments) || !get_bytes(env, arguments[0], &head) ||
      !get_bytes(env, arguments[1], &tail) || !get_uint64(env, arguments[2], &size)) {
    return NULL;
  }
  sync_embedded found = {.struct_size = sizeof found, .abi_version = SYNC_ABI_VERSION};
  sync_error *error = NULL;
  sync_status status = sync_embedded_find(head.data, head.size, tail.data, tail.size, size, 0, &found, &error);
  if (status != SYNC_OK) return throw_error(env, status, error);
  record made = begin(env);
  set_int32(&made, "form", found.form);
  set_uint64(&made, "contentSize", found.content_size);
  set_uint64(&made, "proofOffset", found.proof_offset);
  set_uint64(&made, "proofSize", found.proof_size);
  return finish(&made);
}
