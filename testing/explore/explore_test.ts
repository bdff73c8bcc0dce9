/** `explore()`: it makes every run that the options allow, once, and tells a failed run so that a person understands it. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { type AppendBatch, InMemoryStore, type WorkflowContext, type WorkflowState } from "@rockpool/workflow";
import {
  attempts,
  ExplorationError,
  explore,
  type ExploreOptions,
  recorded,
  replace,
  takes,
  TestExecutor,
  whatIf,
} from "@rockpool/workflow/testing";
import { macrotasks } from "../../tests/support/executors.ts";

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
  assertEquals(seen, ["abc", "bac", "acb", "cab", "bca", "cba"]);
});

Deno.test("explore() finds a bug in 6 of 720 orders by run 20: the first other option of each point comes first", async () => {
  const { runs, message } = await complaint(atOnce(6), {
    check({ result }) {
      if (/^b.*fe$/.test(result as string)) throw new Error(`the order ${result}`);
    },
  });
  assertEquals(runs + 1, 20);
  assertStringIncludes(message, "A check threw: Error: the order b");
});

Deno.test("explore() says what it has left out: maxDeviations and maxRuns", async () => {
  const once = await explore(atOnce(4), { maxDeviations: 1 });
  assertEquals([once.runs, once.complete], [1 + 3 + 2 + 1, false]);
  const few = await explore(atOnce(4), { maxRuns: 5 });
  assertEquals([few.runs, few.complete], [5, false]);
  const many = await explore(atOnce(7));
  assertEquals([many.runs, many.complete], [2000, false], "the default");
  const none = await explore(atOnce(4), { orders: false });
  assertEquals([none.runs, none.complete], [1, true]);
});

Deno.test("explore() spreads the runs over all that there are if maxRuns leaves out some", async () => {
  const { levels, runs, outcomes, table } = await explore(atOnce(6), { maxRuns: 50 });
  assertEquals([levels, runs], [[{ made: 1, all: 1 }, { made: 15, all: 15 }, { made: 34, all: 85 }], 50]);
  const last = [...outcomes.keys()].slice(16).filter((outcome) => outcome.startsWith('completed: "a'));
  assert(last.length > 10, `${last.length}`); // the first 34 of the 85 runs all deviate at the first answer
  assertEquals(table().split("\n").slice(0, 6), [
    "50 runs, not all that there are, because of the option maxRuns",
    'Only whether each run ends was checked: pass "check", and say there what must hold',
    "By the number of deviations from the plain run:",
    "   1 of  1 with 0",
    "  15 of 15 with 1",
    "  34 of 85 with 2   <- maxRuns",
  ]);
});

Deno.test("explore() says how many runs maxDeviations leaves out", async () => {
  const { levels, table } = await explore(atOnce(4), { maxDeviations: 1 });
  assertEquals(levels, [{ made: 1, all: 1 }, { made: 6, all: 6 }, { made: 0, all: 11 }]);
  assertStringIncludes(table(), "7 runs, not all that there are, because of the option maxDeviations\n");
  assertStringIncludes(table(), "\n  0 of 11 with 2   <- maxDeviations\n");
  const { table: whole } = await explore(atOnce(4), { check() {} });
  assertStringIncludes(whole(), "24 runs, all that there are\nBy the number");
});

Deno.test("explore() is complete although each attempt of an activity can time out, or a signal can always be late", async () => {
  const retry = { maxAttempts: Infinity, jitter: false } as const;
  async function order(ctx: Ctx) {
    await ctx.executeActivity(ofName("pay"), undefined, { timeoutMs: 1000, retry });
    for (let reminders = 0;; reminders++) {
      const isPaid = await ctx.waitForSignal("paid", { timeoutMs: 1000 }).then(() => true, () => false);
      if (isPaid) return reminders;
    }
  }
  const options = { signals: [{ atMs: 10, name: "paid" }], check() {} };
  const { complete, outcomes, reached } = await explore(order, options);
  assertEquals([complete, [...outcomes.keys()]], [true, ["completed: 0", "completed: 1"]]);
  assertEquals(reached.get("a timer while pay is in flight"), 2);
  const twice = await explore(order, { ...options, delays: 2 });
  assertEquals([twice.complete, [...twice.outcomes.keys()]], [true, ["completed: 0", "completed: 1", "completed: 2"]]);
  const never = await explore(order, { ...options, delays: 0 });
  assertEquals([never.complete, [...never.outcomes.keys()]], [true, ["completed: 0"]]);
});

/** Bills that drift if the store is slow, and a store that is not atomic. */
async function bills(ctx: Ctx) {
  const days: number[] = [];
  for (let i = 0; i < 2; i++) {
    await ctx.sleep(1000);
    days.push(Math.round(ctx.now() / 1000)); // a store that fails is asked again after less than that
  }
  return days;
}

