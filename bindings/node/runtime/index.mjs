import synchronicity from './index.js';

export const { Events, Node, PluginError, Registry, SyncError, errorCodes, version } = synchronicity;
export * from './index.js';
