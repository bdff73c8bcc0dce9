import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import type { WorkflowContext, WorkflowState } from "@rockpool/workflow";
import {
  each,
  never,
  type Rule,
  RuleError,
  simulate,
  SimulationError,
  type SimulationView,
  TestExecutor,
} from "@rockpool/workflow/testing";

const named = (name: string) => Object.defineProperty(() => name, "name", { value: name });
const [charge, ship, refund] = ["charge", "ship", "refund"].map(named);

/** The state of a run that charges, waits, and then does what it is told to. */
async function run(end: "ship" | "refund" | "nothing", cancelAtMs?: number): Promise<WorkflowState> {
  await using executor = new TestExecutor();
  async function order(ctx: WorkflowContext) {
    await ctx.executeActivity(charge);
    await ctx.sleep(1000).catch(() => {});
    if (end !== "nothing") await ctx.shield((ctx) => ctx.executeActivity(end === "ship" ? ship : refund));
  }
  const handle = await executor.execute(order, { id: "a", signals: [{ name: "hello" }] });
  if (cancelAtMs !== undefined) executor.clock.at(cancelAtMs, () => handle.cancel());
  await handle.result().catch(() => {});
  return (await executor.store.load("a"))!;
}

const holds = (rule: Rule, state: WorkflowState): boolean => {
  try {
    rule(state);
    return true;
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    return false;
  }
};

Deno.test("never() throws when an activity has begun", async () => {
  const state = await run("ship");
  assertEquals([holds(never("ship"), state), holds(never("refund"), state)], [false, true]);
});

Deno.test("never().after() throws when it begins after the other thing, and not before", async () => {
  const rule = never("ship").after("canceled");
  assertEquals(holds(rule, await run("ship", 500)), false);
  assertEquals(holds(rule, await run("ship")), true);
  assertEquals(holds(never("charge").after("ship"), await run("ship")), true);
  assertEquals(holds(never("charge").after("signal:hello"), await run("ship")), false);
  assertEquals(holds(never("ship").after("signal:other"), await run("ship")), true);
});

Deno.test("each().isFollowedBy() throws at the end of a run in which nothing of it follows", async () => {
  const rule = each("charge").isFollowedBy("ship", "refund");
  assertEquals(holds(rule, await run("ship")), true);
  assertEquals(holds(rule, await run("refund")), true);
  assertEquals(holds(rule, await run("nothing")), false);
});

Deno.test("each().isFollowedBy() waits for a run that goes on, until the time is over", async () => {
  const state = await run("ship");
  const running: WorkflowState = { ...state, status: "running", history: state.history.slice(0, 5) };
  const late: WorkflowState = { ...state, status: "running", history: state.history.slice(0, 6) }; // 1,000 ms later
  const rule = each("charge").isFollowedBy("ship").within(500);
  assertEquals([holds(rule, running), holds(rule, late), holds(rule, state)], [true, false, false]);
  assertEquals(holds(each("charge").isFollowedBy("ship").within(1000), state), true);
});

/** A run that goes on, with these events. */
const running = (...events: object[]) =>
  ({ workflowId: "a", runId: "1", history: events.map((event, at) => ({ at, ...event })) }) as unknown as WorkflowState;
const begins = (name: string, seq: number) => ({ type: "activity_started", name, seq });
const completes = (seq: number) => ({ type: "activity_completed", seq });
const ends = { type: "workflow_completed" };

Deno.test("never().after() takes a signal itself for nothing that comes after it, and an activity for done when it has completed", () => {
  const signal = { type: "signal_received", name: "x" };
  const once = never("signal:x").after("signal:x");
  assertEquals([holds(once, running(signal)), holds(once, running(signal, signal))], [true, false]);
  const rule = never("ship").after("charge");
  assertEquals(holds(rule, running(begins("charge", 1), begins("ship", 2), completes(1))), true);
  assertEquals(holds(rule, running(begins("charge", 1), completes(1), begins("ship", 2))), false);
});

