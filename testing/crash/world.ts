/**
 * A simulated world: it runs a workflow under test in processes that can die at any write, makes the deliveries, and moves
 * the time.
 *
 * The world does not decide what goes wrong (see `fault_plan.ts`), and does not judge how the workflow ended.
 *
 * 1. Time moves only when every process waits for timers, and then to the next timer. A death takes no time.
 * 2. A process that dies is replaced at the same time by a new one, which recovers what is stored. With leases, all processes
 *    take what is due by `work()`, and the new one waits like the others until the lease of the dead one has ended.
 * 3. Everything runs in the order of one event loop and of one seed: the same plan gives the same run.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { codeOf } from "../../errors.ts";
import type { WorkflowHandle } from "../../executor.ts";
import type { Wait } from "../../options.ts";
import { finalStatus } from "../../history/history.ts";
import type { WorkflowState, WorkflowStore } from "../../types.ts";
import type { Workflow } from "../../context.ts";
import { formatDuration } from "../../pictures/text.ts";
import { show } from "../../util/show.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import { describeOpenRuns } from "../open_runs.ts";
import { forgetRuns } from "../recorded.ts";
import { CheckError, deliveriesOf, type Delivery } from "./deliveries.ts";
import type { Death, FaultPlan, Move, ProcessRef } from "./fault_plan.ts";
import { Journal, type JournalRun } from "./journal.ts";
import { Owners } from "./owners.ts";
import type { ResolvedScenario } from "./scenario.ts";
import { isFake, isInjected, type ProcessWorld, SimulatedProcess } from "./simulated_process.ts";
import { FAKE_PATIENCE_MS, REAL_PATIENCE_MS } from "./standstills.ts";
import { nextMacrotask, WorldClock } from "./world_clock.ts";

/** Why a run of the world ended early. */
export interface Trouble {
  readonly kind: "suspended" | "check" | "always" | "twice" | "owner" | "endless" | "refused" | "atEnd";
  readonly error: unknown;
}

/** Functions of the test that a world calls. What they throw ends the run. */
export interface WorldCallbacks {
  /** Called after every write, and at the end. */
  readonly always?: () => void | Promise<void>;
  /** Called when a process has died, before the next one begins. */
  readonly onDeath?: (() => void | Promise<void>) | undefined;
}

/** How many writes a run may make, if the plan does not say. */
const MAX_WRITES = 20_000;
/** How often the time of a world with leases may move on without a write: executors that wait look for work, and renew leases. */
const MAX_IDLE_MOVES = 1_000;
/** The same, if something waits for its time. */
const MAX_MOVES = 100_000;
/** After this many macrotasks without a step, all processes count as waiting. */
const STILL_TURNS = 4;
/** For this many macrotasks a workflow may wait for something that is not of its context, such as a native promise. */
const FOREIGN_WAIT_TURNS = 100;
/** How long the end of a run waits for activities of dead processes, in real time, so that they do not leak into the next. */
const LEAK_PATIENCE_MS = 100;

/** With one of these codes a run is suspended for good. */
const SUSPENDING_CODES: readonly unknown[] = ["non_deterministic", "unknown_workflow", "store_failed"];

export class World implements ProcessWorld {
  readonly scenario: ResolvedScenario;
  readonly faults: FaultPlan;
  readonly store: WorkflowStore;
  readonly journal: Journal = new Journal();
  readonly clock: WorldClock = new WorldClock();
  readonly owners: Owners | undefined;
  /** All attempts of activities that have begun. */
  readonly calls: ActivityCall[] = [];
  readonly deaths: Death[] = [];
  /** The replacements that were used. */
  readonly used = new Set<Replacement>();
  /** The names of the activities, fakes apart, that held up the time until it passed in spite of them. */
  readonly held = new Set<string>();
  trouble: Trouble | undefined;
  readonly #callbacks: WorldCallbacks;
  readonly #deliveries: Delivery[];
  readonly #processes: SimulatedProcess[] = [];
  readonly #deadProcesses: SimulatedProcess[] = [];
  /** How many attempts of each activity have held up the time. */
  readonly #holds = new Map<string, number>();
  /** How many processes have died and are not replaced yet. */
  #replacing = 0;
  /** How many macrotasks have passed without a step. */
  #stillTurns = 0;
  #writes = 0;
  /** How often the time has moved on since the last write. */
  #moves = 0;
  /** The last call of {@linkcode inOrder}. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** When a world with leases came to its end. */
  #endedAt: number | undefined;
  /** How many calls of `always` have not settled. */
  #checking = 0;

