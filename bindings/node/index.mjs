import synchronicity from './index.js';

export const {
  Hasher, Policy, Proof, SyncError, errorCodes, findEmbedded, findEmbeddedInFile, version,
} = synchronicity;