for (
  const [what, event] of [
    ["signal:x", { type: "signal_received", name: "x" }],
    ["update:x", { type: "update_accepted", name: "x" }],
    ["child:x", { type: "child_started", name: "x" }],
    ["compensation:x", { type: "compensation_started", name: "x" }],
    ["canceled", { type: "cancel_requested" }],
    ["timer_fired", { type: "timer_fired", seq: 1 }],
  ] as const
) {
  Deno.test(`never() knows ${what}`, () => {
    assertEquals([holds(never(what), running(event)), holds(never(what), running(ends))], [false, true]);
    const other = "name" in event ? { ...event, name: "y" } : { type: "workflow_started" };
    assertEquals(holds(never(what), running(other)), true);
  });
}

Deno.test("each().isFollowedBy() wants one that completes after each of them, and nothing of an empty history", () => {
  const rule = each("charge").isFollowedBy("ship");
  const charge = [begins("charge", 1), completes(1)];
  const ship = [begins("ship", 2), completes(2)];
  assertEquals(holds(rule, running(...charge, ...ship, ends)), true);
  assertEquals(holds(rule, running(...ship, ...charge, ends)), false, "before");
  assertEquals(holds(rule, running(...charge, begins("ship", 2), ends)), false, "begun");
  assertEquals(holds(rule, running(...charge, ...ship, begins("charge", 3), completes(3), ends)), false, "the second");
  assertEquals(holds(rule, running()), true);
});

Deno.test("RuleError names the rule, the run and the events", async () => {
  const state = await run("ship", 500);
  const { message } = assertThrows(() => never("ship").after("canceled")(state), RuleError);
  assertStringIncludes(message, 'Rule broken: never "ship" after "canceled"\nWorkflow "a", run ');
  const { message: other } = assertThrows(() => each("charge").isFollowedBy("refund").within(60_000)(state), RuleError);
  assertStringIncludes(other, 'each "charge" is followed by "refund" within 1 min');
});

Deno.test("never() and each() refuse what is no text", () => {
  assertThrows(() => never(""), TypeError);
  assertThrows(() => never("a").after(5 as never), TypeError);
  assertThrows(() => each("a").isFollowedBy(), TypeError, "needs at least one");
  assertThrows(() => each("a").isFollowedBy("b").within(-1), RangeError);
});

Deno.test("a rule is an invariant of simulate()", async () => {
  const order = async (ctx: WorkflowContext) => {
    await ctx.executeActivity(charge);
    await ctx.sleep(1000).catch(() => {});
    await ctx.shield((ctx) => ctx.executeActivity(ship, undefined, { retry: { maxAttempts: Infinity } }));
  };
  const rule = never("ship").after("canceled");
  const always = ({ state }: SimulationView) => state && rule(state);
  await simulate({ workflow: order, always }, { seeds: 20 });
  const { message } = await assertRejects(
    () => simulate({ workflow: order, always, cancel: { atMs: 500 } }, { seeds: 20 }),
    SimulationError,
  );
  assertStringIncludes(message, 'always threw: RuleError: Rule broken: never "ship" after "canceled"');
});

Deno.test("a rule watches the changes of a store, and throws at the event that breaks it", async () => {
  const rule = never("ship").after("canceled");
  await using executor = new TestExecutor();
  const { store, clock } = executor;
  const broken: number[] = [];
  store.subscribe(async (workflowId) => {
    const state = workflowId === null ? null : await store.load(workflowId);
    if (state !== null && !holds(rule, state)) broken.push(state.history.length);
  });
  const order = async (ctx: WorkflowContext) => {
    await ctx.sleep(1000).catch(() => {});
    await ctx.shield((ctx) => ctx.executeActivity(ship));
  };
  const handles = [await executor.execute(order, { id: "a" }), await executor.execute(order, { id: "b" })];
  clock.at(500, () => handles[1].cancel());
  await Promise.all(handles.map((handle) => handle.result().catch(() => {})));
  const { history } = (await store.load("b"))!;
  const shipped = history.findIndex(({ type }) => type === "activity_started") + 1;
  assertEquals(broken[0], shipped);
  assertEquals(broken.at(-1), history.length);
});
