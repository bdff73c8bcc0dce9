/**
 * Random workflows that are stopped at random steps. A stopped run must have the same result and history as an
 * uninterrupted one. A run whose code was changed meanwhile, or that several executors wrote, must replay to its outcome.
 *
 * @module
 */

import { assert } from "@std/assert";
import { walkShared, walkWithStops } from "../support/walks.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, DORMANT_SEEDS, SHARED_SEEDS, FIRST_SEED] = [10_000, 2_000, 2_000, 1];
/** How many workflows run at once: they share macrotasks. */
const BATCH = 50;

/** Walks these seeds. Returns how often their runs were stopped. */
async function walkAll(seeds: number, walk: (seed: number) => Promise<number | void>): Promise<number> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  let stops = 0;
  try {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, i) => walk(seed + i));
      for (const count of await Promise.all(batch)) stops += count ?? 0;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return stops;
}

Deno.test("Executor gives random workflows the same result and history when they are stopped at random steps", async () => {
  const stops = await walkAll(SEEDS, (seed) => walkWithStops(seed));
  assert(stops > SEEDS, `only ${stops} stops`);
});

Deno.test("Executor gives random workflows the same result and history when their runs become dormant whenever they are idle", async () => {
  const stops = await walkAll(DORMANT_SEEDS, (seed) => walkWithStops(seed, 0));
  assert(stops > DORMANT_SEEDS, `only ${stops} stops`);
});

Deno.test("Executors that share random workflows on a failing store write one history that replays", async () => {
  await walkAll(SHARED_SEEDS, walkShared);
});
