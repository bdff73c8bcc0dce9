/**
 * Plays a scene: a workflow, what comes to it from outside, and the processes that run it, which can die at any write.
 *
 * 1. Time moves only when nothing else is to be done, to the next timer. A death takes no time.
 * 2. Whoever has died is followed by a new process, which recovers what is stored.
 * 3. What comes from outside comes once: who sends it looks whether it was stored before the sender's process died.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { NonDeterminismError } from "../../errors.ts";
import type { ExecutorOptions, Wait, WorkflowHandle } from "../../executor.ts";
import type { Workflow, WorkflowState, WorkflowStore } from "../../types.ts";
import { finalStatus } from "../../history/history.ts";
import { Journal } from "./journal.ts";
import { hop, WorldClock } from "./world_clock.ts";
import { linesOf } from "../open_runs.ts";
import type { Deliveries } from "./deliveries.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import { type AttemptFault, type Death, SimulatedProcess, type Write, type WriteFault } from "./simulated_process.ts";
import { advice, sourceHints } from "./report.ts";
import { CheckError, deliveriesOf, type Delivery } from "./delivery.ts";

/** What is played. */
export interface Scene {
  readonly workflow: Workflow<never>;
  readonly id: string;
  readonly input: unknown;
  readonly timeoutMs: number | undefined;
  /** All workflows by name, the one under test among them. */
  readonly workflows: Readonly<Record<string, Workflow<never>>>;
  readonly outside: Deliveries;
  readonly activities: readonly Replacement[];
  readonly executor: Omit<ExecutorOptions, "store" | "clock" | "workflows" | "newRunId"> | undefined;
  /** How many executors share the store. */
  readonly executors: number;
}

/** Decides what goes wrong. Nothing does where it says nothing. */
export interface FaultPlan {
  write?(write: Write): WriteFault | undefined;
  /** Whether a read fails: the n-th of a process. */
  read?(proc: SimulatedProcess, nth: number): boolean;
  attempt?(call: ActivityCall): AttemptFault | undefined;
  /** How much later something comes from outside. */
  lateMs?(visit: string): number;
  /** Which executor it goes to. */
  choose?(visit: string): number;
}

/** What ended a scene early. */
export interface Trouble {
  readonly kind: "suspended" | "check" | "invariant" | "twice" | "endless" | "refused" | "at end";
  readonly error: unknown;
}

/** What the code should have done that waited for something else. */
const FOREIGN_WAIT = "a wait for the context";
/** How much may be stored in one scene. */
const MAX_WRITES = 20_000;
/** After so many turns without any doing, everything is taken to wait for a timer. */
const STILL_HOPS = 4;
/** For so many more a workflow may wait for something else than its context, which it should not. */
const PATIENCE_HOPS = 100;
/** For so long, in real time, activities of dead processes may go on before the scene is left, so that nothing leaks. */
const PATIENCE_MS = 100;
/**
 * For so long, in real time, activities and the store may do nothing that can be seen before they are taken to wait for
 * time to pass, or for ever: fakes, which need no real time, and all others.
 */
const FAKE_PATIENCE_MS = 50;
const REAL_PATIENCE_MS = 3_000;

export class World {
  readonly journal: Journal = new Journal();
  readonly clock: WorldClock = new WorldClock();
  readonly calls: ActivityCall[] = [];
  readonly deaths: Death[] = [];
  /** The replacements that have replaced something. */
  readonly used = new Set<Replacement>();
  trouble: Trouble | undefined;
  /** Looks at what is stored, after every write and at rest; what it throws ends the scene. */
  look: (() => void | Promise<void>) | undefined;
  /** Called when a process has died, before the next one begins. */
  onDeath: (() => void | Promise<void>) | undefined;
  readonly #processes: SimulatedProcess[] = [];
  /** Processes that have died. */
  readonly #graves: SimulatedProcess[] = [];
  readonly #visits: Delivery[];
  /** Processes that have died and are not gone yet. */
  #ending = 0;
  #still = 0;
  #writes = 0;

