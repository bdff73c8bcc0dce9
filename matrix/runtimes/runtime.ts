/**
 * What the matrix needs of a runtime.
 *
 * @module
 */

import type { Build } from "../build.ts";
import type { Outcome } from "../scenario.ts";

/** A runtime, or a way to start it. */
export interface Runtime {
  /** The heading of its column. It does not change with a patch version. */
  readonly name: string;
  /** Returns its version; `undefined` if it is not installed. */
  version(): Promise<string | undefined>;
  /** Runs every case, in order. */
  run(build: Build): AsyncIterable<Outcome>;
}
