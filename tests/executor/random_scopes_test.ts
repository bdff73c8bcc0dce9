/**
 * Random workflows with scopes: an execution that is interrupted, dormant in between, or run by two executors ends as one that
 * is not, with the same history.
 */

import { assert } from "@std/assert";
import { seeded } from "@rockpool/workflow/testing";
import { randomScopeScene, randomScopeSteps, randomSent } from "../support/random_scopes.ts";
import { assertSameEnd, type Plan, playOnce } from "../support/scenes.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [1_500, 1];

Deno.test("random workflows with scopes end in the same way, however they are interrupted", async () => {
  const totals = { scopes: 0, failed: 0, deaths: 0, compensations: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const random = seeded(seed * 7919);
    const integer = (below: number) => Math.floor(random() * below);
    const steps = randomScopeSteps(random);
    const timeoutMs = random() < 0.15 ? random() * 300 : undefined;
    const make = randomScopeScene(steps, { sent: randomSent(random), timeoutMs });
    const expected = await playOnce(make).catch((error) => {
      throw new Error(`seed ${seed}: ${error.message}`);
    });
    totals.scopes += JSON.stringify(steps).split('"scope"').length - 1;
    totals.compensations += expected.state.history.filter(({ type }) => type === "compensation_started").length;
    if (expected.state.status === "failed") totals.failed++;
    const { appends, state } = expected;
    const side = () => random() < 0.5 ? "before" as const : "after" as const;
    const death = () => ({ append: 1 + integer(appends), side: side() });
    const hasChild = JSON.stringify(steps).includes('"child"');
    const plans: Plan[] = [
      { deaths: [death(), death(), death()], dormantAfterMs: random() < 0.3 ? integer(2) * 20 : undefined },
      { dormantAfterMs: integer(2) * 10 },
      hasChild
        ? { deaths: [death()] }
        : { from: { ...state, history: state.history.slice(0, 1 + integer(state.history.length - 1)) } },
      { joins: integer(appends), deaths: random() < 0.7 ? [death()] : [] },
    ];
    for (const plan of plans) {
      totals.deaths += plan.deaths?.length ?? 0;
      await assertSameEnd(make, plan, expected, `seed ${seed}`);
    }
  }
  const { scopes, failed, deaths, compensations } = totals;
  const enough = scopes > 4 * SEEDS && failed > SEEDS / 4 && deaths > 3 * SEEDS && compensations > SEEDS / 6;
  assert(enough, `too little was tested: ${JSON.stringify(totals)}`);
});
