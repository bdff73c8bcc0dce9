/**
 * Runs a workflow with restarts. Each restart can change the code of the workflow, and a run can begin at any event of a
 * history; `crashTest()` does neither. Everything happens on one virtual clock, deliveries come at given times, and a restart takes no time. So a run
 * with restarts must have the same result and the same history as one without.
 *
 * That holds if the workflow is deterministic: of branches that continue at the same time, at most one may call an activity.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type ActivityContext,
  Executor,
  VirtualClock,
  type Workflow,
  type WorkflowEvent,
  type WorkflowState,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { CountingClock, type Fakes } from "./fakes.ts";
import { countingSubscriptions, silent } from "./executors.ts";

/** A signal or a cancellation, and when it is delivered. */
export type Delivery =
  | { readonly at: number; readonly signal: string; readonly payload?: string | number }
  | { readonly at: number; readonly cancel: string };

/** A workflow and what happens to it. A new one is made for every run. */
export interface Scene {
  // deno-lint-ignore no-explicit-any -- a workflow of any input
  readonly workflow: Workflow<any>;
  readonly input?: unknown;
  readonly timeoutMs?: number | undefined;
  /** The option of its executors. */
  readonly dormantAfterMs?: number | undefined;
  readonly deliveries?: readonly Delivery[];
  /** The calls of activities, collected by {@linkcode noting}. */
  readonly calls?: string[];
  /** Its activities, if they take virtual time; the same for all executors. */
  readonly fakes?: Fakes;
}

/** Where an executor is stopped: at its n-th append, before it is carried out, or after it with the answer lost. */
export interface Stop {
  readonly append: number;
  readonly side: "before" | "after";
}

/** How a run ended. */
export interface Ended {
  readonly outcome: string;
  readonly state: WorkflowState;
  /** How many executors were stopped. */
  readonly stops: number;
}

/** Makes activities that collect the idempotency key of every call: the run ID and the position. */
export function noting(calls: string[]) {
  return <Input, Output>(
    name: string,
    body: (input: Input, context: ActivityContext) => Output,
  ): (input: Input, context: ActivityContext) => Output => {
    const activity = (input: Input, context: ActivityContext) => {
      calls.push(context.idempotencyKey);
      return body(input, context);
    };
    return Object.defineProperty(activity, "name", { value: name });
  };
}

/** Describes how a run ended, for a comparison. */
export function outcomeOf(result: Promise<unknown>): Promise<string> {
  return result.then((value) => JSON.stringify(value) ?? "undefined", describe);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `thrown ${JSON.stringify(error)}`;
  const { errors } = error as { errors?: unknown[] };
  return `${error.name}: ${error.message}${errors ? ` [${errors.map(describe)}]` : ""}${
    error.cause === undefined ? "" : ` <- ${describe(error.cause)}`
  }`;
}

/**
 * Writes a history with one event a line, without stacks and signal IDs. Events of the same time are sorted, because the order
 * in which two branches store their commands does not matter.
 */
export function textOf(history: readonly WorkflowEvent[]): string {
  const hide = (key: string, value: unknown) => key === "stack" || key === "signalId" ? undefined : value;
  const lines: string[] = [];
  let instant: string[] = [];
  for (const [i, event] of history.entries()) {
    instant.push(JSON.stringify(event, hide));
    if (event.at === history[i + 1]?.at) continue;
    lines.push(...instant.sort());
    instant = [];
  }
  return lines.join("\n");
}

/**
 * Runs a scene to its end.
 *
 * @param scene The scene, or a function that returns it for an executor, given the number of executors before it.
 * @param stopOf Where an executor is stopped, given the same number; `undefined` for nowhere.
 * @param from What is stored at first; by default only the start of the run.
 */
export async function play(
  scene: Scene | ((stops: number) => Scene),
  stopOf: (stops: number) => Stop | undefined = () => undefined,
  from?: Pick<WorkflowState, "runId" | "history">,
): Promise<Ended> {
  const sceneOf = typeof scene === "function" ? scene : () => scene;
  const { input, timeoutMs } = sceneOf(0);
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  const started = { type: "workflow_started", at: 0, workflowName: "scene", input, ...timeout } as const;
  const { runId, history } = from ?? { runId: "run", history: [started] };
  const clock = new VirtualClock({ startAt: history.at(-1)!.at });
  const counted = countingSubscriptions();
  const store = new FaultyStore(counted);
  await store.append({ workflowId: "a", runId, expectedLength: 0, events: history });
  for (let stops = 0;;) {
    const outcome = await live(sceneOf(stops), store, clock, stopOf(stops));
    assertEquals(counted.subscriptions, 0, "subscriptions of closed executors");
    if (outcome === undefined) stops++;
    const state = (await store.load("a"))!;
    if (state.status === "running" && outcome !== undefined) throw new Error(`The run did not end: ${outcome}`);
    if (state.status !== "running") return { outcome: outcome ?? await storedOutcome(store), state, stops };
  }
}

