/** Callbacks of the test that misbehave: they throw, reject, answer nonsense or never answer. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { type ActivityContext, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { crashTest, type CrashTestOptions, FaultyStore, type Scenario, simulate } from "@rockpool/workflow/testing";
import { macrotasks, settle } from "../../tests/support/executors.ts";

const charge = () => "charged";

async function order(ctx: WorkflowContext) {
  ctx.handleUpdate("pay", () => 5);
  ctx.handleQuery("state", () => 6);
  const charged = await ctx.executeActivity(charge);
  await ctx.sleep(100);
  return charged;
}

const bad = {
  throws: () => {
    throw new Error("bad callback");
  },
  rejects: () => Promise.reject(new Error("bad callback")),
  "answers nonsense": () => 5,
} as const;

/** What a call rejects with, in lines, and how many rejections nobody handled. */
async function outcomeOf(call: () => Promise<unknown>): Promise<[text: string, unhandled: number]> {
  let unhandled = 0;
  const count = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled++;
  };
  addEventListener("unhandledrejection", count);
  try {
    const text = await call().then(() => "passed", (error) => `${error}`);
    await settle();
    return [text, unhandled];
  } finally {
    removeEventListener("unhandledrejection", count);
  }
}

type Kinds = Record<keyof typeof bad, string>;

const checked = (check: unknown, what: "update" | "query") =>
  what === "update"
    ? { updates: [{ atMs: 50, name: "pay", check: check as () => void }] }
    : { queries: [{ atMs: 50, name: "state", check: check as () => void }] };
const promised = (what: string) =>
  `A check threw: TypeError: The check of the ${what} returned a promise: nobody waits for it, so check without one`;
const notStore = (action: string, shown: string) =>
  `TypeError: Cannot ${action}: "store()" must be a WorkflowStore, got ${shown}`;

const crashCases: [name: string, options: (callback: never) => CrashTestOptions, expected: Kinds][] = [
  ["setUp", (setUp) => ({ setUp }), {
    throws: "Error: bad callback",
    rejects: "Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["onDeath", (onDeath) => ({ onDeath }), {
    throws: "A check threw: Error: bad callback",
    rejects: "A check threw: Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["effects", (effects) => ({ effects }), {
    throws: "Error: bad callback",
    rejects: "TypeError: Cannot store effects: a Promise cannot be stored",
    "answers nonsense": "passed",
  }],
  ["check", (check) => ({ check }), {
    throws: "A check threw: Error: bad callback",
    rejects: "A check threw: Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["store", (store) => ({ store }), {
    throws: "Error: bad callback",
    rejects: notStore("crash-test", "a Promise"),
    "answers nonsense": notStore("crash-test", "5"),
  }],
  ["check of an update", (check) => checked(check, "update"), {
    throws: "A check threw: Error: bad callback",
    rejects: promised('update "pay"'),
    "answers nonsense": "passed",
  }],
  ["check of a query", (check) => checked(check, "query"), {
    throws: "A check threw: Error: bad callback",
    rejects: promised('query "state"'),
    "answers nonsense": "passed",
  }],
  [
    "replaceActivity",
    (replaceActivity) => ({
      executor: { replaceActivity },
      check({ error, result }) {
        if (result !== "charged") throw error;
      },
    }),
    {
      throws: "A check threw: Error: bad callback",
      rejects: '"replaceActivity()" must be a function or undefined, got a Promise',
      "answers nonsense": '"replaceActivity()" must be a function or undefined, got 5',
    },
  ],
];

