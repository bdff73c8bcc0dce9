/** Golden histories: code that replays passes, code that would break runs is reported, and the texts are stable. */

import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CanceledError,
  type ExecuteOptions,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  TimeoutError,
  VirtualClock,
  type Workflow,
  type WorkflowContext,
} from "@rockpool/workflow";
import { assertReplays, historyFromText, historyToText } from "@rockpool/workflow/testing";
import { macrotasks, setUp } from "../tests/support/executors.ts";

type Ctx = WorkflowContext;

const charge = () => "charged";
const reserve = () => "reserved";
const fail = () => {
  throw new RangeError("no funds", { cause: new TypeError("the bank says so") });
};

/** Runs a workflow to its end, or until it waits. Returns the stored state. */
async function stateOf<Input>(workflow: Workflow<Input>, options: ExecuteOptions<Input> = {}, cancel = false) {
  const { executor, store, clock } = setUp();
  const handle = await executor.execute(workflow as Workflow, { id: "a", ...options });
  clock.hold();
  await macrotasks(20);
  if (cancel) await executor.cancel("a", "enough");
  clock.release();
  await Promise.race([handle.result().catch(() => {}), macrotasks(200)]);
  const state = (await store.load("a"))!;
  await executor.close();
  return state;
}

/** The error message when other code replays the history of a workflow. */
async function complaint(before: Workflow, after: Workflow): Promise<string> {
  const error = await assertRejects(async () => await assertReplays(after, await stateOf(before)), Error);
  assertInstanceOf(error.cause, NonDeterminismError);
  return error.message;
}

/** A workflow with events of nearly all types. */
async function everything(ctx: Ctx, input: unknown) {
  ctx.handleUpdate("set", (value: number) => value + 1);
  ctx.patched("new");
  ctx.addCompensation(() => ctx.executeActivity(reserve), { name: "undo" });
  const random = await ctx.sideEffect(() => Math.random());
  await ctx.executeActivity(fail, undefined, { retry: { maxAttempts: 2, jitter: false } }).catch(() => {});
  const child = await ctx.executeChild((_: Ctx, n: bigint) => 2n * n, 21n).catch((error) => `${error}`);
  const late = await ctx.waitForSignal("never", { timeoutMs: 1000 }).catch((error) => error.name);
  return [input, random, child, late, ctx.uuid(), new Map([[ctx.now(), ctx.random()]])];
}

Deno.test("assertReplays() passes histories that are finished, failed, canceled or in flight", async () => {
  const undone = async (ctx: Ctx) => {
    ctx.addCompensation(() => ctx.executeActivity(reserve));
    await ctx.executeActivity(charge);
    await ctx.sleep(1000);
    await ctx.executeActivity(fail);
  };
  const forever = async (ctx: Ctx) => {
    await ctx.executeActivity(charge);
    return await ctx.waitForSignal("go");
  };
  await assertReplays(everything, await stateOf(everything, { input: { at: new Date(0) } }));
  await assertReplays(undone, [
    await stateOf(undone),
    await stateOf(undone, {}, true),
    await stateOf(undone, { timeoutMs: 500 }),
  ]);
  const inFlight = await stateOf(forever);
  assertEquals(inFlight.status, "running");
  await assertReplays(forever, inFlight);
  const { history } = await stateOf(everything, { input: 1 });
  for (let length = 1; length < history.length; length++) {
    await assertReplays(everything, { ...inFlight, runId: "other", history: history.slice(0, length) });
  }
});

Deno.test("assertReplays() passes a run that continued as new, and one that was terminated", async () => {
  const again = (ctx: WorkflowContext<string>) => ctx.executeActivity(charge).then((text) => ctx.continueAsNew(text));
  const { history, ...rest } = await stateOf((ctx: Ctx) => ctx.executeActivity(charge), { input: 1 });
  await assertReplays(again, { ...rest, status: "running", history: history.slice(0, -1) });
  const { executor, store } = setUp();
  const wait = (ctx: Ctx) => ctx.waitForSignal("go");
  const handle = await executor.execute(wait, { id: "a" });
  await executor.terminate("a");
  await handle.result().catch(() => {});
  await assertReplays(wait, (await store.load("a"))!);
  await executor.close();
});

Deno.test("assertReplays() passes a run that was cancelled in the queue, before its code was called", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store, clock: new VirtualClock(), maxConcurrentWorkflows: 1 });
  const waits = (ctx: WorkflowContext) => ctx.waitForSignal("go");
  const tidy = async (ctx: WorkflowContext) => {
    try {
      await waits(ctx);
    } finally {
      await ctx.shield((ctx) => ctx.executeActivity(charge));
    }
  };
  const renews = (ctx: WorkflowContext<number>) => ctx.continueAsNew(1);
  await executor.execute(waits, { id: "busy" });
  for (const workflow of [tidy, renews as Workflow]) {
    const canceled = await executor.execute(workflow, { id: "canceled" });
    await canceled.cancel();
    await assertRejects(() => canceled.result(), CanceledError);
    await assertReplays(workflow, (await store.load("canceled"))!);
    const late = await executor.execute(workflow, { id: "late", timeoutMs: 10 });
    await assertRejects(() => late.result(), TimeoutError);
    await assertReplays(workflow, (await store.load("late"))!);
  }
});

