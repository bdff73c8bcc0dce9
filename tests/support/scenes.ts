/**
 * Plays a workflow whose activities take time, in every way in which it can be interrupted: a process dies at any append; a
 * run resumes from any prefix of its history; it is dormant in between; two executors run it. It must end in the same way.
 *
 * The time is virtual, and it moves while activities run. A death takes no time. So activities end at given times and not
 * after given times: then their ends do not depend on deaths.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type ActivityContext,
  Executor,
  InMemoryStore,
  VirtualClock,
  type Workflow,
  type WorkflowHandle,
  type WorkflowState,
} from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { macrotasks, silent } from "./executors.ts";
import { outcomeOf, textOf } from "./restarts.ts";
import { assertWellFormed } from "./well_formed.ts";

/** A signal, an update or a cancellation, and when it is sent. The payloads of a scene differ. */
export type Sent =
  | { readonly at: number; readonly signal: string; readonly payload?: string | number }
  | { readonly at: number; readonly update: string; readonly input?: string | number }
  | { readonly at: number; readonly cancel: string };

/** A workflow and what happens to it. */
export interface Scene {
  // deno-lint-ignore no-explicit-any -- a workflow of any input
  readonly workflow: Workflow<any>;
  /** Its children. */
  // deno-lint-ignore no-explicit-any -- workflows of any input
  readonly workflows?: Readonly<Record<string, Workflow<any>>>;
  readonly timeoutMs?: number | undefined;
  readonly maxConcurrentActivities?: number;
  readonly sent?: readonly Sent[];
}

/** How an activity behaves. */
export interface Work {
  /** When it ends. Then it returns its name. */
  readonly at?: number;
  /** Whether it goes on when its signal is aborted; otherwise it rejects with the reason. */
  readonly ignores?: boolean;
  /** Whether it fails at its end. */
  readonly fails?: boolean;
}

/** What a scene uses. Each play has its own. */
export class World {
  readonly clock: VirtualClock = new VirtualClock({ autoAdvance: false });
  /** What happened, in order. */
  readonly log: string[] = [];
  /** The idempotency keys of the attempts of activities. */
  readonly calls: string[] = [];

  /** Adds a line with the time to the log. */
  note(what: string): void {
    this.log.push(`${what} at ${this.clock.now()}`);
  }

  /** Resolves at a time. */
  until(at: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(Math.max(at, this.clock.now()), resolve));
  }

  /** Makes an activity that logs its begin and its end. */
  work(name: string, { at = 0, ignores = false, fails = false }: Work = {}) {
    const activity = async (_input: unknown, { signal, idempotencyKey }: ActivityContext): Promise<string> => {
      this.calls.push(idempotencyKey);
      this.note(`${name} begins`);
      const aborted = new Promise<never>((_, reject) => {
        if (ignores) return;
        const abort = () => {
          this.note(`${name} aborted`);
          reject(signal.reason);
        };
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort, { once: true });
      });
      aborted.catch(() => {});
      if (at > this.clock.now()) await Promise.race([this.until(at), aborted]);
      else if (!ignores && signal.aborted) await aborted;
      this.note(`${name} ends`);
      if (fails) throw new RangeError(`${name} failed`);
      return name;
    };
    return Object.defineProperty(activity, "name", { value: name });
  }
}

/** How a play ended. */
export interface Played {
  readonly outcome: string;
  readonly state: WorkflowState;
  readonly states: readonly WorkflowState[];
  readonly log: readonly string[];
  /** How many appends there were. */
  readonly appends: number;
}

/** What goes wrong in a play. */
export interface Plan {
  /** The appends, counted over all executors, at which the process that makes it dies. */
  readonly deaths?: readonly { readonly append: number; readonly side: "before" | "after" }[];
  readonly dormantAfterMs?: number | undefined;
  /** The append after which a second executor recovers the workflow while the first one lives. */
  readonly joins?: number;
  /** What is stored at first. */
  readonly from?: WorkflowState;
}

/** How many timers may fire in a play. */
const MAX_STEPS = 1_000;
/** After how many looks in which there was no timer a play counts as endless. */
const MAX_STILL = 20;

