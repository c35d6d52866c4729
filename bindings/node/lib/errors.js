'use strict';

/** Every refusal by its name in include/sync/version.h, with its number. A number never changes its meaning. */
const errorCodes = Object.freeze({
  SYNC_ERROR_MALFORMED: 1,
  SYNC_ERROR_TOO_LARGE: 2,
  SYNC_ERROR_UNSUPPORTED_VERSION: 3,
  SYNC_ERROR_INCLUSION_MISMATCH: 4,
  SYNC_ERROR_CONSISTENCY_MISMATCH: 5,
  SYNC_ERROR_UNTRUSTED_LOG: 6,
  SYNC_ERROR_INVALID_SIGNATURE: 7,
  SYNC_ERROR_QUORUM_MISSED: 8,
  SYNC_ERROR_REPRODUCERS_MISSED: 9,
  SYNC_ERROR_ARTIFACT_MISMATCH: 10,
  SYNC_ERROR_VERDICT_MISMATCH: 11,
  SYNC_ERROR_INVALID_KEY: 12,
  SYNC_ERROR_INVALID_POLICY: 13,
  SYNC_ERROR_GROUP_MISMATCH: 14,
  SYNC_ERROR_NOT_EVIDENCE: 15,
  SYNC_ERROR_NOT_REPRODUCED: 16,
  SYNC_ERROR_INVALID_REVEAL: 17,
  SYNC_ERROR_INVALID_SPEC: 18,
  SYNC_ERROR_NOT_HANDOVER: 19,
  SYNC_ERROR_WRONG_EPOCH: 20,
  SYNC_ERROR_NULL_ARGUMENT: 100,
  SYNC_ERROR_UNKNOWN_FLAG: 101,
  SYNC_ERROR_STRUCT_SIZE: 102,
  SYNC_ERROR_ABI_VERSION: 103,
  SYNC_ERROR_OUT_OF_RANGE: 104,
  SYNC_ERROR_INVALID_ARGUMENT: 105,
});

const names = new Map(Object.entries(errorCodes).map(([name, number]) => [number, name]));

class SyncError extends Error {
  constructor(status, message, offset) {
    super(message);
    this.code = names.get(status) ?? 'SYNC_ERROR_UNKNOWN';
    this.status = status;
    this.offset = offset;
  }
}
Object.defineProperty(SyncError.prototype, 'name', { value: 'SyncError', configurable: true, writable: true });

module.exports = { SyncError, errorCodes, makeError: (...values) => new SyncError(...values) };
