/**
 * Random workflows that are stopped at random steps. A stopped run must have the same result and history as an
 * uninterrupted one. A run whose code was changed meanwhile must replay to its outcome.
 *
 * @module
 */

import { assert } from "@std/assert";
import { walkAll, walkWithStops } from "../support/walks.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [11_500, 1];

Deno.test("Executor gives random workflows the same result and history when they are stopped at random steps", async () => {
  const stops = await walkAll(FIRST_SEED, SEEDS, (seed) => walkWithStops(seed));
  assert(stops > SEEDS, `only ${stops} stops`);
});