  constructor(scenario: ResolvedScenario, faults: FaultPlan, callbacks: WorldCallbacks) {
    this.scenario = scenario;
    this.faults = faults;
    this.store = scenario.makeStore(this.clock);
    forgetRuns(scenario.activities);
    if (scenario.leaseMs !== undefined) {
      this.owners = new Owners(this.journal, () => this.clock.now(), (error) => this.fail("owner", error));
    }
    this.#callbacks = callbacks;
    const { cancels = 0 } = faults;
    this.#deliveries = deliveriesOf(scenario.id, scenario.deliveries, this.owners !== undefined);
    const planned = this.#deliveries.findIndex(({ name }) => name === "cancel");
    // A move is found by its text: the cancellation of the scenario must not have that of another one.
    if (cancels > 0 && planned >= 0) {
      this.#deliveries[planned] = { ...this.#deliveries[planned], name: "planned cancel" };
    }
    for (let i = 0; i < cancels; i++) {
      const [cancel] = deliveriesOf(scenario.id, { cancel: { atMs: 0 } });
      this.#deliveries.push({ ...cancel, name: i === 0 ? "cancel" : `cancel (${i + 1})`, atMs: Infinity });
    }
  }

  /** Runs the scenario until nothing can happen any more. */
  async run(): Promise<void> {
    for (const delivery of this.faults.next === undefined ? this.#deliveries : []) {
      const at = delivery.atMs + (this.faults.lateMs?.(delivery.name) ?? 0);
      this.clock.setTimer(at, () => {
        delivery.phase = "due";
        this.#deliver(delivery);
      });
    }
    for (let index = 0; index < this.scenario.executors; index++) this.#begin(index, 0);
    await this.#loop();
    await this.#checkAlways();
    if (this.owners !== undefined) this.#checkEnds();
    if (this.trouble === undefined && this.state?.status === "running") this.fail("endless", this.#endlessError());
    await Promise.all(this.#processes.map((proc) => proc.end()));
    await this.#waitForLeaks();
  }

  /** The last stored state of the workflow under test. */
  get state(): WorkflowState | undefined {
    return this.journal.states().findLast(({ workflowId }) => workflowId === this.scenario.id);
  }

  /** Ends the run. The first trouble counts. */
  fail(kind: Trouble["kind"], error: unknown): void {
    this.trouble ??= { kind, error };
    this.clock.step();
  }

  async #loop(): Promise<void> {
    for (let steps = -1, lastStepAt = 0; this.trouble === undefined;) {
      await nextMacrotask();
      if (steps !== this.clock.steps) {
        this.#stillTurns = 0;
        lastStepAt = systemClock.now();
      } else this.#stillTurns++;
      steps = this.clock.steps;
      const still = this.#stillTurns >= STILL_TURNS;
      if (this.#replacing > 0) {
        if (still) await this.clock.nextStep(REAL_PATIENCE_MS);
        continue;
      }
      const busy = this.#processes.filter((proc) => !proc.isQuiet(still));
      if (busy.length > 0) {
        if (still) await this.#breakStandstill(busy, lastStepAt);
        continue;
      }
      if (this.owners !== undefined && this.#hasRest()) break;
      if (this.#next()) {
        if (this.#isStuck()) break;
        continue;
      }
      if (this.#isOver() || this.#stillTurns > FOREIGN_WAIT_TURNS) break;
    }
  }

  /**
   * Waits for a step. Lets time pass in spite of activities that have done nothing for too long. A store that does so is an
   * error. Half of the patience is left for the next attempt of an activity that has used it up: it may have a thousand.
   */
  async #breakStandstill(busy: readonly SimulatedProcess[], lastStepAt: number): Promise<void> {
    const patienceMs = busy.every((proc) => proc.fakesOnly) ? FAKE_PATIENCE_MS : REAL_PATIENCE_MS;
    const holds = busy.flatMap((proc) => proc.heldBy()).map((call) => this.#holds.get(call?.name ?? "") ?? 0);
    const restMs = lastStepAt + patienceMs / 2 ** Math.min(...holds) - systemClock.now();
    if (restMs > 0) return await this.clock.nextStep(restMs);
    const ignored = busy.flatMap((proc) => proc.ignoreActivities());
    for (const call of ignored) {
      const { name } = call;
      this.#holds.set(name, (this.#holds.get(name) ?? 0) + 1);
      if (!isFake(call)) this.held.add(name);
    }
    if (ignored.length > 0) return;
    const what = this.#checking ? '"always"' : "A call of the store";
    this.fail("endless", new Error(`${what} did not settle within ${REAL_PATIENCE_MS} ms`));
  }

  /** Lets happen what is next. Returns whether something happened. */
  #next(): boolean {
    if (this.faults.next === undefined) return this.clock.next();
    const { dueAt } = this.clock;
    const moves = this.#deliveries.filter(({ phase }) => phase === "planned").map((delivery): Move => ({
      kind: /^(planned )?cancel/.test(delivery.name) ? "cancel" : "delivery",
      text: `${delivery.name} comes`,
      atMs: delivery.atMs,
      make: () => {
        if (delivery.atMs < dueAt) this.clock.moveTo(delivery.atMs);
        delivery.phase = "due";
        this.#deliver(delivery);
        return true;
      },
    }));
    if (dueAt < Infinity) {
      moves.push({
        kind: "time",
        text: `time passes to ${formatDuration(dueAt)}`,
        atMs: dueAt,
        make: () => this.clock.next(),
      });
    }
    return this.faults.next(moves, this.#isOver());
  }

  #isOver(): boolean {
    const last = this.journal.latest(this.scenario.id)?.events.at(-1);
    return last !== undefined && finalStatus(last) !== undefined;
  }

