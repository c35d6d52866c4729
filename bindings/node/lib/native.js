'use strict';
// Loads the addon that was built for this platform. Nothing is fetched and nothing is compiled at installation.

const { makeError } = require('./errors.js');

const platform = `${process.platform}-${process.arch}`;

function load() {
  try {
    return require(`../native/${platform}/syncverify.node`);
  } catch (cause) {
    const isAbsent = cause.code === 'MODULE_NOT_FOUND';
    const unbuilt = `this package was not built for ${platform}; run bindings/node/scripts/build`;
    const why = isAbsent ? unbuilt : cause.message;
    throw new Error(`synchronicity-verify cannot load its addon: ${why}`, { cause });
  }
}

const native = load();
native.setErrorFactory(makeError);

module.exports = native;