Deno.test("explore() lets the store fail, lose an answer, or be slow at every write: a slow one moves a timer", async () => {
  const check = ({ result }: { result?: number[] }) => {
    if (result !== undefined) assertEquals(result, [1, 2]);
  };
  const { complete } = await explore(bills, { crashes: 1, cancels: 1, faults: 1, delays: 2, check });
  assertEquals(complete, true);
  const { message, replay } = await complaint(bills, { storeFaults: 1, check: check as () => void });
  assertEquals(replay.length, 1);
  assertStringIncludes(message, "it is stored, and the answer comes a second late   <- not in the plain run");
  const { outcomes, reached, missing } = await explore(bills, { storeFaults: 1, crashes: 1, maxDeviations: 2 });
  assertEquals([...outcomes.keys()].slice(0, 1), ["completed: [1, 2]"]);
  assertEquals([reached.has("a write that fails"), reached.has("a write whose answer is lost"), missing], [
    true,
    true,
    [],
  ]);
});

Deno.test("explore() finds a store that stores an event again when its answer was lost", async () => {
  class Twice extends InMemoryStore {
    override async append(batch: AppendBatch) {
      const stored = await this.load(batch.workflowId);
      return await super.append(stored === null ? batch : { ...batch, expectedLength: stored.history.length });
    }
  }
  const pay = ofName("pay");
  const options = { store: () => new Twice() };
  const workflow = (ctx: Ctx) => ctx.executeActivity(pay);
  await explore(workflow, { ...options, faults: 1, failures: ["fails"] });
  const { message } = await complaint(workflow, { ...options, storeFaults: 1 });
  assertStringIncludes(message, "it is stored, and the answer is lost");
});

Deno.test("explore() lets a query after the end get an old answer", async () => {
  async function order(ctx: Ctx) {
    let step = "new";
    ctx.handleQuery("step", () => step);
    await ctx.executeActivity(ofName("pay"));
    step = "paid";
    await ctx.sleep(10);
    step = "sent";
  }
  const check = (answer: unknown) => assertEquals(answer, "sent", "an old answer");
  const options = { queries: [{ atMs: 5000, name: "step", check }], orders: false } as const;
  assertEquals((await explore(order, options)).complete, true);
  const { message } = await complaint(order, { ...options, storeFaults: 1 });
  assertStringIncludes(message, "it does not show the last two writes");
  assertStringIncludes(message, "an old answer");
});

Deno.test("explore() does not let a read be old if that is no other answer", async () => {
  const replay = ["0: the process dies when it is stored, before it knows", "1: it does not show the last two writes"];
  const { message } = await complaint(bills, { storeFaults: 1, crashes: 1, replay });
  assertStringIncludes(message, "cannot happen at point 1 (read 1 of the process), but ");
});

Deno.test("explore() lets a recovery read late, or fail and read again", async () => {
  const times: number[] = [];
  for (const what of ["the store fails", "it comes a second late"]) {
    const replay = ["0: the process dies when it is stored, before it knows", `1: ${what}`];
    const check = ({ state }: { state: WorkflowState }) => void times.push(state.history[1].at);
    const { reached, missing } = await explore(bills, { storeFaults: 1, crashes: 1, replay, check });
    assertEquals([reached.get("a crash"), missing], [1, []]);
  }
  const [plain, retried, again, late] = times;
  assertEquals([plain, again, late], [0, 0, 1000]);
  assert(retried > 0 && retried < 500, `${retried}`);
});

Deno.test("explore() chooses nothing more for what goes on when the workflow has ended", async () => {
  const child = async (ctx: Ctx) => {
    await ctx.sleep(10);
    await ctx.executeActivity(ofName("pay"));
  };
  async function parent(ctx: Ctx) {
    await ctx.startChild(child, undefined, { parentClosePolicy: "abandon" });
  }
  const { runs, reached } = await explore(parent, {
    workflows: { child },
    faults: 1,
    crashes: 1,
    failures: ["fails for good"],
    maxDeviations: 1,
    orders: false,
  });
  assertEquals([reached.get("pay works"), reached.has("pay fails for good")], [runs, false]);
  assertEquals(reached.has("a crash while pay is in flight"), false);
});

