/**
 * The last place for an error: the console.
 *
 * @module
 */

import { show } from "./show.ts";

/** Writes an error to the console, whatever it is. Never throws: a value that cannot be printed is named. */
export function logError(...values: readonly unknown[]): void {
  try {
    console.error(...values);
  } catch {
    console.error(...values.map(show));
  }
}
