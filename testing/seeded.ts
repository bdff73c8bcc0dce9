/**
 * Chance that follows from a seed.
 *
 * @module
 */

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
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}
