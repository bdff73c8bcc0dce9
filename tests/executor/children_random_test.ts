/**
 * Random families: several executors share one failing store, and each can crash at any time. A parent starts children with
 * retry policies, sends them messages, asks if they have begun, and cancels some of them. Invariants:
 *
 * 1. Every history is well formed, and that of the parent replays. The parent and every child end.
 * 2. The attempts of a child are numbered from 1 without a gap, each is one run, and each begins after the failure of the one
 *    before it is stored in the parent. No attempt follows a cancellation.
 * 3. What the parent records of a child is how its last attempt ended. If another process starts an attempt while the parent
 *    records that the child was cancelled before it, that attempt is closed.
 * 4. A message is stored at most once over all attempts of a child, and exactly once if its sender was told so.
 * 5. The code of a child that was cancelled at once is never called.
 * 6. A scope that waits for its children ends after they have.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type AppendBatch,
  Executor,
  InMemoryStore,
  type ParentClosePolicy,
  type ScopeContext,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
} from "@rockpool/workflow";
import { assertReplays, FaultyStore, seeded } from "@rockpool/workflow/testing";
import { macrotasks, settle } from "../support/executors.ts";
import { assertWellFormed } from "../support/well_formed.ts";

/** How many random families, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [600, 1];

/** What a parent does with one of its children. */
interface Plan {
  readonly id: string;
  /** How many attempts fail. */
  readonly fails: number;
  /** How long an attempt takes, and how long its cleanup. */
  readonly workMs: number;
  readonly cleanMs: number;
  readonly maxAttempts: number;
  readonly policy: ParentClosePolicy;
  /** When messages are sent, after the start. */
  readonly messagesAt: readonly number[];
  readonly asks: boolean;
  /** Who cancels the child, and when. */
  readonly cancel?: { readonly by: "handle" | "scope"; readonly afterMs: number };
  readonly waitForCanceled: boolean;
}

function randomPlan(random: () => number, i: number): Plan {
  const integer = (below: number) => Math.floor(random() * below);
  const pick = <T>(...all: readonly T[]): T => all[integer(all.length)];
  return {
    id: `child ${i}`,
    fails: integer(4),
    workMs: integer(3) * 5,
    cleanMs: integer(3) * 10,
    maxAttempts: 1 + integer(3),
    policy: pick("cancel", "cancel", "terminate", "abandon"),
    messagesAt: Array.from({ length: integer(3) }, () => integer(5) * 10),
    asks: random() < 0.4,
    ...(random() < 0.5 ? { cancel: { by: pick("handle", "scope"), afterMs: pick(0, 0, 10, 20, 30) } } : {}),
    waitForCanceled: random() < 0.5,
  };
}

/** The IDs of the children whose code was called. */
const called = new Set<string>();

async function child(ctx: WorkflowContext, { fails, workMs, cleanMs }: Plan): Promise<string> {
  if (!ctx.isReplaying) called.add(ctx.workflowId);
  const attempt = ctx.parent?.attempt ?? 1;
  try {
    await ctx.sleep(workMs);
  } catch (error) {
    await ctx.shield((ctx) => ctx.sleep(cleanMs));
    throw error;
  }
  if (attempt <= fails) throw new RangeError(`attempt ${attempt}`);
  return `attempt ${attempt}`;
}

const told = (promise: Promise<unknown>) =>
  promise.then(() => "yes", (error) => error instanceof WorkflowError ? error.code : error.name as string);

/** What a parent says of a child. */
interface Told {
  readonly begun: string;
  readonly messages: readonly string[];
  readonly canceled: string;
  readonly result: string;
}