/** Runs a scene to its end after the first `length` events of a run; a negative length omits events at the end. */
export function playFrom(scene: Scene, { runId, history }: WorkflowState, length: number): Promise<Ended> {
  return play(scene, undefined, { runId, history: history.slice(0, length) });
}

/** The outcome of a finished run, from an executor that did not run it. */
async function storedOutcome(store: FaultyStore): Promise<string> {
  await using executor = new Executor({ store });
  return await outcomeOf((await executor.handle("a")).result());
}

/** One executor's part of the run. Returns how the run ended, or `undefined` if the executor was stopped. */
async function live(
  scene: Scene,
  store: FaultyStore,
  clock: VirtualClock,
  stop: Stop | undefined,
): Promise<string | undefined> {
  const { workflow, deliveries = [], fakes, calls = fakes?.calls ?? [], dormantAfterMs } = scene;
  const before = (await store.load("a"))!;
  calls.length = 0;
  const workflows = { scene: workflow };
  const counting = fakes && new CountingClock(clock);
  if (fakes !== undefined) fakes.clock = clock;
  const random = () => 0.5;
  const executor = new Executor({ store, clock: counting ?? clock, workflows, random, dormantAfterMs, logger: silent });
  clock.hold();

  let appends = 0;
  let gone = false;
  const stopped = Promise.withResolvers<undefined>();
  const count = (side: Stop["side"]) => () => {
    if (side === "before") appends++;
    if (!gone && appends === stop?.append && side === stop.side) {
      gone = true;
      clock.hold();
      executor.close().then(() => stopped.resolve(undefined));
    }
    if (gone) throw new Error("the process is gone");
  };
  store.before.append = count("before");
  store.after.append = count("after");

  const sending: Promise<void>[] = [];
  const send = async (one: Delivery) => {
    clock.hold();
    try {
      if ("cancel" in one) await executor.cancel("a", one.cancel);
      else await executor.signal("a", one.signal, one.payload);
    } catch {
      // The run is finished, or the process is gone.
    }
    clock.release();
  };
  const plans = deliveries.filter((one) => !before.history.some((event) => isOf(event, one)))
    .map((one) => clock.setTimer(Math.max(one.at, clock.now()), () => void sending.push(send(one))));

  const [handle = await executor.handle("a")] = await executor.recover();
  clock.release();
  const outcome = await Promise.race([outcomeOf(handle.result()), stopped.promise]);
  for (const cancel of plans) cancel();
  if (!gone) {
    assertEquals(executor.openRuns().filter(({ workflowId }) => workflowId === "a"), [], "open runs after the end");
  }
  await executor.close();
  await Promise.all(sending);
  store.before.append = store.after.append = undefined;
  if (gone) clock.release();

  assertEquals(counting?.timers ?? 0, 0, "timers of a closed executor");
  assertEquals(
    new Set(calls).size,
    fakes === undefined ? new Set(calls).size : calls.length,
    `an attempt ran twice: ${calls}`,
  );
  for (const event of before.history) {
    if (event.type !== "activity_completed" && event.type !== "activity_failed") continue;
    const key = `${before.runId}:${event.seq}`;
    assert(!calls.some((call) => call.split("#", 1)[0] === key), `activity ${event.seq} ran again`);
  }
  return gone ? undefined : outcome;
}

/** Whether an event records a delivery. */
function isOf(event: WorkflowEvent, delivery: Delivery): boolean {
  if ("cancel" in delivery) return event.type === "cancel_requested";
  return event.type === "signal_received" && event.name === delivery.signal && event.payload === delivery.payload;
}

/** Throws if two runs differ in their outcome, status or history. */
export function assertSame(actual: Ended, expected: Ended, message: string): void {
  const [text, wanted] = [actual, expected].map(({ outcome, state }) =>
    `${outcome}\n${state.status}\n${textOf(state.history)}`
  );
  if (text !== wanted) assertEquals(text.split("\n"), wanted.split("\n"), message); // slow
}