interface Process {
  readonly executor: Executor;
  dead: boolean;
}

/** Plays a scene once. */
export async function playOnce(make: (world: World) => Scene, plan: Plan = {}): Promise<Played> {
  const world = new World();
  const { clock } = world;
  const { workflow, workflows = {}, timeoutMs, sent = [], maxConcurrentActivities } = make(world);
  const inner = new InMemoryStore();
  let appends = 0;
  const processes: Process[] = [];
  const troubles: string[] = [];
  const dying: Promise<void>[] = [];

  const watch = (proc: Process, handle: WorkflowHandle) => {
    handle.result().catch(async (error) => {
      if (proc.dead || (await inner.load(handle.id))?.status !== "running") return;
      troubles.push(`suspended: ${error}`);
    });
  };
  let restarting = 0;
  const recover = async (proc: Process) => {
    restarting++;
    const handles = await proc.executor.recover().catch((error) => {
      if (!proc.dead) troubles.push(`not recovered: ${error}`);
      return [];
    });
    restarting--;
    for (const handle of handles) watch(proc, handle);
  };
  const begin = (): Process => {
    const store = new FaultyStore(inner);
    const executor = new Executor({
      store,
      clock,
      random: () => 0.5,
      workflows: { ...workflows, scene: workflow },
      dormantAfterMs: plan.dormantAfterMs,
      maxConcurrentActivities,
      logger: silent,
      storeRetry: { maxAttempts: 1 },
    });
    const proc: Process = { executor, dead: false };
    processes.push(proc);
    const die = (side: "before" | "after") => {
      if (plan.deaths?.some((death) => death.append === appends && death.side === side) && !proc.dead) {
        proc.dead = true;
        restarting++;
        dying.push(
          executor.close().then(() => {
            restarting--;
            const living = processes.filter(({ dead }) => !dead);
            for (const proc of living.length > 0 ? living : [begin()]) void recover(proc);
          }),
        );
      }
      if (proc.dead) throw new Error("the process is gone");
    };
    store.before.append = () => {
      if (!proc.dead) appends++;
      die("before");
    };
    store.after.append = () => {
      die("after");
      if (plan.joins !== undefined && appends >= plan.joins && processes.length === 1) void recover(begin());
    };
    return proc;
  };

  const pending = [...sent];
  for (const { at } of sent) clock.setTimer(at, () => {});
  const inFlight = new Set<Sent>();
  const isStored = async (one: Sent) =>
    (await inner.load("a"))?.history.some((event) =>
      "cancel" in one
        ? event.type === "cancel_requested"
        : "signal" in one
        ? event.type === "signal_received" && event.name === one.signal && event.payload === one.payload
        : event.type === "update_accepted" && event.name === one.update
    );
  const send = async (one: Sent): Promise<void> => {
    inFlight.add(one);
    const proc = processes.find(({ dead }) => !dead);
    try {
      if (proc === undefined) throw new Error("no process");
      if (await isStored(one)) return void pending.splice(pending.indexOf(one), 1);
      if ("cancel" in one) await proc.executor.cancel("a", one.cancel);
      else if ("signal" in one) await proc.executor.signal("a", one.signal, one.payload as never);
      else await proc.executor.update("a", one.update, one.input as never, { updateId: one.update });
      pending.splice(pending.indexOf(one), 1);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "not_found" || "update" in one && code === undefined) pending.splice(pending.indexOf(one), 1);
    } finally {
      inFlight.delete(one);
    }
  };

  if (plan.from === undefined) {
    await inner.append({
      workflowId: "a",
      runId: "run",
      expectedLength: 0,
      events: [{
        type: "workflow_started",
        at: 0,
        workflowName: "scene",
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }],
    });
  } else {
    const { workflowId, runId, history } = plan.from;
    await clock.advanceTo(history.at(-1)!.at);
    await inner.append({ workflowId, runId, expectedLength: 0, events: history });
  }
  const stored = new Set(
    (await inner.load("a"))!.history.flatMap((event) =>
      event.type === "activity_completed" || event.type === "activity_failed" ? `run:${event.seq}` : []
    ),
  );
  void recover(begin());
  if (plan.joins === 0) void recover(begin());
  let ended = false;
  for (let steps = 0, still = 0; !ended && troubles.length === 0; steps++) {
    for (let quiet = 0; quiet < 3;) { // until nothing more happens at this time
      const before = appends + world.log.length;
      for (const one of pending) if (one.at <= clock.now() && !inFlight.has(one)) void send(one);
      await macrotasks(3);
      await clock.advance(0);
      quiet = restarting > 0 || before !== appends + world.log.length ? 0 : quiet + 1;
    }
    ended = (await inner.list({ status: "running" })).length === 0; // children that were abandoned end, too
    if (ended) break;
    still = clock.next() ? 0 : still + 1;
    if (still > MAX_STILL || steps > MAX_STEPS) {
      troubles.push(`does not end: ${JSON.stringify(processes.map(({ executor }) => executor.openRuns()))}`);
    }
  }
  await Promise.all(dying);
  let outcome = "";
  if (troubles.length === 0) {
    await macrotasks(5);
    await using reader = new Executor({ store: inner, clock });
    outcome = await outcomeOf((await reader.handle("a")).result());
  }
  for (const proc of processes) {
    proc.dead = true;
    await proc.executor.close();
  }
  const state = (await inner.load("a"))!;
  const states = await inner.list();
  assertEquals(troubles, [], troubles.join("\n"));
  assertWellFormed("the history", state);
  for (const call of world.calls) assert(!stored.has(call), `activity ${call} ran again`);
  return { outcome, state, states, log: world.log, appends };
}

