/**
 * Random numbers that follow from a seed.
 *
 * @module
 */

import { seededRandom } from "../util/prng.ts";

/**
 * Makes a generator of random numbers. The same seed gives the same numbers on every machine.
 *
 * @param seed Any integer.
 * @returns A function that returns numbers from 0 to below 1, like `Math.random`.
 *
 * @example
 * ```ts
 * import { seeded } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = [seeded(7), seeded(7)];
 * assertEquals([a(), a()], [b(), b()]);
 * ```
 *
 * @category Testing
 */
export function seeded(seed: number): () => number {
  return seededRandom(seed);
}