Deno.test("assertReplays() passes a run that another executor has ended, although it was cancelled before its start time", async () => {
  const store = new InMemoryStore();
  const [started, canceled] = [
    { type: "workflow_started", at: 0, workflowName: "w", input: 1, startAt: 100 },
    { type: "cancel_requested", at: 99 }, // stored late, or the clock of the canceller was behind
  ] as const;
  const returns = () => "done";
  const throws = () => {
    throw new RangeError("no funds");
  };
  const error = { name: "RangeError", message: "no funds" };
  for (
    const [workflow, end] of [
      [returns, { type: "workflow_completed", at: 101, result: "done" }],
      [throws, { type: "workflow_failed", at: 101, error }],
    ] as const
  ) {
    await store.delete("a");
    const batch = { workflowId: "a", runId: "r", expectedLength: 0 };
    await store.append({ ...batch, events: [started, canceled, end] });
    await assertReplays(workflow, (await store.load("a"))!);
  }
});

Deno.test("assertReplays() reports an edit that would break runs in flight, and names it", async () => {
  const before = (ctx: Ctx) => ctx.executeActivity(charge);
  const message = await complaint(before, async function order(ctx) {
    await ctx.executeActivity(reserve);
    return await ctx.executeActivity(charge);
  });
  assertStringIncludes(message, 'Workflow "order" does not replay\nCannot replay workflow "a"');
  assertStringIncludes(message, 'Likely edit: an activity "reserve" was inserted before activity "charge"');
  const left = await complaint(before, () => Promise.resolve("charged"));
  assertStringIncludes(left, 'activity "charge" was removed');
});

Deno.test("assertReplays() reports when a finished run would end differently, continue, or not end", async () => {
  const before = (ctx: Ctx) => ctx.executeActivity(charge);
  const other = await complaint(before, async (ctx) => (await ctx.executeActivity(charge)).length);
  assertStringIncludes(other, 'history  the result "charged"\n  code     the result 7\n');
  assertStringIncludes(other, 'branch on ctx.patched("a-name-for-the-change")');
  const throws = await complaint(before, (ctx) => ctx.executeActivity(charge).then(fail));
  assertStringIncludes(
    throws,
    'history  the result "charged"\n  code     RangeError: no funds, caused by TypeError: the bank says so\n',
  );
  const beyond = await complaint(before, async (ctx) => {
    await ctx.executeActivity(charge);
    return await ctx.executeActivity(reserve);
  });
  assertStringIncludes(beyond, 'code     a further command, activity_started "reserve"');
  const waits = await complaint(before, async (ctx) => {
    await ctx.executeActivity(charge);
    await ctx.waitForSignal("go");
  });
  assertStringIncludes(waits, "code     a wait for more than the history holds");
  const again = await complaint(before, async (ctx) => {
    await ctx.executeActivity(charge);
    await ctx.continueAsNew(undefined);
  });
  assertStringIncludes(again, "code     a new run");
  const failing = (ctx: Ctx) => ctx.executeActivity(fail);
  const recovers = await complaint(failing, (ctx) => ctx.executeActivity(fail).catch(() => "fine"));
  assertStringIncludes(
    recovers,
    'history  RangeError: no funds, caused by TypeError: the bank says so\n  code     the result "fine"',
  );
});

Deno.test("assertReplays() passes a change that branches on ctx.patched()", async () => {
  const before = async (ctx: Ctx) => {
    const charged = await ctx.executeActivity(charge);
    await ctx.sleep(10);
    return charged;
  };
  await assertReplays(async (ctx) => {
    if (ctx.patched("reserve")) await ctx.executeActivity(reserve);
    return await before(ctx);
  }, await stateOf(before));
});

Deno.test("assertReplays() reports every history that does not replay", async () => {
  const [good, bad] = [
    await stateOf((ctx: Ctx) => ctx.executeActivity(charge)),
    await stateOf((ctx: Ctx) => ctx.sleep(1)),
  ];
  const error = await assertRejects(
    () => assertReplays((ctx) => ctx.executeActivity(charge), [historyToText(good), bad, historyToText(bad)]),
    Error,
  );
  assertEquals(error.message.match(/History \d of \d/g), ["History 2 of 3", "History 3 of 3"]);
});

