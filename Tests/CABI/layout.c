/* Prints the size and the offsets of every open struct; compared with layout.txt, in which a
 * field's line never changes: only lines are added, and a struct's size grows. */
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
  FIELD(sync_verification, reproducer_bits);
  FIELD(sync_verification, cosigner_bits);
  SIZE(sync_proof_info);
  FIELD(sync_proof_info, struct_size);
  FIELD(sync_proof_info, abi_version);
  FIELD(sync_proof_info, log_origin);
  FIELD(sync_proof_info, package);
  FIELD(sync_proof_info, package_name);
  FIELD(sync_proof_info, package_version);
  FIELD(sync_proof_info, submitter);
  FIELD(sync_proof_info, job_id);
  FIELD(sync_proof_info, source_sha256);
  FIELD(sync_proof_info, toolchain_sha256);
  FIELD(sync_proof_info, leaf_index);
  FIELD(sync_proof_info, tree_size);
  FIELD(sync_proof_info, epoch);
  FIELD(sync_proof_info, height);
  FIELD(sync_proof_info, time_milliseconds);
  FIELD(sync_proof_info, verdict);
  FIELD(sync_proof_info, agreeing);
  FIELD(sync_proof_info, reproducers);
  FIELD(sync_proof_info, builder_count);
  FIELD(sync_proof_info, artifact_count);
  FIELD(sync_proof_info, source_count);
  FIELD(sync_proof_info, signature_count);
  FIELD(sync_proof_info, outcome_count);
  SIZE(sync_builder_info);
  FIELD(sync_builder_info, struct_size);
  FIELD(sync_builder_info, abi_version);
  FIELD(sync_builder_info, state);
  FIELD(sync_builder_info, outcome);
  FIELD(sync_builder_info, name);
  FIELD(sync_builder_info, sandbox);
  FIELD(sync_builder_info, processor);
  FIELD(sync_builder_info, kernel);
  FIELD(sync_builder_info, outcome_sha256);
  SIZE(sync_artifact_info);
  FIELD(sync_artifact_info, struct_size);
  FIELD(sync_artifact_info, abi_version);
  FIELD(sync_artifact_info, path);
  FIELD(sync_artifact_info, size);
  FIELD(sync_artifact_info, mode);
  FIELD(sync_artifact_info, reserved);
  FIELD(sync_artifact_info, sha256);
  SIZE(sync_source_info);
  FIELD(sync_source_info, struct_size);
  FIELD(sync_source_info, abi_version);
  FIELD(sync_source_info, package);
  FIELD(sync_source_info, origin);
  FIELD(sync_source_info, tree_sha256);
  FIELD(sync_source_info, claimed_sha256);
  FIELD(sync_source_info, has_claim);
  FIELD(sync_source_info, reserved);
  SIZE(sync_signature_info);
  FIELD(sync_signature_info, struct_size);
  FIELD(sync_signature_info, abi_version);
  FIELD(sync_signature_info, name);
  FIELD(sync_signature_info, key_id);
  FIELD(sync_signature_info, is_timed);
  FIELD(sync_signature_info, time_seconds);
  SIZE(sync_embedded);
  FIELD(sync_embedded, struct_size);
  FIELD(sync_embedded, abi_version);
  FIELD(sync_embedded, form);
  FIELD(sync_embedded, reserved);
  FIELD(sync_embedded, content_size);
  FIELD(sync_embedded, proof_offset);
  FIELD(sync_embedded, proof_size);
  return 0;
}