  constructor(readonly scene: Scene, readonly store: WorkflowStore, readonly fate: FaultPlan) {
    this.#visits = deliveriesOf(scene);
  }

  /** Plays the scene until nothing can happen any more. */
  async play(): Promise<void> {
    for (const visit of this.#visits) {
      const at = visit.atMs + (this.fate.lateMs?.(visit.name) ?? 0);
      this.clock.setTimer(at, () => {
        visit.state = "due";
        this.#pay(visit);
      });
    }
    for (let index = 0; index < this.scene.executors; index++) this.#begin(index, 0);
    for (let stirred = -1, since = 0; this.trouble === undefined;) {
      await hop();
      if (stirred !== this.clock.stirred) {
        this.#still = 0;
        since = systemClock.now();
      } else this.#still++;
      stirred = this.clock.stirred;
      if (this.#ending > 0) continue;
      const busy = this.#processes.filter((proc) => !proc.quiet);
      if (busy.length > 0) {
        this.#wake(busy, systemClock.now() - since);
        continue;
      }
      if (this.clock.next()) continue;
      if (this.#isOver() || this.#still > PATIENCE_HOPS) break;
    }
    await this.#look();
    if (this.trouble === undefined && finalState(this)?.status === "running") this.fail("endless", this.#endless());
    await Promise.all(this.#processes.map((proc) => proc.end()));
    const left = systemClock.now();
    for (let busy = this.#graves; (busy = busy.filter((proc) => proc.busy)).length > 0;) {
      if (systemClock.now() - left >= (busy.every((proc) => proc.fakesOnly) ? FAKE_PATIENCE_MS : PATIENCE_MS)) break;
      await hop();
    }
  }

  /** Goes on in spite of whoever has done nothing for too long. */
  #wake(busy: readonly SimulatedProcess[], stillMs: number): void {
    if (!this.still || stillMs < (busy.every((proc) => proc.fakesOnly) ? FAKE_PATIENCE_MS : REAL_PATIENCE_MS)) return;
    const dozing = busy.map((proc) => proc.doze());
    if (dozing.includes(true)) return;
    this.fail("endless", new Error(`A call of the store has not ended after ${REAL_PATIENCE_MS} ms`));
  }

  /** The workflow waits, and nothing can come any more. */
  #endless(): Error {
    const runs = this.#processes.flatMap(({ executor }) => executor.openRuns());
    const waits = (...types: Wait["type"][]) =>
      runs.some((run) => run.waitsFor.some(({ type }) => types.includes(type)));
    const lines = [
      "It waits for ever: nothing else comes from outside, and no timer is set",
      ...new Set(linesOf(runs, this.clock.now()).map((line) => `  ${line}`)),
    ];
    if (waits("signal", "condition")) {
      lines.push('Pass what it waits for in "signals" or "updates", or give the wait a "timeoutMs"');
    }
    if (waits("activity")) lines.push('Have the activity end, or give it a "timeoutMs"');
    return new Error(lines.join("\n"));
  }

  #isOver(): boolean {
    const last = this.journal.latest(this.scene.id)?.events.at(-1);
    return last !== undefined && finalStatus(last) !== undefined;
  }

  /** Whether nobody has done anything for a while. */
  get still(): boolean {
    return this.#still >= STILL_HOPS;
  }

  /** Ends the scene. */
  fail(kind: Trouble["kind"], error: unknown): void {
    this.trouble ??= { kind, error };
  }

  /** An attempt of an activity begins. */
  called(call: ActivityCall): void {
    this.calls.push(call);
    if (this.scene.executors > 1 || !this.journal.hasEnded(call.idempotencyKey)) return;
    this.fail("twice", new Error(`The activity "${call.name}" ran again although its outcome was stored`));
  }

  /** Something was stored. */
  async stored(): Promise<void> {
    if (++this.#writes > MAX_WRITES) {
      this.fail("endless", new Error(`The workflow goes on for ever: ${MAX_WRITES} writes, and no end`));
    }
    await this.#look();
  }

  /** A process has died: another one takes its place, at the same time. */
  died(proc: SimulatedProcess, death: Death): void {
    this.deaths.push(death);
    this.#graves.push(proc);
    this.#ending++;
    proc.end().then(() => this.onDeath?.()).catch((error) => this.fail("check", error)).then(() => {
      this.#ending--;
      this.#begin(proc.index, proc.life + 1);
    });
  }

  /** Has an executor look for what it can go on with. */
  recover(index: number): void {
    const proc = this.#processes[index];
    if (!proc.dead) this.#recover(proc);
  }

  async #look(): Promise<void> {
    if (this.trouble !== undefined) return;
    try {
      await this.look?.();
    } catch (error) {
      this.fail("invariant", error);
    }
  }

