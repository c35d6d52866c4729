'use strict';
// The package's interface; index.d.ts documents it.

const { native } = require('./lib/native.js');
const { PluginError, SyncError, errorCodes } = require('./lib/errors.js');
const { Events, Node } = require('./lib/node.js');
const { Registry } = require('./lib/plugins.js');

module.exports = { Events, Node, PluginError, Registry, SyncError, errorCodes, version: native.version() };
