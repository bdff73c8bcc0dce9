/**
 * What does an activity cost through the interface of Temporal, compared with a native one?
 *
 * The native one has the same retry policy and timeout. The naive rival calls the context in one asynchronous context, with a copy of
 * the arguments and of the result: that is the least that such an interface can do.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import { proxyActivities, sleep, TemporalHost } from "@rockpool/workflow/temporal";

const LENGTH = 1_000;

// deno-lint-ignore require-await
const act = async (n: number) => n;
const options = { name: "act", timeoutMs: 60_000, retry: { maxAttempts: Infinity } };
const storage = new AsyncLocalStorage<object>();
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value));

async function native(ctx: WorkflowContext): Promise<void> {
  for (let i = 0; i < LENGTH; i++) await ctx.executeActivity(act, i, options);
}
async function nativeSleep(ctx: WorkflowContext): Promise<void> {
  for (let i = 0; i < LENGTH; i++) await ctx.sleep(1000);
}
async function naive(ctx: WorkflowContext): Promise<void> {
  const called = (args: readonly [number]) => act(...copy(args));
  const call = async (...args: [number]) => copy(await ctx.executeActivity(called, copy(args), options));
  await storage.run({}, async () => {
    for (let i = 0; i < LENGTH; i++) await call(i);
  });
}

const activities = proxyActivities<{ act: typeof act }>({ startToCloseTimeout: "1 minute" });
async function temporal(): Promise<void> {
  for (let i = 0; i < LENGTH; i++) await activities.act(i);
}
async function temporalSleep(): Promise<void> {
  for (let i = 0; i < LENGTH; i++) await sleep("1 second");
}
const host = new TemporalHost({ workflows: { temporal, temporalSleep }, activities: { act } });

/** Runs a workflow to its end on a store of its own. */
// deno-lint-ignore no-explicit-any -- native ones and those of the host
async function run(workflow: (ctx: any, input: any) => Promise<void>): Promise<void> {
  const executor = new Executor({ store: new InMemoryStore(), clock: new VirtualClock() });
  await (await executor.execute(workflow, { id: "a", input: [] as never })).result();
  await executor.close();
}

Deno.bench(`${LENGTH} activities, native`, { group: "activity", baseline: true }, async () => await run(native));
Deno.bench(`${LENGTH} activities, naive`, { group: "activity" }, async () => await run(naive));
Deno.bench(`${LENGTH} activities, Temporal`, { group: "activity" }, async () => await run(host.workflow("temporal")));
Deno.bench(`${LENGTH} sleeps, native`, { group: "sleep", baseline: true }, async () => await run(nativeSleep));
Deno.bench(`${LENGTH} sleeps, Temporal`, { group: "sleep" }, async () => await run(host.workflow("temporalSleep")));
