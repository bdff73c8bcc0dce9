/** `explore()`: it makes every run that the options allow, once, and tells a failed run so that a person understands it. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { ExplorationError, explore, type ExploreOptions, replace, takes } from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

const ofName = (name: string) => Object.defineProperty(() => name, "name", { value: name });

async function complaint(workflow: (ctx: Ctx) => unknown, options: ExploreOptions): Promise<ExplorationError> {
  return await assertRejects(() => explore(workflow as (ctx: Ctx) => unknown, options), ExplorationError);
}

/** Activities that run at once. Returns the order in which they answered. */
const atOnce = (count: number) =>
  async function race(ctx: Ctx) {
    const order: string[] = [];
    const names = "abcdefgh".slice(0, count).split("");
    await Promise.all(names.map((name) => ctx.executeActivity(ofName(name)).then(() => order.push(name))));
    return order.join("");
  };

Deno.test("explore() makes every order of activities that run at once, each one time", async () => {
  const { runs, complete, outcomes, missing } = await explore(atOnce(4));
  assertEquals([runs, complete, outcomes.size, missing], [24, true, 24, []]);
  assertEquals([...outcomes][0], ['completed: "abcd"', 1], "the plain run is the first");
});

Deno.test("explore() makes runs by the number of their deviations", async () => {
  const seen: string[] = [];
  const check = ({ result }: { result?: string }) => void seen.push(result!);
  await explore(atOnce(3), { check });
  assertEquals(seen, ["abc", "bac", "cab", "acb", "bca", "cba"]);
});

Deno.test("explore() finds a bug in one of many orders early", async () => {
  const { runs, message } = await complaint(atOnce(6), {
    check({ result }) {
      if (/^b.*fe$/.test(result as string)) throw new Error(`the order ${result}`);
    },
  });
  assert(runs < 100, `run ${runs}`);
  assertStringIncludes(message, "A check threw: Error: the order b");
});

Deno.test("explore() says what it has left out: maxDeviations and maxRuns", async () => {
  const once = await explore(atOnce(4), { maxDeviations: 1 });
  assertEquals([once.runs, once.complete], [1 + 3 + 2 + 1, false]);
  const few = await explore(atOnce(4), { maxRuns: 5 });
  assertEquals([few.runs, few.complete], [5, false]);
  const none = await explore(atOnce(4), { orders: false });
  assertEquals([none.runs, none.complete], [1, true]);
});

Deno.test("explore() lets a signal come at every point, and time pass while an activity is in flight", async () => {
  async function order(ctx: Ctx) {
    const log: string[] = [];
    ctx.handleSignal("note", () => void log.push("note"));
    await ctx.executeActivity(ofName("pay"));
    log.push("paid");
    await ctx.sleep(1000);
    log.push("slept");
    return log.join(" ");
  }
  const { outcomes, reached } = await explore(order, { signals: [{ atMs: 500, name: "note" }] });
  assertEquals(
    new Set(outcomes.keys()),
    new Set(['completed: "paid note slept"', 'completed: "note paid slept"', 'completed: "paid slept"']),
  );
  assertEquals(reached.get("signal note #0 comes while pay is in flight"), 1);
});

Deno.test("explore() lets the process die at every write, as often as crashes says", async () => {
  const pay = ofName("pay");
  const order = (ctx: Ctx) => ctx.executeActivity(pay);
  const writes = 4; // workflow_started, activity_started, activity_completed, workflow_completed
  const { runs, reached, missing } = await explore(order, { crashes: 1 });
  assertEquals([runs, reached.get("a crash"), missing], [1 + 3 * writes, 3 * writes, []]);
  const crashes: number[] = [];
  await explore(order, { crashes: 2, check: (run) => void crashes.push(run.crashes.length) });
  assertEquals(Math.max(...crashes), 2);
});

Deno.test("explore() lets attempts go wrong in each way, and return edges", async () => {
  const pay = ofName("pay");
  const order = (ctx: Ctx) =>
    ctx.executeActivity(pay, undefined, { timeoutMs: 1000, retry: { maxAttempts: 2, jitter: false } });
  let worked = 0;
  const { outcomes } = await explore(order, {
    orders: false,
    faults: 1,
    failures: ["fails", "fails for good", "loses its answer", "never answers", "works late"],
    edges: { pay: [null, "x".repeat(3)] },
    setUp: () => void (worked = 0),
    activities: [replace(pay, () => `worked ${++worked}`)],
    effects: () => worked,
  });
  assertEquals(
    [...outcomes],
    [
      ['completed: "worked 1"; 1', 2], // the plain run, and the second attempt after the first has failed
      ['failed: NonRetryableError: Activity "pay" fails for good; 0', 1],
      ['completed: "worked 2"; 2', 1],
      ['completed: "worked 1"; 2', 1],
      ["completed: null; 1", 1],
      ['completed: "xxx"; 1', 1],
    ].sort() && [...outcomes],
  );
  assertEquals(outcomes.get('completed: "worked 2"; 2'), 1, "the answer was lost: it worked two times");
  assertEquals(outcomes.get('completed: "worked 1"; 2'), 1, "it worked late, when the second attempt had worked");
  assertEquals(outcomes.get("completed: null; 1"), 1);
});

