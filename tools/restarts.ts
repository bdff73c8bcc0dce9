/**
 * Runs a workflow with restarts. Everything happens on one virtual clock, what comes from outside comes at a given time,
 * and a restart takes none: so a run with restarts must come to the same result and the same history as one without.
 *
 * That holds if the workflow itself leaves nothing to chance: of branches that go on at the same instant, one at most may
 * call an activity.
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
import { FaultyStore } from "./testing.ts";

/** What comes from outside, and when: a signal, or the request to cancel. */
export type Visit =
  | { readonly at: number; readonly signal: string; readonly payload: string | number }
  | { readonly at: number; readonly cancel: string };

/** A workflow and what happens to it. Made anew for every run. */
export interface Scene {
  // deno-lint-ignore no-explicit-any -- a workflow of any input
  readonly workflow: Workflow<any>;
  readonly input?: unknown;
  readonly timeoutMs?: number;
  readonly visits?: readonly Visit[];
  /** What was really called, as {@linkcode noting} notes it. */
  readonly calls?: string[];
}

/** Where an executor is stopped: at its n-th append, before it is carried out or after, with the answer lost. */
export interface Stop {
  readonly append: number;
  readonly side: "before" | "after";
}

/** How a run ended. */
export interface Ended {
  readonly outcome: string;
  readonly state: WorkflowState;
  readonly restarts: number;
}

/** Makes activities that note the position of every call. */
export function noting(calls: string[]) {
  return <Input, Output>(
    name: string,
    body: (input: Input, context: ActivityContext) => Output,
  ): (input: Input, context: ActivityContext) => Output => {
    const activity = (input: Input, context: ActivityContext) => {
      calls.push(context.idempotencyKey.split(":")[1]);
      return body(input, context);
    };
    return Object.defineProperty(activity, "name", { value: name });
  };
}

/** Says how a run ended, so that it can be compared. */
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

/** The history as a text, without what is another in every run. */
export function textOf(history: readonly WorkflowEvent[]): string {
  const text = (event: WorkflowEvent) =>
    JSON.stringify(event, (key, value) => key === "stack" || key === "signalId" ? undefined : value);
  return history.map(text).join("\n");
}

/**
 * Plays a scene to its end.
 *
 * @param stopOf Where the executor is stopped that was preceded by so many others; nowhere if it does not say.
 * @param history What is stored already; by default, that the run has started.
 */
export async function play(
  scene: Scene | ((restarts: number) => Scene),
  stopOf: (restarts: number) => Stop | undefined = () => undefined,
  history?: readonly WorkflowEvent[],
): Promise<Ended> {
  const sceneOf = typeof scene === "function" ? scene : () => scene;
  const clock = new VirtualClock({ startAt: history?.at(-1)?.at });
  const store = new FaultyStore();
  const { input, timeoutMs } = sceneOf(0);
  const events = history ?? [{ type: "workflow_started", at: 0, workflowName: "scene", input, timeoutMs }];
  await store.append({ workflowId: "a", runId: "run", expectedLength: 0, events });
  for (let restarts = 0;; restarts++) {
    const outcome = await live(sceneOf(restarts), store, clock, stopOf(restarts));
    const state = (await store.load("a"))!;
    if (state.status !== "running") return { outcome, state, restarts };
    if (outcome !== "stopped") throw new Error(`The run did not end: ${outcome}`);
  }
}

/** One executor's part of the run; answers how it ended. */
async function live(scene: Scene, store: FaultyStore, clock: VirtualClock, stop: Stop | undefined): Promise<string> {
  const { workflow, visits = [], calls = [] } = scene;
  const before = (await store.load("a"))!;
  calls.length = 0;
  const executor = new Executor({ store, clock, workflows: { scene: workflow }, random: () => 0.5 });
  clock.hold();

  let appends = 0;
  const stopped = Promise.withResolvers<string>();
  const count = (side: Stop["side"]) => () => {
    if (side === "before") appends++;
    if (stop === undefined || appends < stop.append) return;
    if (appends === stop.append && side === stop.side) {
      clock.hold();
      executor.close().then(() => stopped.resolve("stopped"));
    }
    if (appends > stop.append || side === stop.side) throw new Error("the process is gone");
  };
  store.before = count("before");
  store.after = count("after");

  const visiting: Promise<void>[] = [];
  const visit = async (one: Visit) => {
    clock.hold();
    try {
      if ("cancel" in one) await executor.cancel("a", one.cancel);
      else await executor.signal("a", { name: one.signal, payload: one.payload });
    } catch {
      // The run is over, or the process is gone.
    }
    clock.release();
  };
  const plans = visits.filter((one) => !before.history.some((event) => isOf(event, one)))
    .map((one) => clock.setTimer(Math.max(one.at, clock.now()), () => void visiting.push(visit(one))));

  const [handle = await executor.handle("a")] = await executor.recover();
  clock.release();
  const outcome = await Promise.race([outcomeOf(handle.result()), stopped.promise]);
  const gone = appends >= (stop?.append ?? Infinity);
  const answer = gone ? await stopped.promise.then(() => outcomeOf(handle.result())) : outcome;
  for (const cancel of plans) cancel();
  await executor.close();
  await Promise.all(visiting);
  store.before = store.after = () => {};
  if (gone) clock.release();

  for (const event of before.history) {
    if (event.type !== "activity_completed" && event.type !== "activity_failed") continue;
    assert(!calls.includes(`${event.seq}`), `activity ${event.seq} ran again`);
  }
  return gone && answer.startsWith("WorkflowError: The executor was closed") ? "stopped" : answer;
}

function isOf(event: WorkflowEvent, visit: Visit): boolean {
  if ("cancel" in visit) return event.type === "cancel_requested";
  return event.type === "signal_received" && event.name === visit.signal && event.payload === visit.payload;
}

/** Throws if two runs did not come to the same. */
export function assertSame(actual: Ended, expected: Ended, message: string): void {
  const [text, wanted] = [actual, expected].map(({ outcome, state }) =>
    `${outcome}\n${state.status}\n${textOf(state.history)}`
  );
  if (text !== wanted) assertEquals(text.split("\n"), wanted.split("\n"), message); // slow
}

/**
 * Plays a scene undisturbed; then from every event of its history on; then with a stop at every append, before it and
 * after it with the answer lost. Everything must come to the same, and no activity run again that has ended.
 *
 * @returns How the undisturbed run ended.
 */
export async function assertSurvivesRestarts(makeScene: () => Scene): Promise<Ended> {
  const full = await play(makeScene());
  const { history } = full.state;
  for (let length = 1; length < history.length; length++) {
    const again = await play(makeScene(), undefined, history.slice(0, length));
    assertSame(again, full, `recovered after event ${length}, ${history[length - 1].type}`);
  }
  for (const side of ["before", "after"] as const) {
    for (let append = 1;; append++) {
      const again = await play(makeScene(), (restarts) => restarts === 0 ? { append, side } : undefined);
      // A stop after the last append loses the answer, and not the result.
      if (again.restarts === 0 && again.outcome === full.outcome) break;
      const lost = again.restarts === 0 ? { ...again, outcome: full.outcome } : again;
      assertSame(lost, full, `stopped ${side} append ${append}`);
    }
  }
  return full;
}