/**
 * What two plays of a scene have in common. With two executors and children, it is not the history: when the run ends, one of
 * them may close a child and the other one record that.
 */
const endOf = ({ outcome, state, states }: Played, { joins }: Plan): string =>
  [
    outcome,
    state.status,
    ...states.filter(({ workflowId }) => workflowId !== "a").map(({ status }) => `child ${status}`).sort(),
    joins !== undefined && states.length > 1 ? "" : textOf(state.history),
  ].join("\n");

/** Plays a scene once more. Throws if it does not end as expected. */
export async function assertSameEnd(
  make: (world: World) => Scene,
  plan: Plan,
  expected: Played,
  what = "",
): Promise<void> {
  what += JSON.stringify({ ...plan, ...(plan.from && { from: plan.from.history.length }) });
  let played: Played;
  try {
    played = await playOnce(make, plan);
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  }
  const [actual, wanted] = [endOf(played, plan), endOf(expected, plan)];
  if (actual !== wanted) assertEquals(actual.split("\n"), wanted.split("\n"), `${what}\n${played.log.join("\n")}`);
}

/** Which ways of a play are left out, and why. */
export interface Except {
  /** Two executors perform each activity twice. */
  readonly twoExecutors?: boolean;
  /** A prefix of the history alone does not hold the children. */
  readonly prefixes?: boolean;
}

/**
 * Plays a scene in every way. Throws if it does not end as it does undisturbed.
 *
 * @returns The undisturbed play.
 */
export async function playEveryWay(make: (world: World) => Scene, except: Except = {}): Promise<Played> {
  const undisturbed = await playOnce(make);
  const compare = (plan: Plan) => assertSameEnd(make, plan, undisturbed);
  const { appends, state } = undisturbed;
  for (let append = 1; append <= appends; append++) {
    for (const side of ["before", "after"] as const) {
      await compare({ deaths: [{ append, side }] });
      await compare({ deaths: [{ append, side }, { append: append + 1 + append % 3, side }] });
      await compare({ dormantAfterMs: append % 2, deaths: [{ append, side }] });
    }
  }
  for (const dormantAfterMs of [0, 1]) await compare({ dormantAfterMs });
  for (let length = 1; !except.prefixes && length < state.history.length; length++) {
    await compare({ from: { ...state, history: state.history.slice(0, length) } });
  }
  if (except.twoExecutors) return undisturbed;
  for (let joins = 0; joins < appends; joins++) {
    await compare({ joins });
    await compare({ joins, dormantAfterMs: 0 });
    const append = joins + 1 + joins % 3;
    for (const side of ["before", "after"] as const) await compare({ joins, deaths: [{ append, side }] });
  }
  return undisturbed;
}
