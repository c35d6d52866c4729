// Prints what layout.c says, for Tests/Web/layout-wasm32.txt.
//   node Tests/Web/layout.js LAYOUT.wasm
"use strict";
const { layoutText, readLayout } = require("./module.js");
process.stdout.write(layoutText(readLayout(process.argv[2])));
