/**
 * Random workflows under random faults, run by one executor or by several. They write one history, which is well formed and
 * replays.
 */

import { assert } from "@std/assert";
import { assertReplays, seeded, simulate } from "@rockpool/workflow/testing";
import { randomDeliveries, randomProgram, randomStep } from "../support/random_workflow.ts";
import { assertWellFormed } from "../support/well_formed.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [1000, 1];

for (const executors of [1, 3]) {
  const executorCount = executors === 1 ? "one executor" : `${executors} executors`;
  Deno.test(`Executor writes one history that replays for random workflows under random faults with ${executorCount}`, async () => {
    let faults = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const random = seeded(seed);
      const workflow = randomProgram([]);
      const steps = [0, 1, 2].map(() => randomStep(random));
      const deliveries = randomDeliveries(random);
      const signals = deliveries.flatMap((one) =>
        "signal" in one ? [{ atMs: one.at, name: one.signal, payload: one.payload }] : []
      );
      const [cancel] = deliveries.flatMap((one) => "cancel" in one ? [{ atMs: one.at, reason: one.cancel }] : []);
      const report = await simulate({
        workflow,
        input: { do: "sequence", steps },
        timeoutMs: 1 + random() * 5000,
        executors,
        signals,
        cancel,
        always: ({ state }) => state && assertWellFormed(`seed ${seed}`, state),
        atEnd: async ({ state }) => {
          await assertReplays(workflow, state!);
        },
      }, { seeds: [seed] });
      faults += report.faults;
    }
    assert(faults > 4 * SEEDS, `only ${faults} faults`);
  });
}