async function family(ctx: WorkflowContext, plans: readonly Plan[]): Promise<readonly Told[]> {
  return await Promise.all(plans.map(async (plan): Promise<Told> => {
    const { cancel, waitForCanceled } = plan;
    const answer = { begun: "", messages: [] as string[], canceled: "", result: "" };
    const later = async (ctx: WorkflowContext, ms: number) => ms === 0 ? undefined : await ctx.sleep(ms);
    const body = async (inner: ScopeContext) => {
      const retry = { maxAttempts: plan.maxAttempts, initialIntervalMs: 10, jitter: false } as const;
      const options = { id: plan.id, retry, parentClosePolicy: plan.policy };
      const handle = inner.startChild(child, plan, options);
      if (cancel?.afterMs === 0 && cancel.by === "scope") inner.cancel("at once");
      const waits: Promise<unknown>[] = [
        told(handle.result()).then((result) => answer.result = result),
        ...plan.messagesAt.map(async (ms, i) => {
          await later(ctx, ms);
          answer.messages[i] = await told(i === 0 ? ctx.signalWorkflow(plan.id, "s", i) : handle.signal("s", i));
        }),
      ];
      if (plan.asks) waits.push(told(handle.started).then((begun) => answer.begun = begun));
      if (cancel !== undefined && !(cancel.afterMs === 0 && cancel.by === "scope")) {
        waits.push((async () => {
          await later(ctx, cancel.afterMs);
          if (cancel.by === "scope") inner.cancel("later");
          else answer.canceled = await told(handle.cancel("by its handle"));
        })());
      }
      await Promise.all(waits);
    };
    await ctx.scope(body, { waitForCanceled });
    return answer;
  }));
}

/** Totals over all seeds. The test fails if they are small: then it has tested too little. */
const totals = { restarts: 0, attempts: 0, messages: 0, cancellations: 0, neverBegun: 0 };

async function runScenario(seed: number): Promise<void> {
  called.clear();
  const random = seeded(seed * 7919);
  const integer = (below: number) => Math.floor(random() * below);
  const log: AppendBatch[] = [];
  class Logging extends InMemoryStore {
    override append(batch: AppendBatch): Promise<void> {
      return super.append(batch).then(() => void log.push(batch));
    }
  }
  const inner = new Logging();
  const store = new FaultyStore(inner);
  const clock = new VirtualClock();
  const dormantAfterMs = seed % 3 === 0 ? integer(2) * 5 : undefined;
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const start = () => {
    const storeRetry = { maxAttempts: Infinity, initialIntervalMs: 5 };
    return new Executor({
      store,
      clock,
      random,
      storeRetry,
      onError: (error) => assert(error instanceof WorkflowError && error.code === "closed", `seed ${seed}: ${error}`),
      logger: silent,
      workflows: { family, child },
      dormantAfterMs,
    });
  };
  const executors = Array.from({ length: 1 + seed % 3 }, start);
  const fail = (chance: number) => async () => {
    if (random() < 0.1) await macrotasks(integer(4)); // a slow store
    if (random() < chance) throw new Error("the store failed");
  };
  store.before.append = store.after.append = fail(0.05);
  store.before.load = fail(0.03);
  const plans = Array.from({ length: 1 + integer(4) }, (_, i) => randomPlan(random, i));
  await executors[0].execute(family, { id: "family", input: plans });
  for (let i = 0; i < 200; i++) {
    await macrotasks(integer(12));
    if (random() < 0.25) {
      const one = integer(executors.length);
      const old = executors[one];
      executors[one] = start();
      await old.close();
      totals.restarts++;
    }
    if (random() < 0.3) await executors[integer(executors.length)].recover().catch(() => {});
    if (await inner.count({ status: "running" }) === 0) break;
  }
  store.before.append = store.after.append = store.before.load = undefined;
  await executors[0].recover();
  for (let i = 0; i < 50 && await inner.count({ status: "running" }) > 0; i++) await settle();

  const states = await inner.list();
  const message = `seed ${seed}`;
  assertEquals(states.filter(({ status }) => status === "running").map(({ workflowId }) => workflowId), [], message);
  for (const state of states) assertWellFormed(message, state);
  const state = states.find(({ workflowId }) => workflowId === "family")!;
  assertEquals(state.status, "completed", `${message}: ${state.error?.message}`);
  await assertReplays(family, { ...state }, { workflows: { child } });
  const answers = state.result as readonly Told[];
  plans.forEach((plan, i) => assertChild(`${message}, ${JSON.stringify(plan)}`, plan, i, answers[i], log));
  await Promise.all(executors.map((executor) => executor.close()));
}

