/**
 * Random workflows that three executors share, on a store that fails and is slow.
 *
 * @module
 */

import { walkAll, walkShared } from "../support/walks.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [2_500, 1];

Deno.test("Executors that share random workflows on a failing store write one history that replays", async () => {
  await walkAll(FIRST_SEED, SEEDS, walkShared);
});
