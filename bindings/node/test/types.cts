// Compiled and never run: the types as require() gives them.
import synchronicity = require('synchronicity-verify');

const policy: synchronicity.Policy = synchronicity.Policy.parse(new Uint8Array(0));
const shown: synchronicity.Verification = policy.verify(new Uint8Array(0), '00');
void shown;