Deno.test("assertReplays() finds children by the name under which they are registered", async () => {
  const child = () => "done";
  const parent = (ctx: Ctx) => ctx.executeChild(child);
  const { executor, store } = setUp({ workflows: { "child-v2": child } });
  await (await executor.execute(parent, { id: "a" })).result();
  const state = (await store.load("a"))!;
  await executor.close();
  await assertReplays(parent, state, { workflows: { "child-v2": child } });
  await assertRejects(() => assertReplays(parent, state), Error, 'child workflow "child-v2"');
});

const pay = (order: { readonly id: string; readonly cents: number }) => order.cents;
const ship = (_ctx: Ctx, address: { readonly street: string }) => address.street;

/** Code before an edit, code after it, and what `inputs: true` says about the edit. */
const edits: [what: string, before: Workflow, after: Workflow, position: number, expected: string, actual: string][] = [
  [
    "the input of an activity",
    (ctx) => ctx.executeActivity(pay, { id: "a", cents: 100 }).then(() => 7),
    (ctx) => ctx.executeActivity(pay, { id: "a", cents: 200 }).then(() => 7),
    0,
    'activity "pay", input.cents: 100',
    'activity "pay", input.cents: 200',
  ],
  [
    "a sleep",
    (ctx) => ctx.executeActivity(charge).then(() => ctx.sleep(1000)),
    (ctx) => ctx.executeActivity(charge).then(() => ctx.sleep(2000)),
    1,
    "sleep or timeout, ms: 1000",
    "sleep or timeout, ms: 2000",
  ],
  [
    "the deadline of a wait",
    (ctx) => ctx.waitForSignal("go", { timeoutMs: 0.5 }).catch(() => {}),
    (ctx) => ctx.waitForSignal("go", { timeoutMs: 0.25 }).catch(() => {}),
    0,
    "sleep or timeout, ms: 0.5",
    "sleep or timeout, ms: 0.25",
  ],
  [
    "the input of a child",
    (ctx) => ctx.executeChild(ship, { street: "A" }).then(() => 7),
    (ctx) => ctx.executeChild(ship, { street: "B" }).then(() => 7),
    0,
    'child workflow "ship", input.street: "A"',
    'child workflow "ship", input.street: "B"',
  ],
  [
    "the ID of a child",
    (ctx) => ctx.executeChild(ship, { street: "A" }, { id: "one" }),
    (ctx) => ctx.executeChild(ship, { street: "A" }, { id: "two" }),
    0,
    'child workflow "ship", id: "one"',
    'child workflow "ship", id: "two"',
  ],
  [
    "the time limit of a child",
    (ctx) => ctx.executeChild(ship, { street: "A" }),
    (ctx) => ctx.executeChild(ship, { street: "A" }, { timeoutMs: 5 }),
    0,
    'child workflow "ship", timeoutMs: undefined',
    'child workflow "ship", timeoutMs: 5',
  ],
  [
    "the close policy of a child",
    (ctx) => ctx.executeChild(ship, { street: "A" }),
    (ctx) => ctx.executeChild(ship, { street: "A" }, { parentClosePolicy: "abandon" }),
    0,
    'child workflow "ship", parentClosePolicy: "cancel"',
    'child workflow "ship", parentClosePolicy: "abandon"',
  ],
];

for (const [what, before, after, position, expected, actual] of edits) {
  Deno.test(`assertReplays() with inputs reports when ${what} differs, and without passes it`, async () => {
    const state = await stateOf(before);
    await assertReplays(after, state);
    await assertReplays(before, [state, historyToText(state)], { inputs: true });
    const error = await assertRejects(() => assertReplays(after, state, { inputs: true }), Error);
    assertEquals(
      error.message.split("\n").slice(1).join("\n"),
      `Cannot replay workflow "a": its code passes something else than its history says
  position ${position}
  history  ${expected}
  code     ${actual}
  Runs that are in flight keep what is recorded. If the change is intended, record the history again`,
    );
    const { cause } = error as { readonly cause?: unknown };
    assertInstanceOf(cause, NonDeterminismError);
    assertEquals([cause.position, cause.expected, cause.actual], [position, expected, actual]);
  });
}

Deno.test("assertReplays() with inputs passes histories with every kind of command", async () => {
  for (const cancel of [false, true]) {
    const state = await stateOf(everything, { input: { at: new Date(0) } }, cancel);
    await assertReplays(everything, [state, historyToText(state)], { inputs: true });
  }
  const signals = async (ctx: Ctx) => {
    const child = ctx.startChild(async (ctx: Ctx) => await ctx.waitForSignal("go"));
    await child.signal("go", { at: new Date(5), list: [new Map()] });
    return await child.result();
  };
  await assertReplays(signals, historyToText(await stateOf(signals)), { inputs: true });
});

