/**
 * Executes, stops and recovers a workflow on the runtime that loads this module. It uses only the core.
 *
 * @module
 */

import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";

const runs: string[] = [];
const step = (name: string) => void runs.push(name);

async function journey(ctx: WorkflowContext, input: { tags: Set<string> }): Promise<string> {
  await ctx.executeActivity(step, "first");
  for await (const by of ctx.receiveSignal<string>("go")) {
    await ctx.sleep(30 * 86_400_000);
    await ctx.executeActivity(step, "second");
    return `${[...input.tags]} by ${by} on day ${ctx.now() / 86_400_000}`;
  }
  throw new Error("No signal");
}

const store = new InMemoryStore();
const clock = new VirtualClock();
const before = new Executor({ store, clock });
await before.execute(journey, { id: "a", input: { tags: new Set(["x"]) } });
while ((await before.describe("a", { history: true })).history.length < 3) {
  await new Promise((resolve) => setTimeout(resolve));
}
await before.close();

const after = new Executor({ store, clock, workflows: { journey } });
const [handle] = await after.recover();
await after.signal("a", "go", "eve");
const result = await handle.result();
await after.close();
if (result !== "x by eve on day 30" || runs.join() !== "first,second") {
  throw new Error(`The recovered workflow returned the wrong result: ${result}, activities ${runs}`);
}
console.log(`${globalThis.navigator?.userAgent ?? "Node"}: executed, stopped, recovered; ${result}`);
