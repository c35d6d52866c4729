'use strict';
// sample.js: makes a group of one in the working folder, for the README's sample, and prints the group's folder.
const { readFileSync, writeFileSync } = require('node:fs');

const { configuration, makeGroup } = require('./support.js');

const folder = makeGroup(['alder']);
const file = configuration(folder, 'alder');
writeFileSync(file, readFileSync(file, 'utf8').replace('"js-plain"', '"plain"'));
console.log(folder);
