'use strict';

/** Every refusal by its name in include/sync/version.h and plugin.h, with its number. A number never changes. */
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
  SYNC_ERROR_STATE: 106,
  SYNC_ERROR_TIMED_OUT: 107,
  SYNC_ERROR_UNAVAILABLE: 201,
  SYNC_ERROR_NOT_FOUND: 202,
  SYNC_ERROR_CHECKSUM_MISMATCH: 203,
  SYNC_ERROR_INVALID: 204,
  SYNC_ERROR_IO: 205,
  SYNC_ERROR_CANCELLED: 206,
});

const names = new Map(Object.entries(errorCodes).map(([name, number]) => [number, name]));

/** What the addon says without the library's sentence. */
const sentences = new Map([
  [errorCodes.SYNC_ERROR_STATE, 'the node is destroyed'],
  [errorCodes.SYNC_ERROR_CANCELLED, 'the operation was cancelled'],
  [errorCodes.SYNC_ERROR_TOO_LARGE, 'what was asked for is too large'],
]);

class SyncError extends Error {
  constructor(status, message, offset) {
    super(message || sentences.get(status) || `status ${status}`);
    this.code = names.get(status) ?? 'SYNC_ERROR_UNKNOWN';
    this.status = status;
    this.offset = offset >= 0 ? offset : undefined;
  }
}
Object.defineProperty(SyncError.prototype, 'name', { value: 'SyncError', configurable: true, writable: true });

/** How a plugin's method fails, by its number in include/sync/plugin.h. */
const pluginCodes = Object.freeze([
  undefined, 'unavailable', 'notFound', 'checksumMismatch', 'invalid', 'io', 'cancelled',
]);

class PluginError extends Error {
  constructor(code, message = '') {
    super(message);
    if (typeof code !== 'string' || !pluginCodes.includes(code)) {
      throw new TypeError(`a PluginError's code is one of ${pluginCodes.slice(1).join(', ')}`);
    }
    this.code = code;
  }
}
Object.defineProperty(PluginError.prototype, 'name', { value: 'PluginError', configurable: true, writable: true });

module.exports = { PluginError, SyncError, errorCodes, pluginCodes };