const simulateCases: [name: string, scenario: (callback: never) => Omit<Scenario, "workflow">, expected: Kinds][] = [
  ["setUp", (setUp) => ({ setUp }), {
    throws: "Error: bad callback",
    rejects: "Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["always", (always) => ({ always }), {
    throws: "always threw: Error: bad callback",
    rejects: "always threw: Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["atEnd", (atEnd) => ({ atEnd }), {
    throws: "atEnd threw: Error: bad callback",
    rejects: "atEnd threw: Error: bad callback",
    "answers nonsense": "passed",
  }],
  ["store", (store) => ({ store }), {
    throws: "Error: bad callback",
    rejects: notStore("simulate", "a Promise"),
    "answers nonsense": notStore("simulate", "5"),
  }],
  ["check of a query", (check) => checked(check, "query"), {
    throws: "A check threw: Error: bad callback",
    rejects: promised('query "state"'),
    "answers nonsense": "passed",
  }],
];

for (const [kind, callback] of Object.entries(bad) as [keyof typeof bad, () => unknown][]) {
  for (const [name, options, expected] of crashCases) {
    Deno.test(`crashTest(): ${name} that ${kind} is reported, and leaves no rejection unhandled`, async () => {
      const [text, unhandled] = await outcomeOf(() => crashTest(order, options(callback as never)));
      assertStringIncludes(text, expected[kind]);
      assertEquals(unhandled, 0);
    });
  }
  for (const [name, scenario, expected] of simulateCases) {
    Deno.test(`simulate(): ${name} that ${kind} is reported, and leaves no rejection unhandled`, async () => {
      const given: Scenario = { workflow: order, ...scenario(callback as never) };
      const [text, unhandled] = await outcomeOf(() => simulate(given, { seeds: [1] }));
      assertStringIncludes(text, expected[kind]);
      assertEquals(unhandled, 0);
    });
  }
}

Deno.test("simulate() reports an always that never answers", async () => {
  using time = new FakeTime();
  const always = () => {
    macrotasks(10).then(() => time.tick(3000));
    return new Promise<void>(() => {});
  };
  const scenario: Scenario = { workflow: order, always, rates: { takeover: 0 } }; // nothing else happens meanwhile
  const [text] = await outcomeOf(() => simulate(scenario, { seeds: [1] }));
  assertStringIncludes(text, '"always" did not settle within 3000 ms');
});

/** An activity that waits until it times out, while real time passes. */
const waits = (time: FakeTime) => {
  const listen = (_: undefined, { signal }: ActivityContext) => {
    macrotasks(10).then(() => time.tick(3000));
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  return async function call(ctx: WorkflowContext) {
    await ctx.executeActivity(listen, undefined, { timeoutMs: 5 }).catch(() => {});
  };
};
const standstill =
  'Activity "listen" did nothing for 3000 ms of real time in 3 runs in a row, and time passes only after that\n' +
  "Replace it with replace(): fakes hold it up for 50 ms";

Deno.test("crashTest() names an activity that holds up three runs in a row", async () => {
  using time = new FakeTime();
  const [text] = await outcomeOf(() => crashTest(waits(time)));
  assertStringIncludes(text, `Workflow "call" cannot be crash-tested\n${standstill}`);
});

Deno.test("simulate() names an activity that holds up three runs in a row", async () => {
  using time = new FakeTime();
  const rates = {
    crash: 0,
    storeFailure: 0,
    activityFailure: 0,
    activityDelay: 0,
    takeover: 0,
    slowRead: 0,
    staleRead: 0,
  };
  const scenario: Scenario = { workflow: waits(time), rates };
  assertEquals((await simulate(scenario, { seeds: 2 })).runs, 2);
  const [text] = await outcomeOf(() => simulate(scenario, { seeds: 3 }));
  assertStringIncludes(text, `Workflow "call" cannot be simulated\n${standstill}`);
});

Deno.test("FaultyStore refuses a suppress that returns a promise", async () => {
  const store = new FaultyStore(new InMemoryStore(), { failBefore: 1, suppress: bad.rejects as never });
  const [text, unhandled] = await outcomeOf(() => store.load("a"));
  assertEquals(text, 'TypeError: Cannot decide a fault: "suppress()" must be true or false, got a Promise');
  assertEquals(unhandled, 0);
});