Deno.test("explore() lets a cancelled attempt answer, and compensations wait for it", async () => {
  const log: string[] = [];
  const [pay, refund] = ["pay", "refund"].map((name) =>
    Object.defineProperty(() => void log.push(name), "name", { value: name })
  );
  async function order(ctx: Ctx) {
    ctx.addCompensation((ctx) => ctx.executeActivity(refund));
    await ctx.executeActivity(pay);
    await ctx.sleep(10);
  }
  const ends = new Set<string>();
  const { complete } = await explore(order, {
    cancels: 1,
    setUp: () => void (log.length = 0),
    check: ({ state }) => void ends.add(`${state.status}: ${log}`),
  });
  assertEquals([complete, [...ends]], [true, ["completed: pay", "canceled: pay,refund"]]);
});

Deno.test("explore() says that an update does not arrive in the plain run, and not that one does", async () => {
  const order = async (ctx: Ctx) => {
    ctx.handleUpdate("pay", () => "paid");
    await ctx.sleep(100);
  };
  const { missing } = await explore(order, {
    updates: [{ atMs: 10, name: "pay" }, { atMs: 200, name: "ship" }],
    orders: false,
  });
  assertEquals(missing, ["ship arrives in the plain run"]);
});

Deno.test("explore() reports a store that stores nothing", async () => {
  class Full extends InMemoryStore {
    override append(): Promise<void> {
      return Promise.reject(new Error("the disk is full"));
    }
  }
  const { message } = await complaint(() => 1, { store: () => new Full() });
  assertStringIncludes(message, "The store failed 5 times in a row");
  assertStringIncludes(message, "\nIts last error: Error: the disk is full\n");
});

Deno.test("explore() calls onDeath after each crash, and check after each run that ends", async () => {
  const pay = ofName("pay");
  const order = async (ctx: Ctx) => {
    await ctx.executeActivity(pay);
    await ctx.waitForSignal("never");
  };
  let checks = 0;
  await complaint(order, { check: () => void checks++ });
  assertEquals(checks, 0);
  let deaths = 0;
  const options = { crashes: 1, check: () => void checks++, onDeath: () => void deaths++ };
  const { runs } = await explore((ctx: Ctx) => ctx.executeActivity(pay), options);
  assertEquals([checks, deaths], [runs, runs - 1]);
});

Deno.test("explore() counts what it has reached, and shows it activity by activity", async () => {
  const { reached } = await explore(atOnce(2));
  assertEquals([...reached], [["a works", 2], ["b works", 2], ["answers in another order", 1]]);
  const both = (ctx: Ctx) => Promise.all(["pay", "ship"].map((name) => ctx.executeActivity(ofName(name))));
  const { table } = await explore(both, { cancels: 1, faults: 1, failures: ["fails for good"], maxDeviations: 1 });
  assertEquals(table().split("What was reached:\n")[1].split("\n").map((line) => line.replace(/^ *\d+ +/, "")), [
    "answers in another order",
    "a cancellation",
    "pay works",
    "pay fails for good",
    "a cancellation while pay is in flight",
    "ship works",
    "ship fails for good",
    "a cancellation while ship is in flight",
  ]);
});

Deno.test("explore() shows the beginning of a long story", async () => {
  const { message } = await complaint(async (ctx: Ctx) => {
    for (let i = 0; i < 40; i++) await ctx.executeActivity(ofName("pay"));
  }, {
    check() {
      throw new Error("wrong");
    },
  });
  assertStringIncludes(message, "\n  60. pay (30) answers\n  … 20 more\n");
});

Deno.test("explore() numbers the attempts of an activity in its story", async () => {
  const { message } = await complaint(
    (ctx: Ctx) => ctx.executeActivity(ofName("pay"), undefined, { retry: { maxAttempts: 2 } }),
    {
      faults: 1,
      failures: ["fails"],
      check: ({ calls }) => assertEquals(calls.length, 1),
    },
  );
  assertStringIncludes(message, "1. pay fails   <- not in the plain run\n   2. pay answers\n");
  assertStringIncludes(message, "4. pay (2) begins\n");
});

