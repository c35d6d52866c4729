// Compiled and never run: the types as require() gives them.
import synchronicity = require('synchronicity-node');

const node: synchronicity.Node = new synchronicity.Node('');
const status: Promise<synchronicity.NodeStatus> = node.status();
const report: Promise<synchronicity.CheckReport> = new synchronicity.Registry().check('keys', {});
void [status, report];