function assertChild(message: string, plan: Plan, i: number, told: Told, log: readonly AppendBatch[]): void {
  const { id, fails, maxAttempts, cancel } = plan;
  const events = log.flatMap(({ workflowId, events }) => events.map((event) => ({ workflowId, event })));
  const indexOf = (wanted: (event: WorkflowEvent) => boolean) =>
    events.findIndex(({ workflowId, event }) => workflowId === "family" && wanted(event));
  const own = events.filter(({ workflowId }) => workflowId === id).map(({ event }) => event);
  const starts = own.flatMap((event) => event.type === "workflow_started" ? [event.parent!.attempt ?? 1] : []);
  const command = events.find(({ event }) => event.type === "child_started" && event.workflowId === id)!.event;
  const seq = (command as { seq: number }).seq;
  assertEquals(starts, starts.map((_, i) => i + 1), `${message}: attempts`);
  assert(starts.length <= maxAttempts, `${message}: ${starts.length} attempts`);
  starts.slice(1).forEach((attempt) => {
    const begins = events.findIndex(({ workflowId, event }) =>
      workflowId === id && event.type === "workflow_started" && event.parent!.attempt === attempt
    );
    const failure = indexOf((event) =>
      event.type === "child_attempt_failed" && event.seq === seq && event.attempt === attempt - 1
    );
    assert(failure >= 0 && failure < begins, `${message}: attempt ${attempt} began before the failure was stored`);
  });
  const requested = own.findIndex(({ type }) => type === "cancel_requested");
  const last = own.findLastIndex(({ type }) => type === "workflow_started");
  assert(requested < 0 || requested > last, `${message}: an attempt follows a cancellation`);

  const ids = own.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
  assertEquals(new Set(ids).size, ids.length, `${message}: a message was stored twice`);
  const stored = own.flatMap((event) => event.type === "signal_received" ? [event.payload] : []);
  told.messages.forEach((answer, i) => {
    assert(["yes", "not_found", "canceled"].includes(answer), `${message}: message ${i}: ${answer}`);
    assert(answer !== "yes" || stored.includes(i), `${message}: message ${i} is lost`);
  });

  const atOnce = cancel?.afterMs === 0 && (cancel.by === "handle" || plan.policy !== "abandon");
  if (atOnce) {
    assert(!called.has(id), `${message}: its code was called`);
    assertEquals(told.result, "canceled", `${message}: result`);
    totals.neverBegun++;
  }
  const outcome = indexOf((event) =>
    /^child_(completed|failed)$/.test(event.type) && "seq" in event && event.seq === seq
  );
  if (cancel === undefined) {
    assertEquals(starts.length, Math.min(fails + 1, maxAttempts), `${message}: attempts without a cancellation`);
    assertEquals(told.result, fails < maxAttempts ? "yes" : "RangeError", message);
  }
  if (outcome >= 0 && starts.length > 0) {
    const end = events.findLastIndex(({ workflowId, event }) => workflowId === id && /^workflow_[cf]/.test(event.type));
    const completed = events[end].event.type === "workflow_completed";
    const { event } = events[outcome];
    // Another process was starting an attempt when the child was cancelled: it is closed as soon as it is found.
    const isRaced = cancel !== undefined && event.type === "child_failed" && event.error.name === "CanceledError";
    assert(isRaced || end < outcome, `${message}: recorded before the end`);
    if (!isRaced) assertEquals(event.type, completed ? "child_completed" : "child_failed", `${message}: outcome`);
  }
  if (plan.waitForCanceled && plan.policy !== "abandon") assert(outcome >= 0, `${message}: nobody waited`);
  if (told.begun === "yes") assert(starts.length > 0, `${message}: it has not begun`);
  if (told.canceled !== "") totals.cancellations++;
  totals.attempts += starts.length;
  totals.messages += stored.length;
  void i;
}

Deno.test("Executors that crash at random run random families of workflows consistently", async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  try {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await runScenario(seed);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  for (const [what, count] of Object.entries(totals)) assert(count > SEEDS / 8, `only ${count} ${what}`);
});