  async #begin(index: number, life: number): Promise<void> {
    const proc = this.#processes[index] = new SimulatedProcess(this, index, life);
    const { workflow, id, input, timeoutMs } = this.scene;
    try {
      if (index > 0 || this.journal.begun(id) > 0) await this.#recover(proc);
      else this.#watch(proc, await proc.executor.execute(workflow as Workflow, { id, input, timeoutMs }));
    } catch (error) {
      if (!proc.dead) this.fail("refused", error);
    }
    if (proc.dead) return;
    for (const visit of this.#visits) if (visit.state === "due") this.#pay(visit);
  }

  async #recover(proc: SimulatedProcess): Promise<void> {
    try {
      for (const handle of await proc.executor.recover()) this.#watch(proc, handle);
    } catch (error) {
      if (!proc.dead) this.fail("refused", error);
    }
  }

  /** Hears of a run that its code has stopped. */
  async #watch(proc: SimulatedProcess, handle: WorkflowHandle): Promise<void> {
    try {
      await handle.result();
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (!proc.dead && handle.status === "running" && lasting.includes(code as string)) {
        this.fail("suspended", error);
      }
    }
  }

  /** Does what is due from outside, if it is not done. */
  #pay(visit: Delivery): void {
    if (visit.state !== "due") return;
    const { executors } = this.scene;
    const proc = this.#processes[(this.fate.choose?.(visit.name) ?? 0) % executors];
    if (proc.dead) return; // whoever takes its place does it
    if (this.journal.begun(this.scene.id) === 0) {
      return void this.clock.setTimer(this.clock.now() + 1, () => this.#pay(visit));
    }
    if (visit.tried && visit.stored(this.journal)) {
      visit.state = "done";
      return;
    }
    visit.state = "under way";
    visit.tried = true;
    visit.pay(proc).then(() => {
      visit.state = "done";
    }, (error) => {
      visit.state = "due";
      const { code } = error as { code?: unknown };
      if (proc.dead) {
        if (!this.#processes[proc.index].dead) this.#pay(visit);
      } else if (code === "unsupported") { // another executor has it, or it is being recovered
        this.clock.setTimer(this.clock.now() + 10, () => this.#pay(visit));
        if (executors > 1) this.recover(proc.index);
      } else {
        visit.state = "done";
        if (error instanceof CheckError) this.fail("check", error.cause);
        else if (!visit.late(error)) this.fail("refused", error);
      }
    });
  }
}

/** What suspends a run for good: its code does not agree with the history, or is not known. */
const lasting = ["non_deterministic", "unknown_workflow", "store_failed"];

/** What in the code can be the cause, if it is the code that went wrong. */
export function hintsOn({ trouble, scene: { workflows } }: World): string[] {
  if (trouble?.kind === "endless") return sourceHints(workflows);
  if (!(trouble?.error instanceof NonDeterminismError)) return [];
  return trouble.error.expected === FOREIGN_WAIT ? sourceHints(workflows) : [advice(workflows)];
}

/** What the workflow under test came to: the state of its last run. */
export function finalState({ journal, scene }: World): WorkflowState | undefined {
  return journal.states().findLast(({ workflowId }) => workflowId === scene.id);
}
