/**
 * A hash of texts, random numbers that are determined by a seed, and random IDs. The numbers are not for secrets.
 *
 * @module
 */

/**
 * Hashes a text to an integer of 32 bits: FNV-1a.
 *
 * @param basis The hash of the text before this one, to hash a text in parts. Any other number gives a different hash.
 * @param prime Another prime gives a different hash.
 */
export function hash(text: string, basis = 0x811c9dc5, prime = 0x01000193): number {
  let sum = basis;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), prime);
  return sum;
}

/** A generator of numbers from 0 to below 1: mulberry32. The same seed gives the same numbers on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** A random UUID of version 4 from random numbers. */
export function uuid(random: () => number): string {
  return "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replace(/[xy]/g, (place) => {
    const digit = Math.floor(random() * 16);
    return (place === "x" ? digit : digit & 3 | 8).toString(16);
  });
}

let last: string | undefined;
let repeats = 0;

/**
 * A random ID, a UUID, that holds no other text in memory. `crypto.randomUUID()` of Deno returns a slice of a text of 128 UUIDs,
 * and a slice keeps the whole text. `toLowerCase()` of V8 makes a new text. It is another ID each time, also where a test replaces
 * `crypto.randomUUID()` by a constant, and where there is none, as in a page that is not from HTTPS.
 */
export function randomId(): string {
  const id = (globalThis.crypto?.randomUUID?.() ?? uuid(Math.random)).toLowerCase();
  return id === last ? `${id}-${++repeats}` : last = id;
}
