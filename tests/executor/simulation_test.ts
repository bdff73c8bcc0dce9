/**
 * Random workflows under random faults, run by one executor or by several. They write one history, which is well formed and
 * replays.
 */

import { assert } from "@std/assert";
import { walkSimulation } from "../support/walks.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [800, 1];

for (const executors of [1, 3]) {
  const executorCount = executors === 1 ? "one executor" : `${executors} executors`;
  Deno.test(`Executor writes one history that replays for random workflows under random faults with ${executorCount}`, async () => {
    let faults = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) faults += await walkSimulation(seed, executors);
    assert(faults > 4 * SEEDS, `only ${faults} faults`);
  });
}
