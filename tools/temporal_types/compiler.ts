/**
 * The TypeScript compiler. It is installed when the tool runs, so its types are not known here.
 *
 * @module
 */

import { createRequire } from "node:module";

/** The compiler, or something that it made. */
// deno-lint-ignore no-explicit-any -- the types would have to be downloaded for every check of the repository
export type Compiler = any;

/** Loads the compiler of a `node_modules`. */
export function compilerIn(modules: string): Compiler {
  return createRequire(`${modules}/x.js`)("typescript");
}
