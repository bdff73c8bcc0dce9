/**
 * Slow and stale reads: `crashTest()`, `simulate()` and `FaultyStore` find an executor that performs something on a read that is
 * old. The bug is planted in the store.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ActivityContext,
  type AppendBatch,
  Executor,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";
import {
  crashTest,
  CrashTestError,
  FaultyStore,
  type FaultyStoreOptions,
  type Scenario,
  seeded,
  simulate,
  SimulationError,
} from "@rockpool/workflow/testing";
import { macrotasks } from "../../tests/support/executors.ts";

type Ctx = WorkflowContext;

/** Confirms each read and reports no change: so an executor performs what it has read, as it did before it asked. */
class Blind extends InMemoryStore {
  override subscribe = undefined as never;

  override append(batch: AppendBatch): Promise<void> {
    return batch.events.length === 0 ? Promise.resolve() : super.append(batch);
  }
}

const charge = () => "charged";
const ranAgain = 'The activity "charge" ran again although its outcome was stored';

async function order(ctx: Ctx) {
  await ctx.executeActivity(charge);
  await ctx.sleep(10);
}

Deno.test("crashTest() finds an executor that performs what it has read in an old list", async () => {
  await crashTest(order);
  const { message } = await assertRejects(() => crashTest(order, { store: () => new Blind() }), CrashTestError);
  assertEquals(message.split("\n").slice(0, 3), [
    'Workflow "order" does not survive a crash',
    '  died after event 3, activity_completed "charge", was stored, before the store answered; ' +
    "the next process listed what was stored before it",
    ranAgain,
  ]);
});

const without = { activityFailure: 0, activityDelay: 0, storeFailure: 0, late: 0, slowRead: 0, staleRead: 0 };
const kinds: [kind: string, rates: Scenario["rates"], fault: string][] = [
  ["slow", { ...without, crash: 0, activityDelay: 0.5, slowRead: 0.5 }, "A read of the process took"],
  ["stale", { ...without, staleRead: 0.5 }, "A read of the process did not show the last"],
];
for (const [kind, rates, fault] of kinds) {
  Deno.test(`simulate() finds an executor that performs what it has read in a ${kind} read`, async () => {
    const scenario: Scenario = { workflow: order, rates };
    await simulate(scenario);
    const find = (seeds: number | number[]) =>
      assertRejects(() => simulate({ ...scenario, store: () => new Blind() }, { seeds }), SimulationError);
    const { message, faults, seed } = await find(200);
    assertStringIncludes(message, ranAgain);
    assert(faults.some((text) => text.startsWith(fault)), faults.join("\n"));
    assertEquals((await find([seed])).message, message);
  });
}

/**
 * Runs a workflow whose activities take time, in an executor that calls `recover()` meanwhile. Returns the activities that began
 * although their outcome was stored.
 */
async function ranTwice(inner: InMemoryStore, options: FaultyStoreOptions): Promise<string[]> {
  const random = seeded(options.seed!);
  const clock = new VirtualClock();
  const store = new FaultyStore(inner, { ...options, clock });
  const twice: string[] = [];
  const work = async (ms: number, { workflowId, idempotencyKey }: ActivityContext) => {
    const { history } = (await inner.load(workflowId))!;
    const outcome = history.find((event) =>
      event.type === "activity_completed" && idempotencyKey.endsWith(`:${event.seq}`)
    );
    if (outcome !== undefined) twice.push(`${idempotencyKey} at ${clock.now()}`);
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + ms, resolve));
  };
  const child = (ctx: Ctx, ms: number) => ctx.executeActivity(work, ms);
  const parent = async (ctx: Ctx) => {
    await Promise.all([ctx.executeChild(child, 30, { id: "child" }), ctx.executeActivity(work, 20)]);
    await ctx.waitForSignal("go");
    await ctx.executeActivity(work, 10);
  };
  await using executor = new Executor({
    store,
    clock,
    random,
    storeRetry: { maxAttempts: Infinity, initialIntervalMs: 5 },
    workflows: { parent, child },
    ...(options.seed! % 3 === 0 ? { dormantAfterMs: 0 } : {}),
  });
  const handle = await executor.execute(parent, { id: "a" });
  let over = false;
  handle.result().catch(() => {}).then(() => over = true); // a blind store can confirm that the run is lost
  for (let i = 0; i < 12; i++) clock.setTimer(random() * 300, () => void executor.recover().catch(() => {}));
  clock.setTimer(random() * 200, () => void executor.signal("a", "go").catch(() => {}));
  for (let i = 0; i < 2_000 && !over; i++) {
    await macrotasks(3);
    clock.next();
  }
  assert(over, `seed ${options.seed}: the workflow does not end`);
  return twice;
}

const faults: Record<string, FaultyStoreOptions> = {
  "is slow": { latencyMs: [0, 60] },
  "reads slowly": { slowReadMs: [0, 60] },
  "reads what is old": { slowReadMs: [0, 20], staleRead: 0.5 },
};
for (const [what, options] of Object.entries(faults)) {
  Deno.test(`Executor runs no recorded activity again on a FaultyStore that ${what}`, async () => {
    for (let seed = 1; seed <= 100; seed++) {
      assertEquals(await ranTwice(new InMemoryStore(), { ...options, seed }), [], `seed ${seed}`);
    }
  });

  if (options.latencyMs !== undefined) continue; // found with other seeds only
  Deno.test(`FaultyStore that ${what} finds an executor that performs what it has read`, async () => {
    let found = 0;
    for (let seed = 1; seed <= 20; seed++) found += (await ranTwice(new Blind(), { ...options, seed })).length;
    assert(found > 0);
  });
}