Deno.test("assertReplays() with inputs passes a sleep that an earlier process had begun and could not store", async () => {
  const work = async (ctx: Ctx, ms: number) => {
    await ctx.executeActivity(charge);
    await ctx.sleep(ms);
  };
  const text = (input: number) =>
    [
      { format: "rockpool-history", version: 1, workflowId: "a", runId: "r" },
      { type: "workflow_started", at: 0, workflowName: "work", input },
      { type: "activity_started", at: 0, seq: 0, name: "charge", input: { $: "undefined" } },
      { type: "activity_completed", at: 100.3, seq: 0, attempt: 1, result: "charged" },
      { type: "timer_started", at: 500, seq: 1, dueAt: 1100.3 }, // stored after a restart
    ].map((line) => JSON.stringify(line)).join("\n");
  await assertReplays(work, text(1000), { inputs: true });
  await assertRejects(
    () => assertReplays(work, text(1001), { inputs: true }),
    Error,
    "code     sleep or timeout, ms: 1001",
  );
});

Deno.test("assertReplays() passes timers with and without what they are for, also with inputs", async () => {
  const work = async (ctx: Ctx) => {
    const waits = [ctx.waitForSignal("s", { timeoutMs: 9 }), ctx.waitUntil(() => false, { timeoutMs: 9 })];
    await Promise.allSettled([...waits, ctx.scope((ctx) => ctx.sleep(99), { timeoutMs: 9 })]);
  };
  const text = historyToText(await stateOf(work));
  const [signal, condition] = [',"waitsFor":{"signal":"s"}', ',"waitsFor":"condition"'];
  assertStringIncludes(text, signal);
  const old = text.replace(signal, "").replace(condition, "").replace(',"waitsFor":"scope"', "");
  assertEquals(old.includes("waitsFor"), false);
  assertEquals(historyToText(historyFromText(text)), text);
  await assertReplays(work, [text, old, old.replace('dueAt":9', `dueAt":9${condition}`)], { inputs: true });
});

Deno.test("assertReplays() refuses bad arguments", async () => {
  await assertRejects(
    () => assertReplays(charge, "x", { inputs: 1 as never }),
    TypeError,
    '"inputs" must be a boolean',
  );
  await assertRejects(() => assertReplays(1 as never, "x"), TypeError, '"workflow" must be a function, got 1');
  await assertRejects(() => assertReplays(charge, []), TypeError, '"histories" must be at least one');
});

Deno.test("historyToText() writes one event a line, always the same, and historyFromText() reads all of it", async () => {
  const input = { at: new Date(0), big: 5n, map: new Map([["a", new Set([undefined, NaN])]]), $: "tag" };
  const state = await stateOf(everything, { input });
  const text = historyToText(state);
  assertEquals(text.split("\n").length, state.history.length + 2);
  assertEquals(text, historyToText(state));
  assertEquals(text.includes('"stack"'), false);
  const read = historyFromText(text);
  assertEquals(historyToText(read), text);
  const { createdAt, history, ...rest } = read;
  assertEquals([createdAt, rest.status, rest.input, rest.result], [0, "completed", state.input, state.result]);
  assertEquals(history.map(({ type, at }) => [type, at]), state.history.map(({ type, at }) => [type, at]));
  await assertReplays(everything, text);
});

Deno.test("historyFromText() names the line that it cannot read", async () => {
  const text = historyToText(await stateOf((ctx: Ctx) => ctx.executeActivity(charge)));
  const lines = text.split("\n");
  const edited = (number: number, line: string) => () =>
    historyFromText(lines.map((old, i) => i === number - 1 ? line : old).join("\n"));
  assertThrows(edited(3, '{"type":'), TypeError, "Cannot read a history: line 3 is not JSON: ");
  assertThrows(
    edited(3, '{"type":"activity_begun","at":0}'),
    TypeError,
    'Cannot read a history, line 3, history[1]: "type" must be the type of an event, got "activity_begun"',
  );
  assertThrows(edited(4, '{"$":"Mop"}'), TypeError, 'Cannot read a history, line 4: the tag "Mop" is not known');
  assertThrows(edited(2, ""), TypeError, 'Cannot read a history: it does not begin with "workflow_started"');
  assertThrows(
    edited(1, '{"format":"rockpool-history","version":2}'),
    TypeError,
    "Cannot read a history: the text has version 2, this release reads up to version 1: update @rockpool/workflow",
  );
  assertThrows(edited(1, "{}"), TypeError, '"format" must be "rockpool-history", got undefined');
  assertThrows(() => historyFromText(""), TypeError, '"text" must be a non-empty string');
  assertEquals(historyFromText(`\n${text}\n\n`).history.length, lines.length - 2);
});
