/** `replayReport()`: a verdict on each history, and the paths that no history takes. */

import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { NonDeterminismError, type WorkflowContext } from "@rockpool/workflow";
import { historyToText, replayReport, TestExecutor } from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

const charge = (_cents: number) => "charged";
const ship = () => "shipped";
const order = (ctx: Ctx) => ctx.executeActivity(charge, 500);
const shipped = (ctx: Ctx) => ctx.executeActivity(ship);

async function stateOf(workflow: (ctx: Ctx) => unknown, id: string) {
  await using executor = new TestExecutor();
  await (await executor.execute(workflow, { id })).result();
  return (await executor.store.load(id))!;
}

Deno.test("replayReport() says of each history whether it is the same, passes something else or diverges", async () => {
  const histories = [await stateOf(order, "a"), historyToText(await stateOf(shipped, "b"))];
  const same = await replayReport(order, histories);
  assertEquals(same.histories.map(({ workflowId, verdict }) => [workflowId, verdict]), [["a", "same"], [
    "b",
    "diverges",
  ]]);
  assertInstanceOf(same.histories[1].error, NonDeterminismError);
  assertStringIncludes(same.table(), 'same      a\ndiverges  b\n  Cannot replay workflow "b"');
  const changed = await replayReport((ctx: Ctx) => ctx.executeActivity(charge, 600), histories[0]);
  assertEquals(changed.histories[0].verdict, "argument changed");
  assertStringIncludes(changed.histories[0].error!.message, "input: 600");
});

Deno.test("replayReport() names the paths of ctx.patched that no history takes", async () => {
  async function patched(ctx: Ctx) {
    if (ctx.patched("ship")) await ctx.executeActivity(ship);
    return await ctx.executeActivity(charge, 500);
  }
  const [before, after] = [await stateOf(order, "a"), await stateOf(patched, "b")];
  const old = await replayReport(patched, before);
  assertEquals([...old.patches], [["ship", { new: 0, old: 1 }]]);
  assertEquals(old.uncovered, ['patched("ship"): no history takes the new path']);
  assertStringIncludes(old.table(), old.uncovered[0]);
  assertEquals((await replayReport(patched, after)).uncovered, ['patched("ship"): no history takes the old path']);
  const both = await replayReport(patched, [before, after]);
  assertEquals([[...both.patches], both.uncovered], [[["ship", { new: 1, old: 1 }]], []]);
});

Deno.test("replayReport() refuses no histories, and unknown options", async () => {
  await assertRejects(() => replayReport(order, []), Error, '"histories" must be at least one');
  await assertRejects(() => replayReport(order, "x", { workflow: {} } as never), TypeError, "workflow");
});
