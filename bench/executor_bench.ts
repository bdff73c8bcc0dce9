/**
 * What does durability cost per workflow, and per activity for short and long histories?
 *
 * The floors make the same calls without an executor: a loop of awaited activities, and one macrotask, which the executor needs
 * once per turn. The naive rival records the same history: it saves the whole state after each activity.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { Executor, InMemoryStore, VirtualClock, type Workflow, type WorkflowContext } from "@rockpool/workflow";

// deno-lint-ignore require-await
const activity = async (n: number) => n;

async function sequence(ctx: WorkflowContext, length: number): Promise<void> {
  for (let i = 0; i < length; i++) await ctx.executeActivity(activity, i);
}

async function fanOut(ctx: WorkflowContext, width: number): Promise<void> {
  await Promise.all(Array.from({ length: width }, (_, i) => ctx.executeActivity(activity, i)));
}

async function sleeper(ctx: WorkflowContext, days: number): Promise<void> {
  for (let i = 0; i < days; i++) await ctx.sleep(86_400_000);
}

/** Runs a workflow to its end on a store of its own. */
async function run<Input>(workflow: (ctx: WorkflowContext, input: Input) => Promise<void>, input: Input) {
  const executor = new Executor({ store: new InMemoryStore(), clock: new VirtualClock() });
  const handle = await executor.execute(workflow as unknown as Workflow, { id: "a", input } as never);
  await handle.result();
  await executor.close();
}

Deno.bench("floor: await an activity", { group: "workflow", baseline: true }, async () => {
  await activity(1);
});

Deno.bench("floor: one macrotask", { group: "workflow" }, async () => {
  await setImmediate();
});

for (const activities of [0, 1]) {
  const store = new InMemoryStore();
  const executor = new Executor({ store });
  Deno.bench(`execute to result, ${activities} activities`, { group: "workflow" }, async () => {
    const handle = await executor.execute(sequence, { id: "a", input: activities });
    await handle.result();
  });
  Deno.bench(`100 at once, ${activities} activities`, { group: "workflow" }, async () => {
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const handle = await executor.execute(sequence, { id: `w${i}`, input: activities });
      await handle.result();
    }));
  });
}

for (const length of [10, 1_000, 10_000]) {
  const group = `${length} activities in a row`;

  Deno.bench(`floor: ${group}, not durable`, { group, baseline: true }, async () => {
    for (let i = 0; i < length; i++) await activity(i);
  });

  Deno.bench(`${group}, Executor`, { group }, async () => {
    await run(sequence, length);
  });

  if (length > 1_000) continue; // quadratic
  Deno.bench(`${group}, naive: save the whole state each time`, { group }, async () => {
    const states = new Map<string, unknown>();
    const history: unknown[] = [];
    for (let i = 0; i < length; i++) {
      history.push({ type: "activity_started", seq: i });
      history.push({ type: "activity_completed", seq: i, result: await activity(i) });
      states.set("a", structuredClone({ status: "running", history }));
    }
  });
}

Deno.bench("1,000 activities at once, Executor", { group: "breadth", baseline: true }, async () => {
  await run(fanOut, 1_000);
});

/** Opens scopes at once. In each of them an activity wins against a timer. */
async function races(ctx: WorkflowContext, count: number): Promise<void> {
  const race = (i: number) => ctx.scope((ctx) => Promise.race([ctx.executeActivity(activity, i), ctx.sleep(1000)]));
  await Promise.all(Array.from({ length: count }, (_, i) => race(i)));
}

/** The same without scopes: each timer fires. */
async function bareRaces(ctx: WorkflowContext, count: number): Promise<void> {
  const race = (i: number) => Promise.race([ctx.executeActivity(activity, i), ctx.sleep(1000)]);
  await Promise.all(Array.from({ length: count }, (_, i) => race(i)));
}

for (const count of [1000, 10_000]) {
  const group = `${count} races of an activity and a timer at once`;
  Deno.bench(`${group}, in scopes`, { group, baseline: true }, async () => {
    await run(races, count);
  });
  Deno.bench(`${group}, naive: the losers stay`, { group }, async () => {
    await run(bareRaces, count);
  });
}

Deno.bench("365 sleeps of a day on the virtual clock", { group: "breadth" }, async () => {
  await run(sleeper, 365);
});

/** Called when a replayed workflow reaches the end of its history. */
let atEnd = () => {};

async function sequenceThenWait(ctx: WorkflowContext, length: number): Promise<void> {
  await sequence(ctx, length);
  atEnd();
  for await (const _ of ctx.receiveSignal("never")) break;
}

for (const length of [10, 1_000, 10_000]) {
  const store = new InMemoryStore();

  Deno.bench(`recover a history of ${length} activities`, { group: "replay" }, async (bench) => {
    if (store.size === 0) {
      const first = new Executor({ store });
      const recorded = new Promise<void>((resolve) => atEnd = resolve);
      await first.execute(sequenceThenWait, { id: "a", input: length });
      await recorded;
      await first.close();
    }
    const executor = new Executor({ store, workflows: { sequenceThenWait } });
    const replayed = new Promise<void>((resolve) => atEnd = resolve);
    bench.start();
    await executor.recover();
    await replayed;
    bench.end();
    await executor.close();
  });
}
