/**
 * Several executors share one failing store, and each can crash at any time: see `several_walk.ts`.
 *
 * @module
 */

import { assert } from "@std/assert";
import { totals, walkSeveral } from "../support/several_walk.ts";
import { walkAll } from "../support/walks.ts";

/** How many random scenarios, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [1_500, 1];

Deno.test("Executors that crash at random complete random workflows with updates, children and continued runs consistently", async () => {
  await walkAll(FIRST_SEED, SEEDS, walkSeveral);
  for (const [what, count] of Object.entries(totals)) assert(count > SEEDS / 4, `only ${count} ${what}`);
});
