/**
 * Random workflows that are stopped at random steps, and that are dormant whenever they are idle. A run must have the same
 * result and history as an uninterrupted one that stays in memory.
 *
 * @module
 */

import { assert } from "@std/assert";
import { walkAll, walkWithStops } from "../support/walks.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [2_000, 1];

Deno.test("Executor gives random workflows the same result and history when their runs become dormant whenever they are idle", async () => {
  const stops = await walkAll(FIRST_SEED, SEEDS, (seed) => walkWithStops(seed, 0));
  assert(stops > SEEDS, `only ${stops} stops`);
});
