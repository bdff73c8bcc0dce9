/**
 * Several executors share one failing store, and each can crash at any time: see `several_walk.ts`.
 *
 * @module
 */

import { assert } from "@std/assert";
import { totals, walkSeveral } from "../support/several_walk.ts";

/** How many random scenarios, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [1_000, 1];

Deno.test("Executors that crash at random complete random workflows with updates, children and continued runs consistently", async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  try {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await walkSeveral(seed);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  for (const [what, count] of Object.entries(totals)) assert(count > SEEDS / 4, `only ${count} ${what}`);
});