Deno.test("explore() cancels at every point", async () => {
  async function order(ctx: Ctx) {
    await ctx.executeActivity(ofName("pay"));
    await ctx.sleep(10);
    await ctx.executeActivity(ofName("ship"));
  }
  const { outcomes, missing } = await explore(order, { cancels: 1, orders: false });
  assertEquals([...outcomes.values()], [1, 3]); // while pay, the timer and ship are in flight
  assertEquals(missing, []);
});

Deno.test("explore() tells a failed run as a story, with both timelines, and repeats it", async () => {
  let paid = 0;
  const pay = () => void paid++;
  const refund = () => void paid--;
  async function order(ctx: Ctx) {
    await ctx.executeActivity(pay);
    ctx.addCompensation((ctx) => ctx.executeActivity(refund), { name: "refund" }); // too late
    await ctx.waitForSignal("approval");
  }
  const options = {
    signals: [{ atMs: 100, name: "approval" }],
    cancels: 1,
    setUp: () => void (paid = 0),
    check: ({ state }: { state: { status: string } }) => assertEquals(paid, state.status === "completed" ? 1 : 0),
  } as const;
  const { message, replay, cause } = await complaint(order, options);
  const lines = message.split("\n");
  assertStringIncludes(lines[0], 'Workflow "order" goes wrong in run ');
  const story = lines.slice(lines.indexOf("What happened:"), lines.indexOf("This run:"));
  assertStringIncludes(story.join("\n"), "1. pay begins\n   2. cancel comes   <- not in the plain run");
  assertEquals(replay.length, 1);
  assertStringIncludes(message, `Repeat this run with the option replay: ${JSON.stringify(replay)}`);
  assertStringIncludes(message, "The plain run:\norder ");
  assertEquals((cause as Error).name, "AssertionError");
  const again = await complaint(order, { ...options, replay });
  assertEquals(again.message.split("What happened:")[1], message.split("What happened:")[1]);
  const other = await complaint(order, { ...options, replay: ["0: the moon falls"] });
  assertStringIncludes(other.message, 'Cannot replay: "the moon falls" cannot happen at point 0');
});

Deno.test("explore() reports a workflow that waits forever, with the fewest deviations", async () => {
  const pay = ofName("pay");
  const { message, replay } = await complaint((ctx: Ctx) => ctx.executeActivity(pay), { faults: 2 });
  assertStringIncludes(message, "It waits forever");
  assertEquals(replay, ["0: never answers"]);
});

Deno.test("explore() says what no run has reached", async () => {
  const [pay, ship] = [ofName("pay"), ofName("ship")];
  const { missing, table } = await explore((ctx: Ctx) => ctx.executeActivity(pay), {
    activities: [replace(ship, () => "never called")],
    signals: [{ atMs: 10, name: "late" }],
    faults: 1,
    failures: ["fails for good"],
    maxDeviations: 0,
  });
  assertEquals(missing, ["ship works", "pay fails", "ship fails", "late arrives in the plain run"]);
  assertStringIncludes(table(), "Never reached:\n  ship works");
});

Deno.test("explore() lets a fake take virtual time", async () => {
  const pay = ofName("pay");
  const order = (ctx: Ctx) => ctx.executeActivity(pay).then(() => ctx.now());
  const { plain } = await explore(order, { activities: [replace(pay, takes(500, () => "paid"))] });
  assertEquals(plain.result, 500);
});

Deno.test("explore() makes the same runs again", async () => {
  async function order(ctx: Ctx) {
    await Promise.race([ctx.executeActivity(ofName("pay"), undefined, { timeoutMs: 100 }), ctx.waitForSignal("stop")])
      .catch(() => {});
    await ctx.executeActivity(ofName("ship"));
  }
  const options = { signals: [{ atMs: 10, name: "stop" }], crashes: 1, faults: 1, cancels: 1, maxRuns: 300 } as const;
  const tables = [];
  for (let i = 0; i < 2; i++) {
    const report = await explore(order, { ...options, check() {}, failures: ["fails"] });
    tables.push(report.table());
  }
  assertEquals(tables[0], tables[1]);
});

for (
  const [options, words] of [
    [{ order: true }, "order"],
    [{ orders: 1 }, '"orders" must be a boolean'],
    [{ crashes: -1 }, '"crashes" must be'],
    [{ maxRuns: 0 }, '"maxRuns" must be'],
    [{ failures: ["explodes"] }, '"failures" must be an array of "fails"'],
    [{ edges: { pay: 5 } }, "an array of results"],
    [{ replay: ["nonsense"] }, '"replay" must be'],
  ] as const
) {
  Deno.test(`explore() refuses ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(() => explore(atOnce(1), options as never));
    assertStringIncludes((error as Error).message, words);
  });
}