Deno.test("explore() says which faults of the store no run has reached", async () => {
  const { missing, table } = await explore(bills, { storeFaults: 1, crashes: 1, maxDeviations: 0 });
  assertEquals(missing.filter((what) => /write|read/.test(what)), [
    "a write that fails",
    "a write whose answer is lost",
    "a write whose answer is late",
    "a read that is old",
  ]);
  assertStringIncludes(table(), "1 run, not all");
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
  // in the turn in which it begins, and before its outcome is stored
  assertEquals(reached.get("a crash while pay is in flight"), 2);
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

Deno.test("explore() says that the plain run goes wrong", async () => {
  const { message, replay, runs } = await complaint((ctx: Ctx) => ctx.waitForSignal("never"), {});
  assertStringIncludes(message, "goes wrong in run 1\nIt waits forever");
  assertStringIncludes(message, "\n\nIt is the plain run: nothing deviates in it\n\nThis run:");
  assertEquals([replay, runs, message.includes("The plain run:")], [[], 0, false]);
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
  assertEquals(missing, [
    "ship works",
    "pay fails for good",
    "ship fails for good",
    "late arrives in the plain run",
  ]);
  assertStringIncludes(table(), "Never reached:\n  ship works");
});

Deno.test("explore() says that a crash, a cancellation, a fault or an edge was not reached at all", async () => {
  const nothing = await explore(() => 1, { cancels: 1, faults: 1 });
  assertEquals(nothing.missing, ["a cancellation", "a fault"]);
  const pay = ofName("pay");
  const order = (ctx: Ctx) => ctx.executeActivity(pay);
  assertEquals((await explore(order, { edges: { pay: [5] } })).missing, ["pay returns 5"]);
  assertEquals((await explore(order, { faults: 1, failures: [] })).missing, ["a fault"]);
});

Deno.test("explore() says that a crash and a cancellation have not hit an activity in flight", async () => {
  const order = (ctx: Ctx) => ctx.executeActivity(ofName("pay"));
  const { missing } = await explore(order, { cancels: 1, crashes: 1, maxDeviations: 0 });
  assertEquals(missing, [
    "a crash",
    "a cancellation",
    "a crash while pay is in flight",
    "a cancellation while pay is in flight",
  ]);
});

Deno.test("explore() tells where the process died", async () => {
  const { message, replay } = await complaint((ctx: Ctx) => ctx.executeActivity(ofName("pay")), {
    crashes: 1,
    check: ({ calls }) => assertEquals(calls.length, 1),
  });
  assertEquals(replay, ["2: the process dies before it is stored"]);
  const line = 'event 3, activity_completed "pay": the process dies before it is stored   <- not in the plain';
  assertStringIncludes(message, line);
});

Deno.test("explore() does not miss a failure that its options leave out", async () => {
  const pay = ofName("pay");
  const { missing } = await explore((ctx: Ctx) => ctx.executeActivity(pay), {
    faults: 1,
    failures: ["fails for good"],
  });
  assertEquals(missing, []);
});

Deno.test("explore() returns each of the edges that look the same", async () => {
  const pay = ofName("pay");
  const edges = [1, 2].map((n) => ({ a: { b: { c: { d: n } } } })); // shown as the same text
  const seen: unknown[] = [];
  await explore((ctx: Ctx) => ctx.executeActivity(pay), {
    faults: 1,
    failures: [],
    edges: { pay: edges },
    check: ({ result }) => void seen.push(result),
  });
  assertEquals(seen, ["pay", ...edges]);
});

for (const name of ["toString", "constructor"]) {
  Deno.test(`explore() and whatIf() take an activity of the name ${name}`, async () => {
    const work = ofName(name);
    const order = (ctx: Ctx) => ctx.executeActivity(work);
    const { outcomes } = await explore(order, { faults: 1, failures: ["fails for good"] });
    assertEquals(outcomes.get(`completed: "${name}"`), 1);
    assertEquals((await whatIf(order)).bad, [`${name} never answers: stuck`]);
  });
}

Deno.test("explore() repeats the cancellation that came in a failed run, beside a planned one", async () => {
  const pay = ofName("pay");
  async function order(ctx: Ctx) {
    await ctx.executeActivity(pay);
    await ctx.sleep(1000);
  }
  const check = ({ state: { history } }: { state: { history: readonly { type: string; at: number }[] } }) => {
    const times = history.flatMap(({ type, at }) => type === "cancel_requested" ? [at] : []);
    if (times[0] === 0) throw new Error(`canceled at ${times}`);
  };
  const options = { cancels: 1, cancel: { atMs: 100 }, check };
  const { replay } = await complaint(order, options);
  const seen: string[] = [];
  const kinds = await complaint(order, {
    ...options,
    replay,
    check: (run) => {
      seen.push(run.state.status);
      check(run);
    },
  });
  assertEquals(kinds.replay, replay);
  assertEquals(seen, ["canceled", "canceled"]);
  const { reached } = await explore(order, { cancels: 1, cancel: { atMs: 100 }, orders: false });
  assertEquals(reached.get("a cancellation"), 3); // the planned one; another one while pay works; another one in the sleep
});

for (
  const [at, options, words] of [
    ["an attempt", { faults: 1, failures: ["fails"], replay: ["0: fails for good"] }, "at point 0 (activity pay)"],
    ["a write", { crashes: 1, replay: ["0: the moon falls"] }, "at point 0 (event 1"],
    ["a point that the run does not have", { faults: 1, replay: ["99: fails"] }, "the run has no point 99"],
  ] as const
) {
  Deno.test(`explore() refuses a replay that does not fit ${at}`, async () => {
    const pay = ofName("pay");
    const { message } = await complaint((ctx) => ctx.executeActivity(pay), options);
    assertStringIncludes(message, "Cannot replay: ");
    assertStringIncludes(message, words);
  });
}

Deno.test("explore() ends if a fake that works late never settles", async () => {
  const pay = ofName("pay");
  const order = (ctx: Ctx) => ctx.executeActivity(pay, undefined, { timeoutMs: 10, retry: { jitter: false } });
  const fake = attempts<unknown, string>(() => new Promise(() => {}), () => "paid");
  const { runs, outcomes } = await explore(order, {
    orders: false,
    faults: 1,
    failures: ["works late"],
    activities: [replace(pay, fake)],
  });
  assertEquals([runs, outcomes.get('completed: "paid"')], [3, 3]);
});

Deno.test("whatIf() asks about the activities of each run of a chain", async () => {
  const [pay, ship] = [ofName("pay"), ofName("ship")];
  async function chain(ctx: WorkflowContext<boolean | undefined>, isLast: boolean | undefined): Promise<string> {
    if (isLast) return await ctx.executeActivity(ship);
    await ctx.executeActivity(pay);
    return ctx.continueAsNew(true);
  }
  const { cells } = await whatIf(chain, { failures: ["fails for good"] });
  assertEquals(cells.filter(({ what }) => what === "fails for good").map(({ detail }) => detail), [
    'failed: NonRetryableError: Activity "pay" fails for good',
    'failed: NonRetryableError: Activity "ship" fails for good',
  ]);
});

Deno.test("whatIf() lets the first call of an activity go wrong", async () => {
  const pay = ofName("pay");
  async function order(ctx: Ctx) {
    const answers: string[] = [];
    for (let i = 0; i < 2; i++) answers.push(await ctx.executeActivity(pay).catch(() => "no"));
    return answers.join(" ");
  }
  const { cells } = await whatIf(order, { failures: ["fails for good"] });
  assertEquals(cells.find(({ what }) => what === "fails for good")?.detail, 'completed: "no pay"');
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
    [{ delays: 0.5 }, '"delays" must be'],
    [{ storeFaults: -1 }, '"storeFaults" must be'],
    [{ maxRuns: 0 }, '"maxRuns" must be'],
    [{ activities: [5] }, '"activities" must be'],
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

Deno.test("explore() says which answers a recorded history does not have", async () => {
  const [pay, refund] = [ofName("pay"), ofName("refund")];
  const order = (ctx: Ctx) => ctx.executeActivity(pay).catch(() => ctx.executeActivity(refund));
  await using executor = new TestExecutor();
  await (await executor.execute(order, { id: "a" })).result();
  const activities = [recorded((await executor.store.load("a"))!)];
  const options = { activities, faults: 1, failures: ["fails for good"], check() {} } as const;
  const { missing, table } = await explore(order, options);
  assertEquals(missing, ["an answer for refund in the recorded history"]);
  assertStringIncludes(table(), "Never reached:\n  an answer for refund in the recorded history");
  const { message } = await complaint(order, {
    ...options,
    check({ result }) {
      if (result === undefined) throw new Error("no result");
    },
  });
  assertStringIncludes(message, "A check threw: Error: no result\nThe recorded history has no answer for refund");
});

Deno.test("explore() waits half as long for each further attempt of an activity that never settles", async () => {
  using time = new FakeTime();
  let attempts = 0;
  const poll = () => {
    const waitsMs = Math.ceil(50 / 2 ** attempts++);
    macrotasks(10).then(() => time.tick(waitsMs));
    return new Promise<never>(() => {});
  };
  const { runs } = await explore(
    (ctx: Ctx) =>
      ctx.executeActivity(poll, undefined, { timeoutMs: 1000, retry: { maxAttempts: 5, jitter: false } })
        .catch(() => {}),
    { activities: [replace(poll, poll)], orders: false, check() {} },
  );
  assertEquals([runs, attempts], [1, 5]);
});