  /** Whether a world with leases is at its end, and has been for so long that nobody stands still any more. */
  #hasRest(): boolean {
    const isDone = this.#isOver() && this.#deliveries.every(({ phase }) => phase === "done") &&
      this.#processes.every(({ paused }) => !paused) && this.#openRuns().length === 0;
    if (!isDone) this.#endedAt = undefined;
    else this.#endedAt ??= this.clock.now();
    return isDone && this.clock.now() >= this.#endedAt! + 2 * this.scenario.leaseMs!;
  }

  /** The last runs of all workflows that have not ended. */
  #openRuns(): JournalRun[] {
    const { journal } = this;
    return journal.runs.filter((run) =>
      run === journal.latest(run.workflowId) && finalStatus(run.events.at(-1)!) === undefined
    );
  }

  /** Whether the time of a world with leases moves on and on, although nothing can happen any more. */
  #isStuck(): boolean {
    if (this.owners === undefined || ++this.#moves <= MAX_IDLE_MOVES) return false;
    if (this.#moves > MAX_MOVES) return true;
    const isPlanned = this.#deliveries.some(({ phase }) => phase === "planned");
    return !isPlanned &&
      !this.#processes.some(({ paused, executor }) =>
        paused ||
        executor.openRuns().some((run) => run.waitsFor.some(({ type }) => type === "timer" || type === "activity"))
      );
  }

  /** With leases, somebody must run what has not ended. */
  #checkEnds(): void {
    const live = new Set(this.#processes.flatMap(({ executor }) => executor.openRuns().map(({ runId }) => runId)));
    const left = this.#openRuns().find(({ runId }) => !live.has(runId));
    if (left === undefined) return;
    this.fail("endless", new Error(`Workflow ${show(left.workflowId)} does not end: no executor runs it`));
  }

  /** The workflow waits, and nothing can happen any more. */
  #endlessError(): Error {
    const runs = this.#processes.flatMap(({ executor }) => executor.openRuns());
    const waits = (...types: Wait["type"][]) =>
      runs.some((run) => run.waitsFor.some(({ type }) => types.includes(type)));
    const lines = [
      "It waits forever: no delivery is left, and no timer is set",
      ...new Set(describeOpenRuns(runs, this.clock.now()).map((line) => `  ${line}`)),
    ];
    if (waits("signal", "condition")) {
      lines.push('Pass what it waits for in "signals" or "updates", or give the wait a "timeoutMs"');
    }
    if (waits("activity")) lines.push('Let the activity end, or give it a "timeoutMs"');
    return new Error(lines.join("\n"));
  }

  async #waitForLeaks(): Promise<void> {
    const since = systemClock.now();
    for (let busy = this.#deadProcesses; (busy = busy.filter((proc) => proc.busy)).length > 0;) {
      const patienceMs = busy.every((proc) => proc.fakesOnly) ? FAKE_PATIENCE_MS : LEAK_PATIENCE_MS;
      const restMs = since + patienceMs - systemClock.now();
      if (restMs <= 0) break;
      await this.clock.nextStep(restMs);
    }
  }

  // What the processes report

  replaced(replacement: Replacement): void {
    this.used.add(replacement);
  }

  inOrder<T>(body: () => Promise<T>): Promise<T> {
    if (this.owners === undefined) return body();
    const answer = this.#lastWrite.then(body);
    this.#lastWrite = answer.catch(() => {});
    return answer;
  }

  attemptBegun(proc: ProcessRef, call: ActivityCall): void {
    this.calls.push(call);
    this.owners?.attemptBegun(proc, call);
    if (this.owners === undefined && this.scenario.executors > 1 || !this.journal.hasEnded(call.idempotencyKey)) return;
    this.fail("twice", new Error(`The activity "${call.name}" ran again although its outcome was stored`));
  }

  async stored(): Promise<void> {
    this.#moves = 0;
    const { maxWrites = MAX_WRITES } = this.faults;
    if (++this.#writes > maxWrites) {
      const lines = [
        `The workflow does not end: it made ${maxWrites} writes`,
        "No more are tried. If it ends later, let its activities answer sooner, or pass an input with less to do",
      ];
      this.fail("endless", new Error(lines.join("\n")));
    }
    await this.#checkAlways();
  }

  suspended(error: unknown): void {
    this.fail("suspended", error);
  }

  died(proc: SimulatedProcess, death: Death): void {
    this.deaths.push(death);
    this.#deadProcesses.push(proc);
    this.#replacing++;
    proc.end().then(() => this.#callbacks.onDeath?.()).catch((error) => this.fail("check", error)).then(() => {
      this.#replacing--;
      this.#begin(proc.index, proc.life + 1);
    });
  }

  readOld(): void {
    const death = this.deaths.at(-1);
    if (death !== undefined) death.oldRead = true;
  }

  recover(index: number): void {
    const proc = this.#processes[index];
    if (!proc.dead && !proc.paused) this.#recover(proc);
  }

  async #checkAlways(): Promise<void> {
    if (this.trouble !== undefined) return;
    this.#checking++;
    try {
      await this.#callbacks.always?.();
    } catch (error) {
      this.fail("always", error);
    } finally {
      this.#checking--;
    }
  }

  // Processes and deliveries

  async #begin(index: number, life: number): Promise<void> {
    const proc = this.#processes[index] = new SimulatedProcess(this, index, life);
    const { workflow, id, input, timeoutMs } = this.scenario;
    try {
      if (this.owners !== undefined) this.#work(proc);
      if (index > 0 || this.journal.begun(id) > 0) await (this.owners === undefined ? this.#recover(proc) : undefined);
      else this.#watch(proc, await proc.executor.execute(workflow as unknown as Workflow, { id, input, timeoutMs }));
    } catch (error) {
      if (!proc.dead) this.fail("refused", error);
    }
    if (proc.dead) return;
    for (const delivery of this.#deliveries) this.#deliver(delivery);
  }

  async #work(proc: SimulatedProcess): Promise<void> {
    try {
      await proc.executor.work({ pollMs: this.scenario.leaseMs! / 2 });
    } catch (error) {
      if (!proc.dead) this.fail("refused", error);
    }
  }

  async #recover(proc: SimulatedProcess): Promise<void> {
    try {
      for (const handle of await proc.executor.recover()) this.#watch(proc, handle);
    } catch (error) {
      if (isInjected(error) && this.owners !== undefined) return; // a claim failed: work() claims again
      if (!proc.dead) this.fail("refused", error);
    }
  }

  /** Notices a run that is suspended for good. */
  async #watch(proc: SimulatedProcess, handle: WorkflowHandle): Promise<void> {
    try {
      await handle.result();
    } catch (error) {
      const code = codeOf(error);
      if (!proc.dead && handle.status === "running" && SUSPENDING_CODES.includes(code)) this.suspended(error);
    }
  }

  /** Makes a delivery that is due. */
  #deliver(delivery: Delivery): void {
    if (delivery.phase !== "due") return;
    const { executors } = this.scenario;
    const proc = this.#processes[(this.faults.executorOf?.(delivery.name) ?? 0) % executors];
    if (proc.dead) return; // the process that replaces it makes the delivery
    if (proc.paused) return this.#deliverIn(1 + this.scenario.leaseMs! / 2, delivery);
    if (this.journal.begun(this.scenario.id) === 0) return this.#deliverIn(1, delivery);
    if (delivery.wasTried && delivery.isStored(this.journal)) {
      delivery.phase = "done";
      return;
    }
    delivery.phase = "in flight";
    delivery.wasTried = true;
    delivery.send(proc.executor).then(() => {
      delivery.phase = "done";
    }, (error) => {
      delivery.phase = "due";
      const code = codeOf(error);
      if (proc.dead) {
        if (!this.#processes[proc.index].dead) this.#deliver(delivery);
      } else if (code === "conflict") {
        this.#deliver(delivery); // the run was continued before the store answered: the journal shows whether it is stored
      } else if (code === "unsupported") { // another executor drives the run, or it is being recovered
        this.#deliverIn(10, delivery);
        if (executors > 1 && this.owners === undefined) this.recover(proc.index);
      } else {
        delivery.phase = "done";
        if (error instanceof CheckError) this.fail("check", error.cause);
        else if (!delivery.isHarmless(error)) this.fail("refused", error);
      }
    });
  }

  #deliverIn(ms: number, delivery: Delivery): void {
    this.clock.setTimer(this.clock.now() + ms, () => this.#deliver(delivery));
  }
}
