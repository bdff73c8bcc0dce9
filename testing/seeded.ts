/**
 * Chance that follows from a seed.
 *
 * @module
 */

import { seededRandom } from "../util/prng.ts";

/**
 * Makes a source of chance: the same seed gives the same numbers, on every machine.
 *
 * @param seed Any integer.
 * @returns A function that answers numbers from 0 to below 1, to take the place of `Math.random`.
 *
 * @example
 * ```ts
 * import { seeded } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = [seeded(7), seeded(7)];
 * assertEquals([a(), a()], [b(), b()]);
 * ```
 */
export function seeded(seed: number): () => number {
  return seededRandom(seed);
}
